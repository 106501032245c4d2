/* The routing tables of our own: see routes.h; what is in them is computed in routes_table.c. */
#include "daemon/routes.h"
#include "crypto/crypto.h"
#include "daemon/routes_table.h"
#include <stdio.h>
#include <stdlib.h>

/* What netlink_local_in said: many policies have the same few local selectors. */
#define KNOWN_MAX 16

struct known {
    struct addr lo, hi, src;
    bool found;
};

/* What is led in of one protocol, or (0) of any. */
struct shelf {
    struct list link;
    struct netlink_rule rule;
    bool ruled; /* the kernel has the rule */
    struct route_table table;
};

struct routes {
    struct netlink *nl;
    int ifindex;
    struct routes_follower follower;
    bool failed;                   /* the kernel's tables are not as we think: they were flushed */
    struct shelf any;              /* of all protocols */
    struct list shelves;           /* `any` and those of single protocols */
    struct known known[KNOWN_MAX]; /* good until addresses change */
    size_t known_count, known_next;
    struct netlink_route *change; /* of one routes_apply */
    size_t change_count, change_cap;
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
    rt->known[rt->known_next] = now;
    rt->known_next = (rt->known_next + 1) % KNOWN_MAX;
    if (rt->known_count < KNOWN_MAX)
        rt->known_count++;
    return now.found;
}

/* --- tables, each with a rule that leads there --- */

static struct shelf *shelf_of(struct list *n)
{
    return container_of(n, struct shelf, link);
}

static void flush_follower(struct routes *rt)
{
    if (rt->follower.ctx)
        rt->follower.flush(rt->follower.ctx);
}

/* The number of a protocol's table differs from the main one's in its uppermost byte. */
static err_t shelf_init(struct routes *rt, struct shelf *s, uint8_t protocol)
{
    uint64_t key[2];
    s->rule = rt->any.rule;
    s->rule.table ^= (uint32_t)protocol << 24;
    s->rule.protocol = protocol;
    cr_random(key, sizeof key);
    err_t e = route_table_init(&s->table, key);
    if (e)
        return e;
    netlink_table_flush(rt->nl, s->rule.table);
    list_add_tail(&rt->shelves, &s->link);
    return E_OK;
}

static err_t shelf_open(struct routes *rt, struct shelf *s, struct io_error *err)
{
    err_t e = s->ruled ? E_OK : netlink_rules_add(rt->nl, &s->rule, err);
    s->ruled = !e;
    return e;
}

static void shelf_fini(struct routes *rt, struct shelf *s)
{
    netlink_table_flush(rt->nl, s->rule.table);
    if (s->ruled)
        netlink_rules_del(rt->nl, &s->rule);
    route_table_fini(&s->table);
    list_del(&s->link);
}

bool routes_stale(struct routes *rt)
{
    bool changed = netlink_addrs_changed(rt->nl);
    return rt->failed || changed;
}

void routes_clear(struct routes *rt)
{
    rt->known_count = rt->known_next = 0;
    rt->failed = false;
    list_each (n, &rt->shelves)
        route_table_clear(&shelf_of(n)->table);
}

/* NULL: there is none, or no memory for one. */
static struct shelf *shelf_for(struct routes *rt, uint8_t protocol, bool make)
{
    list_each (n, &rt->shelves)
        if (shelf_of(n)->rule.protocol == protocol)
            return shelf_of(n);
    struct shelf *s = make ? calloc(1, sizeof *s) : NULL;
    if (s && shelf_init(rt, s, protocol)) {
        free(s);
        s = NULL;
    }
    return s;
}

static bool seen_before(const struct policy *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (route_protocol(p, k) == route_protocol(p, i))
            return true;
    return false;
}

void routes_lost(struct routes *rt)
{
    list_each (n, &rt->shelves) {
        struct shelf *s = shelf_of(n);
        route_table_lost(&s->table);
        if (s != &rt->any && s->ruled) /* all of them, and then in their order again */
            netlink_rules_del(rt->nl, &s->rule);
        s->ruled = false;
    }
}

err_t routes_add(struct routes *rt, const struct policy *p)
{
    const struct route_source from = {rt, local_in};
    err_t e = E_OK;
    for (size_t i = 0; i < p->remote.count && !e; i++) {
        uint8_t protocol = route_protocol(p, i);
        if (seen_before(p, i))
            continue;
        struct shelf *s = shelf_for(rt, protocol, true);
        e = s ? route_table_add(&s->table, p, protocol, &from) : E_NOMEM;
    }
    rt->failed |= e != E_OK;
    return e;
}

void routes_del(struct routes *rt, const struct policy *p)
{
    const struct route_source from = {rt, local_in};
    for (size_t i = 0; i < p->remote.count; i++) {
        uint8_t protocol = route_protocol(p, i);
        struct shelf *s = seen_before(p, i) ? NULL : shelf_for(rt, protocol, false);
        if (s)
            route_table_del(&s->table, p, protocol, &from);
    }
}

static err_t on_change(void *ctx, const struct route *r, bool gone)
{
    struct routes *rt = ctx;
    if (rt->change_count == rt->change_cap) {
        size_t cap = rt->change_cap ? rt->change_cap * 2 : 16;
        struct netlink_route *grown = realloc(rt->change, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        rt->change = grown;
        rt->change_cap = cap;
    }
    rt->change[rt->change_count++] =
        (struct netlink_route){.prefix = r->prefix,
                               .src = r->src,
                               .bits = r->bits,
                               .ifindex = r->throw_back ? 0 : rt->ifindex,
                               .gone = gone};
    return E_OK;
}

static void change_free(struct routes *rt)
{
    free(rt->change);
    rt->change = NULL;
    rt->change_count = rt->change_cap = 0;
}

static err_t follow(struct routes *rt, struct io_error *err)
{
    const struct routes_follower *f = &rt->follower;
    err_t e = f->ctx ? f->change(f->ctx, rt->change, rt->change_count) : E_OK;
    if (e)
        snprintf(err->text, sizeof err->text, "cannot tell the LAN interfaces of a route");
    return e;
}

/* The rule before its routes: only these make IPv6's sockets look for their way anew. */
static err_t apply(struct routes *rt, struct shelf *s, struct io_error *err)
{
    rt->change_count = 0;
    err_t e = shelf_open(rt, s, err);
    if (!e)
        e = route_table_settle(&s->table, on_change, rt);
    if (!e)
        e = netlink_routes_change(rt->nl, s->rule.table, rt->change, rt->change_count, err);
    return e || s != &rt->any ? e : follow(rt, err);
}

static void start_over(struct routes *rt)
{
    list_each (n, &rt->shelves) {
        netlink_table_flush(rt->nl, shelf_of(n)->rule.table);
        route_table_lost(&shelf_of(n)->table);
    }
    flush_follower(rt);
    rt->failed = true;
}

/* After a failure the next attempt starts from empty tables. */
err_t routes_apply(struct routes *rt, struct io_error *err)
{
    err_t e = E_OK;
    list_each (n, &rt->shelves)
        e = e ? e : apply(rt, shelf_of(n), err);
    if (e)
        start_over(rt);
    if (rt->change_cap > 256) /* as much as a configuration took, not what a turn takes */
        change_free(rt);
    return e;
}

/* --- life --- */

struct routes *routes_new(struct netlink *nl, const struct netlink_rule *rule, int ifindex,
                          const struct routes_follower *follower)
{
    struct routes *rt = calloc(1, sizeof *rt);
    if (!rt)
        return NULL;
    *rt = (struct routes){.nl = nl, .ifindex = ifindex, .follower = *follower};
    rt->any.rule = *rule;
    list_init(&rt->shelves);
    if (shelf_init(rt, &rt->any, 0)) {
        free(rt);
        return NULL;
    }
    flush_follower(rt);
    return rt;
}

err_t routes_open(struct routes *rt, struct io_error *err)
{
    return shelf_open(rt, &rt->any, err);
}

void routes_free(struct routes *rt)
{
    if (!rt)
        return;
    list_each_safe (n, nx, &rt->shelves) {
        struct shelf *s = shelf_of(n);
        if (s == &rt->any)
            continue;
        shelf_fini(rt, s);
        free(s);
    }
    shelf_fini(rt, &rt->any);
    flush_follower(rt);
    change_free(rt);
    free(rt);
}
