/*
 * The security policy database, RFC 4301 4.4.1: policies come and go one by one, each at a cost
 * that does not grow with their number. Every pair of a policy's local and remote selector is a
 * rule; rules rank as policy_rank says, those of one rank by the policy's lower id.
 *
 * A rule is filed under the prefixes that just cover its two address ranges and, where they are
 * single values, protocol and ports. Rules that cover alike share a mask; a look-up hashes the flow
 * once per mask and compares the few rules found there exactly, masks with the better ranks first.
 * A gateway's policies have a handful of masks, so one policy and 100,000 cost the same probes.
 */
#pragma once

#include "dataplane/pool.h"
#include "dataplane/sel.h"
#include "model/policy.h"

struct bind;

/* Rules are known by their number; 0: none. A cache line; IPv6 ranges lie in `wide`. */
struct spd_rule {
    struct sel l, r;
    struct bind *bind;  /* the policy's: its SAs and its hold queue */
    uint32_t rank_high; /* policy_rank in two parts */
    uint16_t rank_low;
    uint16_t iface;        /* as in struct policy */
    uint32_t policy;       /* id */
    uint32_t next;         /* with the same key, in order of rank */
    uint32_t prev;         /* likewise; of the first: the last */
    uint32_t sibling : 30, /* the policy's next rule; of an unused rule: the next unused */
        action : 2;        /* enum policy_action */
};

/* Rules with one key; open addressing, in runs that begin where the tag says. */
struct spd_slot {
    uint32_t tag;  /* upper half of the hash */
    uint32_t rule; /* the first; 0: free, ends the probe */
};

struct spd_mask {
    struct flow mask;
    uint64_t best;  /* nothing here ranks before this; when rules went it may promise too much */
    uint32_t rules; /* without any the mask goes */
};

struct spd_masks {
    struct spd_mask *m; /* in order of `best` */
    size_t n, cap;
};

struct spd {
    struct flow_key key;
    struct spd_slot *slots;
    size_t slot_mask;
    struct spd_rule *rules;
    uint32_t cap, top; /* rules[0] is never used; those from top on never were */
    uint32_t unused, n_rules;
    struct pool_home home;
    struct pool wide;          /* ranges of IPv6 rules */
    struct spd_masks masks[2]; /* IPv4, IPv6 */
};

err_t spd_new(const uint64_t seed[2], struct spd **out) must_use;
void spd_free(struct spd *s);
/* *first: the policy's first rule, for spd_del; 0 when no packet can meet it. E_NOMEM, E_NOTSUP:
 * nothing changed. */
err_t spd_add(struct spd *s, const struct policy *p, struct bind *bind, uint32_t *first) must_use;
void spd_del(struct spd *s, uint32_t first);
/* Fetching ahead for a batch: the slot of the first probe, then the rule found there. */
size_t spd_fetch_slot(const struct spd *s, const struct flow *f);
void spd_fetch_rule(const struct spd *s, size_t slot);
/* NULL: no policy. Good until the next change. */
const struct spd_rule *spd_find(const struct spd *s, const struct flow *f);

/* The lower goes first. */
static inline uint64_t spd_rank(const struct spd_rule *r)
{
    return (uint64_t)r->rank_high << 16 | r->rank_low;
}

static inline bool spd_before(const struct spd_rule *a, const struct spd_rule *b)
{
    uint64_t x = spd_rank(a), y = spd_rank(b);
    return x != y ? x < y : a->policy < b->policy;
}
