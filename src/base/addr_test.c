/* Addresses: text, prefixes, order. */
#include "base/addr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        uint8_t family; /* 0: refused */
        const char *again;
    } cases[] = {
        {"192.0.2.1", 4, "192.0.2.1"},
        {"0.0.0.0", 4, "0.0.0.0"},
        {"2001:DB8:0::1", 6, "2001:db8::1"},
        {"::", 6, "::"},
        {"::ffff:192.0.2.1", 6, "::ffff:192.0.2.1"},
        {"", 0, "%any"},
        {"192.0.2", 0, "%any"},
        {"192.0.2.256", 0, "%any"},
        {"192.0.2.1 ", 0, "%any"},
        {"192.0.2.01x", 0, "%any"},
        {"fe80::1%eth0", 0, "%any"},
        {"1:2:3:4:5:6:7:8:9", 0, "%any"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a;
        char out[ADDR_STR_MAX];
        assert_int_equal(addr_parse(&a, cases[i].text), cases[i].family != 0);
        assert_int_equal(a.family, cases[i].family);
        assert_string_equal(addr_str(&a, out), cases[i].again);
        assert_int_equal(addr_len(&a), a.family == 4 ? 4 : a.family == 6 ? 16 : 0);
    }
}

static void test_prefix(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        unsigned bits;
        const char *lo, *hi;
    } cases[] = {
        {"10.1.0.0/16", true, 16, "10.1.0.0", "10.1.255.255"},
        {"10.1.2.3/16", true, 16, "10.1.0.0", "10.1.255.255"},
        {"10.1.2.3", true, 32, "10.1.2.3", "10.1.2.3"},
        {"10.1.2.3/0", true, 0, "0.0.0.0", "255.255.255.255"},
        {"10.1.2.3/31", true, 31, "10.1.2.2", "10.1.2.3"},
        {"10.1.2.3/9", true, 9, "10.0.0.0", "10.127.255.255"},
        {"2001:db8::/33", true, 33, "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
        {"::1", true, 128, "::1", "::1"},
        {"::1/0", true, 0, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"10.1.0.0/33", false, 0, NULL, NULL},
        {"::/129", false, 0, NULL, NULL},
        {"10.1.0.0/", false, 0, NULL, NULL},
        {"10.1.0.0/-1", false, 0, NULL, NULL},
        {"10.1.0.0/+8", false, 0, NULL, NULL},
        {"10.1.0.0/ 8", false, 0, NULL, NULL},
        {"10.1.0.0/8x", false, 0, NULL, NULL},
        {"10.1.0.0/8/8", false, 0, NULL, NULL},
        {"10.1.0.0/99999999999999999999999", false, 0, NULL, NULL},
        {"/8", false, 0, NULL, NULL},
        {"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888/64", false, 0, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a, lo, hi;
        unsigned bits;
        char out[ADDR_STR_MAX];
        if (addr_parse_prefix(&a, &bits, cases[i].text) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        if (!cases[i].ok)
            continue;
        assert_int_equal(bits, cases[i].bits);
        addr_prefix_range(&a, bits, &lo, &hi);
        assert_string_equal(addr_str(&lo, out), cases[i].lo);
        assert_string_equal(addr_str(&hi, out), cases[i].hi);
    }
}

static bool bit(const struct addr *a, unsigned i)
{
    return a->ip[i / 8] >> (7 - i % 8) & 1;
}

/* Every prefix length against the naive meaning of it. */
static void test_prefix_model(void **state)
{
    struct addr a, lo, hi;
    (void)state;
    assert_true(addr_parse(&a, "2001:db8:5a5a:a5a5:1234:8765:0ff0:c33c"));
    for (unsigned bits = 0; bits <= 128; bits++) {
        addr_prefix_range(&a, bits, &lo, &hi);
        for (unsigned i = 0; i < 128; i++) {
            assert_int_equal(bit(&lo, i), i < bits && bit(&a, i));
            assert_int_equal(bit(&hi, i), i >= bits || bit(&a, i));
        }
    }
}

static void test_order(void **state)
{
    struct addr a, b, c, none = {0};
    (void)state;
    assert_true(addr_parse(&a, "10.0.0.1") && addr_parse(&b, "10.0.1.0") && addr_parse(&c, "::"));
    assert_true(addr_cmp(&a, &b) < 0 && addr_cmp(&b, &a) > 0 && addr_cmp(&a, &a) == 0);
    assert_true(addr_cmp(&b, &c) < 0 && addr_cmp(&none, &a) < 0);
    assert_true(addr_eq(&a, &a) && !addr_eq(&a, &b));
    assert_true(addr_any(&none) && addr_any(&c) && !addr_any(&a));
    struct addr v4 = addr_v4(a.ip), v6 = addr_v6(c.ip);
    assert_true(addr_eq(&v4, &a) && addr_eq(&v6, &c));
}

static void test_endpoint(void **state)
{
    struct endpoint e = {.port = 65535}, f;
    char out[ENDPOINT_STR_MAX];
    (void)state;
    assert_string_equal(endpoint_str(&e, out), "%any[65535]");
    assert_true(addr_parse(&e.addr, "1111:2222:3333:4444:5555:6666:255.255.255.255"));
    assert_string_equal(endpoint_str(&e, out), "1111:2222:3333:4444:5555:6666:ffff:ffff[65535]");
    f = e;
    assert_true(endpoint_eq(&e, &f));
    f.port = 1;
    assert_false(endpoint_eq(&e, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_prefix_model), cmocka_unit_test(test_order),
        cmocka_unit_test(test_endpoint),
    };
    return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
