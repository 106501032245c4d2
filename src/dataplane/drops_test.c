/* One fault each, and the one counter that tells it: of all packets, and of the SA where it is
 * known (RFC 4301 4.4.2.1, RFC 4303 3.4; the rows of `show crypto ipsec sa detail'). */
#include "dataplane/testkit.h"

static uint8_t buf[KIT_BUF];

struct scene {
    struct kit k;
    struct dp_pkt p;
};

static void sealed(struct scene *s)
{
    s->p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 200, 4, true));
    kit_out(s->k.a, &s->p);
    assert_int_equal(s->p.verdict, DP_TO_NET);
    kit_cross(&s->p);
}

/* A payload of our own choice, as an honest peer would never send it. */
static void crafted(struct scene *s, const uint8_t *payload, uint32_t n)
{
    sealed(s);
    struct child *c = child_find(s->k.a, 1);
    uint8_t *esp = buf + DP_HEADROOM;
    put_u32(esp, c->out->spi);
    put_u32(esp + 4, (uint32_t)++c->out->seq);
    memcpy(esp + 16, payload, n);
    struct cr_op op = {.key = c->out->key, .p = esp, .text_len = n, .iv_seed = c->out->seq};
    cr_seal(s->k.a->crypto, &op, 1);
    s->p.data = esp;
    s->p.len = 16 + n + 16;
}

static void no_sa(struct scene *s)
{
    sealed(s);
    s->p.data[0] ^= 0x40;
}

static void flipped(struct scene *s)
{
    sealed(s);
    s->p.data[s->p.len - 20] ^= 1;
}

static void twice(struct scene *s)
{
    sealed(s);
    struct dp_pkt first = s->p;
    uint8_t copy[400];
    memcpy(copy, s->p.data, s->p.len);
    kit_in(s->k.b, &first);
    memcpy(s->p.data, copy, s->p.len);
}

static void late(struct scene *s)
{
    uint8_t copy[400];
    sealed(s);
    struct dp_pkt old = s->p;
    memcpy(copy, s->p.data, s->p.len);
    for (int i = 0; i < 100; i++) {
        sealed(s);
        kit_in(s->k.b, &s->p);
    }
    s->p = old;
    memcpy(s->p.data, copy, old.len);
}

static void cut(struct scene *s)
{
    sealed(s);
    s->p.len -= 1;
}

static void tiny(struct scene *s)
{
    sealed(s);
    s->p.len = 7;
}

static void bad_padding(struct scene *s)
{
    crafted(s, (const uint8_t[8]){0, 0, 0, 1, 2, 4, 3, 4}, 8);
}

static void bad_next(struct scene *s)
{
    crafted(s, (const uint8_t[8]){0, 0, 0, 0, 0, 0, 0, 17}, 8);
}

static void bad_inner(struct scene *s)
{
    crafted(s, (const uint8_t[8]){0x45, 0, 0, 0, 0, 0, 0, 4}, 8);
}

static void foreign_inner(struct scene *s)
{
    uint8_t payload[32] = {0x45, 0, 0, 28, [8] = 64, [9] = 17, [12] = 192, 0, 2, 1, 10, 2, 2, 3};
    payload[28] = 1;
    payload[29] = 2;
    payload[30] = 2;
    payload[31] = 4;
    crafted(s, payload, 32);
}

static void marked(struct scene *s)
{
    sealed(s);
    s->p.tos = 3; /* congestion, and the inner packet is Not-ECT */
}

static void in_udp(struct scene *s)
{
    sealed(s);
    s->p.udp = true;
}

static void expired_in(struct scene *s)
{
    sealed(s);
    child_find(s->k.b, 1)->in->dead = true;
}

/* --- on the way out: the packet is A's --- */

static void too_big(struct scene *s)
{
    s->p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 2000, 6, true));
}

static void no_policy(struct scene *s)
{
    s->p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 200, 4, true));
    s->p.data[16] = 172;
}

static void malformed(struct scene *s)
{
    s->p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 200, 4, true));
    s->p.data[0] = 0x41;
}

static void numbers_over(struct scene *s)
{
    struct sa_out *out = child_find(s->k.a, 1)->out;
    s->p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 200, 4, true));
    out->seq = UINT32_MAX;
    out->dead = true;
}

static void expired_out(struct scene *s)
{
    s->p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 200, 4, true));
    child_find(s->k.a, 1)->out->dead = true;
}

static const struct {
    const char *name; /* as the screen calls it */
    void (*fault)(struct scene *s);
    err_t reason;
    bool out, sa; /* A's way out; the SA knows it */
} cases[] = {
    {"no sa (rcv), invalid sa", no_sa, R_DP_NO_SA, false, false},
    {"verify failed", flipped, R_DP_ICV, false, true},
    {"replay failed: duplicate", twice, R_DP_REPLAY, false, true},
    {"replay failed: late", late, R_DP_LATE, false, true},
    {"invalid len", cut, R_DP_SHORT, false, true},
    {"invalid len: no SPI", tiny, R_DP_SHORT, false, false},
    {"decaps failed: padding", bad_padding, R_DP_PADDING, false, true},
    {"invalid prot", bad_next, R_DP_NEXT_HEADER, false, true},
    {"decaps failed: inner packet", bad_inner, R_DP_INNER, false, true},
    {"invalid identity", foreign_inner, R_DP_SELECTOR, false, true},
    {"decaps failed: ECN", marked, R_DP_ECN, false, true},
    {"decaps failed: encapsulation", in_udp, R_DP_ENCAP, false, true},
    {"recv: expired", expired_in, R_DP_EXPIRED, false, true},
    {"encaps failed: too big", too_big, R_DP_TOO_BIG, true, true},
    {"no sa (send)", no_policy, R_DP_NO_POLICY, true, false},
    {"encaps failed: malformed", malformed, R_DP_INNER, true, false},
    {"replay rollover", numbers_over, R_DP_SEQ_OVERFLOW, true, true},
    {"send: expired", expired_out, R_DP_EXPIRED, true, true},
};

/* The newest note of a drop; kind 0: there is none. */
static struct dp_note audit_of(struct dp *d)
{
    struct dp_note n, found = {0};
    while (dp_note_next(d, &n))
        if (n.kind == NOTE_DROP)
            found = n;
    return found;
}

static bool is_audited(err_t e)
{
    static const err_t not [] = {R_DP_SHORT,    R_DP_POLICY_DROP, R_DP_HOLD, R_DP_TOO_BIG,
                                 R_DP_LINK,     R_DP_ECN,         R_DP_GSO,  R_DP_FRAG_ORPHAN,
                                 R_DP_FRAGMENT, R_DP_HANDOVER,    R_DP_ROOM};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (not [i] == e)
            return false;
    return true;
}

static void one(size_t i)
{
    struct scene s;
    struct dp_stats before, after;
    struct child_stats sa;
    kit_up(&s.k, &kit_suites[0], &(struct kit_opts){0});
    cases[i].fault(&s);
    struct dp *d = cases[i].out ? s.k.a : s.k.b;
    dp_stats_get(d, &before);
    if (cases[i].out)
        kit_out(d, &s.p);
    else
        kit_in(d, &s.p);
    dp_stats_get(d, &after);
    assert_int_equal(audit_of(d).reason, is_audited(cases[i].reason) ? cases[i].reason : 0);
    assert_true(dp_child_stats(d, 1, &sa));
    if (s.p.reason != cases[i].reason)
        fail_msg("%s: %s", cases[i].name, err_name(s.p.reason));
    for (int r = 1; r < R_COUNT; r++)
        if (after.drops[r] - before.drops[r] != (r == cases[i].reason))
            fail_msg("%s: counted as %s", cases[i].name, err_name(r));
    for (int r = 0; r < CHILD_DROPS; r++)
        if (sa.drops[r] != (cases[i].sa && R_DP_SHORT + r == cases[i].reason))
            fail_msg("%s: the SA counts %u of %s", cases[i].name, sa.drops[r],
                     err_name(R_DP_SHORT + r));
    kit_down(&s.k);
}

/* RFC 4303 4: an attack is in the log at once, and does not fill it. */
static void test_audit(void **state)
{
    (void)state;
    struct scene s;
    struct dp_note n;
    struct endpoint from;
    kit_up(&s.k, &kit_suites[0], &(struct kit_opts){0});
    for (int i = 0; i < 30; i++) {
        flipped(&s);
        from = s.p.remote;
        uint32_t spi = get_u32(s.p.data), seq = get_u32(s.p.data + 4);
        dp_inbound(s.k.b, &(struct dp_pkt *){&s.p}, 1, i < 20 ? 1000 : 11000);
        n = audit_of(s.k.b);
        assert_int_equal(n.kind, i == 0 || i == 20 ? NOTE_DROP : 0);
        if (!n.kind)
            continue;
        assert_int_equal(n.reason, R_DP_ICV);
        assert_int_equal(n.count, i ? 20 : 1);
        assert_int_equal(n.child_id, 1);
        assert_int_equal(n.spi, spi);
        assert_int_equal(n.seq, seq);
        assert_true(addr_eq(&n.remote.addr, &from.addr));
    }
    kit_down(&s.k);
}

/* RFC 4301 5.2: of a packet that is not the SA's own the log tells whose it is. */
static void test_audit_flow(void **state)
{
    (void)state;
    struct scene s;
    kit_up(&s.k, &kit_suites[0], &(struct kit_opts){0});
    foreign_inner(&s);
    kit_in(s.k.b, &s.p);
    struct dp_note n = audit_of(s.k.b);
    assert_int_equal(n.reason, R_DP_SELECTOR);
    assert_int_equal(n.flow_local.lo.family, 4);
    assert_memory_equal(n.flow_local.lo.ip, ((const uint8_t[]){192, 0, 2, 1}), 4);
    assert_memory_equal(n.flow_remote.lo.ip, ((const uint8_t[]){10, 2, 2, 3}), 4);
    kit_down(&s.k);
}

static void test_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        one(i);
}

/* What is carried is the sum of what is counted. */
static void test_totals(void **state)
{
    (void)state;
    struct scene s;
    struct child_stats a, b;
    kit_up(&s.k, &kit_suites[0], &(struct kit_opts){0});
    for (int i = 0; i < 100; i++) {
        sealed(&s);
        if (i % 10 == 0)
            s.p.data[30] ^= 1;
        kit_in(s.k.b, &s.p);
    }
    assert_true(dp_child_stats(s.k.a, 1, &a) && dp_child_stats(s.k.b, 1, &b));
    assert_int_equal(a.out.packets, 100);
    assert_int_equal(b.in.packets, 90);
    assert_int_equal(b.drops[R_DP_ICV - R_DP_SHORT], 10);
    assert_int_equal(b.in.bytes, 90 * 200);
    kit_down(&s.k);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each), cmocka_unit_test(test_totals),
                                       cmocka_unit_test(test_audit),
                                       cmocka_unit_test(test_audit_flow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
