/*
 * Distinguished names: the text of swanctl.conf ("C=CH, O=Example, CN=gw") and the DER of RFC 5280
 * 4.1.2.4. Inside of id.c; certificates' subjects are printed and compared by the same functions.
 */
#pragma once

#include "base/buf.h"

/* Text into DER; a value "*" stands for any. Its length, or 0: no name, or longer than max. */
size_t dn_parse(const char *text, uint8_t *out, size_t max);
void dn_print(struct bytes der, struct buf *out);
/* The same attributes in the same order; how strings are encoded and the case of ASCII letters do
 * not count (RFC 5280 7.1). 0 no, 2 with help of a "*" in the pattern, 3 yes. */
int dn_match(struct bytes pattern, struct bytes der);
