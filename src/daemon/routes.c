/* The routing table of our own: see routes.h. Ranges are cut into prefixes. */
#include "daemon/routes.h"
#include <stdio.h>
#include <stdlib.h>

struct route {
    struct addr prefix, src;
    unsigned bits;
    bool throw_back;
};

struct table {
    struct route *r;
    size_t n, cap;
};

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
    struct table now;
    struct known known[KNOWN_MAX]; /* of one routes_set: addresses come and go */
    size_t known_count;
};

/* More prefixes than a range can need: 2 * 128. */
#define TABLE_MAX ((size_t)1 << 20)

static err_t table_add(struct table *t, const struct route *r)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        struct route *grown = cap > TABLE_MAX ? NULL : realloc(t->r, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        t->r = grown;
        t->cap = cap;
    }
    t->r[t->n++] = *r;
    return E_OK;
}

static int route_cmp(const void *x, const void *y)
{
    const struct route *a = x, *b = y;
    int c = addr_cmp(&a->prefix, &b->prefix);
    if (c)
        return c;
    if (a->bits != b->bits)
        return a->bits < b->bits ? -1 : 1;
    return (int)a->throw_back - (int)b->throw_back;
}

static bool same_prefix(const struct route *a, const struct route *b)
{
    return a->bits == b->bits && addr_eq(&a->prefix, &b->prefix);
}

static err_t add_range(struct table *t, const struct ts *ts, const struct addr *src,
                       bool throw_back)
{
    struct addr at = ts->lo;
    struct route r = {.src = *src, .throw_back = throw_back};
    bool more = true;
    err_t e = E_OK;
    while (more && !e) {
        more = addr_range_cut(&at, &ts->hi, &r.prefix, &r.bits);
        e = table_add(t, &r);
    }
    return e;
}

static bool local_in(struct routes *rt, const struct ts *l, struct addr *src)
{
    struct known now = {.lo = l->lo, .hi = l->hi};
    for (size_t i = 0; i < rt->known_count; i++) {
        const struct known *k = &rt->known[i];
        if (addr_eq(&k->lo, &l->lo) && addr_eq(&k->hi, &l->hi)) {
            *src = k->src;
            return k->found;
        }
    }
    now.found = netlink_local_in(rt->nl, &l->lo, &l->hi, rt->ifindex, &now.src);
    *src = now.src;
    if (rt->known_count < KNOWN_MAX)
        rt->known[rt->known_count++] = now;
    return now.found;
}

/* The gateway's own address on the protected side, so that its own packets match the selectors. */
static struct addr source_for(struct routes *rt, const struct policy *p, uint8_t family)
{
    struct addr src = {0};
    for (size_t i = 0; i < p->local.count; i++) {
        const struct ts *l = &p->local.ts[i];
        if (l->lo.family == family && local_in(rt, l, &src))
            return src;
    }
    return (struct addr){0};
}

/* Our own side is reached past the TUN even when a remote selector covers it (0.0.0.0/0). */
static bool covered_by_remote(const struct policy *p, const struct ts *l)
{
    for (size_t i = 0; i < p->remote.count; i++) {
        const struct ts *r = &p->remote.ts[i];
        if (r->lo.family == l->lo.family && addr_cmp(&r->lo, &l->lo) <= 0 &&
            addr_cmp(&r->hi, &l->hi) >= 0 && !(addr_eq(&r->lo, &l->lo) && addr_eq(&r->hi, &l->hi)))
            return true;
    }
    return false;
}

static bool any_traffic(const struct ts *t)
{
    return t->proto == 0 && t->port_lo == 0 && t->port_hi == 65535;
}

static err_t add_policy(struct routes *rt, struct table *t, const struct policy *p)
{
    static const struct addr none;
    err_t e = E_OK;
    for (size_t i = 0; i < p->remote.count && !e; i++) {
        const struct ts *r = &p->remote.ts[i];
        if (p->action == POL_BYPASS && !any_traffic(r))
            continue; /* a route knows no ports: fail closed */
        struct addr src = source_for(rt, p, r->lo.family);
        e = add_range(t, r, &src, p->action == POL_BYPASS);
    }
    for (size_t i = 0; i < p->local.count && !e; i++)
        if (p->action == POL_PROTECT && covered_by_remote(p, &p->local.ts[i]))
            e = add_range(t, &p->local.ts[i], &none, true);
    return e;
}

/* Sorted, each prefix once; of a route and a throw for the same prefix the route into the TUN wins.
 */
static void table_tidy(struct table *t)
{
    size_t kept = 0;
    if (t->n == 0)
        return;
    qsort(t->r, t->n, sizeof *t->r, route_cmp);
    for (size_t i = 0; i < t->n; i++)
        if (kept == 0 || !same_prefix(&t->r[kept - 1], &t->r[i]))
            t->r[kept++] = t->r[i];
    t->n = kept;
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
static err_t switch_over(struct routes *rt, struct table *want, struct io_error *err)
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
    struct table want = {0};
    err_t e = E_OK;
    rt->known_count = 0;
    for (size_t i = 0; i < n && !e; i++)
        e = add_policy(rt, &want, &p[i]);
    if (!e) {
        table_tidy(&want);
        e = switch_over(rt, &want, err);
    }
    if (e) { /* the next attempt starts from an empty table */
        netlink_table_flush(rt->nl, rt->id);
        free(want.r);
        free(rt->now.r);
        rt->now = (struct table){0};
        return e;
    }
    free(rt->now.r);
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
    free(rt->now.r);
    free(rt);
}
