/*
 * Receiving bursts (see sock.h). The address a datagram was sent to comes from PKTINFO, the TOS
 * byte from its control message; a raw IPv4 socket hands over the IP header (raw(7)), which is
 * checked and stepped over; of IPv6 one is made of the control messages, for AH and transport mode.
 */
#include "io/sock_scratch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

enum { ICMP_ERRORS_MAX = 16 }; /* pending errors skipped in one call */

/* IPv4 brings its header; in IPv6 there is room for one. */
static uint32_t front(const struct sock *s)
{
    return s->family == 6 && s->kind != SOCK_UDP ? SOCK_RAW6 : 0;
}

static void rx_prepare(const struct sock *s, struct sock_burst *b, const struct io_msg *msgs,
                       size_t n)
{
    uint32_t skip = front(s);
    for (size_t i = 0; i < n; i++) {
        uint32_t cap = msgs[i].cap > skip ? msgs[i].cap - skip : 0;
        b->iov[i] = (struct iovec){msgs[i].data + skip, cap};
        b->hdr[i].msg_hdr.msg_namelen = sizeof b->name[i];
        b->hdr[i].msg_hdr.msg_controllen = sizeof b->control[i];
        b->hdr[i].msg_hdr.msg_flags = 0;
    }
}

static struct endpoint endpoint_of(const union sock_name *name)
{
    struct endpoint e = {0};
    if (name->sa.sa_family == AF_INET) {
        e.addr.family = 4;
        memcpy(e.addr.ip, &name->in.sin_addr, 4);
        e.port = ntohs(name->in.sin_port);
    } else {
        e.addr.family = 6;
        memcpy(e.addr.ip, &name->in6.sin6_addr, 16);
        e.port = ntohs(name->in6.sin6_port);
    }
    return e;
}

static void take_control(struct io_msg *m, const struct cmsghdr *c)
{
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo pi;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        m->local.addr.family = 4;
        memcpy(m->local.addr.ip, &pi.ipi_addr, 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo pi;
        memcpy(&pi, CMSG_DATA(c), sizeof pi);
        m->local.addr.family = 6;
        memcpy(m->local.addr.ip, &pi.ipi6_addr, 16);
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
        m->tos = *(const uint8_t *)CMSG_DATA(c);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
        int v;
        memcpy(&v, CMSG_DATA(c), sizeof v);
        m->tos = (uint8_t)v;
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
        int v;
        memcpy(&v, CMSG_DATA(c), sizeof v);
        m->seg = (uint16_t)v;
    }
}

static uint8_t proto_of(const struct sock *s)
{
    return s->kind == SOCK_AH ? IPPROTO_AH : IPPROTO_ESP;
}

/* Over the header and, of AH, to the SPI: RFC 4302 2. */
static void step_over(const struct sock *s, struct io_msg *m, uint32_t header)
{
    m->ah = s->kind == SOCK_AH;
    header += m->ah ? 4 : 0;
    if (header > m->len)
        header = m->len;
    m->data += header;
    m->len -= header;
    m->head = (uint16_t)header;
}

/* RFC 791 3.1. The kernel reassembled it already; what does not add up becomes an empty message. */
static void strip_ipv4(const struct sock *s, struct io_msg *m)
{
    const uint8_t *p = m->data;
    uint32_t header = m->len >= 20 ? (p[0] & 15u) * 4 : 0;

    if (header < 20 || header > m->len || p[0] >> 4 != 4 || get_u16(p + 2) != m->len ||
        p[9] != proto_of(s)) {
        m->len = 0;
        return;
    }
    m->tos = p[1];
    m->remote.addr = addr_v4(p + 12);
    m->local.addr = addr_v4(p + 16);
    step_over(s, m, header);
}

/* The type of an extension header that came along; 255: it is none. */
static uint8_t ext_type(const struct cmsghdr *c)
{
    if (c->cmsg_level != IPPROTO_IPV6)
        return 255;
    return c->cmsg_type == IPV6_HOPOPTS   ? IPPROTO_HOPOPTS
           : c->cmsg_type == IPV6_RTHDR   ? IPPROTO_ROUTING
           : c->cmsg_type == IPV6_DSTOPTS ? IPPROTO_DSTOPTS
                                          : 255;
}

/*
 * The header of an IPv6 packet, from what the kernel tells of it (RFC 3542 4 to 6), in front of its
 * payload. The extension headers come in their order, each naming the next. What does not fit is
 * left out: then AH does not hold, and nothing else needs them.
 */
static void put_ipv6(const struct sock *s, struct msghdr *mh, struct io_msg *m)
{
    uint8_t ip[40 + SOCK_EXTS] = {[6] = proto_of(s), [7] = 64};
    uint32_t n = 40;
    put_u32(ip, 0x60000000u | (uint32_t)m->tos << 20);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        size_t len = c->cmsg_len - CMSG_LEN(0);
        uint8_t type = ext_type(c);
        if (type != 255 && n + len <= sizeof ip) {
            ip[6] = n == 40 ? type : ip[6];
            memcpy(ip + n, CMSG_DATA(c), len);
            n += (uint32_t)len;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
            ip[7] = *(const uint8_t *)CMSG_DATA(c);
        }
    }
    put_u16(ip + 4, (uint16_t)(n - 40 + m->len));
    memcpy(ip + 8, m->remote.addr.ip, 16);
    memcpy(ip + 24, m->local.addr.ip, 16);
    m->data += SOCK_RAW6 - n;
    m->len += n;
    memcpy(m->data, ip, n);
    step_over(s, m, n);
}

static void rx_finish(const struct sock *s, const struct mmsghdr *h, struct io_msg *m)
{
    m->len = h->msg_hdr.msg_flags & MSG_TRUNC ? 0 : h->msg_len;
    m->tos = 0;
    m->df = false;
    m->seg = 0;
    m->head = 0;
    m->ah = false;
    m->remote = endpoint_of(h->msg_hdr.msg_name);
    m->local = (struct endpoint){.port = s->port};
    struct msghdr mh = h->msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
        take_control(m, c);
    if (s->kind == SOCK_UDP)
        return;
    m->remote.port = 0;
    if (s->family == 4)
        strip_ipv4(s, m);
    else if (m->len)
        put_ipv6(s, &mh, m);
}

static bool unusable(int e)
{
    return e == EBADF || e == ENOTSOCK || e == EFAULT || e == EINVAL;
}

int sock_recv(struct sock *s, struct io_msg *msgs, size_t n)
{
    struct sock_burst *b = &s->scratch->rx;
    n = n > IO_BURST ? IO_BURST : n;
    rx_prepare(s, b, msgs, n);

    /* An ICMP error of an earlier message (ECONNREFUSED and the like) is read once and is gone. */
    for (int tries = 0; tries < ICMP_ERRORS_MAX; tries++) {
        int got = recvmmsg(s->fd, b->hdr, (unsigned)n, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++)
            rx_finish(s, &b->hdr[i], &msgs[i]);
        if (got >= 0)
            return got;
        if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
            return 0;
        if (unusable(errno))
            return E_SYS;
    }
    return 0;
}
