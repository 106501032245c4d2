/*
 * Inheritance, strongswan.conf(5) "Referencing other sections": a section takes over all settings
 * and subsections of the sections it refers to, by absolute name, from left to right, behind its
 * own; its own win; an empty assignment clears. Makes the flat tree that everybody else sees.
 * Unlike strongSwan, a reference to nowhere or to itself is an error.
 */
#include "config/grammar.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES_MAX 64u /* sections that one section inherits from, all in all */

/* The sections that make up one section of the flat tree: its own first. */
struct sources {
    const struct vnode *s[SOURCES_MAX];
    size_t n;
};

struct resolver {
    struct grammar *g;
    const struct vnode *root;
    const struct vnode *open[CONFIG_DEPTH_MAX]; /* sections whose references are being followed */
    size_t opened;
    size_t nodes;
};

static bool add_expanded(struct resolver *r, const struct vnode *sec, struct sources *out);

static bool is_known(const struct sources *src, const struct vnode *sec)
{
    for (size_t i = 0; i < src->n; i++)
        if (src->s[i] == sec)
            return true;
    return false;
}

static const struct vnode *find_section(const struct vnode *in, const char *name, size_t n)
{
    for (const struct vnode *c = in->child; c; c = c->next)
        if (c->kind == VN_SECTION && strlen(c->name) == n && !memcmp(c->name, name, n))
            return c;
    return NULL;
}

/* All sections called `name` within the sources, with what they inherit from. */
static bool descend(struct resolver *r, const struct sources *in, const char *name, size_t n,
                    struct sources *out)
{
    for (size_t i = 0; i < in->n; i++) {
        const struct vnode *c = find_section(in->s[i], name, n);
        if (c && !add_expanded(r, c, out))
            return false;
    }
    return true;
}

static bool follow(struct resolver *r, const struct vnode *from, const char *path, size_t n,
                   struct sources *out)
{
    struct sources at = {.s = {r->root}, .n = 1};
    const char *p = path, *end = path + n;
    while (p < end) {
        const char *dot = memchr(p, '.', (size_t)(end - p));
        size_t part = (size_t)((dot ? dot : end) - p);
        struct sources next = {0};
        if (!descend(r, &at, p, part, &next))
            return false;
        if (next.n == 0) {
            char word[128];
            snprintf(word, sizeof word, "%.*s", (int)(n < 120 ? n : 120), path);
            return grammar_error(r->g, &from->src, word, "no section of this name to inherit from");
        }
        at = next;
        p += part + 1;
    }
    for (size_t i = 0; i < at.n; i++) {
        if (is_known(out, at.s[i]))
            continue;
        if (out->n == SOURCES_MAX)
            return grammar_error(r->g, &from->src, from->name,
                                 "inherits from more than %u sections", SOURCES_MAX);
        out->s[out->n++] = at.s[i];
    }
    return true;
}

static bool follow_all(struct resolver *r, const struct vnode *sec, struct sources *out)
{
    const char *p = sec->value;
    while (p && *p) {
        size_t n = strcspn(p, ",");
        if (!follow(r, sec, p, n, out))
            return false;
        p += n + (p[n] == ',');
    }
    return true;
}

/* Appends the section, then what it refers to, depth first. */
static bool add_expanded(struct resolver *r, const struct vnode *sec, struct sources *out)
{
    if (is_known(out, sec))
        return true;
    for (size_t i = 0; i < r->opened; i++)
        if (r->open[i] == sec && sec->value)
            return grammar_error(r->g, &sec->src, sec->name, "inherits from itself");
    if (out->n == SOURCES_MAX || r->opened == CONFIG_DEPTH_MAX)
        return grammar_error(r->g, &sec->src, sec->name, "inherits from too many sections");
    out->s[out->n++] = sec;
    r->open[r->opened++] = sec;
    bool ok = follow_all(r, sec, out);
    r->opened--;
    return ok;
}

static bool nomem(struct resolver *r)
{
    r->g->d->nomem = true;
    return false;
}

static bool emit(struct resolver *r, const struct sources *src, struct vnode *out, unsigned depth);

static bool emit_section(struct resolver *r, const struct sources *all, const struct vnode *c,
                         struct vnode *out, unsigned depth)
{
    struct sources sub = {0};
    if (depth == CONFIG_DEPTH_MAX)
        return grammar_error(r->g, &c->src, c->name,
                             "sections nest too deep; does it inherit from a section around it?");
    if (!descend(r, all, c->name, strlen(c->name), &sub))
        return false;
    struct vnode *n = vnode_section(out, c->name);
    if (!n)
        return nomem(r);
    n->src = c->src;
    return emit(r, &sub, n, depth + 1);
}

static bool emit_member(struct resolver *r, const struct sources *all, const struct vnode *c,
                        struct vnode *out, unsigned depth)
{
    if (vnode_find(out, c->name))
        return true;
    if (++r->nodes > CONFIG_NODES_MAX)
        return grammar_error(r->g, &c->src, c->name, "more than %u settings with what is inherited",
                             CONFIG_NODES_MAX);
    if (c->kind == VN_SECTION)
        return emit_section(r, all, c, out, depth);
    struct vnode *n = vnode_value(out, c->name, c->value ? c->value : "");
    if (!n)
        return nomem(r);
    n->src = c->src;
    if (!c->value) { /* stands for "cleared" until the section is complete */
        free(n->value);
        n->value = NULL;
        n->value_len = 0;
    }
    return true;
}

static void drop_cleared(struct vnode *sec)
{
    struct vnode *prev = NULL, *next;
    for (struct vnode *n = sec->child; n; n = next) {
        next = n->next;
        if (n->kind != VN_VALUE || n->value) {
            prev = n;
            continue;
        }
        if (prev)
            prev->next = next;
        else
            sec->child = next;
        n->next = n->parent = NULL;
        vnode_free(n);
    }
    sec->last = prev;
}

static bool emit(struct resolver *r, const struct sources *src, struct vnode *out, unsigned depth)
{
    for (size_t i = 0; i < src->n; i++)
        for (const struct vnode *c = src->s[i]->child; c; c = c->next)
            if (!emit_member(r, src, c, out, depth))
                return false;
    drop_cleared(out);
    return true;
}

/* A top-level section that others inherit from keeps a `value`, so that the schema does not take
 * its name for a mistake. */
static bool mark_bases(struct grammar *g, struct vnode *root)
{
    for (struct vnode *n = root->child; n; n = n->next) {
        struct buf word = {0};
        buf_printf(&word, ",%s,", n->name);
        bool found = !word.err && strstr(buf_str(&g->bases), buf_str(&word));
        bool failed = word.err != E_OK;
        buf_free(&word);
        if (n->kind == VN_SECTION && found && !(n->value = strdup("inherited")))
            failed = true;
        if (failed)
            return false;
        n->value_len = n->value ? strlen(n->value) : 0;
    }
    return true;
}

struct vnode *grammar_resolve(struct grammar *g, const struct vnode *raw)
{
    struct resolver r = {.g = g, .root = raw};
    struct sources src = {.s = {raw}, .n = 1};
    struct vnode *out = vnode_new();
    if (!out)
        nomem(&r);
    if (out && emit(&r, &src, out, 0) && (mark_bases(g, out) || nomem(&r)))
        return out;
    vnode_free(out);
    return NULL;
}
