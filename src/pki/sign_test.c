/* Keys and signatures (crypto/sign.h) with the files of tests/vectors/pki and the RFCs' examples.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../crypto/test_hex.h"
#include "crypto/ossl_sign.h"
#include "pki_files.h"
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static struct cr_key *key_of(const char *file)
{
    struct cr_key *k;
    assert_int_equal(cr_key_private(pki_file(file), bytes_of(NULL, 0), &k), 0);
    return k;
}

static err_t verify_text(const struct cr_key *k, enum cr_scheme s, const char *text,
                         struct bytes sig)
{
    struct bytes part = bytes_of(text, strlen(text));
    return cr_verify(k, s, &part, 1, sig);
}

/* A public key of the curve as SubjectPublicKeyInfo (RFC 5480 2). */
static struct cr_key *ec_public(uint16_t bits, struct bytes xy)
{
    const char *head = bits == 256   ? "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
                       : bits == 384 ? "3076301006072a8648ce3d020106052b8104002203620004"
                                     : "30819b301006072a8648ce3d020106052b810400230381860004";
    uint8_t spki[200];
    struct cr_key *k;
    size_t n = unhex(head, spki, sizeof spki).n;
    memcpy(spki + n, xy.p, xy.n);
    assert_int_equal(cr_key_public(bytes_of(spki, n + xy.n), &k), 0);
    return k;
}

static void test_rfc4754(void **state)
{
    static const struct {
        enum cr_scheme s;
        const char *xy, *sig; /* of "abc": RFC 4754 8 */
    } cases[] = {
        {CR_ECDSA_P256,
         "2442a5cc0ecd015fa3ca31dc8e2bbc70bf42d60cbca20085e0822cb04235e9706fc98bd7e502"
         "11a4a27102fa3549df79ebcb4bf246b80945cddfe7d509bbfd7d",
         "cb28e0999b9c7715fd0a80d8e47a77079716cbbf917dd72e97566ea1c066957c86fa3bb4e26c"
         "ad5bf90b7f81899256ce7594bb1ea0c89212748bff3b3d5b0315"},
        {CR_ECDSA_P384,
         "96281bf8dd5e0525ca049c048d345d3082968d10fedf5c5aca0c64e6465a97ea5ce10c9dfec2"
         "1797415710721f437922447688ba94708eb6e2e4d59f6ab6d7edff9301d249fe49c33096655f"
         "5d502fad3d383b91c5e7edaa2b714cc99d5743ca",
         "fb017b914e29149432d8bac29a514640b46f53ddab2c69948084e2930f1c8f7e08e07c9c63f2"
         "d21a07dcb56a6af56eb3b263a1305e057f984d38726a1b46874109f417bca112674c528262a4"
         "0a629af1cbb9f516ce0fa7d2ff630863a00e8b9f"},
        {CR_ECDSA_P521,
         "0151518f1af0f563517edd5485190df95a4bf57b5cba4cf2a9a3f6474725a35f7afe0a6ddeb8"
         "bedbcd6a197e592d40188901cecd650699c9b5e456aea5add19052a8006f3b142ea1bfff7e28"
         "37ad44c9e4ff6d2d34c73184bbad90026dd5e6e85317d9df45cad7803c6c20035b2f3ff63aff"
         "4e1ba64d1c077577da3f4286c58f0aeae643",
         "0154fd3836af92d0dca57dd5341d3053988534fde8318fc6aaaab68e2e6f4339b19f2f281a7e"
         "0b22c269d93cf8794a9278880ed7dbb8d9362caeacee544320552251017705a7030290d1ceb6"
         "05a9a1bb03ff9cdd521e87a696ec926c8c10c8362df4975367101f67d1cf9bccbf2f3d239534"
         "fa509e70aac851ae01aac68d62f866472660"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t xy[200], sig[200];
        struct bytes given = unhex(cases[i].sig, sig, sizeof sig);
        struct cr_key *k =
            ec_public(cr_scheme(cases[i].s)->bits, unhex(cases[i].xy, xy, sizeof xy));
        assert_int_equal(verify_text(k, cases[i].s, "abc", given), 0);
        assert_int_equal(verify_text(k, cases[i].s, "abd", given), R_SIGNATURE);
        for (size_t at = 0; at < given.n; at++) {
            sig[at] ^= 1;
            assert_int_equal(verify_text(k, cases[i].s, "abc", given), R_SIGNATURE);
            sig[at] ^= 1;
            assert_int_equal(verify_text(k, cases[i].s, "abc", bytes_of(sig, at)), R_SIGNATURE);
        }
        cr_key_unref(k);
    }
}

static const struct {
    const char *key;
    enum cr_scheme s;
} pairs[] = {
    {"gwa.key", CR_RSA_RAW},
    {"gwa.key", CR_RSA_SHA1},
    {"gwa.key", CR_RSA_SHA256},
    {"gwa.key", CR_RSA_SHA384},
    {"gwa.key", CR_RSA_SHA512},
    {"gwa.key", CR_RSA_PSS_SHA256},
    {"gwa.key", CR_RSA_PSS_SHA384},
    {"gwa.key", CR_RSA_PSS_SHA512},
    {"gwa-ec256.key", CR_ECDSA_RAW},
    {"gwa-ec384.key", CR_ECDSA_RAW},
    {"gwa-ec521.key", CR_ECDSA_RAW},
    {"gwa-ec256.key", CR_ECDSA_P256},
    {"gwa-ec384.key", CR_ECDSA_P384},
    {"gwa-ec521.key", CR_ECDSA_P521},
    {"gwa-ec256.key", CR_ECDSA_SHA1},
    {"gwa-ec384.key", CR_ECDSA_SHA256},
    {"gwa-ec521.key", CR_ECDSA_SHA384},
    {"gwa-ec256.key", CR_ECDSA_SHA512},
    {"gwa-ed25519.key", CR_ED25519},
    {"gwa-ed448.key", CR_ED448},
};

static void test_what_is_signed_verifies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct cr_key *k = key_of(pairs[i].key), *other = key_of("gwb.key"), *pub;
        struct bytes parts[] = {bytes_of("0123456789", 10), bytes_of(NULL, 0),
                                bytes_of("abcdef0123", 10)};
        struct bytes whole = bytes_of("0123456789abcdef0123", 20); /* as long as SHA-1 */
        uint8_t sig[CR_SIG_MAX];
        size_t n, count = cr_scheme(pairs[i].s)->hash == CR_SIG_NULL ? 1 : 3;
        const struct bytes *text = count == 1 ? &whole : parts;
        assert_int_equal(cr_sign(k, pairs[i].s, text, count, sig, &n), 0);
        assert_int_equal(cr_verify(k, pairs[i].s, &whole, 1, bytes_of(sig, n)), 0);
        whole.n = 19;
        assert_int_equal(cr_verify(k, pairs[i].s, &whole, 1, bytes_of(sig, n)), R_SIGNATURE);
        whole.n = 20;
        assert_int_equal(cr_verify(other, pairs[i].s, &whole, 1, bytes_of(sig, n)), R_SIGNATURE);
        sig[n / 2] ^= 0x10;
        assert_int_equal(cr_verify(k, pairs[i].s, &whole, 1, bytes_of(sig, n)), R_SIGNATURE);
        for (int s = 0; s < CR_SCHEME_COUNT; s++)
            if (!cr_scheme_fits((enum cr_scheme)s, k))
                assert_int_equal(cr_sign(k, (enum cr_scheme)s, &whole, 1, sig, &n), E_USAGE);
        assert_int_equal(cr_key_of_pkey(cr_key_pkey(k), false, &pub), 0);
        assert_int_equal(cr_sign(pub, pairs[i].s, &whole, 1, sig, &n), E_USAGE);
        cr_key_unref(pub);
        cr_key_unref(other);
        cr_key_unref(k);
    }
}

/* RFC 8017 9.2: 00 01 ff ... ff 00, then DigestInfo and digest, or with IKEv1 the digest alone. */
static void test_pkcs1_padding(void **state)
{
    (void)state;
    static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    struct cr_key *k = key_of("gwa.key");
    for (int raw = 0; raw < 2; raw++) {
        uint8_t sig[CR_SIG_MAX], plain[CR_SIG_MAX], digest[32];
        size_t n, plain_len = sizeof plain, tail = raw ? 32 : 32 + sizeof info;
        EVP_Digest("abc", 3, digest, NULL, EVP_sha256(), NULL);
        struct bytes text = raw ? bytes_of(digest, 32) : bytes_of("abc", 3);
        assert_int_equal(cr_sign(k, raw ? CR_RSA_RAW : CR_RSA_SHA256, &text, 1, sig, &n), 0);
        assert_int_equal(n, 256);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(cr_key_pkey(k), NULL);
        assert_int_equal(EVP_PKEY_encrypt_init(c), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING), 1);
        assert_int_equal(EVP_PKEY_encrypt(c, plain, &plain_len, sig, n), 1);
        EVP_PKEY_CTX_free(c);
        assert_int_equal(plain_len, 256);
        assert_true(plain[0] == 0 && plain[1] == 1 && plain[255 - tail] == 0);
        for (size_t i = 2; i < 255 - tail; i++)
            assert_int_equal(plain[i], 0xff);
        assert_memory_equal(plain + 256 - 32, digest, 32);
        if (!raw)
            assert_memory_equal(plain + 256 - tail, info, sizeof info);
    }
    cr_key_unref(k);
}

static void test_algorithm_identifiers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum cr_scheme want;
    } cases[] = {
        /* RFC 7427 A.1 to A.4, those of A.4 with and without NULL and defaults */
        {"300d06092a864886f70d0101050500", CR_RSA_SHA1},
        {"300d06092a864886f70d01010b0500", CR_RSA_SHA256},
        {"300b06092a864886f70d01010c", CR_RSA_SHA384},
        {"300d06092a864886f70d01010d0500", CR_RSA_SHA512},
        {"300906072a8648ce3d0401", CR_ECDSA_SHA1},
        {"300a06082a8648ce3d040302", CR_ECDSA_SHA256},
        {"300c06082a8648ce3d0403030500", CR_ECDSA_SHA384},
        {"300a06082a8648ce3d040304", CR_ECDSA_SHA512},
        {"304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d"
         "010108300d06096086480165030402010500a203020120a303020101",
         CR_RSA_PSS_SHA256},
        {"303d06092a864886f70d01010a3030a00d300b0609608648016503040202a11a301806092a864886f70d0101"
         "08300b0609608648016503040202a203020130",
         CR_RSA_PSS_SHA384},
        {"300506032b6570", CR_ED25519},
        {"300506032b6571", CR_ED448},
        /* MD5; SHA-224; the mask's hash is another; a trailer that does not exist; no hash */
        {"300d06092a864886f70d0101040500", CR_SCHEME_NONE},
        {"300a06082a8648ce3d040301", CR_SCHEME_NONE},
        {"304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d"
         "010108300d06096086480165030402020500a203020120",
         CR_SCHEME_NONE},
        {"304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d"
         "010108300d06096086480165030402010500a203020120a303020102",
         CR_SCHEME_NONE},
        {"300d06092a864886f70d01010a3000", CR_SCHEME_NONE},
        {"", CR_SCHEME_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t der[100];
        struct bytes b = unhex(cases[i].hex, der, sizeof der);
        assert_int_equal(cr_scheme_of_algid(b), cases[i].want);
        for (size_t n = 0; n < b.n; n++)
            assert_int_equal(cr_scheme_of_algid(bytes_of(der, n)), CR_SCHEME_NONE);
    }
    for (int s = 0; s < CR_SCHEME_COUNT; s++)
        if (cr_scheme_algid((enum cr_scheme)s).n)
            assert_int_equal(cr_scheme_of_algid(cr_scheme_algid((enum cr_scheme)s)), s);
}

static void test_forms_of_private_keys(void **state)
{
    (void)state;
    static const struct {
        const char *file, *pass;
        err_t want;
        const char *same, *text;
    } cases[] = {
        {"gwa.key", "", 0, "gwa.key", "RSA 2048"},
        {"gwa-pkcs8.key", "secret", 0, "gwa.key", "RSA 2048"},
        {"gwa-pkcs8-key.der", "secret", 0, "gwa.key", "RSA 2048"},
        {"gwa-pkcs1.key", "secret", 0, "gwa.key", "RSA 2048"},
        {"gwa-pkcs1-key.der", "", 0, "gwa.key", "RSA 2048"},
        {"gwa-pkcs8.key", "", R_KEY_LOCKED},
        {"gwa-pkcs8.key", "Secret", R_KEY_LOCKED},
        {"gwa-pkcs8-key.der", "", R_KEY_LOCKED},
        {"gwa-pkcs1.key", "x", R_KEY_LOCKED},
        {"params.key", "", 0, NULL, "ECDSA 256"},
        {"gwa-ec521.key", "", 0, NULL, "ECDSA 521"},
        {"gwa-ed25519.key", "", 0, NULL, "Ed25519"},
        {"gwa-ed448.key", "", 0, NULL, "Ed448"},
        {"dsa.key", "", R_KEY_KIND},
        {"gwa.pem", "", R_KEY_SYNTAX},
        {"gwa.der", "", R_KEY_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cr_key *k, *same = cases[i].same ? key_of(cases[i].same) : NULL;
        char text[24];
        struct bytes pass = bytes_of(cases[i].pass, strlen(cases[i].pass));
        assert_int_equal(cr_key_private(pki_file(cases[i].file), pass, &k), cases[i].want);
        assert_int_equal(k != NULL, cases[i].want == 0);
        if (k)
            assert_string_equal(cr_key_text(k, text), cases[i].text);
        if (same) {
            assert_true(cr_key_pair(k, same));
            assert_memory_equal(cr_key_info(k)->id, cr_key_info(same)->id, 20);
        }
        cr_key_unref(same);
        cr_key_unref(k);
    }
}

/* The identifiers are those of the certificate: RFC 5280 4.2.1.2 (1), RFC 7296 3.7. */
static void test_identifiers(void **state)
{
    (void)state;
    struct cr_key *k = key_of("gwa.key");
    struct bytes der = pki_der("gwa.pem");
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(x);
    uint8_t sha1[20], *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    assert_memory_equal(ASN1_STRING_get0_data(ski), cr_key_info(k)->id, 20);
    EVP_Digest(spki, (size_t)n, sha1, NULL, EVP_sha1(), NULL);
    assert_memory_equal(sha1, cr_key_info(k)->spki, 20);
    OPENSSL_free(spki);
    X509_free(x);
    cr_key_unref(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4754),
        cmocka_unit_test(test_what_is_signed_verifies),
        cmocka_unit_test(test_pkcs1_padding),
        cmocka_unit_test(test_algorithm_identifiers),
        cmocka_unit_test(test_forms_of_private_keys),
        cmocka_unit_test(test_identifiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
