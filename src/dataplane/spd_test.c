/* The SPD against a plain ordered list: same policies, same packets, same answer. */
#include "dataplane/testkit.h"
#include <stdlib.h>

static const uint64_t seed[2] = {3, 4};

static struct spd *empty(void)
{
    struct spd *s;
    assert_int_equal(spd_new(seed, &s), E_OK);
    return s;
}

/* --- naive model, from the definition in spd.h --- */

static bool naive_side(const struct ts *t, const struct ts *pkt)
{
    bool ports = pkt->port_lo == pkt->port_hi;
    return t->lo.family == pkt->lo.family && addr_cmp(&t->lo, &pkt->lo) <= 0 &&
           addr_cmp(&pkt->lo, &t->hi) <= 0 && (!t->proto || t->proto == pkt->proto) &&
           ((t->port_lo == 0 && t->port_hi == 0xffff) ||
            (ports && t->port_lo <= pkt->port_lo && pkt->port_lo <= t->port_hi));
}

static unsigned naive_narrow(const struct ts *l, const struct ts *r)
{
    return policy_narrow(l) + policy_narrow(r);
}

static uint32_t naive_priority(const struct policy *p)
{
    return p->priority ? p->priority : p->action == POL_PROTECT ? 400000 : 200000;
}

static unsigned naive_action(const struct policy *p)
{
    return p->action == POL_DROP ? 0 : p->action == POL_PROTECT ? 1 : 2;
}

static bool naive_before(const struct policy *a, unsigned a_narrow, const struct policy *b,
                         unsigned b_narrow)
{
    if (naive_priority(a) != naive_priority(b))
        return naive_priority(a) < naive_priority(b);
    if (a_narrow != b_narrow)
        return a_narrow > b_narrow;
    return a->action != b->action ? naive_action(a) < naive_action(b) : a->id < b->id;
}

/* A policy that is not there has id 0. */
struct entry {
    struct policy p;
    uint32_t first;
};

/* The policy's id, 0 none. */
static uint32_t naive_find(const struct entry *e, size_t n, const struct ts *l, const struct ts *r,
                           uint16_t iface)
{
    const struct policy *best = NULL;
    unsigned narrow = 0;
    for (size_t i = 0; i < n; i++) {
        const struct policy *p = &e[i].p;
        for (size_t a = 0; p->id && p->iface == iface && a < p->local.count; a++) {
            for (size_t b = 0; b < p->remote.count; b++) {
                const struct ts *tl = &p->local.ts[a], *tr = &p->remote.ts[b];
                if (!naive_side(tl, l) || !naive_side(tr, r))
                    continue;
                unsigned w = naive_narrow(tl, tr);
                if (!best || naive_before(p, w, best, narrow)) {
                    best = p;
                    narrow = w;
                }
            }
        }
    }
    return best ? best->id : 0;
}

/* --- random policies in a small world, so that they overlap --- */

static struct addr rand_addr(uint64_t *rnd, unsigned family)
{
    struct addr a = {.family = (uint8_t)family};
    a.ip[0] = family == 4 ? 10 : 0xfd;
    for (size_t i = 1; i < addr_len(&a); i++)
        a.ip[i] = (uint8_t)(kit_rand(rnd) % 3);
    return a;
}

static void rand_ports(uint64_t *rnd, struct ts *t)
{
    uint16_t p = (uint16_t)(kit_rand(rnd) % 4);
    t->port_lo = p;
    t->port_hi = kit_rand(rnd) % 2 ? p : (uint16_t)(p + 2);
}

static struct ts rand_ts(uint64_t *rnd, unsigned family)
{
    static const unsigned lens[] = {0, 8, 9, 16, 17, 23, 24, 31, 32, 64, 127, 128};
    struct ts t = {.port_hi = 0xffff};
    struct addr a = rand_addr(rnd, family);
    unsigned bits = lens[kit_rand(rnd) % (family == 4 ? 9 : 12)];
    addr_prefix_range(&a, bits, &t.lo, &t.hi);
    if (kit_rand(rnd) % 4 == 0) { /* a range that is no prefix */
        struct addr b = rand_addr(rnd, family);
        bool up = addr_cmp(&a, &b) < 0;
        t.lo = up ? a : b;
        t.hi = up ? b : a;
    }
    if (kit_rand(rnd) % 3 == 0) {
        t.proto = kit_rand(rnd) % 2 ? 6 : 17;
        if (kit_rand(rnd) % 2)
            rand_ports(rnd, &t);
    }
    return t;
}

static void rand_policy(uint64_t *rnd, struct policy *p, uint32_t id)
{
    *p = (struct policy){.id = id,
                         .priority = (uint32_t)(kit_rand(rnd) % 4),
                         .iface = kit_rand(rnd) % 4 ? 0 : (uint16_t)(kit_rand(rnd) % 3),
                         .action = (enum policy_action)(kit_rand(rnd) % 3)};
    p->local.count = 1 + kit_rand(rnd) % 2;
    p->remote.count = 1 + kit_rand(rnd) % 2;
    for (size_t i = 0; i < p->local.count; i++)
        p->local.ts[i] = rand_ts(rnd, kit_rand(rnd) % 2 ? 4 : 6);
    for (size_t i = 0; i < p->remote.count; i++)
        p->remote.ts[i] = rand_ts(rnd, kit_rand(rnd) % 2 ? 4 : 6);
}

static void rand_packet(uint64_t *rnd, struct ts *l, struct ts *r)
{
    unsigned family = kit_rand(rnd) % 2 ? 4 : 6;
    uint8_t proto = (uint8_t[]){6, 17, 1}[kit_rand(rnd) % 3];
    *l = (struct ts){.proto = proto, .lo = rand_addr(rnd, family), .port_hi = 0xffff};
    *r = (struct ts){.proto = proto, .lo = rand_addr(rnd, family), .port_hi = 0xffff};
    if (kit_rand(rnd) % 4) {
        l->port_lo = l->port_hi = (uint16_t)(kit_rand(rnd) % 6);
        r->port_lo = r->port_hi = (uint16_t)(kit_rand(rnd) % 6);
    }
    l->hi = l->lo;
    r->hi = r->lo;
}

static void ask(const struct spd *s, const struct entry *e, size_t n, uint64_t *rnd)
{
    struct ts l, r;
    struct flow f;
    rand_packet(rnd, &l, &r);
    flow_from_ts(&f, &l, &r);
    uint16_t iface = kit_rand(rnd) % 4 ? 0 : (uint16_t)(kit_rand(rnd) % 3);
    f.meta |= flow_meta_iface(iface);
    const struct spd_rule *got = spd_find(s, &f);
    uint32_t want = naive_find(e, n, &l, &r, iface);
    assert_int_equal(got ? got->policy : 0, want);
    assert_true(!got || got->bind == (void *)(e + want % n));
}

/* Entry i holds ids of the form i, i + n, i + 2n ..., so that lower ids come back after higher. */
static void put(struct spd *s, struct entry *e, size_t n, size_t i, uint64_t *rnd)
{
    uint32_t id = (uint32_t)(i + n * (kit_rand(rnd) % 4));
    if (!id)
        return;
    rand_policy(rnd, &e[i].p, id);
    assert_int_equal(spd_add(s, &e[i].p, (void *)&e[i], &e[i].first), E_OK);
}

static void take(struct spd *s, struct entry *e)
{
    spd_del(s, e->first);
    *e = (struct entry){0};
}

/* What is left in the table when all policies are gone: nothing. */
static void assert_clear(const struct spd *s)
{
    assert_int_equal(s->n_rules, 0);
    assert_int_equal(s->masks[0].n + s->masks[1].n, 0);
    for (size_t i = 0; i <= s->slot_mask; i++)
        assert_int_equal(s->slots[i].rule, 0);
}

/* Policies come and go at random; each look-up is as the model's and as that of a new table. */
static void compare(size_t n, uint64_t rnd, int steps, int packets)
{
    struct entry *e = calloc(n, sizeof *e);
    struct spd *s = empty();
    assert_non_null(e);
    for (size_t i = 0; i < n; i++)
        put(s, e, n, i, &rnd);
    for (int k = 0; k < steps; k++) {
        size_t i = kit_rand(&rnd) % n;
        if (e[i].p.id)
            take(s, &e[i]);
        else
            put(s, e, n, i, &rnd);
        for (int a = 0; a < packets; a++)
            ask(s, e, n, &rnd);
    }
    for (size_t i = 0; i < n; i++)
        take(s, &e[i]);
    assert_clear(s);
    spd_free(s);
    free(e);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        compare(1 + i % 40, i, 60, 10);
    compare(1000, 999, 500, 2);
}

/* Masks promise no more than their rules keep, but for those that went: what an SPD says depends
 * on what is in it, not on how it came there. */
static void test_rebuilt(void **state)
{
    (void)state;
    enum { N = 60 };
    uint64_t rnd = 77;
    struct entry e[N] = {0};
    struct spd *s = empty(), *fresh = empty();
    for (int k = 0; k < 2000; k++) {
        size_t i = kit_rand(&rnd) % N;
        if (e[i].p.id)
            take(s, &e[i]);
        else
            put(s, e, N, i, &rnd);
    }
    for (size_t i = N; i-- > 0;) {
        uint32_t first;
        if (e[i].p.id)
            assert_int_equal(spd_add(fresh, &e[i].p, NULL, &first), E_OK);
    }
    assert_int_equal(s->n_rules, fresh->n_rules);
    for (int k = 0; k < 20000; k++) {
        struct ts l, r;
        struct flow f;
        rand_packet(&rnd, &l, &r);
        flow_from_ts(&f, &l, &r);
        const struct spd_rule *a = spd_find(s, &f), *b = spd_find(fresh, &f);
        assert_int_equal(a ? a->policy : 0, b ? b->policy : 0);
    }
    spd_free(s);
    spd_free(fresh);
}

static void test_empty(void **state)
{
    (void)state;
    struct spd *s = empty();
    struct flow f = {.meta = 4};
    assert_null(spd_find(s, &f));
    spd_fetch_rule(s, spd_fetch_slot(s, &f));
    spd_free(s);
}

static void plain(struct policy *p, uint32_t id, uint32_t remote)
{
    *p = (struct policy){.id = id, .priority = id};
    p->local = (struct ts_list){1, {kit_ts("10.0.0.0/8")}};
    p->remote = (struct ts_list){1, {kit_ts("172.0.0.0/24")}};
    put_u32(p->remote.ts[0].lo.ip, remote);
    put_u32(p->remote.ts[0].hi.ip, remote + 255);
}

/* No packet can be of both families: the policy is there, and its rules are none. */
static void test_impossible(void **state)
{
    (void)state;
    struct spd *s = empty();
    struct policy p = {.id = 1};
    uint32_t first = 7;
    p.local = (struct ts_list){1, {kit_ts("10.0.0.0/8")}};
    p.remote = (struct ts_list){1, {kit_ts("fd00::/8")}};
    assert_int_equal(spd_add(s, &p, NULL, &first), E_OK);
    assert_int_equal(first, 0);
    spd_del(s, first);
    assert_clear(s);
    spd_free(s);
}

/* Thousands with the same selectors: the lowest id counts, and as they go, the next. */
static void test_equal(void **state)
{
    (void)state;
    enum { N = 5000 };
    static uint32_t first[N + 1];
    struct spd *s = empty();
    struct flow f = {.l = {0, 0x0a000001}, .r = {0, 0xac000005u}, .meta = 4};
    for (uint32_t i = 1; i <= N; i++) {
        struct policy p;
        plain(&p, i, 0xac000000u);
        p.priority = 9;
        assert_int_equal(spd_add(s, &p, NULL, &first[i]), E_OK);
    }
    for (uint32_t i = 1; i <= N; i++) {
        assert_int_equal(spd_find(s, &f)->policy, i);
        spd_del(s, first[i]);
    }
    assert_clear(s);
    spd_free(s);
}

/* A gateway's policies share their shape: 100,000 of them need one probe. */
static void test_flat(void **state)
{
    (void)state;
    enum { N = 20000 };
    static uint32_t first[N];
    struct spd *s = empty();
    for (uint32_t i = 0; i < N; i++) {
        struct policy p;
        plain(&p, i + 1, 0xac000000u + (i << 8));
        assert_int_equal(spd_add(s, &p, NULL, &first[i]), E_OK);
    }
    assert_int_equal(s->masks[0].n, 1);
    for (uint32_t i = 0; i < N; i++) {
        struct flow f = {.l = {0, 0x0a000001}, .r = {0, 0xac000005u + (i << 8)}, .meta = 4};
        assert_int_equal(spd_find(s, &f)->policy, i + 1);
    }
    for (uint32_t i = 0; i < N; i++)
        spd_del(s, first[i]);
    assert_clear(s);
    assert_int_equal(s->top, N + 1); /* numbers are used again */
    spd_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_rebuilt), cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_equal),   cmocka_unit_test(test_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
