/*
 * What the imb*.c files share. Include <intel-ipsec-mb.h> first; only imb*.c may.
 */
#pragma once

#include "crypto/esp_impl.h"
#include <assert.h>

#define IMB_CHUNK 64 /* operations in flight: enough to fill every lane, few enough for L2 */

/* What all keys of ipsec-mb begin with: 32 bytes. */
struct imb_esp {
    struct cr_esp head;
    uint8_t salt[4];
    uint8_t cipher, hash; /* IMB_CIPHER_MODE, IMB_HASH_ALG */
    uint8_t rounds;       /* of AES */
    uint8_t odd;          /* enum imb_odd: what a job needs beyond CBC with HMAC */
};
static_assert(sizeof(struct imb_esp) == 32, "half a cache line");

enum imb_odd { ODD_CUT = 1, ODD_COUNTER = 2, ODD_CBC_MAC = 4, ODD_CCM = 8, ODD_IMPLICIT = 16 };

/* AES-GCM and AES-GMAC by the library's direct calls. */
struct imb_gcm {
    struct imb_esp e;
    aes_gcm_enc_dec_t enc, dec;
    struct gcm_key_data k;
};

/* AES-GCM by imb_vaes.c, on as few cache lines as it can: with many SAs each is a miss. */
#define IMB_VAES_POWERS 12
struct imb_vaes {
    struct imb_esp e;
    uint8_t stripe[5][16];              /* H^32, H^28 ... H^16 */
    uint8_t power[IMB_VAES_POWERS][16]; /* H^12 ... H */
    uint8_t rk[15][16];                 /* round keys; only those of the key's size have memory */
};

#define IMB_VAES_BEGUN 32 /* registers of text: 2048 bytes */

/* Everything that goes by jobs. */
struct imb_block {
    struct imb_esp e;
    const void *enc_keys, *dec_keys;       /* as IMB_JOB wants them */
    DECLARE_ALIGNED(uint8_t ipad[64], 64); /* HMAC states after the first block */
    DECLARE_ALIGNED(uint8_t opad[64], 64);
    /*
     * CBC IVs must be unpredictable (RFC 3602 3): ours is iv_seed, which never repeats, encrypted
     * with AES under a random key of the SA's own (SP 800-38A appendix C). 8 cycles a packet.
     */
    DECLARE_ALIGNED(uint8_t iv_key[11 * 16], 16);
    union {
        struct {
            DECLARE_ALIGNED(uint8_t enc[15 * 16], 16); /* AES round keys */
            DECLARE_ALIGNED(uint8_t dec[15 * 16], 16);
        };
        struct {
            DECLARE_ALIGNED(uint64_t des[3][16], 16);
            const void *des_keys[3];
        };
        DECLARE_ALIGNED(uint8_t chacha[32], 16);
    };
};

/* AES-XCBC and AES-CMAC have more to keep than ipad and opad. */
struct imb_block_cbc_mac {
    struct imb_block b;
    DECLARE_ALIGNED(uint8_t k1[11 * 16], 16); /* round keys */
    DECLARE_ALIGNED(uint8_t k2[16], 16);
    DECLARE_ALIGNED(uint8_t k3[16], 16);
};

/* A worker's scratch. Arrays by use, not by operation: GCM touches 1 KB of it, and L1 is full of
 * packets. */
struct imb_ctx {
    IMB_MGR *mgr;
    bool vaes;         /* AES-GCM goes to imb_vaes.c */
    bool begun_used;   /* there is something to be wiped in `begun` */
    uint8_t *gcm_page; /* the GCM context goes where imb_gcm_place says */
    DECLARE_ALIGNED(uint8_t begun[IMB_VAES_BEGUN + 1][64], 64); /* imb_vaes.h */
    DECLARE_ALIGNED(uint8_t nonce[IMB_CHUNK][16], 64);          /* AEAD: salt | IV */
    uint8_t aad[IMB_CHUNK][16];  /* AEAD with ESN: SPI | sequence number, 64 bits */
    uint8_t tag[IMB_CHUNK][32];  /* computed while opening; sealing: where it is to be cut */
    uint8_t want[IMB_CHUNK][32]; /* received; with ESN the high half takes its place meanwhile */
};

IMB_MGR *imb_mgr(void); /* for key schedules only: those do not touch its state */

static inline struct imb_esp *imb_key(const struct cr_op *op)
{
    return (struct imb_esp *)op->key;
}

/* AEAD with ESN: the associated data of the operation in place i, SPI | 64-bit sequence number. */
static inline void imb_aead_aad(struct imb_ctx *c, const struct cr_op *op, size_t i)
{
    if (!op->esn)
        return;
    memcpy(c->aad[i], op->p, 4);
    put_u32(c->aad[i] + 4, op->seq_hi);
    memcpy(c->aad[i] + 8, op->p + 4, 4);
}

/* The nonce of the operation in place i: RFC 4106 4, RFC 7634 2 */
static inline void imb_nonce_12(struct imb_ctx *c, const struct cr_op *op, size_t i)
{
    memcpy(c->nonce[i], imb_key(op)->salt, 4);
    memcpy(c->nonce[i] + 4, op->p + 8, 8);
}

/* The same for any salt, and without an IV in the packet: RFC 8750 4. */
static inline void imb_nonce(struct imb_ctx *c, const struct cr_op *op, size_t i)
{
    uint8_t *at = c->nonce[i] + op->key->encr->salt_len;
    memcpy(c->nonce[i], imb_key(op)->salt, 4);
    if (op->key->iv_len) {
        memcpy(at, op->p + 8, 8);
    } else {
        put_u32(at, op->esn ? op->seq_hi : 0);
        memcpy(at + 4, op->p + 4, 4);
    }
}

static inline const uint8_t *imb_aad(const struct imb_ctx *c, const struct cr_op *op, size_t i)
{
    return op->esn ? c->aad[i] : op->p;
}

#define IMB_GCM_PAGE (4096 + sizeof(struct gcm_context_data))

/* AES-GCM by direct calls: n operations in a row, at most IMB_CHUNK. */
void imb_gcm_seal(struct imb_ctx *c, struct cr_op *ops, size_t n);
void imb_gcm_open(struct imb_ctx *c, struct cr_op *ops, size_t n);

/* Implicit IV and AES-GMAC: one operation. */
void imb_direct_seal(struct imb_ctx *c, struct cr_op *op);
void imb_direct_open(struct imb_ctx *c, struct cr_op *op);

/* bits: 128, 192, 256. */
void imb_gcm_pre(IMB_MGR *m, unsigned bits, const uint8_t *key, struct gcm_key_data *out);

bool imb_vaes_works(const IMB_MGR *m);
void imb_vaes_take(struct imb_vaes *k, const struct gcm_key_data *g); /* k->e is set */
void imb_vaes_seal(struct imb_ctx *c, struct cr_op *ops, size_t n);
void imb_vaes_open(struct imb_ctx *c, struct cr_op *ops, size_t n); /* sets their status */
/* Before sealing, for a text with a body elsewhere: puts in place what imb_vaes_seal reads there.
 */
void imb_vaes_slices(struct cr_op *op);
/* Behind the last of a batch: wipes registers and scratch. */
void imb_vaes_end(struct imb_ctx *c);

/* imb_vaes_short.c has these: three registers, the last with two blocks to spare. */
#define IMB_VAES_SHORT 160
static inline bool imb_vaes_is_short(const struct cr_op *op)
{
    return op->text_len <= IMB_VAES_SHORT;
}
/* The operation in place i, which is short, and those behind it that are and have the same key;
 * where it ended. */
size_t imb_vaes_seal_short(struct cr_op *ops, size_t i, size_t n);
size_t imb_vaes_open_short(struct cr_op *ops, size_t i, size_t n);

/* Everything else by the job interface, together. */
struct imb_list {
    struct cr_op *ops[IMB_CHUNK];
    size_t n;
};
void imb_jobs_seal(struct imb_ctx *c, const struct imb_list *l);
void imb_jobs_open(struct imb_ctx *c, const struct imb_list *l);
