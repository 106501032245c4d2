/*
 * INFORMATIONAL: RFC 7296 1.4. Deletes, error notifies after IKE_AUTH, and the empty message that
 * only wants an answer (2.4).
 */
#include "ike/v2/delete.h"
#include "ike/v2/v2.h"

#define DELETES_MAX 64
#define BUSY_TRIES  150 /* the peer may retransmit its rekeying of the IKE SA for minutes */

/* 2.25.2: while the IKE SA is being rekeyed its children do not go one by one. */
static bool too_busy(const struct v2_sa *v)
{
    return v->state == V2_UP && task_is(v->sa.active, TASK_IKE_REKEY);
}

struct wishes { /* what the request asks for */
    bool ike, busy;
    err_t reason;
    struct {
        size_t count;
        uint32_t spis[DELETES_MAX];
    } gone[2]; /* our SPIs of what goes with them: ESP, AH */
};

static err_t read_deletes(struct ike *e, struct v2_sa *v, const struct v2_msg *m, struct wishes *w)
{
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_DELETE, p));) {
        struct del d;
        err_t err = del_parse(p->body, &d);
        if (err)
            return err;
        if (d.proto == PROTO_IKE)
            w->ike = true;
        else if (too_busy(v))
            w->busy = true;
        else
            v2_adopt(e, v);
        if (d.proto != PROTO_IKE && !w->busy) {
            size_t i = d.proto == PROTO_AH, n = w->gone[i].count;
            w->gone[i].count += v2_delete_children(e, v, &d, w->gone[i].spis + n, DELETES_MAX - n);
        }
    }
    return E_OK;
}

static void read_notifies(struct ike *e, struct v2_sa *v, const struct v2_msg *m, struct wishes *w)
{
    struct notify n;
    struct refusal r;
    uint16_t type = v2_error_of(m, &n);
    if (!type)
        return;
    v2_peer_refusal(e, &v->sa, &n, &r);
    ike_peer_refused(e, &v->sa, &r);
    /* 2.21.2: the initiator did not accept our authentication, so the SA never was */
    if (type == N_AUTHENTICATION_FAILED || type == N_INVALID_SYNTAX) {
        w->ike = true;
        w->reason = r.reason;
    }
}

static void answer(struct ike *e, struct v2_sa *v, const struct v2_exch *x, const struct wishes *w)
{
    struct v2_build b;
    if (!v2_build_begin(e, v, &b, EXCH_INFORMATIONAL, true, x->msg->hdr.msg_id))
        return;
    if (w->busy)
        v2_put_notify(&b, N_TEMPORARY_FAILURE, bytes_of(NULL, 0));
    for (size_t i = 0; i < 2; i++) {
        if (!w->gone[i].count)
            continue;
        payload_begin(&b.c, PL_DELETE);
        del_write_child(&b.w, i ? PROTO_AH : PROTO_ESP, w->gone[i].spis, w->gone[i].count);
        payload_end(&b.c);
    }
    v2_respond(e, v, &b);
}

void v2_info_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct wishes w = {.reason = R_PEER_DELETED};
    err_t err = read_deletes(e, v, x->msg, &w);
    read_notifies(e, v, x->msg, &w);
    if (err) {
        struct refusal r = {.reason = err, .what = "payload", .clause = "RFC 7296 3.11"};
        v2_refuse(e, v, x, &r);
        return;
    }
    answer(e, v, x, &w);
    v2_rsp_end(e, v);
    if (w.ike)
        v2_delete_ike(e, v, w.reason);
}

void v2_info_response(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    struct task *t = v->sa.active;
    if (task_is(t, TASK_CHILD_DEL) && v2_error_of(x->msg, &n) == N_TEMPORARY_FAILURE &&
        t->tries < BUSY_TRIES) {
        v2_task_again(e, v, 1000 + ike_random_below(e, 1000));
        return;
    }
    if (v->state == V2_DELETING || task_is(t, TASK_CHILD_DEL)) {
        v2_delete_done(e, v);
        return;
    }
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, E_OK);
    v2_req_end(e, v);
}
