/* OpenSSL's providers: the legacy one is loaded for Blowfish and CAST only. And our CMAC against
 * OpenSSL's. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool loaded(const char *provider)
{
    return OSSL_PROVIDER_available(NULL, provider) == 1;
}

static bool legacy_row(const struct alg *a)
{
    return a->type == T_ENCR && (a->id == ENCR_BLOWFISH || a->id == ENCR_CAST);
}

static void legacy_provider_waits_for_its_ciphers(void **state)
{
    (void)state;
    const struct alg *sha = alg_word("sha256");
    assert_false(loaded("legacy"));
    for (size_t i = 0; i < alg_count; i++) {
        const struct alg *a = &alg_table[i];
        if (!legacy_row(a)) {
            assert_true(cr_has(a));
            cr_esp_supported(CR_AUTO, a, a->aead ? NULL : sha);
        }
    }
    assert_false(loaded("legacy"));
    assert_true(cr_has(alg_word("blowfish256")));
    assert_true(cr_has(alg_word("cast128")));
    assert_true(loaded("legacy"));
    assert_true(loaded("default"));
}

/* Of 0 to 300 bytes, in pieces of every size. */
static void cmac_is_openssls(void **state)
{
    (void)state;
    uint8_t key[16], data[300], ours[16], theirs[16];
    char cipher[] = "AES-128-CBC";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
    cr_random(data, sizeof data);
    for (size_t n = 0; n <= sizeof data; n++) {
        size_t got = 0, cut = n * 7 % (n + 1);
        struct bytes parts[] = {{data, cut}, {data + cut, n - cut}};
        cr_random(key, sizeof key);
        assert_int_equal(EVP_MAC_init(c, key, sizeof key, params), 1);
        assert_int_equal(EVP_MAC_update(c, data, n), 1);
        assert_int_equal(EVP_MAC_final(c, theirs, &got, sizeof theirs), 1);
        assert_int_equal(cr_prf(alg_word("prfaescmac"), bytes_of(key, 16), parts, 2, ours), 0);
        assert_memory_equal(ours, theirs, 16);
    }
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(mac);
}

static int setup(void **state)
{
    (void)state;
    const char *what;
    return cr_init(&what);
}

static int teardown(void **state)
{
    (void)state;
    cr_fini();
    return loaded("legacy") ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_provider_waits_for_its_ciphers),
        cmocka_unit_test(cmac_is_openssls),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
