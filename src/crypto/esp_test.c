/*
 * The packet path: packets of the Linux kernel, OpenSSL against ipsec-mb over all suites, lengths
 * and batches, forgeries.
 */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vectors/crypto/esp.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define GUARD    16
#define FILL     0xa5

static const enum cr_impl impls[] = {CR_OSSL, CR_IMB, CR_AUTO};
static struct cr_esp_ctx *ctx[3];

struct suite {
    const struct alg *encr, *integ;
};
static struct suite suites[64];
static size_t suite_count;

static size_t icv_len(const struct suite *s)
{
    return s->integ ? s->integ->icv_len : s->encr->icv_len;
}

static size_t packet_len(const struct suite *s, size_t text)
{
    return 8 + s->encr->iv_len + text + icv_len(s);
}

struct key_pair {
    struct cr_esp *of[3]; /* the same key in each implementation */
};

static struct key_pair key_pair(const struct suite *s, const uint8_t *key, const uint8_t *integ_key)
{
    struct key_pair k;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cr_esp_new(impls[i], s->encr, s->integ,
                                    bytes_of(key, (size_t)s->encr->key_len + s->encr->salt_len),
                                    bytes_of(integ_key, s->integ ? s->integ->key_len : 0),
                                    &k.of[i]),
                         0);
    return k;
}

static struct key_pair random_key_pair(const struct suite *s)
{
    uint8_t key[64], integ_key[64];
    cr_random(key, sizeof key);
    cr_random(integ_key, sizeof integ_key);
    return key_pair(s, key, integ_key);
}

static void key_pair_free(struct key_pair *k)
{
    for (size_t i = 0; i < 3; i++)
        cr_esp_free(k->of[i]);
}

/* --- known answers --- */

static void one_kernel_packet(size_t i, const struct suite *s, struct key_pair *k, size_t impl)
{
    uint8_t sent[512], p[512], text[512], plain[512];
    struct bytes packet = unhex(esp_packets[i].packet, sent, sizeof sent);
    struct bytes want = unhex(esp_packets[i].text, text, sizeof text);
    struct cr_op op = {.key = k->of[impl],
                       .p = p,
                       .text_len = (uint32_t)want.n,
                       .esn = esp_packets[i].esn,
                       .seq_hi = esp_packets[i].seq_hi,
                       .iv_seed = get_u64(sent + 8)};
    assert_int_equal(packet.n, packet_len(s, want.n));
    memcpy(p, sent, packet.n);
    cr_open(ctx[impl], &op, 1);
    assert_int_equal(op.status, 0);
    assert_memory_equal(p + 8 + s->encr->iv_len, text, want.n);
    if (s->encr->block == 1) { /* a counter's IV can be asked for: the same packet comes out */
        memset(p + 8, 0, s->encr->iv_len);
        cr_seal(ctx[impl], &op, 1);
        assert_memory_equal(p, sent, packet.n);
    }
    memcpy(p, sent, packet.n);
    op.plain = plain;
    cr_open(ctx[impl], &op, 1);
    assert_int_equal(op.status, 0);
    assert_memory_equal(plain, text, want.n);
    assert_memory_equal(p, sent, packet.n);
}

static void packets_of_the_linux_kernel(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(esp_packets); i++) {
        uint8_t key[64], integ_key[64];
        struct suite s = {alg_word(esp_packets[i].encr), alg_word(esp_packets[i].integ)};
        unhex(esp_packets[i].key, key, sizeof key);
        unhex(esp_packets[i].integ_key, integ_key, sizeof integ_key);
        struct key_pair k = key_pair(&s, key, integ_key);
        for (size_t impl = 0; impl < 3; impl++)
            one_kernel_packet(i, &s, &k, impl);
        key_pair_free(&k);
    }
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

struct packet {
    uint8_t *buf, *p, *plain, *out; /* p is GUARD into buf */
    uint32_t len;
};

static struct packet packet_new(const struct suite *s, uint32_t text)
{
    size_t n = packet_len(s, text);
    struct packet k = {.buf = malloc(n + 2 * GUARD),
                       .plain = malloc(text ? text : 1),
                       .out = malloc(text ? text : 1),
                       .len = (uint32_t)n};
    assert_true(k.buf && k.plain && k.out);
    memset(k.buf, FILL, n + 2 * GUARD);
    k.p = k.buf + GUARD;
    cr_random(k.p, 8);
    cr_random(k.plain, text);
    memcpy(k.p + 8 + s->encr->iv_len, k.plain, text);
    return k;
}

static void packet_free(struct packet *k)
{
    free(k->buf);
    free(k->plain);
    free(k->out);
}

static void guards_hold(const struct packet *k)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(k->buf[i], FILL);
        assert_int_equal(k->p[k->len + i], FILL);
    }
}

/* 0..300 and some big ones, as far as the block size allows. */
static size_t lengths(const struct suite *s, uint32_t *out)
{
    static const uint32_t big[] = {576, 1024, 1424, 1440, 2048, 9008, 65520};
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
    struct key_pair keys[64];
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

/* --- forgeries --- */

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
    assert_false(cr_esp_supported(CR_AUTO, cbc, NULL));
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
    assert_int_equal(cr_esp_new(CR_AUTO, cbc, NULL, bytes_of(key, 16), bytes_of(NULL, 0), &e),
                     E_NOTSUP);
}

static void collect_suites(void)
{
    for (size_t e = 0; e < alg_count; e++)
        for (size_t a = 0; a <= alg_count; a++) {
            struct suite s = {&alg_table[e], a ? &alg_table[a - 1] : NULL};
            if (cr_esp_supported(CR_OSSL, s.encr, s.integ))
                suites[suite_count++] = s;
        }
}

static int setup(void **state)
{
    (void)state;
    const char *what;
    if (cr_init(&what))
        return -1;
    collect_suites();
    for (size_t i = 0; i < 3; i++)
        if (cr_esp_ctx_new(impls[i], &ctx[i]))
            return -1;
    return suite_count == 35 ? 0 : -1; /* 10 AEAD, 5 ciphers with 5 HMACs */
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        cr_esp_ctx_free(ctx[i]);
    cr_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_the_linux_kernel),
        cmocka_unit_test(short_gcm_icvs_are_prefixes),
        cmocka_unit_test(every_suite_agrees),
        cmocka_unit_test(mixed_batches),
        cmocka_unit_test(one_flipped_bit_is_refused),
        cmocka_unit_test(wrong_high_half_is_refused),
        cmocka_unit_test(broken_blocks_are_refused),
        cmocka_unit_test(cbc_ivs_are_unpredictable),
        cmocka_unit_test(what_is_supported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
