/*
 * The packet path: packets of the Linux kernel, OpenSSL against ipsec-mb over all suites, lengths
 * and batches. Forgeries are in esp_forge_test.c, examples of the RFCs in esp_known_test.c.
 */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/esp_fixture.h"
#include "crypto/known_packet.h"
#include "vectors/crypto/esp.h"

/* --- known answers --- */

static void packets_of_the_linux_kernel(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(esp_packets); i++)
        known_packet_holds(&esp_packets[i]);
}

/* RFC 4106 6: shorter ICVs are the first octets of the long one. */
static void short_gcm_icvs_are_prefixes(void **state)
{
    (void)state;
    static const char *const words[] = {"aes128gcm16", "aes128gcm12", "aes128gcm8"};
    uint8_t key[36] = {1, 2, 3}, p[3][128];
    for (size_t impl = 0; impl < 3; impl++) {
        for (size_t i = 0; i < 3; i++) {
            struct suite s = {alg_word(words[i]), NULL};
            struct key_pair k = key_pair(&s, key, NULL);
            struct cr_op op = {.key = k.of[impl], .p = p[i], .text_len = 64, .iv_seed = 7};
            memset(p[i], FILL, sizeof p[i]);
            cr_seal(ctx[impl], &op, 1);
            assert_int_equal(op.status, 0);
            assert_memory_equal(p[i], p[0], packet_len(&s, 64));
            assert_int_equal(p[i][packet_len(&s, 64)], FILL);
            key_pair_free(&k);
        }
    }
}

/* --- OpenSSL against ipsec-mb --- */

/* 0..300 and some big ones, as far as the block size allows. */
static size_t lengths(const struct suite *s, uint32_t *out)
{
    static const uint32_t big[] = {576, 1024, 1424, 1440, 2048, 9008, 65472};
    size_t n = 0;
    for (uint32_t l = s->encr->block > 1 ? s->encr->block : 0; l <= 300; l += s->encr->block)
        out[n++] = l;
    for (size_t i = 0; i < COUNT(big); i++)
        if (big[i] % s->encr->block == 0)
            out[n++] = big[i];
    return n;
}

enum { LENGTHS_MAX = 320, KEYS = 3 };

struct round {
    struct packet packets[LENGTHS_MAX];
    struct cr_op ops[LENGTHS_MAX];
    size_t n;
};

static void round_make(struct round *r, const struct suite *s, bool out_of_place)
{
    uint32_t len[LENGTHS_MAX];
    r->n = lengths(s, len);
    for (size_t i = 0; i < r->n; i++) {
        r->packets[i] = packet_new(s, len[i]);
        r->ops[i] = (struct cr_op){.p = r->packets[i].p,
                                   .plain = out_of_place ? r->packets[i].plain : NULL,
                                   .text_len = len[i],
                                   .esn = i % 2,
                                   .seq_hi = (uint32_t)(i * 0x01010101u),
                                   .iv_seed = 0x100000000u + i};
    }
}

static void round_keys(struct round *r, const struct key_pair *keys, size_t impl)
{
    for (size_t i = 0; i < r->n; i++) {
        r->ops[i].key = keys[i % KEYS].of[impl];
        r->ops[i].status = E_AGAIN;
    }
}

static void round_check(const struct round *r, const struct suite *s, bool out_of_place)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct packet *k = &r->packets[i];
        assert_int_equal(r->ops[i].status, 0);
        guards_hold(k);
        assert_memory_equal(out_of_place ? k->out : k->p + 8 + s->encr->iv_len, k->plain,
                            r->ops[i].text_len);
    }
}

static void across(const struct suite *s, size_t sealer, size_t opener, bool out_of_place)
{
    static struct round r;
    struct key_pair keys[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = random_key_pair(s);
    round_make(&r, s, out_of_place);
    round_keys(&r, keys, sealer);
    cr_seal(ctx[sealer], r.ops, r.n);
    for (size_t i = 0; i < r.n; i++) {
        assert_int_equal(r.ops[i].status, 0);
        if (out_of_place)
            r.ops[i].plain = r.packets[i].out;
    }
    round_keys(&r, keys, opener);
    cr_open(ctx[opener], r.ops, r.n);
    round_check(&r, s, out_of_place);
    for (size_t i = 0; i < r.n; i++)
        packet_free(&r.packets[i]);
    for (size_t i = 0; i < KEYS; i++)
        key_pair_free(&keys[i]);
}

static void every_suite_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < suite_count; i++)
        for (size_t oop = 0; oop < 2; oop++) {
            across(&suites[i], 0, 1, oop);
            across(&suites[i], 1, 0, oop);
        }
}

/* All suites and both implementations in one batch, in random order, some of it forged. */
static void mixed_batches(void **state)
{
    (void)state;
    enum { N = 200 };
    struct key_pair keys[192];
    for (size_t i = 0; i < suite_count; i++)
        keys[i] = random_key_pair(&suites[i]);
    for (unsigned round = 0; round < 20; round++) {
        struct packet packets[N];
        struct cr_op ops[N];
        uint8_t choice[N][4];
        cr_random(choice, sizeof choice);
        for (size_t i = 0; i < N; i++) {
            size_t which = choice[i][0] % suite_count;
            uint32_t len = (1u + choice[i][1] % 20) * 16;
            packets[i] = packet_new(&suites[which], len);
            ops[i] = (struct cr_op){.key = keys[which].of[choice[i][2] % 2 * 2],
                                    .p = packets[i].p,
                                    .text_len = len,
                                    .esn = choice[i][3] & 1,
                                    .seq_hi = choice[i][3],
                                    .iv_seed = i};
        }
        size_t n = 1 + choice[0][0] % N;
        cr_seal(ctx[2], ops, n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(ops[i].status, 0);
            packets[i].p[packets[i].len - 1] ^= (uint8_t)(choice[i][3] & 2);
        }
        cr_open(ctx[2], ops, n);
        for (size_t i = 0; i < N; i++) {
            if (i < n && choice[i][3] & 2)
                assert_int_equal(ops[i].status, R_DP_ICV);
            else if (i < n)
                assert_memory_equal(packets[i].p + packets[i].len -
                                        icv_len(&suites[choice[i][0] % suite_count]) -
                                        ops[i].text_len,
                                    packets[i].plain, ops[i].text_len);
            guards_hold(&packets[i]);
            packet_free(&packets[i]);
        }
    }
    for (size_t i = 0; i < suite_count; i++)
        key_pair_free(&keys[i]);
}

static void what_is_supported(void **state)
{
    (void)state;
    const struct alg *gcm = alg_word("aes128gcm16"), *cbc = alg_word("aes128");
    const struct alg *sha = alg_word("sha256");
    struct cr_esp *e;
    uint8_t key[64] = {0};
    assert_null(cr_note()); /* ipsec-mb is right about everything here */
    assert_true(cr_esp_supported(CR_IMB, gcm, NULL));
    assert_true(cr_esp_supported(CR_AUTO, cbc, sha));
    assert_true(cr_esp_supported(CR_AUTO, cbc, NULL)); /* within AH */
    assert_false(cr_esp_supported(CR_AUTO, alg_word("null"), NULL));
    assert_false(cr_esp_supported(CR_AUTO, gcm, sha));
    assert_false(cr_esp_supported(CR_OSSL, sha, sha));
    assert_false(cr_esp_supported(CR_OSSL, NULL, sha));
    assert_string_equal(cr_esp_impl_name(CR_AUTO, gcm, NULL), "ipsec-mb");
    assert_string_equal(cr_esp_impl_name(CR_OSSL, gcm, NULL), "openssl");
    assert_string_equal(cr_esp_impl_name(CR_AUTO, gcm, sha), "none");
    assert_int_equal(cr_esp_new(CR_AUTO, gcm, NULL, bytes_of(key, 16), bytes_of(NULL, 0), &e),
                     E_USAGE);
    assert_int_equal(cr_esp_new(CR_AUTO, cbc, sha, bytes_of(key, 16), bytes_of(key, 20), &e),
                     E_USAGE);
    assert_int_equal(
        cr_esp_new(CR_AUTO, alg_word("null"), NULL, bytes_of(NULL, 0), bytes_of(NULL, 0), &e),
        E_NOTSUP);
}

static void one_in_slices(const struct suite *s, const struct key_pair *key, size_t impl,
                          uint32_t head, uint32_t body)
{
    static uint64_t seed;
    uint32_t block = s->encr->block > 4 ? s->encr->block : 4;
    uint32_t n = (head + body + 2 + block - 1) / block * block;
    struct packet k = packet_new(s, n);
    uint8_t *text = k.p + 8 + s->encr->iv_len;
    cr_random(text + head, body); /* nothing of it may get into the packet */
    struct cr_op op = {.key = key->of[impl],
                       .p = k.p,
                       .text_len = n,
                       .iv_seed = ++seed,
                       .body = k.plain + head,
                       .body_at = head,
                       .body_len = body};
    assert_true(cr_seal(ctx[impl], &op, 1));
    guards_hold(&k);
    cr_open(ctx[impl], &op, 1);
    assert_int_equal(op.status, 0);
    assert_memory_equal(text, k.plain, n);
    packet_free(&k);
}

/* A text of head, body elsewhere and trailer, by every suite and implementation. */
static void slices(void **state)
{
    (void)state;
    static const uint32_t heads[] = {0, 20, 40, 52, 64, 72, 100, 127, 128, 129, 200};
    static const uint32_t bodies[] = {1,   16,  100,  200,  260,  300, 480,
                                      500, 760, 1023, 1360, 4100, 9000};
    for (size_t i = 0; i < suite_count * 3; i++) {
        const struct suite *s = &suites[i / 3];
        struct key_pair key = random_key_pair(s);
        for (size_t h = 0; h < COUNT(heads); h++)
            for (size_t b = 0; b < COUNT(bodies); b++)
                one_in_slices(s, &key, i % 3, heads[h], bodies[b]);
        key_pair_free(&key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_the_linux_kernel),
        cmocka_unit_test(short_gcm_icvs_are_prefixes),
        cmocka_unit_test(every_suite_agrees),
        cmocka_unit_test(mixed_batches),
        cmocka_unit_test(slices),
        cmocka_unit_test(what_is_supported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
