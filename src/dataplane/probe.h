/*
 * Path MTU discovery inside of an SA (RFC 8899 with ESP as packetization layer): probes are dummy
 * packets (RFC 4303 2.6: any peer discards them without a word), which another culvert answers with
 * one of its own. Both are encrypted, authentic and protected against replay as all packets of the
 * SA. A peer that answers none is left to ICMP and to infer.c. What is found lowers and raises
 * `inner_mtu` of the SA, and outlives it: the SA that replaces it begins with it.
 *
 * An SA without traffic, or with small packets only, sends no probe. Called by look.c, icmp.c and
 * batch.c.
 */
#pragma once

#include "base/list.h"
#include "culvert/dataplane.h"
#include "dataplane/path.h"
#include "dataplane/pool.h"
#include "dataplane/infer.h"

struct child;

#define PROBE_WHEEL      16   /* slots of a second */
#define PROBE_ROUND_MS   1500 /* for the answers to a round */
#define PROBE_CONFIRM_MS 15000
#define PROBE_INFER_MS   1000 /* where nobody answers: TCP inside is asked so often */
#define PROBE_ANSWERS    256
#define PROBE_PAYLOAD    16

struct probe {
    struct path path;
    struct list link; /* in the wheel or among those that send; alone: asleep */
    struct child *child;
    uint64_t due_ms, raise_ms;
    uint64_t seq;      /* of the SA when it was last looked at */
    uint8_t next_rung; /* to be sent */
    uint8_t raises;    /* attempts since the path was lowered */
    bool speaks, mute; /* the peer answers; it does not */
    bool waits;        /* the round is to be sent at due_ms */
    bool fresh;        /* nothing was asked yet of this path */
    struct infer infer;
};

struct probe_answer {
    uint32_t child_id;
    uint16_t size;
    uint8_t round, rung;
};

struct probes {
    struct pool pool;
    struct list wheel[PROBE_WHEEL], sending;
    uint64_t ticked_s;
    size_t timed; /* in the wheel */
    struct probe_answer answer[PROBE_ANSWERS];
    uint32_t answers_head, answers;
};

void probes_init(struct probes *ps, struct pool_home *home);

/* The SA may send something large soon: asks, unless it was asked lately. */
void probe_touch(struct dp *d, struct child *c, uint64_t now_ms);
/* A dummy packet of the peer: n bytes after decryption. */
void probe_received(struct dp *d, struct child *c, const uint8_t *p, uint32_t n, uint64_t now_ms);
/* Believed to be so from elsewhere: by an ICMP error, by what TCP does inside. */
void probe_inferred(struct dp *d, struct child *c, enum infer_says says, uint64_t now_ms);
void probe_believe(struct dp *d, struct child *c, uint16_t inner_mtu, enum dp_path_source why,
                   uint64_t now_ms);
/* Somebody says that the path carries no more than outer packets of mtu bytes. */
void probe_suspect(struct dp *d, struct child *c, uint16_t mtu, uint64_t now_ms);
/* Next packet of ours in *p, with room around it; false: none. */
bool probe_next(struct dp *d, struct dp_pkt *p, uint64_t now_ms);
/* What is believed when inner packets of len bytes are too large, and no more is known. */
uint16_t probe_below(const struct child *c, uint16_t len);
void probe_tick(struct dp *d, uint64_t now_ms);

/* Path or its assumed MTU changed, or the SA is new: what was found is forgotten. */
void probe_settings(struct dp *d, struct child *c);
/* What link and route carry is another: c->path_mtu. */
void probe_link(struct dp *d, struct child *c, uint64_t now_ms);
uint16_t probe_inner_of(const struct child *c, uint16_t path_mtu);
/* The largest inner packet for which link, route and settings have room. */
uint16_t probe_cap(const struct child *c);
uint16_t probe_path_mtu(const struct child *c); /* of outer packets, as believed */
/* A new SA begins with what its predecessor knew. */
void probe_inherit(struct dp *d, struct child *c, const struct child *old);
void probe_free(struct dp *d, struct child *c);
