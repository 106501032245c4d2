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
        {"C=CH, O=x", NULL, 0, false},
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
        cmocka_unit_test(test_too_long_is_refused),
        cmocka_unit_test(test_match_ranks),
        cmocka_unit_test(test_hostile_bytes_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
