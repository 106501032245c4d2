/*
 * The packet path: counter modes. RFC 3686 and 5528 (CTR), 4309 (CCM), 4543 (GMAC in ESP and AH),
 * 8750 (implicit IV), through OpenSSL and ipsec-mb.
 */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/esp_fixture.h"
#include "crypto/known_packet.h"
#include "vectors/crypto/ctr.h"
#include "vectors/crypto/modes.h"

static void combined_modes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mode_packets); i++)
        known_packet_holds(&mode_packets[i]);
}

static void to_hex(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* RFC 3686 6, RFC 5528 4.1: in a packet with an ICV of our own */
static void counter_mode(void **state)
{
    (void)state;
    static const char integ_key[] =
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    for (size_t i = 0; i < COUNT(ctr_cases); i++) {
        char packet[300];
        uint8_t b[150], k[32], mac[32];
        snprintf(packet, sizeof packet, "0000100100000002%s%s", ctr_cases[i].iv,
                 ctr_cases[i].sealed);
        struct bytes all = unhex(packet, b, sizeof b), key = unhex(integ_key, k, sizeof k);
        assert_int_equal(cr_prf(alg_word("prfsha256"), key, &all, 1, mac), 0);
        to_hex(mac, 16, packet + 2 * all.n);
        struct known_packet v = {.name = ctr_cases[i].name,
                                 .encr = ctr_cases[i].encr,
                                 .integ = "sha256",
                                 .key = ctr_cases[i].key,
                                 .integ_key = integ_key,
                                 .packet = packet,
                                 .text = ctr_cases[i].text};
        known_packet_holds(&v);
    }
}

static void ah_sealed_and_opened(size_t i, struct cr_op op, size_t impl)
{
    uint8_t p[200], data[120], icv[24];
    size_t n = unhex(ah_gmac[i].data, data, sizeof data).n;
    unhex(ah_gmac[i].icv, icv, sizeof icv);
    memset(p, FILL, sizeof p);
    memcpy(p, data, n);
    op.p = p;
    op.iv_seed = get_u64(icv);
    assert_true(cr_seal(ctx[impl], &op, 1));
    assert_memory_equal(p, data, n);
    assert_memory_equal(p + n, icv, sizeof icv);
    assert_int_equal(p[n + sizeof icv], FILL);
    for (size_t at = 0; at <= n + sizeof icv; at++) { /* the last time unharmed */
        p[at] ^= at < n + sizeof icv;
        cr_open(ctx[impl], &op, 1);
        assert_int_equal(op.status, at < n + sizeof icv ? R_DP_ICV : 0);
        p[at] ^= at < n + sizeof icv;
    }
}

/* RFC 4543 4: the ICV field is IV | tag */
static void gmac_of_ah(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ah_gmac); i++) {
        uint16_t id = (uint16_t)(AUTH_AES_128_GMAC + (ah_gmac[i].bits - 128) / 64);
        struct suite s = {alg_word("null"), alg_find(T_INTEG, id, 0)};
        uint8_t key[36];
        unhex(ah_gmac[i].key, key, sizeof key);
        struct key_pair k = key_pair(&s, NULL, key);
        for (size_t impl = 0; impl < 3; impl++)
            ah_sealed_and_opened(i,
                                 (struct cr_op){.key = k.of[impl],
                                                .text_len = 112,
                                                .esn = ah_gmac[i].esn,
                                                .seq_hi = ah_gmac[i].seq_hi},
                                 impl);
        key_pair_free(&k);
    }
}

/* RFC 8750 4: the packet of the explicit IV without it, when that IV is the sequence number */
static void implicit_is_explicit_without_iv(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"aes128gcm16", "aes128gcm16iiv"},
                                           {"aes256ccm8", "aes256ccm8iiv"},
                                           {"chacha20poly1305", "chacha20poly1305iiv"}};
    uint8_t key[36];
    cr_random(key, sizeof key);
    for (size_t i = 0; i < 3 * COUNT(pairs) * 2; i++) {
        size_t impl = i % 3;
        bool esn = i & 1;
        struct suite s[2] = {{alg_word(pairs[i / 6][0]), NULL}, {alg_word(pairs[i / 6][1]), NULL}};
        uint8_t p[2][128] = {{1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 7, 8}};
        for (size_t w = 0; w < 2; w++) {
            struct key_pair k = key_pair(&s[w], key, NULL);
            struct cr_op op = {.key = k.of[impl],
                               .p = p[w],
                               .text_len = 60,
                               .esn = esn,
                               .seq_hi = 0xabcdef,
                               .iv_seed = (esn ? 0xabcdefull << 32 : 0) | 0x05060708};
            assert_true(cr_seal(ctx[impl], &op, 1));
            key_pair_free(&k);
        }
        assert_memory_equal(p[0] + 16, p[1] + 8, 60 + icv_len(&s[0]));
    }
}

/* RFC 8221 6, RFC 4543 5.3: AES-GMAC as integrity is for AH alone */
static void gmac_is_no_integrity_of_esp(void **state)
{
    (void)state;
    const struct alg *gmac = alg_find(T_INTEG, AUTH_AES_128_GMAC, 0);
    assert_true(cr_esp_supported(CR_AUTO, alg_word("null"), gmac));
    assert_false(cr_esp_supported(CR_AUTO, alg_word("aes128"), gmac));
    assert_false(cr_esp_supported(CR_AUTO, alg_word("aes128gmac"), gmac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combined_modes),
        cmocka_unit_test(counter_mode),
        cmocka_unit_test(gmac_of_ah),
        cmocka_unit_test(implicit_is_explicit_without_iv),
        cmocka_unit_test(gmac_is_no_integrity_of_esp),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
