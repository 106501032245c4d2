/* The router's part of forward.c: headers in and out, hop limits, checksums that were left open. */
#include "io/forward.h"
#include "base/cursor.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

enum { LEN4 = 48, LEN6 = 68 };

static uint16_t sum_over(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i += 2)
        sum += get_u16(p + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void seal(uint8_t *ip)
{
    put_u16(ip + 10, 0);
    put_u16(ip + 10, (uint16_t)~sum_over(ip, 20));
}

static void make4(uint8_t p[LEN4 + 8])
{
    static const uint8_t start[20] = {0x45, 0, 0,  LEN4, 0, 7, 0x40, 0, 9, 17,
                                      0,    0, 10, 1,    0, 2, 10,   2, 0, 5};
    memset(p, 0xaa, LEN4 + 8);
    memcpy(p, start, sizeof start);
    seal(p);
}

static void make6(uint8_t p[LEN6 + 8])
{
    static const uint8_t start[40] = {0x60, 0,    0, 0,        0,    LEN6 - 40, 17,
                                      9,    0xfd, 1, [23] = 2, 0xfd, 2,         [39] = 5};
    memset(p, 0xaa, LEN6 + 8);
    memcpy(p, start, sizeof start);
}

static const struct bad {
    const char *name;
    bool v6;
    uint8_t at, value;
    bool broken_sum;
    uint32_t len;
    bool in, out; /* is it still forwarded? */
} bads[] = {
    {"RFC 791: fine", false, 1, 0, false, LEN4, true, true},
    {"padding behind", false, 1, 0, false, LEN4 + 8, true, true},
    {"hop limit 2", false, 8, 2, false, LEN4, true, true},
    {"RFC 1812 5.3.1: hop limit 1 ends here", false, 8, 1, false, LEN4, false, false},
    {"hop limit 0", false, 8, 0, false, LEN4, false, false},
    {"options", false, 0, 0x46, false, LEN4, false, false},
    {"header of 16 bytes", false, 0, 0x44, false, LEN4, false, false},
    {"version 5", false, 0, 0x55, false, LEN4, false, false},
    {"RFC 1812 5.2.2: wrong checksum", false, 1, 0, true, LEN4, false, true},
    {"longer than it is", false, 3, LEN4 + 1, false, LEN4, false, true},
    {"shorter than its header", false, 3, 19, false, LEN4, false, true},
    {"19 bytes", false, 1, 0, false, 19, false, false},
    {"nothing", false, 1, 0, false, 0, false, false},
    {"from loopback", false, 12, 127, false, LEN4, true, false},
    {"to multicast", false, 16, 224, false, LEN4, true, false},
    {"from this network", false, 12, 0, false, LEN4, true, false},
    {"RFC 8200: fine", true, 1, 0, false, LEN6, true, true},
    {"padding behind IPv6", true, 1, 0, false, LEN6 + 8, true, true},
    {"hop limit 1 of IPv6", true, 7, 1, false, LEN6, false, false},
    {"hop-by-hop options", true, 6, 0, false, LEN6, true, false},
    {"longer than it is, IPv6", true, 5, LEN6 - 39, false, LEN6, false, true},
    {"39 bytes", true, 1, 0, false, 39, false, false},
    {"RFC 4291 2.5.6: from a link", true, 8, 0xfe, false, LEN6, true, true}, /* fe01:: is none */
    {"to multicast, IPv6", true, 24, 0xff, false, LEN6, true, false},
};

static void make(uint8_t *p, const struct bad *b)
{
    if (b->v6)
        make6(p);
    else
        make4(p);
    p[b->at] = b->value;
    if (!b->v6)
        seal(p);
    if (b->broken_sum)
        p[10] ^= 1;
}

static void test_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        const struct bad *b = &bads[i];
        uint8_t p[LEN6 + 8], before[sizeof p];
        uint32_t len = b->len, hops = b->v6 ? 7 : 8;
        make(p, b);
        memcpy(before, p, sizeof p);
        if (forward_in(p, &len) != b->in)
            fail_msg("%s", b->name);
        if (!b->in)
            continue;
        assert_int_equal(len, b->v6 ? LEN6 : LEN4);
        assert_int_equal(p[hops], before[hops] - 1);
        if (!b->v6)
            assert_int_equal(sum_over(p, 20), 0xffff);
    }
}

static void test_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        const struct bad *b = &bads[i];
        uint8_t p[LEN6 + 8], before[sizeof p], out[FORWARD_IP6];
        struct addr from, to;
        make(p, b);
        memcpy(before, p, sizeof p);
        size_t n = forward_out(out, p, b->len, &from, &to);
        if ((n != 0) != b->out)
            fail_msg("%s", b->name);
        assert_memory_equal(p, before, sizeof p);
        if (n == 0)
            continue;
        assert_int_equal(n, b->v6 ? 40 : 20);
        assert_int_equal(out[b->v6 ? 7 : 8], p[b->v6 ? 7 : 8] - 1);
        assert_memory_equal(from.ip, p + (b->v6 ? 8 : 12), addr_len(&from));
        assert_memory_equal(to.ip, p + (b->v6 ? 24 : 16), addr_len(&to));
        if (!b->v6 && !b->broken_sum)
            assert_int_equal(sum_over(out, 20), 0xffff);
    }
}

/* Every checksum that a header can have: counting down keeps it right, as the long way does. */
static void test_every_sum(void **state)
{
    uint8_t p[LEN4 + 8];
    (void)state;
    for (uint32_t id = 0; id <= 0xffff; id++) {
        uint32_t len = LEN4;
        make4(p);
        put_u16(p + 4, (uint16_t)id);
        seal(p);
        assert_true(forward_in(p, &len));
        uint16_t sum = get_u16(p + 10);
        seal(p);
        assert_int_equal(sum, get_u16(p + 10));
    }
}

static uint16_t pseudo(const uint8_t *p, bool v6, uint32_t l4_len)
{
    uint32_t sum = sum_over(p + (v6 ? 8 : 12), v6 ? 32 : 8) + p[v6 ? 6 : 9] + l4_len;
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void test_open_csum(void **state)
{
    static const struct {
        uint8_t proto;
        uint16_t offset;
    } kinds[] = {{6, 16}, {17, 6}};
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        for (size_t k = 0; k < 2; k++) {
            uint8_t p[LEN6 + 8];
            uint32_t header = v6 ? 40 : 20, len = header + 28;
            struct gso g = {0};
            if (v6)
                make6(p);
            else
                make4(p);
            p[v6 ? 6 : 9] = kinds[k].proto;
            uint8_t *field = p + header + kinds[k].offset;
            put_u16(field, pseudo(p, v6, 28));
            forward_open_csum(p, len, &g);
            assert_true(g.needs_csum);
            assert_int_equal(g.csum_start, header);
            assert_int_equal(g.csum_offset, kinds[k].offset);
            for (unsigned bit = 0; bit < 16; bit++) {
                g = (struct gso){0};
                put_u16(field, (uint16_t)(pseudo(p, v6, 28) ^ 1u << bit));
                forward_open_csum(p, len, &g);
                assert_false(g.needs_csum);
            }
            put_u16(field, pseudo(p, v6, 28));
            for (uint32_t cut = header; cut < header + kinds[k].offset + 2u; cut++) {
                g = (struct gso){0};
                uint8_t *exact = malloc(cut); /* sanitizers see what is read behind it */
                assert_non_null(exact);
                memcpy(exact, p, cut);
                forward_open_csum(exact, cut, &g);
                assert_false(g.needs_csum);
                free(exact);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_every_sum),
        cmocka_unit_test(test_open_csum),
    };
    return cmocka_run_group_tests_name("io/forward", tests, NULL, NULL);
}
