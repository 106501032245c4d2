/* Trees: order of members, kinds, look-up, values with zero bytes, building on NULL. */
#include "vici_test.h"

static void builds_in_order(void **state)
{
    (void)state;
    struct vnode *m = vnode_new();
    vnode_value(m, "a", "1");
    struct vnode *s = vnode_section(m, "s");
    vnode_valuef(s, "n", "%d-%s", 7, "x");
    struct vnode *l = vnode_list(s, "l");
    vnode_item(l, "p");
    vnode_item_data(l, bytes_of("qr", 2));
    vnode_list(m, "empty");
    struct buf b = {0};
    text_members(&b, m);
    assert_string_equal(buf_str(&b), "a=1 s {n=7-x l=[p qr]} empty=[]");
    assert_ptr_equal(s->parent, m);
    assert_ptr_equal(m->last, vnode_find(m, "empty"));
    assert_false(m->broken);
    buf_free(&b);
    vnode_free(m);
}

static void finds_direct_members_only(void **state)
{
    (void)state;
    struct vnode *m = vnode_new();
    struct vnode *s = vnode_section(m, "s");
    vnode_value(s, "deep", "x");
    vnode_value(m, "twice", "first");
    vnode_value(m, "twice", "second");
    assert_null(vnode_find(m, "deep"));
    assert_string_equal(vnode_get(s, "deep"), "x");
    assert_string_equal(vnode_get(m, "twice"), "first");
    assert_null(vnode_get(m, "s")); /* a section has no text */
    assert_null(vnode_find(NULL, "s"));
    assert_null(vnode_get(NULL, "s"));
    vnode_free(m);
}

static void knows_yes_and_no(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"yes", true}, {"true", true},   {"1", true},  {"enabled", true}, {"YES", true},
                 {"no", false}, {"false", false}, {"0", false}, {"", false},       {"2", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vnode *m = vnode_new();
        vnode_value(m, "k", cases[i].text);
        assert_int_equal(vnode_get_bool(m, "k"), cases[i].is);
        assert_false(vnode_get_bool(m, "other"));
        vnode_free(m);
    }
}

static void keeps_zero_bytes(void **state)
{
    (void)state;
    struct vnode *m = vnode_new();
    struct vnode *v = vnode_data(m, "k", bytes_of("a\0b", 3));
    assert_int_equal(v->value_len, 3);
    assert_memory_equal(v->value, "a\0b", 4); /* and is terminated */
    v = vnode_data(m, "none", bytes_of(NULL, 0));
    assert_int_equal(v->value_len, 0);
    assert_string_equal(v->value, "");
    vnode_free(m);
}

static void null_stays_null(void **state)
{
    (void)state;
    assert_null(vnode_section(NULL, "s"));
    assert_null(vnode_list(NULL, "l"));
    assert_null(vnode_item(NULL, "i"));
    assert_null(vnode_value(NULL, "v", "x"));
    assert_null(vnode_valuef(NULL, "v", "%d", 1));
    vnode_free(NULL);
}

/* freeing does not recurse: a configuration may be nested deeper than the stack */
static void frees_deep_trees(void **state)
{
    (void)state;
    struct vnode *m = vnode_new(), *at = m;
    for (int i = 0; i < 300000 && at; i++)
        at = vnode_section(at, "s");
    assert_non_null(at);
    vnode_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_in_order),  cmocka_unit_test(finds_direct_members_only),
        cmocka_unit_test(knows_yes_and_no), cmocka_unit_test(keeps_zero_bytes),
        cmocka_unit_test(null_stays_null),  cmocka_unit_test(frees_deep_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
