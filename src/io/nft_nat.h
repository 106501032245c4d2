/*
 * NAT rules of others, read from what `nft list ruleset` says: whether anybody translates source
 * addresses behind routing, and into what. A policy may stand on such an address: then its packets
 * have another source when they are routed, and no row covers them yet. Called by nft.c.
 */
#pragma once

#include "base/addr.h"

enum { NFT_NAT_RANGES = 64 };

struct nft_nat_found {
    bool any;  /* a chain at the hook */
    bool own;  /* our own table is there, with rules */
    bool wide; /* into what cannot be told, of what goes to the TUN device: any policy's address */
    size_t n;
    struct addr lo[NFT_NAT_RANGES], hi[NFT_NAT_RANGES]; /* more than fit: `wide` */
};

/* own: "inet culvert", the table that does not count. */
void nft_nat_read(struct nft_nat_found *f, const char *text, const char *own, const char *tun);
/* May an address of this range come out of a translation? */
bool nft_nat_gives(const struct nft_nat_found *f, const struct addr *lo, const struct addr *hi);
