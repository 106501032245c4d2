/*
 * The Internet checksum (RFC 1071) for whole payloads. Sums are taken over 16-bit words as they
 * lie in memory, whatever the machine's byte order (RFC 1071 2 B), so results are stored as they
 * are. Called by split.c and coalesce.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Added to `sum`; of several pieces all but the last must have an even length. At most 1 MiB. */
uint64_t csum_add(const uint8_t *p, size_t n, uint64_t sum);

/* The ways of doing it, of which csum_add takes the last that the processor has: for tests. */
enum csum_way { CSUM_PLAIN, CSUM_AVX2, CSUM_VNNI };
bool csum_has(enum csum_way w);
uint64_t csum_add_by(enum csum_way w, const uint8_t *p, size_t n, uint64_t sum);

/* To 16 bits, not complemented; 0 only for a sum of nothing but zeros. */
static inline uint16_t csum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline void csum_put(uint8_t *at, uint16_t v)
{
    memcpy(at, &v, sizeof v);
}

/* The words of a header that is written or known only in part. */
static inline uint64_t csum_word16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t csum_word32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Over n bytes that are short and known to be a multiple of four: headers, addresses. */
static inline uint64_t csum_words(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i += 4)
        sum += csum_word32(p + i);
    return sum;
}
