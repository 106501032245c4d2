/*
 * A configuration from memory: no input crashes; it is refused with a report or accepted without an
 * error; and the tree, written out plainly, is read as the same tree. Includes are off.
 * Entry: config_read_text, config_from_tree.
 */
#include "config/config.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void put_string(struct buf *out, const char *s)
{
    buf_puts(out, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_puts(out, "\\");
        if (*s == '\r')
            buf_puts(out, "\\r");
        else
            buf_add(out, s, 1);
    }
    buf_puts(out, "\"\n");
}

static void put_tree(struct buf *out, const struct vnode *n)
{
    for (const struct vnode *c = n->child; c; c = c->next) {
        buf_puts(out, c->name);
        if (c->kind == VN_VALUE) {
            buf_puts(out, " = ");
            put_string(out, c->value);
        } else {
            buf_puts(out, "\n{\n"); /* on a line of its own: "include {" would be an include */
            put_tree(out, c);
            buf_puts(out, "}\n");
        }
    }
}

static void check_again(const struct vnode *t)
{
    struct buf once = {0}, twice = {0};
    struct diag d = {0};
    struct vnode *again;
    put_tree(&once, t);
    require(config_read_text("again", bytes_of(once.s, once.n), &again, &d) == 0);
    put_tree(&twice, again);
    require(bytes_eq(bytes_of(once.s, once.n), bytes_of(twice.s, twice.n)));
    vnode_free(again);
    diag_free(&d);
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vnode *t;
    struct config cf;
    struct diag d = {0};
    struct buf text = {0};
    err_t e = config_read_text("f", bytes_of(data, size), &t, &d);
    require((e == 0) == (d.errors == 0) && (e == 0) == (t != NULL));
    if (t) {
        check_again(t);
        e = config_from_tree(t, &cf, &d);
        require((e == 0) == (d.errors == 0));
        config_free(&cf);
    }
    vnode_free(t);
    diag_print(&d, &text);
    buf_free(&text);
    diag_free(&d);
    return 0;
}
