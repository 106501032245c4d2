/*
 * VICI's messages against charon 5.9.8: keys, their order and spellings as recorded from it.
 * Existing tools parse them, so a difference is an error even where ours would read better.
 */
#include "config/config.h"
#include "daemon/render.h"
#include "daemon/tree_text.h"
#include <netdb.h>

static bool no_stats(void *ctx, uint32_t id, struct child_stats *out)
{
    (void)ctx;
    (void)id;
    (void)out;
    return false;
}

static bool three_pings(void *ctx, uint32_t id, struct child_stats *out)
{
    (void)ctx;
    assert_int_equal(id, 8);
    *out = (struct child_stats){.in = {252, 3, 99500},
                                .out = {252, 3, 98000},
                                .duplicate = 2,
                                .late = 5,
                                .lateness = {[0] = 1, [6] = 5},
                                .window = 64,
                                .limit_bytes = 500000000,
                                .window_advice = 128};
    return true;
}

static struct buf written;

static struct vici_writer *begin(void)
{
    static struct vici_writer w;
    vici_write_begin(&w, &written, VICI_EVENT, "list-sa");
    return &w;
}

static struct endpoint at(const char *addr, uint16_t port)
{
    struct endpoint e = {.port = port};
    if (addr)
        assert_true(addr_parse(&e.addr, addr));
    return e;
}

static struct id id_of(const char *text)
{
    struct id id;
    assert_true(id_parse(&id, text));
    return id;
}

static struct ts_list selectors(const char *text)
{
    const char *why = "";
    const struct addr none = {0};
    struct ts_conf_list c = {.count = 1};
    struct ts_list l;
    assert_int_equal(ts_conf_parse(&c.ts[0], text, &why), E_OK);
    ts_resolve(&c, &none, &l);
    return l;
}

static struct proposal proposal_of(const char *words)
{
    struct proposals ps = {0};
    struct proposal_error err;
    assert_int_equal(proposal_parse(PROTO_IKE, words, &ps, &err), E_OK);
    return ps.p[0];
}

static const char established[] = "uniqueid = 3\n"
                                  "version = 2\n"
                                  "state = ESTABLISHED\n"
                                  "local-host = 192.0.2.1\n"
                                  "local-port = 4500\n"
                                  "local-id = gwa.example\n"
                                  "remote-host = 192.0.2.2\n"
                                  "remote-port = 4500\n"
                                  "remote-id = gwb.example\n"
                                  "auth-local = rsa-sha256\n"
                                  "auth-remote = psk\n"
                                  "initiator = yes\n"
                                  "initiator-spi = 965d73d23c30108d\n"
                                  "responder-spi = a8811a3fb7483e8b\n"
                                  "nat-remote = yes\n"
                                  "nat-any = yes\n"
                                  "encr-alg = AES_GCM_16\n"
                                  "encr-keysize = 128\n"
                                  "prf-alg = PRF_HMAC_SHA2_256\n"
                                  "dh-group = CURVE_25519\n"
                                  "established = 10\n"
                                  "rekey-time = 13909\n";

/* charon leaves out algorithms and times, and has no peer yet: %any and SPI 0. */
static const char connecting[] = "uniqueid = 4\n"
                                 "version = 2\n"
                                 "state = CONNECTING\n"
                                 "local-host = %any\n"
                                 "local-port = 500\n"
                                 "local-id = %any\n"
                                 "remote-host = 2001:db8::2\n"
                                 "remote-port = 500\n"
                                 "remote-id = %any\n"
                                 "initiator = yes\n"
                                 "initiator-spi = 000000000000abcd\n"
                                 "responder-spi = 0000000000000000\n"
                                 "tasks-active = [IKE_INIT, IKE_AUTH]\n";

/* Fixed key length (3DES) shows no key size; forced encapsulation is nat-fake. */
static const char responder[] = "uniqueid = 5\n"
                                "version = 2\n"
                                "state = REKEYING\n"
                                "local-host = 192.0.2.1\n"
                                "local-port = 500\n"
                                "local-id = gwa.example\n"
                                "remote-host = 192.0.2.2\n"
                                "remote-port = 500\n"
                                "remote-id = gwb.example\n"
                                "initiator-spi = 0000000000000001\n"
                                "responder-spi = 0000000000000002\n"
                                "nat-local = yes\n"
                                "nat-fake = yes\n"
                                "encr-alg = 3DES_CBC\n"
                                "integ-alg = HMAC_SHA1_96\n"
                                "prf-alg = PRF_HMAC_SHA1\n"
                                "dh-group = MODP_2048\n"
                                "established = 0\n"
                                "rekey-time = 0\n"
                                "reauth-time = 5\n";

/* charon has the user behind the identity and addresses behind the times; name servers are ours. */
static const char traveller[] = "uniqueid = 6\n"
                                "version = 1\n"
                                "state = CONNECTING\n"
                                "v1-state = CONF_ADDR\n"
                                "local-host = 192.0.2.1\n"
                                "local-port = 500\n"
                                "local-id = gwa.example\n"
                                "remote-host = 192.0.2.2\n"
                                "remote-port = 500\n"
                                "remote-id = gwb.example\n"
                                "remote-xauth-id = alice\n"
                                "initiator-spi = 0000000000000001\n"
                                "responder-spi = 0000000000000002\n"
                                "local-vips = [10.9.0.1]\n"
                                "remote-vips = [10.9.0.2, 2001:db8:9::1]\n"
                                "dns = [10.2.0.53]\n";

static void test_ike(void **state)
{
    (void)state;
    const struct render r = {NULL, no_stats, NULL, 100000, "culvert0"};
    struct id a = id_of("gwa.example"), b = id_of("gwb.example"), any = {0}, user = id_of("alice");
    struct proposal gcm = proposal_of("aes128gcm16-prfsha256-x25519");
    struct proposal des = proposal_of("3des-sha1-modp2048");
    const struct ike_sa_info rows[] = {
        {.id = 3,
         .version = 2,
         .state = "ESTABLISHED",
         .initiator = true,
         .spi_i = 0x965d73d23c30108d,
         .spi_r = 0xa8811a3fb7483e8b,
         .local = at("192.0.2.1", 4500),
         .remote = at("192.0.2.2", 4500),
         .local_id = &a,
         .remote_id = &b,
         .auth_local = "rsa-sha256",
         .auth_remote = "psk",
         .nat_remote = true,
         .nat_any = true,
         .proposal = &gcm,
         .established_ms = 90000,
         .rekey_ms = 100000 + 13909000,
         .tasks = ""},
        {.id = 4,
         .version = 2,
         .state = "CONNECTING",
         .initiator = true,
         .spi_i = 0xabcd,
         .local = at(NULL, 500),
         .remote = at("2001:db8::2", 500),
         .local_id = &any,
         .remote_id = &any,
         .tasks = "IKE_INIT IKE_AUTH"},
        {.id = 5,
         .version = 2,
         .state = "REKEYING",
         .spi_i = 1,
         .spi_r = 2,
         .local = at("192.0.2.1", 500),
         .remote = at("192.0.2.2", 500),
         .local_id = &a,
         .remote_id = &b,
         .nat_local = true,
         .nat_fake = true,
         .proposal = &des,
         .established_ms = 100000,
         .rekey_ms = 99000,
         .reauth_ms = 105999,
         .tasks = ""},
        {.id = 6,
         .version = 1,
         .state = "CONNECTING",
         .v1_state = "CONF_ADDR",
         .spi_i = 1,
         .spi_r = 2,
         .local = at("192.0.2.1", 500),
         .remote = at("192.0.2.2", 500),
         .local_id = &a,
         .remote_id = &b,
         .remote_user = &user,
         .local_vip = {at("10.9.0.1", 0).addr},
         .remote_vip = {at("10.9.0.2", 0).addr, at("2001:db8:9::1", 0).addr},
         .dns = {at("10.2.0.53", 0).addr},
         .local_vips = 1,
         .remote_vips = 2,
         .dns_count = 1,
         .tasks = ""},
    };
    const char *const want[] = {established, connecting, responder, traveller};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vici_writer *w = begin();
        render_ike(&r, &rows[i], w);
        assert_written(w, want[i]);
    }
}

static const char child_cbc[] = "name = net2\n"
                                "uniqueid = 8\n"
                                "reqid = 1\n"
                                "state = INSTALLED\n"
                                "mode = TUNNEL\n"
                                "protocol = ESP\n"
                                "encap = yes\n"
                                "spi-in = 000444f5\n"
                                "spi-out = 48a8b4ab\n"
                                "encr-alg = AES_CBC\n"
                                "encr-keysize = 256\n"
                                "integ-alg = HMAC_SHA2_256_128\n"
                                "interface = culvert0\n"
                                "replay-window = 64\n"
                                "limit-bytes = 500000000\n"
                                "bytes-in = 252\n"
                                "packets-in = 3\n"
                                "use-in = 0\n"
                                "bytes-out = 252\n"
                                "packets-out = 3\n"
                                "use-out = 2\n"
                                "late-in = 5\n"
                                "duplicate-in = 2\n"
                                "lateness = [1:1, 64:5]\n"
                                "replay-window-advice = 128\n"
                                "rekey-time = 3426\n"
                                "life-time = 3960\n"
                                "install-time = 4\n"
                                "local-ts = [10.1.0.0/24]\n"
                                "remote-ts = [10.2.0.0/24[tcp/http]]\n";

/* Never used: no use-in, use-out; after an exchange with PFS its group; ESN as esn = 1. */
static const char child_aead[] = "name = net2\n"
                                 "uniqueid = 9\n"
                                 "reqid = 1\n"
                                 "state = REKEYED\n"
                                 "mode = TUNNEL\n"
                                 "protocol = ESP\n"
                                 "spi-in = 00000100\n"
                                 "spi-out = 00000200\n"
                                 "encr-alg = CHACHA20_POLY1305\n"
                                 "dh-group = CURVE_25519\n"
                                 "esn = 1\n"
                                 "bytes-in = 0\n"
                                 "packets-in = 0\n"
                                 "bytes-out = 0\n"
                                 "packets-out = 0\n"
                                 "install-time = 0\n"
                                 "local-ts = [10.1.0.0/24]\n"
                                 "remote-ts = [10.2.0.0/24[tcp/http]]\n";

static void test_child(void **state)
{
    (void)state;
    struct conn_child conf = {.name = (char *)(uintptr_t) "net2"};
    struct ts_list local = selectors("10.1.0.0/24"), remote = selectors("10.2.0.0/24[tcp/80]");
    struct child_sa_info c = {.id = 8,
                              .child = &conf,
                              .reqid = 1,
                              .state = "INSTALLED",
                              .proto = PROTO_ESP,
                              .encap = true,
                              .spi_in = 0x000444f5,
                              .spi_out = 0x48a8b4ab,
                              .encr = alg_find(T_ENCR, ENCR_AES_CBC, 256),
                              .integ = alg_find(T_INTEG, AUTH_HMAC_SHA2_256_128, 0),
                              .installed_ms = 96000,
                              .rekey_ms = 100000 + 3426000,
                              .life_ms = 100000 + 3960000,
                              .local_ts = &local,
                              .remote_ts = &remote};
    struct render r = {NULL, three_pings, NULL, 100000, "culvert0"};
    struct vici_writer *w = begin();
    render_child(&r, &c, w);
    assert_written(w, child_cbc);

    c.id = 9;
    c.state = "REKEYED";
    c.encap = false;
    c.spi_in = 256;
    c.spi_out = 512;
    c.encr = alg_find(T_ENCR, ENCR_CHACHA20_POLY1305, 0);
    c.integ = NULL;
    c.ke = alg_find(T_KE, KE_CURVE25519, 0);
    c.esn = true;
    c.installed_ms = c.rekey_ms = c.life_ms = 0;
    r.stats = no_stats;
    w = begin();
    render_child(&r, &c, w);
    assert_written(w, child_aead);
}

static void no_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    memset(p, 1, n);
}

/* An SA without children: child-sas is there all the same, but not when a child was asked for. */
static void test_sa_without_children(void **state)
{
    (void)state;
    struct ike_settings s;
    const struct ike_version *v = &ike_v2;
    const struct ike_env env = {.random = no_random};
    ike_settings_default(&s);
    struct ike *engine = ike_new(&s, &env, &v, 1);
    const struct render r = {engine, no_stats, NULL, 1000, "culvert0"};
    struct id any = {0};
    struct ike_sa_info sa = {
        .id = 1, .version = 2, .state = "CREATED", .local_id = &any, .remote_id = &any};
    struct vici_writer *w = begin();
    assert_true(render_sa(&r, &sa, NULL, 0, w));
    struct vnode *m = tree_written(w);
    struct vnode *in = vnode_find(m, "(unnamed)");
    assert_non_null(in);
    assert_string_equal(in->last->name, "child-sas");
    assert_null(in->last->child);
    vnode_free(m);
    w = begin();
    assert_false(render_sa(&r, &sa, "net", 0, w));
    vici_write_cancel(w);
    assert_false(render_sa(&r, &sa, NULL, 7, w));
    buf_free(&written);
    ike_free(engine);
}

struct conn_case {
    const char *name, *file, *want;
};

static const struct conn_case conns[] = {
    {"the recorded one",
     "gw-gw { version = 2\n local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n dpd_delay = 30s\n"
     "rekey_time = 4h\n"
     "local { auth = psk\n id = gwa.example }\n remote { auth = psk\n id = gwb.example }\n"
     "children { net-net { local_ts = 10.1.0.0/24\n remote_ts = 10.2.0.0/24\n"
     "start_action = trap|start\n rekey_time = 1h\n rekey_bytes = 500000000\n"
     "esp_proposals = aes128-sha256, aes256gcm16\n replay_window = 128\n interface = vti0 } } }",
     "gw-gw {\n"
     "  local_addrs = [192.0.2.1]\n"
     "  remote_addrs = [192.0.2.2]\n"
     "  version = IKEv2\n"
     "  reauth_time = 0\n"
     "  rekey_time = 14400\n"
     "  unique = UNIQUE_NO\n"
     "  dpd_delay = 30\n"
     "  proposals = default\n"
     "  local-1 {\n"
     "    id = gwa.example\n"
     "    class = pre-shared key\n"
     "    groups = []\n"
     "    cert_policy = []\n"
     "    certs = []\n"
     "    cacerts = []\n"
     "  }\n"
     "  remote-1 {\n"
     "    id = gwb.example\n"
     "    class = pre-shared key\n"
     "    groups = []\n"
     "    cert_policy = []\n"
     "    certs = []\n"
     "    cacerts = []\n"
     "  }\n"
     "  children {\n"
     "    net-net {\n"
     "      mode = TUNNEL\n"
     "      rekey_time = 3600\n"
     "      rekey_bytes = 500000000\n"
     "      rekey_packets = 0\n"
     "      dpd_action = none\n"
     "      close_action = none\n"
     "      local-ts = [10.1.0.0/24]\n"
     "      remote-ts = [10.2.0.0/24]\n"
     "      esp_proposals = aes128-sha256, aes256gcm16\n"
     "      replay_window = 128\n"
     "      start_action = trap|start\n"
     "      interface = vti0\n"
     "    }\n"
     "  }\n"
     "}\n"},
    {"defaults, dynamic selectors, pass, actions",
     "other { remote_addrs = 198.51.100.7\n local { auth = psk }\n remote { auth = psk }\n"
     "children { ob { mode = pass\n start_action = trap\n"
     "remote_ts = 10.9.0.0/16[tcp/80], fd02::/64 }\n"
     "dr { mode = drop\n start_action = trap\n remote_ts = 10.8.0.1-10.8.0.9\n priority = 7 }\n"
     "up { local_ts = dynamic[udp/53]\n dpd_action = restart\n close_action = start } } }",
     "other {\n"
     "  local_addrs = [%any]\n"
     "  remote_addrs = [198.51.100.7]\n"
     "  version = IKEv1/2\n"
     "  reauth_time = 0\n"
     "  rekey_time = 14400\n"
     "  unique = UNIQUE_NO\n"
     "  proposals = default\n"
     "  local-1 {\n"
     "    class = pre-shared key\n"
     "    groups = []\n"
     "    cert_policy = []\n"
     "    certs = []\n"
     "    cacerts = []\n"
     "  }\n"
     "  remote-1 {\n"
     "    class = pre-shared key\n"
     "    groups = []\n"
     "    cert_policy = []\n"
     "    certs = []\n"
     "    cacerts = []\n"
     "  }\n"
     "  children {\n"
     "    ob {\n"
     "      mode = PASS\n"
     "      rekey_time = 3600\n"
     "      rekey_bytes = 0\n"
     "      rekey_packets = 0\n"
     "      dpd_action = none\n"
     "      close_action = none\n"
     "      local-ts = [dynamic]\n"
     "      remote-ts = [10.9.0.0/16[tcp/http], fd02::/64]\n"
     "      start_action = trap\n"
     "    }\n"
     "    dr {\n"
     "      mode = DROP\n"
     "      rekey_time = 3600\n"
     "      rekey_bytes = 0\n"
     "      rekey_packets = 0\n"
     "      dpd_action = none\n"
     "      close_action = none\n"
     "      local-ts = [dynamic]\n"
     "      remote-ts = [10.8.0.1..10.8.0.9]\n"
     "      priority = 7\n"
     "      start_action = trap\n"
     "    }\n"
     "    up {\n"
     "      mode = TUNNEL\n"
     "      rekey_time = 3600\n"
     "      rekey_bytes = 0\n"
     "      rekey_packets = 0\n"
     "      dpd_action = start\n"
     "      close_action = start\n"
     "      local-ts = [dynamic[udp/domain]]\n"
     "      remote-ts = [dynamic]\n"
     "      esp_proposals = default\n"
     "      replay_window = 32\n"
     "      start_action = none\n"
     "    }\n"
     "  }\n"
     "}\n"},
};

static struct conn *conn_of(const char *text)
{
    struct vnode *root = NULL;
    struct diag d = {0};
    struct buf why = {0};
    struct conn *c = NULL;
    err_t e = config_read_text("test", bytes_of(text, strlen(text)), &root, &d);
    if (!e)
        e = config_conn_from_tree(root->child, &c, &d);
    diag_print(&d, &why);
    if (e)
        fail_msg("%s", buf_str(&why));
    buf_free(&why);
    diag_free(&d);
    vnode_free(root);
    return c;
}

static void test_conn(void **state)
{
    (void)state;
    for (const struct conn_case *x = conns; x < conns + sizeof conns / sizeof *conns; x++) {
        struct conn *c = conn_of(x->file);
        struct vici_writer *w = begin();
        print_message("%s\n", x->name);
        render_conn(c, w);
        assert_written(w, x->want);
        conn_unref(c);
    }
}

/* sas and all behind it are culvert's own and stand behind charon's keys. */
static void test_policy(void **state)
{
    (void)state;
    static const char *const modes[] = {"TUNNEL", "PASS", "DROP"};
    static const unsigned priority[] = {400000, 200000, 7};
    static const enum policy_action actions[] = {POL_PROTECT, POL_BYPASS, POL_DROP};
    struct ts_list local = selectors("10.1.0.0/24"), remote = selectors("fd02::/64");
    for (size_t i = 0; i < 3; i++) {
        char want[400];
        const struct policy_row row = {.conn = "gw-gw",
                                       .child = "net",
                                       .acquire = i == 0,
                                       .installed = i == 1,
                                       .priority = i == 2 ? 7 : 0,
                                       .action = actions[i],
                                       .local = &local,
                                       .remote = &remote,
                                       .sas = 2};
        snprintf(
            want, sizeof want,
            "gw-gw/net {\n  child = net\n  ike = gw-gw\n  mode = %s\n"
            "  local-ts = [10.1.0.0/24]\n  remote-ts = [fd02::/64]\n  sas = 2\n  trap = %s\n"
            "  configured = %s\n  interface = vti0\n  priority = %u\n  rank = %llu\n}\n",
            modes[i], i == 0 ? "yes" : "no", i == 1 ? "yes" : "no", priority[i],
            (unsigned long long)policy_rank(row.priority, row.action, &local.ts[0], &remote.ts[0]));
        struct vici_writer *w = begin();
        render_policy(&row, "vti0", w);
        assert_written(w, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ike),
        cmocka_unit_test(test_child),
        cmocka_unit_test(test_sa_without_children),
        cmocka_unit_test(test_conn),
        cmocka_unit_test(test_policy),
    };
    if (!getservbyname("http", "tcp") || !getservbyname("domain", "udp")) {
        fputs("skipped: needs /etc/services (netbase)\n", stderr);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
