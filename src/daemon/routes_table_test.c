/*
 * Routes that follow from policies, as `ip route` would write them. RFC 4301 4.4.1.2: selectors
 * are ranges; the kernel knows prefixes only. A model of the kernel's table takes the changes.
 */
#include "daemon/routes_table.h"
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SIDES 4

struct row {
    enum policy_action action;
    const char *local[SIDES], *remote[SIDES];
};

struct row_case {
    const char *name;
    struct row rows[3];
    size_t n;
    const char *want;
};

static const struct row_case cases[] = {
    {"nothing", {{0}}, 0, ""},
    {"one subnet", {{POL_PROTECT, {"10.1.0.0/16"}, {"10.2.0.0/16"}}}, 1, "10.2.0.0/16\n"},
    {"our own packets get an address of our side",
     {{POL_PROTECT, {"192.168.7.0/24"}, {"10.2.0.0/16"}}},
     1,
     "10.2.0.0/16 src 192.168.7.1\n"},
    {"no address of the other family",
     {{POL_PROTECT, {"192.168.7.0/24", "fd01::/64"}, {"10.2.0.0/16", "fd02::/64"}}},
     1,
     "10.2.0.0/16 src 192.168.7.1\nfd02::/64\n"},
    {"a range becomes prefixes",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"10.2.0.1-10.2.0.6"}}},
     1,
     "10.2.0.1/32\n10.2.0.2/31\n10.2.0.4/31\n10.2.0.6/32\n"},
    {"a range up to the last address",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"255.255.255.254-255.255.255.255"}}},
     1,
     "255.255.255.254/31\n"},
    {"ports do not matter: the route is as wide as the addresses",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"10.2.0.0/16[tcp/443]"}}},
     1,
     "10.2.0.0/16\n"},
    {"the same prefix twice is one route",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"10.2.0.0/16[tcp]"}},
      {POL_PROTECT, {"10.3.0.0/16"}, {"10.2.0.0/16[udp]"}}},
     2,
     "10.2.0.0/16\n"},
    {"drop and bypass are the guard's business",
     {{POL_DROP, {"10.1.0.0/16"}, {"10.9.0.0/16"}}, {POL_BYPASS, {"10.1.0.0/16"}, {"10.8.0.0/16"}}},
     2,
     ""},
    {"bypass makes no hole, the guard leads its packets past",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"10.0.0.0/8"}},
      {POL_BYPASS, {"10.1.0.0/16"}, {"10.9.0.0/16"}}},
     2,
     "10.0.0.0/8\nthrow 10.1.0.0/16\n"},
    {"our side under 0.0.0.0/0 is thrown back",
     {{POL_PROTECT, {"10.1.0.0/16", "192.168.7.0/24"}, {"0.0.0.0/0"}}},
     1,
     "0.0.0.0/0 src 192.168.7.1\nthrow 10.1.0.0/16\nthrow 192.168.7.0/24\n"},
    {"our side under ::/0", {{POL_PROTECT, {"fd01::/64"}, {"::/0"}}}, 1, "::/0\nthrow fd01::/64\n"},
    {"0.0.0.0/0 says nothing of our IPv6 side",
     {{POL_PROTECT, {"fd01::/64"}, {"0.0.0.0/0"}}},
     1,
     "0.0.0.0/0\n"},
    {"both sides equal: no throw, or nothing would be protected",
     {{POL_PROTECT, {"10.0.0.0/8"}, {"10.0.0.0/8"}}},
     1,
     "10.0.0.0/8\n"},
    {"our side that another policy's peer has: the route wins",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"0.0.0.0/0"}},
      {POL_PROTECT, {"10.3.0.0/16"}, {"10.1.0.0/16"}}},
     2,
     "0.0.0.0/0\n10.1.0.0/16\n"},
    {"sorted: IPv4 first, wider before narrower",
     {{POL_PROTECT, {"10.1.0.0/16"}, {"fd02::/64", "10.2.3.0/24", "10.2.0.0/16"}}},
     1,
     "10.2.0.0/16\n10.2.3.0/24\nfd02::/64\n"},
};

static void list_of(struct ts_list *out, const char *const text[SIDES])
{
    const char *why = "";
    struct ts_conf_list c = {0};
    const struct addr none = {0};
    while (c.count < SIDES && text[c.count]) {
        assert_int_equal(ts_conf_parse(&c.ts[c.count], text[c.count], &why), E_OK);
        c.count++;
    }
    ts_resolve(&c, &none, out);
    assert_int_equal(out->count, c.count);
}

/* The gateway has 192.168.7.1 and nothing else. */
static bool local_in(void *ctx, const struct addr *lo, const struct addr *hi, struct addr *out)
{
    (void)ctx;
    struct addr own;
    assert_true(addr_parse(&own, "192.168.7.1"));
    if (addr_cmp(lo, &own) > 0 || addr_cmp(&own, hi) > 0)
        return false;
    *out = own;
    return true;
}

static const struct route_source from = {NULL, local_in};

/* What a kernel would have. */
struct kernel {
    struct route r[512];
    size_t n, changes;
};

static size_t kernel_find(const struct kernel *k, const struct route *r)
{
    size_t i = 0;
    while (i < k->n && !(k->r[i].bits == r->bits && addr_eq(&k->r[i].prefix, &r->prefix)))
        i++;
    return i;
}

static err_t change(void *ctx, const struct route *r, bool gone)
{
    struct kernel *k = ctx;
    size_t i = kernel_find(k, r);
    k->changes++;
    if (gone) {
        assert_true(i < k->n);
        k->r[i] = k->r[--k->n];
        return E_OK;
    }
    assert_true(i < sizeof k->r / sizeof *k->r);
    k->r[i] = *r;
    k->n += i == k->n;
    return E_OK;
}

static int by_prefix(const void *x, const void *y)
{
    const struct route *a = x, *b = y;
    int c = addr_cmp(&a->prefix, &b->prefix);
    return c ? c : (int)a->bits - (int)b->bits;
}

static void print_kernel(struct kernel *k, struct buf *out)
{
    char a[ADDR_STR_MAX];
    buf_puts(out, "");
    qsort(k->r, k->n, sizeof *k->r, by_prefix);
    for (size_t i = 0; i < k->n; i++) {
        const struct route *r = &k->r[i];
        buf_printf(out, "%s%s/%u", r->throw_back ? "throw " : "", addr_str(&r->prefix, a), r->bits);
        if (r->src.family)
            buf_printf(out, " src %s", addr_str(&r->src, a));
        buf_puts(out, "\n");
    }
}

static void settle(struct route_table *t, struct kernel *k)
{
    assert_int_equal(route_table_settle(t, change, k), E_OK);
}

static void start(struct route_table *t, struct kernel *k)
{
    *k = (struct kernel){0};
    assert_int_equal(route_table_init(t, (uint64_t[]){1, 2}), E_OK);
}

static void test_cases(void **state)
{
    (void)state;
    for (const struct row_case *c = cases; c < cases + sizeof cases / sizeof *cases; c++) {
        struct policy p[3] = {0};
        struct route_table t;
        struct kernel k;
        struct buf got = {0};
        start(&t, &k);
        for (size_t i = 0; i < c->n; i++) {
            p[i].action = c->rows[i].action;
            list_of(&p[i].local, c->rows[i].local);
            list_of(&p[i].remote, c->rows[i].remote);
            assert_int_equal(route_table_add(&t, &p[i], &from), E_OK);
        }
        settle(&t, &k);
        print_kernel(&k, &got);
        if (strcmp(buf_str(&got), c->want) != 0)
            fail_msg("%s: want\n%sgot\n%s", c->name, c->want, buf_str(&got));
        buf_free(&got);
        for (size_t i = 0; i < c->n; i++)
            route_table_del(&t, &p[i], &from);
        settle(&t, &k);
        assert_int_equal(k.n, 0);
        assert_int_equal(t.wants.count, 0);
        route_table_fini(&t);
    }
}

enum { POLICIES = 24 };

static struct policy random_policy(unsigned *seed)
{
    static const char *const nets[] = {"10.1.0.0/16", "192.168.7.0/24",    "10.2.0.0/16",
                                       "0.0.0.0/0",   "10.2.0.1-10.2.0.6", "fd02::/64"};
    struct policy p = {.action = (enum policy_action)(rand_r(seed) % 3)};
    list_of(&p.local, (const char *[SIDES]){nets[rand_r(seed) % 4], nets[rand_r(seed) % 6]});
    list_of(&p.remote, (const char *[SIDES]){nets[rand_r(seed) % 6], nets[rand_r(seed) % 6]});
    return p;
}

/* However policies come and go, and whatever is lost between: the kernel has what a table made of
 * those that are there would have, and hears nothing when nothing differs. */
static void test_churn(void **state)
{
    (void)state;
    unsigned seed = 5;
    struct policy p[POLICIES];
    bool there[POLICIES] = {0};
    struct route_table t;
    struct kernel k;
    start(&t, &k);
    for (int step = 0; step < 3000; step++) {
        for (int some = rand_r(&seed) % 4; some >= 0; some--) {
            size_t i = (size_t)rand_r(&seed) % POLICIES;
            if (there[i]) {
                route_table_del(&t, &p[i], &from);
            } else {
                p[i] = random_policy(&seed);
                assert_int_equal(route_table_add(&t, &p[i], &from), E_OK);
            }
            there[i] = !there[i];
        }
        if (step % 50 == 7) {
            route_table_lost(&t);
            k.n = 0;
        }
        if (step % 50 == 9) {
            route_table_clear(&t);
            for (size_t i = 0; i < POLICIES; i++)
                if (there[i])
                    assert_int_equal(route_table_add(&t, &p[i], &from), E_OK);
        }
        settle(&t, &k);
        size_t changes = k.changes;
        settle(&t, &k);
        assert_int_equal(k.changes, changes);

        struct route_table fresh;
        struct kernel want;
        struct buf a = {0}, b = {0};
        start(&fresh, &want);
        for (size_t i = POLICIES; i-- > 0;)
            if (there[i])
                assert_int_equal(route_table_add(&fresh, &p[i], &from), E_OK);
        settle(&fresh, &want);
        print_kernel(&k, &a);
        print_kernel(&want, &b);
        assert_string_equal(buf_str(&a), buf_str(&b));
        buf_free(&a);
        buf_free(&b);
        route_table_fini(&fresh);
    }
    route_table_fini(&t);
}

/* A policy that is replaced by one with the same selectors changes nothing on the way. */
static void test_replaced(void **state)
{
    (void)state;
    struct policy p = {.action = POL_PROTECT};
    struct route_table t;
    struct kernel k;
    list_of(&p.local, (const char *[SIDES]){"10.1.0.0/16"});
    list_of(&p.remote, (const char *[SIDES]){"10.2.0.0/16"});
    start(&t, &k);
    assert_int_equal(route_table_add(&t, &p, &from), E_OK);
    settle(&t, &k);
    route_table_del(&t, &p, &from);
    assert_int_equal(route_table_add(&t, &p, &from), E_OK);
    settle(&t, &k);
    assert_int_equal(k.changes, 1);
    route_table_fini(&t);
}

static err_t refuse(void *ctx, const struct route *r, bool gone)
{
    (void)ctx;
    (void)r;
    (void)gone;
    return E_NOMEM;
}

/* What could not be told is told the next time. */
static void test_failure(void **state)
{
    (void)state;
    struct policy p = {.action = POL_PROTECT};
    struct route_table t;
    struct kernel k;
    list_of(&p.local, (const char *[SIDES]){"10.1.0.0/16"});
    list_of(&p.remote, (const char *[SIDES]){"10.2.0.0/16", "10.3.0.0/16"});
    start(&t, &k);
    assert_int_equal(route_table_add(&t, &p, &from), E_OK);
    assert_int_equal(route_table_settle(&t, refuse, NULL), E_NOMEM);
    settle(&t, &k);
    assert_int_equal(k.n, 2);
    route_table_fini(&t);
}

static bool covered(const struct kernel *k, uint32_t ip)
{
    for (size_t i = 0; i < k->n; i++) {
        uint32_t shift = 32u - k->r[i].bits;
        if (shift == 32 || get_u32(k->r[i].prefix.ip) >> shift == ip >> shift)
            return true;
    }
    return false;
}

/* Ranges of every size at a border of prefixes: what is in is in, the neighbours are not. */
static void test_ranges(void **state)
{
    (void)state;
    const uint32_t base = 0x0a02ff80;
    for (uint32_t lo = base; lo < base + 33; lo++) {
        for (uint32_t hi = lo; hi < base + 160; hi += 7) {
            struct policy p = {.action = POL_PROTECT};
            struct route_table t;
            struct kernel k;
            struct ts *r = &p.remote.ts[0];
            p.remote.count = 1;
            *r = (struct ts){.port_hi = 65535, .lo = {.family = 4}, .hi = {.family = 4}};
            put_u32(r->lo.ip, lo);
            put_u32(r->hi.ip, hi);
            start(&t, &k);
            assert_int_equal(route_table_add(&t, &p, &from), E_OK);
            settle(&t, &k);
            for (uint32_t ip = base - 2; ip < base + 164; ip++)
                assert_int_equal(covered(&k, ip), ip >= lo && ip <= hi);
            route_table_fini(&t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_churn),   cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
