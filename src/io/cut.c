/* Fragments: see cut.h. */
#include "io/cut.h"

enum { P_HOPOPT = 0, P_ROUTING = 43, P_FRAGMENT = 44, OPT_END = 0, OPT_NOP = 1, OPT_COPIED = 0x80 };

static bool begin4(struct cut *c)
{
    c->hlen = (c->ip[0] & 15u) * 4u;
    return c->len > c->hlen && c->hlen >= 20 && !(get_u16(c->ip + 6) & 0x7fff);
}

/* Hop-by-hop options and routing headers go with each piece. */
static bool begin6(struct cut *c)
{
    c->hlen = 40;
    c->next_at = 6;
    while (c->ip[c->next_at] == P_HOPOPT || c->ip[c->next_at] == P_ROUTING) {
        if (c->len < c->hlen + 8)
            return false;
        c->next_at = c->hlen;
        c->hlen += (c->ip[c->hlen + 1] + 1u) * 8u;
    }
    return c->hlen + 8 < CUT_SIZE && c->len > c->hlen;
}

bool cut_begin(struct cut *c, const uint8_t *ip, uint32_t len, uint32_t id)
{
    *c = (struct cut){.ip = ip, .len = len, .id = id};
    if (len < 40)
        return false;
    return ip[0] >> 4 == 4 ? begin4(c) : begin6(c);
}

/* RFC 791 3.1: of the options only those with the flag go with later pieces. */
static void drop_options(uint8_t *ip, uint32_t hlen)
{
    for (uint32_t at = 20; at < hlen && ip[at] != OPT_END;) {
        uint32_t n = ip[at] == OPT_NOP || at + 1 == hlen ? 1 : ip[at + 1];
        if (n == 0 || n > hlen - at)
            return;
        if (!(ip[at] & OPT_COPIED))
            memset(ip + at, OPT_NOP, n);
        at += n;
    }
}

static uint32_t head4(const struct cut *c, uint8_t *out, uint32_t n, bool more)
{
    memcpy(out, c->ip, c->hlen);
    put_u16(out + 2, (uint16_t)(c->hlen + n));
    put_u16(out + 6, (uint16_t)(c->at / 8 | (more ? 0x2000u : 0)));
    if (c->at)
        drop_options(out, c->hlen);
    return c->hlen;
}

static uint32_t head6(const struct cut *c, uint8_t *out, uint32_t n, bool more)
{
    memcpy(out, c->ip, c->hlen);
    put_u16(out + 4, (uint16_t)(c->hlen - 40 + 8 + n));
    out[c->next_at] = P_FRAGMENT;
    put_u32(out + c->hlen, (uint32_t)c->ip[c->next_at] << 24 | c->at | more);
    put_u32(out + c->hlen + 4, c->id);
    return c->hlen + 8;
}

uint32_t cut_next(struct cut *c, uint8_t *out)
{
    bool v4 = c->ip[0] >> 4 == 4;
    uint32_t left = c->len - c->hlen - c->at;
    uint32_t most = (CUT_SIZE - c->hlen - (v4 ? 0 : 8)) & ~7u, n = left < most ? left : most;
    if (!left)
        return 0;
    uint32_t hlen = v4 ? head4(c, out, n, n < left) : head6(c, out, n, n < left);
    memcpy(out + hlen, c->ip + c->hlen + c->at, n);
    c->at += n;
    return hlen + n;
}
