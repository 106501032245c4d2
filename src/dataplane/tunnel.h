/*
 * What the outer and the inner header of a tunnel owe each other: DSCP and ECN (RFC 4301 5.1.2,
 * RFC 6040) and the size of packet that fits. The outer header itself is written by the kernel.
 */
#pragma once

#include "dataplane/sa.h"

/* RFC 6040 4.2, figure 4: sets the inner ECN field from the outer one. R_DP_ECN: congestion was
 * marked on the way and the inner transport could not see it, so the packet must be dropped. */
err_t tunnel_ecn_merge(uint8_t *inner, uint8_t outer_tos) must_use;

/* What of the outer TOS matters to an SA: ECN, unless it is Not-ECT, which changes nothing; DSCP
 * whatever it is. */
#define TOS_LOOK_ECN  0x003
#define TOS_LOOK_DSCP 0x100

/* Into the SAs, as configured: RFC 4301 5.1.2.1. */
void tunnel_rules_in(struct sa_in *sa, const struct tunnel_rules *r);
void tunnel_rules_out(struct sa_out *sa, const struct tunnel_rules *r, bool tunnel);

err_t tunnel_tos_merge(const struct sa_in *sa, uint8_t *inner, uint8_t outer_tos) must_use;

/* The inner packet's TOS after decapsulation; R_DP_ECN as above. */
static inline err_t tunnel_tos_in(const struct sa_in *sa, uint8_t *inner, uint8_t outer_tos)
{
    return (outer_tos | TOS_LOOK_DSCP) & sa->tos_look ? tunnel_tos_merge(sa, inner, outer_tos)
                                                      : E_OK;
}

/*
 * The flow label of the outer IPv6 header (RFC 6437, RFC 6438 3): one for each SA, so that its
 * packets stay in order and several SAs of two gateways take several paths. Not copied from the
 * inner header (RFC 4301 5.1.2.2 note 8), nor made of it: that would tell the flows inside apart.
 */
static inline uint32_t tunnel_flow_label(uint32_t spi)
{
    return (spi * 0x9e3779b1u) >> 12;
}

/* The largest inner packet whose outer packet fits `mtu`. */
uint16_t tunnel_inner_mtu(const struct framing *f, unsigned outer_family, uint16_t mtu);
/* The outer packet of an inner one of `len` bytes. */
uint16_t tunnel_outer_len(const struct framing *f, unsigned outer_family, uint16_t len);
