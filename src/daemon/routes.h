/*
 * Routes that follow from the SPD, in tables of our own: what a protect or drop policy selects
 * leads into the TUN device, what a bypass policy or our own side selects is thrown back to the
 * other tables. IPv4 selectors of one protocol have a table of that protocol's, so that what else
 * goes to the same addresses is not led in, to be dropped there. Policies come and go; routes_apply
 * tells the kernel what that changed, in batches.
 */
#pragma once

#include "io/netlink.h"
#include "model/policy.h"

struct routes;

/* Who takes the same packets by other means: the LAN interfaces hear of each change, but for those
 * of single protocols, which the kernel leads in. */
struct routes_follower {
    void *ctx; /* NULL: nobody */
    err_t (*change)(void *ctx, const struct netlink_route *r, size_t n);
    void (*flush)(void *ctx); /* there are no routes now */
};

/* `rule` leads to the table of all protocols. Flushes leftovers. */
struct routes *routes_new(struct netlink *nl, const struct netlink_rule *rule, int ifindex,
                          const struct routes_follower *follower) must_use;
err_t routes_open(struct routes *r,
                  struct io_error *err) must_use; /* adds the rule, if it is not there */
void routes_free(struct routes *r);               /* takes all away */
/* Whether what was added must be added anew, after routes_clear: addresses of this host, which are
 * the routes' sources, came or went, or something failed. */
bool routes_stale(struct routes *r);
void routes_clear(struct routes *r);
/* Others took some away, or rules: routes_open and routes_apply put all of them back. */
void routes_lost(struct routes *r);
err_t routes_add(struct routes *r, const struct policy *p) must_use;
void routes_del(struct routes *r, const struct policy *p);
err_t routes_apply(struct routes *r, struct io_error *err) must_use;
