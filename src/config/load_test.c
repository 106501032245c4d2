/* Whole files: the examples of docs/, every truncation of one, culvertd's section, culvert check.
 * The folder with the examples is the only argument. */
#include "config/config_test.h"
#include "config/schema.h"

static const char *examples;

static const struct {
    const char *name;
    size_t conns, children, secrets, max_lines;
} files[] = {
    {"two-gateways-a.conf", 1, 1, 1, 15},
    {"two-gateways-b.conf", 1, 1, 1, 15},
    {"many-branches.conf", 3, 4, 2, 1000},
};

static void example_path(char out[512], size_t i)
{
    snprintf(out, 512, "%s/%s", examples, files[i].name);
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        struct config cf;
        struct diag d = {0};
        size_t children = 0;
        example_path(path, i);
        if (config_load(path, &cf, &d) || d.first)
            fail_msg("%s: %s", path, d.first ? d.first->text : "?");
        for (size_t k = 0; k < cf.conn_count; k++)
            children += cf.conn[k]->child_count;
        assert_int_equal(cf.conn_count, files[i].conns);
        assert_int_equal(children, files[i].children);
        assert_int_equal(cf.shared_count, files[i].secrets);
        config_free(&cf);
    }
}

/* The two gateways fit: mirrored addresses, selectors, one key. */
static void test_pair(void **state)
{
    char path[2][512];
    struct config cf[2];
    struct diag d = {0};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        example_path(path[i], i);
        assert_int_equal(config_load(path[i], &cf[i], &d), 0);
    }
    const struct conn *a = cf[0].conn[0], *b = cf[1].conn[0];
    assert_true(addr_eq(&a->local[0].lo, &b->remote[0].lo));
    assert_true(addr_eq(&a->remote[0].lo, &b->local[0].lo));
    assert_true(ts_eq(&a->child[0].local_ts.ts[0].ts, &b->child[0].remote_ts.ts[0].ts));
    assert_true(ts_eq(&a->child[0].remote_ts.ts[0].ts, &b->child[0].local_ts.ts[0].ts));
    assert_true(
        bytes_eq(secret_bytes(&cf[0].shared[0]->secret), secret_bytes(&cf[1].shared[0]->secret)));
    config_free(&cf[0]);
    config_free(&cf[1]);
}

static void slurp(const char *path, struct buf *out)
{
    char chunk[4096];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_add(out, chunk, n);
    fclose(f);
}

static err_t read_and_load(struct bytes text, struct config *cf, struct diag *d)
{
    struct vnode *t;
    *cf = (struct config){0};
    err_t e = config_read_text("f", text, &t, d);
    if (e)
        return e;
    e = config_from_tree(t, cf, d);
    vnode_free(t);
    return e;
}

static unsigned lines_of(struct bytes text)
{
    unsigned n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

/* A file cut anywhere is a whole configuration or a clean error in one of its lines. */
static void test_truncations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512];
        struct buf text = {0};
        example_path(path, i);
        slurp(path, &text);
        assert_true(lines_of(bytes_of(text.s, text.n)) <= files[i].max_lines);
        for (size_t n = 0; n <= text.n; n++) {
            struct config cf;
            struct diag d = {0};
            char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read beyond */
            memcpy(exact, text.s, n);
            err_t e = read_and_load(bytes_of(exact, n), &cf, &d);
            assert_int_equal(e != 0, d.errors != 0);
            assert_true(e == 0 || (e > 0 && !cf.conn && !cf.shared));
            for (const struct diag_item *r = d.first; r; r = r->next)
                assert_in_range(r->line, 1, lines_of(bytes_of(exact, n)));
            config_free(&cf);
            diag_free(&d);
            free(exact);
        }
        buf_free(&text);
    }
}

/* The defaults in the schema's rows, which the man page shows, are those of the code. */
static void test_daemon_defaults(void **state)
{
    struct config_daemon from_rows = {0}, from_code;
    struct diag d = {0};
    struct cx cx = {&d};
    struct vnode *sec = vnode_new();
    (void)state;
    for (size_t i = 0; i < schema_count; i++)
        if (schema[i].scope == SC_DAEMON)
            vnode_value(sec, schema[i].key, schema[i].def);
    daemon_from_tree(&cx, sec, &from_rows);
    assert_null(d.first);
    config_daemon_default(&from_code);
    for (size_t i = 0; i < schema_count; i++) {
        const struct row *r = &schema[i];
        const char *a = (const char *)&from_rows, *b = (const char *)&from_code;
        if (r->scope == SC_DAEMON && memcmp(a + r->off, b + r->off, r->size) != 0)
            fail_msg("%s differs", r->key);
    }
    vnode_free(sec);
}

static void test_daemon(void **state)
{
    static const char text[] = "culvertd {\n port = 1500\n port_nat_t = 14500\n log_level = 2\n"
                               " retransmit_timeout = 0.25\n retransmit_base = 1\n"
                               " vici = unix:///tmp/x\n tun = cv1\n"
                               " lan_io = packet\n lan_interfaces = eth1, br-lan\n}\n";
    struct config cf;
    struct diag d = {0};
    (void)state;
    assert_int_equal(read_and_load(text_bytes(text), &cf, &d), 0);
    assert_int_equal(cf.daemon.port, 1500);
    assert_int_equal(cf.daemon.port_natt, 14500);
    assert_int_equal(cf.daemon.log_level, 2);
    assert_int_equal(cf.daemon.retransmit_timeout_ms, 250);
    assert_int_equal(cf.daemon.retransmit_base_pct, 100);
    assert_string_equal(cf.daemon.vici, "unix:///tmp/x");
    assert_string_equal(cf.daemon.tun, "cv1");
    assert_int_equal(cf.daemon.route_table, 220);
    assert_int_equal(cf.daemon.lan_io, CONFIG_LAN_PACKET);
    assert_int_equal(cf.daemon.lan_interfaces, 2);
    assert_string_equal(cf.daemon.lan_interface[0], "eth1");
    assert_string_equal(cf.daemon.lan_interface[1], "br-lan");
    config_free(&cf);
}

/* Of two sections the keys that differ. */
static void test_daemon_changes(void **state)
{
    static const struct {
        const char *before, *after, *keys;
    } cases[] = {
        {"", "", ""},
        {"port = 500", "", ""},
        {"", "port = 501", "port"},
        {"tun = a-longer-name", "tun = cv1", "tun"},
        {"lan_interfaces = a, b\n lan_io = packet", "lan_interfaces = a\n lan_io = xdp",
         "lan_interfaces, lan_io"},
        {"retransmit_timeout = 4", "retransmit_timeout = 4.0\n mtu = 9000\n workers = 2",
         "workers, mtu"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *sections[2] = {cases[i].before, cases[i].after};
        struct config cf[2];
        struct buf keys = {0};
        for (size_t k = 0; k < 2; k++) {
            struct diag d = {0};
            struct buf text = {0};
            buf_printf(&text, "culvertd {\n%s\n}\n", sections[k]);
            assert_int_equal(read_and_load(bytes_of(text.s, text.n), &cf[k], &d), 0);
            buf_free(&text);
        }
        config_daemon_changes(&cf[0].daemon, &cf[1].daemon, &keys);
        assert_string_equal(keys.n ? buf_str(&keys) : "", cases[i].keys);
        buf_free(&keys);
        config_free(&cf[0]);
        config_free(&cf[1]);
    }
}

static const struct {
    const char *text, *word, *report;
} daemon_bad[] = {
    {"port = 0", "0", "from 1"},
    {"port = 4500", NULL, "must differ"},
    {"route_table = 254", "254", "system's own"},
    {"tun = a/b", "a/b", "name of an interface"},
    {"tun = a-name-much-too-long", "a-name-much-too-long", "longer than 15"},
    {"vici = /run/x", "/run/x", "unix://"},
    {"retransmit_base = 0.5", "0.5", "must be 1"},
    {"retransmit_timeout = 4s", "4s", "expected a number"},
    {"log_level = loud", "loud", "error, audit"},
    {"workers = 0", "0", "expected auto or a number from 1 to 64"},
    {"workers = 65", "65", "expected auto or a number from 1 to 64"},
    {"workers = all", "all", "expected auto or a number from 1 to 64"},
    {"esp_io = xdp", "xdp", "needs esp_interface"},
    {"esp_io = fast", "fast", "auto, raw, packet"},
    {"esp_interface = a/b", "a/b", "name of an interface"},
    {"lan_io = xdp", "xdp", "needs lan_interfaces"},
    {"lan_io = fast", "fast", "tun, packet, xdp"},
    {"lan_interfaces = eth1, a/b", "a/b", "name of an interface"},
    {"lan_interfaces = eth1, a-name-much-too-long", "a-name-much-too-long", "name of an interface"},
    {"lan_interfaces = eth1, eth2, eth1", "eth1", "stands here twice"},
    {"lan_interfaces = a, b, c, d, e, f, g, h, i", "i", "more than 8 interfaces"},
    {"lan_interfaces = eth1, culvert0", "culvert0", "is the TUN device"},
    {"log { }", "log", "unknown section"},
    {"tum = x", "tum", "did you mean `tun'"},
};

static void test_daemon_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof daemon_bad / sizeof *daemon_bad; i++) {
        struct config cf;
        struct diag d = {0};
        struct buf text = {0};
        buf_printf(&text, "culvertd {\n%s\n}\n", daemon_bad[i].text);
        assert_int_equal(read_and_load(bytes_of(text.s, text.n), &cf, &d), R_CONFIG_VALUE);
        expect_report(daemon_bad[i].text, &d, DIAG_ERROR, 0, daemon_bad[i].word,
                      daemon_bad[i].report);
        diag_free(&d);
        buf_free(&text);
    }
}

/* Which of two tunnels with interfaces a peer means, only addresses and identities can tell. */
static void test_alike(void **state)
{
#define AUTH(more) "local {\n auth = psk\n" more "}\n remote {\n auth = psk\n }\n"
#define CHILD(key) "children {\n v {\n " key "\n }\n }\n"
#define CHILDREN(first, name)                                                                      \
    "children {\n v {\n interface = vti2\n" first "}\n w {\n interface = " name "\n}\n }\n"
#define V1 "version = 1\n remote_addrs = 192.0.2.9\n" AUTH("")
    static const struct {
        const char *two;
        bool warned;
        const char *word; /* NULL: "two" */
    } cases[] = {
        {AUTH("") CHILD("interface = vti1"), true},
        {AUTH("") CHILD("interface = vti0"), false},
        {AUTH("") CHILD("remote_ts = 10.0.0.0/8"), false},
        {AUTH("id = other\n") CHILD("interface = vti1"), false},
        {"remote_addrs = 192.0.2.9\n" AUTH("") CHILD("interface = vti1"), false},
        {"remote_addrs = 192.0.2.9\n" AUTH("") CHILDREN("", "vti1"), false},
        {V1 CHILDREN("", "vti1"), true, "w"},
        {V1 CHILDREN("remote_ts = 10.0.0.0/8\n", "vti1"), false},
        {V1 CHILDREN("", "vti2"), false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag d = {0};
        struct config cf;
        struct buf text = {0};
        buf_printf(&text,
                   "connections {\n one {\n" AUTH("") CHILD("interface = vti0") "}\n"
                                                                                "two {\n%s}\n}\n",
                   cases[i].two);
        assert_int_equal(read_and_load(bytes_of(text.s, text.n), &cf, &d), 0);
        assert_int_equal(d.warnings, cases[i].warned ? 1 : 0);
        if (cases[i].warned)
            assert_string_equal(d.first->word, cases[i].word ? cases[i].word : "two");
        config_free(&cf);
        diag_free(&d);
        buf_free(&text);
    }
}

/* Names that the daemon's own section takes, MTUs, and what takes everything for want of one. */
static void test_interfaces(void **state)
{
    static const struct {
        const char *daemon, *first, *second, *word, *report; /* report NULL: fine */
        enum diag_level level;
    } cases[] = {
        {"", "interface = v\n interface_mtu = 1400", "interface = v", NULL, NULL, 0},
        {"", "interface = v\n interface_mtu = 1400", "interface = w\n interface_mtu = 1300", NULL,
         NULL, 0},
        {"", "interface = v\n interface_mtu = 1400", "interface = v\n interface_mtu = 1400", NULL,
         NULL, 0},
        {"", "interface = v\n interface_mtu = 1400", "interface = v\n interface_mtu = 1300", "1300",
         "one.x gives v another, 1400: the smallest counts", DIAG_WARNING},
        {"tun = cv1", "interface = v", "interface = cv1", "cv1", "shared TUN device", DIAG_ERROR},
        {"tun = cv1", "interface = v", "interface = culvert0", NULL, NULL, 0},
        {"lan_io = packet\n lan_interfaces = eth1, eth2", "interface = v", "interface = eth2",
         "eth2", "culvertd.lan_interfaces", DIAG_ERROR},
        {"esp_interface = eth0", "interface = v", "interface = eth0", "eth0",
         "culvertd.esp_interface", DIAG_ERROR},
        {"", "interface = v",
         "local_ts = ::/0\n remote_ts = ::/0\n interface = w\n interface_mtu = 1279", "1279",
         "no IPv6 passes", DIAG_WARNING},
        {"", "interface = v",
         "local_ts = ::/0\n remote_ts = ::/0\n interface = w\n interface_mtu = 1280", NULL, NULL,
         0},
        {"", "interface = v",
         "local_ts = 10.0.0.0/8\n remote_ts = 0.0.0.0/0\n interface = w\n "
         "interface_mtu = 68",
         NULL, NULL, 0},
        {"", "interface = v", "local_ts = 0.0.0.0/0\n remote_ts = 10.0.0.0/8, 0.0.0.0/0",
         "10.0.0.0/8, 0.0.0.0/0", "takes all traffic", DIAG_WARNING},
        {"", "interface = v", "local_ts = ::/0\n remote_ts = ::/0", "::/0", "takes all traffic",
         DIAG_WARNING},
        {"", "interface = v", "interface = w\n local_ts = 0.0.0.0/0\n remote_ts = 0.0.0.0/0", NULL,
         NULL, 0},
        {"", "interface = v", "local_ts = 0.0.0.0/0[tcp/80]\n remote_ts = 0.0.0.0/0", NULL, NULL,
         0},
        {"", "interface = v", "local_ts = 10.0.0.0/8\n remote_ts = 0.0.0.0/0", NULL, NULL, 0},
        {"", "interface = v", "mode = drop\n local_ts = 0.0.0.0/0\n remote_ts = 0.0.0.0/0", NULL,
         NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag d = {0};
        struct config cf;
        struct buf text = {0};
        buf_printf(&text,
                   "connections {\n one {\n local {\n auth = psk\n }\n remote {\n auth = psk\n }\n"
                   " children {\n x {\n %s\n }\n y {\n %s\n }\n }\n }\n}\nculvertd {\n %s\n}\n",
                   cases[i].first, cases[i].second, cases[i].daemon);
        err_t e = read_and_load(bytes_of(text.s, text.n), &cf, &d);
        bool bad = cases[i].report && cases[i].level == DIAG_ERROR;
        assert_int_equal(e, bad ? R_CONFIG_VALUE : 0);
        if (cases[i].report)
            expect_report(cases[i].second, &d, cases[i].level, 0, cases[i].word, cases[i].report);
        else
            assert_null(d.first);
        config_free(&cf);
        diag_free(&d);
        buf_free(&text);
    }
}

static void test_check(void **state)
{
    char path[512];
    struct buf text = {0};
    struct vnode *t = vnode_new();
    (void)state;
    example_path(path, 0);
    assert_int_equal(config_check_file(path, &text, t), 0);
    assert_non_null(strstr(buf_str(&text), "fine: 1 connection, 1 secret, 0 warnings\n"));
    assert_string_equal(vnode_get(t, "ok"), "yes");
    vnode_free(t);
    buf_clear(&text);

    char bad[] = "/tmp/culvert-check-XXXXXX";
    int fd = mkstemp(bad);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs("connections {\n gw {\n proposals = aes127-sha256-x25519\n } }\n", f);
    fclose(f);
    t = vnode_new();
    assert_int_equal(config_check_file(bad, &text, t), R_CONFIG_VALUE);
    assert_non_null(
        strstr(buf_str(&text), ":3: connections.gw.proposals: `aes127': unknown algorithm"));
    const struct vnode *first = vnode_find(vnode_find(t, "reports"), "1");
    assert_string_equal(vnode_get(first, "line"), "3");
    assert_string_equal(vnode_get(first, "word"), "aes127");
    assert_string_equal(vnode_get(t, "ok"), "no");
    vnode_free(t);
    buf_free(&text);
    assert_int_equal(remove(bad), 0);

    assert_int_equal(config_check_file(bad, NULL, NULL), R_CONFIG_SYNTAX);
}

/* --- pools --- */

static const struct {
    const char *body, *word, *text; /* text NULL: taken */
    uint32_t size, attrs;
} pools[] = {
    {"addrs = 10.9.0.0/24", NULL, NULL, 254, 0},
    {"addrs = 10.9.0.10-10.9.0.19\n dns = 10.2.0.53, 2001:db8::53\n nbns = 10.2.0.54", NULL, NULL,
     10, 3},
    {"addrs = 10.9.0.0/24\n split_include = 10.2.0.0/16, 10.3.0.0/16\n 28672 = Hello, traveller",
     NULL, NULL, 254, 2},
    {"dns = 10.2.0.53", "road", "missing addrs", 0, 0},
    {"addrs = 10.9.0.0/24, 10.8.0.0/24", "10.9.0.0/24, 10.8.0.0/24", "one subnet or range", 0, 0},
    {"addrs = everywhere", "everywhere", "one subnet or range", 0, 0},
    {"addrs = 10.9.0.0/24\n dns = ns.example", "ns.example", "not a value for dns", 0, 0},
    {"addrs = 10.9.0.0/24\n dsn = 10.2.0.53", "dsn", "unknown key", 0, 0},
    {"addrs = 10.9.0.0/24\n x { }", "x", "no sections", 0, 0},
};

static void test_pools(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        struct config cf = {0};
        struct diag d = {0};
        struct vnode *t;
        struct buf text = {0};
        buf_printf(&text, "pools { road {\n%s\n } }\n", pools[i].body);
        assert_int_equal(config_read_text("f", bytes_of(text.s, text.n), &t, &d), 0);
        err_t e = config_from_tree(t, &cf, &d);
        assert_int_equal(e != 0, pools[i].text != NULL);
        if (pools[i].text) {
            expect_report(pools[i].body, &d, DIAG_ERROR, 0, pools[i].word, pools[i].text);
        } else {
            assert_int_equal(cf.pool_count, 1);
            assert_string_equal(cf.pool[0]->name, "road");
            assert_int_equal(cf.pool[0]->size, pools[i].size);
            assert_int_equal(cf.pool[0]->attr_count, pools[i].attrs);
        }
        vnode_free(t);
        buf_free(&text);
        config_free(&cf);
        diag_free(&d);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_daemon_defaults),
        cmocka_unit_test(test_daemon),
        cmocka_unit_test(test_daemon_changes),
        cmocka_unit_test(test_daemon_bad),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_interfaces),
    };
    examples = argc > 1 ? argv[1] : "docs/examples";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
