/* SAs by hand: what a section comes to, each refusal, and that no report shows a key. */
#include "config/config_test.h"

#define ENDS "local = 192.0.2.1\n remote = 192.0.2.2\n spi_in = 0x1000\n spi_out = 4097\n"
#define K16  "0x00112233445566778899aabbccddeeff"
#define K20  K16 "01020304"
#define K32  K16 "00112233445566778899aabbccddeeff"
#define CBC                                                                                        \
    "esp_proposals = aes128-sha256\n key_in = " K16 "\n key_out = " K16 "\n auth_in = " K32        \
    "\n auth_out = " K32 "\n"

#define AH20                                                                                       \
    "ah_proposals = sha1\n ah_spi_in = 0x2000\n ah_spi_out = 0x2001\n ah_auth_in = " K20           \
    "\n ah_auth_out = " K20 "\n"

static struct vnode *read_section(const char *text)
{
    struct vnode *t;
    struct diag d = {0};
    assert_int_equal(config_read_text("f", text_bytes(text), &t, &d), 0);
    diag_free(&d);
    return t;
}

static struct manual_sa *read_sa(const char *text)
{
    struct vnode *t = read_section(text);
    struct diag d = {0};
    struct manual_sa *m;
    if (config_manual_from_tree(t->child, &m, &d))
        fail_msg("%s: %s", text, d.first ? d.first->text : "?");
    diag_free(&d);
    vnode_free(t);
    return m;
}

#define H32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_whole(void **state)
{
    (void)state;
    struct child_sa sa;
    struct manual_sa *m = read_sa(
        "hand {\n" ENDS "esp_proposals = aes256-sha512-esn\n key_in = 0x" H32 "\n key_out = 0x" H32
        "\n auth_in = 0x" H32 H32 "\n auth_out = 0x" H32 H32
        "\n mode = transport\n encap = yes\n remote_port = 1024\n replay_window = 128\n"
        "copy_df = no\n copy_dscp = no\n dscp = ef\n copy_ecn = no\n mss_clamp = 1200\n"
        "fragment = after\n mtu = 1300\n seq_out = 5000000000\n seq_in = 7\n rekey_packets = 9\n"
        "local_ts = dynamic[tcp]\n life_bytes = 1m\n life_packets = 10\n life_time = 1h\n}");
    manual_sa_child(m, &sa);
    assert_string_equal(sa.conn, "hand");
    assert_int_equal(sa.proto, PROTO_ESP);
    assert_int_equal(sa.mode, MODE_TRANSPORT);
    assert_int_equal(sa.spi_in, 0x1000);
    assert_int_equal(sa.spi_out, 4097);
    assert_string_equal(sa.encr->name, "aes256");
    assert_string_equal(sa.integ->name, "sha512");
    assert_true(sa.esn && sa.udp_encap);
    assert_int_equal(sa.local.port, 4500);
    assert_int_equal(sa.remote.port, 1024);
    assert_int_equal(sa.replay_window, 128);
    assert_int_equal(sa.in.encr.n, 32);
    assert_int_equal(sa.out.integ.n, 64);
    assert_int_equal(sa.local_ts.ts[0].proto, 6);
    assert_true(addr_eq(&sa.local_ts.ts[0].lo, &sa.local.addr));
    assert_true(addr_eq(&sa.remote_ts.ts[0].hi, &sa.remote.addr));
    assert_int_equal(sa.life.life_s, 3600);
    assert_int_equal(sa.life.life_bytes, 1 << 20);
    assert_int_equal(sa.life.life_packets, 10);
    assert_int_equal(sa.life.rekey_packets, 9);
    assert_int_equal(sa.seq_out, 5000000000);
    assert_int_equal(sa.seq_in, 7);
    assert_true(sa.ip.dscp == DSCP_NO && sa.ip.dscp_value == 46 && sa.ip.ecn == ECN_NO);
    assert_true(sa.ip.df == DF_CLEAR && sa.ip.fragment == FRAGMENT_AFTER);
    assert_true(sa.ip.mtu == 1300 && sa.ip.mss == 1200);
    manual_sa_free(m);
}

/* AH around ESP, compressed. */
static void test_bundle(void **state)
{
    (void)state;
    struct child_sa sa;
    struct manual_sa *m = read_sa("x {\n" ENDS CBC AH20 "cpi_in = 0x1234\n cpi_out = 2\n}");
    manual_sa_child(m, &sa);
    assert_int_equal(sa.proto, PROTO_ESP);
    assert_int_equal(sa.ah.spi_in, 0x2000);
    assert_int_equal(sa.ah.spi_out, 0x2001);
    assert_string_equal(sa.ah.integ->name, "sha1");
    assert_int_equal(sa.ah.in.n, 20);
    assert_int_equal(sa.ah.out.n, 20);
    assert_int_equal(sa.cpi_in, 0x1234);
    assert_int_equal(sa.cpi_out, 2);
    manual_sa_free(m);
    m = read_sa("x {\n" ENDS CBC "}");
    manual_sa_child(m, &sa);
    assert_null(sa.ah.integ);
    manual_sa_free(m);
}

/* Loading the same again must not begin its sequence numbers anew; any change must count. */
static void test_equal(void **state)
{
    (void)state;
    static const char *const other[] = {
        "x {\n" ENDS CBC "replay_window = 32\n}",
        "x {\n" ENDS CBC "mode = transport\n}",
        "x {\n" ENDS CBC "priority = 5\n}",
        "x {\n" ENDS CBC "remote_ts = 10.0.0.0/8\n}",
        "x {\n" ENDS CBC "life_time = 5\n}",
        "x {\n" ENDS CBC "rekey_bytes = 5\n}",
        "x {\n" ENDS CBC "copy_df = no\n}",
        "x {\n" ENDS CBC "mtu = 1300\n}",
        "x {\n" ENDS CBC "key_in = 0x00112233445566778899aabbccddeefe\n}",
        "y {\n" ENDS CBC "}",
        "x {\n" ENDS CBC AH20 "}",
        "x {\n" ENDS CBC "cpi_in = 2\n cpi_out = 2\n}",
    };
    struct manual_sa *a = read_sa("x {\n" ENDS CBC "}"), *b = read_sa("x {\n" ENDS CBC "}");
    assert_true(manual_sa_eq(a, b));
    manual_sa_free(b);
    b = read_sa("x {\n" ENDS CBC "seq_out = 9\n seq_in = 9\n}");
    assert_true(manual_sa_eq(a, b)); /* they run already, from whatever number */
    manual_sa_free(b);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        b = read_sa(other[i]);
        if (manual_sa_eq(a, b))
            fail_msg("the same: %s", other[i]);
        manual_sa_free(b);
    }
    manual_sa_free(a);
}

static const struct {
    const char *text;
    const char *report;
} bad[] = {
    {"x { esp_proposals = aes128-sha256 }", "local is missing"},
    {"x {\n" ENDS "}", "esp_proposals or ah_proposals"},
    {"x {\n" ENDS "esp_proposals = aes128-sha256, aes256-sha256\n}", "with one proposal"},
    {"x {\n" ENDS CBC "ah_proposals = sha1\n}", "ah_spi_in is missing"},
    {"x {\n" ENDS CBC "ah_proposals = sha1-modp2048\n}", "key exchange"},
    {"x {\n" ENDS CBC "ah_proposals = sha1-md5\n}", "one algorithm of a kind"},
    {"x {\n" ENDS CBC "ah_spi_in = 0x1001\n}", "give both esp_proposals and ah_proposals"},
    {"x {\n" ENDS CBC "ah_auth_in = " K20 "\n}", "no use for ah_auth_in"},
    {"x {\n" ENDS CBC AH20 "ah_spi_in = 0x1000\n}", "spi_in is the same"},
    {"x {\n" ENDS CBC AH20 "ah_auth_out = " K16 "\n}",
     "sha1 takes a key of 20 bytes; ah_auth_out has 16"},
    {"x {\n" ENDS CBC AH20 "encap = yes\n}", "does not go in UDP"},
    {"x {\n" ENDS CBC "cpi_in = 2\n}", "cpi_out is missing"},
    {"x {\n" ENDS CBC "cpi_in = 3\n cpi_out = 2\n}", "expected a CPI"},
    {"x {\n" ENDS CBC "cpi_in = 0x10000\n cpi_out = 2\n}", "expected a CPI"},
    {"x {\n" ENDS "esp_proposals = aes128-aes256-sha256\n}", "one algorithm of a kind"},
    {"x {\n" ENDS "esp_proposals = aes128-sha256-modp2048\n}", "key exchange"},
    {"x {\n" ENDS "esp_proposals = aes128-sha256\n key_in = " K16 "\n}", "key_out is missing"},
    {"x {\n" ENDS CBC "key_in = 0x0011\n}", "aes128 takes a key of 16 bytes; key_in has 2"},
    {"x {\n" ENDS "esp_proposals = aes128gcm16\n key_in = " K16 "\n key_out = " K20 "\n}",
     "aes128gcm16 takes a key of 20 bytes, the salt at its end; key_in has 16"},
    {"x {\n" ENDS "esp_proposals = aes128gcm16\n key_in = " K20 "\n key_out = " K20
     "\n auth_in = " K32 "\n}",
     "no use for auth_in"},
    {"x {\n" ENDS CBC "key_in = hush\n}", "expected a key in hex"},
    {"x {\n" ENDS CBC "spi_in = 255\n}", "expected an SPI"},
    {"x {\n" ENDS CBC "spi_in = 0x100000000\n}", "expected an SPI"},
    {"x {\n" ENDS CBC "spi_in = -1\n}", "expected an SPI"},
    {"x {\n" ENDS CBC "local = 10.0.0.0/8\n}", "expected one address"},
    {"x {\n" ENDS CBC "remote = 2001:db8::1\n}", "not of the same address family"},
    {"x {\n" ENDS CBC "remote_ts = 2001:db8::/32\n}", "no address family in common"},
    {"x {\n" ENDS CBC "mode = beet\n remote_ts = 10.0.0.0/30\n}", "one address in remote_ts"},
    {"x {\n" ENDS CBC "mode = beet\n local_ts = 10.0.0.1, dynamic\n}", "one address in local_ts"},
    {"x {\n" ENDS CBC "mode = beet\n local_ts = 2001:db8::1\n}", "no address family in common"},
    {"x {\n" ENDS CBC "mode = transport\n local_ts = 10.1.0.0/24\n}", "the two ends themselves"},
    {"x {\n" ENDS CBC "mode = transport\n remote_ts = 192.0.2.3\n}", "leave remote_ts away"},
    {"x {\n" ENDS CBC "mode = transport\n remote_ts = 192.0.2.2, 192.0.2.2-192.0.2.3\n}",
     "leave remote_ts away"},
    {"x {\n" ENDS CBC "seq_out = 4294967295\n}", "no number is left"},
    {"x {\n" ENDS CBC "seq_in = 4294967296\n}", "without esn"},
    {"x {\n" ENDS CBC "rekey_bytes = 10\n life_bytes = 9\n}", "lies behind life_bytes"},
    {"x {\n" ENDS CBC "dscp = ef\n}", "copy_dscp = no"},
    {"x {\n" ENDS CBC "spi = 1\n}", "unknown"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vnode *t = read_section(bad[i].text);
        struct diag d = {0};
        struct manual_sa *m;
        struct buf out = {0};
        if (config_manual_from_tree(t->child, &m, &d) != R_CONFIG_VALUE || m)
            fail_msg("%s: accepted", bad[i].text);
        expect_report(bad[i].text, &d, DIAG_ERROR, 0, NULL, bad[i].report);
        diag_print(&d, &out);
        if (strstr(buf_str(&out), "hush") || strstr(buf_str(&out), "00112233"))
            fail_msg("a key is shown: %s", buf_str(&out));
        buf_free(&out);
        diag_free(&d);
        vnode_free(t);
    }
}

static void test_counter_mode(void **state)
{
    (void)state;
    struct vnode *t = read_section("x {\n" ENDS "esp_proposals = aes128gcm16\n key_in = " K20
                                   "\n key_out = " K20 "\n}");
    struct diag d = {0};
    struct manual_sa *m;
    assert_int_equal(config_manual_from_tree(t->child, &m, &d), 0);
    expect_report("gcm", &d, DIAG_WARNING, 0, "aes128gcm16", "RFC 8221 3");
    manual_sa_free(m);
    diag_free(&d);
    vnode_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_bundle),
                                       cmocka_unit_test(test_equal), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_counter_mode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
