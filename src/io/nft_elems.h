/*
 * Elements of nftables sets, added and deleted over netlink in one transaction, at a cost that
 * depends on their number alone. libnftables first reads what there is, so it makes tables, sets
 * and rules (nft.c), and this keeps sets up to date. Called by nft.c.
 */
#pragma once

#include "base/err.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>

#define NFT_ELEMS_MAX 1000
#define NFT_KEY_MAX   44 /* two addresses, protocol, two ports */

struct nft_elem_change {
    char set[8];
    bool gone;
    uint8_t len;
    uint8_t key[NFT_KEY_MAX]; /* as the kernel lays it out: each part padded to four bytes */
};

/* All or nothing; at most NFT_ELEMS_MAX. What is there already may be added. E_SYS: refused, for
 * instance because somebody removed the table. */
err_t nft_elems_change(struct mnl_socket *s, const char *table, const struct nft_elem_change *c,
                       size_t n) must_use;
