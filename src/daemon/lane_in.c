/*
 * A lane's way in: trains are seen datagram by datagram, decrypted where they lie, coalesced again
 * and written to the TUN device. Also what was held while a tunnel came up, and what came through
 * another lane.
 */
#include "daemon/lane_io.h"

static size_t receive(struct lane *l, enum lane_sock from, struct io_msg *m)
{
    size_t n = l->gro[from] ? IN_TRAINS : IN_MESSAGES;
    for (size_t i = 0; i < n; i++)
        m[i] = (struct io_msg){.data = lane_in_buffer(l, i), .cap = IN_DATA + IN_FRONT};
    int got = from == LS_ESP ? esp_port_recv(l->esp, m, n) : sock_recv(&l->sock[from], m, n);
    return got > 0 ? (size_t)got : 0;
}

void lane_in_batch(struct lane *l, size_t n, uint64_t now_ms)
{
    dp_inbound(l->dp, l->ptr, n, now_ms);
    lane_to_host(l, n, now_ms);
    lane_after(l, n, true);
}

static void add_datagram(struct lane *l, size_t n, const struct io_msg *m, uint32_t at, bool udp)
{
    struct bytes b = io_msg_segment(m, at);
    l->pkt[n] = (struct dp_pkt){.data = m->data + (b.p - m->data),
                                .len = (uint32_t)b.n,
                                .local = m->local,
                                .remote = m->remote,
                                .tos = m->tos,
                                .ip_len = m->head,
                                .ah = m->ah,
                                .udp = udp};
    l->ptr[n] = &l->pkt[n];
}

static bool esp_burst(struct lane *l, enum lane_sock from, uint64_t now_ms)
{
    struct io_msg m[IN_MESSAGES];
    bool udp = from != LS_ESP;
    size_t got = receive(l, from, m), n = 0;
    for (size_t i = 0; i < got; i++) {
        uint32_t segments = io_msg_segments(&m[i]);
        for (uint32_t k = 0; k < segments; k++) {
            add_datagram(l, n++, &m[i], k, udp);
            if (n == LANE_PKTS) {
                lane_in_batch(l, n, now_ms);
                n = 0;
            }
        }
    }
    if (n)
        lane_in_batch(l, n, now_ms);
    if (!udp) /* of several sources one after the other: there may be more behind a short burst */
        return got > 0;
    return got == (size_t)(l->gro[from] ? IN_TRAINS : IN_MESSAGES);
}

void lane_handed(struct lane *l, size_t n, bool inbound, uint64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        l->ptr[i] = &l->pkt[i];
    if (inbound) {
        lane_in_batch(l, n, now_ms);
    } else {
        lane_out_batch(l, n, now_ms);
        lane_flush(l, false);
    }
    lane_own(l, now_ms);
}

static void tell_news(struct lane *l)
{
    const char *news = esp_port_news(l->esp);
    if (news)
        l->port.say(l->port.ctx, news);
}

bool lane_inbound(struct lane *l, enum lane_sock from, uint64_t now_ms)
{
    if (from == LS_LAN)
        return lane_lan(l, now_ms);
    bool more = esp_burst(l, from, now_ms);
    if (from == LS_ESP)
        tell_news(l);
    lane_own(l, now_ms);
    return more;
}

void lane_release(struct lane *l, uint64_t now_ms)
{
    uint8_t *buf = lane_spare(l) - DP_HEADROOM;
    l->ptr[0] = &l->pkt[0];
    while (dp_held_next(l->dp, l->ptr[0], buf, IN_STRIDE, now_ms)) {
        lane_to_net(l, 1);
        lane_flush(l, false);
        lane_to_host(l, 1, now_ms);
        lane_after(l, 1, false);
    }
    lane_after(l, 0, false); /* notes */
    l->held = l->held || dp_ticks(l->dp);
}

void lane_own(struct lane *l, uint64_t now_ms)
{
    if (dp_held_ready(l->dp))
        lane_release(l, now_ms);
    l->held = l->held || dp_ticks(l->dp);
}
