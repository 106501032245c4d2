/* Pools and tables: see pool.h. What is taken doubles, so that a few SAs take little and many lie
 * together. */
#include "dataplane/pool.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_OBJS 16
#define LINE       ((size_t)64)
#define HUGE       ((size_t)2 << 20)
#define PIECE_MAX  (HUGE / 16) /* what a pool takes at once, unless an object is larger */

struct pool_region {
    struct pool_region *next;
};

static size_t stride(const struct pool *p)
{
    return (p->size + LINE - 1) & ~(LINE - 1);
}

/* Whether the kernel gives huge pages is its own business. */
static void *lines_new(size_t n)
{
    if (n < HUGE)
        return aligned_alloc(LINE, n);
    void *m = aligned_alloc(HUGE, n);
    if (m)
        (void)madvise(m, n, MADV_HUGEPAGE);
    return m;
}

void *table_new(size_t n)
{
    n = (n + HUGE - 1) & ~(HUGE - 1);
    void *t = lines_new(n);
    if (t)
        memset(t, 0, n);
    return t;
}

/* The first line of a region links it. */
static bool region_new(struct pool_home *h, size_t least)
{
    size_t n = h->next ? h->next : 16 * 1024;
    while (n < least + LINE)
        n *= 2;
    struct pool_region *r = lines_new(n);
    if (!r)
        return false;
    r->next = h->regions;
    h->regions = r;
    h->fresh = (char *)r + LINE;
    h->left = n - LINE;
    h->next = n < HUGE ? 2 * n : n;
    return true;
}

void pool_home_fini(struct pool_home *h)
{
    for (struct pool_region *r = h->regions, *nx; r; r = nx) {
        nx = r->next;
        free(r);
    }
    *h = (struct pool_home){0};
}

void pool_init(struct pool *p, struct pool_home *home, size_t size)
{
    *p = (struct pool){.home = home, .size = size};
}

static bool grow(struct pool *p)
{
    size_t objs = p->next ? p->next : FIRST_OBJS, one = stride(p);
    if (objs * one > PIECE_MAX)
        objs = one < PIECE_MAX ? PIECE_MAX / one : 1;
    size_t n = objs * one;
    if (p->home->left < n && !region_new(p->home, n))
        return false;
    p->fresh = p->home->fresh;
    p->left = objs;
    p->next = 2 * objs;
    p->home->fresh += n;
    p->home->left -= n;
    return true;
}

void *pool_get(struct pool *p)
{
    void *obj = p->free;
    if (obj) {
        memcpy(&p->free, obj, sizeof p->free);
        return obj;
    }
    if (!p->left && !grow(p))
        return NULL;
    obj = p->fresh;
    p->fresh += stride(p);
    p->left--;
    memset(obj, 0, stride(p));
    return obj;
}

void pool_put(struct pool *p, void *obj)
{
    memcpy(obj, &p->free, sizeof p->free);
    p->free = obj;
}
