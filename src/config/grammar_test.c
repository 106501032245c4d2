/* The grammar: what strongSwan's swanctl makes of the same text, and where each error points. */
#include "config/config_test.h"
#include <sys/stat.h>
#include <unistd.h>

struct good {
    const char *name, *text, *dump;
};

/* Expected trees were compared with what swanctl 5.9.8 sends to its daemon. */
static const struct good good[] = {
    {"empty", "", ""},
    {"comment only", "# a\n  # b", ""},
    {"setting", "a { b = c\n}", "a.b=c|"},
    {"one line", "a { b = c }", "a.b=c|"},
    {"brace on the next line", "a\n\n{ b = c }", "a.b=c|"},
    {"sign on the next line", "a { b\n = c\n}", "a.b=c|"},
    {"words and strings are joined by one blank", "x = foo   \"bar  baz\"  qux \"\" \"a\"\"b\" # c",
     "x=foo bar  baz qux  a b|"},
    {"value goes to the end of the line", "y = 2 z = 3\nw = a", "y=2 z = 3|w=a|"},
    {"value keeps { : , . =", "e = a{b:c,d.e=f\n", "e=a{b:c,d.e=f|"},
    {"value ends at #", "a = b#c\n", "a=b|"},
    {"quoted # and }", "a = \"b#c}\"", "a=b#c}|"},
    {"empty string", "a = \"\"\nb = c", "a=|b=c|"},
    {"escapes", "a = \"x\\n\\t\\r\\\\\\\"\\q\"", "a=x\n\t\r\\\"q|"},
    {"backslash joins lines", "a = \"b,\\\n c\"", "a=b, c|"},
    {"newline within a string", "a = \"b\nc\"", "a=b\nc|"},
    {"no escapes without quotes", "a = b\\n", "a=b\\n|"},
    {"carriage returns", "a {\r\n b = c d\r\n}\r\n", "a.b=c d|"},
    {"cleared", "a { b = 1\n b =\n c = 2 }", "a.c=2|"},
    {"repeated key", "a { b = 1 }\na { b = 2\n c = 3 }", "a.b=2|a.c=3|"},
    {"sections are merged", "a { x { p = 1 } }\na { x { q = 2 } y { } }", "a.x.p=1|a.x.q=2|a.y{}|"},
    {"include as a key", "a { include = 3\n}", "a.include=3|"},
    {"odd names", "a-b_c/d@e%f { 1;2 = x }", "a-b_c/d@e%f.1;2=x|"},
    {"inherit, own first, clearing, sub-sections",
     "d { k = v\n l = w\n s { a = 1\n b = 2 } }\nc : d { s { b = \n c = 3 }\n l =\n m = 4 }",
     "d.k=v|d.l=w|d.s.a=1|d.s.b=2|c.s.c=3|c.s.a=1|c.m=4|c.k=v|"},
    {"inherit from several, left to right", "a { x = 1 }\nb { x = 2\n y = 3 }\nc : a, b { }",
     "a.x=1|b.x=2|b.y=3|c.x=1|c.y=3|"},
    {"inherit what is inherited", "a { x = 1 }\nb : a { y = 2 }\nt { c : b { z = 3 } d : t.c { } }",
     "a.x=1|b.y=2|b.x=1|t.c.z=3|t.c.y=2|t.c.x=1|t.d.z=3|t.d.y=2|t.d.x=1|"},
    {"inherit from a section defined later", "a : b { }\nb { x = 1 }", "a.x=1|b.x=1|"},
    {"inherit an inherited sub-section", "a { s { x = 1 } }\nb : a { }\nc : b.s { }",
     "a.s.x=1|b.s.x=1|c.x=1|"},
    {"references over lines", "a { x = 1 }\nc :\n a # why\n ,a\n{ }", "a.x=1|c.x=1|"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct vnode *t;
        struct diag d = {0};
        struct buf out = {0};
        if (config_read_text("f", text_bytes(good[i].text), &t, &d))
            fail_msg("%s: %s", good[i].name, d.first ? d.first->text : "?");
        tree_dump(t, "", &out);
        if (strcmp(buf_str(&out), good[i].dump) != 0)
            fail_msg("%s: %s", good[i].name, buf_str(&out));
        buf_free(&out);
        vnode_free(t);
        diag_free(&d);
    }
}

struct bad {
    const char *name, *text;
    unsigned line;
    const char *word, *report;
};

static const struct bad bad[] = {
    {"no closing brace", "a {\n b = c\n", 1, "a", "no closing }"},
    {"closing brace too many", "a { }\n}\n", 2, "}", "no open section"},
    {"open string", "a {\n b = \"c\n}\n", 2, "\"", "no closing \""},
    {"name alone", "a { }\nfoo\n", 2, "foo", "found end of file"},
    {"name and word", "a {\n foo bar\n}\n", 2, "foo", "found another word"},
    {"string as a name", "\n\"a\" { }", 2, "\"", "expected a section or a setting"},
    {"sign without a name", "= a", 1, "=", "expected a section or a setting"},
    {"dot in a name", "a.b { }", 1, "a", "dot"},
    {"colon instead of a sign", "a {\n b : c\n}\n", 3, "}", "expected { or ,"},
    {"two colons", "a { }\nb : a : a { }", 2, ":", "expected { or ,"},
    {"empty reference", "b : { }", 1, "{", "name of the section to inherit"},
    {"unknown reference", "a { }\nc : a.b { }", 2, "a.b", "no section of this name"},
    {"self reference", "a : a { }", 1, "a", "inherits from itself"},
    {"reference loop", "a : b { }\nb : a { }", 0, NULL, "inherits from itself"},
    {"section within itself", "a { b : a { x = 1 } }", 1, NULL, "inherit"},
    {"section and setting", "a = 1\na { }", 2, "a", "is a setting in line 1"},
    {"setting and section", "a { }\na = 1", 2, "a", "is a section in line 1"},
    {"include from memory", "\ninclude x.conf\n", 2, "include", "cannot be included"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vnode *t;
        struct diag d = {0};
        assert_int_equal(config_read_text("f", text_bytes(bad[i].text), &t, &d), R_CONFIG_SYNTAX);
        assert_null(t);
        expect_report(bad[i].name, &d, DIAG_ERROR, bad[i].line, bad[i].word, bad[i].report);
        assert_int_equal(d.errors, 1);
        diag_free(&d);
    }
}

static void test_zero_byte(void **state)
{
    struct vnode *t;
    struct diag d = {0};
    (void)state;
    assert_int_equal(config_read_text("f", bytes_of("a {\n\0}", 6), &t, &d), R_CONFIG_SYNTAX);
    expect_report("zero byte", &d, DIAG_ERROR, 2, NULL, "zero byte");
    diag_free(&d);
}

static const struct bad warned[] = {
    {"comment in a value", "a {\n b = x#y\n}", 2, "b", "quote the value"},
    {"key twice", "a {\n b = 1\n b = 2\n}", 3, "b", "line 2"},
    {"section twice", "a {\n b { }\n b { }\n}", 3, "b", "merged"},
};

static void test_warned(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof warned / sizeof *warned; i++) {
        struct vnode *t;
        struct diag d = {0};
        assert_int_equal(config_read_text("f", text_bytes(warned[i].text), &t, &d), 0);
        expect_report(warned[i].name, &d, DIAG_WARNING, warned[i].line, warned[i].word,
                      warned[i].report);
        vnode_free(t);
        diag_free(&d);
    }
}

/* Whatever is wrong within secrets { }, no report may show a word of it. */
static void test_secrets_stay_secret(void **state)
{
    static const char *const texts[] = {
        "secrets { ike { secret \"hush\" } }",
        "secrets { ike { secret = \n hush\n } }",
        "secrets { ike { secret = x\"y\n hush",
        "secrets { ike { secret hush } }",
        "secrets { ike { secret = }hush } }",
        "secrets { ike { secret = a}}hush\n",
        "secrets { ike { hush } }",
        "secrets { ike { secret = x } hush.x { } }",
        "secrets { ike { secret = \"hush } }",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct vnode *t;
        struct diag d = {0};
        struct buf out = {0};
        assert_int_equal(config_read_text("f", text_bytes(texts[i]), &t, &d), R_CONFIG_SYNTAX);
        diag_print(&d, &out);
        if (strstr(buf_str(&out), "hush"))
            fail_msg("%s", buf_str(&out));
        buf_free(&out);
        diag_free(&d);
    }
}

static void test_deep(void **state)
{
    struct buf text = {0};
    struct vnode *t;
    struct diag d = {0};
    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "a {");
    assert_int_equal(config_read_text("f", bytes_of(text.s, text.n), &t, &d), R_CONFIG_SYNTAX);
    expect_report("deep", &d, DIAG_ERROR, 1, "a", "nest deeper");
    diag_free(&d);
    buf_free(&text);
}

/* Each section doubles what it inherits: bounded, not exponential. */
static void test_doubling(void **state)
{
    struct buf text = {0};
    struct vnode *t;
    struct diag d = {0};
    (void)state;
    buf_puts(&text, "s0 { x = 1\n}\n");
    for (int i = 1; i < 28; i++)
        buf_printf(&text, "s%d { l : s%d { } r : s%d { } }\n", i, i - 1, i - 1);
    assert_int_equal(config_read_text("f", bytes_of(text.s, text.n), &t, &d), R_CONFIG_SYNTAX);
    expect_report("doubling", &d, DIAG_ERROR, 0, NULL, "more than");
    diag_free(&d);
    buf_free(&text);
}

/* --- files --- */

struct dir {
    char path[64];
};

static void put_file(const struct dir *dir, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void read_dir(const struct dir *dir, err_t want, const char *dump, struct diag *d)
{
    char path[160];
    struct vnode *t;
    struct buf out = {0};
    snprintf(path, sizeof path, "%s/main", dir->path);
    assert_int_equal(config_read_file(path, &t, d), want);
    if (t) {
        tree_dump(t, "", &out);
        assert_string_equal(buf_str(&out), dump);
    }
    buf_free(&out);
    vnode_free(t);
}

static void test_include(void **state)
{
    struct dir dir = {"/tmp/culvert-config-XXXXXX"};
    struct diag d = {0};
    char sub[160];
    (void)state;
    assert_non_null(mkdtemp(dir.path));
    snprintf(sub, sizeof sub, "%s/sub", dir.path);
    assert_int_equal(mkdir(sub, 0700), 0);

    /* the example of strongswan.conf(5), by wildcard and by name, the second level relative */
    put_file(&dir, "main", "s { v = before\n include sub/*.conf\n}\ninclude \"other\"\n");
    put_file(&dir, "sub/a.conf", "v = asdf\nx { o = yyy }\ninclude b\n");
    put_file(&dir, "sub/b", "w = zz\n");
    put_file(&dir, "other", "s { x { o = xxx } }\nt { y = 12 }\n");
    read_dir(&dir, 0, "s.v=asdf|s.x.o=xxx|s.w=zz|t.y=12|", &d);
    assert_null(d.first);

    put_file(&dir, "main", "include none*.conf\ninclude none.conf\na { }\n");
    read_dir(&dir, 0, "a{}|", &d);
    assert_int_equal(d.warnings, 1);
    expect_report("missing", &d, DIAG_WARNING, 2, NULL, "no such file");
    diag_free(&d);

    put_file(&dir, "main", "\ninclude main\n");
    read_dir(&dir, R_CONFIG_SYNTAX, "", &d);
    expect_report("include loop", &d, DIAG_ERROR, 2, NULL, "include itself");
    diag_free(&d);

    put_file(&dir, "main", "include other\n");
    put_file(&dir, "other", "a {\n\n b\n}\n");
    read_dir(&dir, R_CONFIG_SYNTAX, "", &d);
    expect_report("error within", &d, DIAG_ERROR, 3, "b", "found }");
    assert_non_null(strstr(d.first->file, "/other"));
    diag_free(&d);

    put_file(&dir, "main", "include sub\n");
    read_dir(&dir, R_CONFIG_SYNTAX, "", &d);
    expect_report("a directory", &d, DIAG_ERROR, 1, NULL, "cannot read it");
    diag_free(&d);

    static const char *const names[] = {"sub/a.conf", "sub/b", "sub", "main", "other", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(sub, sizeof sub, "%s/%s", dir.path, names[i]);
        assert_int_equal(remove(sub), 0);
    }
    read_dir(&dir, R_CONFIG_SYNTAX, "", &d);
    expect_report("no file", &d, DIAG_ERROR, 0, NULL, "No such file");
    diag_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_warned),
        cmocka_unit_test(test_secrets_stay_secret),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_include),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
