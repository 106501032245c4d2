/*
 * Owners beside a naive model: random SAs of random policies come and go, and the kernel's table,
 * as the sink was told, must be what the SAs that are there say. And where new SAs are placed.
 */
#include "daemon/owners.h"
#include "dataplane/testkit.h"
#include <stdio.h>

enum { WORKERS = 3, PEERS = 12, SAS = 40, STEPS = 20000, NOBODY = 99 };

static struct owners *o;
static uint32_t table[PEERS]; /* 10.2.k.0/24: as the kernel has it */
static const uint64_t key[2] = {3, 4};

static void on_route(void *ctx, const struct addr *prefix, unsigned bits, uint32_t worker,
                     bool gone)
{
    (void)ctx;
    assert_int_equal(bits, 24);
    assert_true(gone || table[prefix->ip[2]] != worker); /* nothing is said twice */
    table[prefix->ip[2]] = gone ? NOBODY : worker;
}

static int make(void **state)
{
    const struct owners_sink sink = {NULL, on_route};
    (void)state;
    for (int k = 0; k < PEERS; k++)
        table[k] = NOBODY;
    o = owners_new(WORKERS, key, &sink);
    assert_non_null(o);
    return 0;
}

static int end(void **state)
{
    (void)state;
    owners_free(o);
    return 0;
}

static struct ts_list peer(uint32_t k)
{
    char text[32];
    snprintf(text, sizeof text, "10.2.%u.0/24", k);
    return (struct ts_list){1, {kit_ts(text)}};
}

static struct owners_move add(uint32_t id, uint32_t policy, uint32_t k, uint32_t worker)
{
    struct child_sa sa = {.id = id, .policy = policy, .remote_ts = peer(k)};
    struct owners_move m;
    assert_int_equal(owners_add(o, &sa, worker, &m), E_OK);
    assert_int_equal(m.policy, policy);
    return m;
}

static struct owners_move del(uint32_t id)
{
    struct owners_move m;
    owners_del(o, id, &m);
    return m;
}

struct model_sa {
    uint32_t peer, worker, at; /* at: when it came; 0: not there */
};

static uint32_t newest(const struct model_sa *sa, uint32_t k)
{
    uint32_t best = SAS;
    for (uint32_t i = 0; i < SAS; i++)
        if (sa[i].at && sa[i].peer == k && (best == SAS || sa[i].at > sa[best].at))
            best = i;
    return best == SAS ? NOBODY : sa[best].worker;
}

static void test_model(void **state)
{
    (void)state;
    struct model_sa sa[SAS] = {{0}};
    uint64_t rng = 5;
    for (uint32_t step = 1; step <= STEPS; step++) {
        uint32_t id = (uint32_t)kit_rand(&rng) % SAS, worker = 0;
        struct model_sa *x = &sa[id];
        if (!x->at)
            x->peer = (uint32_t)kit_rand(&rng) % PEERS;
        uint32_t was = newest(sa, x->peer);
        struct owners_move m;
        if (x->at) {
            m = del(id);
            x->at = 0;
        } else {
            x->worker = (uint32_t)kit_rand(&rng) % WORKERS;
            x->at = step;
            m = add(id, x->peer + 1, x->peer, x->worker);
        }
        uint32_t is = newest(sa, x->peer);
        assert_int_equal(m.policy, x->peer + 1);
        assert_int_equal(m.from.worker, was == NOBODY ? 0 : was);
        assert_int_equal(m.to.worker, is == NOBODY ? 0 : is);
        for (uint32_t i = 0; i < SAS; i++) {
            assert_int_equal(owners_child(o, i, &worker), sa[i].at != 0);
            assert_true(!sa[i].at || worker == sa[i].worker);
        }
        for (uint32_t k = 0; k < PEERS; k++) {
            uint32_t who = newest(sa, k);
            assert_int_equal(table[k], who);
            assert_int_equal(owners_has_sas(o, k + 1), who != NOBODY);
            assert_int_equal(owners_policy(o, k + 1).worker, who == NOBODY ? 0 : who);
        }
    }
}

static void test_moves(void **state)
{
    (void)state;
    struct owners_move m = add(1, 7, 0, 2); /* from worker 0, where all are that have no SA */
    assert_true(m.from.worker == 0 && m.to.worker == 2 && m.changed);
    m = add(2, 7, 0, 2);
    assert_true(!m.changed);
    assert_false(owners_ambiguous(o));
    m = add(3, 7, 0, 1);
    assert_true(m.from.worker == 2 && m.to.worker == 1);
    assert_true(owners_ambiguous(o));
    m = del(3); /* back to those that are left */
    assert_true(m.from.worker == 1 && m.to.worker == 2);
    (void)del(1);
    m = del(2);
    assert_true(m.from.worker == 2 && m.to.worker == 0);
    m = del(2); /* not there */
    assert_false(m.changed);
}

static uint32_t place(uint32_t policy, uint32_t replaces, const struct ts_list *remote, bool ours)
{
    const struct owners_use u = {
        .policy = policy, .replaces = replaces, .remote = remote, .ours = ours};
    return owners_place(o, &u);
}

static void test_places(void **state)
{
    (void)state;
    const struct ts_list known = peer(3), unknown = peer(4);
    add(1, 7, 3, 2);
    add(2, 8, 5, 1);
    assert_int_equal(place(0, 2, &known, true), 1);  /* by the one it replaces */
    assert_int_equal(place(8, 99, &known, true), 1); /* its policy has one */
    assert_int_equal(place(9, 0, &known, true), 2);  /* its peer has one */
    assert_int_equal(place(9, 0, &unknown, true), 0);
    assert_int_equal(place(0, 0, NULL, true), 0); /* the only one without */
}

/* The two ends of an SA start at different workers, and each goes round. */
static void test_both_ends(void **state)
{
    (void)state;
    uint32_t seen = 0;
    for (int i = 0; i < WORKERS; i++)
        seen |= 1u << place(0, 0, NULL, true);
    assert_int_equal(seen, (1u << WORKERS) - 1);
    uint32_t asked = place(0, 0, NULL, true);
    owners_free(o);
    const struct owners_sink sink = {NULL, on_route};
    o = owners_new(WORKERS, key, &sink);
    assert_int_not_equal(place(0, 0, NULL, false), asked);
}

static unsigned routes, given_up;

static void on_any(void *ctx, const struct addr *prefix, unsigned bits, uint32_t worker, bool gone)
{
    (void)ctx;
    (void)worker;
    assert_true(bits <= addr_len(prefix) * 8);
    routes += !gone;
    given_up += gone;
}

/* Ranges that cut into many prefixes, more than are kept for one SA, of both families. */
static void test_odd_ranges(void **state)
{
    (void)state;
    const struct owners_sink sink = {NULL, on_any};
    struct child_sa sa = {.id = 1, .policy = 1};
    struct owners_move m;
    owners_free(o);
    o = owners_new(WORKERS, key, &sink);
    sa.remote_ts.ts[0] = kit_ts("0.0.0.0/0");
    sa.remote_ts.ts[0].lo.ip[3] = 1; /* 32 prefixes */
    sa.remote_ts.ts[1] = kit_ts("::/0");
    sa.remote_ts.ts[1].lo.ip[15] = 1; /* 128 */
    sa.remote_ts.count = 2;
    assert_int_equal(owners_add(o, &sa, 1, &m), E_OK);
    assert_int_equal(routes, 64);
    (void)del(1);
    assert_int_equal(given_up, 64);
}

/* Who serves the interface has its SAs, and its selectors lead nobody anywhere. */
static void test_iface(void **state)
{
    (void)state;
    struct owners_move m;
    for (uint16_t i = 1; i < 9; i++) {
        const struct owners_use u = {.policy = 7, .iface = i};
        assert_int_equal(owners_place(o, &u), i % WORKERS);
    }
    struct child_sa sa = {.id = 1, .policy = 7, .remote_ts = peer(0), .iface = 1};
    uint32_t before = table[0];
    assert_int_equal(owners_add(o, &sa, 1, &m), E_OK);
    assert_int_equal(table[0], before);
    owners_del(o, 1, &m);
}

/* RFC 9611: the policy stays with the fallback SA, and its peer is everybody's. */
static void test_own(void **state)
{
    (void)state;
    struct owners_move m;
    struct child_sa sa = {.id = 1, .policy = 7, .remote_ts = peer(0), .per_cpu = true};
    assert_int_equal(owners_add(o, &sa, 1, &m), E_OK);
    assert_true(m.changed && m.to.worker == 1 && m.to.spread);
    assert_int_equal(table[0], OWNERS_ALL);
    const struct owners_use own = {.policy = 7, .cpu = 3};
    assert_int_equal(owners_place(o, &own), 2);
    sa.id = 2;
    sa.cpu = 3;
    assert_int_equal(owners_add(o, &sa, 2, &m), E_OK);
    assert_false(m.changed);
    assert_false(owners_ambiguous(o));
    m = del(1); /* the own one must do for all */
    assert_true(m.changed && m.to.worker == 2 && m.to.spread);
    m = del(2);
    assert_true(m.changed && m.to.worker == 0 && !m.to.spread);
    assert_int_equal(table[0], NOBODY);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_model),     T(test_moves),      T(test_places),
                                       T(test_both_ends), T(test_odd_ranges), T(test_iface),
                                       T(test_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
