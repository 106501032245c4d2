/*
 * What the outer and the inner header of a tunnel owe each other: DSCP and ECN (RFC 4301 5.1.2,
 * RFC 6040) and the size of packet that fits. The outer header itself is written by the kernel.
 */
#pragma once

#include "dataplane/sa.h"

/* RFC 6040 4.2: sets the inner ECN field from the outer one. R_DP_ECN: congestion was marked on the
 * way and the inner transport could not see it, so the packet must be dropped. */
err_t tunnel_ecn_merge(uint8_t *inner, uint8_t outer_tos) must_use;

static inline err_t tunnel_ecn_in(uint8_t *inner, uint8_t outer_tos)
{
    return outer_tos & 3 ? tunnel_ecn_merge(inner, outer_tos) : E_OK; /* Not-ECT changes nothing */
}

/* The largest inner packet whose outer packet fits `mtu`. */
uint16_t tunnel_inner_mtu(const struct framing *f, unsigned outer_family, uint16_t mtu);
