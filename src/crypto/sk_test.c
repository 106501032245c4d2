/* Protection of IKE messages: strongSwan's own messages, the example of RFC 7634, the GCM
 * specification, round trips, forgeries. */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "vectors/crypto/gcm.h"
#include "vectors/crypto/ike.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define AAD      32 /* IKE header and the generic header of SK: RFC 7296 3.14, RFC 5282 5.1 */

static size_t icv_len(const struct alg *encr, const struct alg *integ)
{
    return integ ? integ->icv_len : encr->icv_len;
}

/* Opens what strongSwan sealed, seals it again to the same bytes. */
static void messages_of_strongswan(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ike_messages); i++) {
        uint8_t key[64], integ_key[64], sent[2048], msg[2048], text[2048];
        const struct alg *encr = alg_word(ike_messages[i].encr);
        const struct alg *integ = alg_word(ike_messages[i].integ);
        struct bytes m = unhex(ike_messages[i].message, sent, sizeof sent);
        struct bytes t = unhex(ike_messages[i].text, text, sizeof text);
        struct cr_sk *sk;
        assert_int_equal(cr_sk_new(encr, integ, unhex(ike_messages[i].key, key, sizeof key),
                                   unhex(ike_messages[i].integ_key, integ_key, 64), &sk),
                         0);
        assert_int_equal(m.n, AAD + encr->iv_len + t.n + icv_len(encr, integ));
        memcpy(msg, sent, m.n);
        assert_int_equal(cr_sk_open(sk, msg, AAD, t.n), 0);
        assert_memory_equal(msg + AAD + encr->iv_len, text, t.n);
        memset(msg + AAD + encr->iv_len + t.n, 0, icv_len(encr, integ));
        assert_int_equal(cr_sk_seal(sk, msg, AAD, t.n), 0);
        assert_memory_equal(msg, sent, m.n);
        cr_sk_free(sk);
    }
}

/* Seals text to the known bytes, and opens it again. */
static void known_message(struct cr_sk *sk, struct bytes want, struct bytes text, size_t aad)
{
    uint8_t msg[512];
    size_t text_at = aad + 8;
    memset(msg, 0, sizeof msg);
    memcpy(msg, want.p, text_at);
    if (text.n)
        memcpy(msg + text_at, text.p, text.n);
    assert_int_equal(cr_sk_seal(sk, msg, aad, text.n), 0);
    assert_memory_equal(msg, want.p, want.n);
    assert_int_equal(cr_sk_open(sk, msg, aad, text.n), 0);
    if (text.n)
        assert_memory_equal(msg + text_at, text.p, text.n);
    memcpy(msg, want.p, want.n);
    msg[want.n - 1] ^= 1;
    assert_int_equal(cr_sk_open(sk, msg, aad, text.n), R_DECRYPT);
}

static void example_of_rfc7634(void **state)
{
    (void)state;
    uint8_t key[36], want[128], text[64];
    struct cr_sk *sk;
    assert_int_equal(cr_sk_new(alg_word("chacha20poly1305"), NULL,
                               unhex(rfc7634_b.key, key, sizeof key), bytes_of(NULL, 0), &sk),
                     0);
    known_message(sk, unhex(rfc7634_b.message, want, sizeof want),
                  unhex(rfc7634_b.text, text, sizeof text), AAD);
    cr_sk_free(sk);
}

/* With the cases' own associated data; RFC 5282 7.1: ICVs of 8, 12 and 16 octets */
static void gcm_case(size_t i, size_t icv)
{
    char word[16], hex[512];
    uint8_t key[36], want[256], text[64];
    struct cr_sk *sk;
    snprintf(word, sizeof word, "aes%sgcm%zu", gcm_cases[i].bits, icv);
    snprintf(hex, sizeof hex, "%s%.8s", gcm_cases[i].key, gcm_cases[i].nonce);
    assert_int_equal(
        cr_sk_new(alg_word(word), NULL, unhex(hex, key, sizeof key), bytes_of(NULL, 0), &sk), 0);
    snprintf(hex, sizeof hex, "%s%s%s%.*s", gcm_cases[i].aad, gcm_cases[i].nonce + 8,
             gcm_cases[i].sealed, (int)(2 * icv), gcm_cases[i].tag);
    known_message(sk, unhex(hex, want, sizeof want), unhex(gcm_cases[i].text, text, sizeof text),
                  strlen(gcm_cases[i].aad) / 2);
    cr_sk_free(sk);
}

static void gcm_specification(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(gcm_cases); i++)
        for (size_t icv = 8; icv <= 16; icv += 4)
            gcm_case(i, icv);
}

static struct cr_sk *random_sk(const struct alg *encr, const struct alg *integ)
{
    uint8_t key[64], integ_key[64];
    struct cr_sk *sk;
    cr_random(key, sizeof key);
    cr_random(integ_key, sizeof integ_key);
    assert_int_equal(cr_sk_new(encr, integ, bytes_of(key, (size_t)encr->key_len + encr->salt_len),
                               bytes_of(integ_key, integ ? integ->key_len : 0), &sk),
                     0);
    return sk;
}

static void one_suite(const struct alg *encr, const struct alg *integ)
{
    uint8_t msg[256], sent[256], plain[256];
    size_t text = 48, len = AAD + encr->iv_len + text + icv_len(encr, integ);
    struct cr_sk *sk = random_sk(encr, integ);
    cr_random(plain, sizeof plain);
    memcpy(sent, plain, sizeof sent);
    assert_int_equal(cr_sk_seal(sk, sent, AAD, text), 0);
    assert_memory_equal(sent, plain, AAD + encr->iv_len);    /* header and IV stay */
    assert_memory_equal(sent + len, plain + len, 256 - len); /* nothing behind the ICV is touched */
    memcpy(msg, sent, sizeof msg);
    assert_int_equal(cr_sk_open(sk, msg, AAD, text), 0);
    assert_memory_equal(msg, plain, AAD + encr->iv_len + text);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        memcpy(msg, sent, sizeof msg);
        msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(cr_sk_open(sk, msg, AAD, text), R_DECRYPT);
    }
    for (size_t n = 0; n < text; n++) {
        memcpy(msg, sent, sizeof msg);
        assert_int_equal(cr_sk_open(sk, msg, AAD, n), R_DECRYPT);
    }
    cr_sk_free(sk);
}

static void every_suite(void **state)
{
    (void)state;
    for (size_t e = 0; e < alg_count; e++) {
        if (alg_table[e].type != T_ENCR || alg_table[e].not_ike)
            continue;
        if (alg_table[e].aead)
            one_suite(&alg_table[e], NULL);
        for (size_t a = 0; !alg_table[e].aead && a < alg_count; a++)
            if (alg_table[a].type == T_INTEG && !alg_table[a].ah_only)
                one_suite(&alg_table[e], &alg_table[a]);
    }
}

/* Two SAs of different suites in turn share a thread's contexts: no key may stick. */
static void contexts_do_not_leak_keys(void **state)
{
    (void)state;
    const struct alg *cbc = alg_word("aes128"), *gcm = alg_word("aes256gcm16");
    const struct alg *sha = alg_word("sha256");
    struct cr_sk *sk[] = {random_sk(cbc, sha), random_sk(cbc, sha), random_sk(gcm, NULL)};
    uint8_t plain[128], sent[3][128], msg[128];
    cr_random(plain, sizeof plain);
    for (size_t i = 0; i < 3; i++) {
        memcpy(sent[i], plain, sizeof plain);
        assert_int_equal(cr_sk_seal(sk[i], sent[i], AAD, 32), 0);
    }
    for (size_t i = 0; i < 9; i++) {
        memcpy(msg, sent[i % 3], sizeof msg);
        assert_int_equal(cr_sk_open(sk[i / 3], msg, AAD, 32), i % 3 == i / 3 ? 0 : R_DECRYPT);
    }
    for (size_t i = 0; i < 3; i++)
        cr_sk_free(sk[i]);
}

static void suites_that_are_none(void **state)
{
    (void)state;
    static const uint8_t k[64];
    const struct {
        const char *encr, *integ;
        size_t key, integ_key;
    } cases[] = {
        {"aes128", "", 16, 0},
        {"aes128", "sha256", 15, 32},
        {"aes128", "sha256", 16, 31},
        {"aes128gcm16", "", 16, 0},
        {"aes128gcm16", "sha256", 20, 32},
        {"aes128gcm16", "", 20, 32},
        {"sha256", "sha256", 32, 32},
        {"aes128", "prfsha256", 16, 32},
        {"chacha20poly1305", "", 32, 0},
        {"3des", "md5", 16, 16},
        {"null", "sha256", 0, 32},      /* RFC 7296 3.3.2 */
        {"aes128gmac", "", 20, 0},      /* RFC 4543 5.1 */
        {"aes128gcm16iiv", "", 20, 0},  /* RFC 8750 5 */
        {"aes128ccm16", "", 16 + 4, 0}, /* its salt has 3 bytes */
        {"aes128ctr", "", 20, 0},       /* RFC 5930 3: with integrity */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cr_sk *sk;
        assert_int_equal(cr_sk_new(alg_word(cases[i].encr), alg_word(cases[i].integ),
                                   bytes_of(k, cases[i].key), bytes_of(k, cases[i].integ_key), &sk),
                         E_USAGE);
        assert_null(sk);
    }
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
        cmocka_unit_test(messages_of_strongswan),    cmocka_unit_test(example_of_rfc7634),
        cmocka_unit_test(gcm_specification),         cmocka_unit_test(every_suite),
        cmocka_unit_test(contexts_do_not_leak_keys), cmocka_unit_test(suites_that_are_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
