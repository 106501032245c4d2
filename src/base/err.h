/*
 * Errors as values. Zero is fine. Negative: our own failure (memory, system call, misuse).
 * Positive: a reason that a peer, a packet or the operator caused, one row of reason.def.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef int err_t;

#define must_use          __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

enum {
    E_OK = 0,
    E_NOMEM = -1,  /* allocation failed */
    E_SYS = -2,    /* a system call failed; the caller that made it holds errno's text */
    E_CRYPTO = -3, /* the crypto library failed in a way no input explains */
    E_SPACE = -4,  /* the output buffer is too small */
    E_USAGE = -5,  /* called out of order */
    E_NOTSUP = -6, /* this build or machine lacks it */
    E_AGAIN = -7,  /* nothing to do now */
};

enum reason {
    R_NONE = 0,
#define R(name, notify2, text) R_##name,
#include "base/reason.def"
#undef R
    R_COUNT
};

const char *err_name(err_t e); /* "no-proposal-chosen", "out of memory" ...: short and stable */
const char *err_text(err_t e); /* one sentence */

/* IKEv2 notify message type to answer a peer with (RFC 7296 3.10.1); 0 means silence. */
uint16_t err_notify2(err_t e);
