/*
 * IKE_AUTH, responder: RFC 7296 1.2, 2.4, 2.15, 2.21.2. Finds the connection by identities, checks
 * the peer's proof, gives ours, and answers for the first CHILD SA.
 */
#include "ike/v2/v2.h"
#include "wire/cfg.h"
#include "wire/id.h"
#include <stdlib.h>

struct v2_claim { /* what the request says, read */
    struct id idi, idr;
    struct auth auth;
    struct v2_choice choice;
    struct id own; /* the peer may call us anything if we have no local.id: no proof of anything */
    bool with_child;
};

static err_t read_claim(const struct v2_msg *m, struct v2_claim *c)
{
    struct bytes idr = v2_body(m, PL_IDR);
    err_t err = id_body_parse(v2_body(m, PL_IDI), &c->idi);
    if (!err && idr.p)
        err = id_body_parse(idr, &c->idr);
    if (!err)
        err = auth_parse(v2_body(m, PL_AUTH), &c->auth);
    c->with_child = v2_body(m, PL_SA).p != NULL;
    if (!err && c->with_child && (!v2_body(m, PL_TSI).p || !v2_body(m, PL_TSR).p))
        err = R_MISSING_PAYLOAD;
    return err;
}

static err_t no_connection(struct ike *e, struct v2_sa *v, const struct v2_claim *c)
{
    const struct conn *near = c->choice.near;
    struct id local = {0};
    struct refusal r = {.reason = R_NO_CONN, .what = "id", .clause = "RFC 7296 2.15"};
    r.theirs = ike_strf(e, "%s asks for %s", ike_str_id(e, &c->idi), ike_str_id(e, &c->idr));
    r.ours = "no connection for these addresses";
    if (near) {
        v2_local_id(&v->sa, near, &local);
        r.ours = ike_strf(e, "%s has local.id %s, remote.id %s", near->name, ike_str_id(e, &local),
                          ike_str_id(e, &near->auth_remote.id));
        r.hint = c->choice.id_ok
                     ? ike_strf(e, "set connections.%s.local.id = %s, or the peer's remote.id = %s",
                                near->name, ike_str_id(e, &c->idr), ike_str_id(e, &local))
                     : ike_strf(e, "set connections.%s.remote.id = %s, or the peer's local.id = %s",
                                near->name, ike_str_id(e, &c->idi),
                                ike_str_id(e, &near->auth_remote.id));
    }
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

/* 2.21.2: the peer is told, in an answer that we can repeat, and the SA ends. */
static void refuse_auth(struct ike *e, struct v2_sa *v, err_t reason)
{
    uint16_t type = reason > 0 ? err_notify2(reason) : N_AUTHENTICATION_FAILED;
    v2_respond_notify(e, v, type ? type : N_AUTHENTICATION_FAILED, bytes_of(NULL, 0));
    v2_rsp_end(e, v);
    sa_close(e, &v->sa, reason > 0 ? reason : R_AUTH_FAILED);
}

/* swanctl.conf unique = keep: whoever came first stays, unless the peer says that it is not there
 * any more (2.4). */
static bool must_keep(struct ike *e, struct v2_sa *v, const struct v2_msg *m)
{
    struct notify n;
    if (v->sa.conn->unique != UNIQUE_KEEP || !sa_peer_next(e, &v->sa, NULL) ||
        v2_notify_find(m, N_INITIAL_CONTACT, &n))
        return false;
    struct refusal r = {
        .reason = R_EXISTS,
        .what = "unique",
        .ours = "keep",
        .text = "an IKE SA between these identities is up",
        .hint = ike_strf(e, "set connections.%s.unique = replace", v->sa.conn->name),
    };
    ike_refused(e, &v->sa, &r);
    return true;
}

/* 2.4: INITIAL_CONTACT says that the peer knows no other SA with us; unique = replace ends them
 * too. */
static void replace_others(struct ike *e, struct v2_sa *v, const struct v2_msg *m)
{
    struct notify n;
    enum unique u = v->sa.conn->unique;
    bool initial = u != UNIQUE_NEVER && v2_notify_find(m, N_INITIAL_CONTACT, &n);
    struct ike_sa *next = sa_peer_next(e, &v->sa, NULL);
    for (struct ike_sa *o; (o = next);) {
        next = sa_peer_next(e, &v->sa, o);
        if (initial) {
            sa_drop(e, o, R_REPLACED);
        } else if (u == UNIQUE_REPLACE) {
            o->end_reason = R_REPLACED;
            task_add(e, o, TASK_IKE_DEL, 0);
        }
    }
}

/* Everything of the CHILD SA but its keys; on a refusal the notify for the answer. */
static uint16_t first_child(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct refusal r;
    x->ni = v->init->ni;
    x->nr = v->init->nr;
    err_t err = v2_child_choose(e, v, x, false, &r);
    if (!err && !v2_spi_new(e, x)) {
        err = R_NO_ADDITIONAL_SAS;
        r = (struct refusal){.reason = err, .what = "SPI", .clause = "RFC 7296 1.3"};
    }
    if (!err)
        return 0;
    if (err < 0) {
        ike_fail(e, err);
        return N_TEMPORARY_FAILURE;
    }
    ike_refused(e, &v->sa, &r);
    struct event *ev = ike_event(e, EV_CHILD_FAILED, &v->sa, NULL);
    ev->child = ike_str(e, r.child);
    ev->reason = err;
    return err_notify2(err);
}

static void answer(struct ike *e, struct v2_sa *v, const struct cfg_body *cp, uint16_t child_error)
{
    struct v2_build b;
    struct v2_exch *x = v->rsp;
    const struct v2_claim *c = x->claim;
    if (!v2_build_begin(e, v, &b, EXCH_IKE_AUTH, true, x->msg->hdr.msg_id))
        return;
    payload_begin(&b.c, PL_IDR);
    id_body_write(&b.w, &c->choice.local);
    payload_end(&b.c);
    v2_put_certs(&b, v->sa.conn, x);
    v2_put_auth(&b, x);
    if (cp)
        v2_cp_put(&b, cp);
    if (c->with_child && child_error)
        v2_put_notify(&b, child_error, bytes_of(NULL, 0));
    else if (c->with_child)
        v2_child_put(&b, x, false);
    v2_respond(e, v, &b);
}

/* Both proofs are there. */
static void accept(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    const struct v2_claim *c = x->claim;
    if (x->auth.err) {
        refuse_auth(e, v, x->auth.err);
        return;
    }
    sa_conn_set(e, &v->sa, c->choice.conn);
    if (!sa_ids_set(e, &v->sa, &c->choice.local, &c->idi))
        return;
    if (must_keep(e, v, x->msg)) {
        refuse_auth(e, v, R_AUTH_FAILED);
        return;
    }
    replace_others(e, v, x->msg);
    v2_established(e, v);
    struct cfg_body *cp;
    err_t err = v2_cp_give(e, v, x->msg, &cp);
    uint16_t child_error = err > 0 ? err_notify2(err) : c->with_child ? first_child(e, v, x) : 0;
    bool install = c->with_child && !child_error;
    /* the inbound SA must be there before the peer can send: installed first, answered after */
    if (install && !v2_child_install(e, v, x, DIR_BOTH))
        child_error = N_TEMPORARY_FAILURE;
    answer(e, v, cp, child_error);
    v2_rsp_end(e, v);
    v2_init_free(v->init);
    v->init = NULL;
}

static struct v2_who who_of(const struct v2_claim *c)
{
    const struct v2_choice *k = &c->choice;
    return (struct v2_who){k->conn ? k->conn : k->near, &k->local, &c->own, &c->idi};
}

static void peer_checked(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_claim *c = x->claim;
    if (!c->choice.conn)
        x->auth.err = no_connection(e, v, c);
    if (x->auth.err) {
        refuse_auth(e, v, x->auth.err);
        return;
    }
    const struct v2_who w = who_of(c);
    v2_prove(e, v, x, &w, accept);
}

/*
 * Without a connection for these identities, a signature is checked all the same, against what the
 * nearest one trusts: who is known here shall not show in how long the refusal takes.
 */
static void check_peer(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct v2_claim *c)
{
    bool psk = c->auth.method == AM_SHARED_KEY;
    bool found = v2_choose(e, v, &c->idi, &c->idr, psk, &c->choice);
    struct conn *conn = found ? c->choice.conn : c->choice.near;
    if (!conn || (!found && (psk || conn->auth_remote.kind == AUTH_PSK))) {
        refuse_auth(e, v, no_connection(e, v, c));
        return;
    }
    v2_exch_conn(x, conn, NULL); /* it stays while jobs are away */
    v2_local_id(&v->sa, conn, &c->own);
    const struct v2_who w = who_of(c);
    v2_check(e, v, x, &w, peer_checked);
}

void v2_auth_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_claim *c = v2_exch_alloc(e, x, sizeof *c);
    if (!c)
        return;
    x->claim = c;
    err_t err = read_claim(x->msg, c);
    if (err)
        refuse_auth(e, v, err);
    else
        check_peer(e, v, x, c);
}
