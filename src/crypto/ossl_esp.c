/*
 * ESP through OpenSSL: the reference, and the fallback where ipsec-mb does not run or is wrong.
 * RFC 4303, 4106, 7634, 3602. Called by esp.c, one packet at a time. The contexts hold the key
 * schedules and are made when first used: an SA works in one direction only.
 */
#include <openssl/evp.h>

#include "crypto/esp_impl.h"
#include "crypto/ossl.h"

struct ossl_esp {
    struct cr_esp head;
    EVP_CIPHER_CTX *ctx[2]; /* decrypt, encrypt */
    EVP_CIPHER_CTX *iv;     /* encrypts iv_seed under a random key: CBC IVs, RFC 3602 3 */
    EVP_MAC_CTX *mac;
    uint8_t key[32 + 4];
};

static EVP_CIPHER_CTX *keyed(EVP_CIPHER *cipher, const uint8_t *key, int encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (c && EVP_CipherInit_ex2(c, cipher, key, NULL, encrypt, NULL) == 1)
        return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

static err_t mac_init(struct ossl_esp *k, struct bytes key)
{
    k->mac = ossl_hmac_new((enum ossl_hash)ossl_hash_of_integ(k->head.integ->id));
    return k->mac && EVP_MAC_init(k->mac, key.p, key.n, NULL) == 1 ? E_OK : E_CRYPTO;
}

static err_t iv_init(struct ossl_esp *k)
{
    uint8_t raw[16];
    cr_random(raw, sizeof raw);
    k->iv = keyed(ossl.aes_cbc[0], raw, 1);
    secret_wipe(raw, sizeof raw);
    return k->iv ? E_OK : E_CRYPTO;
}

size_t ossl_esp_size(void)
{
    return sizeof(struct ossl_esp);
}

err_t ossl_esp_init(const struct alg *encr, const struct alg *integ, struct bytes key,
                    struct bytes integ_key, void *mem)
{
    struct ossl_esp *k = mem;
    *k = (struct ossl_esp){.head = {.encr = encr,
                                    .integ = integ,
                                    .iv_len = encr->iv_len,
                                    .icv_len = integ ? integ->icv_len : encr->icv_len,
                                    .block = encr->block}};
    if (key.n)
        memcpy(k->key, key.p, key.n);
    err_t e = integ ? mac_init(k, integ_key) : E_OK;
    if (!e && encr->block > 1)
        e = iv_init(k);
    if (e)
        ossl_esp_fini(&k->head);
    return e;
}

void ossl_esp_fini(struct cr_esp *e)
{
    struct ossl_esp *k = (struct ossl_esp *)e;
    EVP_CIPHER_CTX_free(k->ctx[0]);
    EVP_CIPHER_CTX_free(k->ctx[1]);
    EVP_CIPHER_CTX_free(k->iv);
    EVP_MAC_CTX_free(k->mac);
    secret_wipe(k, sizeof *k);
}

static err_t cipher_of(struct ossl_esp *k, int encrypt, EVP_CIPHER_CTX **out)
{
    EVP_CIPHER *cipher = ossl_cipher(k->head.encr);
    if (cipher && !k->ctx[encrypt]) {
        k->ctx[encrypt] = keyed(cipher, k->key, encrypt);
        if (!k->ctx[encrypt])
            return E_CRYPTO;
    }
    *out = k->ctx[encrypt];
    return E_OK;
}

static err_t write_iv(struct ossl_esp *k, const struct cr_op *op)
{
    static const uint8_t zero[16];
    uint8_t seed[16] = {0}, iv[16];
    int n = 0;
    if (k->head.encr->aead) {
        put_u64(op->p + 8, op->iv_seed);
        return E_OK;
    }
    if (!k->iv)
        return E_OK;
    put_u64(seed + 8, op->iv_seed);
    if (EVP_CipherInit_ex2(k->iv, NULL, NULL, zero, 1, NULL) != 1 ||
        EVP_CipherUpdate(k->iv, iv, &n, seed, sizeof seed) != 1 || n != sizeof iv)
        return E_CRYPTO;
    memcpy(op->p + 8, iv, k->head.iv_len);
    return E_OK;
}

/* The parts of an ESP packet that both directions share; aad and tail are scratch for ESN. */
static struct ossl_msg message(struct ossl_esp *k, const struct cr_op *op, uint8_t aad[12],
                               uint8_t tail[4])
{
    uint8_t *text = op_text(op);
    struct ossl_msg m = {.encr = k->head.encr,
                         .integ = k->head.integ,
                         .mac = k->mac,
                         .salt = k->key + k->head.encr->key_len,
                         .aad = bytes_of(op->p, 8),
                         .iv = op->p + 8,
                         .in = text,
                         .out = text,
                         .text_len = op->text_len,
                         .icv = text + op->text_len};
    if (!op->esn)
        return m;
    put_u32(tail, op->seq_hi);
    if (!k->head.encr->aead) {
        m.tail = bytes_of(tail, 4); /* RFC 4303 2.2.1: after the text, not transmitted */
        return m;
    }
    memcpy(aad, op->p, 4); /* RFC 4106 5, RFC 7634 2.1: SPI | 64-bit sequence number */
    memcpy(aad + 4, tail, 4);
    memcpy(aad + 8, op->p + 4, 4);
    m.aad = bytes_of(aad, 12);
    return m;
}

void ossl_esp_seal(struct cr_op *op)
{
    struct ossl_esp *k = (struct ossl_esp *)op->key;
    uint8_t aad[12], tail[4];
    struct ossl_msg m = message(k, op, aad, tail);
    op->status = E_USAGE;
    if (!op_len_ok(op))
        return;
    if (op->plain)
        m.in = op->plain;
    op->status = cipher_of(k, 1, &m.cipher);
    if (!op->status)
        op->status = write_iv(k, op);
    if (!op->status)
        op->status = ossl_msg_seal(&m);
}

void ossl_esp_open(struct cr_op *op)
{
    struct ossl_esp *k = (struct ossl_esp *)op->key;
    uint8_t aad[12], tail[4];
    struct ossl_msg m = message(k, op, aad, tail);
    op->status = R_LENGTH;
    if (!op_len_ok(op))
        return;
    if (op->plain)
        m.out = op->plain;
    op->status = cipher_of(k, 0, &m.cipher);
    if (!op->status)
        op->status = ossl_msg_open(&m);
    if (op->status == R_DECRYPT)
        op->status = R_DP_ICV;
}
