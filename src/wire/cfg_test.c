/* Configuration payloads: RFC 7296 3.15, draft-dukes-ike-mode-cfg 3.2, draft-beaulieu-ike-xauth 6.
 */
#include "wire/cfg.h"
#include "wire/roundtrip.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CASE(name, v1, b, err, count, ...)                                                         \
    {                                                                                              \
        name, v1, b, sizeof(b) - 1, err, count,                                                    \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct {
    const char *name;
    bool v1;
    const char *b;
    size_t n;
    err_t err;
    size_t count;
    uint16_t type[4];
} samples[] = {
    /* clang-format off */
    CASE("3.15: request", false, "\1\0\0\0\0\1\0\0\0\3\0\0", 0, 2, CFG_IP4_ADDRESS, CFG_IP4_DNS),
    CASE("3.15: nothing asked", false, "\1\0\0\0", 0, 0, 0),
    CASE("3.15: the reserved bit is ignored", false, "\2\0\0\0\x80\1\0\4\x0a\x09\0\1", 0, 1, CFG_IP4_ADDRESS),
    CASE("3.15: type 0", false, "\0\0\0\0", R_SYNTAX, 0, 0),
    CASE("3.15: type 5", false, "\5\0\0\0", R_SYNTAX, 0, 0),
    CASE("3.15: cut in the head", false, "\1\0\0", R_TRUNCATED, 0, 0),
    CASE("3.15.1: cut in the attribute's head", false, "\1\0\0\0\0\1\0", R_TRUNCATED, 0, 0),
    CASE("3.15.1: cut in the value", false, "\2\0\0\0\0\1\0\4\x0a\x09\0", R_TRUNCATED, 0, 0),
    CASE("xauth 6: request of charon", true, "\1\0\x12\x34\x40\x89\0\0\x40\x8a\0\0", 0, 2, CFG_XAUTH_USER_NAME, CFG_XAUTH_USER_PASSWORD),
    CASE("xauth 6.2: type and status are short", true, "\3\0\0\7\xc0\x88\0\0\xc0\x8f\0\1", 0, 2, CFG_XAUTH_TYPE, CFG_XAUTH_STATUS),
    CASE("xauth 6.2: status with a length", true, "\3\0\0\7\x40\x8f\0\2\0\1", 0, 1, CFG_XAUTH_STATUS),
    CASE("2408 3.3: short, cut", true, "\3\0\0\7\xc0\x8f\0", R_TRUNCATED, 0, 0),
    /* clang-format on */
};

static void parsing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct cfg_body c;
        struct bytes b = bytes_of(samples[i].b, samples[i].n);
        err_t err = cfg_parse(b, samples[i].v1, &c);
        if (err != samples[i].err)
            fail_msg("%s: %s", samples[i].name, err_name(err));
        assert_int_equal(roundtrip_cfg(b, samples[i].v1), err ? RT_REFUSED : RT_HOLDS);
        if (err)
            continue;
        assert_int_equal(c.count, samples[i].count);
        for (size_t k = 0; k < c.count; k++)
            assert_int_equal(c.attr[k].type, samples[i].type[k]);
    }
}

/* What we write is what they say: byte for byte. */
static void writing(void **state)
{
    (void)state;
    uint8_t out[64];
    struct wr w = wr_of(out, sizeof out);
    struct cfg_body c = {.type = CFG_SET, .id = 7};
    cfg_add(&c, CFG_XAUTH_STATUS, bytes_of("\0\1", 2));
    cfg_write(&w, true, &c);
    assert_int_equal(wr_len(&w), 8);
    assert_memory_equal(out, "\3\0\0\7\xc0\x8f\0\1", 8);
    w = wr_of(out, sizeof out);
    c = (struct cfg_body){.type = CFG_REPLY, .id = 9};
    cfg_add(&c, CFG_IP4_ADDRESS, bytes_of("\x0a\x09\0\1", 4));
    cfg_write(&w, false, &c);
    assert_int_equal(wr_len(&w), 12);
    assert_memory_equal(out, "\2\0\0\0\0\1\0\4\x0a\x09\0\1", 12);
    for (int i = 0; i < 2 * CFG_ATTRS_MAX; i++)
        cfg_add(&c, CFG_IP4_DNS, bytes_of(NULL, 0));
    assert_int_equal(c.count, CFG_ATTRS_MAX);
}

static void too_many(void **state)
{
    (void)state;
    uint8_t raw[4 + 4 * (CFG_ATTRS_MAX + 1)] = {CFG_REQUEST};
    struct cfg_body c;
    for (size_t i = 0; i <= CFG_ATTRS_MAX; i++)
        raw[4 + 4 * i + 1] = CFG_IP4_DNS;
    assert_int_equal(cfg_parse(bytes_of(raw, sizeof raw), false, &c), R_TOO_MANY);
    assert_int_equal(cfg_parse(bytes_of(raw, sizeof raw - 4), false, &c), 0);
}

static const struct {
    uint16_t type;
    const char *b;
    size_t n;
    bool ok;
    const char *text;
} addrs[] = {
    {CFG_IP4_ADDRESS, "\x0a\x09\0\1", 4, true, "10.9.0.1"},
    {CFG_IP4_ADDRESS, "", 0, true, "0.0.0.0"},
    {CFG_IP4_ADDRESS, "\x0a\x09\0", 3, false, ""},
    {CFG_IP4_DNS, "\x0a\x09\0\1\0", 5, false, ""},
    {CFG_IP6_ADDRESS, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, true, "2001:db8::1"},
    {CFG_IP6_ADDRESS, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x40", 17, true, "2001:db8::1"},
    {CFG_IP6_ADDRESS, "", 0, true, "::"},
    {CFG_IP6_DNS, "\x0a\x09\0\1", 4, false, ""},
};

static void addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof addrs / sizeof *addrs; i++) {
        struct cfg_attr a = {addrs[i].type, bytes_of(addrs[i].b, addrs[i].n)};
        struct addr got;
        char s[ADDR_STR_MAX];
        assert_int_equal(cfg_addr(&a, &got), addrs[i].ok);
        if (addrs[i].ok)
            assert_string_equal(addr_str(&got, s), addrs[i].text);
    }
}

static const struct {
    uint16_t type;
    const char *b;
    size_t n;
    const char *text;
} nets[] = {
    {CFG_IP4_SUBNET, "\x0a\2\0\0\xff\xff\0\0", 8, "10.2.0.0/16"},
    {CFG_IP4_SUBNET, "\x0a\2\0\0\xff\0\xff\0", 8, ""},
    {CFG_IP4_SUBNET, "\x0a\2\0\0\xff\xff\0", 7, ""},
    {CFG_IP6_SUBNET, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20", 17, "2001:db8::/32"},
    {CFG_IP6_SUBNET, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x81", 17, ""},
    {CFG_UNITY_SPLIT_INCLUDE, "\x0a\2\0\0\xff\xff\0\0\0\0\0\0\0\0\x0a\3\0\0\xff\0\0\0\0\0\0\0\0\0",
     28, "10.2.0.0/16 10.0.0.0/8"},
};

static void networks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct cfg_attr a = {nets[i].type, bytes_of(nets[i].b, nets[i].n)};
        struct ts_list l = {0};
        struct buf b = {0};
        cfg_networks(&a, &l);
        ts_list_print(&l, &b);
        assert_string_equal(buf_str(&b), nets[i].text);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing),   cmocka_unit_test(writing),  cmocka_unit_test(too_many),
        cmocka_unit_test(addresses), cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
