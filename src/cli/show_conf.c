/*
 * The screens of loaded connections, installed policies and plain answers. Names are those of
 * VICI's list-conn and list-policy events. Called by run_show.c.
 */
#include "cli/cli.h"
#include <stdlib.h>

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

/* "what VALUE" for each that the daemon tells, in one line. */
struct setting {
    const char *key, *what;
};

static void settings_line(const struct screen *s, const struct vnode *n, const struct setting *set,
                          size_t count, const char *before)
{
    const char *sep = before;
    for (size_t i = 0; i < count; i++) {
        const char *v = vnode_get(n, set[i].key);
        if (!v)
            continue;
        buf_printf(s->out, "%s%s %s", sep, set[i].what, v);
        sep = ", ";
    }
    buf_puts(s->out, sep == before ? "" : "\n");
}

static void settings(const struct screen *s, const struct vnode *c)
{
    static const struct setting set[] = {{"interface", "interface"},
                                         {"priority", "priority"},
                                         {"start_action", "at the start:"},
                                         {"replay_window", "replay window"},
                                         {"esp_proposals", "proposals"}};
    settings_line(s, c, set, sizeof set / sizeof *set, "    ");
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
    settings(s, c);
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
    static const struct setting suite = {"proposals", "suite  "};
    settings_line(s, n, &suite, 1, "  ");
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

/* As packets meet them: the lower rank first, of equal ones as the daemon has them. */
struct ranked {
    unsigned long long rank;
    size_t at;
    const struct vnode *policy;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank)
                              : (x->at > y->at) - (x->at < y->at);
}

static size_t rank_all(const struct vnode *root, struct ranked **out)
{
    size_t n = 0;
    for (const struct vnode *p = root->child; p; p = p->next)
        n++;
    struct ranked *r = calloc(n + 1, sizeof *r);
    size_t i = 0;
    for (const struct vnode *p = root->child; p && r; p = p->next, i++)
        r[i] = (struct ranked){strtoull(screen_get(p, "rank"), NULL, 10), i, p};
    if (r)
        qsort(r, n, sizeof *r, by_rank);
    *out = r;
    return r ? n : 0;
}

static void policy(const struct screen *s, const struct vnode *n, size_t name, size_t mode)
{
    static const struct setting set[] = {{"priority", "priority"},
                                         {"interface", "interface"},
                                         {"sas", "SAs"},
                                         {"trap", "started by traffic:"}};
    screen_pad(s, TINT_BOLD, n->name, name);
    screen_pad(s, TINT_NONE, screen_get(n, "mode"), mode);
    screen_list(s->out, vnode_find(n, "local-ts"));
    buf_puts(s->out, " === ");
    screen_list(s->out, vnode_find(n, "remote-ts"));
    buf_puts(s->out, "\n");
    settings_line(s, n, set, sizeof set / sizeof *set, "    ");
    if (!strcmp(screen_get(n, "configured"), "no"))
        buf_puts(s->out, "    not of the configuration as it is now: an SA brought it\n");
}

void show_policies(const struct screen *s, const struct vnode *root)
{
    struct ranked *r;
    size_t name = column(root, NULL), mode = column(root, "mode"), n = rank_all(root, &r);
    if (!root->child)
        buf_puts(s->out, "no policies\n");
    if (!r)
        s->out->err = E_NOMEM;
    for (size_t i = 0; i < n; i++)
        policy(s, r[i].policy, name + 2, mode + 2);
    free(r);
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
