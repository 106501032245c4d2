/*
 * Which routes follow from the SPD, computed without a network: policies come and go, and each
 * prefix stands once, whoever else asks for it. Called by routes.c, which makes the kernel agree.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "model/policy.h"

struct route {
    struct addr prefix, src; /* src: of our own packets, family 0: the kernel chooses */
    uint8_t bits;
    bool throw_back; /* to the next table: our own side */
};

/* Tells one of our own addresses within lo..hi; false: none. */
struct route_source {
    void *ctx;
    bool (*local_in)(void *ctx, const struct addr *lo, const struct addr *hi, struct addr *out);
};

struct route_want;

struct route_table {
    struct slab slab;
    struct hash wants;          /* by prefix: what policies want there */
    struct route_want *changed; /* since the last route_table_settle */
};

err_t route_table_init(struct route_table *t, const uint64_t key[2]) must_use;
void route_table_fini(struct route_table *t);
/*
 * What a protect policy selects leads into the TUN device, our own side under a wider remote
 * selector is thrown back: a strict rp_filter looks for it here. `from` must say at del what it
 * said at add. E_NOMEM: start over with route_table_clear.
 */
err_t route_table_add(struct route_table *t, const struct policy *p,
                      const struct route_source *from) must_use;
void route_table_del(struct route_table *t, const struct policy *p,
                     const struct route_source *from);
void route_table_clear(struct route_table *t); /* as if all policies were gone */
void route_table_lost(struct route_table *t);  /* the kernel has none of them any more */
/*
 * What differs since the last time, at most one change for a prefix. Of several wishes for it a
 * route goes before a throw (fail closed), then one with a source, then the lower source.
 */
typedef err_t route_change_fn(void *ctx, const struct route *r, bool gone);
err_t route_table_settle(struct route_table *t, route_change_fn *fn, void *ctx) must_use;
