/* Pieces of a few sizes: see slab.h. Each size has a list of its own of what was given back. */
#include "base/slab.h"
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN 4096
#define BLOCK_MAX 65536

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BY_ONE 1
#elif defined(__has_feature)
#define ONE_BY_ONE __has_feature(address_sanitizer)
#else
#define ONE_BY_ONE 0
#endif

struct slab_block {
    struct slab_block *next;
};

/* 0: malloc's. */
static size_t class_of(size_t n)
{
    return ONE_BY_ONE || n > SLAB_MAX ? 0 : n ? (n + 7) / 8 : 1;
}

static void keep(struct slab *s, size_t class, void *p)
{
    memcpy(p, &s->free[class - 1], sizeof(void *));
    s->free[class - 1] = p;
}

/* What is left of the block before is kept as a piece of its size. */
static bool block_new(struct slab *s)
{
    size_t n = s->next ? s->next : BLOCK_MIN;
    struct slab_block *b = malloc(n);
    if (!b)
        return false;
    if (s->left)
        keep(s, s->left / 8, s->fresh);
    b->next = s->blocks;
    s->blocks = b;
    s->fresh = (char *)(b + 1);
    s->left = n - sizeof *b;
    s->next = n < BLOCK_MAX ? 2 * n : n;
    return true;
}

static void *fresh_get(struct slab *s, size_t n)
{
    if (s->left < n && !block_new(s))
        return NULL;
    void *p = s->fresh;
    s->fresh += n;
    s->left -= n;
    return p;
}

void *slab_get(struct slab *s, size_t n)
{
    size_t class = class_of(n);
    if (!class)
        return calloc(1, n);
    void *p = s->free[class - 1];
    if (p)
        memcpy(&s->free[class - 1], p, sizeof p);
    else
        p = fresh_get(s, class * 8);
    return p ? memset(p, 0, class * 8) : NULL;
}

void slab_put(struct slab *s, void *p, size_t n)
{
    size_t class = class_of(n);
    if (!class)
        free(p);
    else if (p)
        keep(s, class, p);
}

void slab_fini(struct slab *s)
{
    for (struct slab_block *b = s->blocks, *nx; b; b = nx) {
        nx = b->next;
        free(b);
    }
    *s = (struct slab){0};
}
