/* Places of rows in the guard: see policies_order.h. */
#include "daemon/policies_order.h"
#include <stdlib.h>

/* The first shunt whose rank is not below this one. */
static size_t find(const struct policies_order *o, uint64_t rank)
{
    size_t lo = 0, hi = o->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (o->shunt[mid].rank < rank)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static err_t room(struct policies_order *o, size_t n)
{
    size_t cap = o->cap ? o->cap : 8;
    while (cap < n)
        cap *= 2;
    if (cap == o->cap)
        return E_OK;
    struct shunt_rank *grown = realloc(o->shunt, cap * sizeof *grown);
    if (!grown)
        return E_NOMEM;
    o->shunt = grown;
    o->cap = cap;
    return E_OK;
}

err_t order_add(struct policies_order *o, uint64_t rank)
{
    size_t i = find(o, rank);
    if (i < o->n && o->shunt[i].rank == rank) {
        o->shunt[i].rules++;
        return E_OK;
    }
    if (room(o, o->n + 1))
        return E_NOMEM;
    memmove(&o->shunt[i + 1], &o->shunt[i], (o->n++ - i) * sizeof *o->shunt);
    o->shunt[i] = (struct shunt_rank){rank, 1};
    return E_OK;
}

void order_del(struct policies_order *o, uint64_t rank)
{
    size_t i = find(o, rank);
    if (i == o->n || o->shunt[i].rank != rank || --o->shunt[i].rules)
        return;
    memmove(&o->shunt[i], &o->shunt[i + 1], (--o->n - i) * sizeof *o->shunt);
}

err_t order_copy(struct policies_order *to, const struct policies_order *from)
{
    if (room(to, from->n))
        return E_NOMEM;
    if (from->n)
        memcpy(to->shunt, from->shunt, from->n * sizeof *from->shunt);
    to->n = from->n;
    return E_OK;
}

uint64_t order_of(const struct policies_order *o, enum policy_action action, uint64_t rank)
{
    if (action != POL_PROTECT)
        return rank * 2 + 1;
    size_t i = find(o, rank);
    return i < o->n ? o->shunt[i].rank * 2 : UINT64_MAX;
}

void order_clear(struct policies_order *o)
{
    o->n = 0;
}

void order_fini(struct policies_order *o)
{
    free(o->shunt);
    *o = (struct policies_order){0};
}
