/*
 * The life of SAs: further children, rekeying from either side and both at once, deletion,
 * liveness, lifetimes, shutdown. RFC 7296 1.3, 1.4, 2.4, 2.8, 2.25.
 */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pair *p;

static struct conn *two_children(struct side *me, struct side *peer, const char *esp)
{
    const char *why;
    struct conn *c = pair_conn(me, peer, NULL, esp);
    struct conn_child *cc = conn_child_add(c, "dmz");
    bool is_a = me == &p->a;
    cc->esp = c->child[0].esp;
    cc->rand_s = 0;
    cc->local_ts.count = cc->remote_ts.count = 1;
    assert_int_equal(
        ts_conf_parse(&cc->local_ts.ts[0], is_a ? "10.11.0.0/16" : "10.12.0.0/16", &why), 0);
    assert_int_equal(
        ts_conf_parse(&cc->remote_ts.ts[0], is_a ? "10.12.0.0/16" : "10.11.0.0/16", &why), 0);
    return c;
}

static void begin_with(const char *esp, void (*change)(struct conn *c))
{
    p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    struct conn *a = two_children(&p->a, &p->b, esp), *b = two_children(&p->b, &p->a, esp);
    if (change) {
        change(a);
        change(b);
    }
    pair_load(&p->a, a);
    pair_load(&p->b, b);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
}

static void begin(const char *esp)
{
    begin_with(esp, NULL);
}

static void finish(void)
{
    pair_fini(p);
    free(p);
}

static struct pair_child *other_end(struct side *s, const struct pair_child *c)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->child[i].spi_in == c->spi_out)
            return &s->child[i];
    return NULL;
}

static void assert_agree(size_t children)
{
    assert_int_equal(pair_sas(&p->a), 1);
    assert_int_equal(pair_sas(&p->b), 1);
    assert_int_equal(p->a.child_count, children);
    assert_int_equal(p->b.child_count, children);
    assert_int_equal(p->a.spis, children);
    assert_int_equal(p->b.spis, children);
    for (size_t i = 0; i < children; i++) {
        struct pair_child *a = &p->a.child[i], *b = other_end(&p->b, a);
        assert_non_null(b);
        assert_int_equal(a->spi_in, b->spi_out);
        assert_memory_equal(a->key_in, b->key_out, a->in_n);
        assert_memory_equal(a->key_out, b->key_in, a->out_n);
        assert_int_equal(a->dirs, DIR_BOTH);
        assert_int_equal(b->dirs, DIR_BOTH);
    }
}

static void assert_nothing(void)
{
    assert_int_equal(pair_sas(&p->a), 0);
    assert_int_equal(pair_sas(&p->b), 0);
    assert_int_equal(p->a.spis, 0);
    assert_int_equal(p->b.spis, 0);
    assert_int_equal(p->a.child_count + p->b.child_count, 0);
}

static void command(struct side *s, enum ike_in_kind kind, const char *conn, const char *child,
                    uint32_t cmd)
{
    struct ike_in in = {.kind = kind, .conn = conn, .child = child, .cmd = cmd};
    pair_step(s, &in);
}

/* Sends on this one: it may, and nothing newer that may replaces it. */
static bool sends(const struct side *s, const struct pair_child *c)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->child[i].replaces == c->id && (s->child[i].dirs & DIR_OUT))
            return false;
    return c->dirs & DIR_OUT;
}

/* At every moment of a rekeying each side can receive what the other sends. */
static void run_watching(void)
{
    do {
        for (size_t i = 0; i < p->a.child_count; i++) {
            struct pair_child *b = other_end(&p->b, &p->a.child[i]);
            assert_true(!sends(&p->a, &p->a.child[i]) || (b && (b->dirs & DIR_IN)));
        }
        for (size_t i = 0; i < p->b.child_count; i++) {
            struct pair_child *a = other_end(&p->a, &p->b.child[i]);
            assert_true(!sends(&p->b, &p->b.child[i]) || (a && (a->dirs & DIR_IN)));
        }
    } while (pair_deliver(p));
}

static void further_child(void **state)
{
    static const char *const esp[] = {"aes128gcm16", "aes128gcm16-x25519",
                                      "aes256-sha256-modp2048"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(esp[i]);
        pair_initiate(&p->a, "conn", "dmz", 2);
        pair_run(p);
        assert_int_equal(pair_result(&p->a, 2), E_OK);
        assert_agree(2);
        pair_initiate(&p->b, "conn", "dmz", 3); /* is up: success at once */
        assert_int_equal(pair_result(&p->b, 3), E_OK);
        assert_agree(2);
        finish();
    }
}

/* 1.3: INVALID_KE_PAYLOAD in CREATE_CHILD_SA; another group of the offer comes through. */
static void invalid_ke(void **state)
{
    (void)state;
    begin("aes128gcm16-x25519-ecp256");
    pair_load(&p->b, two_children(&p->b, &p->a, "aes128gcm16-ecp256"));
    pair_initiate(&p->a, "conn", "dmz", 2);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    command(&p->a, IN_REKEY, NULL, "net", 3);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 3), E_OK);
    assert_agree(2);
    finish();
}

static void rekey_child(void **state)
{
    static const char *const esp[] = {"aes128gcm16", "aes128gcm16-x25519"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin(esp[i % 2]);
        struct side *s = i < 2 ? &p->a : &p->b;
        uint32_t old = s->child[0].id;
        command(s, IN_REKEY, NULL, "net", 2);
        run_watching();
        assert_int_equal(pair_result(s, 2), E_OK);
        assert_agree(1);
        assert_int_not_equal(s->child[0].id, old);
        assert_int_equal(s->child[0].replaces, old);
        assert_int_equal(pair_events(&p->a, EV_CHILD_DOWN), 0);
        assert_int_equal(pair_events(&p->b, EV_CHILD_DOWN), 0);
        finish();
    }
}

static void rekey_ike(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin(NULL);
        struct side *s = i ? &p->b : &p->a;
        command(s, IN_REKEY, "conn", NULL, 2);
        pair_run(p);
        assert_int_equal(pair_result(s, 2), E_OK);
        assert_agree(1);
        assert_int_equal(pair_events(&p->a, EV_IKE_REKEYED), 1);
        assert_int_equal(pair_events(&p->a, EV_IKE_DOWN), 0);
        assert_int_equal(pair_events(&p->b, EV_IKE_DOWN), 0);
        /* the new SA works in both directions */
        command(&p->a, IN_REKEY, NULL, "net", 3);
        command(&p->b, IN_REKEY, "conn", NULL, 4);
        pair_pass(p, 30000);
        assert_agree(1);
        finish();
    }
}

/* RFC 7296 2.8.1: both begin before either message arrives. */
static void simultaneous_child(void **state)
{
    static const char *const esp[] = {"aes128gcm16", "aes128gcm16-x25519"};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        begin(esp[i % 2]);
        p->a.rng += i * 977;
        p->b.rng += i * 1231;
        command(&p->a, IN_REKEY, NULL, "net", 2);
        command(&p->b, IN_REKEY, NULL, "net", 3);
        pair_run(p);
        assert_agree(1);
        assert_int_equal(pair_result(&p->a, 2), E_OK);
        assert_int_equal(pair_result(&p->b, 3), E_OK);
        assert_true(pair_events(&p->a, EV_COLLISION) == 1 && pair_events(&p->b, EV_COLLISION) == 1);
        assert_int_equal(pair_events(&p->a, EV_CHILD_DOWN), 0);
        finish();
    }
}

/* 2.8.2 */
static void simultaneous_ike(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        begin(NULL);
        p->a.rng += i * 977;
        p->b.rng += i * 1231;
        command(&p->a, IN_REKEY, "conn", NULL, 2);
        command(&p->b, IN_REKEY, "conn", NULL, 3);
        pair_run(p);
        assert_agree(1);
        assert_int_equal(pair_result(&p->a, 2), E_OK);
        assert_int_equal(pair_result(&p->b, 3), E_OK);
        pair_pass(p, 60000);
        assert_agree(1);
        finish();
    }
}

/* 2.25: child and IKE rekeying cross; the one refused for now comes through later. */
static void child_and_ike_cross(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin("aes128gcm16-x25519");
        command(i ? &p->b : &p->a, IN_REKEY, NULL, "net", 2);
        command(i ? &p->a : &p->b, IN_REKEY, "conn", NULL, 3);
        pair_pass(p, 30000);
        assert_agree(1);
        assert_int_equal(pair_result(i ? &p->b : &p->a, 2), E_OK);
        assert_int_equal(pair_result(i ? &p->a : &p->b, 3), E_OK);
        finish();
    }
}

static void delete_child(void **state)
{
    (void)state;
    begin(NULL);
    command(&p->a, IN_TERMINATE, NULL, "net", 2);
    assert_int_equal(pair_result(&p->a, 2), E_AGAIN);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    assert_agree(0);
    finish();
}

static void deletes_cross(void **state)
{
    (void)state;
    begin(NULL);
    command(&p->a, IN_TERMINATE, NULL, "net", 2);
    command(&p->b, IN_TERMINATE, NULL, "net", 3);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    assert_int_equal(pair_result(&p->b, 3), E_OK);
    assert_agree(0);
    command(&p->a, IN_TERMINATE, "conn", NULL, 4);
    command(&p->b, IN_TERMINATE, "conn", NULL, 5);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 4), E_OK);
    assert_int_equal(pair_result(&p->b, 5), E_OK);
    assert_nothing();
    finish();
}

/* 2.25.1: a Delete of the SA that the other is rekeying. */
static void delete_crosses_rekey(void **state)
{
    (void)state;
    begin(NULL);
    command(&p->a, IN_REKEY, NULL, "net", 2);
    command(&p->b, IN_TERMINATE, NULL, "net", 3);
    pair_pass(p, 60000);
    assert_int_equal(pair_result(&p->b, 3), E_OK);
    assert_int_equal(p->a.child_count, p->b.child_count);
    assert_agree(p->a.child_count);
    finish();
}

static void dpd(struct conn *c)
{
    c->dpd_delay_s = 10;
    for (size_t i = 0; i < c->child_count; i++)
        c->child[i].dpd_action = DPD_CLEAR;
}

static void dpd_restart(struct conn *c)
{
    dpd(c);
    c->child[0].dpd_action = DPD_RESTART;
    c->keyingtries = 0;
}

static void peer_dies(void **state)
{
    (void)state;
    begin_with(NULL, dpd);
    size_t sent = p->sent;
    pair_pass(p, 15000);
    assert_true(p->sent > sent); /* idle: asked and answered */
    sent = p->sent;
    p->a.traffic_ms = p->b.traffic_ms = p->now + 1000000;
    pair_pass(p, 60000);
    assert_int_equal(p->sent, sent); /* ESP traffic proves life */
    p->a.traffic_ms = p->b.traffic_ms = 0;
    p->b.dead = true;
    pair_pass(p, 2000000);
    assert_int_equal(pair_sas(&p->a), 0);
    assert_int_equal(p->a.child_count, 0);
    assert_int_equal(pair_event_last(&p->a, EV_IKE_DOWN)->reason, R_PEER_DEAD);
    finish();
}

static void idle_10s(struct conn *c)
{
    c->child[0].inactivity_s = 10;
    c->child[0].life.rekey_s = 7; /* renewing it is no traffic */
    c->child[0].life.life_s = 100;
    c->child[0].rand_s = 0;
}

static void inactivity(void **state)
{
    (void)state;
    begin_with(NULL, idle_10s);
    p->a.traffic_ms = p->b.traffic_ms = p->now + 6000;
    pair_pass(p, 15000);
    assert_int_equal(p->a.child_count, 1);
    assert_int_equal(pair_events(&p->a, EV_CHILD_INACTIVE), 0);
    pair_pass(p, 3000);
    assert_int_equal(p->a.child_count, 0);
    assert_int_equal(p->b.child_count, 0);
    assert_int_equal(pair_events(&p->a, EV_CHILD_INACTIVE), 1);
    assert_int_equal(pair_events(&p->b, EV_CHILD_INACTIVE), 1); /* at once: both Deletes cross */
    assert_int_equal(pair_event_last(&p->a, EV_CHILD_DOWN)->reason, R_INACTIVE);
    assert_int_equal(pair_sas(&p->a), 1); /* the IKE SA stays, as with charon */
    finish();
}

/* The peer hears of it when it can; here the SA is gone at once in any case. */
static void by_force(void **state)
{
    (void)state;
    for (int dead = 0; dead < 2; dead++) {
        begin_with(NULL, NULL);
        p->b.dead = dead;
        struct ike_in in = {.kind = IN_TERMINATE, .conn = "conn", .force = true, .cmd = 9};
        pair_step(&p->a, &in);
        assert_int_equal(pair_result(&p->a, 9), E_OK);
        assert_int_equal(pair_sas(&p->a), 0);
        assert_int_equal(p->a.child_count, 0);
        pair_run(p);
        assert_int_equal(pair_sas(&p->b), dead);
        assert_int_equal(p->b.child_count, dead);
        finish();
    }
}

static void peer_dies_restart(void **state)
{
    (void)state;
    begin_with(NULL, dpd_restart);
    p->b.dead = true;
    pair_pass(p, 600000);
    assert_int_equal(p->a.child_count, 0);
    assert_int_equal(pair_sas(&p->a), 1); /* trying again */
    p->b.dead = false;
    pair_pass(p, 400000);
    assert_int_equal(p->a.child_count, 1);
    finish();
}

static void short_lives(struct conn *c)
{
    c->rekey_s = 1000;
    c->over_s = 100;
    c->rand_s = 100;
    for (size_t i = 0; i < c->child_count; i++) {
        c->child[i].life.rekey_s = 100;
        c->child[i].life.life_s = 130;
        c->child[i].rand_s = 10;
    }
}

/* Days of rekeying by time, with and without PFS; never without a CHILD SA. */
static void by_time(void **state)
{
    static const char *const esp[] = {"aes128gcm16", "aes128gcm16-x25519"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin_with(esp[i], short_lives);
        for (int k = 0; k < 1000; k++) {
            pair_pass(p, 10000);
            assert_true(p->a.child_count >= 1 && p->b.child_count >= 1);
        }
        pair_pass(p, 20000);
        assert_true(pair_events(&p->a, EV_CHILD_DOWN) == 0);
        finish();
    }
}

static void expires_hard_without_rekey(struct conn *c)
{
    c->child[0].life.life_s = 60;
    c->child[0].life.rekey_s = 0;
}

static void hard_limit(void **state)
{
    (void)state;
    begin_with(NULL, expires_hard_without_rekey);
    pair_pass(p, 61000);
    assert_agree(0);
    assert_int_equal(pair_event_last(&p->a, EV_CHILD_DOWN)->reason, R_EXPIRED);
    finish();
}

static void soft_limit_of_bytes(void **state)
{
    (void)state;
    begin(NULL);
    struct ike_in in = {.kind = IN_EXPIRE, .child_id = p->b.child[0].id};
    pair_step(&p->b, &in);
    pair_step(&p->b, &in); /* told twice, done once */
    pair_run(p);
    assert_agree(1);
    assert_int_equal(pair_events(&p->b, EV_CHILD_REKEYED), 1);
    finish();
}

static void shutdown(void **state)
{
    (void)state;
    begin(NULL);
    command(&p->a, IN_SHUTDOWN, NULL, NULL, 9);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 9), E_OK);
    assert_nothing();
    finish();
    begin(NULL);
    p->b.dead = true;
    command(&p->a, IN_SHUTDOWN, NULL, NULL, 9);
    pair_pass(p, 900);
    assert_int_equal(pair_result(&p->a, 9), E_AGAIN);
    pair_pass(p, 200);
    assert_int_equal(pair_result(&p->a, 9), E_OK);
    assert_int_equal(p->a.spis, 0);
    finish();
}

/* Both sides at once from nothing: every SA ends up on both sides or on none. */
static void simultaneous_initiation(void **state)
{
    (void)state;
    begin(NULL);
    command(&p->a, IN_TERMINATE, "conn", NULL, 0);
    pair_run(p);
    assert_nothing();
    pair_initiate(&p->a, "conn", "net", 2);
    pair_initiate(&p->b, "conn", "net", 3);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    assert_int_equal(pair_result(&p->b, 3), E_OK);
    assert_int_equal(pair_sas(&p->a), pair_sas(&p->b));
    assert_int_equal(p->a.child_count, p->b.child_count);
    finish();
}

static void keys_export(void **state)
{
    struct buf b = {0}, c = {0};
    (void)state;
    begin(NULL);
    assert_true(ike_keys_export(p->a.e, 1, &b));
    assert_true(ike_keys_export(p->b.e, 1, &c));
    assert_string_equal(buf_str(&b), buf_str(&c));
    assert_non_null(strstr(buf_str(&b), ",\"AES-CBC-128 [RFC3602]\","));
    assert_non_null(strstr(buf_str(&b), ",\"HMAC_SHA2_256_128 [RFC4868]\""));
    buf_free(&b);
    buf_free(&c);
    finish();
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(further_child),
        cmocka_unit_test(invalid_ke),
        cmocka_unit_test(rekey_child),
        cmocka_unit_test(rekey_ike),
        cmocka_unit_test(simultaneous_child),
        cmocka_unit_test(simultaneous_ike),
        cmocka_unit_test(child_and_ike_cross),
        cmocka_unit_test(delete_child),
        cmocka_unit_test(deletes_cross),
        cmocka_unit_test(delete_crosses_rekey),
        cmocka_unit_test(peer_dies),
        cmocka_unit_test(inactivity),
        cmocka_unit_test(by_force),
        cmocka_unit_test(peer_dies_restart),
        cmocka_unit_test(by_time),
        cmocka_unit_test(hard_limit),
        cmocka_unit_test(soft_limit_of_bytes),
        cmocka_unit_test(shutdown),
        cmocka_unit_test(simultaneous_initiation),
        cmocka_unit_test(keys_export),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
