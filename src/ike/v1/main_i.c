/*
 * Main mode, initiator: RFC 2409 5.4.
 *
 *     HDR, SA          -->
 *                      <--  HDR, SA
 *     HDR, KE, Ni      -->
 *                      <--  HDR, KE, Nr
 *     HDR*, IDii, HASH_I -->
 *                      <--  HDR*, IDir, HASH_R
 *
 * NAT-D goes with KE (RFC 3947 3.2); from the fifth message on both are on UDP 4500 if there is a
 * NAT (4).
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

/* RFC 2409 5: one method for both sides, or XAUTH on top of it */
static void no_method(struct ike *e, const struct conn *c, struct refusal *r)
{
    static const char *const kinds[] = {
        [AUTH_PSK] = "psk", [AUTH_PUBKEY] = "pubkey", [AUTH_EAP] = "eap", [AUTH_XAUTH] = "xauth"};
    r->what = "auth";
    r->ours =
        ike_strf(e, "local %s, remote %s", kinds[c->auth_local.kind], kinds[c->auth_remote.kind]);
    r->hint = ike_strf(e,
                       "IKEv1 has one method for both sides: make auth of connections.%s.local and "
                       ".remote the same, or use version = 2",
                       c->name);
    r->clause = "RFC 2409 5";
}

static void no_suite(struct ike *e, struct v1_sa *v)
{
    const struct v1_method *m[V1_METHODS_MAX];
    struct refusal r = {
        .reason = R_NO_PROPOSAL,
        .what = "proposals",
        .ours = "nothing that IKEv1 can say",
        .hint =
            ike_strf(e, "set connections.%s.proposals = aes256-sha256-modp2048", v->sa.conn->name),
        .clause = "RFC 2409 4",
    };
    if (!v1_methods(e, v->sa.conn, &v->sa.local.addr, true, m))
        no_method(e, v->sa.conn, &r);
    ike_refused(e, &v->sa, &r);
    v1_lost(e, v, r.reason);
}

/* SAi_b is kept as sent: HASH_I and HASH_R cover it. */
bool v1_put_offer(struct ike *e, struct v1_sa *v, struct v1_build *b)
{
    struct v1_transform *t;
    size_t n = v1_offer_ike(e, v->sa.conn, &v->sa.local.addr, true, v->aggressive, &t);
    if (!n) {
        no_suite(e, v);
        return false;
    }
    size_t at = wr_len(&b->w) + PAYLOAD_HDR_LEN;
    v1_put_sa(b, true, t, n);
    return !b->w.err && ike_msg_set(e, &v->p1->sa_i, bytes_of(b->w.start + at, wr_len(&b->w) - at));
}

/* Can we prove at all who we are? Without asking the peer first. */
static bool able(struct ike *e, struct v1_sa *v)
{
    const struct v1_method *m[V1_METHODS_MAX];
    const struct pki_wish any = {0};
    struct conn *c = v->sa.conn;
    struct id us;
    err_t err = E_OK;
    size_t n = v1_methods(e, c, &v->sa.local.addr, true, m);
    if (c->auth_local.kind == AUTH_PUBKEY) {
        v1_local_id(&v->sa, c, &us);
        err = sig_own_find(e, &v->sa, c, &us, &any, &v->p1->own);
    } else if (n && v1_uses_psk(m[0]) && !v1_psk_find(e, v, c, NULL)) {
        v1_psk_missing(e, v, c, NULL);
        err = R_NO_SHARED;
    }
    if (err)
        v1_lost(e, v, err);
    return !err;
}

void v1_start(struct ike *e, struct ike_sa *sa)
{
    struct v1_sa *v = v1_of(sa);
    struct v1_build b;
    struct ike_msg m = {0};
    v->aggressive = sa->conn->aggressive;
    sa->nat_fake = sa->conn->encap;
    if (!v1_p1_new(e, v)) {
        sa_drop(e, sa, R_TOO_MANY);
        return;
    }
    ike_event(e, EV_IKE_INITIATING, sa, NULL)->text =
        v->aggressive ? "IKEv1 aggressive mode" : "IKEv1 main mode";
    v->state = V1_I_NEW;
    if (!able(e, v))
        return;
    if (v->aggressive) {
        v1_aggressive_start(e, v);
        return;
    }
    if (!v1_build_begin(e, v, &b, EXCH_V1_MAIN, 0) || !v1_put_offer(e, v, &b))
        return;
    v1_put_vendors(&b, v);
    if (!v1_build_end(e, v, &b, NULL, &m))
        return;
    v->state = V1_I_MM1;
    v1_p1_ask(e, v, &m);
}

/* --- the second message: one suite of ours, unaltered --- */

static void altered(struct ike *e, struct v1_sa *v, const struct v1_sa_body *got)
{
    struct v1_transform *t;
    size_t n = v1_offer_ike(e, v->sa.conn, &v->sa.local.addr, true, v->aggressive, &t);
    struct refusal r = {
        .reason = R_PROPOSAL_ALTERED,
        .what = "proposals",
        .ours = v1_offer_str(e, t, n),
        .theirs = v1_offer_str(e, got->t, got->count),
        .clause = "RFC 2408 4.2",
    };
    ike_refused(e, &v->sa, &r);
}

/* False: not acceptable; an attacker may have sent it, so nothing ends. */
static bool take_choice(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct v1_transform *t;
    struct v1_sa_body *got = ike_alloc(e, sizeof *got);
    err_t err = got ? sa_v1_parse(v1_body(m, P1_SA), true, got) : E_NOMEM;
    size_t n = v1_offer_ike(e, v->sa.conn, &v->sa.local.addr, true, v->aggressive, &t), i = 0;
    if (!err && got->count != 1)
        err = R_SYNTAX;
    while (!err && i < n && !v1_same_suite(&t[i], &got->t[0]))
        i++;
    if (!err && i == n) {
        altered(e, v, got);
        err = R_PROPOSAL_ALTERED;
    }
    if (err) {
        ike_drop(e, &m->pkt, err, "the responder's choice");
        return false;
    }
    v1_suite_set(&v->sa, &got->t[0].p);
    v->p1->method = v->sa.ke->id;
    v->method = v1_method_of(got->t[0].auth);
    v->life_s = got->t[0].life_s;
    if (t[i].life_s && (!v->life_s || t[i].life_s < v->life_s))
        v->life_s = t[i].life_s;
    return true;
}

bool v1_take_choice(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    if (!m->hdr.spi_r || !take_choice(e, v, m)) {
        if (!m->hdr.spi_r)
            ike_drop(e, &m->pkt, R_SYNTAX, "no responder's cookie");
        return false;
    }
    struct buf b = {0};
    struct proposal p = {.proto = PROTO_IKE};
    const struct alg *all[] = {v->sa.encr, v->sa.integ, v->sa.prf, v->sa.ke};
    for (size_t i = 0; i < 4; i++)
        if (proposal_add(&p, (uint8_t)all[i]->type, all[i]->id, all[i]->key_bits))
            return false;
    v->sa.spi_r = m->hdr.spi_r;
    proposal_print(&p, &b);
    ike_event(e, EV_IKE_PROPOSAL, &v->sa, NULL)->text = ike_str_buf(e, &b);
    return true;
}

static void send3(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_build b;
    struct ike_msg m = {0};
    if (p->job_err || !p->ke) {
        v1_lost(e, v, p->job_err > 0 ? p->job_err : R_KE_VALUE);
        return;
    }
    if (!ike_msg_set(e, &p->ke_i, cr_ke_public(p->ke)) || !v1_p1_nonce(e, &p->ni) ||
        !v1_build_begin(e, v, &b, EXCH_V1_MAIN, 0))
        return;
    payload_put(&b.c, P1_KE, v1_bytes(&p->ke_i));
    payload_put(&b.c, P1_NONCE, v1_bytes(&p->ni));
    v1_nat_put(e, &b, v);
    if (v1_build_end(e, v, &b, NULL, &m))
        v1_p1_ask(e, v, &m);
}

void v1_main2(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    if (!v1_take_choice(e, v, m))
        return;
    retransmit_stop(&v->sa);
    v1_p1_accept(v, m);
    v1_read_vendors(e, v, m);
    v->state = V1_I_MM3;
    v1_p1_job(e, v, JOB_KE_NEW, bytes_of(NULL, 0), send3);
}

/* --- the fourth: keys --- */

static void send5(struct ike *e, struct v1_sa *v)
{
    struct v1_build b;
    struct ike_msg m = {0};
    if (v->p1->proof_err) {
        v1_lost(e, v, v->p1->proof_err > 0 ? v->p1->proof_err : R_AUTH_FAILED);
        return;
    }
    if (!v1_build_begin(e, v, &b, EXCH_V1_MAIN, 0))
        return;
    payload_put(&b.c, P1_ID, v1_bytes(&v->p1->id_i));
    v1_put_proof(&b, v);
    v1_put_certreqs(e, &b, v);
    if (v1_first_contact(e, v))
        v1_put_notify_sa(&b, v, N1_INITIAL_CONTACT, bytes_of(NULL, 0));
    if (!v1_build_end(e, v, &b, v->iv, &m))
        return;
    v->state = V1_I_MM5;
    v1_p1_ask(e, v, &m);
}

static void have_secret(struct ike *e, struct v1_sa *v)
{
    struct id us, them;
    if (!v1_p1_keys(e, v))
        return;
    if (v->sa.nat_local || v->sa.nat_remote || v->sa.nat_fake)
        path_float(e, &v->sa);
    v1_local_id(&v->sa, v->sa.conn, &us);
    v1_expected_peer(v, &them);
    if (sa_ids_set(e, &v->sa, &us, &them) && v1_id_body(e, &us, &v->p1->id_i))
        v1_prove(e, v, send5);
}

void v1_main4(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct v1_phase1 *p = v->p1;
    struct bytes ke = v1_body(m, P1_KE);
    if (ke.n != v->sa.ke->pub_len) { /* RFC 2409 5: padded to the prime's length */
        ike_drop(e, &m->pkt, R_KE_VALUE, "length of the public value");
        return;
    }
    if (!ike_msg_set(e, &p->ke_r, ke) || !ike_msg_set(e, &p->nr, v1_body(m, P1_NONCE)))
        return;
    retransmit_stop(&v->sa);
    v1_p1_accept(v, m);
    v1_read_vendors(e, v, m);
    v1_read_certreqs(v, m);
    v1_nat_read(e, v, m);
    v1_p1_job(e, v, JOB_KE_DERIVE, ke, have_secret);
}

/* --- the sixth: who the peer is --- */

static void refused(struct ike *e, struct v1_sa *v, err_t reason)
{
    v1_tell_deleted(e, v);
    v1_lost(e, v, reason);
}

static void proved(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct id them;
    if (p->proof_err == (err_t)R_DECRYPT) { /* damaged or forged: the true one may come yet */
        ike_drop(e, &p->held->pkt, R_DECRYPT, "HASH_R does not hold");
        return;
    }
    retransmit_stop(&v->sa);
    v1_p1_accept(v, p->held);
    if (p->proof_err)
        refused(e, v, p->proof_err > 0 ? p->proof_err : R_AUTH_FAILED);
    else if (id_v1_parse(v1_bytes(&p->id_r), &them) || !v1_peer_id(e, v, &them))
        refused(e, v, R_ID_MISMATCH);
    else
        v1_established(e, v);
}

void v1_main6(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct id them;
    err_t err = id_v1_parse(v1_body(m, P1_ID), &them);
    if (err)
        ike_drop(e, &m->pkt, err, "identity of the peer");
    else if (ike_msg_set(e, &v->p1->id_r, v1_body(m, P1_ID)) && v1_hold(e, v, m))
        v1_check_proof(e, v, &them, proved);
}
