/* What is ours in the kernel stays: see restore.h. */
#include "daemon/restore.h"
#include "daemon/core.h"
#include "io/own_watch.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE_MS = 50, /* changes come in groups */
    LATER_MS = 1000,
    REST = 20, /* times that a look at nftables took, before the next: there may be much to read */
};

struct restore {
    struct core *core;
    struct own_watch *watch;
    uv_poll_t poll[2];
    uv_timer_t timer;
    unsigned got; /* enum own_event, joined */
    uint64_t not_before_ms, look_not_before_ms;
    bool down_told;
};

static void say(struct restore *r, enum event_kind kind, const char *text)
{
    core_say(r->core, kind, NULL, text);
}

/* Routes cannot be put back into a device that is down. */
static bool device_down(struct restore *r)
{
    char text[160];
    const char *tun = r->core->set.tun;
    bool up = own_link_up(tun);
    if (!up && !r->down_told) {
        snprintf(text, sizeof text,
                 "%s is down: what policies protect waits for `ip link set %s up'", tun, tun);
        say(r, EV_DAEMON_ERROR, text);
    }
    r->down_told = !up;
    return !up;
}

/* Device or not: what has no route into it is kept in by the guard alone. */
static void look_at_guard(struct restore *r)
{
    uint64_t began = uv_hrtime();
    if (!(r->got & OWN_NFT) || uv_now(r->timer.loop) < r->look_not_before_ms)
        return;
    bool changed = policies_look(r->core->pol);
    r->got &= ~(unsigned)OWN_NFT;
    uv_update_time(r->timer.loop);
    r->look_not_before_ms = uv_now(r->timer.loop) + (uv_hrtime() - began) / 1000000 * REST;
    if (!changed)
        return;
    say(r, EV_DAEMON_IO, "nftables were changed by others: the guard is made anew");
    core_settle(r->core);
}

static void put_back(struct restore *r, unsigned got)
{
    struct core *c = r->core;
    struct io_error err;
    if (got & OWN_ROUTES)
        say(r, EV_DAEMON_IO, "routes or rules of ours were deleted by others: they are put back");
    if (got & (OWN_ROUTES | OWN_LINK) && policies_restore(c->pol, &err))
        say(r, EV_DAEMON_ERROR, err.text);
    if (got & OWN_LINK && ifaces_restore(c->ifaces, &err))
        say(r, EV_DAEMON_ERROR, err.text);
    if (got & OWN_ADDRS)
        policies_addrs(c->pol);
    core_settle(c);
}

static void on_timer(uv_timer_t *t);

static void arm(struct restore *r)
{
    uint64_t now = uv_now(r->timer.loop), at = now + AT_ONCE_MS;
    if (!r->got)
        return;
    if (at < r->not_before_ms)
        at = r->not_before_ms;
    if (r->got == OWN_NFT && at < r->look_not_before_ms)
        at = r->look_not_before_ms;
    if (!uv_is_active((uv_handle_t *)&r->timer) || uv_timer_get_due_in(&r->timer) > at - now)
        uv_timer_start(&r->timer, on_timer, at - now, 0);
}

static void on_timer(uv_timer_t *t)
{
    struct restore *r = t->data;
    if (r->core->stopping)
        return;
    r->not_before_ms = uv_now(t->loop) + LATER_MS;
    look_at_guard(r);
    if (device_down(r))
        return; /* its coming up is heard */
    unsigned got = r->got & ~(unsigned)OWN_NFT;
    r->got &= OWN_NFT;
    put_back(r, got);
    arm(r);
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct restore *r = h->data;
    (void)events;
    if (status < 0) /* libuv stops at POLLERR, and what overran the socket's buffer is one */
        uv_poll_start(h, UV_READABLE, on_readable);
    r->got |= own_watch_read(r->watch);
    arm(r);
}

struct restore *restore_open(struct core *c)
{
    struct io_error err = {"out of memory"};
    struct restore *r = calloc(1, sizeof *r);
    int fd[2];
    if (r)
        r->watch = own_watch_open(c->set.route_table, netlink_port(c->nl),
                                  policies_guard_port(c->pol), &err);
    if (!r || !r->watch) {
        core_say(c, EV_DAEMON_ERROR, NULL, err.text);
        free(r);
        return NULL;
    }
    r->core = c;
    r->timer.data = r;
    uv_timer_init(c->loop, &r->timer);
    own_watch_fds(r->watch, fd);
    for (size_t i = 0; i < 2 && fd[i] >= 0; i++) {
        r->poll[i].data = r;
        uv_poll_init(c->loop, &r->poll[i], fd[i]);
        uv_poll_start(&r->poll[i], UV_READABLE, on_readable);
    }
    return r;
}

void restore_close(struct restore *r)
{
    if (!r || uv_is_closing((uv_handle_t *)&r->timer))
        return;
    uv_close((uv_handle_t *)&r->timer, NULL);
    for (size_t i = 0; i < 2; i++)
        if (r->poll[i].loop)
            uv_close((uv_handle_t *)&r->poll[i], NULL);
}

void restore_free(struct restore *r)
{
    if (!r)
        return;
    own_watch_close(r->watch);
    free(r);
}
