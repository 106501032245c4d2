/* VICI: load-pool, unload-pool, get-pools. Keys and texts are charon's. */
#include "daemon/core.h"
#include <stdio.h>

static bool has_online(struct core *c, const char *name)
{
    struct ike_pool_info p;
    return ike_pool_get(runner_engine(c->runner), name, &p) && p.online;
}

/* Other attributes may come any time; other addresses only while nobody has one of the old. */
static bool may_replace(struct core *c, const struct addr_pool *pool)
{
    struct ike_pool_info p;
    return !ike_pool_get(runner_engine(c->runner), pool->name, &p) || !p.online ||
           (addr_eq(&p.conf->base, &pool->base) && p.conf->size == pool->size);
}

err_t core_load_pool(struct core *c, struct addr_pool *pool, struct io_error *err)
{
    if (!may_replace(c, pool)) {
        snprintf(err->text, sizeof err->text, "vici pool %s has online leases, unable to replace",
                 pool->name);
        addr_pool_free(pool);
        return R_BUSY;
    }
    bool ok = runner_feed(c->runner, &(struct ike_in){.kind = IN_POOL_LOAD, .pool = pool});
    snprintf(err->text, sizeof err->text, "out of memory");
    return ok ? E_OK : E_NOMEM;
}

HANDLER(control_load_pool)
{
    struct core *c = ctx;
    struct diag d = {0};
    struct io_error err;
    struct addr_pool *pool = NULL;
    const struct vnode *sec = rq->msg->child;
    if (!sec || sec->kind != VN_SECTION || sec->next) {
        reply_no(rq->reply, "expected one section named like the pool");
        return;
    }
    if (config_pool_from_tree(sec, &pool, &d))
        reply_diag(rq->reply, &d, "");
    else if (core_load_pool(c, pool, &err))
        reply_no(rq->reply, "%s", err.text);
    else
        reply_ok(rq->reply);
    diag_free(&d);
}

HANDLER(control_unload_pool)
{
    struct core *c = ctx;
    struct ike_pool_info p;
    const char *name = vnode_get(rq->msg, "name");
    if (!name) {
        reply_no(rq->reply, "missing pool name to unload");
    } else if (!ike_pool_get(runner_engine(c->runner), name, &p)) {
        reply_no(rq->reply, "%s not found", name);
    } else if (has_online(c, name)) {
        reply_no(rq->reply, "%s has online leases, unable to unload", name);
    } else {
        runner_feed(c->runner, &(struct ike_in){.kind = IN_POOL_UNLOAD, .pool_name = name});
        reply_ok(rq->reply);
    }
}

/* --- get-pools --- */

struct get {
    const struct ike *engine;
    struct vnode *to;
    const char *name;
    bool leases;
    unsigned index;
};

static void each_lease(void *ctx, const struct addr *a, const struct id *who, bool online)
{
    struct get *g = ctx;
    char s[ADDR_STR_MAX], index[16];
    struct buf id = {0};
    snprintf(index, sizeof index, "%u", g->index++);
    struct vnode *at = vnode_section(g->to, index);
    id_print(who, &id);
    vnode_value(at, "address", addr_str(a, s));
    vnode_value(at, "identity", buf_str(&id));
    vnode_value(at, "status", online ? "online" : "offline");
    buf_free(&id);
}

static void each_pool(void *ctx, const struct ike_pool_info *p)
{
    const struct get *g = ctx;
    char s[ADDR_STR_MAX];
    if (g->name && strcmp(g->name, p->conf->name) != 0)
        return;
    struct vnode *at = vnode_section(g->to, p->conf->name);
    vnode_value(at, "base", addr_str(&p->conf->base, s));
    vnode_valuef(at, "size", "%u", p->conf->size);
    vnode_valuef(at, "online", "%zu", p->online);
    vnode_valuef(at, "offline", "%zu", p->known - p->online);
    if (!g->leases)
        return;
    struct get inner = {.engine = g->engine, .to = vnode_section(at, "leases")};
    ike_lease_each(g->engine, p->conf->name, each_lease, &inner);
}

HANDLER(control_get_pools)
{
    struct core *c = ctx;
    struct get g = {.engine = runner_engine(c->runner),
                    .to = rq->reply,
                    .name = vnode_get(rq->msg, "name"),
                    .leases = vnode_get_bool(rq->msg, "leases")};
    ike_pool_each(g.engine, each_pool, &g);
}
