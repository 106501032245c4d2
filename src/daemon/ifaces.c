/* Interfaces of children: see ifaces.h. */
#include "daemon/ifaces.h"
#include "base/list.h"
#include <net/if.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One that some child asked for. */
struct iface_addr {
    struct prefix_conf p;
    bool kept;
};

struct iface {
    struct list link;
    char name[IFNAMSIZ];
    uint16_t id;
    int ifindex;
    bool kept;
    struct iface_addr *addr; /* of all children that share it */
    size_t addrs;
};

struct ifaces {
    struct netlink *nl;
    struct ifaces_ports port;
    unsigned mtu;
    struct list all;
    uint16_t last_id;
};

struct ifaces *ifaces_new(struct netlink *nl, unsigned mtu, const struct ifaces_ports *ports)
{
    struct ifaces *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = (struct ifaces){.nl = nl, .mtu = mtu, .port = *ports};
    list_init(&f->all);
    return f;
}

static struct iface *by_name(const struct ifaces *f, const char *name)
{
    list_each (it, (struct list *)&f->all) {
        struct iface *i = container_of(it, struct iface, link);
        if (!strcmp(i->name, name))
            return i;
    }
    return NULL;
}

static bool id_used(const struct ifaces *f, uint16_t id)
{
    list_each (it, (struct list *)&f->all)
        if (container_of(it, struct iface, link)->id == id)
            return true;
    return false;
}

/* 0: none is left. */
static uint16_t new_id(struct ifaces *f)
{
    for (unsigned n = 0; n < UINT16_MAX; n++) {
        f->last_id++;
        if (f->last_id && !id_used(f, f->last_id))
            return f->last_id;
    }
    return 0;
}

/* --- addresses and routes --- */

static struct iface_addr *addr_of(const struct iface *i, const struct prefix_conf *p)
{
    for (size_t k = 0; k < i->addrs; k++)
        if (addr_eq(&i->addr[k].p.addr, &p->addr) && i->addr[k].p.bits == p->bits)
            return &i->addr[k];
    return NULL;
}

static err_t addr_add(struct ifaces *f, struct iface *i, const struct prefix_conf *p,
                      struct io_error *err)
{
    struct iface_addr *more = realloc(i->addr, (i->addrs + 1) * sizeof *more);
    if (!more)
        return E_NOMEM;
    i->addr = more;
    err_t e = netlink_addr_add(f->nl, i->ifindex, &p->addr, p->bits, err);
    if (!e)
        i->addr[i->addrs++] = (struct iface_addr){*p, true};
    return e;
}

/* Only adds: what nobody loaded names any more goes in ifaces_end. */
static err_t set_addrs(struct ifaces *f, struct iface *i, const struct iface_conf *want,
                       struct io_error *err)
{
    err_t e = E_OK;
    for (size_t k = 0; k < want->addr_count && !e; k++)
        if (!addr_of(i, &want->addr[k]))
            e = addr_add(f, i, &want->addr[k], err);
    return e;
}

static void drop_addrs(struct ifaces *f, struct iface *i)
{
    size_t kept = 0;
    for (size_t k = 0; k < i->addrs; k++) {
        struct iface_addr a = i->addr[k];
        if (a.kept)
            i->addr[kept++] = a;
        else
            netlink_addr_del(f->nl, i->ifindex, &a.p.addr, a.p.bits);
    }
    i->addrs = kept;
}

/* The peer's side as prefixes; they go with the device. */
static err_t set_routes(struct ifaces *f, const struct iface *i, const struct ts_conf_list *ts,
                        struct io_error *err)
{
    err_t e = E_OK;
    for (size_t k = 0; k < ts->count && !e; k++) {
        struct netlink_route r = {.ifindex = i->ifindex};
        struct addr at = ts->ts[k].ts.lo;
        bool more = !ts->ts[k].dynamic;
        while (more && !e) {
            more = addr_range_cut(&at, &ts->ts[k].ts.hi, &r.prefix, &r.bits);
            e = netlink_routes_change(f->nl, RT_TABLE_MAIN, &r, 1, err);
        }
    }
    return e;
}

static err_t set_up(struct ifaces *f, struct iface *i, const struct conn_child *ch,
                    struct io_error *err)
{
    err_t e = set_addrs(f, i, &ch->iface, err);
    return !e && ch->iface.routes ? set_routes(f, i, &ch->remote_ts, err) : e;
}

/* --- coming and going --- */

static void drop(struct ifaces *f, struct iface *i)
{
    f->port.del(f->port.ctx, i->id);
    list_del(&i->link);
    free(i->addr);
    free(i);
}

static struct iface *make(struct ifaces *f, const struct conn_child *ch, struct io_error *err)
{
    struct iface *i = calloc(1, sizeof *i);
    unsigned mtu = ch->iface.mtu ? ch->iface.mtu : f->mtu;
    snprintf(err->text, sizeof err->text, "out of memory or of numbers for interfaces");
    if (!i || !(i->id = new_id(f))) {
        free(i);
        return NULL;
    }
    snprintf(i->name, sizeof i->name, "%s", ch->iface.name);
    if (f->port.add(f->port.ctx, i->id, i->name, mtu, &i->ifindex, err)) {
        free(i);
        return NULL;
    }
    list_add_tail(&f->all, &i->link);
    return i;
}

err_t ifaces_need(struct ifaces *f, struct conn *c, struct io_error *err)
{
    err_t e = E_OK;
    for (size_t k = 0; k < c->child_count && !e; k++) {
        struct conn_child *ch = &c->child[k];
        if (!ch->iface.name[0])
            continue;
        struct iface *i = by_name(f, ch->iface.name);
        if (!i && !(i = make(f, ch, err)))
            return E_SYS;
        ch->iface_id = i->id;
        e = set_up(f, i, ch, err);
    }
    return e;
}

void ifaces_begin(struct ifaces *f)
{
    list_each (it, &f->all) {
        struct iface *i = container_of(it, struct iface, link);
        i->kept = false;
        for (size_t k = 0; k < i->addrs; k++)
            i->addr[k].kept = false;
    }
}

void ifaces_keep(struct ifaces *f, const struct conn *c)
{
    for (size_t k = 0; k < c->child_count; k++) {
        const struct iface_conf *x = &c->child[k].iface;
        struct iface *i = by_name(f, x->name);
        if (!i)
            continue;
        i->kept = true;
        for (size_t n = 0; n < x->addr_count; n++) {
            struct iface_addr *a = addr_of(i, &x->addr[n]);
            if (a)
                a->kept = true;
        }
    }
}

void ifaces_end(struct ifaces *f)
{
    list_each_safe (it, next, &f->all) {
        struct iface *i = container_of(it, struct iface, link);
        if (i->kept)
            drop_addrs(f, i);
        else
            drop(f, i);
    }
}

void ifaces_free(struct ifaces *f)
{
    if (!f)
        return;
    ifaces_begin(f);
    ifaces_end(f);
    free(f);
}
