/* Messages: finding payloads in one that was read, and putting one together. */
#include "ike/v2/v2.h"
#include "wire/ke.h"
#include "wire/nonce.h"
#include "wire/print.h"
#include "wire/ts.h"
#include <stdlib.h>

bool v2_notify_find(const struct v2_msg *m, uint16_t type, struct notify *out)
{
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_NOTIFY, p));)
        if (notify_peek(p->body) == type && !notify_parse(p->body, out))
            return true;
    return false;
}

uint16_t v2_error_of(const struct v2_msg *m, struct notify *out)
{
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_NOTIFY, p));)
        if (!notify_parse(p->body, out) && notify_is_error(out->type))
            return out->type;
    return 0;
}

struct bytes v2_body(const struct v2_msg *m, uint8_t type)
{
    const struct payload *p = payloads_find(&m->in, type);
    return p ? p->body : bytes_of(NULL, 0);
}

bool v2_hold(struct ike *e, struct v2_exch *x)
{
    struct v2_msg *k = v2_exch_alloc(e, x, sizeof *k);
    if (!k)
        return false;
    *k = *x->msg;
    k->raw = k->pkt.raw = bytes_of(NULL, 0);
    for (size_t i = 0; i < k->in.count; i++) {
        struct bytes *body = &k->in.p[i].body;
        *body = arena_copy(&x->arena, *body);
        if (!body->p)
            return false;
    }
    x->msg = k;
    return true;
}

void v2_msg_event(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                  const struct ike_hdr *h, const struct payloads *ps)
{
    struct buf b = {0};
    if (!ike_heard(e, kind))
        return;
    ike_message_print(h, ps, &b);
    struct event *ev = ike_event(e, kind, sa, NULL);
    ev->text = ike_str_buf(e, &b);
    ev->number = h->msg_id;
}

/* What we sent without protection. */
void v2_say_clear(struct ike *e, const struct ike_sa *sa, const struct ike_hdr *h, struct bytes msg)
{
    struct payloads ps;
    if (ike_heard(e, EV_MSG_SENT) && !payloads_parse(ike_hdr_body(msg), msg.p[16], &ps))
        v2_msg_event(e, EV_MSG_SENT, sa, h, &ps);
}

void v2_say_proposal(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                     const struct child *c, const struct proposal *p)
{
    struct buf b = {0};
    if (!ike_heard(e, kind))
        return;
    proposal_print(p, &b);
    ike_event(e, kind, sa, c)->text = ike_str_buf(e, &b);
}

bool v2_build_clear(struct ike *e, struct v2_build *b, const struct ike_hdr *h)
{
    *b = (struct v2_build){.hdr = *h};
    b->w = wr_of(e->scratch, IKE_MSG_MAX);
    size_t at = ike_hdr_begin(&b->w, h);
    b->c = payload_chain_of_msg(&b->w, at);
    return true;
}

bool v2_build_begin(struct ike *e, struct v2_sa *v, struct v2_build *b, uint8_t exchange,
                    bool response, uint32_t id)
{
    struct ike_hdr h = {
        .spi_i = v->sa.spi_i, .spi_r = v->sa.spi_r, .major = 2, .exchange = exchange, .msg_id = id};
    h.flags =
        (uint8_t)((v->sa.initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0));
    if (!v2_build_clear(e, b, &h))
        return false;
    b->sealed = true;
    const struct v2_suite s = {v->sa.encr, v->sa.integ, v->sa.prf};
    v2_sk_sizes(&s, &b->z);
    b->sk = sk_begin(&b->c, &b->z);
    return true;
}

/* The log shows what is inside, so it is read back before sealing. */
static void say_sent(struct ike *e, const struct v2_sa *v, const struct v2_build *b,
                     const struct sk_layout *l)
{
    struct payloads ps;
    struct bytes inner = {0};
    if (!ike_heard(e, EV_MSG_SENT))
        return;
    if (!sk_inner(wr_bytes(&b->w), l, &b->z, &inner) && !payloads_parse(inner, l->first, &ps))
        v2_msg_event(e, EV_MSG_SENT, &v->sa, &b->hdr, &ps);
}

static err_t seal(struct ike *e, struct v2_sa *v, struct v2_build *b, struct bytes *out)
{
    struct sk_layout l;
    struct bytes inner;
    sk_end(&b->c, 0, b->sk, &b->z, &l);
    ike_hdr_end(&b->w, 0);
    if (b->w.err)
        return b->w.err;
    say_sent(e, v, b, &l);
    err_t err = sk_inner(wr_bytes(&b->w), &l, &b->z, &inner);
    if (!err)
        err = v2_frag_split(e, v, b, l.first, inner, out);
    if (err || out->p)
        return err;
    *out = wr_bytes(&b->w);
    return v2_sk_seal(e, v, b->w.start, &l);
}

bool v2_build_end(struct ike *e, struct v2_sa *v, struct v2_build *b, struct bytes *out)
{
    err_t err = b->w.err;
    if (!err && b->sealed) {
        err = seal(e, v, b, out);
    } else {
        ike_hdr_end(&b->w, 0);
        *out = wr_bytes(&b->w);
    }
    if (err)
        ike_fail(e, err < 0 ? err : E_USAGE);
    return !err;
}

void v2_put_notify(struct v2_build *b, uint16_t type, struct bytes data)
{
    payload_begin(&b->c, PL_NOTIFY);
    notify_write_plain(&b->w, type, data);
    payload_end(&b->c);
}

void v2_put_ts(struct v2_build *b, uint8_t type, const struct ts_list *l)
{
    payload_begin(&b->c, type);
    ts_body_write(&b->w, l);
    payload_end(&b->c);
}

void v2_put_ke(struct v2_build *b, uint16_t method, struct bytes value)
{
    payload_begin(&b->c, PL_KE);
    ke_write(&b->w, method, value);
    payload_end(&b->c);
}

void v2_put_nonce(struct v2_build *b, struct bytes n)
{
    payload_begin(&b->c, PL_NONCE);
    nonce_write(&b->w, n);
    payload_end(&b->c);
}
