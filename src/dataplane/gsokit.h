/* For tests of super-packets: making them, and cutting them the slow and obvious way. */
#pragma once

#include "base/cursor.h"
#include "base/gso.h"

#define GK_MAX 65535

struct gk_shape {
    bool v6, tcp;
    uint32_t payload;
    uint16_t size;         /* of a segment's payload */
    unsigned option_bytes; /* TCP, a multiple of 4 */
    uint8_t flags;         /* TCP */
    uint8_t tos, ttl;
    bool df;
};

/* A super-packet as the kernel hands it over, with random numbers and payload; its length. */
uint32_t gk_super(uint8_t *p, const struct gk_shape *s, uint64_t *rng, struct gso *g);
/* Segment i, whole and finished; its length, 0 behind the last. */
uint32_t gk_segment(const uint8_t *p, uint32_t len, const struct gso *g, uint32_t i, uint8_t *out);
/* All checksums of a TCP or UDP packet hold, computed two bytes at a time. */
bool gk_intact(const uint8_t *p, uint32_t len);
void gk_seal(uint8_t *p, uint32_t len); /* makes them hold */
uint64_t gk_rand(uint64_t *state);
