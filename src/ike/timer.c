/* Binary heap of timers: see timer.h. Used by the engine for the wake-up of each IKE SA. */
#include "ike/timer.h"
#include <stdlib.h>

static void place(struct ike_heap *h, size_t pos, struct ike_timer *t)
{
    h->v[pos - 1] = t;
    t->pos = pos;
}

static void up(struct ike_heap *h, struct ike_timer *t)
{
    size_t pos = t->pos;
    for (; pos > 1 && h->v[pos / 2 - 1]->at > t->at; pos /= 2)
        place(h, pos, h->v[pos / 2 - 1]);
    place(h, pos, t);
}

static void down(struct ike_heap *h, struct ike_timer *t)
{
    size_t pos = t->pos;
    for (size_t kid; (kid = pos * 2) <= h->n; pos = kid) {
        if (kid < h->n && h->v[kid]->at < h->v[kid - 1]->at)
            kid++;
        if (h->v[kid - 1]->at >= t->at)
            break;
        place(h, pos, h->v[kid - 1]);
    }
    place(h, pos, t);
}

static err_t grow(struct ike_heap *h)
{
    size_t cap = h->cap ? h->cap * 2 : 16;
    struct ike_timer **v = realloc(h->v, cap * sizeof(struct ike_timer *));
    if (!v)
        return E_NOMEM;
    h->v = v;
    h->cap = cap;
    return E_OK;
}

err_t heap_set(struct ike_heap *h, struct ike_timer *t, uint64_t at)
{
    if (at == UINT64_MAX) {
        heap_del(h, t);
        return E_OK;
    }
    if (!t->pos) {
        if (h->n == h->cap && grow(h))
            return E_NOMEM;
        place(h, ++h->n, t);
    }
    t->at = at;
    up(h, t);
    down(h, t);
    return E_OK;
}

void heap_del(struct ike_heap *h, struct ike_timer *t)
{
    if (!t->pos)
        return;
    struct ike_timer *last = h->v[--h->n];
    size_t pos = t->pos;
    t->pos = 0;
    if (last == t)
        return;
    place(h, pos, last);
    up(h, last);
    down(h, last);
}

struct ike_timer *heap_first(const struct ike_heap *h)
{
    return h->n ? h->v[0] : NULL;
}

void heap_free(struct ike_heap *h)
{
    free(h->v);
    *h = (struct ike_heap){0};
}
