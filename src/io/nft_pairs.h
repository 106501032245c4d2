/*
 * Guard rows that are a pair of prefixes, with or without a protocol and single ports, as most are:
 * kept in plain hash sets that take and lose elements one by one. Rows of one shape (the lengths of
 * the prefixes, what else counts) share a set, and one rule masks the packet and looks it up there,
 * as the SPD does. Interval sets (guard_boxes.h) are laid out anew for each change, at a cost that
 * grows with their size. Called by nft.c and nft_rules.c.
 */
#pragma once

#include "base/buf.h"
#include "base/hash.h"
#include "base/slab.h"
#include "io/guard_boxes.h"
#include "io/nft_elems.h"

#define NFT_SHAPES 64

struct nft_shape {
    uint8_t family;
    uint8_t bits[2]; /* by GUARD_REMOTE, GUARD_LOCAL */
    uint8_t does;    /* enum nft_does */
    uint64_t order;  /* as of its rows */
    bool proto, port[2];
    bool types;   /* port[GUARD_REMOTE] is ICMP's type and code */
    bool frags;   /* later fragments of a shape with ports */
    bool same;    /* both sides are: for outbound packets alone */
    size_t elems; /* 0: may become another */
};

struct nft_elem;

struct nft_pairs {
    struct slab slab;
    struct hash elems;
    struct nft_shape shape[NFT_SHAPES];
    size_t shapes;
    bool reshaped; /* sets and rules must be made anew */
    struct nft_elem *changed;
    size_t changes;
};

err_t nft_pairs_init(struct nft_pairs *t) must_use;
void nft_pairs_fini(struct nft_pairs *t);
/* *fits false: the row is for somebody else. Rows are counted, the same one may come again. */
err_t nft_pairs_add(struct nft_pairs *t, const struct nft_pair *row, bool *fits) must_use;
/* Does a row that passes or drops name ports? */
bool nft_pairs_shunt_ports(const struct nft_pairs *t);
bool nft_pairs_del(struct nft_pairs *t, const struct nft_pair *row); /* false: it was not there */
void nft_pairs_clear(struct nft_pairs *t);                           /* all rows */
/* Up to `max` of the changes that the kernel has not heard of, additions before deletions; 0: no
 * more. After all of them: nft_pairs_settle. `at` is NULL at first. */
struct nft_pairs_at {
    const struct nft_elem *next;
    bool deleting, begun;
};
size_t nft_pairs_changes(const struct nft_pairs *t, struct nft_pairs_at *at,
                         struct nft_elem_change *out, size_t max);
void nft_pairs_settle(struct nft_pairs *t); /* the kernel has it all */
/* The sets with all that is in them, and the rule of a shape; remote and local are "saddr" or
 * "daddr". */
void nft_pairs_print_sets(const struct nft_pairs *t, struct buf *out);
struct nft_side {
    const char *addr[2], *port[2]; /* by GUARD_REMOTE, GUARD_LOCAL: "saddr", "sport" or "d..." */
};
/* The addresses of each pair that is protected. */
typedef void nft_pair_fn(void *ctx, const struct nft_pair *addresses);
void nft_pairs_protected(const struct nft_pairs *t, nft_pair_fn *fn, void *ctx);
void nft_pairs_print_rule(const struct nft_pairs *t, size_t shape, const struct nft_side *side,
                          const char *verdict, struct buf *out);
