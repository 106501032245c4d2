/* The main thread's sockets: see ike_port.h. RFC 7296 2, RFC 3948 2. */
#include "daemon/ike_port.h"
#include "dataplane/udp_encap.h"
#include <stdio.h>
#include <stdlib.h>

/* STRIDE: not a power of two, so that messages spread over the cache sets */
enum { MESSAGES = IO_BURST, ROOM = 65536, STRIDE = ROOM + 192, SPARE = MESSAGES };

struct ike_port_batch {
    size_t n;
    struct io_msg msg[MESSAGES];
    uint8_t data[MESSAGES][UDP_MARKER + IKE_COOKIE_REPLY_MAX];
};

static err_t open_sock(struct ike_port *p, enum ike_sock at, const struct ike_port_settings *s,
                       struct io_error *err)
{
    uint8_t family = at == IS_IKE6 || at == IS_NATT6 ? 6 : 4;
    uint16_t port = at == IS_NATT4 || at == IS_NATT6 ? s->port_natt : s->port;
    err_t e = sock_open(&p->sock[at], SOCK_UDP, family, port, s->mark, err);
    if (e == E_NOTSUP && family == 6)
        return E_OK; /* a machine without IPv6 goes on with IPv4 alone */
    p->open[at] = !e;
    return e;
}

err_t ike_port_open(struct ike_port *p, const struct ike_port_settings *s,
                    const struct ike_port_sinks *sinks, struct io_error *err)
{
    err_t e = E_OK;
    *p = (struct ike_port){.sink = *sinks,
                           .in = malloc((size_t)(MESSAGES + 1) * STRIDE),
                           .batch = calloc(1, sizeof *p->batch)};
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!p->in || !p->batch)
        return E_NOMEM;
    for (int at = 0; at < IS_COUNT && !e; at++)
        e = open_sock(p, (enum ike_sock)at, s, err);
    return e;
}

void ike_port_close(struct ike_port *p)
{
    for (int at = 0; at < IS_COUNT; at++)
        if (p->open[at])
            sock_close(&p->sock[at]);
    free(p->in);
    free(p->batch);
    p->in = NULL;
    p->batch = NULL;
}

static void flush(struct ike_port *p, struct sock *s)
{
    struct ike_port_batch *b = p->batch;
    size_t failed = 0;
    int n = b->n ? sock_send(s, b->msg, b->n, &failed) : 0;
    p->tx_failed += failed + b->n - (n > 0 ? (size_t)n : 0);
    b->n = 0;
}

/* True when all it needed was a cookie, which leaves with the burst's others. */
static bool first_contact(struct ike_port *p, const struct ike_in *in)
{
    struct ike_port_batch *b = p->batch;
    size_t marker = in->natt ? UDP_MARKER : 0;
    uint8_t *to = b->data[b->n];
    size_t n = p->sink.first(p->sink.ctx, in, to + marker);
    if (!n)
        return false;
    memset(to, 0, marker);
    b->msg[b->n++] = (struct io_msg){
        .data = to, .len = (uint32_t)(marker + n), .local = in->local, .remote = in->remote};
    return true;
}

/* Answers leave in the order of the questions. */
static void take_ike(struct ike_port *p, struct sock *s, const struct ike_in *in)
{
    if (first_contact(p, in))
        return;
    flush(p, s);
    p->sink.ike(p->sink.ctx, &in->local, &in->remote, in->natt, in->data);
}

static void sort(struct ike_port *p, struct sock *s, struct io_msg *m, bool natt, uint64_t now_ms)
{
    enum udp_kind kind = natt ? udp_classify(m->data, m->len) : UDP_IS_IKE;
    uint32_t marker = natt ? UDP_MARKER : 0;
    if (m->len == 0 || kind == UDP_IS_KEEPALIVE)
        return;
    const struct ike_in in = {.kind = IN_PACKET,
                              .now_ms = now_ms,
                              .local = m->local,
                              .remote = m->remote,
                              .natt = natt,
                              .data = bytes_of(m->data + marker, m->len - marker)};
    if (kind == UDP_IS_IKE)
        take_ike(p, s, &in);
    else
        p->sink.esp(p->sink.ctx, m);
}

bool ike_port_receive(struct ike_port *p, enum ike_sock at, uint64_t now_ms)
{
    struct io_msg m[MESSAGES];
    struct sock *s = &p->sock[at];
    bool natt = at == IS_NATT4 || at == IS_NATT6;
    for (size_t i = 0; i < MESSAGES; i++)
        m[i] = (struct io_msg){.data = p->in + i * STRIDE, .cap = ROOM};
    int got = sock_recv(s, m, MESSAGES);
    for (int i = 0; i < got; i++)
        sort(p, s, &m[i], natt, now_ms);
    flush(p, s);
    return got == MESSAGES;
}

err_t ike_port_send(struct ike_port *p, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive)
{
    bool v6 = remote->addr.family == 6;
    int at = natt ? (v6 ? IS_NATT6 : IS_NATT4) : (v6 ? IS_IKE6 : IS_IKE4);
    size_t skip = natt && !keepalive ? UDP_MARKER : 0, failed = 0;
    uint8_t *buf = p->in + (size_t)SPARE * STRIDE;
    if (!p->open[at])
        return R_UNREACHABLE;
    if (data.n + skip > 65507)
        return E_SPACE;
    memset(buf, 0, skip);
    memcpy(buf + skip, data.p, data.n);
    struct io_msg m = {
        .data = buf, .len = (uint32_t)(data.n + skip), .local = *local, .remote = *remote};
    if (sock_send(&p->sock[at], &m, 1, &failed) == 1 && !failed)
        return E_OK;
    p->tx_failed++;
    return R_UNREACHABLE;
}
