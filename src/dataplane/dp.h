/* The data plane's own state, shared by its files; nobody else includes this. */
#pragma once

#include "culvert/dataplane.h"
#include "dataplane/audit.h"
#include "dataplane/early.h"
#include "dataplane/frag_out.h"
#include "dataplane/frag_table.h"
#include "dataplane/frag_wait.h"
#include "dataplane/hold.h"
#include "dataplane/ip.h"
#include "dataplane/keying.h"
#include "dataplane/note.h"
#include "dataplane/probe.h"
#include "dataplane/sad.h"
#include "dataplane/spd.h"

/*
 * Between the phases of a batch a packet is a few words, and what packets in a row share is kept
 * once for the run: trains of one flow or SA are the rule.
 */
struct in_work {
    struct dp_pkt *p;
    uint64_t seq;
};

struct in_run {
    struct sad_slot *slot;
    struct sa_in *sa;
    uint32_t spi;
    uint32_t n;  /* packets: first those that came, then those that passed the checks */
    bool in_row; /* numbers of those follow each other */
};

struct out_work {
    struct dp_pkt *p;
    uint32_t len; /* of the inner packet */
    uint8_t tos;
    bool df;
};

/* What there is in a run that must be looked at. */
enum { RUN_SYN = 1, RUN_FRAG = 2 };

struct out_run {
    struct flow flow;
    uint64_t hash;
    struct sa_out *sa;           /* what the flow cache said, if `hit` */
    const struct spd_rule *rule; /* likewise */
    size_t home;                 /* where the SPD's first probe begins, if not */
    uint32_t sa_gen;
    uint32_t n; /* packets */
    bool hit;
    uint8_t look; /* RUN_... */
};

struct dp {
    struct dp_settings set;
    struct cr_esp_ctx *crypto;
    struct sad sad;
    struct spd *spd; /* the view; never NULL */
    struct flow_key flow_key;
    struct flow_cache flows;
    struct slab slab; /* of children and binds */
    struct hash children, binds, outs;
    struct pool_home home; /* of all pools */
    struct pool drops;     /* struct sa_drops */
    struct pool sa_in, sa_out, late;
    struct modes *modes; /* NULL: all SAs are KIND_TUNNEL */
    struct keying keying;
    struct hold hold;
    struct early early;
    struct probes probes;
    struct frag_out frag_out;
    struct frags *frags; /* NULL: no selectors name ports */
    uint64_t told_s;     /* the second in which `told` ICMP errors were made */
    uint32_t told;
    uint64_t now_ms; /* of the batch */
    bool releasing;  /* a packet that was held is on its way out */
    struct notes notes;
    struct audit audit;
    struct dp_stats stats;
    struct cr_op ops[DP_BATCH];
    struct in_work in[DP_BATCH];
    struct in_run in_runs[DP_BATCH];
    struct out_work out[DP_BATCH];
    struct out_run out_runs[DP_BATCH];
    uint8_t miss[DP_BATCH]; /* indices into out_runs: flows that the cache does not know */
};

/* Of an SA, NULL where none is known. */
static inline void pkt_drop_of(struct dp *d, const struct child *c, struct dp_pkt *p, err_t reason)
{
    p->verdict = DP_DROP;
    p->reason = reason;
    d->stats.drops[reason > 0 ? reason : R_NONE]++; /* R_NONE: failures of our own */
    audit_drop(d, c, p, reason);
}

static inline void pkt_drop(struct dp *d, struct dp_pkt *p, err_t reason)
{
    pkt_drop_of(d, NULL, p, reason);
}

/* A packet of our own on this SA, whatever the policies say; false: it cannot be sent. */
bool esp_out_own(struct dp *d, struct sa_out *sa, struct dp_pkt *p, uint8_t next,
                 uint64_t now_ms) must_use;

/* The look-up by outbound SPI. */
err_t outs_add(struct dp *d, struct child *c) must_use;
void outs_del(struct dp *d, struct child *c);

/* As pkt_drop, of an SA that is known. */
void sa_pkt_drop(struct dp *d, struct child *c, struct dp_pkt *p, err_t reason);

/* The packet is another worker's. */
static inline void pkt_elsewhere(struct dp_pkt *p, uint32_t owner)
{
    p->verdict = DP_ELSEWHERE;
    p->reason = E_OK;
    p->owner = (uint8_t)owner;
    p->close = false; /* where it goes there is head- and tailroom */
}

/* bind_ref, and a new one learns whose it is. */
struct bind *bind_for(struct dp *d, uint32_t policy_id);

void esp_in_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms);
void esp_out_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms);

/* The first packet of a direction: makes its key. E_NOMEM counts as a drop like any other. */
err_t sa_key_in(struct dp *d, struct sa_in *sa) must_use;
err_t sa_key_out(struct dp *d, struct sa_out *sa) must_use;

/* Its keying material, of both directions, in and out. */
struct key_seed *child_seed(struct child *c, enum child_dir dir);

/* The largest outer packet: what link and route carry (0: not known), and the settings allow. */
static inline uint16_t path_of_link(const struct dp *d, uint16_t link_mtu)
{
    return link_mtu && link_mtu < d->set.mtu ? link_mtu : d->set.mtu;
}

struct child *child_find(const struct dp *d, uint32_t id);
void children_free(struct dp *d);

void sa_in_free(struct dp *d, struct sa_in *in);

/* The packet is larger than the path. False: it has its verdict. */
bool esp_may_exceed(struct dp *d, struct out_work *w, const struct sa_out *sa);

/* Gives back a reference; packets held for a policy that nobody names any more are dropped. */
void bind_let_go(struct dp *d, struct bind *b);

err_t view_init(struct dp *d) must_use;
void view_fini(struct dp *d);
