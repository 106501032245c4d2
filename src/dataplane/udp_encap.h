/* Telling apart what arrives on the NAT traversal port: RFC 3948 2. */
#pragma once

#include "base/cursor.h"

enum udp_kind {
    UDP_IS_ESP,
    UDP_IS_IKE,       /* after UDP_MARKER bytes of zero */
    UDP_IS_KEEPALIVE, /* one byte 0xff, RFC 3948 2.3 */
    UDP_IS_SHORT,
};

#define UDP_MARKER 4 /* the non-ESP marker: an SPI of zero, RFC 3948 2.2 */

static inline enum udp_kind udp_classify(const uint8_t *p, uint32_t len)
{
    if (len > UDP_MARKER)
        return get_u32(p) ? UDP_IS_ESP : UDP_IS_IKE;
    return len == 1 && p[0] == 0xff ? UDP_IS_KEEPALIVE : UDP_IS_SHORT;
}
