/* vnet headers: what is written is read back, behind nothing and behind an Ethernet header. */
#include "io/vnet.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

enum { ETHER = 14 };

static const struct gso kinds[] = {
    {0},
    {.needs_csum = true, .csum_start = 20, .csum_offset = 16},
    {.kind = GSO_TCP4,
     .needs_csum = true,
     .size = 1400,
     .hdr_len = 52,
     .csum_start = 20,
     .csum_offset = 16},
    {.kind = GSO_TCP6,
     .ecn = true,
     .needs_csum = true,
     .size = 1,
     .hdr_len = 60,
     .csum_start = 40,
     .csum_offset = 16},
    {.kind = GSO_UDP,
     .needs_csum = true,
     .size = 65000,
     .hdr_len = 28,
     .csum_start = 20,
     .csum_offset = 6},
};

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (uint16_t before = 0; before <= ETHER; before += ETHER) {
            uint8_t h[VNET_HEADER];
            struct gso g;
            vnet_format(&kinds[i], before, h);
            assert_true(vnet_parse(h, before, &g));
            assert_int_equal(g.kind, kinds[i].kind);
            assert_int_equal(g.needs_csum, kinds[i].needs_csum);
            assert_int_equal(g.ecn, kinds[i].ecn);
            assert_int_equal(g.size, kinds[i].size);
            assert_int_equal(g.hdr_len, kinds[i].hdr_len);
            assert_int_equal(g.csum_start, kinds[i].csum_start);
            assert_int_equal(g.csum_offset, kinds[i].csum_offset);
        }
    }
}

/* As the kernel writes it (virtio 1.2, 5.1.6): little-endian, offsets from the Ethernet header. */
static void test_bytes(void **state)
{
    static const uint8_t want[VNET_HEADER] = {1, 1, 66, 0, 0x78, 5, 34, 0, 16, 0};
    uint8_t h[VNET_HEADER];
    (void)state;
    vnet_format(&kinds[2], ETHER, h);
    assert_memory_equal(h, want, sizeof want);
}

static void test_hostile(void **state)
{
    static const struct {
        const char *name;
        uint8_t h[VNET_HEADER];
    } cases[] = {
        {"UDP fragments", {0, 3}},
        {"a kind to come", {0, 6}},
        {"sum in front of the packet", {1, 0, 0, 0, 0, 0, 13, 0, 2, 0}},
    };
    struct gso g;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (vnet_parse(cases[i].h, ETHER, &g))
            fail_msg("%s", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests_name("io/vnet", tests, NULL, NULL);
}
