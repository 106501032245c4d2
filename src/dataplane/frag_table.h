/*
 * What the first fragments of datagrams said, for the later ones, which have no ports: stateful
 * fragment checking, RFC 4301 7.3 and 7.4. A fixed table; an entry is good for as long as a
 * receiver would wait for the rest (RFC 1122 3.3.2, RFC 8200 4.5). Called by frags.c.
 */
#pragma once

#include "base/err.h"
#include "dataplane/ip.h"

#define FRAG_TABLE_SETS 256
#define FRAG_TABLE_WAYS 4
#define FRAG_TABLE_MS   30000

/* A fragment, as its own header has it. */
struct frag_piece {
    struct flow key; /* the datagram: addresses, identification, in IPv4 the protocol */
    uint32_t offset; /* in the datagram, as `end`, behind the last byte */
    uint32_t end;
};

struct frag_first {
    struct flow key;
    uint64_t meta;  /* of the first fragment's flow */
    uint32_t scope; /* fragments of different scopes never meet */
    uint32_t at_ms; /* the lower half */
    uint32_t end;   /* of the first fragment */
    bool used;
};

struct frag_table {
    struct frag_first *e; /* each set with the youngest first */
    struct flow_key hash;
};

/* p: a fragment, by what ip_parse said of it. */
void frag_piece_of(const uint8_t *p, const struct ip_info *ip, struct frag_piece *out);

err_t frag_table_init(struct frag_table *t, const uint64_t seed[2]) must_use;
void frag_table_fini(struct frag_table *t);
/* The first fragment of a datagram; one with the same identification before it is forgotten. */
void frag_table_put(struct frag_table *t, const struct frag_piece *f, uint32_t scope, uint64_t meta,
                    uint64_t now_ms);
/* NULL: it was not seen, or too long ago. */
const struct frag_first *frag_table_find(const struct frag_table *t, const struct flow *key,
                                         uint32_t scope, uint64_t now_ms);
