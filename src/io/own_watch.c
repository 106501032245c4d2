/* What others do to what is ours: see own_watch.h. Messages that say nothing about it are dropped
 * by the sockets' filters, for on a router with all of the Internet's routes there are many. */
#include "io/own_watch.h"
#include "io/fail.h"
#include "io/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct own_watch {
    struct mnl_socket *rt, *nft;
    uint32_t table, port, nft_port;
    unsigned got;
};

enum { AT_TYPE = 4 }; /* of nlmsghdr.nlmsg_type */

#define TYPE_IS(t, yes) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(t), yes, 0)

/* One message a datagram, except for routes that go in a group; the kernel groups by type. */
static int filter_rt(struct mnl_socket *s)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_TYPE),
        TYPE_IS(RTM_NEWLINK, 6),
        TYPE_IS(RTM_DELLINK, 5),
        TYPE_IS(RTM_NEWADDR, 4),
        TYPE_IS(RTM_DELADDR, 3),
        TYPE_IS(RTM_DELROUTE, 2),
        TYPE_IS(RTM_DELRULE, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog p = {sizeof f / sizeof *f, f};
    return setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

/* The end of each commit, not the thousand elements in it. */
static int filter_nft(struct mnl_socket *s)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_TYPE),
        TYPE_IS(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog p = {sizeof f / sizeof *f, f};
    return setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

static struct mnl_socket *listen_to(int family, const int *groups, size_t n,
                                    int (*filter)(struct mnl_socket *))
{
    struct mnl_socket *s = mnl_socket_open2(family, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool ok = s && !filter(s) && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0;
    for (size_t i = 0; ok && i < n; i++)
        ok = mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, (void *)(uintptr_t)&groups[i],
                                   sizeof groups[i]) == 0;
    if (s && !ok) {
        int e = errno;
        mnl_socket_close(s);
        errno = e;
        s = NULL;
    }
    return s;
}

struct own_watch *own_watch_open(uint32_t table, uint32_t port, uint32_t nft_port,
                                 struct io_error *err)
{
    static const int routes[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                 RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                                 RTNLGRP_IPV6_RULE};
    static const int nft[] = {NFNLGRP_NFTABLES};
    struct own_watch *w = calloc(1, sizeof *w);
    if (w)
        w->rt = listen_to(NETLINK_ROUTE, routes, sizeof routes / sizeof *routes, filter_rt);
    if (!w || !w->rt) {
        io_fail(err, errno, NULL, "cannot hear of changes to our routes");
        own_watch_close(w);
        return NULL;
    }
    w->nft = listen_to(NETLINK_NETFILTER, nft, 1, filter_nft); /* NULL: no nftables here */
    w->table = table;
    w->port = port;
    w->nft_port = nft_port;
    return w;
}

void own_watch_close(struct own_watch *w)
{
    if (!w)
        return;
    if (w->rt)
        mnl_socket_close(w->rt);
    if (w->nft)
        mnl_socket_close(w->nft);
    free(w);
}

void own_watch_fds(const struct own_watch *w, int fd[2])
{
    fd[0] = mnl_socket_get_fd(w->rt);
    fd[1] = w->nft ? mnl_socket_get_fd(w->nft) : -1;
}

static int on_info(const struct nlattr *a, void *data)
{
    bool *tun = data;
    if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_get_payload_len(a) >= 3)
        *tun = !strncmp(mnl_attr_get_str(a), "tun", 3);
    return MNL_CB_OK;
}

static bool is_tun(const struct nlmsghdr *h)
{
    const struct nlattr *info = rtnl_attr(h, sizeof(struct ifinfomsg), IFLA_LINKINFO);
    bool tun = false;
    if (info)
        (void)mnl_attr_parse_nested(info, on_info, &tun);
    return tun;
}

static uint32_t table_of(const struct nlmsghdr *h, size_t head, uint16_t type, uint8_t small)
{
    const struct nlattr *a = rtnl_attr(h, head, type);
    return a && mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : small;
}

static unsigned event_of(const struct own_watch *w, const struct nlmsghdr *h)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
    const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(h);
    size_t n = mnl_nlmsg_get_payload_len(h);
    bool own = h->nlmsg_pid == w->port;
    switch (h->nlmsg_type) {
    case RTM_DELLINK:
    case RTM_NEWLINK: /* ifi_change says what of ifi_flags is new */
        return n >= sizeof *ifi && (ifi->ifi_change & IFF_UP) && is_tun(h) ? OWN_LINK : 0;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return own ? 0 : OWN_ADDRS;
    case RTM_DELROUTE:
        return !own && n >= sizeof *rt &&
                       table_of(h, sizeof *rt, RTA_TABLE, rt->rtm_table) == w->table
                   ? OWN_ROUTES
                   : 0;
    case RTM_DELRULE:
        return !own && n >= sizeof *rule &&
                       (rule->action != FR_ACT_TO_TBL || /* goes past it: netlink.h */
                        table_of(h, sizeof *rule, FRA_TABLE, rule->table) == w->table)
                   ? OWN_ROUTES
                   : 0;
    default:
        return 0;
    }
}

static int on_rt(const struct nlmsghdr *h, void *data)
{
    struct own_watch *w = data;
    w->got |= event_of(w, h);
    return MNL_CB_OK;
}

static bool own_commit(const struct own_watch *w, const void *msg, size_t n)
{
    const struct nlmsghdr *h = msg;
    return n >= sizeof *h && w->nft_port && h->nlmsg_pid == w->nft_port;
}

/* What overran a socket's buffer may have been anything. */
unsigned own_watch_read(struct own_watch *w)
{
    _Alignas(struct nlmsghdr) uint8_t buf[16384];
    int fd[2];
    ssize_t n;
    own_watch_fds(w, fd);
    w->got = 0;
    while ((n = recv(fd[0], buf, sizeof buf, 0)) > 0 ||
           (n < 0 && (errno == ENOBUFS || errno == EINTR))) {
        if (n > 0)
            (void)mnl_cb_run(buf, (size_t)n, 0, 0, on_rt, w);
        else if (errno == ENOBUFS)
            w->got |= OWN_ROUTES | OWN_LINK | OWN_ADDRS;
    }
    while (fd[1] >= 0 && ((n = recv(fd[1], buf, sizeof buf, MSG_TRUNC)) > 0 ||
                          (n < 0 && (errno == ENOBUFS || errno == EINTR))))
        if (n < 0 || !own_commit(w, buf, (size_t)n))
            w->got |= OWN_NFT;
    return w->got;
}

bool own_link_up(const char *name)
{
    struct ifreq r = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    strncpy(r.ifr_name, name, sizeof r.ifr_name - 1);
    bool up = ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP);
    close(fd);
    return up;
}
