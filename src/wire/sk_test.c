/* Layout of SK and SKF: RFC 7296 3.14, RFC 7383 2.5. */
#include "wire/sk.h"
#include "wire/ike_hdr.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sk_sizes gcm = {8, 1, 16}, cbc = {16, 16, 12}, des = {8, 8, 12};
static const struct sk_sizes *const all[] = {&gcm, &cbc, &des};

static const struct ike_hdr hdr = {.major = 2, .exchange = EXCH_IKE_AUTH};

static struct bytes build(uint8_t *out, size_t cap, const struct sk_sizes *z, size_t body,
                          struct sk_layout *l)
{
    struct wr w = wr_of(out, cap);
    size_t at = ike_hdr_begin(&w, &hdr);
    struct payload_chain c = payload_chain_of_msg(&w, at);
    payload_put(&c, PL_VENDOR, bytes_of("clear", 5));
    size_t sk = sk_begin(&c, z);
    payload_begin(&c, PL_VENDOR);
    (void)wr_space(&w, body);
    payload_end(&c);
    payload_put(&c, PL_NOTIFY, bytes_of("\0\0\x40\x08", 4));
    sk_end(&c, at, sk, z, l);
    ike_hdr_end(&w, at);
    return w.err ? bytes_of(NULL, 0) : wr_bytes(&w);
}

static void check(const struct sk_sizes *z, size_t body)
{
    uint8_t out[300];
    struct sk_layout wrote, read;
    static struct payloads ps, inside;
    struct ike_hdr h;
    struct bytes inner, msg = build(out, sizeof out, z, body, &wrote);
    assert_int_equal(ike_hdr_parse(msg, &h), 0);
    assert_int_equal(payloads_parse(ike_hdr_body(msg), h.next, &ps), 0);
    assert_int_equal(ps.count, 2);
    assert_int_equal(sk_measure(msg, &ps.p[1], z, &read), 0);
    assert_int_equal(read.first, PL_VENDOR);
    assert_int_equal(read.number, 0);
    assert_int_equal(read.aad_len, wrote.aad_len);
    assert_int_equal(read.aad_len, IKE_HDR_LEN + 9 + 4);
    assert_int_equal(read.text_len, wrote.text_len);
    assert_int_equal(read.text_len % z->block, 0);
    assert_int_equal(read.aad_len + z->iv_len + read.text_len + z->icv_len, msg.n);
    assert_true(read.text_len - (4 + body + 8 + 1) < z->block); /* the least padding */
    assert_int_equal(sk_inner(msg, &read, z, &inner), 0);
    assert_int_equal(inner.n, 4 + body + 8);
    assert_int_equal(payloads_parse(inner, read.first, &inside), 0);
    assert_int_equal(inside.count, 2);
}

static void test_roundtrip(void **state)
{
    (void)state;
    for (size_t z = 0; z < 3; z++)
        for (size_t body = 0; body < 40; body++)
            check(all[z], body);
}

static void test_no_space(void **state)
{
    uint8_t out[300];
    struct sk_layout l;
    (void)state;
    size_t full = build(out, sizeof out, &cbc, 10, &l).n;
    for (size_t cap = 0; cap < full; cap++)
        assert_int_equal(build(out, cap, &cbc, 10, &l).n, 0);
    assert_int_equal(build(out, full, &cbc, 10, &l).n, full);
}

static void test_measure_refused(void **state)
{
    uint8_t b[100] = {0};
    struct payload p = {.type = PL_SK, .known = true};
    struct sk_layout l;
    (void)state;
    for (size_t n = 0; n < 60; n++) {
        p.body = bytes_of(b + 32, n);
        err_t want = n < 29 ? R_TRUNCATED : (n - 28) % 16 ? R_LENGTH : 0;
        assert_int_equal(sk_measure(bytes_of(b, 32 + n), &p, &cbc, &l), want);
    }
    p.type = PL_NOTIFY;
    assert_int_equal(sk_measure(bytes_of(b, sizeof b), &p, &cbc, &l), E_USAGE);
}

static void test_padding(void **state)
{
    uint8_t b[16] = {0};
    struct sk_layout l = {.aad_len = 4, .text_len = 4};
    static const struct sk_sizes z = {0, 1, 8};
    struct bytes inner;
    (void)state;
    for (unsigned pad = 0; pad < 256; pad++) {
        b[7] = (uint8_t)pad;
        err_t e = sk_inner(bytes_of(b, sizeof b), &l, &z, &inner);
        assert_int_equal(e, pad < 4 ? 0 : R_LENGTH);
        assert_int_equal(inner.n, pad < 4 ? 3 - pad : 0);
    }
    l.text_len = 13;
    assert_int_equal(sk_inner(bytes_of(b, sizeof b), &l, &z, &inner), R_TRUNCATED);
    l.text_len = 0;
    assert_int_equal(sk_inner(bytes_of(b, sizeof b), &l, &z, &inner), R_TRUNCATED);
}

static void test_fragment_numbers(void **state)
{
    static const struct {
        uint16_t number, total;
        uint8_t next;
        err_t err;
    } cases[] = {
        {1, 1, PL_IDI, 0},        {1, 2, PL_IDI, 0},    {2, 2, 0, 0},
        {0, 2, 0, R_SYNTAX},      {3, 2, 0, R_SYNTAX},  {0, 0, 0, R_SYNTAX},
        {2, 2, PL_IDI, R_SYNTAX}, {65535, 65535, 0, 0},
    };
    uint8_t b[100] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct payload p = {.type = PL_SKF, .next = cases[i].next, .body = bytes_of(b + 32, 60)};
        struct sk_layout l;
        put_u16(b + 32, cases[i].number);
        put_u16(b + 34, cases[i].total);
        assert_int_equal(sk_measure(bytes_of(b, 92), &p, &gcm, &l), cases[i].err);
        if (!cases[i].err) {
            assert_int_equal(l.number, cases[i].number);
            assert_int_equal(l.aad_len, 36); /* RFC 7383 2.5: the numbers are authenticated */
        }
    }
}

static void test_fragments(void **state)
{
    uint8_t out[300], data[200] = {0};
    (void)state;
    for (size_t z = 0; z < 3; z++) {
        for (uint16_t number = 1; number <= 2; number++) {
            size_t room = sk_room(sizeof out, true, all[z]);
            struct wr w = wr_of(out, sizeof out);
            static struct payloads ps;
            struct sk_layout l, m;
            size_t at = ike_hdr_begin(&w, &hdr);
            struct payload_chain c = payload_chain_of_msg(&w, at);
            size_t sk = skf_begin(&c, all[z], PL_IDI, number, 2);
            wr_put(&w, data, 150);
            (void)wr_space(&w, room - 150);
            sk_end(&c, at, sk, all[z], &l);
            ike_hdr_end(&w, at);
            assert_int_equal(w.err, 0);
            assert_true(wr_len(&w) > sizeof out - all[z]->block);
            assert_int_equal(payloads_parse(ike_hdr_body(wr_bytes(&w)), out[16], &ps), 0);
            assert_int_equal(sk_measure(wr_bytes(&w), &ps.p[0], all[z], &m), 0);
            assert_int_equal(m.number, number);
            assert_int_equal(m.total, 2);
            assert_int_equal(m.first, number == 1 ? PL_IDI : 0);
            assert_memory_equal(&l, &m, sizeof l);
        }
    }
    assert_int_equal(sk_room(40, false, &cbc), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip),        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_measure_refused),  cmocka_unit_test(test_padding),
        cmocka_unit_test(test_fragment_numbers), cmocka_unit_test(test_fragments),
    };
    return cmocka_run_group_tests_name("wire/sk", tests, NULL, NULL);
}
