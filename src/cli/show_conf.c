/*
 * The screens of loaded connections, installed policies and plain answers. Names are those of
 * VICI's list-conn and list-policy events. Called by run_show.c.
 */
#include "cli/cli.h"

static void every(const struct screen *s, const struct vnode *in, const char *key, const char *what)
{
    const char *v = vnode_get(in, key);
    if (!v || !strcmp(v, "0")) {
        buf_printf(s->out, "no %s", what);
        return;
    }
    buf_printf(s->out, "%s every ", what);
    screen_seconds(s->out, v);
}

static void limit(const struct screen *s, const struct vnode *c, const char *key, const char *unit)
{
    const char *v = vnode_get(c, key);
    if (v && strcmp(v, "0"))
        buf_printf(s->out, " or %s %s", v, unit);
}

/* local-1, remote-1, ...: who and how */
static void ends(const struct screen *s, const struct vnode *conn)
{
    for (const struct vnode *n = conn->child; n; n = n->next) {
        bool local = !strncmp(n->name, "local-", 6), remote = !strncmp(n->name, "remote-", 7);
        if (n->kind != VN_SECTION || (!local && !remote))
            continue;
        const char *id = vnode_get(n, "id"), *class = vnode_get(n, "class");
        buf_printf(s->out, "  %-7s %s, %s\n", local ? "local" : "remote", id ? id : "any identity",
                   class ? class : "authentication not specified");
    }
}

static void child(const struct screen *s, const struct vnode *c)
{
    const char *mode = screen_get(c, "mode");
    buf_puts(s->out, "  ");
    screen_tint(s, TINT_BOLD, c->name);
    buf_printf(s->out, "  %s  ", mode);
    screen_list(s->out, vnode_find(c, "local-ts"));
    buf_puts(s->out, " === ");
    screen_list(s->out, vnode_find(c, "remote-ts"));
    buf_puts(s->out, "\n");
    if (!strcmp(mode, "PASS") || !strcmp(mode, "DROP"))
        return;
    buf_puts(s->out, "    ");
    every(s, c, "rekey_time", "rekeying");
    limit(s, c, "rekey_bytes", "bytes");
    limit(s, c, "rekey_packets", "packets");
    buf_printf(s->out, ", on a dead peer: %s, when closed: %s\n", screen_get(c, "dpd_action"),
               screen_get(c, "close_action"));
}

static void conn(const struct screen *s, const struct vnode *n)
{
    screen_tint(s, TINT_BOLD, n->name);
    buf_printf(s->out, "  %s  ", screen_get(n, "version"));
    screen_list(s->out, vnode_find(n, "local_addrs"));
    buf_puts(s->out, " ... ");
    screen_list(s->out, vnode_find(n, "remote_addrs"));
    buf_puts(s->out, "\n");
    ends(s, n);
    buf_puts(s->out, "  times   ");
    every(s, n, "rekey_time", "rekeying");
    buf_puts(s->out, ", ");
    every(s, n, "reauth_time", "reauthentication");
    buf_puts(s->out, ", ");
    every(s, n, "dpd_delay", "liveness check");
    buf_puts(s->out, "\n");
    const struct vnode *children = vnode_find(n, "children");
    for (const struct vnode *c = children ? children->child : NULL; c; c = c->next)
        child(s, c);
}

void show_conns(const struct screen *s, const struct vnode *root)
{
    if (!root->child)
        buf_puts(s->out, "no connections\n");
    for (const struct vnode *n = root->child; n; n = n->next) {
        conn(s, n);
        buf_puts(s->out, n->next ? "\n" : "");
    }
}

/* Columns as wide as their widest word, by key; NULL: the section's own name. */
static size_t column(const struct vnode *root, const char *key)
{
    size_t w = 0;
    for (const struct vnode *n = root->child; n; n = n->next) {
        size_t len = strlen(key ? screen_get(n, key) : n->name);
        w = len > w ? len : w;
    }
    return w;
}

void show_policies(const struct screen *s, const struct vnode *root)
{
    size_t name = column(root, NULL), mode = column(root, "mode");
    if (!root->child)
        buf_puts(s->out, "no policies\n");
    for (const struct vnode *n = root->child; n; n = n->next) {
        screen_pad(s, TINT_BOLD, n->name, name + 2);
        screen_pad(s, TINT_NONE, screen_get(n, "mode"), mode + 2);
        screen_list(s->out, vnode_find(n, "local-ts"));
        buf_puts(s->out, " === ");
        screen_list(s->out, vnode_find(n, "remote-ts"));
        buf_puts(s->out, "\n");
    }
}

/* road  10.9.0.0  2 of 254 in use, 1 kept
 *   10.9.0.1  online   alice */
static void pool(const struct screen *s, const struct vnode *n)
{
    const struct vnode *leases = vnode_find(n, "leases");
    screen_tint(s, TINT_BOLD, n->name);
    buf_printf(s->out, "  %s  %s of %s in use, %s kept for their owners\n", screen_get(n, "base"),
               screen_get(n, "online"), screen_get(n, "size"), screen_get(n, "offline"));
    if (!leases)
        return;
    size_t address = column(leases, "address");
    for (const struct vnode *l = leases->child; l; l = l->next) {
        const char *status = screen_get(l, "status");
        buf_puts(s->out, "  ");
        screen_pad(s, TINT_NONE, screen_get(l, "address"), address + 2);
        screen_pad(s, strcmp(status, "online") ? TINT_DIM : TINT_GOOD, status, 9);
        buf_printf(s->out, "%s\n", screen_get(l, "identity"));
    }
}

void show_pools(const struct screen *s, const struct vnode *root)
{
    if (!root->child)
        buf_puts(s->out, "no pools\n");
    for (const struct vnode *n = root->child; n; n = n->next)
        pool(s, n);
}

static void tree_at(const struct screen *s, const struct vnode *in, int depth)
{
    size_t w = 0;
    for (const struct vnode *n = in->child; n; n = n->next)
        if (n->kind != VN_SECTION && strlen(n->name) > w)
            w = strlen(n->name);
    for (const struct vnode *n = in->child; n; n = n->next) {
        buf_printf(s->out, "%*s", 2 * depth, "");
        if (n->kind == VN_SECTION) {
            screen_tint(s, TINT_BOLD, n->name);
            buf_puts(s->out, "\n");
            tree_at(s, n, depth + 1);
            continue;
        }
        screen_pad(s, TINT_NONE, n->name, w + 2);
        if (n->kind == VN_LIST)
            screen_list(s->out, n);
        else
            buf_puts(s->out, n->value);
        buf_puts(s->out, "\n");
    }
}

void show_tree(const struct screen *s, const struct vnode *root)
{
    tree_at(s, root, 0);
}
