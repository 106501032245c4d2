/*
 * Internet checksum: see csum.h. Portable and AVX2: four 64-bit lanes at a time. A lane's words are
 * split into high halves and a running total; the low halves' sum is the total less the high ones
 * shifted, exact while it stays below 2^64, so that one shift and two additions do 32 bytes.
 * AVX-512 VNNI: a multiplication by one adds pairs of signed words, 64 bytes an instruction.
 */
#include "dataplane/csum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef uint64_t lanes __attribute__((vector_size(32)));

enum { SHORT = 128 }; /* below, folding the lanes costs more than they save */

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t fold33(uint64_t v)
{
    return (v & 0xffffffffu) + (v >> 32);
}

INLINE uint64_t tail(const uint8_t *p, size_t n, uint64_t sum)
{
    uint64_t v;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&v, p, 8);
        sum += fold33(v);
    }
    for (; n >= 2; n -= 2, p += 2)
        sum += csum_word16(p);
    if (n)
        sum += csum_word16((const uint8_t[2]){p[0], 0}); /* RFC 1071 1: padded with a zero */
    return sum;
}

INLINE uint64_t body(const uint8_t *p, size_t n, uint64_t sum)
{
    lanes high0 = {0}, high1 = {0}, all0 = {0}, all1 = {0};
    for (; n >= 64; n -= 64, p += 64) {
        lanes a, b;
        memcpy(&a, p, sizeof a);
        memcpy(&b, p + 32, sizeof b);
        high0 += a >> 32;
        high1 += b >> 32;
        all0 += a;
        all1 += b;
    }
    high0 += high1;
    all0 += all1;
    lanes low = all0 - (high0 << 32);
    for (int i = 0; i < 4; i++)
        sum += fold33(high0[i]) + fold33(low[i]);
    return tail(p, n, sum);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t add_avx2(const uint8_t *p, size_t n, uint64_t sum)
{
    return body(p, n, fold33(sum));
}

/*
 * Words are made signed by turning their top bit, which takes 32768 from each; that is added again
 * for all of them, those of the masked rest included. 1 MiB leaves each of the 32-bit sums in
 * range.
 */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static uint64_t
add_vnni(const uint8_t *p, size_t n, uint64_t sum)
{
    const __m512i ones = _mm512_set1_epi16(1), top = _mm512_set1_epi16((short)0x8000);
    __m512i a = _mm512_setzero_si512(), b = a;
    uint64_t blocks = (n + 63) / 64;
    for (; n >= 128; n -= 128, p += 128) {
        a = _mm512_dpwssd_epi32(a, _mm512_xor_si512(_mm512_loadu_si512(p), top), ones);
        b = _mm512_dpwssd_epi32(b, _mm512_xor_si512(_mm512_loadu_si512(p + 64), top), ones);
    }
    for (; n; n -= n < 64 ? n : 64, p += 64) {
        __mmask64 m = n < 64 ? (1ull << n) - 1 : ~0ull;
        a = _mm512_dpwssd_epi32(a, _mm512_xor_si512(_mm512_maskz_loadu_epi8(m, p), top), ones);
    }
    int64_t words = _mm512_reduce_add_epi64(
        _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(a)),
                         _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a, 1))));
    words += _mm512_reduce_add_epi64(
        _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(b)),
                         _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(b, 1))));
    return fold33(sum) + (uint64_t)(words + (int64_t)blocks * 32 * 32768);
}

bool csum_has(enum csum_way w)
{
    return w == CSUM_PLAIN || (w == CSUM_AVX2 && __builtin_cpu_supports("avx2")) ||
           (w == CSUM_VNNI && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vnni"));
}

uint64_t csum_add_by(enum csum_way w, const uint8_t *p, size_t n, uint64_t sum)
{
    return w == CSUM_VNNI   ? add_vnni(p, n, sum)
           : w == CSUM_AVX2 ? add_avx2(p, n, sum)
                            : body(p, n, fold33(sum));
}

uint64_t csum_add(const uint8_t *p, size_t n, uint64_t sum)
{
    if (n < SHORT)
        return tail(p, n, fold33(sum));
    if (csum_has(CSUM_VNNI))
        return add_vnni(p, n, sum);
    return csum_add_by(csum_has(CSUM_AVX2) ? CSUM_AVX2 : CSUM_PLAIN, p, n, sum);
}
#else
bool csum_has(enum csum_way w)
{
    return w == CSUM_PLAIN;
}

uint64_t csum_add_by(enum csum_way w, const uint8_t *p, size_t n, uint64_t sum)
{
    (void)w;
    return body(p, n, fold33(sum));
}

uint64_t csum_add(const uint8_t *p, size_t n, uint64_t sum)
{
    return body(p, n, fold33(sum));
}
#endif
