/*
 * IKE_AUTH, initiator: RFC 7296 1.2, 2.15, 2.21.2. Proves who we are, checks who the peer is and
 * brings up the first CHILD SA; if only that fails, the IKE SA stays.
 */
#include "ike/v2/v2.h"
#include "wire/id.h"
#include <stdlib.h>

static err_t no_secret(struct ike *e, struct v2_sa *v, const struct id *us, const struct id *them)
{
    struct refusal r = {
        .reason = R_NO_SHARED,
        .what = "secret",
        .ours = ike_strf(e, "none for %s and %s", ike_str_id(e, us), ike_str_id(e, them)),
        .hint = ike_strf(e, "add secrets { ike-%s { id = %s, secret = ... } }", v->sa.conn->name,
                         ike_str_id(e, them)),
        .clause = "RFC 7296 2.15",
    };
    ike_refused(e, &v->sa, &r);
    return R_NO_SHARED;
}

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

void v2_put_auth(struct v2_build *b, const uint8_t *auth, size_t n)
{
    payload_begin(&b->c, PL_AUTH);
    auth_write(&b->w, AM_SHARED_KEY, bytes_of(auth, n));
    payload_end(&b->c);
}

/* 2.4: true only if we have no other SA with that peer. */
static bool first_contact(struct ike *e, struct v2_sa *v)
{
    enum unique u = v->sa.conn->unique;
    return (u == UNIQUE_REPLACE || u == UNIQUE_KEEP) && !sa_peer_next(e, &v->sa, NULL);
}

static void send_request(struct ike *e, struct v2_sa *v, const struct id *us, const uint8_t *auth)
{
    struct v2_build b;
    const struct id *idr = &v->sa.conn->auth_remote.id;
    if (!v2_build_begin(e, v, &b, EXCH_IKE_AUTH, false, v->win.next_out))
        return;
    put_id(&b, PL_IDI, us);
    if (first_contact(e, v))
        v2_put_notify(&b, N_INITIAL_CONTACT, bytes_of(NULL, 0));
    if (!wildcard(idr))
        put_id(&b, PL_IDR, idr);
    v2_put_auth(&b, auth, v->sa.prf->out_len);
    v2_offer_put(&b, v->req, false);
    v->state = V2_AUTH_SENT;
    v2_request(e, v, &b);
}

void v2_auth_start(struct ike *e, struct v2_sa *v)
{
    struct id us, them;
    uint8_t auth[CR_HASH_MAX];
    struct refusal why;
    struct task *t = task_first_child(&v->sa);
    v2_local_id(&v->sa, v->sa.conn, &us);
    expected_peer(v, &them);
    const struct shared *psk = shared_find(e, SHARED_IKE, &us, &them);
    if (!psk || !t) {
        v2_lost(e, v, t ? no_secret(e, v, &us, &them) : R_OPERATOR);
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
    err_t err = v2_auth_psk(v, true, &us, &psk->secret, auth);
    if (err || !v2_offer_make(e, v, v->req, t, false)) {
        ike_fail(e, err < 0 ? err : E_NOMEM);
        v2_lost(e, v, R_TOO_MANY);
        return;
    }
    send_request(e, v, &us, auth);
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

static err_t wrong_method(struct ike *e, struct v2_sa *v, const struct auth *a)
{
    struct refusal r = {
        .reason = R_AUTH_METHOD,
        .what = "auth",
        .ours = "psk",
        .theirs = auth_method_name(a->method),
        .hint = ike_strf(e, "set connections.%s.local.auth = psk at the peer",
                         v->sa.conn ? v->sa.conn->name : "<conn>"),
        .clause = "RFC 7296 3.8",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

static err_t wrong_secret(struct ike *e, struct v2_sa *v, const char *conn, const struct id *them)
{
    struct refusal r = {
        .reason = R_PSK_MISMATCH,
        .what = "secret",
        .theirs = ike_strf(e, "id %s", ike_str_id(e, them)),
        .hint = ike_strf(e,
                         "connection %s: make the secret for %s the same on both sides "
                         "(secrets.ike-*.secret)",
                         conn, ike_str_id(e, them)),
        .clause = "RFC 7296 2.15",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

/* Their AUTH against every fact of the negotiation. Reports what is wrong. */
err_t v2_auth_verify(struct ike *e, struct v2_sa *v, const char *conn, const struct auth *a,
                     const struct id *us, const struct id *them)
{
    uint8_t want[CR_HASH_MAX];
    if (a->method != AM_SHARED_KEY)
        return wrong_method(e, v, a);
    const struct shared *psk = v->sa.initiator ? shared_find(e, SHARED_IKE, us, them)
                                               : shared_of_claim(e, SHARED_IKE, us, them);
    if (!psk) {
        struct refusal r = {
            .reason = R_NO_SHARED,
            .what = "secret",
            .ours = ike_strf(e, "none for %s and %s", ike_str_id(e, us), ike_str_id(e, them)),
            .hint = ike_strf(e, "add secrets { ike-%s { id = %s, secret = ... } }", conn,
                             ike_str_id(e, them)),
            .clause = "RFC 7296 2.15",
        };
        ike_refused(e, &v->sa, &r);
        return r.reason;
    }
    err_t err = v2_auth_psk(v, !v->sa.initiator, them, &psk->secret, want);
    if (err)
        return err;
    size_t n = v->sa.prf->out_len;
    bool ok = a->data.n == n && secret_eq(a->data.p, want, n);
    secret_wipe(want, sizeof want);
    return ok ? E_OK : wrong_secret(e, v, conn, them);
}

static err_t check_peer(struct ike *e, struct v2_sa *v, const struct v2_msg *m, struct id *idr)
{
    struct auth a;
    struct id us;
    err_t err = id_body_parse(v2_body(m, PL_IDR), idr);
    if (!err)
        err = auth_parse(v2_body(m, PL_AUTH), &a);
    if (err)
        return err;
    if (!id_match(&v->sa.conn->auth_remote.id, idr))
        return wrong_id(e, v, idr);
    id_pair_get(v->sa.ids, &us, NULL);
    return v2_auth_verify(e, v, v->sa.conn->name, &a, &us, idr);
}

void v2_established(struct ike *e, struct v2_sa *v)
{
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

void v2_auth_response(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    struct id idr, us;
    if (!v2_body(x->msg, PL_AUTH).p && v2_error_of(x->msg, &n)) {
        peer_refused(e, v, &n);
        return;
    }
    err_t err = check_peer(e, v, x->msg, &idr);
    if (err) {
        if (err < 0)
            ike_fail(e, err);
        v2_req_end(e, v);
        v2_auth_failed_start(e, v, err > 0 ? err : R_AUTH_FAILED);
        return;
    }
    id_pair_get(v->sa.ids, &us, NULL);
    if (!sa_ids_set(e, &v->sa, &us, &idr))
        return;
    v2_established(e, v);
    waiters_done(e, &v->sa.up, E_OK);
    first_child(e, v, x);
    v2_init_free(v->init);
    v->init = NULL;
}
