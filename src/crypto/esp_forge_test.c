/*
 * The packet path: what must be refused, and what must not be guessed.
 */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/esp_fixture.h"

static void flip_every_bit(const struct suite *s, size_t impl, bool esn)
{
    enum { TEXT = 32, BATCH = 64 };
    struct key_pair k = random_key_pair(s);
    struct packet sent = packet_new(s, TEXT);
    struct cr_op op = {.key = k.of[impl], .p = sent.p, .text_len = TEXT, .esn = esn, .seq_hi = 9};
    cr_seal(ctx[impl], &op, 1);
    assert_int_equal(op.status, 0);
    for (size_t first = 0; first < 8 * (size_t)sent.len; first += BATCH) {
        uint8_t copies[BATCH][256];
        struct cr_op ops[BATCH];
        for (size_t i = 0; i < BATCH; i++) {
            memcpy(copies[i], sent.p, sent.len);
            copies[i][(first + i) / 8] ^= (uint8_t)(1u << i % 8);
            ops[i] = op;
            ops[i].p = copies[i];
        }
        cr_open(ctx[impl], ops, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            assert_int_equal(ops[i].status, first + i < 8 * (size_t)sent.len ? R_DP_ICV : 0);
    }
    packet_free(&sent);
    key_pair_free(&k);
}

static void one_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < suite_count; i++)
        for (size_t impl = 0; impl < 2; impl++) {
            flip_every_bit(&suites[i], impl, false);
            flip_every_bit(&suites[i], impl, true);
        }
}

/* RFC 4303 2.2.1: the high half is not sent, but checked. A refused packet keeps its bytes where
 * the MAC is checked first. */
static void wrong_high_half_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < suite_count; i++)
        for (size_t impl = 0; impl < 2; impl++) {
            struct key_pair k = random_key_pair(&suites[i]);
            struct packet sent = packet_new(&suites[i], 48);
            struct cr_op op = {.key = k.of[impl], .p = sent.p, .text_len = 48, .esn = true};
            op.seq_hi = 5;
            uint8_t copy[256];
            cr_seal(ctx[impl], &op, 1);
            memcpy(copy, sent.p, sent.len);
            const struct {
                bool esn;
                uint32_t hi;
                err_t want;
            } cases[] = {{true, 4, R_DP_ICV},
                         {true, 6, R_DP_ICV},
                         {false, 5, R_DP_ICV},
                         {true, 5 << 24, R_DP_ICV},
                         {true, 5, 0}};
            for (size_t c = 0; c < COUNT(cases); c++) {
                memcpy(sent.p, copy, sent.len);
                op.esn = cases[c].esn;
                op.seq_hi = cases[c].hi;
                cr_open(ctx[impl], &op, 1);
                assert_int_equal(op.status, cases[c].want);
                assert_memory_equal(sent.p + sent.len - icv_len(&suites[i]),
                                    copy + sent.len - icv_len(&suites[i]), icv_len(&suites[i]));
            }
            guards_hold(&sent);
            packet_free(&sent);
            key_pair_free(&k);
        }
}

static void broken_blocks_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < suite_count; i++) {
        if (suites[i].encr->block == 1)
            continue;
        struct key_pair k = random_key_pair(&suites[i]);
        for (size_t impl = 0; impl < 2; impl++)
            for (uint32_t len = 0; len < 2u * suites[i].encr->block; len++) {
                uint8_t p[128] = {0};
                struct cr_op op = {.key = k.of[impl], .p = p, .text_len = len};
                if (len && len % suites[i].encr->block == 0)
                    continue;
                cr_open(ctx[impl], &op, 1);
                assert_int_equal(op.status, R_LENGTH);
                cr_seal(ctx[impl], &op, 1);
                assert_int_equal(op.status, E_USAGE);
            }
        key_pair_free(&k);
    }
}

/* RFC 3602 3: unpredictable, so neither the seed nor the same for another SA with the same key. */
static void cbc_ivs_are_unpredictable(void **state)
{
    (void)state;
    static const char *const words[] = {"aes128", "3des"};
    uint8_t key[36] = {0}, integ_key[32] = {0};
    for (size_t w = 0; w < COUNT(words); w++)
        for (size_t impl = 0; impl < 2; impl++) {
            struct suite s = {alg_word(words[w]), alg_word("sha256")};
            struct key_pair k[2] = {key_pair(&s, key, integ_key), key_pair(&s, key, integ_key)};
            uint8_t p[4][128] = {0};
            struct cr_op ops[4];
            for (size_t i = 0; i < 4; i++)
                ops[i] = (struct cr_op){
                    .key = k[i / 2].of[impl], .p = p[i], .text_len = 16, .iv_seed = i % 2};
            cr_seal(ctx[impl], ops, 4);
            for (size_t a = 0; a < 4; a++)
                for (size_t b = 0; b < a; b++)
                    assert_memory_not_equal(p[a] + 8, p[b] + 8, s.encr->iv_len);
            key_pair_free(&k[0]);
            key_pair_free(&k[1]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_flipped_bit_is_refused),
        cmocka_unit_test(wrong_high_half_is_refused),
        cmocka_unit_test(broken_blocks_are_refused),
        cmocka_unit_test(cbc_ivs_are_unpredictable),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
