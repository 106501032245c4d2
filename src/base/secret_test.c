/* Secrets: ownership, comparison. */
#include "base/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_set(void **state)
{
    struct secret s = {0};
    (void)state;
    assert_int_equal(secret_set(&s, bytes_of("key1", 4)), 0);
    assert_true(bytes_eq(secret_bytes(&s), bytes_of("key1", 4)));
    assert_int_equal(secret_set(&s, bytes_of("longer key", 10)), 0);
    assert_int_equal(s.n, 10);
    /* a part of itself */
    assert_int_equal(secret_set(&s, bytes_of(s.p + 7, 3)), 0);
    assert_true(bytes_eq(secret_bytes(&s), bytes_of("key", 3)));
    assert_int_equal(secret_set(&s, bytes_of(NULL, 0)), 0);
    assert_int_equal(s.n, 0);
    secret_free(&s);
    assert_null(s.p);
    secret_free(&s);
}

static void test_alloc(void **state)
{
    struct secret s = {0};
    (void)state;
    assert_int_equal(secret_alloc(&s, 32), 0);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(s.p[i], 0);
    s.p[0] = 1;
    assert_int_equal(secret_alloc(&s, 4), 0); /* never the old bytes */
    assert_int_equal(s.n, 4);
    assert_int_equal(s.p[0], 0);
    secret_free(&s);
}

static void test_move(void **state)
{
    struct secret a = {0}, b = {0};
    (void)state;
    assert_int_equal(secret_set(&a, bytes_of("a", 1)), 0);
    assert_int_equal(secret_set(&b, bytes_of("bb", 2)), 0);
    secret_move(&a, &b);
    assert_int_equal(a.n, 2);
    assert_null(b.p);
    secret_move(&a, &a);
    assert_int_equal(a.n, 2);
    secret_move(&a, &b);
    assert_null(a.p);
}

static void test_eq(void **state)
{
    uint8_t a[40], b[40];
    (void)state;
    for (size_t n = 0; n <= sizeof a; n++) {
        memset(a, 0x5a, sizeof a);
        memset(b, 0x5a, sizeof b);
        assert_true(secret_eq(a, b, n));
        for (size_t bit = 0; bit < n * 8; bit++) {
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(secret_eq(a, b, n));
            b[bit / 8] = 0x5a;
        }
    }
}

static void test_wipe(void **state)
{
    uint8_t a[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)state;
    secret_wipe(a + 1, 6);
    assert_memory_equal(a, "\1\0\0\0\0\0\0\x08", 8);
    secret_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set), cmocka_unit_test(test_alloc), cmocka_unit_test(test_move),
        cmocka_unit_test(test_eq),  cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests_name("base/secret", tests, NULL, NULL);
}
