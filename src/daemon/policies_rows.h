/*
 * Inside of the daemon's SPD: a row as it is kept, shared by policies*.c. Rows are found by id, by
 * name and by selector, and hang on their connection.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "daemon/policies.h"
#include "daemon/policies_order.h"
#include "daemon/routes.h"

struct policies_conn {
    struct hash_node node;
    struct list in_order;
    struct list rows; /* never empty */
    char name[];
};

/* One allocation: packed selectors and the child's name follow it. */
struct policies_row {
    struct list node; /* of its connection, or in `gone` */
    struct hash_node id_node;
    struct hash_node key_node; /* in `named` while configured, in `selected` otherwise */
    struct policies_conn *conn;
    uint32_t id, priority, sas;
    uint16_t iface;            /* as in struct policy: no business of the guard and the routes */
    uint8_t action;            /* enum policy_action */
    bool configured : 1,       /* by the connection or by install: stays until it is taken back */
        acquire : 1, keep : 1, /* stays without SA although an SA made it */
        told : 1;              /* guard and routes have it */
    char data[];               /* child's name, local and remote selectors */
};

struct policies {
    struct policies_settings set;
    struct policies_view view;
    struct netlink *nl;
    struct nft_guard *guard;
    struct routes *routes;
    struct list conns; /* in order of appearance */
    struct slab slab;  /* of rows */
    struct hash by_conn, by_id, named, selected;
    struct policy scratch; /* the row last looked at: policy_row points here */
    size_t row_count;
    uint32_t next_id;

    /* What has changed since policies_apply. */
    uint32_t *fresh; /* ids of rows that came; some may have gone again */
    size_t fresh_count, fresh_cap;
    struct list gone; /* rows */
    bool anew;        /* guard and routes are to be told all rows anew */

    struct policies_order order; /* of the rows that are told */
    struct lan_table lan;
    struct policies_row **shunt; /* those told, where LAN interfaces must know them */
    size_t shunt_count, shunt_cap;
};

static inline struct policies_row *policies_row_of(struct list *n)
{
    return container_of(n, struct policies_row, node);
}

/* Visits all; the current one may go. */
typedef void row_fn(struct policies *p, struct policies_row *r, void *arg);
void rows_each(struct policies *p, row_fn *fn, void *arg);
void rows_of_conn(struct policies *p, const char *conn, row_fn *fn, void *arg);

/* Both lists hold at least one selector. NULL: out of memory. */
struct policies_row *row_new(struct policies *p, const char *conn, const char *child,
                             const struct ts_list *local, const struct ts_list *remote,
                             bool configured);
void row_drop(struct policies *p, struct policies_row *r); /* freed when it is applied */
void row_free(struct policies *p, struct policies_row *r);
/* The row stays for its SAs, and is found by its selector from now on. */
void row_unconfigure(struct policies *p, struct policies_row *r);
struct policies_row *row_by_id(const struct policies *p, uint32_t id);
struct policies_row *row_configured(const struct policies *p, const char *conn, const char *child);
/* Not configured, of this name, that protects all that the SA does. */
struct policies_row *row_selected(const struct policies *p, const struct child_sa *sa);
const char *row_child(const struct policies_row *r);
/* The end of what it keeps. */
const char *row_selectors(const struct policies_row *r, struct ts_list *local,
                          struct ts_list *remote);
bool row_covers(const struct policies_row *r, const struct child_sa *sa);
const struct policy *row_view(struct policies *p, const struct policies_row *r); /* in scratch */

err_t rows_init(struct policies *p) must_use;
void rows_fini(struct policies *p);
