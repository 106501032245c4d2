/* Arena: zeroed, aligned, separate pieces of every size. */
#include "base/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_pieces(void **state)
{
    struct arena a = {0};
    uint8_t *p[300];
    (void)state;
    for (size_t i = 0; i < 300; i++) {
        size_t n = i * 37 % 5000;
        p[i] = arena_alloc(&a, n);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)(i & 0xff), n);
    }
    for (size_t i = 0; i < 300; i++) /* nobody wrote into another's piece */
        for (size_t k = 0; k < i * 37 % 5000; k++)
            assert_int_equal(p[i][k], i & 0xff);
    arena_free(&a);
    assert_null(a.blocks);
    arena_free(&a);
}

static void test_too_much(void **state)
{
    struct arena a = {0};
    volatile size_t much = SIZE_MAX;
    (void)state;
    assert_null(arena_alloc(&a, much));
    assert_null(arena_alloc(&a, much - 15));
    assert_null(arena_alloc(&a, much / 2 + 1));
    assert_non_null(arena_alloc(&a, 1));
    arena_free(&a);
}

static void test_copy_and_print(void **state)
{
    struct arena a = {0};
    (void)state;
    struct bytes b = arena_copy(&a, bytes_of("abc", 3)), none = arena_copy(&a, bytes_of(NULL, 0));
    assert_true(bytes_eq(b, bytes_of("abc", 3)));
    assert_non_null(none.p);
    assert_int_equal(none.n, 0);
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    assert_string_equal(arena_printf(&a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(&a, "%5000d", 1)), 5000);
    arena_free(&a);
}

/* What comes back is zero again, and nothing of it is lost. */
static void test_borrowed(void **state)
{
    struct arena home = {0}, a, b;
    (void)state;
    assert_true(arena_reserve(&home, 10000));
    arena_borrow(&a, &home);
    arena_borrow(&b, &home);
    void *first = arena_alloc(&a, 9000);
    memset(first, 1, 9000);
    assert_non_null(arena_alloc(&b, 100)); /* of its own: the block is away */
    assert_non_null(arena_alloc(&a, 5000));
    arena_return(&b, &home);
    arena_return(&a, &home);
    assert_null(a.blocks);
    arena_borrow(&a, &home);
    uint8_t *again = arena_alloc(&a, 10000);
    assert_ptr_equal(again, first);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(again[i], 0);
    arena_return(&a, &home);
    arena_return(&a, &home); /* empty: nothing happens */
    arena_free(&home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_borrowed),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_copy_and_print),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
