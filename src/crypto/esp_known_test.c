/*
 * The packet path: known answers of the RFCs, through OpenSSL and ipsec-mb. RFC 3602, 2451, 2410;
 * 2202, 4868, 3566 and 4494 as packets of the NULL cipher; 8439, 7634; AES-GCM with each length of
 * ICV. Other modes: esp_modes_test.c.
 */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/esp_fixture.h"
#include "crypto/known_packet.h"
#include "vectors/crypto/aead.h"
#include "vectors/crypto/cbc.h"
#include "vectors/crypto/gcm.h"
#include "vectors/crypto/mac.h"

static void aead_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(aead_packets); i++)
        known_packet_holds(&aead_packets[i]);
}

/* The case's text and nonce in an ESP packet. */
static void gcm_packet(size_t i, bool esn, size_t icv)
{
    char word[16], key[80], packet[400];
    const char *nonce = gcm_cases[i].nonce;
    const char *tag = esn ? gcm_cases[i].icv_12 : gcm_cases[i].icv_8;
    snprintf(word, sizeof word, "aes%sgcm%zu", gcm_cases[i].bits, icv);
    snprintf(key, sizeof key, "%s%.8s", gcm_cases[i].key, nonce); /* RFC 4106 8.1: key | salt */
    snprintf(packet, sizeof packet, "feedface%s%s%s%.*s", esn ? "feedface" : "deadbeef", nonce + 8,
             gcm_cases[i].sealed, (int)(2 * icv), tag);
    struct known_packet v = {.name = gcm_cases[i].name,
                             .encr = word,
                             .integ = "",
                             .key = key,
                             .integ_key = "",
                             .esn = esn,
                             .seq_hi = 0xdeadbeef,
                             .packet = packet,
                             .text = gcm_cases[i].text};
    known_packet_holds(&v);
}

/* RFC 4106 6: ICVs of 8, 12 and 16 octets */
static void gcm_specification(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(gcm_cases); i++)
        for (size_t icv = 8; icv <= 16; icv += 4) {
            gcm_packet(i, false, icv);
            gcm_packet(i, true, icv);
        }
}

/* --- MACs: the data as SPI, sequence number and text of a packet of the NULL cipher --- */

static bool fits_a_packet(size_t i)
{
    const struct alg *integ = alg_word(mac_cases[i].hash);
    return strlen(mac_cases[i].data) >= 16 && strlen(mac_cases[i].key) == 2u * integ->key_len &&
           strlen(mac_cases[i].out) >= 2u * integ->icv_len;
}

static void mac_as_icv(void **state)
{
    (void)state;
    size_t fitting = 0;
    for (size_t i = 0; i < COUNT(mac_cases); i++) {
        char packet[2100];
        if (!fits_a_packet(i))
            continue;
        snprintf(packet, sizeof packet, "%s%.*s", mac_cases[i].data,
                 2 * alg_word(mac_cases[i].hash)->icv_len, mac_cases[i].out);
        struct known_packet v = {.name = mac_cases[i].name,
                                 .encr = "null",
                                 .integ = mac_cases[i].hash,
                                 .key = "",
                                 .integ_key = mac_cases[i].key,
                                 .packet = packet,
                                 .text = mac_cases[i].data + 16};
        known_packet_holds(&v);
        fitting++;
    }
    /* RFC 2202 1, 3, 5 and 5 truncated, twice; RFC 4868: 12; XCBC: 6, CMAC: 4 */
    assert_int_equal(fitting, 30);
}

/* RFC 2410 2.5; the first, printed as 15 digits, is said to have 8 octets. */
static void null_is_the_identity(void **state)
{
    (void)state;
    static const char *const cases[] = {"\x01\x23\x45\x67\x89\xab\xcd\xef",
                                        "Network Security People Have A Strange Sense Of Humor"};
    struct suite s = {alg_word("null"), alg_word("sha1")};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct key_pair k = random_key_pair(&s);
        size_t n = strlen(cases[i]);
        for (size_t impl = 0; impl < 3; impl++) {
            uint8_t p[128] = {0};
            struct cr_op op = {.key = k.of[impl], .p = p, .text_len = (uint32_t)n};
            memcpy(p + 8, cases[i], n);
            assert_true(cr_seal(ctx[impl], &op, 1));
            assert_memory_equal(p + 8, cases[i], n);
            cr_open(ctx[impl], &op, 1);
            assert_int_equal(op.status, 0);
            assert_memory_equal(p + 8, cases[i], n);
        }
        key_pair_free(&k);
    }
}

/* --- CBC --- */

static const uint8_t hmac_key[32] = "cbc cases come without integrity";

struct cbc {
    struct suite s;
    uint8_t key[32], iv[16], p[256], text[128];
    size_t n, icv_at;
};

/* The case as the packet it is in the RFC, with an ICV of our own. */
static void cbc_case(size_t i, struct cbc *c)
{
    uint8_t mac[32];
    memset(c, 0, sizeof *c);
    c->s = (struct suite){alg_word(cbc_cases[i].encr), alg_word("sha256")};
    unhex(cbc_cases[i].key, c->key, sizeof c->key);
    size_t iv = unhex(cbc_cases[i].iv, c->iv, sizeof c->iv).n;
    assert_int_equal(iv, c->s.encr->iv_len);
    unhex(cbc_cases[i].spi_seq, c->p, 8);
    memcpy(c->p + 8, c->iv, iv);
    c->n = unhex(cbc_cases[i].sealed, c->p + 8 + iv, 128).n;
    assert_int_equal(unhex(cbc_cases[i].text, c->text, sizeof c->text).n, c->n);
    c->icv_at = 8 + iv + c->n;
    struct bytes all = bytes_of(c->p, c->icv_at);
    assert_int_equal(cr_prf(alg_word("prfsha256"), bytes_of(hmac_key, 32), &all, 1, mac), 0);
    memcpy(c->p + c->icv_at, mac, 16);
}

static void cbc_opens(const struct cbc *c, struct cr_op op, struct cr_esp_ctx *worker)
{
    uint8_t p[256];
    op.p = p;
    memcpy(p, c->p, sizeof p);
    cr_open(worker, &op, 1);
    assert_int_equal(op.status, 0);
    assert_memory_equal(p + 8 + c->s.encr->iv_len, c->text, c->n);
}

/*
 * The IV of a packet is the implementation's own (RFC 3602 3), but the same for the same key and
 * seed. So it is learnt first; then the first block takes the difference to the IV of the case, the
 * cipher gets the case's first input, and all it gives is the case's.
 */
static void cbc_seals(const struct cbc *c, struct cr_op op, struct cr_esp_ctx *worker)
{
    uint8_t p[256] = {0}, own_iv[16];
    size_t iv = c->s.encr->iv_len;
    op.p = p;
    op.iv_seed = 1;
    assert_true(cr_seal(worker, &op, 1));
    memcpy(own_iv, p + 8, iv);
    memcpy(p, c->p, 8);
    memcpy(p + 8 + iv, c->text, c->n);
    for (size_t i = 0; i < iv; i++)
        p[8 + iv + i] ^= own_iv[i] ^ c->iv[i];
    assert_true(cr_seal(worker, &op, 1));
    assert_memory_equal(p + 8, own_iv, iv);
    assert_memory_equal(p + 8 + iv, c->p + 8 + iv, c->n);
}

static void cbc_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cbc_cases); i++) {
        struct cbc c;
        cbc_case(i, &c);
        struct key_pair k = key_pair(&c.s, c.key, hmac_key);
        for (size_t impl = 0; impl < 3; impl++) {
            struct cr_op op = {.key = k.of[impl], .text_len = (uint32_t)c.n};
            cbc_opens(&c, op, ctx[impl]);
            cbc_seals(&c, op, ctx[impl]);
        }
        key_pair_free(&k);
    }
}

/* Messages of IKE are given their IV: the packet comes out as it is printed. */
static void cbc_examples_by_sk(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cbc_cases); i++) {
        struct cbc c;
        struct cr_sk *sk;
        uint8_t p[256] = {0};
        cbc_case(i, &c);
        size_t text_at = 8u + c.s.encr->iv_len;
        assert_int_equal(cr_sk_new(c.s.encr, c.s.integ, bytes_of(c.key, c.s.encr->key_len),
                                   bytes_of(hmac_key, 32), &sk),
                         0);
        memcpy(p, c.p, text_at);
        memcpy(p + text_at, c.text, c.n);
        assert_int_equal(cr_sk_seal(sk, p, 8, c.n), 0);
        assert_memory_equal(p, c.p, sizeof p);
        assert_int_equal(cr_sk_open(sk, p, 8, c.n), 0);
        assert_memory_equal(p + text_at, c.text, c.n);
        cr_sk_free(sk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aead_examples), cmocka_unit_test(gcm_specification),
        cmocka_unit_test(mac_as_icv),    cmocka_unit_test(null_is_the_identity),
        cmocka_unit_test(cbc_examples),  cmocka_unit_test(cbc_examples_by_sk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
