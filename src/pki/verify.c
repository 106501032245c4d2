/*
 * Is a peer who it says? The chain by OpenSSL (RFC 5280 6), then what IKE wants besides (RFC 4945
 * 5): revocation lists, key usage, identity, what the connection limits. Each refusal says which
 * certificate, what it has and what was wanted. Called by the IKE engine's jobs, on any thread.
 */
#include "pki/store.h"
#include "crypto/ossl_sign.h"
#include <openssl/err.h>
#include <stdio.h>

#define SENT_MAX 16 /* certificates of a peer that are looked at */

/* Security bits that a chain must have, NIST SP 800-57 5.6.1: RSA 1024 has 80, SHA-1 63, MD5 39 */
enum { KEY_BITS = 80, HASH_BITS = 60 };

#define RFC5280 "RFC 5280 6.1.3"

err_t why_set(struct pki_why *why, err_t reason, const char *what, const char *clause)
{
    why->reason = reason;
    why->what = what;
    why->clause = clause;
    return reason;
}

const char *cert_origin(const struct pki *p, X509 *x)
{
    for (size_t i = 0; p && i < p->cert_count; i++)
        if (!X509_cmp(p->cert[i]->x, x))
            return p->cert[i]->name;
    return "sent by the peer";
}

static const char *subject_text(X509 *x, char out[NAME_TEXT])
{
    return name_text(X509_get_subject_name(x), out);
}

/* --- the peer's certificates --- */

static err_t push(STACK_OF(X509) * list, X509 *x)
{
    X509_up_ref(x);
    if (sk_X509_push(list, x) > 0)
        return E_OK;
    X509_free(x);
    return E_NOMEM;
}

static X509 *parse(const struct pki *p, struct bytes der)
{
    const uint8_t *at = der.p;
    if (!der.n || der.n > PKI_CERT_MAX)
        return NULL;
    X509 *x = p ? seen_get(p->seen, der) : NULL;
    return x ? x : d2i_X509(NULL, &at, (long)der.n);
}

static err_t read_sent(const struct pki *p, const struct pki_peer *q, STACK_OF(X509) * sent,
                       struct pki_why *why)
{
    for (size_t i = 0; i < q->cert_count && i < SENT_MAX; i++) {
        X509 *x = parse(p, q->cert[i]);
        if (x) {
            err_t e = push(sent, x);
            X509_free(x);
            if (e)
                return e;
        } else if (!i) {
            snprintf(why->theirs, sizeof why->theirs, "%zu bytes that are no certificate",
                     q->cert[i].n);
            snprintf(why->hint, sizeof why->hint, "the peer's certificate file is damaged");
            return why_set(why, R_CERT_SYNTAX, "certificate", "RFC 5280 4.1");
        }
    }
    return E_OK;
}

/* A peer that sends none is expected to be known: RFC 7296 3.6 does not oblige it to. */
static err_t look_up(const struct pki *p, const struct pki_peer *q, STACK_OF(X509) * sent,
                     struct pki_why *why)
{
    const struct conn_pki *c = q->auth->pki;
    for (size_t i = 0; c && i < c->cert_count; i++) {
        struct pki_cert *pinned = store_by_fp(p, c->certs[i].fp);
        if (pinned && cert_has_id(pinned->x, q->id))
            return push(sent, pinned->x);
    }
    for (size_t i = 0; p && i < p->cert_count; i++)
        if (!(p->cert[i]->flags & PKI_CA) && cert_has_id(p->cert[i]->x, q->id))
            return push(sent, p->cert[i]->x);
    struct buf b = {0};
    id_print(q->id, &b);
    snprintf(why->ours, sizeof why->ours, "no certificate for %s", buf_str(&b));
    snprintf(why->theirs, sizeof why->theirs, "no CERT payload");
    snprintf(why->hint, sizeof why->hint,
             "set send_cert = always at the peer, or put its certificate into x509/");
    buf_free(&b);
    return why_set(why, R_CERT_MISSING, "certificate", "RFC 7296 3.6");
}

/* --- the chain --- */

static void put_subjects(STACK_OF(X509) * list, char *out, size_t size)
{
    char name[NAME_TEXT];
    size_t at = 0;
    for (int i = 0; i < sk_X509_num(list) && at < size; i++) {
        int n = snprintf(out + at, size - at, "%s%s", i ? "; " : "",
                         subject_text(sk_X509_value(list, i), name));
        at += n > 0 ? (size_t)n : 0;
    }
}

/* Something of the wanted name is there, but it is not the one: the likeliest mistake. */
static X509 *namesake(const struct pki *p, X509 *x)
{
    for (size_t i = 0; p && i < p->cert_count; i++)
        if (!X509_NAME_cmp(X509_get_subject_name(p->cert[i]->x), X509_get_issuer_name(x)) &&
            X509_cmp(p->cert[i]->x, x) != 0)
            return p->cert[i]->x;
    return NULL;
}

static err_t untrusted(const struct verify *v, X509 *last)
{
    char subject[NAME_TEXT], issuer[NAME_TEXT];
    struct pki_why *why = v->why;
    X509 *same = namesake(v->p, last);
    snprintf(why->theirs, sizeof why->theirs, "%s, issued by %s", subject_text(last, subject),
             name_text(X509_get_issuer_name(last), issuer));
    if (v->p && sk_X509_num(v->p->anchors) > 0)
        put_subjects(v->p->anchors, why->ours, sizeof why->ours);
    else
        snprintf(why->ours, sizeof why->ours, "no authority");
    if (same)
        snprintf(why->hint, sizeof why->hint,
                 "%s has the issuer's name, but another key: is it of another generation?",
                 cert_origin(v->p, same));
    else
        snprintf(why->hint, sizeof why->hint,
                 "put the certificate of %s into x509ca/, or have the peer send it if it is an "
                 "intermediate",
                 issuer);
    return why_set(why, R_CERT_UNTRUSTED, "cacerts", RFC5280);
}

static err_t out_of_date(const struct verify *v, X509 *x, bool expired)
{
    char name[NAME_TEXT], at[TIME_TEXT];
    const ASN1_TIME *t = expired ? X509_get0_notAfter(x) : X509_get0_notBefore(x);
    struct pki_why *why = v->why;
    snprintf(why->theirs, sizeof why->theirs, "%s, valid %s %s", subject_text(x, name),
             expired ? "until" : "from", time_text(t, at));
    snprintf(why->ours, sizeof why->ours, "our clock says %s", wall_text(v->q->wall_s, at));
    const char *from = cert_origin(v->p, x);
    snprintf(why->hint, sizeof why->hint, "renew the certificate (%s), or set the clock", from);
    return why_set(why, expired ? R_CERT_EXPIRED : R_CERT_NOT_YET, "certificate",
                   "RFC 5280 4.1.2.5");
}

static err_t about(const struct verify *v, X509 *x, err_t reason, const char *text,
                   const char *wanted, const char *clause)
{
    char name[NAME_TEXT];
    struct pki_why *why = v->why;
    snprintf(why->theirs, sizeof why->theirs, "%s (%s): %s", subject_text(x, name),
             cert_origin(v->p, x), text);
    snprintf(why->ours, sizeof why->ours, "%s", wanted);
    snprintf(why->hint, sizeof why->hint, "issue %s anew, or let another authority do it", name);
    return why_set(why, reason, "certificate", clause);
}

static err_t chain_error(const struct verify *v, X509_STORE_CTX *c)
{
    int error = X509_STORE_CTX_get_error(c);
    X509 *x = X509_STORE_CTX_get_current_cert(c);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(c);
    X509 *last = sk_X509_num(chain) > 0 ? sk_X509_value(chain, sk_X509_num(chain) - 1) : x;
    if (!x)
        x = last;
    if (!x || error == X509_V_ERR_OUT_OF_MEM)
        return E_NOMEM;
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return out_of_date(v, x, true);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return out_of_date(v, x, false);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return about(v, x, R_CERT_SIGNATURE, "its signature is not its issuer's",
                     "a signature that verifies", "RFC 5280 6.1.3 (a)(1)");
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        return about(v, x, R_CERT_CA, "not an authority, but it issued a certificate",
                     "basicConstraints CA:TRUE and keyUsage keyCertSign",
                     "RFC 5280 6.1.4 (k), (n)");
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return about(v, x, R_CERT_CA, "its pathlen allows no authority below it",
                     "a shorter chain, or a larger pathlen", "RFC 5280 6.1.4 (l)");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return untrusted(v, last);
    default:
        return about(v, x, R_CERT_USAGE, X509_verify_cert_error_string(error),
                     "a chain that RFC 5280 accepts", RFC5280);
    }
}

/* A certificate that was loaded as the peer's own and has no issuer but itself is trusted as it is.
 */
static bool is_pinned(const struct pki *p, X509 *leaf)
{
    for (size_t i = 0; p && i < p->cert_count; i++)
        if (p->cert[i]->self && !(p->cert[i]->flags & PKI_CA) && !X509_cmp(p->cert[i]->x, leaf))
            return true;
    return false;
}

static STACK_OF(X509) * trusted_for(const struct pki *p, X509 *leaf)
{
    STACK_OF(X509) *list = p ? sk_X509_dup(p->anchors) : sk_X509_new_null();
    if (list && is_pinned(p, leaf) && sk_X509_push(list, leaf) <= 0) {
        sk_X509_free(list);
        return NULL;
    }
    return list;
}

/* What the peer sent, then what we have: both only help to find the way. */
static bool add_others(const struct pki *p, STACK_OF(X509) * untrusted_list)
{
    for (int i = 0; p && i < sk_X509_num(p->others); i++)
        if (sk_X509_push(untrusted_list, sk_X509_value(p->others, i)) <= 0)
            return false;
    return true;
}

static err_t build_chain(struct verify *v, STACK_OF(X509) * sent)
{
    X509 *leaf = sk_X509_value(sent, 0);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    STACK_OF(X509) *trusted = trusted_for(v->p, leaf), *others = sk_X509_dup(sent);
    err_t e = E_NOMEM;
    if (store && c && trusted && others && add_others(v->p, others) &&
        X509_STORE_CTX_init(c, store, leaf, others) == 1) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(c);
        X509_VERIFY_PARAM_set_time(param, (time_t)v->q->wall_s);
        X509_VERIFY_PARAM_set_depth(param, PKI_CHAIN_MAX - 2); /* authorities between */
        X509_STORE_CTX_set0_trusted_stack(c, trusted);
        bool ok = X509_verify_cert(c) == 1;
        e = ok ? E_OK : chain_error(v, c);
        v->chain = ok ? X509_STORE_CTX_get1_chain(c) : NULL;
        e = ok && !v->chain ? E_NOMEM : e;
    }
    X509_STORE_CTX_free(c);
    X509_STORE_free(store);
    sk_X509_free(trusted);
    sk_X509_free(others);
    return e;
}

/* --- what IKE wants besides --- */

/* OpenSSL takes keyUsage alone for an authority; RFC 5280 4.2.1.9 does not. */
static err_t authorities(const struct verify *v)
{
    for (int i = 1; i < sk_X509_num(v->chain); i++) {
        X509 *x = sk_X509_value(v->chain, i);
        if (!(X509_get_extension_flags(x) & EXFLAG_CA))
            return about(v, x, R_CERT_CA, "not an authority, but it issued a certificate",
                         "basicConstraints CA:TRUE", "RFC 5280 6.1.4 (k)");
    }
    return E_OK;
}

/* MD5 and what is older. SHA-1 is for auth to refuse. */
static bool weak_hash(X509 *x)
{
    int md = NID_undef, pk, bits = 0;
    return X509_get_signature_info(x, &md, &pk, &bits, NULL) != 1 || bits < HASH_BITS ||
           md == NID_md2 || md == NID_md4;
}

/* A chain is as good as its weakest part, whoever trusts the root. The root's signature says
 * nothing, but its key signs the next; a pinned certificate stands for itself. */
static err_t strength(const struct verify *v)
{
    int n = sk_X509_num(v->chain);
    char text[64];
    for (int i = 0; n > 1 && i < n; i++) {
        X509 *x = sk_X509_value(v->chain, i);
        EVP_PKEY *key = X509_get0_pubkey(x);
        if (key && EVP_PKEY_get_security_bits(key) < KEY_BITS) {
            snprintf(text, sizeof text, "its key of %d bits is too weak", EVP_PKEY_get_bits(key));
            return about(v, x, R_CERT_POLICY, text, "RSA 1024, a curve of 160 bits, or better",
                         "RFC 8247 3.2");
        }
        if (i + 1 < n && weak_hash(x))
            return about(v, x, R_CERT_POLICY, "the hash of its signature is too weak",
                         "a signature with SHA-256 or better", "RFC 8247 3.2");
    }
    return E_OK;
}

static err_t usage(const struct verify *v)
{
    X509 *leaf = sk_X509_value(v->chain, 0);
    if (X509_get_key_usage(leaf) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION))
        return E_OK; /* without the extension all bits are set */
    return about(v, leaf, R_CERT_USAGE, "its keyUsage does not allow signatures",
                 "keyUsage with digitalSignature or nonRepudiation", "RFC 4945 5.1.3.2");
}

static err_t identity(const struct verify *v)
{
    X509 *leaf = sk_X509_value(v->chain, 0);
    struct pki_why *why = v->why;
    if (cert_has_id(leaf, v->q->id))
        return E_OK;
    struct buf has = {0}, says = {0};
    cert_ids_print(leaf, &has);
    id_print(v->q->id, &says);
    snprintf(why->theirs, sizeof why->theirs, "the certificate is for %s", buf_str(&has));
    snprintf(why->ours, sizeof why->ours, "the identity is %s", buf_str(&says));
    snprintf(why->hint, sizeof why->hint,
             "set local.id at the peer to one of the certificate's names, or issue the certificate "
             "with the subjectAltName %s",
             buf_str(&says));
    buf_free(&has);
    buf_free(&says);
    return why_set(why, R_CERT_ID, "id", "RFC 4945 3.1");
}

static err_t checks(const struct verify *v)
{
    err_t e = authorities(v);
    if (!e)
        e = strength(v);
    if (!e)
        e = chain_revoked(v);
    if (!e)
        e = usage(v);
    if (!e)
        e = identity(v);
    return e ? e : chain_limits(v);
}

err_t pki_verify(const struct pki *p, const struct pki_peer *q, struct cr_key **key,
                 struct pki_why *why)
{
    struct verify v = {.p = p, .q = q, .why = why};
    STACK_OF(X509) *sent = sk_X509_new_null();
    *key = NULL;
    *why = (struct pki_why){0};
    err_t e = sent ? read_sent(p, q, sent, why) : E_NOMEM;
    if (!e && !sk_X509_num(sent))
        e = look_up(p, q, sent, why);
    if (!e)
        e = build_chain(&v, sent);
    if (!e)
        e = checks(&v);
    if (!e)
        e = cr_key_of_cert(sk_X509_value(v.chain, 0), key);
    if (!e && p && q->cert_count)
        seen_put(p->seen, q->cert[0], sk_X509_value(v.chain, 0));
    if (e == (err_t)R_KEY_KIND || (e > 0 && !why->reason))
        e = why_set(why, R_CERT_POLICY, "certificate", "RFC 7427 3");
    sk_X509_pop_free(v.chain, X509_free);
    sk_X509_pop_free(sent, X509_free);
    ERR_clear_error();
    return e;
}
