/*
 * Fetches OpenSSL's algorithms once and keeps contexts per thread. Called by init.c. All that
 * a default may use is in OpenSSL's default provider; a provider configuration (FIPS) that lacks
 * one is reported by name.
 */
#include <openssl/evp.h>

#include "crypto/ossl.h"
#include <pthread.h>
#include <stdlib.h>

struct ossl_algs ossl;

const char *const ossl_digests[OM_HASHES] = {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"};

static pthread_key_t tls_key;
static bool tls_ready;

static void tls_free(void *p)
{
    struct ossl_tls *t = p;
    if (!t)
        return;
    for (int k = 0; k < OM_COUNT; k++)
        ossl_mac_free(&t->mac[k]);
    for (int c = 0; c < OX_COUNT; c++)
        EVP_PKEY_CTX_free(t->xdh[c]);
    EVP_MD_CTX_free(t->md);
    ossl_keys_fini(&t->keys);
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
    t->keys.cipher = EVP_CIPHER_CTX_new();
    bool ok = cbc_mac_new(&t->keys.ccm, CBC_MAC_PLAIN);
    if (!ok || !t->md || !t->keys.cipher || pthread_setspecific(tls_key, t) != 0) {
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

EVP_PKEY_CTX *ossl_tls_xdh(enum ossl_curve c)
{
    static const char *const names[OX_COUNT] = {"X25519", "X448"};
    struct ossl_tls *t = ossl_tls_get();
    if (t && !t->xdh[c])
        t->xdh[c] = EVP_PKEY_CTX_new_from_name(NULL, names[c], NULL);
    return t ? t->xdh[c] : NULL;
}

/* Makes the calling thread's HMAC contexts, which shows whether every hash is there. */
static err_t fetch_hashes(const char **what)
{
    *what = "HMAC";
    ossl.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (!ossl.hmac)
        return E_NOTSUP;
    for (int h = 0; h < OM_HASHES; h++) {
        *what = ossl_digests[h];
        if (!ossl_tls_mac((enum ossl_mac_kind)h))
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
    err_t e = ossl_ciphers_init(what);
    ossl.aes128_cbc = ossl_cipher(alg_find(T_ENCR, ENCR_AES_CBC, 128));
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
    ossl_ciphers_fini();
    EVP_MAC_free(ossl.hmac);
    EVP_MD_free(ossl.sha1);
    ossl = (struct ossl_algs){0};
}
