/*
 * A whole configuration: every section of the tree to its reader, all or nothing, and the report of
 * `culvert check`. Called by culvertd at start and on reload, and by the command.
 */
#include "config/creds.h"
#include <stdlib.h>

static const char *const top_sections[] = {"connections", "secrets", "pools",
                                           "authorities", "sas",     "culvertd"};

/* The list with room for one more: doubled at each power of two. NULL: no memory, list untouched.
 */
static void *grown(struct cx *cx, void *list, size_t count, size_t size)
{
    if (count & (count - 1))
        return list;
    void *bigger = realloc(list, (count ? count * 2 : 1) * size);
    if (!bigger)
        cx->d->nomem = true;
    return bigger;
}

static bool is_section(struct cx *cx, const struct vnode *n, const char *what)
{
    if (n->kind == VN_SECTION)
        return true;
    cx_report(cx, DIAG_ERROR, n, n->name, "expected %s: NAME { ... }", what);
    return false;
}

static void load_conns(struct cx *cx, const struct vnode *sec, struct config *out)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        struct conn *c;
        if (!is_section(cx, n, "a connection's section") ||
            config_conn_from_tree(n, &c, cx->d) != E_OK)
            continue;
        struct conn **list = grown(cx, out->conn, out->conn_count, sizeof *list);
        if (!list) {
            conn_unref(c);
            return;
        }
        out->conn = list;
        out->conn[out->conn_count++] = c;
    }
}

static void load_secrets(struct cx *cx, const struct vnode *sec, struct config *out)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        struct shared *s;
        if (!is_section(cx, n, "a secret's section") ||
            config_shared_from_tree(n, &s, cx->d) != E_OK || !s)
            continue;
        struct shared **list = grown(cx, out->shared, out->shared_count, sizeof *list);
        if (!list) {
            shared_free(s);
            return;
        }
        out->shared = list;
        out->shared[out->shared_count++] = s;
    }
}

static void load_manual(struct cx *cx, const struct vnode *sec, struct config *out)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        struct manual_sa *m;
        if (!is_section(cx, n, "an SA's section") || config_manual_from_tree(n, &m, cx->d) != E_OK)
            continue;
        struct manual_sa **list = grown(cx, out->manual, out->manual_count, sizeof *list);
        if (!list) {
            manual_sa_free(m);
            return;
        }
        out->manual = list;
        out->manual[out->manual_count++] = m;
    }
}

static void load_authorities(struct cx *cx, const struct vnode *sec, struct config *out)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        struct config_authority *a;
        if (!is_section(cx, n, "an authority's section") ||
            config_authority_from_tree(n, &a, cx->d) != E_OK)
            continue;
        struct config_authority **list =
            grown(cx, out->authority, out->authority_count, sizeof *list);
        if (!list) {
            config_authority_free(a);
            return;
        }
        out->authority = list;
        out->authority[out->authority_count++] = a;
    }
}

static void load_pools(struct cx *cx, const struct vnode *sec, struct config *out)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        struct addr_pool *p;
        if (!is_section(cx, n, "a pool's section") || config_pool_from_tree(n, &p, cx->d) != E_OK)
            continue;
        struct addr_pool **list = grown(cx, out->pool, out->pool_count, sizeof *list);
        if (!list) {
            addr_pool_free(p);
            return;
        }
        out->pool = list;
        out->pool[out->pool_count++] = p;
    }
}

/* Sections that others inherit from carry a value: see config_read_file. */
static void other_section(struct cx *cx, const struct vnode *n)
{
    size_t count = sizeof top_sections / sizeof *top_sections;
    if (n->kind != VN_SECTION)
        cx_report(cx, DIAG_ERROR, n, n->name, "expected a section: connections, secrets, culvertd");
    else if (!n->value && nearest(n->name, top_sections, count))
        cx_unknown_section(cx, n, top_sections, count);
    else if (!n->value)
        cx_report(cx, DIAG_WARNING, n, n->name, "nothing refers to this section; it is not used");
}

static void load_section(struct cx *cx, const struct vnode *n, struct config *out)
{
    bool section = n->kind == VN_SECTION;
    if (section && !strcmp(n->name, "connections"))
        load_conns(cx, n, out);
    else if (section && !strcmp(n->name, "secrets"))
        load_secrets(cx, n, out);
    else if (section && !strcmp(n->name, "pools"))
        load_pools(cx, n, out);
    else if (section && !strcmp(n->name, "authorities"))
        load_authorities(cx, n, out);
    else if (section && !strcmp(n->name, "sas"))
        load_manual(cx, n, out);
    else if (section && !strcmp(n->name, "culvertd"))
        daemon_from_tree(cx, n, &out->daemon);
    else
        other_section(cx, n);
}

/* A connection on a port where nobody listens would wait forever. */
static void check_ports(struct cx *cx, const struct vnode *tree, const struct config *c)
{
    const struct vnode *conns = vnode_find(tree, "connections");
    for (size_t i = 0; i < c->conn_count; i++) {
        uint16_t p = c->conn[i]->local_port;
        const struct vnode *sec = vnode_find(conns, c->conn[i]->name);
        if (p == 500 || p == c->daemon.port || p == c->daemon.port_natt || !sec)
            continue;
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "local_port"), vnode_get(sec, "local_port"),
                  "culvertd listens on %u and %u only; see port and port_nat_t of culvertd { }",
                  c->daemon.port, c->daemon.port_natt);
    }
}

static bool has_pool(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->pool_count; i++)
        if (!strcmp(c->pool[i]->name, name))
            return true;
    return false;
}

static void check_pools(struct cx *cx, const struct vnode *tree, const struct config *c)
{
    const struct vnode *conns = vnode_find(tree, "connections");
    for (size_t i = 0; i < c->conn_count; i++) {
        const struct vnode *sec = vnode_find(conns, c->conn[i]->name);
        for (size_t k = 0; sec && k < c->conn[i]->pool_count; k++)
            if (!has_pool(c, c->conn[i]->pool[k]))
                cx_report(cx, DIAG_WARNING, key_or_section(sec, "pools"), c->conn[i]->pool[k],
                          "there is no such section in pools { }");
    }
}

err_t config_from_tree(const struct vnode *tree, struct config *out, struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    *out = (struct config){0};
    config_daemon_default(&out->daemon);
    for (const struct vnode *n = tree->child; n; n = n->next)
        load_section(&cx, n, out);
    check_ports(&cx, tree, out);
    check_pools(&cx, tree, out);
    check_alike(&cx, tree, out);
    check_ifaces(&cx, tree, out);
    if (d->errors == before && !d->nomem)
        creds_load(&cx, tree, out);
    if (d->errors == before && !d->nomem)
        return E_OK;
    config_free(out);
    return d->nomem ? E_NOMEM : R_CONFIG_VALUE;
}

err_t config_load(const char *path, struct config *out, struct diag *d)
{
    struct vnode *tree;
    *out = (struct config){0};
    err_t e = config_read_file(path, &tree, d);
    if (e)
        return e;
    e = config_from_tree(tree, out, d);
    vnode_free(tree);
    return e;
}

void config_free(struct config *c)
{
    for (size_t i = 0; i < c->conn_count; i++)
        conn_unref(c->conn[i]);
    for (size_t i = 0; i < c->shared_count; i++)
        shared_free(c->shared[i]);
    for (size_t i = 0; i < c->manual_count; i++)
        manual_sa_free(c->manual[i]);
    for (size_t i = 0; i < c->authority_count; i++)
        config_authority_free(c->authority[i]);
    pki_build_free(c->pki);
    free(c->authority);
    for (size_t i = 0; i < c->pool_count; i++)
        addr_pool_free(c->pool[i]);
    free(c->conn);
    free(c->shared);
    free(c->manual);
    free(c->pool);
    *c = (struct config){0};
}

/* --- culvert check --- */

static void check_text(const char *path, const struct diag *d, const struct config *c,
                       struct buf *out)
{
    diag_print(d, out);
    if (d->errors)
        buf_printf(out, "%s: refused: %zu error%s, %zu warning%s\n", path, d->errors,
                   d->errors == 1 ? "" : "s", d->warnings, d->warnings == 1 ? "" : "s");
    else
        buf_printf(out, "%s: fine: %zu connection%s, %zu secret%s, %zu warning%s\n", path,
                   c->conn_count, c->conn_count == 1 ? "" : "s", c->shared_count,
                   c->shared_count == 1 ? "" : "s", d->warnings, d->warnings == 1 ? "" : "s");
}

static void check_tree(const char *path, const struct diag *d, const struct config *c,
                       struct vnode *out)
{
    vnode_value(out, "file", path);
    vnode_value(out, "ok", d->errors ? "no" : "yes");
    vnode_valuef(out, "errors", "%zu", d->errors);
    vnode_valuef(out, "warnings", "%zu", d->warnings);
    vnode_valuef(out, "connections", "%zu", c->conn_count);
    vnode_valuef(out, "secrets", "%zu", c->shared_count);
    diag_tree(d, vnode_section(out, "reports"));
}

err_t config_check_file(const char *path, struct buf *report_text, struct vnode *report_tree)
{
    struct diag d = {0};
    struct config c;
    err_t e = config_load(path, &c, &d);
    if (report_text)
        check_text(path, &d, &c, report_text);
    if (report_tree)
        check_tree(path, &d, &c, report_tree);
    if (e == E_OK && ((report_text && report_text->err) || d.nomem))
        e = E_NOMEM;
    config_free(&c);
    diag_free(&d);
    return e;
}
