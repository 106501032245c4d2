/* ICMP errors as routers send them, and all that is not one. */
#include "io/icmp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void put_sum(uint8_t *icmp, size_t n)
{
    uint32_t sum = 0;
    put_u16(icmp + 2, 0);
    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)icmp[i] << (i & 1 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put_u16(icmp + 2, (uint16_t)~sum);
}

/* The error about a packet of 1420 bytes with `quoted` bytes behind its IP header. */
static size_t error4(uint8_t *p, uint8_t proto, uint16_t mtu, size_t quoted)
{
    size_t n = 20 + 8 + 20 + quoted;
    memset(p, 0, n);
    p[0] = 0x45;
    p[20] = 3;
    p[21] = 4;
    put_u16(p + 26, mtu);
    uint8_t *ip = p + 28, *l4 = ip + 20;
    ip[0] = 0x45;
    put_u16(ip + 2, 1420);
    ip[9] = proto;
    put_u32(ip + 12, 0x0a000001);
    put_u32(ip + 16, 0x0a000002);
    if (proto == 17 && quoted >= 8) {
        put_u16(l4, 4500);
        put_u16(l4 + 2, 4501);
        l4 += 8;
        quoted -= 8;
    }
    if (proto == 51 && quoted >= 4) {
        l4 += 4;
        quoted -= 4;
    }
    if (quoted >= 8) {
        put_u32(l4, 0xabcd1234);
        put_u32(l4 + 4, 77);
    }
    put_sum(p + 20, n - 20);
    return n;
}

static size_t error6(uint8_t *p, uint8_t proto, uint32_t mtu, size_t quoted)
{
    size_t n = 8 + 40 + quoted;
    memset(p, 0, n);
    p[0] = 2;
    put_u32(p + 4, mtu);
    p[8] = 0x60;
    p[8 + 6] = proto;
    p[8 + 8] = 0xfd;
    p[8 + 24] = 0xfe;
    uint8_t *l4 = p + 48;
    if (proto == 17 && quoted >= 16) {
        put_u16(l4, 4500);
        put_u16(l4 + 2, 4501);
        l4 += 8;
    }
    if (quoted >= 16 || proto == 50) {
        put_u32(l4, 0xabcd1234);
        put_u32(l4 + 4, 77);
    }
    return n;
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        unsigned family;
        uint8_t proto;
        uint16_t mtu, want;
        size_t quoted;
        bool ok;
    } cases[] = {{4, 50, 1300, 1300, 8, true},   {4, 50, 1300, 1300, 200, true},
                 {4, 50, 0, 1006, 8, true},      {4, 17, 1300, 1300, 16, true},
                 {4, 17, 1300, 1300, 8, true},   {4, 17, 1300, 1300, 15, true},
                 {4, 17, 1300, 0, 7, false},     {4, 50, 1300, 0, 7, false},
                 {4, 51, 1300, 1300, 12, true},  {4, 51, 1300, 0, 11, false},
                 {6, 17, 1300, 1300, 900, true}, {4, 6, 1300, 0, 20, false},
                 {4, 51, 1300, 1300, 20, true},  {6, 50, 1300, 1300, 8, true},
                 {6, 50, 0, 0, 8, false},        {6, 50, 1300, 1300, 900, true},
                 {6, 6, 1300, 0, 20, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t p[1500];
        struct icmp_quote q;
        size_t n = cases[i].family == 4 ? error4(p, cases[i].proto, cases[i].mtu, cases[i].quoted)
                                        : error6(p, cases[i].proto, cases[i].mtu, cases[i].quoted);
        bool ok = icmp_parse(cases[i].family, bytes_of(p, n), &q);
        bool weak = cases[i].proto == 17 && cases[i].quoted < 16;
        if (ok != cases[i].ok ||
            (ok && (q.mtu != cases[i].want || q.spi != (weak ? 0 : 0xabcd1234) ||
                    q.seq != (weak ? 0 : 77) || q.udp != (cases[i].proto == 17) ||
                    q.ah != (cases[i].proto == 51) || q.weak != weak)))
            fail_msg("case %zu", i);
        if (ok && q.udp)
            assert_true(q.local.port == 4500 && q.remote.port == 4501);
        if (ok && cases[i].family == 4)
            assert_true(q.local.addr.ip[3] == 1 && q.remote.addr.ip[3] == 2);
    }
}

/* Every bit of the ICMPv4 message counts; every length is survived. */
static void test_bad(void **state)
{
    (void)state;
    uint8_t p[200];
    struct icmp_quote q;
    size_t n = error4(p, 50, 1300, 16);
    for (size_t i = 20 * 8; i < n * 8; i++) {
        p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(icmp_parse(4, bytes_of(p, n), &q));
        p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (unsigned family = 4; family <= 6; family += 2)
        for (size_t len = 0; len < n; len++) {
            uint8_t *exact = malloc(len + !len);
            assert_non_null(exact);
            n = family == 4 ? error4(p, 17, 1300, 24) : error6(p, 17, 1300, 24);
            memcpy(exact, p, len);
            (void)!icmp_parse(family, bytes_of(exact, len), &q);
            free(exact);
        }
    n = error4(p, 50, 1300, 16);
    p[28 + 6] = 0x20; /* a later fragment has no SPI where we look */
    p[28 + 7] = 1;
    put_sum(p + 20, n - 20);
    assert_false(icmp_parse(4, bytes_of(p, n), &q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
