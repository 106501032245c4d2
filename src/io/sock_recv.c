/*
 * Receiving bursts (see sock.h). The address a datagram was sent to comes from PKTINFO, the TOS
 * byte from its control message; a raw IPv4 socket hands over the IP header (raw(7)), which is
 * checked and stepped over, so that both families give the payload only.
 */
#include "io/sock_scratch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

enum { ICMP_ERRORS_MAX = 16 }; /* pending errors skipped in one call */

static void rx_prepare(struct sock_burst *b, const struct io_msg *msgs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        b->iov[i] = (struct iovec){msgs[i].data, msgs[i].cap};
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

/* RFC 791 3.1. The kernel reassembled it already; what does not add up becomes an empty message. */
static void strip_ipv4(struct io_msg *m)
{
    const uint8_t *p = m->data;
    size_t header = m->len >= 20 ? (size_t)(p[0] & 15) * 4 : 0;

    if (header < 20 || header > m->len || p[0] >> 4 != 4 || get_u16(p + 2) != m->len ||
        p[9] != IPPROTO_ESP) {
        m->len = 0;
        return;
    }
    m->tos = p[1];
    m->remote.addr = addr_v4(p + 12);
    m->local.addr = addr_v4(p + 16);
    m->data += header;
    m->len -= (uint32_t)header;
}

static void rx_finish(const struct sock *s, const struct mmsghdr *h, struct io_msg *m)
{
    m->len = h->msg_hdr.msg_flags & MSG_TRUNC ? 0 : h->msg_len;
    m->tos = 0;
    m->df = false;
    m->seg = 0;
    m->remote = endpoint_of(h->msg_hdr.msg_name);
    m->local = (struct endpoint){.port = s->port};
    struct msghdr mh = h->msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
        take_control(m, c);
    if (s->kind != SOCK_ESP)
        return;
    m->remote.port = 0;
    if (s->family == 4)
        strip_ipv4(m);
}

static bool unusable(int e)
{
    return e == EBADF || e == ENOTSOCK || e == EFAULT || e == EINVAL;
}

int sock_recv(struct sock *s, struct io_msg *msgs, size_t n)
{
    struct sock_burst *b = &s->scratch->rx;
    n = n > IO_BURST ? IO_BURST : n;
    rx_prepare(b, msgs, n);

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
