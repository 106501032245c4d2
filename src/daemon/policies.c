/* The daemon's SPD: what configuration asks for, what people see of it. See policies.h. */
#include "daemon/policies_rows.h"
#include <stdio.h>
#include <stdlib.h>

/* Address selectors that say nothing until an SA exists are left to it. */
static bool resolvable(const struct ts_conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->ts[i].dynamic)
            return false;
    return l->count > 0;
}

/* The one address that a list of address matches means, or none. */
static struct addr single_addr(const struct addr_match *m, size_t n)
{
    if (n == 1 && !m[0].host && m[0].lo.family && addr_eq(&m[0].lo, &m[0].hi))
        return m[0].lo;
    return (struct addr){0};
}

/* Dynamic stands for a virtual address that is not assigned yet. */
static bool waits_for_vip(const struct conn *c, const struct conn_child *ch)
{
    return (c->vip_count && !resolvable(&ch->local_ts)) ||
           (c->pool_count && !resolvable(&ch->remote_ts));
}

static bool resolve(struct policies *p, const struct conn *c, const struct conn_child *ch,
                    struct ts_list *local, struct ts_list *remote)
{
    if (waits_for_vip(c, ch))
        return false;
    struct addr r = single_addr(c->remote, c->remote_count);
    struct addr l = single_addr(c->local, c->local_count);
    if (!l.family && r.family)
        (void)netlink_source_addr(p->nl, &r, p->set.guard.mark, &l);
    if ((!r.family && !resolvable(&ch->remote_ts)) || (!l.family && !resolvable(&ch->local_ts)))
        return false;
    ts_resolve(&ch->local_ts, &l, local);
    ts_resolve(&ch->remote_ts, &r, remote);
    return local->count && remote->count;
}

static enum policy_action action_of(const struct conn_child *ch)
{
    return ch->policy == CHILD_PASS   ? POL_BYPASS
           : ch->policy == CHILD_DROP ? POL_DROP
                                      : POL_PROTECT;
}

static err_t selectors_of(struct policies *p, const struct conn *c, const struct conn_child *ch,
                          struct ts_list *local, struct ts_list *remote, struct io_error *err)
{
    if (resolve(p, c, ch, local, remote))
        return E_OK;
    snprintf(
        err->text, sizeof err->text,
        "%s.children.%s: its selectors depend on an address that is not known before the "
        "tunnel is up: give remote_addrs one address, or remote_ts a subnet; with vips or pools "
        "use start_action = start or none",
        c->name, ch->name);
    return R_CONFIG_VALUE;
}

static err_t add_configured(struct policies *p, const struct conn *c, const struct conn_child *ch,
                            struct io_error *err)
{
    struct ts_list local, remote;
    err_t e = selectors_of(p, c, ch, &local, &remote, err);
    if (e)
        return e;
    struct policies_row *r = row_new(p, c->name, ch->name, &local, &remote, true);
    if (!r)
        return E_NOMEM;
    r->action = (uint8_t)action_of(ch);
    r->priority = ch->priority;
    r->iface = ch->iface_id;
    r->acquire = r->action == POL_PROTECT && (ch->start_action & (START_TRAP | START_START));
    return E_OK;
}

/* Rows that SAs still use stay for them and go with the last. */
static void unconfigure(struct policies *p, struct policies_row *r, void *arg)
{
    (void)arg;
    if (r->sas == 0)
        row_drop(p, r);
    else if (r->configured)
        row_unconfigure(p, r);
    else
        r->keep = false;
}

/* start alone works without a row: the SA brings its own. */
static bool may_lack_row(const struct conn_child *ch)
{
    return ch->start_action == START_NONE || ch->start_action == START_START;
}

err_t policies_conn_check(struct policies *p, const struct conn *c, struct io_error *err)
{
    struct ts_list local, remote;
    err_t e = E_OK;
    for (size_t i = 0; i < c->child_count && !e; i++)
        if (!may_lack_row(&c->child[i]))
            e = selectors_of(p, c, &c->child[i], &local, &remote, err);
    return e;
}

err_t policies_conn_load(struct policies *p, const struct conn *c, struct io_error *err)
{
    err_t e = policies_conn_check(p, c, err);
    if (e)
        return e;
    rows_of_conn(p, c->name, unconfigure, NULL);
    for (size_t i = 0; i < c->child_count; i++) {
        const struct conn_child *ch = &c->child[i];
        if (ch->start_action == START_NONE)
            continue;
        e = add_configured(p, c, ch, err);
        if (e && !(e == R_CONFIG_VALUE && may_lack_row(ch)))
            return e;
    }
    return E_OK;
}

void policies_conn_unload(struct policies *p, const char *conn)
{
    rows_of_conn(p, conn, unconfigure, NULL);
}

err_t policies_install(struct policies *p, const struct conn *c, const struct conn_child *ch,
                       struct io_error *err)
{
    struct policies_row *r = row_configured(p, c->name, ch->name);
    if (!r) {
        err_t e = add_configured(p, c, ch, err);
        if (e)
            return e;
        r = row_configured(p, c->name, ch->name);
    }
    r->acquire = r->action == POL_PROTECT;
    return E_OK;
}

struct find {
    const char *child;
    struct policies_row *found;
};

static void find_child(struct policies *p, struct policies_row *r, void *arg)
{
    struct find *f = arg;
    (void)p;
    if (r->configured && !strcmp(row_child(r), f->child))
        f->found = r;
}

err_t policies_uninstall(struct policies *p, const char *conn, const char *child)
{
    struct find f = {.child = child};
    if (conn)
        f.found = row_configured(p, conn, child);
    else
        rows_each(p, find_child, &f);
    if (!f.found)
        return R_NOT_FOUND;
    unconfigure(p, f.found, NULL);
    return E_OK;
}

/* --- looking in --- */

/* Points into the scratch of `p`: good for one row at a time. */
static struct policy_row shown(struct policies *p, const struct policies_row *r)
{
    const struct policy *v = row_view(p, r);
    return (struct policy_row){.conn = v->conn,
                               .child = v->child,
                               .acquire = r->acquire,
                               .installed = r->configured,
                               .shunt = v->action != POL_PROTECT,
                               .action = v->action,
                               .local = &v->local,
                               .remote = &v->remote,
                               .sas = r->sas,
                               .priority = v->priority,
                               .iface = r->iface};
}

bool policies_get(struct policies *p, uint32_t id, struct policy_row *out)
{
    const struct policies_row *r = row_by_id(p, id);
    if (r)
        *out = shown(p, r);
    return r != NULL;
}

uint32_t policies_id_of(const struct policies *p, const char *conn, const char *child)
{
    const struct policies_row *r = conn && child ? row_configured(p, conn, child) : NULL;
    return r ? r->id : 0;
}

struct show {
    policies_fn *fn;
    void *ctx;
};

static void show(struct policies *p, struct policies_row *r, void *arg)
{
    const struct show *s = arg;
    const struct policy_row row = shown(p, r);
    s->fn(s->ctx, &row);
}

void policies_each(struct policies *p, policies_fn *fn, void *ctx)
{
    rows_each(p, show, &(struct show){fn, ctx});
}

bool policies_guard_counters(struct policies *p, uint64_t *in_dropped, uint64_t *out_dropped)
{
    return nft_guard_counters(p->guard, in_dropped, out_dropped);
}

uint32_t policies_guard_port(const struct policies *p)
{
    return nft_guard_port(p->guard);
}

bool policies_look(struct policies *p)
{
    bool changed = nft_guard_look(p->guard);
    p->anew |= changed;
    return changed;
}

err_t policies_restore(struct policies *p, struct io_error *err)
{
    routes_lost(p->routes);
    p->anew = true;
    return routes_open(p->routes, err);
}

void policies_addrs(struct policies *p)
{
    p->anew |= routes_stale(p->routes);
}

/* --- life --- */

static struct netlink_rules rules_of(const struct policies_settings *s)
{
    return (struct netlink_rules){.table = s->table,
                                  .priority = s->priority,
                                  .mark = s->guard.mark,
                                  .clear = s->guard.clear,
                                  .clear_tun = s->guard.clear_tun,
                                  .tun = s->guard.tun};
}

struct policies *policies_open(const struct policies_settings *s, const struct policies_view *view,
                               struct netlink *nl, struct io_error *err)
{
    const struct netlink_rules rules = rules_of(s);
    struct policies *p = calloc(1, sizeof *p);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!p)
        return NULL;
    *p = (struct policies){.set = *s, .view = *view, .nl = nl};
    p->anew = true; /* rows that a crash left are replaced */
    if (rows_init(p)) {
        policies_close(p);
        return NULL;
    }
    p->routes = routes_new(nl, &rules, s->ifindex);
    p->guard = nft_guard_open(&s->guard, err);
    if (p->routes && p->guard && !routes_open(p->routes, err))
        return p;
    policies_close(p);
    return NULL;
}

void policies_close(struct policies *p)
{
    if (!p)
        return;
    rows_fini(p);
    routes_free(p->routes);
    if (p->guard)
        nft_guard_close(p->guard, true);
    free(p);
}
