/*
 * What follows from the rows of the SPD: the data plane's view, the guard against clear text and
 * the routes. Called by core.c after the engine's steps and by load.c.
 */
#include "daemon/policies_rows.h"
#include <stdio.h>
#include <stdlib.h>

static void view_row(const struct policies_row *r, struct policy *v)
{
    v->id = r->id;
    v->priority = r->priority;
    v->action = r->action;
    v->conn = r->conn;
    v->child = r->child;
    v->local.count = r->local_count;
    v->remote.count = r->remote_count;
    memcpy(v->local.ts, r->ts, r->local_count * sizeof r->ts[0]);
    memcpy(v->remote.ts, r->ts + r->local_count, r->remote_count * sizeof r->ts[0]);
}

/* calloc: most of a struct policy is room for selectors that is never touched. */
static struct policy *view_make(const struct policies *p)
{
    struct policy *v = calloc(p->row_count + 1, sizeof *v), *at = v;
    if (!v)
        return NULL;
    list_each (it, &p->rows)
        view_row(policies_row_of(it), at++);
    return v;
}

static bool list_within(const struct ts_list *outer, const struct ts_list *inner)
{
    return outer->count && inner->count && ts_within(outer, inner);
}

/* The guard needs to hear of a bypass only where a protect policy covers all of it. */
static bool guarded(const struct policy *v, size_t n, const struct policy *x)
{
    if (x->action == POL_PROTECT)
        return true;
    if (x->action == POL_DROP)
        return false;
    for (size_t i = 0; i < n; i++)
        if (v[i].action == POL_PROTECT && list_within(&v[i].local, &x->local) &&
            list_within(&v[i].remote, &x->remote))
            return true;
    return false;
}

static struct nft_pair pair_of(const struct ts *l, const struct ts *r, bool pass)
{
    return (struct nft_pair){.local_lo = l->lo,
                             .local_hi = l->hi,
                             .remote_lo = r->lo,
                             .remote_hi = r->hi,
                             .proto = l->proto ? l->proto : r->proto,
                             .local_port_lo = l->port_lo,
                             .local_port_hi = l->port_hi,
                             .remote_port_lo = r->port_lo,
                             .remote_port_hi = r->port_hi,
                             .pass = pass};
}

/* Counts them when `out` is NULL. */
static size_t pairs_of(const struct policy *v, struct nft_pair *out)
{
    size_t n = 0;
    for (size_t i = 0; i < v->local.count; i++) {
        for (size_t j = 0; j < v->remote.count; j++) {
            const struct ts *l = &v->local.ts[i], *r = &v->remote.ts[j];
            if (l->lo.family != r->lo.family || (l->proto && r->proto && l->proto != r->proto))
                continue;
            if (out)
                out[n] = pair_of(l, r, v->action == POL_BYPASS);
            n++;
        }
    }
    return n;
}

static err_t guard_apply(struct policies *p, const struct policy *v, size_t n, struct io_error *err)
{
    size_t pairs = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        pairs += pairs_of(&v[i], NULL);
    struct nft_pair *rows = calloc(pairs ? pairs : 1, sizeof *rows);
    if (!rows)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (guarded(v, n, &v[i]))
            at += pairs_of(&v[i], rows + at);
    err_t e = nft_guard_set(p->guard, rows, at, err);
    free(rows);
    return e;
}

err_t policies_apply(struct policies *p, struct io_error *err)
{
    if (!p->dirty)
        return E_OK;
    size_t n = p->row_count;
    struct policy *v = view_make(p);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!v)
        return E_NOMEM;
    /* closed before open: the guard knows a new policy before routes could lead elsewhere */
    err_t e = guard_apply(p, v, n, err);
    if (!e)
        e = p->view.set(p->view.ctx, v, n);
    if (!e)
        e = routes_set(p->routes, v, n, err);
    free(v);
    p->dirty = e != E_OK;
    return e;
}
