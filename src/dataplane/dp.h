/* The data plane's own state, shared by its files; nobody else includes this. */
#pragma once

#include "culvert/dataplane.h"
#include "dataplane/hold.h"
#include "dataplane/ip.h"
#include "dataplane/note.h"
#include "dataplane/sad.h"
#include "dataplane/spd.h"

/* A packet between the phases of a batch. */
struct in_work {
    struct dp_pkt *p;
    struct sad_slot *slot;
    struct sa_in *sa;
    uint64_t seq;
};

struct out_work {
    struct dp_pkt *p;
    struct sa_out *sa;
    const struct spd_rule *rule; /* what the flow cache said, if `hit` */
    uint64_t hash;
    size_t home; /* where the SPD's first probe begins, if not */
    uint32_t sa_gen;
    uint32_t inner_len;
    bool hit, df;
    bool same; /* the flow of the packet before: trains of one flow are the rule */
    struct ip_info ip;
};

struct dp {
    struct dp_settings set;
    struct cr_esp_ctx *crypto;
    struct sad sad;
    struct spd *spd; /* the view; never NULL */
    struct flow_key flow_key;
    struct flow_cache flows;
    struct hash children, binds;
    struct pool sa_in, sa_out;
    struct hold hold;
    bool releasing; /* a packet that was held is on its way out */
    struct notes notes;
    struct dp_stats stats;
    struct policy *scratch; /* what dp_policy_lookup returns */
    struct cr_op ops[DP_BATCH];
    struct in_work in[DP_BATCH];
    struct out_work out[DP_BATCH];
    uint8_t miss[DP_BATCH]; /* indices into out: flows that the cache does not know */
};

static inline void pkt_drop(struct dp *d, struct dp_pkt *p, err_t reason)
{
    p->verdict = DP_DROP;
    p->reason = reason;
    d->stats.drops[reason > 0 ? reason : R_NONE]++; /* R_NONE: failures of our own */
}

void esp_in_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms);
void esp_out_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms);

struct child *child_find(const struct dp *d, uint32_t id);
void children_free(struct dp *d);

/* Gives back a reference; packets held for a policy that nobody names any more are dropped. */
void bind_let_go(struct dp *d, struct bind *b);

err_t view_init(struct dp *d) must_use;
void view_fini(struct dp *d);
