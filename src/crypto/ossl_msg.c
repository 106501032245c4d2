/*
 * Protects one message with OpenSSL, whatever the suite: the SK payload (ossl_sk.c; RFC 7296 3.14,
 * RFC 5282) and ESP (ossl_esp.c; RFC 4303, 4106, 7634) differ only in what is associated data.
 */
#include <openssl/evp.h>

#include "crypto/ossl.h"

#define NONCE_LEN 12

static bool cipher_start(const struct ossl_msg *m, const uint8_t *iv, int encrypt)
{
    const EVP_CIPHER *c = m->key.n ? ossl_cipher(m->encr) : NULL;
    const uint8_t *key = m->key.n ? m->key.p : NULL;
    return EVP_CipherInit_ex2(m->cipher, c, key, iv, encrypt, NULL) == 1;
}

static bool cipher_text(const struct ossl_msg *m)
{
    int n = 0;
    return !m->text_len || (EVP_CipherUpdate(m->cipher, m->out, &n, m->in, (int)m->text_len) == 1 &&
                            (size_t)n == m->text_len);
}

/* RFC 4106 4, RFC 5282 4, RFC 7634 2: nonce is salt | IV */
static bool aead_start(const struct ossl_msg *m, int encrypt)
{
    uint8_t nonce[NONCE_LEN];
    int n = 0;
    memcpy(nonce, m->salt, m->encr->salt_len);
    memcpy(nonce + m->encr->salt_len, m->iv, m->encr->iv_len);
    return cipher_start(m, nonce, encrypt) &&
           EVP_CipherUpdate(m->cipher, NULL, &n, m->aad.p, (int)m->aad.n) == 1;
}

static err_t aead_seal(const struct ossl_msg *m)
{
    int n = 0;
    uint8_t none[16];
    if (!aead_start(m, 1) || !cipher_text(m) || EVP_CipherFinal_ex(m->cipher, none, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(m->cipher, EVP_CTRL_AEAD_GET_TAG, m->encr->icv_len, m->icv) != 1)
        return E_CRYPTO;
    return E_OK;
}

static err_t aead_open(const struct ossl_msg *m)
{
    int n = 0;
    uint8_t none[16];
    if (!aead_start(m, 0) ||
        EVP_CIPHER_CTX_ctrl(m->cipher, EVP_CTRL_AEAD_SET_TAG, m->encr->icv_len, m->icv) != 1 ||
        !cipher_text(m))
        return E_CRYPTO;
    return EVP_CipherFinal_ex(m->cipher, none, &n) == 1 ? E_OK : R_DECRYPT;
}

static err_t cbc(const struct ossl_msg *m, int encrypt)
{
    if (!m->cipher) {
        if (m->in != m->out)
            memmove(m->out, m->in, m->text_len);
        return E_OK;
    }
    if (m->text_len % m->encr->block)
        return E_USAGE;
    if (!cipher_start(m, m->iv, encrypt) || EVP_CIPHER_CTX_set_padding(m->cipher, 0) != 1 ||
        !cipher_text(m))
        return E_CRYPTO;
    return E_OK;
}

/* Over associated data, IV, encrypted text and tail (RFC 7296 3.14; RFC 4303 2.8, 2.2.1) */
static err_t mac_of(const struct ossl_msg *m, const uint8_t *text, uint8_t *out)
{
    const struct bytes parts[] = {m->aad, {m->iv, m->encr->iv_len}, {text, m->text_len}, m->tail};
    size_t n = 0;
    bool ok = EVP_MAC_init(m->mac, m->mac_key.n ? m->mac_key.p : NULL, m->mac_key.n, NULL) == 1;
    for (size_t i = 0; ok && i < sizeof parts / sizeof parts[0]; i++)
        ok = !parts[i].n || EVP_MAC_update(m->mac, parts[i].p, parts[i].n) == 1;
    return ok && EVP_MAC_final(m->mac, out, &n, CR_HASH_MAX) == 1 ? E_OK : E_CRYPTO;
}

err_t ossl_msg_seal(const struct ossl_msg *m)
{
    if (m->encr->aead)
        return aead_seal(m);
    uint8_t mac[CR_HASH_MAX];
    err_t e = cbc(m, 1);
    if (!e)
        e = mac_of(m, m->out, mac);
    if (!e)
        memcpy(m->icv, mac, m->integ->icv_len);
    return e;
}

/* The MAC first: text that nobody vouches for is not decrypted. */
err_t ossl_msg_open(const struct ossl_msg *m)
{
    if (m->encr->aead)
        return aead_open(m);
    uint8_t mac[CR_HASH_MAX];
    err_t e = mac_of(m, m->in, mac);
    if (e)
        return e;
    if (!secret_eq(mac, m->icv, m->integ->icv_len))
        return R_DECRYPT;
    return cbc(m, 0);
}
