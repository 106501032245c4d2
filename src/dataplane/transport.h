/*
 * Transport mode's IP header: where in a packet ESP and AH go (RFC 4303 3.1.1, RFC 4302 3.1.1), the
 * header put back before what was protected, and checksums after a NAT (RFC 3948 3.1.2). Called by
 * modes_in.c and modes_out.c.
 */
#pragma once

#include "base/addr.h"
#include "base/cursor.h"
#include "culvert/dataplane.h"

struct transport_at {
    uint32_t hlen;    /* bytes that stay in front */
    uint32_t next_at; /* of them, the one that names what follows */
};

/* p: a whole packet, len bytes by its header. R_DP_FRAGMENT: transport mode is for whole ones. */
err_t transport_split(const uint8_t *p, uint32_t len, struct transport_at *at) must_use;
/* The same for a header alone, as received in front of ESP or AH: it ends at hlen. */
err_t transport_find(const uint8_t *ip, uint32_t hlen, struct transport_at *at) must_use;

/* Next header, lengths and IPv4 checksum for `len` bytes behind the header. */
void transport_finish(uint8_t *ip, const struct transport_at *at, uint8_t next, uint32_t len);

/* A header of the least size, when none came along; 20 or 40 bytes, returned. */
uint32_t transport_header(uint8_t *ip, const struct addr *from, const struct addr *to, uint8_t tos,
                          uint8_t ttl);

/* What to add to a checksum (RFC 1624) of a packet from..to that was made for was_from..was_to. */
uint16_t transport_fix(const struct addr *was_from, const struct addr *was_to,
                       const struct addr *from, const struct addr *to);
/* The upper layer's checksum, if `next` is one with a pseudo-header; a UDP checksum of zero stays.
 */
void transport_repair(uint8_t *l4, uint32_t len, uint8_t next, uint16_t fix);
