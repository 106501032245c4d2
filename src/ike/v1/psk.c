/*
 * Pre-shared keys of phase 1: RFC 2409 5.4. In main mode the key must be known before the identity
 * is, so the address or the identities of the connection lead to it; in aggressive mode the
 * identity does. What differs is named: a key that differs shows as garbage only.
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

static void addr_id(const struct v1_sa *v, struct id *out)
{
    if (!id_of_addr(out, &v->sa.remote.addr))
        *out = (struct id){0};
}

static bool wildcard(const struct id *id)
{
    return id->type == ID_ANY || memchr(id->data, '*', id->len);
}

void v1_expected_peer(const struct v1_sa *v, struct id *out)
{
    *out = v->sa.conn->auth_remote.id;
    if (wildcard(out))
        addr_id(v, out);
}

/* them: as claimed in clear, NULL in main mode */
bool v1_psk_find(struct ike *e, struct v1_sa *v, const struct conn *c, const struct id *them)
{
    struct id us, who = {0};
    const struct shared *s = NULL;
    v1_local_id(&v->sa, c, &us);
    if (them) {
        s = shared_of_claim(e, SHARED_IKE, &us, them);
    } else {
        if (!wildcard(&c->auth_remote.id))
            s = shared_find(e, SHARED_IKE, &us, &c->auth_remote.id);
        addr_id(v, &who);
        if (!s)
            s = shared_find(e, SHARED_IKE, &us, &who);
    }
    if (!s)
        return false;
    err_t err = secret_set(&v->p1->psk, secret_bytes(&s->secret));
    if (err)
        ike_fail(e, err);
    return !err && v->p1->psk.n;
}

static bool same_secret(const struct v1_sa *v, const struct shared *s)
{
    const struct secret *used = &v->p1->psk;
    return s && s->secret.n == used->n && secret_eq(s->secret.p, used->p, used->n);
}

bool v1_psk_proves(struct ike *e, const struct v1_sa *v, const struct conn *c,
                   const struct id *them)
{
    struct id us, addr;
    v1_local_id(&v->sa, c, &us);
    addr_id(v, &addr);
    const struct shared *s = shared_of_claim(e, SHARED_IKE, &us, them);
    return same_secret(v, s ? s : shared_of_claim(e, SHARED_IKE, &us, &addr));
}

void v1_psk_missing(struct ike *e, struct v1_sa *v, const struct conn *c, const struct id *them)
{
    struct id us, addr;
    v1_local_id(&v->sa, c, &us);
    addr_id(v, &addr);
    const struct id *who = them ? them : wildcard(&c->auth_remote.id) ? &addr : &c->auth_remote.id;
    struct refusal r = {
        .reason = R_NO_SHARED,
        .what = "secret",
        .ours = ike_strf(e, "none for %s and %s", ike_str_id(e, &us), ike_str_id(e, who)),
        .hint = ike_strf(e, "add secrets { ike-%s { id = %s, secret = ... } }%s", c->name,
                         ike_str_id(e, who),
                         them ? "" : "; main mode can find it by address or remote.id only"),
        .clause = "RFC 2409 5.4",
    };
    ike_refused(e, &v->sa, &r);
}

/* Other connections that fit the addresses: main mode takes one before it knows who asks. */
static size_t rivals(struct ike *e, const struct v1_sa *v)
{
    struct conn **c;
    return conn_candidates(e, &v->sa.local, &v->sa.remote, 1, &c);
}

void v1_psk_differs(struct ike *e, struct v1_sa *v, const char *theirs)
{
    const struct conn *c = v->sa.conn;
    const char *conn = c ? c->name : "?";
    size_t n = v->aggressive || v->sa.initiator ? 1 : rivals(e, v);
    struct refusal r = {
        .reason = R_PSK_MISMATCH,
        .what = "secret",
        .ours = ike_strf(e, "the secret of connection %s for this address", conn),
        .theirs = theirs,
        .hint = "make the secret of secrets.ike-* the same on both sides, byte by byte",
        .clause = "RFC 2409 5.4",
    };
    if (n > 1)
        r.hint =
            ike_strf(e,
                     "make the secret of secrets.ike-* the same on both sides; %zu connections "
                     "fit this address and main mode had to take %s before it knew the peer's "
                     "identity: give them the same secret, or remote_addrs that tell them apart",
                     n, conn);
    if (v->sa.initiator)
        ike_peer_refused(e, &v->sa, &r);
    else
        ike_refused(e, &v->sa, &r);
}

static void wrong_id(struct ike *e, struct v1_sa *v, const struct id *them)
{
    const struct conn *c = v->sa.conn;
    struct refusal r = {
        .reason = R_ID_MISMATCH,
        .what = "id",
        .ours = ike_str_id(e, &c->auth_remote.id),
        .theirs = ike_str_id(e, them),
        .hint = ike_strf(e, "set connections.%s.remote.id = %s", c->name, ike_str_id(e, them)),
        .clause = "RFC 2409 5",
    };
    ike_refused(e, &v->sa, &r);
}

static bool offers(struct ike *e, const struct conn *c, const struct v1_sa *v)
{
    const struct ike_sa *sa = &v->sa;
    struct v1_transform *t;
    size_t n = v1_offer_ike(e, c, &v->sa.local.addr, false, false, &t);
    for (size_t i = 0; i < n; i++)
        if (proposal_alg(&t[i].p, T_ENCR) == sa->encr && proposal_alg(&t[i].p, T_PRF) == sa->prf &&
            proposal_alg(&t[i].p, T_KE) == sa->ke && t[i].auth == v->method->number)
            return true;
    return false;
}

static bool proves(struct ike *e, const struct v1_sa *v, const struct conn *c,
                   const struct id *them)
{
    return v1_proof_of(v, !v->sa.initiator) != V1_PROOF_PSK || v1_psk_proves(e, v, c, them);
}

/* Main mode chose by address; the identity may belong to another connection, with the same secret
 * if there is one. */
static struct conn *better(struct ike *e, const struct v1_sa *v, const struct id *them)
{
    struct conn **c, *best = NULL;
    int rank = 0;
    size_t n = conn_candidates(e, &v->sa.local, &v->sa.remote, 1, &c);
    for (size_t i = 0; i < n; i++) {
        int r = id_match(&c[i]->auth_remote.id, them);
        if (r > rank && offers(e, c[i], v) && proves(e, v, c[i], them)) {
            rank = r;
            best = c[i];
        }
    }
    return best;
}

struct conn *v1_peer_conn(struct ike *e, const struct v1_sa *v, const struct id *them)
{
    struct conn *c = v->sa.conn;
    if (!v->sa.initiator)
        return better(e, v, them);
    return id_match(&c->auth_remote.id, them) && proves(e, v, c, them) ? c : NULL;
}

void v1_peer_conn_set(struct v1_phase1 *p, struct conn *c)
{
    if (p->peer_conn)
        conn_unref(p->peer_conn);
    p->peer_conn = c ? conn_ref(c) : NULL;
}

/* The peer proved something: may it be who it says? The connection may change. */
bool v1_peer_id(struct ike *e, struct v1_sa *v, const struct id *them)
{
    struct id us;
    bool sig = v1_proof_of(v, !v->sa.initiator) == V1_PROOF_SIG;
    struct conn *c = sig ? v->p1->peer_conn : v1_peer_conn(e, v, them);
    if (!c) {
        wrong_id(e, v, them);
        return false;
    }
    sa_conn_set(e, &v->sa, c);
    v1_local_id(&v->sa, c, &us);
    return sa_ids_set(e, &v->sa, &us, them);
}
