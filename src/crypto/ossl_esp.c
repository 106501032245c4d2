/*
 * ESP through OpenSSL: the reference, and the fallback where ipsec-mb does not run or is wrong.
 * RFC 4303, 4106, 4309, 4543, 7634, 8750, 3602, 3686. Called by esp.c, one packet at a time. The
 * contexts hold the key schedules and are made when first used: an SA works in one direction only.
 */
#include <openssl/evp.h>

#include "crypto/esp_impl.h"
#include "crypto/ossl.h"

struct ossl_esp {
    struct cr_esp head;
    const struct alg *encr; /* AH by AES-GMAC: as if it were the cipher */
    bool keyed[2];
    struct ossl_keys keys[2]; /* decrypt, encrypt */
    EVP_CIPHER_CTX *iv;       /* encrypts iv_seed under a random key: CBC IVs, RFC 3602 3 */
    struct ossl_mac mac;
    uint8_t key[32 + 4];
};

static err_t mac_init(struct ossl_esp *k, struct bytes key)
{
    int kind = ossl_mac_of_integ(k->head.integ->id);
    return kind >= 0 && ossl_mac_new(&k->mac, (enum ossl_mac_kind)kind) &&
                   ossl_mac_start(&k->mac, key.p, key.n)
               ? E_OK
               : E_CRYPTO;
}

static err_t iv_init(struct ossl_esp *k)
{
    uint8_t raw[16];
    cr_random(raw, sizeof raw);
    k->iv = EVP_CIPHER_CTX_new();
    bool ok = k->iv && EVP_CipherInit_ex2(k->iv, ossl.aes128_cbc, raw, NULL, 1, NULL) == 1;
    secret_wipe(raw, sizeof raw);
    return ok ? E_OK : E_CRYPTO;
}

bool ossl_esp_has(const struct alg *encr)
{
    return ossl_has_cipher(encr);
}

size_t ossl_esp_size(void)
{
    return sizeof(struct ossl_esp);
}

/* RFC 4543 4: the integrity key is AES's with the salt behind */
static void ah_gmac(struct ossl_esp *k, struct bytes integ_key)
{
    k->encr = alg_find(T_ENCR, ENCR_AES_GMAC, (uint16_t)(8 * (integ_key.n - 4)));
    memcpy(k->key, integ_key.p, integ_key.n);
}

err_t ossl_esp_init(const struct alg *encr, const struct alg *integ, struct bytes key,
                    struct bytes integ_key, void *mem)
{
    struct ossl_esp *k = mem;
    *k = (struct ossl_esp){.head = {.encr = encr,
                                    .integ = integ,
                                    .iv_len = encr->iv_len,
                                    .icv_len = integ ? integ->icv_len : encr->icv_len,
                                    .block = encr->block},
                           .encr = encr};
    if (key.n)
        memcpy(k->key, key.p, key.n);
    err_t e = E_OK;
    if (integ && integ->ah_only)
        ah_gmac(k, integ_key);
    else if (integ)
        e = mac_init(k, integ_key);
    if (!e && encr->block > 1)
        e = iv_init(k);
    if (e)
        ossl_esp_fini(&k->head);
    return e;
}

void ossl_esp_fini(struct cr_esp *e)
{
    struct ossl_esp *k = (struct ossl_esp *)e;
    ossl_keys_fini(&k->keys[0]);
    ossl_keys_fini(&k->keys[1]);
    EVP_CIPHER_CTX_free(k->iv);
    ossl_mac_free(&k->mac);
    secret_wipe(k, sizeof *k);
}

static err_t keys_of(struct ossl_esp *k, bool encrypt)
{
    if (!k->keyed[encrypt])
        k->keyed[encrypt] = ossl_keys_init(&k->keys[encrypt], k->encr, k->key, encrypt);
    if (!k->keyed[encrypt])
        ossl_keys_fini(&k->keys[encrypt]);
    return k->keyed[encrypt] ? E_OK : E_CRYPTO;
}

static err_t write_iv(struct ossl_esp *k, const struct cr_op *op)
{
    static const uint8_t zero[16];
    uint8_t seed[16] = {0}, iv[16];
    int n = 0;
    if (!k->iv) {
        if (k->encr->iv_len)
            put_u64(k->encr == k->head.encr ? op->p + 8 : op_text(op) + op->text_len, op->iv_seed);
        return E_OK;
    }
    put_u64(seed + 8, op->iv_seed);
    if (EVP_CipherInit_ex2(k->iv, NULL, NULL, zero, 1, NULL) != 1 ||
        EVP_CipherUpdate(k->iv, iv, &n, seed, sizeof seed) != 1 || n != sizeof iv)
        return E_CRYPTO;
    memcpy(op->p + 8, iv, k->head.iv_len);
    return E_OK;
}

/* The parts of an ESP packet that both directions share. */
struct parts {
    struct ossl_msg m;
    uint8_t aad[12], tail[4], iv[OSSL_IV_LEN];
};

/* RFC 8750 4: the sequence number is the IV */
static void implicit_iv(struct parts *s, const struct cr_op *op)
{
    put_u32(s->iv, op->esn ? op->seq_hi : 0);
    memcpy(s->iv + 4, op->p + 4, 4);
    s->m.iv = s->iv;
}

/* RFC 4543 4: the ICV field is IV | tag, the IV is no part of the data */
static void ah_message(struct parts *s)
{
    s->m.integ = NULL;
    s->m.iv = s->m.icv;
    s->m.iv_apart = true;
    s->m.icv += OSSL_IV_LEN;
}

/* SPI | 64-bit sequence number: RFC 4106 5, RFC 4309 5, RFC 4543 3.3, RFC 7634 2.1 */
static void extended_aad(struct parts *s, const struct cr_op *op)
{
    memcpy(s->aad, op->p, 4);
    put_u32(s->aad + 4, op->seq_hi);
    memcpy(s->aad + 8, op->p + 4, 4);
    s->m.aad = bytes_of(s->aad, 12);
}

static void message(struct parts *s, struct ossl_esp *k, const struct cr_op *op, bool encrypt)
{
    const struct alg *encr = k->head.encr;
    uint8_t *text = op_text(op);
    s->m = (struct ossl_msg){.encr = k->encr,
                             .integ = k->head.integ,
                             .k = &k->keys[encrypt],
                             .mac = &k->mac,
                             .salt = k->key + k->encr->key_len,
                             .aad = bytes_of(op->p, 8),
                             .iv = op->p + 8,
                             .in = text,
                             .out = text,
                             .text_len = op->text_len,
                             .icv = text + op->text_len};
    if (k->encr != encr)
        ah_message(s);
    else if (encr->aead && !encr->iv_len)
        implicit_iv(s, op);
    if (op->esn && encr->aead) {
        extended_aad(s, op);
    } else if (op->esn) {
        put_u32(s->tail, op->seq_hi);
        s->m.tail = bytes_of(s->tail, 4); /* RFC 4303 2.2.1: after the text, not transmitted */
    }
}

void ossl_esp_seal(struct cr_op *op)
{
    struct ossl_esp *k = (struct ossl_esp *)op->key;
    struct parts s;
    message(&s, k, op, true);
    op->status = E_USAGE;
    if (!op_len_ok(op))
        return;
    if (op->plain)
        s.m.in = op->plain;
    op->status = keys_of(k, true);
    if (!op->status)
        op->status = write_iv(k, op);
    if (!op->status)
        op->status = ossl_msg_seal(&s.m);
}

void ossl_esp_open(struct cr_op *op)
{
    struct ossl_esp *k = (struct ossl_esp *)op->key;
    struct parts s;
    message(&s, k, op, false);
    op->status = R_LENGTH;
    if (!op_len_ok(op))
        return;
    if (op->plain)
        s.m.out = op->plain;
    op->status = keys_of(k, false);
    if (!op->status)
        op->status = ossl_msg_open(&s.m);
    if (op->status == R_DECRYPT)
        op->status = R_DP_ICV;
}
