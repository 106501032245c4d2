/*
 * A lane's way out: super-packets from the TUN device or a LAN interface are split into cells,
 * small batches go through the data plane while they are in the cache, and leave as UDP trains. The
 * segments of a super-packet lie as close as the datagrams of the train that they become, so that
 * the kernel copies one piece; and a train that is not full waits for the next super-packet of the
 * turn, for ESP makes 64 KB a little more than one train takes.
 */
#include "daemon/lane_io.h"

enum { SLICED = 800 }; /* payload that is encrypted from where it lies: shorter ones are copied */

/* Where the next packets are laid. */
struct layout {
    uint16_t iface; /* whose packets these are */
    uint8_t *at;    /* free from here on */
    uint8_t *joint; /* where a packet would be close to the one before it; NULL: none is close */
};

static uint8_t *add_cell(struct lane *l, struct layout *y, size_t n, uint32_t len)
{
    uint8_t *p = y->at + DP_HEADROOM;
    l->pkt[n] = (struct dp_pkt){.data = p, .len = len, .iface = y->iface};
    l->ptr[n] = &l->pkt[n];
    y->at += (DP_HEADROOM + len + DP_TAILROOM + 63) & ~(size_t)63;
    y->joint = NULL;
    return p;
}

static uint8_t *add_close(struct lane *l, struct layout *y, size_t n, uint32_t len,
                          const struct dp_room *r)
{
    uint8_t back = dp_room_back(r, len), *p = (y->joint ? y->joint : y->at + DP_HEADROOM) + r->head;
    l->pkt[n] = (struct dp_pkt){
        .data = p, .len = len, .iface = y->iface, .close = true, .head = r->head, .back = back};
    l->ptr[n] = &l->pkt[n];
    y->joint = p + len + back;
    y->at = y->joint + (-(uintptr_t)y->joint & 63) + DP_TAILROOM;
    return p;
}

static size_t add_segments(struct lane *l, struct layout *y, size_t n, const uint8_t *super,
                           uint32_t len, const struct gso *g)
{
    struct split s;
    struct dp_room room;
    if (split_begin(&s, super, len, g) || s.hdr_len + s.size > l->cell_size) {
        dp_count_drop(l->dp, R_DP_GSO);
        return n;
    }
    bool close = dp_out_room(l->dp, y->iface, super, len, s.hdr_len + s.size, &room);
    bool last = n + s.n >= LANE_BATCH; /* nothing is read over the super-packet before it is sent */
    for (uint32_t i = 0; i < s.n; i++, n++) {
        uint32_t payload = split_payload_len(&s, i), all = s.hdr_len + payload;
        uint8_t *p = close ? add_close(l, y, n, all, &room) : add_cell(l, y, n, all);
        split_header(&s, i, p);
        if (last && s.size >= SLICED) {
            l->pkt[n].body = s.pkt + split_payload_at(&s, i);
            l->pkt[n].body_len = payload;
        } else {
            memcpy(p + s.hdr_len, s.pkt + split_payload_at(&s, i), payload);
        }
    }
    return n;
}

static size_t add_packet(struct lane *l, struct layout *y, size_t n, uint32_t len,
                         const struct gso *g)
{
    if (g->kind != GSO_NONE)
        return add_segments(l, y, n, l->super, len, g);
    if (len > l->cell_size || split_finish(l->super, len, g)) {
        dp_count_drop(l->dp, R_DP_GSO);
        return n;
    }
    memcpy(add_cell(l, y, n, len), l->super, len);
    return n + 1;
}

/* Where packets of the plain side are read. */
struct plain {
    struct tun *tun;
    struct lane_iface *iface; /* NULL: the shared device */
};

static void plain_gone(struct lane *l, const struct plain *from)
{
    if (from->iface)
        lane_iface_gone(l, from->iface);
    else
        lane_tun_gone(l);
}

/* A batch from the TUN device; *more: it has another packet. */
static size_t read_batch(struct lane *l, const struct plain *from, struct layout *y, bool *more)
{
    size_t n = 0;
    while (n < LANE_BATCH && *more) {
        struct gso g = {0};
        int got = tun_vnet_read(from->tun, &g, l->super, IN_DATA);
        if (got == E_USAGE)
            continue;
        *more = got > 0;
        if (got > 0)
            n = add_packet(l, y, n, (uint32_t)got, &g);
        else if (got < 0)
            plain_gone(l, from);
    }
    return n;
}

/* True: what waits for its train to fill may go on waiting, and the next batch finds place. */
static bool room_after(const struct lane *l, const struct layout *y)
{
    size_t used = (size_t)(y->at - l->cells), stride = lane_cell_stride(l);
    return used + (LANE_BATCH + SPLIT_MAX) * stride <= LANE_CELLS * stride;
}

void lane_out_batch(struct lane *l, size_t n, uint64_t now_ms)
{
    dp_outbound(l->dp, l->ptr, n, now_ms);
    lane_to_net(l, n);
    lane_to_host(l, n, now_ms);
    lane_after(l, n, false);
}

static bool out_turn(struct lane *l, const struct plain *from, uint64_t now_ms)
{
    const struct layout begin = {.at = l->cells, .iface = from->iface ? from->iface->id : 0};
    struct layout y = begin;
    bool more = true;
    for (size_t done = 0, n; more && done < LANE_TURN; done += n) {
        n = read_batch(l, from, &y, &more);
        if (n)
            lane_out_batch(l, n, now_ms);
        bool wait = more && done + n < LANE_TURN && room_after(l, &y);
        lane_flush(l, wait);
        if (!l->waiting)
            y = begin;
    }
    lane_own(l, now_ms);
    return more;
}

bool lane_outbound(struct lane *l, uint64_t now_ms)
{
    return out_turn(l, &(struct plain){&l->tun, NULL}, now_ms);
}

bool lane_iface_outbound(struct lane *l, struct lane_iface *i, uint64_t now_ms)
{
    return !i->lost && out_turn(l, &(struct plain){&i->tun, i}, now_ms);
}

/* --- from the LAN interfaces --- */

/* A single packet goes on where it lies. */
static size_t add_lan(struct lane *l, struct layout *y, size_t n, const struct lan_pkt *p)
{
    if (p->gso.kind != GSO_NONE)
        return add_segments(l, y, n, p->data, p->len, &p->gso);
    if (split_finish(p->data, p->len, &p->gso)) {
        dp_count_drop(l->dp, R_DP_GSO);
        return n;
    }
    l->pkt[n] = (struct dp_pkt){.data = p->data, .len = p->len};
    l->ptr[n] = &l->pkt[n];
    return n + 1;
}

/* What waits to be sent may lie in the port's buffers: until the next lan_port_recv. */
static size_t lan_burst(struct lane *l, struct layout *y, const struct lan_pkt *in, size_t got,
                        uint64_t now_ms)
{
    size_t n = 0, done = 0;
    bool lent = false;
    for (size_t i = 0; i < got; i++) {
        n = add_lan(l, y, n, &in[i]);
        lent = lent || in[i].gso.kind == GSO_NONE;
        if (n < LANE_BATCH && i + 1 < got)
            continue;
        if (n)
            lane_out_batch(l, n, now_ms);
        lane_flush(l, room_after(l, y) && !(lent && i + 1 == got));
        if (!l->waiting)
            *y = (struct layout){.at = l->cells};
        done += n;
        n = 0;
    }
    return done > got ? done : got; /* what is dropped takes its part of the turn as well */
}

static void tell_news(struct lane *l)
{
    const char *news = lan_port_news(l->lan);
    if (news)
        l->port.say(l->port.ctx, news);
}

bool lane_lan(struct lane *l, uint64_t now_ms)
{
    struct lan_pkt in[LANE_BATCH];
    struct layout y = {.at = l->cells};
    size_t got = 1;
    for (size_t done = 0; got && done < LANE_TURN;) {
        got = lan_port_recv(l->lan, in, LANE_BATCH);
        done += lan_burst(l, &y, in, got, now_ms);
    }
    lane_flush(l, false);
    lane_own(l, now_ms);
    tell_news(l);
    return got > 0;
}
