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

/* One cache line, then the key: with many SAs each line is a miss. */
struct imb_esp {
    struct cr_esp head;
    uint8_t salt[4];
    union {
        struct {
            aes_gcm_enc_dec_t gcm_enc, gcm_dec;
        };
        struct {
            const void *enc_keys, *dec_keys; /* as IMB_JOB wants them */
        };
    };
    uint8_t cipher, hash; /* IMB_CIPHER_MODE, IMB_HASH_ALG */
    uint8_t rounds;       /* of AES */
    union {
        struct gcm_key_data gcm;
        struct imb_block_key block;
        DECLARE_ALIGNED(uint8_t chacha[32], 16);
    } k;
};

/* A worker's scratch. Arrays by use, not by operation: GCM touches 1 KB of it, and L1 is full of
 * packets. */
struct imb_ctx {
    IMB_MGR *mgr;
    uint32_t short_max; /* texts up to this length go to imb_gcm_short.c */
    uint8_t *gcm_page;  /* the GCM context goes where imb_gcm_place says */
    DECLARE_ALIGNED(uint8_t nonce[IMB_CHUNK][16], 64); /* AEAD: salt | IV */
    uint8_t aad[IMB_CHUNK][16];  /* AEAD with ESN: SPI | sequence number, 64 bits */
    uint8_t tag[IMB_CHUNK][32];  /* computed while opening */
    uint8_t want[IMB_CHUNK][32]; /* received; with ESN the high half takes its place meanwhile */
};

IMB_MGR *imb_mgr(void); /* for key schedules only: those do not touch its state */

static inline struct imb_esp *imb_key(const struct cr_op *op)
{
    return (struct imb_esp *)op->key;
}

/* AEAD: nonce and associated data (RFC 4106 4, 5; RFC 7634 2) of the operation in place i. */
static inline void imb_aead_frame(struct imb_ctx *c, const struct cr_op *op, size_t i)
{
    memcpy(c->nonce[i], imb_key(op)->salt, 4);
    memcpy(c->nonce[i] + 4, op->p + 8, 8);
    if (!op->esn)
        return;
    /* SPI | 64-bit sequence number */
    memcpy(c->aad[i], op->p, 4);
    put_u32(c->aad[i] + 4, op->seq_hi);
    memcpy(c->aad[i] + 8, op->p + 4, 4);
}

static inline const uint8_t *imb_aad(const struct imb_ctx *c, const struct cr_op *op, size_t i)
{
    return op->esn ? c->aad[i] : op->p;
}

#define IMB_GCM_PAGE (4096 + sizeof(struct gcm_context_data))

/* AES-GCM by direct calls: n operations in a row, at most IMB_CHUNK. */
void imb_gcm_seal(struct imb_ctx *c, struct cr_op *ops, size_t n);
void imb_gcm_open(struct imb_ctx *c, struct cr_op *ops, size_t n);

/* Short texts, from 1 byte on; the IV stands in the packet. From 600 bytes on the library's
 * interleaving of cipher and hash wins. */
#define IMB_SHORT_MAX 560
bool imb_short_works(const IMB_MGR *m);
/* The first of them, and those behind it that are short too and of the same key; how many. */
size_t imb_short_seal(struct cr_op *ops, size_t n);
size_t imb_short_open(struct cr_op *ops, size_t n); /* sets their status */
void imb_short_wipe(void);                          /* the registers, after a batch */

/* Everything else by the job interface, together. */
struct imb_list {
    struct cr_op *ops[IMB_CHUNK];
    size_t n;
};
void imb_jobs_seal(struct imb_ctx *c, const struct imb_list *l);
void imb_jobs_open(struct imb_ctx *c, const struct imb_list *l);
