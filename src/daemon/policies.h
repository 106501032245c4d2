/*
 * The SPD as the daemon keeps it, and what follows from it: the data plane's view, the routes into
 * the TUN device and the guard against clear text. RFC 4301 4.4.1, 5.1, 5.2.
 *
 * A row comes from a configured child (start_action = trap or start, mode = pass or drop, or
 * VICI's install) or from an SA whose selectors no row covers. A row that came from an SA stays
 * when the SA goes, and drops, unless the operator took the SA down or the peer's selectors were
 * its own address: what was protected once does not leave in clear because a tunnel fell.
 */
#pragma once

#include <culvert/dataplane.h>
#include "daemon/lan_table.h"
#include "io/netlink.h"
#include "io/nft.h"
#include "model/conn.h"

struct policies;

struct policies_settings {
    struct nft_guard_settings guard;
    int ifindex;
    uint32_t table, priority; /* of routes and rules */
    struct lan_follower follower;
};

/* The data planes, as far as policies go. */
struct policies_view {
    void *ctx;
    /* Calls fn with each data plane, one after the other, while it works on no packets; ends at the
     * first failure. */
    err_t (*each)(void *ctx, err_t (*fn)(void *arg, struct dp *dp), void *arg);
    void (*hold_drop)(void *ctx, uint32_t policy_id); /* dp_hold_drop wherever it is held */
};

struct policies *policies_open(const struct policies_settings *s, const struct policies_view *view,
                               struct netlink *nl, struct io_error *err) must_use;
/* Takes routes, rules and the guard away. */
void policies_close(struct policies *p);

/* Whether policies_conn_load would find all selectors. Changes nothing. */
err_t policies_conn_check(struct policies *p, const struct conn *c, struct io_error *err) must_use;
/* Rows of a connection just loaded; rows of an older one of the same name go, unless SAs use them.
 */
err_t policies_conn_load(struct policies *p, const struct conn *c, struct io_error *err) must_use;
void policies_conn_unload(struct policies *p, const char *conn);
/* VICI install and uninstall of one child by name. R_NOT_FOUND. */
err_t policies_install(struct policies *p, const struct conn *c, const struct conn_child *ch,
                       struct io_error *err) must_use;
err_t policies_uninstall(struct policies *p, const char *conn, const char *child) must_use;

/* An SA comes: the id of the policy that it serves (0: out of memory). ch: its configuration, NULL
 * when there is none (any more). */
uint32_t policies_sa_add(struct policies *p, const struct child_sa *sa,
                         const struct conn_child *ch);
/* It went: the policy that policies_sa_add named. */
void policies_sa_del(struct policies *p, uint32_t id);
/* The operator took this down: its rows may go with the last SA. child NULL: all of conn. */
void policies_release(struct policies *p, const char *conn, const char *child);

/* For ACQUIRE: which connection and child a policy belongs to, and whether traffic may start it. */
struct policy_row {
    const char *conn, *child;
    bool acquire, installed, shunt;
    enum policy_action action;
    const struct ts_list *local, *remote;
    size_t sas;
    uint32_t priority; /* as in struct policy */
    uint16_t iface;    /* as in struct policy */
};
/* What `out` points to is good until the next look at a row. */
bool policies_get(struct policies *p, uint32_t id, struct policy_row *out);
uint32_t policies_id_of(const struct policies *p, const char *conn, const char *child);
/* Connection by connection. */
typedef void policies_fn(void *ctx, const struct policy_row *row);
void policies_each(struct policies *p, policies_fn *fn, void *ctx);
/*
 * Applies what changed since the last call to guard, data planes and routes, each in one go. What
 * failed is tried again by the next call. Costs time with the number of changes, not of rows; what
 * the guard cannot keep that cheaply is told in nft.h.
 */
err_t policies_apply(struct policies *p, struct io_error *err) must_use;
/* Of the netlink socket whose commits are the guard's own: nft_guard_port. */
uint32_t policies_guard_port(const struct policies *p);
/* Looks whether nftables are as we left them, and for NAT rules of others. True: the next
 * policies_apply has something to do. */
bool policies_look(struct policies *p);
/* Routes and rules may be gone: policies_apply tells all of them again. */
err_t policies_restore(struct policies *p, struct io_error *err) must_use;
void policies_addrs(struct policies *p); /* addresses of this host may have changed */
bool policies_dirty(const struct policies *p);
bool policies_guard_counters(struct policies *p, uint64_t *in_dropped, uint64_t *out_dropped);
