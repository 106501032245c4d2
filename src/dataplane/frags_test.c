/*
 * Fragments where selectors name ports: RFC 4301 7. Datagrams are cut, mixed and sent through two
 * data planes; what arrives is what a model says that knows each fragment's datagram.
 */
#include "dataplane/frag_table.h"
#include "dataplane/testkit.h"
#include <stdlib.h>

enum { UDP = 17, ICMP = 1, GOOD = 5000, BAD = 6000, HOST = 2000, DROPPED = 7000 };

static uint8_t cells[DP_BATCH][DP_HEADROOM + 9000 + DP_TAILROOM], spare[KIT_BUF];

/* --- fragments --- */

struct frag {
    uint32_t id, offset, len; /* of its payload */
    bool more;
    uint8_t family, proto;
    uint16_t port;   /* of the destination: in the first one */
    uint32_t dst;    /* the last bytes of the destination */
    uint32_t serial; /* at the end of the payload, where there is room for it */
};

static void put_payload(uint8_t *p, const struct frag *f)
{
    memset(p, 0x5a, f->len);
    if (!f->offset && f->len >= 4) {
        put_u16(p, f->proto == ICMP ? f->port : HOST);
        put_u16(p + 2, f->port);
    }
    if (f->len >= 8)
        put_u32(p + f->len - 4, f->serial);
}

static uint32_t make(uint8_t *p, const struct frag *f)
{
    if (f->family == 4) {
        kit_inner(p, 20 + f->len, 4, true);
        put_u16(p + 4, (uint16_t)f->id);
        put_u16(p + 6, (uint16_t)(f->offset / 8 | (f->more ? 0x2000 : 0)));
        p[9] = f->proto;
        put_u16(p + 18, (uint16_t)f->dst);
        put_u16(p + 10, 0);
        put_u16(p + 10, ip_csum(ip_sum(p, 20, 0)));
        put_payload(p + 20, f);
        return 20 + f->len;
    }
    kit_inner(p, 48 + f->len, 6, true);
    p[6] = 44;
    put_u16(p + 38, (uint16_t)f->dst);
    p[40] = f->proto;
    p[41] = 0;
    put_u16(p + 42, (uint16_t)(f->offset | f->more));
    put_u32(p + 44, f->id);
    put_payload(p + 48, f);
    return 48 + f->len;
}

/* --- two gateways with selectors of ports --- */

static struct ts with_port(const char *prefix, uint8_t proto, int port)
{
    struct ts t = kit_ts(prefix);
    t.proto = proto;
    if (port >= 0)
        t.port_lo = t.port_hi = (uint16_t)port;
    return t;
}

static void policy(struct dp *d, uint32_t id, enum policy_action act, bool is_a, struct ts l4,
                   struct ts l6, struct ts r4, struct ts r6)
{
    struct policy p = {.id = id, .priority = id, .action = act, .conn = "net"};
    p.local = (struct ts_list){2, {is_a ? l4 : r4, is_a ? l6 : r6}};
    p.remote = (struct ts_list){2, {is_a ? r4 : l4, is_a ? r6 : l6}};
    assert_int_equal(dp_policy_add(d, &p), E_OK);
}

static void policies(struct dp *d, bool is_a)
{
    dp_policy_del(d, 7);
    policy(d, 7, POL_PROTECT, is_a, with_port("10.1.0.0/16", UDP, -1),
           with_port("fd01::/64", UDP, -1), with_port("10.2.0.0/16", UDP, GOOD),
           with_port("fd02::/64", UDP, GOOD));
    policy(d, 8, POL_DROP, is_a, with_port("10.1.0.0/16", UDP, -1), with_port("fd01::/64", UDP, -1),
           with_port("10.2.0.0/16", UDP, DROPPED), with_port("fd02::/64", UDP, DROPPED));
}

static void sas(struct kit *k, const struct kit_opts *o, bool agreed)
{
    for (int a = 0; a < 2; a++) {
        struct child_sa *sa = a ? &k->sa_a : &k->sa_b;
        kit_sa(sa, &kit_suites[0], o, a);
        sa->later_frags = agreed;
        struct ts_list *near = a ? &sa->local_ts : &sa->remote_ts;
        struct ts_list *far = a ? &sa->remote_ts : &sa->local_ts;
        near->ts[0].proto = near->ts[1].proto = UDP;
        far->ts[0] = with_port("10.2.0.0/16", UDP, GOOD);
        far->ts[1] = with_port("fd02::/64", UDP, GOOD);
    }
}

/* The SAs of A and B are made, and installed if asked for. */
static void up(struct kit *k, bool agreed, bool install)
{
    k->a = kit_dp();
    k->b = kit_dp();
    policies(k->a, true);
    policies(k->b, false);
    sas(k, &(struct kit_opts){.window = 1024}, agreed);
    k->sa_a.spi_in = k->sa_b.spi_out = dp_spi_alloc(k->a);
    k->sa_b.spi_in = k->sa_a.spi_out = dp_spi_alloc(k->b);
    if (!install)
        return;
    assert_int_equal(dp_child_add(k->a, &k->sa_a, 0), E_OK);
    assert_int_equal(dp_child_add(k->b, &k->sa_b, 0), E_OK);
}

static struct dp_pkt send_one(struct kit *k, const struct frag *f, uint64_t now_ms)
{
    struct dp_pkt p = kit_pkt(cells[0], make(cells[0] + DP_HEADROOM, f)), *pp = &p;
    dp_outbound(k->a, &pp, 1, now_ms);
    return p;
}

/* --- what arrives --- */

struct arrivals {
    uint8_t *seen; /* by serial */
    uint32_t n, joined;
};

static uint32_t payload_at(const uint8_t *p, uint32_t len)
{
    struct ip_info ip;
    assert_int_equal(ip_parse(p, len, &ip), E_OK);
    assert_int_equal(ip.len, len);
    return p[0] >> 4 == 4 ? 20 : ip.frag ? ip.frag + 8 : 40;
}

static void arrived(struct arrivals *r, const struct dp_pkt *p)
{
    uint32_t at = payload_at(p->data, p->len), serial = get_u32(p->data + p->len - 4);
    assert_true(p->len >= at + 8 && serial < r->n);
    assert_int_equal(r->seen[serial], 0);
    r->seen[serial] = 1;
    struct ip_info ip;
    assert_int_equal(ip_parse(p->data, p->len, &ip), E_OK);
    r->joined += !ip.frag;
}

static void drain_b(struct kit *k, struct arrivals *r, uint64_t now_ms)
{
    struct dp_pkt p;
    while (dp_held_next(k->b, &p, spare, sizeof spare, now_ms)) {
        assert_int_equal(p.verdict, DP_TO_HOST);
        arrived(r, &p);
    }
}

static void to_b(struct kit *k, struct dp_pkt *p, struct arrivals *r, uint64_t now_ms)
{
    kit_cross(p);
    dp_inbound(k->b, &p, 1, now_ms);
    if (p->verdict == DP_TO_HOST)
        arrived(r, p);
    drain_b(k, r, now_ms);
}

/* --- the model --- */

enum { DATAGRAMS = 400, MOST = 6 };

struct way_of_it {
    bool agreed;
    uint32_t mix_out, mix_net; /* how far fragments may overtake each other */
};

/* Swaps within reach: none moves further. */
static void mix(uint32_t *order, uint32_t n, uint32_t reach, uint64_t *seed)
{
    for (uint32_t i = 0; reach && i + 1 < n; i += reach)
        for (uint32_t j = 0; j < reach && i + j < n; j++) {
            uint32_t room = n - i < reach ? n - i : reach;
            uint32_t a = i + j, b = i + (uint32_t)(kit_rand(seed) % room), t = order[a];
            order[a] = order[b];
            order[b] = t;
        }
}

static uint32_t datagrams(struct frag *f, uint64_t *seed)
{
    uint32_t n = 0;
    for (uint32_t d = 0; d < DATAGRAMS; d++) {
        uint32_t count = 2 + (uint32_t)(kit_rand(seed) % (MOST - 1)), at = 0;
        uint8_t family = kit_rand(seed) % 2 ? 4 : 6;
        uint16_t port = (uint16_t)(kit_rand(seed) % 3 ? GOOD : kit_rand(seed) % 2 ? BAD : DROPPED);
        for (uint32_t i = 0; i < count; i++, n++) {
            uint32_t len = 8 * (1 + (uint32_t)(kit_rand(seed) % 100));
            f[n] = (struct frag){.id = d,
                                 .offset = at,
                                 .len = len,
                                 .more = i + 1 < count,
                                 .family = family,
                                 .proto = UDP,
                                 .port = port,
                                 .dst = 0x0203,
                                 .serial = n};
            at += len;
        }
    }
    return n;
}

struct flight {
    uint8_t data[9000];
    struct dp_pkt p;
};

/* Everything that A has to send, in batches of changing size; how many packets. */
static uint32_t a_sends(struct kit *k, const struct frag *f, const uint32_t *order, uint32_t n,
                        struct flight *out, uint64_t *seed)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < n;) {
        struct dp_pkt pkt[DP_BATCH], *pp[DP_BATCH], own;
        uint32_t batch = 1 + (uint32_t)(kit_rand(seed) % 20), b = 0;
        for (; b < batch && i < n; b++, i++) {
            pkt[b] = kit_pkt(cells[b], make(cells[b] + DP_HEADROOM, &f[order[i]]));
            pp[b] = &pkt[b];
        }
        dp_outbound(k->a, pp, b, 1000);
        for (uint32_t j = 0; j < b; j++) {
            if (pkt[j].verdict != DP_TO_NET)
                continue;
            out[sent].p = pkt[j];
            memcpy(out[sent++].data, pkt[j].data, pkt[j].len);
        }
        while (dp_held_next(k->a, &own, spare, sizeof spare, 1000)) {
            assert_int_equal(own.verdict, DP_TO_NET);
            out[sent].p = own;
            memcpy(out[sent++].data, own.data, own.len);
        }
    }
    return sent;
}

static void check_model(const struct frag *f, const struct arrivals *r, const struct way_of_it *w)
{
    for (uint32_t i = 0; i < r->n; i++) {
        bool last = !f[i].more;
        bool want = f[i].port == GOOD && (w->agreed || last); /* joined: the last one's serial */
        if (r->seen[i] != want)
            fail_msg("fragment %u of datagram %u: %d", f[i].offset, f[i].id, r->seen[i]);
    }
}

static void run_model(const struct way_of_it *w, uint64_t seed)
{
    static struct frag f[DATAGRAMS * MOST];
    static uint32_t order[DATAGRAMS * MOST];
    struct flight *net = calloc(DATAGRAMS * MOST, sizeof *net);
    assert_non_null(net);
    struct kit k;
    up(&k, w->agreed, true);
    uint32_t n = datagrams(f, &seed);
    struct arrivals r = {.seen = calloc(n, 1), .n = n};
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    mix(order, n, w->mix_out, &seed);
    uint32_t sent = a_sends(&k, f, order, n, net, &seed);
    for (uint32_t i = 0; i < sent; i++)
        order[i] = i;
    mix(order, sent, w->mix_net, &seed);
    for (uint32_t i = 0; i < sent; i++) {
        struct dp_pkt p = net[order[i]].p;
        p.data = cells[0] + DP_HEADROOM;
        memcpy(p.data, net[order[i]].data, p.len);
        to_b(&k, &p, &r, 1000);
    }
    check_model(f, &r, w);
    if (!w->agreed)
        assert_true(r.joined > DATAGRAMS / 2 && r.joined == sent);
    assert_int_equal(kit_drops(k.b, R_DP_SELECTOR), 0);
    free(r.seen);
    free(net);
    kit_down(&k);
}

static void test_model(void **state)
{
    (void)state;
    static const struct way_of_it ways[] = {{true, 0, 0},   {true, 6, 0},  {true, 0, 8},
                                            {true, 12, 12}, {false, 0, 0}, {false, 0, 12}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (uint64_t seed = 1; seed <= 3; seed++)
            run_model(&ways[i], seed * 77 + i);
}

/* --- one thing at a time --- */

static const struct frag first = {
    .id = 9, .len = 800, .more = true, .family = 4, .proto = UDP, .port = GOOD, .dst = 0x0203};
static const struct frag later = {
    .id = 9, .offset = 800, .len = 80, .family = 4, .proto = UDP, .dst = 0x0203};

struct step {
    struct frag f;
    enum dp_verdict verdict;
    err_t reason;
    uint64_t ms;
};

static void run_steps(const struct step *s, size_t n)
{
    struct kit k;
    up(&k, true, true);
    for (size_t i = 0; i < n; i++) {
        struct dp_pkt p = send_one(&k, &s[i].f, s[i].ms);
        if (p.verdict != s[i].verdict || p.reason != s[i].reason)
            fail_msg("step %zu: verdict %d, %s", i, p.verdict, err_text(p.reason));
    }
    kit_down(&k);
}

static struct frag with(struct frag f, uint32_t id, uint16_t port, uint32_t offset, uint32_t len)
{
    f.id = id;
    f.port = port;
    f.offset = offset;
    f.len = len;
    return f;
}

static void test_steps(void **state)
{
    (void)state;
    struct frag v6_first = first, v6_later = later, v6_liar = later, other = later, tcp = later;
    v6_first.family = v6_later.family = v6_liar.family = 6;
    v6_liar.proto = 6;
    other.dst = 0x0204;
    tcp.proto = 6;
    const struct step in_order[] = {{first, DP_TO_NET, 0, 1000},
                                    {later, DP_TO_NET, 0, 1000},
                                    {v6_first, DP_TO_NET, 0, 1000},
                                    {v6_later, DP_TO_NET, 0, 1000},
                                    {v6_liar, DP_TO_NET, 0, 1000}, /* RFC 8200 4.5 */
                                    /* neither another host's, nor of another protocol */
                                    {other, DP_HELD, 0, 1000},
                                    {tcp, DP_DROP, R_DP_NO_POLICY, 1000},
                                    /* after half a minute it is not remembered any more */
                                    {later, DP_TO_NET, 0, 30999},
                                    {later, DP_HELD, 0, 31000}};
    run_steps(in_order, sizeof in_order / sizeof *in_order);
    const struct step refused[] = {
        {with(first, 1, DROPPED, 0, 800), DP_DROP, R_DP_POLICY_DROP, 1000},
        {with(later, 1, 0, 800, 80), DP_DROP, R_DP_POLICY_DROP, 1000},
        {with(first, 2, BAD, 0, 800), DP_DROP, R_DP_NO_POLICY, 1000},
        {with(later, 2, 0, 800, 80), DP_DROP, R_DP_NO_POLICY, 1000},
        /* the identification comes again: it is the younger datagram that counts */
        {with(first, 2, GOOD, 0, 800), DP_TO_NET, 0, 1000},
        {with(later, 2, 0, 800, 80), DP_TO_NET, 0, 1000}};
    run_steps(refused, sizeof refused / sizeof *refused);
    const struct step hostile[] = {/* RFC 1858 3: too short for ports, and what follows it */
                                   {with(first, 3, 0, 0, 2), DP_DROP, R_DP_FRAG_SHORT, 1000},
                                   {with(later, 3, 0, 8, 80), DP_DROP, R_DP_FRAG_SHORT, 1000},
                                   /* RFC 1858 4: over what the first one said */
                                   {with(first, 4, GOOD, 0, 16), DP_TO_NET, 0, 1000},
                                   {with(later, 4, 0, 8, 80), DP_DROP, R_DP_FRAG_OVERLAP, 1000},
                                   {with(later, 4, 0, 16, 80), DP_TO_NET, 0, 1000}};
    run_steps(hostile, sizeof hostile / sizeof *hostile);
}

/* One whose first does not come is dropped, and counted; the store is bounded. */
static void test_orphans(void **state)
{
    (void)state;
    struct kit k;
    up(&k, true, true);
    uint32_t held = 0;
    for (uint32_t i = 0; i < 100; i++) {
        struct dp_pkt p = send_one(
            &k,
            &(struct frag){
                .id = i, .offset = 800, .len = 80, .family = 4, .proto = UDP, .dst = 0x0203},
            1000);
        held += p.verdict == DP_HELD;
    }
    assert_int_equal(held, FRAG_WAIT_MAX);
    assert_int_equal(kit_drops(k.a, R_DP_FRAG_ORPHAN), 100 - FRAG_WAIT_MAX);
    assert_true(dp_ticks(k.a));
    dp_tick(k.a, 1000 + FRAG_WAIT_MS - 1);
    assert_int_equal(kit_drops(k.a, R_DP_FRAG_ORPHAN), 100 - FRAG_WAIT_MAX);
    dp_tick(k.a, 1000 + FRAG_WAIT_MS);
    assert_int_equal(kit_drops(k.a, R_DP_FRAG_ORPHAN), 100);
    assert_false(dp_ticks(k.a));
    kit_down(&k);
}

/* The whole datagram is held while the tunnel comes up, and goes when it is there. */
static void test_hold(void **state)
{
    (void)state;
    for (int agreed = 0; agreed < 2; agreed++) {
        struct kit k;
        struct dp_pkt p;
        struct dp_note n;
        unsigned out = 0;
        up(&k, agreed, false);
        assert_int_equal(send_one(&k, &later, 1000).verdict, DP_HELD); /* overtook */
        assert_int_equal(send_one(&k, &first, 1000).verdict, DP_HELD);
        assert_false(dp_held_next(k.a, &p, spare, sizeof spare, 1000));
        assert_true(dp_note_next(k.a, &n) && n.kind == NOTE_ACQUIRE);
        assert_int_equal(n.flow_remote.port_lo, GOOD);
        assert_false(dp_note_next(k.a, &n));
        assert_int_equal(dp_policy_held(k.a, 7), 2);
        assert_int_equal(dp_child_add(k.a, &k.sa_a, 2000), E_OK);
        while (dp_held_next(k.a, &p, spare, sizeof spare, 2000))
            out += p.verdict == DP_TO_NET;
        assert_int_equal(out, agreed ? 2 : 1);
        kit_down(&k);
    }
}

/* RFC 4301 7.3: later fragments that were not agreed on are discarded; 7.1: where any port will do
 * they come through, first or no first. */
static void test_received(void **state)
{
    (void)state;
    struct kit k;
    up(&k, true, true);
    dp_child_del(k.b, 1);
    k.sa_b.later_frags = false;
    assert_int_equal(dp_child_add(k.b, &k.sa_b, 0), E_OK);
    struct dp_pkt p = send_one(&k, &first, 1000);
    kit_cross(&p);
    kit_in(k.b, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    p = send_one(&k, &later, 1000);
    kit_cross(&p);
    kit_in(k.b, &p);
    assert_int_equal(p.reason, R_DP_FRAG_PORTS);
    kit_down(&k);
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    p = send_one(&k, &later, 1000);
    assert_int_equal(p.verdict, DP_TO_NET);
    kit_cross(&p);
    kit_in(k.b, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    kit_down(&k);
}

/* A peer sends on its SA what is for another policy. */
static void test_selectors(void **state)
{
    (void)state;
    struct kit k;
    struct arrivals r = {.seen = calloc(8, 1), .n = 8};
    up(&k, true, true);
    kit_policy(k.a, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64",
               "fd02::/64"); /* A lets all through */
    dp_policy_del(k.a, 8);
    dp_child_del(k.a, 1);
    k.sa_a.local_ts = (struct ts_list){1, {kit_ts("10.1.0.0/16")}};
    k.sa_a.remote_ts = (struct ts_list){1, {kit_ts("10.2.0.0/16")}};
    assert_int_equal(dp_child_add(k.a, &k.sa_a, 0), E_OK);
    struct dp_pkt p = send_one(&k,
                               &(struct frag){.id = 1,
                                              .len = 80,
                                              .more = true,
                                              .family = 4,
                                              .proto = UDP,
                                              .port = BAD,
                                              .dst = 0x0203},
                               1000);
    kit_cross(&p);
    kit_in(k.b, &p);
    assert_int_equal(p.reason, R_DP_SELECTOR);
    const struct frag tail = with(later, 1, 0, 80, 80);
    p = send_one(&k, &tail, 1000);
    kit_cross(&p);
    kit_in(k.b, &p);
    assert_int_equal(p.reason, R_DP_SELECTOR);
    /* what waited for its first is judged when that is here */
    struct frag lost = with(later, 2, 0, 80, 80), late = with(first, 2, BAD, 0, 80);
    lost.serial = 1;
    p = send_one(&k, &lost, 1000);
    to_b(&k, &p, &r, 1000);
    assert_int_equal(p.verdict, DP_HELD);
    p = send_one(&k, &late, 1000);
    to_b(&k, &p, &r, 1000);
    assert_int_equal(kit_drops(k.b, R_DP_SELECTOR), 4);
    assert_int_equal(r.seen[1], 0);
    struct child_stats st;
    assert_true(dp_child_stats(k.b, 1, &st));
    assert_int_equal(st.selector_dropped, 4);
    free(r.seen);
    kit_down(&k);
}

/* ICMP's type counts as ports do. */
static void test_icmp(void **state)
{
    (void)state;
    struct kit k;
    up(&k, true, true);
    dp_policy_del(k.a, 7);
    policy(k.a, 7, POL_PROTECT, true, with_port("10.1.0.0/16", ICMP, 8 << 8), kit_ts("fd01::/64"),
           with_port("10.2.0.0/16", ICMP, 8 << 8), kit_ts("fd02::/64"));
    dp_child_del(k.a, 1);
    k.sa_a.local_ts.ts[0] = with_port("10.1.0.0/16", ICMP, 8 << 8);
    k.sa_a.remote_ts.ts[0] = with_port("10.2.0.0/16", ICMP, 8 << 8);
    assert_int_equal(dp_child_add(k.a, &k.sa_a, 0), E_OK);
    struct frag echo = first, rest = later, reply;
    echo.proto = rest.proto = ICMP;
    echo.port = 8 << 8;
    reply = echo;
    reply.port = 0;
    assert_int_equal(send_one(&k, &echo, 1000).verdict, DP_TO_NET);
    assert_int_equal(send_one(&k, &rest, 1000).verdict, DP_TO_NET);
    assert_int_equal(send_one(&k, &reply, 1000).reason, R_DP_NO_POLICY);
    assert_int_equal(send_one(&k, &rest, 1000).reason, R_DP_NO_POLICY);
    kit_down(&k);
}

/* RFC 4301 7.2: an SA for later fragments alone, of all ports. */
static void opaque_side(struct dp *d, struct child_sa *sa, bool is_a)
{
    struct ts l4 = with_port("10.1.0.0/16", UDP, -1), l6 = with_port("fd01::/64", UDP, -1);
    struct ts r4 = with_port("10.2.0.0/16", UDP, -1), r6 = with_port("fd02::/64", UDP, -1);
    r4.port_lo = r6.port_lo = 0xffff;
    r4.port_hi = r6.port_hi = 0;
    policy(d, 9, POL_PROTECT, is_a, l4, l6, r4, r6);
    kit_sa(sa, &kit_suites[0], &(struct kit_opts){.window = 64}, is_a);
    sa->id = 2;
    sa->policy = 9;
    *(is_a ? &sa->local_ts : &sa->remote_ts) = (struct ts_list){2, {l4, l6}};
    *(is_a ? &sa->remote_ts : &sa->local_ts) = (struct ts_list){2, {r4, r6}};
}

static void test_opaque(void **state)
{
    (void)state;
    struct kit k;
    struct child_sa a, b;
    struct dp_note n;
    up(&k, false, true);
    opaque_side(k.a, &a, true);
    opaque_side(k.b, &b, false);
    a.spi_in = b.spi_out = dp_spi_alloc(k.a);
    b.spi_in = a.spi_out = dp_spi_alloc(k.b);
    assert_int_equal(send_one(&k, &later, 1000).verdict, DP_HELD);
    assert_true(dp_note_next(k.a, &n) && n.kind == NOTE_ACQUIRE && n.policy_id == 9);
    assert_true(ts_opaque(&n.flow_remote) && ts_any_port(&n.flow_local));
    assert_int_equal(dp_child_add(k.a, &a, 0), E_OK);
    assert_int_equal(dp_child_add(k.b, &b, 0), E_OK);
    static const struct {
        uint32_t child, offset;
        err_t reason; /* at B */
    } want[] = {{1, 0, E_OK}, {2, 800, E_OK}, {2, 64, E_OK}, {2, 56, R_DP_FRAG_OVERLAP}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct frag f = want[i].offset ? with(later, 9, 0, want[i].offset, 80) : first;
        struct dp_pkt p = send_one(&k, &f, 1000);
        assert_int_equal(p.verdict, DP_TO_NET);
        assert_int_equal(p.child_id, want[i].child);
        kit_cross(&p);
        kit_in(k.b, &p);
        assert_int_equal(p.reason, want[i].reason);
        assert_int_equal(p.verdict, want[i].reason ? DP_DROP : DP_TO_HOST);
    }
    const struct frag whole = {.len = 80, .family = 4, .proto = UDP, .port = BAD, .dst = 0x0203};
    struct dp_pkt p = send_one(&k, &whole, 1000); /* what has ports is not for it */
    assert_int_equal(p.reason, R_DP_NO_POLICY);
    kit_sa_free(&a);
    kit_sa_free(&b);
    kit_down(&k);
}

static struct dp_owner owner_of(void *ctx, uint32_t policy_id)
{
    (void)ctx;
    return (struct dp_owner){.worker = policy_id == 7 ? 1 : 0};
}

/* Another worker has the SA: it gets all fragments, in order. */
static void test_elsewhere(void **state)
{
    (void)state;
    struct kit k = {0};
    struct dp_settings s;
    dp_settings_default(&s);
    s.workers = 2;
    s.owner = owner_of;
    k.a = dp_new(&s);
    assert_non_null(k.a);
    policies(k.a, true);
    assert_int_equal(send_one(&k, &first, 1000).verdict, DP_ELSEWHERE);
    struct dp_pkt p = send_one(&k, &later, 1000);
    assert_true(p.verdict == DP_ELSEWHERE && p.owner == 1);
    assert_int_equal(p.data[9], UDP);
    dp_free(k.a);
}

/* --- the table --- */

/* Against a list of all that was put: what is found is the last one put under that key, not too
 * old; and the last three are always found. */
static void test_table(void **state)
{
    (void)state;
    enum { N = 20000 };
    static struct frag_piece put[N];
    static uint64_t at[N];
    struct frag_table t;
    uint64_t seed = 3, now = 0;
    unsigned found = 0;
    assert_int_equal(frag_table_init(&t, (uint64_t[]){1, 2}), E_OK);
    for (uint32_t i = 0; i < N; i++) {
        now += kit_rand(&seed) % 20;
        at[i] = now;
        put[i] = (struct frag_piece){.end = i};
        put[i].key.l[0] = kit_rand(&seed) % 3000;
        put[i].key.meta = kit_rand(&seed) % 2;
        frag_table_put(&t, &put[i], (uint32_t)put[i].key.meta, i + 1, now);
        for (uint32_t back = 0; back < 40 && back <= i; back++) {
            const struct frag_piece *f = &put[i - back];
            uint32_t last = i;
            while (!flow_eq(&put[last].key, &f->key))
                last--;
            const struct frag_first *e = frag_table_find(&t, &f->key, (uint32_t)f->key.meta, now);
            assert_true(e || back >= 3);
            if (e)
                assert_true(e->meta == last + 1 && e->end == last && now - at[last] < 30000);
            found += e != NULL;
            assert_null(frag_table_find(&t, &f->key, 2, now));
            assert_null(frag_table_find(&t, &f->key, (uint32_t)f->key.meta, at[last] + 30000));
        }
    }
    assert_true(found > N * 30u);
    frag_table_fini(&t);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),     cmocka_unit_test(test_steps),
        cmocka_unit_test(test_orphans),   cmocka_unit_test(test_hold),
        cmocka_unit_test(test_received),  cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_icmp),      cmocka_unit_test(test_opaque),
        cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
