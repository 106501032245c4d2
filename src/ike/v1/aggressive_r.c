/*
 * Aggressive mode, responder: RFC 2409 5.4, messages as in aggressive_i.c. Only for connections
 * that say aggressive = yes; the third message is taken in clear and encrypted.
 */
#include "ike/v1/v1.h"

static void send2(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_build b;
    struct ike_msg m = {0};
    if (p->proof_err) {
        v1_refuse_clear(e, &p->held->pkt, N1_AUTHENTICATION_FAILED);
        sa_drop(e, &v->sa, p->proof_err > 0 ? p->proof_err : R_AUTH_FAILED);
        return;
    }
    if (!v1_build_begin(e, v, &b, EXCH_V1_AGGRESSIVE, 0))
        return;
    v1_put_choice(&b, v);
    payload_put(&b.c, P1_KE, v1_bytes(&p->ke_r));
    payload_put(&b.c, P1_NONCE, v1_bytes(&p->nr));
    payload_put(&b.c, P1_ID, v1_bytes(&p->id_r));
    v1_put_proof(&b, v);
    v1_put_certreqs(e, &b, v);
    v1_put_vendors(&b, v);
    v1_nat_put(e, &b, v);
    v->state = V1_R_AM2;
    struct ike_msg again = {0};
    if (!v1_build_end(e, v, &b, NULL, &m) || !ike_msg_set(e, &again, v1_bytes(&m)))
        return;
    v1_p1_ask(e, v, &m); /* RFC 2408 5.1: the third message may get lost, and nobody else asks */
    v->last_out = again;
}

static void have_secret(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct id us;
    if (!p->job_err && !ike_msg_set(e, &p->ke_r, cr_ke_public(p->ke)))
        return;
    if (!v1_p1_nonce(e, &p->nr) || !v1_p1_keys(e, v))
        return;
    v1_local_id(&v->sa, v->sa.conn, &us);
    if (v1_id_body(e, &us, &p->id_r))
        v1_prove(e, v, send2);
}

void v1_aggressive1(struct ike *e, struct v1_msg *m)
{
    struct conn *c;
    struct id them;
    const struct v1_transform *chosen;
    struct bytes ke = v1_body(m, P1_KE);
    struct v1_sa_body *offer = ike_alloc(e, sizeof *offer);
    err_t err = offer ? sa_v1_parse(v1_body(m, P1_SA), true, offer) : E_NOMEM;
    if (!err)
        err = id_v1_parse(v1_body(m, P1_ID), &them);
    if (err) {
        ike_drop(e, &m->pkt, err, "first message of aggressive mode");
        return;
    }
    if (!v1_choose_conn(e, m, offer, &them, &c, &chosen))
        return;
    const struct alg *group = proposal_alg(&chosen->p, T_KE);
    if (ke.n != group->pub_len) { /* the group was not the initiator's to negotiate: RFC 2409 5 */
        ike_drop(e, &m->pkt, R_INVALID_KE, "the public value is not of the group chosen");
        return;
    }
    struct v1_sa *v = v1_half_open(e, m, c, chosen);
    if (!v)
        return;
    struct v1_phase1 *p = v->p1;
    v->aggressive = true;
    v->state = V1_R_AM1;
    v1_p1_accept(v, m);
    if (v1_uses_psk(v->method) && !v1_psk_find(e, v, c, &them)) {
        v1_psk_missing(e, v, c, &them);
        v1_refuse_clear(e, &m->pkt, N1_AUTHENTICATION_FAILED);
        sa_drop(e, &v->sa, R_NO_SHARED);
        return;
    }
    ike_event(e, EV_IKE_RESPONDING, &v->sa, NULL)->text = "IKEv1 aggressive mode";
    v1_read_vendors(e, v, m);
    if (!ike_msg_set(e, &p->ke_i, ke) || !ike_msg_set(e, &p->ni, v1_body(m, P1_NONCE)) ||
        !ike_msg_set(e, &p->id_i, v1_body(m, P1_ID)) || !v1_hold(e, v, m))
        return;
    v1_read_certreqs(v, m);
    v1_p1_job(e, v, JOB_KE_BOTH, ke, have_secret);
}

static void proved(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_msg *m = p->held;
    struct id them;
    if (p->proof_err) {
        v1_unproved(e, v);
        return;
    }
    v1_p1_accept(v, m);
    retransmit_stop(&v->sa);
    v->sa.local = m->pkt.local;
    v->sa.remote = m->pkt.remote;
    v->sa.natt = m->pkt.natt;
    v1_nat_read(e, v, m);
    v1_read_contact(v, m);
    ike_msg_free(&v->last_out);
    if (!id_v1_parse(v1_bytes(&p->id_i), &them) && v1_peer_id(e, v, &them) && !v1_must_keep(e, v)) {
        v1_established(e, v);
        return;
    }
    v1_tell_deleted(e, v);
    sa_drop(e, &v->sa, R_ID_MISMATCH);
}

void v1_aggressive3(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct id them;
    if (id_v1_parse(v1_bytes(&v->p1->id_i), &them))
        v1_garbled(e, v, &m->pkt, R_DECRYPT);
    else if (v1_hold(e, v, m))
        v1_check_proof(e, v, &them, proved);
}
