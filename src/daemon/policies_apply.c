/*
 * What follows from the rows of the SPD: the guard against clear text, the data planes' view and
 * the routes. Told what has changed, they change; told nothing twice. Called by core.c once in a
 * turn of the loop and by load.c.
 */
#include "daemon/policies_rows.h"
#include <stdio.h>
#include <stdlib.h>

/* --- the guard --- */

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

/* Pairs that some packet can have. */
static err_t guard_change(struct policies *p, const struct policies_row *row, bool add)
{
    struct ts_list local, remote;
    err_t e = E_OK;
    (void)row_selectors(row, &local, &remote);
    for (size_t i = 0; i < local.count && !e; i++) {
        for (size_t j = 0; j < remote.count && !e; j++) {
            const struct ts *l = &local.ts[i], *r = &remote.ts[j];
            if (l->lo.family != r->lo.family || (l->proto && r->proto && l->proto != r->proto))
                continue;
            struct nft_pair pair = pair_of(l, r, row->action == POL_BYPASS);
            if (add)
                e = nft_guard_add(p->guard, &pair);
            else
                nft_guard_del(p->guard, &pair);
        }
    }
    return e;
}

static bool covers(const struct policies_row *a, const struct policies_row *b)
{
    struct ts_list al, ar, bl, br;
    (void)row_selectors(a, &al, &ar);
    (void)row_selectors(b, &bl, &br);
    return ts_within(&al, &bl) && ts_within(&ar, &br);
}

/* The guard needs to hear of a bypass only where another row covers all of it. */
static err_t covering_add(struct policies *p, struct policies_row *bypass)
{
    return bypass->covering++ ? E_OK : guard_change(p, bypass, true);
}

static void covering_del(struct policies *p, struct policies_row *bypass)
{
    err_t e = --bypass->covering ? E_OK : guard_change(p, bypass, false);
    (void)e; /* taking away does not fail */
}

static err_t guard_cover_add(struct policies *p, struct policies_row *row)
{
    err_t e = guard_change(p, row, true);
    for (size_t i = 0; i < p->bypass_count && !e; i++)
        if (covers(row, p->bypass[i]))
            e = covering_add(p, p->bypass[i]);
    return e;
}

static void guard_cover_del(struct policies *p, struct policies_row *row)
{
    err_t e = guard_change(p, row, false);
    (void)e;
    for (size_t i = 0; i < p->bypass_count; i++)
        if (covers(row, p->bypass[i]))
            covering_del(p, p->bypass[i]);
}

struct covering {
    struct policies_row *bypass;
    err_t e;
};

static void count_covering(struct policies *p, struct policies_row *r, void *arg)
{
    struct covering *c = arg;
    if (!c->e && r->told && r->action != POL_BYPASS && covers(r, c->bypass))
        c->e = covering_add(p, c->bypass);
}

/* Rows that are gone and still told count too: they are taken out one by one. */
static err_t guard_bypass_add(struct policies *p, struct policies_row *row)
{
    struct covering c = {.bypass = row};
    if (p->bypass_count == p->bypass_cap) {
        size_t cap = p->bypass_cap ? p->bypass_cap * 2 : 8;
        struct policies_row **grown = realloc(p->bypass, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        p->bypass = grown;
        p->bypass_cap = cap;
    }
    row->covering = 0;
    p->bypass[p->bypass_count++] = row;
    rows_each(p, count_covering, &c);
    list_each (n, &p->gone)
        count_covering(p, policies_row_of(n), &c);
    return c.e;
}

static void guard_bypass_del(struct policies *p, struct policies_row *row)
{
    size_t i = 0;
    while (i < p->bypass_count && p->bypass[i] != row)
        i++;
    if (i < p->bypass_count)
        p->bypass[i] = p->bypass[--p->bypass_count];
    if (row->covering)
        (void)!guard_change(p, row, false);
    row->covering = 0;
}

/* RFC 4301 5.2: what is to be discarded comes in as little as what is to be protected. */
static err_t guard_row_add(struct policies *p, struct policies_row *row)
{
    return row->action == POL_BYPASS ? guard_bypass_add(p, row) : guard_cover_add(p, row);
}

static void guard_row_del(struct policies *p, struct policies_row *row)
{
    if (row->action == POL_BYPASS)
        guard_bypass_del(p, row);
    else
        guard_cover_del(p, row);
}

/* --- telling --- */

static err_t tell(struct policies *p, struct policies_row *r)
{
    if (r->told || r->iface)
        return E_OK;
    r->told = true;
    err_t e = guard_row_add(p, r);
    return e ? e : routes_add(p->routes, row_view(p, r));
}

static void untell(struct policies *p, struct policies_row *r)
{
    if (!r->told)
        return;
    r->told = false;
    guard_row_del(p, r);
    routes_del(p->routes, row_view(p, r));
}

struct telling {
    err_t e;
};

static void tell_each(struct policies *p, struct policies_row *r, void *arg)
{
    struct telling *t = arg;
    if (!t->e)
        t->e = tell(p, r);
}

static void untold(struct policies *p, struct policies_row *r, void *arg)
{
    (void)p;
    (void)arg;
    r->told = false;
}

/* As if none had been told before: after a failure, and when addresses of this host changed. */
static err_t tell_anew(struct policies *p)
{
    struct telling t = {E_OK};
    nft_guard_clear(p->guard);
    routes_clear(p->routes);
    p->bypass_count = 0;
    rows_each(p, untold, NULL);
    list_each (n, &p->gone)
        untold(p, policies_row_of(n), NULL);
    rows_each(p, tell_each, &t);
    return t.e;
}

static err_t tell_changes(struct policies *p)
{
    err_t e = E_OK;
    for (size_t i = 0; i < p->fresh_count && !e; i++) {
        struct policies_row *r = row_by_id(p, p->fresh[i]);
        if (r)
            e = tell(p, r);
    }
    list_each (n, &p->gone)
        untell(p, policies_row_of(n));
    return e;
}

static err_t tell_all(struct policies *p)
{
    if (routes_stale(p->routes))
        p->anew = true;
    err_t e = p->anew ? tell_anew(p) : tell_changes(p);
    p->anew = e != E_OK;
    return e;
}

/* --- the data planes --- */

/* May meet a part of it done already: by a call that failed later on. */
static err_t view_change(void *arg, struct dp *dp)
{
    struct policies *p = arg;
    for (size_t i = 0; i < p->fresh_count; i++) {
        const struct policies_row *r = row_by_id(p, p->fresh[i]);
        err_t e = r ? dp_policy_add(dp, row_view(p, r)) : E_OK;
        if (e && e != R_EXISTS)
            return e;
    }
    list_each (n, &p->gone)
        dp_policy_del(dp, policies_row_of(n)->id);
    return E_OK;
}

/* --- all of it --- */

static void settled(struct policies *p)
{
    list_each_safe (n, nx, &p->gone)
        row_free(p, policies_row_of(n));
    list_init(&p->gone);
    p->fresh_count = 0;
    if (p->fresh_cap > 1024) { /* what a whole configuration took */
        free(p->fresh);
        p->fresh = NULL;
        p->fresh_cap = 0;
    }
}

bool policies_dirty(const struct policies *p)
{
    return p->fresh_count || !list_empty(&p->gone) || p->anew;
}

/* Closed before open: the guard knows a new policy before routes could lead elsewhere; and routes
 * into the TUN device are the last to go. */
err_t policies_apply(struct policies *p, struct io_error *err)
{
    if (!policies_dirty(p))
        return E_OK;
    snprintf(err->text, sizeof err->text, "out of memory");
    err_t e = tell_all(p);
    if (!e)
        e = nft_guard_apply(p->guard, err);
    if (!e)
        e = p->view.each(p->view.ctx, view_change, p);
    if (!e)
        e = routes_apply(p->routes, err);
    if (!e)
        settled(p);
    return e;
}
