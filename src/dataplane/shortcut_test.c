/*
 * The packet path's shortcuts beside what they stand for: a train's next packet (train.h) and the
 * full parse; two masked words (struct sel_v4) and the compiled selectors. Random packets that
 * differ little, same answer.
 */
#include "dataplane/testkit.h"
#include "dataplane/train.h"
#include "dataplane/sel.h"
#include <stdlib.h>

static uint64_t rnd(void)
{
    static uint64_t s = 1;
    uint64_t z = s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 27;
}

static const uint8_t udp[32] = {0x45, 0, 0, 32, 0, 7, 0, 0, 64, 17, 1, 2, 10, 1, 0, 1,
                                10,   2, 0, 9,  1, 2, 3, 4, 0,  12, 0, 0, 1,  2, 3, 4};

/* One or two bits of the first 24 bytes change; whoever is taken for the same flow is. */
static void test_train(void **state)
{
    (void)state;
    unsigned taken = 0, left = 0;
    for (int i = 0; i < 200000; i++) {
        uint8_t a[32], b[32];
        struct ip_info ia, ib;
        struct train t = {0};
        memcpy(a, udp, sizeof a);
        if (rnd() & 1)
            a[rnd() % 24] ^= (uint8_t)(1u << rnd() % 8);
        memcpy(b, a, sizeof b);
        for (uint64_t k = rnd() % 3; k; k--)
            b[rnd() % 24] ^= (uint8_t)(1u << rnd() % 8);
        if (ip_parse(a, sizeof a, &ia))
            continue;
        train_start(&t, a, &ia);
        uint32_t cut = 8 + (uint32_t)rnd() % 25, len = train_next(&t, b, cut);
        err_t e = ip_parse(b, cut, &ib);
        if (len) {
            taken++;
            assert_int_equal(e, E_OK);
            assert_int_equal(len, ib.len);
            assert_true(flow_eq(&ia.flow, &ib.flow));
            assert_int_equal(b[1], ib.tos);
            assert_int_equal((b[6] & 0x40) != 0, ib.df);
        } else if (!e && flow_eq(&ia.flow, &ib.flow)) {
            left++;
        }
    }
    assert_true(taken > 1000 && left > 0);
}

static struct ts side(uint32_t lo, uint32_t hi)
{
    struct ts t = {.port_hi = 0xffff, .lo.family = 4, .hi.family = 4};
    put_u32(t.lo.ip, lo);
    put_u32(t.hi.ip, hi);
    return t;
}

struct v4_case {
    const char *name;
    struct ts_list local, remote;
    bool quick;
};

static void check_v4(const struct v4_case *c)
{
    struct sel_set *s = malloc(sel_set_size(&c->local, &c->remote));
    assert_non_null(s);
    sel_set_init(s, &c->local, &c->remote);
    struct sel_v4 q = sel_v4_received(s);
    unsigned in = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t p[28] = {0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17};
        struct ip_info ip;
        put_u32(p + 12, 0x0a020000u ^ (uint32_t)rnd() >> rnd() % 32);
        put_u32(p + 16, 0x0a010000u ^ (uint32_t)rnd() >> rnd() % 32);
        assert_int_equal(ip_parse(p, sizeof p, &ip), E_OK);
        bool want = sel_set_match_received(s, &ip.flow);
        bool got = (get_u64(p + 12) & q.mask) == q.net;
        in += got;
        if (got != (want && c->quick))
            fail_msg("%s: %d instead of %d", c->name, got, want);
    }
    assert_int_equal(in > 0, c->quick);
    free(s);
}

static void test_v4(void **state)
{
    (void)state;
    struct ts udp_only = side(0x0a010000, 0x0a01ffff), port = udp_only, six = udp_only;
    udp_only.proto = 17;
    port.port_lo = port.port_hi = 53;
    six.lo.family = six.hi.family = 6;
    const struct ts l = side(0x0a010000, 0x0a01ffff), r = side(0x0a020000, 0x0a0200ff);
    const struct v4_case cases[] = {
        {"prefixes", {1, {l}}, {1, {r}}, true},
        {"all addresses", {1, {side(0, UINT32_MAX)}}, {1, {side(0, UINT32_MAX)}}, true},
        {"a single address", {1, {l}}, {1, {side(0x0a020000, 0x0a020000)}}, true},
        {"range, not a prefix", {1, {l}}, {1, {side(0x0a020001, 0x0a0200ff)}}, false},
        {"range over a border", {1, {l}}, {1, {side(0x0a0200ff, 0x0a020100)}}, false},
        {"two", {1, {l}}, {2, {r, r}}, false},
        {"protocol", {1, {udp_only}}, {1, {r}}, false},
        {"port", {1, {port}}, {1, {r}}, false},
        {"IPv6", {1, {six}}, {1, {r}}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_v4(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_train), cmocka_unit_test(test_v4)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
