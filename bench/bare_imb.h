/* Intel ipsec-mb alone, on the buffers of bench-dataplane: what culvert's packet path is held
 * against. Nothing of culvert runs here. */
#pragma once

#include "dp_rig.h"

struct bare;

/* Keys for `sas` SAs, all equal but each in its own memory. */
struct bare *bare_new(const struct bench_suite *s, uint32_t sas,
                      uint32_t batch); /* exits when it cannot */
void bare_free(struct bare *b);

/*
 * A batch of packets in one go, in place; p[i] is at the SPI, headers are there already. ICVs are
 * computed, also while opening, and written to the packet or aside; nobody compares them.
 */
void bare_seal(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t text_len);
void bare_open(struct bare *b, uint8_t *const *p, const uint32_t *sa, uint32_t text_len);
