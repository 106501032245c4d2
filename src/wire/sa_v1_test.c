/*
 * IKEv1's payloads against messages of strongSwan (tests/vectors/ike/v1_psk.h), against hand-made
 * bad ones, and mutilated: every truncation, every bit flipped. RFC 2407, 2408, 2409, 3947.
 */
#include "v1_psk.h"
#include "wire/id_v1.h"
#include "wire/ike_hdr.h"
#include "wire/notify_v1.h"
#include "wire/payload_v1.h"
#include "wire/print.h"
#include "wire/roundtrip.h"
#include "wire/sa_v1.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct bytes unhex(const char *s, uint8_t *out)
{
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        assert_int_equal(sscanf(s + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return bytes_of(out, n);
}

static struct bytes message(const char *hex, struct ike_hdr *h, struct payloads *ps)
{
    static uint8_t raw[4096];
    struct bytes m = unhex(hex, raw);
    assert_int_equal(ike_hdr_parse(m, h), 0);
    assert_int_equal(h->major, 1);
    assert_int_equal(payloads_v1_parse(ike_hdr_body(m), h->next, ps, NULL), 0);
    return m;
}

static void their_offers(void **state)
{
    static const struct {
        const char *words, *log[2];
    } want[] = {
        {"3des-md5-modp1024", {"ID_PROT 0 [ SA V V V V V ]", "ID_PROT 0 [ KE No NAT-D NAT-D ]"}},
        {"aes128-sha256-ecp256", {"ID_PROT 0 [ SA V V V V V ]", "ID_PROT 0 [ KE No NAT-D NAT-D ]"}},
        {"aes256-sha384-modp4096",
         {"ID_PROT 0 [ SA V V V V V ]", "ID_PROT 0 [ KE No NAT-D NAT-D ]"}},
        {"aes256-sha512-ecp521", {"ID_PROT 0 [ SA V V V V V ]", "ID_PROT 0 [ KE No NAT-D NAT-D ]"}},
        {"3des-sha1-modp1536", {"AGGRESSIVE 0 [ SA KE No ID V V V V V ]", NULL}},
        {"aes128-sha256-ecp256", {"ID_PROT 0 [ SA V V V V V ]", "ID_PROT 0 [ KE No NAT-D NAT-D ]"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof v1_vectors / sizeof *v1_vectors; i++) {
        static struct v1_sa_body sa;
        struct payloads ps;
        struct ike_hdr h;
        for (size_t k = 0; k < 2 && want[i].log[k]; k++) {
            struct buf b = {0};
            message(v1_vectors[i].p1[2 * k], &h, &ps);
            ike_message_print(&h, &ps, &b);
            assert_string_equal(buf_str(&b), want[i].log[k]);
            buf_free(&b);
        }
        for (size_t k = 0; k < 2; k++) { /* the offer and its return, which must be unaltered */
            struct buf b = {0};
            message(v1_vectors[i].p1[k], &h, &ps);
            assert_int_equal(sa_v1_parse(payloads_find(&ps, P1_SA)->body, true, &sa), 0);
            assert_int_equal(sa.count, 1);
            assert_false(sa.t[0].unusable);
            proposal_print(&sa.t[0].p, &b);
            assert_string_equal(buf_str(&b), want[i].words);
            assert_int_equal(sa.t[0].auth, AUTH1_PSK);
            assert_true(sa.t[0].life_s > 3600);
            buf_free(&b);
        }
    }
}

/* RFC 2407 4.6.2 */
static void selectors(void **state)
{
    static const struct {
        const char *hex, *text;
        err_t err;
    } t[] = {
        {"01000000c0000201", "192.0.2.1/32", 0},
        {"040000000a010000ffff0000", "10.1.0.0/16", 0},
        {"040000000a010203ffff0000", "10.1.0.0/16", 0},
        {"0400000000000000"
         "00000000",
         "0.0.0.0/0", 0},
        {"040600170a010000ffff0000", "10.1.0.0/16[tcp/23]", 0},
        {"042f00000a010000ffff0000", "10.1.0.0/16[gre]", 0},
        {"070000000a0100010a010009", "10.1.0.1..10.1.0.9", 0},
        {"0500000020010db8000000000000000000000001", "2001:db8::1/128", 0},
        {"0600000020010db8000000000000000000000000ffffffff000000000000000000000000",
         "2001:db8::/32", 0},
        {"070000000a0100090a010001", NULL, R_SYNTAX}, /* ends before it begins */
        {"040000000a010000ff00ff00", NULL, R_SYNTAX}, /* the mask has a hole */
        {"02000000677761", NULL, R_SYNTAX},           /* a name */
        {"01000000c00002", NULL, R_TRUNCATED},
        {"01000000c000020101", NULL, R_TRAILING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t raw[64], out[64];
        struct ts ts;
        struct buf b = {0};
        struct wr w = wr_of(out, sizeof out);
        assert_int_equal(ts_v1_parse(unhex(t[i].hex, raw), &ts), t[i].err);
        if (t[i].err)
            continue;
        ts_print(&ts, &b);
        assert_string_equal(buf_str(&b), t[i].text);
        buf_free(&b);
        ts_v1_write(&w, &ts);
        struct ts again;
        assert_int_equal(w.err, 0);
        assert_int_equal(ts_v1_parse(wr_bytes(&w), &again), 0);
        assert_true(ts_eq(&ts, &again));
    }
    uint8_t out[64];
    struct wr w = wr_of(out, sizeof out);
    struct ts ports = {.proto = 6, .port_lo = 20, .port_hi = 30, .lo.family = 4, .hi.family = 4};
    assert_false(ts_v1_expressible(&ports));
    ts_v1_write(&w, &ports);
    assert_int_equal(w.err, E_USAGE);
}

#define HEAD "0000000100000001" /* IPSEC DOI, SIT_IDENTITY_ONLY */
/* aes128, sha1, group 2, psk */
#define T(more, len, no)                                                                           \
    more "0000" len no "010000"                                                                    \
         "80010007800e0080"                                                                        \
         "80020002"                                                                                \
         "80040002"                                                                                \
         "80030001"

static void bad_offers(void **state)
{
    static const struct {
        const char *name, *hex;
        err_t err;
        bool unusable;
    } t[] = {
        {"fine",
         HEAD "00000024"
              "01010001" T("00", "1c", "01"),
         0, false},
        {"DOI 2",
         "0000000200000001"
         "00000024"
         "01010001" T("00", "1c", "01"),
         R_SYNTAX, false},
        {"secrecy",
         "0000000100000002"
         "00000024"
         "01010001" T("00", "1c", "01"),
         R_SYNTAX, false},
        {"no proposal", HEAD, R_TRUNCATED, false},
        {"no transform",
         HEAD "00000008"
              "01010000",
         R_SYNTAX, false},
        {"one more transform than counted",
         HEAD "00000040"
              "01010001" T("03", "1c", "01") T("00", "1c", "02"),
         R_SYNTAX, false},
        {"one less",
         HEAD "00000024"
              "01010002" T("00", "1c", "01"),
         R_TRUNCATED, false},
        {"more follows but does not",
         HEAD "02000024"
              "01010001" T("00", "1c", "01"),
         R_SYNTAX, false},
        {"transform too long",
         HEAD "00000024"
              "01010001" T("00", "1d", "01"),
         R_TRUNCATED, false},
        {"no group",
         HEAD "00000020"
              "01010001"
              "00000018"
              "01010000"
              "80010007800e00808002000280030001",
         0, true},
        {"AES without key length",
         HEAD "00000020"
              "01010001"
              "00000018"
              "01010000"
              "80010007800200028004000280030001",
         0, true},
        {"PRF attribute",
         HEAD "00000028"
              "01010001"
              "00000020"
              "01010000"
              "80010007800e00808002000280040002800300018"
              "00d0001",
         0, true},
        {"SPI of 17 bytes",
         HEAD "00000035"
              "01011101"
              "0102030405060708090a0b0c0d0e0f1011" T("00", "1c", "01"),
         R_SYNTAX, false},
        {"SPI of 16 bytes",
         HEAD "00000034"
              "01011001"
              "0102030405060708090a0b0c0d0e0f10" T("00", "1c", "01"),
         0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static struct v1_sa_body sa;
        uint8_t raw[256];
        err_t err = sa_v1_parse(unhex(t[i].hex, raw), true, &sa);
        if (err != t[i].err || (!err && sa.t[0].unusable != t[i].unusable))
            fail_msg("%s: %s", t[i].name, err_name(err));
    }
}

/* What we write for a suite is what we read. */
static void our_offers(void **state)
{
    static const char *const words[] = {"aes256-sha256-modp2048", "3des-md5-modp1024",
                                        "aes192-sha512-ecp521"};
    struct v1_transform t[3] = {0};
    static struct v1_sa_body sa;
    uint8_t out[512];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static struct proposals ps;
        struct proposal_error err;
        ps.count = 0;
        assert_int_equal(proposal_parse(PROTO_IKE, words[i], &ps, &err), 0);
        t[i] = (struct v1_transform){.proto = PROTO_IKE,
                                     .auth = AUTH1_PSK,
                                     .p = ps.p[0],
                                     .life_s = 28800 * (i + 1),
                                     .life_kb = i ? 70000 : 0};
    }
    sa_v1_write(&w, true, t, 3);
    assert_int_equal(w.err, 0);
    assert_int_equal(sa_v1_parse(wr_bytes(&w), true, &sa), 0);
    assert_int_equal(sa.count, 3);
    for (size_t i = 0; i < 3; i++) {
        struct buf b = {0};
        assert_false(sa.t[i].unusable);
        assert_int_equal(sa.t[i].number, i + 1);
        assert_int_equal(sa.t[i].life_s, 28800 * (i + 1));
        assert_int_equal(sa.t[i].life_kb, i ? 70000 : 0);
        proposal_print(&sa.t[i].p, &b);
        assert_string_equal(buf_str(&b), words[i]);
        buf_free(&b);
    }
}

static void mutilated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof v1_vectors / sizeof *v1_vectors; i++) {
        struct payloads ps;
        struct ike_hdr h;
        struct bytes m = message(v1_vectors[i].p1[0], &h, &ps), body = ike_hdr_body(m);
        assert_int_equal(roundtrip_chain_v1(body, h.next), RT_HOLDS);
        for (size_t n = 0; n < body.n; n++) {
            uint8_t *cut = malloc(n + 1);
            memcpy(cut, body.p, n);
            assert_int_not_equal(payloads_v1_parse(bytes_of(cut, n), h.next, &ps, NULL), 0);
            free(cut);
        }
        uint8_t *copy = malloc(body.n);
        for (size_t bit = 0; bit < 8 * body.n; bit++) {
            memcpy(copy, body.p, body.n);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (roundtrip_chain_v1(bytes_of(copy, body.n), h.next) == RT_BROKEN)
                fail_msg("%s: bit %zu", v1_vectors[i].name, bit);
        }
        free(copy);
    }
}

/* RFC 2408 3.2, 5.3; RFC 2409 appendix B for the padding */
static void chains(void **state)
{
    static const struct {
        const char *name, *hex;
        uint8_t first;
        err_t err;
        bool padded;
    } t[] = {
        {"reserved byte", "0001000cffffffffffffffff", P1_NONCE, R_SYNTAX, false},
        {"nonce of 7 bytes", "0000000bffffffffffffff", P1_NONCE, R_LENGTH, false},
        {"nonce of 8 bytes", "0000000cffffffffffffffff", P1_NONCE, 0, false},
        {"unknown type", "00000008ffffffff", 99, R_SYNTAX, false},
        {"private type", "00000008ffffffff", 130, 0, false},
        {"IKEv2's type", "00000008ffffffff", 46, R_SYNTAX, false},
        {"two hashes", "08000008ffffffff00000008ffffffff", P1_HASH, R_DUPLICATE_PAYLOAD, false},
        {"padding in clear", "00000008ffffffff0000", P1_HASH, R_TRAILING, false},
        {"padding", "00000008ffffffff0007", P1_HASH, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t raw[64];
        struct payloads ps;
        size_t used;
        struct bytes b = unhex(t[i].hex, raw);
        err_t err = payloads_v1_parse(b, t[i].first, &ps, t[i].padded ? &used : NULL);
        if (err != t[i].err)
            fail_msg("%s: %s", t[i].name, err_name(err));
    }
}

static void deletes(void **state)
{
    static const struct {
        const char *hex;
        err_t err;
    } t[] = {
        {"000000010304000211223344aabbccdd", 0},
        {"00000001011000010102030405060708090a0b0c0d0e0f10", 0},
        {"000000010108000101020304050607", R_TRUNCATED},
        {"00000001010800010102030405060708", R_SYNTAX},
        {"00000002030400011122334", R_TRUNCATED},
        {"000000020304000111223344", R_SYNTAX},
        {"00000001030400011122334455", R_TRAILING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t raw[64];
        struct delete_v1 d;
        assert_int_equal(delete_v1_parse(unhex(t[i].hex, raw), &d), t[i].err);
    }
}

/* AH and ESP, each as a proposal of its own, come back as they were written: RFC 2408 3.5, RFC 2407
 * 4.4.3. */
static void two_protocols(void **state)
{
    static const struct {
        uint8_t proposal, proto;
        uint16_t integ, encap;
    } want[] = {{1, PROTO_AH, AUTH_HMAC_SHA2_256_128, ENCAP1_TRANSPORT},
                {1, PROTO_AH, AUTH_HMAC_MD5_96, ENCAP1_TRANSPORT},
                {2, PROTO_ESP, AUTH_HMAC_SHA1_96, ENCAP1_TRANSPORT},
                {3, PROTO_AH, AUTH_HMAC_SHA2_512_256, ENCAP1_TUNNEL}};
    static struct v1_sa_body got;
    static struct v1_transform t[4];
    static const uint8_t spi[] = {1, 2, 3, 4};
    uint8_t raw[512];
    struct wr w = wr_of(raw, sizeof raw);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        t[i] = (struct v1_transform){.proposal = want[i].proposal,
                                     .proto = want[i].proto,
                                     .spi = bytes_of(spi, sizeof spi),
                                     .encap = want[i].encap,
                                     .p = {.proto = want[i].proto}};
        assert_int_equal(proposal_add(&t[i].p, T_INTEG, want[i].integ, 0), 0);
        if (want[i].proto == PROTO_ESP)
            assert_int_equal(proposal_add(&t[i].p, T_ENCR, ENCR_AES_CBC, 256), 0);
    }
    sa_v1_write(&w, false, t, 4);
    assert_int_equal(w.err, 0);
    assert_int_equal(sa_v1_parse(wr_bytes(&w), false, &got), 0);
    assert_int_equal(got.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(got.t[i].proposal, want[i].proposal);
        assert_int_equal(got.t[i].proto, want[i].proto);
        assert_int_equal(got.t[i].encap, want[i].encap);
        assert_true(proposal_has(&got.t[i].p, T_INTEG, want[i].integ, 0));
        assert_false(got.t[i].unusable || got.t[i].bundled);
        assert_true(bytes_eq(got.t[i].spi, bytes_of(spi, sizeof spi)));
    }
    /* an AH transform whose attribute names another hash is none that we know */
    raw[8 + 12 + 5] = 2; /* AH_MD5 with HMAC-SHA2-256 */
    assert_int_equal(sa_v1_parse(wr_bytes(&w), false, &got), 0);
    assert_true(got.t[0].unusable);
}

/* IPComp beside ESP becomes a property of it; with LZS, which we do not have, nothing is left to
 * take. RFC 2407 4.4.5, 4.6.1. */
static void compressed(void **state)
{
    static struct v1_sa_body got;
    static const uint8_t spi[] = {1, 2, 3, 4};
    struct v1_transform t[2] = {{.proposal = 1,
                                 .proto = PROTO_ESP,
                                 .spi = bytes_of(spi, sizeof spi),
                                 .encap = ENCAP1_TUNNEL,
                                 .cpi = 0x1234,
                                 .p = {.proto = PROTO_ESP}}};
    uint8_t raw[256];
    struct wr w = wr_of(raw, sizeof raw);
    (void)state;
    assert_int_equal(proposal_add(&t[0].p, T_ENCR, ENCR_AES_CBC, 128), 0);
    assert_int_equal(proposal_add(&t[0].p, T_INTEG, AUTH_HMAC_SHA1_96, 0), 0);
    t[1] = t[0];
    t[1].proposal = 2;
    t[1].cpi = 0;
    sa_v1_write(&w, false, t, 2);
    assert_int_equal(sa_v1_parse(wr_bytes(&w), false, &got), 0);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.t[0].cpi, 0x1234);
    assert_int_equal(got.t[1].cpi, 0);
    assert_false(got.t[0].bundled || got.t[0].unusable || got.t[1].bundled || got.t[1].unusable);
    uint8_t *comp = memmem(raw, wr_len(&w), "\x12\x34", 2);
    comp[2 + 5] = 3; /* LZS */
    assert_int_equal(sa_v1_parse(wr_bytes(&w), false, &got), 0);
    assert_true(got.t[0].bundled && got.t[0].cpi == 0);
    assert_false(got.t[got.count - 1].bundled);
}

/* RFC 2408 4.2: AH and ESP of one proposal number are one suite, each AH with each ESP, in whatever
 * order they come, with IPComp or not; written from what was understood it reads the same. */
static void bundles(void **state)
{
    static const struct {
        const char *name, *hex;
        struct {
            uint8_t proposal;
            uint16_t esp, ah; /* integrity; 0: none */
            bool unusable, bundled;
            uint16_t cpi;
        } want[3];
        size_t n;
    } t[] = {
        {"RFC 2408 4.2.1: ESP with two transforms AND AH with one",
         "0200004401030402e1e2e3e40300001c0103000080040001800500028001000180020e1080030002"
         "0000001c0203000080040001800500018001000180020e1080030002"
         "0000002801020401a1a2a3a40000001c0103000080040002800500028001000180020e1080030002",
         {{1, AUTH_HMAC_SHA1_96, AUTH_HMAC_SHA1_96, false, false, 0},
          {1, AUTH_HMAC_MD5_96, AUTH_HMAC_SHA1_96, false, false, 0}},
         2},
        {"AH first, with two transforms; then ESP alone",
         "0200003c01020402a1a2a3a4030000180102000080040001800500018001000180020e1000000018"
         "0203000080040001800500028001000180020e10"
         "0200002401030401e1e2e3e4000000180103000080040001800500028001000180020e10"
         "0000002402030401e1e2e3e4000000180103000080040001800500028001000180020e10",
         {{1, AUTH_HMAC_SHA1_96, AUTH_HMAC_MD5_96, false, false, 0},
          {2, AUTH_HMAC_SHA1_96, 0, false, false, 0},
          {1, AUTH_HMAC_SHA1_96, AUTH_HMAC_SHA1_96, false, false, 0}},
         3},
        {"IPComp too",
         "0200002401030401e1e2e3e4000000180103000080040001800500028001000180020e10"
         "020000160104020112340000000c0102000080040001"
         "0000002401020401a1a2a3a4000000180103000080040001800500028001000180020e10",
         {{1, AUTH_HMAC_SHA1_96, AUTH_HMAC_SHA1_96, false, false, 0x1234}},
         1},
        {"groups differ: RFC 2409 5.5",
         "0200002801030401e1e2e3e40000001c0103000080040001800500028001000180020e1080030002"
         "0000002401020401a1a2a3a4000000180103000080040001800500028001000180020e10",
         {{1, AUTH_HMAC_SHA1_96, AUTH_HMAC_SHA1_96, true, false, 0}},
         1},
        {"an AH that we do not know",
         "0200002401030401e1e2e3e4000000180103000080040001800500028001000180020e10"
         "0000002401020401a1a2a3a4000000180104000080040001800500038001000180020e10",
         {{1, AUTH_HMAC_SHA1_96, 0, true, false, 0}},
         1},
        {"RFC 8221 4: AH vouches for ESP too, but not for one that does nothing",
         "0200002001030401e1e2e3e400000014010300008004000180010001"
         "80020e10"
         "0200002401020401a1a2a3a4000000180103000080040001800500028001000180020e10"
         "0200002002030401e1e2e3e400000014010b00008004000180010001"
         "80020e10"
         "0200002402020401a1a2a3a4000000180103000080040001800500028001000180020e10"
         "0000002003030401e1e2e3e400000014010300008004000180010001"
         "80020e10",
         {{1, 0, AUTH_HMAC_SHA1_96, false, false, 0},
          {2, 0, AUTH_HMAC_SHA1_96, true, false, 0},
          {3, 0, 0, true, false, 0}},
         3},
        {"a protocol that we do not know",
         "0200002401030401e1e2e3e4000000180103000080040001800500028001000180020e10"
         "0200002401020401a1a2a3a4000000180103000080040001800500028001000180020e10"
         "0000001401090401999999990000000801010000",
         {{1, AUTH_HMAC_SHA1_96, AUTH_HMAC_SHA1_96, false, true, 0}, {1, 0, 0, true, true, 0}},
         2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static struct v1_sa_body got;
        uint8_t raw[512] = {0};
        struct bytes body = unhex(t[i].hex, raw + 12);
        memcpy(raw + 4, "\0\0\0\1\0\0\0\1", 8);
        put_u16(raw + 2, (uint16_t)(body.n + 12));
        err_t err = sa_v1_parse(bytes_of(raw + 4, body.n + 8), false, &got);
        if (err || got.count != t[i].n)
            fail_msg("%s: %s, %zu suites", t[i].name, err_name(err), got.count);
        for (size_t k = 0; k < got.count; k++) {
            const struct v1_transform *x = &got.t[k];
            const struct alg *integ = proposal_alg(&x->p, T_INTEG);
            if (x->proposal != t[i].want[k].proposal || x->cpi != t[i].want[k].cpi ||
                x->unusable != t[i].want[k].unusable || x->bundled != t[i].want[k].bundled ||
                (integ ? integ->id : 0) != t[i].want[k].esp ||
                (x->ah.integ ? x->ah.integ->id : 0) != t[i].want[k].ah)
                fail_msg("%s: suite %zu", t[i].name, k);
            if (x->ah.there)
                assert_memory_equal(x->ah.spi.p, "\xa1\xa2\xa3\xa4", 4);
        }
        assert_int_equal(roundtrip_chain_v1(bytes_of(raw, body.n + 12), P1_SA), RT_HOLDS);
    }
}

/* More pairs than there is room for are left out, none is made up. */
static void too_many_pairs(void **state)
{
    static struct v1_sa_body got;
    static struct v1_transform t[64];
    static uint8_t raw[8192];
    static const uint8_t spi[] = {1, 2, 3, 4};
    struct wr w = wr_of(raw, sizeof raw);
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        uint8_t proto = i < 32 ? PROTO_ESP : PROTO_AH;
        t[i] = (struct v1_transform){
            .proposal = 1, .proto = proto, .spi = bytes_of(spi, 4), .p = {.proto = proto}};
        assert_int_equal(proposal_add(&t[i].p, T_INTEG, AUTH_HMAC_SHA1_96, 0), 0);
        if (proto == PROTO_ESP)
            assert_int_equal(proposal_add(&t[i].p, T_ENCR, ENCR_AES_CBC, 128), 0);
    }
    sa_v1_write(&w, false, t, 64);
    assert_int_equal(sa_v1_parse(wr_bytes(&w), false, &got), 0);
    assert_true(got.count >= 96 && got.count <= V1_TRANSFORMS_MAX);
    for (size_t i = 0; i < got.count; i++)
        assert_true(got.t[i].proto == PROTO_ESP && got.t[i].ah.there && !got.t[i].bundled);
}

/* IPComp with nothing to compress for is not taken, whatever its algorithm, and says no CPI: what
 * is written from it reads the same. */
static void compression_alone(void **state)
{
    static const char *const ids[] = {"02", "03", "0c"}; /* DEFLATE, LZS, none */
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        static struct v1_sa_body got;
        char hex[128];
        uint8_t raw[64];
        snprintf(hex, sizeof hex,
                 "00000028" HEAD "0000001c"
                 "01040401"
                 "1234abcd"
                 "00000010"
                 "01%s0000"
                 "80040001"
                 "80010001",
                 ids[i]);
        struct bytes chain = unhex(hex, raw);
        assert_int_equal(sa_v1_parse(bytes_of(raw + 4, chain.n - 4), false, &got), 0);
        assert_int_equal(got.count, 1);
        assert_true(got.t[0].unusable && got.t[0].cpi == 0);
        assert_int_equal(roundtrip_chain_v1(chain, P1_SA), RT_HOLDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(their_offers), cmocka_unit_test(two_protocols),
        cmocka_unit_test(compressed),   cmocka_unit_test(selectors),
        cmocka_unit_test(bad_offers),   cmocka_unit_test(our_offers),
        cmocka_unit_test(mutilated),    cmocka_unit_test(chains),
        cmocka_unit_test(deletes),      cmocka_unit_test(compression_alone),
        cmocka_unit_test(bundles),      cmocka_unit_test(too_many_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
