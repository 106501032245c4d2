/*
 * Bursts between sockets, TUN and the data plane: see datapath.h. One burst of at most DP_BATCH
 * packets per readiness, so that control work is never starved; no allocation per packet.
 */
#include "daemon/datapath.h"
#include "io/clock.h"
#include "io/tun.h"
#include <stdlib.h>

/* Room for the largest datagram; not a power of two, so that buffers spread over the cache sets. */
#define BUF_DATA        65536
#define BUF_STRIDE      (DP_HEADROOM + BUF_DATA + DP_TAILROOM + 832)
#define BURSTS_PER_TURN 8

enum { S_IKE4, S_IKE6, S_NATT4, S_NATT6, S_ESP4, S_ESP6, S_COUNT };

struct port_poll {
    uv_poll_t poll;
    struct datapath *d;
    struct sock sock;
    bool open;
};

struct datapath {
    struct datapath_ports port;
    struct dp *dp;
    struct tun tun;
    uv_poll_t tun_poll;
    uv_timer_t tick;
    uv_loop_t *loop;
    struct port_poll s[S_COUNT];
    uint8_t *mem;
    struct dp_pkt pkt[DP_BATCH];
    struct io_msg msg[DP_BATCH];
    uint64_t tx_failed;
    bool lost;
};

static uint8_t *buffer(struct datapath *d, size_t i)
{
    return d->mem + i * BUF_STRIDE + DP_HEADROOM;
}

static struct sock *sock_for(struct datapath *d, const struct dp_pkt *p)
{
    bool v6 = p->remote.addr.family == 6;
    struct port_poll *pp = &d->s[p->udp ? (v6 ? S_NATT6 : S_NATT4) : (v6 ? S_ESP6 : S_ESP4)];
    return pp->open ? &pp->sock : NULL;
}

static void flush(struct datapath *d, struct sock *s, size_t n)
{
    size_t failed = 0;
    if (n == 0)
        return;
    int sent = s ? sock_send(s, d->msg, n, &failed) : 0;
    d->tx_failed += failed + (sent < 0 ? n : n - (size_t)sent);
}

/* Sends what must go out in runs of the same socket: order within a flow stays. */
static void send_net(struct datapath *d, struct dp_pkt *const *pkts, size_t n)
{
    struct sock *at = NULL;
    size_t run = 0;
    for (size_t i = 0; i < n; i++) {
        const struct dp_pkt *p = pkts[i];
        if (p->verdict != DP_TO_NET)
            continue;
        struct sock *s = sock_for(d, p);
        if (run && s != at) {
            flush(d, at, run);
            run = 0;
        }
        at = s;
        d->msg[run++] = (struct io_msg){.data = p->data,
                                        .len = p->len,
                                        .local = p->local,
                                        .remote = p->remote,
                                        .tos = p->tos,
                                        .df = p->df};
    }
    flush(d, at, run);
}

static void send_host(struct datapath *d, struct dp_pkt *const *pkts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (pkts[i]->verdict == DP_TO_HOST && tun_write(&d->tun, pkts[i]->data, pkts[i]->len))
            d->tx_failed++;
}

static void drain_notes(struct datapath *d)
{
    struct dp_note note;
    while (dp_note_next(d->dp, &note))
        d->port.note(d->port.ctx, &note);
}

static void on_tick(uv_timer_t *t)
{
    struct datapath *d = t->data;
    struct dp_stats st;
    dp_tick(d->dp, clock_now_ms());
    dp_stats_get(d->dp, &st);
    if (st.held == 0)
        uv_timer_stop(&d->tick); /* an idle daemon does not wake up */
}

static void watch_holds(struct datapath *d, bool any_held)
{
    if (any_held && !uv_is_active((uv_handle_t *)&d->tick))
        uv_timer_start(&d->tick, on_tick, 1000, 1000);
}

static void tun_lost(struct datapath *d)
{
    if (d->lost)
        return;
    d->lost = true;
    uv_poll_stop(&d->tun_poll);
    d->port.lost(d->port.ctx, "the TUN device is gone");
}

/* Reads a burst from the TUN device; false when nothing more is there. */
static bool outbound_burst(struct datapath *d)
{
    struct dp_pkt *ptr[DP_BATCH];
    size_t n = 0;
    bool more = true, held = false;
    while (n < DP_BATCH) {
        int got = tun_read(&d->tun, buffer(d, n), BUF_DATA);
        if (got <= 0) {
            more = false;
            if (got < 0)
                tun_lost(d);
            break;
        }
        d->pkt[n] = (struct dp_pkt){.data = buffer(d, n), .len = (uint32_t)got};
        ptr[n] = &d->pkt[n];
        n++;
    }
    if (n == 0)
        return false;
    dp_outbound(d->dp, ptr, n, clock_now_ms());
    send_net(d, ptr, n);
    send_host(d, ptr, n);
    for (size_t i = 0; i < n; i++)
        held = held || ptr[i]->verdict == DP_HELD;
    watch_holds(d, held);
    drain_notes(d);
    return more;
}

static void on_tun(uv_poll_t *poll, int status, int events)
{
    struct datapath *d = poll->data;
    (void)events;
    if (status < 0) {
        tun_lost(d);
        return;
    }
    for (int i = 0; i < BURSTS_PER_TURN && outbound_burst(d); i++)
        ;
}

static int receive(struct datapath *d, struct port_poll *pp)
{
    for (size_t i = 0; i < DP_BATCH; i++)
        d->msg[i] = (struct io_msg){.data = buffer(d, i), .cap = BUF_DATA};
    return sock_recv(&pp->sock, d->msg, DP_BATCH);
}

static bool ike_burst(struct datapath *d, struct port_poll *pp)
{
    int n = receive(d, pp);
    for (int i = 0; i < n; i++) {
        struct io_msg m = d->msg[i]; /* the array serves sending meanwhile; the buffer is ours */
        if (m.len)                   /* 0: empty or broken */
            d->port.ike(d->port.ctx, &m.local, &m.remote, false, bytes_of(m.data, m.len));
    }
    return n == DP_BATCH;
}

static bool esp_burst(struct datapath *d, struct port_poll *pp)
{
    struct dp_pkt *ptr[DP_BATCH];
    int n = receive(d, pp);
    if (n <= 0)
        return false;
    for (int i = 0; i < n; i++) {
        const struct io_msg *m = &d->msg[i];
        d->pkt[i] = (struct dp_pkt){.data = m->data,
                                    .len = m->len,
                                    .local = m->local,
                                    .remote = m->remote,
                                    .tos = m->tos,
                                    .udp = pp->sock.kind == SOCK_UDP};
        ptr[i] = &d->pkt[i];
    }
    dp_inbound(d->dp, ptr, (size_t)n, clock_now_ms());
    send_host(d, ptr, (size_t)n);
    drain_notes(d);
    for (int i = 0; i < n; i++) {
        struct dp_pkt p = d->pkt[i];
        if (p.verdict == DP_TO_IKE)
            d->port.ike(d->port.ctx, &p.local, &p.remote, true, bytes_of(p.data, p.len));
    }
    return n == DP_BATCH;
}

static void on_sock(uv_poll_t *poll, int status, int events)
{
    struct port_poll *pp = poll->data;
    struct datapath *d = pp->d;
    (void)status; /* an error is read, and thereby cleared, by receiving */
    (void)events;
    bool plain_ike = pp == &d->s[S_IKE4] || pp == &d->s[S_IKE6];
    for (int i = 0; i < BURSTS_PER_TURN; i++)
        if (!(plain_ike ? ike_burst(d, pp) : esp_burst(d, pp)))
            return;
}

void datapath_kick(struct datapath *d)
{
    struct dp_pkt p, *ptr = &p;
    uint8_t *buf = d->mem + (size_t)DP_BATCH * BUF_STRIDE;
    while (dp_held_next(d->dp, &p, buf, BUF_STRIDE, clock_now_ms())) {
        send_net(d, &ptr, 1);
        send_host(d, &ptr, 1);
    }
    drain_notes(d);
}

err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive)
{
    bool v6 = remote->addr.family == 6;
    struct port_poll *pp = &d->s[natt ? (v6 ? S_NATT6 : S_NATT4) : (v6 ? S_IKE6 : S_IKE4)];
    uint8_t *buf = d->mem + (size_t)DP_BATCH * BUF_STRIDE;
    size_t marker = natt && !keepalive ? 4 : 0; /* RFC 3948 2.2: four zero bytes before IKE */
    size_t failed = 0;
    if (!pp->open)
        return R_UNREACHABLE;
    if (data.n + marker > BUF_DATA)
        return E_SPACE;
    memset(buf, 0, marker);
    memcpy(buf + marker, data.p, data.n);
    struct io_msg m = {
        .data = buf, .len = (uint32_t)(data.n + marker), .local = *local, .remote = *remote};
    int n = sock_send(&pp->sock, &m, 1, &failed);
    if (n == 1 && !failed)
        return E_OK;
    d->tx_failed++;
    return R_UNREACHABLE;
}

static err_t open_one(struct datapath *d, int at, enum sock_kind kind, uint8_t family,
                      uint16_t port, uint32_t mark, struct io_error *err)
{
    struct port_poll *pp = &d->s[at];
    err_t e = sock_open(&pp->sock, kind, family, port, mark, err);
    if (e)
        return e;
    pp->open = true;
    pp->d = d;
    pp->poll.data = pp;
    uv_poll_init(d->loop, &pp->poll, pp->sock.fd);
    uv_poll_start(&pp->poll, UV_READABLE, on_sock);
    return E_OK;
}

/* IPv4 must be there; a machine without IPv6 goes on with IPv4 alone. */
static err_t open_all(struct datapath *d, const struct datapath_settings *s, struct io_error *err)
{
    static const struct {
        int at;
        enum sock_kind kind;
        uint8_t family;
    } socks[] = {{S_IKE4, SOCK_UDP, 4},  {S_IKE6, SOCK_UDP, 6}, {S_NATT4, SOCK_UDP, 4},
                 {S_NATT6, SOCK_UDP, 6}, {S_ESP4, SOCK_ESP, 4}, {S_ESP6, SOCK_ESP, 6}};
    for (size_t i = 0; i < sizeof socks / sizeof *socks; i++) {
        bool natt = socks[i].at == S_NATT4 || socks[i].at == S_NATT6;
        uint16_t port = socks[i].kind == SOCK_ESP ? 0 : natt ? s->port_natt : s->port;
        err_t e = open_one(d, socks[i].at, socks[i].kind, socks[i].family, port, s->mark, err);
        if (e && !(e == E_NOTSUP && socks[i].family == 6))
            return e;
    }
    return E_OK;
}

struct datapath *datapath_open(uv_loop_t *loop, const struct datapath_settings *s,
                               const struct datapath_ports *ports, struct io_error *err)
{
    struct datapath *d = calloc(1, sizeof *d);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!d)
        return NULL;
    d->port = *ports;
    d->loop = loop;
    d->tun.fd = -1;
    d->mem = malloc((size_t)(DP_BATCH + 1) * BUF_STRIDE);
    d->dp = dp_new(&s->dp);
    uv_timer_init(loop, &d->tick);
    d->tick.data = d;
    if (!d->mem || !d->dp || tun_open(&d->tun, s->tun, s->tun_mtu, err) || open_all(d, s, err)) {
        datapath_close(d);
        uv_run(loop, UV_RUN_NOWAIT);
        datapath_free(d);
        return NULL;
    }
    uv_poll_init(loop, &d->tun_poll, d->tun.fd);
    d->tun_poll.data = d;
    uv_poll_start(&d->tun_poll, UV_READABLE, on_tun);
    return d;
}

static void close_handle(uv_handle_t *h)
{
    if (h->loop && !uv_is_closing(h))
        uv_close(h, NULL);
}

void datapath_close(struct datapath *d)
{
    for (size_t i = 0; i < S_COUNT; i++)
        if (d->s[i].open)
            close_handle((uv_handle_t *)&d->s[i].poll);
    close_handle((uv_handle_t *)&d->tun_poll);
    close_handle((uv_handle_t *)&d->tick);
}

void datapath_free(struct datapath *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < S_COUNT; i++)
        if (d->s[i].open)
            sock_close(&d->s[i].sock);
    if (d->tun.fd >= 0)
        tun_close(&d->tun);
    dp_free(d->dp);
    free(d->mem);
    free(d);
}

struct dp *datapath_dp(struct datapath *d)
{
    return d->dp;
}

int datapath_ifindex(const struct datapath *d)
{
    return d->tun.ifindex;
}

uint64_t datapath_tx_failed(const struct datapath *d)
{
    return d->tx_failed;
}
