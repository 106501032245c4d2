/* The folders beside a configuration, authorities, and what `culvert check` says of them. Files
 * come from tests/vectors/pki. */
#include "config_test.h"
#include "pki_files.h"
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void write_file(const char *folder, const char *name, struct bytes data)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data.p, 1, data.n, f), data.n);
    fclose(f);
}

static void put(const char *folder, const char *name)
{
    write_file(folder, name, pki_file(name));
}

static int begin(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/culvert-creds-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static err_t load(const char *text, struct config *c, struct diag *d)
{
    char path[128];
    write_file(".", "culvert.conf", text_bytes(text));
    snprintf(path, sizeof path, "%s/culvert.conf", root);
    *d = (struct diag){0};
    return config_load(path, c, d);
}

static bool reported(const struct diag *d, const char *word, const char *text)
{
    for (const struct diag_item *i = d->first; i; i = i->next)
        if (i->word && strstr(i->word, word) && strstr(i->text, text))
            return true;
    return false;
}

static void expect(const struct diag *d, const char *word, const char *text)
{
    struct buf b = {0};
    diag_print(d, &b);
    if (!reported(d, word, text))
        fail_msg("no report of `%s' with \"%s\" in:\n%s", word, text, buf_str(&b));
    buf_free(&b);
}

#define CONN(local, remote)                                                                        \
    "connections { gw {\nremote_addrs = 192.0.2.2\nlocal {\n" local "\n}\nremote {\n" remote       \
    "\n}\nchildren { lan {\nremote_ts = 10.2.0.0/16\n} }\n} }\n"

static void count_key(void *ctx, const struct cr_key *key, const char *name)
{
    (void)key;
    (void)name;
    ++*(size_t *)ctx;
}

static void test_folders(void **state)
{
    (void)state;
    struct config c;
    struct diag d;
    struct pki *store;
    size_t keys = 0;
    put("x509", "gwa.pem");
    put("x509", "gwa-ec256.pem");
    put("x509ca", "ca.pem");
    put("x509crl", "ca.crl");
    put("private", "gwa-ec256.key");
    put("rsa", "gwa-pkcs1.key");
    assert_int_equal(
        load(CONN("certs = gwa.pem",
                  "id = gwb.example\ncacerts = ca.pem") "secrets { rsa-a {\nfile = "
                                                        "gwa-pkcs1.key\nsecret = secret\n} }\n",
             &c, &d),
        0);
    assert_int_equal(d.warnings, 0);
    assert_int_equal(c.conn[0]->auth_local.kind, AUTH_PUBKEY);
    assert_string_equal(c.conn[0]->auth_local.id_text, "C=CH, O=Culvert Test, CN=gwa");
    assert_int_equal(c.conn[0]->auth_remote.pki->cacert_count, 1);
    assert_int_equal(pki_build_store(c.pki, &store), 0);
    pki_key_each(store, count_key, &keys);
    assert_int_equal(keys, 2);
    assert_int_equal(pki_ca_list(store, NULL, NULL, 0), 1);
    pki_unref(store);
    config_free(&c);
    diag_free(&d);
}

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    struct config c;
    struct diag d;
    put("x509", "gwa.pem");
    put("x509", "expired.pem");
    put("x509", "early.pem");
    write_file("x509", "notes.txt", text_bytes("nothing"));
    put("x509ca", "ca.pem");
    put("x509ca", "gwb.pem");
    put("x509crl", "stale.crl");
    put("x509crl", "twin.crl");
    put("private", "gwa-pkcs8.key");
    put("private", "gwb-ec384.key");
    put("private", "dsa.key");
    put("rsa", "gwa-pkcs1.key");
    put("pubkey", "gwa.pem");
    assert_int_equal(
        load(CONN("id = gwa.example", "id = gwb.example") "secrets { rsa-a {\nfile = "
                                                          "gwa-pkcs1.key\nsecret = wrong\n} }\n",
             &c, &d),
        0);
    expect(&d, "x509/expired.pem", "expired");
    expect(&d, "x509/early.pem", "not valid yet");
    expect(&d, "x509/notes.txt", "not a certificate");
    expect(&d, "x509ca/gwb.pem", "not an authority's");
    expect(&d, "x509crl/stale.crl", "out of date");
    expect(&d, "x509crl/twin.crl", "no authority that is loaded has signed");
    expect(&d, "private/gwa-pkcs8.key", "write secrets { private-1 { file = gwa-pkcs8.key");
    expect(&d, "private/gwb-ec384.key", "belongs to none");
    expect(&d, "private/dsa.key", "no use");
    expect(&d, "rsa/gwa-pkcs1.key", "does not open it");
    expect(&d, "pubkey", "no use here yet");
    expect(&d, "gw", "without its private key");
    for (const struct diag_item *i = d.first; i; i = i->next)
        assert_null(strstr(i->text, "wrong"));
    config_free(&c);
    diag_free(&d);
}

static void test_authorities(void **state)
{
    (void)state;
    struct config c;
    struct diag d;
    char text[512];
    put("x509ca", "ca.pem");
    put("lists", "ca.crl");
    snprintf(text, sizeof text,
             "authorities { root {\ncacert = ca.pem\ncrl_uris = file://%s/lists/ca.crl, "
             "http://crl.example/x\nocsp_uris = http://ocsp.example\n} }\n",
             root);
    assert_int_equal(load(text, &c, &d), 0);
    assert_int_equal(c.authority_count, 1);
    assert_string_equal(c.authority[0]->name, "root");
    assert_int_equal(c.authority[0]->crl_uris.count, 2);
    assert_int_equal(c.authority[0]->crl_count, 1);
    expect(&d, "http://crl.example/x", "is not fetched");
    config_free(&c);
    diag_free(&d);
    assert_int_equal(load("authorities { root {\ncrl_uris = file:///x\n} }\n", &c, &d),
                     R_CONFIG_VALUE);
    diag_free(&d);
    put("x509ca", "gwb.pem");
    assert_int_equal(load("authorities { root {\ncacert = gwb.pem\n} }\n", &c, &d), R_CONFIG_VALUE);
    diag_free(&d);
    assert_int_equal(load("authorities { root {\nslot = 1\ncacert = ca.pem\n} }\n", &c, &d),
                     R_CONFIG_VALUE);
    diag_free(&d);
}

/* As VICI has it, with members of the wrong kind or given twice. */
static void test_authorities_by_vici(void **state)
{
    (void)state;
    struct config_authority *a;
    struct diag d = {0};
    struct vnode *m = vnode_new(), *sec = vnode_section(m, "root");
    vnode_data(sec, "cacert", pki_der("ca.pem"));
    vnode_value(sec, "cert_uri_base", "http://a.example/");
    vnode_value(sec, "cert_uri_base", "http://b.example/");
    assert_int_equal(config_authority_from_tree(sec, &a, &d), 0);
    assert_string_equal(a->cert_uri_base, "http://b.example/");
    config_authority_free(a);
    vnode_free(m);
    diag_free(&d);
    d = (struct diag){0};
    m = vnode_new();
    sec = vnode_section(m, "root");
    vnode_item(vnode_list(sec, "file"), "/x");
    assert_int_equal(config_authority_from_tree(sec, &a, &d), R_CONFIG_VALUE);
    assert_null(a);
    vnode_free(m);
    diag_free(&d);
}

static struct conn_cert named(const char *file)
{
    struct conn_cert c = {.name = (char *)(uintptr_t)file};
    struct bytes der = pki_der(file);
    struct pki_read r;
    assert_int_equal(pki_read_cert(der, &r), 0);
    memcpy(c.fp, r.fp, sizeof c.fp);
    free(r.der);
    c.p = (uint8_t *)(uintptr_t)der.p;
    c.n = der.n;
    return c;
}

static void count_cert(void *ctx, const struct pki_cert_info *i)
{
    (void)i;
    ++*(size_t *)ctx;
}

static size_t certs_of(struct pki_build *b)
{
    struct pki *p;
    size_t n = 0;
    assert_int_equal(pki_build_store(b, &p), 0);
    pki_cert_each(p, count_cert, &n);
    pki_unref(p);
    return n;
}

/* What cannot be held leaves nothing behind, and what others hold stays. */
static void test_a_refused_connection_holds_nothing(void **state)
{
    (void)state;
    struct pki_build *b = pki_build_new();
    struct conn_cert own = named("gwa.pem"), self = named("self.pem");
    struct conn_cert cas[] = {named("ca.pem"), named("gwb.pem")}; /* the second is none */
    struct conn_pki local = {.certs = &own, .cert_count = 1};
    struct conn_pki remote = {.certs = &self, .cert_count = 1, .cacerts = cas, .cacert_count = 2};
    struct conn c = {.auth_local.pki = &local, .auth_remote.pki = &remote};
    assert_int_equal(creds_hold_conn(b, &c), R_CERT_CA);
    assert_int_equal(certs_of(b), 0);
    assert_int_equal(pki_hold_cert(b, &own, PKI_END), 0);
    assert_int_equal(creds_hold_conn(b, &c), R_CERT_CA);
    assert_int_equal(certs_of(b), 1);
    remote.cacert_count = 1;
    assert_int_equal(creds_hold_conn(b, &c), 0);
    assert_int_equal(certs_of(b), 3);
    creds_drop_conn(b, &c);
    assert_int_equal(certs_of(b), 1);
    struct config_authority a = {.name = (char *)(uintptr_t) "x", .cert = cas, .cert_count = 2};
    assert_int_equal(config_authority_hold(b, &a), R_CERT_CA);
    assert_int_equal(certs_of(b), 1);
    pki_build_free(b);
}

/* The identity that is ours follows the certificate, as strongSwan has it. */
static void test_identity(void **state)
{
    (void)state;
    static const struct {
        const char *local;
        const char *id, *warning;
    } cases[] = {
        {"certs = gwa.pem\nid = gwa.example", "gwa.example", NULL},
        {"certs = gwa.pem\nid = gwx.example", "C=CH, O=Culvert Test, CN=gwa",
         "not for this identity"},
        {"cert { file = gwa.pem }", "C=CH, O=Culvert Test, CN=gwa", NULL},
    };
    put("x509", "gwa.pem");
    put("private", "gwa.key");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct config c;
        struct diag d;
        snprintf(text, sizeof text, CONN("%s", "auth = pubkey-sha256"), cases[i].local);
        assert_int_equal(load(text, &c, &d), 0);
        assert_string_equal(c.conn[0]->auth_local.id_text, cases[i].id);
        assert_int_equal(d.warnings, cases[i].warning ? 1 : 0);
        if (cases[i].warning)
            expect(&d, "gwx.example", cases[i].warning);
        config_free(&c);
        diag_free(&d);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *auth;
        struct key_limits chain, ike;
    } cases[] = {
        {"pubkey", {0}, {0}},
        {"rsa-2048-sha256-sha512",
         {.types = 1u << CR_KEY_RSA,
          .rsa_bits = 2048,
          .hashes = 1u << CR_SIG_SHA256 | 1u << CR_SIG_SHA512},
         {0}},
        {"rsa-3072-ecdsa-384-ed25519",
         {.types = 1u << CR_KEY_RSA | 1u << CR_KEY_ECDSA | 1u << CR_KEY_ED25519,
          .rsa_bits = 3072,
          .ecdsa_bits = 384},
         {0}},
        {"pubkey-sha384-ike:rsa/pss-sha512",
         {.hashes = 1u << CR_SIG_SHA384},
         {.types = 1u << CR_KEY_RSA, .hashes = 1u << CR_SIG_SHA512, .pss = true}},
        {"ike:ecdsa", {0}, {.types = 1u << CR_KEY_ECDSA}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct config c;
        struct diag d;
        struct conn_pki none = {0}, *p;
        snprintf(text, sizeof text, CONN("auth = psk", "auth = %s"), cases[i].auth);
        assert_int_equal(load(text, &c, &d), 0);
        p = c.conn[0]->auth_remote.pki ? c.conn[0]->auth_remote.pki : &none;
        assert_int_equal(c.conn[0]->auth_remote.kind, AUTH_PUBKEY);
        assert_memory_equal(&p->chain, &cases[i].chain, sizeof p->chain);
        assert_memory_equal(&p->ike, &cases[i].ike, sizeof p->ike);
        config_free(&c);
        diag_free(&d);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_folders),
        TEST(test_what_is_wrong_is_said),
        TEST(test_authorities),
        TEST(test_identity),
        TEST(test_limits),
        TEST(test_authorities_by_vici),
        TEST(test_a_refused_connection_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
