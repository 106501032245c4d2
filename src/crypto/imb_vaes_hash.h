/*
 * The hash of AES-GCM, GHASH of NIST SP 800-38D 6.4, on 512-bit registers: four blocks side by
 * side, each times its power of H, added up, and reduced once for all. Included by imb_vaes.h.
 */
#pragma once

#include "crypto/imb_impl.h"
#include <immintrin.h>

#define POWERS IMB_VAES_POWERS

#define VECTOR                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,bmi2")))
#define INLINE static inline __attribute__((always_inline)) VECTOR

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

/* H to the power of `n` and the lower ones behind it, a lane each; in place of those below the
 * first and above POWERS there is anything. */
INLINE __m512i powers(const struct imb_vaes *k, size_t n)
{
    return _mm512_loadu_si512(&k->power[0][0] + 16 * (POWERS - (ptrdiff_t)n));
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
