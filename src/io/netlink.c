/*
 * Look-ups in the kernel's addresses and routes (see netlink.h), for the choice of a local address
 * (RFC 7296 2.23 compares it), for routes' source hints and for "is this me".
 */
#include "io/fail.h"
#include "io/netlink_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct netlink *netlink_open(struct io_error *err)
{
    struct netlink *n = calloc(1, sizeof *n);
    int e = n ? rtnl_open(&n->rt) : -ENOMEM;
    if (e < 0) {
        io_fail(err, -e, NULL, "cannot open rtnetlink socket");
        free(n);
        return NULL;
    }
    return n;
}

void netlink_close(struct netlink *n)
{
    if (!n)
        return;
    if (n->watch)
        mnl_socket_close(n->watch);
    rtnl_close(&n->rt);
    free(n);
}

struct found_route {
    struct addr source;
    uint32_t ifindex, mtu; /* mtu: of the route, as the operator set it; 0: none */
    uint8_t type;
};

static int on_route(const struct nlmsghdr *h, void *data)
{
    struct found_route *f = data;
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);

    if (h->nlmsg_type != RTM_NEWROUTE)
        return MNL_CB_OK;
    f->type = rt->rtm_type;
    const struct nlattr *oif = rtnl_attr(h, sizeof *rt, RTA_OIF);
    f->ifindex = oif ? mnl_attr_get_u32(oif) : 0;
    f->mtu = rtnl_route_mtu(h);
    f->source = rtnl_get_addr(rtnl_attr(h, sizeof *rt, RTA_PREFSRC), rt->rtm_family);
    return MNL_CB_OK;
}

/* "ip route get": how the kernel would send to a. */
static int route_get(struct netlink *n, const struct addr *a, uint32_t mark, struct found_route *f)
{
    struct rtmsg *rt;
    struct nlmsghdr *h = rtnl_begin(&n->rt, RTM_GETROUTE, 0, sizeof *rt, (void **)&rt);
    rt->rtm_family = rtnl_af(a->family);
    rt->rtm_dst_len = (uint8_t)(addr_len(a) * 8);
    rtnl_put_addr(h, RTA_DST, a);
    if (mark)
        mnl_attr_put_u32(h, RTA_MARK, mark);
    *f = (struct found_route){.type = RTN_UNSPEC};
    return rtnl_talk(&n->rt, h, on_route, f);
}

bool netlink_source_addr(struct netlink *n, const struct addr *remote, uint32_t mark,
                         struct addr *out)
{
    struct found_route f;
    if (addr_any(remote) || route_get(n, remote, mark, &f) < 0 || addr_any(&f.source))
        return false;
    *out = f.source;
    return true;
}

static uint32_t device_mtu(struct netlink *n, uint32_t ifindex)
{
    struct ifreq r = {0};
    if (!if_indextoname(ifindex, r.ifr_name) ||
        ioctl(mnl_socket_get_fd(n->rt.socket), SIOCGIFMTU, &r) < 0)
        return 0;
    return r.ifr_mtu > 0 ? (uint32_t)r.ifr_mtu : 0;
}

uint16_t netlink_path_mtu(struct netlink *n, const struct addr *remote, uint32_t mark)
{
    struct found_route f;
    if (addr_any(remote) || route_get(n, remote, mark, &f) < 0)
        return 0;
    uint32_t mtu = device_mtu(n, f.ifindex);
    if (f.mtu && (!mtu || f.mtu < mtu))
        mtu = f.mtu;
    return mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
}

err_t netlink_link_mtu(struct netlink *n, int ifindex, unsigned mtu)
{
    struct ifinfomsg *ifi;
    struct nlmsghdr *h = rtnl_begin(&n->rt, RTM_NEWLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = ifindex;
    mnl_attr_put_u32(h, IFLA_MTU, mtu);
    return rtnl_talk(&n->rt, h, NULL, NULL) < 0 ? E_SYS : E_OK;
}

err_t netlink_link_carrier(struct netlink *n, int ifindex, bool on)
{
    struct ifinfomsg *ifi;
    struct nlmsghdr *h = rtnl_begin(&n->rt, RTM_NEWLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = ifindex;
    mnl_attr_put_u8(h, IFLA_CARRIER, on);
    if (rtnl_talk(&n->rt, h, NULL, NULL) < 0)
        return E_SYS;
    /* Routes follow up to a second later, unless somebody asks. */
    h = rtnl_begin(&n->rt, RTM_GETLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = ifindex;
    (void)!rtnl_talk(&n->rt, h, NULL, NULL);
    return E_OK;
}

static int on_link_stats(const struct nlmsghdr *h, void *data)
{
    struct rtnl_link_stats64 st;
    const struct nlattr *a =
        h->nlmsg_type == RTM_NEWLINK ? rtnl_attr(h, sizeof(struct ifinfomsg), IFLA_STATS64) : NULL;
    size_t end = offsetof(struct rtnl_link_stats64, tx_dropped) + sizeof st.tx_dropped;
    if (!a || mnl_attr_get_payload_len(a) < end)
        return MNL_CB_OK;
    memcpy(&st, mnl_attr_get_payload(a), end); /* it need not be aligned */
    *(uint64_t *)data = st.tx_dropped;
    return MNL_CB_OK;
}

uint64_t netlink_link_dropped(struct netlink *n, int ifindex)
{
    uint64_t dropped = 0;
    struct ifinfomsg *ifi;
    struct nlmsghdr *h = rtnl_begin(&n->rt, RTM_GETLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = ifindex;
    (void)!rtnl_talk(&n->rt, h, on_link_stats, &dropped);
    return dropped;
}

void netlink_carrier_counts(const char *name)
{
    static const char *const family[] = {"ipv4", "ipv6"};
    char path[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/ignore_routes_with_linkdown",
                 family[i], name);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0)
            (void)!write(fd, "1", 1);
        if (fd >= 0)
            close(fd);
    }
}

/* The table "local" comes first (rule 0), so the kernel's answer covers all of 127/8 as well. */
bool netlink_is_local(struct netlink *n, const struct addr *a)
{
    struct found_route f;
    return !addr_any(a) && route_get(n, a, 0, &f) == 0 && f.type == RTN_LOCAL;
}

struct range_search {
    const struct addr *lo, *hi;
    int except;
    struct addr best;
    bool deprecated;
};

/* Nobody answers these from elsewhere. */
static bool of_this_link(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == 4
               ? a->ip[0] == 127
               : !memcmp(a->ip, one, 16) || (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80);
}

static void consider(struct range_search *s, const struct addr *a, uint32_t flags)
{
    /* The kernel refuses a route whose source is still being checked for duplicates. */
    if ((flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC))
        return;
    if (addr_any(a) || of_this_link(a) || addr_cmp(a, s->lo) < 0 || addr_cmp(a, s->hi) > 0)
        return;
    bool old = flags & IFA_F_DEPRECATED;
    if (s->best.family && !(s->deprecated && !old))
        return;
    s->best = *a;
    s->deprecated = old;
}

static int on_addr(const struct nlmsghdr *h, void *data)
{
    struct range_search *s = data;
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);

    uint8_t whole = ifa->ifa_family == AF_INET ? 32 : 128;
    if (h->nlmsg_type != RTM_NEWADDR ||
        ((int)ifa->ifa_index == s->except && ifa->ifa_prefixlen != whole))
        return MNL_CB_OK;
    const struct nlattr *wide = rtnl_attr(h, sizeof *ifa, IFA_FLAGS);
    uint32_t flags =
        wide && mnl_attr_get_payload_len(wide) == 4 ? mnl_attr_get_u32(wide) : ifa->ifa_flags;
    struct addr own = rtnl_get_addr(rtnl_attr(h, sizeof *ifa, IFA_LOCAL), ifa->ifa_family);
    struct addr addr = rtnl_get_addr(rtnl_attr(h, sizeof *ifa, IFA_ADDRESS), ifa->ifa_family);
    /* On a point-to-point link IFA_ADDRESS is the other end. */
    consider(s, own.family ? &own : &addr, flags);
    return MNL_CB_OK;
}

bool netlink_local_in(struct netlink *n, const struct addr *lo, const struct addr *hi, int except,
                      struct addr *out)
{
    struct range_search s = {.lo = lo, .hi = hi, .except = except};
    struct ifaddrmsg *ifa;
    struct nlmsghdr *h = rtnl_begin(&n->rt, RTM_GETADDR, NLM_F_DUMP, sizeof *ifa, (void **)&ifa);

    ifa->ifa_family = rtnl_af(lo->family);
    int e = rtnl_talk(&n->rt, h, on_addr, &s);
    if ((e < 0 && e != -EINTR) || !s.best.family)
        return false;
    *out = s.best;
    return true;
}

uint32_t netlink_port(const struct netlink *n)
{
    return n->rt.port;
}

static void watch_start(struct netlink *n)
{
    n->watch = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (n->watch && mnl_socket_bind(n->watch, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
                                    MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(n->watch);
        n->watch = NULL;
    }
}

/* What overran the socket's buffer is a change too. */
bool netlink_addrs_changed(struct netlink *n)
{
    char buf[4096];
    if (!n->watch) {
        watch_start(n);
        return true;
    }
    bool any = false;
    ssize_t got;
    while ((got = recv(mnl_socket_get_fd(n->watch), buf, sizeof buf, MSG_TRUNC)) > 0 ||
           (got < 0 && (errno == ENOBUFS || errno == EINTR)))
        any |= got > 0 || errno == ENOBUFS;
    return any;
}
