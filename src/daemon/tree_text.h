/* For the tests of this room: a VICI tree as text, one line a member, sections in braces. */
#pragma once

#include <culvert/vici.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static inline void tree_text_add(const struct vnode *in, unsigned depth, struct buf *out)
{
    for (const struct vnode *n = in->child; n; n = n->next) {
        buf_printf(out, "%*s%s", (int)depth * 2, "", n->name);
        if (n->kind == VN_VALUE) {
            buf_printf(out, " = %s\n", n->value);
        } else if (n->kind == VN_LIST) {
            buf_puts(out, " = [");
            for (const struct vnode *i = n->child; i; i = i->next)
                buf_printf(out, "%s%s", i == n->child ? "" : ", ", i->value);
            buf_puts(out, "]\n");
        } else {
            buf_puts(out, " {\n");
            tree_text_add(n, depth + 1, out);
            buf_printf(out, "%*s}\n", (int)depth * 2, "");
        }
    }
}

static inline void assert_tree(const struct vnode *tree, const char *want)
{
    struct buf got = {0};
    assert_non_null(tree);
    assert_false(tree->broken);
    buf_puts(&got, "");
    tree_text_add(tree, 0, &got);
    if (strcmp(buf_str(&got), want) != 0)
        fail_msg("want\n%s\ngot\n%s", want, buf_str(&got));
    buf_free(&got);
}

/* What was written as an event, read back as its receiver does. */
static inline struct vnode *tree_written(struct vici_writer *w)
{
    struct vici_stream in = {0};
    struct vici_packet_in p = {0};
    assert_int_equal(vici_write_end(w), E_OK);
    assert_int_equal(vici_stream_feed(&in, bytes_of(w->out->s, w->out->n)), E_OK);
    assert_int_equal(vici_stream_next(&in, &p), E_OK);
    vici_stream_free(&in);
    buf_free(w->out);
    return p.msg;
}

static inline void assert_written(struct vici_writer *w, const char *want)
{
    struct vnode *m = tree_written(w);
    assert_tree(m, want);
    vnode_free(m);
}
