/* Rows of the daemon's SPD and how they are found: see policies_rows.h. */
#include "daemon/policies_rows.h"
#include "crypto/crypto.h"
#include "model/ts_pack.h"
#include <stdlib.h>

/* --- connections --- */

static struct policies_conn *conn_find(const struct policies *p, const char *name)
{
    uint64_t h = hash_of(&p->by_conn, name, strlen(name));
    for (struct hash_node *n = hash_first(&p->by_conn, h); n; n = hash_next(n)) {
        struct policies_conn *c = container_of(n, struct policies_conn, node);
        if (!strcmp(c->name, name))
            return c;
    }
    return NULL;
}

static struct policies_conn *conn_get(struct policies *p, const char *name)
{
    struct policies_conn *c = conn_find(p, name);
    size_t n = strlen(name) + 1;
    if (c || !(c = malloc(sizeof *c + n)))
        return c;
    memcpy(c->name, name, n);
    list_init(&c->rows);
    if (hash_add(&p->by_conn, &c->node, hash_of(&p->by_conn, name, n - 1))) {
        free(c);
        return NULL;
    }
    list_add_tail(&p->conns, &c->in_order);
    return c;
}

static void conn_put(struct policies *p, struct policies_conn *c)
{
    if (!list_empty(&c->rows))
        return;
    hash_del(&p->by_conn, &c->node);
    list_del(&c->in_order);
    free(c);
}

static void each_of(struct policies *p, struct policies_conn *c, row_fn *fn, void *arg)
{
    struct list *end = &c->rows; /* with the last row its connection goes */
    for (struct list *n = c->rows.next, *nx; n != end; n = nx) {
        nx = n->next;
        fn(p, policies_row_of(n), arg);
    }
}

void rows_of_conn(struct policies *p, const char *conn, row_fn *fn, void *arg)
{
    struct policies_conn *c = conn_find(p, conn);
    if (c)
        each_of(p, c, fn, arg);
}

void rows_each(struct policies *p, row_fn *fn, void *arg)
{
    list_each_safe (n, nx, &p->conns)
        each_of(p, container_of(n, struct policies_conn, in_order), fn, arg);
}

/* --- what a row says --- */

const char *row_child(const struct policies_row *r)
{
    return r->data;
}

const char *row_selectors(const struct policies_row *r, struct ts_list *local,
                          struct ts_list *remote)
{
    const char *packed = r->data + strlen(r->data) + 1;
    return (const char *)ts_unpack(ts_unpack((const uint8_t *)packed, local), remote);
}

/* --- keys --- */

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
    const char *conn = r->conn->name;
    struct ts_list local, remote;
    if (r->configured)
        return hash_add(&p->named, &r->key_node, name_hash(p, conn, row_child(r)));
    (void)row_selectors(r, &local, &remote);
    return hash_add(&p->selected, &r->key_node, selected_hash(p, conn, &remote.ts[0]));
}

static void key_del(struct policies *p, struct policies_row *r)
{
    hash_del(r->configured ? &p->named : &p->selected, &r->key_node);
}

void row_unconfigure(struct policies *p, struct policies_row *r)
{
    key_del(p, r);
    r->configured = r->acquire = r->keep = false;
    if (key_add(p, r))
        return; /* out of memory: not found again, gone with its SAs */
}

struct policies_row *row_by_id(const struct policies *p, uint32_t id)
{
    uint64_t h = hash_of(&p->by_id, &id, sizeof id);
    for (struct hash_node *n = hash_first(&p->by_id, h); n; n = hash_next(n)) {
        struct policies_row *r = container_of(n, struct policies_row, id_node);
        if (r->id == id)
            return r;
    }
    return NULL;
}

static bool has_name(const struct policies_row *r, const char *conn, const char *child)
{
    return !strcmp(r->conn->name, conn) && !strcmp(row_child(r), child);
}

struct policies_row *row_configured(const struct policies *p, const char *conn, const char *child)
{
    uint64_t h = name_hash(p, conn, child);
    for (struct hash_node *n = hash_first(&p->named, h); n; n = hash_next(n)) {
        struct policies_row *r = container_of(n, struct policies_row, key_node);
        if (has_name(r, conn, child))
            return r;
    }
    return NULL;
}

bool row_covers(const struct policies_row *r, const struct child_sa *sa)
{
    struct ts_list local, remote;
    if (r->action != POL_PROTECT)
        return false;
    (void)row_selectors(r, &local, &remote);
    return ts_within(&local, &sa->local_ts) && ts_within(&remote, &sa->remote_ts);
}

struct policies_row *row_selected(const struct policies *p, const struct child_sa *sa)
{
    uint64_t h = selected_hash(p, sa->conn, &sa->remote_ts.ts[0]);
    for (struct hash_node *n = hash_first(&p->selected, h); n; n = hash_next(n)) {
        struct policies_row *r = container_of(n, struct policies_row, key_node);
        if (has_name(r, sa->conn, sa->child) && row_covers(r, sa))
            return r;
    }
    return NULL;
}

/* --- rows --- */

static size_t row_size(size_t data)
{
    return offsetof(struct policies_row, data) + data;
}

/* Of one that is in no table and no list. */
void row_free(struct policies *p, struct policies_row *r)
{
    struct ts_list local, remote;
    if (r)
        slab_put(&p->slab, r, row_size((size_t)(row_selectors(r, &local, &remote) - r->data)));
}

static struct policies_row *row_alloc(struct policies *p, const char *child,
                                      const struct ts_list *local, const struct ts_list *remote)
{
    size_t n = strlen(child) + 1;
    struct policies_row *r =
        slab_get(&p->slab, row_size(n + ts_pack_size(local) + ts_pack_size(remote)));
    if (!r)
        return NULL;
    memcpy(r->data, child, n);
    ts_pack(ts_pack((uint8_t *)r->data + n, local), remote);
    list_init(&r->node);
    return r;
}

static err_t fresh_add(struct policies *p, uint32_t id)
{
    if (p->fresh_count == p->fresh_cap) {
        size_t cap = p->fresh_cap ? p->fresh_cap * 2 : 16;
        uint32_t *grown = realloc(p->fresh, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        p->fresh = grown;
        p->fresh_cap = cap;
    }
    p->fresh[p->fresh_count++] = id;
    return E_OK;
}

static err_t row_index(struct policies *p, struct policies_row *r)
{
    err_t e = hash_add(&p->by_id, &r->id_node, hash_of(&p->by_id, &r->id, sizeof r->id));
    if (e)
        return e;
    if ((e = key_add(p, r))) {
        hash_del(&p->by_id, &r->id_node);
        return e;
    }
    if ((e = fresh_add(p, r->id))) {
        hash_del(&p->by_id, &r->id_node);
        key_del(p, r);
    }
    return e;
}

struct policies_row *row_new(struct policies *p, const char *conn, const char *child,
                             const struct ts_list *local, const struct ts_list *remote,
                             bool configured)
{
    struct policies_conn *c = conn_get(p, conn);
    if (!c)
        return NULL;
    struct policies_row *r = row_alloc(p, child, local, remote);
    if (r) {
        r->conn = c;
        r->configured = configured;
        r->id = ++p->next_id;
    }
    if (!r || row_index(p, r)) {
        row_free(p, r);
        conn_put(p, c);
        return NULL;
    }
    list_add_tail(&c->rows, &r->node);
    p->row_count++;
    return r;
}

void row_drop(struct policies *p, struct policies_row *r)
{
    struct policies_conn *c = r->conn;
    hash_del(&p->by_id, &r->id_node);
    key_del(p, r);
    list_del(&r->node);
    list_add_tail(&p->gone, &r->node);
    r->conn = NULL;
    conn_put(p, c);
    p->view.hold_drop(p->view.ctx, r->id);
    p->row_count--;
}

const struct policy *row_view(struct policies *p, const struct policies_row *r)
{
    struct policy *v = &p->scratch;
    v->id = r->id;
    v->priority = r->priority;
    v->action = (enum policy_action)r->action;
    v->iface = r->iface;
    v->conn = r->conn ? r->conn->name : NULL;
    v->child = row_child(r);
    (void)row_selectors(r, &v->local, &v->remote);
    return v;
}

err_t rows_init(struct policies *p)
{
    struct hash *const tables[] = {&p->by_conn, &p->by_id, &p->named, &p->selected};
    uint64_t key[2];
    list_init(&p->conns);
    list_init(&p->gone);
    cr_random(key, sizeof key);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (hash_init(tables[i], key))
            return E_NOMEM;
    return lan_table_init(&p->lan, key, &p->set.follower);
}

static void drop(struct policies *p, struct policies_row *r, void *arg)
{
    (void)arg;
    row_drop(p, r);
}

void rows_fini(struct policies *p)
{
    rows_each(p, drop, NULL);
    list_each_safe (n, nx, &p->gone)
        row_free(p, policies_row_of(n));
    free(p->fresh);
    free(p->shunt);
    order_fini(&p->order);
    lan_table_fini(&p->lan);
    hash_fini(&p->by_conn);
    hash_fini(&p->by_id);
    hash_fini(&p->named);
    hash_fini(&p->selected);
    slab_fini(&p->slab);
}
