/* The IP parser: a table of packets, every truncation of each in a buffer of exactly that size. */
#include "dataplane/testkit.h"
#include <stdlib.h>

#define V4(total, frag, proto)                                                                     \
    0x45, 0xb9, (total) >> 8, (total)&255, 0, 1, (frag) >> 8, (frag)&255, 64, proto, 0, 0, 10, 1,  \
        0, 1, 10, 2, 0, 2
#define V6(payload, next)                                                                          \
    0x6b, 0x90, 0, 0, (payload) >> 8, (payload)&255, next, 64, 0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 1, 0xfd, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2
#define UDP  0x12, 0x34, 0x56, 0x78, 0, 8, 0, 0
#define NOP8 1, 4, 0, 0, 0, 0

struct ip_case {
    const char *name;
    uint32_t n;
    uint8_t b[200];
    err_t want;
    unsigned proto;
    uint32_t len, l4;
    uint16_t sport, dport;
    bool ports, df, later;
};

static const struct ip_case cases[] = {
    {"UDP", 28, {V4(28, 0, 17), UDP}, E_OK, 17, 28, 20, 0x1234, 0x5678, true, false, false},
    {"DF", 28, {V4(28, 0x4000, 6), UDP}, E_OK, 6, 28, 20, 0x1234, 0x5678, true, true, false},
    {"longer buffer", 30, {V4(28, 0, 17), UDP}, E_OK, 17, 28, 20, 0x1234, 0x5678, true},
    {"first fragment", 28, {V4(28, 0x2000, 17), UDP}, E_OK, 17, 28, 20, 0x1234, 0x5678, true},
    {"later fragment", 28, {V4(28, 0x2001, 17), UDP}, E_OK, 17, 28, 20, 0, 0, false, false, true},
    {"ICMP: type and code on both sides",
     28,
     {V4(28, 0, 1), 8, 0},
     E_OK,
     1,
     28,
     20,
     0x800,
     0x800,
     true},
    {"GRE has no ports", 28, {V4(28, 0, 47), UDP}, E_OK, 47, 28, 20, 0, 0, false},
    {"UDP cut before its ports", 23, {V4(23, 0, 17), 1, 2, 3}, E_OK, 17, 23, 20, 0, 0, false},
    {"version 5", 28, {0x55}, R_DP_INNER},
    {"version 0", 28, {0}, R_DP_INNER},
    {"header of 16", 28, {0x44, 0, 0, 28}, R_DP_INNER},
    {"header beyond the total", 28, {0x46, 0, 0, 20}, R_DP_INNER},
    {"total below the header", 28, {V4(19, 0, 17)}, R_DP_INNER},
    {"total beyond the buffer", 28, {V4(29, 0, 17), UDP}, R_DP_INNER},
    {"IPv6 UDP", 48, {V6(8, 17), UDP}, E_OK, 17, 48, 40, 0x1234, 0x5678, true, true},
    {"ICMPv6", 48, {V6(8, 58), 128, 0}, E_OK, 58, 48, 40, 0x8000, 0x8000, true, true},
    {"hop-by-hop", 56, {V6(16, 0), 17, 0, NOP8, UDP}, E_OK, 17, 56, 48, 0x1234, 0x5678, true, true},
    {"routing, destination options",
     64,
     {V6(24, 43), 60, 0, NOP8, 17, 0, NOP8, UDP},
     E_OK,
     17,
     64,
     56,
     0x1234,
     0x5678,
     true,
     true},
    {"AH counts in words of four",
     60,
     {V6(20, 51), 17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, UDP},
     E_OK,
     17,
     60,
     52,
     0x1234,
     0x5678,
     true,
     true},
    {"IPv6 first fragment",
     56,
     {V6(16, 44), 17, 0, 0, 1, 0, 0, 0, 9, UDP},
     E_OK,
     17,
     56,
     48,
     0x1234,
     0x5678,
     true,
     true},
    {"IPv6 later fragment",
     56,
     {V6(16, 44), 17, 0, 0, 8, 0, 0, 0, 9, UDP},
     E_OK,
     17,
     56,
     48,
     0,
     0,
     false,
     true,
     true},
    {"extension header beyond the packet", 56, {V6(16, 0), 17, 2, NOP8, UDP}, R_DP_INNER},
    {"extension header cut", 44, {V6(4, 0), 17, 0, 1, 2}, R_DP_INNER},
    {"payload beyond the buffer", 48, {V6(9, 17), UDP}, R_DP_INNER},
    {"no next header", 40, {V6(0, 59)}, E_OK, 59, 40, 40, 0, 0, false, true},
};

static void check(const struct ip_case *c)
{
    struct ip_info o;
    err_t e = ip_parse(c->b, c->n, &o);
    if (e != c->want)
        fail_msg("%s: %s", c->name, err_name(e));
    if (e)
        return;
    if (flow_proto(&o.flow) != c->proto || o.len != c->len || o.l4 != c->l4 ||
        flow_lport(&o.flow) != c->sport || flow_rport(&o.flow) != c->dport ||
        !!(o.flow.meta & FLOW_PORTS) != c->ports || o.df != c->df || o.later_frag != c->later ||
        o.tos != 0xb9)
        fail_msg("%s", c->name);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(&cases[i]);
}

/* Shorter than its own length field: never accepted, nothing read behind the end. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint32_t n = 0; n < cases[i].n; n++) {
            uint8_t *exact = malloc(n ? n : 1);
            struct ip_info o;
            assert_non_null(exact);
            memcpy(exact, cases[i].b, n);
            err_t e = ip_parse(exact, n, &o);
            if (cases[i].want || n < cases[i].len)
                assert_true(e == R_DP_SHORT || e == R_DP_INNER);
            free(exact);
        }
    }
}

/* A chain of extension headers as long as the packet ends somewhere. */
static void test_chain(void **state)
{
    (void)state;
    uint8_t b[40 + 8 * 100] = {V6(800, 0)};
    struct ip_info o;
    assert_int_equal(ip_parse(b, sizeof b, &o), R_DP_INNER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
