/* Mutable fields: see ah.h. */
#include "dataplane/ah.h"

enum { /* IANA: IP options, protocol numbers, routing types */
       OPT_END = 0,
       OPT_NOP = 1,
       OPT_SEC = 130,
       OPT_LSRR = 131,
       OPT_ESEC = 133,
       OPT_CIPSO = 134,
       OPT_SSRR = 137,
       OPT_RTRALT = 148,
       OPT_SDB = 149,
       P_HOPOPT = 0,
       P_ROUTING = 43,
       P_DSTOPTS = 60,
       ROUTE_SOURCE = 0,
       ROUTE_HOME = 2,
       MAY_CHANGE = 0x20, /* RFC 8200 4.2: the option's data may change en route */
};

/* RFC 4302 A1: these stay, all others are zeroed with their type and length. */
static bool is_immutable(uint8_t type)
{
    return type == OPT_SEC || type == OPT_ESEC || type == OPT_CIPSO || type == OPT_RTRALT ||
           type == OPT_SDB;
}

/* A source route that is not at its end: the receiver will see the last address of it. */
static void v4_final(uint8_t *ip, const uint8_t *opt, uint32_t len)
{
    if ((opt[0] == OPT_LSRR || opt[0] == OPT_SSRR) && len >= 7 && opt[2] + 3u <= len)
        memcpy(ip + 16, opt + len - 4, 4);
}

static err_t v4_options(uint8_t *ip, uint32_t hlen)
{
    for (uint32_t at = 20; at < hlen && ip[at] != OPT_END;) {
        if (ip[at] == OPT_NOP) {
            at++;
            continue;
        }
        uint32_t len = at + 1 < hlen ? ip[at + 1] : 0;
        if (len < 2 || len > hlen - at)
            return R_DP_HEADER;
        v4_final(ip, ip + at, len);
        if (!is_immutable(ip[at]))
            memset(ip + at, 0, len);
        at += len;
    }
    return E_OK;
}

static err_t v4_zero(uint8_t *ip, uint32_t hlen)
{
    if (hlen < 20 || hlen != (ip[0] & 15u) * 4u)
        return R_DP_HEADER;
    ip[1] = 0;           /* DSCP and ECN */
    put_u16(ip + 6, 0);  /* flags, fragment offset */
    ip[8] = 0;           /* TTL */
    put_u16(ip + 10, 0); /* checksum */
    return v4_options(ip, hlen);
}

/* RFC 4302 A2: an option's type and length stay, its data are zeroed if they may change. */
static err_t v6_options(uint8_t *ext, uint32_t n)
{
    for (uint32_t at = 2; at < n;) {
        if (ext[at] == 0) { /* Pad1 */
            at++;
            continue;
        }
        uint32_t len = at + 1 < n ? ext[at + 1] + 2u : 0;
        if (len < 2 || len > n - at)
            return R_DP_HEADER;
        if (ext[at] & MAY_CHANGE)
            memset(ext + at + 2, 0, len - 2);
        at += len;
    }
    return E_OK;
}

/* RFC 4302 3.3.3.1.2.3: as it will be at the last of the addresses. */
static err_t v6_routing(uint8_t *ip, uint8_t *ext, uint32_t n)
{
    uint32_t addresses = (n - 8) / 16, left = ext[3];
    if (left == 0)
        return E_OK;
    if ((ext[2] != ROUTE_SOURCE && ext[2] != ROUTE_HOME) || (n - 8) % 16 || left > addresses)
        return R_DP_HEADER;
    uint8_t *next = ext + 8 + (addresses - left) * 16, to[16];
    memcpy(to, ext + n - 16, 16);
    memmove(next + 16, next, (left - 1) * 16);
    memcpy(next, ip + 24, 16);
    memcpy(ip + 24, to, 16);
    ext[3] = 0;
    return E_OK;
}

static err_t v6_zero(uint8_t *ip, uint32_t hlen)
{
    if (hlen < 40)
        return R_DP_HEADER;
    put_u32(ip, 0x60000000); /* class and flow label */
    ip[7] = 0;               /* hop limit */
    uint8_t next = ip[6];
    for (uint32_t at = 40; at < hlen;) {
        uint8_t *ext = ip + at;
        uint32_t n = hlen - at >= 8 ? (ext[1] + 1u) * 8u : 0;
        err_t e = n < 8 || n > hlen - at                  ? R_DP_HEADER
                  : next == P_HOPOPT || next == P_DSTOPTS ? v6_options(ext, n)
                  : next == P_ROUTING                     ? v6_routing(ip, ext, n)
                                                          : R_DP_HEADER;
        if (e)
            return e;
        next = ext[0];
        at += n;
    }
    return E_OK;
}

err_t ah_zero(uint8_t *ip, uint32_t hlen)
{
    return ip[0] >> 4 == 4 ? v4_zero(ip, hlen) : v6_zero(ip, hlen);
}
