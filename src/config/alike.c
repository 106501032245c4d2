/*
 * Connections that a peer cannot tell apart: same addresses, same identities. What it asks for goes
 * to the first of them. Where selectors say which is meant that does no harm; interfaces of their
 * own (route-based) mostly have the same ones, and then one tunnel is up and dead. Called by
 * load.c.
 */
#include "config/schema.h"

static bool same_match(const struct addr_match *a, const struct addr_match *b)
{
    if (a->host || b->host)
        return a->host && b->host && !strcmp(a->host, b->host);
    return addr_eq(&a->lo, &b->lo) && addr_eq(&a->hi, &b->hi);
}

static bool same_addrs(const struct addr_match *a, size_t n, const struct addr_match *b, size_t m)
{
    for (size_t i = 0; i < n && n == m; i++)
        if (!same_match(&a[i], &b[i]))
            return false;
    return n == m;
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

static bool alike(const struct conn *a, const struct conn *b)
{
    return same_addrs(a->local, a->local_count, b->local, b->local_count) &&
           same_addrs(a->remote, a->remote_count, b->remote, b->remote_count) &&
           id_eq(&a->auth_local.id, &b->auth_local.id) &&
           id_eq(&a->auth_remote.id, &b->auth_remote.id) && !same_iface(a, b);
}

void check_alike(struct cx *cx, const struct vnode *tree, const struct config *c)
{
    const struct vnode *conns = vnode_find(tree, "connections");
    for (size_t i = 0; i < c->conn_count; i++) {
        if (!has_iface(c->conn[i]))
            continue;
        for (size_t k = 0; k < i; k++) {
            if (!has_iface(c->conn[k]) || !alike(c->conn[k], c->conn[i]))
                continue;
            cx_report(cx, DIAG_WARNING, vnode_find(conns, c->conn[i]->name), c->conn[i]->name,
                      "has the addresses and identities of %s: what the peer asks for goes to that "
                      "one, and its interface; give each local.id and remote.id of its own",
                      c->conn[k]->name);
            break;
        }
    }
}
