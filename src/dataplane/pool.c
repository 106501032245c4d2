/* Pools of hot halves: see sa.h. The link of a free object lies behind it, so that a generation in
 * the object stays readable. */
#include "dataplane/sa.h"
#include <stdlib.h>

#define CHUNK_OBJS 64

struct pool_chunk {
    struct pool_chunk *next;
};

static size_t stride(const struct pool *p)
{
    return (p->size + sizeof(void *) + 63) & ~(size_t)63;
}

static void **link_of(const struct pool *p, void *obj)
{
    return (void **)(void *)((char *)obj + stride(p) - sizeof(void *));
}

static bool grow(struct pool *p)
{
    size_t n = 64 + CHUNK_OBJS * stride(p);
    struct pool_chunk *c = aligned_alloc(64, n);
    if (!c)
        return false;
    memset(c, 0, n);
    c->next = p->chunks;
    p->chunks = c;
    for (size_t i = CHUNK_OBJS; i-- > 0;)
        pool_put(p, (char *)c + 64 + i * stride(p));
    return true;
}

void *pool_get(struct pool *p)
{
    if (!p->free && !grow(p))
        return NULL;
    void *obj = p->free;
    p->free = *link_of(p, obj);
    return obj;
}

void pool_put(struct pool *p, void *obj)
{
    *link_of(p, obj) = p->free;
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
