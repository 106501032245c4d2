/*
 * Routes that follow from the SPD, in a table of our own: what a protect policy selects leads into
 * the TUN device, our own side is thrown back to the other tables. Who comes here is for the
 * guard's table to say (io/nft.h), which knows sources, ports and the order of policies. Policies
 * come and go; routes_apply tells the kernel what that changed, in batches.
 */
#pragma once

#include "io/netlink.h"
#include "model/policy.h"

struct routes;

/* `rules` lead to the table. Flushes leftovers. */
struct routes *routes_new(struct netlink *nl, const struct netlink_rules *rules,
                          int ifindex) must_use;
/* Adds the rules, if they are not there. */
err_t routes_open(struct routes *r, struct io_error *err) must_use;
void routes_free(struct routes *r); /* takes all away */
/* Whether what was added must be added anew, after routes_clear: addresses of this host, which are
 * the routes' sources, came or went, or something failed. */
bool routes_stale(struct routes *r);
void routes_clear(struct routes *r);
/* Others took some away, or rules: routes_open and routes_apply put all of them back. */
void routes_lost(struct routes *r);
err_t routes_add(struct routes *r, const struct policy *p) must_use;
void routes_del(struct routes *r, const struct policy *p);
err_t routes_apply(struct routes *r, struct io_error *err) must_use;
