/*
 * Auditable drops (RFC 4303 4, RFC 4302 4; RFC 4301 5.2): a note for the log of what an attacker, a
 * wrong peer or a missing policy may be behind, with SPI, addresses and sequence number, or with
 * the plain packet's flow. For each reason one at once, then at most one in ten seconds with the
 * number of drops since. Called for each drop (dp.h); counters count the rest.
 */
#pragma once

#include "culvert/dataplane.h"
#include "model/child_sa.h"

struct dp;
struct child;

struct audit {
    struct {
        uint64_t next_ms;
        uint32_t since; /* drops that no note has told */
    } of[CHILD_DROPS];  /* by reason, from R_DP_SHORT on */
};

/* c: NULL when the SA is not known. */
void audit_drop(struct dp *d, const struct child *c, const struct dp_pkt *p, err_t reason);
