/*
 * Protection of messages: RFC 7296 3.14, RFC 5282. The key schedule is made for each message and
 * not kept: 20,000 idle SAs shall not hold 40,000 cipher contexts.
 */
#include "ike/v2/v2.h"

void v2_sk_sizes(const struct v2_suite *s, struct sk_sizes *z)
{
    *z = (struct sk_sizes){
        .iv_len = s->encr->iv_len,
        .block = s->encr->block,
        .icv_len = s->integ ? s->integ->icv_len : s->encr->icv_len,
    };
}

static err_t context(const struct v2_suite *s, const struct v2_keys *k, bool by_initiator,
                     struct cr_sk **sk)
{
    return cr_sk_new(s->encr, s->integ, v2_key_e(k, by_initiator), v2_key_a(k, by_initiator), sk);
}

/* RFC 5282 3.1, RFC 5930 2: never the same IV twice under a key. RFC 7296 3.14: unpredictable for
 * CBC. */
static void fill_iv(struct ike *e, struct v2_sa *v, uint8_t *iv)
{
    size_t n = v->sa.encr->iv_len;
    if (v->sa.encr->mode == MODE_CBC) {
        e->env.random(e->env.ctx, iv, n);
        return;
    }
    memset(iv, 0, n);
    put_u64(iv + n - 8, ++v->iv);
}

err_t v2_sk_seal(struct ike *e, struct v2_sa *v, uint8_t *msg, const struct sk_layout *l)
{
    struct cr_sk *sk = NULL;
    const struct v2_suite s = {v->sa.encr, v->sa.integ, v->sa.prf};
    err_t err = context(&s, &v->keys, v->sa.initiator, &sk);
    if (err)
        return err;
    fill_iv(e, v, msg + l->aad_len);
    err = cr_sk_seal(sk, msg, l->aad_len, l->text_len);
    cr_sk_free(sk);
    return err;
}

err_t v2_sk_open(const struct v2_suite *s, const struct v2_keys *k, bool by_initiator,
                 struct v2_msg *m, const struct payload *p)
{
    struct sk_sizes z;
    struct sk_layout l;
    struct bytes inner;
    struct cr_sk *sk = NULL;
    v2_sk_sizes(s, &z);
    err_t err = sk_measure(m->raw, p, &z, &l);
    if (err)
        return R_DECRYPT;
    err = context(s, k, by_initiator, &sk);
    if (err)
        return err;
    err = cr_sk_open(sk, (uint8_t *)m->raw.p, l.aad_len, l.text_len);
    cr_sk_free(sk);
    if (err)
        return err;
    m->authentic = true; /* authentic: from here on errors are the peer's own */
    err = sk_inner(m->raw, &l, &z, &inner);
    if (!err && l.total) {
        m->number = l.number;
        m->total = l.total;
        m->first = l.first;
        m->inner = inner;
        return E_OK;
    }
    return err ? err : payloads_parse(inner, l.first, &m->in);
}
