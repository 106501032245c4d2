/* Signatures and certificates of the engine: see sig.h. Called by ike/v1 and ike/v2. */
#include "ike/sig.h"
#include "ike/engine.h"
#include <stdio.h>
#include <stdlib.h>

/* --- ours --- */

static void tell(struct ike *e, struct ike_sa *sa, const struct conn *c, const struct pki_why *why)
{
    struct refusal r = {
        .reason = why->reason,
        .what = why->what,
        .ours = why->ours[0] ? ike_str(e, why->ours) : NULL,
        .theirs = why->theirs[0] ? ike_str(e, why->theirs) : NULL,
        .hint = why->hint[0] ? ike_str(e, why->hint) : NULL,
        .clause = why->clause,
    };
    ike_refused(e, sa, &r);
    if (c && !e->evidence->conn)
        e->evidence->conn = ike_str(e, c->name);
}

err_t sig_own_find(struct ike *e, struct ike_sa *sa, struct conn *c, const struct id *us,
                   const struct pki_wish *wish, struct sig_own **out)
{
    struct pki_why why = {0};
    struct sig_own *own = calloc(1, sizeof *own);
    if (!own)
        return E_NOMEM;
    own->store = e->pki ? pki_ref(e->pki) : NULL;
    own->conn = conn_ref(c);
    err_t err = pki_own_find(own->store, &c->auth_local, us, wish, &own->o, &why);
    if (err) {
        if (err > 0)
            tell(e, sa, c, &why);
        sig_own_free(own);
        return err;
    }
    sig_own_free(*out);
    *out = own;
    return E_OK;
}

void sig_own_free(struct sig_own *own)
{
    if (!own)
        return;
    pki_unref(own->store);
    conn_unref(own->conn);
    free(own);
}

bool sig_own_has(const struct ike *e, const struct conn *c, const struct id *us,
                 const struct pki_wish *wish)
{
    struct pki_own own;
    struct pki_why why;
    return !pki_own_find(e->pki, &c->auth_local, us, wish, &own, &why);
}

void sig_local_id(const struct conn *c, const struct addr *local, struct id *out)
{
    *out = c->auth_local.id;
    if (out->type == ID_ANY && !id_of_addr(out, local))
        *out = (struct id){0};
}

bool sig_send_cert(const struct conn *c, bool asked)
{
    return c->send_cert == SEND_CERT_ALWAYS || (c->send_cert == SEND_CERT_IFASKED && asked);
}

/* --- authorities --- */

size_t sig_authorities(struct ike *e, const struct conn *c, struct pki_ca **out)
{
    static const struct conn_auth any;
    *out = ike_alloc(e, SIG_AUTHORITIES_MAX * sizeof **out);
    if (!*out || !e->pki || (c && !c->send_certreq))
        return 0;
    size_t n = pki_ca_list(e->pki, c ? &c->auth_remote : &any, *out, SIG_AUTHORITIES_MAX);
    return n < SIG_AUTHORITIES_MAX ? n : SIG_AUTHORITIES_MAX;
}

struct bytes sig_authority_hashes(struct ike *e, const struct conn *c)
{
    struct pki_ca *ca;
    size_t n = sig_authorities(e, c, &ca);
    uint8_t *p = n ? ike_alloc(e, n * 20) : NULL;
    for (size_t i = 0; p && i < n; i++)
        memcpy(p + i * 20, ca[i].spki, 20);
    return bytes_of(p, p ? n * 20 : 0);
}

/* --- jobs --- */

static struct bytes keep(struct bytes b, uint8_t **at)
{
    struct bytes r = bytes_of(*at, b.n);
    if (b.n)
        memcpy(*at, b.p, b.n);
    *at += b.n;
    return r;
}

static size_t octets_len(const struct sig_octets *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->count; i++)
        n += o->part[i].n;
    return n;
}

static void keep_octets(struct sig_work *w, const struct sig_octets *o, uint8_t **at)
{
    w->parts = o->count;
    for (size_t i = 0; i < o->count; i++)
        w->part[i] = keep(o->part[i], at);
}

static struct ike_job *job_with(enum job_kind kind, struct sig_work *w)
{
    struct ike_job *j = w ? job_new(kind, 0, 0, 0) : NULL;
    if (j)
        j->sig = w;
    else
        sig_work_free(w);
    return j;
}

struct ike_job *sig_sign_job(struct ike *e, const struct sig_own *own, enum cr_scheme scheme,
                             const struct sig_octets *o)
{
    struct sig_work *w = calloc(1, sizeof *w + octets_len(o));
    (void)e;
    if (w) {
        uint8_t *at = w->data;
        w->key = cr_key_ref(own->o.key);
        w->scheme[0] = scheme;
        w->schemes = 1;
        keep_octets(w, o, &at);
    }
    return job_with(JOB_SIGN, w);
}

struct ike_job *sig_verify_job(struct ike *e, const struct sig_claim *c)
{
    size_t n = octets_len(&c->octets) + c->signature.n;
    for (size_t i = 0; i < c->certs; i++)
        n += c->cert[i].n;
    struct sig_work *w = calloc(1, sizeof *w + n);
    if (w) {
        uint8_t *at = w->data;
        w->store = e->pki ? pki_ref(e->pki) : NULL;
        w->conn = conn_ref(c->conn);
        w->id = *c->id;
        w->wall_s = e->wall_s;
        w->schemes = c->schemes;
        memcpy(w->scheme, c->scheme, sizeof w->scheme);
        keep_octets(w, &c->octets, &at);
        w->claimed = keep(c->signature, &at);
        w->certs = c->certs;
        for (size_t i = 0; i < c->certs; i++)
            w->cert[i] = keep(c->cert[i], &at);
    }
    return job_with(JOB_VERIFY, w);
}

void sig_work_free(struct sig_work *w)
{
    if (!w)
        return;
    cr_key_unref(w->key);
    pki_unref(w->store);
    if (w->conn)
        conn_unref(w->conn);
    free(w);
}

void sig_sign(struct sig_work *w)
{
    w->err = cr_sign(w->key, w->scheme[0], w->part, w->parts, w->sig, &w->sig_len);
}

/* RFC 7296 3.8: a method and a certificate whose key cannot have made it */
static err_t wrong_kind(struct sig_work *w)
{
    char key[24];
    w->why = (struct pki_why){.reason = R_SIGNATURE, .what = "signature", .clause = "RFC 7296 3.8"};
    snprintf(w->why.theirs, sizeof w->why.theirs, "%s with a certificate for %s",
             cr_scheme(w->scheme[0])->name, cr_key_text(w->key, key));
    return R_SIGNATURE;
}

static err_t wrong(struct sig_work *w)
{
    char key[24];
    w->why =
        (struct pki_why){.reason = R_SIGNATURE, .what = "signature", .clause = "RFC 7296 2.15"};
    snprintf(w->why.theirs, sizeof w->why.theirs, "%s by %s, which does not fit this negotiation",
             cr_scheme(w->scheme[0])->name, cr_key_text(w->key, key));
    snprintf(w->why.hint, sizeof w->why.hint,
             "the peer's private key does not belong to its certificate, or its message was "
             "altered on the way");
    return R_SIGNATURE;
}

static err_t check_signature(struct sig_work *w)
{
    bool fits = false;
    for (size_t i = 0; i < w->schemes; i++) {
        if (!cr_scheme_fits(w->scheme[i], w->key))
            continue;
        fits = true;
        err_t err = cr_verify(w->key, w->scheme[i], w->part, w->parts, w->claimed);
        if (err <= 0) {
            w->scheme[0] = w->scheme[i];
            return err;
        }
    }
    return fits ? wrong(w) : wrong_kind(w);
}

void sig_verify(struct sig_work *w)
{
    const struct conn_auth *auth = &w->conn->auth_remote;
    const struct pki_peer peer = {auth, &w->id, w->cert, w->certs, w->wall_s};
    w->err = pki_verify(w->store, &peer, &w->key, &w->why);
    if (!w->err)
        w->err = check_signature(w);
    if (!w->err)
        w->err = pki_scheme_check(auth, w->key, w->scheme[0], &w->why);
}

/* On the machine of docs/bench.md ECDSA on P-256 signs in 18 us and Ed25519 in 31; RSA 2048 takes
 * 255, and a peer's chain has several signatures. */
bool sig_quick(const struct sig_work *w)
{
    if (w->conn)
        return false;
    const struct cr_key_info *k = cr_key_info(w->key);
    return k->type == CR_KEY_ED25519 || (k->type == CR_KEY_ECDSA && k->bits == 256);
}

void sig_refused(struct ike *e, struct ike_sa *sa, const struct conn *c, const struct sig_work *w)
{
    if (w->err > 0)
        tell(e, sa, c, &w->why);
}
