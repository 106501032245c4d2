/* Identities: text forms of swanctl.conf, matching, printing. */
#include "model/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_parse_and_print(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
        uint8_t type;
        bool ok;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", ID_IPV4_ADDR, true},
        {"2001:DB8::1", "2001:db8::1", ID_IPV6_ADDR, true},
        {"gw.example.org", "gw.example.org", ID_FQDN, true},
        {"@gw", "gw", ID_FQDN, true},
        {"carol@example.org", "carol@example.org", ID_RFC822_ADDR, true},
        {"@@carol", "carol", ID_RFC822_ADDR, true},
        {"@#6b6579", "key", ID_KEY_ID, true},
        {"@#00ff", "@#00ff", ID_KEY_ID, true},
        {"keyid:group", "group", ID_KEY_ID, true},
        {"fqdn:192.0.2.1", "192.0.2.1", ID_FQDN, true},
        {"ipv4:192.0.2.1", "192.0.2.1", ID_IPV4_ADDR, true},
        {"%any", "%any", ID_ANY, true},
        {"", "%any", ID_ANY, true},
        {"@#6b657", NULL, 0, false},
        {"@#zz", NULL, 0, false},
        {"ipv4:2001:db8::1", NULL, 0, false},
        {"@", NULL, 0, false},
        {"C=CH, O=x", "C=CH, O=x", ID_DER_ASN1_DN, true},
        {"/c=CH/CN = gw a /", "C=CH, CN=gw a", ID_DER_ASN1_DN, true},
        {"C=CH, O=\"Example, Inc.\", E=ca@example.org", "C=CH, O=Example, Inc., E=ca@example.org",
         ID_DER_ASN1_DN, true},
        {"dn:CN=Zürich", "CN=Zürich", ID_DER_ASN1_DN, true},
        {"CN=", NULL, 0, false},
        {"CN=a, b", NULL, 0, false},
        {"XX=a", NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct id id;
        struct buf b = {0};
        assert_int_equal(id_parse(&id, cases[i].text), cases[i].ok);
        if (cases[i].ok) {
            id_print(&id, &b);
            assert_string_equal(buf_str(&b), cases[i].printed);
            assert_int_equal(id.type, cases[i].type);
        }
        buf_free(&b);
    }
}

static void test_names_match_by_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        int rank;
    } cases[] = {
        {"C=CH, CN=gw", "C=CH, CN=gw", 3},      {"C=CH, CN=gw", "c=ch, cn=GW", 3},
        {"C=CH, CN=*", "C=CH, CN=gw", 2},       {"C=CH, CN=gw", "C=CH, CN=*", 0},
        {"C=CH, CN=gw", "C=CH, CN=gw, L=x", 0}, {"C=CH, CN=gw, L=x", "C=CH, CN=gw", 0},
        {"C=CH, CN=gw", "CN=gw, C=CH", 0},      {"C=CH, CN=g*", "C=CH, CN=gw", 0},
        {"C=CH, CN=gw", "C=CH, CN=gwx", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct id pattern, name;
        assert_true(id_parse(&pattern, cases[i].pattern));
        assert_true(id_parse(&name, cases[i].name));
        assert_int_equal(id_match(&pattern, &name), cases[i].rank);
        assert_int_equal(id_eq(&pattern, &name), cases[i].rank == 3);
    }
}

/* RFC 5280 4.1.2.4 leaves the string type open: the same name as UTF8String and PrintableString. */
static void test_names_match_in_any_encoding(void **state)
{
    (void)state;
    static const uint8_t utf8[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03,
                                   0x55, 0x04, 0x03, 0x0c, 0x02, 'g',  'w'};
    struct id name, other;
    assert_true(id_parse(&name, "CN=gw"));
    assert_true(id_set(&other, ID_DER_ASN1_DN, bytes_of(utf8, sizeof utf8)));
    assert_true(id_eq(&name, &other));
    for (uint16_t n = 0; n < sizeof utf8; n++) {
        assert_true(id_set(&other, ID_DER_ASN1_DN, bytes_of(utf8, n)));
        assert_false(id_eq(&name, &other));
        assert_int_equal(id_match(&name, &other), 0);
    }
}

static void test_too_long_is_refused(void **state)
{
    (void)state;
    char text[ID_MAX + 2];
    struct id id;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_false(id_parse(&id, text));
    text[ID_MAX] = 0;
    assert_true(id_parse(&id, text));
}

static void test_match_ranks(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *id;
        int rank;
    } cases[] = {
        {"%any", "gw.example.org", 1},           {"*.example.org", "gw.example.org", 2},
        {"*.example.org", "example.org", 0},     {"*@example.org", "carol@example.org", 2},
        {"*@example.org", "gw.example.org", 0},  {"GW.example.org", "gw.EXAMPLE.org", 3},
        {"gw.example.org", "gv.example.org", 0}, {"192.0.2.1", "192.0.2.1", 3},
        {"192.0.2.1", "fqdn:192.0.2.1", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct id p, id;
        assert_true(id_parse(&p, cases[i].pattern));
        assert_true(id_parse(&id, cases[i].id));
        assert_int_equal(id_match(&p, &id), cases[i].rank);
    }
}

static void test_equal_ones_fold_alike(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"alice", "ALICE", true},
        {"Alice@Example.org", "alice@example.ORG", true},
        {"alice", "alicf", false},
        {"alice", "alice@", false},
        {"keyid:alice", "keyid:ALICE", false},
        {"keyid:alice", "alice", false},
        {"10.0.0.1", "10.0.0.1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct id a, b;
        uint8_t x[ID_MAX + 1], y[ID_MAX + 1];
        assert_true(id_parse(&a, cases[i].a) && id_parse(&b, cases[i].b));
        size_t n = id_fold(&a, x), m = id_fold(&b, y);
        assert_int_equal(n == m && !memcmp(x, y, n), cases[i].same);
        assert_int_equal(id_eq(&a, &b), cases[i].same);
    }
}

/* C's comparing of text ends at a zero byte; names do not. */
static void test_zero_bytes_match_nothing(void **state)
{
    (void)state;
    struct id p, id, other;
    assert_true(id_parse(&p, "*.example.org"));
    assert_true(id_set(&id, ID_FQDN, bytes_of("evil.x\0.example.org", 19)));
    assert_true(id_set(&other, ID_FQDN, bytes_of("evil.x\0.example.com", 19)));
    assert_int_equal(id_match(&p, &id), 0);
    assert_false(id_eq(&id, &other));
    assert_true(id_eq(&id, &id));
}

static void test_hostile_bytes_are_escaped(void **state)
{
    (void)state;
    struct id id;
    struct buf b = {0};
    assert_true(id_set(&id, ID_FQDN, bytes_of("a\n\x1b[31m\\", 8)));
    id_print(&id, &b);
    assert_string_equal(buf_str(&b), "a\\x0a\\x1b[31m\\x5c");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_print),
        cmocka_unit_test(test_names_match_by_meaning),
        cmocka_unit_test(test_names_match_in_any_encoding),
        cmocka_unit_test(test_too_long_is_refused),
        cmocka_unit_test(test_match_ranks),
        cmocka_unit_test(test_equal_ones_fold_alike),
        cmocka_unit_test(test_zero_bytes_match_nothing),
        cmocka_unit_test(test_hostile_bytes_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
