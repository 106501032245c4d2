/* TSi and TSr payloads: see ts.h. RFC 7296 3.13. */
#include "wire/ts.h"

#define SELECTOR_HDR 4 /* type, protocol, length */

static struct addr read_addr(struct rd *r, uint8_t type)
{
    size_t n = type == TS_IPV4_ADDR_RANGE ? 4 : 16;
    struct bytes b = rd_bytes(r, n);
    if (b.n != n)
        return (struct addr){0};
    return n == 4 ? addr_v4(b.p) : addr_v6(b.p);
}

static err_t check(const struct ts *t)
{
    if (addr_cmp(&t->lo, &t->hi) > 0)
        return R_SYNTAX;
    if (ts_opaque(t)) /* 3.13.1: ports that cannot be seen */
        return E_OK;
    if (t->port_lo > t->port_hi)
        return R_SYNTAX;
    /* 3.13.1: without a protocol ports are not defined: start MUST be 0, end 65535 */
    if (t->proto == 0 && (t->port_lo != 0 || t->port_hi != 65535))
        return R_SYNTAX;
    return E_OK;
}

static err_t read_range(struct rd *r, uint8_t type, struct ts *t)
{
    t->port_lo = rd_u16(r);
    t->port_hi = rd_u16(r);
    t->lo = read_addr(r, type);
    t->hi = read_addr(r, type);
    err_t e = rd_done(r);
    if (e) /* the selector's own length is at fault */
        return R_LENGTH;
    return check(t);
}

static void selector(struct rd *r, struct ts_list *out)
{
    struct ts t = {0};
    uint8_t type = rd_u8(r);
    t.proto = rd_u8(r);
    uint16_t len = rd_u16(r);
    if (!r->err && len < SELECTOR_HDR)
        rd_fail(r, R_LENGTH);
    struct rd sub = rd_sub(r, r->err ? 0 : (size_t)(len - SELECTOR_HDR));
    if (r->err || (type != TS_IPV4_ADDR_RANGE && type != TS_IPV6_ADDR_RANGE))
        return;
    rd_fail(r, read_range(&sub, type, &t));
    if (!r->err && out->count < TS_MAX)
        out->ts[out->count++] = t;
}

err_t ts_body_parse(struct bytes body, struct ts_list *out)
{
    struct rd r = rd_of(body);
    out->count = 0;
    uint8_t n = rd_u8(&r);
    rd_skip(&r, 3); /* reserved */
    if (!r.err && n == 0)
        rd_fail(&r, R_SYNTAX);
    for (; n && !r.err; n--)
        selector(&r, out);
    return rd_done(&r);
}

static void write_selector(struct wr *w, const struct ts *t)
{
    bool v4 = t->lo.family == 4;
    size_t n = v4 ? 4 : 16;
    if (t->lo.family != t->hi.family || t->lo.family == 0)
        wr_fail(w, E_USAGE);
    wr_u8(w, v4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
    wr_u8(w, t->proto);
    wr_u16(w, (uint16_t)(SELECTOR_HDR + 4 + 2 * n));
    wr_u16(w, t->port_lo);
    wr_u16(w, t->port_hi);
    wr_put(w, t->lo.ip, n);
    wr_put(w, t->hi.ip, n);
}

void ts_body_write(struct wr *w, const struct ts_list *l)
{
    if (l->count == 0 || l->count > TS_MAX) {
        wr_fail(w, E_USAGE);
        return;
    }
    wr_u8(w, (uint8_t)l->count);
    (void)wr_space(w, 3);
    for (size_t i = 0; i < l->count; i++)
        write_selector(w, &l->ts[i]);
}
