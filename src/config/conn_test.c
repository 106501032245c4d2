/* Connections: defaults of swanctl.conf(5), values, what is refused and where, file against VICI.
 */
#include "config/config_test.h"

/* The least that is a connection; a case's lines come in place of %s. */
static const char frame[] = "connections { gw {\n%s\n remote_addrs = 192.0.2.2\n"
                            " local { auth = psk }\n remote { auth = psk }\n"
                            " children { net {\n%s\n remote_ts = 10.2.0.0/16\n } } } }\n";

static err_t load(const char *conn_lines, const char *child_lines, struct config *out,
                  struct diag *d)
{
    struct buf text = {0};
    struct vnode *t;
    buf_printf(&text, frame, conn_lines, child_lines);
    err_t e = config_read_text("f", bytes_of(text.s, text.n), &t, d);
    if (!e)
        e = config_from_tree(t, out, d);
    vnode_free(t);
    buf_free(&text);
    return e;
}

static void test_defaults(void **state)
{
    struct config cf;
    struct diag d = {0};
    (void)state;
    assert_int_equal(load("", "", &cf, &d), 0);
    assert_null(d.first);
    const struct conn *c = cf.conn[0];
    assert_string_equal(c->name, "gw");
    assert_int_equal(c->version, 0);
    assert_int_equal(c->local_port, 500);
    assert_int_equal(c->remote_port, 500);
    assert_int_equal(c->local_count, 1);
    assert_int_equal(c->local[0].lo.family, 0);
    assert_int_equal(c->remote[0].lo.family, 4);
    assert_true(c->ike_default && c->mobike && c->fragmentation == FRAG_YES && !c->encap);
    assert_int_equal(c->rekey_s, 4 * 3600);
    assert_int_equal(c->over_s, 1440);
    assert_int_equal(c->rand_s, 1440);
    assert_int_equal(c->reauth_s, 0);
    assert_int_equal(c->dpd_delay_s, 0);
    assert_int_equal(c->keyingtries, 1);
    assert_int_equal(c->unique, UNIQUE_NO);
    assert_int_equal(c->auth_local.id.type, ID_ANY);
    assert_null(c->auth_local.id_text);
    const struct conn_child *ch = &c->child[0];
    assert_int_equal(ch->life.rekey_s, 3600);
    assert_int_equal(ch->life.life_s, 3960);
    assert_int_equal(ch->rand_s, 360);
    assert_int_equal(ch->life.rekey_bytes, 0);
    assert_int_equal(ch->life.life_bytes, 0);
    assert_int_equal(ch->replay_window, 32);
    assert_true(ch->esp_default && ch->local_ts.ts[0].dynamic);
    assert_int_equal(ch->start_action, START_NONE);
    assert_int_equal(ch->policy, CHILD_PROTECT);
    assert_int_equal(ch->mode, MODE_TUNNEL);
    config_free(&cf);
}

/* Lines of the connection and of the child, and a piece of the dump that they must lead to. */
static const struct {
    const char *conn, *child, *dump;
} good[] = {
    {"version = 2\n local_port = 4500\n remote_port = 1500", "", "v2 ports 4500 1500"},
    {"local_addrs = 192.0.2.0/24, 198.51.100.1-198.51.100.9, gw.example.org, %any", "",
     "local 192.0.2.0-192.0.2.255 198.51.100.1-198.51.100.9 gw.example.org-%any %any-%any"},
    {"rekey_time = 2d", "", " 0 0 172800 0 17280 17280 1 0"},
    {"reauth_time = 10h", "", " 0 0 0 36000 3600 3600 1 0"},
    {"reauth_time = 10h\n rekey_time = 1h", "", " 0 0 3600 36000 3600 1800 1 "},
    {"rekey_time = 0\n over_time = 5m", "", " 0 0 0 0 300 0 1 0"},
    {"dpd_delay = 30\n dpd_timeout = 2m\n keyingtries = 0\n unique = replace", "",
     " 30 120 14400 0 1440 1440 0 3"},
    {"encap = yes\n mobike = no\n fragmentation = no", "", "encap 1 mobike 0 frag 0"},
    {"encap = TRUE\n mobike = disabled\n fragmentation = accept", "", "encap 1 mobike 0 frag 1"},
    {"proposals = aes256-sha512-modp4096, aes128gcm16-prfsha256-x25519", "",
     "ike 0 aes256-sha512-modp4096, aes128gcm16-prfsha256-x25519"},
    {"version =\n rekey_time = \"\"", "", " 0 0 14400 0 1440 "},
    {"send_cert = never\n send_certreq = no\n ppk_required = no\n childless = never", "", "gw v0"},
    {"vips = 0.0.0.0, 2001:db8::7\n pull = no", "", "vip 0.0.0.0 vip 2001:db8::7 push"},
    {"pools = road, warriors", "", "pool road pool warriors\n"},
    {"version = 1\n local-x { auth = xauth\n xauth_id = alice\n }", "", "xauth local alice\n"},
    {"version = 1\n remote-x { auth = xauth\n }", "", "xauth remote -\n"},
    {"", "mode = pass", "child net 1 0"},
    {"", "mode = drop", "child net 2 0"},
    {"", "start_action = trap|start\n dpd_action = restart\n close_action = start",
     "start 3 dpd 2 close 2"},
    {"", "start_action = route\n dpd_action = hold\n close_action = none", "start 1 dpd 1 close 0"},
    {"", "life_time = 110m", " 6000 6600 600 "},
    {"", "rekey_time = 10m\n life_time = 20m\n rand_time = 1m", " 600 1200 60 "},
    {"", "rekey_time = 0", " 0 0 0 0"},
    {"", "rekey_bytes = 500m\n rekey_packets = 1000",
     " 524288000 576716800 52428800 1000 1100 100"},
    {"", "replay_window = 0\n priority = 7", "replay 0 prio 7"},
    {"", "esp_proposals = aes128gcm16-ecp256, aes256-sha256-esn", "esp 0 aes128gcm16-ecp256, "},
    {"", "local_ts = 10.1.0.0/24, 10.1.2.1-10.1.2.9[tcp/80], dynamic[udp]",
     " 10.1.0.0-10.1.0.255 0 0-65535  10.1.2.1-10.1.2.9 6 80-80 dynamic %any-%any 17 0-65535 ==="},
    {"", "", "dscp 0 ecn 0 df 0 frag 0 mtu 0 mss 0 idle 0"},
    {"", "interface = vti0\n interface_addrs = 10.255.0.1/30, fd00::1\n interface_mtu = 1300",
     " if vti0 1300 10.255.0.1/30 fd00::1/128"},
    {"version = 1", "interface = vti0\n interface_routes = yes", "if vti0 0 routes"},
    {"", "copy_df = no\n copy_ecn = no\n copy_dscp = yes", "dscp 2 ecn 1 df 1"},
    {"", "copy_dscp = no\n dscp = EF", "set 46 dscp 3"},
    {"", "copy_dscp = in\n dscp = 9", "set 9 dscp 1"},
    {"", "mss_clamp = 1300\n inactivity = 5m", "mss 1300 idle 300"},
    {"", "mss_clamp = no", "mss 65535"},
    {"", "mtu = 1300", "mtu 1300"},
    {"", "", "mtu 0 mss 0"},
    {"", "fragment = after", "frag 1"},
    {"", "copy_df = set\n copy_ecn = yes\n copy_dscp = in", "dscp 1 ecn 0 df 2"},
    {"", "updown =\n copy_df = yes\n hw_offload = auto\n mark_in = 0/0\n inactivity = 0", "net"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct config cf;
        struct diag d = {0};
        struct buf out = {0};
        if (load(good[i].conn, good[i].child, &cf, &d))
            fail_msg("%s%s: %s", good[i].conn, good[i].child, d.first ? d.first->text : "?");
        conn_dump(cf.conn[0], &out);
        if (!strstr(buf_str(&out), good[i].dump))
            fail_msg("%s%s: %s", good[i].conn, good[i].child, buf_str(&out));
        buf_free(&out);
        config_free(&cf);
        diag_free(&d);
    }
}

/* One mistake each; the word it points at, and a piece of what is said. */
static const struct {
    const char *conn, *child, *word, *text;
    enum diag_level level;
} bad[] = {
    {"version = 3", "", "3", "0, 1, 2", DIAG_ERROR},
    {"version = 1\n proposals = aes128gcm16-prfsha256-x25519", "", "aes128gcm16",
     "IKEv1 has no aes128gcm16", DIAG_ERROR},
    {"version = 1\n proposals = aes128-sha256-prfsha384-modp2048", "", "prfsha384", "one hash",
     DIAG_ERROR},
    {"version = 1", "esp_proposals = chacha20poly1305", "chacha20poly1305", "IKEv1 has no number",
     DIAG_ERROR},
    {"version = 1", "local_ts = 10.1.0.0/16, 10.3.0.0/16", NULL, "one pair of selectors",
     DIAG_ERROR},
    {"version = 1", "local_ts = 10.1.0.0/16[tcp/20-30]", NULL, "one port or all", DIAG_ERROR},
    {"version = 1\n aggressive = yes", "", "yes", "can be guessed", DIAG_WARNING},
    {"version = 2\n aggressive = yes", "", "yes", "without effect", DIAG_WARNING},
    {"local_addrs = 192.0.2.1, 192.0.2.300", "", "192.0.2.300", "expected an address", DIAG_ERROR},
    {"local_addrs = 2001:db8::1", "", NULL, "no address family in common", DIAG_ERROR},
    {"local_port = 65536", "", "65536", "from 1 to 65535", DIAG_ERROR},
    {"local_port = 501", "", "501", "listens on 500 and 4500", DIAG_ERROR},
    {"rekey_time = 4 hours", "", "4 hours", "expected a time", DIAG_ERROR},
    {"rekey_time = 99999999999999999999", "", NULL, "expected a time", DIAG_ERROR},
    {"rekey_time = 1h\n rand_time = 1h", "", "1h", "must be smaller", DIAG_ERROR},
    {"encap = maybe", "", "maybe", "yes or no", DIAG_ERROR},
    {"unique = always", "", "always", "no, never, keep, replace", DIAG_ERROR},
    {"proposals = aes127-sha256-x25519", "", "aes127", "did you mean `aes128'", DIAG_ERROR},
    {"proposals = aes128-x25519", "", NULL, "hash", DIAG_ERROR},
    {"proposals = aes128-sha256-modp1024", "", "modp1024", "RFC 8247 2.4", DIAG_WARNING},
    {"proposals = aes128-md5-x25519", "", "md5", "MUST NOT", DIAG_WARNING},
    {"proposal = default", "", "proposal", "did you mean `proposals'", DIAG_ERROR},
    {"local_ts = dynamic", "", "local_ts", "connections.<conn>.children.<child>", DIAG_ERROR},
    {"frobnicate = 1", "", "frobnicate", "unknown key", DIAG_ERROR},
    {"encap { }", "", NULL, "not a section", DIAG_ERROR},
    {"vips = 10.9.0.0/24", "", "10.9.0.0/24", "expected 0.0.0.0", DIAG_ERROR},
    {"vips = ::, ::, ::, ::, ::", "", "::", "more than 4 virtual", DIAG_ERROR},
    {"vips = ::\n pools = a", "", NULL, "either we ask", DIAG_ERROR},
    {"pools = a", "", "a", "no such section in pools", DIAG_WARNING},
    {"pools = a, a, a, a, a, a, a, a, a", "", "a", "too many pools", DIAG_ERROR},
    {"local2 { auth = psk }", "", "local", "one round of authentication", DIAG_ERROR},
    {"version = 1\n local2 { auth = xauth }\n local3 { auth = xauth }", "", NULL,
     "more than one round of XAUTH", DIAG_ERROR},
    {"version = 1\n local2 { auth = xauth }\n remote2 { auth = xauth }", "", NULL, "only one side",
     DIAG_ERROR},
    {"version = 2\n local2 { auth = xauth }", "", "2", "XAUTH is IKEv1's", DIAG_ERROR},
    {"version = 1\n local2 { auth = xauth-pam }", "", "xauth-pam", "not supported yet", DIAG_ERROR},
    {"chilrden { }", "", "chilrden", "did you mean `children'", DIAG_ERROR},
    {"local { cert { } }", "", NULL, "file = NAME", DIAG_ERROR},
    {"local { cert { handle = 01 } }", "", "handle", "only file", DIAG_ERROR},
    {"local { certs = a.pem }", "", "x509/a.pem", "cannot read it", DIAG_ERROR},
    {"remote { cacerts = a.pem }", "", "x509ca/a.pem", "cannot read it", DIAG_ERROR},
    {"remote { cacert { file = /nowhere/a.pem } }", "", "/nowhere/a.pem", "cannot read it",
     DIAG_ERROR},
    {"remote { ca_id = C=CH, nonsense }", "", NULL, "distinguished name", DIAG_ERROR},
    {"remote { revocation = maybe }", "", "maybe", "relaxed, ifuri, strict", DIAG_ERROR},
    {"send_cert = perhaps", "", "perhaps", "ifasked, always, never", DIAG_ERROR},
    {"local { id = keyid: }", "", NULL, NULL, DIAG_ERROR},
    {"", "local_ts = 10.1.0.0/33", "10.1.0.0/33", "expected an address", DIAG_ERROR},
    {"", "local_ts = 10.1.0.0/16[foo]", NULL, "protocol", DIAG_ERROR},
    {"", "local_ts = 2001:db8::/32", "10.2.0.0/16", "no address family", DIAG_ERROR},
    {"", "interface = a_name_that_is_too_long", "a_name_that_is_too_long", "at most 15",
     DIAG_ERROR},
    {"", "dscp = ef", "ef", "set copy_dscp = no", DIAG_ERROR},
    {"", "copy_dscp = no\n dscp = 64", "64", "cs0 or a number from 0 to 63", DIAG_ERROR},
    {"", "interface = a/b", "a/b", "the name of an interface", DIAG_ERROR},
    {"", "interface_mtu = 1300", NULL, "there is no interface", DIAG_ERROR},
    {"", "interface = vti0\n interface_addrs = gw", "gw", "expected address/bits", DIAG_ERROR},
    {"", "interface = vti0\n mode = pass", "vti0", "carries tunnel mode", DIAG_ERROR},
    {"", "interface = vti0\n per_cpu_sas = yes", NULL, "one worker", DIAG_ERROR},
    {"", "esp_proposals = aes128", "aes128", "without integrity", DIAG_ERROR},
    {"", "esp_proposals = 3des-sha1", "3des", "RFC 8221 5", DIAG_WARNING},
    {"", "esp_proposals = cast128-sha256", "cast128", "64 bits only", DIAG_WARNING},
    {"", "esp_proposals = blowfish256-sha1", "blowfish256", "RFC 8221 5 says MUST NOT",
     DIAG_WARNING},
    {"", "esp_proposals = aes128gmac", "aes128gmac", "nothing is encrypted", DIAG_WARNING},
    {"", "esp_proposals = null", "null", "without integrity", DIAG_ERROR},
    {"", "esp_proposals = null-sha256", "null", "nothing is encrypted", DIAG_WARNING},
    {"", "ah_proposals = aes128-sha256", "aes128", "AH does not encrypt", DIAG_ERROR},
    {"", "ah_proposals = modp2048", "modp2048", "needs an integrity algorithm", DIAG_ERROR},
    {"", "ah_proposals = md5", "md5", "RFC 8221 6", DIAG_WARNING},
    {"", "esp_proposals = aes128-sha256\n ah_proposals = sha256", "sha256",
     "negotiated by IKEv1 alone", DIAG_ERROR},
    {"version = 2", "esp_proposals = aes128-sha256\n ah_proposals = sha256", "sha256",
     "negotiated by IKEv1 alone", DIAG_ERROR},
    {"version = 1\n proposals = aes128-sha256-modp2048",
     "esp_proposals = aes128\n ah_proposals = sha256", "aes128", "RFC 8221 4", DIAG_WARNING},
    {"version = 1\n proposals = aes128-sha256-modp2048",
     "esp_proposals = null\n ah_proposals = sha256", "null", "without integrity", DIAG_ERROR},
    {"version = 1\n proposals = aes128-sha256-modp2048",
     "esp_proposals = aes128-sha256-modp2048\n ah_proposals = sha256-modp2048", "modp2048",
     "esp_proposals names the key exchange of both", DIAG_ERROR},
    {"", "rekey_time = 2h\n life_time = 1h", "2h", "lies behind life_time", DIAG_ERROR},
    {"", "rekey_time = 1h\n rand_time = 2h", "2h", "smaller than rekey_time", DIAG_ERROR},
    {"", "rekey_bytes = 5x", "5x", "number of bytes", DIAG_ERROR},
    {"", "mode = transport\n local_ts = 10.0.0.0/8", "10.0.0.0/8", "joins the two peers",
     DIAG_ERROR},
    {"", "mode = beet\n local_ts = 10.0.0.0/30", "10.0.0.0/30", "one address in local_ts",
     DIAG_ERROR},
    {"", "mode = transport_proxy", "transport_proxy", "Mobile IPv6", DIAG_ERROR},
    {"", "mode = tunel", "tunel", "expected tunnel", DIAG_ERROR},
    {"", "interface = lo", "lo", "the host's loopback", DIAG_ERROR},
    {"", "interface = culvert0", "culvert0", "shared TUN device", DIAG_ERROR},
    {"", "interface = v\n interface_mtu = 67", "67", "RFC 791 3.1", DIAG_ERROR},
    {"", "start_action = now", "now", "none, trap, start", DIAG_ERROR},
    {"", "mark_in = 42", "42", "not supported yet", DIAG_ERROR},
    {"", "updown = /bin/true", "/bin/true", "not supported yet", DIAG_ERROR},
    {"", "start_action = trap mode = tunnel", NULL, "a line of its own", DIAG_ERROR},
    {"", "x { }", "x", "no sections", DIAG_ERROR},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config cf;
        struct diag d = {0};
        err_t e = load(bad[i].conn, bad[i].child, &cf, &d);
        bool error = bad[i].level == DIAG_ERROR;
        if (e != (error ? R_CONFIG_VALUE : 0))
            fail_msg("%s%s: result %d", bad[i].conn, bad[i].child, e);
        expect_report(bad[i].conn[0] ? bad[i].conn : bad[i].child, &d, bad[i].level, 0, bad[i].word,
                      bad[i].text);
        assert_int_not_equal(d.first->line, 0);
        config_free(&cf);
        diag_free(&d);
    }
}

#define BEET(conn, child)                                                                          \
    "connections { gw {\n" conn "remote_addrs = 192.0.2.2\n local { auth = psk }\n"                \
    "remote { auth = psk }\n children { a {\n mode = beet\n" child "} } } }"

/* What depends on a whole section: text, line, word. */
static const struct {
    const char *text;
    unsigned line;
    const char *word, *report;
} whole[] = {
    {"connections { gw {\n remote { auth = psk } } }", 1, NULL,
     "a section local { auth = psk } or"},
    {"connections {\n gw { local { auth = eap } } }", 2, "eap", "only psk, pubkey and xauth"},
    {"connections { gw {\n local { auth = rsa-sha3 } } }", 2, "sha3", "expected a key"},
    {"connections { gw {\n remote { auth = pubkey-2048 } } }", 2, "2048", "expected a key"},
    {"connections { gw {\n remote { auth = nothing } } }", 2, "nothing", "psk, pubkey or xauth"},
    {"connections {\n gw = 1\n}", 2, "gw", "NAME { ... }"},
    {"connections { gw { local { auth = psk }\n remote { auth = psk }\n"
     "children { a {\n start_action = start\n} } } }",
     4, "start", "remote_addrs needs"},
    {BEET("", "remote_ts = 10.0.0.1, 10.0.0.2\n"), 7, NULL, "one address in remote_ts"},
    {BEET("", "ipcomp = yes\n"), 7, "yes", "without IPComp"},
    {BEET("version = 1\n", ""), 7, "beet", "set version = 2"},
    {BEET("", "interface = vti0\n local_ts = 10.0.0.1\n remote_ts = 10.0.0.2\n"), 7, "vti0",
     "carries tunnel mode"},
    {"\nconections { }", 2, "conections", "did you mean `connections'"},
    {"connections = 1", 1, "connections", "expected a section"},
};

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct vnode *t;
        struct config cf;
        struct diag d = {0};
        assert_int_equal(config_read_text("f", text_bytes(whole[i].text), &t, &d), 0);
        assert_int_equal(config_from_tree(t, &cf, &d), R_CONFIG_VALUE);
        assert_null(cf.conn);
        expect_report(whole[i].text, &d, DIAG_ERROR, whole[i].line, whole[i].word, whole[i].report);
        vnode_free(t);
        diag_free(&d);
    }
}

/* Policies without a tunnel need nobody's authentication. */
static void test_pass_only(void **state)
{
    static const char text[] = "connections { lan { children { lan { mode = pass\n"
                               "local_ts = 10.0.0.0/8\n remote_ts = 10.0.0.0/8\n"
                               "start_action = trap\n} } } }";
    struct vnode *t;
    struct config cf;
    struct diag d = {0};
    (void)state;
    assert_int_equal(config_read_text("f", text_bytes(text), &t, &d), 0);
    assert_int_equal(config_from_tree(t, &cf, &d), 0);
    assert_null(d.first);
    assert_int_equal(cf.conn[0]->child[0].policy, CHILD_PASS);
    config_free(&cf);
    vnode_free(t);
}

/* As swanctl sends it: lists as lists, the rest as values. */
static struct vnode *vici_form(void)
{
    struct vnode *root = vnode_new(), *c = vnode_section(root, "gw"), *l;
    l = vnode_list(c, "local_addrs");
    vnode_item(l, "192.0.2.1");
    l = vnode_list(c, "remote_addrs");
    vnode_item(l, "192.0.2.2");
    vnode_item(l, "peer.example.org");
    l = vnode_list(c, "proposals");
    vnode_item(l, "aes256-sha256-modp2048");
    vnode_item(l, "default");
    vnode_value(c, "dpd_delay", "1m");
    vnode_value(vnode_section(c, "local-1"), "auth", "psk");
    struct vnode *r = vnode_section(c, "remote-1");
    vnode_value(r, "auth", "psk");
    vnode_value(r, "id", "a, b@example.org");
    struct vnode *ch = vnode_section(vnode_section(c, "children"), "net");
    l = vnode_list(ch, "local_ts");
    vnode_item(l, "10.1.0.0/16");
    vnode_item(l, "10.3.0.0/16[tcp/80]");
    l = vnode_list(ch, "remote_ts");
    vnode_item(l, "10.2.0.0/16");
    vnode_list(ch, "esp_proposals");
    vnode_value(ch, "start_action", "trap");
    return root;
}

static const char file_form[] =
    "gw {\n local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2 , peer.example.org,\n"
    " proposals = \"aes256-sha256-modp2048,default\"\n dpd_delay = 1m\n"
    " local-1 { auth = psk }\n remote-1 { auth = psk\n id = \"a, b@example.org\" }\n"
    " children { net { local_ts = 10.1.0.0/16,10.3.0.0/16[tcp/80]\n remote_ts = 10.2.0.0/16\n"
    " esp_proposals = \n start_action = trap } } }\n";

static void dump_one(const struct vnode *root, struct buf *out)
{
    struct conn *c;
    struct diag d = {0};
    if (config_conn_from_tree(root->child, &c, &d))
        fail_msg("%s", d.first ? d.first->text : "?");
    conn_dump(c, out);
    conn_unref(c);
    diag_free(&d);
}

static void test_file_and_vici(void **state)
{
    struct buf a = {0}, b = {0};
    struct diag d = {0};
    struct vnode *file, *vici = vici_form();
    (void)state;
    assert_int_equal(config_read_text("f", text_bytes(file_form), &file, &d), 0);
    dump_one(file, &a);
    dump_one(vici, &b);
    assert_string_equal(buf_str(&a), buf_str(&b));
    vnode_free(file);
    vnode_free(vici);
    buf_free(&a);
    buf_free(&b);
}

static void test_vici_bad(void **state)
{
    struct vnode *root = vici_form();
    struct conn *c;
    struct diag d = {0};
    (void)state;
    vnode_data(root->child, "encap", bytes_of("y\0s", 3));
    vnode_item(vnode_list(root->child, "mobike"), "yes");
    vnode_section(vnode_find(root->child, "children"), "net");
    assert_int_equal(config_conn_from_tree(root->child, &c, &d), R_CONFIG_VALUE);
    assert_int_equal(d.errors, 3);
    expect_report("vici", &d, DIAG_ERROR, 0, NULL, "zero byte");
    struct buf out = {0};
    diag_print(&d, &out);
    assert_non_null(strstr(buf_str(&out), "gw.mobike: expected one value, not a list\n"));
    assert_non_null(strstr(buf_str(&out), "gw.children.net: `net': a child of this name exists"));
    buf_free(&out);
    diag_free(&d);
    vnode_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),       cmocka_unit_test(test_whole),
        cmocka_unit_test(test_pass_only), cmocka_unit_test(test_file_and_vici),
        cmocka_unit_test(test_vici_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
