/*
 * Pools of objects of one size, each on cache lines of its own, and large tables, both in huge
 * pages when they are large: with thousands of SAs every packet touches other pages. Used by
 * child.c, keying.c and flow.c.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Objects stay where they are until the pool goes. The first word of a free one is the pool's. */
struct pool {
    size_t size; /* set by the owner */
    void *free;
    struct pool_chunk *chunks;
    char *fresh;       /* never used yet, `left` of them */
    size_t left, next; /* objects of the next chunk */
};

void *pool_get(struct pool *p) must_use; /* memory as the last user left it, or zero */
void pool_put(struct pool *p, void *obj);
void pool_fini(struct pool *p);

/* Zeros; to be given to free(). */
void *table_new(size_t n) must_use;
