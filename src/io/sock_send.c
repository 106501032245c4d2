/*
 * Sending bursts (see sock.h). Source address and TOS go along as control messages; "don't
 * fragment" is a property of the socket in Linux (ip(7)), so a burst is cut where it changes and
 * the option set only then.
 */
#include "io/cut.h"
#include "io/sock_scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sock_put_control(struct msghdr *h, int level, int type, const void *v, size_t n)
{
    struct cmsghdr *c = (void *)((uint8_t *)h->msg_control + h->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(c), v, n);
    h->msg_controllen += CMSG_SPACE(n);
}

static void put_source(struct msghdr *h, const struct addr *a)
{
    if (a->family == 4) {
        struct in_pktinfo pi = {0};
        memcpy(&pi.ipi_spec_dst, a->ip, 4);
        sock_put_control(h, IPPROTO_IP, IP_PKTINFO, &pi, sizeof pi);
    } else {
        struct in6_pktinfo pi = {0};
        memcpy(&pi.ipi6_addr, a->ip, 16);
        sock_put_control(h, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof pi);
    }
}

/* Raw IPv6 sockets take a port for a protocol number (ipv6(7)), so it stays 0 there. */
static socklen_t put_name(const struct sock *s, union sock_name *name, const struct io_msg *m)
{
    const struct endpoint *to = &m->remote;
    uint16_t port = htons(s->kind == SOCK_UDP ? to->port : 0);
    if (to->addr.family == 4) {
        name->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        memcpy(&name->in.sin_addr, to->addr.ip, 4);
        return sizeof name->in;
    }
    name->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                      .sin6_port = port,
                                      .sin6_flowinfo = s->labels ? htonl(m->label) : 0};
    memcpy(&name->in6.sin6_addr, to->addr.ip, 16);
    return sizeof name->in6;
}

void sock_tx_prepare(const struct sock *s, struct sock_burst *b, size_t i, const struct io_msg *m)
{
    struct msghdr *h = &b->hdr[i].msg_hdr;
    int tos = m->tos, ttl = m->ttl;

    h->msg_namelen = put_name(s, &b->name[i], m);
    h->msg_controllen = 0;
    if (!addr_any(&m->local.addr))
        put_source(h, &m->local.addr);
    /* 0 is the socket's own; without it the rest fits the room that the kernel has on its stack */
    if (tos && s->family == 4)
        sock_put_control(h, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    else if (tos)
        sock_put_control(h, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    if (ttl && s->family == 4)
        sock_put_control(h, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    else if (ttl)
        sock_put_control(h, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
}

err_t sock_set_df(struct sock *s, bool df)
{
    /* PROBE: the path MTUs that the kernel learns do not count, for it believes any ICMP error that
     * names the right ports; the data plane looks closer (icmp.h) */
    int v4 = df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
    int v6 = df ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT;
    if (s->df == df)
        return 0;
    int r = s->family == 4 ? setsockopt(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4)
                           : setsockopt(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
    if (r < 0)
        return E_SYS;
    s->df = df;
    return 0;
}

static void tx_prepare(const struct sock *s, struct sock_burst *b, size_t i, const struct io_msg *m)
{
    b->iov[i] = (struct iovec){m->data, m->len};
    sock_tx_prepare(s, b, i, m);
}

/* The number of messages at the front that go out in one piece. */
static size_t run_of(const struct io_msg *msgs, size_t n)
{
    size_t i = 1;
    while (i < n && i < IO_BURST && msgs[i].df == msgs[0].df)
        i++;
    return i;
}

/* A datagram that the kernel found too big, with the same addresses and control messages, in
 * pieces; false: it may not be cut, or a piece was refused. */
static bool tx_cut(struct sock *s, const struct msghdr *h)
{
    uint8_t piece[CUT_SIZE];
    struct cut c;
    uint32_t n;
    if (s->kind != SOCK_WHOLE || s->df ||
        !cut_begin(&c, h->msg_iov->iov_base, (uint32_t)h->msg_iov->iov_len, arc4random()))
        return false;
    while ((n = cut_next(&c, piece)) != 0) {
        struct iovec iov = {piece, n};
        struct msghdr m = *h;
        m.msg_iov = &iov;
        if (sendmsg(s->fd, &m, MSG_DONTWAIT) < 0)
            return false;
    }
    return true;
}

void sock_clear_error(struct sock *s)
{
    int e;
    socklen_t n = sizeof e;
    (void)!getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &n);
}

/* A process of this machine may take flow labels for its own; then all others are refused
 * (IPV6_FL_S_EXCL). True: the message has none any more, and neither have those to come. */
static bool without_label(struct sock *s, struct msghdr *h)
{
    union sock_name *to = h->msg_name;
    if (s->family != 6 || !to->in6.sin6_flowinfo)
        return false;
    to->in6.sin6_flowinfo = 0;
    s->labels = false;
    return true;
}

/* The message may have been in the middle of a burst: then its error is kept for the next one as
 * well, which may be small enough. */
static void tx_failed(struct sock *s, int e, struct msghdr *h, const struct io_msg *m,
                      size_t *failed)
{
    if (e == EMSGSIZE || e == EINVAL)
        sock_clear_error(s);
    if (e == EINVAL && without_label(s, h) && sendmsg(s->fd, h, MSG_DONTWAIT) >= 0)
        return;
    if (e == EMSGSIZE && tx_cut(s, h))
        return;
    if (e == EMSGSIZE && m->df && s->ear.too_big)
        s->ear.too_big(s->ear.ctx, m);
    else
        ++*failed;
}

/* Number taken of the n prepared headers, those of m, or E_SYS. */
static int tx_run(struct sock *s, struct mmsghdr *h, const struct io_msg *m, size_t n,
                  size_t *failed)
{
    size_t at = 0;
    bool again = false; /* the same message once more: the error may be an earlier one's */

    while (at < n) {
        int k = sendmmsg(s->fd, h + at, (unsigned)(n - at), MSG_DONTWAIT);
        if (k > 0) {
            at += (size_t)k;
            again = false;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno == EBADF || errno == ENOTSOCK) {
            return E_SYS;
        } else if (errno == EINTR || (errno == ECONNREFUSED && !again)) {
            again = errno == ECONNREFUSED;
        } else {
            tx_failed(s, errno, &h[at].msg_hdr, &m[at], failed);
            at++;
            again = false;
        }
    }
    return (int)at;
}

int sock_send(struct sock *s, const struct io_msg *msgs, size_t n, size_t *failed)
{
    struct sock_burst *b = &s->scratch->tx;
    size_t done = 0;

    *failed = 0;
    while (done < n) {
        size_t run = run_of(msgs + done, n - done);
        if (sock_set_df(s, msgs[done].df) < 0)
            return done ? (int)done : E_SYS;
        for (size_t i = 0; i < run; i++)
            tx_prepare(s, b, i, &msgs[done + i]);
        int k = tx_run(s, b->hdr, msgs + done, run, failed);
        if (k < 0)
            return done ? (int)done : k;
        done += (size_t)k;
        if ((size_t)k < run)
            break;
    }
    return (int)done;
}
