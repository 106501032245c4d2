/*
 * IKE_SA_INIT, initiator: RFC 7296 1.2, 2.6 (COOKIE), 2.7 and 1.3 (INVALID_KE_PAYLOAD). Nothing
 * here is authenticated yet, so a bad answer is dropped and only a clear refusal ends the attempt.
 */
#include "ike/v2/v2.h"
#include "wire/ke.h"
#include "wire/nonce.h"
#include "wire/sa_v2.h"
#include "wire/vendor.h"
#include <stdlib.h>

#define RESTARTS_MAX 8 /* cookies and groups asked for, before we stop playing */

void v2_init_free(struct v2_init *i)
{
    if (!i)
        return;
    ike_msg_free(&i->req);
    ike_msg_free(&i->resp);
    if (i->ke)
        cr_ke_free(i->ke);
    free(i);
}

struct v2_suite v2_suite_of(const struct proposal *p)
{
    const struct alg *encr = proposal_alg(p, T_ENCR);
    return (struct v2_suite){encr, encr && encr->aead ? NULL : proposal_alg(p, T_INTEG),
                             proposal_alg(p, T_PRF)};
}

void v2_suite_set(struct ike_sa *sa, const struct proposal *p)
{
    const struct v2_suite s = v2_suite_of(p);
    sa->encr = s.encr;
    sa->integ = s.integ;
    sa->prf = s.prf;
    sa->ke = proposal_alg(p, T_KE);
}

/* Negotiation ended before an SA was there: the next attempt, or an end with its reason. */
void v2_lost(struct ike *e, struct v2_sa *v, err_t reason)
{
    if (reason == R_PEER_TIMEOUT && v->sa.initiator)
        ike_retry(e, &v->sa);
    sa_drop(e, &v->sa, reason);
}

static void put_offer(struct ike *e, struct v2_build *b, const struct proposals *ike)
{
    struct proposals *ps = ike_alloc(e, sizeof *ps);
    if (!ps)
        return;
    *ps = *ike;
    for (size_t i = 0; i < ps->count; i++) {
        ps->p[i].number = (uint8_t)(i + 1);
        ps->p[i].spi_len = 0;
    }
    payload_begin(&b->c, PL_SA);
    sa_v2_write(&b->w, ps);
    payload_end(&b->c);
}

static void send_request(struct ike *e, struct v2_sa *v)
{
    struct v2_init *i = v->init;
    struct v2_build b;
    struct ike_hdr h = {.spi_i = v->sa.spi_i,
                        .major = 2,
                        .exchange = EXCH_IKE_SA_INIT,
                        .flags = IKE_FLAG_INITIATOR};
    if (!v2_build_clear(e, &b, &h))
        return;
    if (i->cookie_len) /* 2.6: first payload, all others unchanged */
        v2_put_notify(&b, N_COOKIE, bytes_of(i->cookie, i->cookie_len));
    put_offer(e, &b, &v->sa.conn->ike);
    v2_put_ke(&b, i->method, cr_ke_public(i->ke));
    v2_put_nonce(&b, i->ni);
    v2_nat_put(&b, &v->sa.local, &v->sa.remote, v->sa.conn->encap);
    if (v->sa.conn->fragmentation != FRAG_NO)
        v2_put_notify(&b, N_FRAGMENTATION_SUPPORTED, bytes_of(NULL, 0));
    if (v->sa.conn->auth_local.kind == AUTH_PUBKEY || v->sa.conn->auth_remote.kind == AUTH_PUBKEY)
        v2_put_hashes(&b);
    if (v2_mode_private(v->sa.conn))
        v2_mode_put_vendor(&b);
    struct bytes m;
    if (!v2_build_end(e, v, &b, &m) || !ike_msg_set(e, &i->req, m))
        return;
    v2_say_clear(e, &v->sa, &h, m);
    v->state = V2_INIT_SENT;
    retransmit_start(e, &v->sa, 0, m);
}

static void have_ke(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    v->init->ke = x->ke;
    x->ke = NULL;
    if (x->job_err) {
        sa_drop(e, &v->sa, x->job_err > 0 ? x->job_err : R_KE_VALUE);
        return;
    }
    send_request(e, v);
}

static void make_ke(struct ike *e, struct v2_sa *v, uint16_t method)
{
    if (v->init->ke)
        cr_ke_free(v->init->ke);
    v->init->ke = NULL;
    v->init->method = v->req->method = method;
    v->state = V2_IDLE;
    v2_job(e, v, v->req, JOB_KE_NEW, bytes_of(NULL, 0), have_ke);
}

void v2_start(struct ike *e, struct ike_sa *sa)
{
    struct v2_sa *v = v2_of(sa);
    v->init = calloc(1, sizeof *v->init);
    v->req = v->init ? v2_exch_new(e, true) : NULL;
    if (!v->req) {
        ike_fail(e, E_NOMEM);
        sa_drop(e, sa, R_TOO_MANY);
        return;
    }
    e->env.random(e->env.ctx, v->init->nonce, V2_NONCE_LEN);
    v->init->ni = bytes_of(v->init->nonce, V2_NONCE_LEN);
    sa->nat_fake = sa->conn->encap;
    ike_event(e, EV_IKE_INITIATING, sa, NULL);
    make_ke(e, v, v2_first_ke(&sa->conn->ike));
}

static bool again(struct v2_sa *v)
{
    if (++v->init->restarts > RESTARTS_MAX)
        return false;
    retransmit_stop(&v->sa);
    return true;
}

/* 2.6: the same message again with the cookie before it. */
static bool take_cookie(struct ike *e, struct v2_sa *v, const struct v2_msg *m)
{
    struct notify n;
    struct v2_init *i = v->init;
    if (!v2_notify_find(m, N_COOKIE, &n) || payloads_find(&m->in, PL_SA))
        return false;
    if (bytes_eq(n.data, bytes_of(i->cookie, i->cookie_len)))
        return true; /* the network doubled it; we sent this cookie already */
    if (n.data.n > sizeof i->cookie || !again(v))
        return true;
    memcpy(i->cookie, n.data.p, n.data.n);
    i->cookie_len = n.data.n;
    send_request(e, v);
    return true;
}

/* 1.3, 2.7: a group that we did not offer would be a downgrade from outside. */
static bool take_group(struct ike *e, struct v2_sa *v, const struct v2_msg *m)
{
    struct notify n;
    if (!v2_notify_find(m, N_INVALID_KE_PAYLOAD, &n) || payloads_find(&m->in, PL_SA))
        return false;
    uint16_t want = get_u16(n.data.p);
    const struct alg *a = alg_find(T_KE, want, 0);
    if (want == v->init->method)
        return true; /* late or doubled: this is the group we sent meanwhile */
    if (v2_offers_ke(&v->sa.conn->ike, want)) {
        if (again(v))
            make_ke(e, v, want);
        return true;
    }
    struct buf ours = {0};
    proposals_print(&v->sa.conn->ike, &ours);
    struct refusal r = {
        .reason = R_PEER_INVALID_KE,
        .what = "key exchange",
        .ours = ike_str_buf(e, &ours),
        .theirs = a ? a->name : ike_strf(e, "group %u", want),
        .hint = ike_strf(e, "add %s to connections.%s.proposals", a ? a->name : "that group",
                         v->sa.conn->name),
        .clause = "RFC 7296 1.3",
    };
    ike_peer_refused(e, &v->sa, &r);
    v2_lost(e, v, r.reason);
    return true;
}

static bool take_error(struct ike *e, struct v2_sa *v, const struct v2_msg *m)
{
    struct notify n;
    struct refusal r;
    struct buf ours = {0};
    if (!v2_error_of(m, &n) || payloads_find(&m->in, PL_SA))
        return false;
    v2_peer_refusal(e, &v->sa, &n, &r);
    if (r.reason == R_PEER_NO_PROPOSAL) {
        proposals_print(&v->sa.conn->ike, &ours);
        r.what = "proposals";
        r.ours = ike_str_buf(e, &ours);
        r.theirs = "(the peer does not tell; see its log)";
        r.hint =
            ike_strf(e,
                     "make connections.%s.proposals the same on both sides, and check that the "
                     "peer has a connection for our address",
                     v->sa.conn->name);
        r.clause = "RFC 7296 2.7";
    }
    ike_peer_refused(e, &v->sa, &r);
    v2_lost(e, v, r.reason);
    return true;
}

static void say_vendors(struct ike *e, struct ike_sa *sa, const struct v2_msg *m)
{
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_VENDOR, p));) {
        const char *name = vendor_name(p->body);
        sa->vendors |= vendor_bit(p->body);
        ike_event(e, EV_MSG_VENDOR, sa, NULL)->text = name ? name : "unknown";
    }
}

static void say_nat(struct ike *e, struct ike_sa *sa, struct v2_nat n)
{
    sa->nat_local = n.local;
    sa->nat_remote = n.remote;
    if (v2_nat_where(n))
        ike_event(e, EV_NAT, sa, NULL)->text = v2_nat_where(n);
}

struct answer {
    struct proposal chosen;
    struct ke ke;
    struct bytes nr;
};

static err_t read_answer(struct ike *e, const struct v2_sa *v, const struct v2_msg *m,
                         struct answer *a)
{
    struct proposals *ps = ike_alloc(e, sizeof *ps);
    if (!ps)
        return E_NOMEM;
    err_t err = sa_v2_parse(v2_body(m, PL_SA), ps);
    if (!err)
        err = ke_parse(v2_body(m, PL_KE), &a->ke);
    if (!err)
        err = nonce_parse(v2_body(m, PL_NONCE), &a->nr);
    if (err)
        return err;
    if (ps->count != 1 || !m->hdr.spi_r)
        return R_SYNTAX;
    a->chosen = ps->p[0];
    err = proposal_check_chosen(&v->sa.conn->ike, &a->chosen);
    if (err)
        return err;
    if (!proposal_has(&a->chosen, T_KE, a->ke.method, 0) || a->ke.method != v->init->method)
        return R_INVALID_KE;
    return E_OK;
}

/* Everything checked: now the SA learns the peer's SPI, suite and keys, and goes on to IKE_AUTH. */
static void have_secret(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_init *i = v->init;
    if (x->job_err) {
        struct refusal r = {.reason = R_KE_VALUE,
                            .what = "key exchange",
                            .clause = "RFC 6989 2",
                            .text = "public value of the peer"};
        ike_refused(e, &v->sa, &r);
        v2_lost(e, v, R_KE_VALUE);
        return;
    }
    v2_suite_set(&v->sa, &x->chosen);
    v->sa.spi_r = x->ike_spi;
    struct v2_suite s = {v->sa.encr, v->sa.integ, v->sa.prf};
    err_t err = v2_keys_init(&v->keys, &s, secret_bytes(&x->shared), i->ni, i->nr, v->sa.spi_i,
                             v->sa.spi_r);
    if (err) {
        ike_fail(e, err < 0 ? err : E_CRYPTO);
        return;
    }
    v2_say_proposal(e, EV_IKE_PROPOSAL, &v->sa, NULL, &x->chosen);
    v2_req_end(e, v);
    v->win.next_out = 1;
    if (v->sa.nat_local || v->sa.nat_remote || v->sa.nat_fake)
        path_float(e, &v->sa);
    v2_auth_start(e, v);
}

void v2_init_response(struct ike *e, struct v2_sa *v, struct v2_exch *rx)
{
    struct v2_msg *m = rx->msg;
    struct v2_init *i = v->init;
    struct answer a;
    struct notify n;
    if (take_cookie(e, v, m) || take_group(e, v, m) || take_error(e, v, m))
        return;
    err_t err = read_answer(e, v, m, &a);
    if (err) {
        ike_drop(e, &m->pkt, err, "IKE_SA_INIT response");
        return;
    }
    if (!ike_msg_set(e, &i->resp, m->pkt.raw))
        return;
    retransmit_stop(&v->sa);
    say_vendors(e, &v->sa, m);
    v->frags =
        v->sa.conn->fragmentation != FRAG_NO && v2_notify_find(m, N_FRAGMENTATION_SUPPORTED, &n);
    say_nat(e, &v->sa, v2_nat_read(m, m->hdr.spi_i, m->hdr.spi_r));
    v->state = V2_INIT_BUSY;
    i->nr = bytes_of(i->resp.p + (a.nr.p - m->raw.p), a.nr.n);
    v->req->chosen = a.chosen;
    v->req->ike_spi = m->hdr.spi_r;
    v->req->ke = i->ke;
    i->ke = NULL;
    v2_job(e, v, v->req, JOB_KE_DERIVE, a.ke.data, have_secret);
}
