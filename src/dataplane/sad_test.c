/* SPIs: never below 256, never twice at a time, never the same again in a slot, flat when full. */
#include "dataplane/testkit.h"
#include <stdlib.h>

static const uint64_t seed[2] = {1, 2};

static void test_all_slots(void **state)
{
    (void)state;
    struct sad t;
    static uint32_t spi[1024];
    assert_int_equal(sad_init(&t, 1024, seed), E_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1024; i++) {
            spi[i] = sad_alloc(&t);
            assert_true(spi[i] >= SPI_MIN);
            assert_true(sad_reserved(&t, spi[i]));
            assert_null(sad_find(&t, spi[i]));
        }
        assert_int_equal(sad_alloc(&t), 0);
        for (int i = 0; i < 1024; i++) {
            sad_release(&t, spi[i]);
            assert_false(sad_reserved(&t, spi[i]));
        }
        assert_int_equal(t.used, 0);
    }
    sad_fini(&t);
}

static void test_find(void **state)
{
    (void)state;
    struct sad t;
    struct sa_in *sa = (struct sa_in *)&t; /* any address will do */
    assert_int_equal(sad_init(&t, 16, seed), E_OK);
    uint32_t spi = sad_alloc(&t);
    sad_slot_of(&t, spi)->sa = sa;
    assert_ptr_equal(sad_find(&t, spi), sa);
    assert_null(sad_find(&t, spi ^ 0x80000000u)); /* another generation */
    assert_null(sad_find(&t, spi ^ 1));
    assert_null(sad_find(&t, 0));
    sad_release(&t, spi);
    assert_null(sad_find(&t, spi));
    sad_fini(&t);
}

/* Every SPI says whose it is, whatever is left for its generation. */
static void test_tags(void **state)
{
    (void)state;
    static const struct {
        uint32_t workers, size;
    } cases[] = {{1, 16}, {2, 16}, {3, 1024}, {4, 131072}, {64, 1024}, {64, 1u << 24}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t workers = cases[i].workers;
        assert_true(dp_tag_bits(workers) <= SAD_TAG_BITS);
        for (uint32_t self = 0; self<workers; self += workers> 4 ? 21 : 1) {
            struct sad t;
            assert_int_equal(sad_init(&t, cases[i].size, seed), E_OK);
            sad_tag(&t, dp_tag_bits(workers), self);
            for (int n = 0; n < 300 && (uint32_t)n < cases[i].size; n++) {
                uint32_t spi = sad_alloc(&t);
                assert_true(spi >= SPI_MIN);
                assert_int_equal(dp_spi_worker(spi, workers), self);
                assert_int_equal(spi & t.mask, n);
            }
            sad_fini(&t);
        }
    }
    for (uint32_t tag = 0; tag < 4; tag++) /* of three workers: no tag is nobody's */
        assert_true(dp_spi_worker(tag << 30 | 0x1234, 3) < 3);
}

static void test_adopted(void **state)
{
    (void)state;
    struct sad t;
    assert_int_equal(sad_init(&t, 16, seed), E_OK);
    assert_false(sad_adopt(&t, 255)); /* RFC 4303 2.1 */
    assert_true(sad_adopt(&t, 0x1003));
    assert_false(sad_adopt(&t, 0x2003)); /* same slot */
    assert_true(sad_take(&t, 0x1003));
    assert_false(sad_take(&t, 0x1003));
    for (int i = 0; i < 15; i++)
        assert_int_not_equal(sad_alloc(&t), 0);
    assert_int_equal(sad_alloc(&t), 0);
    sad_release(&t, 0x1003);
    uint32_t again = sad_alloc(&t);
    assert_int_equal(again & 15, 3);
    assert_true(sad_take(&t, again));
    sad_fini(&t);
}

/* Random use against a list: no SPI is given twice, the count is right. */
static void test_random(void **state)
{
    (void)state;
    struct sad t;
    uint32_t live[64];
    size_t n = 0;
    uint64_t rnd = 7;
    assert_int_equal(sad_init(&t, 64, seed), E_OK);
    for (int i = 0; i < 100000; i++) {
        uint64_t r = kit_rand(&rnd);
        if (r & 1 && n < 64) {
            uint32_t spi = r & 6 ? sad_alloc(&t) : (uint32_t)(r >> 20) | 0x100;
            if (!(r & 6) && !sad_adopt(&t, spi))
                continue;
            assert_int_not_equal(spi, 0);
            for (size_t k = 0; k < n; k++)
                assert_int_not_equal(live[k], spi);
            live[n++] = spi;
        } else if (n) {
            size_t k = (r >> 8) % n;
            sad_release(&t, live[k]);
            live[k] = live[--n];
        }
        assert_int_equal(t.used, n);
    }
    sad_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_slots), cmocka_unit_test(test_find),
        cmocka_unit_test(test_tags),      cmocka_unit_test(test_adopted),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
