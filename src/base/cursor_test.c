/* Cursors: sticky failures, bounds, patches. */
#include "base/cursor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void test_read(void **state)
{
    struct rd r = rd_of(bytes_of(data, sizeof data));
    (void)state;
    assert_int_equal(rd_u8(&r), 1);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_u32(&r), 0x04050607);
    assert_true(rd_u64(&r) == 0x08090a0b0c0d0e0fu);
    assert_int_equal(rd_done(&r), 0);
}

/* Whatever is read of too few bytes: zero, R_TRUNCATED, and so it stays. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t n = 0; n < 8; n++) {
        struct rd r8 = rd_of(bytes_of(data, 0)), r = rd_of(bytes_of(data, n));
        struct rd r2 = rd_of(bytes_of(data, n > 1 ? 1 : n)), r4 = rd_of(bytes_of(data, n / 2));
        assert_int_equal(rd_u8(&r8), 0);
        assert_int_equal(rd_u16(&r2), 0);
        assert_int_equal(rd_u32(&r4), 0);
        assert_true(rd_u64(&r) == 0);
        assert_int_equal(rd_done(&r8), R_TRUNCATED);
        assert_int_equal(rd_done(&r2), R_TRUNCATED);
        assert_int_equal(rd_done(&r4), R_TRUNCATED);
        assert_int_equal(rd_done(&r), R_TRUNCATED);
        assert_int_equal(rd_u8(&r), 0);
        assert_int_equal(rd_left(&r), 0);
        assert_int_equal(rd_rest(&r).n, 0);
    }
}

static void test_trailing_and_fail(void **state)
{
    struct rd r = rd_of(bytes_of(data, 2));
    (void)state;
    rd_skip(&r, 1);
    assert_int_equal(rd_done(&r), R_TRAILING);
    rd_fail(&r, R_SYNTAX);
    rd_fail(&r, R_LENGTH);
    assert_int_equal(rd_done(&r), R_SYNTAX); /* the first failure stays */
    r = rd_of(bytes_of(data, 2));
    rd_fail(&r, 0);
    assert_int_equal(rd_u16(&r), 0x0102);
    assert_int_equal(rd_done(&r), 0);
}

static void test_huge(void **state)
{
    struct rd r = rd_of(bytes_of(data, 4));
    (void)state;
    assert_null(rd_bytes(&r, SIZE_MAX).p);
    assert_int_equal(rd_done(&r), R_TRUNCATED);
    r = rd_of(bytes_of(data, 4));
    struct rd sub = rd_sub(&r, 5);
    assert_int_equal(rd_u8(&sub), 0);
    assert_int_equal(rd_done(&sub), R_TRUNCATED);
    assert_int_equal(rd_done(&r), R_TRUNCATED);
}

static void test_sub(void **state)
{
    struct rd r = rd_of(bytes_of(data, 4));
    struct rd sub = rd_sub(&r, 3), none = rd_sub(&r, 0);
    (void)state;
    assert_int_equal(rd_done(&none), 0);
    assert_int_equal(rd_u32(&sub), 0); /* the fourth byte is not its */
    assert_int_equal(rd_done(&sub), R_TRUNCATED);
    assert_int_equal(rd_u8(&r), 4);
    assert_int_equal(rd_done(&r), 0);
}

static void test_nothing(void **state)
{
    struct rd r = rd_of(bytes_of(NULL, 0));
    struct wr w = wr_of(NULL, 0);
    (void)state;
    rd_skip(&r, 0);
    assert_int_equal(rd_bytes(&r, 0).n, 0);
    assert_int_equal(rd_rest(&r).n, 0);
    struct rd sub = rd_sub(&r, 0);
    assert_int_equal(rd_done(&sub), 0);
    assert_int_equal(rd_done(&r), 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(r.err, R_TRUNCATED);
    wr_put(&w, NULL, 0);
    wr_bytes_put(&w, bytes_of(NULL, 0));
    assert_int_equal(w.err, 0);
    wr_u8(&w, 1);
    assert_int_equal(w.err, E_SPACE);
    assert_true(bytes_eq(bytes_of(NULL, 0), bytes_of(data, 0)));
    assert_false(bytes_eq(bytes_of(data, 1), bytes_of(data, 2)));
}

static void write_all(struct wr *w)
{
    wr_u8(w, 1);
    wr_u16(w, 0x0203);
    wr_u32(w, 0x04050607);
    wr_u64(w, 0x08090a0b0c0d0e0fu);
}

static void test_write(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= sizeof data; cap++) {
        uint8_t *out = malloc(cap ? cap : 1); /* exactly that size: overruns are noticed */
        struct wr w = wr_of(out, cap);
        write_all(&w);
        assert_int_equal(w.err, cap < sizeof data ? E_SPACE : 0);
        assert_true(wr_len(&w) <= cap);
        assert_memory_equal(out, data, wr_len(&w));
        free(out);
    }
}

static void test_patch(void **state)
{
    uint8_t out[8];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    memset(wr_space(&w, 7), 0xee, 7);
    wr_patch_u8(&w, 6, 7);
    wr_patch_u16(&w, 0, 0x0102);
    wr_patch_u32(&w, 2, 0x03040506);
    assert_int_equal(w.err, 0);
    assert_memory_equal(out, data, 7);
    wr_patch_u16(&w, 6, 0); /* one byte was not written yet */
    assert_int_equal(w.err, E_USAGE);
    w.err = 0;
    wr_patch_u8(&w, SIZE_MAX, 0);
    assert_int_equal(w.err, E_USAGE);
    wr_u8(&w, 1); /* sticky */
    assert_int_equal(wr_len(&w), 7);
    wr_fail(&w, E_SPACE);
    assert_int_equal(w.err, E_USAGE);
    assert_null(wr_space(&w, 0));
}

static void test_space_is_zero(void **state)
{
    uint8_t out[4] = {9, 9, 9, 9};
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    assert_ptr_equal(wr_space(&w, 3), out);
    assert_memory_equal(out, "\0\0\0\x09", 4);
    assert_null(wr_space(&w, 2));
    assert_int_equal(w.err, E_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_trailing_and_fail),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_sub),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_patch),
        cmocka_unit_test(test_space_is_zero),
    };
    return cmocka_run_group_tests_name("base/cursor", tests, NULL, NULL);
}
