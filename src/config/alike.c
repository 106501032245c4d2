/*
 * Connections that a peer cannot tell apart: same addresses, same identities. What it asks for goes
 * to the first of them. Where selectors say which is meant that does no harm; interfaces of their
 * own (route-based) mostly have the same ones, and then one tunnel is up and dead. With IKEv1,
 * where nothing says which CHILD SA new keys are for, that is so for children of one connection
 * too. Called by load.c.
 */
#include "config/schema.h"
#include <stdlib.h>

static int match_order(const struct addr_match *a, const struct addr_match *b)
{
    int host = strcmp(a->host ? a->host : "", b->host ? b->host : "");
    if (host || a->host)
        return host;
    int lo = addr_cmp(&a->lo, &b->lo);
    return lo ? lo : addr_cmp(&a->hi, &b->hi);
}

static int addrs_order(const struct addr_match *a, size_t n, const struct addr_match *b, size_t m)
{
    int order = (n > m) - (n < m);
    for (size_t i = 0; i < n && !order; i++)
        order = match_order(&a[i], &b[i]);
    return order;
}

static int id_order(const struct id *a, const struct id *b)
{
    uint8_t x[ID_MAX + 1], y[ID_MAX + 1];
    size_t n = id_fold(a, x), m = id_fold(b, y);
    return n != m ? (n > m) - (n < m) : memcmp(x, y, n);
}

/* By what a peer is known by, so that of ten thousand each meets only its own. */
static int peer_order(const struct conn *a, const struct conn *b)
{
    int order = addrs_order(a->remote, a->remote_count, b->remote, b->remote_count);
    return order ? order : id_order(&a->auth_remote.id, &b->auth_remote.id);
}

static bool has_iface(const struct conn *c)
{
    for (size_t i = 0; i < c->child_count; i++)
        if (c->child[i].iface.name[0])
            return true;
    return false;
}

static bool same_iface(const struct conn *a, const struct conn *b)
{
    for (size_t i = 0; i < a->child_count; i++)
        for (size_t k = 0; k < b->child_count; k++)
            if (strcmp(a->child[i].iface.name, b->child[k].iface.name) != 0)
                return false;
    return true;
}

/* The peer is the same. */
static bool alike(const struct conn *a, const struct conn *b)
{
    return !addrs_order(a->local, a->local_count, b->local, b->local_count) &&
           id_eq(&a->auth_local.id, &b->auth_local.id) && !same_iface(a, b);
}

struct routed {
    const struct conn *conn, *like; /* the first that is like it; NULL: none */
    size_t at;                      /* in order of the file */
};

static int by_peer(const void *a, const void *b)
{
    const struct routed *x = a, *y = b;
    int order = peer_order(x->conn, y->conn);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
    const struct routed *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static void find_like(struct routed *r, size_t n)
{
    qsort(r, n, sizeof *r, by_peer);
    for (size_t i = 0, first = 0; i < n; i++) {
        if (peer_order(r[first].conn, r[i].conn) != 0)
            first = i;
        for (size_t k = first; k < i && !r[i].like; k++)
            if (alike(r[k].conn, r[i].conn))
                r[i].like = r[k].conn;
    }
    qsort(r, n, sizeof *r, by_place);
}

/* --- children of one connection --- */

static bool same_ts(const struct ts_conf_list *a, const struct ts_conf_list *b)
{
    for (size_t i = 0; i < a->count && a->count == b->count; i++)
        if (a->ts[i].dynamic != b->ts[i].dynamic || !ts_eq(&a->ts[i].ts, &b->ts[i].ts))
            return false;
    return a->count == b->count;
}

static bool children_alike(const struct conn_child *a, const struct conn_child *b)
{
    return a->policy == CHILD_PROTECT && b->policy == CHILD_PROTECT &&
           strcmp(a->iface.name, b->iface.name) != 0 && same_ts(&a->local_ts, &b->local_ts) &&
           same_ts(&a->remote_ts, &b->remote_ts);
}

static void check_children(struct cx *cx, const struct vnode *conns, const struct conn *c)
{
    for (size_t i = 1; c->version == 1 && i < c->child_count; i++) {
        size_t k = 0;
        while (k < i && !children_alike(&c->child[k], &c->child[i]))
            k++;
        if (k < i)
            cx_report(
                cx, DIAG_WARNING,
                vnode_find(vnode_find(vnode_find(conns, c->name), "children"), c->child[i].name),
                c->child[i].name,
                "has the selectors of %s, and IKEv1 says of new keys only these: the peer's "
                "may come to the other's interface; set version = 2, or give each selectors "
                "of its own",
                c->child[k].name);
    }
}

void check_alike(struct cx *cx, const struct vnode *tree, const struct config *c)
{
    const struct vnode *conns = vnode_find(tree, "connections");
    struct routed *r = calloc(c->conn_count + 1, sizeof *r);
    size_t n = 0;
    if (!r) {
        cx->d->nomem = true;
        return;
    }
    for (size_t i = 0; i < c->conn_count; i++)
        if (has_iface(c->conn[i]))
            r[n++] = (struct routed){.conn = c->conn[i], .at = i};
    find_like(r, n);
    for (size_t i = 0; i < n; i++) {
        if (r[i].like)
            cx_report(cx, DIAG_WARNING, vnode_find(conns, r[i].conn->name), r[i].conn->name,
                      "has the addresses and identities of %s: what the peer asks for goes to that "
                      "one, and its interface; give each local.id and remote.id of its own",
                      r[i].like->name);
        check_children(cx, conns, r[i].conn);
    }
    free(r);
}
