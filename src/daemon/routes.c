/* The routing table of our own: see routes.h; what is in it is computed in routes_table.c. */
#include "daemon/routes.h"
#include "daemon/routes_table.h"
#include <stdlib.h>

/* What netlink_local_in said: many policies have the same few local selectors. */
#define KNOWN_MAX 16

struct known {
    struct addr lo, hi, src;
    bool found;
};

struct routes {
    struct netlink *nl;
    uint32_t id;
    int ifindex;
    struct route_table now;
    struct known known[KNOWN_MAX]; /* of one routes_set: addresses come and go */
    size_t known_count;
};

static bool local_in(void *ctx, const struct addr *lo, const struct addr *hi, struct addr *src)
{
    struct routes *rt = ctx;
    struct known now = {.lo = *lo, .hi = *hi};
    for (size_t i = 0; i < rt->known_count; i++) {
        const struct known *k = &rt->known[i];
        if (addr_eq(&k->lo, lo) && addr_eq(&k->hi, hi)) {
            *src = k->src;
            return k->found;
        }
    }
    now.found = netlink_local_in(rt->nl, lo, hi, rt->ifindex, &now.src);
    *src = now.src;
    if (rt->known_count < KNOWN_MAX)
        rt->known[rt->known_count++] = now;
    return now.found;
}

static err_t route_on(struct routes *rt, const struct route *r, struct io_error *err)
{
    if (r->throw_back)
        return netlink_throw_add(rt->nl, rt->id, &r->prefix, r->bits, err);
    return netlink_route_add(rt->nl, rt->id, &r->prefix, r->bits, rt->ifindex, &r->src, err);
}

static void route_off(struct routes *rt, const struct route *r)
{
    err_t e = r->throw_back ? netlink_throw_del(rt->nl, rt->id, &r->prefix, r->bits)
                            : netlink_route_del(rt->nl, rt->id, &r->prefix, r->bits, rt->ifindex);
    (void)e; /* gone already is as good */
}

static bool same_route(const struct route *a, const struct route *b)
{
    return route_cmp(a, b) == 0 && addr_eq(&a->src, &b->src);
}

/* Merges two sorted tables: what is only in the old one goes, what is only in the new one comes. */
static err_t switch_over(struct routes *rt, struct route_table *want, struct io_error *err)
{
    size_t i = 0, j = 0;
    while (i < rt->now.n || j < want->n) {
        struct route *old = i < rt->now.n ? &rt->now.r[i] : NULL;
        struct route *new = j < want->n ? &want->r[j] : NULL;
        int c = !old ? 1 : !new ? -1 : route_cmp(old, new);
        if (c == 0 && same_route(old, new)) {
            i++;
            j++;
            continue;
        }
        if (c <= 0) {
            route_off(rt, old);
            i++;
        }
        if (c >= 0) {
            err_t e = route_on(rt, new, err);
            if (e)
                return e;
            j++;
        }
    }
    return E_OK;
}

err_t routes_set(struct routes *rt, const struct policy *p, size_t n, struct io_error *err)
{
    const struct route_source from = {rt, local_in};
    struct route_table want;
    rt->known_count = 0;
    err_t e = route_table_make(&want, p, n, &from);
    if (!e)
        e = switch_over(rt, &want, err);
    if (e) { /* the next attempt starts from an empty table */
        netlink_table_flush(rt->nl, rt->id);
        route_table_free(&want);
        route_table_free(&rt->now);
        return e;
    }
    route_table_free(&rt->now);
    rt->now = want;
    return E_OK;
}

struct routes *routes_new(struct netlink *nl, uint32_t table, int ifindex)
{
    struct routes *rt = calloc(1, sizeof *rt);
    if (!rt)
        return NULL;
    *rt = (struct routes){.nl = nl, .id = table, .ifindex = ifindex};
    netlink_table_flush(nl, table);
    return rt;
}

void routes_free(struct routes *rt)
{
    if (!rt)
        return;
    netlink_table_flush(rt->nl, rt->id);
    route_table_free(&rt->now);
    free(rt);
}
