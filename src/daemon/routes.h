/*
 * Routes that follow from the SPD, in a table of our own: what a protect or drop policy selects
 * leads into the TUN device, what a bypass policy or our own side selects is thrown back to the
 * other tables. Policies come and go; routes_apply tells the kernel what that changed, in batches.
 */
#pragma once

#include "io/netlink.h"
#include "model/policy.h"

struct routes;

/* Who takes the same packets by other means: the LAN interfaces hear of each change. */
struct routes_follower {
    void *ctx; /* NULL: nobody */
    err_t (*change)(void *ctx, const struct netlink_route *r, size_t n);
    void (*flush)(void *ctx); /* there are no routes now */
};

/* Flushes leftovers. */
struct routes *routes_new(struct netlink *nl, uint32_t table, int ifindex,
                          const struct routes_follower *follower) must_use;
void routes_free(struct routes *r); /* takes all away */
/* Whether what was added must be added anew, after routes_clear: addresses of this host, which are
 * the routes' sources, came or went, or something failed. */
bool routes_stale(struct routes *r);
void routes_clear(struct routes *r);
void routes_lost(struct routes *r); /* others took some away: routes_apply puts all of them back */
err_t routes_add(struct routes *r, const struct policy *p) must_use;
void routes_del(struct routes *r, const struct policy *p);
err_t routes_apply(struct routes *r, struct io_error *err) must_use;
