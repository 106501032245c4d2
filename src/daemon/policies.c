/* The daemon's SPD: see policies.h. */
#include "daemon/policies_rows.h"
#include "crypto/crypto.h"
#include <stdio.h>
#include <stdlib.h>

struct sa_ref {
    struct hash_node node;
    uint32_t child_id;
    struct policies_row *row;
};

static struct policies_row *row_of(struct list *n)
{
    return policies_row_of(n);
}

/* What a row is found by: configured ones by name, those that SAs made by their first selector. */
static uint64_t name_hash(const struct policies *p, const char *conn, const char *child)
{
    return hash_of(&p->named, conn, strlen(conn)) * 31 + hash_of(&p->named, child, strlen(child));
}

static uint64_t selected_hash(const struct policies *p, const char *conn, const struct ts *remote)
{
    uint64_t h = hash_of(&p->selected, conn, strlen(conn));
    h = h * 31 + hash_of(&p->selected, remote->lo.ip, sizeof remote->lo.ip);
    return h * 31 + hash_of(&p->selected, remote->hi.ip, sizeof remote->hi.ip);
}

static err_t key_add(struct policies *p, struct policies_row *r)
{
    if (r->configured)
        return hash_add(&p->named, &r->key_node, name_hash(p, r->conn, r->child));
    return hash_add(&p->selected, &r->key_node, selected_hash(p, r->conn, &r->ts[r->local_count]));
}

static void key_del(struct policies *p, struct policies_row *r)
{
    hash_del(r->configured ? &p->named : &p->selected, &r->key_node);
}

static void row_free(struct policies *p, struct policies_row *r)
{
    list_del(&r->node);
    hash_del(&p->by_id, &r->id_node);
    key_del(p, r);
    p->view.hold_drop(p->view.ctx, r->id);
    free(r);
    p->row_count--;
    p->dirty = true;
}

static struct policies_row *row_alloc(const char *conn, const char *child,
                                      const struct ts_list *local, const struct ts_list *remote)
{
    size_t ts = local->count + remote->count, nc = strlen(conn) + 1, nh = strlen(child) + 1;
    struct policies_row *r = calloc(1, sizeof *r + ts * sizeof r->ts[0] + nc + nh);
    if (!r)
        return NULL;
    char *text = (char *)&r->ts[ts];
    r->conn = memcpy(text, conn, nc);
    r->child = memcpy(text + nc, child, nh);
    r->local_count = (uint16_t)local->count;
    r->remote_count = (uint16_t)remote->count;
    memcpy(r->ts, local->ts, local->count * sizeof r->ts[0]);
    memcpy(r->ts + local->count, remote->ts, remote->count * sizeof r->ts[0]);
    list_init(&r->node);
    return r;
}

/* Both lists hold at least one selector. */
static struct policies_row *row_new(struct policies *p, const char *conn, const char *child,
                                    const struct ts_list *local, const struct ts_list *remote,
                                    bool configured)
{
    struct policies_row *r = row_alloc(conn, child, local, remote);
    if (!r)
        return NULL;
    r->id = ++p->next_id;
    r->configured = configured;
    if (hash_add(&p->by_id, &r->id_node, hash_of(&p->by_id, &r->id, sizeof r->id))) {
        free(r);
        return NULL;
    }
    if (key_add(p, r)) {
        hash_del(&p->by_id, &r->id_node);
        free(r);
        return NULL;
    }
    list_add_tail(&p->rows, &r->node);
    p->row_count++;
    p->dirty = true;
    return r;
}

static struct policies_row *row_by_id(const struct policies *p, uint32_t id)
{
    uint64_t h = hash_of(&p->by_id, &id, sizeof id);
    for (struct hash_node *n = hash_first(&p->by_id, h); n; n = hash_next(n)) {
        struct policies_row *r = container_of(n, struct policies_row, id_node);
        if (r->id == id)
            return r;
    }
    return NULL;
}

static bool named(const struct policies_row *r, const char *conn, const char *child)
{
    return !strcmp(r->conn, conn) && (!child || !strcmp(r->child, child));
}

/* Goes, or stays for the SAs that use it. */
static void no_longer_configured(struct policies *p, struct policies_row *r)
{
    if (r->sas == 0) {
        row_free(p, r);
        return;
    }
    key_del(p, r);
    r->configured = r->acquire = r->keep = false;
    if (key_add(p, r))
        return; /* out of memory: not found again, gone with its SAs */
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

static err_t selectors_of(struct policies *p, const struct conn *c, const struct conn_child *ch,
                          struct ts_list *local, struct ts_list *remote, struct io_error *err)
{
    if (resolve(p, c, ch, local, remote))
        return E_OK;
    snprintf(err->text, sizeof err->text,
             "%s.children.%s: its selectors depend on an address that is not known before the "
             "tunnel is up: give remote_addrs one address, or remote_ts a subnet",
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
    r->action = action_of(ch);
    r->priority = ch->priority;
    r->acquire = r->action == POL_PROTECT && (ch->start_action & (START_TRAP | START_START));
    return E_OK;
}

/* Rows that SAs still use stay for them and go with the last. */
static void unconfigure(struct policies *p, const char *conn)
{
    list_each_safe (n, nx, &p->rows) {
        struct policies_row *r = row_of(n);
        if (!named(r, conn, NULL))
            continue;
        if (r->configured)
            no_longer_configured(p, r);
        else if (r->sas == 0)
            row_free(p, r);
        else
            r->keep = false;
    }
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
    unconfigure(p, c->name);
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
    unconfigure(p, conn);
}

static struct policies_row *configured_row(const struct policies *p, const char *conn,
                                           const char *child)
{
    uint64_t h = name_hash(p, conn, child);
    for (struct hash_node *n = hash_first(&p->named, h); n; n = hash_next(n)) {
        struct policies_row *r = container_of(n, struct policies_row, key_node);
        if (named(r, conn, child))
            return r;
    }
    return NULL;
}

err_t policies_install(struct policies *p, const struct conn *c, const struct conn_child *ch,
                       struct io_error *err)
{
    struct policies_row *r = configured_row(p, c->name, ch->name);
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
    struct policies_row *found = NULL;
    list_each (n, &p->rows)
        if (row_of(n)->configured && !strcmp(row_of(n)->child, child) &&
            (!conn || !strcmp(row_of(n)->conn, conn)))
            found = row_of(n);
    if (!found)
        return R_NOT_FOUND;
    no_longer_configured(p, found);
    return E_OK;
}

/* --- SAs --- */

/* Whether each selector lies within one of the row's: ts_within on the row's own arrays. */
static bool all_within(const struct ts *outer, size_t n, const struct ts_list *inner)
{
    for (size_t i = 0; i < inner->count; i++) {
        size_t k = 0;
        while (k < n && !ts_contains(&outer[k], &inner->ts[i]))
            k++;
        if (k == n)
            return false;
    }
    return true;
}

static bool covers(const struct policies_row *r, const struct child_sa *sa)
{
    return r->action == POL_PROTECT && all_within(r->ts, r->local_count, &sa->local_ts) &&
           all_within(r->ts + r->local_count, r->remote_count, &sa->remote_ts);
}

static bool has_dynamic(const struct ts_conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->ts[i].dynamic)
            return true;
    return false;
}

static struct policies_row *row_found_for_sa(const struct policies *p, const struct child_sa *sa)
{
    struct policies_row *r = configured_row(p, sa->conn, sa->child);
    if (r && covers(r, sa))
        return r;
    uint64_t h = selected_hash(p, sa->conn, &sa->remote_ts.ts[0]);
    for (struct hash_node *n = hash_first(&p->selected, h); n; n = hash_next(n)) {
        r = container_of(n, struct policies_row, key_node);
        if (named(r, sa->conn, sa->child) && covers(r, sa))
            return r;
    }
    return NULL;
}

static struct policies_row *row_for_sa(struct policies *p, const struct child_sa *sa,
                                       const struct conn *c)
{
    struct policies_row *r = row_found_for_sa(p, sa);
    if (r)
        return r;
    r = row_new(p, sa->conn, sa->child, &sa->local_ts, &sa->remote_ts, false);
    if (!r)
        return NULL;
    const struct conn_child *ch = c ? conn_child_find(c, sa->child) : NULL;
    r->action = POL_PROTECT;
    r->priority = ch ? ch->priority : 0;
    r->keep = ch && !has_dynamic(&ch->remote_ts);
    return r;
}

uint32_t policies_sa_add(struct policies *p, const struct child_sa *sa, const struct conn *c)
{
    if (!sa->local_ts.count || !sa->remote_ts.count)
        return 0;
    struct sa_ref *ref = calloc(1, sizeof *ref);
    struct policies_row *r = ref ? row_for_sa(p, sa, c) : NULL;
    uint32_t id = sa->id;
    if (!r || hash_add(&p->refs, &ref->node, hash_of(&p->refs, &id, sizeof id))) {
        free(ref);
        return 0;
    }
    ref->child_id = id;
    ref->row = r;
    r->sas++;
    return r->id;
}

static struct sa_ref *ref_of(const struct policies *p, uint32_t child_id)
{
    uint64_t h = hash_of(&p->refs, &child_id, sizeof child_id);
    for (struct hash_node *n = hash_first(&p->refs, h); n; n = hash_next(n)) {
        struct sa_ref *ref = container_of(n, struct sa_ref, node);
        if (ref->child_id == child_id)
            return ref;
    }
    return NULL;
}

void policies_sa_del(struct policies *p, uint32_t child_id)
{
    struct sa_ref *ref = ref_of(p, child_id);
    if (!ref)
        return;
    struct policies_row *r = ref->row;
    hash_del(&p->refs, &ref->node);
    free(ref);
    if (--r->sas == 0 && !r->configured && !r->keep)
        row_free(p, r);
}

void policies_release(struct policies *p, const char *conn, const char *child)
{
    list_each_safe (n, nx, &p->rows) {
        struct policies_row *r = row_of(n);
        if ((conn && strcmp(r->conn, conn) != 0) || (child && strcmp(r->child, child) != 0))
            continue;
        r->keep = false;
        if (r->sas == 0 && !r->configured)
            row_free(p, r);
    }
}

/* --- looking in --- */

/* Points into the scratch of `pp`: good for one row at a time. */
static struct policy_row view_of(const struct policies *pp, const struct policies_row *r)
{
    struct policies *p = (struct policies *)pp;
    p->local.count = r->local_count;
    p->remote.count = r->remote_count;
    memcpy(p->local.ts, r->ts, r->local_count * sizeof r->ts[0]);
    memcpy(p->remote.ts, r->ts + r->local_count, r->remote_count * sizeof r->ts[0]);
    return (struct policy_row){.conn = r->conn,
                               .child = r->child,
                               .acquire = r->acquire,
                               .installed = r->configured,
                               .shunt = r->action != POL_PROTECT,
                               .action = r->action,
                               .local = &p->local,
                               .remote = &p->remote,
                               .sas = r->sas};
}

bool policies_get(const struct policies *p, uint32_t id, struct policy_row *out)
{
    const struct policies_row *r = row_by_id(p, id);
    if (r)
        *out = view_of(p, r);
    return r != NULL;
}

uint32_t policies_id_of(const struct policies *p, const char *conn, const char *child)
{
    const struct policies_row *r = conn && child ? configured_row(p, conn, child) : NULL;
    return r ? r->id : 0;
}

void policies_each(const struct policies *p, policies_fn *fn, void *ctx)
{
    list_each (n, &p->rows) {
        struct policy_row v = view_of(p, row_of(n));
        fn(ctx, &v);
    }
}

size_t policies_count(const struct policies *p)
{
    return p->row_count;
}

bool policies_dirty(const struct policies *p)
{
    return p->dirty;
}

bool policies_guard_counters(struct policies *p, uint64_t *in_dropped, uint64_t *out_dropped)
{
    return nft_guard_counters(p->guard, in_dropped, out_dropped);
}

static err_t tables_init(struct policies *p)
{
    struct hash *const tables[] = {&p->by_id, &p->named, &p->selected, &p->refs};
    uint64_t key[2];
    cr_random(key, sizeof key);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (hash_init(tables[i], key))
            return E_NOMEM;
    return E_OK;
}

/* After the rows: each takes itself out. */
static void tables_fini(struct policies *p)
{
    size_t i;
    struct hash_node *n;
    while (p->refs.count && (n = hash_begin(&p->refs, &i))) {
        hash_del(&p->refs, n);
        free(container_of(n, struct sa_ref, node));
    }
    hash_fini(&p->by_id);
    hash_fini(&p->named);
    hash_fini(&p->selected);
    hash_fini(&p->refs);
}

struct policies *policies_open(const struct policies_settings *s, const struct policies_view *view,
                               struct netlink *nl, struct io_error *err)
{
    struct policies *p = calloc(1, sizeof *p);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!p)
        return NULL;
    *p = (struct policies){.set = *s, .view = *view, .nl = nl};
    list_init(&p->rows);
    if (tables_init(p)) {
        policies_close(p);
        return NULL;
    }
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
    list_each_safe (n, nx, &p->rows)
        row_free(p, row_of(n));
    tables_fini(p);
    routes_free(p->routes);
    netlink_rules_del(p->nl, p->set.table, p->set.guard.mark, p->set.priority);
    if (p->guard)
        nft_guard_close(p->guard, true);
    free(p);
}
