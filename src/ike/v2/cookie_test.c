/* Cookies: RFC 7296 2.6. */
#include "ike/v2/v2.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void env_random(void *ctx, void *p, size_t n)
{
    uint8_t *next = ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (*next)++;
}

static uint8_t counter;
static const uint8_t nonce[32] = {1, 2, 3}, other_nonce[32] = {1, 2, 4};
static struct ike e;
static struct ike_out out;
static struct endpoint from = {{4, {192, 0, 2, 1}}, 500};
static const uint64_t spi = 0x1122334455667788;

static void begin(void)
{
    e = (struct ike){.env = {.ctx = &counter, .random = env_random}, .out = &out, .now = 1000};
    memset(e.cookie_secret, 0x5a, sizeof e.cookie_secret);
    from.port = 500;
}

static void make(uint8_t c[V2_COOKIE_LEN])
{
    v2_cookie_make(&e, &from, spi, bytes_of(nonce, 32), c);
}

static bool ok(uint64_t s, const uint8_t *n, const uint8_t *cookie, size_t len)
{
    return v2_cookie_ok(&e, &from, s, bytes_of(n, 32), bytes_of(cookie, len));
}

static void binds_to_all(void **state)
{
    uint8_t c[V2_COOKIE_LEN];
    (void)state;
    begin();
    make(c);
    assert_true(ok(spi, nonce, c, V2_COOKIE_LEN));
    assert_true(ok(spi, nonce, c, V2_COOKIE_LEN)); /* nothing is kept: good again */
    assert_false(ok(spi + 1, nonce, c, V2_COOKIE_LEN));
    assert_false(ok(spi, other_nonce, c, V2_COOKIE_LEN));
    assert_false(ok(spi, nonce, c, V2_COOKIE_LEN - 1));
    assert_false(ok(spi, nonce, c, 0));
    from.port = 501;
    assert_false(ok(spi, nonce, c, V2_COOKIE_LEN));
    from.port = 500;
    for (size_t i = 0; i < V2_COOKIE_LEN; i++) {
        c[i] ^= 0x40;
        assert_false(ok(spi, nonce, c, V2_COOKIE_LEN));
        c[i] ^= 0x40;
    }
}

/* The secret changes; a cookie of the one before is still good, an older one is not. */
static void rotation(void **state)
{
    uint8_t c[V2_COOKIE_LEN], fresh[V2_COOKIE_LEN];
    (void)state;
    begin();
    make(c);
    assert_true(ok(spi, nonce, c, V2_COOKIE_LEN));
    e.now += 61000;
    assert_true(ok(spi, nonce, c, V2_COOKIE_LEN));
    make(fresh);
    assert_memory_not_equal(c, fresh, V2_COOKIE_LEN);
    e.now += 61000;
    assert_false(ok(spi, nonce, c, V2_COOKIE_LEN));
    assert_true(ok(spi, nonce, fresh, V2_COOKIE_LEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_to_all),
        cmocka_unit_test(rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
