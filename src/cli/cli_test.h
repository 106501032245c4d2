/*
 * What the room's tests share: trees from one line of text in the form of `swanctl --raw`
 * (name=value name='with spaces' name=[item item] name {members}), and comparing of screens.
 */
#pragma once

#include "cli/cli.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The next word up to one of the stop characters; quotes may hold anything. */
static inline void test_word(const char **p, const char *stop, char out[256])
{
    bool quoted = **p == '\'';
    *p += quoted;
    size_t n = strcspn(*p, quoted ? "'" : stop);
    assert_true(n < 256);
    memcpy(out, *p, n);
    out[n] = 0;
    *p += n + quoted;
}

static inline void test_members(const char **p, struct vnode *in)
{
    char name[256], value[256];
    while (*(*p += strspn(*p, " ")) && **p != '}') {
        test_word(p, "= ", name);
        *p += strspn(*p, " ");
        if (**p == '{') {
            ++*p;
            test_members(p, vnode_section(in, name));
            assert_int_equal(*(*p)++, '}');
            continue;
        }
        assert_int_equal(*(*p)++, '=');
        if (**p != '[') {
            test_word(p, " }", value);
            vnode_value(in, name, value);
            continue;
        }
        struct vnode *list = vnode_list(in, name);
        for (++*p; **p != ']'; *p += strspn(*p, " ")) {
            test_word(p, " ]", value);
            vnode_item(list, value);
        }
        ++*p;
    }
}

static inline struct vnode *tree_of(const char *text)
{
    struct vnode *m = vnode_new();
    test_members(&text, m);
    assert_int_equal(*text, 0);
    return m;
}
