/*
 * Traffic selectors compiled for the packet path: a side is one range of addresses and ports; an
 * SA's set matches when any local side and any remote side do (RFC 7296 2.9). A selector that
 * names ports matches no packet whose ports are unknown (later fragments, RFC 4301 7), OPAQUE no
 * other.
 */
#pragma once

#include "dataplane/flow.h"

/* 16 bytes, of which a large gateway has hundreds of thousands. */
struct sel {
    union {
        uint32_t v4[2];     /* first and last address */
        const uint64_t *v6; /* likewise, two words each, in memory of the owner */
    };
    uint16_t port_lo, port_hi;
    uint8_t proto; /* 0: any */
    uint8_t family;
};

#define SEL_V6_WORDS 4

/* v6: where an IPv6 range is to be put. Behind it, if it was used. */
uint64_t *sel_of_ts(struct sel *s, const struct ts *t, uint64_t *v6);
void sel_range(const struct sel *s, uint64_t lo[2], uint64_t hi[2]);

static inline bool sel_any_port(const struct sel *s)
{
    return s->port_lo == 0 && s->port_hi == 0xffff;
}

static inline bool sel_opaque(const struct sel *s)
{
    return s->port_lo == 0xffff && s->port_hi == 0;
}

static inline bool sel_has_v6(const struct sel *s, const uint64_t a[2])
{
    __extension__ typedef unsigned __int128 u128;
    const uint64_t *r = s->v6;
    u128 v = (u128)a[0] << 64 | a[1];
    return v >= ((u128)r[0] << 64 | r[1]) && v <= ((u128)r[2] << 64 | r[3]);
}

static inline bool sel_match(const struct sel *s, const uint64_t a[2], uint16_t port, uint64_t meta)
{
    if (s->family != (meta & FLOW_FAMILY))
        return false;
    if (s->family == 4 ? a[1] < s->v4[0] || a[1] > s->v4[1] : !sel_has_v6(s, a))
        return false;
    if (s->proto && s->proto != (uint8_t)(meta >> 8))
        return false;
    return sel_any_port(s) ||
           (meta & FLOW_PORTS ? port >= s->port_lo && port <= s->port_hi : sel_opaque(s));
}

struct sel_set {
    uint16_t nl, nr;
    struct sel s[]; /* locals, then remotes; behind them their IPv6 ranges */
};

size_t sel_set_size(const struct ts_list *local, const struct ts_list *remote);
void sel_set_init(struct sel_set *s, const struct ts_list *local, const struct ts_list *remote);

/* Is there a selector that later fragments, which have no ports, never match; one for them alone?
 */
bool sel_set_names_ports(const struct sel_set *s);
bool sel_set_opaque(const struct sel_set *s);

/* Two words in place of a set of one IPv4 prefix on each side, of any protocol and port, for a
 * packet received: its source and destination as one number in network order. */
struct sel_v4 {
    uint64_t mask, net; /* addresses & mask == net; never true where a set is not of that kind */
};
struct sel_v4 sel_v4_received(const struct sel_set *s);

bool sel_set_match_any(const struct sel_set *s, const struct flow *f);
bool sel_set_match_any_received(const struct sel_set *s, const struct flow *f);

static inline bool sel_set_match(const struct sel_set *s, const struct flow *f)
{
    if (s->nl == 1 && s->nr == 1)
        return sel_match(&s->s[0], f->l, flow_lport(f), f->meta) &&
               sel_match(&s->s[1], f->r, flow_rport(f), f->meta);
    return sel_set_match_any(s, f);
}

/* The same for a flow as its sender sees it. Two functions, because turning the flow round costs
 * the receiving side ten cycles a packet (words just stored, loaded as vectors). */
static inline bool sel_set_match_received(const struct sel_set *s, const struct flow *f)
{
    if (s->nl == 1 && s->nr == 1)
        return sel_match(&s->s[0], f->r, flow_rport(f), f->meta) &&
               sel_match(&s->s[1], f->l, flow_lport(f), f->meta);
    return sel_set_match_any_received(s, f);
}
