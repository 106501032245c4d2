/*
 * The proofs of phase 1: HASH_I and HASH_R with a pre-shared key, signatures over them otherwise.
 * RFC 2409 5.1 and 5.4, RFC 4754, RFC 4945 3.3 for what goes with them. Signing and verifying leave
 * as JOBs; `next` runs when the outcome, p1->proof_err, is there: at once, or when the job is back.
 */
#include "ike/v1/v1.h"
#include "wire/cert.h"
#include <stdlib.h>

/* 5.1: a signature that belongs to one hash signs HASH_I and HASH_R made with that hash's HMAC */
static const struct alg *signed_prf(const struct v1_sa *v)
{
    switch (v->method->bits) {
    case 256:
        return alg_find(T_PRF, PRF_HMAC_SHA2_256, 0);
    case 384:
        return alg_find(T_PRF, PRF_HMAC_SHA2_384, 0);
    case 521:
        return alg_find(T_PRF, PRF_HMAC_SHA2_512, 0);
    default:
        return v->sa.prf;
    }
}

static void end(struct ike *e, struct v1_sa *v, err_t err, v1_p1_resume *next)
{
    if (err < 0)
        ike_fail(e, err);
    v->p1->proof_err = err;
    next(e, v);
}

/* --- ours --- */

static err_t own_hash(struct ike *e, struct v1_sa *v, const struct alg *prf)
{
    uint8_t hash[CR_HASH_MAX];
    err_t err = v1_hash_phase1(v, prf, v->sa.initiator, hash);
    if (!err && !ike_msg_set(e, &v->p1->proof, bytes_of(hash, prf->out_len)))
        err = E_NOMEM;
    return err;
}

static void have_signature(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    err_t err = p->sig->err;
    if (!err && !ike_msg_set(e, &p->proof, bytes_of(p->sig->sig, p->sig->sig_len)))
        err = E_NOMEM;
    end(e, v, err, p->next);
}

void v1_prove(struct ike *e, struct v1_sa *v, v1_p1_resume *next)
{
    struct v1_phase1 *p = v->p1;
    struct id us;
    bool sign = v1_proof_of(v, v->sa.initiator) == V1_PROOF_SIG;
    const struct alg *prf = sign ? signed_prf(v) : v->sa.prf;
    err_t err = own_hash(e, v, prf);
    if (err || !sign) {
        end(e, v, err, next);
        return;
    }
    const struct pki_wish wish = {.names = p->asked,
                                  .name_count = p->asked_count,
                                  .type = v->method->key,
                                  .bits = v->method->bits};
    v1_local_id(&v->sa, v->sa.conn, &us);
    err = sig_own_find(e, &v->sa, v->sa.conn, &us, &wish, &p->own);
    if (err) {
        end(e, v, err, next);
        return;
    }
    struct bytes hash = v1_bytes(&p->proof);
    const struct sig_octets o = {.part = {hash}, .count = 1};
    p->next = next;
    v1_p1_sig(e, v, sig_sign_job(e, p->own, v->method->scheme, &o), have_signature);
}

/* RFC 4945 3.3: the end entity's certificate first, then what leads to the authority. */
static void put_certs(struct v1_build *b, const struct v1_sa *v)
{
    const struct v1_phase1 *p = v->p1;
    if (!sig_send_cert(v->sa.conn, p->cert_asked))
        return;
    for (size_t i = 0; i < p->own->o.chain_len; i++) {
        payload_begin(&b->c, P1_CERT);
        cert_write(&b->w, CERT_X509_SIGNATURE, p->own->o.chain[i]);
        payload_end(&b->c);
    }
}

void v1_put_proof(struct v1_build *b, const struct v1_sa *v)
{
    bool sign = v1_proof_of(v, v->sa.initiator) == V1_PROOF_SIG;
    if (sign)
        put_certs(b, v);
    payload_put(&b->c, sign ? P1_SIG : P1_HASH, v1_bytes(&v->p1->proof));
}

/* The peer does not answer our proof, or not with its own. */
err_t v1_unbelieved(struct ike *e, struct v1_sa *v, const char *theirs)
{
    struct id us;
    const char *conn = v->sa.conn->name;
    if (!v->method || v1_uses_psk(v->method)) {
        v1_psk_differs(e, v, theirs);
        return R_PSK_MISMATCH;
    }
    v1_local_id(&v->sa, v->sa.conn, &us);
    struct refusal r = {
        .reason = R_PEER_AUTH_FAILED,
        .what = "certificate or id",
        .ours = ike_strf(e, "local.id %s, proved by %s", ike_str_id(e, &us), v->method->name),
        .theirs = theirs,
        .hint = ike_strf(e,
                         "see the peer's log; it must trust the authority of connections.%s's "
                         "certificate, which must be valid there and name local.id, and have a "
                         "connection with this remote.id and auth = pubkey",
                         conn),
        .clause = "RFC 2409 5.1",
    };
    ike_peer_refused(e, &v->sa, &r);
    return r.reason;
}

/*
 * Whoever encrypted a message that can be read has the keys: a certificate or signature that is not
 * accepted ends it, under protection, since strongSwan does not hear it otherwise. (An initiator of
 * aggressive mode believes that the SA is up; told of its end, strongSwan would come again at once,
 * without end.) What is in clear or cannot be read, anybody may have sent.
 */
void v1_unproved(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    err_t reason = p->proof_err;
    if (v1_proof_of(v, !v->sa.initiator) != V1_PROOF_SIG || !p->held->encrypted || reason < 0) {
        v1_garbled(e, v, &p->held->pkt, reason);
        return;
    }
    v1_p1_accept(v, p->held);
    v->sa.local = p->held->pkt.local; /* RFC 3947 4: it may have floated with this message */
    v->sa.remote = p->held->pkt.remote;
    v->sa.natt = p->held->pkt.natt;
    v1_inform(e, v, PROTO1_ISAKMP, N1_AUTHENTICATION_FAILED, bytes_of(NULL, 0), bytes_of(NULL, 0));
    sa_drop(e, &v->sa, reason);
}

/* --- what we ask of the peer: RFC 4945 3.2 --- */

void v1_put_certreqs(struct ike *e, struct v1_build *b, const struct v1_sa *v)
{
    struct pki_ca *ca;
    const struct conn *c = v->sa.conn;
    bool sig = v->method ? v1_proof_of(v, !v->sa.initiator) == V1_PROOF_SIG
                         : c->auth_remote.kind == AUTH_PUBKEY;
    size_t n = sig ? sig_authorities(e, c, &ca) : 0;
    for (size_t i = 0; i < n; i++) {
        payload_begin(&b->c, P1_CERTREQ);
        cert_write(&b->w, CERT_X509_SIGNATURE, ca[i].name);
        payload_end(&b->c);
    }
}

/* Names that the peer would like; they are collected, since they may come with several messages. */
void v1_read_certreqs(struct v1_sa *v, const struct v1_msg *m)
{
    struct v1_phase1 *p = v->p1;
    struct cert c;
    for (const struct payload *k = NULL; (k = payloads_next(&m->in, P1_CERTREQ, k));) {
        if (certreq_v1_parse(k->body, &c) || c.encoding != CERT_X509_SIGNATURE)
            continue;
        p->cert_asked = true;
        if (p->asked_count == V1_ASKED_MAX)
            return;
        p->asked[p->asked_count] = arena_copy(&p->asking, c.data);
        p->asked_count += c.data.n == 0 || p->asked[p->asked_count].p;
    }
}

/* --- the peer's --- */

/* Keeps a message whose proof takes time: nothing of the SA changes before it holds. */
bool v1_hold(struct ike *e, struct v1_sa *v, const struct v1_msg *m)
{
    struct v1_phase1 *p = v->p1;
    arena_free(&p->arena);
    p->held = NULL;
    p->early.raw = bytes_of(NULL, 0);
    struct v1_msg *k = arena_alloc(&p->arena, sizeof *k);
    struct bytes raw = arena_copy(&p->arena, m->raw), from = arena_copy(&p->arena, m->pkt.raw);
    if (!k || !raw.p || !from.p) {
        ike_fail(e, E_NOMEM);
        return false;
    }
    *k = *m;
    k->raw = raw;
    k->pkt.raw = from;
    for (size_t i = 0; i < k->in.count; i++)
        k->in.p[i].body.p = raw.p + (m->in.p[i].body.p - m->raw.p);
    p->held = k;
    return true;
}

static void checked(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    sig_refused(e, &v->sa, p->peer_conn, p->sig);
    end(e, v, p->sig->err, p->next);
}

static err_t check_hash(struct ike *e, struct v1_sa *v, struct bytes got)
{
    return v1_hash_ok(e, v, !v->sa.initiator, got) ? E_OK : (err_t)R_DECRYPT;
}

/* The connection is chosen by the identity that is claimed, and tells what is to be trusted; where
 * none fits, all is computed nevertheless, so that nobody learns from our haste who is known. */
static void check_signature(struct ike *e, struct v1_sa *v, const struct id *them,
                            v1_p1_resume *next)
{
    struct v1_phase1 *p = v->p1;
    const struct alg *prf = signed_prf(v);
    uint8_t hash[CR_HASH_MAX];
    struct conn *c = v1_peer_conn(e, v, them);
    err_t err = v1_hash_phase1(v, prf, !v->sa.initiator, hash);
    if (err) {
        end(e, v, err, next);
        return;
    }
    v1_peer_conn_set(p, c);
    struct sig_claim claim = {
        .conn = c ? c : v->sa.conn,
        .id = them,
        .scheme = {v->method->scheme},
        .schemes = 1,
        .octets = {.part = {bytes_of(hash, prf->out_len)}, .count = 1},
        .signature = v1_body(p->held, P1_SIG),
    };
    struct cert one;
    for (const struct payload *k = NULL; (k = payloads_next(&p->held->in, P1_CERT, k));)
        if (!cert_parse(k->body, &one) && one.encoding == CERT_X509_SIGNATURE &&
            claim.certs < SIG_CERTS_MAX)
            claim.cert[claim.certs++] = one.data;
    p->next = next;
    v1_p1_sig(e, v, sig_verify_job(e, &claim), checked);
}

void v1_check_proof(struct ike *e, struct v1_sa *v, const struct id *them, v1_p1_resume *next)
{
    if (v1_proof_of(v, !v->sa.initiator) == V1_PROOF_SIG)
        check_signature(e, v, them, next);
    else
        end(e, v, check_hash(e, v, v1_body(v->p1->held, P1_HASH)), next);
}
