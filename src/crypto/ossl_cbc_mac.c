/*
 * MACs made of a block cipher in CBC mode: CBC-MAC as CCM uses it (RFC 3610 2.2), AES-CMAC (RFC
 * 4493) and AES-XCBC-MAC (RFC 3566). One piece of code, because they differ in the last block and
 * its key only; and OpenSSL has no XCBC. Called by ossl_mac.c and ossl_ccm.c.
 */
#include <openssl/evp.h>

#include "crypto/ossl_mac.h"
#include <stdlib.h>

#define CHUNK 512 /* the cipher text is thrown away in pieces of this */

static bool encrypt(struct cbc_mac *m, const uint8_t *in, size_t n, uint8_t *last)
{
    uint8_t out[CHUNK];
    bool ok = true;
    for (int done = 0; ok && n; n -= (size_t)done, in += done) {
        size_t part = n < sizeof out ? n : sizeof out;
        ok = EVP_CipherUpdate(m->cipher, out, &done, in, (int)part) == 1 && (size_t)done == part;
        if (ok && last)
            memcpy(last, out + part - CBC_MAC_BLOCK, CBC_MAC_BLOCK);
    }
    secret_wipe(out, sizeof out);
    return ok;
}

static bool restart(struct cbc_mac *m)
{
    static const uint8_t zero[CBC_MAC_BLOCK];
    m->n = 0;
    return EVP_CipherInit_ex2(m->cipher, NULL, NULL, zero, 1, NULL) == 1;
}

static bool set_key(struct cbc_mac *m, EVP_CIPHER *cipher, const uint8_t *key)
{
    static const uint8_t zero[CBC_MAC_BLOCK];
    m->n = 0;
    return EVP_CipherInit_ex2(m->cipher, cipher, key, zero, 1, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(m->cipher, 0) == 1;
}

/* Multiplication by x in GF(2^128): RFC 4493 2.3 */
static void twice(const uint8_t in[CBC_MAC_BLOCK], uint8_t out[CBC_MAC_BLOCK])
{
    uint8_t carry = (uint8_t)(0u - (in[0] >> 7)) & 0x87;
    for (size_t i = 0; i + 1 < CBC_MAC_BLOCK; i++)
        out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
    out[CBC_MAC_BLOCK - 1] = (uint8_t)(in[CBC_MAC_BLOCK - 1] << 1) ^ carry;
}

static bool cmac_keys(struct cbc_mac *m, EVP_CIPHER *cipher, const uint8_t *key)
{
    static const uint8_t zero[CBC_MAC_BLOCK];
    uint8_t l[CBC_MAC_BLOCK];
    bool ok = set_key(m, cipher, key) && encrypt(m, zero, sizeof zero, l) && restart(m);
    twice(l, m->whole);
    twice(m->whole, m->padded);
    secret_wipe(l, sizeof l);
    return ok;
}

/* RFC 3566 4: K1, K2, K3 are the encryptions of blocks of 1, 2, 3 */
static bool xcbc_keys(struct cbc_mac *m, EVP_CIPHER *cipher, const uint8_t *key)
{
    uint8_t k[3][CBC_MAC_BLOCK], *const to[3] = {k[0], m->whole, m->padded};
    bool ok = set_key(m, cipher, key);
    for (uint8_t i = 0; ok && i < 3; i++) {
        uint8_t in[CBC_MAC_BLOCK];
        memset(in, i + 1, sizeof in);
        ok = restart(m) && encrypt(m, in, sizeof in, to[i]);
    }
    ok = ok && set_key(m, cipher, k[0]);
    secret_wipe(k, sizeof k);
    return ok;
}

bool cbc_mac_new(struct cbc_mac *m, enum cbc_mac_kind kind)
{
    *m = (struct cbc_mac){.kind = kind, .cipher = EVP_CIPHER_CTX_new()};
    return m->cipher != NULL;
}

void cbc_mac_free(struct cbc_mac *m)
{
    EVP_CIPHER_CTX_free(m->cipher);
    secret_wipe(m, sizeof *m);
}

bool cbc_mac_key(struct cbc_mac *m, EVP_CIPHER *cipher, const uint8_t *key)
{
    switch (m->kind) {
    case CBC_MAC_CMAC:
        return cmac_keys(m, cipher, key);
    case CBC_MAC_XCBC:
        return xcbc_keys(m, cipher, key);
    default:
        return set_key(m, cipher, key);
    }
}

bool cbc_mac_again(struct cbc_mac *m)
{
    return restart(m);
}

void cbc_mac_forget(struct cbc_mac *m)
{
    EVP_CIPHER_CTX_reset(m->cipher);
    secret_wipe(m->whole, sizeof m->whole);
    secret_wipe(m->padded, sizeof m->padded);
    secret_wipe(m->block, sizeof m->block);
}

/* The last block stays behind, whole as it may be: it gets a key of its own. */
bool cbc_mac_update(struct cbc_mac *m, struct bytes b)
{
    bool ok = true;
    while (ok && b.n) {
        if (m->n == CBC_MAC_BLOCK) {
            ok = encrypt(m, m->block, CBC_MAC_BLOCK, NULL);
            m->n = 0;
        }
        size_t direct = m->n ? 0 : (b.n - 1) / CBC_MAC_BLOCK * CBC_MAC_BLOCK;
        if (ok && direct)
            ok = encrypt(m, b.p, direct, NULL);
        b = bytes_of(b.p + direct, b.n - direct);
        size_t part = CBC_MAC_BLOCK - m->n < b.n ? CBC_MAC_BLOCK - m->n : b.n;
        memcpy(m->block + m->n, b.p, part);
        m->n += part;
        b = bytes_of(b.p + part, b.n - part);
    }
    return ok;
}

bool cbc_mac_pad(struct cbc_mac *m)
{
    static const uint8_t zero[CBC_MAC_BLOCK];
    return !(m->n % CBC_MAC_BLOCK) ||
           cbc_mac_update(m, bytes_of(zero, CBC_MAC_BLOCK - m->n % CBC_MAC_BLOCK));
}

bool cbc_mac_final(struct cbc_mac *m, uint8_t out[CBC_MAC_BLOCK])
{
    const uint8_t *key = m->whole;
    if (m->n < CBC_MAC_BLOCK) {
        /* 10...0; plain CBC-MAC was filled up by its caller */
        memset(m->block + m->n, 0, CBC_MAC_BLOCK - m->n);
        m->block[m->n] = 0x80;
        key = m->padded;
    }
    for (size_t i = 0; m->kind != CBC_MAC_PLAIN && i < CBC_MAC_BLOCK; i++)
        m->block[i] ^= key[i];
    return encrypt(m, m->block, CBC_MAC_BLOCK, out);
}
