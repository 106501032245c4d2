/* Pools and tables: see pool.h. Chunks double, so that a few SAs take little and many lie together.
 */
#include "dataplane/pool.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_OBJS 16
#define LINE       ((size_t)64)
#define HUGE       ((size_t)2 << 20)

struct pool_chunk {
    struct pool_chunk *next;
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

static bool grow(struct pool *p)
{
    size_t objs = p->next ? p->next : FIRST_OBJS, n = LINE + objs * stride(p);
    if (n > HUGE / 2) {
        n = HUGE;
        objs = (HUGE - LINE) / stride(p);
    }
    struct pool_chunk *c = lines_new(n);
    if (!c)
        return false;
    c->next = p->chunks;
    p->chunks = c;
    p->fresh = (char *)c + LINE;
    p->left = objs;
    p->next = 2 * objs;
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

void pool_fini(struct pool *p)
{
    for (struct pool_chunk *c = p->chunks, *nx; c; c = nx) {
        nx = c->next;
        free(c);
    }
    *p = (struct pool){0};
}
