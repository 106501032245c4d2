/*
 * Fragmentation before encryption: an IPv4 packet without DF that is too big for its SA leaves as
 * fragments of its own, each in an ESP or AH packet that fits the path (RFC 791 3.2, RFC
 * 4301 8.2.1). So nothing depends on outer fragments, which firewalls drop and the peer would have
 * to put together before it can check anything. Not where selectors name ports and the peer has not
 * agreed to later fragments (RFC 4301 7.3). Packets wait here whole and leave piece by piece, in
 * order. Called by esp_out.c and batch.c.
 */
#pragma once

#include "base/err.h"
#include "culvert/dataplane.h"

#define FRAG_OUT_BYTES   (256u << 10)
#define FRAG_OUT_PACKETS 128

struct dp;
struct sa_out;

struct frag_out {
    uint8_t *mem; /* FRAG_OUT_BYTES, from the first packet on */
    struct frag_whole {
        uint32_t child_id, at, len, done; /* done: bytes of the payload that have left */
    } whole[FRAG_OUT_PACKETS];
    uint32_t first, count, tail; /* tail: free from here on */
};

void frag_out_fini(struct frag_out *f);
/* Keeps a copy of the packet, an IPv4 packet of len bytes; false: no room. */
bool frag_out_put(struct frag_out *f, uint32_t child_id, const uint8_t *p, uint32_t len) must_use;
/* Next piece, at most mtu bytes long, to out; false: the packet was the last one's, or cannot be
 * cut into pieces of this size. */
uint32_t frag_out_cut(struct frag_out *f, uint8_t *out, uint32_t mtu);
/* The next piece, protected; false: nothing waits. */
bool frag_out_next(struct dp *d, struct dp_pkt *p, uint64_t now_ms);
