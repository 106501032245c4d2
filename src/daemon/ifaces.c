/* Interfaces of children: see ifaces.h. */
#include "daemon/ifaces.h"
#include "base/list.h"
#include "io/own_watch.h"
#include <net/if.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses or routes that children asked for, each once. */
struct prefix_kept {
    struct prefix_conf p;
    bool kept;
};
struct prefix_list {
    struct prefix_kept *v;
    size_t n;
};

struct iface {
    struct list link;
    char name[IFNAMSIZ];
    uint16_t id;
    int ifindex;
    bool kept, traps; /* loaded children name it; traffic in it starts one of them */
    bool carrier;
    unsigned sas;
    unsigned mtu, given, follows;   /* as it is; as configured; of its SAs; 0: none */
    struct prefix_list addr, route; /* of all children that share it */
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
    netlink_table_flush(nl, RT_TABLE_MAIN);
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

static struct iface *by_id(const struct ifaces *f, uint16_t id)
{
    list_each (it, (struct list *)&f->all) {
        struct iface *i = container_of(it, struct iface, link);
        if (i->id == id)
            return i;
    }
    return NULL;
}

const char *ifaces_name(const struct ifaces *f, uint16_t id)
{
    const struct iface *i = by_id(f, id);
    return i ? i->name : NULL;
}

uint64_t ifaces_dropped(const struct ifaces *f)
{
    uint64_t n = 0;
    list_each (it, (struct list *)&f->all)
        n += netlink_link_dropped(f->nl, container_of(it, struct iface, link)->ifindex);
    return n;
}

/* 0: none is left. */
static uint16_t new_id(struct ifaces *f)
{
    for (unsigned n = 0; n < UINT16_MAX; n++) {
        f->last_id++;
        if (f->last_id && !by_id(f, f->last_id))
            return f->last_id;
    }
    return 0;
}

/* --- addresses and routes --- */

static struct prefix_kept *kept_of(const struct prefix_list *l, const struct prefix_conf *p)
{
    for (size_t k = 0; k < l->n; k++)
        if (addr_eq(&l->v[k].p.addr, &p->addr) && l->v[k].p.bits == p->bits)
            return &l->v[k];
    return NULL;
}

static void keep(const struct prefix_list *l, const struct prefix_conf *p)
{
    struct prefix_kept *k = kept_of(l, p);
    if (k)
        k->kept = true;
}

static void unkeep(const struct prefix_list *l)
{
    for (size_t k = 0; k < l->n; k++)
        l->v[k].kept = false;
}

/* What the kernel is told, gone or not. */
typedef err_t tell_fn(struct ifaces *f, const struct iface *i, const struct prefix_conf *p,
                      bool gone, struct io_error *err);

static err_t tell_addr(struct ifaces *f, const struct iface *i, const struct prefix_conf *p,
                       bool gone, struct io_error *err)
{
    if (!gone)
        return netlink_addr_add(f->nl, i->ifindex, &p->addr, p->bits, err);
    netlink_addr_del(f->nl, i->ifindex, &p->addr, p->bits);
    return E_OK;
}

/* Behind each route one that leads nowhere, for when the interface has no carrier or, after a
 * crash, is not there: what was routed into the tunnel does not leave in clear. */
static err_t tell_route(struct ifaces *f, const struct iface *i, const struct prefix_conf *p,
                        bool gone, struct io_error *err)
{
    const struct netlink_route r[] = {
        {.black_hole = true,
         .metric = UINT32_MAX,
         .prefix = p->addr,
         .bits = p->bits,
         .gone = gone},
        {.ifindex = i->ifindex, .prefix = p->addr, .bits = p->bits, .gone = gone},
    };
    return netlink_routes_change(f->nl, RT_TABLE_MAIN, r, 2, err);
}

/* Only adds: what nobody loaded names any more goes in ifaces_end. */
static err_t need(struct ifaces *f, const struct iface *i, struct prefix_list *l,
                  const struct prefix_conf *p, tell_fn *tell, struct io_error *err)
{
    if (kept_of(l, p))
        return E_OK;
    struct prefix_kept *more = realloc(l->v, (l->n + 1) * sizeof *more);
    if (!more)
        return E_NOMEM;
    l->v = more;
    err_t e = tell(f, i, p, false, err);
    if (!e)
        l->v[l->n++] = (struct prefix_kept){*p, true};
    return e;
}

static void drop_unkept(struct ifaces *f, const struct iface *i, struct prefix_list *l,
                        tell_fn *tell)
{
    struct io_error unused;
    size_t kept = 0;
    for (size_t k = 0; k < l->n; k++) {
        struct prefix_kept x = l->v[k];
        if (x.kept)
            l->v[kept++] = x;
        else
            (void)!tell(f, i, &x.p, true, &unused);
    }
    l->n = kept;
}

/* The peer's side as prefixes, one after the other: *at is where to go on. */
struct route_walk {
    const struct ts_conf_list *ts;
    size_t at;
    struct addr lo;
    bool inside;
};

static bool route_next(struct route_walk *w, struct prefix_conf *out)
{
    unsigned bits;
    while (!w->inside) {
        if (w->at == w->ts->count)
            return false;
        w->lo = w->ts->ts[w->at].ts.lo;
        w->inside = !w->ts->ts[w->at].dynamic;
        w->at += !w->inside;
    }
    w->inside = addr_range_cut(&w->lo, &w->ts->ts[w->at].ts.hi, &out->addr, &bits);
    out->bits = (uint8_t)bits;
    w->at += !w->inside;
    return true;
}

static struct route_walk routes_of(const struct conn_child *ch)
{
    static const struct ts_conf_list none;
    return (struct route_walk){.ts = ch->iface.routes ? &ch->remote_ts : &none};
}

static err_t set_up(struct ifaces *f, struct iface *i, const struct conn_child *ch,
                    struct io_error *err)
{
    struct route_walk w = routes_of(ch);
    struct prefix_conf p;
    err_t e = E_OK;
    for (size_t k = 0; k < ch->iface.addr_count && !e; k++)
        e = need(f, i, &i->addr, &ch->iface.addr[k], tell_addr, err);
    while (!e && route_next(&w, &p))
        e = need(f, i, &i->route, &p, tell_route, err);
    return e;
}

/* --- MTU --- */

/* What no SA is there for yet is like the shared one. */
static void set_mtu(struct ifaces *f, struct iface *i)
{
    unsigned mtu = i->given ? i->given : i->follows ? i->follows : f->mtu;
    if (mtu == i->mtu || netlink_link_mtu(f->nl, i->ifindex, mtu))
        return;
    i->mtu = mtu;
}

/* Below 1280 the kernel takes IPv6 off the interface; the data plane cuts and answers then. */
void ifaces_follow(struct ifaces *f, uint16_t id, unsigned mtu)
{
    struct iface *i = by_id(f, id);
    if (!i)
        return;
    i->follows = !mtu || mtu >= 1280 ? mtu : 1280;
    set_mtu(f, i);
}

/* --- carrier --- */

/* Without it the kernel and routing daemons take another route, if there is one. */
static void set_carrier(struct ifaces *f, struct iface *i)
{
    bool on = i->sas || i->traps;
    if (on != i->carrier && !netlink_link_carrier(f->nl, i->ifindex, on))
        i->carrier = on;
}

void ifaces_sas(struct ifaces *f, uint16_t id, int more)
{
    struct iface *i = by_id(f, id);
    if (!i)
        return;
    i->sas += (unsigned)more;
    set_carrier(f, i);
}

/* Its packets bring a tunnel up that is down; so they must come. With dpd_action = restart we do
 * that ourselves. */
static bool waits_for_traffic(const struct conn_child *ch)
{
    return ((ch->start_action | ch->close_action) & START_TRAP) || ch->dpd_action == DPD_TRAP ||
           (ch->start_action && ch->dpd_action != DPD_RESTART);
}

/* --- coming and going --- */

static void drop(struct ifaces *f, struct iface *i)
{
    unkeep(&i->route);
    drop_unkept(f, i, &i->route, tell_route);
    f->port.del(f->port.ctx, i->id);
    list_del(&i->link);
    free(i->addr.v);
    free(i->route.v);
    free(i);
}

static err_t open_device(struct ifaces *f, struct iface *i, struct io_error *err)
{
    err_t e = f->port.add(f->port.ctx, i->id, i->name, i->mtu, &i->ifindex, err);
    if (e)
        return e;
    netlink_carrier_counts(i->name);
    i->carrier = true;
    set_carrier(f, i);
    return E_OK;
}

static struct iface *make(struct ifaces *f, const struct conn_child *ch, struct io_error *err)
{
    struct iface *i = calloc(1, sizeof *i);
    snprintf(err->text, sizeof err->text, "out of memory or of numbers for interfaces");
    if (!i || !(i->id = new_id(f))) {
        free(i);
        return NULL;
    }
    snprintf(i->name, sizeof i->name, "%s", ch->iface.name);
    i->given = ch->iface.mtu;
    i->mtu = i->given ? i->given : f->mtu;
    i->traps = waits_for_traffic(ch);
    if (open_device(f, i, err)) {
        free(i);
        return NULL;
    }
    list_add_tail(&f->all, &i->link);
    return i;
}

/* What the lanes have room for. */
static err_t check_mtu(const struct ifaces *f, const struct conn_child *ch, struct io_error *err)
{
    unsigned most = f->mtu > 1500 ? f->mtu : 1500;
    if (ch->iface.mtu <= most)
        return E_OK;
    snprintf(err->text, sizeof err->text, "interface_mtu = %u of %s: at most %u (culvertd.mtu)",
             ch->iface.mtu, ch->iface.name, most);
    return E_USAGE;
}

err_t ifaces_need(struct ifaces *f, struct conn *c, struct io_error *err)
{
    err_t e = E_OK;
    for (size_t k = 0; k < c->child_count && !e; k++) {
        struct conn_child *ch = &c->child[k];
        if (!ch->iface.name[0])
            continue;
        e = check_mtu(f, ch, err);
        if (e)
            return e;
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
        i->kept = i->traps = false;
        i->given = 0;
        unkeep(&i->addr);
        unkeep(&i->route);
    }
}

/* Of several MTUs the smallest counts. */
static void keep_child(struct iface *i, const struct conn_child *ch)
{
    struct route_walk w = routes_of(ch);
    struct prefix_conf p;
    i->kept = true;
    i->traps |= waits_for_traffic(ch);
    if (ch->iface.mtu && (!i->given || ch->iface.mtu < i->given))
        i->given = ch->iface.mtu;
    for (size_t n = 0; n < ch->iface.addr_count; n++)
        keep(&i->addr, &ch->iface.addr[n]);
    while (route_next(&w, &p))
        keep(&i->route, &p);
}

void ifaces_keep(struct ifaces *f, const struct conn *c)
{
    for (size_t k = 0; k < c->child_count; k++) {
        struct iface *i = by_name(f, c->child[k].iface.name);
        if (i)
            keep_child(i, &c->child[k]);
    }
}

void ifaces_end(struct ifaces *f)
{
    list_each_safe (it, next, &f->all) {
        struct iface *i = container_of(it, struct iface, link);
        if (!i->kept) {
            drop(f, i);
            continue;
        }
        drop_unkept(f, i, &i->addr, tell_addr);
        drop_unkept(f, i, &i->route, tell_route);
        set_mtu(f, i);
        set_carrier(f, i);
    }
}

/* Somebody deleted it, or it was down for a while, which takes routes and IPv6 addresses. */
static err_t restore(struct ifaces *f, struct iface *i, struct io_error *err)
{
    bool there = if_nametoindex(i->name) == (unsigned)i->ifindex;
    if (!there)
        f->port.del(f->port.ctx, i->id);
    err_t e = there ? E_OK : open_device(f, i, err);
    for (size_t k = 0; k < i->addr.n && !e; k++)
        e = tell_addr(f, i, &i->addr.v[k].p, false, err);
    for (size_t k = 0; k < i->route.n && !e; k++)
        e = tell_route(f, i, &i->route.v[k].p, false, err);
    return e;
}

err_t ifaces_restore(struct ifaces *f, struct io_error *err)
{
    err_t first = E_OK;
    struct io_error text;
    list_each (it, &f->all) {
        struct iface *i = container_of(it, struct iface, link);
        bool down = if_nametoindex(i->name) == (unsigned)i->ifindex && !own_link_up(i->name);
        err_t e = down ? E_OK : restore(f, i, &text);
        if (e && !first)
            *err = text;
        first = first ? first : e;
    }
    return first;
}

void ifaces_free(struct ifaces *f)
{
    if (!f)
        return;
    ifaces_begin(f);
    ifaces_end(f);
    free(f);
}
