/*
 * What the two implementations of the packet path (imb*.c, ossl_esp.c) share with esp.c, which
 * hands each operation to the one that holds its key.
 */
#pragma once

#include "crypto/crypto.h"

/* Who works on a key's operations, and how. */
enum esp_kind {
    ESP_OSSL,
    ESP_IMB_GCM,
    ESP_IMB_JOB,
    ESP_IMB_DIRECT /* AES-GMAC, and AES-GCM with an implicit IV */
};

/* Common head of both implementations' keys. */
struct cr_esp {
    const struct alg *encr, *integ; /* integ NULL for AEAD and within AH */
    uint8_t kind;                   /* enum esp_kind */
    uint8_t iv_len, icv_len, block;
};

static inline uint8_t *op_text(const struct cr_op *op)
{
    return op->p + 8 + op->key->iv_len;
}

static inline void op_gather(struct cr_op *op)
{
    memcpy(op_text(op) + op->body_at, op->body, op->body_len);
    op->body = NULL;
}

/* A CBC text is at least one block, and whole blocks. */
static inline bool op_len_ok(const struct cr_op *op)
{
    return op->key->block == 1 || (op->text_len && op->text_len % op->key->block == 0);
}

/* Constant time, inline, for ICVs: whole words. The barrier keeps the compiler from leaving early.
 */
static inline bool icv_eq(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint32_t d = 0;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t x, y;
        memcpy(&x, a + i, 4);
        memcpy(&y, b + i, 4);
        d |= x ^ y;
        __asm__("" : "+r"(d));
    }
    return d == 0;
}

bool esp_suite_ok(const struct alg *encr, const struct alg *integ);

bool ossl_esp_has(const struct alg *encr);
size_t ossl_esp_size(void);
err_t ossl_esp_init(const struct alg *encr, const struct alg *integ, struct bytes key,
                    struct bytes integ_key, void *mem) must_use;
void ossl_esp_fini(struct cr_esp *e);
void ossl_esp_seal(struct cr_op *op);
void ossl_esp_open(struct cr_op *op);

struct imb_ctx;
bool imb_vaes_chosen(void);    /* AES-GCM is ours: for all keys and workers of the process */
err_t imb_init(void) must_use; /* E_NOTSUP: the library does not run on this machine */
void imb_fini(void);
struct imb_ctx *imb_ctx_new(void);
void imb_ctx_free(struct imb_ctx *c);
bool imb_has(const struct alg *encr, const struct alg *integ);
size_t imb_esp_size(const struct alg *encr, const struct alg *integ);
void imb_esp_init(const struct alg *encr, const struct alg *integ, struct bytes key,
                  struct bytes integ_key, void *mem);
void imb_esp_fini(struct cr_esp *e);
/* Operations whose key is not ipsec-mb's are left alone; returns how many those are. */
size_t imb_seal(struct imb_ctx *c, struct cr_op *ops, size_t n);
size_t imb_open(struct imb_ctx *c, struct cr_op *ops, size_t n);

/* Is ipsec-mb right about this suite? Compares it with OpenSSL, different data in every lane. */
bool esp_selftest(struct imb_ctx *c, const struct alg *encr, const struct alg *integ);
