/* Reading ICMP errors: see icmp.h. */
#include "io/icmp.h"
#include "io/fail.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { P_UDP = 17, P_ESP = 50, P_AH = 51, UDP_HEADER = 8, ICMP_HEADER = 8, IP6_HEADER = 40 };

/* --- parsing --- */

/* RFC 1071; the kernel checks ICMPv6 itself, but not what raw IPv4 sockets get. */
static bool sum_ok(struct bytes b)
{
    uint32_t sum = b.n & 1 ? (uint32_t)b.p[b.n - 1] << 8 : 0;
    for (size_t i = 0; i + 1 < b.n; i += 2)
        sum += get_u16(b.p + i);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* What follows the quoted IP header; AH has its SPI behind four bytes (RFC 4302 2). SPI 0 is IKE's marker (RFC 3948 2.2). */
static bool take_ipsec(uint8_t proto, struct bytes b, struct icmp_quote *out)
{
    if (proto == P_UDP && b.n >= UDP_HEADER) {
        out->udp = true;
        out->local.port = get_u16(b.p);
        out->remote.port = get_u16(b.p + 2);
        b = bytes_of(b.p + UDP_HEADER, b.n - UDP_HEADER);
        out->weak = b.n < 8;
        if (out->weak)
            return true;
    } else if (proto == P_AH && b.n >= 4) {
        out->ah = true;
        b = bytes_of(b.p + 4, b.n - 4);
    } else if (proto != P_ESP) {
        return false;
    }
    if (b.n < 8)
        return false;
    out->spi = get_u32(b.p);
    out->seq = get_u32(b.p + 4);
    return out->spi != 0;
}

/* RFC 1191 5: routers that tell no MTU; the plateaus of its section 7 that still exist. */
static uint16_t plateau_below(uint32_t len)
{
    static const uint16_t plateaus[] = {17914, 8166, 4352, 2002, 1492, 1006, 576};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < len)
            return plateaus[i];
    return 576;
}

static bool parse4(struct bytes b, struct icmp_quote *out)
{
    size_t outer = b.n >= 20 ? (size_t)(b.p[0] & 15) * 4 : 0;
    if (outer < 20 || b.n < outer + ICMP_HEADER + 20)
        return false;
    struct bytes icmp = bytes_of(b.p + outer, b.n - outer);
    const uint8_t *ip = icmp.p + ICMP_HEADER;
    size_t left = icmp.n - ICMP_HEADER, head = (size_t)(ip[0] & 15) * 4;
    if (icmp.p[0] != ICMP_DEST_UNREACH || icmp.p[1] != ICMP_FRAG_NEEDED || !sum_ok(icmp) ||
        ip[0] >> 4 != 4 || head < 20 || head > left || (get_u16(ip + 6) & 0x1fff))
        return false;
    out->mtu = get_u16(icmp.p + 6);
    if (!out->mtu)
        out->mtu = plateau_below(get_u16(ip + 2));
    out->local.addr = addr_v4(ip + 12);
    out->remote.addr = addr_v4(ip + 16);
    return take_ipsec(ip[9], bytes_of(ip + head, left - head), out);
}

static bool parse6(struct bytes b, struct icmp_quote *out)
{
    if (b.n < ICMP_HEADER + IP6_HEADER || b.p[0] != ICMP6_PACKET_TOO_BIG)
        return false;
    const uint8_t *ip = b.p + ICMP_HEADER;
    uint32_t mtu = get_u32(b.p + 4);
    if (ip[0] >> 4 != 6 || mtu == 0)
        return false;
    out->mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
    out->local.addr = addr_v6(ip + 8);
    out->remote.addr = addr_v6(ip + 24);
    return take_ipsec(ip[6], bytes_of(ip + IP6_HEADER, b.n - ICMP_HEADER - IP6_HEADER), out);
}

bool icmp_parse(unsigned family, struct bytes packet, struct icmp_quote *out)
{
    *out = (struct icmp_quote){0};
    return family == 4 ? parse4(packet, out) : parse6(packet, out);
}

/* --- sockets --- */

static int open_one(int at)
{
    struct icmp_filter f4 = {.data = ~(1u << ICMP_DEST_UNREACH)};
    struct icmp6_filter f6;
    ICMP6_FILTER_SETBLOCKALL(&f6);
    ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &f6);
    int type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = at ? socket(AF_INET6, type, IPPROTO_ICMPV6) : socket(AF_INET, type, IPPROTO_ICMP);
    if (fd < 0)
        return -1;
    int r = at ? setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f6, sizeof f6)
               : setsockopt(fd, SOL_RAW, ICMP_FILTER, &f4, sizeof f4);
    if (r == 0)
        return fd;
    close(fd);
    return -1;
}

err_t icmp_open(struct icmp_port *p, struct io_error *err)
{
    for (int at = 0; at < 2; at++)
        p->fd[at] = open_one(at);
    if (p->fd[0] < 0 && p->fd[1] < 0)
        return io_fail(err, errno, HINT_NET_RAW, "cannot read ICMP errors");
    return E_OK;
}

void icmp_close(struct icmp_port *p)
{
    for (int at = 0; at < 2; at++) {
        if (p->fd[at] >= 0)
            close(p->fd[at]);
        p->fd[at] = -1;
    }
}

bool icmp_next(struct icmp_port *p, int at, struct icmp_quote *out, bool *any)
{
    uint8_t buf[1500];
    ssize_t n = recv(p->fd[at], buf, sizeof buf, MSG_DONTWAIT);
    *any = n >= 0;
    return n > 0 && icmp_parse(at ? 6 : 4, bytes_of(buf, (size_t)n), out);
}
