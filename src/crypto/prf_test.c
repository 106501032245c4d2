/* prf, prf+ and SHA-1: RFC 4231, RFC 2202, and key derivations of strongSwan. */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "vectors/crypto/ike.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    const char *name, *prf, *key, *data, *out;
} hmacs[] = {
    {"RFC 2202 2 case 1", "prfmd5", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "9294727a3638bb1c13f48ef8158bfc9d"},
    {"RFC 2202 2 case 2", "prfmd5", "4a656665",
     "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "750c783e6ab0b503eaa86e310a5db738"},
    {"RFC 2202 3 case 1", "prfsha1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b617318655057264e28bc0b6fb378c8ef146be00"},
    {"RFC 2202 3 case 2", "prfsha1", "4a656665",
     "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {"RFC 4231 4.2", "prfsha256", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"RFC 4231 4.2", "prfsha384", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9"
     "c"
     "b6"},
    {"RFC 4231 4.2", "prfsha512", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f"
     "4"
     "e4be9d914eeb61f1702e696c203a126854"},
    {"RFC 4231 4.3", "prfsha256", "4a656665",
     "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"RFC 4231 4.3", "prfsha384", "4a656665",
     "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21"
     "6"
     "49"},
    {"RFC 4231 4.3", "prfsha512", "4a656665",
     "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e"
     "6"
     "fdcaeab1a34d4a6b4b636e070a38bce737"},
};

static void hmac_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hmacs); i++) {
        uint8_t k[64], d[64], want[64], got[64];
        const struct alg *prf = alg_word(hmacs[i].prf);
        struct bytes key = unhex(hmacs[i].key, k, sizeof k), w = unhex(hmacs[i].out, want, 64);
        struct bytes data = unhex(hmacs[i].data, d, sizeof d);
        struct bytes parts[] = {{data.p, 3}, {NULL, 0}, {data.p + 3, data.n - 3}};
        assert_int_equal(w.n, prf->out_len);
        assert_int_equal(cr_prf(prf, key, parts, 3, got), 0);
        assert_memory_equal(got, want, w.n);
    }
}

/* RFC 4231 4.7: a key longer than the block */
static void long_key(void **state)
{
    (void)state;
    uint8_t key[131], want[32], got[32];
    static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    struct bytes part = bytes_of(data, sizeof data - 1);
    memset(key, 0xaa, sizeof key);
    unhex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", want, 32);
    assert_int_equal(cr_prf(alg_word("prfsha256"), bytes_of(key, sizeof key), &part, 1, got), 0);
    assert_memory_equal(got, want, 32);
}

static void empty_key_is_not_the_last_key(void **state)
{
    (void)state;
    uint8_t want[32], got[32], other[32];
    struct bytes none = {NULL, 0};
    const struct alg *prf = alg_word("prfsha256");
    unhex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", want, 32);
    assert_int_equal(cr_prf(prf, bytes_of("key", 3), &none, 1, other), 0);
    assert_int_equal(cr_prf(prf, none, &none, 1, got), 0);
    assert_memory_equal(got, want, 32);
}

/* RFC 7296 2.14: SKEYSEED = prf(Ni | Nr, g^ir); {SK_d | ...} = prf+(SKEYSEED, Ni | Nr | SPIi |
 * SPIr) */
static void ike_keys_of_strongswan(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ike_keys); i++) {
        uint8_t ni[256], nr[256], spis[16], z[1024], want[512], got[512], seed[64], nonces[512];
        const struct alg *prf = alg_word(ike_keys[i].prf);
        struct bytes parts[] = {unhex(ike_keys[i].ni, ni, sizeof ni),
                                unhex(ike_keys[i].nr, nr, sizeof nr),
                                unhex(ike_keys[i].spis, spis, sizeof spis)};
        struct bytes shared = unhex(ike_keys[i].shared, z, sizeof z);
        memcpy(nonces, ni, parts[0].n);
        memcpy(nonces + parts[0].n, nr, parts[1].n);
        assert_int_equal(cr_prf(prf, bytes_of(nonces, parts[0].n + parts[1].n), &shared, 1, seed),
                         0);
        assert_true(
            bytes_eq(unhex(ike_keys[i].skeyseed, want, sizeof want), bytes_of(seed, prf->out_len)));
        struct bytes w = unhex(ike_keys[i].keys, want, sizeof want);
        assert_int_equal(cr_prf_plus(prf, bytes_of(seed, prf->out_len), parts, 3, got, w.n), 0);
        assert_memory_equal(got, want, w.n);
    }
}

/* RFC 7296 2.13 written out: T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), ... */
static void prf_plus_is_its_definition(void **state)
{
    (void)state;
    static uint8_t want[256 * CR_HASH_MAX], got[256 * CR_HASH_MAX];
    struct bytes key = bytes_of("a key", 5), seed = bytes_of("a seed", 6);
    for (size_t a = 0; a < alg_count; a++) {
        const struct alg *prf = &alg_table[a];
        if (prf->type != T_PRF)
            continue;
        size_t out = prf->out_len;
        for (uint8_t n = 1; n; n++) {
            size_t skip = n == 1;
            struct bytes parts[] = {{skip ? NULL : want + (n - 2u) * out, out}, seed, {&n, 1}};
            assert_int_equal(cr_prf(prf, key, parts + skip, 3 - skip, want + (size_t)(n - 1) * out),
                             0);
        }
        const size_t lens[] = {0, 1, out - 1, out, out + 1, 3 * out + 7, 255 * out};
        for (size_t i = 0; i < COUNT(lens); i++) {
            memset(got, 0, sizeof got);
            assert_int_equal(cr_prf_plus(prf, key, &seed, 1, got, lens[i]), 0);
            assert_memory_equal(got, want, lens[i]);
            assert_int_equal(got[lens[i]], 0);
        }
        assert_int_equal(cr_prf_plus(prf, key, &seed, 1, got, 255 * out + 1), E_USAGE);
    }
}

static void sha1_of_abc(void **state)
{
    (void)state;
    uint8_t want[20], got[20];
    unhex("a9993e364706816aba3e25717850c26c9cd0d89d", want, 20);
    assert_int_equal(cr_sha1(bytes_of("abc", 3), got), 0);
    assert_memory_equal(got, want, 20);
}

static void only_prfs_are_prfs(void **state)
{
    (void)state;
    uint8_t out[64];
    struct bytes none = {NULL, 0};
    assert_int_equal(cr_prf(alg_word("sha256"), none, &none, 1, out), E_NOTSUP);
    assert_int_equal(cr_prf(NULL, none, &none, 1, out), E_NOTSUP);
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
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_examples),
        cmocka_unit_test(long_key),
        cmocka_unit_test(empty_key_is_not_the_last_key),
        cmocka_unit_test(ike_keys_of_strongswan),
        cmocka_unit_test(prf_plus_is_its_definition),
        cmocka_unit_test(sha1_of_abc),
        cmocka_unit_test(only_prfs_are_prfs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
