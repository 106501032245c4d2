/*
 * What a connection limits beyond trust: certs, cacerts, ca_id, and the keys, sizes and hashes of
 * auth = rsa-3072-sha256 and the like; which signature schemes follow from that. swanctl.conf(5).
 */
#include "pki/store.h"
#include "crypto/ossl_sign.h"
#include <openssl/err.h>
#include <stdio.h>

#define CLAUSE "RFC 7427 4"

static bool chain_has(const struct verify *v, const struct conn_cert *list, size_t n, int from,
                      int to)
{
    for (size_t i = 0; i < n; i++) {
        const struct pki_cert *c = store_by_fp(v->p, list[i].fp);
        for (int k = from; c && k < to; k++)
            if (!X509_cmp(c->x, sk_X509_value(v->chain, k)))
                return true;
    }
    return false;
}

static void put_names(const struct conn_cert *list, size_t n, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < size; i++) {
        int k = snprintf(out + at, size - at, "%s%s", i ? ", " : "", list[i].name);
        at += k > 0 ? (size_t)k : 0;
    }
}

static void put_chain(const struct verify *v, int from, char *out, size_t size)
{
    char name[NAME_TEXT];
    size_t at = 0;
    for (int i = from; i < sk_X509_num(v->chain) && at < size; i++) {
        int k = snprintf(out + at, size - at, "%s%s", i > from ? "; " : "",
                         name_text(X509_get_subject_name(sk_X509_value(v->chain, i)), name));
        at += k > 0 ? (size_t)k : 0;
    }
}

static err_t pins(const struct verify *v, const struct conn_pki *c)
{
    struct pki_why *why = v->why;
    int n = sk_X509_num(v->chain);
    if (c->cert_count && !chain_has(v, c->certs, c->cert_count, 0, 1)) {
        put_names(c->certs, c->cert_count, why->ours, sizeof why->ours);
        put_chain(v, 0, why->theirs, sizeof why->theirs);
        snprintf(why->hint, sizeof why->hint, "add the peer's certificate to remote.certs");
        return why_set(why, R_CERT_POLICY, "certs", "RFC 4945 4.1");
    }
    if (c->cacert_count && !chain_has(v, c->cacerts, c->cacert_count, 1, n)) {
        put_names(c->cacerts, c->cacert_count, why->ours, sizeof why->ours);
        put_chain(v, 1, why->theirs, sizeof why->theirs);
        snprintf(why->hint, sizeof why->hint, "add the peer's authority to remote.cacerts");
        return why_set(why, R_CERT_UNTRUSTED, "cacerts", "RFC 4945 4.1");
    }
    return E_OK;
}

static err_t authority_id(const struct verify *v, const struct conn_pki *c)
{
    struct pki_why *why = v->why;
    struct buf b = {0};
    struct id id;
    if (c->ca_id.type == ID_ANY)
        return E_OK;
    for (int i = 1; i < sk_X509_num(v->chain); i++) {
        const unsigned char *der;
        size_t n;
        X509 *x = sk_X509_value(v->chain, i);
        if (cert_has_id(x, &c->ca_id) ||
            (X509_NAME_get0_der(X509_get_subject_name(x), &der, &n) == 1 &&
             id_set(&id, ID_DER_ASN1_DN, bytes_of(der, n)) && id_match(&c->ca_id, &id)))
            return E_OK;
    }
    id_print(&c->ca_id, &b);
    snprintf(why->ours, sizeof why->ours, "%s", buf_str(&b));
    put_chain(v, 1, why->theirs, sizeof why->theirs);
    snprintf(why->hint, sizeof why->hint, "remote.ca_id names an authority of the peer's chain");
    buf_free(&b);
    return why_set(why, R_CERT_UNTRUSTED, "ca_id", "RFC 4945 4.1");
}

/* --- keys and hashes --- */

static const char *const type_names[] = {
    [CR_KEY_RSA] = "rsa",
    [CR_KEY_ECDSA] = "ecdsa",
    [CR_KEY_ED25519] = "ed25519",
    [CR_KEY_ED448] = "ed448",
};
static const char *const hash_names[] = {
    [CR_SIG_SHA1] = "sha1",     [CR_SIG_SHA256] = "sha256",     [CR_SIG_SHA384] = "sha384",
    [CR_SIG_SHA512] = "sha512", [CR_SIG_IDENTITY] = "identity",
};

/* As swanctl.conf writes them. */
static void put_limits(const struct key_limits *l, char *out, size_t size)
{
    struct buf b = {0};
    for (int t = CR_KEY_RSA; t <= CR_KEY_ED448; t++) {
        if (!(l->types & 1u << t))
            continue;
        unsigned bits = t == CR_KEY_RSA ? l->rsa_bits : t == CR_KEY_ECDSA ? l->ecdsa_bits : 0;
        buf_printf(&b, "%s%s%s", b.n ? "-" : "", type_names[t],
                   t == CR_KEY_RSA && l->pss ? "/pss" : "");
        if (bits)
            buf_printf(&b, "-%u", bits);
    }
    if (!b.n)
        buf_puts(&b, "pubkey");
    for (int h = CR_SIG_SHA1; h <= CR_SIG_SHA512; h++)
        if (l->hashes & 1u << h)
            buf_printf(&b, "-%s", hash_names[h]);
    snprintf(out, size, "auth = %s", buf_str(&b));
    buf_free(&b);
}

static bool key_within(const struct key_limits *l, enum cr_key_type type, unsigned bits)
{
    unsigned least = type == CR_KEY_RSA ? l->rsa_bits : type == CR_KEY_ECDSA ? l->ecdsa_bits : 0;
    return (!l->types || (l->types & 1u << type)) && bits >= least;
}

static bool hash_within(const struct key_limits *l, enum cr_sig_hash hash)
{
    return !l->hashes || hash == CR_SIG_IDENTITY || (l->hashes & 1u << hash);
}

static enum cr_sig_hash signature_hash(X509 *x)
{
    int md = NID_undef, pk, bits;
    if (X509_get_signature_info(x, &md, &pk, &bits, NULL) != 1)
        return CR_SIG_NULL;
    return md == NID_sha1     ? CR_SIG_SHA1
           : md == NID_sha256 ? CR_SIG_SHA256
           : md == NID_sha384 ? CR_SIG_SHA384
           : md == NID_sha512 ? CR_SIG_SHA512
           : md == NID_undef  ? CR_SIG_IDENTITY
                              : CR_SIG_NULL;
}

static err_t refuse_key(const struct verify *v, const struct key_limits *l, X509 *x,
                        const char *has)
{
    char name[NAME_TEXT];
    put_limits(l, v->why->ours, sizeof v->why->ours);
    snprintf(v->why->theirs, sizeof v->why->theirs, "%s: %s",
             name_text(X509_get_subject_name(x), name), has);
    snprintf(v->why->hint, sizeof v->why->hint,
             "change remote.auth, or have the certificate issued accordingly");
    return why_set(v->why, R_CERT_POLICY, "auth", CLAUSE);
}

static err_t key_and_hash(const struct verify *v, const struct key_limits *l, X509 *x, bool root)
{
    struct cr_key *key;
    char text[48] = "";
    err_t e = cr_key_of_cert(x, &key);
    if (e < 0)
        return e;
    if (e)
        return refuse_key(v, l, x, "another kind of key");
    const struct cr_key_info *i = cr_key_info(key);
    bool fits = key_within(l, i->type, i->bits);
    cr_key_text(key, text);
    cr_key_unref(key);
    if (!fits)
        return refuse_key(v, l, x, text);
    enum cr_sig_hash h = signature_hash(x);
    if (root || hash_within(l, h))
        return E_OK;
    snprintf(text, sizeof text, "signed with %s", h ? hash_names[h] : "another hash");
    return refuse_key(v, l, x, text);
}

err_t chain_limits(const struct verify *v)
{
    const struct conn_pki *c = v->q->auth->pki;
    int n = sk_X509_num(v->chain);
    if (!c)
        return E_OK;
    err_t e = pins(v, c);
    if (!e)
        e = authority_id(v, c);
    bool any = c->chain.types || c->chain.hashes;
    for (int i = 0; any && !e && i < n; i++)
        e = key_and_hash(v, &c->chain, sk_X509_value(v->chain, i), i == n - 1);
    return e;
}

/* --- signatures of IKE --- */

/* What is said of certificates holds for signatures as well, unless ike: says otherwise. */
static const struct key_limits *ike_limits(const struct conn_auth *auth)
{
    static const struct key_limits none;
    if (!auth->pki)
        return &none;
    const struct key_limits *l = &auth->pki->ike;
    return l->types || l->hashes ? l : &auth->pki->chain;
}

/* IKEv1's schemes have no hash of their own: that is the proposal's. */
static bool scheme_within(const struct key_limits *l, const struct cr_key *key, enum cr_scheme s)
{
    const struct cr_scheme_info *i = cr_scheme(s);
    bool hash =
        !i->hash || (hash_within(l, i->hash) && (!l->pss || i->type != CR_KEY_RSA || i->pss));
    return hash && key_within(l, i->type, cr_key_info(key)->bits);
}

err_t pki_scheme_check(const struct conn_auth *auth, const struct cr_key *key, enum cr_scheme s,
                       struct pki_why *why)
{
    char text[24];
    const struct key_limits *l = ike_limits(auth);
    *why = (struct pki_why){0};
    if (scheme_within(l, key, s))
        return E_OK;
    put_limits(l, why->ours, sizeof why->ours);
    snprintf(why->theirs, sizeof why->theirs, "%s with a key of %s", cr_scheme(s)->name,
             cr_key_text(key, text));
    snprintf(why->hint, sizeof why->hint, "change remote.auth here or local.auth at the peer");
    return why_set(why, R_AUTH_METHOD, "auth", CLAUSE);
}

/* As strong as the key: NIST SP 800-57 5.6.1. */
static enum cr_sig_hash hash_for(const struct cr_key_info *i)
{
    unsigned strong = i->type == CR_KEY_RSA ? 7680 : 512,
             middle = i->type == CR_KEY_RSA ? 3072 : 256;
    return i->bits > strong ? CR_SIG_SHA512 : i->bits > middle ? CR_SIG_SHA384 : CR_SIG_SHA256;
}

/* 0: not at all. SHA-1 only where auth names it: RFC 8247 3.2. */
static int rank_of(enum cr_scheme s, const struct key_limits *l, const struct cr_key *key,
                   uint32_t peer_hashes)
{
    enum cr_sig_hash hash = cr_scheme(s)->hash;
    bool weak = hash == CR_SIG_SHA1 && !(l->hashes & 1u << CR_SIG_SHA1);
    if (!cr_scheme_algid(s).n || weak || !(peer_hashes & 1u << hash) || !cr_scheme_fits(s, key) ||
        !scheme_within(l, key, s))
        return 0;
    return hash == hash_for(cr_key_info(key)) ? 3 : hash == CR_SIG_SHA1 ? 1 : 2;
}

enum cr_scheme pki_scheme_pick(const struct conn_auth *auth, const struct cr_key *key,
                               uint32_t peer_hashes)
{
    const struct key_limits *l = ike_limits(auth);
    enum cr_scheme pick = CR_SCHEME_NONE;
    int best = 0;
    for (int s = CR_SCHEME_NONE + 1; s < CR_SCHEME_COUNT; s++) {
        int rank = rank_of((enum cr_scheme)s, l, key, peer_hashes);
        if (rank <= best)
            continue;
        pick = (enum cr_scheme)s;
        best = rank;
    }
    return pick;
}
