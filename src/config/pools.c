/*
 * Pools of virtual addresses: a section of a file's pools { }, or the one section of VICI's
 * load-pool. Every key but addrs is an attribute: a word of swanctl.conf(5) or a number.
 */
#include "config/schema.h"

static void bad_attr(struct cx *cx, const struct vnode *n, const char *word, err_t err)
{
    if (err == E_NOMEM)
        cx->d->nomem = true;
    else if (err == R_NOT_FOUND)
        cx_unknown_key(cx, SC_POOL, n);
    else if (err == R_TOO_MANY)
        cx_report(cx, DIAG_ERROR, n, word, "more than a pool has room for");
    else
        cx_report(cx, DIAG_ERROR, n, word, "not a value for %s", n->name);
}

static void attribute(struct cx *cx, const struct vnode *n, struct addr_pool *p)
{
    err_t err = E_OK;
    struct items it = items_of(n);
    if (n->name[0] >= '0' && n->name[0] <= '9' && n->kind == VN_VALUE) { /* text, commas and all */
        err = addr_pool_attr(p, n->name, n->value);
        if (err)
            bad_attr(cx, n, n->value, err);
        return;
    }
    for (const char *w; !err && (w = items_next(&it));) {
        err = it.too_long ? R_CONFIG_VALUE : addr_pool_attr(p, n->name, w);
        if (err)
            bad_attr(cx, n, w, err);
    }
}

static void addresses(struct cx *cx, const struct vnode *n, struct addr_pool *p)
{
    const char *text = n->kind == VN_VALUE ? n->value : NULL;
    const struct vnode *only = n->kind == VN_LIST ? n->child : NULL;
    if (only && !only->next)
        text = only->value;
    if (!text || !addr_pool_parse(p, text))
        cx_report(cx, DIAG_ERROR, n, text,
                  "expected one subnet or range, such as 10.9.0.0/24 or 10.9.0.10-10.9.0.90");
}

err_t config_pool_from_tree(const struct vnode *sec, struct addr_pool **out, struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    struct addr_pool *p = addr_pool_new(sec->name);
    *out = NULL;
    if (!p)
        return E_NOMEM;
    for (const struct vnode *n = sec->child; n; n = n->next) {
        if (n->kind == VN_SECTION)
            cx_report(&cx, DIAG_ERROR, n, n->name, "a pool has no sections");
        else if (!strcmp(n->name, "addrs"))
            addresses(&cx, n, p);
        else
            attribute(&cx, n, p);
    }
    if (!p->size && d->errors == before)
        cx_report(&cx, DIAG_ERROR, sec, sec->name, "missing addrs");
    if (d->errors == before && !d->nomem) {
        *out = p;
        return E_OK;
    }
    addr_pool_free(p);
    return d->nomem ? E_NOMEM : R_CONFIG_VALUE;
}
