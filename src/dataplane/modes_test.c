/* AH, transport mode, BEET, IPComp, bundles: there and back, every byte flipped, headers changed on
 * the way. Known packets of others are kernel_test.c and tests/codec. */
#include "dataplane/frag_join.h"
#include "dataplane/modekit.h"

static void there(struct peers *t, uint32_t len)
{
    struct dp_pkt p = mode_sent(t, len), q = mode_arrive(&p, got);
    kit_in(t->k.b, &q);
    if (q.verdict != DP_TO_HOST)
        fail_msg("%s, %u bytes in: %s", t->s->name, len, err_name(q.reason));
    assert_int_equal(q.len, len);
    /* the kernel chooses the identification of a header that it writes, and IPv6 has none */
    bool lost = !p.whole || p.data[0] >> 4 == 6;
    if (plain[0] >> 4 == 4 && t->s->mode != MODE_TUNNEL && lost) {
        memcpy(q.data + 4, plain + 4, 2);
        memcpy(q.data + 10, plain + 10, 2);
    }
    assert_memory_equal(q.data, plain, len);
}

static const uint32_t lengths[] = {40, 41, 42, 43, 44, 45, 46, 47, 60, 100, 255, 576, 1300};

static void lengths_of(struct peers *t)
{
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        there(t, mode_inner(lengths[i], t->inner));
}

static void test_there(void **state)
{
    (void)state;
    static const char *const suites[] = {"aes128-sha256", "null-sha256", "aes128gcm16"};
    for (unsigned i = 0; i < SHAPES * 3 * 16; i++) {
        const struct shape *s = &shapes[i / 48];
        const struct kit_suite *u = kit_suites;
        while (strcmp(u->name, suites[i / 16 % 3]))
            u++;
        struct kit_opts o = {.esn = i & 1, .udp = i & 2, .outer6 = i & 4};
        unsigned inner = i & 8 ? 6 : 4;
        bool ah = s->proto == PROTO_AH || s->ah;
        if ((ah && o.udp) || (s->proto == PROTO_AH && !u->integ) || (s->bare && i / 16 % 3))
            continue;
        struct peers t;
        mode_up(&t, s, inner, u, &o);
        lengths_of(&t);
        kit_down(&t.k);
    }
}

static uint32_t outer_len(const struct dp_pkt *p)
{
    uint32_t ip = p->remote.addr.family == 6 ? 40 : 20;
    return p->whole ? p->len : p->len + ip + (p->udp ? 8 : 0);
}

static uint32_t with_df(uint32_t len, unsigned family)
{
    uint32_t n = mode_inner(len, family);
    if (family == 4) {
        put_u16(plain + 6, 0x4000);
        put_u16(plain + 10, 0);
        put_u16(plain + 10, ip_csum(ip_sum(plain, 20, 0)));
    }
    return n;
}

/* The largest packet that an SA is said to carry fills the path but for its padding, in each shape;
 * one that is longer is refused. */
static void mtu_of(struct peers *t, const struct kit_suite *u)
{
    struct child_stats st;
    assert_true(dp_child_stats(t->k.a, t->k.sa_a.id, &st));
    (void)with_df(st.plain_mtu, t->inner);
    struct dp_pkt p = mode_sent(t, st.plain_mtu);
    uint32_t n = outer_len(&p), pad = 16;
    if (n > st.path_mtu || (!t->s->zip && n + pad <= st.path_mtu))
        fail_msg("%s, %s, inner %u: %u bytes make %u of %u", t->s->name, u->name, t->inner,
                 st.plain_mtu, n, st.path_mtu);
    uint32_t more = with_df(st.plain_mtu + 1u, t->inner);
    memcpy(wire + DP_HEADROOM, plain, more);
    p = kit_pkt(wire, more);
    kit_out(t->k.a, &p);
    assert_int_equal(p.reason, R_DP_TOO_BIG);
}

static void test_mtu(void **state)
{
    (void)state;
    static const char *const suites[] = {"aes128-sha256", "null-sha256", "aes128gcm16"};
    for (unsigned i = 0; i < SHAPES * 3 * 8; i++) {
        const struct shape *s = &shapes[i / 24];
        const struct kit_suite *u = kit_suites;
        while (strcmp(u->name, suites[i / 8 % 3]))
            u++;
        struct kit_opts o = {.udp = i & 1, .outer6 = i & 2};
        unsigned inner = i & 4 ? 6 : 4;
        bool ah = s->proto == PROTO_AH || s->ah;
        if ((ah && o.udp) || (s->proto == PROTO_AH && !u->integ) || (s->bare && i / 8 % 3))
            continue;
        struct peers t;
        mode_up(&t, s, inner, u, &o);
        mtu_of(&t, u);
        kit_down(&t.k);
    }
}

/* Every byte of a packet: the one that was changed is dropped, under a name that says why, and the
 * one that was not is accepted after all of them. */
static void test_flip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SHAPES; i++) {
        struct peers t;
        struct dp_stats st;
        mode_up(&t, &shapes[i], 4, &kit_suites[6], &(struct kit_opts){0});
        struct dp_pkt p = mode_sent(&t, mode_inner(200, 4)), q = mode_arrive(&p, got);
        static uint8_t bad[KIT_BUF];
        for (uint32_t k = 0; k < q.len; k++) {
            memcpy(bad, got, DP_HEADROOM + 200 + 200);
            struct dp_pkt b = q;
            b.data = bad + (q.data - got);
            b.data[k] ^= 1;
            kit_in(t.k.b, &b);
            assert_int_equal(b.verdict, DP_DROP);
            if (b.reason != R_DP_ICV)
                assert_int_equal(b.reason, k < 4 ? R_DP_NO_SA : R_DP_REPLAY);
            assert_true(b.reason == R_DP_ICV || k < 8);
        }
        dp_stats_get(t.k.b, &st);
        assert_int_equal(st.drops[R_DP_ICV] + st.drops[R_DP_NO_SA] + st.drops[R_DP_REPLAY], q.len);
        kit_in(t.k.b, &q);
        assert_int_equal(q.verdict, DP_TO_HOST);
        kit_down(&t.k);
    }
}

struct change {
    const char *name;
    unsigned family;
    uint32_t at;
    uint8_t bits;
    err_t want;
};

/* RFC 4302 3.3.3.1: which fields a router may change. */
static const struct change changes[] = {
    {"IPv4 DSCP and ECN", 4, 1, 0xff, E_OK},
    {"IPv4 flags", 4, 6, 0x40, E_OK},
    {"IPv4 TTL", 4, 8, 0x15, E_OK},
    {"IPv4 checksum", 4, 10, 0xff, E_OK},
    {"IPv4 identification", 4, 5, 1, R_DP_ICV},
    {"IPv4 length", 4, 3, 1, R_DP_ICV},
    {"IPv4 source", 4, 15, 1, R_DP_ICV},
    {"IPv4 destination", 4, 19, 0x80, R_DP_ICV},
    {"IPv6 class", 6, 0, 0x0f, E_OK},
    {"IPv6 flow label", 6, 3, 0xff, E_OK},
    {"IPv6 hop limit", 6, 7, 0x33, E_OK},
    {"IPv6 length", 6, 5, 1, R_DP_ICV},
    {"IPv6 source", 6, 23, 1, R_DP_ICV},
    {"IPv6 destination", 6, 39, 1, R_DP_ICV},
};

static void test_on_the_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct change *c = &changes[i];
        struct peers t;
        mode_up(&t, &shapes[3], c->family, &kit_suites[6],
                &(struct kit_opts){.outer6 = c->family == 6});
        struct dp_pkt p = mode_sent(&t, mode_inner(120, c->family)), q = mode_arrive(&p, got);
        q.data[(int32_t)c->at - q.ip_len] ^= c->bits;
        kit_in(t.k.b, &q);
        if (q.reason != c->want)
            fail_msg("%s: %s", c->name, err_name(q.reason));
        kit_down(&t.k);
    }
}

/* A packet with options or extension headers in front of its UDP. */
static uint32_t with_extras(unsigned family, const uint8_t *extra, uint32_t n, uint8_t first)
{
    uint32_t len = mode_inner(120, family), fixed = family == 4 ? 20 : 40;
    memmove(plain + fixed + n, plain + fixed, len - fixed);
    memcpy(plain + fixed, extra, n);
    struct transport_at at = {fixed + n, family == 4 ? 9 : 6};
    if (family == 4)
        plain[0] = (uint8_t)(0x40 | at.hlen / 4);
    transport_finish(plain, &at, family == 4 ? 17 : first, len - fixed);
    return len + n;
}

static const struct {
    const char *name;
    unsigned family;
    uint8_t first, n;
    uint8_t bytes[40];
    uint8_t change; /* a byte of them that may change on the way; 0: none */
} extras[] = {
    {"record route", 4, 0, 8, {7, 7, 4, 0, 0, 0, 0, 0}, 5},
    {"router alert", 4, 0, 4, {148, 4, 0, 0}, 0},
    {"timestamp", 4, 0, 12, {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 6},
    {"no-ops and end", 4, 0, 4, {1, 1, 0, 0}, 0},
    {"hop-by-hop", 6, 0, 8, {17, 0, 0x3e, 2, 1, 2, 1, 0}, 4},
    {"destination options", 6, 60, 8, {17, 0, 0x1e, 4, 1, 2, 3, 4}, 0},
    {"hop-by-hop, destination", 6, 0, 16, {60, 0, 5, 2, 0, 0, 1, 0, 17, 0, 0x1e, 4, 1, 2, 3, 4}, 0},
};

static void test_extras(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++) {
        for (size_t s = 0; s < SHAPES; s++) {
            struct peers t;
            unsigned f = extras[i].family;
            mode_up(&t, &shapes[s], f, &kit_suites[6], &(struct kit_opts){.outer6 = f == 6});
            there(&t, with_extras(f, extras[i].bytes, extras[i].n, extras[i].first));
            if (strcmp(shapes[s].name, "ah transport") == 0 && extras[i].change) {
                uint32_t len = with_extras(f, extras[i].bytes, extras[i].n, extras[i].first);
                struct dp_pkt p = mode_sent(&t, len), q = mode_arrive(&p, got);
                q.data[(f == 4 ? 20 : 40) + extras[i].change - q.ip_len] ^= 0xff;
                kit_in(t.k.b, &q);
                assert_int_equal(q.verdict, DP_TO_HOST);
            }
            kit_down(&t.k);
        }
    }
}

/* RFC 4302 3.3.3.1.1.2 and 3.3.3.1.2.3: the ICV is that of the packet as it will arrive. */
static void test_source_route(void **state)
{
    (void)state;
    uint8_t v4[32] = {0x48, 0, 0, 100, 1,   2,  0, 0,  9, 51, 0, 0,  10, 1, 2, 3,
                      10,   9, 9, 9,   131, 11, 4, 10, 8, 8,  8, 10, 2,  2, 3, 1};
    assert_int_equal(ah_zero(v4, 32), E_OK);
    assert_memory_equal(v4 + 16, "\x0a\x02\x02\x03", 4);
    uint8_t v6[80] = {0x60, [6] = 43, [39] = 1, [40] = 51, 4, 0, 2, [63] = 2, [79] = 3};
    uint8_t end[80] = {0x60, [6] = 43, [39] = 3, [40] = 51, 4, 0, 0, [63] = 1, [79] = 2};
    assert_int_equal(ah_zero(v6, 80), E_OK);
    assert_memory_equal(v6, end, 80);
    uint8_t odd[64] = {0x60, [6] = 43, [40] = 51, 2, 4, 1}; /* an unknown type, not at its end */
    assert_int_equal(ah_zero(odd, 64), R_DP_HEADER);
}

static uint16_t l4_sum(const uint8_t *p, uint32_t len)
{
    uint32_t sum = ip_sum(p + 12, 8, p[9] + len - 20);
    return ip_csum(ip_sum(p + 20, len - 20, sum));
}

/* RFC 3948 3.1.2: both hosts are behind NATs, and neither knows the other's address. */
static void test_nat_oa(void **state)
{
    (void)state;
    static const uint8_t protos[] = {6, 17, 17, 47};
    for (unsigned i = 0; i < 4; i++) {
        struct peers t;
        mode_up(&t, &shapes[0], 4, &kit_suites[0], &(struct kit_opts){.udp = true});
        struct child_sa *sa = &t.k.sa_b;
        sa->id = 2;
        sa->oa_remote = kit_addr("10.1.2.3");
        sa->oa_local = kit_addr("10.2.2.3");
        sa->local.addr = kit_addr("172.16.5.1");
        sa->remote.addr = kit_addr("198.51.100.77");
        sa->local_ts = (struct ts_list){1, {kit_ts("172.16.5.1/32")}};
        sa->remote_ts = (struct ts_list){1, {kit_ts("198.51.100.77/32")}};
        dp_child_del(t.k.b, 1);
        assert_true(dp_child_add(t.k.b, sa, 0) == E_OK);
        uint32_t len = mode_inner(101, 4);
        plain[9] = protos[i];
        uint32_t at = i == 0 ? 36 : 26;
        memset(plain + at, 0, 2);
        if (i != 2)
            put_u16(plain + at, l4_sum(plain, len));
        struct dp_pkt p = mode_sent(&t, len), q = mode_arrive(&p, got);
        q.local = sa->local;
        q.remote = sa->remote;
        kit_in(t.k.b, &q);
        assert_int_equal(q.verdict, DP_TO_HOST);
        assert_memory_equal(q.data + 12, "\xc6\x33\x64\x4d\xac\x10\x05\x01", 8);
        assert_int_equal(ip_csum(ip_sum(q.data, 20, 0)), 0);
        if (i == 2)
            assert_int_equal(get_u16(q.data + 26), 0);
        else if (i < 2)
            assert_int_equal(l4_sum(q.data, q.len), 0);
        else
            assert_memory_equal(q.data + 20, plain + 20, len - 20);
        kit_down(&t.k);
    }
}

/* In tunnel mode what is too long and may be cut is cut before it is protected, whatever protects
 * it: each piece fits the path. */
static void test_cut_before(void **state)
{
    (void)state;
    static uint8_t own[KIT_BUF];
    for (unsigned i = 0; i < SHAPES; i++) {
        struct peers t;
        struct child_stats st;
        uint32_t have = 0, pieces = 0;
        if (shapes[i].mode != MODE_TUNNEL)
            continue;
        mode_up(&t, &shapes[i], 4, &kit_suites[6], &(struct kit_opts){0});
        assert_true(dp_child_stats(t.k.a, 1, &st));
        memcpy(wire + DP_HEADROOM, plain, mode_inner(4000, 4));
        struct dp_pkt p = kit_pkt(wire, 4000), *pp;
        kit_out(t.k.a, &p);
        assert_int_equal(p.verdict, DP_HELD);
        while (dp_held_next(t.k.a, &p, own, sizeof own, 1000)) {
            assert_true(p.len + (p.whole ? 0u : 20u) <= 1500);
            struct dp_pkt q = mode_arrive(&p, got);
            pp = &q;
            dp_inbound(t.k.b, &pp, 1, 1000);
            assert_int_equal(q.verdict, DP_TO_HOST);
            assert_true(q.len <= st.plain_mtu && get_u16(q.data + 6));
            have += q.len - 20;
            pieces++;
        }
        assert_int_equal(have, 4000 - 20);
        assert_int_equal(pieces, 3);
        kit_down(&t.k);
    }
}

/* A bundle's ESP without its AH is not for us: RFC 4301 5.2. */
static void test_bundle_alone(void **state)
{
    (void)state;
    struct peers t;
    mode_up(&t, &shapes[6], 4, &kit_suites[6], &(struct kit_opts){0});
    struct dp_pkt p = mode_sent(&t, mode_inner(100, 4)), q = mode_arrive(&p, got);
    uint32_t ah = ah_size(4, 16);
    struct dp_pkt bare = {.data = q.data - 4 + ah, .len = q.len + 4 - ah, .local = q.local};
    kit_in(t.k.b, &bare);
    assert_int_equal(bare.reason, R_DP_ENCAP);
    kit_in(t.k.b, &q);
    assert_int_equal(q.verdict, DP_TO_HOST);
    kit_down(&t.k);
}

/* Several addresses on a side: no packet would say which. */
static void test_beet_ranges(void **state)
{
    (void)state;
    static const char *const wide[] = {"10.1.2.3/31", "10.2.0.0/16", "fd01::5/128"};
    const struct shape s = {"esp beet", PROTO_ESP, MODE_BEET, false, false};
    for (size_t i = 0; i < 2 * sizeof wide / sizeof *wide; i++) {
        struct peers t;
        mode_up(&t, &s, 4, &kit_suites[0], &(struct kit_opts){0});
        dp_child_del(t.k.a, t.k.sa_a.id);
        t.k.sa_a.spi_in = dp_spi_alloc(t.k.a);
        struct ts_list *l = i % 2 ? &t.k.sa_a.local_ts : &t.k.sa_a.remote_ts;
        l->ts[0] = kit_ts(wide[i / 2]);
        assert_int_equal(dp_child_add(t.k.a, &t.k.sa_a, 0), E_NOTSUP);
        kit_down(&t.k);
    }
}

/* What shrinks is sent smaller; what does not, as it is (RFC 3173 2.2). */
static void test_ipcomp(void **state)
{
    (void)state;
    struct peers t;
    uint64_t rand = 7;
    mode_up(&t, &shapes[8], 4, &kit_suites[0], &(struct kit_opts){0});
    uint32_t len = mode_inner(1000, 4);
    memset(plain + 28, 'x', len - 28);
    struct dp_pkt p = mode_sent(&t, len);
    assert_true(p.len < 200);
    there(&t, len);
    for (unsigned i = 0; i < 100; i++) {
        mode_inner(1000, 4);
        for (uint32_t k = 28; k < 1000; k++)
            plain[k] = (uint8_t)kit_rand(&rand);
        p = mode_sent(&t, len);
        assert_true(p.len > 1000);
        there(&t, len);
    }
    kit_down(&t.k);
}

/* A stream that ends early, or unfolds to more than a packet holds. */
static void test_ipcomp_bad(void **state)
{
    (void)state;
    struct ipcomp *z;
    static uint8_t b[65536], out[65536];
    uint32_t len = 65000, n;
    assert_int_equal(ipcomp_new(&z), E_OK);
    memset(b, 'a', sizeof b);
    assert_true(ipcomp_pack(z, b, &len, 17, 2));
    assert_int_equal(ipcomp_unpack(z, b + 4, len - 4, out, 65535, &n), E_OK);
    assert_int_equal(n, 65000);
    assert_int_equal(ipcomp_unpack(z, b + 4, len - 4, out, 64999, &n), R_DP_IPCOMP);
    for (uint32_t i = 0; i < len - 4; i++)
        assert_int_equal(ipcomp_unpack(z, b + 4, i, out, 65535, &n), R_DP_IPCOMP);
    assert_int_equal(ipcomp_unpack(z, b + 4, len - 3, out, 65535, &n), R_DP_IPCOMP);
    ipcomp_free(z);
}

/* The i-th piece of `plain`, `each` bytes of payload long, as the kernel cuts it. */
static uint32_t piece(uint8_t *out, uint32_t len, uint32_t each, uint32_t i, uint16_t id)
{
    bool v4 = plain[0] >> 4 == 4;
    uint32_t hlen = v4 ? 20 : 40, rest = len - hlen - i * each, n = rest < each ? rest : each;
    uint16_t more = rest > each;
    memcpy(out, plain, hlen);
    if (v4) {
        struct transport_at at = {20, 9};
        put_u16(out + 4, id);
        put_u16(out + 6, (uint16_t)(i * each / 8 | (uint32_t)more << 13));
        memcpy(out + 20, plain + 20 + i * each, n);
        transport_finish(out, &at, plain[9], n);
        return 20 + n;
    }
    put_u16(out + 4, (uint16_t)(n + 8));
    out[6] = 44;
    put_u32(out + 40, (uint32_t)plain[6] << 24 | i * each | more);
    put_u32(out + 44, id);
    memcpy(out + 48, plain + 40 + i * each, n);
    return 48 + n;
}

static err_t put_piece(struct peers *t, uint32_t len, uint32_t i, uint16_t id, struct dp_pkt *p)
{
    *p = kit_pkt(wire, piece(wire + DP_HEADROOM, len, 1000, i, id));
    kit_out(t->k.a, p);
    return p->verdict == DP_DROP ? p->reason : E_OK;
}

/* RFC 4303 3.1.1: transport mode is for whole packets, so pieces of this host's are joined. */
static void test_fragments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct peers t;
        struct dp_pkt p, q;
        bool v6 = i & 1;
        mode_up(&t, &shapes[i < 2 ? 0 : 3], v6 ? 6 : 4, &kit_suites[6],
                &(struct kit_opts){.outer6 = v6});
        uint32_t len = mode_inner(3333, v6 ? 6 : 4);
        for (uint16_t id = 1; id < 40; id++) {
            if (!v6) {
                put_u16(plain + 4, id);
                transport_finish(plain, &(struct transport_at){20, 9}, 17, len - 20);
            }
            for (uint32_t k = 0; k < 4; k++) {
                assert_int_equal(put_piece(&t, len, k, id, &p), E_OK);
                assert_int_equal(p.verdict, k < 3 ? DP_HELD : DP_TO_NET);
            }
            assert_false(p.df);
            q = mode_arrive(&p, got);
            kit_in(t.k.b, &q);
            assert_int_equal(q.verdict, DP_TO_HOST);
            assert_int_equal(q.len, len);
            assert_memory_equal(q.data + 20, plain + 20, len - 20);
        }
        assert_int_equal(put_piece(&t, len, 1, 77, &p), R_DP_FRAGMENT); /* its first is missing */
        assert_int_equal(put_piece(&t, len, 0, 78, &p), E_OK);
        assert_int_equal(put_piece(&t, len, 2, 78, &p), R_DP_FRAGMENT); /* a gap */
        for (uint16_t id = 100; id < 100 + FRAG_JOIN_SLOTS; id++)
            assert_int_equal(put_piece(&t, len, 0, id, &p), E_OK);
        assert_int_equal(put_piece(&t, len, 1, 78, &p), R_DP_FRAGMENT); /* the oldest has gone */
        assert_int_equal(put_piece(&t, len, 1, 100, &p), E_OK);
        kit_down(&t.k);
    }
}

/* Ever larger, until it would be no packet any more. */
static void test_fragments_too_many(void **state)
{
    (void)state;
    struct frag_join *f = frag_join_new();
    static uint8_t b[1500];
    uint8_t *whole;
    uint32_t n, at = 0;
    err_t e = E_OK;
    assert_non_null(f);
    for (; !e; at += 1400) {
        memcpy(b, "\x45\0\x05\x8c\0\1\0\0\x40\x11\0\0\x0a\1\2\3\x0a\2\2\3", 20);
        put_u16(b + 6, (uint16_t)(0x2000 | at / 8));
        assert_true(frag_join_is(b, 1420));
        e = frag_join_put(f, 0, b, 1420, &whole, &n);
        assert_null(whole);
    }
    assert_int_equal(e, R_DP_FRAGMENT);
    assert_int_equal(at, 47 * 1400);
    put_u16(b + 6, 0x2001);
    assert_int_equal(frag_join_put(f, 0, b, 19, &whole, &n), R_DP_FRAGMENT);
    frag_join_free(f);
}

/* Pieces by different interfaces are not the same datagram's. */
static void test_fragments_iface(void **state)
{
    (void)state;
    struct frag_join *f = frag_join_new();
    uint8_t b[1020], *whole;
    uint32_t n, len = mode_inner(1900, 4);
    assert_non_null(f);
    assert_int_equal(frag_join_put(f, 1, b, piece(b, len, 1000, 0, 9), &whole, &n), E_OK);
    uint32_t rest = piece(b, len, 1000, 1, 9);
    assert_int_equal(frag_join_put(f, 2, b, rest, &whole, &n), R_DP_FRAGMENT);
    assert_int_equal(frag_join_put(f, 1, b, rest, &whole, &n), E_OK);
    assert_int_equal(n, len);
    frag_join_free(f);
}

/* As many in one batch as can be: each stays as it is until all are sent. */
static void test_fragments_batch(void **state)
{
    (void)state;
    enum { N = DP_BATCH / 2 };
    static uint8_t many[2 * N][2048];
    struct dp_pkt p[2 * N], *pp[2 * N];
    struct peers t;
    mode_up(&t, &shapes[0], 4, &kit_suites[0], &(struct kit_opts){0});
    uint32_t len = mode_inner(1900, 4);
    for (unsigned i = 0; i < 2 * N; i++) {
        memset(plain + 28, (int)(i / 2), len - 28);
        p[i] =
            kit_pkt(many[i], piece(many[i] + DP_HEADROOM, len, 1000, i % 2, (uint16_t)(1 + i / 2)));
        pp[i] = &p[i];
    }
    dp_outbound(t.k.a, pp, 2 * N, 1000);
    for (unsigned i = 1; i < 2 * N; i += 2) {
        assert_int_equal(p[i].verdict, DP_TO_NET);
        assert_true(p[i].brief);
        struct dp_pkt q = mode_arrive(&p[i], got);
        kit_in(t.k.b, &q);
        assert_int_equal(q.verdict, DP_TO_HOST);
        assert_int_equal(q.len, len);
        for (uint32_t k = 28; k < len; k++)
            assert_int_equal(q.data[k], i / 2);
    }
    kit_down(&t.k);
}

/* What would be no packet any more with ESP around it. */
static void test_fragments_huge(void **state)
{
    (void)state;
    struct peers t;
    struct dp_pkt p;
    mode_up(&t, &shapes[0], 4, &kit_suites[0], &(struct kit_opts){0});
    uint32_t len = mode_inner(65400, 4), last = (len - 20 - 1) / 1000;
    for (uint32_t i = 0; i < last; i++)
        assert_int_equal(put_piece(&t, len, i, 5, &p), E_OK);
    assert_int_equal(put_piece(&t, len, last, 5, &p), R_DP_TOO_BIG);
    kit_down(&t.k);
}

/* A probe of the peer is answered, and the answer is smaller than the header that is saved. */
static void test_probe(void **state)
{
    (void)state;
    static const uint8_t shape[] = {0, 1, 8, 9};
    for (unsigned i = 0; i < 2 * sizeof shape; i++) {
        struct peers t;
        bool v6 = i & 1;
        mode_up(&t, &shapes[shape[i / 2]], v6 ? 6 : 4, &kit_suites[6],
                &(struct kit_opts){.outer6 = v6});
        t.k.a->set.path_probes = t.k.b->set.path_probes = true;
        struct dp_pkt p = kit_pkt(wire, 200), q;
        memset(p.data, 0, p.len);
        memcpy(p.data, "culvert\1\1", 9);
        assert_true(esp_out_own(t.k.a, child_find(t.k.a, 1)->out, &p, 59, 1000));
        q = mode_arrive(&p, got);
        kit_in(t.k.b, &q);
        assert_true(q.verdict == DP_DROP && q.reason == E_OK);
        assert_true(dp_held_next(t.k.b, &p, wire, sizeof wire, 1000));
        assert_int_equal(p.verdict, DP_TO_NET);
        assert_true(p.len > PROBE_PAYLOAD && p.len < 100);
        q = mode_arrive(&p, got);
        kit_in(t.k.a, &q);
        assert_true(q.verdict == DP_DROP && q.reason == E_OK);
        assert_false(dp_held_next(t.k.b, &p, wire, sizeof wire, 1000));
        kit_down(&t.k);
    }
}

/* RFC 4301 5.1.2, RFC 6040 4.1: what the outer header takes of the inner one. */
static void test_tos(void **state)
{
    (void)state;
    static const struct {
        uint8_t shape, dscp, ecn, want;
    } cases[] = {{8, DSCP_OUT, ECN_COPY, 0xb9},
                 {8, DSCP_NO, ECN_COPY, 1},
                 {8, DSCP_NO, ECN_NO, 0},
                 {2, DSCP_NO, ECN_NO, 0},
                 {0, DSCP_NO, ECN_NO, 0xb9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peers t;
        const struct kit_opts o = {.ip = {.dscp = cases[i].dscp, .ecn = cases[i].ecn}};
        mode_up(&t, &shapes[cases[i].shape], 4, &kit_suites[6], &o);
        uint32_t len = mode_inner(300, 4);
        plain[1] = 0xb9;
        transport_finish(plain, &(struct transport_at){20, 9}, 17, len - 20);
        struct dp_pkt p = mode_sent(&t, len);
        assert_int_equal(p.tos, cases[i].want);
        if (p.whole)
            assert_int_equal(p.data[1], cases[i].want);
        kit_down(&t.k);
    }
}

/* Datagrams of a train in UDP do not overlap when headers go in front of them. */
static void test_train(void **state)
{
    (void)state;
    struct peers t;
    struct dp_pkt q[8], *qq[8];
    static uint8_t train[KIT_BUF];
    mode_up(&t, &shapes[0], 6, &kit_suites[0], &(struct kit_opts){.udp = true, .outer6 = true});
    uint32_t at = DP_HEADROOM, len = mode_inner(300, 6);
    for (int i = 0; i < 8; i++) {
        struct dp_pkt p = mode_sent(&t, len);
        q[i] = mode_arrive(&p, got);
        memcpy(train + at, p.data, p.len);
        q[i].data = train + at;
        qq[i] = &q[i];
        at += p.len;
    }
    dp_inbound(t.k.b, qq, 8, 1000);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(q[i].verdict, DP_TO_HOST);
        assert_memory_equal(q[i].data, plain, len);
    }
    kit_down(&t.k);
}

/* RFC 4303 3.3.3, RFC 4302 3.3.2: told in time, and the last number is the last. */
static void test_overflow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SHAPES; i++) {
        struct peers t;
        struct dp_note note;
        mode_up(&t, &shapes[i], 4, &kit_suites[6], &(struct kit_opts){0});
        struct child_sa *sa = &t.k.sa_a;
        dp_child_del(t.k.a, 1);
        sa->seq_out = UINT32_MAX - 2;
        assert_int_equal(dp_child_add(t.k.a, sa, 0), E_OK);
        uint32_t len = mode_inner(100, 4);
        mode_sent(&t, len);
        assert_true(dp_note_next(t.k.a, &note) && note.kind == NOTE_SOFT);
        mode_sent(&t, len);
        assert_true(dp_note_next(t.k.a, &note) && note.kind == NOTE_HARD);
        memcpy(wire + DP_HEADROOM, plain, len);
        struct dp_pkt p = kit_pkt(wire, len);
        kit_out(t.k.a, &p);
        assert_int_equal(p.reason, R_DP_SEQ_OVERFLOW);
        kit_down(&t.k);
    }
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there),
        cmocka_unit_test(test_mtu),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_on_the_way),
        cmocka_unit_test(test_extras),
        cmocka_unit_test(test_source_route),
        cmocka_unit_test(test_nat_oa),
        cmocka_unit_test(test_cut_before),
        cmocka_unit_test(test_bundle_alone),
        cmocka_unit_test(test_beet_ranges),
        cmocka_unit_test(test_ipcomp),
        cmocka_unit_test(test_ipcomp_bad),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_fragments_too_many),
        cmocka_unit_test(test_fragments_iface),
        cmocka_unit_test(test_fragments_batch),
        cmocka_unit_test(test_fragments_huge),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_tos),
        cmocka_unit_test(test_train),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
