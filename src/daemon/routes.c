/* The routing table of our own: see routes.h; what is in it is computed in routes_table.c. */
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

struct routes {
    struct netlink *nl;
    struct netlink_rules rules;
    bool ruled; /* the kernel has them */
    int ifindex;
    bool failed; /* the kernel's table is not as we think: it was flushed */
    struct route_table table;
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

bool routes_stale(struct routes *rt)
{
    bool changed = netlink_addrs_changed(rt->nl);
    return rt->failed || changed;
}

void routes_clear(struct routes *rt)
{
    rt->known_count = rt->known_next = 0;
    rt->failed = false;
    route_table_clear(&rt->table);
}

err_t routes_add(struct routes *rt, const struct policy *p)
{
    const struct route_source from = {rt, local_in};
    err_t e = route_table_add(&rt->table, p, &from);
    rt->failed |= e != E_OK;
    return e;
}

void routes_del(struct routes *rt, const struct policy *p)
{
    const struct route_source from = {rt, local_in};
    route_table_del(&rt->table, p, &from);
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

/* After a failure the next attempt starts from an empty table. */
err_t routes_apply(struct routes *rt, struct io_error *err)
{
    rt->change_count = 0;
    err_t e = route_table_settle(&rt->table, on_change, rt);
    if (!e)
        e = netlink_routes_change(rt->nl, rt->rules.table, rt->change, rt->change_count, err);
    if (e) {
        netlink_table_flush(rt->nl, rt->rules.table);
        route_table_lost(&rt->table);
        rt->failed = true;
    }
    if (rt->change_cap > 256) /* as much as a configuration took, not what a turn takes */
        change_free(rt);
    return e;
}

struct routes *routes_new(struct netlink *nl, const struct netlink_rules *rules, int ifindex)
{
    uint64_t key[2];
    struct routes *rt = calloc(1, sizeof *rt);
    if (!rt)
        return NULL;
    *rt = (struct routes){.nl = nl, .rules = *rules, .ifindex = ifindex};
    cr_random(key, sizeof key);
    if (route_table_init(&rt->table, key)) {
        free(rt);
        return NULL;
    }
    netlink_table_flush(nl, rules->table);
    return rt;
}

err_t routes_open(struct routes *rt, struct io_error *err)
{
    err_t e = rt->ruled ? E_OK : netlink_rules_add(rt->nl, &rt->rules, err);
    rt->ruled = !e;
    return e;
}

void routes_lost(struct routes *rt)
{
    route_table_lost(&rt->table);
    rt->ruled = false;
}

void routes_free(struct routes *rt)
{
    if (!rt)
        return;
    netlink_table_flush(rt->nl, rt->rules.table);
    netlink_rules_del(rt->nl, &rt->rules);
    route_table_fini(&rt->table);
    change_free(rt);
    free(rt);
}
