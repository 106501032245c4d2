/*
 * Fetches OpenSSL's algorithms once and keeps contexts per thread. Called by init.c. All that
 * culvert needs is in OpenSSL's default provider; a provider configuration (FIPS) that lacks one is
 * reported by name.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/ossl.h"
#include <pthread.h>
#include <stdlib.h>

struct ossl_algs ossl;

static const char *const digests[OH_COUNT] = {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"};

static pthread_key_t tls_key;
static bool tls_ready;

static void tls_free(void *p)
{
    struct ossl_tls *t = p;
    if (!t)
        return;
    for (int h = 0; h < OH_COUNT; h++)
        EVP_MAC_CTX_free(t->hmac[h]);
    for (int c = 0; c < OX_COUNT; c++)
        EVP_PKEY_CTX_free(t->xdh[c]);
    EVP_MD_CTX_free(t->md);
    EVP_CIPHER_CTX_free(t->cipher);
    secret_wipe(t, sizeof *t);
    free(t);
}

struct ossl_tls *ossl_tls_get(void)
{
    struct ossl_tls *t = tls_ready ? pthread_getspecific(tls_key) : NULL;
    if (t || !tls_ready)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->md = EVP_MD_CTX_new();
    t->cipher = EVP_CIPHER_CTX_new();
    if (!t->md || !t->cipher || pthread_setspecific(tls_key, t) != 0) {
        tls_free(t);
        return NULL;
    }
    return t;
}

/* Parent and child must not hand out the same random bytes. */
static void after_fork(void)
{
    struct ossl_tls *t = tls_ready ? pthread_getspecific(tls_key) : NULL;
    if (t)
        t->pool_left = 0;
}

EVP_MAC_CTX *ossl_hmac_new(enum ossl_hash h)
{
    char name[16];
    memcpy(name, digests[h], strlen(digests[h]) + 1);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(ossl.hmac);
    if (c && EVP_MAC_CTX_set_params(c, params) != 1) {
        EVP_MAC_CTX_free(c);
        return NULL;
    }
    return c;
}

EVP_MAC_CTX *ossl_tls_hmac(enum ossl_hash h)
{
    struct ossl_tls *t = ossl_tls_get();
    if (t && !t->hmac[h])
        t->hmac[h] = ossl_hmac_new(h);
    return t ? t->hmac[h] : NULL;
}

EVP_PKEY_CTX *ossl_tls_xdh(enum ossl_curve c)
{
    static const char *const names[OX_COUNT] = {"X25519", "X448"};
    struct ossl_tls *t = ossl_tls_get();
    if (t && !t->xdh[c])
        t->xdh[c] = EVP_PKEY_CTX_new_from_name(NULL, names[c], NULL);
    return t ? t->xdh[c] : NULL;
}

int ossl_hash_of_prf(uint16_t prf_id)
{
    switch (prf_id) {
    case PRF_HMAC_MD5:
        return OH_MD5;
    case PRF_HMAC_SHA1:
        return OH_SHA1;
    case PRF_HMAC_SHA2_256:
        return OH_SHA256;
    case PRF_HMAC_SHA2_384:
        return OH_SHA384;
    case PRF_HMAC_SHA2_512:
        return OH_SHA512;
    default:
        return -1;
    }
}

int ossl_hash_of_integ(uint16_t integ_id)
{
    const struct alg *prf = alg_prf_of_integ(integ_id);
    return prf ? ossl_hash_of_prf(prf->id) : -1;
}

EVP_CIPHER *ossl_cipher(const struct alg *encr)
{
    size_t size = encr->key_bits ? (size_t)(encr->key_bits - 128) / 64 : 0;
    switch (encr->id) {
    case ENCR_AES_CBC:
        return ossl.aes_cbc[size];
    case ENCR_AES_GCM_8:
    case ENCR_AES_GCM_12:
    case ENCR_AES_GCM_16:
        return ossl.aes_gcm[size];
    case ENCR_CHACHA20_POLY1305:
        return ossl.chacha;
    case ENCR_3DES:
        return ossl.des3;
    default:
        return NULL;
    }
}

static err_t fetch_ciphers(const char **what)
{
    const struct {
        EVP_CIPHER **to;
        const char *name;
    } want[] = {
        {&ossl.aes_cbc[0], "AES-128-CBC"},   {&ossl.aes_cbc[1], "AES-192-CBC"},
        {&ossl.aes_cbc[2], "AES-256-CBC"},   {&ossl.aes_gcm[0], "AES-128-GCM"},
        {&ossl.aes_gcm[1], "AES-192-GCM"},   {&ossl.aes_gcm[2], "AES-256-GCM"},
        {&ossl.chacha, "ChaCha20-Poly1305"}, {&ossl.des3, "DES-EDE3-CBC"},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        *what = want[i].name;
        *want[i].to = EVP_CIPHER_fetch(NULL, want[i].name, NULL);
        if (!*want[i].to)
            return E_NOTSUP;
    }
    return E_OK;
}

/* Makes the calling thread's HMAC contexts, which shows whether every hash is there. */
static err_t fetch_hashes(const char **what)
{
    *what = "HMAC";
    ossl.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (!ossl.hmac)
        return E_NOTSUP;
    for (int h = 0; h < OH_COUNT; h++) {
        *what = digests[h];
        if (!ossl_tls_hmac((enum ossl_hash)h))
            return E_NOTSUP;
    }
    *what = "SHA1";
    ossl.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    return ossl.sha1 ? E_OK : E_NOTSUP;
}

err_t ossl_init(const char **what)
{
    static bool fork_known;
    *what = "thread-local storage";
    if (!fork_known && pthread_atfork(NULL, NULL, after_fork) != 0)
        return E_SYS;
    fork_known = true;
    if (!tls_ready && pthread_key_create(&tls_key, tls_free) != 0)
        return E_SYS;
    tls_ready = true;
    err_t e = fetch_ciphers(what);
    if (!e)
        e = fetch_hashes(what);
    if (!e) {
        *what = "MODP groups";
        e = ossl_modp_init();
    }
    if (!e) {
        *what = "ECP groups";
        e = ossl_ecp_init();
    }
    return e;
}

void ossl_fini(void)
{
    if (!tls_ready)
        return;
    tls_free(pthread_getspecific(tls_key));
    pthread_key_delete(tls_key);
    tls_ready = false;
    ossl_modp_fini();
    ossl_ecp_fini();
    for (int i = 0; i < 3; i++) {
        EVP_CIPHER_free(ossl.aes_cbc[i]);
        EVP_CIPHER_free(ossl.aes_gcm[i]);
    }
    EVP_CIPHER_free(ossl.chacha);
    EVP_CIPHER_free(ossl.des3);
    EVP_MAC_free(ossl.hmac);
    EVP_MD_free(ossl.sha1);
    ossl = (struct ossl_algs){0};
}
