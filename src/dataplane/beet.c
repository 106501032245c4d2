/* BEET: see beet.h. */
#include "dataplane/beet.h"

enum { OPT_NOP = 1 };

/* Next header, length in eights of bytes without the first, padding, reserved; then padding, then
 * the options. */
static void put_ph(uint8_t *ph, uint8_t next, uint32_t opts)
{
    uint8_t pad = (uint8_t)(4 - (opts & 4));
    ph[0] = next;
    ph[1] = (uint8_t)(opts / 8);
    ph[2] = pad;
    ph[3] = 0;
    memset(ph + 4, OPT_NOP, pad);
}

err_t beet_strip(uint8_t *p, uint32_t len, int32_t *skip, uint8_t *next)
{
    if (p[0] >> 4 == 6) {
        *next = p[6];
        *skip = 40;
        return len >= 40 ? E_OK : R_DP_HEADER;
    }
    struct transport_at at;
    err_t e = transport_split(p, len, &at);
    if (e)
        return e;
    *next = p[9];
    *skip = (int32_t)at.hlen;
    uint32_t opts = at.hlen - 20, ph = 4 + 4 - (opts & 4);
    if (!opts)
        return E_OK;
    put_ph(p + 20 - ph, *next, opts);
    *skip = 20 - (int32_t)ph;
    *next = BEET_PH;
    return E_OK;
}

/* Bytes of options behind the header of their own; *skip: where they begin. */
static err_t get_ph(const uint8_t *ph, uint32_t len, uint8_t *next, uint32_t *skip, uint32_t *opts)
{
    if (len < 4)
        return R_DP_INNER;
    *skip = 4u + ph[2];
    uint32_t all = ph[1] * 8u + BEET_PH_MAX; /* with the header itself and its padding */
    if (ph[2] > 4 || all < *skip || all > len)
        return R_DP_INNER;
    *opts = all - *skip;
    *next = ph[0];
    return *opts & 3 || *opts > 40 ? R_DP_INNER : E_OK;
}

/* What the outer header says of both: DSCP and ECN, TTL, and of one family the rest too. */
static void copy_fields(uint8_t *ip, const uint8_t *outer)
{
    bool v4 = ip[0] >> 4 == 4;
    if ((outer[0] >> 4 == 4) != v4)
        return;
    if (v4) {
        memcpy(ip + 4, outer + 4, 2);
        ip[6] = outer[6] & 0x40; /* DF */
    } else {
        put_u32(ip, get_u32(outer)); /* with the flow label */
    }
}

err_t beet_header(uint8_t *ip, struct transport_at *at, const struct addr *from,
                  const struct addr *to, const uint8_t *outer, const uint8_t *payload, uint32_t len,
                  uint8_t *next, uint32_t *skip)
{
    bool v4 = outer[0] >> 4 == 4;
    uint8_t tos = v4 ? outer[1] : (uint8_t)(outer[0] << 4 | outer[1] >> 4);
    uint32_t opts = 0;
    at->hlen = transport_header(ip, from, to, tos, outer[v4 ? 8 : 7]);
    at->next_at = from->family == 4 ? 9 : 6;
    copy_fields(ip, outer);
    *skip = 0;
    if (*next != BEET_PH || from->family != 4)
        return E_OK;
    err_t e = get_ph(payload, len, next, skip, &opts);
    if (e)
        return e;
    memcpy(ip + 20, payload + *skip, opts);
    ip[0] = (uint8_t)(0x40 | (20 + opts) / 4);
    at->hlen += opts;
    *skip += opts;
    return E_OK;
}
