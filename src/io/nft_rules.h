/* The text of the guard's table for libnftables; see nft_rules.c for what it decides and why. */
#pragma once

#include "base/buf.h"
#include "io/nft_nat.h"
#include "io/nft_pairs.h"

#define NFT_TABLE_NAME "culvert"
#define NFT_TABLE      "inet " NFT_TABLE_NAME

/* Rows that do not fit nft_pairs, of one order. */
struct nft_layer {
    uint64_t order;
    uint8_t does; /* enum nft_does */
    bool same;    /* as in nft_shape */
    struct guard_boxes boxes;
};

struct nft_rules {
    const char *tun;
    uint32_t mark, clear, clear_tun;
    uint16_t port, port_natt;
    bool whole;                       /* datagrams put together, where that matters */
    bool exempt;                      /* from NAT */
    uint64_t in_dropped, out_dropped; /* what the counters start with */
    const struct nft_pairs *pairs;    /* never NULL */
    const struct nft_layer *layer;
    size_t layers;
    const struct nft_pair *rest; /* the rows of the layers */
    size_t rests;
    const struct nft_nat_found *nat;
};

/* One transaction that replaces the table, whatever it held. Needs memory: buf's error. */
void nft_rules_print(const struct nft_rules *r, struct buf *out);
