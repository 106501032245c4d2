/*
 * Interfaces of children (`interface = NAME`): what one section can say wrong, and what only the
 * whole configuration shows: names that are taken, two MTUs for one interface. Called by
 * conn_load.c and load.c.
 */
#include "config/schema.h"
#include <stdlib.h>

enum { IPV4_MTU_MIN = 68, IPV6_MTU_MIN = 1280 }; /* RFC 791 3.1, RFC 8200 5 */

static void check_mtu(struct cx *cx, const struct vnode *sec, const struct conn_child *c, bool v6)
{
    const struct vnode *at = key_or_section(sec, "interface_mtu");
    const char *word = vnode_get(sec, "interface_mtu");
    if (c->iface.mtu && c->iface.mtu < IPV4_MTU_MIN)
        cx_report(cx, DIAG_ERROR, at, word, "IPv4 needs %d bytes at least (RFC 791 3.1)",
                  IPV4_MTU_MIN);
    else if (c->iface.mtu && c->iface.mtu < IPV6_MTU_MIN && v6)
        cx_report(
            cx, DIAG_WARNING, at, word,
            "no IPv6 passes: it needs %d bytes (RFC 8200 5), and the kernel takes it off this "
            "interface",
            IPV6_MTU_MIN);
}

void check_iface(struct cx *cx, const struct vnode *sec, const struct conn_child *c, bool v6)
{
    static const char *const keys[] = {"interface_addrs", "interface_mtu", "interface_routes"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !c->iface.name[0]; i++)
        if (has_key(sec, keys[i]))
            cx_report(cx, DIAG_ERROR, key_or_section(sec, keys[i]), NULL,
                      "there is no interface: write interface = NAME");
    if (c->iface.name[0] && (c->policy != CHILD_PROTECT || c->mode != MODE_TUNNEL))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "interface"), c->iface.name,
                  "an interface carries tunnel mode; this child's mode is another");
    if (c->iface.name[0] && c->per_cpu)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "per_cpu_sas"), NULL,
                  "an interface is served by one worker: per_cpu_sas has no effect with it");
    if (!strcmp(c->iface.name, "lo"))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "interface"), c->iface.name,
                  "is the host's loopback; the child needs an interface of its own");
    check_mtu(cx, sec, c, v6);
}

/* --- all of them --- */

struct iface_use {
    const struct conn *conn;
    const struct conn_child *child;
    size_t at; /* in order of the file */
};

static int by_name(const void *a, const void *b)
{
    const struct iface_use *x = a, *y = b;
    int order = strcmp(x->child->iface.name, y->child->iface.name);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* How many; into `out` when it has room. */
static size_t uses(const struct config *c, struct iface_use *out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->conn_count; i++)
        for (size_t k = 0; k < c->conn[i]->child_count; k++) {
            const struct conn_child *ch = &c->conn[i]->child[k];
            if (!ch->iface.name[0])
                continue;
            if (out)
                out[n] = (struct iface_use){c->conn[i], ch, n};
            n++;
        }
    return n;
}

static const struct vnode *section_of(const struct vnode *tree, const struct iface_use *u)
{
    const struct vnode *conn = vnode_find(vnode_find(tree, "connections"), u->conn->name);
    return vnode_find(vnode_find(conn, "children"), u->child->name);
}

static bool is_of_lan(const struct config_daemon *d, const char *name)
{
    for (size_t i = 0; i < d->lan_interfaces; i++)
        if (!strcmp(d->lan_interface[i], name))
            return true;
    return false;
}

static void check_name(struct cx *cx, const struct vnode *tree, const struct config_daemon *d,
                       const struct iface_use *u)
{
    const char *name = u->child->iface.name;
    const char *whose = !strcmp(name, d->tun) ? "is culvertd's shared TUN device (culvertd.tun); "
                                                "leave the key away to use it"
                        : !strcmp(name, d->esp_interface) ? "is that of culvertd.esp_interface"
                        : is_of_lan(d, name)              ? "is one of culvertd.lan_interfaces"
                                                          : NULL;
    const struct vnode *sec = whose ? section_of(tree, u) : NULL;
    if (sec)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "interface"), name, "%s", whose);
}

/* first: the one before it that names an MTU for this interface */
static void warn_mtus(struct cx *cx, const struct vnode *tree, const struct iface_use *first,
                      const struct iface_use *u)
{
    unsigned a = first->child->iface.mtu, b = u->child->iface.mtu;
    const struct vnode *sec = a != b ? section_of(tree, u) : NULL;
    if (sec)
        cx_report(cx, DIAG_WARNING, key_or_section(sec, "interface_mtu"),
                  vnode_get(sec, "interface_mtu"),
                  "%s.%s gives %s another, %u: the smallest counts for all of its children",
                  first->conn->name, first->child->name, u->child->iface.name, a);
}

void check_ifaces(struct cx *cx, const struct vnode *tree, const struct config *c)
{
    size_t n = uses(c, NULL);
    struct iface_use *u = calloc(n + 1, sizeof *u);
    const struct iface_use *first = NULL;
    if (!u) {
        cx->d->nomem = true;
        return;
    }
    uses(c, u);
    qsort(u, n, sizeof *u, by_name);
    for (size_t i = 0; i < n; i++) {
        check_name(cx, tree, &c->daemon, &u[i]);
        if (first && strcmp(first->child->iface.name, u[i].child->iface.name) != 0)
            first = NULL;
        if (first && u[i].child->iface.mtu)
            warn_mtus(cx, tree, first, &u[i]);
        else if (u[i].child->iface.mtu)
            first = &u[i];
    }
    free(u);
}
