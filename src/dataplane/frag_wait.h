/*
 * Later fragments that overtook the first one of their datagram: they wait a moment, in a fixed
 * store, until it has come and told the ports (RFC 4301 7.3). Called by frags.c.
 */
#pragma once

#include "culvert/dataplane.h"
#include "dataplane/flow.h"

#define FRAG_WAIT_MAX  64
#define FRAG_WAIT_SIZE 2048 /* larger ones do not wait */
#define FRAG_WAIT_MS   1000

struct frag_wait_slot {
    bool used, ready;
    uint8_t tos;
    uint16_t iface;
    uint32_t len, scope;
    uint32_t child_id; /* that brought it; 0: on its way out */
    uint64_t at_ms, turn;
    struct flow key;
};

struct frag_wait {
    struct frag_wait_slot slot[FRAG_WAIT_MAX];
    uint8_t *mem;
    uint32_t count, ready;
    uint64_t turn;
};

err_t frag_wait_init(struct frag_wait *w) must_use;
void frag_wait_fini(struct frag_wait *w);
/* Keeps a copy of len bytes; key and what else is in `s` say whose they are. False: no room. */
bool frag_wait_put(struct frag_wait *w, const struct frag_wait_slot *s, const uint8_t *p,
                   uint64_t now_ms) must_use;
/* The first one is here. */
void frag_wait_release(struct frag_wait *w, const struct flow *key, uint32_t scope, bool in);
/* The next that may go on, in the order in which they came, to buf; false: none. */
bool frag_wait_take(struct frag_wait *w, struct frag_wait_slot *s, uint8_t *buf);
uint32_t frag_wait_expire(struct frag_wait *w, uint64_t now_ms); /* how many went */
