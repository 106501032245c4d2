/*
 * Signing and verifying: RFC 8017 8, RFC 2409 5.1, RFC 4754, RFC 7427, RFC 8420. The IKE engine's
 * jobs call it, from any thread. A context holds nothing that two operations share.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "crypto/ossl_sign.h"
#include <stdlib.h>

#define DIGEST_MAX CR_HASH_MAX

static const EVP_MD *md_of(enum cr_scheme s)
{
    switch (cr_scheme(s)->hash) {
    case CR_SIG_SHA1:
        return EVP_sha1();
    case CR_SIG_SHA256:
        return EVP_sha256();
    case CR_SIG_SHA384:
        return EVP_sha384();
    case CR_SIG_SHA512:
        return EVP_sha512();
    case CR_SIG_NULL:
    case CR_SIG_IDENTITY:
        break;
    }
    return NULL;
}

bool cr_scheme_fits(enum cr_scheme s, const struct cr_key *k)
{
    const struct cr_scheme_info *i = cr_scheme(s);
    return i->type && i->type == cr_key_info(k)->type &&
           (!i->bits || i->bits == cr_key_info(k)->bits);
}

static bool is_eddsa(enum cr_scheme s)
{
    return cr_scheme(s)->hash == CR_SIG_IDENTITY;
}

/* Of the schemes where the caller hashed, that is the digest; else what is to be hashed. */
static err_t digest_of(enum cr_scheme s, const struct bytes *parts, size_t n,
                       uint8_t out[DIGEST_MAX], size_t *len)
{
    const EVP_MD *md = md_of(s);
    if (!md) {
        *len = n == 1 ? parts[0].n : 0;
        if (!*len || *len > DIGEST_MAX)
            return E_USAGE;
        memcpy(out, parts[0].p, *len);
        return E_OK;
    }
    unsigned written = 0;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestInit_ex2(c, md, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = !parts[i].n || EVP_DigestUpdate(c, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(c, out, &written) == 1;
    EVP_MD_CTX_free(c);
    *len = written;
    return ok ? E_OK : E_CRYPTO;
}

/* EdDSA reads its text twice (RFC 8032 5.1.6), so it must lie in one piece. */
static uint8_t *joined(const struct bytes *parts, size_t n, size_t *len)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        total += parts[i].n;
    uint8_t *text = malloc(total ? total : 1);
    for (size_t i = 0; text && i < n; at += parts[i++].n)
        if (parts[i].n)
            memcpy(text + at, parts[i].p, parts[i].n);
    *len = total;
    return text;
}

static bool rsa_ready(EVP_PKEY_CTX *c, enum cr_scheme s, int salt)
{
    const EVP_MD *md = md_of(s);
    if (cr_scheme(s)->type != CR_KEY_RSA)
        return true;
    bool pss = cr_scheme(s)->pss;
    return EVP_PKEY_CTX_set_rsa_padding(c, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
           (!md || EVP_PKEY_CTX_set_signature_md(c, md) == 1) &&
           (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(c, salt) == 1);
}

/* RFC 4754 3, 7: r | s, each as long as the curve's order. */
static bool is_plain_ecdsa(enum cr_scheme s)
{
    return cr_scheme(s)->type == CR_KEY_ECDSA && !cr_scheme_algid(s).n;
}

static size_t half_len(const struct cr_key *k)
{
    return (cr_key_info(k)->bits + 7u) / 8;
}

static bool plain_of_der(uint8_t *sig, size_t *len, size_t half)
{
    const uint8_t *p = sig;
    ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &p, (long)*len);
    bool ok = es && BN_bn2binpad(ECDSA_SIG_get0_r(es), sig, (int)half) == (int)half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(es), sig + half, (int)half) == (int)half;
    ECDSA_SIG_free(es);
    *len = 2 * half;
    return ok;
}

#define ECDSA_DER_MAX 160

/* Its length; 0: not a signature. */
static size_t der_of_plain(struct bytes sig, size_t half, uint8_t out[ECDSA_DER_MAX])
{
    if (sig.n != 2 * half)
        return 0;
    ECDSA_SIG *es = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig.p, (int)half, NULL), *s = BN_bin2bn(sig.p + half, (int)half, NULL);
    int n = 0;
    if (es && r && s && ECDSA_SIG_set0(es, r, s) == 1) {
        r = s = NULL;
        n = i2d_ECDSA_SIG(es, NULL);
        n = n > 0 && n <= ECDSA_DER_MAX ? i2d_ECDSA_SIG(es, &out) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(es);
    return n > 0 ? (size_t)n : 0;
}

static err_t sign_digest(const struct cr_key *k, enum cr_scheme s, const struct bytes *parts,
                         size_t n, uint8_t *sig, size_t *len)
{
    uint8_t digest[DIGEST_MAX];
    size_t digest_len;
    err_t e = digest_of(s, parts, n, digest, &digest_len);
    if (e)
        return e;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, cr_key_pkey(k), NULL);
    *len = CR_SIG_MAX;
    bool ok = c && EVP_PKEY_sign_init(c) == 1 && rsa_ready(c, s, RSA_PSS_SALTLEN_DIGEST) &&
              EVP_PKEY_sign(c, sig, len, digest, digest_len) == 1 &&
              (!is_plain_ecdsa(s) || plain_of_der(sig, len, half_len(k)));
    EVP_PKEY_CTX_free(c);
    return ok ? E_OK : E_CRYPTO;
}

static err_t sign_text(const struct cr_key *k, const struct bytes *parts, size_t n, uint8_t *sig,
                       size_t *len)
{
    size_t text_len;
    uint8_t *text = joined(parts, n, &text_len);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    *len = CR_SIG_MAX;
    bool ok = text && c && EVP_DigestSignInit(c, NULL, NULL, NULL, cr_key_pkey(k)) == 1 &&
              EVP_DigestSign(c, sig, len, text, text_len) == 1;
    EVP_MD_CTX_free(c);
    free(text);
    return ok ? E_OK : E_CRYPTO;
}

err_t cr_sign(const struct cr_key *k, enum cr_scheme s, const struct bytes *parts, size_t n,
              uint8_t sig[CR_SIG_MAX], size_t *len)
{
    if (!cr_key_info(k)->secret || !cr_scheme_fits(s, k))
        return E_USAGE;
    err_t e =
        is_eddsa(s) ? sign_text(k, parts, n, sig, len) : sign_digest(k, s, parts, n, sig, len);
    ERR_clear_error();
    return e;
}

static bool digest_holds(const struct cr_key *k, enum cr_scheme s, struct bytes digest,
                         struct bytes sig)
{
    uint8_t der[ECDSA_DER_MAX];
    if (is_plain_ecdsa(s)) {
        size_t n = der_of_plain(sig, half_len(k), der);
        sig = bytes_of(der, n);
    }
    EVP_PKEY_CTX *c = sig.n ? EVP_PKEY_CTX_new_from_pkey(NULL, cr_key_pkey(k), NULL) : NULL;
    bool ok = c && EVP_PKEY_verify_init(c) == 1 && rsa_ready(c, s, RSA_PSS_SALTLEN_AUTO) &&
              EVP_PKEY_verify(c, sig.p, sig.n, digest.p, digest.n) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static bool text_holds(const struct cr_key *k, const struct bytes *parts, size_t n,
                       struct bytes sig)
{
    size_t text_len;
    uint8_t *text = joined(parts, n, &text_len);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = text && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, cr_key_pkey(k)) == 1 &&
              EVP_DigestVerify(c, sig.p, sig.n, text, text_len) == 1;
    EVP_MD_CTX_free(c);
    free(text);
    return ok;
}

err_t cr_verify(const struct cr_key *k, enum cr_scheme s, const struct bytes *parts, size_t n,
                struct bytes sig)
{
    uint8_t digest[DIGEST_MAX];
    size_t len;
    bool ok = false;
    if (!cr_scheme_fits(s, k) || !sig.n || sig.n > CR_SIG_MAX)
        return R_SIGNATURE;
    if (is_eddsa(s)) {
        ok = text_holds(k, parts, n, sig);
    } else {
        err_t e = digest_of(s, parts, n, digest, &len);
        if (e)
            return e;
        ok = digest_holds(k, s, bytes_of(digest, len), sig);
    }
    ERR_clear_error();
    return ok ? E_OK : R_SIGNATURE;
}
