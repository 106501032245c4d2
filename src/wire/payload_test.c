/* Payload chains: RFC 7296 2.5, 3.2, 3.14; and how they print. */
#include "wire/payload.h"
#include "wire/print.h"
#include "wire/roundtrip.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N16     "\0\0\0\x14"       /* a nonce, the last payload */
#define FILL    "aaaaaaaaaaaaaaaa" /* 16 bytes */
#define V(next) next "\0\0\x06vv"  /* a Vendor ID */

struct sample {
    const char *name, *b;
    size_t n;
    uint8_t first;
    err_t err;
    uint8_t bad;
    const char *print;
};

#define CASE(name, first, b, err, bad, print)                                                      \
    {                                                                                              \
        name, b, sizeof(b) - 1, first, err, bad, print                                             \
    }

/* clang-format off */
static const struct sample samples[] = {
    CASE("empty", 0, "", 0, 0, ""),
    CASE("bytes without a payload", 0, "x", R_TRAILING, 0, ""),
    CASE("a payload without bytes", PL_NONCE, "", R_TRUNCATED, PL_NONCE, ""),
    CASE("one", PL_NONCE, N16 FILL, 0, 0, "No"),
    CASE("trailing byte", PL_NONCE, N16 FILL "x", R_TRAILING, 0, "No"),
    CASE("length under 4", PL_VENDOR, "\0\0\0\3", R_LENGTH, PL_VENDOR, ""),
    CASE("length zero", PL_VENDOR, "\0\0\0\0", R_LENGTH, PL_VENDOR, ""),
    CASE("no body is a Vendor ID", PL_VENDOR, "\0\0\0\4", 0, 0, "V"),
    CASE("longer than the packet", PL_VENDOR, "\0\0\0\5", R_TRUNCATED, PL_VENDOR, ""),
    CASE("nonce of 15", PL_NONCE, "\0\0\0\x13" "aaaaaaaaaaaaaaa", R_LENGTH, PL_NONCE, ""),
    CASE("twice what may stand once", PL_NONCE, "\x28\0\0\x14" FILL N16 FILL,
         R_DUPLICATE_PAYLOAD, PL_NONCE, "No"),
    CASE("twice what may repeat", PL_VENDOR, V("\x2b") V("\0"), 0, 0, "V V"),
    CASE("2.5: unknown and critical", 200, "\0\x80\0\4", R_CRITICAL, 200, ""),
    CASE("2.5: unknown and not critical", 200, "\x2b\0\0\5x" V("\0"), 0, 0, "?(200) V"),
    CASE("2.5: other bits of that byte do not count", 200, "\0\x7f\0\4", 0, 0, "?(200)"),
    CASE("2.5: critical on a known type does not count", PL_VENDOR, "\0\x80\0\4", 0, 0, "V"),
    CASE("named but not understood: critical", PL_GSA, "\0\x80\0\4", R_CRITICAL, PL_GSA, ""),
    CASE("3.14: SK names its first inner payload", PL_SK, "\x29\0\0\6xx", 0, 0, "E"),
    CASE("3.14: SK is the last", PL_SK, "\x29\0\0\6xx" V("\0"), R_TRAILING, 0, "E"),
    CASE("RFC 7383: SKF is the last", PL_VENDOR, V("\x35") "\0\0\0\x0a\0\1\0\2xx", 0, 0,
         "V EF(1/2)"),
    CASE("SKF without fragment numbers", PL_SKF, "\0\0\0\6xx", R_LENGTH, PL_SKF, ""),
    CASE("notify", PL_NOTIFY, "\x29\0\0\x08\0\0\x40\x08" "\x29\0\0\x08\0\0\x7f\x08" "\0\0\0\x08\0\x01\x40\x08",
         0, 0, "N(HTTP_CERT_LOOK) N(32520) N(?)"),
};
/* clang-format on */

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *c = &samples[i];
        static struct payloads ps;
        struct buf text = {0};
        err_t e = payloads_parse(bytes_of(c->b, c->n), c->first, &ps);
        payloads_print(&ps, &text);
        if (e != c->err || ps.bad_type != c->bad || strcmp(buf_str(&text), c->print) != 0)
            fail_msg("%s: %s at %u [%s]", c->name, err_name(e), ps.bad_type, buf_str(&text));
        buf_free(&text);
        assert_int_equal(roundtrip_chain(bytes_of(c->b, c->n), c->first),
                         c->err ? RT_REFUSED : RT_HOLDS);
    }
}

static void test_too_many(void **state)
{
    static struct payloads ps;
    static uint8_t b[(PAYLOADS_MAX + 1) * 4];
    (void)state;
    for (size_t i = 0; i <= PAYLOADS_MAX; i++) {
        b[4 * i] = i == PAYLOADS_MAX ? PL_NONE : PL_VENDOR;
        b[4 * i + 3] = 4;
    }
    assert_int_equal(payloads_parse(bytes_of(b, sizeof b), PL_VENDOR, &ps), R_TOO_MANY);
    assert_int_equal(ps.count, PAYLOADS_MAX);
    b[4 * (PAYLOADS_MAX - 1)] = PL_NONE;
    assert_int_equal(payloads_parse(bytes_of(b, sizeof b - 4), PL_VENDOR, &ps), 0);
    assert_int_equal(payloads_count(&ps, PL_VENDOR), PAYLOADS_MAX);
}

static void test_find(void **state)
{
    static const uint8_t b[] = {41, 0, 0, 5, 'a', 43, 0, 0, 8, 0, 0, 64, 8, 0, 0, 0, 5, 'b'};
    static struct payloads ps;
    (void)state;
    assert_int_equal(payloads_parse(bytes_of(b, sizeof b), PL_VENDOR, &ps), 0);
    const struct payload *one = payloads_next(&ps, PL_VENDOR, NULL);
    assert_int_equal(one->body.p[0], 'a');
    const struct payload *two = payloads_next(&ps, PL_VENDOR, one);
    assert_int_equal(two->body.p[0], 'b');
    assert_null(payloads_next(&ps, PL_VENDOR, two));
    assert_ptr_equal(payloads_find(&ps, PL_NOTIFY), &ps.p[1]);
    assert_null(payloads_find(&ps, PL_SA));
}

static void test_write(void **state)
{
    static const char want[] = "\x2b\0\0\x08\0\0\x40\x08\0\0\0\x06vv";
    uint8_t out[64];
    struct wr w = wr_of(out, sizeof out);
    struct payload_chain c = payload_chain_bare(&w);
    (void)state;
    payload_begin(&c, PL_NOTIFY);
    wr_u32(&w, 0x4008);
    payload_end(&c);
    payload_put(&c, PL_VENDOR, bytes_of("vv", 2));
    assert_int_equal(c.first, PL_NOTIFY);
    assert_int_equal(wr_len(&w), sizeof want - 1);
    assert_memory_equal(out, want, sizeof want - 1);
}

static void test_write_too_long(void **state)
{
    static const uint8_t zero[65535];
    uint8_t *out = malloc(70000);
    struct wr w = wr_of(out, 70000);
    struct payload_chain c = payload_chain_bare(&w);
    (void)state;
    payload_put(&c, PL_VENDOR, bytes_of(zero, 65531));
    assert_int_equal(w.err, 0);
    w = wr_of(out, 70000);
    c = payload_chain_bare(&w);
    payload_put(&c, PL_VENDOR, bytes_of(zero, 65532));
    assert_int_equal(w.err, E_SPACE);
    free(out);
}

static void test_message(void **state)
{
    struct ike_hdr h = {.major = 2, .exchange = EXCH_IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE};
    static struct payloads ps;
    struct buf text = {0};
    (void)state;
    ike_message_print(&h, &ps, &text);
    assert_string_equal(buf_str(&text), "IKE_SA_INIT response 0 [ ]");
    buf_clear(&text);
    assert_int_equal(payloads_parse(bytes_of(N16 FILL, 20), PL_NONCE, &ps), 0);
    h.flags = IKE_FLAG_INITIATOR;
    h.msg_id = 7;
    ike_message_print(&h, &ps, &text);
    assert_string_equal(buf_str(&text), "IKE_SA_INIT request 7 [ No ]");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_find),           cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_too_long), cmocka_unit_test(test_message),
    };
    return cmocka_run_group_tests_name("wire/payload", tests, NULL, NULL);
}
