/*
 * Sticky cursors over bytes. A reader that failed stays failed and returns zeros; a writer that
 * ran out of space stays failed. Parse straight down the packet diagram, check once at the end.
 * All multi-byte integers are in network order.
 */
#pragma once

#include "base/err.h"
#include <endian.h>
#include <stdbool.h>
#include <string.h>

/* Borrowed bytes: valid for the call only. */
struct bytes {
    const uint8_t *p;
    size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){p, n};
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Through memcpy and a swap: compilers make one load or store of it, which they do not of shifts.
 */
static inline uint16_t get_u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return be16toh(v);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return be32toh(v);
}

static inline uint64_t get_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return be64toh(v);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
    v = htobe16(v);
    memcpy(p, &v, sizeof v);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    v = htobe32(v);
    memcpy(p, &v, sizeof v);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    v = htobe64(v);
    memcpy(p, &v, sizeof v);
}

struct rd {
    const uint8_t *p, *end;
    err_t err;
};

static inline struct rd rd_of(struct bytes b)
{
    return (struct rd){b.p, b.n ? b.p + b.n : b.p, 0}; /* NULL + 0 is undefined */
}

static inline size_t rd_left(const struct rd *r)
{
    return r->err ? 0 : (size_t)(r->end - r->p);
}

/* In the header, so that a parser becomes loads and compares: a packet asks for dozens of them. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
    if (r->err)
        return NULL;
    if ((size_t)(r->end - r->p) < n) {
        r->err = R_TRUNCATED;
        return NULL;
    }
    const uint8_t *p = r->p;
    if (n)
        r->p += n;
    return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = rd_take(r, 1);
    return p ? *p : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = rd_take(r, 2);
    return p ? get_u16(p) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = rd_take(r, 4);
    return p ? get_u32(p) : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
    const uint8_t *p = rd_take(r, 8);
    return p ? get_u64(p) : 0;
}

/* Exactly n, or fails with R_TRUNCATED. */
static inline struct bytes rd_bytes(struct rd *r, size_t n)
{
    const uint8_t *p = rd_take(r, n);
    return p ? bytes_of(p, n) : bytes_of(NULL, 0);
}

static inline void rd_skip(struct rd *r, size_t n)
{
    (void)rd_take(r, n);
}

struct bytes rd_rest(struct rd *r);       /* all that is left */
struct rd rd_sub(struct rd *r, size_t n); /* a cursor over the next n bytes, failed if too few */
void rd_fail(struct rd *r, err_t e);      /* keeps the first failure */

/* 0 if nothing failed and nothing is left; R_TRAILING for leftovers. */
err_t rd_done(const struct rd *r) must_use;

struct wr {
    uint8_t *start, *p, *end;
    err_t err;
};

static inline struct wr wr_of(void *p, size_t cap)
{
    uint8_t *b = p;
    return (struct wr){b, b, cap ? b + cap : b, 0};
}

static inline size_t wr_len(const struct wr *w)
{
    return (size_t)(w->p - w->start);
}

static inline struct bytes wr_bytes(const struct wr *w)
{
    return bytes_of(w->start, wr_len(w));
}

void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_bytes_put(struct wr *w, struct bytes b);
void wr_put(struct wr *w, const void *p, size_t n);
uint8_t *wr_space(struct wr *w, size_t n); /* n zeroed bytes to fill later; NULL if no space */
void wr_fail(struct wr *w, err_t e);

/* Lengths that are known later: reserve, write, then patch at the offset wr_len() gave before. */
void wr_patch_u16(struct wr *w, size_t at, uint16_t v);
void wr_patch_u32(struct wr *w, size_t at, uint32_t v);
void wr_patch_u8(struct wr *w, size_t at, uint8_t v);
