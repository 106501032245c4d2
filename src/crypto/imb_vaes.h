/*
 * The parts of AES-GCM on 512-bit registers of which imb_vaes.c is made: counters, rounds, and the
 * hash (GHASH of NIST SP 800-38D, four blocks side by side). Included there alone, so that all of
 * it becomes one function for each size of key.
 */
#pragma once

#include "crypto/imb_impl.h"
#include <assert.h>
#include <immintrin.h>

#define POWERS IMB_VAES_POWERS

#define VECTOR                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,bmi2")))
#define INLINE static inline __attribute__((always_inline)) VECTOR

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

/* Products of blocks and powers of H, not yet reduced. */
struct gcm_sum {
    __m512i lo, mid, hi;
};

INLINE __m512i xor3(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

INLINE __m512i byte_swap(__m512i v)
{
    const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(order));
}

INLINE struct gcm_sum mul(__m512i block, __m512i h)
{
    return (struct gcm_sum){.lo = _mm512_clmulepi64_epi128(block, h, 0x00),
                            .mid = _mm512_xor_si512(_mm512_clmulepi64_epi128(block, h, 0x01),
                                                    _mm512_clmulepi64_epi128(block, h, 0x10)),
                            .hi = _mm512_clmulepi64_epi128(block, h, 0x11)};
}

INLINE void add(struct gcm_sum *s, __m512i block, __m512i h)
{
    s->mid = xor3(s->mid, _mm512_clmulepi64_epi128(block, h, 0x01),
                  _mm512_clmulepi64_epi128(block, h, 0x10));
    s->lo = _mm512_xor_si512(s->lo, _mm512_clmulepi64_epi128(block, h, 0x00));
    s->hi = _mm512_xor_si512(s->hi, _mm512_clmulepi64_epi128(block, h, 0x11));
}

/* H to the power of `n` and the lower ones behind it, a lane each; n <= POWERS. */
INLINE __m512i powers(const struct imb_vaes *k, size_t n)
{
    return _mm512_loadu_si512(k->power[POWERS - n]);
}

/* H to the power of 4n in every lane. */
INLINE __m512i stripe(const struct imb_vaes *k, size_t n)
{
    const uint8_t *p = n > 3 ? k->stripe[8 - n] : k->power[POWERS - 4 * n];
    return _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)p));
}

/* Modulo x^128 + x^7 + x^2 + x + 1, bits reflected, in every lane; the key's powers are shifted by
 * one already. */
INLINE __m512i reduce_lanes(const struct gcm_sum *s)
{
    const __m512i poly = _mm512_broadcast_i32x4(_mm_set_epi64x((long long)0xc200000000000000u, 1));
    __m512i lo = _mm512_xor_si512(s->lo, _mm512_bslli_epi128(s->mid, 8));
    __m512i hi = _mm512_xor_si512(s->hi, _mm512_bsrli_epi128(s->mid, 8));
    lo = _mm512_xor_si512(_mm512_shuffle_epi32(lo, 0x4e), _mm512_clmulepi64_epi128(lo, poly, 0x10));
    return xor3(hi, _mm512_shuffle_epi32(lo, 0x4e), _mm512_clmulepi64_epi128(lo, poly, 0x10));
}

INLINE __m128i fold(__m512i v)
{
    __m256i y = _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
}

/* The same for the sum of all lanes. */
INLINE __m128i reduce(const struct gcm_sum *s)
{
    const __m128i poly = _mm_set_epi64x((long long)0xc200000000000000u, 1);
    __m128i lo = fold(_mm512_xor_si512(s->lo, _mm512_bslli_epi128(s->mid, 8)));
    __m128i hi = fold(_mm512_xor_si512(s->hi, _mm512_bsrli_epi128(s->mid, 8)));
    lo = _mm_xor_si128(_mm_shuffle_epi32(lo, 0x4e), _mm_clmulepi64_si128(lo, poly, 0x10));
    lo = _mm_xor_si128(_mm_shuffle_epi32(lo, 0x4e), _mm_clmulepi64_si128(lo, poly, 0x10));
    return _mm_xor_si128(hi, lo);
}

/* RFC 4106 4: salt, IV, and the counter, still zero. */
INLINE __m128i nonce(const struct imb_vaes *k, uint64_t iv)
{
    uint32_t salt;
    memcpy(&salt, k->e.salt, sizeof salt);
    iv = __builtin_bswap64(iv);
    return _mm_set_epi64x((long long)(iv >> 32), (long long)(iv << 32 | salt));
}

/* RFC 4106 5: SPI and sequence number, 32 or 64 bits. */
INLINE __m128i aad_block(const struct cr_op *op)
{
    uint64_t aad = get_u64(op->p), more = 0;
    if (op->esn) {
        more = aad << 32;
        aad = (aad & 0xffffffff00000000u) | op->seq_hi;
    }
    return _mm_set_epi64x((long long)aad, (long long)more);
}

INLINE __m128i len_block(const struct cr_op *op)
{
    return _mm_set_epi64x(op->esn ? 96 : 64, (long long)op->text_len * 8);
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
    p->reg += (uint32_t)n;
}

/* Where four registers stand among those that are hashed together: eight, or four alone. */
enum place { FIRST_4, LAST_4, ONLY_4 };

/* Register g of four: the first takes with it what came before, the last of all needs no product.
 */
INLINE void hash_one(const struct imb_vaes *k, struct part *p, __m512i block, size_t g,
                     enum place at)
{
    size_t last = at == FIRST_4 ? 7 : 3;
    if (g == 0 && at != LAST_4)
        p->sum = mul(p->acc, stripe(k, last + 1));
    if (g < last)
        add(&p->sum, block, stripe(k, last - g));
    else
        p->acc = _mm512_xor_si512(block, reduce_lanes(&p->sum));
}

INLINE void hash_four(const struct imb_vaes *k, struct part *p, const __m512i *block, enum place at)
{
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        hash_one(k, p, block[g], g, at);
}

INLINE void encrypt(const struct schedule *ks, __m512i *x, size_t n, size_t rounds)
{
#pragma GCC unroll 16
    for (size_t r = 1; r < rounds; r++)
#pragma GCC unroll 5
        for (size_t g = 0; g < n; g++)
            x[g] = _mm512_aesenc_epi128(x[g], ks->rk[r]);
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++)
        x[g] = _mm512_aesenclast_epi128(x[g], ks->rk[rounds]);
}

/* Four registers of key stream, and four others hashed meanwhile. */
INLINE void encrypt_and_hash(const struct imb_vaes *k, const struct schedule *ks, struct part *p,
                             __m512i *x, const __m512i *block, size_t rounds, enum place at)
{
#pragma GCC unroll 16
    for (size_t r = 1; r < rounds; r++) {
#pragma GCC unroll 4
        for (size_t g = 0; g < 4; g++)
            x[g] = _mm512_aesenc_epi128(x[g], ks->rk[r]);
        if (r % 2 && r < 8)
            hash_one(k, p, block[r / 2], r / 2, at);
    }
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        x[g] = _mm512_aesenclast_epi128(x[g], ks->rk[rounds]);
}
