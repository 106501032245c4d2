/*
 * Commands that take their time: which engine command belongs to which client's ticket, and when
 * patience ends.
 */
#pragma once

#include <culvert/vici.h>
#include "base/list.h"
#include <uv.h>

enum waiting_kind { WAIT_INITIATE, WAIT_TERMINATE, WAIT_REKEY, WAIT_SHUTDOWN };

struct wait {
    struct list node;
    enum waiting_kind kind;
    uint32_t cmd;
    uint64_t ticket;
    struct vici_client *client; /* NULL when it went away */
    char *what;                 /* name for the answer */
    bool child;
    size_t matches;
    uint64_t timeout_ms;
    uv_timer_t timer;
    bool timed;
    void *ctx;
};

struct waiting;

struct waiting *waiting_new(uv_loop_t *loop, void (*late)(void *ctx, struct wait *w),
                            void *ctx) must_use;
/* timeout_ms 0: for ever. NULL: out of memory or too many. */
struct wait *waiting_add(struct waiting *w, enum waiting_kind kind, const char *what,
                         uint64_t timeout_ms) must_use;
struct wait *waiting_find(struct waiting *w, uint32_t cmd);
void waiting_del(struct waiting *w, struct wait *x);
void waiting_forget(struct waiting *w, const struct vici_client *client);
void waiting_free(struct waiting *w); /* the loop must run once more for the timers */
