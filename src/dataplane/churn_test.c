/* SAs of several policies come, go and take over at random while packets flow: each packet leaves
 * by the SA that a naive list says, or is held, and what was held comes out once an SA is up. */
#include "dataplane/testkit.h"

enum { POLICIES = 6, SAS = 24 };

struct model_sa {
    bool used, out;
    uint32_t policy;
    uint64_t installed; /* order of DIR_OUT */
};

struct world {
    struct dp *d;
    struct model_sa sa[SAS];
    uint32_t held[POLICIES];
    uint64_t rnd, clock;
};

static uint8_t buf[KIT_BUF];

static struct ts policy_net(uint32_t i)
{
    struct ts t = kit_ts("10.2.0.0/24");
    t.lo.ip[2] = t.hi.ip[2] = (uint8_t)i;
    return t;
}

static void add_policy(struct world *w, uint32_t i)
{
    struct policy p = {.id = i + 1, .action = POL_PROTECT};
    p.local = (struct ts_list){1, {kit_ts("10.1.0.0/16")}};
    p.remote = (struct ts_list){1, {policy_net(i)}};
    assert_int_equal(dp_policy_add(w->d, &p), E_OK);
}

/* What was held goes with the policy, unless an SA still names it. */
static void renew_policy(struct world *w, uint32_t i)
{
    bool named = false;
    for (int k = 0; k < SAS; k++)
        named |= w->sa[k].used && w->sa[k].policy == i;
    dp_policy_del(w->d, i + 1);
    if (!named)
        w->held[i] = 0;
    add_policy(w, i);
}

/* The newest SA of the policy that sends; -1: none. */
static int newest(const struct world *w, uint32_t policy)
{
    int best = -1;
    for (int i = 0; i < SAS; i++)
        if (w->sa[i].used && w->sa[i].out && w->sa[i].policy == policy &&
            (best < 0 || w->sa[i].installed > w->sa[best].installed))
            best = i;
    return best;
}

static void drain(struct world *w, uint32_t policy)
{
    struct dp_pkt p;
    while (dp_held_next(w->d, &p, buf, sizeof buf, w->clock)) {
        assert_int_equal(p.child_id, (uint32_t)newest(w, policy) + 1);
        assert_true(w->held[policy]-- > 0);
    }
    assert_int_equal(w->held[policy], 0);
}

static void add(struct world *w, uint32_t i, uint32_t policy, bool out)
{
    struct child_sa sa;
    kit_sa(&sa, &kit_suites[0], &(struct kit_opts){0}, true);
    sa.id = i + 1;
    sa.policy = policy + 1;
    sa.spi_in = dp_spi_alloc(w->d);
    sa.dirs = out ? DIR_BOTH : DIR_IN;
    sa.remote_ts = (struct ts_list){1, {policy_net(policy)}};
    assert_int_equal(dp_child_add(w->d, &sa, w->clock), E_OK);
    kit_sa_free(&sa);
    w->sa[i] = (struct model_sa){true, out, policy, w->clock};
    if (out)
        drain(w, policy);
}

static void send_packet(struct world *w, uint32_t policy)
{
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 80, 4, true)), *pp = &p;
    p.data[18] = (uint8_t)policy;
    p.data[19] = (uint8_t)(kit_rand(&w->rnd) % 3);
    dp_outbound(w->d, &pp, 1, w->clock);
    int sa = newest(w, policy);
    if (sa >= 0) {
        assert_int_equal(p.verdict, DP_TO_NET);
        assert_int_equal(p.child_id, (uint32_t)sa + 1);
    } else if (w->held[policy] < 32) {
        assert_int_equal(p.verdict, DP_HELD);
        w->held[policy]++;
    } else {
        assert_int_equal(p.reason, R_DP_HOLD);
    }
}

static void step(struct world *w)
{
    uint64_t r = kit_rand(&w->rnd);
    uint32_t i = (uint32_t)(r >> 8) % SAS, policy = (uint32_t)(r >> 32) % POLICIES;
    struct model_sa *m = &w->sa[i];
    w->clock++;
    if (r % 16 < 10) {
        send_packet(w, policy);
    } else if (r % 16 == 10) {
        renew_policy(w, policy);
    } else if (!m->used) {
        add(w, i, policy, r & 0x10000);
    } else if (!m->out) {
        assert_int_equal(dp_child_dir(w->d, i + 1, DIR_OUT), E_OK);
        m->out = true;
        m->installed = w->clock;
        drain(w, m->policy);
    } else {
        dp_child_del(w->d, i + 1);
        m->used = false;
    }
}

static void test_churn(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct world w = {.d = kit_dp(), .rnd = seed, .clock = 1};
        for (uint32_t i = 0; i < POLICIES; i++)
            add_policy(&w, i);
        for (int i = 0; i < 20000; i++) {
            step(&w);
            struct dp_note n;
            while (dp_note_next(w.d, &n))
                assert_int_equal(n.kind, NOTE_ACQUIRE);
        }
        struct dp_stats st;
        size_t used = 0, held = 0;
        for (int i = 0; i < SAS; i++)
            used += w.sa[i].used;
        for (int i = 0; i < POLICIES; i++)
            held += w.held[i];
        dp_stats_get(w.d, &st);
        assert_int_equal(st.sas, used);
        assert_int_equal(st.held, held);
        dp_free(w.d);
    }
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_churn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
