/* IP headers: see ip.h. */
#include "dataplane/ip.h"

enum { /* IANA protocol numbers */
       P_HOPOPT = 0,
       P_ICMP = 1,
       P_TCP = 6,
       P_UDP = 17,
       P_DCCP = 33,
       P_ROUTING = 43,
       P_FRAGMENT = 44,
       P_AH = 51,
       P_ICMP6 = 58,
       P_DSTOPTS = 60,
       P_SCTP = 132,
       P_MOBILITY = 135,
       P_UDPLITE = 136,
};

#define EXT_MAX 16 /* extension headers we follow; nobody sends more in earnest */

static inline bool has_ports(unsigned proto)
{
    return proto == P_TCP || proto == P_UDP || proto == P_SCTP || proto == P_UDPLITE ||
           proto == P_DCCP;
}

static inline unsigned icmp_of(unsigned family)
{
    return family == 4 ? P_ICMP : P_ICMP6;
}

/* The upper layer's selector fields. ICMP's type and code, and the Mobility Header's type, stand on
 * both sides: RFC 4301 4.4.1.1 knows no local and remote for them. A packet cut short before them
 * has none. */
static inline void l4_parse(const uint8_t *p, unsigned family, unsigned proto, struct ip_info *o)
{
    uint64_t meta = flow_meta(family, proto);
    if (!o->later_frag && o->l4 + 4 <= o->len) {
        const uint8_t *h = p + o->l4;
        if (has_ports(proto))
            meta |= flow_meta_ports(get_u16(h), get_u16(h + 2));
        else if (proto == icmp_of(family))
            meta |= flow_meta_ports(get_u16(h), get_u16(h));
        else if (proto == P_MOBILITY)
            meta |= flow_meta_ports(get_u16(h + 2) & 0xff00, get_u16(h + 2) & 0xff00);
    }
    o->flow.meta = meta;
}

bool ip_short_of_ports(const struct flow *f)
{
    unsigned proto = flow_proto(f);
    return !(f->meta & FLOW_PORTS) &&
           (has_ports(proto) || proto == icmp_of(flow_family(f)) || proto == P_MOBILITY);
}

static err_t v4_parse(const uint8_t *p, uint32_t len, struct ip_info *o)
{
    if (len < 20)
        return R_DP_SHORT;
    uint32_t hlen = (p[0] & 15u) * 4u, total = get_u16(p + 2);
    if (hlen < 20 || total < hlen || total > len)
        return R_DP_INNER;
    uint16_t frag = get_u16(p + 6);
    o->len = total;
    o->l4 = hlen;
    o->tos = p[1];
    o->df = frag & 0x4000;
    o->later_frag = false;
    o->frag = 0;
    if (__builtin_expect(frag & 0x3fff, 0)) { /* all others pay one branch */
        o->later_frag = frag & 0x1fff;
        o->frag = 4;
    }
    o->flow.l[0] = o->flow.r[0] = 0;
    o->flow.l[1] = get_u32(p + 12);
    o->flow.r[1] = get_u32(p + 16);
    l4_parse(p, 4, p[9], o);
    return E_OK;
}

/* One extension header at o->l4; *next becomes what follows it. */
static err_t ext_step(const uint8_t *p, struct ip_info *o, uint8_t *next)
{
    if (o->len - o->l4 < 8)
        return R_DP_INNER;
    const uint8_t *h = p + o->l4;
    uint32_t n = 8;
    if (*next == P_FRAGMENT) {
        o->later_frag = get_u16(h + 2) & 0xfff8;
        if (get_u16(h + 2) & 0xfff9) /* RFC 6946: else it is whole */
            o->frag = o->l4;
    }
    if (*next == P_AH)
        n = (h[1] + 2u) * 4u; /* RFC 4302 2.2 */
    else if (*next != P_FRAGMENT)
        n = (h[1] + 1u) * 8u;
    if (n < 8 || n > o->len - o->l4)
        return R_DP_INNER;
    o->l4 += n;
    *next = h[0];
    return E_OK;
}

static inline bool is_ext(uint8_t next)
{
    return next == P_HOPOPT || next == P_ROUTING || next == P_FRAGMENT || next == P_AH ||
           next == P_DSTOPTS;
}

static err_t v6_parse(const uint8_t *p, uint32_t len, struct ip_info *o)
{
    if (len < 40)
        return R_DP_SHORT;
    uint32_t total = 40u + get_u16(p + 4); /* no jumbograms (RFC 2675) */
    if (total > len)
        return R_DP_INNER;
    o->len = total;
    o->l4 = 40;
    o->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
    o->df = true;
    o->later_frag = false;
    o->frag = 0;
    o->flow.l[0] = get_u64(p + 8);
    o->flow.l[1] = get_u64(p + 16);
    o->flow.r[0] = get_u64(p + 24);
    o->flow.r[1] = get_u64(p + 32);
    uint8_t next = p[6];
    for (int i = 0; is_ext(next) && !o->later_frag; i++) {
        if (i == EXT_MAX)
            return R_DP_INNER;
        err_t e = ext_step(p, o, &next);
        if (e)
            return e;
    }
    l4_parse(p, 6, next, o);
    return E_OK;
}

err_t ip_parse(const uint8_t *p, uint32_t len, struct ip_info *out)
{
    if (len < 1)
        return R_DP_SHORT;
    switch (p[0] >> 4) {
    case 4:
        return v4_parse(p, len, out);
    case 6:
        return v6_parse(p, len, out);
    default:
        return R_DP_INNER;
    }
}

uint32_t ip_sum(const uint8_t *p, size_t n, uint32_t sum)
{
    for (; n >= 2; n -= 2, p += 2)
        sum += get_u16(p);
    return n ? sum + (uint32_t)(p[0] << 8) : sum;
}

uint16_t ip_csum(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
