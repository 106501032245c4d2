/* Fragmentation before encryption: the pieces fit, and the receiver's are the packet again. */
#include "dataplane/testkit.h"

static uint8_t buf[KIT_BUF], own[KIT_BUF], want[65536], got[65536];

/* Takes pieces as RFC 791 says; true: complete. */
struct whole {
    uint32_t have, total; /* bytes of payload */
    uint32_t hlen;        /* of the first */
};

static void take(struct whole *w, const uint8_t *p, uint32_t len, uint32_t mtu)
{
    uint32_t hlen = (p[0] & 15u) * 4u, at = (get_u16(p + 6) & 0x1fffu) * 8;
    assert_true(len <= mtu && len == get_u16(p + 2));
    assert_int_equal(ip_csum(ip_sum(p, hlen, 0)), 0);
    assert_int_equal(get_u16(p + 4), 0x1234);
    memcpy(got + at, p + hlen, len - hlen);
    w->have += len - hlen;
    if (at == 0)
        w->hlen = hlen;
    if (!(get_u16(p + 6) & 0x2000))
        w->total = at + len - hlen;
}

static uint32_t packet(uint8_t *p, uint32_t len, uint32_t opts)
{
    kit_inner(p, len, 4, true);
    p[0] = (uint8_t)(0x45 + opts / 4);
    for (uint32_t i = 0; i < opts; i++)
        p[20 + i] = 1; /* NOP */
    if (opts >= 4)
        memcpy(p + 20, (uint8_t[]){0x94, 4, 0, 0}, 4); /* router alert: copied */
    p[1] = 0xb8;
    put_u16(p + 4, 0x1234);
    put_u16(p + 10, 0);
    put_u16(p + 10, ip_csum(ip_sum(p, 20 + opts, 0)));
    return len;
}

static void through(struct kit *k, uint32_t len, uint32_t opts, uint16_t mtu)
{
    struct child_stats st;
    struct whole w = {0};
    struct dp_pkt p = kit_pkt(buf, packet(buf + DP_HEADROOM, len, opts)), *pp = &p;
    memcpy(want, p.data, len);
    assert_int_equal(dp_child_mtu(k->a, 1, mtu), E_OK);
    assert_true(dp_child_stats(k->a, 1, &st));
    kit_out(k->a, &p);
    assert_int_equal(p.verdict, DP_HELD);
    assert_true(dp_held_ready(k->a));
    while (dp_held_next(k->a, &p, own, sizeof own, 1000)) {
        assert_true(p.len + 20 <= mtu);
        assert_false(p.df);
        assert_int_equal(p.tos, 0xb8);
        kit_cross(&p);
        dp_inbound(k->b, &pp, 1, 1000);
        assert_int_equal(p.verdict, DP_TO_HOST);
        take(&w, p.data, p.len, st.plain_mtu);
    }
    assert_int_equal(w.hlen, 20 + opts);
    assert_int_equal(w.have, len - 20 - opts);
    assert_int_equal(w.total, w.have);
    assert_memory_equal(got, want + 20 + opts, w.total);
}

static void test_sizes(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {576, 1280, 1499, 1500};
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    for (size_t m = 0; m < 4; m++)
        for (uint32_t opts = 0; opts <= 40; opts += 20)
            for (uint32_t len = 1447; len <= 65535; len = len * 5 / 4 + 1)
                through(&k, len, opts, mtus[m]);
    through(&k, 65535, 0, 1500);
    kit_down(&k);
}

/* A piece of a packet is cut further: offsets go on, and only the true last one says so. */
static void test_piece_of_a_piece(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct frag_out f = {0};
        uint8_t *p = want, out[1500];
        packet(p, 3000, 0);
        put_u16(p + 6, (uint16_t)(100 | (more ? 0x2000 : 0)));
        assert_true(frag_out_put(&f, 1, p, 3000));
        uint32_t at = 100, n;
        while (f.count) {
            n = frag_out_cut(&f, out, 1300);
            assert_true(n >= 28 && n <= 1300);
            assert_int_equal(get_u16(out + 6) & 0x1fff, at);
            assert_int_equal(!!(get_u16(out + 6) & 0x2000), more || f.count);
            at += (n - 20) / 8;
        }
        frag_out_fini(&f);
    }
}

/* The store is bounded, keeps order, and is used again from the start. */
static void test_store(void **state)
{
    (void)state;
    struct frag_out f = {0};
    uint64_t seed = 5;
    uint32_t in = 0, out = 0, full = 0;
    uint8_t piece[65535];
    for (int i = 0; i < 20000; i++) {
        uint32_t len = 100 + (uint32_t)(kit_rand(&seed) % 20000);
        memset(want, 0, 64);
        want[0] = 0x45;
        put_u16(want + 2, (uint16_t)len);
        put_u32(want + 12, in);
        if (kit_rand(&seed) % 2) {
            bool ok = frag_out_put(&f, 1, want, len);
            in += ok;
            full += !ok;
        } else if (f.count) {
            assert_true(frag_out_cut(&f, piece, 65535) >= 100);
            assert_int_equal(get_u32(piece + 12), out++);
        }
    }
    assert_true(full > 0 && out > 5000);
    frag_out_fini(&f);
}

/* With DF, as configured, and with selectors of ports there is nothing to cut. */
static void test_not(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.ip = {.fragment = FRAGMENT_AFTER}});
    struct dp_pkt p = kit_pkt(buf, packet(buf + DP_HEADROOM, 2000, 0));
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_TO_NET);
    assert_true(p.len > 2000 && !p.df);
    kit_down(&k);
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    p = kit_pkt(buf, packet(buf + DP_HEADROOM, 2000, 0));
    p.data[6] |= 0x40;
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    assert_int_equal(p.reason, R_DP_TOO_BIG);
    kit_down(&k);
}

/* A second has room for so many ICMP errors, whoever provokes them. */
static void test_rate(void **state)
{
    (void)state;
    struct kit k;
    unsigned told = 0;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    for (int i = 0; i < 5000; i++) {
        struct dp_pkt p = kit_pkt(buf, packet(buf + DP_HEADROOM, 2000, 0)), *pp = &p;
        p.data[6] |= 0x40;
        dp_outbound(k.a, &pp, 1, i < 4000 ? 1000 : 2000);
        told += p.verdict == DP_TO_HOST;
    }
    assert_int_equal(told, 2000);
    kit_down(&k);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_piece_of_a_piece),
        cmocka_unit_test(test_store), cmocka_unit_test(test_not), cmocka_unit_test(test_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
