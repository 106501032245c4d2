/* What control and packets do together: holds, rekeying, lifetimes, moves, path MTU. */
#include "dataplane/testkit.h"

static uint8_t buf[KIT_BUF], held[KIT_BUF];

static struct dp_pkt inner(uint32_t len, unsigned family, bool from_a)
{
    return kit_pkt(buf, kit_inner(buf + DP_HEADROOM, len, family, from_a));
}

static struct dp_pkt send_a(struct kit *k, uint32_t len)
{
    struct dp_pkt p = inner(len, 4, true);
    kit_out(k->a, &p);
    return p;
}

static err_t recv_b(struct kit *k, struct dp_pkt *p)
{
    kit_cross(p);
    kit_in(k->b, p);
    return p->reason;
}

/* Those of drops are drops_test.c's. */
static bool next_note(struct dp *d, struct dp_note *n)
{
    while (dp_note_next(d, n))
        if (n->kind != NOTE_DROP)
            return true;
    return false;
}

static struct dp_note note(struct dp *d, enum dp_note_kind kind)
{
    struct dp_note n = {0};
    assert_true(next_note(d, &n));
    assert_int_equal(n.kind, kind);
    return n;
}

static void no_note(struct dp *d)
{
    struct dp_note n;
    assert_false(next_note(d, &n));
}

/* A data plane with the policy of A and no SA; the SA in *sa is ready to be added. */
static struct dp *trapped(struct child_sa *sa)
{
    struct dp *d = kit_dp();
    kit_policy(d, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64");
    kit_sa(sa, &kit_suites[0], &(struct kit_opts){0}, true);
    sa->spi_in = dp_spi_alloc(d);
    sa->spi_out = 0x12345678;
    return d;
}

static void hold_n(struct dp *d, uint32_t n, uint64_t now)
{
    for (uint32_t i = 0; i < n; i++) {
        struct dp_pkt p = inner(100 + i, 4, true), *pp = &p;
        dp_outbound(d, &pp, 1, now);
        assert_int_equal(p.verdict, DP_HELD);
    }
}

static void test_hold_and_release(void **state)
{
    (void)state;
    struct child_sa sa;
    struct dp *d = trapped(&sa);
    hold_n(d, 5, 1000);
    struct dp_note n = note(d, NOTE_ACQUIRE);
    assert_int_equal(n.policy_id, 7);
    assert_int_equal(n.flow_local.proto, 17);
    struct ts want = kit_ts("10.2.2.3");
    assert_true(addr_eq(&n.flow_remote.lo, &want.lo));
    no_note(d); /* once per policy */
    struct dp_pkt p;
    assert_false(dp_held_next(d, &p, held, sizeof held, 1000));
    assert_int_equal(dp_child_add(d, &sa, 1000), E_OK);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(dp_held_next(d, &p, held, sizeof held, 1000));
        assert_int_equal(p.verdict, DP_TO_NET);
        assert_int_equal(get_u32(p.data), 0x12345678);
        assert_int_equal(get_u32(p.data + 4), i + 1);
        assert_int_equal(p.len, 8 + 8 + ((102 + i + 3) & ~3u) + 16); /* in order of arrival */
    }
    assert_false(dp_held_next(d, &p, held, sizeof held, 1000));
    struct dp_stats st;
    dp_stats_get(d, &st);
    assert_int_equal(st.held, 0);
    kit_sa_free(&sa);
    dp_free(d);
}

static void test_hold_waits_for_out(void **state)
{
    (void)state;
    struct child_sa sa;
    struct dp *d = trapped(&sa);
    struct dp_pkt p;
    hold_n(d, 1, 1000);
    sa.dirs = DIR_IN;
    assert_int_equal(dp_child_add(d, &sa, 1000), E_OK);
    assert_false(dp_held_next(d, &p, held, sizeof held, 1000));
    assert_int_equal(dp_child_dir(d, 1, DIR_OUT), E_OK);
    assert_true(dp_held_next(d, &p, held, sizeof held, 1000));
    kit_sa_free(&sa);
    dp_free(d);
}

static void test_hold_bounds(void **state)
{
    (void)state;
    struct child_sa sa;
    struct dp *d = trapped(&sa);
    hold_n(d, 32, 1000);
    struct dp_pkt p = inner(100, 4, true);
    kit_out(d, &p);
    assert_int_equal(p.reason, R_DP_HOLD);
    assert_int_equal(kit_drops(d, R_DP_HOLD), 1);
    note(d, NOTE_ACQUIRE);
    no_note(d);
    dp_hold_drop(d, 7); /* the negotiation failed */
    assert_int_equal(kit_drops(d, R_DP_HOLD), 33);
    hold_n(d, 1, 2000);
    note(d, NOTE_ACQUIRE); /* a new try */
    dp_tick(d, 31000);
    assert_int_equal(kit_drops(d, R_DP_HOLD), 33);
    dp_tick(d, 32001);
    assert_int_equal(kit_drops(d, R_DP_HOLD), 34);
    hold_n(d, 3, 33000);
    dp_policy_del(d, 7); /* the policy goes, the packets with it */
    assert_int_equal(kit_drops(d, R_DP_HOLD), 37);
    kit_sa_free(&sa);
    dp_free(d);
}

/* A full store keeps nobody from asking for a tunnel. */
static void test_hold_full(void **state)
{
    (void)state;
    struct dp_settings s;
    dp_settings_default(&s);
    s.hold_max = 2;
    struct dp *d = dp_new(&s);
    assert_non_null(d);
    kit_policy(d, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64");
    struct dp_pkt p = inner(2 * HOLD_CHUNK + 1, 4, true);
    kit_out(d, &p);
    assert_int_equal(p.reason, R_DP_HOLD);
    note(d, NOTE_ACQUIRE);
    hold_n(d, 2, 1000);
    no_note(d);
    dp_free(d);
}

/* Large packets take several chunks and come out whole. */
static void test_hold_large(void **state)
{
    (void)state;
    struct child_sa sa;
    struct dp *d = trapped(&sa);
    static uint8_t plain[9000];
    hold_n(d, 1, 1000);
    struct dp_pkt p = inner(9000, 4, true);
    memcpy(plain, p.data, 9000);
    kit_out(d, &p);
    assert_int_equal(p.verdict, DP_HELD);
    hold_n(d, 1, 1000);
    uint8_t out[KIT_BUF];
    uint32_t len;
    uint16_t iface;
    hold_release(&d->hold, bind_find(&d->binds, 7));
    assert_true(hold_take(&d->hold, out, sizeof out, &len, &iface));
    assert_true(hold_take(&d->hold, out, sizeof out, &len, &iface));
    assert_int_equal(len, 9000);
    assert_memory_equal(out, plain, 9000);
    assert_true(hold_take(&d->hold, out, sizeof out, &len, &iface));
    assert_int_equal(d->hold.chunks_free, d->hold.chunks);
    kit_sa_free(&sa);
    dp_free(d);
}

/* An SA narrowed to something else does not take the packet: dropped, not held for ever. */
static void test_hold_narrowed(void **state)
{
    (void)state;
    struct child_sa sa;
    struct dp *d = trapped(&sa);
    struct dp_pkt p;
    hold_n(d, 2, 1000);
    note(d, NOTE_ACQUIRE);
    sa.remote_ts = (struct ts_list){1, {kit_ts("10.2.9.0/24")}};
    assert_int_equal(dp_child_add(d, &sa, 1000), E_OK);
    assert_false(dp_held_next(d, &p, held, sizeof held, 1000));
    assert_int_equal(kit_drops(d, R_DP_HOLD), 2);
    hold_n(d, 1, 3000); /* another SA may be negotiated for it */
    note(d, NOTE_ACQUIRE);
    struct child_sa second;
    kit_sa(&second, &kit_suites[0], &(struct kit_opts){0}, true);
    second.id = 2;
    second.spi_in = dp_spi_alloc(d);
    assert_int_equal(dp_child_add(d, &second, 3000), E_OK);
    assert_true(dp_held_next(d, &p, held, sizeof held, 3000));
    assert_int_equal(p.child_id, 2);
    struct dp_pkt narrow =
        inner(100, 4, true); /* the first SA still matches its own, but is older */
    put_u32(narrow.data + 16, 0x0a020901);
    kit_out(d, &narrow);
    assert_int_equal(narrow.child_id, 2);
    dp_child_del(d, 2);
    narrow = inner(100, 4, true);
    put_u32(narrow.data + 16, 0x0a020901);
    kit_out(d, &narrow);
    assert_int_equal(narrow.child_id, 1);
    kit_sa_free(&sa);
    kit_sa_free(&second);
    dp_free(d);
}

static void test_policies(void **state)
{
    (void)state;
    struct dp *d = kit_dp();
    struct policy p[2] = {{.id = 1, .priority = 1, .action = POL_DROP},
                          {.id = 2, .priority = 2, .action = POL_BYPASS}};
    p[0].local = (struct ts_list){1, {kit_ts("10.1.2.0/24")}};
    p[0].remote = (struct ts_list){1, {kit_ts("0.0.0.0/0")}};
    p[1].local = p[1].remote = (struct ts_list){1, {kit_ts("10.0.0.0/8")}};
    for (int round = 0; round < 2; round++) { /* second round: from the flow cache */
        struct dp_pkt k = inner(100, 4, true);
        kit_out(d, &k);
        assert_int_equal(k.reason, R_DP_NO_POLICY);
    }
    assert_int_equal(dp_policy_add(d, &p[0]), E_OK);
    assert_int_equal(dp_policy_add(d, &p[1]), E_OK);
    assert_int_equal(dp_policy_add(d, &p[1]), R_EXISTS);
    for (int round = 0; round < 2; round++) {
        struct dp_pkt k = inner(100, 4, true); /* from 10.1.2.3 */
        kit_out(d, &k);
        assert_int_equal(k.reason, R_DP_POLICY_DROP);
        k = inner(100, 4, false);
        kit_out(d, &k);
        assert_true(k.verdict == DP_TO_NET && k.whole && k.len == 100); /* bypass: as it is */
        assert_int_equal(get_u32(k.remote.addr.ip), 0x0a010203);
        k = inner(100, 4, false);
        k.iface = 3;
        kit_out(d, &k);
        assert_int_equal(k.reason, R_DP_NO_POLICY);
        k = inner(100, 6, true);
        kit_out(d, &k);
        assert_int_equal(k.reason, R_DP_NO_POLICY);
    }
    struct ts l = kit_ts("10.1.2.3"), r = kit_ts("10.2.2.3");
    assert_int_equal(dp_policy_lookup(d, &l, &r), 0);
    dp_policy_del(d, 1);
    dp_policy_del(d, 2);
    kit_policy(d, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64");
    assert_int_equal(dp_policy_lookup(d, &l, &r), 7);
    dp_free(d);
}

/* RFC 7296 2.8: the new SA sends from when its DIR_OUT is installed, the old one receives on. */
static void test_rekey(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    struct dp_pkt p = send_a(&k, 100);
    assert_int_equal(p.child_id, 1);
    assert_int_equal(recv_b(&k, &p), E_OK);

    struct child_sa na, nb;
    kit_sa(&na, &kit_suites[1], &(struct kit_opts){0}, true);
    kit_sa(&nb, &kit_suites[1], &(struct kit_opts){0}, false);
    na.id = nb.id = 2;
    na.replaces = nb.replaces = 1;
    na.spi_in = nb.spi_out = dp_spi_alloc(k.a);
    nb.spi_in = na.spi_out = dp_spi_alloc(k.b);
    nb.dirs = DIR_IN;
    na.dirs = DIR_IN;
    assert_int_equal(dp_child_add(k.b, &nb, 0), E_OK);
    assert_int_equal(dp_child_add(k.a, &na, 0), E_OK);
    p = send_a(&k, 100);
    assert_int_equal(p.child_id, 1);
    assert_int_equal(recv_b(&k, &p), E_OK);
    assert_int_equal(dp_child_dir(k.a, 2, DIR_OUT), E_OK);
    static uint8_t late[KIT_BUF];
    struct dp_pkt old = kit_pkt(late, kit_inner(late + DP_HEADROOM, 80, 4, true));
    no_note(k.b);
    p = send_a(&k, 100);
    assert_int_equal(p.child_id, 2);
    assert_int_equal(recv_b(&k, &p), E_OK);
    assert_int_equal(p.child_id, 2);
    assert_int_equal(note(k.b, NOTE_FIRST_IN).child_id, 2);
    p = send_a(&k, 100);
    assert_int_equal(recv_b(&k, &p), E_OK);
    no_note(k.b);         /* the first only */
    dp_child_del(k.a, 2); /* the rekeying was undone: back to the old one */
    kit_out(k.a, &old);
    assert_int_equal(old.child_id, 1);
    assert_int_equal(recv_b(&k, &old), E_OK);
    dp_child_del(k.b, 1);
    p = send_a(&k, 100);
    assert_int_equal(recv_b(&k, &p), R_DP_NO_SA);
    kit_sa_free(&na);
    kit_sa_free(&nb);
    kit_down(&k);
}

/* The peer's first packets overtake the answer that brings their SA. */
static void test_early(void **state)
{
    (void)state;
    static uint8_t wire[KIT_BUF], again[KIT_BUF];
    const struct kit_opts o = {0};
    struct kit k;
    struct dp_stats st;
    struct dp_pkt p;
    kit_up(&k, &kit_suites[0], &o);
    struct dp *d = kit_dp(); /* B once more, before its SA is there */
    assert_true(sad_adopt(&d->sad, k.sa_b.spi_in));
    for (uint32_t i = 0; i < EARLY_MAX + 1; i++) {
        p = kit_pkt(wire, kit_inner(wire + DP_HEADROOM, 100, 4, true));
        kit_out(k.a, &p);
        kit_cross(&p);
        kit_in(d, &p);
        assert_int_equal(p.verdict, i < EARLY_MAX ? DP_HELD : DP_DROP);
    }
    assert_false(dp_held_next(d, &p, again, sizeof again, 1000));
    assert_int_equal(dp_child_add(d, &k.sa_b, 1000), E_OK);
    for (uint32_t i = 0; i < EARLY_MAX; i++) {
        assert_true(dp_held_next(d, &p, again, sizeof again, 1000));
        assert_int_equal(p.verdict, DP_TO_HOST);
        assert_int_equal(p.len, 100);
    }
    assert_false(dp_held_next(d, &p, again, sizeof again, 1000));
    dp_stats_get(d, &st);
    assert_int_equal(st.held, 0);
    assert_int_equal(st.drops[R_DP_NO_SA], 1);
    dp_free(d);
    kit_down(&k);
}

static void test_early_expires(void **state)
{
    (void)state;
    static uint8_t wire[KIT_BUF];
    const struct kit_opts o = {0};
    struct kit k;
    struct dp_stats st;
    kit_up(&k, &kit_suites[0], &o);
    struct dp *d = kit_dp();
    assert_true(sad_adopt(&d->sad, k.sa_b.spi_in));
    struct dp_pkt p = kit_pkt(wire, kit_inner(wire + DP_HEADROOM, 100, 4, true));
    kit_out(k.a, &p);
    kit_cross(&p);
    kit_in(d, &p);
    assert_int_equal(p.verdict, DP_HELD);
    dp_tick(d, 1000 + EARLY_MS * 2);
    dp_stats_get(d, &st);
    assert_int_equal(st.held, 0);
    assert_int_equal(st.drops[R_DP_NO_SA], 1);
    dp_free(d);
    kit_down(&k);
}

static void test_add_refused(void **state)
{
    (void)state;
    struct child_sa sa;
    struct dp *d = trapped(&sa);
    sa.proto = PROTO_AH; /* with a cipher */
    assert_int_equal(dp_child_add(d, &sa, 0), E_NOTSUP);
    sa.proto = PROTO_ESP;
    sa.encr = alg_find(T_ENCR, ENCR_AES_CBC, 128);
    assert_int_equal(dp_child_add(d, &sa, 0), E_NOTSUP); /* no integrity */
    sa.encr = alg_find(T_ENCR, ENCR_AES_GCM_16, 256);
    assert_true(dp_child_add(d, &sa, 0) != E_OK); /* key too short */
    sa.encr = alg_find(T_ENCR, ENCR_AES_GCM_16, 128);
    assert_int_equal(dp_child_add(d, &sa, 0), E_OK); /* the reserved SPI is still ours */
    assert_int_equal(dp_child_add(d, &sa, 0), R_EXISTS);
    sa.id = 2;
    assert_int_equal(dp_child_add(d, &sa, 0), R_EXISTS); /* the SPI is taken */
    dp_spi_free(d, sa.spi_in);                           /* and not free for the asking */
    assert_int_equal(dp_child_add(d, &sa, 0), R_EXISTS);
    dp_child_del(d, 1);
    dp_child_del(d, 1);
    assert_int_equal(dp_child_dir(d, 1, DIR_OUT), R_NOT_FOUND);
    struct child_stats st;
    assert_false(dp_child_stats(d, 1, &st));
    struct dp_stats ds;
    dp_stats_get(d, &ds);
    assert_int_equal(ds.sas, 0);
    kit_sa_free(&sa);
    dp_free(d);
}

struct life_case {
    const char *name;
    struct lifetime life;
    uint32_t soft_at, hard_at; /* number of the 100-byte packet; 0: never */
};

static const struct life_case lives[] = {
    {"packets", {.rekey_packets = 3, .life_packets = 5}, 3, 5},
    {"bytes", {.rekey_bytes = 250, .life_bytes = 401}, 3, 5},
    {"hard only", {.life_packets = 4}, 0, 4},
    {"soft only", {.rekey_bytes = 1}, 1, 0},
    {"none", {0}, 0, 0},
};

static void life_run(const struct life_case *c)
{
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.life = c->life});
    for (uint32_t i = 1; i <= 8; i++) {
        struct dp_pkt p = send_a(&k, 100);
        if (c->hard_at && i > c->hard_at) {
            assert_int_equal(p.reason, R_DP_EXPIRED);
            continue;
        }
        assert_int_equal(p.verdict, DP_TO_NET);
        assert_int_equal(recv_b(&k, &p), E_OK);
        struct dp *both[] = {k.a, k.b}; /* each direction counts for itself */
        for (int j = 0; j < 2; j++) {
            if (i == c->soft_at)
                assert_int_equal(note(both[j], NOTE_SOFT).child_id, 1);
            if (i == c->hard_at)
                assert_int_equal(note(both[j], NOTE_HARD).child_id, 1);
            no_note(both[j]);
        }
    }
    kit_down(&k);
}

static void test_lifetimes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++)
        life_run(&lives[i]);
}

/* RFC 4303 3.3.3: without ESN the number never wraps; with ESN the low half may. */
static void test_seq_overflow(void **state)
{
    (void)state;
    for (int esn = 0; esn < 2; esn++) {
        struct kit k;
        kit_up(&k, &kit_suites[esn ? 6 : 0], &(struct kit_opts){.esn = esn});
        struct sa_out *out = child_find(k.a, 1)->out;
        out->seq = 0xbffffffb;
        for (int i = 0; i < 5; i++)
            send_a(&k, 60);
        if (!esn)
            note(k.a, NOTE_SOFT);
        no_note(k.a);
        out->seq = 0xfffffffd;
        child_find(k.b, 1)->in->replay.top = 0xfffffffd;
        for (int i = 0; i < 5; i++) {
            struct dp_pkt p = send_a(&k, 60);
            if (!esn && i >= 2) {
                assert_int_equal(p.reason, R_DP_SEQ_OVERFLOW);
                continue;
            }
            assert_int_equal(get_u32(p.data + 4), (uint32_t)(0xfffffffeu + (uint32_t)i));
            assert_int_equal(recv_b(&k, &p), E_OK);
        }
        if (!esn)
            note(k.a, NOTE_HARD);
        no_note(k.a);
        kit_down(&k);
    }
}

/* RFC 3948 and RFC 7296 2.23: an authentic packet from elsewhere is reported, once per place, and
 * taken; an old one is not believed. */
/* Numbers that were used before: limits and counters are of this SA alone, the peer sees the next
 * one, and nothing old comes in again. */
static void test_goes_on(void **state)
{
    (void)state;
    struct kit k;
    struct child_stats st;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    dp_child_del(k.a, 1);
    k.sa_a.seq_out = 1000;
    k.sa_a.seq_in = 50;
    k.sa_a.life = (struct lifetime){.rekey_packets = 2, .life_packets = 3};
    assert_int_equal(dp_child_add(k.a, &k.sa_a, 0), E_OK);
    for (uint32_t i = 1; i <= 3; i++) {
        struct dp_pkt p = send_a(&k, 60);
        assert_int_equal(get_u32(p.data + 4), 1000 + i);
        assert_int_equal(recv_b(&k, &p), E_OK);
        if (i >= 2)
            note(k.a, i == 2 ? NOTE_SOFT : NOTE_HARD);
        no_note(k.a);
    }
    assert_int_equal(send_a(&k, 60).reason, R_DP_EXPIRED);
    assert_true(dp_child_stats(k.a, 1, &st));
    assert_int_equal(st.out.packets, 3);
    assert_int_equal(st.seq_out, 1003);
    assert_int_equal(st.seq_in, 50);
    assert_false(replay_check(&child_find(k.a, 1)->in->replay, 50));
    assert_true(replay_check(&child_find(k.a, 1)->in->replay, 51));
    kit_down(&k);
}

static void test_moved(void **state)
{
    (void)state;
    struct kit k;
    static uint8_t late[KIT_BUF];
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.udp = true});
    struct dp_pkt old = kit_pkt(late, kit_inner(late + DP_HEADROOM, 80, 4, true));
    kit_out(k.a, &old);
    struct endpoint nat = {.addr = k.sa_a.local.addr, .port = 61234};
    for (int i = 0; i < 3; i++) {
        struct dp_pkt p = send_a(&k, 100);
        p.local = nat;
        assert_int_equal(recv_b(&k, &p), E_OK);
    }
    struct dp_note n = note(k.b, NOTE_MOVED);
    assert_true(endpoint_eq(&n.remote, &nat));
    assert_true(endpoint_eq(&n.local, &k.sa_b.local));
    no_note(k.b);
    assert_int_equal(dp_child_move(k.b, 1, &k.sa_b.local, &nat), E_OK);
    assert_int_equal(recv_b(&k, &old), E_OK); /* delayed, from the former port */
    no_note(k.b);
    struct dp_pkt bad = send_a(&k, 100);
    bad.data[40] ^= 1;
    bad.local.port = 1;
    assert_int_equal(recv_b(&k, &bad), R_DP_ICV);
    no_note(k.b);
    struct dp_pkt back = inner(100, 4, false);
    kit_out(k.b, &back);
    assert_true(endpoint_eq(&back.remote, &nat));
    kit_down(&k);
}

static void test_frag_needed(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.udp = true, .ip = {.fragment = FRAGMENT_AFTER}});
    struct dp_pkt p = send_a(&k, 1438); /* 1500 - 28 - 8 - 8 - 16 - 2: no padding */
    assert_int_equal(p.len + 28, 1500);
    p = inner(1438, 4, true);
    p.data[6] = 0x40;
    kit_out(k.a, &p);
    assert_true(p.verdict == DP_TO_NET && p.df);
    p = inner(1439, 4, true); /* no DF: the outer packet is fragmented */
    kit_out(k.a, &p);
    assert_true(p.verdict == DP_TO_NET && !p.df);
    p = inner(1439, 4, true);
    p.data[6] = 0x40;
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    assert_int_equal(p.reason, R_DP_TOO_BIG);
    assert_int_equal(kit_drops(k.a, R_DP_TOO_BIG), 1);
    assert_int_equal(p.len, 576);
    assert_int_equal(get_u16(p.data + 2), 576);
    assert_int_equal(ip_csum(ip_sum(p.data, 20, 0)), 0);
    assert_int_equal(ip_csum(ip_sum(p.data + 20, p.len - 20, 0)), 0);
    assert_int_equal(get_u16(p.data + 20), 0x0304);
    assert_int_equal(get_u16(p.data + 26), 1438);
    assert_int_equal(get_u32(p.data + 16), 0x0a010203); /* to the sender */
    assert_int_equal(dp_child_mtu(k.a, 1, 1400), E_OK);
    p = inner(1438, 4, true);
    p.data[6] = 0x40;
    kit_out(k.a, &p);
    assert_int_equal(get_u16(p.data + 26), 1338);
    kit_down(&k);
}

static void test_packet_too_big(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.outer6 = true});
    struct dp_pkt p = inner(1500, 6, true);
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    assert_int_equal(p.len, 1280);
    assert_int_equal(get_u16(p.data + 40), 0x0200);
    assert_int_equal(get_u32(p.data + 44), 1426); /* 1500 - 40 - 8 - 8 - 16 - 2 */
    uint32_t sum = ip_sum(p.data + 8, 32, p.len - 40 + 58);
    assert_int_equal(ip_csum(ip_sum(p.data + 40, p.len - 40, sum)), 0);
    assert_int_equal(dp_child_mtu(k.a, 1, 1280), E_OK);
    p = inner(1280, 6, true); /* never told less than 1280: fragmented outside */
    kit_out(k.a, &p);
    assert_true(p.verdict == DP_TO_NET && !p.df);
    kit_down(&k);
}

/* RFC 1122 3.2.2: no error about an error, about a later fragment, or for a multicast. */
static void test_no_answer(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    struct dp_pkt p = inner(1500, 4, true);
    p.data[6] = 0x40;
    p.data[9] = 1;
    p.data[20] = 3;
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_DROP);
    p = inner(1500, 4, true);
    put_u16(p.data + 6, 0x4001);
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_DROP);
    assert_int_equal(kit_drops(k.a, R_DP_TOO_BIG), 2);
    kit_down(&k);
}

/* No datagram can carry it: refused whatever DF says. */
static void test_huge(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.ip = {.fragment = FRAGMENT_AFTER}});
    struct dp_pkt p = send_a(&k, 65535);
    assert_int_equal(p.reason, R_DP_TOO_BIG);
    assert_int_equal(p.verdict, DP_DROP);
    p = send_a(&k, 65000);
    assert_int_equal(p.verdict, DP_TO_NET);
    assert_int_equal(recv_b(&k, &p), E_OK);
    kit_down(&k);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold_and_release),
        cmocka_unit_test(test_hold_waits_for_out),
        cmocka_unit_test(test_hold_bounds),
        cmocka_unit_test(test_hold_full),
        cmocka_unit_test(test_hold_large),
        cmocka_unit_test(test_hold_narrowed),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_rekey),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_early_expires),
        cmocka_unit_test(test_add_refused),
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_seq_overflow),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_frag_needed),
        cmocka_unit_test(test_packet_too_big),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
