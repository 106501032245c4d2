/* prf, prf+ and SHA-1: RFC 2202, 4231, 4868, 3566, 4434, 4494, 4615, and key derivations of
 * strongSwan. */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "vectors/crypto/mac.h"
#include "vectors/crypto/ike.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void mac_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mac_cases); i++) {
        uint8_t k[160], d[1000], want[64], got[64];
        const struct alg *prf = alg_prf_of_integ(alg_word(mac_cases[i].hash)->id);
        struct bytes key = unhex(mac_cases[i].key, k, sizeof k);
        struct bytes data = unhex(mac_cases[i].data, d, sizeof d);
        struct bytes w = unhex(mac_cases[i].out, want, sizeof want);
        size_t first = data.n < 3 ? data.n : 3;
        struct bytes parts[] = {{data.p, first}, {NULL, 0}, {data.p + first, data.n - first}};
        assert_true(w.n <= prf->out_len);
        assert_int_equal(cr_prf(prf, key, parts, 3, got), 0);
        assert_memory_equal(got, want, w.n);
    }
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
        /* the counter is one octet: nothing beyond 255 blocks, and nothing written */
        const size_t beyond[] = {255 * out + 1, 256 * out, 256 * out + 1, 1 << 20, SIZE_MAX};
        for (size_t i = 0; i < COUNT(beyond); i++) {
            memset(got, 0xa5, sizeof got);
            assert_int_equal(cr_prf_plus(prf, key, &seed, 1, got, beyond[i]), E_USAGE);
            assert_int_equal(got[0], 0xa5);
        }
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
        cmocka_unit_test(mac_examples),
        cmocka_unit_test(empty_key_is_not_the_last_key),
        cmocka_unit_test(ike_keys_of_strongswan),
        cmocka_unit_test(prf_plus_is_its_definition),
        cmocka_unit_test(sha1_of_abc),
        cmocka_unit_test(only_prfs_are_prfs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
