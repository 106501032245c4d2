/* rtnetlink requests (see rtnl.h, netlink(7)). Blocking: the kernel answers at once. */
#include "io/rtnl.h"

#include <errno.h>
#include <sys/socket.h>

int rtnl_open(struct rtnl *r)
{
    int on = 1;
    r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!r->socket)
        return -errno;
    if (mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int e = errno;
        rtnl_close(r);
        return -e;
    }
    /* Lets the kernel pick the rows of one table; older kernels send all and we pick. */
    (void)!mnl_socket_setsockopt(r->socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    r->port = mnl_socket_get_portid(r->socket);
    return 0;
}

void rtnl_close(struct rtnl *r)
{
    if (r->socket)
        mnl_socket_close(r->socket);
    r->socket = NULL;
}

struct nlmsghdr *rtnl_begin(struct rtnl *r, uint16_t type, uint16_t flags, size_t n, void **extra)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(r->buf);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
        h->nlmsg_flags |= NLM_F_ACK;
    *extra = mnl_nlmsg_put_extra_header(h, n);
    return h;
}

void rtnl_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
    mnl_attr_put(h, type, addr_len(a), a->ip);
}

const struct nlattr *rtnl_attr(const struct nlmsghdr *h, size_t n, uint16_t type)
{
    const uint8_t *end = mnl_nlmsg_get_payload_tail(h);
    const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, n);
    while (mnl_attr_ok(a, (int)(end - (const uint8_t *)a))) {
        if (mnl_attr_get_type(a) == type)
            return a;
        a = mnl_attr_next(a);
    }
    return NULL;
}

struct addr rtnl_get_addr(const struct nlattr *a, uint8_t af)
{
    size_t want = af == AF_INET ? 4 : 16;
    if (!a || mnl_attr_get_payload_len(a) != want)
        return (struct addr){0};
    return af == AF_INET ? addr_v4(mnl_attr_get_payload(a)) : addr_v6(mnl_attr_get_payload(a));
}

/* What is left of an answer that was given up (NLM_F_DUMP_INTR) carries an older number. */
static bool stale(const struct rtnl *r, ssize_t n, uint32_t seq)
{
    const struct nlmsghdr *h = (const void *)r->buf;
    return mnl_nlmsg_ok(h, (int)n) && h->nlmsg_seq != seq;
}

int rtnl_talk(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
    uint32_t seq = h->nlmsg_seq = ++r->seq;
    if (mnl_socket_sendto(r->socket, h, h->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(r->socket, r->buf, sizeof r->buf);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n < 0 || stale(r, n, seq))
            continue;
        int k = mnl_cb_run(r->buf, (size_t)n, seq, r->port, cb, data);
        if (k <= 0)
            return k < 0 ? -errno : 0;
    }
}

uint8_t rtnl_af(uint8_t family)
{
    return family == 4 ? AF_INET : AF_INET6;
}
