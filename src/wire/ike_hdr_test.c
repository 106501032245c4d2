/* The IKE header: RFC 7296 3.1. */
#include "wire/ike_hdr.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t good[IKE_HDR_LEN] = {1, 2, 3,    4,    5,    6,    7, 8, 0, 0, 0, 0, 0, 0,
                                          0, 0, 0x21, 0x20, 0x22, 0x08, 0, 0, 0, 9, 0, 0, 0, 28};

static void test_parse(void **state)
{
    struct ike_hdr h;
    (void)state;
    assert_int_equal(ike_hdr_parse(bytes_of(good, sizeof good), &h), 0);
    assert_true(h.spi_i == 0x0102030405060708u && h.spi_r == 0);
    assert_int_equal(h.next, 33);
    assert_int_equal(h.major, 2);
    assert_int_equal(h.minor, 0);
    assert_int_equal(h.exchange, EXCH_IKE_SA_INIT);
    assert_int_equal(h.flags, IKE_FLAG_INITIATOR);
    assert_int_equal(h.msg_id, 9);
    assert_int_equal(ike_hdr_body(bytes_of(good, sizeof good)).n, 0);
    assert_int_equal(ike_hdr_body(bytes_of(good, 3)).n, 0);
}

static void test_refused(void **state)
{
    struct ike_hdr h;
    uint8_t b[IKE_HDR_LEN + 1] = {0};
    (void)state;
    for (size_t n = 0; n < sizeof good; n++)
        assert_int_equal(ike_hdr_parse(bytes_of(good, n), &h), R_TRUNCATED);
    memcpy(b, good, sizeof good);
    assert_int_equal(ike_hdr_parse(bytes_of(b, sizeof b), &h), R_LENGTH);
    b[27] = 27;
    assert_int_equal(ike_hdr_parse(bytes_of(b, sizeof good), &h), R_LENGTH);
    b[24] = 0x80; /* a length of gigabytes */
    assert_int_equal(ike_hdr_parse(bytes_of(b, sizeof good), &h), R_LENGTH);
}

static void test_write(void **state)
{
    struct ike_hdr h;
    uint8_t out[2 + IKE_HDR_LEN + 3];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    assert_int_equal(ike_hdr_parse(bytes_of(good, sizeof good), &h), 0);
    wr_u16(&w, 0);
    size_t at = ike_hdr_begin(&w, &h);
    assert_int_equal(at, 2);
    ike_hdr_end(&w, at);
    assert_int_equal(w.err, 0);
    assert_memory_equal(out + 2, good, sizeof good);
    (void)wr_space(&w, 3);
    ike_hdr_end(&w, at);
    assert_int_equal(out[2 + 27], IKE_HDR_LEN + 3);
    w = wr_of(out, IKE_HDR_LEN - 1);
    ike_hdr_end(&w, ike_hdr_begin(&w, &h));
    assert_int_equal(w.err, E_SPACE);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ike_exchange_name(EXCH_CREATE_CHILD_SA), "CREATE_CHILD_SA");
    for (unsigned i = 0; i < 256; i++)
        assert_non_null(ike_exchange_name((uint8_t)i));
    assert_string_equal(ike_exchange_name(250), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("wire/ike_hdr", tests, NULL, NULL);
}
