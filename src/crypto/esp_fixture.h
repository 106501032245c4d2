/* What the tests of the packet path share: suites, a worker of each implementation, packets with
 * guard bytes around them. Include after test_hex.h and cmocka.h. */
#pragma once

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define GUARD    16
#define FILL     0xa5

static const enum cr_impl impls[] = {CR_OSSL, CR_IMB, CR_AUTO};
static struct cr_esp_ctx *ctx[3];

struct suite {
    const struct alg *encr, *integ;
};
static struct suite suites[192];
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
    struct cr_esp *of[3]; /* the same key in each implementation; without ipsec-mb OpenSSL's */
};

static enum cr_impl impl_of(const struct suite *s, size_t i)
{
    return cr_esp_supported(impls[i], s->encr, s->integ) ? impls[i] : CR_OSSL;
}

static struct key_pair key_pair(const struct suite *s, const uint8_t *key, const uint8_t *integ_key)
{
    struct key_pair k;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cr_esp_new(impl_of(s, i), s->encr, s->integ,
                                    bytes_of(key, (size_t)s->encr->key_len + s->encr->salt_len),
                                    bytes_of(integ_key, s->integ ? s->integ->key_len : 0),
                                    &k.of[i]),
                         0);
    return k;
}

static inline struct key_pair random_key_pair(const struct suite *s)
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

struct packet {
    uint8_t *buf, *p, *plain, *out; /* p is GUARD into buf */
    uint32_t len;
};

static inline struct packet packet_new(const struct suite *s, uint32_t text)
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

static inline void packet_free(struct packet *k)
{
    free(k->buf);
    free(k->plain);
    free(k->out);
}

static inline void guards_hold(const struct packet *k)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(k->buf[i], FILL);
        assert_int_equal(k->p[k->len + i], FILL);
    }
}

/* Ciphers that ipsec-mb has with every MAC, the others with one. Not those within AH: they have no
 * ICV that could be forged. */
static bool worth_it(const struct suite *s)
{
    if (!s->integ && !s->encr->aead)
        return false;
    return cr_esp_supported(CR_IMB, s->encr, s->integ) ||
           (cr_esp_supported(CR_OSSL, s->encr, s->integ) &&
            (!s->integ || s->integ->id == AUTH_HMAC_SHA2_256_128));
}

static void collect_suites(void)
{
    for (size_t e = 0; e < alg_count; e++)
        for (size_t a = 0; a <= alg_count; a++) {
            struct suite s = {&alg_table[e], a ? &alg_table[a - 1] : NULL};
            if (worth_it(&s))
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
    /* AES-CBC, AES-CTR, DES, 3DES and NULL with 8 MACs, 3 GMAC of AH, 38 AEAD, 11 by OpenSSL */
    return suite_count == 9 * 8 + 3 + 38 + 11 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        cr_esp_ctx_free(ctx[i]);
    cr_fini();
    return 0;
}
