/*
 * Workers: see worker.h. The lock has a gate before it: whoever waits for the lock holds the gate,
 * so a worker that comes back for its next burst queues behind the main thread.
 */
#include "daemon/worker.h"
#include "io/clock.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BURSTS_PER_TURN = 8, /* before the other descriptors are looked at again */
    BOX_BYTES = 1 << 20, /* a burst of super-packets, cut */
    TICK_MS = 1000,
    FLUSH_BURSTS = 1024, /* more than the TUN device's queue holds */
};

enum source { SRC_TUN = LS_COUNT, SRC_BOX, SRC_IFACES, SRC_COUNT };

#define IFACES_AT_ONCE 16

struct worker {
    pthread_mutex_t gate, lock;
    pthread_cond_t changed; /* opened, go, stop */
    pthread_t thread;
    bool made, running; /* the locks; the thread */
    int opened;         /* 0: not yet, 1: yes, -1: failed */
    bool go;
    atomic_bool stop;
    int epoll, wake;
    int ifaces;                        /* polls the interfaces of children, and is polled */
    const struct worker_settings *set; /* during the start only */
    struct worker_ports port;
    unsigned index;
    int cpu;
    uint32_t busy_poll_us;
    struct io_error err;
    uint64_t ticked_ms;
    /* under the lock: */
    struct lane lane;
    struct worker_stats stats;
    char news[sizeof((struct lane *)0)->offloads];
    bool has_news, lost;
    bool reading;    /* there may be letters left in the box that were turned to */
    uint32_t pauses; /* fences to come before the TUN device is read again */
    uint32_t flush[DP_WORKERS_MAX], flushes; /* fences to send when it was read empty, by worker */
    /* the thread's own: */
    bool tun_polled, in_box, box_busy;
    struct letter kept; /* read, but of another kind than the batch before it */
    bool has_kept;
    uint8_t hops[LANE_BATCH];
    struct mailbox box;
};

static void wake(struct worker *w)
{
    uint64_t one = 1;
    (void)!write(w->wake, &one, sizeof one);
}

static void enter(struct worker *w)
{
    pthread_mutex_lock(&w->gate);
    pthread_mutex_lock(&w->lock);
    pthread_mutex_unlock(&w->gate);
}

static void leave(struct worker *w)
{
    pthread_mutex_unlock(&w->lock);
}

struct dp *worker_lock(struct worker *w)
{
    enter(w);
    return w->lane.dp;
}

void worker_unlock(struct worker *w)
{
    bool ready = dp_held_ready(w->lane.dp);
    pthread_mutex_unlock(&w->lock);
    if (ready)
        wake(w);
}

/* --- what the lane tells --- */

static void on_ike(void *ctx, const struct dp_pkt *p)
{
    struct worker *w = ctx;
    const struct letter l = {.kind = LETTER_IKE, .pkt = *p};
    if (!w->port.ike(w->port.ctx, &l))
        dp_count_drop(w->lane.dp, R_DP_HANDOVER);
}

static void on_notes(void *ctx)
{
    struct worker *w = ctx;
    w->port.ring(w->port.ctx);
}

static void on_elsewhere(void *ctx, const struct dp_pkt *p, bool inbound)
{
    struct worker *w = ctx;
    struct letter l = {.kind = inbound ? LETTER_IN : LETTER_OUT,
                       .hops = 1,
                       .pkt = {.data = p->data, /* how it lay beside others is over */
                               .len = p->len,
                               .iface = p->iface,
                               .local = p->local,
                               .remote = p->remote,
                               .udp = p->udp,
                               .ah = p->ah,
                               .ip_len = p->ip_len,
                               .tos = p->tos}};
    if (w->in_box)
        l.hops = (uint8_t)(w->hops[p - w->lane.pkt] + 1);
    if (l.hops <= LETTER_HOPS_MAX && w->port.elsewhere(w->port.ctx, p->owner, &l))
        w->stats.handed++;
    else
        dp_count_drop(w->lane.dp, R_DP_HANDOVER);
}

static void say(struct worker *w, const char *text)
{
    snprintf(w->news, sizeof w->news, "%s", text);
    w->has_news = true;
    w->port.ring(w->port.ctx);
}

static void on_lost(void *ctx, const char *text)
{
    struct worker *w = ctx;
    w->lost = true;
    say(w, text);
}

static void on_say(void *ctx, const char *text)
{
    say(ctx, text);
}

const char *worker_news(struct worker *w, bool *lost)
{
    bool any = w->has_news;
    *lost = w->lost;
    w->has_news = false;
    return any ? w->news : NULL;
}

void worker_stats(struct worker *w, struct worker_stats *out)
{
    *out = w->stats;
    out->tx_failed = w->lane.tx_failed;
    out->rx_dropped = lane_rx_dropped(&w->lane);
    out->cpu = w->cpu;
}

/* --- bursts --- */

/* As enter; and what was released goes before what is read next. */
static uint64_t enter_burst(struct worker *w)
{
    uint64_t now = clock_now_ms();
    enter(w);
    if (dp_held_ready(w->lane.dp))
        lane_release(&w->lane, now);
    return now;
}

static int fd_of(const struct worker *w, unsigned src)
{
    return src == SRC_BOX      ? w->wake
           : src == SRC_TUN    ? w->lane.tun.fd
           : src == SRC_IFACES ? w->ifaces
                               : lane_fd(&w->lane, (enum lane_sock)src);
}

static bool watch(struct worker *w, unsigned src)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = src};
    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd_of(w, src), &ev) == 0;
}

static void unwatch_tun(struct worker *w)
{
    if (w->tun_polled)
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->lane.tun.fd, NULL);
    w->tun_polled = false;
}

static bool tun_burst(struct worker *w)
{
    uint64_t now = enter_burst(w);
    bool rest = w->pauses || w->lane.lost;
    bool more = !rest && lane_outbound(&w->lane, now);
    rest = rest || w->lane.lost;
    leave(w);
    if (rest)
        unwatch_tun(w);
    return more;
}

/* A turn of each interface that has packets. */
static bool ifaces_burst(struct worker *w)
{
    struct epoll_event ev[IFACES_AT_ONCE];
    uint64_t now = enter_burst(w);
    int n = epoll_wait(w->ifaces, ev, IFACES_AT_ONCE, 0);
    bool more = n == IFACES_AT_ONCE;
    for (int i = 0; i < n; i++) {
        struct lane_iface *f = lane_iface_of(&w->lane, (uint16_t)ev[i].data.u32);
        if (!f)
            continue;
        more = lane_iface_outbound(&w->lane, f, now) || more;
        if (f->lost)
            epoll_ctl(w->ifaces, EPOLL_CTL_DEL, f->tun.fd, NULL);
    }
    leave(w);
    return more;
}

static bool sock_burst(struct worker *w, enum lane_sock at)
{
    uint64_t now = enter_burst(w);
    bool more = lane_inbound(&w->lane, at, now);
    leave(w);
    return more;
}

/* --- the box --- */

/* Letters of one kind, of one turn: their data lie in the box. */
static size_t gather(struct worker *w, enum letter_kind *kind)
{
    struct letter l;
    size_t n = 0;
    while (n < LANE_BATCH) {
        if (w->has_kept)
            l = w->kept;
        else if (!mailbox_next(&w->box, &l))
            break;
        w->has_kept = n && l.kind != *kind;
        if (w->has_kept) {
            w->kept = l;
            break;
        }
        *kind = l.kind;
        w->hops[n] = l.hops;
        w->lane.pkt[n++] = l.pkt;
    }
    return n;
}

static void resume(struct worker *w, uint32_t fences)
{
    w->pauses -= fences;
    if (!w->pauses && !w->tun_polled && !w->lane.lost)
        w->tun_polled = watch(w, SRC_TUN);
}

static bool box_burst(struct worker *w)
{
    enum letter_kind kind = LETTER_OUT;
    uint64_t now = enter_burst(w);
    size_t n = gather(w, &kind);
    w->in_box = true;
    if (n)
        lane_handed(&w->lane, n, kind == LETTER_IN, now);
    w->in_box = false;
    w->stats.taken += n;
    if (!n)
        resume(w, mailbox_fences(&w->box));
    bool more = n || mailbox_turn(&w->box);
    w->reading = more;
    leave(w);
    return more;
}

static void take_flushes(struct worker *w, uint32_t out[DP_WORKERS_MAX])
{
    memcpy(out, w->flush, sizeof w->flush);
    memset(w->flush, 0, sizeof w->flush);
    w->flushes = 0;
}

static void send_fences(struct worker *w, const uint32_t to[DP_WORKERS_MAX])
{
    for (uint32_t i = 0; i < DP_WORKERS_MAX; i++)
        for (uint32_t n = to[i]; n; n--)
            w->port.fence(w->port.ctx, i);
}

/* All that was held, in the box or in the queue when the steering changed, then word to those who
 * wait. */
static void flush_tun(struct worker *w)
{
    uint32_t to[DP_WORKERS_MAX];
    bool more = true;
    enter(w);
    bool wanted = w->flushes;
    if (wanted)
        take_flushes(w, to);
    leave(w);
    if (!wanted)
        return;
    for (int i = 0; i < FLUSH_BURSTS && box_burst(w); i++)
        ;
    for (int i = 0; i < FLUSH_BURSTS && more; i++) {
        uint64_t now = enter_burst(w);
        more = !w->lane.lost && lane_outbound(&w->lane, now);
        leave(w);
    }
    send_fences(w, to);
}

err_t worker_iface_add(struct worker *w, uint16_t id, const struct tun *tun)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = id};
    enter(w);
    err_t e = lane_iface_add(&w->lane, id, tun);
    if (!e && epoll_ctl(w->ifaces, EPOLL_CTL_ADD, tun->fd, &ev) != 0) {
        lane_iface_of(&w->lane, id)->tun.fd = -1; /* the caller's again */
        lane_iface_del(&w->lane, id);
        e = E_SYS;
    }
    leave(w);
    return e;
}

void worker_iface_del(struct worker *w, uint16_t id)
{
    enter(w);
    lane_iface_del(&w->lane, id); /* closing ends the polling */
    leave(w);
}

bool worker_is_busy(struct worker *w)
{
    struct pollfd p = {.fd = w->lane.tun.fd, .events = POLLIN};
    return w->reading || !mailbox_is_empty(&w->box) || poll(&p, 1, 0) != 0;
}

bool worker_pause(struct worker *to, struct worker *from)
{
    enter(from);
    bool may = !from->pauses;
    leave(from);
    enter(to);
    may = may && !to->flushes && !to->lane.lost;
    to->pauses += may;
    leave(to);
    return may;
}

void worker_flush(struct worker *from, uint32_t to)
{
    enter(from);
    from->flush[to]++;
    from->flushes++;
    leave(from);
    wake(from);
}

void worker_resume(struct worker *w)
{
    bool first;
    mailbox_fence(&w->box, &first);
    if (first)
        wake(w);
}

bool worker_post(struct worker *w, const struct letter *l)
{
    bool first;
    if (!mailbox_put(&w->box, l, &first))
        return false;
    if (first)
        wake(w);
    return true;
}

/* --- the thread --- */

static bool burst(struct worker *w, unsigned src)
{
    return src == SRC_TUN      ? tun_burst(w)
           : src == SRC_BOX    ? box_burst(w)
           : src == SRC_IFACES ? ifaces_burst(w)
                               : sock_burst(w, (enum lane_sock)src);
}

static void serve(struct worker *w, unsigned ready)
{
    for (int i = 0; i < BURSTS_PER_TURN && ready && !atomic_load(&w->stop); i++)
        for (unsigned src = 0; src < SRC_COUNT; src++)
            if ((ready & 1u << src) && !burst(w, src))
                ready &= ~(1u << src);
    w->box_busy = ready & 1u << SRC_BOX; /* what woke us for it was read already */
}

static void woken(struct worker *w)
{
    uint64_t n;
    (void)!read(w->wake, &n, sizeof n);
    flush_tun(w);
}

static void tick(struct worker *w)
{
    uint64_t now = clock_now_ms();
    enter(w);
    if (w->lane.held && now - w->ticked_ms >= TICK_MS) {
        lane_tick(&w->lane, now);
        w->ticked_ms = now;
    }
    leave(w);
}

/* An answer is often on its way already, and to wake a thread on an idle CPU takes as long as it.
 * Others on this CPU go before. After a wait in vain there is no second one before the next packet.
 */
static int look_again(struct worker *w, struct epoll_event *ev)
{
    uint64_t until = clock_now_us() + w->busy_poll_us;
    int n;
    do {
        sched_yield();
        n = epoll_wait(w->epoll, ev, SRC_COUNT, 0);
    } while (!n && clock_now_us() < until);
    return n;
}

static unsigned wait_ready(struct worker *w)
{
    struct epoll_event ev[SRC_COUNT];
    unsigned ready = w->box_busy ? 1u << SRC_BOX : 0;
    int timeout = w->box_busy ? 0 : w->lane.held ? TICK_MS : -1;
    int n = timeout && w->busy_poll_us ? look_again(w, ev) : 0;
    if (!n)
        n = epoll_wait(w->epoll, ev, SRC_COUNT, timeout);
    for (int i = 0; i < n; i++)
        ready |= 1u << ev[i].data.u32;
    return ready;
}

static bool watch_all(struct worker *w)
{
    bool ok = watch(w, SRC_BOX) && watch(w, SRC_IFACES);
    for (unsigned at = 0; at < LS_COUNT; at++)
        if (w->lane.open[at])
            ok = watch(w, at) && ok;
    w->tun_polled = watch(w, SRC_TUN);
    return ok && w->tun_polled;
}

static err_t open_lane(struct worker *w)
{
    const struct lane_ports ports = {w, on_ike, on_notes, on_elsewhere, on_lost, on_say};
    err_t e = mailbox_init(&w->box, BOX_BYTES);
    if (!e)
        e = lane_open(&w->lane, w->set->lane, &ports, &w->err);
    if (!e && !watch_all(w)) {
        snprintf(w->err.text, sizeof w->err.text, "cannot poll the sockets of a worker");
        e = E_SYS;
    }
    return e;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    enter(w);
    err_t e = open_lane(w);
    w->opened = e ? -1 : 1;
    pthread_cond_broadcast(&w->changed);
    while (!e && !w->go && !atomic_load(&w->stop))
        pthread_cond_wait(&w->changed, &w->lock);
    leave(w);
    while (!e && !atomic_load(&w->stop)) {
        unsigned ready = wait_ready(w);
        if (ready & 1u << SRC_BOX)
            woken(w);
        serve(w, ready);
        tick(w);
    }
    return NULL;
}

static err_t start_thread(struct worker *w)
{
    pthread_attr_t a;
    sigset_t all, before;
    char name[16];
    pthread_attr_init(&a);
    if (w->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)w->cpu, &set);
        pthread_attr_setaffinity_np(&a, sizeof set, &set);
    }
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->running = pthread_create(&w->thread, &a, run, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&a);
    if (!w->running)
        return E_SYS;
    snprintf(name, sizeof name, "worker/%u", w->index);
    pthread_setname_np(w->thread, name);
    return E_OK;
}

static bool make(struct worker *w)
{
    pthread_mutex_init(&w->gate, NULL);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->made = true;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->ifaces = epoll_create1(EPOLL_CLOEXEC);
    return w->epoll >= 0 && w->wake >= 0 && w->ifaces >= 0;
}

/* Memory is only reserved here: the thread, on its CPU, is the first to touch it. */
struct worker *worker_start(const struct worker_settings *s, struct io_error *err)
{
    struct worker *w = calloc(1, sizeof *w);
    snprintf(err->text, sizeof err->text, "cannot start a worker: %s", strerror(ENOMEM));
    if (!w)
        return NULL;
    w->index = s->index;
    w->cpu = s->cpu;
    w->busy_poll_us = s->busy_poll_us;
    w->port = s->port;
    w->set = s;
    w->lane.tun.fd = -1;
    if (!make(w) || start_thread(w)) {
        snprintf(err->text, sizeof err->text, "cannot start a worker: %s", strerror(errno));
        worker_free(w);
        return NULL;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->opened)
        pthread_cond_wait(&w->changed, &w->lock);
    w->set = NULL;
    pthread_mutex_unlock(&w->lock);
    if (w->opened > 0)
        return w;
    *err = w->err;
    worker_free(w);
    return NULL;
}

void worker_go(struct worker *w)
{
    enter(w);
    w->go = true;
    pthread_cond_broadcast(&w->changed);
    leave(w);
}

void worker_stop(struct worker *w)
{
    if (!w->running)
        return;
    atomic_store(&w->stop, true);
    worker_go(w);
    wake(w);
    pthread_join(w->thread, NULL);
    w->running = false;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (w->made) {
        worker_stop(w);
        if (w->opened)
            lane_close(&w->lane);
        mailbox_fini(&w->box);
        pthread_mutex_destroy(&w->gate);
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->changed);
        if (w->ifaces >= 0)
            close(w->ifaces);
        if (w->epoll >= 0)
            close(w->epoll);
        if (w->wake >= 0)
            close(w->wake);
    }
    free(w);
}

const struct lane *worker_lane(const struct worker *w)
{
    return &w->lane;
}
