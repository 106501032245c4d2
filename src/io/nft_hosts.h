/*
 * Guard rows whose remote side is a single host, as clients have: kept in plain hash sets, one per
 * local side, which take and lose elements one by one. Interval sets (guard_boxes.h) are laid out
 * anew for each change, at a cost that grows with their size. Called by nft.c and nft_rules.c.
 */
#pragma once

#include "base/buf.h"
#include "io/nft.h"

#define NFT_HOST_GROUPS 8

struct nft_host {
    struct addr addr;
    uint8_t group;
};

struct nft_host_group {
    struct addr local_lo, local_hi;
};

struct nft_hosts {
    struct nft_host_group group[NFT_HOST_GROUPS];
    size_t groups, n, cap;
    struct nft_host *host; /* sorted by group and address, each once */
};

/*
 * Takes the rows that fit out of `rows`: what is left moves to the front, its number in *left.
 * Groups of `old` keep their numbers. Sorted on return.
 */
err_t nft_hosts_take(struct nft_hosts *h, const struct nft_hosts *old, struct nft_pair *rows,
                     size_t n, size_t *left) must_use;
void nft_hosts_free(struct nft_hosts *h);
/* The commands that turn the sets of `old` into those of `now`; both have the same groups. */
void nft_hosts_diff(const struct nft_hosts *old, const struct nft_hosts *now, struct buf *out);
void nft_hosts_print_sets(const struct nft_hosts *h, struct buf *out);
/* remote and local are "saddr" or "daddr". */
void nft_hosts_print_rules(const struct nft_hosts *h, const char *remote, const char *local,
                           const char *drop, struct buf *out);
