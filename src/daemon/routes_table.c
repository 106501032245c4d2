/* Which routes follow from policies: see routes_table.h. Ranges are cut into prefixes. */
#include "daemon/routes_table.h"
#include <stdlib.h>

/* More prefixes than a range can need: 2 * 128. */
#define TABLE_MAX ((size_t)1 << 20)

static err_t table_add(struct route_table *t, const struct route *r)
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

int route_cmp(const void *x, const void *y)
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

static err_t add_range(struct route_table *t, const struct ts *ts, const struct addr *src,
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

/* The gateway's own address on the protected side, so that its own packets match the selectors. */
static struct addr source_for(const struct route_source *from, const struct policy *p,
                              uint8_t family)
{
    struct addr src = {0};
    for (size_t i = 0; i < p->local.count; i++) {
        const struct ts *l = &p->local.ts[i];
        if (l->lo.family == family && from->local_in(from->ctx, &l->lo, &l->hi, &src))
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

static bool any_traffic(const struct ts_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->ts[i].proto || l->ts[i].port_lo != 0 || l->ts[i].port_hi != 65535)
            return false;
    return true;
}

static err_t add_policy(const struct route_source *from, struct route_table *t,
                        const struct policy *p)
{
    static const struct addr none;
    err_t e = E_OK;
    if (p->action == POL_BYPASS && !(any_traffic(&p->local) && any_traffic(&p->remote)))
        return E_OK; /* a route knows no ports: fail closed */
    for (size_t i = 0; i < p->remote.count && !e; i++) {
        const struct ts *r = &p->remote.ts[i];
        struct addr src = source_for(from, p, r->lo.family);
        e = add_range(t, r, &src, p->action == POL_BYPASS);
    }
    for (size_t i = 0; i < p->local.count && !e; i++)
        if (p->action == POL_PROTECT && covered_by_remote(p, &p->local.ts[i]))
            e = add_range(t, &p->local.ts[i], &none, true);
    return e;
}

/* Sorted, each prefix once; of a route and a throw for the same prefix the route into the TUN wins.
 */
static void table_tidy(struct route_table *t)
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

err_t route_table_make(struct route_table *t, const struct policy *p, size_t n,
                       const struct route_source *from)
{
    err_t e = E_OK;
    *t = (struct route_table){0};
    for (size_t i = 0; i < n && !e; i++)
        e = add_policy(from, t, &p[i]);
    if (e)
        route_table_free(t);
    else
        table_tidy(t);
    return e;
}

void route_table_free(struct route_table *t)
{
    free(t->r);
    *t = (struct route_table){0};
}
