/*
 * Policies as boxes for nftables' interval sets, which refuse overlapping elements: each box is a
 * range in every dimension (remote address, local address, protocol, remote port, local port), and
 * boxes that overlap are spread over layers, one set each. Called by nft_rules.c.
 */
#pragma once

#include "io/nft.h"

enum guard_kind {
    GUARD_PAIR,  /* addresses only */
    GUARD_PROTO, /* and protocol */
    GUARD_PORTS, /* and ports */
    GUARD_TYPES, /* and ICMP's type and code, which stand in port_..[GUARD_REMOTE] */
    GUARD_FRAGS, /* later fragments of these two: RFC 4301 7 */
    GUARD_KINDS
};

enum { GUARD_REMOTE, GUARD_LOCAL };

struct guard_box {
    enum guard_kind kind;
    unsigned layer;
    struct addr lo[2], hi[2]; /* by GUARD_REMOTE, GUARD_LOCAL */
    uint16_t proto;
    uint16_t port_lo[2], port_hi[2];
};

struct guard_boxes {
    struct guard_box *box; /* sorted by kind, family, layer */
    size_t n, cap;
};

/*
 * Of rows that do the same. E_NOMEM, or E_USAGE for a row whose addresses are of different families
 * or out of order.
 *
 * Addresses that are on both sides of a row are no way across: with 10.1.0.0/16 here and 0.0.0.0/0
 * there, one local host may talk with another in clear, and with 10.0.0.0/8 here and 10.1.0.0/16
 * there, what two remote hosts say to each other is not ours. So the pairs within the common
 * part are left out; but not of rows that pass, nor where both sides are the same: such a row says
 * nothing of a direction, and is for outbound packets alone.
 */
err_t guard_boxes_make(struct guard_boxes *b, const struct nft_pair *rows, size_t n) must_use;
void guard_boxes_free(struct guard_boxes *b);

/* What of a row the guard can tell apart. Ports without a protocol that has them (the Mobility
 * Header's types, any protocol), and OPAQUE's 65535..0, are left out. */
enum guard_kind guard_kind_of(const struct nft_pair *r);
/* GUARD_TYPES: a type and code is on no side (RFC 4301 4.4.1.1), so both sides' ranges must hold
 * it. False: none can. */
bool guard_types_of(const struct nft_pair *r, uint16_t *lo, uint16_t *hi);
/* Both sides are the same addresses. */
bool guard_row_same(const struct nft_pair *r);
/* Ordered ranges, all of one family. */
bool guard_row_valid(const struct nft_pair *r);
