/* RFC 9611 between two engines: who agrees, whose SA it is, rekeying, refusals, and old peers. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pair *p;

static void begin(bool a, bool b, uint8_t cpus)
{
    struct ike_settings s;
    ike_settings_default(&s);
    s.cpus = cpus;
    p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, &s);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    struct conn *ca = pair_conn(&p->a, &p->b, NULL, NULL),
                *cb = pair_conn(&p->b, &p->a, NULL, NULL);
    ca->child[0].per_cpu = a;
    cb->child[0].per_cpu = b;
    pair_load(&p->a, ca);
    pair_load(&p->b, cb);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
}

static void finish(void)
{
    pair_fini(p);
    free(p);
}

static void wants(struct side *s, uint8_t cpu)
{
    struct ike_in in = {.kind = IN_ACQUIRE, .conn = "conn", .child = "net", .cpu = cpu};
    assert_true(addr_parse(&in.flow_local.lo, "10.1.0.5"));
    assert_true(addr_parse(&in.flow_remote.lo, "10.2.0.7"));
    in.flow_local.hi = in.flow_local.lo;
    in.flow_remote.hi = in.flow_remote.lo;
    pair_step(s, &in);
    pair_run(p);
}

static size_t of_cpu(const struct side *s, uint8_t cpu)
{
    size_t n = 0;
    for (size_t i = 0; i < s->child_count; i++)
        n += s->child[i].cpu == cpu;
    return n;
}

static void one_for_each(void **state)
{
    (void)state;
    begin(true, true, 3);
    assert_true(p->a.child[0].per_cpu && p->b.child[0].per_cpu);
    assert_int_equal(of_cpu(&p->a, 0), 1);
    for (uint8_t cpu = 1; cpu <= 3; cpu++) {
        wants(&p->a, cpu);
        wants(&p->a, cpu); /* once is enough */
    }
    assert_int_equal(p->a.child_count, 4);
    assert_int_equal(p->b.child_count, 4);
    for (uint8_t cpu = 0; cpu <= 3; cpu++) {
        assert_int_equal(of_cpu(&p->a, cpu), 1);
        assert_int_equal(of_cpu(&p->b, cpu), 1); /* spread by the responder */
    }
    for (size_t i = 1; i < 4; i++)
        assert_true(ts_list_eq(&p->a.child[i].local_ts, &p->a.child[0].local_ts));
    wants(&p->b, 2); /* the other side has one for that worker already */
    assert_int_equal(p->b.child_count, 4);
    finish();
}

/* The worker that has the peer's number gets it, unless another one has fewer. */
static void same_number(void **state)
{
    (void)state;
    static const uint8_t order[] = {3, 1, 2};
    begin(true, true, 3);
    for (size_t i = 0; i < sizeof order; i++) {
        wants(&p->a, order[i]);
        assert_int_equal(p->b.child[p->b.child_count - 1].cpu, order[i]);
    }
    wants(&p->a, 9); /* has no number here */
    assert_int_equal(p->b.child[p->b.child_count - 1].cpu, 1);
    wants(&p->a, 4);
    assert_int_equal(p->b.child[p->b.child_count - 1].cpu, 2);
    finish();
}

/* Four workers there, two here: all are taken, the fuller worker is spared. */
static void uneven(void **state)
{
    (void)state;
    begin(true, true, 2);
    for (uint8_t cpu = 1; cpu <= 4; cpu++)
        wants(&p->a, cpu);
    assert_int_equal(of_cpu(&p->b, 1), 2);
    assert_int_equal(of_cpu(&p->b, 2), 2);
    finish();
}

static void not_agreed(void **state)
{
    (void)state;
    static const bool cases[][2] = {{true, false}, {false, true}, {false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i][0], cases[i][1], 2);
        assert_false(p->a.child[0].per_cpu || p->b.child[0].per_cpu);
        size_t sent = p->sent;
        wants(&p->a, 1);
        assert_int_equal(p->sent, sent);
        assert_int_equal(p->a.child_count, 1);
        finish();
    }
}

/* TS_MAX_QUEUE ends the asking; what is there stays. */
static void too_many(void **state)
{
    (void)state;
    begin(true, true, 2);
    for (uint8_t cpu = 1; cpu <= 64; cpu++)
        wants(&p->a, cpu);
    assert_int_equal(p->a.child_count, 64);
    assert_int_equal(p->b.child_count, 64);
    assert_int_equal(pair_event_last(&p->b, EV_REFUSED)->reason, R_TS_MAX_QUEUE);
    assert_int_equal(pair_event_last(&p->a, EV_PEER_REFUSED)->reason, R_TS_MAX_QUEUE);
    size_t sent = p->sent;
    wants(&p->a, 65);
    assert_int_equal(p->sent, sent);
    finish();
}

static void rekeyed(void **state)
{
    (void)state;
    begin(true, true, 2);
    wants(&p->a, 1);
    wants(&p->a, 2);
    for (size_t i = 0; i < 3; i++) {
        struct side *s = i & 1 ? &p->b : &p->a;
        pair_step(s, &(struct ike_in){.kind = IN_REKEY, .child_id = s->child[0].id});
        pair_pass(p, 10000);
    }
    assert_int_equal(p->a.child_count, 3);
    for (uint8_t cpu = 0; cpu <= 2; cpu++) {
        assert_int_equal(of_cpu(&p->a, cpu), 1);
        assert_int_equal(of_cpu(&p->b, cpu), 1);
    }
    finish();
}

int main(void)
{
    const char *lacks = NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each), cmocka_unit_test(same_number), cmocka_unit_test(uneven),
        cmocka_unit_test(not_agreed),   cmocka_unit_test(too_many),    cmocka_unit_test(rekeyed),
    };
    if (cr_init(&lacks))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
