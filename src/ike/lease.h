/*
 * Who has which address of a pool. An identity keeps its address while it is away as long as the
 * pool has others left; a lease is online while SAs hold it.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "model/addr_pool.h"
#include "model/id.h"

struct ike;
struct lease_pool;

struct lease {
    struct hash_node id_node, n_node;
    struct list all;     /* of its pool, in order of assignment */
    struct list offline; /* of its pool, the longest away first */
    struct lease_pool *pool;
    uint32_t n;      /* the address: addr_pool_at */
    unsigned online; /* SAs that hold it */
    uint8_t id_type;
    uint16_t id_len;
    uint8_t id[];
};

struct lease_pool {
    struct list link;
    struct addr_pool *conf;
    struct hash by_id, by_n;
    struct list leases, offline;
    uint32_t fresh; /* addresses below were given out before */
    size_t count, online;
};

/* Takes the pool. R_BUSY: leases are online and the new one has other addresses. */
err_t pool_load(struct ike *e, struct addr_pool *p) must_use;
err_t pool_unload(struct ike *e, const char *name) must_use; /* R_NOT_FOUND, R_BUSY */
struct lease_pool *pool_find(const struct ike *e, const char *name);
void pools_fini(struct ike *e);

/* NULL: none is free, or memory (ike_fail). wanted: an address to prefer, or none. */
struct lease *lease_get(struct ike *e, struct lease_pool *p, const struct id *who,
                        const struct addr *wanted);
void lease_put(struct lease *l);
struct addr lease_addr(const struct lease *l);
