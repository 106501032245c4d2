/*
 * A lane's packets. Outbound: super-packets from the TUN device are split into cells, a batch goes
 * through the data plane, and leaves as UDP trains. Inbound: trains are seen datagram by datagram,
 * decrypted where they lie, coalesced again and written to the TUN device. No allocation; order
 * within a flow stays.
 */
#include "daemon/lane_io.h"
#include <stdlib.h>

#define IN_MESSAGES 64 /* messages a burst without GRO; with it, a few trains keep data in L2 */
#define IN_TRAINS   4
#define IN_DATA     65536
/* not powers of two, so that buffers spread over the cache sets */
#define IN_STRIDE (DP_HEADROOM + IN_DATA + DP_TAILROOM + 832)

static size_t cell_stride(const struct lane *l)
{
    return ((DP_HEADROOM + l->cell_size + DP_TAILROOM + 63) & ~(size_t)63) + 64;
}

static uint8_t *cell(struct lane *l, size_t i)
{
    return l->cells + i * cell_stride(l) + DP_HEADROOM;
}

static uint8_t *in_buffer(struct lane *l, size_t i)
{
    return l->in + i * IN_STRIDE + DP_HEADROOM;
}

bool lane_buffers_make(struct lane *l)
{
    l->cells = aligned_alloc(64, LANE_CELLS * cell_stride(l));
    l->super = malloc(IN_STRIDE);
    l->in = malloc((size_t)(IN_MESSAGES + 1) * IN_STRIDE);
    return l->cells && l->super && l->in;
}

void lane_buffers_free(struct lane *l)
{
    free(l->cells);
    free(l->super);
    free(l->in);
}

uint8_t *lane_spare(struct lane *l)
{
    return in_buffer(l, IN_MESSAGES);
}

static void tell_notes(struct lane *l)
{
    if (dp_notes(l->dp))
        l->port.notes(l->port.ctx);
}

/* What is not done with a verdict for the network or the host. */
static void after(struct lane *l, const struct dp_pkt *p, bool inbound)
{
    if (p->verdict == DP_HELD)
        l->held = true;
    else if (p->verdict == DP_TO_IKE)
        l->port.ike(l->port.ctx, p);
    else if (p->verdict == DP_ELSEWHERE)
        l->port.elsewhere(l->port.ctx, p, inbound);
}

/* --- to the network --- */

static int sock_for(const struct lane *l, const struct dp_pkt *p)
{
    bool v6 = p->remote.addr.family == 6;
    int at = !p->udp ? LS_ESP : v6 ? LS_NATT6 : LS_NATT4;
    return l->open[at] ? at : -1;
}

static void flush(struct lane *l, int at, size_t n)
{
    size_t failed = 0, done = 0;
    while (at >= 0 && done < n) {
        size_t now = n - done < IO_BURST ? n - done : IO_BURST;
        size_t bad = 0;
        int sent = at == LS_ESP ? esp_port_send(l->esp, l->msg + done, now, &bad)
                                : sock_send_gso(&l->sock[at], l->msg + done, now, &bad);
        failed += bad;
        if (sent <= 0)
            break; /* the kernel's buffer is full: what is left is lost, and counted */
        done += (size_t)sent;
    }
    l->tx_failed += failed + (n - done);
}

/* Runs of the same socket at once: order within a flow stays. */
static void send_net(struct lane *l, size_t n)
{
    int at = -1;
    size_t run = 0;
    for (size_t i = 0; i < n; i++) {
        const struct dp_pkt *p = l->ptr[i];
        if (p->verdict != DP_TO_NET)
            continue;
        int s = sock_for(l, p);
        if (run && s != at) {
            flush(l, at, run);
            run = 0;
        }
        at = s;
        l->msg[run++] = (struct io_msg){.data = p->data,
                                        .len = p->len,
                                        .local = p->local,
                                        .remote = p->remote,
                                        .tos = p->tos,
                                        .df = p->df};
    }
    if (run)
        flush(l, at, run);
}

/* --- to the host --- */

static void tun_gone(struct lane *l)
{
    if (!l->lost)
        l->port.lost(l->port.ctx, "the TUN device is gone");
    l->lost = true;
}

static void send_host(struct lane *l, size_t n)
{
    size_t hosts = 0;
    for (size_t i = 0; i < n; i++)
        if (l->ptr[i]->verdict == DP_TO_HOST)
            l->host[hosts++] = (struct co_pkt){l->ptr[i]->data, l->ptr[i]->len};
    for (size_t done = 0; done < hosts;) {
        size_t now = hosts - done < COALESCE_MAX ? hosts - done : COALESCE_MAX;
        size_t groups = coalesce(&l->co, l->host + done, now, &l->may);
        for (size_t g = 0; g < groups; g++) {
            const struct co_group *x = &l->co.group[g];
            err_t e = tun_vnet_write(&l->tun, &x->gso, x->v, x->nv);
            if (e)
                l->tx_failed += x->nv;
            if (e == E_SYS)
                tun_gone(l);
        }
        done += now;
    }
}

/* --- from the host --- */

static void add_cell(struct lane *l, size_t at, uint32_t len)
{
    l->pkt[at] = (struct dp_pkt){.data = cell(l, at), .len = len};
    l->ptr[at] = &l->pkt[at];
}

static size_t add_segments(struct lane *l, size_t n, uint32_t len, const struct gso *g)
{
    struct split s;
    if (split_begin(&s, l->super, len, g) || s.hdr_len + s.size > l->cell_size) {
        dp_count_drop(l->dp, R_DP_GSO);
        return n;
    }
    for (uint32_t i = 0; i < s.n; i++, n++) {
        uint32_t payload = split_payload_len(&s, i);
        split_header(&s, i, cell(l, n));
        memcpy(cell(l, n) + s.hdr_len, s.pkt + split_payload_at(&s, i), payload);
        add_cell(l, n, s.hdr_len + payload);
    }
    return n;
}

static size_t add_packet(struct lane *l, size_t n, uint32_t len, const struct gso *g)
{
    if (g->kind != GSO_NONE)
        return add_segments(l, n, len, g);
    if (len > l->cell_size || split_finish(l->super, len, g)) {
        dp_count_drop(l->dp, R_DP_GSO);
        return n;
    }
    memcpy(cell(l, n), l->super, len);
    add_cell(l, n, len);
    return n + 1;
}

static void outbound(struct lane *l, size_t n, uint64_t now_ms)
{
    dp_outbound(l->dp, l->ptr, n, now_ms);
    send_net(l, n);
    send_host(l, n);
    for (size_t i = 0; i < n; i++)
        after(l, l->ptr[i], false);
    tell_notes(l);
}

bool lane_outbound(struct lane *l, uint64_t now_ms)
{
    size_t n = 0;
    bool more = true;
    while (n < LANE_BATCH && more) {
        struct gso g = {0};
        int got = tun_vnet_read(&l->tun, &g, l->super, IN_DATA);
        if (got == E_USAGE)
            continue;
        more = got > 0;
        if (got > 0)
            n = add_packet(l, n, (uint32_t)got, &g);
        else if (got < 0)
            tun_gone(l);
    }
    if (n == 0)
        return more;
    outbound(l, n, now_ms);
    return more;
}

/* --- from the network --- */

static size_t receive(struct lane *l, enum lane_sock from)
{
    size_t n = l->gro[from] ? IN_TRAINS : IN_MESSAGES;
    for (size_t i = 0; i < n; i++)
        l->msg[i] = (struct io_msg){.data = in_buffer(l, i), .cap = IN_DATA};
    int got =
        from == LS_ESP ? esp_port_recv(l->esp, l->msg, n) : sock_recv(&l->sock[from], l->msg, n);
    return got > 0 ? (size_t)got : 0;
}

static void through(struct lane *l, size_t n, uint64_t now_ms)
{
    dp_inbound(l->dp, l->ptr, n, now_ms);
    send_host(l, n);
    for (size_t i = 0; i < n; i++)
        after(l, l->ptr[i], true);
    tell_notes(l);
}

static size_t add_datagram(struct lane *l, size_t n, const struct io_msg *m, uint32_t at, bool udp)
{
    struct bytes b = io_msg_segment(m, at);
    l->pkt[n] = (struct dp_pkt){.data = m->data + (b.p - m->data),
                                .len = (uint32_t)b.n,
                                .local = m->local,
                                .remote = m->remote,
                                .tos = m->tos,
                                .udp = udp};
    l->ptr[n] = &l->pkt[n];
    return n + 1;
}

static bool esp_burst(struct lane *l, enum lane_sock from, uint64_t now_ms)
{
    struct io_msg m[IN_MESSAGES];
    bool udp = from != LS_ESP;
    size_t got = receive(l, from), n = 0;
    memcpy(m, l->msg, got * sizeof *m);
    for (size_t i = 0; i < got; i++) {
        uint32_t segments = io_msg_segments(&m[i]);
        for (uint32_t k = 0; k < segments; k++) {
            n = add_datagram(l, n, &m[i], k, udp);
            if (n == LANE_BATCH) {
                through(l, n, now_ms);
                n = 0;
            }
        }
    }
    if (n)
        through(l, n, now_ms);
    if (!udp) /* of several sources one after the other: there may be more behind a short burst */
        return got > 0;
    return got == (size_t)(l->gro[from] ? IN_TRAINS : IN_MESSAGES);
}

void lane_handed(struct lane *l, size_t n, bool inbound, uint64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        l->ptr[i] = &l->pkt[i];
    if (inbound)
        through(l, n, now_ms);
    else
        outbound(l, n, now_ms);
}

static void tell_news(struct lane *l)
{
    const char *news = esp_port_news(l->esp);
    if (news)
        l->port.say(l->port.ctx, news);
}

bool lane_inbound(struct lane *l, enum lane_sock from, uint64_t now_ms)
{
    bool more = esp_burst(l, from, now_ms);
    if (from == LS_ESP)
        tell_news(l);
    return more;
}

void lane_release(struct lane *l, uint64_t now_ms)
{
    uint8_t *buf = lane_spare(l) - DP_HEADROOM;
    l->ptr[0] = &l->pkt[0];
    while (dp_held_next(l->dp, l->ptr[0], buf, IN_STRIDE, now_ms)) {
        send_net(l, 1);
        send_host(l, 1);
        after(l, l->ptr[0], false);
    }
    tell_notes(l);
}
