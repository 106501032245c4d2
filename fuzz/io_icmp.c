/* Any bytes as an ICMP error: what is read lies within them, and names an SPI or, with less
 * evidence, ports. */
#include "io/icmp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct icmp_quote q;
    if (size < 1)
        return 0;
    unsigned family = data[0] & 1 ? 6 : 4;
    if (icmp_parse(family, bytes_of(data + 1, size - 1), &q) &&
        (!q.spi != q.weak || (q.weak && !q.udp) || !q.mtu || q.local.addr.family != family || q.remote.addr.family != family))
        abort();
    return 0;
}
