/*
 * Which worker has what: the SAs by id, the policies by their SAs, and the peers' prefixes, which
 * the kernel must lead to the right queue of the TUN device. Of the main thread only; datapath.c
 * carries out what changes. A policy without SA is worker 0's, where the kernel leads what it does
 * not know.
 */
#pragma once

#include <culvert/dataplane.h>
#include "base/hash.h"

struct owners;

#define OWNERS_ALL UINT8_MAX /* as a worker: each has an SA, or hands over (RFC 9611) */

/* A prefix leads to `worker` from now on, with `gone` to nobody in particular again (worker 0). */
struct owners_sink {
    void *ctx;
    void (*route)(void *ctx, const struct addr *prefix, unsigned bits, uint32_t worker, bool gone);
};

struct owners *owners_new(uint32_t workers, const uint64_t key[2],
                          const struct owners_sink *sink) must_use;
void owners_free(struct owners *o);

/* What becomes of the SA's policy, which is with the newest of its SAs that are no worker's own. */
struct owners_move {
    uint32_t policy;
    struct dp_owner from, to;
    bool changed;
};

err_t owners_add(struct owners *o, const struct child_sa *sa, uint32_t worker,
                 struct owners_move *m) must_use;
void owners_del(struct owners *o, uint32_t child_id, struct owners_move *m);
/* What owners_del will say; false: the policy has no other SA. */
bool owners_leaving(const struct owners *o, uint32_t child_id, struct owners_move *m);
bool owners_child(const struct owners *o, uint32_t child_id, uint32_t *worker);
struct dp_owner owners_policy(const struct owners *o, uint32_t policy_id);
bool owners_has_sas(const struct owners *o, uint32_t policy_id);
/* Where a new SA fits best: where it must be; where the one it replaces is, its policy's, its
 * peer's; else where the fewest are. */
struct owners_use {
    uint32_t policy, replaces;    /* 0: not known, none */
    uint32_t beside;              /* an SPI: who has that must have this too; 0: none */
    uint16_t iface;               /* who serves this interface must have it; 0: none */
    uint8_t cpu;                  /* as in struct child_sa */
    bool ours;                    /* we asked for the SA, not the peer */
    const struct ts_list *remote; /* NULL: not known */
};
uint32_t owners_place(struct owners *o, const struct owners_use *u);
/* SAs of different workers have the same prefix behind them: their packets are handed over. */
bool owners_ambiguous(const struct owners *o);
