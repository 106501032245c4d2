/* The SPD against an ordered list: the input makes policies and packets. */
#include "dp_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POLICIES 24

static struct addr small_addr(struct rd *r, uint8_t family)
{
    struct addr a = {.family = family};
    uint8_t v = rd_u8(r);
    a.ip[0] = v >> 6;
    a.ip[family == 4 ? 1 : 7] = v >> 4 & 3;
    a.ip[family == 4 ? 2 : 8] = v >> 2 & 3;
    a.ip[addr_len(&a) - 1] = v & 3;
    return a;
}

static struct ts small_ts(struct rd *r, uint8_t family)
{
    uint8_t f = rd_u8(r);
    struct ts t = {.port_hi = 0xffff};
    struct addr a = small_addr(r, family), b = small_addr(r, family);
    if (f & 1) {
        addr_prefix_range(&a, b.ip[0] * 40u % (family == 4 ? 33 : 129), &t.lo, &t.hi);
    } else {
        bool up = addr_cmp(&a, &b) < 0;
        t.lo = up ? a : b;
        t.hi = up ? b : a;
    }
    t.proto = f >> 1 & 3;
    if (f & 8) {
        t.port_lo = f >> 4 & 3;
        t.port_hi = (uint16_t)(t.port_lo + (f >> 6));
    }
    return t;
}

static struct bind *no_bind(void *ctx, uint32_t id)
{
    (void)id;
    return ctx;
}

static bool side(const struct ts *t, const struct ts *p)
{
    return t->lo.family == p->lo.family && addr_cmp(&t->lo, &p->lo) <= 0 &&
           addr_cmp(&p->lo, &t->hi) <= 0 && (!t->proto || t->proto == p->proto) &&
           ((t->port_lo == 0 && t->port_hi == 0xffff) ||
            (p->port_lo == p->port_hi && t->port_lo <= p->port_lo && p->port_lo <= t->port_hi));
}

static unsigned narrow(const struct policy *p)
{
    struct sel l, r;
    sel_of_ts(&l, &p->local.ts[0]);
    sel_of_ts(&r, &p->remote.ts[0]);
    return sel_narrow(&l) + sel_narrow(&r);
}

static int naive(const struct policy *p, int n, const struct ts *l, const struct ts *r)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        if (!side(&p[i].local.ts[0], l) || !side(&p[i].remote.ts[0], r))
            continue;
        if (best < 0 || p[i].priority < p[best].priority ||
            (p[i].priority == p[best].priority && narrow(&p[i]) > narrow(&p[best])))
            best = i;
    }
    return best;
}

static void ask(const struct spd *s, const struct policy *p, int n, struct rd *r)
{
    uint8_t f = rd_u8(r);
    uint8_t family = f & 1 ? 4 : 6;
    struct ts l = {.proto = 1 + (f >> 1 & 1), .lo = small_addr(r, family), .port_hi = 0xffff},
              m = l;
    m.lo = small_addr(r, family);
    if (f & 4) {
        l.port_lo = l.port_hi = f >> 3 & 3;
        m.port_lo = m.port_hi = f >> 5 & 3;
    }
    struct flow flow;
    flow_from_ts(&flow, &l, &m);
    const struct spd_rule *rule = spd_find(s, &flow);
    FUZZ_CHECK((rule ? (int)rule->policy : -1) == naive(p, n, &l, &m));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy p[POLICIES];
    struct rd r = rd_of(bytes_of(data, size));
    int n = rd_u8(&r) % POLICIES, ctx;
    for (int i = 0; i < n; i++) {
        uint8_t f = rd_u8(&r);
        uint8_t family = f & 1 ? 4 : 6;
        p[i].id = (uint32_t)i + 1;
        p[i].priority = f >> 1 & 3;
        p[i].local.count = p[i].remote.count = 1;
        p[i].local.ts[0] = small_ts(&r, family);
        p[i].remote.ts[0] = small_ts(&r, family);
    }
    struct spd *s;
    FUZZ_CHECK(spd_new(p, (size_t)n, (uint64_t[]){1, 2}, no_bind, &ctx, &s) == E_OK);
    while (rd_left(&r))
        ask(s, p, n, &r);
    spd_free(s);
    return 0;
}
