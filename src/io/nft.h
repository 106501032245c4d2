/*
 * The guard: a table of our own in nftables ("inet culvert") that meets packets with the rows of
 * the SPD, in their order. What no row covers, or one lets pass, it marks to go where it would go
 * without us; what a row protects or drops is left to the routes into the TUN device, and does not
 * come in or leave in clear (RFC 4301 5.1, 5.2), even when these routes are gone. It outlives a
 * crash, and goes with a clean exit.
 */
#pragma once

#include "io/sock.h"

struct nft_guard;

enum nft_does { NFT_PROTECT, NFT_PASS, NFT_DROP };

/* One row per pair of selectors; an address range each. */
struct nft_pair {
    struct addr local_lo, local_hi, remote_lo, remote_hi;
    uint8_t proto;                                                         /* 0: any */
    uint16_t local_port_lo, local_port_hi, remote_port_lo, remote_port_hi; /* 0..65535: any */
    uint8_t does;                                                          /* enum nft_does */
    uint64_t order; /* the lower first; rows of one order all do the same */
};

/* Whether protected traffic is kept out of NAT rules of others: a masquerade rule would give it a
 * source that no policy covers. It costs connection tracking. */
enum nft_nat {
    NFT_NAT_AUTO, /* when there is a NAT rule's chain of somebody else at the time the table is made
                   */
    NFT_NAT_NO,
    NFT_NAT_YES
};

struct nft_guard_settings {
    const char *tun;           /* the interface that may carry them */
    uint32_t mark;             /* our own packets pass */
    uint32_t clear, clear_tun; /* bits of the mark of what is not ours; other bits are left alone */
    uint16_t port, port_natt;  /* where IKE and ESP in UDP are spoken: 500, 4500 */
    enum nft_nat nat;
};

/*
 * The mark must not be 0. Rows that a crash left behind guard on until the first nft_guard_apply.
 */
struct nft_guard *nft_guard_open(const struct nft_guard_settings *s, struct io_error *err) must_use;
/*
 * Rows come and go, the same one any number of times; nft_guard_apply makes the kernel agree, in
 * one transaction for up to a thousand changes, additions first. Rows may overlap. A row that
 * protects or drops covers nothing between addresses that are on both sides of it (a LAN within
 * 0.0.0.0/0); where its sides are the same all of it, but only outbound. Ports count with protocols
 * that have them, and with ICMP (type << 8 | code, within both sides' ports); without, a row covers
 * its whole protocol, and one that passes covers nothing.
 *
 * A change of rows whose sides are prefixes, their ports single or any, costs the same however many
 * there are. One of other rows (ranges), or the first of a new shape, makes the table anew.
 */
err_t nft_guard_add(struct nft_guard *g,
                    const struct nft_pair *row) must_use; /* E_USAGE, E_NOMEM */
void nft_guard_del(struct nft_guard *g, const struct nft_pair *row);
void nft_guard_clear(struct nft_guard *g); /* all rows */
/* IKE, ESP, AH of the peers always pass. On failure what was there stays, and is tried again. */
err_t nft_guard_apply(struct nft_guard *g, struct io_error *err) must_use;
/* Looks again for the table, and for NAT rules of others (NFT_NAT_AUTO). True: somebody deleted it,
 * or they came or went; nft_guard_apply makes it anew. */
bool nft_guard_look(struct nft_guard *g);
/* Of the netlink socket over which elements change; 0: there is none. */
uint32_t nft_guard_port(const struct nft_guard *g);
/* Packets since the table was made; they outlive changes of rows and a crash. False: unreadable. */
bool nft_guard_counters(struct nft_guard *g, uint64_t *in_dropped, uint64_t *out_dropped);
void nft_guard_close(struct nft_guard *g, bool remove_table);
