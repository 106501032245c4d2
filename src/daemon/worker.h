/*
 * A worker: a thread with a lane of its own, from descriptor to descriptor. It holds its lock for a
 * burst at a time; the main thread takes the lock for control calls, and is let in before the next
 * burst. Packets that came to the wrong worker arrive in its mailbox. An idle worker sleeps.
 */
#pragma once

#include "daemon/lane.h"
#include "daemon/mailbox.h"

struct worker;

/* All called from the worker's thread, with its lock held. */
struct worker_ports {
    void *ctx;
    void (*ring)(void *ctx);                        /* there is something for worker_news */
    bool (*ike)(void *ctx, const struct letter *l); /* false: no room */
    bool (*elsewhere)(void *ctx, uint32_t owner, const struct letter *l);
    void (*fence)(void *ctx, uint32_t worker); /* without the lock */
};

struct worker_settings {
    unsigned index;
    int cpu;               /* -1: any */
    uint32_t busy_poll_us; /* looks for more so long before it sleeps; 0: sleeps at once */
    const struct lane_settings *lane;
    struct worker_ports port;
};

struct worker_stats {
    uint64_t tx_failed, handed, taken; /* packets not sent; given to others, got from others */
    uint64_t rx_dropped;               /* by the kernel */
    int cpu;
};

/* Returns when the lane is open; packets are read from worker_go on. */
struct worker *worker_start(const struct worker_settings *s, struct io_error *err) must_use;
void worker_go(struct worker *w);
void worker_stop(struct worker *w); /* and waits for the thread's end */
void worker_free(struct worker *w); /* of a stopped one; NULL is fine */

/* Control calls go between these two. What a call released (held packets) leaves before any packet
 * that is still to be read. */
struct dp *worker_lock(struct worker *w);
void worker_unlock(struct worker *w);
/* Between worker_lock and worker_unlock. */
void worker_stats(struct worker *w, struct worker_stats *out);
bool worker_is_busy(struct worker *w); /* it has packets of the host still to read */
/* What a worker has to say besides notes; NULL: nothing new. */
const char *worker_news(struct worker *w, bool *lost);

/* The interface of a child: read and written by this worker, whose SAs it uses. Takes the device
 * over when it succeeds. */
err_t worker_iface_add(struct worker *w, uint16_t id, const struct tun *tun) must_use;
void worker_iface_del(struct worker *w, uint16_t id);

bool worker_post(struct worker *w, const struct letter *l); /* any thread; false: box full */

/*
 * Packets of the host that were for `from` are for `to` from now on, and shall not overtake those
 * that `from` holds or has still to read, be it from its box: worker_pause, then the change, then
 * worker_flush. `from` sends or hands over all it finds, and then resumes `to`. False: one of them
 * is in the opposite role of another such change; go on without.
 */
bool worker_pause(struct worker *to, struct worker *from);
void worker_flush(struct worker *from, uint32_t to);
void worker_resume(struct worker *w); /* any thread: what is in the box now goes first */

const struct lane *worker_lane(const struct worker *w); /* what does not change after the start */
