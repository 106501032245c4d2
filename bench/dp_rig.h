/* The rig of bench-dataplane: two data planes joined in memory, and packets between them. */
#pragma once

#include "dataplane/dp.h"

struct bench_suite {
    const char *name;
    uint16_t encr, bits, integ;
};

struct rig_opts {
    const struct bench_suite *suite;
    uint32_t size, sas, policies, batch;
    int impl; /* enum cr_impl */
    uint32_t window;
};

struct rig {
    struct rig_opts o;
    struct dp *a, *b;
    uint8_t *bufs;
    size_t stride;
    struct dp_pkt pkt[DP_BATCH], *pp[DP_BATCH];
    uint32_t sa[DP_BATCH];                /* which SA each packet goes through */
    struct cr_op ops[DP_BATCH];           /* culvert's crypto alone on the same buffers */
    struct cr_esp **seal_key, **open_key; /* of each SA */
    uint64_t rnd;
};

void rig_init(struct rig *r, const struct rig_opts *o); /* exits with a word when it cannot */
void rig_fini(struct rig *r);
/* Points a batch of packets at random SAs; all plain, as dp_outbound wants them. */
void rig_deal(struct rig *r);
void rig_cross(struct rig *r);             /* from A's wire side to B's */
void rig_check(const struct rig *r);       /* all arrived as they were sent */
void rig_crypto(struct rig *r, bool seal); /* one batch of crypto alone, A's or B's context */
uint64_t rig_rand(uint64_t *s);
/* A data plane with n policies of one shape and the given action; flows of policy i go to
 * rig_remote(i). */
void rig_policies(struct dp *d, uint32_t n, enum policy_action action, bool swap);
uint32_t rig_remote(uint32_t i);
/* SA i + 1 of policy i + 1; swap: the other gateway's. The same SPIs and keys in both directions.
 */
void rig_sa(struct dp *d, const struct rig_opts *o, uint32_t i, bool swap);
