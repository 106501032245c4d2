/*
 * The security policy database, RFC 4301 4.4.1: an immutable table built whole from an ordered list
 * of policies (view.c swaps it). Every pair of a policy's local and remote selector is a rule;
 * rules are ranked by priority, then the narrower first, then as given.
 *
 * A rule is filed under the prefixes that just cover its two address ranges and, where they are
 * single values, protocol and ports. Rules that cover alike share a mask; a look-up hashes the flow
 * once per mask and compares the few rules found there exactly, masks with the better ranks first.
 * A gateway's policies have a handful of masks, so one policy and 100,000 cost the same probes.
 */
#pragma once

#include "dataplane/sel.h"
#include "model/policy.h"

struct bind;

struct spd_rule {
    struct sel l, r;
    struct bind *bind; /* POL_PROTECT: its SAs and its hold queue */
    uint32_t policy;   /* index into spd.policies */
    enum policy_action action;
};

/* What is kept of a policy for people; struct policy itself is made again on demand. */
struct spd_policy {
    uint32_t id, priority;
    enum policy_action action;
    uint16_t nl, nr;
    uint32_t ts;              /* index of the first selector in spd.ts: locals, then remotes */
    const char *conn, *child; /* in spd.text; may be NULL */
    struct bind *bind;
};

struct spd_slot {
    uint32_t tag;  /* upper half of the hash */
    uint32_t rule; /* index + 1; 0: free, ends the probe */
};

struct spd_mask {
    struct flow mask;
    uint32_t best; /* lowest rule index under this mask */
};

struct spd {
    struct flow_key key;
    struct spd_slot *slots;
    size_t slot_mask;
    struct spd_rule *rules; /* in order of rank: the index is the rank */
    size_t n_rules;
    struct spd_mask *masks[2]; /* IPv4, IPv6; each in order of `best` */
    size_t n_masks[2];
    struct spd_policy *policies;
    size_t n_policies;
    struct ts *ts;
    char *text;
};

/* Finds or makes the bind of a protect policy's id; NULL: out of memory. */
typedef struct bind *spd_bind_fn(void *ctx, uint32_t policy_id);

err_t spd_new(const struct policy *p, size_t n, const uint64_t seed[2], spd_bind_fn *bind,
              void *ctx, struct spd **out) must_use;
void spd_free(struct spd *s);
/* Fetching ahead for a batch: the slot of the first probe, then the rule found there. */
size_t spd_fetch_slot(const struct spd *s, const struct flow *f);
void spd_fetch_rule(const struct spd *s, size_t slot);
const struct spd_rule *spd_find(const struct spd *s, const struct flow *f); /* NULL: no policy */
void spd_policy_get(const struct spd *s, uint32_t index, struct policy *out);
