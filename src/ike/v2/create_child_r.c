/*
 * CREATE_CHILD_SA from the peer: a further CHILD SA (RFC 7296 1.3.1) or a rekeyed one (1.3.3).
 * Which answer conflicting exchanges get is 2.25; a rekeyed SA receives at once and sends when the
 * initiator has dropped the old one (2.8).
 */
#include "ike/v2/v2.h"
#include "wire/ke.h"
#include "wire/nonce.h"

static void refuse_with(struct ike *e, struct v2_sa *v, uint16_t type)
{
    v2_respond_notify(e, v, type, bytes_of(NULL, 0));
    v2_rsp_end(e, v);
}

static void not_found(struct ike *e, struct v2_sa *v, uint8_t proto, uint32_t spi)
{
    struct v2_build b;
    struct v2_exch *x = v->rsp;
    if (!v2_build_begin(e, v, &b, EXCH_CREATE_CHILD_SA, true, x->msg->hdr.msg_id))
        return;
    payload_begin(&b.c, PL_NOTIFY); /* 2.25: with the SPI that was asked for */
    notify_write_spi(&b.w, proto, spi, N_CHILD_SA_NOT_FOUND);
    payload_end(&b.c);
    v2_respond(e, v, &b);
    v2_rsp_end(e, v);
}

static bool being_deleted(const struct v2_sa *v, const struct child *c)
{
    return c->state != CHILD_INSTALLED || c->redundant ||
           (task_is(v->sa.active, TASK_CHILD_DEL) && v->sa.active->child_id == c->id);
}

/* 2.25.1. False: answered already. */
static bool find_old(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    if (!v2_notify_find(x->msg, N_REKEY_SA, &n))
        return true;
    uint32_t spi = notify_spi(&n);
    struct child *old = child_by_spi_out(&v->sa, n.proto, spi);
    if (!old && v->req && v->req->cc) { /* perhaps the one whose answer we wait for */
        refuse_with(e, v, N_TEMPORARY_FAILURE);
        return false;
    }
    if (!old) {
        not_found(e, v, n.proto, spi);
        return false;
    }
    if (being_deleted(v, old)) {
        refuse_with(e, v, N_TEMPORARY_FAILURE);
        return false;
    }
    x->old_child = old->id;
    return true;
}

static void answer(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_build b;
    if (!v2_build_begin(e, v, &b, EXCH_CREATE_CHILD_SA, true, x->msg->hdr.msg_id))
        return;
    v2_child_put(&b, x, true);
    v2_respond(e, v, &b);
    v2_rsp_end(e, v);
}

/* Our own rekeying of the same SA is under way: settle when its answer comes (2.8.1). */
static bool collides(const struct v2_sa *v, const struct v2_exch *x)
{
    return v->req && task_is(v->sa.active, TASK_CHILD_REKEY) && v->req->old_child == x->old_child;
}

static void commit(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (x->job_err) {
        struct refusal r = {.reason = R_KE_VALUE, .what = "key exchange", .clause = "RFC 6989 2"};
        v2_refuse(e, v, x, &r);
        return;
    }
    if (x->old_child && (!old || being_deleted(v, old))) { /* went while we computed */
        refuse_with(e, v, old ? N_TEMPORARY_FAILURE : N_CHILD_SA_NOT_FOUND);
        return;
    }
    /* inbound first: the peer may send as soon as it has our answer */
    struct child *c = v2_child_install(e, v, x, old ? DIR_IN : DIR_BOTH);
    if (!c) {
        refuse_with(e, v, N_TEMPORARY_FAILURE);
        return;
    }
    if (old && collides(v, x))
        v2_rival_set(e, v->req, x, c->id);
    if (old) {
        old->successor = c->id;
        old->rekey_ms = UINT64_MAX; /* the peer did it */
    }
    answer(e, v, x);
}

static err_t read_nonce_ke(struct v2_exch *x, struct ke *ke)
{
    struct bytes body = v2_body(x->msg, PL_KE);
    err_t err = nonce_parse(v2_body(x->msg, PL_NONCE), &x->ni);
    return !err && body.p ? ke_parse(body, ke) : err;
}

static void respond_new(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct refusal r = {0};
    struct ke ke = {0};
    err_t err = read_nonce_ke(x, &ke);
    if (!err)
        err = v2_child_choose(e, v, x, true, &r);
    if (err < 0) {
        ike_fail(e, err);
        refuse_with(e, v, N_TEMPORARY_FAILURE);
        return;
    }
    const struct transform *t = err ? NULL : proposal_get(&x->chosen, T_KE);
    x->method = t ? t->id : KE_NONE;
    if (!err && x->method != KE_NONE && ke.method != x->method)
        err = r.reason = R_INVALID_KE;
    if (!err && !v2_spi_new(e, x))
        err = r.reason = R_NO_ADDITIONAL_SAS;
    if (err) {
        r.reason = err;
        v2_refuse(e, v, x, &r);
        return;
    }
    x->nr = v2_nonce(e, x);
    if (x->method)
        v2_job(e, v, x, JOB_KE_BOTH, ke.data, commit);
    else
        commit(e, v, x);
}

/* A proposal for the IKE protocol, and no selectors: the IKE SA itself (1.3.2). */
static bool rekeys_ike(const struct v2_exch *x)
{
    struct bytes sa = v2_body(x->msg, PL_SA);
    return sa.n > 5 && sa.p[5] == PROTO_IKE;
}

void v2_create_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    if (rekeys_ike(x)) {
        v2_rekey_ike_request(e, v, x);
        return;
    }
    /* 2.25.2: no new CHILD SA under an IKE SA that is being replaced or deleted */
    if (v->state != V2_UP || v->successor || task_is(v->sa.active, TASK_IKE_REKEY) ||
        task_is(v->sa.active, TASK_IKE_DEL)) {
        refuse_with(e, v, N_TEMPORARY_FAILURE);
        return;
    }
    if (!v2_body(x->msg, PL_TSI).p || !v2_body(x->msg, PL_TSR).p) {
        struct refusal r = {
            .reason = R_MISSING_PAYLOAD, .what = "TSi, TSr", .clause = "RFC 7296 1.3.1"};
        v2_refuse(e, v, x, &r);
        return;
    }
    v2_adopt(e, v);
    if (find_old(e, v, x))
        respond_new(e, v, x);
}
