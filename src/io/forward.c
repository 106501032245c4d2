/* Headers on their way through a router: see forward.h. */
#include "io/forward.h"
#include "base/cursor.h"

enum { NH_HOP = 0, NH_TCP = 6, NH_UDP = 17 };

static uint32_t sum_of(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i += 2)
        sum += get_u16(p + i);
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* RFC 1812 5.3.7, RFC 4291 2.5: addresses that no router forwards from or to. */
static bool roams4(const uint8_t *a)
{
    return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

static bool roams6(const uint8_t *a)
{
    return (a[0] | a[1]) != 0 && !(a[0] == 0xfe && (a[1] & 0xc0) == 0x80) && a[0] != 0xff;
}

/* RFC 1141: the sum grows by what the word with the hop limit loses. */
static void count_down4(uint8_t *ip)
{
    uint32_t sum = get_u16(ip + 10) + 0x100u;
    ip[8]--;
    put_u16(ip + 10, (uint16_t)(sum + (sum >= 0xffff)));
}

static bool in4(uint8_t *ip, uint32_t *len)
{
    if (*len < FORWARD_IP4 || ip[0] != 0x45 || ip[8] <= 1)
        return false;
    uint32_t total = get_u16(ip + 2);
    if (total < FORWARD_IP4 || total > *len || fold(sum_of(ip, FORWARD_IP4, 0)) != 0xffff)
        return false;
    *len = total;
    count_down4(ip);
    return true;
}

static bool in6(uint8_t *ip, uint32_t *len)
{
    if (*len < FORWARD_IP6 || ip[0] >> 4 != 6 || ip[7] <= 1)
        return false;
    uint32_t total = FORWARD_IP6 + (uint32_t)get_u16(ip + 4);
    if (total > *len)
        return false;
    *len = total;
    ip[7]--;
    return true;
}

bool forward_in(uint8_t *ip, uint32_t *len)
{
    return in4(ip, len) || in6(ip, len);
}

size_t forward_out(uint8_t *out, const uint8_t *ip, size_t n, struct addr *from, struct addr *to)
{
    if (n >= FORWARD_IP4 && ip[0] == 0x45 && ip[8] > 1 && roams4(ip + 12) && roams4(ip + 16)) {
        memcpy(out, ip, FORWARD_IP4);
        count_down4(out);
        *from = addr_v4(ip + 12);
        *to = addr_v4(ip + 16);
        return FORWARD_IP4;
    }
    if (n >= FORWARD_IP6 && ip[0] >> 4 == 6 && ip[7] > 1 && ip[6] != NH_HOP && roams6(ip + 8) &&
        roams6(ip + 24)) {
        memcpy(out, ip, FORWARD_IP6);
        out[7]--;
        *from = addr_v6(ip + 8);
        *to = addr_v6(ip + 24);
        return FORWARD_IP6;
    }
    return 0;
}

void forward_open_csum(const uint8_t *ip, uint32_t len, struct gso *g)
{
    bool v4 = ip[0] >> 4 == 4;
    uint32_t l4 = v4 ? FORWARD_IP4 : FORWARD_IP6, at = v4 ? 12 : 8;
    uint8_t proto = v4 ? ip[9] : ip[6];
    uint16_t offset = proto == NH_TCP ? 16 : proto == NH_UDP ? 6 : 0;
    if (offset == 0 || len < l4 + offset + 2u)
        return;
    uint32_t sum = sum_of(ip + at, l4 - at, proto + len - l4);
    if (get_u16(ip + l4 + offset) != fold(sum))
        return;
    g->needs_csum = true;
    g->csum_start = (uint16_t)l4;
    g->csum_offset = offset;
}
