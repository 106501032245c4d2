/*
 * Packets held for policies while their tunnels come up: a fixed store of chunks, bounded in all
 * and per policy; a packet larger than a chunk takes several. When a policy is full the newcomer is
 * dropped: the first packets of a handshake are the useful ones.
 */
#pragma once

#include "base/list.h"
#include "dataplane/bind.h"

#define HOLD_CHUNK 2024 /* bytes of packet in one chunk */

struct hold_chunk;

/* What is held for one policy. A place in an array: most policies never hold anything. */
struct hold_queue {
    struct list link; /* in `waiting` or `ready` */
    struct bind *bind;
    uint32_t first, last, held; /* chunk index + 1 */
    uint32_t next_free;
    bool releasing;
};

struct hold {
    struct hold_chunk *c;
    struct hold_queue *q;    /* from 1 on, as many as chunks */
    uint32_t q_free, q_used; /* given back; ever used */
    uint32_t free;           /* index + 1 */
    uint32_t chunks, chunks_free, per_policy, held;
    struct list waiting, ready; /* queues */
};

err_t hold_init(struct hold *h, uint32_t chunks, uint32_t per_policy) must_use;
void hold_fini(struct hold *h);
bool hold_put(struct hold *h, struct bind *b, const uint8_t *p, uint32_t len, uint64_t now_ms);
void hold_release(struct hold *h, struct bind *b); /* its packets may be taken now */
/* The next packet of a released bind, copied out; false: none. A packet over cap is lost. */
bool hold_take(struct hold *h, uint8_t *buf, size_t cap, uint32_t *len, uint16_t *iface);
uint32_t hold_of(const struct hold *h, const struct bind *b); /* packets */
bool hold_releasing(const struct hold *h, const struct bind *b);
uint32_t hold_drop(struct hold *h, struct bind *b); /* how many */
/* Drops what was put before `since_ms`; how many. Their policies may acquire again. */
uint32_t hold_expire(struct hold *h, uint64_t since_ms);
