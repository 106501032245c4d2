/* Interfaces and routes that change: see link_watch.h. */
#include "io/link_watch.h"
#include "io/fail.h"
#include "io/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

/* An interface says much that has nothing to do with its MTU. */
struct known {
    int ifindex;
    uint32_t mtu;
};

struct link_watch {
    struct mnl_socket *socket;
    uint32_t table;
    struct known *known;
    size_t count;
    bool changed;
};

static struct known *known_of(struct link_watch *w, int ifindex)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->known[i].ifindex == ifindex)
            return &w->known[i];
    struct known *more = realloc(w->known, (w->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    w->known = more;
    w->known[w->count] = (struct known){.ifindex = ifindex};
    return &w->known[w->count++];
}

static void forget(struct link_watch *w, int ifindex)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->known[i].ifindex == ifindex)
            w->known[i--] = w->known[--w->count];
}

static void on_link(struct link_watch *w, const struct nlmsghdr *h)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
    const struct nlattr *a = rtnl_attr(h, sizeof *ifi, IFLA_MTU);
    if (h->nlmsg_type == RTM_DELLINK) {
        forget(w, ifi->ifi_index);
        return;
    }
    uint32_t mtu = a && mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : 0;
    struct known *k = known_of(w, ifi->ifi_index);
    if (k && k->mtu == mtu)
        return;
    if (k)
        k->mtu = mtu;
    w->changed = true;
}

static void on_route(struct link_watch *w, const struct nlmsghdr *h)
{
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
    const struct nlattr *table = rtnl_attr(h, sizeof *rt, RTA_TABLE);
    uint32_t id =
        table && mnl_attr_get_payload_len(table) == 4 ? mnl_attr_get_u32(table) : rt->rtm_table;
    w->changed |= id != w->table && !(rt->rtm_flags & RTM_F_CLONED);
}

static int on_message(const struct nlmsghdr *h, void *data)
{
    if ((h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK) &&
        mnl_nlmsg_get_payload_len(h) >= sizeof(struct ifinfomsg))
        on_link(data, h);
    else if ((h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE) &&
             mnl_nlmsg_get_payload_len(h) >= sizeof(struct rtmsg))
        on_route(data, h);
    return MNL_CB_OK;
}

struct link_watch *link_watch_open(uint32_t table, struct io_error *err)
{
    struct link_watch *w = calloc(1, sizeof *w);
    if (w)
        w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (w && w->socket &&
        mnl_socket_bind(w->socket, RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
                        MNL_SOCKET_AUTOPID) == 0) {
        w->table = table;
        return w;
    }
    io_fail(err, errno, NULL, "cannot hear of changes of interfaces and routes");
    link_watch_close(w);
    return NULL;
}

void link_watch_close(struct link_watch *w)
{
    if (!w)
        return;
    if (w->socket)
        mnl_socket_close(w->socket);
    free(w->known);
    free(w);
}

int link_watch_fd(const struct link_watch *w)
{
    return mnl_socket_get_fd(w->socket);
}

/* What overran the socket's buffer may be a change too. */
bool link_watch_read(struct link_watch *w)
{
    _Alignas(struct nlmsghdr) uint8_t buf[16384];
    ssize_t n;
    w->changed = false;
    while ((n = recv(link_watch_fd(w), buf, sizeof buf, 0)) > 0 ||
           (n < 0 && (errno == ENOBUFS || errno == EINTR))) {
        w->changed |= n < 0 && errno == ENOBUFS;
        if (n > 0)
            (void)mnl_cb_run(buf, (size_t)n, 0, 0, on_message, w);
    }
    return w->changed;
}
