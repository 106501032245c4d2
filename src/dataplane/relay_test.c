/*
 * A relay between two gateways that loses, duplicates, delays, reorders, truncates and flips bits,
 * in both directions, by seeds: nothing forged or replayed gets in, nothing honest is lost but what
 * the relay lost or kept for longer than the window reaches, and each drop is counted once.
 */
#include "dataplane/testkit.h"
#include <stdlib.h>

enum { SEND = 4000, SLOTS = 48, BURST = 16 };

struct flight {
    uint8_t data[2048];
    uint32_t len, number;
    bool honest, used;
};

struct relay {
    struct kit k;
    uint64_t seed;
    struct flight slot[SLOTS]; /* under way, delivered in any order */
    uint8_t seen[SEND];        /* times delivered by B's data plane */
    uint8_t lost[SEND];        /* the relay kept it from arriving as it was */
    uint64_t forged, honest, copies;
};

static uint8_t in[BURST][KIT_BUF > 4096 ? 4096 : KIT_BUF];

static unsigned chance(struct relay *r, unsigned of)
{
    return (unsigned)(kit_rand(&r->seed) % of);
}

/* An inner packet that tells its number. */
static struct flight *sealed(struct relay *r, struct flight *f, uint32_t number)
{
    static uint8_t buf[KIT_BUF];
    uint32_t len = 40 + chance(r, 1300);
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, len, 4, true));
    put_u32(p.data + 28, number);
    kit_out(r->k.a, &p);
    assert_int_equal(p.verdict, DP_TO_NET);
    *f = (struct flight){.len = p.len, .number = number, .honest = true, .used = true};
    memcpy(f->data, p.data, p.len);
    return f;
}

static void damage(struct relay *r, struct flight *f)
{
    f->honest = false;
    if (chance(r, 2))
        f->len = chance(r, f->len);
    else
        f->data[chance(r, f->len)] ^= (uint8_t)(1u << chance(r, 8));
}

static struct flight *free_slot(struct relay *r)
{
    for (struct flight *f = r->slot; f < r->slot + SLOTS; f++)
        if (!f->used)
            return f;
    return NULL;
}

static void check_delivered(struct relay *r, const struct dp_pkt *p)
{
    uint32_t number = get_u32(p->data + 28);
    assert_true(number < SEND);
    assert_int_equal(r->seen[number]++, 0); /* never twice */
    for (uint32_t i = 32; i < p->len; i++)
        assert_int_equal(p->data[i], (uint8_t)(i * 7));
}

/* A burst of whatever is under way, in no order. */
static void deliver(struct relay *r)
{
    struct dp_pkt p[BURST], *pp[BURST];
    size_t n = 0;
    for (unsigned tries = 0; tries < 4 * BURST && n < BURST; tries++) {
        struct flight *f = &r->slot[chance(r, SLOTS)];
        if (!f->used)
            continue;
        memcpy(in[n] + DP_HEADROOM, f->data, f->len);
        p[n] = (struct dp_pkt){.data = in[n] + DP_HEADROOM,
                               .len = f->len,
                               .local = r->k.sa_b.local,
                               .remote = r->k.sa_b.remote,
                               .udp = r->k.sa_b.udp_encap};
        pp[n] = &p[n];
        n++;
        r->honest += f->honest;
        r->forged += !f->honest;
        f->used = chance(r, 20) == 0 && r->copies++ + 1; /* comes again */
    }
    dp_inbound(r->k.b, pp, n, 1000);
    for (size_t i = 0; i < n; i++)
        if (p[i].verdict == DP_TO_HOST)
            check_delivered(r, &p[i]);
        else
            assert_true(p[i].verdict == DP_DROP || p[i].verdict == DP_TO_IKE ||
                        p[i].verdict == DP_KEEPALIVE);
}

static void send_one(struct relay *r, uint32_t number)
{
    struct flight *f = free_slot(r);
    while (!f) {
        deliver(r);
        f = free_slot(r);
    }
    sealed(r, f, number);
    if (chance(r, 10) == 0) { /* a damaged copy besides, or instead */
        struct flight *other = free_slot(r);
        if (other) {
            *other = *f;
            damage(r, other);
        }
        if (!other || chance(r, 2))
            f->used = false;
        r->lost[number] = !f->used;
    } else if (chance(r, 20) == 0) {
        f->used = false;
        r->lost[number] = 1;
    }
}

static void play(uint64_t seed, const struct kit_suite *suite, bool esn, bool udp)
{
    struct relay *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->seed = seed;
    kit_up(&r->k, suite, &(struct kit_opts){.esn = esn, .udp = udp, .window = 4096});
    for (uint32_t i = 0; i < SEND; i++) {
        send_one(r, i);
        if (chance(r, 8) == 0)
            deliver(r);
    }
    for (int i = 0; i < 4000; i++)
        deliver(r);
    unsigned seen = 0;
    for (uint32_t i = 0; i < SEND; i++) {
        if (r->seen[i] + r->lost[i] != 1)
            fail_msg("seed %llu: packet %u: seen %u, lost %u", (unsigned long long)seed, i,
                     r->seen[i], r->lost[i]);
        seen += r->seen[i];
    }
    struct child_stats st;
    struct dp_stats all;
    dp_stats_get(r->k.b, &all);
    assert_true(dp_child_stats(r->k.b, 1, &st));
    assert_int_equal(st.in.packets, seen);
    assert_int_equal(all.packets_in, seen);
    /* a damaged one may be a duplicate as well, which is looked at first */
    assert_in_range(st.duplicate, r->honest - seen, r->honest - seen + r->forged);
    assert_int_equal(st.late, 0);
    assert_true(r->forged > 100 && r->copies > 100 && st.icv_failed > 50);
    kit_down(&r->k);
    free(r);
}

static void test_relay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 16; seed++)
        play(seed, &kit_suites[seed % kit_suite_count], seed & 1, seed & 2);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_relay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
