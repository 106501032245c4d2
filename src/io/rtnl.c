/* rtnetlink requests (see rtnl.h, netlink(7)). Blocking: the kernel answers at once. */
#include "io/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
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

static struct nlmsghdr *put_header(void *at, uint16_t type, uint16_t flags, size_t n, void **extra)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(at);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    *extra = mnl_nlmsg_put_extra_header(h, n);
    return h;
}

struct nlmsghdr *rtnl_begin(struct rtnl *r, uint16_t type, uint16_t flags, size_t n, void **extra)
{
    bool dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
    return put_header(r->buf, type, dump ? flags : flags | NLM_F_ACK, n, extra);
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

/* Answers to all of them must fit the socket's buffer, where each takes its kilobyte. */
enum { BATCH_MESSAGES = 100, MESSAGE_MAX = 256 };

static void batch_close(struct rtnl_batch *b)
{
    if (!b->last)
        return;
    b->bytes += NLMSG_ALIGN(b->last->nlmsg_len);
    b->last->nlmsg_seq = ++b->r->seq;
}

struct nlmsghdr *rtnl_next(struct rtnl_batch *b, uint16_t type, uint16_t flags, size_t n,
                           void **extra)
{
    if (b->n == BATCH_MESSAGES || b->bytes + 2 * MESSAGE_MAX > sizeof b->r->buf)
        return NULL;
    batch_close(b);
    b->last = put_header(b->r->buf + b->bytes, type, flags, n, extra);
    b->n++;
    return b->last;
}

/* True when the last request was answered. */
static bool batch_answers(const struct rtnl_batch *b, ssize_t n, uint32_t first,
                          rtnl_failed_fn *failed, void *ctx)
{
    const struct nlmsghdr *h = (const void *)b->r->buf;
    bool done = false;
    for (int left = (int)n; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
        uint32_t number = h->nlmsg_seq - first;
        if (h->nlmsg_type != NLMSG_ERROR || number >= b->n)
            continue;
        if (e->error && failed)
            failed(ctx, number, e->error);
        done |= number == b->n - 1;
    }
    return done;
}

int rtnl_flush(struct rtnl_batch *b, rtnl_failed_fn *failed, void *ctx)
{
    struct rtnl *r = b->r;
    if (!b->n)
        return 0;
    b->last->nlmsg_flags |= NLM_F_ACK;
    batch_close(b);
    uint32_t first = r->seq - (uint32_t)b->n + 1;
    int e = mnl_socket_sendto(r->socket, r->buf, b->bytes) < 0 ? -errno : 0;
    for (bool done = false; !e && !done;) {
        ssize_t n = mnl_socket_recvfrom(r->socket, r->buf, sizeof r->buf);
        if (n >= 0)
            done = batch_answers(b, n, first, failed, ctx);
        else if (errno != EINTR)
            e = -errno;
    }
    *b = (struct rtnl_batch){.r = r};
    return e;
}

uint8_t rtnl_af(uint8_t family)
{
    return family == 4 ? AF_INET : AF_INET6;
}

uint32_t rtnl_route_mtu(const struct nlmsghdr *h)
{
    const struct nlattr *metrics = rtnl_attr(h, sizeof(struct rtmsg), RTA_METRICS);
    const struct nlattr *cache = rtnl_attr(h, sizeof(struct rtmsg), RTA_CACHEINFO);
    struct rta_cacheinfo info = {0};
    if (cache && mnl_attr_get_payload_len(cache) >= sizeof info)
        memcpy(&info, mnl_attr_get_payload(cache), sizeof info);
    if (!metrics || info.rta_expires)
        return 0;
    const struct nlattr *a = mnl_attr_get_payload(metrics);
    const uint8_t *end = (const uint8_t *)a + mnl_attr_get_payload_len(metrics);
    for (; mnl_attr_ok(a, (int)(end - (const uint8_t *)a)); a = mnl_attr_next(a))
        if (mnl_attr_get_type(a) == RTAX_MTU && mnl_attr_get_payload_len(a) == 4)
            return mnl_attr_get_u32(a);
    return 0;
}
