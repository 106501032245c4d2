/*
 * IP addresses and UDP endpoints as plain values, in network byte order, without sockets'
 * structs. Comparing two values compares all their bytes, so keep the unused ones zero.
 */
#pragma once

#include "base/cursor.h"

struct addr {
    uint8_t family; /* 4, 6, or 0: none ("%any") */
    uint8_t ip[16]; /* IPv4 in the first four bytes */
};

struct endpoint {
    struct addr addr;
    uint16_t port; /* host order */
};

#define ADDR_STR_MAX     48
#define ENDPOINT_STR_MAX 56

static inline size_t addr_len(const struct addr *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

struct addr addr_v4(const uint8_t ip[4]);
struct addr addr_v6(const uint8_t ip[16]);
bool addr_eq(const struct addr *a, const struct addr *b);
int addr_cmp(const struct addr *a, const struct addr *b); /* families first, then bytes */
bool addr_any(const struct addr *a);                      /* no family, or all zeros */
bool addr_parse(struct addr *a, const char *text);        /* "192.0.2.1", "2001:db8::1" */
/* "10.1.0.0/16" to prefix and bits; a bare address gets 32 or 128. Host bits may be set. */
bool addr_parse_prefix(struct addr *a, unsigned *bits, const char *text);
/* First and last address of a prefix. */
void addr_prefix_range(const struct addr *a, unsigned bits, struct addr *lo, struct addr *hi);
/*
 * Cuts a range into the fewest prefixes, one a call: `at` starts as the first address and moves on.
 * False when the prefix just given is the last.
 */
bool addr_range_cut(struct addr *at, const struct addr *hi, struct addr *prefix, unsigned *bits);
const char *addr_str(const struct addr *a, char out[ADDR_STR_MAX]); /* "%any" for none */
const char *endpoint_str(const struct endpoint *e, char out[ENDPOINT_STR_MAX]); /* a[500] */
bool endpoint_eq(const struct endpoint *a, const struct endpoint *b);
