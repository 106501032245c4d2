/*
 * IKE_AUTH, initiator: RFC 7296 1.2, 2.15, 2.21.2. Proves who we are, checks who the peer is and
 * brings up the first CHILD SA; if only that fails, the IKE SA stays.
 */
#include "ike/v2/v2.h"
#include "wire/id.h"
#include <stdlib.h>

static void expected_peer(const struct v2_sa *v, struct id *out)
{
    *out = v->sa.conn->auth_remote.id;
    if (out->type == ID_ANY && !id_of_addr(out, &v->sa.remote.addr))
        *out = (struct id){0};
}

static bool wildcard(const struct id *id)
{
    return id->type == ID_ANY || memchr(id->data, '*', id->len);
}

static void put_id(struct v2_build *b, uint8_t type, const struct id *id)
{
    payload_begin(&b->c, type);
    id_body_write(&b->w, id);
    payload_end(&b->c);
}

/* 2.4: true only if we have no other SA with that peer. */
static bool first_contact(struct ike *e, struct v2_sa *v)
{
    enum unique u = v->sa.conn->unique;
    return (u == UNIQUE_REPLACE || u == UNIQUE_KEEP) && !sa_peer_next(e, &v->sa, NULL);
}

/* RFC 4945 3.3: the peer shall know whom we trust, so that it sends what convinces us. */
static void put_certreq(struct ike *e, const struct v2_sa *v, struct v2_build *b)
{
    if (v->sa.conn->auth_remote.kind != AUTH_PSK)
        v2_put_certreq(b, sig_authority_hashes(e, v->sa.conn));
}

static void send_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_build b;
    struct id us;
    const struct id *idr = &v->sa.conn->auth_remote.id;
    if (x->auth.err) {
        v2_lost(e, v, x->auth.err > 0 ? x->auth.err : R_AUTH_FAILED);
        return;
    }
    if (!v2_build_begin(e, v, &b, EXCH_IKE_AUTH, false, v->win.next_out))
        return;
    id_pair_get(v->sa.ids, &us, NULL);
    put_id(&b, PL_IDI, &us);
    v2_put_certs(&b, v->sa.conn, x);
    if (first_contact(e, v))
        v2_put_notify(&b, N_INITIAL_CONTACT, bytes_of(NULL, 0));
    put_certreq(e, v, &b);
    if (!wildcard(idr))
        put_id(&b, PL_IDR, idr);
    v2_put_auth(&b, x);
    v2_cp_ask(e, v, &b);
    v2_offer_put(&b, x, false);
    v->state = V2_AUTH_SENT;
    v2_request(e, v, &b);
}

void v2_auth_start(struct ike *e, struct v2_sa *v)
{
    struct id us, them;
    struct refusal why;
    struct task *t = task_first_child(&v->sa);
    v2_local_id(&v->sa, v->sa.conn, &us);
    expected_peer(v, &them);
    if (!t) {
        v2_lost(e, v, R_OPERATOR);
        return;
    }
    task_take(t);
    v->sa.active = t;
    if (!mode_fits(e, &v->sa, t->conn, t->cc, &why)) {
        ike_refused(e, &v->sa, &why);
        v2_lost(e, v, why.reason);
        return;
    }
    v->req = v2_exch_new(e, true);
    if (!v->req || !sa_ids_set(e, &v->sa, &us, &them))
        return;
    v2_exch_conn(v->req, t->conn, t->cc);
    v->req->ni = v->init->ni;
    v->req->nr = v->init->nr;
    if (!v2_offer_make(e, v, v->req, t, false)) {
        ike_fail(e, E_NOMEM);
        v2_lost(e, v, R_TOO_MANY);
        return;
    }
    const struct v2_who who = {v->sa.conn, &us, &us, &them};
    v2_prove(e, v, v->req, &who, send_request);
}

/* --- the answer --- */

static void peer_refused(struct ike *e, struct v2_sa *v, const struct notify *n)
{
    struct refusal r;
    v2_peer_refusal(e, &v->sa, n, &r);
    if (v->sa.ids && r.reason == R_PEER_AUTH_FAILED) {
        struct id us;
        id_pair_get(v->sa.ids, &us, NULL);
        r.ours = ike_strf(e, "local.id %s", ike_str_id(e, &us));
    }
    ike_peer_refused(e, &v->sa, &r);
    v2_lost(e, v, r.reason);
}

static err_t wrong_id(struct ike *e, struct v2_sa *v, const struct id *idr)
{
    struct refusal r = {
        .reason = R_ID_MISMATCH,
        .what = "id",
        .ours = ike_str_id(e, &v->sa.conn->auth_remote.id),
        .theirs = ike_str_id(e, idr),
        .hint =
            ike_strf(e, "set connections.%s.remote.id = %s", v->sa.conn->name, ike_str_id(e, idr)),
        .clause = "RFC 7296 2.15",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

void v2_established(struct ike *e, struct v2_sa *v)
{
    v2_half_done(e, v);
    v->state = V2_UP;
    v->sa.state = SA_ESTABLISHED;
    v->sa.established_ms = e->now;
    v->sa.die_ms = UINT64_MAX;
    v->sa.attempt = 1;
    v2_keys_settle(&v->keys);
    sa_peers_add(e, &v->sa);
    sa_times_set(e, &v->sa);
    ike_event(e, EV_IKE_ESTABLISHED, &v->sa, NULL);
}

static void end_task(struct ike *e, struct v2_sa *v, err_t reason)
{
    struct task *t = v->sa.active;
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, reason);
}

/* 1.2: a refused CHILD SA leaves the IKE SA up. */
static void first_child(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    struct refusal r = {0};
    if (v2_error_of(x->msg, &n) && !v2_body(x->msg, PL_SA).p) {
        v2_child_refused(e, v, x, &n);
        end_task(e, v, v2_reason_of(n.type));
        v2_req_end(e, v);
        return;
    }
    err_t err = v2_offer_accept(e, v, x, &r);
    if (err) {
        if (err > 0)
            ike_refused(e, &v->sa, &r);
        end_task(e, v, err);
        if (err == (err_t)R_MODE) {
            v2_child_unwanted(e, v, x);
            v2_req_end(e, v);
        } else {
            v2_fatal(e, v, err > 0 ? err : R_SYNTAX, "CHILD SA");
        }
        return;
    }
    struct child *c = v2_child_install(e, v, x, DIR_BOTH);
    end_task(e, v, c ? E_OK : E_NOMEM);
    v2_req_end(e, v);
}

/* 3.15.4: nothing goes without an address; to try again is the operator's business. */
static void without_address(struct ike *e, struct v2_sa *v, err_t reason)
{
    end_task(e, v, reason);
    v2_req_end(e, v);
    v->sa.end_reason = reason;
    task_add(e, &v->sa, TASK_IKE_DEL, 0);
}

static void peer_checked(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct id idr, us;
    err_t err = x->auth.err;
    if (!err)
        err = id_body_parse(v2_body(x->msg, PL_IDR), &idr);
    if (err) {
        v2_req_end(e, v);
        v2_auth_failed_start(e, v, err > 0 ? err : R_AUTH_FAILED);
        return;
    }
    id_pair_get(v->sa.ids, &us, NULL);
    if (!sa_ids_set(e, &v->sa, &us, &idr))
        return;
    v2_established(e, v);
    waiters_done(e, &v->sa.up, E_OK);
    err = v2_cp_take(e, v, x->msg);
    if (err)
        without_address(e, v, err);
    else
        first_child(e, v, x);
    v2_init_free(v->init);
    v->init = NULL;
}

void v2_auth_response(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    struct id idr, us;
    if (!v2_body(x->msg, PL_AUTH).p && v2_error_of(x->msg, &n)) {
        peer_refused(e, v, &n);
        return;
    }
    err_t err = id_body_parse(v2_body(x->msg, PL_IDR), &idr);
    if (!err && !id_match(&v->sa.conn->auth_remote.id, &idr))
        err = wrong_id(e, v, &idr);
    if (!err && v->sa.conn->auth_remote.kind != AUTH_PSK && !v2_hold(e, x))
        err = E_NOMEM;
    if (err) {
        x->auth.err = err;
        peer_checked(e, v, x);
        return;
    }
    id_pair_get(v->sa.ids, &us, NULL);
    const struct v2_who who = {v->sa.conn, &us, &us, &idr};
    v2_check(e, v, x, &who, peer_checked);
}
