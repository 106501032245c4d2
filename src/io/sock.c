/*
 * Opening the sockets of the encrypted side (see sock.h): UDP for IKE and ESP in UDP (RFC 7296 2,
 * RFC 3948) and raw sockets for protocol 50 (RFC 4303 2). Bursts are in sock_recv.c and
 * sock_send.c.
 *
 * UDP_ENCAP is not set: ESP in UDP is for us, not for the kernel. Nor is SO_REUSEADDR, so that a
 * second IKE daemon is noticed at once instead of stealing half of the messages.
 */
#include "io/fail.h"
#include "io/sock_scratch.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER_BYTES = 8 << 20 };

enum {
    FLOWINFO_SEND = 33
}; /* IPV6_FLOWINFO_SEND of linux/in6.h, which has no place beside netinet/in.h */

struct option {
    int level, name, value;
};

static const struct option options4[] = {
    {IPPROTO_IP, IP_PKTINFO, 1},
    {IPPROTO_IP, IP_RECVTOS, 1}, /* RFC 6040: ECN of the outer header counts on decapsulation */
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT},
};

static const struct option options6[] = {
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT},
    {IPPROTO_IPV6, IPV6_V6ONLY, 1}, /* last: raw sockets have no such choice (EINVAL) */
};

/* Of IPv6 a raw socket hands over the payload alone (RFC 3542 3); AH holds what is in front. */
static const struct option options_raw6[] = {
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
    {IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1},
    {IPPROTO_IPV6, IPV6_RECVRTHDR, 1},
    {IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1},
};

static const char *describe(const struct sock *s, char out[48])
{
    static const char *const names[] = {[SOCK_ESP] = "ESP ", [SOCK_AH] = "AH ", [SOCK_WHOLE] = ""};
    if (s->kind != SOCK_UDP)
        snprintf(out, 48, "raw %ssocket (IPv%u)", names[s->kind], s->family);
    else
        snprintf(out, 48, "UDP port %u (IPv%u)", s->port, s->family);
    return out;
}

static err_t make_fd(struct sock *s, struct io_error *err)
{
    int domain = s->family == 4 ? AF_INET : AF_INET6;
    static const int protos[] = {IPPROTO_UDP, IPPROTO_ESP, IPPROTO_AH, IPPROTO_RAW};
    int type = (s->kind == SOCK_UDP ? SOCK_DGRAM : SOCK_RAW) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    char what[48];

    s->fd = socket(domain, type, protos[s->kind]);
    if (s->fd >= 0)
        return 0;
    int e = errno;
    const char *hint = io_hint_perm(e, HINT_NET_RAW);
    io_fail(err, e, hint, "cannot create socket for %s", describe(s, what));
    return e == EAFNOSUPPORT ? E_NOTSUP : E_SYS;
}

static err_t set_each(struct sock *s, const struct option *o, size_t n, struct io_error *err)
{
    char what[48];
    for (size_t i = 0; i < n; i++) {
        if (setsockopt(s->fd, o[i].level, o[i].name, &o[i].value, sizeof o[i].value) < 0)
            return io_fail(err, errno, NULL, "cannot set option %d of %s", o[i].name,
                           describe(s, what));
    }
    return 0;
}

/* Then the address that a message goes to names its flow label as well (RFC 6437). */
static void use_labels(struct sock *s)
{
    int on = 1;
    s->labels = s->family == 6 && s->kind != SOCK_WHOLE &&
                setsockopt(s->fd, IPPROTO_IPV6, FLOWINFO_SEND, &on, sizeof on) == 0;
}

static err_t set_options(struct sock *s, struct io_error *err)
{
    use_labels(s);
    size_t n4 = sizeof options4 / sizeof *options4, n6 = sizeof options6 / sizeof *options6;
    size_t raw6 = sizeof options_raw6 / sizeof *options_raw6;
    if (s->family == 4)
        return set_each(s, options4, n4, err);
    if (s->kind == SOCK_UDP)
        return set_each(s, options6, n6, err);
    err_t e = set_each(s, options6, n6 - 1, err);
    return e ? e : set_each(s, options_raw6, raw6, err);
}

static err_t set_mark(struct sock *s, uint32_t mark, struct io_error *err)
{
    char what[48];
    if (mark == 0 || setsockopt(s->fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0)
        return 0;
    int e = errno;
    return io_fail(err, e, io_hint_perm(e, HINT_NET_ADMIN), "cannot set SO_MARK of %s",
                   describe(s, what));
}

/* A burst must find room; smaller buffers only cost packets, so failure is no error. */
static void set_buffers(struct sock *s)
{
    int n = BUFFER_BYTES;
    if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &n, sizeof n) < 0)
        (void)!setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
    if (setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof n) < 0)
        (void)!setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
}

static err_t bind_failed(struct sock *s, int e, struct io_error *err)
{
    char hint[128], what[48];
    if (e == EADDRINUSE)
        snprintf(hint, sizeof hint, "another IKE daemon is running (try: ss -ulpn sport = :%u)",
                 s->port);
    else if (e == EACCES || e == EPERM)
        snprintf(hint, sizeof hint, "needs root or CAP_NET_BIND_SERVICE");
    else
        return io_fail(err, e, NULL, "cannot bind %s", describe(s, what));
    return io_fail(err, e, hint, "cannot bind %s", describe(s, what));
}

static err_t bind_port(struct sock *s, struct io_error *err)
{
    union sock_name name = {0};
    socklen_t n = s->family == 4 ? sizeof name.in : sizeof name.in6;

    if (s->family == 4) {
        name.in.sin_family = AF_INET;
        name.in.sin_port = htons(s->port);
    } else {
        name.in6.sin6_family = AF_INET6;
        name.in6.sin6_port = htons(s->port);
    }
    if (bind(s->fd, &name.sa, n) < 0 || getsockname(s->fd, &name.sa, &n) < 0)
        return bind_failed(s, errno, err);
    s->port = ntohs(s->family == 4 ? name.in.sin_port : name.in6.sin6_port);
    return 0;
}

static void burst_init(struct sock_burst *b)
{
    for (size_t i = 0; i < IO_BURST; i++) {
        struct msghdr *h = &b->hdr[i].msg_hdr;
        h->msg_name = &b->name[i];
        h->msg_iov = &b->iov[i];
        h->msg_iovlen = 1;
        h->msg_control = b->control[i];
    }
}

static err_t make_scratch(struct sock *s, struct io_error *err)
{
    s->scratch = calloc(1, sizeof *s->scratch);
    if (!s->scratch) {
        io_fail(err, ENOMEM, NULL, "cannot allocate socket buffers");
        return E_NOMEM;
    }
    burst_init(&s->scratch->rx);
    burst_init(&s->scratch->tx);
    burst_init(&s->scratch->gso.burst);
    return 0;
}

static err_t open_as(struct sock *s, bool beside, uint32_t mark, struct io_error *err)
{
    err_t e = make_fd(s, err);
    if (!e)
        e = set_options(s, err);
    if (!e)
        e = set_mark(s, mark, err);
    if (!e && beside)
        e = sock_share(s, err);
    if (!e && s->kind == SOCK_UDP)
        e = bind_port(s, err);
    if (!e)
        e = make_scratch(s, err);
    if (e)
        sock_close(s);
    else
        set_buffers(s);
    return e;
}

err_t sock_open(struct sock *s, enum sock_kind kind, uint8_t family, uint16_t port, uint32_t mark,
                struct io_error *err)
{
    *s = (struct sock){.fd = -1, .family = family, .kind = kind};
    s->port = kind == SOCK_UDP ? port : 0;
    return open_as(s, false, mark, err);
}

err_t sock_open_beside(struct sock *s, const struct sock *first, uint32_t mark,
                       struct io_error *err)
{
    *s = (struct sock){.fd = -1, .family = first->family, .kind = SOCK_UDP, .port = first->port};
    return open_as(s, true, mark, err);
}

uint64_t sock_dropped(const struct sock *s)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}

void sock_close(struct sock *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    free(s->scratch);
    s->scratch = NULL;
}
