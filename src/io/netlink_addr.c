/* Addresses of interfaces of our own: see netlink.h. */
#include "io/fail.h"
#include "io/netlink_state.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

/* IPv6: no duplicate address detection, for nobody else is on such an interface and the address is
 * wanted at once. */
static int change(struct netlink *n, uint16_t type, int ifindex, const struct addr *a,
                  unsigned bits)
{
    struct ifaddrmsg *ifa;
    uint16_t flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0;
    struct nlmsghdr *h = rtnl_begin(&n->rt, type, flags, sizeof *ifa, (void **)&ifa);
    ifa->ifa_family = rtnl_af(a->family);
    ifa->ifa_prefixlen = (uint8_t)bits;
    ifa->ifa_index = (uint32_t)ifindex;
    rtnl_put_addr(h, IFA_LOCAL, a);
    rtnl_put_addr(h, IFA_ADDRESS, a);
    if (a->family == 6)
        mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE * (bits == 128));
    return rtnl_talk(&n->rt, h, NULL, NULL);
}

err_t netlink_addr_add(struct netlink *n, int ifindex, const struct addr *a, unsigned bits,
                       struct io_error *err)
{
    char text[ADDR_STR_MAX];
    int e = change(n, RTM_NEWADDR, ifindex, a, bits);
    if (e == 0 || e == -EEXIST)
        return E_OK;
    return io_fail(err, -e, io_hint_perm(-e, HINT_NET_ADMIN), "cannot add address %s/%u",
                   addr_str(a, text), bits);
}

void netlink_addr_del(struct netlink *n, int ifindex, const struct addr *a, unsigned bits)
{
    (void)!change(n, RTM_DELADDR, ifindex, a, bits); /* gone already is fine */
}
