/* Half-open SAs of a responder: RFC 7296 2.1, 2.4, 2.14. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pair *p;
static uint8_t first[4096]; /* a's first message */
static size_t first_len;

static void to_b(const uint8_t *msg, size_t n)
{
    struct ike_in in = {.kind = IN_PACKET, .local = p->b.ep, .remote = p->a.ep};
    in.data = bytes_of(msg, n);
    pair_step(&p->b, &in);
}

static struct ike_stats stats(void)
{
    struct ike_stats st;
    ike_stats_get(p->b.e, &st);
    return st;
}

/* b has answered; its answer is on the way. */
static void begin(const char *ike)
{
    p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    pair_load(&p->a, pair_conn(&p->a, &p->b, ike, NULL));
    pair_load(&p->b, pair_conn(&p->b, &p->a, ike, NULL));
    pair_initiate(&p->a, "conn", "net", 1);
    assert_non_null(p->first);
    first_len = p->first->n;
    assert_true(first_len <= sizeof first);
    memcpy(first, p->first->p, first_len);
    assert_true(pair_deliver(p));
    assert_int_equal(stats().half_open, 1);
    assert_int_equal(pair_sas(&p->b), 1);
}

static void finish(void)
{
    pair_fini(p);
    free(p);
}

static void comes_up(void)
{
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
    assert_int_equal(stats().half_open, 0);
    assert_int_equal(pair_sas(&p->b), 1);
}

/* 2.1: the answer is put together again, the same to the last bit; other bytes get none. */
static void same_answer(void **state)
{
    static const char *const suites[] = {"aes128-sha256-x25519", "aes256gcm16-prfsha384-ecp384",
                                         "aes192-sha512-modp2048"};
    (void)state;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        begin(suites[i]);
        p->now += 3000;
        to_b(first, first_len);
        assert_non_null(p->first->next);
        assert_int_equal(p->first->n, p->first->next->n);
        assert_memory_equal(p->first->p, p->first->next->p, p->first->n);
        first[first_len - 1] ^= 1;
        to_b(first, first_len);
        assert_null(p->first->next->next);
        assert_int_equal(stats().dropped[R_STATE], 1);
        assert_int_equal(stats().half_open, 1);
        comes_up();
        first[first_len - 1] ^= 1;
        size_t sent = p->sent;
        to_b(first, first_len); /* an SA of these SPIs is up */
        assert_int_equal(p->sent, sent);
        assert_int_equal(stats().half_open, 0);
        finish();
    }
}

/* Who does not have the keys changes nothing, whatever is sent with the right SPIs. */
static void forged(void **state)
{
    uint8_t msg[4096];
    (void)state;
    begin(NULL);
    assert_true(pair_deliver(p)); /* now a's IKE_AUTH is on the way */
    size_t n = p->first->n;
    for (size_t at = 0; at < n; at++) {
        memcpy(msg, p->first->p, n);
        msg[at] ^= 0x10;
        to_b(msg, n);
        assert_int_equal(stats().half_open, 1);
        assert_int_equal(pair_events(&p->b, EV_IKE_ESTABLISHED), 0);
    }
    assert_true(stats().dropped[R_DECRYPT] > n / 2);
    comes_up();
    finish();
}

/* A peer that does not come back: forgotten in time, and it is said. */
static void given_up(void **state)
{
    struct ike_sa_info info;
    (void)state;
    begin(NULL);
    p->a.dead = true;
    pair_pass(p, 29999);
    assert_int_equal(stats().half_open, 1);
    assert_true(ike_sa_info_get(p->b.e, 1, &info));
    assert_string_equal(info.state, "CONNECTING");
    assert_false(info.initiator);
    pair_pass(p, 1);
    assert_int_equal(stats().half_open, 0);
    assert_int_equal(pair_sas(&p->b), 0);
    assert_int_equal(pair_event_last(&p->b, EV_IKE_FAILED)->reason, R_PEER_TIMEOUT);
    assert_false(ike_sa_info_get(p->b.e, 1, &info));
    finish();
}

static void ended_by_number(void **state)
{
    struct ike_in in = {.kind = IN_TERMINATE, .ike_id = 1, .cmd = 9};
    (void)state;
    begin(NULL);
    pair_step(&p->b, &in);
    assert_int_equal(pair_result(&p->b, 9), E_OK);
    assert_int_equal(stats().half_open, 0);
    assert_int_equal(pair_sas(&p->b), 0);
    in.cmd = 10;
    pair_step(&p->b, &in);
    assert_int_equal(pair_result(&p->b, 10), R_NOT_FOUND);
    finish();
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_answer),
        cmocka_unit_test(forged),
        cmocka_unit_test(given_up),
        cmocka_unit_test(ended_by_number),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
