/* Fills a struct io_error: one line with what was tried, why it failed and the way out. */
#pragma once

#include "io/sock.h"

#define HINT_NET_ADMIN "needs root or CAP_NET_ADMIN"
#define HINT_NET_RAW   "needs root or CAP_NET_RAW"

/* "WHAT: strerror(e)[: HINT]". hint may be NULL, err too. Returns E_SYS. */
err_t io_fail(struct io_error *err, int e, const char *hint, const char *what, ...)
    printf_like(4, 5);
/* The hint for a refusal of permission, else NULL. */
const char *io_hint_perm(int e, const char *hint);
