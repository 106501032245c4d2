/* ID payload of IKEv1: see id_v1.h. RFC 2407 4.6.2. Called by ike/v1. */
#include "wire/id_v1.h"

#define PROTO_UDP 17

err_t id_v1_parse(struct bytes body, struct id *out)
{
    struct rd r = rd_of(body);
    *out = (struct id){0};
    uint8_t type = rd_u8(&r), proto = rd_u8(&r);
    uint16_t port = rd_u16(&r);
    struct bytes data = rd_rest(&r);
    size_t want = type == ID_IPV4_ADDR ? 4 : type == ID_IPV6_ADDR ? 16 : 0;
    if (!r.err && (type == ID_ANY || (proto != PROTO_UDP && (proto || port))))
        rd_fail(&r, R_SYNTAX);
    if (!r.err && (data.n == 0 || data.n > ID_MAX || (want && data.n != want)))
        rd_fail(&r, R_LENGTH);
    if (!r.err) {
        out->type = type;
        out->len = (uint16_t)data.n;
        memcpy(out->data, data.p, data.n);
    }
    return rd_done(&r);
}

void id_v1_write(struct wr *w, const struct id *id)
{
    if (id->type == ID_ANY)
        wr_fail(w, E_USAGE);
    wr_u8(w, id->type);
    (void)wr_space(w, 3);
    wr_put(w, id->data, id->len);
}

/* --- quick mode --- */

static struct addr read_addr(struct rd *r, uint8_t family)
{
    struct addr a = {.family = family};
    struct bytes b = rd_bytes(r, addr_len(&a));
    if (!r->err)
        memcpy(a.ip, b.p, b.n);
    return a;
}

/* RFC 2407 4.6.2.4: address and mask */
static void subnet(struct rd *r, uint8_t family, struct ts *t)
{
    struct addr base = read_addr(r, family), mask = read_addr(r, family);
    unsigned bits = 0, len = (unsigned)addr_len(&mask) * 8;
    while (bits < len && mask.ip[bits / 8] & 0x80 >> bits % 8)
        bits++;
    for (unsigned i = bits; i < len; i++)
        if (mask.ip[i / 8] & 0x80 >> i % 8)
            rd_fail(r, R_SYNTAX);
    if (!r->err)
        addr_prefix_range(&base, bits, &t->lo, &t->hi);
}

static void addresses(struct rd *r, uint8_t type, struct ts *t)
{
    switch (type) {
    case ID_IPV4_ADDR:
    case ID_IPV6_ADDR:
        t->lo = t->hi = read_addr(r, type == ID_IPV4_ADDR ? 4 : 6);
        break;
    case ID1_IPV4_SUBNET:
    case ID1_IPV6_SUBNET:
        subnet(r, type == ID1_IPV4_SUBNET ? 4 : 6, t);
        break;
    case ID1_IPV4_RANGE:
    case ID1_IPV6_RANGE:
        t->lo = read_addr(r, type == ID1_IPV4_RANGE ? 4 : 6);
        t->hi = read_addr(r, type == ID1_IPV4_RANGE ? 4 : 6);
        if (!r->err && addr_cmp(&t->lo, &t->hi) > 0)
            rd_fail(r, R_SYNTAX);
        break;
    default: /* a name selects no packets */
        rd_fail(r, R_SYNTAX);
    }
}

err_t ts_v1_parse(struct bytes body, struct ts *out)
{
    struct rd r = rd_of(body);
    *out = (struct ts){0};
    uint8_t type = rd_u8(&r);
    out->proto = rd_u8(&r);
    uint16_t port = rd_u16(&r);
    out->port_lo = port;
    out->port_hi = port ? port : 65535; /* RFC 2407 4.6.2: 0 stands for any */
    addresses(&r, type, out);
    return rd_done(&r);
}

static bool one_port(const struct ts *t)
{
    return t->port_lo == t->port_hi && t->port_lo;
}

bool ts_v1_expressible(const struct ts *t)
{
    bool any_port = t->port_lo == 0 && t->port_hi == 65535;
    return t->lo.family && t->lo.family == t->hi.family && (any_port || one_port(t));
}

/* The prefix that is exactly lo to hi; false: a range. */
static bool is_prefix(const struct ts *t, unsigned *bits)
{
    struct addr at = t->lo, prefix;
    (void)addr_range_cut(&at, &t->hi, &prefix, bits);
    struct addr lo, hi;
    addr_prefix_range(&prefix, *bits, &lo, &hi);
    return addr_eq(&lo, &t->lo) && addr_eq(&hi, &t->hi);
}

static void write_mask(struct wr *w, size_t len, unsigned bits)
{
    for (size_t i = 0; i < len; i++) {
        unsigned here = bits > 8 * i ? bits - 8 * (unsigned)i : 0;
        wr_u8(w, (uint8_t)(here >= 8 ? 0xff : 0xff00 >> here));
    }
}

void ts_v1_write(struct wr *w, const struct ts *t)
{
    unsigned bits = 0;
    bool v4 = t->lo.family == 4, single = addr_eq(&t->lo, &t->hi);
    if (!ts_v1_expressible(t)) {
        wr_fail(w, E_USAGE);
        return;
    }
    bool prefix = !single && is_prefix(t, &bits);
    wr_u8(w, single   ? (v4 ? ID_IPV4_ADDR : ID_IPV6_ADDR)
             : prefix ? (v4 ? ID1_IPV4_SUBNET : ID1_IPV6_SUBNET)
                      : (v4 ? ID1_IPV4_RANGE : ID1_IPV6_RANGE));
    wr_u8(w, t->proto);
    wr_u16(w, one_port(t) ? t->port_lo : 0);
    wr_put(w, t->lo.ip, addr_len(&t->lo));
    if (prefix)
        write_mask(w, addr_len(&t->lo), bits);
    else if (!single)
        wr_put(w, t->hi.ip, addr_len(&t->hi));
}
