/*
 * The flow of a packet as five 64-bit words, seen from us: local and remote, whichever way the
 * packet goes; and the flow cache that stands before the SPD. A cached answer is good while the
 * view's epoch and the generation of the SA are those it was made with. Used by ip.c, spd.c and
 * esp_out.c.
 */
#pragma once

#include "base/addr.h"
#include "model/ts.h"

struct sa_out;
struct spd_rule;

/* Addresses are 128-bit numbers, high half first; IPv4 stands in the low 32 bits. */
struct flow {
    uint64_t l[2], r[2];
    uint64_t meta; /* lport << 48 | rport << 32 | iface << 16 | proto << 8 | FLOW_PORTS | family */
};

#define FLOW_FAMILY 0x0full
#define FLOW_PORTS  0x10ull /* ports are known: not a later fragment, not a protocol without */
#define FLOW_PROTO  0xff00ull
#define FLOW_IFACE  0xffff0000ull
#define FLOW_LPORT  0xffff000000000000ull
#define FLOW_RPORT  0x0000ffff00000000ull

static inline uint64_t flow_meta(unsigned family, unsigned proto)
{
    return (uint64_t)proto << 8 | family;
}

static inline uint64_t flow_meta_ports(uint16_t lport, uint16_t rport)
{
    return (uint64_t)lport << 48 | (uint64_t)rport << 32 | FLOW_PORTS;
}

static inline unsigned flow_family(const struct flow *f)
{
    return (unsigned)(f->meta & FLOW_FAMILY);
}

static inline unsigned flow_proto(const struct flow *f)
{
    return (unsigned)(f->meta >> 8 & 0xff);
}

static inline uint16_t flow_lport(const struct flow *f)
{
    return (uint16_t)(f->meta >> 48);
}

static inline uint16_t flow_rport(const struct flow *f)
{
    return (uint16_t)(f->meta >> 32);
}

static inline uint64_t flow_meta_iface(uint16_t iface)
{
    return (uint64_t)iface << 16;
}

static inline bool flow_eq(const struct flow *a, const struct flow *b)
{
    return ((a->l[0] ^ b->l[0]) | (a->l[1] ^ b->l[1]) | (a->r[0] ^ b->r[0]) | (a->r[1] ^ b->r[1]) |
            (a->meta ^ b->meta)) == 0;
}

/* Keyed, so that a sender who chooses addresses and ports cannot choose where they fall. */
struct flow_key {
    uint64_t k[5];
};

void flow_key_init(struct flow_key *k, const uint64_t seed[2]);

static inline uint64_t flow_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 u128;
    u128 m = (u128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t flow_hash(const struct flow_key *k, const struct flow *f)
{
    uint64_t h = flow_mix(f->l[0] ^ k->k[0], f->l[1] ^ k->k[1]);
    h ^= flow_mix(f->r[0] ^ k->k[2], f->r[1] ^ k->k[3]);
    return flow_mix(h ^ f->meta, k->k[4]);
}

/* The packet's side as a selector, for notes; and the other way round (a packet given as its two
 * selectors, `lo` and `port_lo` counting; a port range of more than one port means no ports). */
void flow_to_ts(const struct flow *f, struct ts *local, struct ts *remote);
void flow_from_ts(struct flow *f, const struct ts *local, const struct ts *remote);

/* --- cache --- */

struct flow_entry {
    struct flow flow;
    uint32_t epoch, sa_gen;
    struct sa_out *sa;           /* NULL: the rule alone decides */
    const struct spd_rule *rule; /* NULL: no policy */
};

/* 4 MiB, of which only live flows stay in the cache. With two ways 10,000 flows would meet too
 * often for what a miss costs. */
#define FLOW_SETS 16384
#define FLOW_WAYS 4

struct flow_cache {
    struct flow_entry *e;
    uint32_t epoch; /* never 0, which marks entries never used */
};

err_t flow_cache_init(struct flow_cache *c) must_use;
void flow_cache_fini(struct flow_cache *c);
void flow_cache_forget(struct flow_cache *c); /* all entries, at once */

static inline struct flow_entry *flow_cache_set(const struct flow_cache *c, uint64_t hash)
{
    return &c->e[(hash & (FLOW_SETS - 1)) * FLOW_WAYS];
}

static inline struct flow_entry *flow_cache_find(const struct flow_cache *c, uint64_t hash,
                                                 const struct flow *f)
{
    struct flow_entry *e = flow_cache_set(c, hash);
    for (int i = 0; i < FLOW_WAYS && e[i].epoch == c->epoch;
         i++) /* behind an old one all are old */
        if (flow_eq(&e[i].flow, f))
            return &e[i];
    return NULL;
}

/* Where to put a new flow: the younger ones move over the oldest. */
struct flow_entry *flow_cache_add(struct flow_cache *c, uint64_t hash, const struct flow *f);
