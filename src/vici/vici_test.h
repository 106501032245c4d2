/*
 * What the room's tests share: hexadecimal to bytes, and a tree as one line of text in the form of
 * `swanctl --raw`: name=value name=[item item] name {members}.
 */
#pragma once

#include <culvert/vici.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static inline void text_members(struct buf *out, const struct vnode *in)
{
    for (const struct vnode *n = in->child; n; n = n->next) {
        buf_puts(out, n == in->child ? "" : " ");
        if (n->name)
            buf_printf(out, "%s%s", n->name, n->kind == VN_SECTION ? " " : "=");
        if (n->kind == VN_VALUE) {
            buf_puts(out, n->value);
            continue;
        }
        buf_puts(out, n->kind == VN_LIST ? "[" : "{");
        text_members(out, n);
        buf_puts(out, n->kind == VN_LIST ? "]" : "}");
    }
}

static inline size_t unhex(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = strlen(hex) / 2;
    assert_true(n <= cap);
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}
