/*
 * What stands for a policy in this data plane, by its id: its rules in the SPD, and for a protect
 * policy its outbound SAs, the newest first, and the packets held while there is none. It lives
 * while the policy is there or an SA names it.
 */
#pragma once

#include "base/slab.h"
#include "culvert/dataplane.h"
#include "dataplane/sa.h"

struct bind {
    struct hash_node node;
    struct sa_out *newest;
    uint32_t policy_id;
    uint32_t refs;       /* the policy and children */
    uint32_t rule;       /* the policy's first in the SPD; 0: it is not there (any more) */
    uint32_t ports_rule; /* likewise in that of frags.h */
    uint32_t queue;      /* of hold.h, while packets are held; 0: none are */
    uint32_t acquire_ms; /* when an SA was asked for last, the low half; 0: never */
    uint16_t iface;      /* the policy's */
    struct dp_owner owner;
    bool acquiring;
};

/* found or made; NULL: no memory */
struct bind *bind_ref(struct hash *binds, struct slab *slab, uint32_t policy_id);
struct bind *bind_find(const struct hash *binds, uint32_t policy_id);
/* the last one: nothing is held any more */
void bind_unref(struct hash *binds, struct slab *slab, struct bind *b);

/* The newest SA whose selectors hold the flow: a child may have several, some narrowed. */
struct sa_out *bind_choose(const struct bind *b, const struct flow *f);
void bind_sa_add(struct bind *b,
                 struct sa_out *sa); /* becomes the newest; flows are assigned anew */
void bind_sa_del(struct bind *b, struct sa_out *sa);
