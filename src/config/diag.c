/* The list of reports on a configuration: see diag.h. */
#include "config/diag.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DIAG_MAX 1000

static char *copy(const char *s, bool *failed)
{
    char *c = s ? strdup(s) : NULL;
    *failed = *failed || (s && !c);
    return c;
}

static void item_free(struct diag_item *i)
{
    free(i->file);
    free(i->path);
    free(i->word);
    free(i->text);
    free(i);
}

static struct diag_item *item_new(const struct vsource *src, const char *path, const char *word,
                                  const char *text)
{
    bool failed = false;
    struct diag_item *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->file = copy(src ? src->file : NULL, &failed);
    i->line = src ? src->line : 0;
    i->path = copy(path ? path : "", &failed);
    i->word = copy(word, &failed);
    i->text = copy(text, &failed);
    if (!failed)
        return i;
    item_free(i);
    return NULL;
}

void diag_add(struct diag *d, enum diag_level level, const struct vsource *src, const char *path,
              const char *word, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t before = d->errors + d->warnings;
    if (level == DIAG_ERROR)
        d->errors++;
    else
        d->warnings++;
    if (before >= DIAG_MAX)
        return;
    struct diag_item *i = item_new(src, path, word, text);
    if (!i) {
        d->nomem = true;
        return;
    }
    i->level = level;
    if (d->last)
        d->last->next = i;
    else
        d->first = i;
    d->last = i;
}

void diag_free(struct diag *d)
{
    for (struct diag_item *i = d->first, *next; i; i = next) {
        next = i->next;
        item_free(i);
    }
    *d = (struct diag){0};
}

/* A configuration may hold any byte: what goes to a terminal is escaped. */
static void put_plain(struct buf *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_add(out, s, 1);
    }
}

void diag_item_print(const struct diag_item *i, struct buf *out)
{
    if (i->file)
        put_plain(out, i->file);
    if (i->file && i->line)
        buf_printf(out, ":%u", i->line);
    buf_puts(out, i->file ? ": " : "");
    buf_puts(out, i->level == DIAG_WARNING ? "warning: " : "");
    put_plain(out, i->path);
    buf_puts(out, i->path[0] ? ": " : "");
    if (i->word) {
        buf_puts(out, "`");
        put_plain(out, i->word);
        buf_puts(out, "': ");
    }
    put_plain(out, i->text);
}

void diag_print(const struct diag *d, struct buf *out)
{
    for (const struct diag_item *i = d->first; i; i = i->next) {
        diag_item_print(i, out);
        buf_puts(out, "\n");
    }
}

void diag_tree(const struct diag *d, struct vnode *in)
{
    unsigned n = 0;
    for (const struct diag_item *i = d->first; i; i = i->next) {
        char name[16];
        snprintf(name, sizeof name, "%u", ++n);
        struct vnode *s = vnode_section(in, name);
        vnode_value(s, "level", i->level == DIAG_ERROR ? "error" : "warning");
        if (i->file)
            vnode_value(s, "file", i->file);
        if (i->line)
            vnode_valuef(s, "line", "%u", i->line);
        vnode_value(s, "path", i->path);
        if (i->word)
            vnode_value(s, "word", i->word);
        vnode_value(s, "text", i->text);
    }
}
