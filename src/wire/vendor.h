/* Vendor ID payloads: RFC 7296 3.12. Only named, for logs and screens: no behaviour hangs on a name
 * here. */
#pragma once

#include "base/cursor.h"

const char *vendor_name(struct bytes id); /* NULL if unknown */
/* The Vendor ID whose name that is, for IKEv1's announcements; empty if there is none. Where
 * several have that name it is the one that we send. */
struct bytes vendor_id(const char *name);

/* What a peer sent, in one word: a bit for each that is known, one for all others. */
uint32_t vendor_bit(struct bytes id);
typedef void vendor_fn(void *ctx, const char *name);
void vendors_print(uint32_t bits, vendor_fn *fn, void *ctx); /* each name once */
