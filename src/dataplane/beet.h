/*
 * BEET mode: draft-nikander-esp-beet-mode, as the Linux kernel does it. Between hosts with one
 * inner pair of addresses the inner header does not travel; the receiver makes it again from the
 * outer one and the SA's addresses. IPv4 options go before the payload behind a header of their own
 * (protocol 94). Called by modes_in.c and modes_out.c.
 */
#pragma once

#include "dataplane/transport.h"

#define BEET_PH     94
#define BEET_PH_MAX 8 /* bytes of that header with its padding */

/*
 * Out: p, len bytes, loses its header; *skip of them in front are gone, and *next names what is
 * there now. With options up to BEET_PH_MAX bytes in front of p are written.
 */
err_t beet_strip(uint8_t *p, uint32_t len, int32_t *skip, uint8_t *next) must_use;

/*
 * In: the inner header for `next` and the payload into `ip`, DP_IP_MAX bytes; *skip bytes of the
 * payload go before. outer: as received.
 */
err_t beet_header(uint8_t *ip, struct transport_at *at, const struct addr *from,
                  const struct addr *to, const uint8_t *outer, const uint8_t *payload, uint32_t len,
                  uint8_t *next, uint32_t *skip) must_use;
