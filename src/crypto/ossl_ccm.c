/*
 * CCM (RFC 3610) of a message, from CTR and CBC-MAC: RFC 4309 for AES, RFC 5529 for Camellia, RFC
 * 5282 for the SK payload. OpenSSL has AES-CCM alone, and wants lengths before the text. Called by
 * ossl_msg.c.
 */
#include <openssl/evp.h>

#include "crypto/ossl.h"

/* Nonce of 11 bytes: salt (3) | IV (8), so the length has 4 (RFC 4309 4). */
enum { L = 4, NONCE_AT = 1, COUNT_AT = 16 - L, SALT = 3 };

static void block_of(const struct ossl_msg *m, uint8_t flags, uint32_t count, uint8_t out[16])
{
    out[0] = flags;
    memcpy(out + NONCE_AT, m->salt, SALT);
    memcpy(out + NONCE_AT + SALT, m->iv, OSSL_IV_LEN);
    put_u32(out + COUNT_AT, count);
}

static bool keys_ready(const struct ossl_msg *m)
{
    if (!m->key.n)
        return cbc_mac_again(&m->k->ccm);
    return cbc_mac_key(&m->k->ccm, ossl_mac_cipher(m->encr), m->key.p) &&
           ossl_cipher_key(m->k->cipher, m->encr, m->key.p, NULL, true);
}

/* RFC 3610 2.2: B_0, then the associated data behind its length, then the text, each filled up */
static bool mac_of(const struct ossl_msg *m, const uint8_t *text, uint8_t out[16])
{
    struct cbc_mac *c = &m->k->ccm;
    uint8_t b0[16], aad_len[2] = {(uint8_t)(m->aad.n >> 8), (uint8_t)m->aad.n};
    block_of(m, (uint8_t)(0x40 | (m->encr->icv_len - 2) / 2 << 3 | (L - 1)), (uint32_t)m->text_len,
             b0);
    return cbc_mac_update(c, bytes_of(b0, sizeof b0)) &&
           cbc_mac_update(c, bytes_of(aad_len, sizeof aad_len)) && cbc_mac_update(c, m->aad) &&
           cbc_mac_pad(c) && cbc_mac_update(c, bytes_of(text, m->text_len)) && cbc_mac_pad(c) &&
           cbc_mac_final(c, out);
}

/* RFC 3610 2.3: S_0 hides the MAC, S_1 and what follows the text */
static bool streams(const struct ossl_msg *m, uint8_t mac[16])
{
    EVP_CIPHER_CTX *c = m->k->cipher;
    uint8_t a0[16];
    int n = 0;
    block_of(m, L - 1, 0, a0);
    return EVP_CipherInit_ex2(c, NULL, NULL, a0, 1, NULL) == 1 &&
           EVP_CipherUpdate(c, mac, &n, mac, 16) == 1 &&
           (!m->text_len || EVP_CipherUpdate(c, m->out, &n, m->in, (int)m->text_len) == 1);
}

err_t ossl_ccm_seal(const struct ossl_msg *m)
{
    uint8_t mac[16];
    if (m->aad.n >= 0xff00 || !keys_ready(m) || !mac_of(m, m->in, mac) || !streams(m, mac))
        return E_CRYPTO;
    memcpy(m->icv, mac, m->encr->icv_len);
    return E_OK;
}

err_t ossl_ccm_open(const struct ossl_msg *m)
{
    uint8_t theirs[16] = {0}, mac[16];
    memcpy(theirs, m->icv, m->encr->icv_len);
    if (m->aad.n >= 0xff00 || !keys_ready(m) || !streams(m, theirs) || !mac_of(m, m->out, mac))
        return E_CRYPTO;
    return secret_eq(mac, theirs, m->encr->icv_len) ? E_OK : R_DECRYPT;
}
