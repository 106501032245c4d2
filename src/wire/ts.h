/* Body of TSi and TSr payloads: RFC 7296 3.13. */
#pragma once

#include "model/ts.h"

enum { TS_IPV4_ADDR_RANGE = 7, TS_IPV6_ADDR_RANGE = 8, TS_FC_ADDR_RANGE = 9 };

/*
 * Unknown selector types and selectors beyond TS_MAX are checked as far as they can be and skipped,
 * which only narrows what is negotiated. The list may thus be empty after success. R_SYNTAX: no
 * selector, a start over its end, ports with protocol "any", counts; R_LENGTH: a selector's length
 * does not suit its type.
 */
err_t ts_body_parse(struct bytes body, struct ts_list *out) must_use;
void ts_body_write(struct wr *w, const struct ts_list *l); /* E_USAGE in w for an empty list */
