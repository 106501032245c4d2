/*
 * Mode Config: draft-dukes-ike-mode-cfg-02. Pulled, who wants an address asks (REQUEST, REPLY);
 * pushed, who has addresses tells (SET, ACK). Either side may do either; we do what the connection
 * says and take what comes.
 */
#include "ike/v1/v1.h"
#include "ike/vip.h"

void v1_modecfg_pull(struct ike *e, struct v1_sa *v)
{
    struct cfg_body c = {.type = CFG_REQUEST};
    vip_ask(e, &v->sa, true, &c);
    v1_trans_ask(e, v, &c);
}

void v1_modecfg_push(struct ike *e, struct v1_sa *v)
{
    struct cfg_body c = {.type = CFG_SET};
    err_t err = vip_give(e, &v->sa, NULL, v->peer_unity, &c);
    if (err)
        v1_conf_failed(e, v, err);
    else
        v1_trans_ask(e, v, &c);
}

/* --- answers to ours --- */

static void taken(struct ike *e, struct v1_sa *v, const struct cfg_body *c)
{
    err_t err = vip_take(e, &v->sa, c);
    if (err < 0)
        ike_fail(e, err);
    if (err)
        v1_conf_failed(e, v, err > 0 ? err : R_TOO_MANY);
    else
        v1_up(e, v);
}

void v1_modecfg_answered(struct ike *e, struct v1_sa *v, uint8_t question, const struct cfg_body *c)
{
    if (v->state != V1_CONF)
        return;
    if (question == CFG_REQUEST)
        taken(e, v, c);
    else
        v1_up(e, v);
}

/* --- the peer's --- */

static void give(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *asked)
{
    struct cfg_body c = {.type = CFG_REPLY};
    err_t err = vip_give(e, &v->sa, asked, v->peer_unity, &c);
    if (err)
        c.count = 0; /* reported; the answer without an address says no */
    v1_trans_answer(e, v, x, &c);
    if (err && v->sa.conn->pool_count) { /* who has no address of ours has no business here */
        v1_tell_deleted(e, v);
        sa_drop(e, &v->sa, err > 0 ? err : R_TOO_MANY);
        return;
    }
    if (v->state == V1_CONF && v->sa.conn->pull && v->sa.conn->pool_count)
        v1_up(e, v);
}

/* 3.2: an ACK names what was taken, without values. */
static void take(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *told)
{
    struct cfg_body c = {.type = CFG_ACK};
    bool waiting = v->state == V1_CONF && v->sa.conn->vip_count;
    for (size_t i = 0; waiting && i < told->count; i++)
        cfg_add(&c, told->attr[i].type, bytes_of(NULL, 0));
    v1_trans_answer(e, v, x, &c);
    if (!waiting)
        return;
    retransmit_stop(&v->sa); /* we may have asked meanwhile */
    taken(e, v, told);
}

void v1_modecfg_asked(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c)
{
    if (v->state == V1_XAUTH &&
        v->xauth_ok) { /* so it heard that it is logged in: its ACK is lost */
        retransmit_stop(&v->sa);
        v1_authenticated(e, v);
    }
    if (v->sa.dead)
        return;
    if (v->state == V1_XAUTH) /* nothing for who has not logged in */
        v1_exch_end(e, x);
    else if (c->type == CFG_REQUEST)
        give(e, v, x, c);
    else
        take(e, v, x, c);
}
