/*
 * The codec against messages that swanctl and charon 5.9.8 exchanged, and against every truncation
 * and every misplaced element.
 */
#include "vici_test.h"

static const struct golden {
    const char *what, *hex, *text;
} golden[] = {
    {"charon: version",
     "03066461656d6f6e000e636861726f6e2d73797374656d64030776657273696f6e0005352e392e3803077379736e6"
     "1"
     "6d6500054c696e7578",
     "daemon=charon-systemd version=5.9.8 sysname=Linux"},
    {"charon: list-policy",
     "010d67772d67772f6e65742d6e657403056368696c6400076e65742d6e65740303696b65000567772d677703046d6"
     "f"
     "6465000654554e4e454c04086c6f63616c2d747305000b31302e312e302e302f323406040972656d6f74652d74730"
     "5"
     "000b31302e322e302e302f32340602",
     "gw-gw/net-net {child=net-net ike=gw-gw mode=TUNNEL local-ts=[10.1.0.0/24] "
     "remote-ts=[10.2.0.0/24]}"},
    {"swanctl: list-policies",
     "03047472617000037965730304"
     "64726f70000379657303047061737300037965"
     "73",
     "trap=yes drop=yes pass=yes"},
    {"swanctl: load-shared",
     "030269640005696b652d310304747970650003696b65030464617461000d6e6f747665727973656372657404066f7"
     "7"
     "6e65727305000b6777612e6578616d706c6505000b6777622e6578616d706c6506",
     "id=ike-1 type=ike data=notverysecret owners=[gwa.example gwb.example]"},
    {"swanctl: load-conn of a drop policy",
     "010564726f706301086368696c6472656e0102647203046d6f6465000464726f70040972656d6f74655f747305000"
     "c"
     "31302e35352e302e302f313606030c73746172745f616374696f6e0004747261700202"
     "02",
     "dropc {children {dr {mode=drop remote_ts=[10.55.0.0/16] start_action=trap}}}"},
    {"nothing", "", ""},
};

static void reads_and_writes_golden_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        uint8_t raw[512];
        size_t n = unhex(golden[i].hex, raw, sizeof raw);
        struct vnode *m;
        struct buf text = {0}, again = {0};
        assert_int_equal(vici_decode(bytes_of(raw, n), &m), E_OK);
        text_members(&text, m);
        assert_string_equal(buf_str(&text), golden[i].text);
        assert_int_equal(vici_encode(m, &again), E_OK);
        assert_true(bytes_eq(bytes_of(again.s, again.n), bytes_of(raw, n)));
        vnode_free(m);
        buf_free(&text);
        buf_free(&again);
    }
}

/* a message cut anywhere but between two elements of its root is refused */
static void refuses_truncations(void **state)
{
    (void)state;
    const struct golden *g = &golden[4];
    uint8_t raw[512];
    size_t n = unhex(g->hex, raw, sizeof raw);
    for (size_t cut = 1; cut < n; cut++) {
        struct vnode *m;
        assert_int_equal(vici_decode(bytes_of(raw, cut), &m), R_TRUNCATED);
        assert_null(m);
    }
}

static void refuses_what_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hex;
        err_t want;
    } cases[] = {
        {"section end at the root", "02", R_SYNTAX},
        {"list end at the root", "06", R_SYNTAX},
        {"item outside of a list", "050000", R_SYNTAX},
        {"unknown element", "07", R_SYNTAX},
        {"element 0", "00", R_SYNTAX},
        {"section never ended", "010161", R_TRUNCATED},
        {"list never ended", "040161", R_TRUNCATED},
        {"key value in a list", "040161030162000006", R_SYNTAX},
        {"section in a list", "0401610101620206", R_SYNTAX},
        {"list in a list", "0401610401620606", R_SYNTAX},
        {"list ended as a section", "04016102", R_SYNTAX},
        {"section ended as a list", "01016106", R_SYNTAX},
        {"section ended twice", "0101610202", R_SYNTAX},
        {"empty name", "03000000", R_SYNTAX},
        {"name with a zero byte",
         "03026100"
         "0000",
         R_SYNTAX},
        {"name with a newline", "03010a0000", R_SYNTAX},
        {"value longer than the message", "0301610002ff", R_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t raw[64];
        size_t n = unhex(cases[i].hex, raw, sizeof raw);
        struct vnode *m;
        err_t e = vici_decode(bytes_of(raw, n), &m);
        if (e != cases[i].want)
            fail_msg("%s: %s", cases[i].what, err_name(e));
    }
}

static struct vnode *nested(unsigned depth)
{
    struct vnode *m = vnode_new(), *at = m;
    for (unsigned i = 0; i < depth; i++)
        at = vnode_section(at, "s");
    return m;
}

static void limits_depth(void **state)
{
    (void)state;
    struct buf b = {0};
    struct vnode *ok = nested(VICI_DEPTH_MAX), *deep = nested(VICI_DEPTH_MAX + 1), *m;
    assert_int_equal(vici_encode(ok, &b), E_OK);
    assert_int_equal(vici_decode(bytes_of(b.s, b.n), &m), E_OK);
    vnode_free(m);
    buf_clear(&b);
    assert_int_equal(vici_encode(deep, &b), E_SPACE);
    assert_int_equal(b.n, 0);
    for (int i = 0; i <= VICI_DEPTH_MAX; i++)
        buf_add(&b, "\1\1s", 3);
    for (int i = 0; i <= VICI_DEPTH_MAX; i++)
        buf_add(&b, "\2", 1);
    assert_int_equal(vici_decode(bytes_of(b.s, b.n), &m), R_SYNTAX);
    vnode_free(ok);
    vnode_free(deep);
    buf_free(&b);
}

static void limits_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t name, value;
        err_t want;
    } cases[] = {
        {1, 0, E_OK}, {255, 65535, E_OK}, {0, 1, E_SPACE}, {256, 1, E_SPACE}, {1, 65536, E_SPACE}};
    static char zeros[65536], names[257];
    memset(names, 'n', 256);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vnode *m = vnode_new();
        vnode_data(m, names + 256 - cases[i].name, bytes_of(zeros, cases[i].value));
        struct buf b = {0};
        buf_puts(&b, "kept");
        assert_int_equal(vici_encode(m, &b), cases[i].want);
        assert_int_equal(b.n, 4 + (cases[i].want ? 0 : 4 + cases[i].name + cases[i].value));
        vnode_free(m);
        buf_free(&b);
    }
}

static void says_that_building_failed(void **state)
{
    (void)state;
    struct vnode *m = vnode_new();
    struct buf b = {0};
    m->broken = true;
    assert_int_equal(vici_encode(m, &b), E_NOMEM);
    vnode_free(m);
    buf_free(&b);
}

static void makes_packets(void **state)
{
    (void)state;
    struct vnode *m = vnode_new();
    vnode_value(m, "a", "b");
    const struct {
        enum vici_op op;
        const char *name;
        const struct vnode *msg;
        const char *hex;
    } cases[] = {
        {VICI_CMD_REQUEST, "version", NULL, "00000009000776657273696f6e"},
        {VICI_CMD_RESPONSE, NULL, m,
         "000000070103016100"
         "0162"},
        {VICI_CMD_UNKNOWN, NULL, NULL, "0000000102"},
        {VICI_EVENT_REGISTER, "log", NULL, "0000000503036c6f67"},
        {VICI_EVENT_UNREGISTER, "log", NULL, "0000000504036c6f67"},
        {VICI_EVENT_CONFIRM, NULL, NULL, "0000000105"},
        {VICI_EVENT_UNKNOWN, NULL, NULL, "0000000106"},
        {VICI_EVENT, "log", m, "0000000b07036c6f67030161000162"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t want[64];
        size_t n = unhex(cases[i].hex, want, sizeof want);
        struct buf b = {0};
        assert_int_equal(vici_packet(cases[i].op, cases[i].name, cases[i].msg, &b), E_OK);
        assert_true(bytes_eq(bytes_of(b.s, b.n), bytes_of(want, n)));
        buf_free(&b);
    }
    vnode_free(m);
}

static void refuses_too_large_packets(void **state)
{
    (void)state;
    static char zeros[65535];
    struct vnode *m = vnode_new();
    for (int i = 0; i < 9; i++)
        vnode_data(m, "k", bytes_of(zeros, sizeof zeros));
    struct buf b = {0};
    buf_puts(&b, "x");
    assert_int_equal(vici_packet(VICI_CMD_RESPONSE, NULL, m, &b), E_SPACE);
    assert_int_equal(b.n, 1);
    assert_int_equal(vici_packet(VICI_CMD_REQUEST, NULL, NULL, &b), E_SPACE); /* needs a name */
    assert_int_equal(b.n, 1);
    vnode_free(m);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_golden_messages),
        cmocka_unit_test(refuses_truncations),
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(limits_depth),
        cmocka_unit_test(limits_lengths),
        cmocka_unit_test(says_that_building_failed),
        cmocka_unit_test(makes_packets),
        cmocka_unit_test(refuses_too_large_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
