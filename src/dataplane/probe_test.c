/*
 * Path MTU discovery of two data planes over a simulated path that drops what is too large without
 * a word; and of one whose peer knows nothing of probes.
 */
#include "dataplane/mss.h"
#include "dataplane/testkit.h"
#include "dataplane/tunnel.h"

static uint8_t buf[KIT_BUF], own[KIT_BUF];

struct road {
    struct kit k;
    uint64_t now;
    unsigned mtu;     /* of the path, both ways */
    bool foreign;     /* B's data plane ignores probes */
    unsigned crossed; /* packets of our own that came through */
    unsigned sent;
};

static void up(struct road *r, unsigned mtu, const struct kit_opts *o)
{
    struct kit_opts opts = *o;
    opts.probes = true;
    *r = (struct road){.now = 100000, .mtu = mtu};
    kit_up(&r->k, &kit_suites[0], &opts);
    r->k.b->set.path_probes = !r->foreign;
}

static unsigned outer_len(const struct dp_pkt *p)
{
    return p->len + (p->remote.addr.family == 6 ? 40u : 20u) + (p->udp ? 8u : 0u);
}

/* All that both have to send by themselves, until neither has anything. */
static void settle(struct road *r)
{
    bool any = true;
    while (any) {
        any = false;
        for (int side = 0; side < 2; side++) {
            struct dp *from = side ? r->k.b : r->k.a, *to = side ? r->k.a : r->k.b;
            struct dp_pkt p, *pp = &p;
            while (dp_held_next(from, &p, own, sizeof own, r->now)) {
                any = true;
                r->sent++;
                assert_true(p.df);
                if (outer_len(&p) > r->mtu)
                    continue;
                r->crossed++;
                kit_cross(&p);
                dp_inbound(to, &pp, 1, r->now);
                assert_int_equal(p.verdict, DP_DROP);
                assert_int_equal(p.reason, E_OK);
            }
        }
    }
}

static void pass_time(struct road *r, unsigned seconds)
{
    while (seconds--) {
        r->now += 1000;
        dp_tick(r->k.a, r->now);
        dp_tick(r->k.b, r->now);
        settle(r);
    }
}

static struct dp_pkt send_from_a(struct road *r, uint32_t len)
{
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, len, 4, true)), *pp = &p;
    put_u16(p.data + 6, 0x4000);
    put_u16(p.data + 10, 0);
    put_u16(p.data + 10, ip_csum(ip_sum(p.data, 20, 0)));
    dp_outbound(r->k.a, &pp, 1, r->now);
    return p;
}

static uint16_t mtu_of(const struct dp *d)
{
    struct child_stats st;
    assert_true(dp_child_stats(d, 1, &st));
    return st.path_mtu;
}

/* Small packets ask nothing; the first large one finds the path's size before any timer runs. */
static void test_finds(void **state)
{
    (void)state;
    static const struct kit_opts opts[] = {{.outer6 = false}, {.udp = true}, {.outer6 = true}};
    for (size_t i = 0; i < 3; i++)
        for (unsigned mtu = 1290; mtu <= 1510; mtu += 7) {
            struct road r;
            up(&r, mtu, &opts[i]);
            assert_int_equal(send_from_a(&r, 400).verdict, DP_TO_NET);
            settle(&r);
            assert_int_equal(r.sent, 0);
            assert_int_equal(send_from_a(&r, 1400).verdict, DP_TO_NET);
            settle(&r);
            unsigned got = mtu_of(r.k.a), best = mtu < 1500 ? mtu : 1500;
            if (got > best || best - got > 8)
                fail_msg("path %u, found %u", mtu, got);
            assert_int_equal(mtu_of(r.k.b), 1500); /* has sent nothing */
            kit_down(&r.k);
        }
}

static void count_notes(struct dp *d, unsigned *n, struct dp_note *last)
{
    struct dp_note note;
    for (*n = 0; dp_note_next(d, &note);)
        if (note.kind == NOTE_PATH_MTU) {
            *last = note;
            ++*n;
        }
}

/* The path gets worse without a word, then better. */
static void test_changes(void **state)
{
    (void)state;
    struct road r;
    struct dp_note last;
    unsigned n;
    up(&r, 1500, &(struct kit_opts){0});
    send_from_a(&r, 1400);
    settle(&r);
    assert_int_equal(mtu_of(r.k.a), 1500);
    r.mtu = 1300;
    for (int i = 0; i < 30; i++) {
        send_from_a(&r, 1400);
        pass_time(&r, 1);
    }
    assert_in_range(mtu_of(r.k.a), 1292, 1300);
    count_notes(r.k.a, &n, &last);
    assert_int_equal(n, 1);
    assert_int_equal(last.path_mtu, mtu_of(r.k.a));
    assert_int_equal(last.path_source, DP_PATH_PROBED);
    r.mtu = 1500;
    for (int i = 0; i < 700; i++) {
        send_from_a(&r, 1200);
        pass_time(&r, 1);
    }
    assert_int_equal(mtu_of(r.k.a), 1500);
    kit_down(&r.k);
}

static struct dp_pkt tcp(uint32_t len, bool from_a, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, len, 4, from_a));
    uint8_t *t = p.data + 20;
    memset(t, 0, 24);
    p.data[9] = 6;
    put_u16(p.data + 6, 0x4000);
    put_u16(p.data + 10, 0);
    put_u16(p.data + 10, ip_csum(ip_sum(p.data, 20, 0)));
    put_u16(t, from_a ? 1000 : 80);
    put_u16(t + 2, from_a ? 80 : 1000);
    put_u32(t + 4, seq);
    put_u32(t + 8, ack);
    t[12] = flags & 2 ? 6 << 4 : 5 << 4;
    t[13] = flags;
    if (flags & 2) {
        put_u32(t + 20, 0x02040000 | 1460);
        put_u16(t + 16, ip_csum(ip_sum(t, 24, 0)));
    }
    return p;
}

/* RFC 4301 8.2.1: only an error about a packet that was sent is believed, and only so far. */
static void test_icmp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t spi, seq;
        uint16_t port, mtu;
        bool udp, other;
        uint16_t want; /* 0: not believed */
    } cases[] = {{"true", 0, 1, 0, 1300, true, false, 1300},
                 {"another SPI", 1, 1, 0, 1300, true, false, 0},
                 {"another peer", 0, 1, 0, 1300, true, true, 0},
                 {"another port", 0, 1, 1, 1300, true, false, 0},
                 {"not in UDP", 0, 1, 0, 1300, false, false, 0},
                 {"never sent", 0, 2, 0, 1300, true, false, 0},
                 {"sent long ago, or never", 0, 0x80000000, 0, 1300, true, false, 0},
                 {"more than now", 0, 1, 0, 1600, true, false, 1500},
                 {"too small for IPv4", 0, 1, 0, 68, true, false, 576}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct road r;
        up(&r, 1500, &(struct kit_opts){.udp = true});
        assert_int_equal(send_from_a(&r, 400).verdict, DP_TO_NET);
        struct dp_too_big t = {.local = r.k.sa_a.local,
                               .remote = cases[i].other ? r.k.sa_a.local : r.k.sa_a.remote,
                               .spi = r.k.sa_a.spi_out + cases[i].spi,
                               .seq = cases[i].seq,
                               .mtu = cases[i].mtu,
                               .udp = cases[i].udp};
        t.remote.port = (uint16_t)(t.remote.port + cases[i].port);
        bool taken = dp_path_too_big(r.k.a, &t, r.now);
        unsigned want = cases[i].want ? cases[i].want : 1500, got = mtu_of(r.k.a);
        if (taken != !!cases[i].want || got > want || want - got > 4)
            fail_msg("%s: %u", cases[i].name, got);
        kit_down(&r.k);
    }
}

/* What link and route say bounds what is believed, and is forgotten with them; what was found out
 * about the path stays. */
static void test_links(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned path, link[2], want[2]; /* the link changes twice */
    } cases[] = {{"smaller, and back", 1500, {1400, 1500}, {1400, 1500}},
                 {"not known", 1500, {1400, 0}, {1400, 1500}},
                 {"larger than the settings", 1500, {9000, 1400}, {1500, 1400}},
                 {"not as small as the path", 1300, {1400, 1500}, {1300, 1300}},
                 {"smaller than the path", 1300, {1200, 1400}, {1200, 1400}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct road r;
        struct dp_note last = {0};
        unsigned n;
        up(&r, cases[i].path, &(struct kit_opts){0});
        send_from_a(&r, 1400);
        settle(&r);
        for (int k = 0; k < 2; k++) {
            unsigned was = mtu_of(r.k.a), want = cases[i].want[k];
            count_notes(r.k.a, &n, &last);
            assert_int_equal(dp_child_mtu(r.k.a, 1, (uint16_t)cases[i].link[k]), E_OK);
            unsigned got = mtu_of(r.k.a);
            count_notes(r.k.a, &n, &last);
            if (got > want || want - got > 8 || n != (got != was))
                fail_msg("%s: %u, notes %u", cases[i].name, got, n);
            assert_true(n == 0 || last.path_source == DP_PATH_LINK);
        }
        send_from_a(&r, 1300); /* asked anew: the path is as it was */
        settle(&r);
        unsigned got = mtu_of(r.k.a), link = cases[i].want[1];
        unsigned best = link < cases[i].path ? link : cases[i].path;
        if (got > best || best - got > 8)
            fail_msg("%s: asked again, %u", cases[i].name, got);
        kit_down(&r.k);
    }
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    assert_int_equal(dp_child_mtu(k.a, 99, 1400), R_NOT_FOUND);
    kit_down(&k);
}

/* The kernel refused a packet of ours: by what the tables say of the link, or else with caution. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned len, link, least, most;
    } cases[] = {{1480, 1400, 1392, 1400},
                 {1480, 0, 1272, 1280},     /* not known: 1280 passes nearly everywhere */
                 {1480, 1500, 1272, 1280},  /* the tables say that it had fitted */
                 {1600, 1500, 1500, 1500}}; /* made before the path was known to be smaller */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct road r;
        struct child_stats st;
        up(&r, 1500, &(struct kit_opts){0});
        send_from_a(&r, 1400);
        settle(&r);
        dp_link_too_big(r.k.a, 1, cases[i].len, (uint16_t)cases[i].link, r.now);
        assert_in_range(mtu_of(r.k.a), cases[i].least, cases[i].most);
        assert_true(dp_child_stats(r.k.a, 1, &st));
        assert_int_equal(st.drops[R_DP_LINK - R_DP_SHORT], 1);
        dp_link_too_big(r.k.a, 99, 1480, 1400, r.now); /* an SA that is gone */
        assert_int_equal(kit_drops(r.k.a, R_DP_LINK), 2);
        kit_down(&r.k);
    }
}

/* An SA without traffic sends nothing and wants no time; the next packet asks again. */
static void test_sleeps(void **state)
{
    (void)state;
    struct road r;
    up(&r, 1500, &(struct kit_opts){0});
    send_from_a(&r, 1400);
    pass_time(&r, 60);
    assert_false(dp_ticks(r.k.a));
    unsigned sent = r.sent;
    pass_time(&r, 100);
    assert_int_equal(r.sent, sent);
    struct dp_pkt p = tcp(1400, false, 0x10, 1, 1), *pp = &p; /* both sides know the path */
    send_from_a(&r, 1400);
    dp_outbound(r.k.b, &pp, 1, r.now);
    pass_time(&r, 60);
    assert_false(dp_ticks(r.k.a) || dp_ticks(r.k.b));
    sent = r.sent;
    send_from_a(&r, 1400);
    settle(&r);
    assert_true(r.sent > sent);
    kit_down(&r.k);
}

/* A peer that answers no probes gets a few, never again; its path is believed as before. */
static void test_mute(void **state)
{
    (void)state;
    struct road r;
    up(&r, 1500, &(struct kit_opts){0});
    r.k.b->set.path_probes = false;
    for (int i = 0; i < 200; i++) {
        send_from_a(&r, 1400);
        pass_time(&r, 1);
    }
    assert_true(r.sent <= PATH_TRIES * PATH_RUNGS);
    assert_int_equal(mtu_of(r.k.a), 1500);
    kit_down(&r.k);
}

/* The SA that replaces another begins with what that knew. */
static void test_rekey(void **state)
{
    (void)state;
    struct road r;
    up(&r, 1300, &(struct kit_opts){0});
    send_from_a(&r, 1400);
    settle(&r);
    uint16_t found = mtu_of(r.k.a);
    struct child_sa sa;
    kit_sa(&sa, &kit_suites[0], &(struct kit_opts){0}, true);
    sa.id = 2;
    sa.replaces = 1;
    sa.spi_in = dp_spi_alloc(r.k.a);
    sa.spi_out = 0x12345678;
    assert_int_equal(dp_child_add(r.k.a, &sa, r.now), E_OK);
    struct child_stats st;
    assert_true(dp_child_stats(r.k.a, 2, &st));
    assert_int_equal(st.path_mtu, found);
    struct dp_pkt p = send_from_a(&r, 1400);
    assert_int_equal(p.reason, R_DP_TOO_BIG);
    assert_int_equal(p.verdict, DP_TO_HOST);
    kit_sa_free(&sa);
    kit_down(&r.k);
}

/* An address that changed is another path. */
static void test_move(void **state)
{
    (void)state;
    struct road r;
    up(&r, 1300, &(struct kit_opts){0});
    send_from_a(&r, 1400);
    settle(&r);
    assert_true(mtu_of(r.k.a) <= 1300);
    struct endpoint to = r.k.sa_a.remote;
    to.port++;
    assert_int_equal(dp_child_move(r.k.a, 1, &r.k.sa_a.local, &to), E_OK);
    assert_int_equal(mtu_of(r.k.a), 1500);
    pass_time(&r, 20);
    kit_down(&r.k);
}

/* --- with TCP inside --- */

static struct dp_pkt tcp_a(struct road *r, uint32_t len, uint8_t flags, uint32_t seq)
{
    struct dp_pkt p = tcp(len, true, flags, seq, 0), *pp = &p;
    dp_outbound(r->k.a, &pp, 1, r->now);
    return p;
}

static struct dp_pkt tcp_b(struct road *r, uint32_t len, uint8_t flags, uint32_t ack)
{
    struct dp_pkt p = tcp(len, false, flags, 7, ack), *pp = &p;
    dp_outbound(r->k.b, &pp, 1, r->now);
    assert_int_equal(p.verdict, DP_TO_NET);
    kit_cross(&p);
    dp_inbound(r->k.a, &pp, 1, r->now);
    assert_int_equal(p.verdict, DP_TO_HOST);
    return p;
}

/* Both SYNs of a connection are clamped to what A's SA carries, and the checksum holds. */
static void test_syn(void **state)
{
    (void)state;
    static const struct {
        uint16_t conf, out, in;
    } cases[] = {
        {0, 1406, 1406}, {1300, 1300, 1300}, {1450, 1406, 1406}, {MSS_CLAMP_NO, 1460, 1460}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct road r;
        up(&r, 1500, &(struct kit_opts){.ip = {.mss = cases[i].conf}});
        struct dp_pkt p = tcp_a(&r, 44, 2, 1), *pp = &p;
        kit_cross(&p);
        r.k.b->set.path_probes = false;
        r.k.sa_b.ip.mss = MSS_CLAMP_NO;
        dp_inbound(r.k.b, &pp, 1, r.now);
        assert_int_equal(get_u16(p.data + 42), cases[i].out);
        assert_int_equal(ip_csum(ip_sum(p.data + 20, 24, 0)), 0);
        p = tcp_b(&r, 44, 0x12, 2);
        assert_int_equal(get_u16(p.data + 42), cases[i].in);
        assert_int_equal(ip_csum(ip_sum(p.data + 20, 24, 0)), 0);
        kit_down(&r.k);
    }
}

static void make_mute(struct road *r)
{
    r->k.b->set.path_probes = false;
    tcp_a(r, 1400, 0x10, 1);
    pass_time(r, 20);
    assert_int_equal(mtu_of(r->k.a), 1500);
}

/* A segment sent three times, while the peer is heard: the SA goes down to 1280. */
static void test_black_hole(void **state)
{
    (void)state;
    struct road r;
    up(&r, 1300, &(struct kit_opts){0});
    make_mute(&r);
    for (int i = 0; i < 2; i++) {
        r.now += 300;
        assert_int_equal(tcp_a(&r, 1400, 0x10, 5000).verdict, DP_TO_NET);
        tcp_b(&r, 40, 0x10, 5000); /* the receiver asks for it still */
    }
    r.now += 300;
    struct dp_pkt p = tcp_a(&r, 1400, 0x10, 5000);
    assert_in_range(mtu_of(r.k.a), 1270, 1280);
    assert_int_equal(p.verdict, DP_TO_HOST);
    assert_int_equal(get_u16(p.data + 26), 1280 - 20 - 8 - 8 - 16 - 2);
    kit_down(&r.k);
}

static bool router_says(struct road *r, uint16_t mtu, int port)
{
    struct dp_too_big t = {.local = r->k.sa_a.local,
                           .remote = r->k.sa_a.remote,
                           .mtu = mtu,
                           .udp = true,
                           .weak = true};
    t.remote.port = (uint16_t)(t.remote.port + port);
    return dp_path_too_big(r->k.a, &t, r->now);
}

/* An error that quotes no SPI: the path is asked at once, and a lie changes nothing. */
static void test_weak_icmp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned path, says;
        int port;
        bool asks;
    } cases[] = {{"true", 1300, 1300, 0, true},
                 {"a lie", 1500, 576, 0, true},
                 {"another port", 1500, 1300, 1, false},
                 {"nothing new", 1500, 1500, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct road r;
        up(&r, 1500, &(struct kit_opts){.udp = true});
        assert_false(router_says(&r, 1300, 0)); /* about packets that were never sent */
        send_from_a(&r, 1400);
        settle(&r);
        r.mtu = cases[i].path;
        unsigned sent = r.sent;
        bool known = router_says(&r, (uint16_t)cases[i].says, cases[i].port);
        assert_int_equal(mtu_of(r.k.a), 1500); /* nothing is believed yet */
        settle(&r);
        unsigned got = mtu_of(r.k.a);
        if (known != !cases[i].port || got > cases[i].path || cases[i].path - got > 8 ||
            (r.sent > sent) != cases[i].asks)
            fail_msg("%s: %u, %u probes and answers", cases[i].name, got, r.sent - sent);
        kit_down(&r.k);
    }
}

/* With a peer that answers no probes it takes one segment sent again, not two, and no less. */
static void test_weak_icmp_mute(void **state)
{
    (void)state;
    for (int says = 0; says < 2; says++) {
        struct road r;
        up(&r, 1300, &(struct kit_opts){.udp = true});
        make_mute(&r);
        if (says)
            assert_true(router_says(&r, 576, 0));
        for (int i = 0; i < 2; i++) {
            r.now += 300;
            assert_int_equal(mtu_of(r.k.a), 1500);
            tcp_a(&r, 1390, 0x10, 5000);
            r.now += 10;
            tcp_b(&r, 40, 0x10, 5000);
        }
        assert_in_range(mtu_of(r.k.a), says ? 1270 : 1500, says ? 1280 : 1500);
        kit_down(&r.k);
    }
}

/* Acknowledged, or another segment each time: nothing is concluded. */
static void test_no_black_hole(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct road r;
        up(&r, 1500, &(struct kit_opts){0});
        make_mute(&r);
        for (uint32_t i = 0; i < 10; i++) {
            r.now += 300;
            tcp_a(&r, 1400, 0x10, kind == 1 ? 5000 + 1360 * i : 5000);
            tcp_b(&r, 40, 0x10, kind == 0 ? 5000 + 1360 : 5000);
        }
        assert_int_equal(mtu_of(r.k.a), 1500);
        kit_down(&r.k);
    }
}

/* The hole comes later, in the middle of a transfer. TCP waits longer each time; what it sends is
 * looked at from the next second on. */
static void test_later_hole(void **state)
{
    (void)state;
    static const unsigned waits[] = {200, 400, 800, 1600, 3200, 6400};
    struct road r;
    uint32_t seq = 5000;
    up(&r, 1300, &(struct kit_opts){0});
    make_mute(&r);
    for (int i = 0; i < 30; i++, seq += 1360) { /* three seconds of it */
        tcp_a(&r, 1400, 0x10, seq);
        r.now += 50;
        tcp_b(&r, 40, 0x10, seq + 1360);
        r.now += 50;
        if (i % 10 == 9)
            dp_tick(r.k.a, r.now);
    }
    uint64_t began = r.now;
    for (size_t i = 0; mtu_of(r.k.a) == 1500 && i < 6; i++) {
        tcp_a(&r, 1400, 0x10, seq);
        for (unsigned ms = 0; ms < waits[i]; ms += 200) {
            r.now += 200;
            dp_tick(r.k.a, r.now);
        }
    }
    assert_in_range(mtu_of(r.k.a), 1270, 1280);
    assert_true(r.now - began < 14000);
    kit_down(&r.k);
}

/* What nearly every path carries is no news when the peer is silent. */
static void test_small_silence(void **state)
{
    (void)state;
    struct road r;
    up(&r, 1500, &(struct kit_opts){0});
    make_mute(&r);
    for (int i = 0; i < 10; i++) {
        r.now += 1000;
        tcp_a(&r, 1200, 0x10, 5000);
    }
    assert_int_equal(mtu_of(r.k.a), 1500);
    kit_down(&r.k);
}

/* All that a connection begins with is lost, so nobody answers: while the peer is still being
 * asked, and the third time the segment is sent; or the fourth, when the peer was not heard lately.
 * It may have been an outage, so more is tried after a minute, and then after ten. */
static void test_silence(void **state)
{
    (void)state;
    for (int heard = 0; heard < 2; heard++) {
        struct road r;
        up(&r, 1300, &(struct kit_opts){0});
        r.k.b->set.path_probes = false;
        for (int round = 0; round < 2; round++) {
            if (heard)
                tcp_b(&r, 44, 0x12, 1);
            for (int i = 0; i < (heard ? 3 : 4); i++) {
                r.now += 300;
                assert_int_equal(mtu_of(r.k.a), 1500);
                tcp_a(&r, 1400, 0x10, 5000);
            }
            assert_in_range(mtu_of(r.k.a), 1270, 1280);
            for (int s = 0; mtu_of(r.k.a) < 1500 && s < 700; s++) {
                send_from_a(&r, 600); /* there is traffic, which is no news */
                pass_time(&r, 1);
                assert_true(s < (round ? 620 : 80));
                assert_true(s > (round ? 580 : 40) || mtu_of(r.k.a) < 1500);
            }
            r.now += 30000;
        }
        kit_down(&r.k);
    }
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),      cmocka_unit_test(test_changes),
        cmocka_unit_test(test_icmp),       cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_mute),       cmocka_unit_test(test_rekey),
        cmocka_unit_test(test_move),       cmocka_unit_test(test_syn),
        cmocka_unit_test(test_black_hole), cmocka_unit_test(test_no_black_hole),
        cmocka_unit_test(test_links),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_weak_icmp),  cmocka_unit_test(test_weak_icmp_mute),
        cmocka_unit_test(test_silence),    cmocka_unit_test(test_later_hole),    cmocka_unit_test(test_small_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
