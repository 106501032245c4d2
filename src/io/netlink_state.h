/* What netlink.c (look-ups), netlink_addr.c (addresses) and netlink_route.c (rules and routes)
 * share.
 */
#pragma once

#include "io/netlink.h"
#include "io/rtnl.h"

struct netlink {
    struct rtnl rt;
    struct mnl_socket *watch; /* hears of addresses; NULL until asked */
};
