/*
 * What the imb*.c files share. Include <intel-ipsec-mb.h> first; only imb*.c may.
 */
#pragma once

#include "crypto/esp_impl.h"

#define IMB_CHUNK 64 /* operations in flight: enough to fill every lane, few enough for L2 */

struct imb_block_key {
    DECLARE_ALIGNED(uint8_t enc[15 * 16], 16); /* AES round keys */
    DECLARE_ALIGNED(uint8_t dec[15 * 16], 16);
    DECLARE_ALIGNED(uint64_t des[3][16], 16);
    const void *des_keys[3];
    DECLARE_ALIGNED(uint8_t ipad[64], 64); /* HMAC states after the first block */
    DECLARE_ALIGNED(uint8_t opad[64], 64);
    /*
     * CBC IVs must be unpredictable (RFC 3602 3): ours is iv_seed, which never repeats, encrypted
     * with AES under a random key of the SA's own (SP 800-38A appendix C). 8 cycles a packet.
     */
    DECLARE_ALIGNED(uint8_t iv_key[11 * 16], 16);
};

struct imb_esp {
    struct cr_esp head;
    bool gcm;
    uint8_t salt[4];
    aes_gcm_enc_dec_t gcm_enc, gcm_dec;
    IMB_CIPHER_MODE cipher;
    IMB_HASH_ALG hash;
    const void *enc_keys, *dec_keys; /* as IMB_JOB wants them */
    union {
        struct gcm_key_data gcm;
        struct imb_block_key block;
        DECLARE_ALIGNED(uint8_t chacha[32], 16);
    } k;
};

/* Scratch of one operation in flight. */
struct imb_slot {
    DECLARE_ALIGNED(uint8_t nonce[16], 16); /* AEAD: salt | IV */
    uint8_t aad[16];                        /* AEAD with ESN: SPI | sequence number, 64 bits */
    uint8_t tag[64];                        /* computed while opening */
    uint8_t want[32];                       /* received, where ESN's high half took its place */
};

struct imb_ctx {
    IMB_MGR *mgr;
    struct gcm_context_data gcm;
    struct imb_slot slot[IMB_CHUNK];
};

IMB_MGR *imb_mgr(void); /* for key schedules only: those do not touch its state */

static inline struct imb_esp *imb_key(const struct cr_op *op)
{
    return (struct imb_esp *)op->key;
}

/* AEAD: nonce and associated data into the slot (RFC 4106 4, 5; RFC 7634 2). */
void imb_aead_frame(const struct cr_op *op, struct imb_slot *s);

static inline const uint8_t *imb_aad(const struct cr_op *op, const struct imb_slot *s)
{
    return op->esn ? s->aad : op->p;
}

/* AES-GCM by direct calls, one packet; framed before. */
void imb_gcm_seal(struct imb_ctx *c, struct cr_op *op, struct imb_slot *s);
void imb_gcm_open(struct imb_ctx *c, struct cr_op *op, struct imb_slot *s);

/* Everything else by the job interface, at most IMB_CHUNK together; slots are framed before. */
void imb_jobs_seal(struct imb_ctx *c, struct cr_op *const *ops, struct imb_slot *const *slots,
                   size_t n);
void imb_jobs_open(struct imb_ctx *c, struct cr_op *const *ops, struct imb_slot *const *slots,
                   size_t n);
