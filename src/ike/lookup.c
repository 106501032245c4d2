/*
 * Connections by name and by the peer's address. Single remote addresses are hashed, so that many
 * connections cost no more than one; ranges, %any and host names are tried one after the other.
 */
#include "ike/lookup.h"
#include "ike/engine.h"
#include <stdlib.h>

#define CANDIDATES_MAX 4096 /* connections that one message may be compared with */

struct conn_entry *conn_entry_find(const struct ike *e, const char *name)
{
    uint64_t h = hash_of(&e->entries, name, strlen(name));
    for (struct hash_node *n = hash_first(&e->entries, h); n; n = hash_next(n)) {
        struct conn_entry *ce = container_of(n, struct conn_entry, node);
        if (strcmp(ce->name, name) == 0)
            return ce;
    }
    return NULL;
}

static void entry_free(struct ike *e, struct conn_entry *ce)
{
    hash_del(&e->entries, &ce->node);
    holdoffs_free(ce);
    free(ce->name);
    free(ce);
}

struct conn_entry *conn_entry_get(struct ike *e, const char *name)
{
    struct conn_entry *ce = conn_entry_find(e, name);
    if (ce)
        return ce;
    ce = calloc(1, sizeof *ce);
    if (!ce)
        return NULL;
    list_init(&ce->link);
    list_init(&ce->sas);
    list_init(&ce->holdoffs);
    ce->name = strdup(name);
    if (!ce->name || hash_add(&e->entries, &ce->node, hash_of(&e->entries, name, strlen(name)))) {
        free(ce->name);
        free(ce);
        return NULL;
    }
    return ce;
}

void conn_entry_release(struct ike *e, struct conn_entry *ce)
{
    if (ce && !ce->conn && list_empty(&ce->sas))
        entry_free(e, ce);
}

static bool single(const struct addr_match *m)
{
    return !m->host && m->lo.family && addr_eq(&m->lo, &m->hi);
}

static uint64_t remote_hash(const struct ike *e, const struct addr *a)
{
    return hash_of(&e->remotes, a, sizeof *a);
}

static void unindex(struct ike *e, struct conn_entry *ce)
{
    for (size_t i = 0; i < ce->key_count; i++) {
        if (ce->keys[i].hashed)
            hash_del(&e->remotes, &ce->keys[i].node);
        list_del(&ce->keys[i].wild);
    }
    free(ce->keys);
    ce->keys = NULL;
    ce->key_count = 0;
}

static void unindex_children(struct ike *e, struct conn_entry *ce)
{
    for (size_t i = 0; i < ce->child_key_count; i++)
        hash_del(&e->by_child, &ce->child_keys[i].node);
    free(ce->child_keys);
    ce->child_keys = NULL;
    ce->child_key_count = 0;
}

static uint64_t child_hash(const struct ike *e, const char *name)
{
    return hash_of(&e->by_child, name, strlen(name));
}

static err_t index_children(struct ike *e, struct conn_entry *ce, const struct conn *c)
{
    ce->child_keys = c->child_count ? calloc(c->child_count, sizeof *ce->child_keys) : NULL;
    if (c->child_count && !ce->child_keys)
        return E_NOMEM;
    for (size_t i = 0; i < c->child_count; i++) {
        struct child_key *k = &ce->child_keys[i];
        *k = (struct child_key){.entry = ce, .name = c->child[i].name};
        if (hash_add(&e->by_child, &k->node, child_hash(e, k->name)))
            return E_NOMEM;
        ce->child_key_count++;
    }
    return E_OK;
}

static bool protects(const struct conn *c, const char *child)
{
    for (size_t i = 0; i < c->child_count; i++)
        if (c->child[i].policy == CHILD_PROTECT && (!child || !strcmp(c->child[i].name, child)))
            return true;
    return false;
}

struct conn *conn_of_child(const struct ike *e, const char *child)
{
    struct conn *best = NULL;
    if (!child) {
        list_each (it, (struct list *)&e->conns)
            if (protects(container_of(it, struct conn_entry, link)->conn, NULL))
                return container_of(it, struct conn_entry, link)->conn;
        return NULL;
    }
    for (struct hash_node *n = hash_first(&e->by_child, child_hash(e, child)); n;
         n = hash_next(n)) {
        struct conn *c = container_of(n, struct child_key, node)->entry->conn;
        if (c && protects(c, child) && (!best || c->serial < best->serial))
            best = c;
    }
    return best;
}

static err_t index_remote(struct ike *e, struct conn_entry *ce, const struct conn *c)
{
    size_t n = c->remote_count ? c->remote_count : 1;
    ce->keys = calloc(n, sizeof *ce->keys);
    if (!ce->keys)
        return E_NOMEM;
    ce->key_count = n;
    bool wild = c->remote_count == 0;
    for (size_t i = 0; i < n; i++) {
        ce->keys[i].entry = ce;
        list_init(&ce->keys[i].wild);
    }
    for (size_t i = 0; i < n; i++) {
        struct conn_key *k = &ce->keys[i];
        if (i >= c->remote_count || !single(&c->remote[i])) {
            wild = true;
            continue;
        }
        if (hash_add(&e->remotes, &k->node, remote_hash(e, &c->remote[i].lo)))
            return E_NOMEM;
        k->hashed = true;
    }
    if (wild)
        list_add_tail(&e->wild_conns, &ce->keys[0].wild);
    return E_OK;
}

static void entry_clear(struct ike *e, struct conn_entry *ce)
{
    unindex(e, ce);
    unindex_children(e, ce);
    holdoffs_free(ce); /* another configuration may well succeed */
    list_del(&ce->link);
    conn_unref(ce->conn);
    ce->conn = NULL;
}

err_t conn_load(struct ike *e, struct conn *c)
{
    struct conn_entry *ce = conn_entry_get(e, c->name);
    if (!ce)
        return E_NOMEM;
    if (ce->conn)
        entry_clear(e, ce);
    err_t err = index_remote(e, ce, c);
    if (!err)
        err = index_children(e, ce, c);
    if (err) {
        unindex(e, ce);
        unindex_children(e, ce);
        conn_entry_release(e, ce);
        return err;
    }
    ce->conn = conn_ref(c);
    c->serial = ++e->next_conn;
    list_add_tail(&e->conns, &ce->link);
    return E_OK;
}

bool conn_unload(struct ike *e, const char *name)
{
    struct conn_entry *ce = conn_entry_find(e, name);
    if (!ce || !ce->conn)
        return false;
    entry_clear(e, ce);
    conn_entry_release(e, ce);
    return true;
}

void conns_fini(struct ike *e)
{
    while (!list_empty(&e->conns)) {
        struct conn_entry *ce = container_of(e->conns.next, struct conn_entry, link);
        entry_clear(e, ce);
        conn_entry_release(e, ce);
    }
}

/* Narrower is better: an address 3, a range or subnet or name 2, %any 1. */
static int match_rank(struct ike *e, const struct addr_match *m, size_t n, const struct addr *a)
{
    int best = n ? 0 : 1;
    for (size_t i = 0; i < n; i++) {
        struct addr got;
        int rank = 0;
        if (m[i].host)
            rank = e->env.resolve && e->env.resolve(e->env.ctx, m[i].host, a->family, &got) &&
                           addr_eq(&got, a)
                       ? 3
                       : 0;
        else if (addr_match_has(&m[i], a))
            rank = !m[i].lo.family ? 1 : single(&m[i]) ? 3 : 2;
        if (rank > best)
            best = rank;
    }
    return best;
}

static int conn_rank(struct ike *e, const struct conn *c, const struct endpoint *local,
                     const struct endpoint *remote)
{
    int l = match_rank(e, c->local, c->local_count, &local->addr);
    int r = match_rank(e, c->remote, c->remote_count, &remote->addr);
    return l && r ? r * 4 + l : 0;
}

struct candidates {
    struct conn **out;
    int *rank;
    size_t n, max;
};

/* Keeps them sorted by rank, then in order of loading. */
static void add(struct candidates *cs, struct conn *c, int rank)
{
    size_t i = cs->n;
    while (i > 0 && (cs->rank[i - 1] < rank ||
                     (cs->rank[i - 1] == rank && cs->out[i - 1]->serial > c->serial)))
        i--;
    if (i >= cs->max)
        return;
    if (cs->n < cs->max)
        cs->n++;
    for (size_t k = cs->n - 1; k > i; k--) {
        cs->out[k] = cs->out[k - 1];
        cs->rank[k] = cs->rank[k - 1];
    }
    cs->out[i] = c;
    cs->rank[i] = rank;
}

static void try(struct ike *e, struct candidates *cs, struct conn_entry *ce,
                const struct endpoint *local, const struct endpoint *remote, uint8_t version)
{
    struct conn *c = ce->conn;
    if (c->version && c->version != version)
        return;
    int rank = conn_rank(e, c, local, remote);
    if (rank)
        add(cs, c, rank);
}

/* Some other address of the connection is the reason that it is on the other list as well. */
static bool tried(const struct candidates *cs, const struct conn *c)
{
    for (size_t i = 0; i < cs->n; i++)
        if (cs->out[i] == c)
            return true;
    return false;
}

static bool hashed_for(const struct conn_entry *ce, uint64_t h)
{
    for (size_t i = 0; i < ce->key_count; i++)
        if (ce->keys[i].hashed && ce->keys[i].node.h == h)
            return true;
    return false;
}

/* Connections of any address may be many, and are told apart by identity only later. */
static size_t at_most(const struct ike *e, uint64_t h)
{
    size_t n = 0;
    for (struct hash_node *k = hash_first(&e->remotes, h); k; k = hash_next(k))
        n++;
    list_each (it, (struct list *)&e->wild_conns)
        n++;
    return n < CANDIDATES_MAX ? n : CANDIDATES_MAX;
}

size_t conn_candidates(struct ike *e, const struct endpoint *local, const struct endpoint *remote,
                       uint8_t version, struct conn ***out)
{
    uint64_t h = remote_hash(e, &remote->addr);
    struct candidates cs = {.max = at_most(e, h)};
    *out = cs.out = cs.max ? ike_alloc(e, cs.max * sizeof *cs.out) : NULL;
    cs.rank = cs.out ? ike_alloc(e, cs.max * sizeof *cs.rank) : NULL;
    if (!cs.rank)
        return 0;
    for (struct hash_node *k = hash_first(&e->remotes, h); k; k = hash_next(k)) {
        struct conn_entry *ce = container_of(k, struct conn_key, node)->entry;
        if (!tried(&cs, ce->conn))
            try(e, &cs, ce, local, remote, version);
    }
    list_each (it, &e->wild_conns) {
        struct conn_entry *ce = container_of(it, struct conn_key, wild)->entry;
        if (!hashed_for(ce, h))
            try(e, &cs, ce, local, remote, version);
    }
    return cs.n;
}

/* Whom to call: the first that is one address, or resolves to one. */
bool conn_remote_addr(struct ike *e, const struct conn *c, struct addr *out)
{
    for (size_t i = 0; i < c->remote_count; i++) {
        const struct addr_match *m = &c->remote[i];
        if (single(m)) {
            *out = m->lo;
            return true;
        }
        if (m->host && e->env.resolve && e->env.resolve(e->env.ctx, m->host, 0, out))
            return true;
    }
    return false;
}

bool conn_local_addr(struct ike *e, const struct conn *c, const struct addr *remote,
                     struct addr *out)
{
    for (size_t i = 0; i < c->local_count; i++) {
        if (single(&c->local[i]) && c->local[i].lo.family == remote->family &&
            !addr_any(&c->local[i].lo)) {
            *out = c->local[i].lo;
            return true;
        }
    }
    return e->env.source_addr && e->env.source_addr(e->env.ctx, remote, out);
}

const struct conn *ike_conn_get(const struct ike *e, const char *name)
{
    struct conn_entry *ce = conn_entry_find(e, name);
    return ce ? ce->conn : NULL;
}

void ike_conn_each(const struct ike *e, ike_conn_fn *fn, void *ctx)
{
    list_each (it, (struct list *)&e->conns)
        fn(ctx, container_of(it, struct conn_entry, link)->conn);
}
