/*
 * Informational exchanges: RFC 2409 5.7. Errors, deletes, DPD, CONNECTED, INITIAL-CONTACT and
 * lifetimes. Nothing of them is acted upon unless its hash holds; before the keys are there an
 * error in clear ends an attempt of ours, as it comes with both cookies from the peer that we ask.
 */
#include "ike/v1/v1.h"

#define CONTACT_MS 30000 /* INITIAL-CONTACT counts this long after phase 1 */

err_t v1_reason_of(uint16_t type)
{
    switch (type) {
    case N1_NO_PROPOSAL_CHOSEN:
    case N1_BAD_PROPOSAL_SYNTAX:
    case N1_ATTRIBUTES_NOT_SUPPORTED:
        return R_PEER_NO_PROPOSAL;
    case N1_INVALID_ID_INFORMATION:
        return R_PEER_TS_UNACCEPTABLE;
    case N1_AUTHENTICATION_FAILED:
    case N1_INVALID_HASH_INFORMATION:
    case N1_INVALID_SIGNATURE:
        return R_PEER_AUTH_FAILED;
    case N1_INVALID_KEY_INFORMATION:
        return R_PEER_INVALID_KE;
    case N1_PAYLOAD_MALFORMED:
    case N1_INVALID_PAYLOAD_TYPE:
        return R_PEER_INVALID_SYNTAX;
    default:
        return R_PEER_REFUSED;
    }
}

/* --- sending --- */

static void send_build(struct ike *e, struct v1_sa *v, struct v1_build *b)
{
    struct ike_msg m = {0};
    uint8_t iv[V1_BLOCK_MAX];
    if (!v1_iv_phase2(v, b->hdr.msg_id, iv) &&
        v1_build_hash(e, v, b, false, bytes_of(NULL, 0), bytes_of(NULL, 0)) &&
        v1_build_end(e, v, b, iv, &m))
        ike_send(e, &v->sa, v1_bytes(&m));
    ike_msg_free(&m);
}

void v1_inform(struct ike *e, struct v1_sa *v, uint8_t proto, uint16_t type, struct bytes spi,
               struct bytes data)
{
    struct v1_build b;
    if (!v->keys.all.p || !v1_build_begin2(e, v, &b, EXCH_V1_INFO, v1_message_id(e, v)))
        return;
    if (proto == PROTO1_ISAKMP)
        v1_put_notify_sa(&b, v, type, data);
    else
        v1_put_notify(&b, proto, type, spi, data);
    send_build(e, v, &b);
}

void v1_send_delete(struct ike *e, struct v1_sa *v, uint8_t proto, struct bytes spi)
{
    struct v1_build b;
    if (!v->keys.all.p || !v1_build_begin2(e, v, &b, EXCH_V1_INFO, v1_message_id(e, v)))
        return;
    payload_begin(&b.c, P1_DELETE);
    delete_v1_write(&b.w, proto, spi);
    payload_end(&b.c);
    send_build(e, v, &b);
}

/* --- receiving: in clear --- */

static bool negotiating(const struct v1_sa *v)
{
    return v->sa.initiator && v->p1 && v->state & (V1_I_MM1 | V1_I_MM3 | V1_I_MM5 | V1_I_AM1);
}

/* An error of the peer before the SA is up: what we had said, and where to look. */
static void peer_refused(struct ike *e, struct v1_sa *v, uint16_t type)
{
    struct v1_transform *t;
    const char *conn = v->sa.conn->name;
    err_t reason = v1_reason_of(type);
    const char *text = ike_strf(e, "%s (%u)", notify_v1_name(type), type);
    if (v->state == V1_I_MM5 || v->state == V1_UP) {
        err_t why = v1_unbelieved(e, v, ike_strf(e, "it answers our proof with %s", text));
        v1_lost(e, v, reason == (err_t)R_PEER_AUTH_FAILED ? reason : why);
        return;
    }
    struct refusal r = {
        .reason = reason,
        .what = "proposals",
        .theirs = "(the peer does not tell; see its log)",
        .hint = ike_strf(e,
                         "make connections.%s.proposals the same on both sides, and check that the "
                         "peer has a connection for our address, in IKEv1 and %s",
                         conn, v->aggressive ? "aggressive mode" : "main mode"),
        .text = text,
        .clause = "RFC 2409 5",
    };
    size_t n = v1_offer_ike(e, v->sa.conn, &v->sa.local.addr, true, v->aggressive, &t);
    r.ours = v1_offer_str(e, t, n);
    if (reason == R_PEER_AUTH_FAILED) {
        r.what = v->sa.conn->auth_local.kind == AUTH_PSK ? "secret or id" : "certificate or id";
        r.hint =
            v->sa.conn->auth_local.kind == AUTH_PSK
                ? "check that the secret is the same on both sides, and local.id and remote.id"
                : "check that each side trusts the other's authority, and local.id and remote.id";
    }
    ike_peer_refused(e, &v->sa, &r);
    v1_lost(e, v, reason);
}

static void clear_info(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    struct notify_v1 n;
    struct v1_msg *m = v1_msg_new(e, &e->out->arena, p);
    err_t err = m ? v1_msg_read(v, m, NULL) : E_NOMEM;
    struct bytes body = err ? bytes_of(NULL, 0) : v1_body(m, P1_NOTIFY);
    if (!err && (!body.p || notify_v1_parse(body, &n)))
        err = R_SYNTAX;
    if (!err && (!negotiating(v) || !notify_v1_is_error(n.type)))
        err = R_DECRYPT;
    if (err) {
        ike_drop(e, p, err, "not protected");
        return;
    }
    v1_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    peer_refused(e, v, n.type);
}

/* --- receiving: protected --- */

static void responder_lifetime(struct ike *e, struct v1_sa *v, const struct notify_v1 *n)
{
    uint64_t s, kb;
    bool ike = n->proto == PROTO1_ISAKMP;
    struct child *c =
        !ike && n->spi.n == 4 ? child_by_spi_out(&v->sa, n->proto, get_u32(n->spi.p)) : NULL;
    if (life_v1_parse(n->data, ike, &s, &kb) || !s)
        return;
    uint64_t end = e->now + s * 1000, soft = e->now + s * 900;
    if (ike && end < v->sa.over_ms) {
        v->sa.over_ms = end;
        v->sa.rekey_ms = soft < v->sa.rekey_ms ? soft : v->sa.rekey_ms;
    } else if (c && end < c->life_ms) {
        c->life_ms = end;
        c->rekey_ms = soft < c->rekey_ms ? soft : c->rekey_ms;
    }
}

/* RFC 2407 4.6.3.3 */
static void initial_contact(struct ike *e, struct v1_sa *v)
{
    if (v->state != V1_UP || v->sa.conn->unique == UNIQUE_NEVER ||
        e->now > v->sa.established_ms + CONTACT_MS)
        return;
    struct ike_sa *next = sa_peer_next(e, &v->sa, NULL);
    for (struct ike_sa *o; (o = next);) {
        next = sa_peer_next(e, &v->sa, o);
        if (o->created_ms <= v->sa.created_ms)
            sa_drop(e, o, R_REPLACED);
    }
}

/* Our last message of aggressive mode did not convince: the SA is up on this side only. */
static bool not_believed(const struct v1_sa *v, uint16_t type)
{
    return v->state == V1_UP && type == N1_AUTHENTICATION_FAILED && v->aggressive &&
           v->sa.initiator && list_empty(&v->sa.children);
}

static void notify(struct ike *e, struct v1_sa *v, const struct notify_v1 *n, uint32_t msg_id)
{
    struct v1_exch *x = v1_exch_find(v, msg_id);
    switch (n->type) {
    case N1_R_U_THERE:
    case N1_R_U_THERE_ACK:
        v1_dpd_in(e, v, n);
        break;
    case N1_CONNECTED:
        if (x && x->commit)
            v1_connected(e, v, x);
        break;
    case N1_RESPONDER_LIFETIME:
        responder_lifetime(e, v, n);
        break;
    case N1_INITIAL_CONTACT:
        initial_contact(e, v);
        break;
    default:
        if (!notify_v1_is_error(n->type))
            return;
        if (not_believed(v, n->type))
            peer_refused(e, v, n->type);
        else if (v->state == V1_UP)
            v1_quick_refused(e, v, n->type);
        else if (negotiating(v))
            peer_refused(e, v, n->type);
    }
}

static void take(struct ike *e, struct v1_sa *v, const struct v1_msg *m)
{
    for (size_t i = 0; i < m->in.count && !v->sa.dead && v->sa.state != SA_GONE; i++) {
        struct notify_v1 n;
        struct delete_v1 d;
        const struct payload *p = &m->in.p[i];
        if (p->type == P1_NOTIFY && !notify_v1_parse(p->body, &n))
            notify(e, v, &n, m->hdr.msg_id);
        else if (p->type == P1_DELETE && !delete_v1_parse(p->body, &d))
            v1_delete_in(e, v, &d);
    }
}

/* prf(SKEYID_a, M-ID | all behind the hash) */
bool v1_hash1_ok(struct ike *e, const struct v1_sa *v, const struct v1_msg *m)
{
    uint8_t want[CR_HASH_MAX];
    struct bytes hash, rest;
    if (!v1_after_hash(m, &hash, &rest))
        return false;
    err_t err = v1_hash_phase2(v, false, m->hdr.msg_id, &rest, 1, want);
    if (err < 0)
        ike_fail(e, err);
    return !err && hash.n == v->sa.prf->out_len && secret_eq(hash.p, want, hash.n);
}

void v1_info_in(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    uint8_t iv[V1_BLOCK_MAX];
    if (!(p->flags & IKE_V1_FLAG_ENCRYPTION)) {
        clear_info(e, v, p);
        return;
    }
    if (!v->keys.all.p || !p->msg_id) {
        ike_drop(e, p, R_STATE, "informational exchange");
        return;
    }
    struct v1_msg *m = v1_msg_new(e, &e->out->arena, p);
    err_t err = m ? v1_iv_phase2(v, p->msg_id, iv) : E_NOMEM;
    if (!err)
        err = v1_msg_read(v, m, iv);
    if (!err && !v1_hash1_ok(e, v, m))
        err = R_DECRYPT;
    if (err < 0)
        ike_fail(e, err);
    if (err) {
        if (v->state & (V1_R_MM4 | V1_R_AM2) &&
            v1_uses_psk(v->method)) /* the peer's complaint, under keys that differ */
            v1_psk_differs(e, v, "its message makes no sense with it");
        ike_drop(e, p, R_DECRYPT, "informational exchange");
        return;
    }
    if (!v1_exch_find(v, p->msg_id) && v1_seen(v, p->msg_id)) {
        ike_drop(e, p, R_MESSAGE_ID, "informational exchange, seen before");
        return;
    }
    v->sa.seen_ms = e->now;
    v1_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    if (v->state == V1_UP)
        path_follow(e, &v->sa, p);
    take(e, v, m);
}
