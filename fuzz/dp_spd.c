/* The SPD against a list: the input makes policies, packets, and policies that come and go. */
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

static bool side(const struct ts *t, const struct ts *p)
{
    return t->lo.family == p->lo.family && addr_cmp(&t->lo, &p->lo) <= 0 &&
           addr_cmp(&p->lo, &t->hi) <= 0 && (!t->proto || t->proto == p->proto) &&
           ((t->port_lo == 0 && t->port_hi == 0xffff) ||
            (p->port_lo == p->port_hi && t->port_lo <= p->port_lo && p->port_lo <= t->port_hi));
}

static unsigned narrow(const struct policy *p)
{
    return policy_narrow(&p->local.ts[0]) + policy_narrow(&p->remote.ts[0]);
}

/* All of them protect. */
static uint32_t priority(const struct policy *p)
{
    return p->priority ? p->priority : POLICY_PRIORITY_PROTECT;
}

/* The policy's id; a policy that went has none. */
static uint32_t naive(const struct policy *p, int n, const struct ts *l, const struct ts *r)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        if (!p[i].id || !side(&p[i].local.ts[0], l) || !side(&p[i].remote.ts[0], r))
            continue;
        if (best < 0 || priority(&p[i]) < priority(&p[best]) ||
            (priority(&p[i]) == priority(&p[best]) && narrow(&p[i]) > narrow(&p[best])))
            best = i;
    }
    return best < 0 ? 0 : p[best].id;
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
    FUZZ_CHECK((rule ? rule->policy : 0) == naive(p, n, &l, &m));
}

static void put(struct spd *s, struct policy *p, uint32_t *first, int i, struct rd *r)
{
    uint8_t f = rd_u8(r);
    uint8_t family = f & 1 ? 4 : 6;
    p[i].id = (uint32_t)i + 1;
    p[i].priority = f >> 1 & 3;
    p[i].local.count = p[i].remote.count = 1;
    p[i].local.ts[0] = small_ts(r, family);
    p[i].remote.ts[0] = small_ts(r, family);
    FUZZ_CHECK(spd_add(s, &p[i], NULL, &first[i]) == E_OK);
}

static void take(struct spd *s, struct policy *p, uint32_t *first, int i)
{
    spd_del(s, first[i]);
    p[i].id = first[i] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy p[POLICIES];
    uint32_t first[POLICIES] = {0};
    struct rd r = rd_of(bytes_of(data, size));
    int n = rd_u8(&r) % POLICIES;
    struct spd *s;
    FUZZ_CHECK(spd_new((uint64_t[]){1, 2}, &s) == E_OK);
    for (int i = 0; i < n; i++)
        put(s, p, first, i, &r);
    while (rd_left(&r)) {
        int i = rd_u8(&r) % (2 * POLICIES);
        if (i < n && p[i].id)
            take(s, p, first, i);
        else if (i < n)
            put(s, p, first, i, &r);
        else
            ask(s, p, n, &r);
    }
    for (int i = 0; i < n; i++)
        if (p[i].id)
            take(s, p, first, i);
    FUZZ_CHECK(s->n_rules == 0 && s->masks[0].n + s->masks[1].n == 0);
    spd_free(s);
    return 0;
}
