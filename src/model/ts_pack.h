/*
 * Selectors in as many bytes as they need: a pair of IPv4 prefixes takes 30 in place of 2600. For
 * what there are tens of thousands of: CHILD SAs and rows of the SPD.
 */
#pragma once

#include "model/ts.h"

size_t ts_pack_size(const struct ts_list *l);
/* The end of what was written, or read. Of `out` only the selectors that count are touched. */
uint8_t *ts_pack(uint8_t *to, const struct ts_list *l);
const uint8_t *ts_unpack(const uint8_t *from, struct ts_list *out);
