/*
 * Transaction exchanges: draft-dukes-ike-mode-cfg-02 3, which carry XAUTH and Mode Config. One
 * message and its answer, under a message id of their own, HASH = prf(SKEYID_a, M-ID | attributes).
 * Who asks repeats; what was answered is answered again alike.
 */
#include "ike/v1/v1.h"

#define TRANS_MAX 8      /* of the peer, remembered at once */
#define OURS_MS   300000 /* longer than anything is repeated */

struct v1_exch *v1_trans_new(struct ike *e, struct v1_sa *v)
{
    struct v1_exch *x = v1_exch_new(e, v, true, v1_message_id(e, v));
    if (!x)
        return NULL;
    x->exchange = EXCH_V1_TRANSACTION;
    x->cfg_id = (uint16_t)ike_random_u64(e);
    if (!v1_iv_phase2(v, x->msg_id, x->iv))
        return x;
    v1_exch_end(e, x);
    ike_fail(e, E_CRYPTO);
    return NULL;
}

static bool put(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c,
                struct ike_msg *m)
{
    struct v1_build b;
    const struct bytes none = bytes_of(NULL, 0);
    struct cfg_body numbered = *c;
    numbered.id = x->cfg_id;
    if (!v1_build_begin2(e, v, &b, EXCH_V1_TRANSACTION, x->msg_id))
        return false;
    payload_begin(&b.c, P1_CONFIG);
    cfg_write(&b.w, true, &numbered);
    payload_end(&b.c);
    return v1_build_hash(e, v, &b, false, none, none) && v1_build_end(e, v, &b, x->iv, m);
}

void v1_trans_ask(struct ike *e, struct v1_sa *v, const struct cfg_body *c)
{
    struct ike_msg m = {0};
    struct v1_exch *x = v1_trans_new(e, v);
    if (!x)
        return;
    x->cfg_type = c->type;
    x->asked_in = v->state;
    x->die_ms = e->now + OURS_MS;
    if (put(e, v, x, c, &m))
        retransmit_start(e, &v->sa, x->msg_id, v1_bytes(&m));
    ike_msg_free(&m);
}

void v1_trans_answer(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c)
{
    if (!put(e, v, x, c, &x->last_out))
        return;
    ike_send(e, &v->sa, v1_bytes(&x->last_out));
    v1_exch_keep(e, x);
}

/* --- receiving --- */

static size_t under_way(const struct v1_sa *v)
{
    size_t n = 0;
    list_each (it, (struct list *)&v->exchs) {
        const struct v1_exch *x = container_of(it, struct v1_exch, link);
        n += !x->ours && x->exchange == EXCH_V1_TRANSACTION;
    }
    return n;
}

/* Decrypts and verifies; the chain of IVs moves on only when all of it holds. */
static err_t open_msg(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct ike_pkt *p,
                      struct cfg_body *c)
{
    struct v1_msg *m = v1_msg_new(e, &e->out->arena, p);
    err_t err = m ? v1_msg_read(v, m, x->iv) : E_NOMEM;
    if (!err && !v1_hash1_ok(e, v, m))
        err = R_DECRYPT;
    if (err)
        return err < 0 ? err : (err_t)R_DECRYPT;
    memcpy(x->iv, m->iv, sizeof x->iv);
    v1_digest(p->raw, x->last_in);
    v->sa.seen_ms = e->now;
    path_follow(e, &v->sa, p);
    v1_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    err = v1_payloads_check(m, V1_BIT(P1_HASH) | V1_BIT(P1_CONFIG),
                            V1_BIT(P1_NOTIFY) | V1_BIT(P1_VENDOR));
    return err ? err : cfg_parse(v1_body(m, P1_CONFIG), true, c);
}

static struct v1_exch *begin(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    struct v1_exch *x = under_way(v) < TRANS_MAX ? v1_exch_new(e, v, false, p->msg_id) : NULL;
    if (!x) {
        ike_drop(e, p, R_TOO_MANY, "transactions under way");
        return NULL;
    }
    x->exchange = EXCH_V1_TRANSACTION;
    x->die_ms = e->now + 60000;
    if (!v1_iv_phase2(v, p->msg_id, x->iv))
        return x;
    v1_exch_end(e, x);
    return NULL;
}

static void asked(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c)
{
    bool xauth = false;
    for (size_t i = 0; i < c->count; i++)
        xauth |= c->attr[i].type >= CFG_XAUTH_TYPE && c->attr[i].type <= CFG_XAUTH_ANSWER;
    x->cfg_id = c->id;
    if (xauth)
        v1_xauth_asked(e, v, x, c);
    else
        v1_modecfg_asked(e, v, x, c);
}

/* A REPLY answers a REQUEST, an ACK a SET. */
static void answered(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c)
{
    uint8_t question = x->cfg_type;
    if (v->sa.rtx && v->sa.rtx->id == x->msg_id)
        retransmit_stop(&v->sa);
    bool late = x->asked_in != v->state; /* we have gone on without it */
    if (!late && v->state == V1_XAUTH)
        v1_xauth_answered(e, v, question, c);
    else if (!late)
        v1_modecfg_answered(e, v, question, c);
    if (!v->sa.dead)
        v1_exch_end(e, x);
}

static bool fits(const struct v1_exch *x, const struct cfg_body *c)
{
    if (!x->ours)
        return c->type == CFG_REQUEST || c->type == CFG_SET;
    return x->cfg_type == CFG_REQUEST ? c->type == CFG_REPLY : c->type == CFG_ACK;
}

static void drop(struct ike *e, const struct ike_pkt *p, err_t reason)
{
    ike_drop(e, p, reason, ike_exchange_name(p->exchange));
}

void v1_trans_in(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    struct v1_exch *x = v1_exch_find(v, p->msg_id);
    struct cfg_body *c = ike_alloc(e, sizeof *c);
    bool ready =
        v->state & (V1_XAUTH | V1_CONF | V1_UP) && p->msg_id && p->flags & IKE_V1_FLAG_ENCRYPTION;
    if (!ready || !c || (x && x->exchange != EXCH_V1_TRANSACTION)) {
        drop(e, p, R_STATE);
        return;
    }
    if (x && v1_exch_repeated(e, v, x, p))
        return;
    if (x && (x->done || !x->ours)) {
        drop(e, p, R_STATE);
        return;
    }
    if (!x && !(x = begin(e, v, p)))
        return;
    err_t err = open_msg(e, v, x, p, c);
    if (!err && !x->ours && v1_seen(v, p->msg_id))
        err = R_MESSAGE_ID;
    if (!err && !fits(x, c))
        err = R_SYNTAX;
    if (err < 0)
        ike_fail(e, err);
    else if (err)
        drop(e, p, err);
    if (err && !x->ours)
        v1_exch_end(e, x);
    else if (!err && x->ours)
        answered(e, v, x, c);
    else if (!err)
        asked(e, v, x, c);
}
