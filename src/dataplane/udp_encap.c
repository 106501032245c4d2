/* UDP encapsulation: see udp_encap.h. */
#include "dataplane/udp_encap.h"

enum udp_kind udp_classify(const uint8_t *p, uint32_t len)
{
    if (len == 1 && p[0] == 0xff)
        return UDP_IS_KEEPALIVE;
    if (len <= UDP_MARKER)
        return UDP_IS_SHORT;
    return get_u32(p) ? UDP_IS_ESP : UDP_IS_IKE;
}
