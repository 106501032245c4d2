/*
 * Cuts a super-packet from the TUN device into the packets it stands for, and closes checksums
 * that were left open. Pure: reads the packet, writes headers where the caller says; the payload
 * stays where it is, to be encrypted from there. Called for the plain side, before dp_outbound.
 */
#pragma once

#include "base/err.h"
#include "base/gso.h"

#include <stddef.h>

#define SPLIT_MAX        128 /* segments: as many as one UDP_SEGMENT train takes */
#define SPLIT_HEADER_MAX 100 /* IPv6 and a TCP header full of options */

struct split {
    const uint8_t *pkt;
    uint32_t len;     /* of the super-packet */
    uint32_t hdr_len; /* IP and L4 header: what split_header writes */
    uint32_t ip_len;
    uint32_t size; /* payload of every segment but the last */
    uint32_t n;    /* segments, 1 to SPLIT_MAX */
    bool v6, tcp;
    uint64_t ip_sum, l4_sum; /* of what all segments have in common, pseudo header included */
};

/* R_DP_SHORT, or R_DP_GSO: g does not fit the packet; then nothing may be split. */
err_t split_begin(struct split *s, const uint8_t *pkt, uint32_t len, const struct gso *g) must_use;

static inline uint32_t split_payload_at(const struct split *s, uint32_t i)
{
    return s->hdr_len + i * s->size;
}

static inline uint32_t split_payload_len(const struct split *s, uint32_t i)
{
    uint32_t at = split_payload_at(s, i);
    return i + 1 < s->n ? s->size : s->len - at;
}

/*
 * The finished header of segment i, hdr_len bytes, with all lengths, numbers, flags and checksums;
 * its payload is split_payload_len bytes at pkt + split_payload_at. Reads header and payload of
 * the super-packet, so ask before either is overwritten.
 */
void split_header(const struct split *s, uint32_t i, uint8_t *out);

/*
 * A packet that is no super-packet: its checksum is completed in place if it was left open.
 * R_DP_GSO: the offsets lie outside of it, and nothing was changed.
 */
err_t split_finish(uint8_t *pkt, uint32_t len, const struct gso *g) must_use;
