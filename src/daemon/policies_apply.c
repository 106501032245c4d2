/*
 * What follows from the rows of the SPD: the guard against clear text, the data planes' view and
 * the routes. Told what has changed, they change; told nothing twice. Called by core.c once in a
 * turn of the loop and by load.c.
 */
#include "daemon/policies_rows.h"
#include <stdio.h>
#include <stdlib.h>

/* --- the guard --- */

static struct nft_pair pair_of(const struct ts *l, const struct ts *r)
{
    return (struct nft_pair){.local_lo = l->lo,
                             .local_hi = l->hi,
                             .remote_lo = r->lo,
                             .remote_hi = r->hi,
                             .proto = l->proto ? l->proto : r->proto,
                             .local_port_lo = l->port_lo,
                             .local_port_hi = l->port_hi,
                             .remote_port_lo = r->port_lo,
                             .remote_port_hi = r->port_hi};
}

/* A rule of a row: a pair of selectors that some packet can have. */
struct rule {
    const struct policies_row *row;
    const struct ts *local, *remote;
    uint64_t rank;
};
typedef err_t rule_fn(struct policies *p, const struct rule *r);

static err_t rules_each(struct policies *p, const struct policies_row *row, rule_fn *fn)
{
    struct ts_list local, remote;
    err_t e = E_OK;
    (void)row_selectors(row, &local, &remote);
    for (size_t i = 0; i < local.count && !e; i++) {
        for (size_t j = 0; j < remote.count && !e; j++) {
            const struct ts *l = &local.ts[i], *r = &remote.ts[j];
            if (l->lo.family != r->lo.family || (l->proto && r->proto && l->proto != r->proto))
                continue;
            e = fn(p, &(struct rule){row, l, r, policy_rank(row->priority, row->action, l, r)});
        }
    }
    return e;
}

static struct nft_pair guard_pair(const struct policies *p, const struct rule *r)
{
    static const uint8_t does[] = {
        [POL_PROTECT] = NFT_PROTECT, [POL_BYPASS] = NFT_PASS, [POL_DROP] = NFT_DROP};
    struct nft_pair pair = pair_of(r->local, r->remote);
    pair.does = does[r->row->action];
    pair.order = order_of(&p->order, r->row->action, r->rank);
    return pair;
}

static err_t guard_add(struct policies *p, const struct rule *r)
{
    const struct nft_pair pair = guard_pair(p, r);
    return nft_guard_add(p->guard, &pair);
}

static err_t guard_del(struct policies *p, const struct rule *r)
{
    const struct nft_pair pair = guard_pair(p, r);
    nft_guard_del(p->guard, &pair);
    return E_OK;
}

/* --- LAN interfaces --- */

static bool overlap(const struct ts *a, const struct ts *b)
{
    return a->lo.family == b->lo.family && addr_cmp(&a->lo, &b->hi) <= 0 &&
           addr_cmp(&b->lo, &a->hi) <= 0;
}

static bool meets(const struct policies_row *shunt, const struct rule *r)
{
    struct ts_list local, remote;
    bool l = false, m = false;
    (void)row_selectors(shunt, &local, &remote);
    for (size_t i = 0; i < local.count; i++)
        l |= overlap(&local.ts[i], r->local);
    for (size_t i = 0; i < remote.count; i++)
        m |= overlap(&remote.ts[i], r->remote);
    return l && m;
}

/* Do addresses alone say that a packet is protected? */
static bool lan_may_take(const struct policies *p, const struct rule *r)
{
    if (!p->set.follower.ctx || r->row->action != POL_PROTECT || r->local->proto ||
        r->remote->proto || !ts_any_port(r->local) || !ts_any_port(r->remote))
        return false;
    for (size_t i = 0; i < p->shunt_count; i++)
        if (meets(p->shunt[i], r))
            return false;
    return true;
}

static err_t lan_add(struct policies *p, const struct rule *r)
{
    return lan_may_take(p, r) ? lan_table_add(&p->lan, r->local, r->remote) : E_OK;
}

static err_t lan_del(struct policies *p, const struct rule *r)
{
    if (lan_may_take(p, r))
        lan_table_del(&p->lan, r->local, r->remote);
    return E_OK;
}

static err_t shunt_note(struct policies *p, struct policies_row *row)
{
    if (p->shunt_count == p->shunt_cap) {
        size_t cap = p->shunt_cap ? p->shunt_cap * 2 : 8;
        struct policies_row **grown = realloc(p->shunt, cap * sizeof(struct policies_row *));
        if (!grown)
            return E_NOMEM;
        p->shunt = grown;
        p->shunt_cap = cap;
    }
    p->shunt[p->shunt_count++] = row;
    return E_OK;
}

/* --- telling --- */

static err_t tell(struct policies *p, struct policies_row *r)
{
    if (r->told || r->iface)
        return E_OK;
    r->told = true;
    err_t e = rules_each(p, r, guard_add);
    if (!e)
        e = rules_each(p, r, lan_add);
    return e ? e : routes_add(p->routes, row_view(p, r));
}

static void untell(struct policies *p, struct policies_row *r)
{
    if (!r->told)
        return;
    r->told = false;
    err_t e = rules_each(p, r, guard_del); /* taking away does not fail */
    if (!e)
        e = rules_each(p, r, lan_del);
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

/* --- the order --- */

static bool is_shunt(const struct policies_row *r)
{
    return r->action != POL_PROTECT && !r->iface;
}

static err_t rank_add(struct policies *p, const struct rule *r)
{
    return order_add(&p->order, r->rank);
}

static err_t rank_del(struct policies *p, const struct rule *r)
{
    order_del(&p->order, r->rank);
    return E_OK;
}

static void order_each(struct policies *p, struct policies_row *r, void *arg)
{
    struct telling *t = arg;
    if (t->e || !is_shunt(r))
        return;
    t->e = rules_each(p, r, rank_add);
    if (!t->e && p->set.follower.ctx)
        t->e = shunt_note(p, r);
}

/* As if none had been told before: after a failure, and when addresses of this host changed. */
static err_t tell_anew(struct policies *p)
{
    struct telling t = {E_OK};
    nft_guard_clear(p->guard);
    routes_clear(p->routes);
    lan_table_clear(&p->lan);
    order_clear(&p->order);
    p->shunt_count = 0;
    rows_each(p, untold, NULL);
    list_each (n, &p->gone)
        untold(p, policies_row_of(n), NULL);
    rows_each(p, order_each, &t);
    rows_each(p, tell_each, &t);
    return t.e;
}

/* Rows whose place is another with the shunts that came and went. */
struct moving {
    struct policies_order before;
    bool moved;
};

static void look_moved(struct policies *p, struct policies_row *row, void *arg)
{
    struct moving *m = arg;
    struct ts_list local, remote;
    if (m->moved || !row->told || is_shunt(row))
        return;
    (void)row_selectors(row, &local, &remote);
    for (size_t i = 0; i < local.count; i++) {
        for (size_t j = 0; j < remote.count; j++) {
            uint64_t rank = policy_rank(row->priority, row->action, &local.ts[i], &remote.ts[j]);
            m->moved |=
                order_of(&m->before, row->action, rank) != order_of(&p->order, row->action, rank);
        }
    }
}

static err_t order_changes(struct policies *p)
{
    err_t e = E_OK;
    for (size_t i = 0; i < p->fresh_count && !e; i++) {
        const struct policies_row *r = row_by_id(p, p->fresh[i]);
        if (r && !r->told && is_shunt(r))
            e = rules_each(p, r, rank_add);
    }
    list_each (n, &p->gone)
        if (!e && policies_row_of(n)->told && is_shunt(policies_row_of(n)))
            e = rules_each(p, policies_row_of(n), rank_del);
    return e;
}

static bool shunts_changed(const struct policies *p)
{
    bool any = false;
    for (size_t i = 0; i < p->fresh_count; i++) {
        const struct policies_row *r = row_by_id(p, p->fresh[i]);
        any |= r && is_shunt(r);
    }
    list_each (n, &p->gone)
        any |= is_shunt(policies_row_of(n));
    return any;
}

/* Shunts come and go seldom. When that gives other rows another place, all are told anew. */
static err_t order_settle(struct policies *p)
{
    struct moving m = {0};
    if (p->anew || !shunts_changed(p))
        return E_OK;
    p->anew = p->set.follower.ctx != NULL; /* which packets LAN interfaces may take is another */
    err_t e = order_copy(&m.before, &p->order);
    if (!e)
        e = order_changes(p);
    if (!e && !p->anew) {
        rows_each(p, look_moved, &m);
        list_each (n, &p->gone)
            look_moved(p, policies_row_of(n), &m);
    }
    p->anew |= m.moved;
    order_fini(&m.before);
    return e;
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
    err_t e = order_settle(p);
    if (!e)
        e = p->anew ? tell_anew(p) : tell_changes(p);
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

static err_t lan_settle(struct policies *p, struct io_error *err)
{
    err_t e = lan_table_settle(&p->lan);
    if (e)
        snprintf(err->text, sizeof err->text, "cannot tell the LAN interfaces of a policy");
    p->anew |= e != E_OK;
    return e;
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
        e = lan_settle(p, err);
    if (!e)
        settled(p);
    return e;
}
