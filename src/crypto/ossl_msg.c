/*
 * Protects one message with OpenSSL, whatever the suite: the SK payload (ossl_sk.c; RFC 7296 3.14,
 * RFC 5282, RFC 5930) and ESP (ossl_esp.c; RFC 4303, 4106, 4309, 4543, 7634) differ only in what is
 * associated data.
 */
#include <openssl/evp.h>

#include "crypto/ltc_rc5.h"
#include "crypto/ossl.h"

#define NONCE_LEN 12

static bool start(const struct ossl_msg *m, const uint8_t *iv, bool encrypt)
{
    EVP_CIPHER_CTX *c = m->k->cipher;
    if (m->key.n)
        return ossl_cipher_key(c, m->encr, m->key.p, iv, encrypt);
    return EVP_CipherInit_ex2(c, NULL, NULL, iv, encrypt, NULL) == 1;
}

static bool cipher_text(const struct ossl_msg *m)
{
    int n = 0;
    return !m->text_len ||
           (EVP_CipherUpdate(m->k->cipher, m->out, &n, m->in, (int)m->text_len) == 1 &&
            (size_t)n == m->text_len);
}

static bool authenticate(const struct ossl_msg *m, const uint8_t *p, size_t len)
{
    int n = 0;
    return !len || EVP_CipherUpdate(m->k->cipher, NULL, &n, p, (int)len) == 1;
}

/* RFC 4543 3.3: everything is associated data, in ESP also the IV */
static bool gmac_text(const struct ossl_msg *m)
{
    if (!authenticate(m, m->iv, m->iv_apart ? 0 : OSSL_IV_LEN) ||
        !authenticate(m, m->in, m->text_len) || !authenticate(m, m->tail.p, m->tail.n))
        return false;
    if (m->in != m->out)
        memmove(m->out, m->in, m->text_len);
    return true;
}

/* RFC 4106 4, RFC 5282 4, RFC 7634 2: nonce is salt | IV */
static bool aead_run(const struct ossl_msg *m, bool encrypt)
{
    uint8_t nonce[NONCE_LEN];
    memcpy(nonce, m->salt, 4);
    memcpy(nonce + 4, m->iv, OSSL_IV_LEN);
    if (!start(m, nonce, encrypt) || !authenticate(m, m->aad.p, m->aad.n))
        return false;
    if (!encrypt &&
        EVP_CIPHER_CTX_ctrl(m->k->cipher, EVP_CTRL_AEAD_SET_TAG, m->encr->icv_len, m->icv) != 1)
        return false;
    return m->encr->mode == MODE_GMAC ? gmac_text(m) : cipher_text(m);
}

static err_t aead_seal(const struct ossl_msg *m)
{
    int n = 0;
    uint8_t none[16];
    if (!aead_run(m, true) || EVP_CipherFinal_ex(m->k->cipher, none, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(m->k->cipher, EVP_CTRL_AEAD_GET_TAG, m->encr->icv_len, m->icv) != 1)
        return E_CRYPTO;
    return E_OK;
}

static err_t aead_open(const struct ossl_msg *m)
{
    int n = 0;
    uint8_t none[16];
    if (!aead_run(m, false))
        return E_CRYPTO;
    return EVP_CipherFinal_ex(m->k->cipher, none, &n) == 1 ? E_OK : R_DECRYPT;
}

static err_t rc5(const struct ossl_msg *m, bool encrypt)
{
    struct ltc_rc5 *own = m->key.n ? ltc_rc5_new(m->key.p, m->key.n) : NULL;
    struct ltc_rc5 *k = own ? own : m->k->rc5;
    err_t e = k && ltc_rc5_cbc(k, m->iv, m->in, m->out, m->text_len, encrypt) ? E_OK : E_CRYPTO;
    ltc_rc5_free(own);
    return e;
}

/* RFC 3686 4, RFC 5529 4: nonce | IV | block counter from 1 */
static err_t ctr(const struct ossl_msg *m)
{
    uint8_t block[16] = {0};
    memcpy(block, m->salt, 4);
    memcpy(block + 4, m->iv, OSSL_IV_LEN);
    block[15] = 1;
    return start(m, block, true) && cipher_text(m) ? E_OK : E_CRYPTO;
}

static err_t cbc(const struct ossl_msg *m, bool encrypt)
{
    if (m->text_len % m->encr->block)
        return E_USAGE;
    if (m->encr->id == ENCR_RC5)
        return rc5(m, encrypt);
    if (!start(m, m->iv, encrypt) || EVP_CIPHER_CTX_set_padding(m->k->cipher, 0) != 1 ||
        !cipher_text(m))
        return E_CRYPTO;
    return E_OK;
}

static err_t plain_cipher(const struct ossl_msg *m, bool encrypt)
{
    if (m->encr->mode == MODE_CBC)
        return cbc(m, encrypt);
    if (m->encr->mode == MODE_CTR)
        return ctr(m);
    if (m->in != m->out)
        memmove(m->out, m->in, m->text_len);
    return E_OK;
}

/* Over associated data, IV, encrypted text and tail (RFC 7296 3.14; RFC 4303 2.8, 2.2.1) */
static err_t mac_of(const struct ossl_msg *m, const uint8_t *text, uint8_t *out)
{
    const struct bytes parts[] = {m->aad, {m->iv, m->encr->iv_len}, {text, m->text_len}, m->tail};
    return ossl_mac_start(m->mac, m->mac_key.n ? m->mac_key.p : NULL, m->mac_key.n) &&
                   ossl_mac_update(m->mac, parts, sizeof parts / sizeof parts[0]) &&
                   ossl_mac_final(m->mac, out, m->integ->icv_len)
               ? E_OK
               : E_CRYPTO;
}

err_t ossl_msg_seal(const struct ossl_msg *m)
{
    if (m->encr->mode == MODE_CCM)
        return ossl_ccm_seal(m);
    if (m->encr->aead)
        return aead_seal(m);
    err_t e = plain_cipher(m, true);
    return e || !m->integ ? e : mac_of(m, m->out, m->icv);
}

/* The MAC first: text that nobody vouches for is not decrypted. */
err_t ossl_msg_open(const struct ossl_msg *m)
{
    if (m->encr->mode == MODE_CCM)
        return ossl_ccm_open(m);
    if (m->encr->aead)
        return aead_open(m);
    uint8_t mac[CR_HASH_MAX];
    err_t e = m->integ ? mac_of(m, m->in, mac) : E_OK;
    if (e)
        return e;
    if (m->integ && !secret_eq(mac, m->icv, m->integ->icv_len))
        return R_DECRYPT;
    return plain_cipher(m, false);
}

bool ossl_keys_init(struct ossl_keys *k, const struct alg *encr, const uint8_t *key, bool encrypt)
{
    *k = (struct ossl_keys){0};
    if (encr->id == ENCR_NULL)
        return true;
    if (encr->id == ENCR_RC5) {
        k->rc5 = ltc_rc5_new(key, encr->key_len);
        return k->rc5 != NULL;
    }
    k->cipher = EVP_CIPHER_CTX_new();
    bool ok = k->cipher && ossl_cipher_key(k->cipher, encr, key, NULL, encrypt);
    if (encr->mode == MODE_CCM)
        ok = ok && cbc_mac_new(&k->ccm, CBC_MAC_PLAIN) &&
             cbc_mac_key(&k->ccm, ossl_mac_cipher(encr), key);
    return ok;
}

void ossl_keys_fini(struct ossl_keys *k)
{
    EVP_CIPHER_CTX_free(k->cipher);
    if (k->ccm.cipher)
        cbc_mac_free(&k->ccm);
    ltc_rc5_free(k->rc5);
    *k = (struct ossl_keys){0};
}
