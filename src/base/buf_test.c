/* Growing buffer: always terminated, sticky failure. */
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_grow(void **state)
{
    struct buf b = {0};
    (void)state;
    assert_string_equal(buf_str(&b), "");
    for (size_t i = 0; i < 1000; i++) {
        buf_add(&b, "ab", i % 3);
        assert_int_equal(b.s[b.n], 0);
        assert_true(b.n < b.cap);
    }
    buf_free(&b);
    assert_string_equal(buf_str(&b), "");
}

/* Every length around the steps of growth. */
static void test_lengths(void **state)
{
    (void)state;
    for (int n = 0; n < 300; n++) {
        struct buf b = {0};
        buf_printf(&b, "%*s", n, "");
        assert_int_equal(b.n, n);
        buf_puts(&b, "x");
        assert_int_equal(strlen(buf_str(&b)), (size_t)n + 1);
        buf_free(&b);
    }
}

static void test_kinds(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_puts(&b, "a");
    buf_printf(&b, "%d%s", 5, "-");
    buf_hex(&b, bytes_of("\0\xff\x1a", 3));
    assert_string_equal(buf_str(&b), "a5-00ff1a");
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    buf_add(&b, "a\0b", 3);
    assert_int_equal(b.n, 3);
    buf_add(&b, NULL, 0);
    assert_memory_equal(b.s, "a\0b", 4);
    buf_free(&b);
    buf_clear(&b);
}

static void test_too_much(void **state)
{
    struct buf b = {0};
    volatile size_t much = SIZE_MAX;
    (void)state;
    buf_puts(&b, "kept");
    buf_add(&b, "", much);
    assert_int_equal(b.err, E_NOMEM);
    buf_puts(&b, "more");
    assert_string_equal(buf_str(&b), "kept");
    buf_free(&b);
    buf_add(&b, "", much / 2);
    assert_int_equal(b.err, E_NOMEM);
    buf_free(&b);
    assert_int_equal(b.err, 0);
}

/* As printf writes them, at every change of length. */
static void test_numbers(void **state)
{
    struct buf b = {0};
    char want[24];
    (void)state;
    for (uint64_t v = 1; v; v = v > UINT64_MAX / 10 ? 0 : v * 10)
        for (int d = -1; d <= 1; d++) {
            uint64_t x = v + (uint64_t)(int64_t)d;
            snprintf(want, sizeof want, "%llu", (unsigned long long)x);
            buf_clear(&b);
            buf_number(&b, x);
            assert_string_equal(buf_str(&b), want);
        }
    buf_clear(&b);
    buf_number(&b, UINT64_MAX);
    assert_string_equal(buf_str(&b), "18446744073709551615");
    buf_free(&b);
}

static void test_space(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_puts(&b, "ab");
    memcpy(buf_space(&b, 3), "cde", 3);
    assert_string_equal(buf_str(&b), "abcde");
    buf_cut(&b, 1);
    assert_string_equal(buf_str(&b), "a");
    assert_null(buf_space(&b, SIZE_MAX / 2));
    assert_int_equal(b.err, E_NOMEM);
    buf_free(&b);
    buf_cut(&b, 0); /* nothing there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow),    cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_kinds),   cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_space),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
