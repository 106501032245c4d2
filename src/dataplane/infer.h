/*
 * What TCP inside of an SA tells of the path, for peers that answered no probe so far: a large
 * segment that is acknowledged came through; one that is sent again and again falls into a black
 * hole (RFC 2923 2.1, RFC 8899 4.3), surely so while the SA brings packets the other way. But a
 * transfer whose first large segments are all lost has nothing to answer: silence behind a peer
 * that was just heard is taken for a hole as well, with less faith. One segment at a time is
 * watched; most of the time none is. Called by look.c and probe.c.
 */
#pragma once

#include "dataplane/flow.h"

#define INFER_AGAIN_MS  150 /* sent again sooner than any timer of TCP: its own duplicate */
#define INFER_LATE_MS   1500
#define INFER_RECENT_MS 2000  /* so long ago the peer was there */
#define INFER_OLD_MS    20000 /* the connection has ended, or its segments are others now */

struct ip_info;

enum infer_says {
    INFER_NOTHING,
    INFER_PASSES,
    INFER_BLACK_HOLE,
    INFER_SILENCE, /* perhaps the peer, or the path, is gone altogether */
};

struct infer {
    struct flow flow;
    uint64_t at_ms, last_ms; /* first and latest time it was sent */
    uint32_t seq, end;       /* the segment, and the number behind it */
    uint16_t len;            /* of the packet */
    uint8_t again;           /* times sent again */
    uint16_t looks;          /* packets that were no use */
    bool on, watching;
    bool hint; /* there is other evidence as well */
};

/* A packet larger than the base is sent; heard_ms: when the peer was last heard. */
enum infer_says infer_sent(struct infer *i, const uint8_t *p, const struct ip_info *ip,
                           uint64_t heard_ms, uint64_t now_ms);
/* A TCP packet was received, as its sender sees it. INFER_PASSES: of i->len bytes. */
enum infer_says infer_received(struct infer *i, const uint8_t *p, const struct ip_info *ip);
