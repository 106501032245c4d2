/* Outer and inner headers: see tunnel.h. */
#include "dataplane/tunnel.h"

enum { NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3, ECN_DROP = 4 };

/* RFC 6040 figure 4: [inner][outer] */
static const uint8_t egress[4][4] = {
    [NOT_ECT] = {NOT_ECT, NOT_ECT, NOT_ECT, ECN_DROP},
    [ECT1] = {ECT1, ECT1, ECT1, CE},
    [ECT0] = {ECT0, ECT1, ECT0, CE},
    [CE] = {CE, CE, CE, CE},
};

/* RFC 1624 eqn. 3 */
static void v4_set_tos(uint8_t *p, uint8_t tos)
{
    uint32_t old = get_u16(p);
    p[1] = tos;
    uint32_t sum = (uint16_t)~get_u16(p + 10) + (uint32_t)(uint16_t)~old + get_u16(p);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put_u16(p + 10, (uint16_t)~sum);
}

static uint8_t tos_get(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? p[1] : (uint8_t)(p[0] << 4 | p[1] >> 4);
}

static void tos_set(uint8_t *p, uint8_t tos)
{
    if (p[0] >> 4 == 4) {
        v4_set_tos(p, tos);
    } else {
        p[0] = (uint8_t)((p[0] & 0xf0) | tos >> 4);
        p[1] = (uint8_t)((p[1] & 0x0f) | tos << 4);
    }
}

err_t tunnel_ecn_merge(uint8_t *inner, uint8_t outer_tos)
{
    uint8_t tos = tos_get(inner);
    unsigned is = egress[tos & 3][outer_tos & 3];
    if (is == ECN_DROP)
        return R_DP_ECN;
    if (is != (tos & 3))
        tos_set(inner, (uint8_t)((tos & ~3u) | is));
    return E_OK;
}

err_t tunnel_tos_merge(const struct sa_in *sa, uint8_t *inner, uint8_t outer_tos)
{
    if (sa->tos_look & TOS_LOOK_ECN) {
        err_t e = tunnel_ecn_merge(inner, outer_tos);
        if (e)
            return e;
    }
    if (sa->tos_look & TOS_LOOK_DSCP)
        tos_set(inner, (uint8_t)((outer_tos & 0xfc) | (tos_get(inner) & 3)));
    return E_OK;
}

void tunnel_rules_in(struct sa_in *sa, const struct tunnel_rules *r)
{
    sa->tos_look = r->ecn == ECN_COPY ? TOS_LOOK_ECN : 0;
    if (r->dscp == DSCP_IN || r->dscp == DSCP_BOTH)
        sa->tos_look |= TOS_LOOK_DSCP;
}

/* RFC 6040 4.1: ECN copied (normal mode) or cleared (compatibility mode). */
void tunnel_rules_out(struct sa_out *sa, const struct tunnel_rules *r, bool tunnel)
{
    sa->tos_mask = r->ecn == ECN_COPY ? 0x03 : 0;
    if (r->dscp == DSCP_OUT || r->dscp == DSCP_BOTH)
        sa->tos_mask |= 0xfc;
    else
        sa->tos_add = (uint8_t)(r->dscp_value << 2);
    sa->df = r->df & 3u;
    sa->mss_max = r->mss;
    sa->frag_before = r->fragment == FRAGMENT_BEFORE && tunnel && !sa->whole;
}

static unsigned around(const struct framing *f, unsigned outer_family)
{
    return (outer_family == 6 ? 40u : 20u) + (f->udp ? 8u : 0u) + f->hdr_len + f->icv_len;
}

uint16_t tunnel_outer_len(const struct framing *f, unsigned outer_family, uint16_t len)
{
    unsigned text = (len + 2u + f->align_mask) & ~(unsigned)f->align_mask;
    return (uint16_t)(around(f, outer_family) + text);
}

uint16_t tunnel_inner_mtu(const struct framing *f, unsigned outer_family, uint16_t mtu)
{
    unsigned fixed = around(f, outer_family);
    if (mtu < fixed + f->align_mask + 1u + 2)
        return 0;
    unsigned text = (mtu - fixed) & ~(unsigned)f->align_mask;
    return (uint16_t)(text - 2); /* pad length and next header */
}
