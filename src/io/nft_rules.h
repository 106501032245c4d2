/* The text of the guard's table for libnftables; see nft_rules.c for what it lets pass and why. */
#pragma once

#include "base/buf.h"
#include "io/nft_pairs.h"

#define NFT_TABLE_NAME "culvert"
#define NFT_TABLE      "inet " NFT_TABLE_NAME

struct nft_rules {
    const char *tun;
    uint32_t mark;
    uint16_t port, port_natt;
    bool whole;                       /* datagrams put together, where that matters */
    bool exempt;                      /* from NAT */
    uint64_t in_dropped, out_dropped; /* what the counters start with */
    const struct nft_pairs *pairs;    /* passed or dropped too; never NULL */
};

/* One transaction that replaces the table, whatever it held. */
/* What `pass` covers goes through, then what `drop` covers is dropped. */
void nft_rules_print(const struct nft_rules *r, const struct guard_boxes *pass,
                     const struct guard_boxes *drop, struct buf *out);
