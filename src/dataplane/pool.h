/*
 * Pools of objects of one size, each on cache lines of its own, and large tables, both in huge
 * pages when they are large: with thousands of SAs every packet touches other pages. A data plane's
 * pools share a home, so that one huge page is begun and not one for each kind of object. Used by
 * child.c, keying.c, spd_edit.c and flow.c.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Where pools take their memory; it goes all at once. All zero: a new one. */
struct pool_home {
    struct pool_region *regions;
    char *fresh; /* `left` bytes that nobody has yet */
    size_t left, next;
};

void pool_home_fini(struct pool_home *h);

/* Objects stay where they are until the home goes. The first word of a free one is the pool's. */
struct pool {
    struct pool_home *home;
    size_t size;
    void *free;
    char *fresh;       /* never used yet, `left` of them */
    size_t left, next; /* objects to be taken next */
};

void pool_init(struct pool *p, struct pool_home *home, size_t size);
void *pool_get(struct pool *p) must_use; /* memory as the last user left it, or zero */
void pool_put(struct pool *p, void *obj);

/* Zeros; to be given to free(). */
void *table_new(size_t n) must_use;
