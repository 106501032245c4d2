/* Headers around ESP: round trips, every length off by one, every field that lies. */
#include "io/frame.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { ESP = 24 };

static size_t make(uint8_t *out, uint8_t family, uint8_t tos, bool df)
{
    struct io_msg m = {.len = ESP, .tos = tos, .df = df};
    m.local.addr.family = m.remote.addr.family = family;
    memset(m.local.addr.ip, 0x11, family == 4 ? 4 : 16);
    memset(m.remote.addr.ip, 0x22, family == 4 ? 4 : 16);
    static const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
    frame_put_ether(out, mac, mac, family);
    size_t n = FRAME_ETHER + frame_put_ip(out + FRAME_ETHER, &m, 0x1234);
    memset(out + n, 0xe5, ESP);
    return n + ESP;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint8_t buf[128] = {0};
        size_t n = make(buf, family, 0xb9, true);
        struct io_msg m = {.data = buf, .len = (uint32_t)n + 10}; /* padding behind */
        frame_take_ether(&m);
        assert_int_equal(m.len, ESP);
        assert_ptr_equal(m.data, buf + n - ESP);
        assert_int_equal(m.tos, 0xb9);
        assert_int_equal(m.local.addr.family, family);
        assert_int_equal(m.local.addr.ip[3], 0x22);
        assert_int_equal(m.remote.addr.ip[3], 0x11);
        assert_int_equal(m.remote.port, 0);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        uint8_t buf[128] = {0};
        size_t n = make(buf, family, 0, false);
        for (size_t cut = 0; cut <= n; cut++) {
            struct io_msg m = {.data = buf, .len = (uint32_t)cut};
            frame_take_ether(&m);
            assert_int_equal(m.len, cut == n ? ESP : 0);
        }
    }
}

static const struct lie {
    const char *name;
    uint8_t family, at, value;
    bool sum; /* with a checksum that fits the lie */
} lies[] = {
    {"IHL 4", 4, 0, 0x44, true},
    {"IHL 6", 4, 0, 0x46, true},
    {"version 6 in IPv4", 4, 0, 0x65, true},
    {"total length one more", 4, 3, FRAME_IP4 + ESP + 1, true},
    {"total length of the header", 4, 3, FRAME_IP4, true},
    {"total length 0", 4, 3, 0, true},
    {"total length 65535", 4, 2, 0xff, true},
    {"more fragments", 4, 6, 0x20, true},
    {"fragment offset", 4, 7, 1, true},
    {"protocol AH", 4, 9, 51, true},
    {"checksum", 4, 8, 63, false},
    {"version 4 in IPv6", 6, 0, 0x45, false},
    {"payload length one more", 6, 5, ESP + 1, false},
    {"payload length 65535", 6, 4, 0xff, false},
    {"payload length 7", 6, 5, 7, false},
    {"next header fragment", 6, 6, 44, false},
};

static void fix_sum(uint8_t *ip)
{
    uint32_t sum = 0;
    put_u16(ip + 10, 0);
    for (size_t i = 0; i < FRAME_IP4; i += 2)
        sum += get_u16(ip + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put_u16(ip + 10, (uint16_t)~sum);
}

static void test_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t buf[128] = {0};
        size_t n = make(buf, lies[i].family, 0, false);
        buf[FRAME_ETHER + lies[i].at] = lies[i].value;
        if (lies[i].sum)
            fix_sum(buf + FRAME_ETHER);
        struct io_msg m = {.data = buf, .len = (uint32_t)n};
        frame_take_ether(&m);
        if (m.len != 0)
            fail_msg("taken: %s", lies[i].name);
    }
}

static void test_wrong_ethertype(void **state)
{
    (void)state;
    uint8_t buf[128] = {0};
    size_t n = make(buf, 4, 0, false);
    put_u16(buf + 12, 0x86dd);
    struct io_msg m = {.data = buf, .len = (uint32_t)n};
    frame_take_ether(&m);
    assert_int_equal(m.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_wrong_ethertype),
    };
    return cmocka_run_group_tests_name("io/frame", tests, NULL, NULL);
}
