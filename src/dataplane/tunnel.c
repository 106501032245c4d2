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

err_t tunnel_ecn_merge(uint8_t *inner, uint8_t outer_tos)
{
    bool v4 = inner[0] >> 4 == 4;
    unsigned was = v4 ? inner[1] & 3u : inner[1] >> 4 & 3u;
    unsigned is = egress[was][outer_tos & 3];
    if (is == was)
        return E_OK;
    if (is == ECN_DROP)
        return R_DP_ECN;
    if (v4)
        v4_set_tos(inner, (uint8_t)((inner[1] & ~3u) | is));
    else
        inner[1] = (uint8_t)((inner[1] & ~0x30u) | is << 4);
    return E_OK;
}

uint16_t tunnel_inner_mtu(const struct framing *f, unsigned outer_family, uint16_t mtu)
{
    unsigned fixed = (outer_family == 6 ? 40u : 20u) + (f->udp ? 8u : 0u) + f->hdr_len + f->icv_len;
    if (mtu < fixed + f->align_mask + 1u + 2)
        return 0;
    unsigned text = (mtu - fixed) & ~(unsigned)f->align_mask;
    return (uint16_t)(text - 2); /* pad length and next header */
}
