/*
 * AUTH, ours and the peer's, with a pre-shared key or a signature; what is wrong is told here. RFC
 * 7296 2.15, 3.6 to 3.8. Signatures are JOBs: `next` runs when the outcome, x->auth.err, is there,
 * at once or when the job is back. Called by ike_auth_i.c and ike_auth_r.c.
 */
#include "ike/v2/v2.h"
#include "wire/cert.h"
#include "wire/id.h"

err_t v2_octets(const struct v2_sa *v, bool initiators, const struct id *id, struct v2_octets *out)
{
    const struct v2_init *i = v->init;
    uint8_t body[ID_MAX + 8];
    struct wr w = wr_of(body, sizeof body);
    id_body_write(&w, id);
    if (w.err)
        return w.err;
    struct bytes idp = wr_bytes(&w);
    const struct ike_msg *msg = initiators ? &i->req : &i->resp;
    out->part[0] = bytes_of(msg->p, msg->n);
    out->part[1] = initiators ? i->nr : i->ni;
    out->part[2] = bytes_of(out->mac, v->sa.prf->out_len);
    return cr_prf(v->sa.prf, v2_key_p(&v->keys, initiators), &idp, 1, out->mac);
}

static void end(struct ike *e, struct v2_sa *v, struct v2_exch *x, err_t err, v2_resume *next)
{
    if (err < 0)
        ike_fail(e, err);
    x->auth.err = err;
    next(e, v, x);
}

const char *v2_auth_name(uint8_t proof)
{
    return !proof                 ? NULL
           : proof == V2_AUTH_PSK ? "psk"
                                  : cr_scheme((enum cr_scheme)(proof - V2_AUTH_PSK))->name;
}

/* --- pre-shared keys --- */

static err_t no_secret(struct ike *e, struct v2_sa *v, const struct v2_who *w)
{
    struct refusal r = {
        .reason = R_NO_SHARED,
        .what = "secret",
        .ours = ike_strf(e, "none for %s and %s", ike_str_id(e, w->own), ike_str_id(e, w->them)),
        .hint = ike_strf(e, "add secrets { ike-%s { id = %s, secret = ... } }", w->conn->name,
                         ike_str_id(e, w->them)),
        .clause = "RFC 7296 2.15",
    };
    ike_refused(e, &v->sa, &r);
    return R_NO_SHARED;
}

static const struct shared *secret_of(const struct ike *e, const struct v2_sa *v,
                                      const struct v2_who *w)
{
    return v->sa.initiator ? shared_find(e, SHARED_IKE, w->own, w->them)
                           : shared_of_claim(e, SHARED_IKE, w->own, w->them);
}

static err_t prove_secret(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct v2_who *w)
{
    uint8_t *mac = v2_exch_alloc(e, x, CR_HASH_MAX);
    const struct shared *psk = secret_of(e, v, w);
    if (!mac)
        return E_NOMEM;
    if (!psk)
        return no_secret(e, v, w);
    x->auth.method = AM_SHARED_KEY;
    v->auth[true] = V2_AUTH_PSK;
    x->auth.data = bytes_of(mac, v->sa.prf->out_len);
    return v2_auth_psk(v, v->sa.initiator, w->us, &psk->secret, mac);
}

static err_t wrong_secret(struct ike *e, struct v2_sa *v, const struct v2_who *w)
{
    struct refusal r = {
        .reason = R_PSK_MISMATCH,
        .what = "secret",
        .theirs = ike_strf(e, "id %s", ike_str_id(e, w->them)),
        .hint = ike_strf(e,
                         "connection %s: make the secret for %s the same on both sides "
                         "(secrets.ike-*.secret)",
                         w->conn->name, ike_str_id(e, w->them)),
        .clause = "RFC 7296 2.15",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

static err_t check_secret(struct ike *e, struct v2_sa *v, const struct v2_who *w,
                          const struct auth *a)
{
    uint8_t want[CR_HASH_MAX];
    const struct shared *psk = secret_of(e, v, w);
    if (!psk)
        return no_secret(e, v, w);
    err_t err = v2_auth_psk(v, !v->sa.initiator, w->them, &psk->secret, want);
    if (err)
        return err;
    size_t n = v->sa.prf->out_len;
    bool ok = a->data.n == n && secret_eq(a->data.p, want, n);
    secret_wipe(want, sizeof want);
    v->auth[false] = V2_AUTH_PSK;
    return ok ? E_OK : wrong_secret(e, v, w);
}

/* --- signatures --- */

/* What the peer said in its first message, of which we have a copy: its hash algorithms (RFC 7427
 * 4) and the authorities that it trusts (3.7). */
static void read_first(const struct v2_sa *v, struct v2_first *out)
{
    struct payloads ps;
    struct notify n;
    const struct ike_msg *m = v->sa.initiator ? &v->init->resp : &v->init->req;
    *out = (struct v2_first){0};
    if (m->n <= IKE_HDR_LEN || payloads_parse(ike_hdr_body(bytes_of(m->p, m->n)), m->p[16], &ps))
        return;
    for (const struct payload *p = NULL; (p = payloads_next(&ps, PL_NOTIFY, p));)
        if (!notify_parse(p->body, &n) && n.type == N_SIGNATURE_HASH_ALGORITHMS &&
            hash_numbers_parse(n.data, &out->hashes))
            out->hashes = 0;
    v2_certreq_read(&ps, out);
}

void v2_certreq_read(const struct payloads *ps, struct v2_first *out)
{
    struct cert c;
    for (const struct payload *p = NULL; (p = payloads_next(ps, PL_CERTREQ, p));) {
        if (certreq_parse(p->body, &c) || c.encoding != CERT_X509_SIGNATURE)
            continue;
        out->cert_asked = true;
        if (c.data.n > out->authorities.n)
            out->authorities = c.data;
    }
}

static void have_signature(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    err_t err = x->auth.sig->err;
    x->auth.data = bytes_of(x->auth.sig->sig, x->auth.sig->sig_len);
    v->auth[true] = (uint8_t)(V2_AUTH_PSK + x->auth.scheme);
    end(e, v, x, err, x->auth.next);
}

static void prove_key(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct v2_who *w,
                      v2_resume *next)
{
    struct v2_first first;
    struct v2_octets o;
    read_first(v, &first);
    if (!v->sa.initiator)
        v2_certreq_read(&x->msg->in, &first);
    const struct pki_wish wish = {.hashes = first.authorities};
    x->auth.cert_asked = first.cert_asked;
    err_t err = sig_own_find(e, &v->sa, w->conn, w->us, &wish, &x->auth.own);
    if (!err)
        err = v2_scheme_choose(e, v, w->conn, x->auth.own, first.hashes, &x->auth);
    if (!err)
        err = v2_octets(v, v->sa.initiator, w->us, &o);
    if (err) {
        end(e, v, x, err, next);
        return;
    }
    struct sig_octets all = {.count = 3};
    memcpy(all.part, o.part, sizeof o.part);
    x->auth.next = next;
    v2_sig_job(e, v, x, sig_sign_job(e, x->auth.own, x->auth.scheme, &all), have_signature);
}

/* Ours, for w->us, into x->auth. */
void v2_prove(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct v2_who *w,
              v2_resume *next)
{
    if (w->conn->auth_local.kind == AUTH_PSK)
        end(e, v, x, prove_secret(e, v, x, w), next);
    else
        prove_key(e, v, x, w, next);
}

/* 3.6: the end entity's certificate first, then what leads to the authority */
void v2_put_auth(struct v2_build *b, const struct v2_exch *x)
{
    payload_begin(&b->c, PL_AUTH);
    if (x->auth.method == AM_SIGNATURE)
        auth_signature_write(&b->w, cr_scheme_algid(x->auth.scheme), x->auth.data);
    else
        auth_write(&b->w, x->auth.method, x->auth.data);
    payload_end(&b->c);
}

void v2_put_certs(struct v2_build *b, const struct conn *c, const struct v2_exch *x)
{
    if (!x->auth.own || !sig_send_cert(c, x->auth.cert_asked))
        return;
    const struct pki_own *o = &x->auth.own->o;
    for (size_t i = 0; i < o->chain_len; i++) {
        payload_begin(&b->c, PL_CERT);
        cert_write(&b->w, CERT_X509_SIGNATURE, o->chain[i]);
        payload_end(&b->c);
    }
}

void v2_put_certreq(struct v2_build *b, struct bytes authorities)
{
    if (!authorities.n)
        return;
    payload_begin(&b->c, PL_CERTREQ);
    cert_write(&b->w, CERT_X509_SIGNATURE, authorities);
    payload_end(&b->c);
}

static void checked(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    sig_refused(e, &v->sa, x->conn, x->auth.sig);
    v->auth[false] = (uint8_t)(V2_AUTH_PSK + x->auth.sig->scheme[0]);
    end(e, v, x, x->auth.sig->err, x->auth.next);
}

static size_t certs_of(const struct v2_msg *m, struct bytes out[SIG_CERTS_MAX])
{
    size_t n = 0;
    struct cert c;
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_CERT, p));)
        if (!cert_parse(p->body, &c) && c.encoding == CERT_X509_SIGNATURE && n < SIG_CERTS_MAX)
            out[n++] = c.data;
    return n;
}

static void check_signature(struct ike *e, struct v2_sa *v, struct v2_exch *x,
                            const struct v2_who *w, const struct auth *a, v2_resume *next)
{
    struct v2_octets o;
    struct sig_claim claim = {.conn = w->conn, .id = w->them};
    claim.certs = certs_of(x->msg, claim.cert);
    err_t err = v2_schemes_of(e, v, w->conn, a, &claim);
    if (!err)
        err = v2_octets(v, !v->sa.initiator, w->them, &o);
    if (err) {
        end(e, v, x, err, next);
        return;
    }
    memcpy(claim.octets.part, o.part, sizeof o.part);
    claim.octets.count = 3;
    x->auth.next = next;
    v2_sig_job(e, v, x, sig_verify_job(e, &claim), checked);
}

static err_t wrong_method(struct ike *e, struct v2_sa *v, const struct v2_who *w,
                          const struct auth *a)
{
    bool psk = w->conn->auth_remote.kind == AUTH_PSK;
    struct refusal r = {
        .reason = R_AUTH_METHOD,
        .what = "auth",
        .ours = psk ? "psk" : "pubkey",
        .theirs = a->method == AM_SHARED_KEY ? "psk" : auth_method_name(a->method),
        .hint =
            ike_strf(e, "set connections.%s.remote.auth = %s here, or local.auth = %s at the peer",
                     w->conn->name, psk ? "pubkey" : "psk", psk ? "psk" : "pubkey"),
        .clause = "RFC 7296 3.8",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

/* The peer's, for w->them, from x->msg; reports what is wrong. */
void v2_check(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct v2_who *w,
              v2_resume *next)
{
    struct auth a;
    err_t err = auth_parse(v2_body(x->msg, PL_AUTH), &a);
    if (err)
        end(e, v, x, err, next);
    else if ((a.method == AM_SHARED_KEY) != (w->conn->auth_remote.kind == AUTH_PSK))
        end(e, v, x, wrong_method(e, v, w, &a), next);
    else if (a.method == AM_SHARED_KEY)
        end(e, v, x, check_secret(e, v, w, &a), next);
    else
        check_signature(e, v, x, w, &a, next);
}
