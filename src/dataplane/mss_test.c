/* The MSS clamp: options in all places, checksums, and headers that lie. */
#include "dataplane/mss.h"
#include "dataplane/testkit.h"
#include <stdlib.h>

static uint16_t sum_of(uint8_t *tcp, uint32_t len)
{
    return ip_csum(ip_sum(tcp, len, 0));
}

/* A SYN with the option at offset `at` of the options, NOPs around it. */
static uint32_t syn(uint8_t *p, uint32_t at, uint32_t opts, uint16_t mss)
{
    memset(p, 0, 60);
    for (uint32_t i = 0; i < 20; i++)
        p[i] = (uint8_t)(i * 37);
    p[12] = (uint8_t)((20 + opts) / 4 << 4);
    p[13] = 2;
    memset(p + 20, 1, opts);
    p[20 + at] = 2;
    p[21 + at] = 4;
    put_u16(p + 22 + at, mss);
    put_u16(p + 16, 0);
    put_u16(p + 16, sum_of(p, 20 + opts));
    return 20 + opts;
}

static void test_places(void **state)
{
    (void)state;
    uint8_t p[60];
    for (uint32_t opts = 4; opts <= 40; opts += 4)
        for (uint32_t at = 0; at + 4 <= opts; at++)
            for (uint32_t mss = 0; mss < 65536; mss += 997) {
                uint32_t len = syn(p, at, opts, (uint16_t)mss);
                bool did = mss_clamp(p, len, 1360);
                assert_int_equal(did, mss > 1360);
                assert_int_equal(get_u16(p + 22 + at), mss > 1360 ? 1360 : mss);
                assert_int_equal(sum_of(p, len), 0);
            }
}

/* Whatever the header says: nothing behind it is read or written. */
static void test_lies(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        uint32_t len = 20 + (uint32_t)(kit_rand(&seed) % 45);
        uint8_t *p = malloc(len);
        assert_non_null(p);
        for (uint32_t k = 0; k < len; k++)
            p[k] = (uint8_t)(kit_rand(&seed) % 5);
        p[12] = (uint8_t)(kit_rand(&seed));
        (void)mss_clamp(p, len, 1);
        free(p);
    }
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t opts[8];
    } cases[] = {{"length 0", {2, 0, 0xff, 0xff, 0, 0, 0, 0}},
                 {"length 1", {8, 1, 2, 4, 0xff, 0xff, 0, 0}},
                 {"length 3", {2, 3, 0xff, 0xff, 0, 0, 0, 0}},
                 {"beyond the header", {1, 1, 1, 1, 1, 1, 2, 4}},
                 {"cut", {1, 1, 1, 1, 1, 1, 1, 2}},
                 {"behind the end of options", {0, 0, 2, 4, 0xff, 0xff, 0, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t p[32] = {[12] = 7 << 4, [13] = 2}, was[32];
        memcpy(p + 20, cases[i].opts, 8);
        memcpy(was, p, sizeof p);
        if (mss_clamp(p, 28, 100) || memcmp(p, was, sizeof p) != 0)
            fail_msg("%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_lies),
                                       cmocka_unit_test(test_broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
