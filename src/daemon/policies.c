/* The daemon's SPD: see policies.h. */
#include "daemon/policies.h"
#include "base/list.h"
#include "daemon/routes.h"
#include <stdio.h>
#include <stdlib.h>

struct row {
    struct list node;
    uint32_t id, priority;
    char *conn, *child;
    enum policy_action action;
    struct ts_list local, remote;
    bool configured; /* by the connection or by install: stays until it is taken back */
    bool acquire;
    bool keep; /* stays without SA although an SA made it */
    size_t sas;
};

struct sa_ref {
    struct list node;
    uint32_t child_id;
    struct row *row;
};

struct policies {
    struct policies_settings set;
    struct dp *dp;
    struct netlink *nl;
    struct nft_guard *guard;
    struct routes *routes;
    struct list rows, refs;
    uint32_t next_id;
    bool dirty;
};

static void row_free(struct policies *p, struct row *r)
{
    list_del(&r->node);
    dp_hold_drop(p->dp, r->id);
    free(r->conn);
    free(r->child);
    free(r);
    p->dirty = true;
}

static struct row *row_new(struct policies *p, const char *conn, const char *child)
{
    struct row *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    list_init(&r->node);
    r->conn = strdup(conn);
    r->child = strdup(child);
    if (!r->conn || !r->child) {
        row_free(p, r);
        return NULL;
    }
    r->id = ++p->next_id;
    list_add_tail(&p->rows, &r->node);
    p->dirty = true;
    return r;
}

static struct row *row_of(struct list *n)
{
    return container_of(n, struct row, node);
}

static struct row *row_by_id(const struct policies *p, uint32_t id)
{
    list_each (n, &p->rows)
        if (row_of(n)->id == id)
            return row_of(n);
    return NULL;
}

static bool named(const struct row *r, const char *conn, const char *child)
{
    return !strcmp(r->conn, conn) && (!child || !strcmp(r->child, child));
}

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

static bool resolve(struct policies *p, const struct conn *c, const struct conn_child *ch,
                    struct ts_list *local, struct ts_list *remote)
{
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

static err_t add_configured(struct policies *p, const struct conn *c, const struct conn_child *ch,
                            struct io_error *err)
{
    struct ts_list local, remote;
    if (!resolve(p, c, ch, &local, &remote)) {
        snprintf(err->text, sizeof err->text,
                 "%s.children.%s: its selectors depend on an address that is not known before the "
                 "tunnel is up: give remote_addrs one address, or remote_ts a subnet",
                 c->name, ch->name);
        return R_CONFIG_VALUE;
    }
    struct row *r = row_new(p, c->name, ch->name);
    if (!r)
        return E_NOMEM;
    r->action = action_of(ch);
    r->priority = ch->priority;
    r->local = local;
    r->remote = remote;
    r->configured = true;
    r->acquire = r->action == POL_PROTECT && (ch->start_action & (START_TRAP | START_START));
    return E_OK;
}

/* Rows that SAs still use stay for them and go with the last. */
static void unconfigure(struct policies *p, const char *conn, const char *child)
{
    list_each_safe (n, nx, &p->rows) {
        struct row *r = row_of(n);
        if (!named(r, conn, child))
            continue;
        r->configured = r->keep = r->acquire = false;
        if (r->sas == 0)
            row_free(p, r);
    }
}

err_t policies_conn_load(struct policies *p, const struct conn *c, struct io_error *err)
{
    unconfigure(p, c->name, NULL);
    for (size_t i = 0; i < c->child_count; i++) {
        const struct conn_child *ch = &c->child[i];
        if (ch->start_action == START_NONE)
            continue;
        err_t e = add_configured(p, c, ch, err);
        /* start alone works without a row: the SA brings its own */
        if (e && !(e == R_CONFIG_VALUE && ch->start_action == START_START))
            return e;
    }
    return E_OK;
}

void policies_conn_unload(struct policies *p, const char *conn)
{
    unconfigure(p, conn, NULL);
}

static struct row *configured_row(const struct policies *p, const char *conn, const char *child)
{
    list_each (n, &p->rows)
        if (row_of(n)->configured && named(row_of(n), conn, child))
            return row_of(n);
    return NULL;
}

err_t policies_install(struct policies *p, const struct conn *c, const struct conn_child *ch,
                       struct io_error *err)
{
    struct row *r = configured_row(p, c->name, ch->name);
    if (!r) {
        err_t e = add_configured(p, c, ch, err);
        if (e)
            return e;
        r = configured_row(p, c->name, ch->name);
    }
    r->acquire = r->action == POL_PROTECT;
    return E_OK;
}

err_t policies_uninstall(struct policies *p, const char *conn, const char *child)
{
    struct row *found = NULL;
    list_each (n, &p->rows)
        if (row_of(n)->configured && !strcmp(row_of(n)->child, child) &&
            (!conn || !strcmp(row_of(n)->conn, conn)))
            found = row_of(n);
    if (!found)
        return R_NOT_FOUND;
    found->configured = found->acquire = found->keep = false;
    if (found->sas == 0)
        row_free(p, found);
    return E_OK;
}

/* --- SAs --- */

static bool covers(const struct row *r, const struct child_sa *sa)
{
    return r->action == POL_PROTECT && ts_within(&r->local, &sa->local_ts) &&
           ts_within(&r->remote, &sa->remote_ts);
}

static bool has_dynamic(const struct ts_conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->ts[i].dynamic)
            return true;
    return false;
}

static struct row *row_for_sa(struct policies *p, const struct child_sa *sa, const struct conn *c)
{
    list_each (n, &p->rows)
        if (named(row_of(n), sa->conn, sa->child) && covers(row_of(n), sa))
            return row_of(n);
    struct row *r = row_new(p, sa->conn, sa->child);
    if (!r)
        return NULL;
    const struct conn_child *ch = c ? conn_child_find(c, sa->child) : NULL;
    r->action = POL_PROTECT;
    r->priority = ch ? ch->priority : 0;
    r->local = sa->local_ts;
    r->remote = sa->remote_ts;
    r->keep = ch && !has_dynamic(&ch->remote_ts);
    return r;
}

uint32_t policies_sa_add(struct policies *p, const struct child_sa *sa, const struct conn *c)
{
    struct sa_ref *ref = calloc(1, sizeof *ref);
    struct row *r = ref ? row_for_sa(p, sa, c) : NULL;
    if (!r) {
        free(ref);
        return 0;
    }
    ref->child_id = sa->id;
    ref->row = r;
    r->sas++;
    list_add_tail(&p->refs, &ref->node);
    return r->id;
}

void policies_sa_del(struct policies *p, uint32_t child_id)
{
    list_each_safe (n, nx, &p->refs) {
        struct sa_ref *ref = container_of(n, struct sa_ref, node);
        if (ref->child_id != child_id)
            continue;
        struct row *r = ref->row;
        list_del(&ref->node);
        free(ref);
        if (--r->sas == 0 && !r->configured && !r->keep)
            row_free(p, r);
        return;
    }
}

void policies_release(struct policies *p, const char *conn, const char *child)
{
    list_each_safe (n, nx, &p->rows) {
        struct row *r = row_of(n);
        if ((conn && strcmp(r->conn, conn) != 0) || (child && strcmp(r->child, child) != 0))
            continue;
        r->keep = false;
        if (r->sas == 0 && !r->configured)
            row_free(p, r);
    }
}

/* --- looking in --- */

static struct policy_row view_of(const struct row *r)
{
    return (struct policy_row){.conn = r->conn,
                               .child = r->child,
                               .acquire = r->acquire,
                               .installed = r->configured,
                               .shunt = r->action != POL_PROTECT,
                               .action = r->action,
                               .local = &r->local,
                               .remote = &r->remote,
                               .sas = r->sas};
}

bool policies_get(const struct policies *p, uint32_t id, struct policy_row *out)
{
    const struct row *r = row_by_id(p, id);
    if (r)
        *out = view_of(r);
    return r != NULL;
}

uint32_t policies_id_of(const struct policies *p, const char *conn, const char *child)
{
    list_each (n, &p->rows)
        if (named(row_of(n), conn, child))
            return row_of(n)->id;
    return 0;
}

void policies_each(const struct policies *p, policies_fn *fn, void *ctx)
{
    list_each (n, &p->rows) {
        struct policy_row v = view_of(row_of(n));
        fn(ctx, &v);
    }
}

/* --- carrying out --- */

static size_t row_count(const struct policies *p)
{
    size_t n = 0;
    list_each (it, &p->rows)
        n++;
    return n;
}

static struct policy *view_make(const struct policies *p, size_t n)
{
    struct policy *v = calloc(n ? n : 1, sizeof *v), *at = v;
    if (!v)
        return NULL;
    list_each (it, &p->rows) {
        const struct row *r = row_of(it);
        *at++ = (struct policy){.id = r->id,
                                .priority = r->priority,
                                .action = r->action,
                                .conn = r->conn,
                                .child = r->child,
                                .local = r->local,
                                .remote = r->remote};
    }
    return v;
}

static bool list_within(const struct ts_list *outer, const struct ts_list *inner)
{
    return outer->count && inner->count && ts_within(outer, inner);
}

/* The guard needs to hear of a bypass only where a protect policy covers all of it. */
static bool guarded(const struct policy *v, size_t n, const struct policy *x)
{
    if (x->action == POL_PROTECT)
        return true;
    if (x->action == POL_DROP)
        return false;
    for (size_t i = 0; i < n; i++)
        if (v[i].action == POL_PROTECT && list_within(&v[i].local, &x->local) &&
            list_within(&v[i].remote, &x->remote))
            return true;
    return false;
}

static struct nft_pair pair_of(const struct ts *l, const struct ts *r, bool pass)
{
    return (struct nft_pair){.local_lo = l->lo,
                             .local_hi = l->hi,
                             .remote_lo = r->lo,
                             .remote_hi = r->hi,
                             .proto = l->proto ? l->proto : r->proto,
                             .local_port_lo = l->port_lo,
                             .local_port_hi = l->port_hi,
                             .remote_port_lo = r->port_lo,
                             .remote_port_hi = r->port_hi,
                             .pass = pass};
}

/* Counts them when `out` is NULL. */
static size_t pairs_of(const struct policy *v, struct nft_pair *out)
{
    size_t n = 0;
    for (size_t i = 0; i < v->local.count; i++) {
        for (size_t j = 0; j < v->remote.count; j++) {
            const struct ts *l = &v->local.ts[i], *r = &v->remote.ts[j];
            if (l->lo.family != r->lo.family || (l->proto && r->proto && l->proto != r->proto))
                continue;
            if (out)
                out[n] = pair_of(l, r, v->action == POL_BYPASS);
            n++;
        }
    }
    return n;
}

static err_t guard_apply(struct policies *p, const struct policy *v, size_t n, struct io_error *err)
{
    size_t pairs = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        pairs += pairs_of(&v[i], NULL);
    struct nft_pair *rows = calloc(pairs ? pairs : 1, sizeof *rows);
    if (!rows)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (guarded(v, n, &v[i]))
            at += pairs_of(&v[i], rows + at);
    err_t e = nft_guard_set(p->guard, rows, at, err);
    free(rows);
    return e;
}

err_t policies_apply(struct policies *p, struct io_error *err)
{
    if (!p->dirty)
        return E_OK;
    size_t n = row_count(p);
    struct policy *v = view_make(p, n);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!v)
        return E_NOMEM;
    /* closed before open: the guard knows a new policy before routes could lead elsewhere */
    err_t e = guard_apply(p, v, n, err);
    if (!e)
        e = dp_policies_set(p->dp, v, n);
    if (!e)
        e = routes_set(p->routes, v, n, err);
    free(v);
    p->dirty = e != E_OK;
    return e;
}

bool policies_guard_counters(struct policies *p, uint64_t *in_dropped, uint64_t *out_dropped)
{
    return nft_guard_counters(p->guard, in_dropped, out_dropped);
}

struct policies *policies_open(const struct policies_settings *s, struct dp *dp, struct netlink *nl,
                               struct io_error *err)
{
    struct policies *p = calloc(1, sizeof *p);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!p)
        return NULL;
    *p = (struct policies){.set = *s, .dp = dp, .nl = nl};
    list_init(&p->rows);
    list_init(&p->refs);
    p->routes = routes_new(nl, s->table, s->ifindex);
    p->guard = nft_guard_open(&s->guard, err);
    p->dirty = true; /* rows that a crash left are replaced */
    if (p->routes && p->guard && !netlink_rules_add(nl, s->table, s->guard.mark, s->priority, err))
        return p;
    policies_close(p);
    return NULL;
}

void policies_close(struct policies *p)
{
    if (!p)
        return;
    list_each_safe (n, nx, &p->refs) {
        list_del(n);
        free(container_of(n, struct sa_ref, node));
    }
    list_each_safe (n, nx, &p->rows)
        row_free(p, row_of(n));
    routes_free(p->routes);
    netlink_rules_del(p->nl, p->set.table, p->set.guard.mark, p->set.priority);
    if (p->guard)
        nft_guard_close(p->guard, true);
    free(p);
}
