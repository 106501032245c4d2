/*
 * Inside of the daemon's SPD: a row as it is kept, shared by policies.c and policies_apply.c.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "daemon/policies.h"
#include "daemon/routes.h"

/* One allocation: names and selectors follow it, of the size needed. */
struct policies_row {
    struct list node;
    struct hash_node id_node;
    struct hash_node key_node; /* in `named` while configured, in `selected` otherwise */
    uint32_t id, priority;
    enum policy_action action;
    bool configured; /* by the connection or by install: stays until it is taken back */
    bool acquire;
    bool keep; /* stays without SA although an SA made it */
    uint16_t local_count, remote_count;
    uint32_t sas;
    const char *conn, *child;
    struct ts ts[]; /* local ones, then remote ones */
};

struct policies {
    struct policies_settings set;
    struct policies_view view;
    struct netlink *nl;
    struct nft_guard *guard;
    struct routes *routes;
    struct list rows;
    struct hash by_id, named, selected, refs;
    struct ts_list local, remote; /* of the row last looked at: policy_row points here */
    size_t row_count;
    uint32_t next_id;
    bool dirty;
};

static inline struct policies_row *policies_row_of(struct list *n)
{
    return container_of(n, struct policies_row, node);
}
