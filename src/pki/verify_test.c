/* Peers' certificates: what is trusted and what is refused, and what the refusal says. The files
 * are tests/vectors/pki's, whose README.md says how each is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "pki_files.h"
#include <pthread.h>

#define NOW 1795000000u /* in November 2026 */

struct setup {
    const char *const *cas, *const *others;
    const char *sent[6];
    const char *id;
    struct conn_pki pki;
    enum revocation revocation;
};

static err_t verify(const struct setup *s, struct pki_why *why)
{
    struct pki *p = pki_of_files(s->cas, s->others);
    struct bytes cert[6];
    struct conn_pki limits = s->pki;
    struct conn_auth auth = {.kind = AUTH_PUBKEY, .pki = &limits, .revocation = s->revocation};
    struct id id;
    struct cr_key *key = NULL;
    size_t n = 0;
    for (; n < 6 && s->sent[n]; n++)
        cert[n] = pki_der(s->sent[n]);
    assert_true(id_parse(&id, s->id ? s->id : "gwb.example"));
    struct pki_peer q = {.auth = &auth, .id = &id, .cert = cert, .cert_count = n, .wall_s = NOW};
    err_t e = pki_verify(p, &q, &key, why);
    assert_true(e >= 0);
    assert_int_equal(key != NULL, e == 0);
    if (e) {
        assert_int_equal(why->reason, e);
        assert_non_null(why->what);
        assert_non_null(why->clause);
        assert_true(why->hint[0]);
    }
    cr_key_unref(key);
    pki_unref(p);
    return e;
}

static const char *const root[] = {"ca.pem", NULL};
static const char *const other_root[] = {"other-ca.pem", NULL};
static const char *const twin_root[] = {"twin-ca.pem", NULL};
static const char *const expired_root[] = {"expired-ca.pem", NULL};
static const char *const none[] = {NULL};
static const char *const list[] = {"ca.crl", NULL};
static const char *const lists[] = {"ca.crl", "sub.crl", NULL};
static const char *const old_list[] = {"stale.crl", "old.crl", NULL};
static const char *const aged_list[] = {"old.crl", NULL};
static const char *const user_lists[] = {"user.crl", "sub.crl", NULL};
static const char *const ca_list[] = {"only-ca.crl", NULL};
static const char *const part_list[] = {"part.crl", NULL};
static const char *const twin_list[] = {"twin.crl", NULL};
static const char *const sub[] = {"sub.pem", NULL};
static const char *const root_and_sub[] = {"ca.pem", "sub.pem", NULL};
static const char *const sub_root[] = {"sub.pem", NULL};
static const char *const peer[] = {"gwb.pem", NULL};
static const char *const self[] = {"self.pem", NULL};

#define STRICT .revocation = REVOCATION_STRICT
#define IFURI  .revocation = REVOCATION_IFURI

static void test_trusted_and_refused(void **state)
{
    (void)state;
    const struct {
        struct setup s;
        err_t want;
        const char *ours, *theirs, *hint; /* parts of the evidence */
    } cases[] = {
        {{root, none, {"gwb.pem"}}, 0},
        {{root, none, {"gwb-ec256.pem"}}, 0},
        {{root, none, {"gwb-ec384.pem"}}, 0},
        {{root, none, {"gwb-ec521.pem"}}, 0},
        {{root, none, {"gwb-ed25519.pem"}}, 0},
        {{root, none, {"gwb-ed448.pem"}}, 0},
        {{root, none, {"weak.pem"}}, 0},
        {{root, none, {"gwb.pem"}, "192.0.2.2"}, 0},
        {{root, none, {"gwb.pem"}, "2001:db8::2"}, 0},
        {{root, none, {"gwb.pem"}, "GWB@example.org"}, 0},
        {{root, none, {"gwb.pem"}, "C=CH, O=Culvert Test, CN=gwb"}, 0},
        /* the peer sends none, but it is known */
        {{root, peer, {NULL}}, 0},
        {{root, none, {NULL}}, R_CERT_MISSING, "gwb.example", "no CERT", "send_cert"},
        /* chains */
        {{root, none, {"sub-gwb.pem", "sub.pem"}}, 0},
        {{root, sub, {"sub-gwb.pem"}}, 0},
        {{root_and_sub, none, {"sub-gwb.pem"}}, 0},
        {{root, none, {"sub-gwb.pem", "sub.pem", "ca.pem"}}, 0},
        {{root, none, {"sub-gwb.pem"}}, R_CERT_UNTRUSTED, "CN=Root", "CN=Sub", "intermediate"},
        {{sub_root, none, {"sub-gwb.pem"}}, R_CERT_UNTRUSTED, "no authority", "CN=Sub", "x509ca/"},
        {{root, none, {"subsub-gwb.pem", "subsub.pem", "sub.pem"}},
         R_CERT_CA,
         "pathlen",
         "CN=Sub",
         "CN=Sub"},
        {{root, none, {"noca-gwb.pem", "noca.pem"}}, R_CERT_CA, "CA:TRUE", "CN=No CA", "CN=No CA"},
        {{root, none, {"nosign-gwb.pem", "nosign.pem"}},
         R_CERT_CA,
         "keyCertSign",
         "CN=No Sign",
         "CN=No Sign"},
        /* trust */
        {{other_root, none, {"gwb.pem"}},
         R_CERT_UNTRUSTED,
         "O=Other, CN=Root",
         "issued by C=CH, O=Culvert Test, CN=Root",
         "x509ca/"},
        {{none, none, {"gwb.pem"}}, R_CERT_UNTRUSTED, "no authority", "CN=gwb", "x509ca/"},
        {{root, none, {"other-gwb.pem", "other-ca.pem"}},
         R_CERT_UNTRUSTED,
         "CN=Root",
         "O=Other",
         "x509ca/"},
        {{twin_root, none, {"gwb.pem"}}, R_CERT_UNTRUSTED, "CN=Root", "CN=gwb", "another key"},
        {{root, none, {"self.pem"}}, R_CERT_UNTRUSTED, "CN=Root", "CN=gwb self", "x509ca/"},
        {{root, self, {"self.pem"}}, 0},
        /* dates */
        {{root, none, {"expired.pem"}}, R_CERT_EXPIRED, "2026-11-", "until 2020-02-01", "renew"},
        {{root, none, {"early.pem"}}, R_CERT_NOT_YET, "2026-11-", "from 2090-01-01", "clock"},
        {{expired_root, none, {"expired-ca-gwb.pem"}},
         R_CERT_EXPIRED,
         "2026",
         "CN=Expired Root",
         "expired-ca.pem"},
        /* names and uses */
        {{root, none, {"gwb.pem"}, "gwa.example"},
         R_CERT_ID,
         "gwa.example",
         "gwb.example",
         "local.id"},
        {{root, none, {"gwb.pem"}, "192.0.2.1"}, R_CERT_ID, "192.0.2.1", "192.0.2.2", "local.id"},
        {{root, none, {"gwb.pem"}, "C=CH, CN=gwb"},
         R_CERT_ID,
         "C=CH, CN=gwb",
         "O=Culvert Test",
         "local.id"},
        {{root, none, {"nosan.pem"}}, R_CERT_ID, "gwb.example", "CN=gwb.example", "subjectAltName"},
        {{root, none, {"nousage.pem"}}, R_CERT_USAGE, "digitalSignature", "keyUsage", "CN=gwb"},
        {{root, none, {"critical.pem"}}, R_CERT_USAGE, "RFC 5280", "critical", "CN=gwb"},
        /* revocation */
        {{root, list, {"gwb.pem"}}, 0},
        {{root, list, {"gwb.pem"}, STRICT}, 0},
        {{root, list, {"revoked.pem"}}, R_CERT_REVOKED, "ca.crl", "keyCompromise", "CN=Root"},
        {{root, none, {"revoked.pem"}}, 0},
        {{root, list, {"sub-ca-revoked-gwb.pem", "sub-ca-revoked.pem"}},
         R_CERT_REVOKED,
         "ca.crl",
         "CN=Sub Revoked",
         "CN=Root"},
        {{root, none, {"gwb.pem"}, STRICT},
         R_CERT_REVOCATION,
         "no revocation list",
         "CN=gwb",
         "relaxed"},
        {{root, none, {"gwb.pem"}, IFURI}, 0},
        {{root, none, {"cdp.pem"}, IFURI},
         R_CERT_REVOCATION,
         "no revocation list",
         "CN=gwb",
         "relaxed"},
        {{root, list, {"cdp.pem"}, IFURI}, 0},
        {{root, aged_list, {"gwb.pem"}, STRICT},
         R_CERT_REVOCATION,
         "due for renewal on 2020-02-01",
         "CN=gwb",
         "fresh list"},
        {{root, aged_list, {"gwb.pem"}}, 0},
        {{root, old_list, {"revoked.pem"}}, R_CERT_REVOKED, "stale.crl", "CN=gwb", "new"},
        {{root, twin_list, {"gwb.pem"}, STRICT},
         R_CERT_REVOCATION,
         "did not sign",
         "CN=gwb",
         "fresh list"},
        {{root, list, {"sub-gwb.pem", "sub.pem"}, STRICT},
         R_CERT_REVOCATION,
         "no revocation list",
         "issued by C=CH, O=Culvert Test, CN=Sub",
         "strict"},
        {{root, lists, {"sub-gwb.pem", "sub.pem"}, STRICT}, 0},
        /* lists for some certificates only */
        {{root, user_lists, {"gwb.pem"}, STRICT}, 0},
        {{root, user_lists, {"sub-gwb.pem", "sub.pem"}, STRICT},
         R_CERT_REVOCATION,
         "user.crl, which is for other certificates",
         "CN=Sub, issued by",
         "fresh list"},
        {{root, ca_list, {"gwb.pem"}, STRICT},
         R_CERT_REVOCATION,
         "only-ca.crl, which is for other certificates",
         "CN=gwb",
         "fresh list"},
        {{root, ca_list, {"revoked.pem"}}, R_CERT_REVOKED, "only-ca.crl", "CN=gwb", "new"},
        {{root, part_list, {"gwb.pem"}, STRICT},
         R_CERT_REVOCATION,
         "part.crl, which is for other certificates",
         "CN=gwb",
         "fresh list"},
        {{root, part_list, {"cdp.pem"}, STRICT}, 0},
        /* strength that no connection can do without */
        {{root, none, {"md5.pem"}}, R_CERT_POLICY, "SHA-256", "CN=gwb (sent by", "anew"},
        {{root, none, {"sub512-gwb.pem", "sub512.pem"}},
         R_CERT_POLICY,
         "RSA 1024",
         "CN=Sub 512 (sent by the peer): its key of 512 bits",
         "anew"},
        /* limits */
        {{root, none, {"gwb.pem"}, .pki = {.chain = {.types = 1u << CR_KEY_RSA, .rsa_bits = 2048}}},
         0},
        {{root, none, {"gwb.pem"}, .pki = {.chain = {.types = 1u << CR_KEY_RSA, .rsa_bits = 3072}}},
         R_CERT_POLICY,
         "auth = rsa-3072",
         "RSA 2048",
         "remote.auth"},
        {{root,
          none,
          {"weak.pem"},
          .pki = {.chain = {.types = 1u << CR_KEY_RSA, .rsa_bits = 2048}}},
         R_CERT_POLICY,
         "auth = rsa-2048",
         "RSA 1024",
         "remote.auth"},
        {{root, none, {"gwb.pem"}, .pki = {.chain = {.types = 1u << CR_KEY_ECDSA}}},
         R_CERT_POLICY,
         "auth = ecdsa",
         "RSA 2048",
         "remote.auth"},
        {{root, none, {"weak.pem"}, .pki = {.chain = {.hashes = 1u << CR_SIG_SHA256}}},
         R_CERT_POLICY,
         "auth = pubkey-sha256",
         "signed with sha1",
         "remote.auth"},
        {{root, none, {"gwb.pem"}, .pki = {.chain = {.hashes = 1u << CR_SIG_SHA256}}}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pki_why why;
        err_t e = verify(&cases[i].s, &why);
        if (e != cases[i].want)
            print_message("case %zu: %s: %s / %s\n", i, err_name(e), why.theirs, why.ours);
        assert_int_equal(e, cases[i].want);
        const char *const parts[][2] = {
            {why.ours, cases[i].ours}, {why.theirs, cases[i].theirs}, {why.hint, cases[i].hint}};
        for (size_t k = 0; e && k < 3; k++) {
            if (!strstr(parts[k][0], parts[k][1]))
                print_message("case %zu: \"%s\" has no \"%s\"\n", i, parts[k][0], parts[k][1]);
            assert_non_null(strstr(parts[k][0], parts[k][1]));
        }
    }
}

static struct conn_cert named(const char *file)
{
    struct conn_cert c = {.name = (char *)(uintptr_t)file};
    struct pki_read r;
    assert_int_equal(pki_read_cert(pki_file(file), &r), 0);
    memcpy(c.fp, r.fp, sizeof c.fp);
    free(r.der);
    return c;
}

static void test_only_what_the_connection_names(void **state)
{
    (void)state;
    static const char *const both[] = {"ca.pem", "ec-ca.pem", NULL};
    static const char *const known[] = {"gwb.pem", "gwb-ec256.pem", NULL};
    struct conn_cert gwb = named("gwb.pem"), ca = named("ca.pem");
    struct pki_why why;
    struct setup s = {both, known, {"gwb.pem"}, .pki = {.certs = &gwb, .cert_count = 1}};
    assert_int_equal(verify(&s, &why), 0);
    s.sent[0] = "gwb-ec256.pem";
    assert_int_equal(verify(&s, &why), R_CERT_POLICY);
    assert_string_equal(why.ours, "gwb.pem");
    assert_string_equal(why.what, "certs");

    s = (struct setup){both, known, {"gwb.pem"}, .pki = {.cacerts = &ca, .cacert_count = 1}};
    assert_int_equal(verify(&s, &why), 0);
    s.sent[0] = "ec-gwb.pem";
    assert_int_equal(verify(&s, &why), R_CERT_UNTRUSTED);
    assert_string_equal(why.ours, "ca.pem");
    assert_non_null(strstr(why.theirs, "CN=EC Root"));

    s = (struct setup){both, known, {"gwb.pem"}};
    assert_true(id_parse(&s.pki.ca_id, "C=CH, O=*, CN=Root"));
    assert_int_equal(verify(&s, &why), 0);
    assert_true(id_parse(&s.pki.ca_id, "C=CH, O=Culvert Test, CN=EC Root"));
    assert_int_equal(verify(&s, &why), R_CERT_UNTRUSTED);
    assert_string_equal(why.what, "ca_id");
}

/* Damaged bytes anywhere in the chain: refused, never trusted, whoever was here before. */
static void test_damage_is_never_trusted(void **state)
{
    (void)state;
    struct pki *p = pki_of_files(root, none);
    struct conn_auth auth = {.kind = AUTH_PUBKEY};
    struct id id;
    struct bytes good = pki_der("gwb.pem");
    uint8_t *bad = malloc(good.n);
    assert_non_null(bad);
    assert_true(id_parse(&id, "gwb.example"));
    struct pki_peer first = {&auth, &id, &good, 1, NOW};
    struct cr_key *trusted;
    struct pki_why none_such;
    assert_int_equal(pki_verify(p, &first, &trusted, &none_such), 0);
    cr_key_unref(trusted);
    for (size_t i = 0; i < good.n; i++) {
        struct bytes cert = bytes_of(bad, good.n);
        struct pki_peer q = {&auth, &id, &cert, 1, NOW};
        struct cr_key *key;
        struct pki_why why;
        memcpy(bad, good.p, good.n);
        bad[i] ^= 0x01;
        err_t e = pki_verify(p, &q, &key, &why);
        assert_true(e > 0);
        assert_null(key);
        cert.n = i;
        assert_true(pki_verify(p, &q, &key, &why) > 0);
    }
    free(bad);
    pki_unref(p);
}

/* What was parsed is kept, what was decided is not: the same certificate at other times, with other
 * identities, and damaged after it has been trusted. */
static void test_a_peer_that_comes_again(void **state)
{
    (void)state;
    static const struct {
        const char *cert, *id;
        uint64_t wall_s;
        err_t want;
    } cases[] = {
        {"gwb.pem", "gwb.example", NOW, 0},
        {"gwb.pem", "gwb.example", NOW, 0},
        {"gwb.pem", "gwa.example", NOW, R_CERT_ID},
        {"gwb.pem", "gwb.example", 1000000000, R_CERT_NOT_YET},
        {"gwb.pem", "gwb.example", 5000000000, R_CERT_EXPIRED},
        {"gwa.pem", "gwb.example", NOW, R_CERT_ID},
        {"gwa.pem", "gwa.example", NOW, 0},
        {"gwb.pem", "gwb.example", NOW, 0},
    };
    struct pki *p = pki_of_files(root, none);
    struct conn_auth auth = {.kind = AUTH_PUBKEY};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes cert = pki_der(cases[i].cert);
        struct id id;
        assert_true(id_parse(&id, cases[i].id));
        struct pki_peer q = {&auth, &id, &cert, 1, cases[i].wall_s};
        struct pki_why why;
        struct cr_key *key;
        assert_int_equal(pki_verify(p, &q, &key, &why), cases[i].want);
        assert_int_equal(key != NULL, !cases[i].want);
        cr_key_unref(key);
    }
    pki_unref(p);
}

struct together {
    const struct pki *p;
    size_t trusted, refused;
};

static void *verify_often(void *arg)
{
    struct together *t = arg;
    struct conn_auth auth = {.kind = AUTH_PUBKEY, .revocation = REVOCATION_STRICT};
    struct id id;
    for (int i = 0; i < 200 && id_parse(&id, "gwb.example"); i++) {
        struct bytes cert = pki_der(i % 2 ? "revoked.pem" : "gwb-ec256.pem");
        struct pki *own = pki_ref(t->p);
        struct pki_peer q = {&auth, &id, &cert, 1, NOW};
        struct pki_why why;
        struct cr_key *key;
        err_t e = pki_verify(own, &q, &key, &why);
        t->trusted += !e;
        t->refused += e == (err_t)R_CERT_REVOKED;
        cr_key_unref(key);
        pki_unref(own);
    }
    return NULL;
}

/* Jobs of many negotiations read one store at the same time. */
static void test_threads_share_a_store(void **state)
{
    (void)state;
    struct pki *p = pki_of_files(root, list);
    struct together t[4];
    pthread_t thread[4];
    (void)pki_der("revoked.pem"); /* read before, for that is not for threads */
    (void)pki_der("gwb-ec256.pem");
    for (size_t i = 0; i < 4; i++) {
        t[i] = (struct together){.p = p};
        assert_int_equal(pthread_create(&thread[i], NULL, verify_often, &t[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(t[i].trusted, 100);
        assert_int_equal(t[i].refused, 100);
    }
    pki_unref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trusted_and_refused),
        cmocka_unit_test(test_only_what_the_connection_names),
        cmocka_unit_test(test_damage_is_never_trusted),
        cmocka_unit_test(test_a_peer_that_comes_again),
        cmocka_unit_test(test_threads_share_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
