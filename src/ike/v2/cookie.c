/*
 * Cookies: RFC 7296 2.6. While many SAs are half open nothing is kept of a first message before its
 * sender proved that it receives at its address.
 *
 *     cookie = version | SipHash-2-4-128(secret[version], SPIi | source port and address | Ni)
 *
 * Any function that only we can compute will do; who floods us makes us compute it for every
 * datagram, and this one takes a fifth of what HMAC-SHA-256 with a kept state does (0.27 us).
 */
#include "ike/half.h"
#include "ike/v2/v2.h"

#define ROTATE_MS 60000

/* Of a source near its limit too: half of what it may have stays for who proved to be there, or
 * strangers could use it up in its name. */
bool v2_cookie_wanted(const struct ike *e, const struct endpoint *from)
{
    uint32_t limit = e->set.init_limit_per_source;
    return e->stats.half_open >= e->set.cookie_threshold ||
           (limit && (half_source_count(e, &from->addr) + 1) * 2 > limit);
}

/* The secret before the present one is good for another turn. */
static void rotate(struct ike *e)
{
    if (e->cookie_at && e->now < e->cookie_at)
        return;
    if (e->cookie_at) {
        uint8_t at = ++e->cookie_version & 1;
        e->env.random(e->env.ctx, e->cookie_secret[at], sizeof e->cookie_secret[at]);
    }
    e->cookie_at = e->now + ROTATE_MS;
}

static void cookie_of(const struct ike *e, const struct endpoint *from, uint64_t spi_i,
                      struct bytes ni, uint8_t version, uint8_t out[V2_COOKIE_LEN])
{
    uint8_t x[8 + 2 + 16 + V2_NONCE_MAX];
    size_t n = ni.n < V2_NONCE_MAX ? ni.n : V2_NONCE_MAX;
    put_u64(x, spi_i);
    put_u16(x + 8, from->port);
    memcpy(x + 10, from->addr.ip, 16);
    memcpy(x + 26, ni.p, n);
    out[0] = version;
    siphash128(e->cookie_secret[version & 1], x, 26 + n, out + 1);
}

void v2_cookie_make(struct ike *e, const struct endpoint *from, uint64_t spi_i, struct bytes ni,
                    uint8_t out[V2_COOKIE_LEN])
{
    rotate(e);
    cookie_of(e, from, spi_i, ni, e->cookie_version, out);
}

bool v2_cookie_ok(struct ike *e, const struct endpoint *from, uint64_t spi_i, struct bytes ni,
                  struct bytes cookie)
{
    uint8_t want[V2_COOKIE_LEN];
    rotate(e);
    if (cookie.n != sizeof want)
        return false;
    uint8_t age = (uint8_t)(e->cookie_version - cookie.p[0]);
    if (age > 1)
        return false;
    cookie_of(e, from, spi_i, ni, cookie.p[0], want);
    return secret_eq(want, cookie.p, sizeof want);
}
