/*
 * Configuration into the running daemon: the file at start and on reload, connections and secrets
 * one by one from VICI. A file is taken whole or not at all.
 */
#include "daemon/suites.h"
#include <stdio.h>
#include <stdlib.h>

static void want_names(struct core *c, const struct addr_match *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m[i].host)
            names_want(c->names, m[i].host);
}

static bool names_pending(const struct core *c, const struct addr_match *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m[i].host && !names_known(c->names, m[i].host))
            return true;
    return false;
}

static void start_children(struct core *c, const struct conn *conn)
{
    for (size_t i = 0; i < conn->child_count; i++) {
        const struct conn_child *ch = &conn->child[i];
        if ((ch->start_action & START_START) && ch->policy == CHILD_PROTECT)
            runner_feed(c->runner, &(struct ike_in){
                                       .kind = IN_INITIATE, .conn = conn->name, .child = ch->name});
    }
}

/* A connection whose peer has a name starts when the name is known: core_name_ready. */
static void start_or_wait(struct core *c, const struct conn *conn)
{
    want_names(c, conn->remote, conn->remote_count);
    want_names(c, conn->local, conn->local_count);
    if (!names_pending(c, conn->remote, conn->remote_count) &&
        !names_pending(c, conn->local, conn->local_count))
        start_children(c, conn);
}

static bool mentions(const struct addr_match *m, size_t n, const char *host)
{
    for (size_t i = 0; i < n; i++)
        if (m[i].host && !strcmp(m[i].host, host))
            return true;
    return false;
}

struct ready_ctx {
    struct core *c;
    const char *host;
    struct conn *found[64];
    size_t n;
};

static void collect_waiting(void *ctx, const struct conn *conn)
{
    struct ready_ctx *x = ctx;
    if (x->n < sizeof x->found / sizeof *x->found &&
        (mentions(conn->remote, conn->remote_count, x->host) ||
         mentions(conn->local, conn->local_count, x->host)))
        x->found[x->n++] = conn_ref((struct conn *)(uintptr_t)conn);
}

void core_name_ready(void *ctx, const char *host)
{
    struct ready_ctx x = {.c = ctx, .host = host};
    ike_conn_each(runner_engine(x.c->runner), collect_waiting, &x);
    for (size_t i = 0; i < x.n; i++) {
        start_or_wait(x.c, x.found[i]);
        conn_unref(x.found[i]);
    }
}

/* The engine still has the old ones: their rows come back, for what runs keeps running. */
static void rows_back(struct core *c, struct conn *const *conn, size_t n)
{
    struct io_error err;
    for (size_t i = 0; i < n; i++) {
        const struct conn *old = ike_conn_get(runner_engine(c->runner), conn[i]->name);
        if (!old)
            policies_conn_unload(c->pol, conn[i]->name);
        else if (policies_conn_load(c->pol, old, &err))
            core_say(c, EV_DAEMON_ERROR, old->name, err.text);
    }
    core_settle(c);
}

static err_t conn_check(struct core *c, const struct conn *conn, struct io_error *err)
{
    err_t e = suites_check(conn, err);
    return e ? e : policies_conn_check(c->pol, conn, err);
}

/* Before it is used for the first time. */
static bool feed(struct core *c, struct conn *conn)
{
    suites_prepare(conn);
    suites_tell(c);
    return runner_feed(c->runner, &(struct ike_in){.kind = IN_CONN_LOAD, .load = conn});
}

/*
 * All are checked, then all get their rows, then these are applied at once: the guard that stood
 * before, perhaps that of a daemon which was killed, never makes way for a part of the new one.
 */
static err_t set_rows(struct core *c, struct conn *const *conn, size_t n, struct io_error *err)
{
    err_t e = E_OK;
    snprintf(err->text, sizeof err->text, "out of memory");
    for (size_t i = 0; i < n && !e; i++)
        e = conn_check(c, conn[i], err);
    if (e)
        return e;
    for (size_t i = 0; i < n && !e; i++)
        e = policies_conn_load(c->pol, conn[i], err);
    if (!e)
        e = policies_apply(c->pol, err);
    if (e)
        rows_back(c, conn, n);
    return e;
}

static void keep_iface(void *ctx, const struct conn *conn)
{
    ifaces_keep(ctx, conn);
}

/* Interfaces that no loaded connection names any more go. */
static void settle_ifaces(struct core *c)
{
    ifaces_begin(c->ifaces);
    ike_conn_each(runner_engine(c->runner), keep_iface, c->ifaces);
    ifaces_end(c->ifaces);
}

static err_t take_conn(struct core *c, struct conn *conn, struct io_error *err)
{
    err_t e = ifaces_need(c->ifaces, conn, err);
    if (!e)
        e = set_rows(c, &conn, 1, err);
    if (!e && !feed(c, conn))
        e = E_NOMEM;
    return e;
}

err_t core_load_conn(struct core *c, struct conn *conn, struct io_error *err)
{
    const struct conn *loaded = ike_conn_get(runner_engine(c->runner), conn->name);
    struct conn *old = loaded ? conn_ref((struct conn *)(uintptr_t)loaded) : NULL;
    err_t e = creds_conn_load(c->creds, conn);
    if (e) {
        snprintf(err->text, sizeof err->text, "the certificates it names: %s", err_text(e));
    } else {
        e = take_conn(c, conn, err);
        creds_conn_unload(c->creds, e ? conn : old);
    }
    settle_ifaces(c);
    if (!e)
        start_or_wait(c, conn);
    conn_unref(old);
    conn_unref(conn);
    return e;
}

static err_t unload_conn(struct core *c, const char *name)
{
    if (!ike_conn_get(runner_engine(c->runner), name))
        return R_NOT_FOUND;
    policies_conn_unload(c->pol, name);
    runner_feed(c->runner, &(struct ike_in){.kind = IN_CONN_UNLOAD, .conn = name});
    settle_ifaces(c);
    return E_OK;
}

err_t core_unload_conn(struct core *c, const char *name)
{
    const struct conn *loaded = ike_conn_get(runner_engine(c->runner), name);
    struct conn *old = loaded ? conn_ref((struct conn *)(uintptr_t)loaded) : NULL;
    err_t e = unload_conn(c, name);
    creds_conn_unload(c->creds, old);
    conn_unref(old);
    return e;
}

void core_load_shared(struct core *c, struct shared *s)
{
    runner_feed(c->runner, &(struct ike_in){.kind = IN_SHARED_LOAD, .shared = s});
}

/* --- the whole file --- */

struct name_list {
    char **v;
    size_t n, cap;
};

static void name_add(struct name_list *l, const char *name)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        char **v = realloc(l->v, cap * sizeof *v);
        if (!v)
            return;
        l->v = v;
        l->cap = cap;
    }
    char *copy = strdup(name);
    if (copy)
        l->v[l->n++] = copy;
}

static void names_drop(struct name_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
}

static void each_conn_name(void *ctx, const struct conn *c)
{
    name_add(ctx, c->name);
}

static void each_shared_name(void *ctx, const char *name)
{
    name_add(ctx, name);
}

static bool in_config(const struct config *cf, const char *name)
{
    for (size_t i = 0; i < cf->conn_count; i++)
        if (!strcmp(cf->conn[i]->name, name))
            return true;
    return false;
}

static size_t unload_missing(struct core *c, const struct config *cf)
{
    struct name_list l = {0};
    size_t gone = 0;
    ike_conn_each(runner_engine(c->runner), each_conn_name, &l);
    for (size_t i = 0; i < l.n; i++)
        if (!in_config(cf, l.v[i]) &&
            unload_conn(c, l.v[i]) == E_OK) /* their certificates went before */
            gone++;
    names_drop(&l);
    return gone;
}

static bool secret_in_config(const struct config *cf, const char *name)
{
    for (size_t i = 0; i < cf->shared_count; i++)
        if (cf->shared[i] && !strcmp(cf->shared[i]->name, name))
            return true;
    return false;
}

static void replace_secrets(struct core *c, struct config *cf)
{
    struct name_list l = {0};
    ike_shared_each(runner_engine(c->runner), each_shared_name, &l);
    for (size_t i = 0; i < l.n; i++)
        if (!secret_in_config(cf, l.v[i]))
            runner_feed(c->runner,
                        &(struct ike_in){.kind = IN_SHARED_UNLOAD, .shared_name = l.v[i]});
    names_drop(&l);
    for (size_t i = 0; i < cf->shared_count; i++) {
        struct shared *s = cf->shared[i];
        cf->shared[i] = NULL;
        if (s)
            core_load_shared(c, s);
    }
}

static bool any_running(const struct core *c)
{
    struct name_list l = {0};
    ike_conn_each(runner_engine(c->runner), each_conn_name, &l);
    bool any = l.n > 0;
    names_drop(&l);
    return any;
}

/* At the daemon's start the others are better than none: one that has no policy stays out. */
static err_t leave_out(struct core *c, struct config *cf, struct diag *d)
{
    struct io_error err = {"out of memory"};
    err_t worst = E_OK;
    size_t kept = 0;
    for (size_t i = 0; i < cf->conn_count; i++) {
        struct conn *conn = cf->conn[i];
        err_t e = conn_check(c, conn, &err);
        if (e) {
            worst = e;
            diag_add(d, DIAG_ERROR, NULL, "", NULL, "%s", err.text);
            creds_drop_conn(cf->pki, conn);
            conn_unref(conn);
        } else {
            cf->conn[kept++] = conn;
        }
    }
    cf->conn_count = kept;
    return worst;
}

static void take_manual(struct core *c, struct config *cf)
{
    struct io_error err;
    manual_keep(c->manual, cf->manual, cf->manual_count);
    for (size_t i = 0; i < cf->manual_count; i++) {
        struct manual_sa *sa = cf->manual[i];
        cf->manual[i] = NULL;
        err_t e = manual_load(c->manual, sa, true, &err);
        if (e || err.text[0])
            core_say(c, e ? EV_DAEMON_ERROR : EV_CONFIG_WARNING, NULL, err.text);
    }
}

static bool pool_in_config(const struct config *cf, const char *name)
{
    for (size_t i = 0; i < cf->pool_count; i++)
        if (cf->pool[i] && !strcmp(cf->pool[i]->name, name))
            return true;
    return false;
}

static void each_pool_name(void *ctx, const struct ike_pool_info *p)
{
    name_add(ctx, p->conf->name);
}

/* A pool whose addresses are in use stays as it is, which is logged. */
static void take_pools(struct core *c, struct config *cf)
{
    struct io_error err;
    struct name_list l = {0};
    ike_pool_each(runner_engine(c->runner), each_pool_name, &l);
    for (size_t i = 0; i < l.n; i++)
        if (!pool_in_config(cf, l.v[i]))
            runner_feed(c->runner, &(struct ike_in){.kind = IN_POOL_UNLOAD, .pool_name = l.v[i]});
    names_drop(&l);
    for (size_t i = 0; i < cf->pool_count; i++) {
        struct addr_pool *p = cf->pool[i];
        cf->pool[i] = NULL;
        if (core_load_pool(c, p, &err))
            core_say(c, EV_CONFIG_WARNING, NULL, err.text);
    }
}

static err_t take_config(struct core *c, struct config *cf, size_t *loaded, size_t *unloaded)
{
    err_t e = creds_replace(c->creds, cf);
    replace_secrets(c, cf);
    take_pools(c, cf);
    for (size_t i = 0; i < cf->conn_count && !e; i++) {
        e = feed(c, cf->conn[i]) ? E_OK : E_NOMEM;
        *loaded += !e;
    }
    take_manual(c, cf);
    *unloaded = unload_missing(c, cf); /* last: another may have taken over its traffic */
    for (size_t i = 0; i < *loaded; i++)
        start_or_wait(c, cf->conn[i]);
    return e;
}

static err_t need_ifaces(struct core *c, struct config *cf, struct io_error *err)
{
    err_t e = E_OK;
    for (size_t i = 0; i < cf->conn_count && !e; i++)
        e = ifaces_need(c->ifaces, cf->conn[i], err);
    return e;
}

/* What only a start of the daemon takes over must not look as if it were taken. */
static void warn_settings(const struct core *c, const struct config *cf, struct diag *d)
{
    struct buf keys = {0};
    config_daemon_changes(&c->set, &cf->daemon, &keys);
    if (keys.n)
        diag_add(d, DIAG_WARNING, NULL, "culvertd", NULL,
                 "not as when culvertd started, and without effect until it starts again: %s",
                 buf_str(&keys));
    buf_free(&keys);
}

err_t core_load_file(struct core *c, struct diag *d, size_t *loaded, size_t *unloaded)
{
    struct config cf = {0};
    struct io_error err;
    *loaded = *unloaded = 0;
    err_t e = config_load(c->config_path, &cf, d);
    if (e)
        return e;
    (void)policies_look(c->pol);
    if (policies_restore(c->pol, &err) || ifaces_restore(c->ifaces, &err))
        core_say(c, EV_DAEMON_ERROR, NULL, err.text);
    err_t left_out = any_running(c) ? E_OK : leave_out(c, &cf, d);
    e = need_ifaces(c, &cf, &err);
    if (!e)
        e = set_rows(c, cf.conn, cf.conn_count, &err);
    if (e)
        diag_add(d, DIAG_ERROR, NULL, "", NULL, "%s", err.text);
    else
        e = take_config(c, &cf, loaded, unloaded);
    settle_ifaces(c);
    warn_settings(c, &cf, d);
    config_free(&cf);
    return e ? e : left_out;
}
