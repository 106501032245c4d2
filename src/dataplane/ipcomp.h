/*
 * IPComp, RFC 3173, with DEFLATE (RFC 2394, RFC 1951): zlib's streams, made once for each worker.
 * Called by modes_in.c and modes_out.c.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define IPCOMP_HEADER 4  /* next header, flags, CPI */
#define IPCOMP_LEAST  90 /* shorter payloads are not tried: RFC 2394 2.2 */
#define IPCOMP_PROTO  108

struct ipcomp;

err_t ipcomp_new(struct ipcomp **out) must_use;
void ipcomp_free(struct ipcomp *z);

/* len bytes at `data` become header and compressed bytes, in place. False: they would not be fewer,
 * and are as they were. */
bool ipcomp_pack(struct ipcomp *z, uint8_t *data, uint32_t *len, uint8_t next, uint16_t cpi);
/* The bytes behind a header, into `out`. R_DP_IPCOMP: no whole stream of at most cap bytes. */
err_t ipcomp_unpack(struct ipcomp *z, const uint8_t *data, uint32_t len, uint8_t *out, uint32_t cap,
                    uint32_t *out_len) must_use;
