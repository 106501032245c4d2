/*
 * ICMP errors about our outer packets, from the kernel to the data planes (RFC 4301 8.2.1): at most
 * so many a second, for everybody may send them; whether one is believed the data plane decides.
 * Called by datapath.c, on its loop.
 */
#pragma once

#include "io/icmp.h"
#include <uv.h>

struct path_icmp;

struct path_icmp_sink {
    void *ctx;
    void (*quote)(void *ctx, const struct icmp_quote *q);
};

/* NULL: err says why; the daemon goes on without. */
struct path_icmp *path_icmp_open(uv_loop_t *loop, const struct path_icmp_sink *sink,
                                 struct io_error *err);
void path_icmp_close(struct path_icmp *p); /* then run the loop, then free; NULL is fine */
void path_icmp_free(struct path_icmp *p);
