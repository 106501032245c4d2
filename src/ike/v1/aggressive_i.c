/*
 * Aggressive mode, initiator: RFC 2409 5.4. Three messages; the identity and a hash that a weak key
 * can be guessed from go in clear, so only a connection that says aggressive = yes does it.
 *
 *     HDR, SA, KE, Ni, IDii -->
 *                           <--  HDR, SA, KE, Nr, IDir, HASH_R
 *     HDR*, HASH_I          -->
 */
#include "ike/v1/v1.h"

static void send1(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_build b;
    struct ike_msg m = {0};
    struct id us;
    if (p->job_err || !p->ke) {
        v1_lost(e, v, p->job_err > 0 ? p->job_err : R_KE_VALUE);
        return;
    }
    v1_local_id(&v->sa, v->sa.conn, &us);
    if (!v1_id_body(e, &us, &p->id_i) || !ike_msg_set(e, &p->ke_i, cr_ke_public(p->ke)) ||
        !v1_p1_nonce(e, &p->ni) || !v1_build_begin(e, v, &b, EXCH_V1_AGGRESSIVE, 0) ||
        !v1_put_offer(e, v, &b))
        return;
    payload_put(&b.c, P1_KE, v1_bytes(&p->ke_i));
    payload_put(&b.c, P1_NONCE, v1_bytes(&p->ni));
    payload_put(&b.c, P1_ID, v1_bytes(&p->id_i));
    v1_put_certreqs(e, &b, v);
    v1_put_vendors(&b, v);
    if (!v1_build_end(e, v, &b, NULL, &m))
        return;
    v->state = V1_I_AM1;
    v1_p1_ask(e, v, &m);
}

void v1_aggressive_start(struct ike *e, struct v1_sa *v)
{
    struct v1_transform *t;
    size_t n = v1_offer_ike(e, v->sa.conn, &v->sa.local.addr, true, true, &t);
    const struct alg *ke = n ? proposal_alg(&t[0].p, T_KE) : NULL;
    if (!ke) { /* v1_put_offer explains it */
        struct v1_build b;
        if (v1_build_begin(e, v, &b, EXCH_V1_AGGRESSIVE, 0))
            (void)v1_put_offer(e, v, &b);
        return;
    }
    v->p1->method = ke->id;
    v1_p1_job(e, v, JOB_KE_NEW, bytes_of(NULL, 0), send1);
}

static void lost(struct ike *e, struct v1_sa *v)
{
    err_t err = v->p1->proof_err;
    if (err == (err_t)R_DECRYPT) {
        v1_psk_differs(e, v, "HASH_R was made with another secret");
        err = R_PSK_MISMATCH;
    }
    v1_lost(e, v, err > 0 ? err : R_AUTH_FAILED);
}

static void send3(struct ike *e, struct v1_sa *v)
{
    struct v1_build b;
    struct ike_msg m = {0};
    if (v->p1->proof_err) {
        lost(e, v);
        return;
    }
    if (v->sa.nat_local || v->sa.nat_remote || v->sa.nat_fake)
        path_float(e, &v->sa);
    if (!v1_build_begin(e, v, &b, EXCH_V1_AGGRESSIVE, 0))
        return;
    v1_put_proof(&b, v);
    v1_nat_put(e, &b, v);
    if (v1_first_contact(e, v))
        v1_put_notify_sa(&b, v, N1_INITIAL_CONTACT, bytes_of(NULL, 0));
    if (!v1_build_end(e, v, &b, v->iv, &m))
        return;
    v1_p1_answer(e, v, &m);
    v1_established(e, v);
}

static void proved(struct ike *e, struct v1_sa *v)
{
    struct id them;
    if (v->p1->proof_err)
        lost(e, v);
    else if (id_v1_parse(v1_bytes(&v->p1->id_r), &them) || !v1_peer_id(e, v, &them))
        v1_lost(e, v, R_ID_MISMATCH);
    else
        v1_prove(e, v, send3);
}

static void have_secret(struct ike *e, struct v1_sa *v)
{
    struct id them;
    if (!v1_p1_keys(e, v))
        return;
    if (id_v1_parse(v1_bytes(&v->p1->id_r), &them))
        v1_lost(e, v, R_ID_MISMATCH);
    else
        v1_check_proof(e, v, &them, proved);
}

void v1_aggressive2(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct v1_phase1 *p = v->p1;
    struct bytes ke = v1_body(m, P1_KE);
    if (!v1_take_choice(e, v, m))
        return;
    if (!v1_body(m, v1_proof_of(v, false) == V1_PROOF_SIG ? P1_SIG : P1_HASH).p) {
        ike_drop(e, &m->pkt, R_MISSING_PAYLOAD, "proof of the responder");
        return;
    }
    if (ke.n != v->sa.ke->pub_len) {
        ike_drop(e, &m->pkt, R_KE_VALUE, "length of the public value");
        return;
    }
    if (!ike_msg_set(e, &p->ke_r, ke) || !ike_msg_set(e, &p->nr, v1_body(m, P1_NONCE)) ||
        !ike_msg_set(e, &p->id_r, v1_body(m, P1_ID)) || !v1_hold(e, v, m))
        return;
    retransmit_stop(&v->sa);
    v1_p1_accept(v, m);
    v1_read_vendors(e, v, m);
    v1_read_certreqs(v, m);
    v1_nat_read(e, v, m);
    v1_p1_job(e, v, JOB_KE_DERIVE, ke, have_secret);
}
