/* Transport mode's headers: see transport.h. */
#include "dataplane/transport.h"
#include "dataplane/ip.h"

enum { /* IANA protocol numbers */
       P_HOPOPT = 0,
       P_TCP = 6,
       P_UDP = 17,
       P_DCCP = 33,
       P_ROUTING = 43,
       P_FRAGMENT = 44,
       P_ICMP6 = 58,
       P_DSTOPTS = 60,
       P_UDPLITE = 136,
       TTL = 64,
};

/* The extension header at `at`; 0: it does not end within the packet. */
static uint32_t ext_size(const uint8_t *p, uint32_t len, uint32_t at)
{
    uint32_t n = len - at >= 8 ? (p[at + 1] + 1u) * 8u : 0;
    return n <= len - at ? n : 0;
}

static err_t v4_split(const uint8_t *p, uint32_t len, struct transport_at *at)
{
    uint32_t hlen = (p[0] & 15u) * 4u;
    if (len < 20 || hlen < 20 || hlen > len)
        return R_DP_HEADER;
    *at = (struct transport_at){hlen, 9};
    return get_u16(p + 6) & 0x3fff ? R_DP_FRAGMENT : E_OK;
}

/*
 * Behind hop-by-hop options and routing headers, and destination options that stand before one of
 * these; destination options for the last host alone are protected.
 */
static err_t v6_split(const uint8_t *p, uint32_t len, struct transport_at *at)
{
    if (len < 40)
        return R_DP_HEADER;
    *at = (struct transport_at){40, 6};
    uint32_t here = 40, next_at = 6;
    for (;;) {
        uint8_t next = p[next_at];
        if (next == P_FRAGMENT)
            return R_DP_FRAGMENT;
        if (next != P_HOPOPT && next != P_ROUTING && next != P_DSTOPTS)
            return E_OK;
        uint32_t n = ext_size(p, len, here);
        if (!n)
            return R_DP_HEADER;
        next_at = here;
        here += n;
        if (next != P_DSTOPTS)
            *at = (struct transport_at){here, next_at};
    }
}

err_t transport_split(const uint8_t *p, uint32_t len, struct transport_at *at)
{
    err_t e = p[0] >> 4 == 4 ? v4_split(p, len, at) : v6_split(p, len, at);
    return !e && at->hlen > DP_IP_MAX ? R_DP_HEADER : e;
}

err_t transport_find(const uint8_t *ip, uint32_t hlen, struct transport_at *at)
{
    bool v4 = hlen && ip[0] >> 4 == 4;
    *at = (struct transport_at){v4 ? (ip[0] & 15u) * 4u : 40, v4 ? 9 : 6};
    while (!v4 && at->hlen < hlen) {
        uint32_t n = ext_size(ip, hlen, at->hlen);
        if (!n)
            return R_DP_HEADER;
        at->next_at = at->hlen;
        at->hlen += n;
    }
    return at->hlen == hlen && hlen >= 20 && hlen <= DP_IP_MAX ? E_OK : R_DP_HEADER;
}

void transport_finish(uint8_t *ip, const struct transport_at *at, uint8_t next, uint32_t len)
{
    ip[at->next_at] = next;
    if (ip[0] >> 4 == 6) {
        put_u16(ip + 4, (uint16_t)(at->hlen - 40 + len));
        return;
    }
    put_u16(ip + 2, (uint16_t)(at->hlen + len));
    put_u16(ip + 10, 0);
    put_u16(ip + 10, ip_csum(ip_sum(ip, at->hlen, 0)));
}

uint32_t transport_header(uint8_t *ip, const struct addr *from, const struct addr *to, uint8_t tos,
                          uint8_t ttl)
{
    memset(ip, 0, 40);
    ttl = ttl ? ttl : TTL;
    if (from->family == 6) {
        put_u32(ip, 0x60000000u | (uint32_t)tos << 20);
        ip[7] = ttl;
        memcpy(ip + 8, from->ip, 16);
        memcpy(ip + 24, to->ip, 16);
        return 40;
    }
    ip[0] = 0x45;
    ip[1] = tos;
    ip[8] = ttl;
    memcpy(ip + 12, from->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    return 20;
}

static uint32_t addr_sum(const struct addr *a)
{
    return ip_sum(a->ip, a->family == 4 ? 4 : 16, 0);
}

static uint16_t fold(uint32_t sum)
{
    return (uint16_t)~ip_csum(sum);
}

uint16_t transport_fix(const struct addr *was_from, const struct addr *was_to,
                       const struct addr *from, const struct addr *to)
{
    uint16_t was = fold(addr_sum(was_from) + addr_sum(was_to));
    uint16_t is = fold(addr_sum(from) + addr_sum(to));
    return fold((uint32_t)(uint16_t)~was + is); /* one's complement: is - was */
}

/* Where the checksum stands; 0: there is none over the addresses. */
static uint32_t csum_at(uint8_t next)
{
    switch (next) {
    case P_TCP:
        return 16;
    case P_UDP:
    case P_UDPLITE:
    case P_DCCP:
        return 6;
    case P_ICMP6:
        return 2;
    default:
        return 0;
    }
}

void transport_repair(uint8_t *l4, uint32_t len, uint8_t next, uint16_t fix)
{
    uint32_t at = csum_at(next);
    if (!at || at + 2 > len)
        return;
    uint16_t was = get_u16(l4 + at);
    if (next == P_UDP && was == 0) /* RFC 768: none was made */
        return;
    uint16_t is = (uint16_t)~fold((uint32_t)(uint16_t)~was + fix);
    put_u16(l4 + at, next == P_UDP && is == 0 ? 0xffff : is);
}
