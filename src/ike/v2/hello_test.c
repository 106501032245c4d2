/* First messages: an engine asked by ike_cookie_reply first does what one does that only steps. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pair pair, twin; /* b of each is the responder; twin.b answers without steps */
static uint8_t hello[2048];
static size_t hello_len;

static void begin(const struct ike_settings *s)
{
    pair_init(&pair, s);
    pair_init(&twin, s);
    struct pair *both[] = {&pair, &twin};
    for (size_t i = 0; i < 2; i++) {
        struct side *a = &both[i]->a, *b = &both[i]->b;
        pair_psk(a, "secret");
        pair_psk(b, "secret");
        pair_load(a, pair_conn(a, b, NULL, NULL));
        pair_load(b, pair_conn(b, a, NULL, NULL));
    }
    pair_initiate(&pair.a, "conn", "net", 1);
    assert_non_null(pair.first);
    hello_len = pair.first->n;
    assert_true(hello_len <= sizeof hello);
    memcpy(hello, pair.first->p, hello_len);
}

static void finish(void)
{
    pair_fini(&pair);
    pair_fini(&twin);
}

static struct ike_in packet(const uint8_t *p, size_t n, uint16_t port)
{
    struct ike_in in = {.kind = IN_PACKET,
                        .now_ms = pair.now,
                        .local = pair.b.ep,
                        .remote = pair.a.ep,
                        .data = bytes_of(p, n)};
    in.remote.port = port;
    return in;
}

/* The first datagram that the step wants sent. */
static size_t step(struct ike *e, const struct ike_in *in, uint8_t *out, size_t cap)
{
    size_t n = 0;
    struct ike_out o = {0};
    assert_int_equal(ike_step(e, in, &o), 0);
    for (struct ike_act *a = o.first; a; a = a->next) {
        if (a->kind == ACT_JOB)
            ike_job_free(a->job);
        if (a->kind != ACT_SEND || n)
            continue;
        assert_true(a->data.n <= cap);
        memcpy(out, a->data.p, a->data.n);
        n = a->data.n;
    }
    ike_out_free(&o);
    return n;
}

static void assert_same_stats(void)
{
    struct ike_stats x, y;
    ike_stats_get(pair.b.e, &x);
    ike_stats_get(twin.b.e, &y);
    assert_memory_equal(&x, &y, sizeof x);
}

/* Both ways; true: it was answered without a step. */
static bool same(const uint8_t *p, size_t n, uint16_t port)
{
    uint8_t want[4096], got[4096], early[IKE_COOKIE_REPLY_MAX];
    struct ike_in in = packet(p, n, port);
    size_t w = step(pair.b.e, &in, want, sizeof want);
    size_t k = ike_cookie_reply(twin.b.e, &in, early);
    size_t g = k ? k : step(twin.b.e, &in, got, sizeof got);
    assert_int_equal(g, w);
    assert_memory_equal(k ? early : got, want, w);
    assert_same_stats();
    return k;
}

static struct ike_settings settings(uint32_t threshold)
{
    struct ike_settings s;
    ike_settings_default(&s);
    s.cookie_threshold = threshold;
    return s;
}

/* Every truncation, every byte changed, random damage: the same answers and counters. */
static void damaged(void **state)
{
    (void)state;
    struct ike_settings s = settings(0);
    begin(&s);
    size_t fast = 0;
    assert_false(same(hello, hello_len, 500)); /* one a second is told */
    for (size_t n = 0; n <= hello_len; n++)
        fast += same(hello, n, 500);
    assert_int_equal(fast, 1);
    uint8_t m[sizeof hello];
    for (size_t i = 0; i < hello_len; i++) {
        memcpy(m, hello, hello_len);
        m[i] ^= (uint8_t)(1 << i % 8);
        fast += same(m, hello_len, 500);
    }
    srand(1);
    for (size_t i = 0; i < 20000; i++) {
        memcpy(m, hello, hello_len);
        for (int k = rand() % 4; k >= 0; k--)
            m[(size_t)rand() % hello_len] = (uint8_t)rand();
        fast += same(m, hello_len, (uint16_t)(500 + i % 3));
    }
    assert_true(fast > 1000);
    finish();
}

/* 2.6: with the cookie it is the engine's; with a wrong one it gets another. */
static void cookie_returned(void **state)
{
    (void)state;
    struct ike_settings s = settings(0);
    uint8_t m[sizeof hello + 64], early[IKE_COOKIE_REPLY_MAX];
    begin(&s);
    assert_false(same(hello, hello_len, 500));
    struct ike_in in = packet(hello, hello_len, 500);
    size_t n = ike_cookie_reply(twin.b.e, &in, early);
    assert_int_equal(n, 28 + 8 + 17);
    memcpy(m, hello, 28);
    memcpy(m + 28, early + 28, n - 28); /* the notify payload goes first */
    memcpy(m + n, hello + 28, hello_len - 28);
    m[28] = hello[16];
    m[16] = 41;
    put_u32(m + 24, (uint32_t)(hello_len + n - 28));
    in = packet(m, hello_len + n - 28, 500);
    assert_int_equal(ike_cookie_reply(twin.b.e, &in, early), 0);
    in.remote.port = 501;
    assert_int_equal(ike_cookie_reply(twin.b.e, &in, early), n);
    finish();
}

/* Below the threshold, with a full house, and for an SA under way nothing is answered early. */
static void not_wanted(void **state)
{
    (void)state;
    struct ike_settings s = settings(1);
    s.half_open_max = 2;
    begin(&s);
    assert_false(same(hello, hello_len, 500)); /* below the threshold: half open now */
    assert_false(same(hello, hello_len, 501)); /* asked with a word */
    assert_false(same(hello, hello_len, 500)); /* under way */
    assert_true(same(hello, hello_len, 501));
    pair.now += 1000;
    assert_false(same(hello, hello_len, 501)); /* another second, another word */
    assert_true(same(hello, hello_len, 501));
    finish();
    s.half_open_max = 1;
    begin(&s);
    assert_false(same(hello, hello_len, 500));
    for (uint16_t i = 0; i < 3; i++)
        assert_false(same(hello, hello_len, (uint16_t)(501 + i)));
    finish();
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged),
        cmocka_unit_test(cookie_returned),
        cmocka_unit_test(not_wanted),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
