/* The SPD against a plain ordered list: same policies, same packets, same answer. */
#include "dataplane/testkit.h"
#include <stdlib.h>

static const uint64_t seed[2] = {3, 4};

static struct bind *no_bind(void *ctx, uint32_t id)
{
    (void)id;
    return ctx;
}

static struct spd *build(const struct policy *p, size_t n)
{
    static int dummy;
    struct spd *s;
    assert_int_equal(spd_new(p, n, seed, no_bind, &dummy, &s), E_OK);
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
    struct sel a, b;
    sel_of_ts(&a, l);
    sel_of_ts(&b, r);
    return sel_narrow(&a) + sel_narrow(&b);
}

/* Index of the policy, -1 none. */
static int naive_find(const struct policy *p, size_t n, const struct ts *l, const struct ts *r)
{
    int best = -1;
    unsigned narrow = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < p[i].local.count; a++) {
            for (size_t b = 0; b < p[i].remote.count; b++) {
                const struct ts *tl = &p[i].local.ts[a], *tr = &p[i].remote.ts[b];
                if (!naive_side(tl, l) || !naive_side(tr, r))
                    continue;
                unsigned w = naive_narrow(tl, tr);
                if (best < 0 || p[i].priority < p[best].priority ||
                    (p[i].priority == p[best].priority && w > narrow)) {
                    best = (int)i;
                    narrow = w;
                }
            }
        }
    }
    return best;
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

static void compare(size_t n, uint64_t rnd, int packets)
{
    struct policy *p = calloc(n, sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        rand_policy(&rnd, &p[i], (uint32_t)i + 1);
    struct spd *s = build(p, n);
    for (int k = 0; k < packets; k++) {
        struct ts l, r;
        struct flow f;
        rand_packet(&rnd, &l, &r);
        flow_from_ts(&f, &l, &r);
        const struct spd_rule *got = spd_find(s, &f);
        assert_int_equal(got ? (int)got->policy : -1, naive_find(p, n, &l, &r));
    }
    spd_free(s);
    free(p);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        compare(1 + i % 40, i, 500);
    compare(1000, 999, 500);
}

static void test_empty(void **state)
{
    (void)state;
    struct spd *s = build(NULL, 0);
    struct flow f = {.meta = 4};
    assert_null(spd_find(s, &f));
    spd_free(s);
}

static void test_kept(void **state)
{
    (void)state;
    struct policy p = {.id = 9, .priority = 5, .conn = "gw", .child = "net"}, out;
    p.local = (struct ts_list){1, {kit_ts("10.1.0.0/16")}};
    p.remote = (struct ts_list){2, {kit_ts("10.2.0.0/16"), kit_ts("10.3.0.0/16")}};
    struct spd *s = build(&p, 1);
    spd_policy_get(s, 0, &out);
    assert_string_equal(out.conn, "gw");
    assert_string_equal(out.child, "net");
    assert_int_equal(out.id, 9);
    assert_true(ts_list_eq(&out.local, &p.local));
    assert_true(ts_list_eq(&out.remote, &p.remote));
    spd_free(s);
}

/* A gateway's policies share their shape: 100,000 of them need one probe. */
static void test_flat(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct policy *p = calloc(N, sizeof *p);
    assert_non_null(p);
    for (uint32_t i = 0; i < N; i++) {
        p[i] = (struct policy){.id = i + 1, .priority = i};
        p[i].local = (struct ts_list){1, {kit_ts("10.0.0.0/8")}};
        p[i].remote = (struct ts_list){1, {kit_ts("172.0.0.0/24")}};
        put_u32(p[i].remote.ts[0].lo.ip, 0xac000000u + (i << 8));
        put_u32(p[i].remote.ts[0].hi.ip, 0xac0000ffu + (i << 8));
    }
    struct spd *s = build(p, N);
    assert_int_equal(s->n_masks[0], 1);
    for (uint32_t i = 0; i < N; i++) {
        struct flow f = {.l = {0, 0x0a000001}, .r = {0, 0xac000005u + (i << 8)}, .meta = 4};
        const struct spd_rule *r = spd_find(s, &f);
        assert_non_null(r);
        assert_int_equal(r->policy, i);
    }
    spd_free(s);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
