/* Links and routes on the loop: see path_link.h. */
#include "daemon/path_link.h"
#include "io/clock.h"
#include "io/netlink.h"
#include <stdlib.h>

enum {
    AT_ONCE_MS = 20, /* changes come in groups */
    PAUSE_MS = 2,
    A_TURN = 128, /* look-ups, about 10 microseconds each */
    REST = 20,    /* times that a sweep took, before the next one */
};

struct path_link {
    uv_poll_t poll;
    uv_timer_t timer;
    struct link_watch *watch;
    struct netlink *nl;
    uint32_t mark;
    struct path_link_sink sink;
    struct dp_child_link *todo;
    size_t count, at;
    bool again; /* something changed since the sweep began */
    uint64_t began_ms, not_before_ms;
};

static void sweep_begin(struct path_link *p)
{
    p->again = false;
    p->at = 0;
    p->began_ms = clock_now_ms();
    p->count = p->sink.list(p->sink.ctx, &p->todo);
}

static void sweep_end(struct path_link *p)
{
    uint64_t now = clock_now_ms();
    free(p->todo);
    p->todo = NULL;
    p->not_before_ms = now + REST * (now - p->began_ms);
}

/* Neighbours in the list often have the same peer. */
static void sweep_some(struct path_link *p)
{
    struct addr last = {0};
    uint16_t mtu = 0;
    for (size_t i = 0; i < A_TURN && p->at < p->count; i++, p->at++) {
        const struct dp_child_link *c = &p->todo[p->at];
        if (!addr_eq(&c->remote, &last))
            mtu = netlink_path_mtu(p->nl, &c->remote, p->mark);
        last = c->remote;
        if (mtu && mtu != c->mtu)
            p->sink.mtu(p->sink.ctx, c->child_id, mtu);
    }
}

static void on_timer(uv_timer_t *t);

static void go_on(struct path_link *p)
{
    uint64_t now = clock_now_ms();
    if (p->todo)
        uv_timer_start(&p->timer, on_timer, PAUSE_MS, 0);
    else if (p->again)
        uv_timer_start(&p->timer, on_timer,
                       p->not_before_ms > now + AT_ONCE_MS ? p->not_before_ms - now : AT_ONCE_MS,
                       0);
}

static void on_timer(uv_timer_t *t)
{
    struct path_link *p = t->data;
    if (!p->todo)
        sweep_begin(p);
    sweep_some(p);
    if (p->at >= p->count)
        sweep_end(p);
    go_on(p);
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct path_link *p = h->data;
    (void)events;
    if (status < 0) /* libuv stops at POLLERR, and what overran the socket's buffer is one */
        uv_poll_start(h, UV_READABLE, on_readable);
    if (!link_watch_read(p->watch))
        return;
    p->again = true;
    if (!uv_is_active((uv_handle_t *)&p->timer))
        go_on(p);
}

struct path_link *path_link_open(uv_loop_t *loop, uint32_t table, uint32_t mark,
                                 const struct path_link_sink *sink, struct io_error *err)
{
    struct path_link *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->nl = netlink_open(err);
    p->watch = p->nl ? link_watch_open(table, err) : NULL;
    if (!p->watch) {
        path_link_free(p);
        return NULL;
    }
    p->mark = mark;
    p->sink = *sink;
    p->poll.data = p->timer.data = p;
    uv_timer_init(loop, &p->timer);
    uv_poll_init(loop, &p->poll, link_watch_fd(p->watch));
    uv_poll_start(&p->poll, UV_READABLE, on_readable);
    return p;
}

void path_link_close(struct path_link *p)
{
    if (!p || uv_is_closing((uv_handle_t *)&p->timer))
        return;
    uv_close((uv_handle_t *)&p->poll, NULL);
    uv_close((uv_handle_t *)&p->timer, NULL);
}

void path_link_free(struct path_link *p)
{
    if (!p)
        return;
    link_watch_close(p->watch);
    netlink_close(p->nl);
    free(p->todo);
    free(p);
}
