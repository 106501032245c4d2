/*
 * Cookies: RFC 7296 2.6. While many SAs are half open nothing is kept of a first message before its
 * sender proved that it receives at its address.
 *
 *     cookie = version | HMAC-SHA-256(secret[version], Ni | source address and port | SPIi)
 */
#include "crypto/crypto.h"
#include "ike/v2/v2.h"

#define ROTATE_MS 60000

/* Of a source near its limit too: half of what it may have stays for who proved to be there, or
 * strangers could use it up in its name. */
bool v2_cookie_wanted(const struct ike *e, const struct endpoint *from)
{
    uint32_t limit = e->set.init_limit_per_source;
    return e->stats.half_open >= e->set.cookie_threshold ||
           (limit && (sa_source_count(e, &from->addr) + 1) * 2 > limit);
}

/* The secret before the present one is good for another turn. */
static void rotate(struct ike *e)
{
    if (e->cookie_at && e->now < e->cookie_at)
        return;
    if (e->cookie_at) {
        e->cookie_version++;
        uint8_t *secret = e->cookie_secret[e->cookie_version & 1];
        e->env.random(e->env.ctx, secret, sizeof e->cookie_secret[0]);
    }
    e->cookie_at = e->now + ROTATE_MS;
}

void v2_cookie_make(struct ike *e, const struct endpoint *from, uint64_t spi_i, struct bytes ni,
                    uint8_t version, uint8_t out[33])
{
    const struct alg *prf = alg_find(T_PRF, PRF_HMAC_SHA2_256, 0);
    uint8_t who[26];
    memcpy(who, from->addr.ip, 16);
    put_u16(who + 16, from->port);
    put_u64(who + 18, spi_i);
    struct bytes key = bytes_of(e->cookie_secret[version & 1], sizeof e->cookie_secret[0]);
    struct bytes parts[] = {ni, bytes_of(who, sizeof who)};
    out[0] = version;
    err_t err = cr_prf(prf, key, parts, 2, out + 1);
    if (err)
        ike_fail(e, err);
}

bool v2_cookie_ok(struct ike *e, const struct endpoint *from, uint64_t spi_i, struct bytes ni,
                  struct bytes cookie)
{
    uint8_t want[33];
    rotate(e);
    if (cookie.n != sizeof want)
        return false;
    uint8_t age = (uint8_t)(e->cookie_version - cookie.p[0]);
    if (age > 1)
        return false;
    v2_cookie_make(e, from, spi_i, ni, cookie.p[0], want);
    return secret_eq(want, cookie.p, sizeof want);
}
