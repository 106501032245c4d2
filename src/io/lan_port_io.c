/*
 * Packets through the port for LAN interfaces (see lan_port.h): receiving from the interfaces in
 * turn, the router's part, and sending by the way that a packet and its next hop allow. An
 * interface that had something is asked again without a look at epoll.
 */
#include "io/forward.h"
#include "io/lan_port_if.h"

#include <sys/epoll.h>
#include <sys/socket.h>

enum { LOOK_EVERY = 16, EVENTS = 32 };

/* --- receiving --- */

static void on_events(struct lan_port *p, size_t i)
{
    unsigned change = links_read(p->dev[i].links);
    if (change & LINKS_GONE)
        lan_port_give_up(p, i, "is gone");
    else if ((change & LINKS_ADDRESSES) && p->first && lan_port_maps(p, i))
        lan_port_give_up(p, i, "has changed and the BPF maps have not");
}

/* An interface that goes down leaves an error on its socket, which would be readable for ever. */
static void clear_error(int fd)
{
    int e;
    socklen_t n = sizeof e;
    (void)!getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
}

static void look(struct lan_port *p)
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(p->epoll, ev, EVENTS, 0);
    p->turns = 0;
    for (int k = 0; k < n; k++) {
        uint64_t what = ev[k].data.u64;
        size_t i = what >> 32 & 0xffff;
        if (!p->dev[i].links)
            continue;
        if (what >> 48 == SRC_EVENTS) {
            on_events(p, i);
            continue;
        }
        p->dev[i].ready = true;
        if (ev[k].events & EPOLLERR)
            clear_error((int)(uint32_t)what);
    }
}

static void take(struct lan_port *p, const struct lan_if *d, struct lan_pkt *pkt)
{
    if (pkt->len == 0 || !forward_in(pkt->data, &pkt->len)) {
        pkt->len = 0;
        p->stats.rx_bad++;
        return;
    }
    p->stats.rx++;
    if (d->xdp && lan_xdp_open_sums(d->xdp))
        forward_open_csum(pkt->data, pkt->len, &pkt->gso);
}

static size_t recv_if(struct lan_port *p, struct lan_if *d, struct lan_pkt *pkts, size_t n)
{
    size_t kept = 0,
           got = d->xdp ? lan_xdp_recv(d->xdp, pkts, n) : lan_packet_recv(d->packet, pkts, n);
    for (size_t k = 0; k < got; k++) {
        take(p, d, &pkts[k]);
        if (pkts[k].len)
            pkts[kept++] = pkts[k];
    }
    d->ready = got > 0;
    return kept;
}

/* Each interface in turn, until one has something. */
static size_t recv_ready(struct lan_port *p, struct lan_pkt *pkts, size_t n)
{
    size_t got = 0;
    for (size_t k = 0; k < LAN_INTERFACES && got == 0; k++) {
        struct lan_if *d = &p->dev[p->turn];
        p->turn = (p->turn + 1) % LAN_INTERFACES;
        while (d->ready && got == 0) /* what was broken is passed over */
            got = recv_if(p, d, pkts, n);
    }
    return got;
}

size_t lan_port_recv(struct lan_port *p, struct lan_pkt *pkts, size_t n)
{
    size_t got = 0;
    if (++p->turns < LOOK_EVERY)
        got = recv_ready(p, pkts, n);
    if (got)
        return got;
    look(p);
    return recv_ready(p, pkts, n);
}

/* --- sending --- */

static size_t flush_packet(struct lan_if *d)
{
    bool queued = d->packet_queued;
    d->packet_queued = false;
    return queued ? lan_packet_send(d->packet) : 0;
}

static void flush_xdp(struct lan_if *d)
{
    if (d->xdp_queued)
        lan_xdp_send(d->xdp);
    d->xdp_queued = false;
}

size_t lan_port_flush(struct lan_port *p)
{
    size_t lost = p->lost;
    p->lost = 0;
    for (size_t i = 0; i < LAN_INTERFACES; i++) {
        flush_xdp(&p->dev[i]);
        lost += flush_packet(&p->dev[i]);
    }
    return lost;
}

/* Order within a flow stays: what is queued the other way leaves first. */
static bool put_xdp(struct lan_if *d, const struct lan_out *o, struct bytes pkt, size_t *lost)
{
    *lost += flush_packet(d);
    bool fine = lan_xdp_put(d->xdp, o, pkt);
    if (!fine) {
        lan_xdp_send(d->xdp);
        fine = lan_xdp_put(d->xdp, o, pkt);
    }
    d->xdp_queued = true;
    return fine;
}

static bool put_packet(struct lan_if *d, const struct lan_out *o, const struct gso *g,
                       const struct bytes *v, size_t n, size_t *lost)
{
    flush_xdp(d);
    d->packet_queued = true;
    if (lan_packet_put(d->packet, o, g, v, n))
        return true;
    *lost += lan_packet_send(d->packet);
    return lan_packet_put(d->packet, o, g, v, n);
}

static struct lan_if *way_to(struct lan_port *p, struct lan_out *o, const struct addr *from,
                             const struct addr *to, uint64_t now_ms)
{
    for (size_t i = 0; i < p->set.interfaces; i++) {
        struct lan_if *d = &p->dev[i];
        o->hop = d->links ? links_nexthop(d->links, to, from, now_ms) : NULL;
        if (!o->hop)
            continue;
        o->dev = links_if(d->links);
        o->family = to->family;
        return d;
    }
    return NULL;
}

/* The MTU is met by the packet, or by each of its segments. */
static size_t largest_of(const struct gso *g, const struct bytes *v, size_t n)
{
    size_t len = 0;
    if (g->kind != GSO_NONE)
        return (size_t)g->hdr_len + g->size;
    for (size_t i = 0; i < n; i++)
        len += v[i].n;
    return len;
}

static bool send_by(struct lan_port *p, struct lan_if *d, const struct lan_out *o,
                    const struct gso *g, const struct bytes *v, size_t n)
{
    bool single = n == 1 && g->kind == GSO_NONE && !g->needs_csum;
    if (d->xdp && single && lan_xdp_fits(d->xdp, v[0].n))
        return put_xdp(d, o, v[0], &p->lost);
    return put_packet(d, o, g, v, n, &p->lost);
}

bool lan_port_send(struct lan_port *p, const struct gso *g, const struct bytes *v, size_t n,
                   uint64_t now_ms)
{
    struct lan_out o;
    struct addr from, to;
    o.head_len = forward_out(o.head, v[0].p, v[0].n, &from, &to);
    struct lan_if *d = o.head_len ? way_to(p, &o, &from, &to, now_ms) : NULL;
    if (!d || largest_of(g, v, n) > o.hop->mtu) {
        p->stats.tx_tun++;
        return false;
    }
    if (send_by(p, d, &o, g, v, n))
        p->stats.tx++;
    else
        p->lost += n;
    return true;
}
