/* Which routes follow from policies: see routes_table.h. Ranges are cut into prefixes. */
#include "daemon/routes_table.h"
#include <stdlib.h>

/* One wish for a prefix, of however many policies. Wishes for one prefix share their hash. */
struct route_want {
    struct hash_node node;
    struct route_want *next;                        /* in `changed` */
    uint32_t refs : 30, changed : 1, installed : 1; /* the kernel has it; one of a prefix at most */
    struct route route;
};

/* --- the table --- */

static uint64_t prefix_hash(const struct route_table *t, const struct route *r)
{
    uint8_t k[sizeof r->prefix.ip + 2];
    memcpy(k, r->prefix.ip, sizeof r->prefix.ip);
    k[sizeof r->prefix.ip] = r->bits;
    k[sizeof r->prefix.ip + 1] = r->prefix.family;
    return hash_of(&t->wants, k, sizeof k);
}

static struct route_want *want_of(struct hash_node *n)
{
    return container_of(n, struct route_want, node);
}

static bool same_prefix(const struct route *a, const struct route *b)
{
    return a->bits == b->bits && addr_eq(&a->prefix, &b->prefix);
}

static bool same_route(const struct route *a, const struct route *b)
{
    return same_prefix(a, b) && a->throw_back == b->throw_back && addr_eq(&a->src, &b->src);
}

static struct route_want *want_find(const struct route_table *t, const struct route *r, uint64_t h)
{
    for (struct hash_node *n = hash_first(&t->wants, h); n; n = hash_next(n))
        if (same_route(&want_of(n)->route, r))
            return want_of(n);
    return NULL;
}

static void touch(struct route_table *t, struct route_want *w)
{
    if (w->changed)
        return;
    w->changed = true;
    w->next = t->changed;
    t->changed = w;
}

static err_t want_add(struct route_table *t, const struct route *r)
{
    uint64_t h = prefix_hash(t, r);
    struct route_want *w = want_find(t, r, h);
    if (!w) {
        w = slab_get(&t->slab, sizeof *w);
        if (!w)
            return E_NOMEM;
        w->route = *r;
        if (hash_add(&t->wants, &w->node, h)) {
            slab_put(&t->slab, w, sizeof *w);
            return E_NOMEM;
        }
    }
    if (w->refs++ == 0)
        touch(t, w);
    return E_OK;
}

static err_t want_del(struct route_table *t, const struct route *r)
{
    struct route_want *w = want_find(t, r, prefix_hash(t, r));
    if (w && w->refs && --w->refs == 0)
        touch(t, w);
    return E_OK;
}

/* --- from policies to prefixes --- */

typedef err_t want_fn(struct route_table *t, const struct route *r);

static err_t each_prefix(struct route_table *t, const struct ts *ts, struct route r, want_fn *fn)
{
    struct addr at = ts->lo;
    bool more = true;
    err_t e = E_OK;
    while (more && !e) {
        unsigned bits;
        more = addr_range_cut(&at, &ts->hi, &r.prefix, &bits);
        r.bits = (uint8_t)bits;
        e = fn(t, &r);
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

static err_t each_route(struct route_table *t, const struct policy *p,
                        const struct route_source *from, want_fn *fn)
{
    struct route r = {.throw_back = false};
    err_t e = E_OK;
    if (p->action != POL_PROTECT)
        return E_OK;
    for (size_t i = 0; i < p->remote.count && !e; i++) {
        r.src = source_for(from, p, p->remote.ts[i].lo.family);
        e = each_prefix(t, &p->remote.ts[i], r, fn);
    }
    r = (struct route){.throw_back = true};
    for (size_t i = 0; i < p->local.count && !e; i++)
        if (covered_by_remote(p, &p->local.ts[i]))
            e = each_prefix(t, &p->local.ts[i], r, fn);
    return e;
}

err_t route_table_add(struct route_table *t, const struct policy *p,
                      const struct route_source *from)
{
    return each_route(t, p, from, want_add);
}

void route_table_del(struct route_table *t, const struct policy *p, const struct route_source *from)
{
    err_t e = each_route(t, p, from, want_del);
    (void)e; /* taking away does not fail */
}

void route_table_clear(struct route_table *t)
{
    size_t i;
    for (struct hash_node *n = hash_begin(&t->wants, &i); n; n = hash_step(&t->wants, &i, n)) {
        want_of(n)->refs = 0;
        touch(t, want_of(n));
    }
}

void route_table_lost(struct route_table *t)
{
    size_t i;
    for (struct hash_node *n = hash_begin(&t->wants, &i); n; n = hash_step(&t->wants, &i, n)) {
        want_of(n)->installed = false;
        touch(t, want_of(n));
    }
}

/* --- what the kernel must hear --- */

static bool better(const struct route *a, const struct route *b)
{
    if (a->throw_back != b->throw_back)
        return b->throw_back;
    if (!a->src.family != !b->src.family)
        return a->src.family;
    return addr_cmp(&a->src, &b->src) < 0;
}

struct rivals {
    struct route_want *best, *installed; /* of one prefix; best: NULL when nobody wants it */
};

static struct rivals rivals_of(const struct route_table *t, const struct route_want *of)
{
    struct rivals r = {0};
    for (struct hash_node *n = hash_first(&t->wants, of->node.h); n; n = hash_next(n)) {
        struct route_want *w = want_of(n);
        if (!same_prefix(&w->route, &of->route))
            continue;
        if (w->installed)
            r.installed = w;
        if (w->refs && (!r.best || better(&w->route, &r.best->route)))
            r.best = w;
    }
    return r;
}

static err_t settle_prefix(struct route_table *t, const struct route_want *w, route_change_fn *fn,
                           void *ctx)
{
    struct rivals r = rivals_of(t, w);
    if (r.best == r.installed)
        return E_OK;
    const struct route_want *tell = r.best ? r.best : r.installed;
    err_t e = fn(ctx, &tell->route, !r.best);
    if (e)
        return e;
    if (r.installed)
        r.installed->installed = false;
    if (r.best)
        r.best->installed = true;
    return E_OK;
}

static void want_free(struct route_table *t, struct route_want *w)
{
    hash_del(&t->wants, &w->node);
    slab_put(&t->slab, w, sizeof *w);
}

/* Wishes that nobody has any more stay until all of their prefix were looked at. */
err_t route_table_settle(struct route_table *t, route_change_fn *fn, void *ctx)
{
    for (const struct route_want *w = t->changed; w; w = w->next) {
        err_t e = settle_prefix(t, w, fn, ctx);
        if (e)
            return e;
    }
    while (t->changed) {
        struct route_want *w = t->changed;
        t->changed = w->next;
        w->changed = false;
        if (!w->refs)
            want_free(t, w);
    }
    return E_OK;
}

err_t route_table_init(struct route_table *t, const uint64_t key[2])
{
    *t = (struct route_table){0};
    return hash_init(&t->wants, key);
}

void route_table_fini(struct route_table *t)
{
    size_t i;
    struct hash_node *next;
    for (struct hash_node *n = t->wants.slot ? hash_begin(&t->wants, &i) : NULL; n; n = next) {
        next = hash_step(&t->wants, &i, n);
        slab_put(&t->slab, want_of(n), sizeof(struct route_want));
    }
    hash_fini(&t->wants);
    slab_fini(&t->slab);
    t->changed = NULL;
}
