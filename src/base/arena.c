/* Arena: see arena.h. */
#include "base/arena.h"
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t mem[];
};

#define BLOCK_MIN ((size_t)2048)

static struct arena_block *block_new(size_t need)
{
    size_t cap = need > BLOCK_MIN ? need : BLOCK_MIN;
    struct arena_block *b = calloc(1, sizeof *b + cap);
    if (b)
        b->cap = cap;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    struct arena_block *b = a->blocks;
    if (!b || b->cap - b->used < n) {
        b = block_new(n);
        if (!b)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = b->mem + b->used;
    b->used += n;
    return p;
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
    uint8_t *p = arena_alloc(a, b.n ? b.n : 1);
    if (!p)
        return bytes_of(NULL, 0);
    if (b.n)
        memcpy(p, b.p, b.n);
    return bytes_of(p, b.n);
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *s = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

void arena_free(struct arena *a)
{
    for (struct arena_block *b = a->blocks, *nx; b; b = nx) {
        nx = b->next;
        explicit_bzero(b->mem, b->used);
        free(b);
    }
    a->blocks = NULL;
}

bool arena_reserve(struct arena *home, size_t n)
{
    home->blocks = block_new(n);
    return home->blocks != NULL;
}

void arena_borrow(struct arena *a, struct arena *home)
{
    *a = *home;
    home->blocks = NULL;
}

/* Takes the largest block out. */
static struct arena_block *largest(struct arena *a)
{
    struct arena_block **best = &a->blocks;
    for (struct arena_block **at = &a->blocks; *at; at = &(*at)->next)
        if ((*at)->cap > (*best)->cap)
            best = at;
    struct arena_block *b = *best;
    if (b)
        *best = b->next;
    return b;
}

void arena_return(struct arena *a, struct arena *home)
{
    struct arena_block *b = largest(a);
    if (!b)
        return;
    explicit_bzero(b->mem, b->used);
    b->used = 0;
    b->next = home->blocks;
    home->blocks = b;
    b = largest(home);
    arena_free(home);
    b->next = NULL;
    home->blocks = b;
    arena_free(a);
}
