/* The table of algorithms: shape of every row, words, aliases, IKEv1 numbers. */
#include "model/alg.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_row_is_found_by_its_numbers_and_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < alg_count; i++) {
        const struct alg *a = &alg_table[i];
        assert_ptr_equal(alg_find(a->type, a->id, a->key_bits), a);
        const struct alg *named = alg_by_name(a->name, strlen(a->name));
        assert_ptr_equal(a->ah_only ? alg_for_ah(named) : named, a);
        assert_non_null(a->iana);
    }
}

static void rows_have_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < alg_count; i++) {
        const struct alg *a = &alg_table[i];
        switch (a->type) {
        case T_ENCR:
            assert_true(a->block >= 1);
            assert_int_equal(a->aead, a->icv_len > 0);
            assert_int_equal(a->aead || a->mode == MODE_CTR, a->salt_len > 0);
            assert_int_equal(a->block > 1, a->mode == MODE_CBC);
            assert_true(a->mode != MODE_CBC || a->iv_len == a->block);
            assert_true(a->key_bits == 0 || a->key_bits == a->key_len * 8);
            break;
        case T_INTEG:
            /* RFC 4868 2.1: the key is as long as the hash, the ICV half of it (96 for the old);
             * RFC 4543 4: AH's has an IV in it */
            assert_true(a->key_len > 0 && a->icv_len > 0);
            assert_true(a->ah_only ? a->icv_len == 24 : a->icv_len < a->key_len);
            break;
        case T_PRF:
            assert_true(a->out_len > 0 && a->key_len == a->out_len);
            break;
        case T_KE:
            assert_true(a->pub_len > 0);
            break;
        case T_ESN:
            break;
        }
    }
}

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum transform_type type;
        uint16_t id, key_bits;
    } cases[] = {
        {"aes", T_ENCR, ENCR_AES_CBC, 128},
        {"AES256", T_ENCR, ENCR_AES_CBC, 256},
        {"aes192-cbc", T_ENCR, ENCR_AES_CBC, 192},
        {"aes128gcm", T_ENCR, ENCR_AES_GCM_16, 128},
        {"aes128gcm128", T_ENCR, ENCR_AES_GCM_16, 128},
        {"aes256gcm96", T_ENCR, ENCR_AES_GCM_12, 256},
        {"aes192gcm64", T_ENCR, ENCR_AES_GCM_8, 192},
        {"chacha20poly1305", T_ENCR, ENCR_CHACHA20_POLY1305, 0},
        {"3des", T_ENCR, ENCR_3DES, 0},
        {"null", T_ENCR, ENCR_NULL, 0},
        {"des", T_ENCR, ENCR_DES, 0},
        {"blowfish", T_ENCR, ENCR_BLOWFISH, 128},
        {"blowfish256", T_ENCR, ENCR_BLOWFISH, 256},
        {"cast128", T_ENCR, ENCR_CAST, 128},
        {"rc5", T_ENCR, ENCR_RC5, 128},
        {"camellia192", T_ENCR, ENCR_CAMELLIA_CBC, 192},
        {"camellia256ctr", T_ENCR, ENCR_CAMELLIA_CTR, 256},
        {"camellia128ccm96", T_ENCR, ENCR_CAMELLIA_CCM_12, 128},
        {"aes128ctr", T_ENCR, ENCR_AES_CTR, 128},
        {"aes256ccm64", T_ENCR, ENCR_AES_CCM_8, 256},
        {"aes192ccm", T_ENCR, ENCR_AES_CCM_16, 192},
        {"aes256gmac", T_ENCR, ENCR_AES_GMAC, 256},
        {"sha256_96", T_INTEG, AUTH_HMAC_SHA2_256_96, 0},
        {"aesxcbc", T_INTEG, AUTH_AES_XCBC_96, 0},
        {"prfaescmac", T_PRF, PRF_AES128_CMAC, 0},
        {"modp1024s160", T_KE, KE_MODP_1024_160, 0},
        {"ecp512bp", T_KE, KE_ECP_512_BP, 0},
        {"sha", T_INTEG, AUTH_HMAC_SHA1_96, 0},
        {"sha2_256", T_INTEG, AUTH_HMAC_SHA2_256_128, 0},
        {"md5", T_INTEG, AUTH_HMAC_MD5_96, 0},
        {"PrfSha384", T_PRF, PRF_HMAC_SHA2_384, 0},
        {"modp2048s256", T_KE, KE_MODP_2048_256, 0},
        {"curve25519", T_KE, KE_CURVE25519, 0},
        {"curve448", T_KE, KE_CURVE448, 0},
        {"ecp521", T_KE, KE_ECP_521, 0},
        {"esn", T_ESN, ESN_YES, 0},
        {"noesn", T_ESN, ESN_NO, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct alg *a = alg_by_name(cases[i].word, strlen(cases[i].word));
        assert_non_null(a);
        assert_int_equal(a->type, cases[i].type);
        assert_int_equal(a->id, cases[i].id);
        assert_int_equal(a->key_bits, cases[i].key_bits);
    }
}

static void unknown_words_and_numbers_are_not_found(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "aes1", "aes1280", "sha25", "modp", "rot13", "prf"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_null(alg_by_name(bad[i], strlen(bad[i])));
    assert_null(alg_by_name("aes128", 5));
    assert_null(alg_find(T_ENCR, ENCR_AES_CBC, 0)); /* RFC 7296 3.3.5: the attribute is needed */
    assert_null(alg_find(T_ENCR, ENCR_3DES, 192));  /* and must not be there for others */
    assert_null(alg_find(T_ENCR, ENCR_AES_CBC, 129));
    assert_null(alg_find(T_KE, 33, 0));
}

static void prf_of_integ(void **state)
{
    (void)state;
    for (size_t i = 0; i < alg_count; i++) {
        const struct alg *a = &alg_table[i], *p;
        if (a->type != T_INTEG || a->ah_only || a->id == AUTH_HMAC_SHA2_256_96)
            continue; /* the draft's number of HMAC-SHA-256-96 is not RFC 2409's */
        p = alg_prf_of_integ(a->id);
        assert_non_null(p);
        assert_int_equal(p->out_len, a->key_len);
        assert_int_equal(p->v1_ike, a->v1_ike); /* RFC 2409 appendix A: one hash number */
    }
    assert_null(alg_prf_of_integ(AUTH_NONE));
}

static void v1_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t ike, esp, ah;
    } cases[] = {
        {"3des", 5, 3, 0},
        {"aes256", 7, 12, 0},
        {"aes128gcm16", 0, 20, 0},
        {"null", 0, 11, 0},
        {"md5", 1, 1, 2},
        {"sha1", 2, 2, 3},
        {"sha256", 4, 5, 5},
        {"sha384", 5, 6, 6},
        {"sha512", 6, 7, 7},
        {"modp1536", 5, 5, 0},
        {"chacha20poly1305", 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct alg *a = alg_by_name(cases[i].name, strlen(cases[i].name));
        assert_int_equal(a->v1_ike, cases[i].ike);
        assert_int_equal(a->v1_esp, cases[i].esp);
        assert_int_equal(a->v1_ah, cases[i].ah);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_numbers_and_its_name),
        cmocka_unit_test(rows_have_sizes),
        cmocka_unit_test(words),
        cmocka_unit_test(unknown_words_and_numbers_are_not_found),
        cmocka_unit_test(prf_of_integ),
        cmocka_unit_test(v1_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
