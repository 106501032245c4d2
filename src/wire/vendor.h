/* Vendor ID payloads: RFC 7296 3.12. Only named, for logs: no behaviour hangs on a name here. */
#pragma once

#include "base/cursor.h"

const char *vendor_name(struct bytes id); /* NULL if unknown */
/* The Vendor ID whose name that is, for IKEv1's announcements; empty if there is none. */
struct bytes vendor_id(const char *name);
