/*
 * Datagrams with an IP header of the caller's that are too big for their way: the kernel does not
 * fragment them (raw(7), IP_HDRINCL). RFC 791 3.2, RFC 8200 4.5. Called by sock_send.c.
 */
#pragma once

#include "base/cursor.h"

#define CUT_SIZE 1280 /* every link of IPv6 takes it, and nearly all of IPv4 */

struct cut {
    const uint8_t *ip;
    uint32_t len, hlen; /* hlen: what each piece begins with */
    uint32_t at;        /* bytes behind hlen that are done */
    uint32_t next_at;   /* IPv6: the byte that names what follows hlen */
    uint32_t id;        /* IPv6 */
};

/* id is for IPv6; IPv4 has its own. False: it must not or cannot be cut. */
bool cut_begin(struct cut *c, const uint8_t *ip, uint32_t len, uint32_t id);
/* The next piece to `out`, CUT_SIZE bytes; its length, 0 at the end. The IPv4 checksum is left to
 * the kernel. */
uint32_t cut_next(struct cut *c, uint8_t *out);
