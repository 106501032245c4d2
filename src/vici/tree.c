/*
 * The tree behind VICI messages and configuration files: see culvert/vici.h. Called by the codec,
 * the configuration's parser, the daemon's answers and the operator's command.
 */
#include "base/secret.h"
#include <culvert/vici.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct vnode *vnode_new(void)
{
    return calloc(1, sizeof(struct vnode));
}

static void node_free(struct vnode *n)
{
    free(n->name);
    if (n->value)
        secret_wipe(n->value, n->value_len);
    free(n->value);
    free(n);
}

/* Without recursion: a configuration file may nest deeper than a message. */
void vnode_free(struct vnode *n)
{
    struct vnode *at = n;
    while (at) {
        if (at->child) {
            struct vnode *c = at->child;
            at->child = c->next;
            c->parent = at;
            at = c;
            continue;
        }
        struct vnode *up = at == n ? NULL : at->parent;
        node_free(at);
        at = up;
    }
}

static struct vnode *broken(struct vnode *in)
{
    while (in->parent)
        in = in->parent;
    in->broken = true;
    return NULL;
}

static char *copy(const void *p, size_t n)
{
    char *s = malloc(n + 1);
    if (!s)
        return NULL;
    if (n)
        memcpy(s, p, n);
    s[n] = 0;
    return s;
}

static void append(struct vnode *in, struct vnode *n)
{
    n->parent = in;
    if (in->last)
        in->last->next = n;
    else
        in->child = n;
    in->last = n;
}

static struct vnode *add(struct vnode *in, enum vnode_kind kind, const char *name)
{
    if (!in)
        return NULL;
    struct vnode *n = vnode_new();
    if (!n)
        return broken(in);
    n->kind = kind;
    if (name) {
        n->name = copy(name, strlen(name));
        if (!n->name) {
            node_free(n);
            return broken(in);
        }
    }
    append(in, n);
    return n;
}

static struct vnode *add_value(struct vnode *in, const char *name, struct bytes v)
{
    struct vnode *n = add(in, VN_VALUE, name);
    if (!n)
        return NULL;
    n->value = copy(v.p, v.n);
    if (!n->value)
        return broken(n);
    n->value_len = v.n;
    return n;
}

struct vnode *vnode_section(struct vnode *in, const char *name)
{
    return add(in, VN_SECTION, name);
}

struct vnode *vnode_list(struct vnode *in, const char *name)
{
    return add(in, VN_LIST, name);
}

struct vnode *vnode_item_data(struct vnode *list, struct bytes v)
{
    return add_value(list, NULL, v);
}

struct vnode *vnode_item(struct vnode *list, const char *value)
{
    return add_value(list, NULL, bytes_of(value, strlen(value)));
}

struct vnode *vnode_data(struct vnode *in, const char *name, struct bytes v)
{
    return add_value(in, name, v);
}

struct vnode *vnode_value(struct vnode *in, const char *name, const char *value)
{
    return add_value(in, name, bytes_of(value, strlen(value)));
}

struct vnode *vnode_valuef(struct vnode *in, const char *name, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return in ? broken(in) : NULL;
    struct vnode *v = add_value(in, name, bytes_of(text, (size_t)n));
    free(text);
    return v;
}

struct vnode *vnode_find(const struct vnode *in, const char *name)
{
    if (!in)
        return NULL;
    for (struct vnode *n = in->child; n; n = n->next)
        if (n->name && !strcmp(n->name, name))
            return n;
    return NULL;
}

const char *vnode_get(const struct vnode *in, const char *name)
{
    const struct vnode *n = vnode_find(in, name);
    return n && n->kind == VN_VALUE ? n->value : NULL;
}

bool vnode_get_bool(const struct vnode *in, const char *name)
{
    const char *v = vnode_get(in, name);
    return v && (!strcasecmp(v, "yes") || !strcasecmp(v, "true") || !strcasecmp(v, "enabled") ||
                 !strcmp(v, "1"));
}
