/*
 * Places of rows in the guard. Rows that protect all do the same, so their order among each other
 * is no matter: one has to know which shunts (pass, drop) come after it, and no more. It is filed
 * under the first of these; with shunts before all that protects, as they are without priorities,
 * all tunnels have one place and a new one costs no more than its element. Called by
 * policies_apply.c.
 */
#pragma once

#include "model/policy.h"

struct shunt_rank {
    uint64_t rank; /* policy_rank */
    uint32_t rules;
};

struct policies_order {
    struct shunt_rank *shunt; /* by rank */
    size_t n, cap;
};

void order_fini(struct policies_order *o);
void order_clear(struct policies_order *o);
/* A rule of a shunt comes or goes. */
err_t order_add(struct policies_order *o, uint64_t rank) must_use;
void order_del(struct policies_order *o, uint64_t rank);
err_t order_copy(struct policies_order *to, const struct policies_order *from) must_use;
/* The place of a rule: the lower is asked first. */
uint64_t order_of(const struct policies_order *o, enum policy_action action, uint64_t rank);
