/*
 * What the data plane must know of an IPv4 (RFC 791) or IPv6 (RFC 8200) packet: its flow, its
 * length, and what the outer header copies. Called for clear packets on their way out and for
 * decrypted ones.
 */
#pragma once

#include "dataplane/flow.h"

struct ip_info {
    struct flow flow; /* as sent by us: local is the source */
    uint32_t len;     /* by the header; never more than the buffer holds */
    uint32_t l4;      /* offset of the upper layer's header */
    uint8_t tos;      /* DSCP and ECN */
    bool df;          /* IPv4: don't fragment; IPv6: always */
    bool later_frag;  /* not the first fragment */
    uint32_t frag;    /* a fragment: offset of what tells where it belongs; 0: whole */
};

/* R_DP_SHORT or R_DP_INNER; then *out is garbage. */
err_t ip_parse(const uint8_t *p, uint32_t len, struct ip_info *out) must_use;

/* Its protocol has ports, or a type that stands for them, and the packet is cut short before. */
bool ip_short_of_ports(const struct flow *f);

/* One's complement sum of RFC 1071 over `n` bytes, added to `sum`; ip_csum folds it. */
uint32_t ip_sum(const uint8_t *p, size_t n, uint32_t sum);
uint16_t ip_csum(uint32_t sum);
