/* Path MTU: see frag_pmtu.h. */
#include "dataplane/frag_pmtu.h"

#define V4_QUOTE (576u - 28u)  /* RFC 1812 4.3.2.3 */
#define V6_QUOTE (1280u - 48u) /* RFC 4443 2.4 (c) */
#define TTL      64

bool pmtu_refuse(const struct ip_info *ip, bool *df)
{
    *df = false;
    if (!ip->df)
        return false;
    return !(flow_family(&ip->flow) == 6 && ip->len <= IPV6_MTU_MIN);
}

/* RFC 1122 3.2.2: not about an ICMP error, a later fragment, or a source or destination that is
 * not one host. */
static bool v4_may_answer(const uint8_t *p, const struct ip_info *ip)
{
    uint32_t src = (uint32_t)ip->flow.l[1], dst = (uint32_t)ip->flow.r[1];
    if (ip->later_frag || src == 0 || src >= 0xe0000000u || dst >= 0xe0000000u)
        return false;
    if (flow_proto(&ip->flow) != 1)
        return true;
    uint8_t type = ip->len > ip->l4 ? p[ip->l4] : 3;
    return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

/* RFC 4443 2.4 (e): not about an ICMPv6 error, nor to no host; a multicast destination is allowed.
 */
static bool v6_may_answer(const uint8_t *p, const struct ip_info *ip)
{
    if (p[8] == 0xff || (ip->flow.l[0] | ip->flow.l[1]) == 0 || ip->later_frag)
        return false;
    return flow_proto(&ip->flow) != 58 || (ip->len > ip->l4 && p[ip->l4] >= 128);
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Destination unreachable, fragmentation needed and DF set: RFC 792, RFC 1191 4. */
static void v4_answer(uint8_t **data, uint32_t *len, uint16_t mtu)
{
    const uint8_t *old = *data;
    uint32_t quote = min32(*len, V4_QUOTE);
    uint8_t *p = *data - 28;
    memset(p, 0, 28);
    p[0] = 0x45;
    p[1] = 0xc0; /* RFC 1812 4.3.2.5: internetwork control */
    put_u16(p + 2, (uint16_t)(28 + quote));
    p[8] = TTL;
    p[9] = 1;
    memcpy(p + 12, old + 16, 4);
    memcpy(p + 16, old + 12, 4);
    put_u16(p + 10, ip_csum(ip_sum(p, 20, 0)));
    p[20] = 3;
    p[21] = 4;
    put_u16(p + 26, mtu);
    put_u16(p + 22, ip_csum(ip_sum(p + 20, 8 + quote, 0)));
    *data = p;
    *len = 28 + quote;
}

/* Packet too big: RFC 4443 3.2. */
static void v6_answer(uint8_t **data, uint32_t *len, uint16_t mtu)
{
    const uint8_t *old = *data;
    uint32_t quote = min32(*len, V6_QUOTE);
    uint8_t *p = *data - 48;
    memset(p, 0, 48);
    p[0] = 0x60;
    put_u16(p + 4, (uint16_t)(8 + quote));
    p[6] = 58;
    p[7] = TTL;
    memcpy(p + 8, old[24] == 0xff ? old + 8 : old + 24, 16);
    memcpy(p + 24, old + 8, 16);
    p[40] = 2;
    put_u32(p + 44, mtu < IPV6_MTU_MIN ? IPV6_MTU_MIN : mtu);
    uint32_t sum = ip_sum(p + 8, 32, 8 + quote + 58); /* pseudo-header, RFC 8200 8.1 */
    put_u16(p + 42, ip_csum(ip_sum(p + 40, 8 + quote, sum)));
    *data = p;
    *len = 48 + quote;
}

bool pmtu_answer(uint8_t **data, uint32_t *len, const struct ip_info *ip, uint16_t mtu)
{
    bool v4 = flow_family(&ip->flow) == 4;
    if (!(v4 ? v4_may_answer(*data, ip) : v6_may_answer(*data, ip)))
        return false;
    if (v4)
        v4_answer(data, len, mtu);
    else
        v6_answer(data, len, mtu);
    return true;
}
