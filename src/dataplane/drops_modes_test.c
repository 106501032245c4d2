/* drops_test.c for AH, transport mode, IPComp and bundles: one fault each, and the one counter that
 * tells it, of all packets and of the SA (RFC 4302 3.4, RFC 3173 2, RFC 4301 5.2). */
#include "dataplane/frag_join.h"
#include "dataplane/lifetime.h"
#include "dataplane/modekit.h"

struct scene {
    struct peers t;
    struct dp_pkt p;
};

static struct dp_pkt fresh(struct scene *s)
{
    struct dp_pkt p = mode_sent(&s->t, mode_inner(200, 4));
    return mode_arrive(&p, got);
}

static void unknown(struct scene *s)
{
    s->p = fresh(s);
    s->p.data[0] ^= 0x40;
}

static void flipped(struct scene *s)
{
    s->p = fresh(s);
    s->p.data[s->p.len - 30] ^= 1;
}

static uint8_t kept[KIT_BUF];

/* The packet once more, from where its IP header begins. */
static void remember(const struct dp_pkt *p)
{
    memcpy(kept, p->data - p->ip_len, p->len + p->ip_len);
}

static void again(struct scene *s, const struct dp_pkt *p)
{
    s->p = *p;
    s->p.data = got + DP_HEADROOM + p->ip_len;
    memcpy(got + DP_HEADROOM, kept, p->len + p->ip_len);
}

static void twice(struct scene *s)
{
    struct dp_pkt first = fresh(s), copy = first;
    remember(&first);
    kit_in(s->t.k.b, &first);
    again(s, &copy);
}

static void late(struct scene *s)
{
    struct dp_pkt old = fresh(s);
    remember(&old);
    for (int i = 0; i < 100; i++) {
        struct dp_pkt p = fresh(s);
        kit_in(s->t.k.b, &p);
    }
    again(s, &old);
}

static void tiny(struct scene *s)
{
    s->p = fresh(s);
    s->p.len = 7;
}

/* RFC 4302 2.2: the payload length is the ICV's and no other. */
static void wrong_length(struct scene *s)
{
    s->p = fresh(s);
    s->p.data[-3] += 4;
}

/* An option that ends behind the header: what AH covers cannot be told. */
static void bad_option(struct scene *s)
{
    static const uint8_t option[4] = {0x83, 60, 4, 0};
    s->p = fresh(s);
    uint8_t *ip = s->p.data - s->p.ip_len;
    memmove(ip - 4, ip, 20);
    memcpy(ip + 16, option, 4);
    ip[-4] = 0x46;
    put_u16(ip - 2, (uint16_t)(get_u16(ip - 2) + 4));
    s->p.ip_len += 4;
}

static void in_udp(struct scene *s)
{
    s->p = fresh(s);
    s->p.udp = true;
}

static void expired(struct scene *s)
{
    s->p = fresh(s);
    child_find(s->t.k.b, 1)->in->dead = true;
}

/* A bundle's ESP without its AH. */
static void alone(struct scene *s)
{
    struct dp_pkt p = fresh(s);
    uint32_t ah = ah_size(4, 16);
    s->p = (struct dp_pkt){.data = p.data - 4 + ah, .len = p.len + 4 - ah, .local = p.local};
}

/* AH of a bundle with another SA's ESP in it: what the AH of the other side holds, it holds. */
static void not_ours(struct scene *s)
{
    struct child *c = child_find(s->t.k.b, 1);
    s->p = fresh(s);
    c->spi_in ^= 1;
}

static void foreign(struct scene *s)
{
    uint32_t n = mode_inner(200, 4);
    memset(plain + 28, 0, n - 28); /* worth compressing */
    struct dp_pkt p = mode_sent(&s->t, n);
    s->p = mode_arrive(&p, got);
    child_find(s->t.k.b, 1)->mode->cpi_in ^= 1;
}

/* --- on the way out: the packet is A's --- */

static void orphan(struct scene *s)
{
    uint32_t n = mode_inner(200, 4);
    put_u16(plain + 6, 8); /* its offset; the first has not come */
    plain[10] = plain[11] = 0;
    put_u16(plain + 10, ip_csum(ip_sum(plain, 20, 0)));
    memcpy(wire + DP_HEADROOM, plain, n);
    s->p = kit_pkt(wire, n);
}

static void numbers_over(struct scene *s)
{
    uint32_t n = mode_inner(200, 4);
    struct child *c = child_find(s->t.k.a, 1);
    memcpy(wire + DP_HEADROOM, plain, n);
    s->p = kit_pkt(wire, n);
    c->out->seq = UINT32_MAX;
    c->out->dead = true;
}

enum { ESP_TRANSPORT = 0, AH_TUNNEL = 2, AH_TRANSPORT = 3, BUNDLE = 5, IPCOMP = 8 };

static const struct {
    const char *name;
    void (*fault)(struct scene *s);
    err_t reason;
    unsigned shape;
    bool out, sa; /* A's way out; the SA knows it */
} cases[] = {
    {"AH: no SA", unknown, R_DP_NO_SA, AH_TUNNEL, false, false},
    {"AH: verify failed", flipped, R_DP_ICV, AH_TUNNEL, false, true},
    {"AH: duplicate", twice, R_DP_REPLAY, AH_TUNNEL, false, true},
    {"AH: late", late, R_DP_LATE, AH_TRANSPORT, false, true},
    {"AH: no sequence number", tiny, R_DP_SHORT, AH_TUNNEL, false, false},
    {"AH: payload length", wrong_length, R_DP_SHORT, AH_TRANSPORT, false, true},
    {"AH: IP options", bad_option, R_DP_HEADER, AH_TRANSPORT, false, true},
    {"AH: in UDP", in_udp, R_DP_ENCAP, AH_TUNNEL, false, true},
    {"AH: expired", expired, R_DP_EXPIRED, AH_TUNNEL, false, true},
    {"AH: numbers used up", numbers_over, R_DP_SEQ_OVERFLOW, AH_TUNNEL, true, true},
    {"bundle: verify failed", flipped, R_DP_ICV, BUNDLE, false, true},
    {"bundle: ESP without AH", alone, R_DP_ENCAP, BUNDLE, false, true},
    {"bundle: another SA's ESP in AH", not_ours, R_DP_NEXT_HEADER, BUNDLE, false, true},
    {"IPComp: another CPI", foreign, R_DP_IPCOMP, IPCOMP, false, true},
    {"transport mode: verify failed", flipped, R_DP_ICV, ESP_TRANSPORT, false, true},
    {"transport mode: a fragment alone", orphan, R_DP_FRAGMENT, ESP_TRANSPORT, true, true},
};

static void one(size_t i)
{
    struct scene s;
    struct dp_stats before, after;
    struct child_stats sa;
    mode_up(&s.t, &shapes[cases[i].shape], 4, &kit_suites[6], &(struct kit_opts){0});
    cases[i].fault(&s);
    struct dp *d = cases[i].out ? s.t.k.a : s.t.k.b;
    dp_stats_get(d, &before);
    if (cases[i].out)
        kit_out(d, &s.p);
    else
        kit_in(d, &s.p);
    dp_stats_get(d, &after);
    assert_true(dp_child_stats(d, 1, &sa));
    if (s.p.verdict != DP_DROP || s.p.reason != cases[i].reason)
        fail_msg("%s: %s", cases[i].name, err_name(s.p.reason));
    for (int r = 1; r < R_COUNT; r++)
        if (after.drops[r] - before.drops[r] != (r == cases[i].reason))
            fail_msg("%s: counted as %s", cases[i].name, err_name(r));
    for (int r = 0; r < CHILD_DROPS; r++)
        if (sa.drops[r] != (cases[i].sa && R_DP_SHORT + r == cases[i].reason))
            fail_msg("%s: the SA counts %u of %s", cases[i].name, sa.drops[r],
                     err_name(R_DP_SHORT + r));
    kit_down(&s.t.k);
}

static void test_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        one(i);
}

/* RFC 4302 3.3.2: a bundle's AH without ESN ends in the middle of a batch, whatever the ESP does.
 */
static void test_bundle_end(void **state)
{
    (void)state;
    static uint8_t mem[6][DP_HEADROOM + 200 + DP_TAILROOM];
    struct scene s;
    struct dp_pkt p[6], *pp[6];
    mode_up(&s.t, &shapes[BUNDLE], 4, &kit_suites[6], &(struct kit_opts){.esn = true});
    struct child *c = child_find(s.t.k.a, 1);
    c->mode->ah_out->f.esn = false;
    c->mode->ah_out->seq = UINT32_MAX - 2;
    life_init_out(c->mode->ah_out, &(struct lifetime){0});
    uint32_t n = mode_inner(200, 4);
    for (size_t i = 0; i < 6; i++) {
        memcpy(mem[i] + DP_HEADROOM, plain, n);
        p[i] = kit_pkt(mem[i], n);
        pp[i] = &p[i];
    }
    dp_outbound(s.t.k.a, pp, 6, 1);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(p[i].verdict, i < 2 ? DP_TO_NET : DP_DROP);
        assert_int_equal(p[i].reason, i < 2 ? E_OK : R_DP_SEQ_OVERFLOW);
    }
    assert_int_equal(c->mode->ah_out->seq, UINT32_MAX);
    kit_down(&s.t.k);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each),
                                       cmocka_unit_test(test_bundle_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
