/* RC5-32/16 in CBC mode (RFC 2040, RFC 2451), which OpenSSL is seldom built with: libtomcrypt's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ltc_rc5;

struct ltc_rc5 *ltc_rc5_new(const uint8_t *key, size_t n); /* NULL: no memory */
void ltc_rc5_free(struct ltc_rc5 *k);                      /* wipes the key */
/* n: whole blocks of 8; in and out may be the same. */
bool ltc_rc5_cbc(struct ltc_rc5 *k, const uint8_t *iv, const uint8_t *in, uint8_t *out, size_t n,
                 bool encrypt);
