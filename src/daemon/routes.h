/*
 * Routes that follow from the SPD, in a table of our own: what a protect or drop policy selects
 * leads into the TUN device, what a bypass policy or our own side selects is thrown back to the
 * other tables.
 */
#pragma once

#include "io/netlink.h"
#include "model/policy.h"

struct routes;

struct routes *routes_new(struct netlink *nl, uint32_t table,
                          int ifindex) must_use; /* flushes leftovers */
void routes_free(struct routes *r);              /* takes all away */
/* Makes the table agree with the policies; touches only what differs. */
err_t routes_set(struct routes *r, const struct policy *p, size_t n, struct io_error *err) must_use;
