/* The lane on the daemon's loop: see datapath.h. */
#include "daemon/datapath.h"
#include "daemon/lane.h"
#include "io/clock.h"
#include <stdio.h>
#include <stdlib.h>

#define BURSTS_PER_TURN 8 /* so that control work is never starved */

struct sock_poll {
    uv_poll_t poll;
    struct datapath *d;
    enum lane_sock at;
};

struct datapath {
    uv_loop_t *loop;
    uv_poll_t tun_poll;
    uv_timer_t tick;
    struct sock_poll sock[LS_COUNT];
    struct lane_ports port;
    struct lane lane;
};

static void on_tick(uv_timer_t *t)
{
    struct datapath *d = t->data;
    lane_tick(&d->lane, clock_now_ms());
    if (!d->lane.held)
        uv_timer_stop(&d->tick); /* an idle daemon does not wake up */
}

static void watch_holds(struct datapath *d)
{
    if (d->lane.held && !uv_is_active((uv_handle_t *)&d->tick))
        uv_timer_start(&d->tick, on_tick, 1000, 1000);
}

static void on_tun(uv_poll_t *poll, int status, int events)
{
    struct datapath *d = poll->data;
    (void)status; /* an error is met, and told, by reading */
    (void)events;
    for (int i = 0; i < BURSTS_PER_TURN && lane_outbound(&d->lane, clock_now_ms()); i++)
        ;
    watch_holds(d);
}

static void on_sock(uv_poll_t *poll, int status, int events)
{
    struct sock_poll *s = poll->data;
    (void)status; /* an error is read, and thereby cleared, by receiving */
    (void)events;
    for (int i = 0; i < BURSTS_PER_TURN && lane_inbound(&s->d->lane, s->at, clock_now_ms()); i++)
        ;
    watch_holds(s->d);
}

static void on_lost(void *ctx, const char *text)
{
    struct datapath *d = ctx;
    uv_poll_stop(&d->tun_poll);
    d->port.lost(d->port.ctx, text);
}

static void on_say(void *ctx, const char *text)
{
    struct datapath *d = ctx;
    d->port.say(d->port.ctx, text);
}

static void on_ike(void *ctx, const struct endpoint *local, const struct endpoint *remote,
                   bool natt, struct bytes msg)
{
    struct datapath *d = ctx;
    d->port.ike(d->port.ctx, local, remote, natt, msg);
}

static void on_note(void *ctx, const struct dp_note *n)
{
    struct datapath *d = ctx;
    d->port.note(d->port.ctx, n);
}

void datapath_kick(struct datapath *d)
{
    lane_release(&d->lane, clock_now_ms());
}

err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive)
{
    return lane_send_ike(&d->lane, local, remote, natt, data, keepalive);
}

static void poll_all(struct datapath *d)
{
    for (int at = 0; at < LS_COUNT; at++) {
        struct sock_poll *s = &d->sock[at];
        if (!d->lane.open[at])
            continue;
        *s = (struct sock_poll){.d = d, .at = (enum lane_sock)at};
        s->poll.data = s;
        uv_poll_init(d->loop, &s->poll, lane_fd(&d->lane, s->at));
        uv_poll_start(&s->poll, UV_READABLE, on_sock);
    }
    uv_poll_init(d->loop, &d->tun_poll, d->lane.tun.fd);
    d->tun_poll.data = d;
    uv_poll_start(&d->tun_poll, UV_READABLE, on_tun);
}

struct datapath *datapath_open(uv_loop_t *loop, const struct lane_settings *s,
                               const struct lane_ports *ports, struct io_error *err)
{
    struct datapath *d = calloc(1, sizeof *d);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!d)
        return NULL;
    d->port = *ports;
    d->loop = loop;
    const struct lane_ports lane_ports = {d, on_ike, on_note, on_lost, on_say};
    if (lane_open(&d->lane, s, &lane_ports, err)) {
        datapath_free(d);
        return NULL;
    }
    uv_timer_init(loop, &d->tick);
    d->tick.data = d;
    poll_all(d);
    return d;
}

static void close_handle(uv_handle_t *h)
{
    if (h->loop && !uv_is_closing(h))
        uv_close(h, NULL);
}

void datapath_close(struct datapath *d)
{
    for (size_t i = 0; i < LS_COUNT; i++)
        close_handle((uv_handle_t *)&d->sock[i].poll);
    close_handle((uv_handle_t *)&d->tun_poll);
    close_handle((uv_handle_t *)&d->tick);
}

void datapath_free(struct datapath *d)
{
    if (!d)
        return;
    lane_close(&d->lane);
    free(d);
}

struct dp *datapath_dp(struct datapath *d)
{
    return d->lane.dp;
}

int datapath_ifindex(const struct datapath *d)
{
    return d->lane.tun.ifindex;
}

const char *datapath_offloads(const struct datapath *d)
{
    return d->lane.offloads;
}

uint64_t datapath_tx_failed(const struct datapath *d)
{
    return d->lane.tx_failed;
}
