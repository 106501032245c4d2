/*
 * Powers of a generator that never changes, from a table: a third of what BN_mod_exp costs. Used by
 * ossl_ke_modp.c. Include <openssl/bn.h> first; only ossl_*.c may.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct modp_base;

/* For exponents of `bits` bits; mont belongs to the group and outlives the table. NULL: no memory,
 * or a group in which a look-up would not take the same time for every entry. */
struct modp_base *modp_base_new(const BIGNUM *g, BN_MONT_CTX *mont, const BIGNUM *p, int bits);
void modp_base_free(struct modp_base *b);
/* Draws a private value x and computes r = g^x mod p. */
bool modp_base_draw(const struct modp_base *b, BIGNUM *x, BIGNUM *r);
