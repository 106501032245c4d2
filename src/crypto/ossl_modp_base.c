/*
 * Fixed-base exponentiation: x = sum of (d_i + 4) 16^i with random digits d_i, and row i of the
 * table holds g^((d + 4) 16^i) in Montgomery form, so that a power is one multiplication per digit
 * and no squaring. See ossl_modp_base.h.
 *
 * Nothing depends on the digits but which entry is kept: each look-up reads the whole row
 * (BN_consttime_swap), there is no digit that stands for the factor one, and all entries are as
 * long as the modulus, because a shorter one would take another way through the multiplication. The
 * offset of 4 is for that: the lowest powers of 2 in Montgomery form are short.
 */
#include <openssl/bn.h>

#include "base/secret.h"
#include "crypto/ossl_modp_base.h"
#include <stdlib.h>

#define ROW        16
#define OFFSET     4
#define DIGITS_MAX 128

struct modp_base {
    BN_MONT_CTX *mont;
    BIGNUM *offset; /* sum of OFFSET 16^i */
    size_t digits;
    int bits, words;
    BIGNUM *t[]; /* digits rows */
};

/* step := the next row's, step^16 */
static bool row_make(struct modp_base *b, BIGNUM **row, BIGNUM *step, BN_CTX *ctx)
{
    bool ok = true;
    for (size_t d = 0; ok && d < ROW; d++) {
        row[d] = BN_new();
        if (!row[d])
            return false;
        if (d)
            ok = BN_mod_mul_montgomery(row[d], row[d - 1], step, b->mont, ctx);
        else
            ok = BN_mod_mul_montgomery(row[0], step, step, b->mont, ctx) &&
                 BN_mod_mul_montgomery(row[0], row[0], row[0], b->mont, ctx);
        ok = ok && BN_num_bits(row[d]) > (b->words - 1) * BN_BITS2;
    }
    return ok && BN_copy(step, row[ROW - OFFSET]);
}

static bool offset_make(struct modp_base *b)
{
    b->offset = BN_new();
    bool ok = b->offset != NULL;
    for (size_t i = 0; ok && i < b->digits; i++)
        ok = BN_lshift(b->offset, b->offset, 4) && BN_add_word(b->offset, OFFSET);
    return ok;
}

struct modp_base *modp_base_new(const BIGNUM *g, BN_MONT_CTX *mont, const BIGNUM *p, int bits)
{
    size_t digits = ((size_t)bits + 3) / 4;
    struct modp_base *b = calloc(1, sizeof *b + digits * ROW * sizeof b->t[0]);
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *step = BN_new();
    bool ok = b && ctx && step && digits <= DIGITS_MAX;
    if (ok) {
        b->mont = mont;
        b->digits = digits;
        b->bits = bits;
        b->words = (BN_num_bits(p) + BN_BITS2 - 1) / BN_BITS2;
        ok = offset_make(b) && BN_to_montgomery(step, g, mont, ctx);
    }
    for (size_t i = 0; ok && i < digits; i++)
        ok = row_make(b, &b->t[i * ROW], step, ctx);
    BN_free(step);
    BN_CTX_free(ctx);
    if (ok)
        return b;
    modp_base_free(b);
    return NULL;
}

void modp_base_free(struct modp_base *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->digits * ROW; i++)
        BN_free(b->t[i]);
    BN_free(b->offset);
    free(b);
}

static bool look_up(const struct modp_base *b, size_t i, uint8_t digit, BIGNUM *out, BIGNUM *tmp)
{
    BIGNUM *const *row = &b->t[i * ROW];
    bool ok = BN_copy(out, row[0]) != NULL;
    for (uint8_t d = 1; ok && d < ROW; d++) {
        ok = BN_copy(tmp, row[d]) != NULL;
        if (ok)
            BN_consttime_swap(d == digit, out, tmp, b->words);
    }
    return ok;
}

static bool power(const struct modp_base *b, const uint8_t *nibbles, BIGNUM *r, BN_CTX *ctx)
{
    BIGNUM *entry = BN_new(), *tmp = BN_new();
    bool ok = entry && tmp && look_up(b, 0, nibbles[0] & 15, r, tmp);
    for (size_t i = 1; ok && i < b->digits; i++) {
        uint8_t d = (uint8_t)(nibbles[i / 2] >> (i % 2 * 4) & 15);
        ok = look_up(b, i, d, entry, tmp) && BN_mod_mul_montgomery(r, r, entry, b->mont, ctx);
    }
    BN_clear_free(entry);
    BN_clear_free(tmp);
    return ok && BN_from_montgomery(r, r, b->mont, ctx);
}

bool modp_base_draw(const struct modp_base *b, BIGNUM *x, BIGNUM *r)
{
    uint8_t nibbles[(DIGITS_MAX + 1) / 2];
    int n = (int)((b->digits + 1) / 2);
    BN_CTX *ctx = BN_CTX_secure_new();
    bool ok = ctx && BN_priv_rand(x, b->bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_bn2lebinpad(x, nibbles, n) == n && power(b, nibbles, r, ctx) &&
              BN_add(x, x, b->offset);
    secret_wipe(nibbles, sizeof nibbles);
    BN_CTX_free(ctx);
    return ok;
}
