/*
 * What every inbound packet goes through whatever its protocol and mode: replay window, commit when
 * it proved authentic, the inner packet of a tunnel. Inline for the packet path; what is rare is in
 * rx.c. Used by esp_in.c and modes_in.c.
 */
#pragma once

#include "dataplane/lifetime.h"
#include "dataplane/look.h"
#include "dataplane/tunnel.h"

enum { NEXT_IPV4 = 4, NEXT_IPV6 = 41, NEXT_DUMMY = 59 };

/* The number of a packet that must not be taken; R_DP_REPLAY or R_DP_LATE. */
err_t rx_refuse(struct dp *d, struct sa_in *sa, uint64_t seq) must_use;
/* An authentic packet that came `behind` numbers behind the head of the window. */
void rx_behind(struct dp *d, struct sa_in *sa, uint64_t behind);
void rx_tell_moved(struct dp *d, struct sa_in *sa, const struct dp_pkt *p);
void rx_tell_first(struct dp *d, struct sa_in *sa);
/* The inner packet's length within the payload; what follows it is TFC padding (RFC 4303 2.7). */
err_t rx_inner_parse(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, const uint8_t *inner,
                     uint32_t payload, uint8_t next, uint32_t *len) must_use;
/* A packet that was not taken: dropped, or it waits (frags.h). */
void rx_drop(struct dp *d, struct child *c, struct dp_pkt *p, err_t reason);

/* RFC 4303 3.4.3, RFC 4302 3.4.3: before anything is spent on the packet. */
static inline err_t rx_fresh(struct dp *d, struct sa_in *sa, uint32_t low, uint64_t *seq)
{
    if (sa->dead)
        return life_dead_in(d, sa);
    *seq = low;
    if ((sa->f.esn && !replay_esn(&sa->replay, low, seq)) || !replay_check(&sa->replay, *seq))
        return rx_refuse(d, sa, *seq);
    return E_OK;
}

/* Family and port first: an address that differs is rare. */
static inline bool rx_same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && a->addr.family == b->addr.family &&
           get_u64(a->addr.ip) == get_u64(b->addr.ip) &&
           get_u64(a->addr.ip + 8) == get_u64(b->addr.ip + 8);
}

/* An authentic packet with the highest number so far. */
static inline void rx_look_where(struct dp *d, struct sa_in *sa, const struct dp_pkt *p)
{
    if (sa->f.udp && !rx_same_endpoint(&sa->remote, &p->remote))
        rx_tell_moved(d, sa, p);
}

/* RFC 4303 3.4.4: the ICV has been checked, `status` tells; only now the window moves. */
static inline err_t rx_commit(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, uint64_t seq,
                              err_t status)
{
    if (status)
        return status;
    if (sa->dead)
        return life_dead_in(d, sa);
    uint64_t top = sa->replay.top;
    if (!replay_commit(&sa->replay, seq))
        return rx_refuse(d, sa, seq);
    if (seq < top)
        rx_behind(d, sa, top - seq);
    /* an old packet delayed on the former path says nothing about where the peer is now */
    else if (seq > top)
        rx_look_where(d, sa, p);
    if (sa->announce)
        rx_tell_first(d, sa);
    sa->life.packets++;
    return E_OK;
}

static inline void rx_count(struct dp *d, struct sa_in *sa, uint32_t bytes)
{
    sa->life.bytes += bytes;
    if (life_due(&sa->life, sa->life.packets))
        life_reached_in(d, sa);
}

/* RFC 4303 2.4: 1, 2, 3 ... `end` is behind the last byte of padding. At least the eight bytes of
 * SPI and sequence number lie before it, so that short padding is one load and one compare. */
static inline bool rx_padding_ok(const uint8_t *end, uint32_t n)
{
    if (n <= 8) {
        unsigned cut = 64 - 8 * n;
        return n == 0 || ((get_u64(end - 8) ^ 0x0102030405060708u >> cut) << cut) == 0;
    }
    for (uint32_t i = 0; i < n; i++)
        if (end[(int64_t)i - (int64_t)n] != (uint8_t)(i + 1))
            return false;
    return true;
}

/*
 * The common case of rx_inner_parse: one IPv4 prefix on each side, any protocol and port. Then the
 * two addresses are one word to compare, and nothing behind the IP header matters. 0: ask
 * rx_inner_parse.
 */
static inline uint32_t rx_inner_quick(const struct sa_in *sa, const uint8_t *inner,
                                      uint32_t payload, uint8_t next)
{
    if (payload < 20 || next != NEXT_IPV4 || (inner[0] & 0xf0) != 0x40)
        return 0;
    uint32_t hlen = (inner[0] & 15u) * 4u, total = get_u16(inner + 2);
    if (hlen < 20 || total < hlen || total > payload)
        return 0;
    return (get_u64(inner + 12) & sa->v4.mask) == sa->v4.net ? total : 0;
}

/* The packet inside of a tunnel becomes p's, with what the outer TOS says about it; also one that
 * is refused, so that the log can tell whose it is (audit.h). */
static inline err_t rx_inner_check(struct dp *d, struct sa_in *sa, struct dp_pkt *p, uint8_t *inner,
                                   uint32_t payload, uint8_t next)
{
    uint32_t len = rx_inner_quick(sa, inner, payload, next);
    if (len) {
        look_in4(d, sa, inner, len);
    } else {
        err_t e = rx_inner_parse(d, sa, p, inner, payload, next, &len);
        if (e == R_DP_SELECTOR) {
            p->data = inner;
            p->len = len;
        }
        if (e)
            return e;
        look_in(d, sa, inner, len);
    }
    p->data = inner;
    p->len = len;
    return tunnel_tos_in(sa, inner, p->tos);
}
