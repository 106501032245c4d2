/*
 * Bare ipsec-mb: see bare_imb.h. AES-GCM by the direct calls, all else by bursts of jobs, as the
 * library's own manual advises for each.
 */
#include <intel-ipsec-mb.h>

#include "bare_imb.h"
#include <stdio.h>
#include <stdlib.h>

struct bare_key {
    struct gcm_key_data gcm;
    DECLARE_ALIGNED(uint8_t enc[15 * 16], 64);
    DECLARE_ALIGNED(uint8_t dec[15 * 16], 64);
    DECLARE_ALIGNED(uint64_t des[16], 64);
    DECLARE_ALIGNED(uint8_t ipad[64], 64);
    DECLARE_ALIGNED(uint8_t opad[64], 64);
    const void *des3[3];
};

struct bare {
    IMB_MGR *m;
    const struct bench_suite *suite;
    uint32_t batch;
    struct bare_key *keys, *open_keys;
    struct gcm_context_data *ctx; /* in the page's half where no key of one SA lies */
    uint8_t *page;
    aes_gcm_enc_dec_t enc, dec;
    DECLARE_ALIGNED(uint8_t nonce[16], 16);
    DECLARE_ALIGNED(uint8_t tag[DP_BATCH][32], 64);
};

static const uint8_t key_bytes[64] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                      13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

static void *must_alloc(size_t align, size_t n)
{
    void *p = aligned_alloc(align, (n + align - 1) / align * align);
    if (!p) {
        fputs("bench-dataplane: out of memory\n", stderr);
        exit(1);
    }
    memset(p, 0, n);
    return p;
}

static void key_init(const struct bare *b, struct bare_key *k)
{
    uint8_t block[64];
    if (b->suite->encr == ENCR_AES_GCM_16 && b->suite->bits == 128)
        IMB_AES128_GCM_PRE(b->m, key_bytes, &k->gcm);
    else if (b->suite->encr == ENCR_AES_GCM_16)
        IMB_AES256_GCM_PRE(b->m, key_bytes, &k->gcm);
    IMB_AES_KEYEXP_128(b->m, key_bytes, k->enc, k->dec);
    IMB_DES_KEYSCHED(b->m, k->des, key_bytes);
    k->des3[0] = k->des3[1] = k->des3[2] = k->des;
    memset(block, 0x36, sizeof block);
    (b->suite->integ == AUTH_HMAC_SHA1_96 ? b->m->sha1_one_block : b->m->sha256_one_block)(block,
                                                                                           k->ipad);
    memset(block, 0x5c, sizeof block);
    (b->suite->integ == AUTH_HMAC_SHA1_96 ? b->m->sha1_one_block : b->m->sha256_one_block)(block,
                                                                                           k->opad);
}

struct bare *bare_new(const struct bench_suite *s, uint32_t sas, uint32_t batch)
{
    struct bare *b = must_alloc(64, sizeof *b);
    b->m = alloc_mb_mgr(0);
    if (!b->m)
        exit(1);
    init_mb_mgr_auto(b->m, NULL);
    b->suite = s;
    b->batch = batch;
    b->enc = s->bits == 128 ? b->m->gcm128_enc : b->m->gcm256_enc;
    b->dec = s->bits == 128 ? b->m->gcm128_dec : b->m->gcm256_dec;
    b->keys = must_alloc(4096, sas * sizeof *b->keys);
    b->open_keys = must_alloc(4096, sas * sizeof *b->keys);
    b->page = must_alloc(4096, 4096);
    b->ctx = (struct gcm_context_data *)(void *)(b->page + 2048);
    for (uint32_t i = 0; i < sas; i++) {
        key_init(b, &b->keys[i]);
        key_init(b, &b->open_keys[i]);
    }
    return b;
}

void bare_free(struct bare *b)
{
    free_mb_mgr(b->m);
    free(b->keys);
    free(b->open_keys);
    free(b->page);
    free(b);
}

static void gcm_seal(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t n)
{
    for (size_t i = 0; i < b->batch; i++)
        b->enc(&b->keys[sa[i]].gcm, b->ctx, p[i] + 16, p[i] + 16, n, b->nonce, p[i], 8,
               p[i] + 16 + n, 16);
}

static void gcm_open(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t n)
{
    for (size_t i = 0; i < b->batch; i++)
        b->dec(&b->open_keys[sa[i]].gcm, b->ctx, p[i] + 16, p[i] + 16, n, b->nonce, p[i], 8,
               b->tag[i], 16);
}

static void job_auth(const struct bare *b, IMB_JOB *j, struct bare_key *k, uint32_t iv, uint32_t n)
{
    if (b->suite->encr == ENCR_CHACHA20_POLY1305) {
        j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
        j->u.CHACHA20_POLY1305.aad = j->src;
        j->u.CHACHA20_POLY1305.aad_len_in_bytes = 8;
        j->hash_start_src_offset_in_bytes = 16;
        j->msg_len_to_hash_in_bytes = n;
        j->auth_tag_output_len_in_bytes = 16;
        return;
    }
    bool sha1 = b->suite->integ == AUTH_HMAC_SHA1_96;
    j->hash_alg = sha1 ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256;
    j->hash_start_src_offset_in_bytes = 0;
    j->msg_len_to_hash_in_bytes = 8 + iv + n;
    j->auth_tag_output_len_in_bytes = sha1 ? 12 : 16;
    j->u.HMAC._hashed_auth_key_xor_ipad = k->ipad;
    j->u.HMAC._hashed_auth_key_xor_opad = k->opad;
}

static void job_cipher(const struct bare *b, IMB_JOB *j, struct bare_key *k)
{
    switch (b->suite->encr) {
    case ENCR_AES_CBC:
        j->cipher_mode = IMB_CIPHER_CBC;
        j->enc_keys = k->enc;
        j->dec_keys = k->dec;
        j->key_len_in_bytes = 16;
        break;
    case ENCR_3DES:
        j->cipher_mode = IMB_CIPHER_DES3;
        j->enc_keys = j->dec_keys = k->des3;
        j->key_len_in_bytes = 24;
        break;
    case ENCR_CHACHA20_POLY1305:
        j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        j->enc_keys = j->dec_keys = key_bytes;
        j->key_len_in_bytes = 32;
        break;
    default:
        j->cipher_mode = IMB_CIPHER_NULL;
        j->key_len_in_bytes = 0;
    }
}

static void job_fill(struct bare *b, IMB_JOB *j, uint8_t *p, struct bare_key *k, uint32_t n)
{
    uint32_t iv = b->suite->encr == ENCR_AES_CBC ? 16 : b->suite->encr == ENCR_NULL ? 0 : 8;
    bool chacha = b->suite->encr == ENCR_CHACHA20_POLY1305;
    j->src = p;
    j->dst = p + 8 + iv;
    j->cipher_start_src_offset_in_bytes = 8 + iv;
    j->msg_len_to_cipher_in_bytes = n;
    j->iv = chacha ? b->nonce : p + 8;
    j->iv_len_in_bytes = chacha ? 12 : iv;
    job_cipher(b, j, k);
    job_auth(b, j, k, iv, n);
}

static void run(struct bare *b, IMB_JOB **jobs)
{
    uint32_t done = IMB_SUBMIT_BURST_NOCHECK(b->m, b->batch, jobs);
    while (done < b->batch)
        done += IMB_FLUSH_BURST(b->m, b->batch - done, jobs);
}

static void jobs_do(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t n, bool seal)
{
    IMB_JOB *jobs[DP_BATCH];
    if (IMB_GET_NEXT_BURST(b->m, b->batch, jobs) != b->batch)
        exit(1);
    for (size_t i = 0; i < b->batch; i++) {
        job_fill(b, jobs[i], p[i], &(seal ? b->keys : b->open_keys)[sa[i]], n);
        jobs[i]->cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
        jobs[i]->chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
        jobs[i]->auth_tag_output = seal ? (uint8_t *)jobs[i]->dst + n : b->tag[i];
    }
    run(b, jobs);
}

void bare_seal(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t text_len)
{
    if (b->suite->encr == ENCR_AES_GCM_16)
        gcm_seal(b, p, sa, text_len);
    else
        jobs_do(b, p, sa, text_len, true);
}

void bare_open(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t text_len)
{
    if (b->suite->encr == ENCR_AES_GCM_16)
        gcm_open(b, p, sa, text_len);
    else
        jobs_do(b, p, sa, text_len, false);
}
