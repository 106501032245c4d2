/*
 * Internet checksum: see csum.h. Four 64-bit lanes at a time. A lane's words are split into high
 * halves and a running total; the low halves' sum is the total less the high ones shifted, exact
 * while it stays below 2^64, so that one shift and two additions do 32 bytes.
 */
#include "dataplane/csum.h"

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

uint64_t csum_add_plain(const uint8_t *p, size_t n, uint64_t sum)
{
    return body(p, n, fold33(sum));
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t add_avx2(const uint8_t *p, size_t n, uint64_t sum)
{
    return body(p, n, fold33(sum));
}

uint64_t csum_add(const uint8_t *p, size_t n, uint64_t sum)
{
    if (n < SHORT)
        return tail(p, n, fold33(sum));
    return __builtin_cpu_supports("avx2") ? add_avx2(p, n, sum) : csum_add_plain(p, n, sum);
}
#else
uint64_t csum_add(const uint8_t *p, size_t n, uint64_t sum)
{
    return csum_add_plain(p, n, sum);
}
#endif
