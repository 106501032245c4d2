/* Pools: charon's counts of addresses, ranges, both families; attributes as they go on the wire. */
#include "model/addr_pool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *text;
    uint32_t size;
    const char *first, *last; /* NULL: refused */
} spans[] = {
    {"10.9.0.0/24", 254, "10.9.0.1", "10.9.0.254"},
    {"10.9.0.77/24", 254, "10.9.0.1", "10.9.0.254"},
    {"10.9.0.0/30", 2, "10.9.0.1", "10.9.0.2"},
    {"10.9.0.0/31", 2, "10.9.0.0", "10.9.0.1"},
    {"10.9.0.7", 1, "10.9.0.7", "10.9.0.7"},
    {"10.9.0.250-10.9.1.5", 12, "10.9.0.250", "10.9.1.5"},
    {"10.9.0.5-10.9.0.5", 1, "10.9.0.5", "10.9.0.5"},
    {"10.0.0.0/8", (1u << 24) - 2, "10.0.0.1", "10.255.255.254"},
    {"2001:db8::/120", 254, "2001:db8::1", "2001:db8::fe"},
    {"2001:db8::ffff-2001:db8::1:1", 3, "2001:db8::ffff", "2001:db8::1:1"},
    {"2001:db8::/32", POOL_SIZE_MAX - 2, "2001:db8::1", "2001:db8::7fff:fffe"},
    {"::/0", POOL_SIZE_MAX - 2, "::1", "::127.255.255.254"},
    {"10.9.0.9-10.9.0.8", 0, NULL, NULL},
    {"10.9.0.9-2001:db8::1", 0, NULL, NULL},
    {"10.9.0.0/33", 0, NULL, NULL},
    {"somewhere", 0, NULL, NULL},
    {"", 0, NULL, NULL},
};

static void addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        struct addr_pool *p = addr_pool_new("x");
        char s[ADDR_STR_MAX];
        uint32_t n = 7;
        assert_non_null(p);
        assert_int_equal(addr_pool_parse(p, spans[i].text), spans[i].first != NULL);
        if (spans[i].first) {
            struct addr a = addr_pool_at(p, 0), z = addr_pool_at(p, p->size - 1), out;
            assert_int_equal(p->size, spans[i].size);
            assert_string_equal(addr_str(&a, s), spans[i].first);
            assert_string_equal(addr_str(&z, s), spans[i].last);
            assert_true(addr_pool_has(p, &a, &n) && n == 0);
            assert_true(addr_pool_has(p, &z, &n) && n == p->size - 1);
            out = addr_pool_at(p, p->size);
            assert_false(addr_pool_has(p, &out, &n));
        }
        addr_pool_free(p);
    }
}

static const struct {
    const char *word, *value;
    err_t err;
    uint16_t type;
    size_t n;
    const char *bytes;
} attrs[] = {
    {"dns", "10.2.0.53", 0, CFG_IP4_DNS, 4, "\x0a\x02\x00\x35"},
    {"dns", "2001:db8::53", 0, CFG_IP6_DNS, 16, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x53"},
    {"nbns", "10.2.0.1", 0, CFG_IP4_NBNS, 4, "\x0a\x02\x00\x01"},
    {"netmask", "255.255.240.0", 0, CFG_IP4_NETMASK, 4, "\xff\xff\xf0\x00"},
    {"netmask", "255.0.255.0", R_CONFIG_VALUE, 0, 0, ""},
    {"subnet", "10.2.0.0/16", 0, CFG_IP4_SUBNET, 8, "\x0a\x02\x00\x00\xff\xff\x00\x00"},
    {"subnet", "2001:db8::/32", 0, CFG_IP6_SUBNET, 17,
     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0\x20"},
    {"split_include", "10.2.3.4/16", 0, CFG_UNITY_SPLIT_INCLUDE, 14,
     "\x0a\x02\x00\x00\xff\xff\0\0\0\0\0\0\0\0"},
    {"split_exclude", "10.3.0.0/24", 0, CFG_UNITY_LOCAL_LAN, 14,
     "\x0a\x03\x00\x00\xff\xff\xff\0\0\0\0\0\0\0"},
    {"split_include", "2001:db8::/32", R_CONFIG_VALUE, 0, 0, ""},
    {"28672", "Welcome", 0, CFG_UNITY_BANNER, 7, "Welcome"},
    {"28672x", "Welcome", R_NOT_FOUND, 0, 0, ""},
    {"40000", "Welcome", R_CONFIG_VALUE, 0, 0, ""},
    {"dsn", "10.2.0.53", R_NOT_FOUND, 0, 0, ""},
    {"dns", "nowhere", R_CONFIG_VALUE, 0, 0, ""},
    {"subnet", "10.2.0.0/40", R_CONFIG_VALUE, 0, 0, ""},
};

static void attributes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++) {
        struct addr_pool *p = addr_pool_new("x");
        assert_non_null(p);
        assert_int_equal(addr_pool_attr(p, attrs[i].word, attrs[i].value), attrs[i].err);
        assert_int_equal(p->attr_count, attrs[i].err == 0);
        if (!attrs[i].err) {
            assert_int_equal(p->attr[0].type, attrs[i].type);
            assert_int_equal(p->attr[0].len, attrs[i].n);
            assert_memory_equal(p->attr[0].value, attrs[i].bytes, attrs[i].n);
        }
        addr_pool_free(p);
    }
}

/* Cisco's split networks stand in one attribute, name servers in one each. */
static void joined(void **state)
{
    (void)state;
    struct addr_pool *p = addr_pool_new("x");
    assert_non_null(p);
    assert_int_equal(addr_pool_attr(p, "split_include", "10.2.0.0/16"), 0);
    assert_int_equal(addr_pool_attr(p, "dns", "10.2.0.1"), 0);
    assert_int_equal(addr_pool_attr(p, "dns", "10.2.0.2"), 0);
    assert_int_equal(addr_pool_attr(p, "split_include", "10.3.0.0/16"), 0);
    assert_int_equal(p->attr_count, 3);
    assert_int_equal(p->attr[0].len, 28);
    assert_memory_equal(p->attr[0].value + 14, "\x0a\x03\x00\x00\xff\xff", 6);
    for (int i = 0; i < POOL_ATTRS_MAX - 3; i++)
        assert_int_equal(addr_pool_attr(p, "dns", "10.2.0.3"), 0);
    assert_int_equal(addr_pool_attr(p, "dns", "10.2.0.4"), R_TOO_MANY);
    while (addr_pool_attr(p, "split_include", "10.3.0.0/16") == 0)
        assert_true(p->attr[0].len <= POOL_VALUE_MAX);
    addr_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(attributes),
        cmocka_unit_test(joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
