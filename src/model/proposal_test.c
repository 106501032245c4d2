/* Proposals: words, selection by our preference, what differed, and the initiator's check. */
#include "model/proposal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct proposals parse(enum proto proto, const char *text)
{
    struct proposals ps = {0};
    struct proposal_error err;
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *w = strtok(copy, ", "); w; w = strtok(NULL, ", "))
        assert_int_equal(proposal_parse(proto, w, &ps, &err), 0);
    return ps;
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        enum proto proto;
        const char *text, *printed, *bad; /* printed NULL: refused, `bad` is the word */
    } cases[] = {
        {PROTO_IKE, "aes128-sha256-x25519", "aes128-sha256-x25519", NULL},
        {PROTO_IKE, "aes128gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-x25519", NULL},
        {PROTO_IKE, "aes128gcm16-sha256-x25519", "aes128gcm16-prfsha256-x25519", NULL},
        {PROTO_IKE, "aes256-sha1-prfsha512-modp2048", "aes256-sha1-prfsha512-modp2048", NULL},
        {PROTO_ESP, "aes128gcm16", "aes128gcm16", NULL},
        {PROTO_ESP, "aes128gcm16-esn", "aes128gcm16-esn", NULL},
        {PROTO_ESP, "aes256-sha256-ecp256", "aes256-sha256-ecp256", NULL},
        {PROTO_ESP, "null-sha256", "null-sha256", NULL},
        {PROTO_ESP, "aes128-sha257", NULL, "sha257"},
        {PROTO_ESP, "aes128", NULL, "aes128"},
        {PROTO_ESP, "sha256", NULL, "sha256"},
        {PROTO_ESP, "aes128--sha256", NULL, ""},
        {PROTO_ESP, "aes128-sha256-", NULL, "-"},
        {PROTO_ESP, "aes128-aes128gcm16-sha256", NULL, "aes128-aes128gcm16-sha256"},
        {PROTO_ESP, "aes128-sha256-prfsha256", NULL, "aes128-sha256-prfsha256"},
        {PROTO_IKE, "aes128-sha256", NULL, "aes128-sha256"},
        {PROTO_IKE, "null-sha256-x25519", NULL, "null-sha256-x25519"},
        {PROTO_IKE, "aes128gcm16-x25519", NULL, "aes128gcm16-x25519"},
        {PROTO_ESP, "", NULL, ""},
        {PROTO_ESP, "null", NULL, "null"}, /* RFC 8221 4 */
        {PROTO_ESP, "aes128gmac", "aes128gmac", NULL},
        {PROTO_ESP, "aes128gcm16iiv-esn", "aes128gcm16iiv-esn", NULL},
        {PROTO_ESP, "aes256ctr-sha512", "aes256ctr-sha512", NULL},
        {PROTO_ESP, "aes256ctr", NULL, "aes256ctr"},
        {PROTO_ESP, "camellia128ccm96", "camellia128ccm12", NULL},
        {PROTO_ESP, "blowfish-sha256_96", "blowfish128-sha256_96", NULL},
        {PROTO_ESP, "aes128ccm16-aes128ctr", NULL, "aes128ccm16-aes128ctr"},
        {PROTO_IKE, "aes128ctr-aesxcbc-modp2048", "aes128ctr-aesxcbc-modp2048", NULL},
        {PROTO_IKE, "aes128-aescmac-prfaesxcbc-ecp256bp", "aes128-aescmac-prfaesxcbc-ecp256bp",
         NULL},
        {PROTO_IKE, "aes128ccm8-prfaescmac-modp2048s224", "aes128ccm8-prfaescmac-modp2048s224",
         NULL},
        {PROTO_IKE, "aes128gmac-prfsha256-x25519", NULL, "aes128gmac-prfsha256-x25519"},
        {PROTO_IKE, "chacha20poly1305iiv-prfsha256-x25519", NULL,
         "chacha20poly1305iiv-prfsha256-x25519"},
        {PROTO_AH, "sha256-aesxcbc-esn", "sha256-aesxcbc-esn", NULL},
        {PROTO_AH, "aes256gmac-modp2048", "aes256gmac-modp2048", NULL},
        {PROTO_AH, "default", "sha256-sha384-sha512", NULL},
        {PROTO_AH, "aes128-sha256", NULL, "aes128"},
        {PROTO_AH, "modp2048", NULL, "modp2048"},
        {PROTO_AH, "sha256-prfsha256", NULL, "sha256-prfsha256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proposals ps = {0};
        struct proposal_error err;
        err_t e = proposal_parse(cases[i].proto, cases[i].text, &ps, &err);
        if (!cases[i].printed) {
            assert_int_equal(e, R_CONFIG_VALUE);
            assert_non_null(err.why);
            assert_int_equal(err.bad_len, strlen(cases[i].bad));
            assert_memory_equal(err.bad, cases[i].bad, err.bad_len);
            assert_int_equal(ps.count, 0);
            continue;
        }
        struct buf b = {0};
        assert_int_equal(e, 0);
        proposals_print(&ps, &b);
        assert_string_equal(buf_str(&b), cases[i].printed);
        buf_free(&b);
    }
}

static void test_default_has_nothing_weak(void **state)
{
    (void)state;
    for (int proto = PROTO_IKE; proto <= PROTO_ESP; proto += 2) {
        struct proposals ps = parse((enum proto)proto, "default");
        assert_int_equal(ps.count, 2);
        for (size_t i = 0; i < ps.count; i++) {
            for (size_t j = 0; j < ps.p[i].count; j++) {
                const struct transform *t = &ps.p[i].t[j];
                const struct alg *a = alg_find((enum transform_type)t->type, t->id, t->key_bits);
                assert_non_null(a);
                assert_true((proto == PROTO_IKE ? a->ike : a->esp) <= ST_MAY);
            }
        }
    }
}

static void test_select(void **state)
{
    (void)state;
    static const struct {
        enum proto proto;
        const char *ours, *theirs, *chosen; /* NULL: refused */
        uint8_t type;
        const char *what_ours, *what_theirs;
    } cases[] = {
        {PROTO_IKE, "aes128-sha256-x25519", "aes256-sha256-x25519,aes128-sha256-x25519",
         "aes128-sha256-x25519", 0, NULL, NULL},
        /* our order decides, within and among proposals */
        {PROTO_IKE, "aes256-aes128-sha256-x25519", "aes128-aes256-sha256-x25519",
         "aes256-sha256-x25519", 0, NULL, NULL},
        {PROTO_ESP, "aes256gcm16,aes128gcm16", "aes128gcm16,aes256gcm16", "aes256gcm16", 0, NULL,
         NULL},
        {PROTO_ESP, "aes128gcm16", "aes256gcm16", NULL, T_ENCR, "aes128gcm16", "aes256gcm16"},
        {PROTO_ESP, "aes128-sha256", "aes128-sha1", NULL, T_INTEG, "sha256", "sha1"},
        {PROTO_ESP, "aes128-sha256-x25519", "aes128-sha256", NULL, T_KE, "x25519", "none"},
        {PROTO_ESP, "aes128-sha256-esn", "aes128-sha256", NULL, T_ESN, "esn", "noesn"},
        {PROTO_IKE, "aes128-sha256-x25519", "aes128-sha256-modp2048", NULL, T_KE, "x25519",
         "modp2048"},
        {PROTO_IKE, "aes128-sha256-prfsha512-x25519", "aes128-sha256-x25519", NULL, T_PRF,
         "prfsha512", "prfsha256"},
        /* the closest pair is the one explained */
        {PROTO_IKE, "aes128gcm16-prfsha256-x25519,aes256-sha512-ecp384", "aes256-sha512-ecp256",
         NULL, T_KE, "ecp384", "ecp256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proposals o = parse(cases[i].proto, cases[i].ours);
        struct proposals t = parse(cases[i].proto, cases[i].theirs);
        struct proposal chosen;
        struct proposal_mismatch why;
        struct buf b = {0};
        err_t e = proposal_select(&o, &t, &chosen, &why);
        if (cases[i].chosen) {
            assert_int_equal(e, 0);
            proposal_print(&chosen, &b);
            assert_string_equal(buf_str(&b), cases[i].chosen);
            assert_int_equal(proposal_check_chosen(&t, &chosen), 0);
        } else {
            assert_int_equal(e, R_NO_PROPOSAL);
            assert_int_equal(why.type, cases[i].type);
            assert_string_equal(buf_str(&why.ours), cases[i].what_ours);
            assert_string_equal(buf_str(&why.theirs), cases[i].what_theirs);
        }
        buf_free(&b);
        proposal_mismatch_free(&why);
    }
}

static void test_altered_choice_is_refused(void **state)
{
    (void)state;
    struct proposals offered = parse(PROTO_ESP, "aes128-sha256");
    struct proposal good = offered.p[0];
    assert_int_equal(proposal_check_chosen(&offered, &good), 0);
    struct proposal bad = good;
    bad.t[0].key_bits = 256;
    assert_int_equal(proposal_check_chosen(&offered, &bad), R_PROPOSAL_ALTERED);
    bad = good;
    assert_int_equal(proposal_add(&bad, T_KE, KE_CURVE25519, 0), 0);
    assert_int_equal(proposal_check_chosen(&offered, &bad), R_PROPOSAL_ALTERED);
    bad = good;
    bad.number = 2;
    assert_int_equal(proposal_check_chosen(&offered, &bad), R_PROPOSAL_ALTERED);
    bad = good;
    bad.count--;
    assert_int_equal(proposal_check_chosen(&offered, &bad), R_PROPOSAL_ALTERED);
    offered = parse(PROTO_ESP, "aes128-aes256-sha256");
    assert_int_equal(proposal_check_chosen(&offered, &offered.p[0]), R_PROPOSAL_ALTERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_default_has_nothing_weak),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_altered_choice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
