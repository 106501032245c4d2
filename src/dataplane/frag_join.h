/*
 * Fragments put together (RFC 791 3.2, RFC 8200 4.5) before an SA takes them that is for whole
 * packets only: in transport mode and BEET (RFC 4303 3.1.1), or where selectors name ports and the
 * peer takes no later fragments (RFC 4301 7.3). The kernel cuts a datagram to the MTU of the TUN
 * device and sends the pieces one after the other; what comes in any other order is dropped. Called
 * by frags.c.
 */
#pragma once

#include "culvert/dataplane.h"

/* Datagrams on their way; the oldest goes for a new one. One more than a batch can complete, so
 * that none of them is lost to another of the same batch. */
#define FRAG_JOIN_SLOTS (DP_BATCH + 1)

struct frag_join;

struct frag_join *frag_join_new(void); /* memory that is touched as far as it is used */
void frag_join_free(struct frag_join *f);
bool frag_join_is(const uint8_t *p, uint32_t len); /* p, a packet of len bytes, is a fragment */
/*
 * Takes a fragment that came by this interface. *whole: the packet that it completes, *n bytes with
 * head- and tailroom, which stays until FRAG_JOIN_SLOTS - 1 others were begun or completed; NULL:
 * more must come. R_DP_FRAGMENT: it does not follow on what is here.
 */
err_t frag_join_put(struct frag_join *f, uint16_t iface, const uint8_t *p, uint32_t len,
                    uint8_t **whole, uint32_t *n) must_use;
