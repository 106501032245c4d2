/* Traffic selectors: text forms, RFC 7296 2.9 narrowing, and a naive model of the arithmetic. */
#include "model/ts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct ts ts_of(const char *text)
{
    struct ts_conf c;
    const char *why;
    assert_int_equal(ts_conf_parse(&c, text, &why), 0);
    return c.ts;
}

static struct ts_list list_of(const char *text)
{
    struct ts_list l = {0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        l.ts[l.count++] = ts_of(w);
    return l;
}

static void test_parse_and_print(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed; /* NULL: refused */
    } cases[] = {
        {"10.1.0.0/16", "10.1.0.0/16"},
        {"10.1.2.3/16", "10.1.0.0/16"},
        {"10.1.2.3", "10.1.2.3/32"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"10.1.0.1-10.1.0.9", "10.1.0.1..10.1.0.9"},
        {"10.1.0.0-10.1.0.255", "10.1.0.0/24"},
        {"fd01::/64", "fd01::/64"},
        {"10.1.0.0/16[tcp]", "10.1.0.0/16[tcp]"},
        {"10.1.0.0/16[tcp/http]", "10.1.0.0/16[tcp/80]"},
        {"10.1.0.0/16[17/1024-2048]", "10.1.0.0/16[udp/1024-2048]"},
        {"10.1.0.0/16[gre]", "10.1.0.0/16[gre]"},
        {"10.1.0.0/16[99]", "10.1.0.0/16[99]"},
        {"10.1.0.0/16[/53]", "10.1.0.0/16[0/53]"},
        {"10.1.0.0/16[udp/opaque]", "10.1.0.0/16[udp/opaque]"},
        {"10.1.0.0/33", NULL},
        {"10.1.0/24", NULL},
        {"10.1.0.9-10.1.0.1", NULL},
        {"10.1.0.1-fd01::1", NULL},
        {"10.1.0.0/16[tcp", NULL},
        {"10.1.0.0/16[nosuchproto]", NULL},
        {"10.1.0.0/16[tcp/70000]", NULL},
        {"10.1.0.0/16[tcp/9-1]", NULL},
        {"[", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ts_conf c;
        const char *why = NULL;
        err_t e = ts_conf_parse(&c, cases[i].text, &why);
        if (!cases[i].printed) {
            assert_int_equal(e, R_CONFIG_VALUE);
            assert_non_null(why);
            continue;
        }
        struct buf b = {0};
        assert_int_equal(e, 0);
        ts_print(&c.ts, &b);
        assert_string_equal(buf_str(&b), cases[i].printed);
        buf_free(&b);
    }
}

static void test_dynamic(void **state)
{
    (void)state;
    struct ts_conf_list c = {.count = 2};
    const char *why;
    struct addr a;
    struct ts_list out;
    assert_int_equal(ts_conf_parse(&c.ts[0], "dynamic[udp/1701]", &why), 0);
    assert_int_equal(ts_conf_parse(&c.ts[1], "10.0.0.0/8", &why), 0);
    assert_true(c.ts[0].dynamic);
    assert_true(addr_parse(&a, "192.0.2.7"));
    ts_resolve(&c, &a, &out);
    struct buf b = {0};
    ts_list_print(&out, &b);
    assert_string_equal(buf_str(&b), "192.0.2.7/32[udp/1701] 10.0.0.0/8");
    buf_free(&b);
    struct addr none = {0};
    ts_resolve(&c, &none, &out);
    assert_int_equal(out.count, 1);
}

static void test_narrow(void **state)
{
    (void)state;
    static const struct {
        const char *ours, *theirs, *result; /* NULL: TS_UNACCEPTABLE */
    } cases[] = {
        {"10.1.0.0/16", "10.1.0.0/16", "10.1.0.0/16"},
        {"10.1.0.0/16", "0.0.0.0/0", "10.1.0.0/16"},
        {"0.0.0.0/0", "10.1.2.3/32[tcp/80] 10.1.0.0/16", "10.1.0.0/16"},
        {"10.1.0.0/16", "10.2.0.0/16", NULL},
        {"10.1.0.0/16", "fd01::/64", NULL},
        {"10.1.0.0/16[tcp]", "10.1.0.0/16[udp]", NULL},
        /* RFC 4301 4.4.1: ANY includes OPAQUE, a port does not */
        {"10.1.0.0/16[udp]", "10.1.0.0/16[udp/opaque]", "10.1.0.0/16[udp/opaque]"},
        {"10.1.0.0/16[udp/opaque]", "10.1.0.0/24", "10.1.0.0/24[udp/opaque]"},
        {"10.1.0.0/16[udp/opaque]", "10.1.0.0/16[udp/opaque]", "10.1.0.0/16[udp/opaque]"},
        {"10.1.0.0/16[udp/53]", "10.1.0.0/16[udp/opaque]", NULL},
        {"10.1.0.0/16[udp/opaque]", "10.1.0.0/16[udp/65535]", NULL},
        {"10.1.0.0/16[udp/opaque]", "10.1.0.0/16[udp/0-65534]", NULL},
        {"10.1.0.0/16[tcp]", "10.1.0.0/24", "10.1.0.0/24[tcp]"},
        {"10.1.0.0/24 10.2.0.0/24", "10.0.0.0/8", "10.1.0.0/24 10.2.0.0/24"},
        {"10.1.0.1-10.1.0.20", "10.1.0.10-10.1.0.30", "10.1.0.10..10.1.0.20"},
        {"0.0.0.0/0 ::/0", "::/0 0.0.0.0/0", "::/0 0.0.0.0/0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ts_list o = list_of(cases[i].ours), t = list_of(cases[i].theirs), r;
        struct buf b = {0};
        err_t e = ts_narrow(&o, &t, &r);
        assert_int_equal(e, cases[i].result ? 0 : R_TS_UNACCEPTABLE);
        if (!e) {
            ts_list_print(&r, &b);
            assert_string_equal(buf_str(&b), cases[i].result);
            assert_true(ts_within(&t, &r));
            assert_true(ts_within(&o, &r));
        }
        buf_free(&b);
    }
}

static struct ts random_ts(void)
{
    uint8_t lo = (uint8_t)(rand() % 8), hi = (uint8_t)(lo + rand() % 8);
    uint16_t plo = (uint16_t)(rand() % 4), phi = (uint16_t)(plo + rand() % 4);
    struct ts t = {.proto = (uint8_t)(rand() % 3), .port_lo = plo, .port_hi = phi};
    t.lo = addr_v4((uint8_t[]){10, 0, 0, lo});
    t.hi = addr_v4((uint8_t[]){10, 0, 0, hi});
    return t;
}

/* Every point of a small space lies in the intersection exactly when it lies in both. */
static void test_host(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool one;
    } cases[] = {
        {"10.1.0.1", true},
        {"10.1.0.1[tcp/80] 10.1.0.1[udp]", true},
        {"fd01::1", true},
        {"", false},
        {"10.1.0.0/31", false},
        {"10.1.0.1 10.1.0.2", false},
        {"10.1.0.1 10.1.0.1-10.1.0.2", false},
        {"10.1.0.1 fd01::1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ts_list l = list_of(cases[i].text);
        const struct addr *a = ts_list_host(&l);
        assert_int_equal(a != NULL, cases[i].one);
        assert_true(!a || addr_eq(a, &l.ts[0].lo));
    }
}

static void test_intersection_against_points(void **state)
{
    (void)state;
    srand(1);
    for (int run = 0; run < 2000; run++) {
        struct ts a = random_ts(), b = random_ts(), x;
        bool any = ts_intersect(&a, &b, &x);
        for (uint8_t ip = 0; ip < 16; ip++) {
            for (uint16_t port = 0; port < 8; port++) {
                for (uint8_t proto = 1; proto < 3; proto++) {
                    struct addr p = addr_v4((uint8_t[]){10, 0, 0, ip});
                    bool both = ts_match(&a, &p, proto, port) && ts_match(&b, &p, proto, port);
                    assert_int_equal(both, any && ts_match(&x, &p, proto, port));
                }
            }
        }
    }
}

/* Every prefix prints as one, its neighbours as ranges. */
static void test_print_prefixes(void **state)
{
    static const char *const bases[] = {"10.181.239.7", "2001:db8:f00f:5a5a:1234:5678:9abc:def1"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct addr base;
        assert_true(addr_parse(&base, bases[k]));
        for (unsigned bits = 0; bits <= (k ? 128u : 32u); bits++) {
            char want[64], a[ADDR_STR_MAX];
            struct buf b = {0};
            struct ts t = {.port_hi = 65535};
            addr_prefix_range(&base, bits, &t.lo, &t.hi);
            snprintf(want, sizeof want, "%s/%u", addr_str(&t.lo, a), bits);
            ts_print(&t, &b);
            assert_string_equal(buf_str(&b), want);
            buf_clear(&b);
            if (bits < (k ? 128u : 32u)) { /* without its last address */
                t.hi.ip[k ? 15 : 3]--;
                ts_print(&t, &b);
                bool again = bits == (k ? 127u : 31u); /* one address is left: /32 or /128 */
                assert_int_equal(strstr(buf_str(&b), "..") == NULL, again);
            }
            buf_free(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_print),
        cmocka_unit_test(test_print_prefixes),
        cmocka_unit_test(test_dynamic),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_intersection_against_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
