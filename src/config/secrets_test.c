/* Shared secrets: the forms a file may write, VICI's load-shared, and that no report shows one. */
#include "config/config_test.h"

static struct vnode *read_section(const char *text)
{
    struct vnode *t;
    struct diag d = {0};
    assert_int_equal(config_read_text("f", text_bytes(text), &t, &d), 0);
    diag_free(&d);
    return t;
}

/* Sections within secrets { } and the bytes that swanctl 5.9.8 makes of them. */
static const struct {
    const char *text;
    const char *bytes;
    size_t n, owners;
    enum shared_kind kind;
} good[] = {
    {"ike { secret = abc }", "abc", 3, 0, SHARED_IKE},
    {"ike-1 { secret = \"a b\\n\"\n id = x }", "a b\n", 4, 1, SHARED_IKE},
    {"ike1 { secret = 0x3132 }", "12", 2, 0, SHARED_IKE},
    {"ike { secret = 0x313 }", "\x03\x13", 2, 0, SHARED_IKE},
    {"ike { secret = 0xaBcD00\n id-a = a\n idb = 192.0.2.1\n id =\n }", "\xab\xcd\0", 3, 2,
     SHARED_IKE},
    {"ike { secret = 0sMTI= }", "12", 2, 0, SHARED_IKE},
    {"ike { secret = 0sMTIz }", "123", 3, 0, SHARED_IKE},
    {"ike { secret = \"0s/+8=\" }", "\xff\xef", 2, 0, SHARED_IKE},
    {"eap-carol { secret = x\n id = carol }", "x", 1, 1, SHARED_EAP},
    {"xauth { secret = x }", "x", 1, 0, SHARED_XAUTH},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct vnode *t = read_section(good[i].text);
        struct diag d = {0};
        struct shared *s;
        if (config_shared_from_tree(t->child, &s, &d))
            fail_msg("%s: %s", good[i].text, d.first ? d.first->text : "?");
        assert_int_equal(s->secret.n, good[i].n);
        assert_memory_equal(s->secret.p, good[i].bytes, good[i].n);
        assert_int_equal(s->owner_count, good[i].owners);
        assert_int_equal(s->kind, good[i].kind);
        assert_string_equal(s->name, t->child->name);
        shared_free(s);
        vnode_free(t);
    }
}

static const struct {
    const char *text;
    const char *report;
} bad[] = {
    {"ike { id = x }", "no secret is given"},
    {"ike { secret = }", "no secret is given"},
    {"ike { secret = \"\" }", "no secret is given"},
    {"ike { secret = 0x }", "hex digits behind 0x"},
    {"ike { secret = 0xhush }", "hex digits behind 0x"},
    {"ike { secret = 0shush! }", "Base64 behind 0s"},
    {"ike { secret = 0shus }", "Base64 behind 0s"},
    {"ike { secret = 0s==== }", "Base64 behind 0s"},
    {"ike { secert = hush }", "did you mean `secret'"},
    {"ike { psk = hush\n secret = hush }", "expected secret or id"},
    {"ike { secret { x = hush } }", "unknown section"},
    {"foo { secret = hush }", "starts with ike"},
    {"ike { secret = hush\n id = x = y }", "distinguished name"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vnode *t = read_section(bad[i].text);
        struct diag d = {0};
        struct shared *s;
        struct buf out = {0};
        if (config_shared_from_tree(t->child, &s, &d) != R_CONFIG_VALUE)
            fail_msg("%s: accepted", bad[i].text);
        assert_null(s);
        expect_report(bad[i].text, &d, DIAG_ERROR, 0, NULL, bad[i].report);
        diag_print(&d, &out);
        assert_null(strstr(buf_str(&out), "hus"));
        buf_free(&out);
        diag_free(&d);
        vnode_free(t);
    }
}

static void test_warned(void **state)
{
    struct diag d = {0};
    struct shared *s;
    (void)state;
    struct vnode *t = read_section("ike { secret = hush id = x\n}");
    assert_int_equal(config_shared_from_tree(t->child, &s, &d), 0);
    expect_report("one line", &d, DIAG_WARNING, 1, NULL, "a line of its own");
    assert_null(d.first->word);
    shared_free(s);
    diag_free(&d);
    vnode_free(t);
}

/* Pass phrases are no shared secrets, but what is wrong with them is told. */
static void test_phrases(void **state)
{
    static const struct {
        const char *text, *word, *want;
    } cases[] = {
        {"rsa-1 { file = a.key\n secret = hush }", NULL, NULL},
        {"private { file = a.key\n secret = 0x68757368 }", NULL, NULL},
        {"pkcs8-a { file = a.key }", NULL, "no secret is given"},
        {"ecdsa { secret = hush }", NULL, "file = NAME"},
        {"private { file = a.key\n secret = hush\n id = x }", "id", "expected file and secret"},
        {"private { file = a.key\n secret = 0xhush }", NULL, "hex digits"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vnode *t = read_section(cases[i].text);
        struct diag d = {0};
        struct shared *s;
        assert_int_equal(config_shared_from_tree(t->child, &s, &d),
                         cases[i].want ? R_CONFIG_VALUE : 0);
        assert_null(s);
        if (cases[i].want)
            expect_report(cases[i].text, &d, DIAG_ERROR, 0, cases[i].word, cases[i].want);
        diag_free(&d);
        vnode_free(t);
    }
}

static struct vnode *load_shared(const char *id, const char *type, const char *owner)
{
    struct vnode *m = vnode_new();
    if (id)
        vnode_value(m, "id", id);
    if (type)
        vnode_value(m, "type", type);
    vnode_data(m, "data", bytes_of("0x\0y", 4));
    struct vnode *l = vnode_list(m, "owners");
    if (owner)
        vnode_item(l, owner);
    return m;
}

/* The bytes are the secret: nothing is decoded, zero bytes included. */
static void test_vici(void **state)
{
    static const struct {
        const char *id, *type, *owner, *name;
    } cases[] = {{"ike-1", "ike", "gw.example.org", "ike-1"},
                 {"ike-1", "IKE", NULL, "ike-1"},
                 {NULL, "IKE", "a", "unnamed,a"},
                 {NULL, NULL, "a", NULL},
                 {"x", "rsa", "a", NULL},
                 {"x", "IKE", "C=CH, O=x", "x"},
                 {"x", "IKE", "C=CH, nonsense", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vnode *m = load_shared(cases[i].id, cases[i].type, cases[i].owner);
        struct diag d = {0};
        struct shared *s;
        err_t e = config_shared_from_vici(m, &s, &d);
        assert_int_equal(e, cases[i].name ? 0 : R_CONFIG_VALUE);
        if (s) {
            assert_string_equal(s->name, cases[i].name);
            assert_int_equal(s->secret.n, 4);
            assert_memory_equal(s->secret.p, "0x\0y", 4);
            assert_int_equal(s->owner_count, cases[i].owner ? 1 : 0);
        }
        shared_free(s);
        diag_free(&d);
        vnode_free(m);
    }
}

static void test_vici_no_data(void **state)
{
    struct vnode *m = vnode_new();
    struct diag d = {0};
    struct shared *s;
    (void)state;
    vnode_value(m, "type", "IKE");
    vnode_value(m, "data", "");
    assert_int_equal(config_shared_from_vici(m, &s, &d), R_CONFIG_VALUE);
    expect_report("no data", &d, DIAG_ERROR, 0, NULL, "data is missing");
    diag_free(&d);
    vnode_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_warned), cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_vici),   cmocka_unit_test(test_vici_no_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
