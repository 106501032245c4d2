/*
 * The parts of AES-GCM on 512-bit registers of which imb_vaes.c and imb_vaes_short.c are made:
 * counters, rounds, the last registers of a text. Included there alone, so that all of it becomes
 * one function for each size of key.
 *
 * What bounds it are the two ports that take 512-bit operations: one has the rounds of AES, the
 * other products and shuffles, and what goes between integer, mask and vector registers. Hence
 * loads that broadcast, and masks that are vectors in memory.
 */
#pragma once

#include "crypto/imb_vaes_hash.h"
#include <assert.h>

/* Counters as they stand in the last word of each lane, big-endian: block j of the text is
 * encrypted with j + 2. A register has four, a page of 64 registers covers 4 KB. */
#define REGS  5
#define PAGE  64
#define BE(n) 0, 0, 0, ((n)&0xffu) << 24 | ((n)&0xff00u) << 8
#define REG(n)                                                                                     \
    {                                                                                              \
        BE(n), BE((n) + 1), BE((n) + 2), BE((n) + 3)                                               \
    }
#define REG4(n)  REG(n), REG((n) + 4), REG((n) + 8), REG((n) + 12)
#define REG16(n) REG4(n), REG4((n) + 16), REG4((n) + 32), REG4((n) + 48)
static const uint32_t counters[PAGE][16]
    __attribute__((aligned(64))) = {REG16(2), REG16(66), REG16(130), REG16(194)};

/* A register with all bits of some 32-bit words set: bit i for word i. */
#define WORD(bits, i) ((bits) >> (i)&1 ? -1 : 0)
#define WORDS(bits)                                                                                \
    _mm512_setr_epi32(WORD(bits, 0), WORD(bits, 1), WORD(bits, 2), WORD(bits, 3), WORD(bits, 4),   \
                      WORD(bits, 5), WORD(bits, 6), WORD(bits, 7), WORD(bits, 8), WORD(bits, 9),   \
                      WORD(bits, 10), WORD(bits, 11), WORD(bits, 12), WORD(bits, 13),              \
                      WORD(bits, 14), WORD(bits, 15))

/* b where mask is set, else a. */
INLINE __m512i choose(__m512i mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi64(mask, b, a, 0xca);
}

/* a ^ (b & mask) */
INLINE __m512i xor_masked(__m512i a, __m512i b, __m512i mask)
{
    return _mm512_ternarylogic_epi64(a, b, mask, 0x78);
}

INLINE __m512i load_8_to_all(const void *p)
{
    return _mm512_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)p));
}

/* RFC 4106 4: salt, IV, and the counter, still zero, under the first round key, in every lane. */
INLINE __m512i nonce(__m512i salted, const uint8_t *iv)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(iv - 4));
    return xor_masked(salted, _mm512_broadcast_i32x4(v), WORDS(0x6666));
}

/* The same for an IV that is still a number. */
INLINE __m512i nonce_of(__m512i salted, const uint64_t *iv)
{
    const __m128i order = _mm_set_epi8(-1, -1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1);
    __m512i v = _mm512_shuffle_epi8(load_8_to_all(iv), _mm512_broadcast_i32x4(order));
    return _mm512_xor_si512(salted, v);
}

/* RFC 4106 5: SPI and sequence number, 32 or 64 bits, as they stand in the packet, into lane `at`
 * of v, where nothing is. */
INLINE __m512i with_aad(const struct cr_op *op, __m512i v, unsigned at)
{
    if (op->esn) {
        __m128i aad = _mm_loadl_epi64((const __m128i *)(const void *)op->p);
        aad = _mm_shuffle_epi32(aad, _MM_SHUFFLE(3, 1, 2, 0));
        aad = _mm_insert_epi32(aad, (int)__builtin_bswap32(op->seq_hi), 1);
        return _mm512_mask_broadcast_i64x2(v, (__mmask8)(3u << 2 * at), aad);
    }
    return xor_masked(v, load_8_to_all(op->p), at == 2 ? WORDS(0x0300) : WORDS(0x3000));
}

/* Bits of associated data, without ESN and with it, and of text: a block in the last lane, bytes
 * swapped already. There is nothing else in the lane. */
INLINE __m512i with_lengths(const struct cr_op *op, __m512i v)
{
    static const uint64_t aad[2][8] __attribute__((aligned(64))) = {{[7] = 64}, {[7] = 96}};
    v = _mm512_or_si512(v, _mm512_load_si512(aad[op->esn]));
    return xor_masked(v, _mm512_set1_epi64((long long)op->text_len * 8), WORDS(0x3000));
}

/* Bytes of the text in register g of n, of which only the last two may be short of 64. */
INLINE __mmask64 bytes_in(uint32_t left, size_t g, size_t n)
{
    uint32_t before = (uint32_t)(64 * g);
    if (g + 2 < n)
        return ~0ull;
    return _bzhi_u64(~0ull, left > before ? left - before : 0); /* 64 and more: all */
}

/* A key's round keys, in every lane; stays in registers while packets of one key follow. */
struct schedule {
    __m512i rk[15];
    __m512i salted; /* salt under the first of them */
    __mmask16 icv;  /* bytes */
    uint32_t begun; /* registers in the table of begin; 0: there is none */
    uint8_t (*table)[64];
};

/*
 * A packet on its way. Its hash is kept a lane each: with n registers r[0] to r[n-1] more, acc
 * becomes acc * H^4n + r[0] * H^4(n-1) + ... + r[n-1]. Before the text acc is the block of
 * associated data, in the last lane.
 */
struct part {
    const uint8_t *src;
    uint8_t *dst;
    ptrdiff_t in_place; /* from src to where the text's first two registers and its rest are */
    uint32_t left, reg; /* bytes; registers done */
    __m512i base;       /* nonce with a counter of zero, under the first round key */
    __m512i start;      /* what begin adds to its table */
    __m512i acc;
    struct gcm_sum sum;
};

/* The one that register `reg` of the text has, whatever it is. */
INLINE __m512i counter(uint32_t reg)
{
    const __m512i lane = _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    const __m512i swap = _mm512_broadcast_i32x4(
        _mm_set_epi8(12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    return _mm512_shuffle_epi8(_mm512_add_epi32(_mm512_set1_epi32((int)(4 * reg + 2)), lane), swap);
}

/* n registers of counters under the first round key. In a later page bits are added to those of the
 * table, but the last register of a page carries into them. */
INLINE void next_counters(struct part *p, __m512i *x, size_t n)
{
    uint32_t at = p->reg % PAGE, page = p->reg / PAGE;
    __m512i base = p->base;
    if (__builtin_expect(page != 0, 0))
        base = _mm512_xor_si512(base, _mm512_maskz_set1_epi32(0x8888, (int)(page << 16)));
#pragma GCC unroll 5
    for (uint32_t g = 0; g < n; g++)
        x[g] = __builtin_expect(at + g < PAGE - 1, 1)
                   ? _mm512_xor_si512(base, _mm512_load_si512(counters[at + g]))
                   : _mm512_xor_si512(p->base, counter(p->reg + g));
}

/*
 * The first round is linear behind its S-boxes, so what comes of the counter and what of the nonce
 * can be added: while packets of one key follow, the counter's part is in a table, the nonce's is
 * made once a packet, and the round is an exclusive or.
 */
#define BEGUN   IMB_VAES_BEGUN
#define INV_S_0 0x52525252 /* four bytes of which the S-box makes zero */

INLINE __m512i begun_by_nonce(const struct schedule *ks, __m512i base)
{
    __m512i x = choose(WORDS(0x8888), base, _mm512_set1_epi32(INV_S_0));
    return _mm512_aesenc_epi128(x, ks->rk[1]);
}

INLINE void begun_by_counter(const struct schedule *ks, __m512i ctr, uint8_t out[64])
{
    __m512i x = _mm512_xor_si512(ks->rk[0], ctr);
    x = choose(WORDS(0x8888), _mm512_set1_epi32(INV_S_0), x);
    _mm512_store_si512(out, _mm512_aesenc_epi128(x, _mm512_setzero_si512()));
}

/* The table has at least as many registers as this text needs, or all it can have; behind them is
 * the counter of the tag's mask. */
INLINE void begun_for(struct schedule *ks, uint32_t text_len)
{
    uint32_t want = text_len / 64 + 2;
    if (want > BEGUN)
        want = BEGUN;
    if (!ks->begun)
        begun_by_counter(ks, _mm512_set1_epi32(1 << 24), ks->table[BEGUN]);
    for (; ks->begun < want; ks->begun++)
        begun_by_counter(ks, _mm512_load_si512(counters[ks->begun]), ks->table[ks->begun]);
}

/* n registers of counters after the first round; `tag`: in the last lane that of the tag's mask, 1.
 */
INLINE void begin(const struct schedule *ks, struct part *p, __m512i *x, size_t n, bool tag)
{
    const __m512i last_lane = WORDS(0xf000);
    if (p->reg + n <= ks->begun) {
#pragma GCC unroll 5
        for (size_t g = 0; g < n; g++)
            x[g] = _mm512_xor_si512(p->start, _mm512_load_si512(ks->table[p->reg + g]));
        if (tag)
            x[n - 1] = choose(last_lane, x[n - 1],
                              _mm512_xor_si512(p->start, _mm512_load_si512(ks->table[BEGUN])));
    } else {
        next_counters(p, x, n);
        if (tag)
            x[n - 1] = choose(last_lane, x[n - 1],
                              xor_masked(p->base, _mm512_set1_epi32(1 << 24), WORDS(0x8000)));
#pragma GCC unroll 5
        for (size_t g = 0; g < n; g++)
            x[g] = _mm512_aesenc_epi128(x[g], ks->rk[1]);
    }
    p->reg += (uint32_t)n;
}

/* Where four registers stand among those that are hashed together: eight, or four alone. */
enum place { FIRST_4, LAST_4, ONLY_4 };

/*
 * Register g of four: the first takes with it what came before, the last of all needs no product.
 * more: so many registers behind them are to enter the same sum; then it stays open.
 */
INLINE void hash_one(const struct imb_vaes *k, struct part *p, __m512i block, size_t g,
                     enum place at, size_t more)
{
    size_t last = at == FIRST_4 ? 7 : 3;
    if (g == 0 && at != LAST_4)
        p->sum = mul(p->acc, stripe(k, last + 1 + more));
    if (g < last || more)
        add(&p->sum, block, stripe(k, last - g + more));
    else
        p->acc = _mm512_xor_si512(block, reduce_lanes(&p->sum));
}

INLINE void hash_four(const struct imb_vaes *k, struct part *p, const __m512i *block, enum place at,
                      size_t more)
{
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        hash_one(k, p, block[g], g, at, more);
}

/* The rounds that begin has left. */
INLINE void encrypt(const struct schedule *ks, __m512i *x, size_t n, size_t rounds)
{
#pragma GCC unroll 16
    for (size_t r = 2; r < rounds; r++)
#pragma GCC unroll 5
        for (size_t g = 0; g < n; g++)
            x[g] = _mm512_aesenc_epi128(x[g], ks->rk[r]);
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++)
        x[g] = _mm512_aesenclast_epi128(x[g], ks->rk[rounds]);
}

/* Four registers of key stream, and four others hashed meanwhile. */
INLINE void encrypt_and_hash(const struct imb_vaes *k, const struct schedule *ks, struct part *p,
                             __m512i *x, const __m512i *block, size_t rounds, enum place at,
                             size_t more)
{
#pragma GCC unroll 16
    for (size_t r = 2; r < rounds; r++) {
#pragma GCC unroll 4
        for (size_t g = 0; g < 4; g++)
            x[g] = _mm512_aesenc_epi128(x[g], ks->rk[r]);
        if (r % 2 == 0 && r <= 8)
            hash_one(k, p, block[r / 2 - 1], r / 2 - 1, at, more);
    }
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        x[g] = _mm512_aesenclast_epi128(x[g], ks->rk[rounds]);
}

INLINE void schedule_init(struct schedule *ks, const struct imb_vaes *k, size_t rounds)
{
    uint32_t salt;
#pragma GCC unroll 16
    for (size_t r = 0; r <= rounds; r++)
        ks->rk[r] = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)k->rk[r]));
    memcpy(&salt, k->e.salt, sizeof salt);
    ks->salted = _mm512_xor_si512(ks->rk[0], _mm512_broadcast_i32x4(_mm_cvtsi32_si128((int)salt)));
    ks->icv = (__mmask16)((1u << k->e.head.icv_len) - 1);
    ks->begun = 0;
}

INLINE struct part part_of(const struct cr_op *op, __m512i base, const uint8_t *src, uint8_t *dst)
{
    return (struct part){.src = src, .dst = dst, .left = op->text_len, .base = base};
}

/* What is left of a packet when all of its text is done: to hash the last registers. */
struct tail {
    const struct imb_vaes *k;
    size_t blocks; /* of text */
    __m128i mask;  /* of the tag */
    __m512i block[REGS];
};

/*
 * The rest of the text: n registers. The last lane of the last one is not the text's: the block of
 * lengths is there, and among the counters the one of the tag's mask, 1. whole: it is all of the
 * text, and the lane before belongs to the associated data.
 */
INLINE void rest(const struct schedule *ks, const struct cr_op *op, struct part *p, struct tail *t,
                 size_t n, size_t rounds, bool seal, bool whole)
{
    __m512i x[REGS];
    begin(ks, p, x, n, true);
    encrypt(ks, x, n, rounds);
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++) {
        __mmask64 m = bytes_in(p->left, g, n);
        __m512i in = _mm512_maskz_loadu_epi8(m, p->src + 64 * g);
        __m512i out = _mm512_maskz_mov_epi8(m, _mm512_xor_si512(in, x[g]));
        _mm512_mask_storeu_epi8(p->dst + 64 * g, m, out);
        if (seal)
            in = out;
        if (whole && g == n - 1)
            in = with_aad(op, in, 2);
        t->block[g] = byte_swap(in);
    }
    t->block[n - 1] = with_lengths(op, t->block[n - 1]);
    t->mask = _mm512_extracti32x4_epi32(x[n - 1], 3);
    t->blocks = (p->left + 15u) / 16;
}

/* For the last register: H for the lengths, and zero times anything between them and the text. */
INLINE __m512i last_powers(const struct tail *t, size_t n)
{
    return choose(WORDS(0xf000), powers(t->k, t->blocks + 5 - 4 * n), powers(t->k, 4));
}

INLINE __m128i tag_of(const struct tail *t, const struct gcm_sum *s)
{
    const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm_xor_si128(_mm_shuffle_epi8(reduce(s), order), t->mask);
}

/* The tag of a text that is all here. */
INLINE __m128i whole_hash(const struct tail *t, size_t n)
{
    __m512i last = choose(WORDS(0x0f00), last_powers(t, n), powers(t->k, t->blocks + 4));
    struct gcm_sum s = mul(t->block[n - 1], last);
#pragma GCC unroll 5
    for (size_t g = 0; g + 1 < n; g++)
        add(&s, t->block[g], powers(t->k, t->blocks + 1 - 4 * g));
    return tag_of(t, &s);
}
