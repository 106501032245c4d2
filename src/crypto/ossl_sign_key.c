/*
 * Public and private keys from files, VICI and certificates, decoded once: RFC 5208, RFC 5915, RFC
 * 8017 appendix A, RFC 7468. Called by pki, config and the daemon.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/ossl_sign.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct cr_key {
    atomic_uint refs;
    struct cr_key_info info;
    EVP_PKEY *pkey;
};

#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX (CR_SIG_MAX * 8)

static uint16_t curve_bits(const EVP_PKEY *pkey)
{
    static const struct {
        const char *name;
        uint16_t bits;
    } curves[] = {{"prime256v1", 256}, {"secp384r1", 384}, {"secp521r1", 521}};
    char name[64];
    if (EVP_PKEY_get_group_name(pkey, name, sizeof name, NULL) != 1)
        return 0;
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (!strcmp(name, curves[i].name))
            return curves[i].bits;
    return 0;
}

static bool describe(EVP_PKEY *pkey, struct cr_key_info *info)
{
    int bits = EVP_PKEY_get_bits(pkey);
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
        info->type = CR_KEY_RSA;
        info->bits = (uint16_t)bits;
        return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    case EVP_PKEY_EC:
        info->type = CR_KEY_ECDSA;
        info->bits = curve_bits(pkey);
        return info->bits != 0;
    case EVP_PKEY_ED25519:
        info->type = CR_KEY_ED25519;
        info->bits = 256;
        return true;
    case EVP_PKEY_ED448:
        info->type = CR_KEY_ED448;
        info->bits = 456;
        return true;
    default:
        return false;
    }
}

static err_t hash_ids(X509_PUBKEY *pub, struct cr_key_info *info)
{
    const unsigned char *bits;
    unsigned char *spki = NULL;
    int bits_len, spki_len = i2d_X509_PUBKEY(pub, &spki);
    err_t e = E_CRYPTO;
    if (spki_len > 0 && X509_PUBKEY_get0_param(NULL, &bits, &bits_len, NULL, pub) == 1 &&
        EVP_Digest(spki, (size_t)spki_len, info->spki, NULL, EVP_sha1(), NULL) == 1 &&
        EVP_Digest(bits, (size_t)bits_len, info->id, NULL, EVP_sha1(), NULL) == 1)
        e = E_OK;
    OPENSSL_free(spki);
    return e;
}

static err_t key_new(EVP_PKEY *pkey, X509_PUBKEY *pub, bool secret, struct cr_key **out)
{
    struct cr_key_info info = {.secret = secret};
    if (!describe(pkey, &info))
        return R_KEY_KIND;
    err_t e = hash_ids(pub, &info);
    if (e)
        return e;
    struct cr_key *k = calloc(1, sizeof *k);
    if (!k)
        return E_NOMEM;
    k->refs = 1;
    k->info = info;
    k->pkey = pkey;
    EVP_PKEY_up_ref(pkey);
    *out = k;
    return E_OK;
}

err_t cr_key_of_pkey(EVP_PKEY *pkey, bool secret, struct cr_key **out)
{
    X509_PUBKEY *pub = NULL;
    *out = NULL;
    err_t e = X509_PUBKEY_set(&pub, pkey) == 1 ? key_new(pkey, pub, secret, out) : R_KEY_KIND;
    X509_PUBKEY_free(pub);
    return e;
}

err_t cr_key_of_cert(X509 *x, struct cr_key **out)
{
    X509_PUBKEY *pub = X509_get_X509_PUBKEY(x);
    EVP_PKEY *pkey = X509_get0_pubkey(x);
    *out = NULL;
    return pkey ? key_new(pkey, pub, false, out) : R_KEY_KIND;
}

/* The reference is the new key's, or nobody's. */
static err_t taken(EVP_PKEY *pkey, bool secret, struct cr_key **out)
{
    ERR_clear_error();
    if (!pkey)
        return R_KEY_SYNTAX;
    err_t e = cr_key_of_pkey(pkey, secret, out);
    EVP_PKEY_free(pkey);
    return e;
}

err_t cr_key_public(struct bytes spki, struct cr_key **out)
{
    const uint8_t *p = spki.p;
    *out = NULL;
    EVP_PKEY *pkey = spki.n && spki.n < 65536 ? d2i_PUBKEY(NULL, &p, (long)spki.n) : NULL;
    return taken(pkey, false, out);
}

static bool is_pem(struct bytes data)
{
    return data.n > 10 && memmem(data.p, data.n, "-----BEGIN", 10);
}

err_t cr_key_public_file(struct bytes data, struct cr_key **out)
{
    *out = NULL;
    if (!data.n || data.n > 65535)
        return R_KEY_SYNTAX;
    const uint8_t *p = data.p;
    if (!is_pem(data)) {
        EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)data.n);
        p = data.p;
        return taken(pkey ? pkey : d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)data.n), false, out);
    }
    BIO *bio = BIO_new_mem_buf(data.p, (int)data.n);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return bio ? taken(pkey, false, out) : E_NOMEM;
}

struct phrase {
    struct bytes pass;
    bool asked;
};

/* Without it OpenSSL would ask at the terminal. */
static int give_phrase(char *buf, int size, int writing, void *ctx)
{
    struct phrase *ph = ctx;
    (void)writing;
    ph->asked = true;
    if (!ph->pass.n || size < 0 || ph->pass.n > (size_t)size)
        return -1;
    memcpy(buf, ph->pass.p, ph->pass.n);
    return (int)ph->pass.n;
}

static EVP_PKEY *decode_private(BIO *bio, struct bytes data, struct phrase *ph)
{
    if (is_pem(data))
        return PEM_read_bio_PrivateKey(bio, NULL, give_phrase, ph);
    const uint8_t *p = data.p;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &p, (long)data.n);
    return pkey ? pkey : d2i_PKCS8PrivateKey_bio(bio, NULL, give_phrase, ph);
}

err_t cr_key_private(struct bytes data, struct bytes pass, struct cr_key **out)
{
    struct phrase ph = {.pass = pass};
    *out = NULL;
    if (!data.n || data.n > 65535)
        return R_KEY_SYNTAX;
    BIO *bio = BIO_new_mem_buf(data.p, (int)data.n);
    if (!bio)
        return E_NOMEM;
    EVP_PKEY *pkey = decode_private(bio, data, &ph);
    BIO_free(bio);
    err_t e = taken(pkey, true, out);
    return e == (err_t)R_KEY_SYNTAX && ph.asked ? (err_t)R_KEY_LOCKED : e;
}

struct cr_key *cr_key_ref(const struct cr_key *k)
{
    struct cr_key *own = (struct cr_key *)(uintptr_t)k;
    atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void cr_key_unref(struct cr_key *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

const struct cr_key_info *cr_key_info(const struct cr_key *k)
{
    return &k->info;
}

EVP_PKEY *cr_key_pkey(const struct cr_key *k)
{
    return k->pkey;
}

bool cr_key_pair(const struct cr_key *a, const struct cr_key *b)
{
    return a->info.type == b->info.type && EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

const char *cr_key_text(const struct cr_key *k, char out[24])
{
    if (k->info.type == CR_KEY_ED25519 || k->info.type == CR_KEY_ED448)
        snprintf(out, 24, "%s", k->info.type == CR_KEY_ED448 ? "Ed448" : "Ed25519");
    else
        snprintf(out, 24, "%s %u", k->info.type == CR_KEY_RSA ? "RSA" : "ECDSA", k->info.bits);
    return out;
}
