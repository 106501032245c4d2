/*
 * Host names of a configuration, resolved on the thread pool and remembered: the engine asks only
 * the memory. A name is asked again when its answer is older than a minute and somebody wants it.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include <uv.h>

struct names;

/* The first answer came, or another address than before. */
typedef void names_ready(void *ctx, const char *host);
struct names *names_new(uv_loop_t *loop, names_ready *ready, void *ctx) must_use;
void names_free(struct names *n);
void names_want(struct names *n, const char *host); /* starts resolving unless fresh */
/* From memory; also refreshes a stale answer behind the scenes. family 0: any. */
bool names_get(struct names *n, const char *host, uint8_t family, struct addr *out);
bool names_known(const struct names *n,
                 const char *host); /* an answer, good or bad, came already */
