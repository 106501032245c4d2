/*
 * Signature methods of AUTH: RFC 7296 3.8 (RSA), RFC 4754 (ECDSA as r | s with the hash of the
 * curve), RFC 7427 (AlgorithmIdentifier and signature). Which one we use follows from our key and
 * from what the peer's SIGNATURE_HASH_ALGORITHMS says; called by auth.c.
 */
#include "ike/v2/v2.h"

/* RFC 7427 4, RFC 8420 2: what we verify. SHA-1 is taken only where no method 14 is spoken. */
#define HASHES                                                                                     \
    (1u << HASH_SHA2_256 | 1u << HASH_SHA2_384 | 1u << HASH_SHA2_512 | 1u << HASH_IDENTITY)

void v2_put_hashes(struct v2_build *b)
{
    payload_begin(&b->c, PL_NOTIFY);
    notify_write_plain(&b->w, N_SIGNATURE_HASH_ALGORITHMS, bytes_of(NULL, 0));
    hash_numbers_write(&b->w, HASHES);
    payload_end(&b->c);
}

static const struct {
    uint8_t method;
    enum cr_scheme scheme[SIG_SCHEMES_MAX];
} rows[] = {
    /* 3.8: SHA-1 is the default, a peer may use what it believes us to know */
    {AM_RSA, {CR_RSA_SHA1, CR_RSA_SHA256, CR_RSA_SHA384, CR_RSA_SHA512}},
    {AM_ECDSA_256, {CR_ECDSA_P256}},
    {AM_ECDSA_384, {CR_ECDSA_P384}},
    {AM_ECDSA_521, {CR_ECDSA_P521}},
};

/* --- ours --- */

static err_t no_common(struct ike *e, struct v2_sa *v, const struct conn *c,
                       const struct sig_own *own, uint32_t hashes)
{
    char key[24];
    struct refusal r = {
        .reason = R_AUTH_METHOD,
        .what = "auth",
        .ours = ike_strf(e, "a key of the kind %s", cr_key_text(own->o.key, key)),
        .theirs =
            hashes ? "hash algorithms that it cannot be used with" : "no signatures of RFC 7427",
        .hint = ike_strf(e,
                         "use an RSA or ECDSA key for connections.%s.local, or a peer that knows "
                         "RFC 7427 with this kind of key",
                         c->name),
        .clause = "RFC 7427 4",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

/* Without RFC 7427, or a hash that both have: the methods of old. */
static bool old_method(const struct cr_key *k, struct v2_auth *out)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (cr_scheme_fits(rows[i].scheme[0], k)) {
            out->method = rows[i].method;
            out->scheme = rows[i].scheme[0];
            return true;
        }
    }
    return false;
}

err_t v2_scheme_choose(struct ike *e, struct v2_sa *v, const struct conn *c,
                       const struct sig_own *own, uint32_t hashes, struct v2_auth *out)
{
    out->scheme = hashes ? pki_scheme_pick(&c->auth_local, own->o.key, hashes) : CR_SCHEME_NONE;
    if (out->scheme) {
        out->method = AM_SIGNATURE;
        return E_OK;
    }
    return old_method(own->o.key, out) ? E_OK : no_common(e, v, c, own, hashes);
}

/* --- the peer's --- */

static err_t unknown(struct ike *e, struct v2_sa *v, const struct conn *c, const struct auth *a,
                     enum cr_scheme s)
{
    struct refusal r = {
        .reason = R_AUTH_METHOD,
        .what = "auth",
        .ours = "RSA or ECDSA, or RFC 7427 with SHA-256, SHA-384, SHA-512 or EdDSA",
        .theirs = s ? cr_scheme(s)->name : auth_method_name(a->method),
        .clause = "RFC 7427 3",
    };
    ike_refused(e, &v->sa, &r);
    if (!e->evidence->conn)
        e->evidence->conn = ike_str(e, c->name);
    return r.reason;
}

static err_t algorithm(struct ike *e, struct v2_sa *v, const struct conn *c, const struct auth *a,
                       struct sig_claim *out)
{
    struct auth_signature s;
    err_t err = auth_signature_parse(a->data, &s);
    if (err)
        return err;
    enum cr_scheme scheme = cr_scheme_of_algid(s.algorithm);
    if (!scheme || !(HASHES & 1u << cr_scheme(scheme)->hash))
        return unknown(e, v, c, a, scheme);
    out->scheme[0] = scheme;
    out->schemes = 1;
    out->signature = s.signature;
    return E_OK;
}

err_t v2_schemes_of(struct ike *e, struct v2_sa *v, const struct conn *c, const struct auth *a,
                    struct sig_claim *out)
{
    if (a->method == AM_SIGNATURE)
        return algorithm(e, v, c, a, out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].method != a->method)
            continue;
        memcpy(out->scheme, rows[i].scheme, sizeof out->scheme);
        while (out->schemes < SIG_SCHEMES_MAX && out->scheme[out->schemes])
            out->schemes++;
        out->signature = a->data;
        return E_OK;
    }
    return unknown(e, v, c, a, CR_SCHEME_NONE);
}
