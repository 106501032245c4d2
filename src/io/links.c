/*
 * The interface, its addresses and next hops (see links.h), from rtnetlink (rtnetlink(7)). Next
 * hops are in a table with one place per hash value: an entry in use is not pushed out within a
 * second, so that colliding addresses cost no look-up per packet; the loser goes through the
 * kernel.
 */
#include "io/links.h"
#include "base/hash.h"
#include "io/clock.h"
#include "io/fail.h"
#include "io/rtnl.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { PLACES = 4096, KEEP_MS = 5000, RETRY_MS = 1000, READS = 16 };

struct entry {
    struct addr remote, local, via; /* via: the neighbour, family 0: none known */
    struct nexthop hop;
    bool usable;
    uint64_t asked_ms; /* 0: never, or outdated */
    uint64_t epoch;    /* of the links when it was asked */
};

struct links {
    struct rtnl ask, events;
    struct links_if dev;
    struct links_ask how;
    bool gone;
    uint64_t key[2];
    uint64_t epoch; /* counted up when all entries are outdated */
    struct entry place[PLACES];
};

/* --- the interface --- */

struct found_if {
    struct links_if *dev;
    uint16_t type;
};

static int on_link(const struct nlmsghdr *h, void *data)
{
    struct found_if *f = data;
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWLINK)
        return MNL_CB_OK;
    const struct nlattr *mac = rtnl_attr(h, sizeof *ifi, IFLA_ADDRESS);
    const struct nlattr *mtu = rtnl_attr(h, sizeof *ifi, IFLA_MTU);
    f->type = ifi->ifi_type;
    if (mac && mnl_attr_get_payload_len(mac) == 6)
        memcpy(f->dev->mac, mnl_attr_get_payload(mac), 6);
    if (mtu && mnl_attr_get_payload_len(mtu) == 4)
        f->dev->mtu = mnl_attr_get_u32(mtu);
    return MNL_CB_OK;
}

static int ask_link(struct links *l, struct found_if *f)
{
    struct ifinfomsg *ifi;
    struct nlmsghdr *h = rtnl_begin(&l->ask, RTM_GETLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = l->dev.index;
    *f = (struct found_if){.dev = &l->dev};
    return rtnl_talk(&l->ask, h, on_link, f);
}

static err_t find_link(struct links *l, const char *ifname, struct io_error *err)
{
    struct found_if f;
    snprintf(l->dev.name, sizeof l->dev.name, "%s", ifname);
    l->dev.index = (int)if_nametoindex(ifname);
    if (l->dev.index == 0)
        return io_fail(err, errno, NULL, "interface \"%s\"", ifname);
    int e = ask_link(l, &f);
    if (e < 0)
        return io_fail(err, -e, NULL, "interface \"%s\"", ifname);
    if (f.type == ARPHRD_ETHER)
        return 0;
    io_fail(err, EPROTOTYPE, "needs an Ethernet interface", "interface \"%s\"", ifname);
    return E_NOTSUP;
}

static err_t join(struct links *l, struct io_error *err)
{
    static const int groups[] = {RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
                                 RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        int g = groups[i];
        if (mnl_socket_setsockopt(l->events.socket, NETLINK_ADD_MEMBERSHIP, &g, sizeof g) < 0)
            return io_fail(err, errno, NULL, "cannot watch addresses and neighbours");
    }
    return 0;
}

err_t links_open(struct links **out, const char *ifname, const struct links_ask *how,
                 struct io_error *err)
{
    struct links *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return io_fail(err, ENOMEM, NULL, "cannot watch interface \"%s\"", ifname);
    l->how = *how;
    l->epoch = 1;
    int e = rtnl_open(&l->ask);
    if (e == 0)
        e = rtnl_open(&l->events);
    err_t bad = e < 0 ? io_fail(err, -e, NULL, "cannot open rtnetlink socket") : 0;
    if (!bad && getrandom(l->key, sizeof l->key, 0) != sizeof l->key)
        bad = io_fail(err, errno, NULL, "cannot get random bytes");
    if (!bad)
        bad = join(l, err); /* before the first question, so that no change is missed */
    if (!bad)
        bad = find_link(l, ifname, err);
    if (bad)
        links_close(l);
    else
        *out = l;
    return bad;
}

void links_close(struct links *l)
{
    if (!l)
        return;
    rtnl_close(&l->ask);
    rtnl_close(&l->events);
    free(l);
}

int links_fd(const struct links *l)
{
    return mnl_socket_get_fd(l->events.socket);
}

const struct links_if *links_if(const struct links *l)
{
    return &l->dev;
}

/* --- addresses --- */

struct address_list {
    struct addr *out;
    size_t n, max;
};

static int on_addr(const struct nlmsghdr *h, void *data)
{
    struct address_list *list = data;
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_scope == RT_SCOPE_HOST || list->n == list->max)
        return MNL_CB_OK;
    struct addr own = rtnl_get_addr(rtnl_attr(h, sizeof *ifa, IFA_LOCAL), ifa->ifa_family);
    if (!own.family)
        own = rtnl_get_addr(rtnl_attr(h, sizeof *ifa, IFA_ADDRESS), ifa->ifa_family);
    if (own.family)
        list->out[list->n++] = own;
    return MNL_CB_OK;
}

size_t links_addresses(struct links *l, struct addr *out, size_t max)
{
    struct address_list list = {.out = out, .max = max};
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct ifaddrmsg *ifa;
        struct nlmsghdr *h =
            rtnl_begin(&l->ask, RTM_GETADDR, NLM_F_DUMP, sizeof *ifa, (void **)&ifa);
        ifa->ifa_family = rtnl_af(family);
        (void)!rtnl_talk(&l->ask, h, on_addr, &list); /* a change meanwhile is told as an event */
    }
    return list.n;
}

/* --- next hops --- */

struct found_hop {
    struct addr via;
    int oif;
    uint8_t type;
    uint32_t mtu;
};

/* A gateway of the other family (RTA_VIA, RFC 5549) starts with its family in two bytes. */
static struct addr gateway(const struct nlmsghdr *h, uint8_t af)
{
    const struct nlattr *via = rtnl_attr(h, sizeof(struct rtmsg), RTA_VIA);
    if (via && mnl_attr_get_payload_len(via) == 18)
        return addr_v6((const uint8_t *)mnl_attr_get_payload(via) + 2);
    return rtnl_get_addr(rtnl_attr(h, sizeof(struct rtmsg), RTA_GATEWAY), af);
}

static int on_route(const struct nlmsghdr *h, void *data)
{
    struct found_hop *f = data;
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWROUTE)
        return MNL_CB_OK;
    const struct nlattr *oif = rtnl_attr(h, sizeof *rt, RTA_OIF);
    f->type = rt->rtm_type;
    f->oif = oif && mnl_attr_get_payload_len(oif) == 4 ? (int)mnl_attr_get_u32(oif) : 0;
    f->via = gateway(h, rt->rtm_family);
    f->mtu = rtnl_route_mtu(h);
    /* A route through lwtunnel or the like needs more than an Ethernet header. */
    if (rtnl_attr(h, sizeof *rt, RTA_ENCAP))
        f->type = RTN_UNSPEC;
    return MNL_CB_OK;
}

static bool ask_route(struct links *l, const struct entry *e, struct found_hop *f)
{
    struct rtmsg *rt;
    struct nlmsghdr *h = rtnl_begin(&l->ask, RTM_GETROUTE, 0, sizeof *rt, (void **)&rt);
    rt->rtm_family = rtnl_af(e->remote.family);
    rt->rtm_dst_len = rt->rtm_src_len = (uint8_t)(addr_len(&e->remote) * 8);
    rtnl_put_addr(h, RTA_DST, &e->remote);
    rtnl_put_addr(h, RTA_SRC, &e->local);
    if (l->how.mark)
        mnl_attr_put_u32(h, RTA_MARK, l->how.mark);
    if (l->how.iif)
        mnl_attr_put_u32(h, RTA_IIF, (uint32_t)l->how.iif);
    *f = (struct found_hop){.type = RTN_UNSPEC};
    return rtnl_talk(&l->ask, h, on_route, f) == 0 && f->type == RTN_UNICAST &&
           f->oif == l->dev.index;
}

struct found_neigh {
    uint8_t mac[6];
    uint16_t state;
    bool known;
};

static int on_neigh(const struct nlmsghdr *h, void *data)
{
    struct found_neigh *f = data;
    const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
    if (h->nlmsg_type != RTM_NEWNEIGH)
        return MNL_CB_OK;
    const struct nlattr *mac = rtnl_attr(h, sizeof *nd, NDA_LLADDR);
    f->state = nd->ndm_state;
    f->known = mac && mnl_attr_get_payload_len(mac) == 6;
    if (f->known)
        memcpy(f->mac, mnl_attr_get_payload(mac), 6);
    return MNL_CB_OK;
}

static bool ask_neigh(struct links *l, const struct addr *via, struct found_neigh *f)
{
    const uint16_t good = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
    struct ndmsg *nd;
    struct nlmsghdr *h = rtnl_begin(&l->ask, RTM_GETNEIGH, 0, sizeof *nd, (void **)&nd);
    nd->ndm_family = rtnl_af(via->family);
    nd->ndm_ifindex = l->dev.index;
    rtnl_put_addr(h, NDA_DST, via);
    *f = (struct found_neigh){.known = false};
    return rtnl_talk(&l->ask, h, on_neigh, f) == 0 && f->known && (f->state & good);
}

/* NTF_USE: the kernel treats the entry as used, and so confirms or renews it (RFC 4861 7.3). */
static void use_neigh(struct links *l, const struct addr *via)
{
    struct ndmsg *nd;
    struct nlmsghdr *h = rtnl_begin(&l->ask, RTM_NEWNEIGH, NLM_F_CREATE, sizeof *nd, (void **)&nd);
    nd->ndm_family = rtnl_af(via->family);
    nd->ndm_ifindex = l->dev.index;
    nd->ndm_flags = NTF_USE;
    rtnl_put_addr(h, NDA_DST, via);
    (void)!rtnl_talk(&l->ask, h, NULL, NULL);
}

static bool outdated(const struct links *l, const struct entry *e)
{
    return e->asked_ms == 0 || e->epoch != l->epoch;
}

static void look_up(struct links *l, struct entry *e, uint64_t now_ms)
{
    struct found_hop f;
    struct found_neigh neigh;
    bool fresh = !outdated(l, e);
    e->asked_ms = now_ms;
    e->epoch = l->epoch;
    e->usable = false;
    e->via = (struct addr){0};
    if (!ask_route(l, e, &f))
        return;
    e->via = f.via.family ? f.via : e->remote;
    if (!ask_neigh(l, &e->via, &neigh))
        return;
    uint32_t mtu = f.mtu && f.mtu < l->dev.mtu ? f.mtu : l->dev.mtu;
    memcpy(e->hop.mac, neigh.mac, 6);
    e->hop.mtu = (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu);
    e->usable = true;
    /* Right after an event the state is what the kernel has just found. */
    if (fresh && !(neigh.state & (NUD_PERMANENT | NUD_REACHABLE)))
        use_neigh(l, &e->via);
}

static struct entry *place_of(struct links *l, const struct addr *remote, const struct addr *local)
{
    struct addr both[2] = {*remote, *local};
    return &l->place[siphash(l->key, both, sizeof both) % PLACES];
}

const struct nexthop *links_nexthop(struct links *l, const struct addr *remote,
                                    const struct addr *local, uint64_t now_ms)
{
    if (l->gone || local->family != remote->family || addr_any(local))
        return NULL;
    struct entry *e = place_of(l, remote, local);
    uint64_t age = now_ms - e->asked_ms;
    if (!addr_eq(&e->remote, remote) || !addr_eq(&e->local, local)) {
        if (!outdated(l, e) && age < RETRY_MS)
            return NULL;
        *e = (struct entry){.remote = *remote, .local = *local};
    }
    if (outdated(l, e) || age >= (e->usable ? KEEP_MS : RETRY_MS))
        look_up(l, e, now_ms);
    return e->usable ? &e->hop : NULL;
}

/* --- events --- */

/* Routes change by the thousand when tunnels do: that must not cost a walk each. */
static void forget_all(struct links *l)
{
    l->epoch++;
}

static void forget(struct links *l, const struct addr *via)
{
    for (size_t i = 0; i < PLACES; i++)
        if (addr_eq(&l->place[i].via, via))
            l->place[i].asked_ms = 0;
}

static unsigned link_event(struct links *l, const struct nlmsghdr *h)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
    struct found_if f = {.dev = &l->dev};
    if (ifi->ifi_index != l->dev.index || ifi->ifi_family != AF_UNSPEC)
        return 0;
    forget_all(l);
    l->gone = h->nlmsg_type == RTM_DELLINK;
    on_link(h, &f);
    return l->gone ? LINKS_GONE : LINKS_ADDRESSES;
}

static unsigned neigh_event(struct links *l, const struct nlmsghdr *h)
{
    const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
    struct addr via = rtnl_get_addr(rtnl_attr(h, sizeof *nd, NDA_DST), nd->ndm_family);
    if (nd->ndm_ifindex != l->dev.index || !via.family)
        return 0;
    forget(l, &via);
    return LINKS_NEXTHOPS;
}

static unsigned event(struct links *l, const struct nlmsghdr *h)
{
    switch (h->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return link_event(l, h);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        return neigh_event(l, h);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        forget_all(l);
        return LINKS_ADDRESSES;
    default:
        forget_all(l);
        return LINKS_NEXTHOPS;
    }
}

/* What did not fit the queue may have been anything: ask again. */
static unsigned overrun(struct links *l)
{
    struct found_if f;
    int e = ask_link(l, &f);
    forget_all(l);
    l->gone = e == -ENODEV;
    return l->gone ? LINKS_GONE : LINKS_ADDRESSES;
}

unsigned links_read(struct links *l)
{
    unsigned change = 0;
    for (int turn = 0; turn < READS; turn++) {
        ssize_t got = recv(links_fd(l), l->events.buf, sizeof l->events.buf, MSG_DONTWAIT);
        if (got < 0 && errno == ENOBUFS)
            change |= overrun(l);
        if (got < 0)
            break;
        int left = (int)got;
        const struct nlmsghdr *h = (const void *)l->events.buf;
        for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
            change |= event(l, h);
    }
    return change;
}
