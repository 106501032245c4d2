/* Leases of virtual addresses: see lease.h. */
#include "ike/lease.h"
#include "ike/engine.h"
#include <stdlib.h>

/* --- leases --- */

static uint64_t id_hash(const struct lease_pool *p, const struct id *id)
{
    uint8_t key[ID_MAX + 1];
    return hash_of(&p->by_id, key, id_fold(id, key));
}

static bool is_of(const struct lease *l, const struct id *id)
{
    struct id has;
    return id_set(&has, l->id_type, bytes_of(l->id, l->id_len)) && id_eq(&has, id);
}

static struct lease *by_n(const struct lease_pool *p, uint32_t n)
{
    for (struct hash_node *h = hash_first(&p->by_n, hash_of(&p->by_n, &n, sizeof n)); h;
         h = hash_next(h)) {
        struct lease *l = container_of(h, struct lease, n_node);
        if (l->n == n)
            return l;
    }
    return NULL;
}

static void lease_free(struct lease *l)
{
    hash_del(&l->pool->by_id, &l->id_node);
    hash_del(&l->pool->by_n, &l->n_node);
    list_del(&l->all);
    list_del(&l->offline);
    l->pool->count--;
    free(l);
}

static struct lease *lease_new(struct ike *e, struct lease_pool *p, const struct id *who,
                               uint32_t n)
{
    struct lease *l = calloc(1, sizeof *l + who->len);
    if (!l || hash_add(&p->by_id, &l->id_node, id_hash(p, who))) {
        free(l);
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    if (hash_add(&p->by_n, &l->n_node, hash_of(&p->by_n, &n, sizeof n))) {
        hash_del(&p->by_id, &l->id_node);
        free(l);
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    l->pool = p;
    l->n = n;
    l->id_type = who->type;
    l->id_len = who->len;
    memcpy(l->id, who->data, who->len);
    list_init(&l->offline);
    list_add_tail(&p->leases, &l->all);
    p->count++;
    return l;
}

/* What this identity had: the wanted one, even if another SA of it is still there (renewing); else
 * one that nobody holds. */
static struct lease *former(const struct lease_pool *p, const struct id *who, bool wants,
                            uint32_t wanted)
{
    struct lease *free_one = NULL;
    for (struct hash_node *h = hash_first(&p->by_id, id_hash(p, who)); h; h = hash_next(h)) {
        struct lease *l = container_of(h, struct lease, id_node);
        if (!is_of(l, who))
            continue;
        if (wants && l->n == wanted)
            return l;
        if (!l->online)
            free_one = l;
    }
    return free_one;
}

static struct lease *fresh(struct ike *e, struct lease_pool *p, const struct id *who)
{
    while (p->fresh < p->conf->size && by_n(p, p->fresh))
        p->fresh++;
    return p->fresh < p->conf->size ? lease_new(e, p, who, p->fresh++) : NULL;
}

/* Somebody else's, who is away longest. */
static struct lease *stolen(struct ike *e, struct lease_pool *p, const struct id *who)
{
    if (list_empty(&p->offline))
        return NULL;
    struct lease *old = container_of(p->offline.next, struct lease, offline);
    uint32_t n = old->n;
    lease_free(old);
    return lease_new(e, p, who, n);
}

struct lease *lease_get(struct ike *e, struct lease_pool *p, const struct id *who,
                        const struct addr *wanted)
{
    uint32_t n = 0;
    bool wants = wanted && !addr_any(wanted) && addr_pool_has(p->conf, wanted, &n);
    struct lease *l = former(p, who, wants, n);
    if (!l && wants && !by_n(p, n))
        l = lease_new(e, p, who, n);
    if (!l)
        l = fresh(e, p, who);
    if (!l)
        l = stolen(e, p, who);
    if (!l)
        return NULL;
    p->online += l->online++ == 0;
    list_del(&l->offline);
    return l;
}

void lease_put(struct lease *l)
{
    if (--l->online)
        return;
    l->pool->online--;
    list_add_tail(&l->pool->offline, &l->offline);
}

struct addr lease_addr(const struct lease *l)
{
    return addr_pool_at(l->pool->conf, l->n);
}

/* --- pools --- */

struct lease_pool *pool_find(const struct ike *e, const char *name)
{
    list_each (it, (struct list *)&e->pools) {
        struct lease_pool *p = container_of(it, struct lease_pool, link);
        if (!strcmp(p->conf->name, name))
            return p;
    }
    return NULL;
}

static void pool_free(struct lease_pool *p)
{
    list_each_safe (it, nx, &p->leases)
        lease_free(container_of(it, struct lease, all));
    hash_fini(&p->by_id);
    hash_fini(&p->by_n);
    list_del(&p->link);
    addr_pool_free(p->conf);
    free(p);
}

static err_t pool_new(struct ike *e, struct addr_pool *conf)
{
    uint64_t key[2] = {ike_random_u64(e), ike_random_u64(e)};
    struct lease_pool *p = calloc(1, sizeof *p);
    if (!p || hash_init(&p->by_id, key) || hash_init(&p->by_n, key)) {
        if (p)
            hash_fini(&p->by_id);
        free(p);
        addr_pool_free(conf);
        return E_NOMEM;
    }
    p->conf = conf;
    list_init(&p->leases);
    list_init(&p->offline);
    list_add_tail(&e->pools, &p->link);
    return E_OK;
}

static bool same_addresses(const struct addr_pool *a, const struct addr_pool *b)
{
    return addr_eq(&a->base, &b->base) && a->first == b->first && a->size == b->size;
}

err_t pool_load(struct ike *e, struct addr_pool *conf)
{
    struct lease_pool *p = pool_find(e, conf->name);
    if (p && same_addresses(p->conf, conf)) { /* only what travellers are told has changed */
        addr_pool_free(p->conf);
        p->conf = conf;
        return E_OK;
    }
    if (p && p->online) {
        addr_pool_free(conf);
        return R_BUSY;
    }
    if (p)
        pool_free(p);
    return pool_new(e, conf);
}

err_t pool_unload(struct ike *e, const char *name)
{
    struct lease_pool *p = pool_find(e, name);
    if (!p)
        return R_NOT_FOUND;
    if (p->online)
        return R_BUSY;
    pool_free(p);
    return E_OK;
}

void pools_fini(struct ike *e)
{
    list_each_safe (it, nx, &e->pools)
        pool_free(container_of(it, struct lease_pool, link));
}

/* --- looking in --- */

static void info_of(const struct lease_pool *p, struct ike_pool_info *out)
{
    *out = (struct ike_pool_info){.conf = p->conf, .online = p->online, .known = p->count};
}

void ike_pool_each(const struct ike *e, ike_pool_fn *fn, void *ctx)
{
    list_each (it, (struct list *)&e->pools) {
        struct ike_pool_info info;
        info_of(container_of(it, struct lease_pool, link), &info);
        fn(ctx, &info);
    }
}

bool ike_pool_get(const struct ike *e, const char *name, struct ike_pool_info *out)
{
    const struct lease_pool *p = pool_find(e, name);
    if (p)
        info_of(p, out);
    return p != NULL;
}

void ike_lease_each(const struct ike *e, const char *pool, ike_lease_fn *fn, void *ctx)
{
    const struct lease_pool *p = pool_find(e, pool);
    if (!p)
        return;
    list_each (it, (struct list *)&p->leases) {
        const struct lease *l = container_of(it, struct lease, all);
        const struct addr a = lease_addr(l);
        struct id id = {0};
        if (id_set(&id, l->id_type, bytes_of(l->id, l->id_len)))
            fn(ctx, &a, &id, l->online > 0);
    }
}
