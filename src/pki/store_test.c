/* Stores and what the engine asks of them: our certificate and key, authorities, schemes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "pki_files.h"

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

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

static struct id id_of(const char *text)
{
    struct id id;
    assert_true(id_parse(&id, text));
    return id;
}

static void expect_chain(const struct pki_own *own, const char *first, const char *second)
{
    assert_int_equal(own->chain_len, second ? 2 : 1);
    assert_true(bytes_eq(own->chain[0], pki_der(first)));
    if (second)
        assert_true(bytes_eq(own->chain[1], pki_der(second)));
}

static void test_our_certificate(void **state)
{
    (void)state;
    struct pki *p = pki_of_files(FILES("ca.pem", "ec-ca.pem"),
                                 FILES("gwb.pem", "gwb.key", "ec-gwb.pem", "ec-gwb.key", "sub.pem",
                                       "sub-gwb.pem", "sub-gwb.key", "gwa.pem", "gwb-ec384.pem",
                                       "gwb-ec384.key"));
    struct conn_auth auth = {.kind = AUTH_PUBKEY};
    struct pki_ca ca[4];
    struct pki_own own;
    struct pki_why why;
    struct id gwb = id_of("gwb.example"), gwa = id_of("gwa.example"), none = id_of("x.example");
    struct conn_cert mine[] = {named("gwb.pem"), named("sub-gwb.pem"), named("ec-gwb.pem")};
    struct conn_pki list = {.certs = mine, .cert_count = 3};

    /* by identity; the root is not sent */
    assert_int_equal(pki_own_find(p, &auth, &gwb, &(struct pki_wish){0}, &own, &why), 0);
    expect_chain(&own, "gwb.pem", NULL);
    /* what the method needs */
    struct pki_wish ecdsa = {.type = CR_KEY_ECDSA, .bits = 384};
    assert_int_equal(pki_own_find(p, &auth, &gwb, &ecdsa, &own, &why), 0);
    expect_chain(&own, "gwb-ec384.pem", NULL);
    ecdsa.bits = 521;
    assert_int_equal(pki_own_find(p, &auth, &gwb, &ecdsa, &own, &why), R_NO_KEY);
    assert_string_equal(why.theirs, "ECDSA with 521 bits");
    assert_non_null(strstr(why.ours, "another kind of key"));
    /* nothing to sign with */
    assert_int_equal(pki_own_find(p, &auth, &gwa, &(struct pki_wish){0}, &own, &why), R_NO_KEY);
    assert_string_equal(why.ours, "gwa.pem, without its private key");
    assert_non_null(strstr(why.hint, "private/"));
    assert_int_equal(pki_own_find(p, &auth, &none, &(struct pki_wish){0}, &own, &why), R_NO_KEY);
    assert_string_equal(why.ours, "no certificate for x.example");
    assert_int_equal(pki_own_find(NULL, &auth, &none, &(struct pki_wish){0}, &own, &why), R_NO_KEY);
    /* what the peer asks for, by key and by name, decides between several */
    auth.pki = &list;
    assert_int_equal(pki_ca_list(p, NULL, ca, 4), 2);
    struct pki_wish wish = {.hashes = bytes_of(ca[1].spki, 20)};
    assert_int_equal(pki_own_find(p, &auth, &gwb, &wish, &own, &why), 0);
    expect_chain(&own, "ec-gwb.pem", NULL);
    wish = (struct pki_wish){.names = &ca[1].name, .name_count = 1};
    assert_int_equal(pki_own_find(p, &auth, &gwb, &wish, &own, &why), 0);
    expect_chain(&own, "ec-gwb.pem", NULL);
    uint8_t stranger[20] = {1};
    wish = (struct pki_wish){.hashes = bytes_of(stranger, 20)};
    assert_int_equal(pki_own_find(p, &auth, &gwb, &wish, &own, &why), 0);
    expect_chain(&own, "gwb.pem", NULL);
    /* with the intermediate between */
    list.certs = mine + 1;
    list.cert_count = 1;
    assert_int_equal(pki_own_find(p, &auth, &gwb, &(struct pki_wish){0}, &own, &why), 0);
    expect_chain(&own, "sub-gwb.pem", "sub.pem");
    pki_unref(p);
}

static void test_authorities(void **state)
{
    (void)state;
    struct pki *p = pki_of_files(FILES("ca.pem", "ec-ca.pem", "other-ca.pem"), FILES("sub.pem"));
    struct conn_cert wanted[] = {named("other-ca.pem"), named("ca.pem")};
    struct conn_pki list = {.cacerts = wanted, .cacert_count = 2};
    struct conn_auth auth = {.pki = &list};
    struct pki_ca ca[2];
    assert_int_equal(pki_ca_list(p, NULL, ca, 2), 3);
    assert_int_equal(pki_ca_list(p, &auth, ca, 2), 2);
    struct id first, other = id_of("C=CH, O=Other, CN=Root");
    assert_true(id_set(&first, ID_DER_ASN1_DN, ca[1].name));
    assert_true(id_eq(&first, &other));
    assert_int_equal(pki_ca_list(NULL, &auth, ca, 2), 0);
    pki_unref(p);
}

struct count {
    size_t certs, keys, crls, with_key, good_crls;
    const char *crl;
};

static void count_cert(void *ctx, const struct pki_cert_info *i)
{
    struct count *n = ctx;
    n->certs++;
    n->with_key += i->secret != NULL;
}

static void count_key(void *ctx, const struct cr_key *key, const char *name)
{
    struct count *n = ctx;
    (void)key;
    (void)name;
    n->keys++;
}

static void count_crl(void *ctx, const struct pki_crl_info *i)
{
    struct count *n = ctx;
    n->crls++;
    n->good_crls += i->is_signed;
    n->crl = i->name;
}

static struct count counts(struct pki_build *b)
{
    struct count n = {0};
    struct pki *p;
    assert_int_equal(pki_build_store(b, &p), 0);
    pki_cert_each(p, count_cert, &n);
    pki_key_each(p, count_key, &n);
    pki_crl_each(p, count_crl, &n);
    pki_unref(p);
    return n;
}

static void test_what_comes_and_goes(void **state)
{
    (void)state;
    struct pki_build *b = pki_build_new();
    struct conn_cert gwa = named("gwa.pem"), ca = named("ca.pem"), end = named("gwb.pem");
    struct cr_key *key;
    assert_int_equal(pki_add_cert(b, pki_file("gwa.pem"), PKI_END, "a"), 0);
    assert_int_equal(pki_add_cert(b, pki_file("gwa.der"), PKI_END, "b"), 0);
    assert_int_equal(pki_add_cert(b, pki_file("bundle.pem"), PKI_END, "c"), 0);
    assert_int_equal(counts(b).certs, 2); /* gwa and sub */
    assert_int_equal(pki_add_cert(b, pki_file("gwb.pem"), PKI_CA, "d"), R_CERT_CA);
    assert_int_equal(pki_add_cert(b, pki_file("gwa.key"), PKI_END, "e"), R_CERT_SYNTAX);
    assert_int_equal(pki_hold_cert(b, &gwa, PKI_END), 0);
    assert_int_equal(pki_hold_cert(b, &ca, PKI_CA), 0);
    assert_int_equal(pki_hold_cert(b, &ca, PKI_CA), 0);
    assert_int_equal(pki_hold_cert(b, &end, PKI_CA), R_CERT_CA);
    assert_int_equal(counts(b).certs, 3);
    assert_int_equal(cr_key_private(pki_file("gwa.key"), bytes_of(NULL, 0), &key), 0);
    assert_int_equal(pki_add_key(b, key, "k"), 0);
    assert_int_equal(pki_add_key(b, key, "k"), 0);
    assert_int_equal(counts(b).keys, 1);
    assert_int_equal(counts(b).with_key, 1);
    pki_build_clear(b); /* what connections hold stays */
    assert_int_equal(counts(b).certs, 2);
    assert_int_equal(counts(b).keys, 0);
    pki_drop_cert(b, &gwa, PKI_END);
    pki_drop_cert(b, &ca, PKI_CA);
    assert_int_equal(counts(b).certs, 1);
    pki_drop_cert(b, &ca, PKI_CA);
    pki_drop_cert(b, &ca, PKI_CA);
    assert_int_equal(counts(b).certs, 0);
    assert_int_equal(pki_add_key(b, key, "k"), 0);
    assert_true(pki_del_key(b, cr_key_info(key)->id));
    assert_false(pki_del_key(b, cr_key_info(key)->id));
    cr_key_unref(key);
    pki_build_free(b);
}

/* A file that several things name, flagged by each. */
static void test_flags_join(void **state)
{
    (void)state;
    struct pki_build *b = pki_build_new();
    struct pki *before, *after;
    assert_int_equal(pki_add_cert(b, pki_file("ca.pem"), PKI_END, "a"), 0);
    assert_int_equal(pki_build_store(b, &before), 0);
    assert_int_equal(pki_add_cert(b, pki_file("ca.pem"), PKI_CA, "b"), 0);
    assert_int_equal(pki_build_store(b, &after), 0);
    assert_int_equal(pki_ca_list(before, NULL, NULL, 0), 0); /* as it was */
    assert_int_equal(pki_ca_list(after, NULL, NULL, 0), 1);
    pki_unref(before);
    pki_unref(after);
    pki_build_free(b);
}

static size_t authorities(struct pki_build *b)
{
    struct pki *p;
    assert_int_equal(pki_build_store(b, &p), 0);
    size_t n = pki_ca_list(p, NULL, NULL, 0);
    pki_unref(p);
    return n;
}

/* Trusted as an authority only as long as somebody names it as one. */
static void test_authority_no_more(void **state)
{
    (void)state;
    struct pki_build *b = pki_build_new();
    struct conn_cert ca = named("ca.pem"), end = named("self.pem");
    assert_int_equal(pki_hold_cert(b, &ca, PKI_END), 0);
    assert_int_equal(authorities(b), 0);
    assert_int_equal(pki_hold_cert(b, &ca, PKI_CA), 0);
    assert_int_equal(pki_hold_cert(b, &ca, PKI_CA), 0);
    pki_drop_cert(b, &ca, PKI_CA);
    assert_int_equal(authorities(b), 1);
    pki_drop_cert(b, &ca, PKI_CA);
    pki_drop_cert(b, &ca, PKI_CA);
    assert_int_equal(counts(b).certs, 1);
    assert_int_equal(authorities(b), 0);
    assert_int_equal(pki_add_cert(b, pki_file("ca.pem"), PKI_CA, "a"), 0);
    assert_int_equal(pki_hold_cert(b, &ca, PKI_CA), 0);
    pki_drop_cert(b, &ca, PKI_CA);
    assert_int_equal(authorities(b), 1); /* the file says so */
    pki_build_clear(b);
    assert_int_equal(authorities(b), 0);
    assert_int_equal(pki_hold_cert(b, &end, PKI_END), 0);
    assert_int_equal(pki_hold_cert(b, &end, PKI_CA), R_CERT_CA);
    pki_build_free(b);
}

static void test_lists(void **state)
{
    (void)state;
    struct pki_build *b = pki_build_new();
    assert_int_equal(pki_add_crl(b, pki_file("old.crl"), "old"), 0);
    assert_int_equal(counts(b).good_crls, 0); /* its authority comes later */
    assert_int_equal(pki_add_cert(b, pki_file("ca.pem"), PKI_CA, "ca"), 0);
    assert_int_equal(counts(b).good_crls, 1);
    assert_int_equal(pki_add_crl(b, pki_file("ca-crl.der"), "new"), 0);
    assert_int_equal(counts(b).crls, 1);
    assert_string_equal(counts(b).crl, "new");
    assert_int_equal(pki_add_crl(b, pki_file("old.crl"), "old"), 0);
    assert_string_equal(counts(b).crl, "new");
    assert_int_equal(pki_add_crl(b, pki_file("twin.crl"), "twin"), 0); /* same name, other key */
    assert_int_equal(counts(b).crls, 2);
    assert_int_equal(counts(b).good_crls, 1);
    assert_int_equal(pki_add_crl(b, pki_file("ca.pem"), "x"), R_CERT_SYNTAX);
    pki_build_free(b);
}

#define HASHES(a) (1u << CR_SIG_##a)
#define ALL       0x3e

static void test_schemes(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        struct key_limits chain, ike;
        uint32_t peer;
        enum cr_scheme want;
    } cases[] = {
        {"gwa.key", {0}, {0}, ALL, CR_RSA_SHA256},
        {"gwa.key", {0}, {0}, HASHES(SHA512), CR_RSA_SHA512},
        {"gwa.key", {0}, {0}, HASHES(SHA1), CR_SCHEME_NONE},
        {"gwa.key", {.hashes = HASHES(SHA1)}, {0}, HASHES(SHA1), CR_RSA_SHA1},
        {"gwa.key", {0}, {0}, HASHES(SHA1) | HASHES(SHA384), CR_RSA_SHA384},
        {"gwa.key", {0}, {0}, 0, CR_SCHEME_NONE},
        {"gwa.key", {.hashes = HASHES(SHA384)}, {0}, ALL, CR_RSA_SHA384},
        {"gwa.key", {.types = 1u << CR_KEY_RSA, .pss = true}, {0}, ALL, CR_RSA_PSS_SHA256},
        {"gwa.key", {.hashes = HASHES(SHA512)}, {.hashes = HASHES(SHA384)}, ALL, CR_RSA_SHA384},
        {"gwa.key", {.types = 1u << CR_KEY_ECDSA}, {0}, ALL, CR_SCHEME_NONE},
        {"gwa-ec256.key", {0}, {0}, ALL, CR_ECDSA_SHA256},
        {"gwa-ec384.key", {0}, {0}, ALL, CR_ECDSA_SHA384},
        {"gwa-ec521.key", {0}, {0}, ALL, CR_ECDSA_SHA512},
        {"gwa-ed25519.key", {0}, {0}, ALL, CR_ED25519},
        {"gwa-ed25519.key", {0}, {0}, ALL & ~HASHES(IDENTITY), CR_SCHEME_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conn_pki limits = {.chain = cases[i].chain, .ike = cases[i].ike};
        struct conn_auth auth = {.pki = &limits};
        struct pki_why why;
        struct cr_key *k;
        assert_int_equal(cr_key_private(pki_file(cases[i].key), bytes_of(NULL, 0), &k), 0);
        enum cr_scheme s = pki_scheme_pick(&auth, k, cases[i].peer);
        assert_int_equal(s, cases[i].want);
        if (s)
            assert_int_equal(pki_scheme_check(&auth, k, s, &why), 0);
        cr_key_unref(k);
    }
}

static void test_a_scheme_that_is_not_wanted(void **state)
{
    (void)state;
    struct conn_pki limits = {.ike = {.types = 1u << CR_KEY_RSA, .pss = true, .rsa_bits = 2048}};
    struct conn_auth auth = {.pki = &limits};
    struct pki_why why;
    struct cr_key *k;
    assert_int_equal(cr_key_private(pki_file("gwa.key"), bytes_of(NULL, 0), &k), 0);
    assert_int_equal(pki_scheme_check(&auth, k, CR_RSA_PSS_SHA384, &why), 0);
    assert_int_equal(pki_scheme_check(&auth, k, CR_RSA_SHA256, &why), R_AUTH_METHOD);
    assert_string_equal(why.ours, "auth = rsa/pss-2048");
    assert_string_equal(why.theirs, "rsa-sha256 with a key of RSA 2048");
    limits.ike.rsa_bits = 3072;
    assert_int_equal(pki_scheme_check(&auth, k, CR_RSA_PSS_SHA384, &why), R_AUTH_METHOD);
    assert_int_equal(pki_scheme_check(&auth, k, CR_RSA_RAW, &why), R_AUTH_METHOD);
    cr_key_unref(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_certificate),
        cmocka_unit_test(test_authorities),
        cmocka_unit_test(test_what_comes_and_goes),
        cmocka_unit_test(test_flags_join),
        cmocka_unit_test(test_authority_no_more),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_a_scheme_that_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
