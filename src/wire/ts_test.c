/* Traffic selector payloads: RFC 7296 3.13. */
#include "wire/ts.h"
#include "wire/payload.h"
#include "wire/roundtrip.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ONE  "\1\0\0\0"
#define TWO  "\2\0\0\0"
#define ANY  "\0\0\xff\xff"
#define V4   "\x0a\1\0\0\x0a\1\0\xff"
#define V6   "\xfd\1aaaaaaaaaaaaaa\xfd\1bbbbbbbbbbbbbb"
#define NET4 "\7\0\0\x10" ANY V4
#define NET6 "\x08\0\0\x28" ANY V6

struct sample {
    const char *name, *b;
    size_t n;
    err_t err;
    size_t count;
};

#define CASE(name, b, err, count)                                                                  \
    {                                                                                              \
        name, b, sizeof(b) - 1, err, count                                                         \
    }

/* clang-format off */
static const struct sample samples[] = {
    CASE("IPv4", ONE NET4, 0, 1),
    CASE("IPv6", ONE NET6, 0, 1),
    CASE("both", TWO NET4 NET6, 0, 2),
    CASE("none", "\0\0\0\0", R_SYNTAX, 0),
    CASE("nothing", "", R_TRUNCATED, 0),
    CASE("more than counted", ONE NET4 NET4, R_TRAILING, 0),
    CASE("fewer than counted", TWO NET4, R_TRUNCATED, 0),
    CASE("a port", ONE "\7\x11\0\x10\1\xf4\1\xf4" V4, 0, 1),
    CASE("ICMP type and code", ONE "\7\1\0\x10\x08\0\x08\xff" V4, 0, 1),
    CASE("ports upside down", ONE "\7\x11\0\x10\0\2\0\1" V4, R_SYNTAX, 0),
    CASE("3.13.1: OPAQUE ports", TWO "\7\x11\0\x10\xff\xff\0\0" V4 NET4, 0, 2),
    CASE("3.13.1: ports without protocol", ONE "\7\0\0\x10\0\1\0\2" V4, R_SYNTAX, 0),
    CASE("addresses upside down", ONE "\7\0\0\x10" ANY "\x0a\1\0\xff\x0a\1\0\0", R_SYNTAX, 0),
    CASE("a single address", ONE "\7\0\0\x10" ANY "\x0a\1\0\1\x0a\1\0\1", 0, 1),
    CASE("unknown type is skipped", TWO "\x63\0\0\5x" NET4, 0, 1),
    CASE("only unknown types", ONE "\x63\0\0\4", 0, 0),
    CASE("length under 4", ONE "\x63\0\0\3", R_LENGTH, 0),
    CASE("IPv4 too short", ONE "\7\0\0\x0f" ANY "\x0a\1\0\0\x0a\1\0", R_LENGTH, 0),
    CASE("IPv4 too long", ONE "\7\0\0\x11" ANY V4 "x", R_LENGTH, 0),
    CASE("IPv6 with IPv4's length", ONE "\x08\0\0\x10" ANY V4, R_LENGTH, 0),
    CASE("selector longer than the payload", ONE "\7\0\0\x11" ANY V4, R_TRUNCATED, 0),
};
/* clang-format on */

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *c = &samples[i];
        static struct ts_list l;
        err_t e = ts_body_parse(bytes_of(c->b, c->n), &l);
        if (e != c->err || (!e && l.count != c->count))
            fail_msg("%s: %s, %zu", c->name, err_name(e), l.count);
        assert_int_equal(roundtrip_body(PL_TSI, bytes_of(c->b, c->n)), e ? RT_REFUSED : RT_HOLDS);
    }
}

static void test_exact(void **state)
{
    static const char b[] = TWO "\7\x11\0\x10\1\xf4\1\xf5" V4 NET6;
    static struct ts_list l;
    uint8_t out[sizeof b];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    assert_int_equal(ts_body_parse(bytes_of(b, sizeof b - 1), &l), 0);
    assert_int_equal(l.ts[0].proto, 17);
    assert_int_equal(l.ts[0].port_lo, 500);
    assert_int_equal(l.ts[0].port_hi, 501);
    ts_body_write(&w, &l);
    assert_int_equal(w.err, 0);
    assert_int_equal(wr_len(&w), sizeof b - 1);
    assert_memory_equal(out, b, sizeof b - 1);
}

static void test_surplus(void **state)
{
    static struct ts_list l;
    uint8_t b[4 + 16 * (TS_MAX + 1)] = {TS_MAX + 1};
    (void)state;
    for (size_t i = 0; i <= TS_MAX; i++)
        memcpy(b + 4 + 16 * i, NET4, 16);
    assert_int_equal(ts_body_parse(bytes_of(b, sizeof b), &l), 0);
    assert_int_equal(l.count, TS_MAX);
}

static void test_write_refused(void **state)
{
    static struct ts_list l;
    uint8_t out[64];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    ts_body_write(&w, &l);
    assert_int_equal(w.err, E_USAGE);
    l.count = 1; /* without family */
    w = wr_of(out, sizeof out);
    ts_body_write(&w, &l);
    assert_int_equal(w.err, E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_surplus),
        cmocka_unit_test(test_write_refused),
    };
    return cmocka_run_group_tests_name("wire/ts", tests, NULL, NULL);
}
