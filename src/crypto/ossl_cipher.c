/*
 * Rows of the algorithm table to OpenSSL's ciphers, fetched when first asked for. Blowfish and CAST
 * are in OpenSSL's legacy provider, which is loaded with the first of them and not before. Called
 * by ossl_msg.c, ossl_esp.c, ossl_v1.c.
 */
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "crypto/ossl.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ROWS 128

static _Atomic(EVP_CIPHER *) fetched[ROWS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static OSSL_PROVIDER *legacy;

/* The cipher under a row: CCM is put together from CTR and CBC-MAC (ossl_ccm.c), a single DES is
 * three with the same key. */
static const char *name_of(const struct alg *encr)
{
    switch (encr->id) {
    case ENCR_AES_CBC:
        return "AES-%u-CBC";
    case ENCR_CAMELLIA_CBC:
        return "CAMELLIA-%u-CBC";
    case ENCR_DES:
    case ENCR_3DES:
        return "DES-EDE3-CBC";
    case ENCR_BLOWFISH:
        return "BF-CBC";
    case ENCR_CAST:
        return "CAST5-CBC";
    default:
        break;
    }
    switch (encr->mode) {
    case MODE_CTR:
    case MODE_CCM:
        return ossl_is_camellia(encr) ? "CAMELLIA-%u-CTR" : "AES-%u-CTR";
    case MODE_GCM:
    case MODE_GMAC:
        return "AES-%u-GCM";
    case MODE_CHACHA:
        return "ChaCha20-Poly1305";
    default:
        return NULL;
    }
}

bool ossl_is_camellia(const struct alg *encr)
{
    return encr->id >= ENCR_CAMELLIA_CBC && encr->id <= ENCR_CAMELLIA_CCM_16;
}

static bool is_legacy(const struct alg *encr)
{
    return encr->id == ENCR_BLOWFISH || encr->id == ENCR_CAST;
}

/* Keeping the default provider, which loading another would take away otherwise. */
static void need_legacy(void)
{
    if (!legacy)
        legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static EVP_CIPHER *fetch(const struct alg *encr, const char *format)
{
    char name[32];
    snprintf(name, sizeof name, format, encr->key_bits);
    if (is_legacy(encr))
        need_legacy();
    return EVP_CIPHER_fetch(NULL, name, NULL);
}
#pragma GCC diagnostic pop

EVP_CIPHER *ossl_cipher(const struct alg *encr)
{
    _Atomic(EVP_CIPHER *) *slot = &fetched[encr - alg_table];
    EVP_CIPHER *c = atomic_load_explicit(slot, memory_order_acquire);
    const char *format = c ? NULL : name_of(encr);
    if (!format)
        return c;
    pthread_mutex_lock(&lock);
    c = atomic_load(slot);
    if (!c) {
        c = fetch(encr, format);
        atomic_store_explicit(slot, c, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return c;
}

EVP_CIPHER *ossl_mac_cipher(const struct alg *ccm)
{
    return ossl_cipher(
        alg_find(T_ENCR, ossl_is_camellia(ccm) ? ENCR_CAMELLIA_CBC : ENCR_AES_CBC, ccm->key_bits));
}

bool ossl_has_cipher(const struct alg *encr)
{
    if (encr->id == ENCR_NULL || encr->id == ENCR_RC5)
        return true;
    return ossl_cipher(encr) && (encr->mode != MODE_CCM || ossl_mac_cipher(encr));
}

bool cr_has(const struct alg *a)
{
    return a->type != T_ENCR || ossl_has_cipher(a);
}

bool ossl_cipher_key(EVP_CIPHER_CTX *c, const struct alg *encr, const uint8_t *key,
                     const uint8_t *iv, bool encrypt)
{
    EVP_CIPHER *cipher = ossl_cipher(encr);
    uint8_t thrice[24];
    if (!cipher || encr->id != ENCR_DES)
        return cipher && EVP_CipherInit_ex2(c, cipher, NULL, NULL, encrypt, NULL) == 1 &&
               (EVP_CIPHER_CTX_get_key_length(c) == encr->key_len ||
                EVP_CIPHER_CTX_set_key_length(c, encr->key_len) == 1) &&
               EVP_CipherInit_ex2(c, NULL, key, iv, encrypt, NULL) == 1;
    for (size_t i = 0; i < sizeof thrice; i++)
        thrice[i] = key[i % 8];
    bool ok = EVP_CipherInit_ex2(c, cipher, thrice, iv, encrypt, NULL) == 1;
    secret_wipe(thrice, sizeof thrice);
    return ok;
}

/* What every configuration may use unasked is fetched at start; the rest when it is named. */
err_t ossl_ciphers_init(const char **what)
{
    for (size_t i = 0; i < alg_count; i++) {
        const struct alg *a = &alg_table[i];
        *what = a->name;
        if (a->type == T_ENCR && (a->ike <= ST_SHOULD || a->esp <= ST_SHOULD) &&
            !ossl_has_cipher(a))
            return E_NOTSUP;
    }
    return E_OK;
}

void ossl_ciphers_fini(void)
{
    for (size_t i = 0; i < ROWS; i++)
        EVP_CIPHER_free(atomic_exchange(&fetched[i], NULL));
    if (legacy)
        OSSL_PROVIDER_unload(legacy);
    legacy = NULL;
}
