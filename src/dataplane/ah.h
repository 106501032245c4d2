/*
 * The IP header as AH sees it: RFC 4302 3.3.3.1 and appendix A. What may change on the way becomes
 * zero, what changes in a way that the sender can foresee becomes what the receiver will see.
 * Called by modes_in.c and modes_out.c.
 */
#pragma once

#include "base/cursor.h"

#define AH_FIXED 12 /* next header, length, reserved, SPI, sequence number */

/* In place; hlen: the header and the options or extension headers in front of AH. R_DP_HEADER: not
 * in good order, or with parts whose change nobody can foresee. */
err_t ah_zero(uint8_t *ip, uint32_t hlen) must_use;

/* Bytes of AH with its ICV: whole words in IPv4, eight bytes in IPv6 (RFC 4302 2.6). */
static inline uint32_t ah_size(unsigned family, uint32_t icv_len)
{
    uint32_t to = family == 4 ? 3 : 7;
    return (AH_FIXED + icv_len + to) & ~to;
}
