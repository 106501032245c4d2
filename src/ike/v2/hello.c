/*
 * First messages before anything is kept of them: RFC 7296 1.2, 2.1, 2.6. sa_init_r.c goes on with
 * them; while cookies are asked for, v2_cookie_reply answers from the message alone, because a
 * flood of them shall cost hardly more than receiving and sending.
 */
#include "ike/half.h"
#include "ike/v2/v2.h"
#include "wire/nonce.h"
#include "wire/sa_v2.h"

uint64_t v2_hello_spi(const struct ike *e, const struct ike_pkt *p)
{
    uint8_t key[26];
    memcpy(key, p->remote.addr.ip, 16);
    put_u16(key + 16, p->remote.port);
    put_u64(key + 18, p->spi_i);
    uint64_t spi = siphash(e->spi_key, key, sizeof key);
    return spi ? spi : 1;
}

bool v2_hello_known(const struct ike *e, const struct ike_pkt *p)
{
    uint64_t spi = v2_hello_spi(e, p);
    return half_by_spi(e, spi) || sa_by_spi(e, spi);
}

bool v2_hello_refused(const struct ike *e, const struct endpoint *from)
{
    uint32_t limit = e->set.init_limit_per_source;
    return e->stopping || e->stats.half_open >= e->set.half_open_max ||
           (limit && half_source_count(e, &from->addr) >= limit);
}

err_t v2_hello_read(struct v2_hello *hi)
{
    struct v2_msg *m = hi->m;
    const struct v2_row *row = v2_row_find(EXCH_IKE_SA_INIT, false, V2_IDLE);
    err_t err = row ? ike_hdr_parse(m->raw, &m->hdr) : (err_t)E_USAGE;
    if (!err)
        err = payloads_parse(ike_hdr_body(m->raw), m->hdr.next, &m->in);
    if (!err)
        err = v2_row_check(row, m);
    if (!err)
        err = sa_v2_parse(v2_body(m, PL_SA), hi->offer);
    if (!err)
        err = ke_parse(v2_body(m, PL_KE), &hi->ke);
    return err ? err : nonce_parse(v2_body(m, PL_NONCE), &hi->ni);
}

size_t v2_hello_notify(const struct ike_pkt *p, uint16_t type, struct bytes data, uint8_t *out,
                       size_t cap)
{
    struct wr w = wr_of(out, cap);
    struct ike_hdr h = {.spi_i = p->spi_i,
                        .major = 2,
                        .exchange = EXCH_IKE_SA_INIT,
                        .flags = IKE_FLAG_RESPONSE,
                        .msg_id = p->msg_id};
    size_t at = ike_hdr_begin(&w, &h);
    struct payload_chain c = payload_chain_of_msg(&w, at);
    payload_begin(&c, PL_NOTIFY);
    notify_write_plain(&w, type, data);
    payload_end(&c);
    ike_hdr_end(&w, at);
    return w.err ? 0 : wr_len(&w);
}

/* --- cookies without a step --- */

#define TELL_EVERY_MS 1000 /* one first message in this time goes the long way, and is logged */

static bool is_hello(const struct ike_pkt *p)
{
    return p->exchange == EXCH_IKE_SA_INIT && !(p->flags & IKE_FLAG_RESPONSE) &&
           p->flags & IKE_FLAG_INITIATOR && !p->spi_r && !p->msg_id && p->spi_i;
}

static bool answerable(struct ike *e, const struct ike_pkt *p)
{
    return e->now < e->cookie_told_at + TELL_EVERY_MS && is_hello(p) &&
           v2_cookie_wanted(e, &p->remote) && !v2_hello_refused(e, &p->remote) &&
           !v2_hello_known(e, p);
}

size_t v2_cookie_reply(struct ike *e, const struct ike_pkt *p, uint8_t *out)
{
    struct v2_msg m; /* not cleared: payloads_parse says how many there are */
    struct proposals offer;
    struct notify n;
    uint8_t cookie[V2_COOKIE_LEN];
    struct v2_hello hi = {.m = &m, .offer = &offer};
    if (!answerable(e, p))
        return 0;
    m.raw = p->raw;
    m.response = m.authentic = false;
    if (v2_hello_read(&hi))
        return 0;
    if (v2_notify_find(&m, N_COOKIE, &n) && v2_cookie_ok(e, &p->remote, p->spi_i, hi.ni, n.data))
        return 0;
    v2_cookie_make(e, &p->remote, p->spi_i, hi.ni, cookie);
    size_t len =
        v2_hello_notify(p, N_COOKIE, bytes_of(cookie, sizeof cookie), out, IKE_COOKIE_REPLY_MAX);
    e->stats.cookies_sent += len != 0;
    e->cookies_untold += len != 0;
    return len;
}
