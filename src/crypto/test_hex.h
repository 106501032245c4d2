/* For the tests beside the code: known answers are hex strings. */
#pragma once

#include "crypto/crypto.h"
#include <assert.h>

static inline uint8_t unhex_digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static inline struct bytes unhex(const char *s, uint8_t *out, size_t cap)
{
    size_t n = strlen(s) / 2;
    assert(n <= cap);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(unhex_digit(s[2 * i]) << 4 | unhex_digit(s[2 * i + 1]));
    return bytes_of(out, n);
}

static inline const struct alg *alg_word(const char *word)
{
    return *word ? alg_by_name(word, strlen(word)) : NULL;
}
