/* A row of the SPD: RFC 4301 4.4.1; and the order of rows, for whoever looks packets up. */
#pragma once

#include "model/ts.h"

enum policy_action { POL_PROTECT, POL_BYPASS, POL_DROP };

struct policy {
    uint32_t id;       /* unique, chosen by the daemon; ACQUIRE names it */
    uint32_t priority; /* lower first; 0: automatic, see policy_rank */
    uint16_t iface;    /* for packets of this interface alone; 0: the shared one */
    enum policy_action action;
    const char *conn, *child;
    struct ts_list local, remote; /* local is the source of outbound packets */
};

/* Where automatic priorities stand among explicit ones, as strongSwan has them. */
enum { POLICY_PRIORITY_SHUNT = 200000, POLICY_PRIORITY_PROTECT = 400000 };

/* How narrow a selector is, in bits. */
unsigned policy_narrow(const struct ts *t);
/*
 * The one order of all rules, a rule being one pair of a row's selectors: by priority, of equal
 * priority the narrower first, then drop, protect, bypass. The lower rank decides; rules of one
 * rank do the same. 48 bits, never 0; the priority stands in those above POLICY_RANK_PRIORITY.
 */
#define POLICY_RANK_PRIORITY 16
uint64_t policy_rank(uint32_t priority, enum policy_action action, const struct ts *local,
                     const struct ts *remote);
