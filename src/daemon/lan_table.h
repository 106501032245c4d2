/*
 * Which packets of LAN interfaces may go past the kernel (io/lan_port.h): those of which addresses
 * alone say that they are protected. A pair of selectors counts when it names no protocol or port
 * and no pass or drop policy meets its addresses, whatever their order; all else is the kernel's,
 * which has all of the rules. Called by policies_apply.c.
 */
#pragma once

#include "base/hash.h"
#include "io/lan_port.h"
#include "model/policy.h"

/* Who takes the packets. */
struct lan_follower {
    void *ctx; /* NULL: nobody */
    err_t (*take)(void *ctx, const struct addr *prefix, unsigned bits,
                  const struct lan_sources *from);
    void (*leave)(void *ctx, const struct addr *prefix, unsigned bits);
    void (*clear)(void *ctx);
};

struct lan_dest;

struct lan_table {
    struct hash dests; /* by remote prefix */
    struct lan_dest *changed;
    struct lan_follower to;
};

err_t lan_table_init(struct lan_table *t, const uint64_t key[2],
                     const struct lan_follower *to) must_use;
void lan_table_fini(struct lan_table *t);
/* A pair of selectors that packets within may be taken for. */
err_t lan_table_add(struct lan_table *t, const struct ts *local, const struct ts *remote) must_use;
void lan_table_del(struct lan_table *t, const struct ts *local, const struct ts *remote);
void lan_table_clear(struct lan_table *t); /* as if all were gone; those who take hear of it */
err_t lan_table_settle(struct lan_table *t) must_use; /* tells what changed */
