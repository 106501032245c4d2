/* Any bytes as a packet between a LAN interface and us: what is forwarded lies within them, its
 * header stays sound, and an open checksum is one that can be closed. */
#include "base/cursor.h"
#include "io/forward.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool fine)
{
    if (!fine)
        abort();
}

static bool sound(const uint8_t *ip)
{
    uint32_t sum = 0;
    for (size_t i = 0; ip[0] >> 4 == 4 && i < FORWARD_IP4; i += 2)
        sum += get_u16(ip + i);
    sum = (sum & 0xffff) + (sum >> 16);
    return ip[0] >> 4 == 6 || (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static uint8_t hops(const uint8_t *ip)
{
    return ip[0] >> 4 == 4 ? ip[8] : ip[7];
}

static void in(uint8_t *ip, uint32_t n)
{
    uint32_t len = n;
    uint8_t before = n > 8 ? hops(ip) : 0;
    struct gso g = {0};
    if (!forward_in(ip, &len))
        return;
    check(len <= n && len >= FORWARD_IP4 && sound(ip) && hops(ip) == before - 1 && hops(ip) > 0);
    forward_open_csum(ip, len, &g);
    check(!g.needs_csum || g.csum_start + g.csum_offset + 2u <= len);
}

static void out(const uint8_t *ip, size_t n)
{
    uint8_t head[FORWARD_IP6];
    struct addr from, to;
    size_t k = forward_out(head, ip, n, &from, &to);
    check(k <= n && (k == 0 || k == FORWARD_IP4 || k == FORWARD_IP6));
    check(k == 0 || (hops(head) == hops(ip) - 1 && from.family == to.family));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1); /* its own size, so that reading past it is seen */
    if (copy && n <= 65535) {
        memcpy(copy, data, n);
        out(copy, n);
        in(copy, (uint32_t)n);
    }
    free(copy);
    return 0;
}
