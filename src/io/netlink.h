/*
 * rtnetlink through libmnl: a routing table of our own whose routes lead into the TUN device, the
 * rules that send packets there unless they carry our mark, and look-ups of source addresses.
 */
#pragma once

#include "io/sock.h"

struct netlink;

struct netlink *netlink_open(struct io_error *err) must_use;
void netlink_close(struct netlink *n);
struct netlink_rule {
    uint32_t table, mark, priority;
    uint8_t protocol; /* only its packets; 0: all */
};
/*
 * Rules of one priority, IPv4 and IPv6 (left out where the machine has no IPv6): what has the bit
 * `clear` of its mark, or comes from the TUN device and has `clear_tun`, goes on behind them (goto
 * the priority above, where an empty rule stands); "not fwmark MARK lookup TABLE" for the rest.
 * Those of a crash are replaced. mark 0 is E_USAGE: our own packets would come back to us.
 * Also sets net.ipv4.conf.all.src_valid_mark: the guard marks what peers send to us, and a strict
 * rp_filter then looks for the way back past our table too, where a policy covers the peer itself.
 */
struct netlink_rules {
    uint32_t table, priority, mark, clear, clear_tun;
    const char *tun;
};
err_t netlink_rules_add(struct netlink *n, const struct netlink_rules *r,
                        struct io_error *err) must_use;
void netlink_rules_del(struct netlink *n, const struct netlink_rules *r);
/*
 * "prefix/bits dev ifindex [src address]", or a throw route: the look-up goes on in the next table
 * (the local networks of a policy whose remote side, 0.0.0.0/0, contains them).
 */
struct netlink_route {
    struct addr prefix, src; /* host bits may be set; src without family: none */
    unsigned bits;
    int ifindex;     /* 0: throw */
    bool black_hole; /* instead: packets that no better route takes go nowhere */
    uint32_t metric;
    bool gone; /* take it away; gone already is fine */
};
#define NETLINK_PROTO 203 /* whose routes these are, as `ip route' has it */
/* Each replaces one of the same prefix. All are tried; the first failure is told. */
err_t netlink_routes_change(struct netlink *n, uint32_t table, const struct netlink_route *r,
                            size_t count, struct io_error *err) must_use;
/* Leftovers of a crash. Of the main table ours alone. */
void netlink_table_flush(struct netlink *n, uint32_t table);
/* Source address the kernel chooses toward remote for packets with our mark; false: no route. */
bool netlink_source_addr(struct netlink *n, const struct addr *remote, uint32_t mark,
                         struct addr *out);
/* The MTU of the route toward remote, or of its interface; 0: not known. */
uint16_t netlink_path_mtu(struct netlink *n, const struct addr *remote, uint32_t mark);
/* A local address that lies within lo..hi: the gateway's own address in its LAN; for the source
 * hint of routes. Of ifindex `except`, the TUN device, only virtual addresses count:
 * netlink_addr_add. */
bool netlink_local_in(struct netlink *n, const struct addr *lo, const struct addr *hi, int except,
                      struct addr *out);
/* An address on an interface of ours; one that is there already is fine, and so is one that is
 * gone.
 */
err_t netlink_addr_add(struct netlink *n, int ifindex, const struct addr *a, unsigned bits,
                       struct io_error *err) must_use;
void netlink_addr_del(struct netlink *n, int ifindex, const struct addr *a, unsigned bits);
/* Negative: the kernel refused it. */
err_t netlink_link_mtu(struct netlink *n, int ifindex, unsigned mtu) must_use;
err_t netlink_link_carrier(struct netlink *n, int ifindex, bool on) must_use;
/* Packets that the kernel sent into this interface and had no room for, all queues; of a TUN
 * device: nobody read them in time. 0: no such interface. */
uint64_t netlink_link_dropped(struct netlink *n, int ifindex);
/* Routes into this interface count only while it has a carrier. Where /proc is read-only the
 * operator has to set ignore_routes_with_linkdown. */
void netlink_carrier_counts(const char *name);
/* What the kernel tells of our own changes has it. */
uint32_t netlink_port(const struct netlink *n);
/* Whether addresses of this host may have changed since the last call; true the first time. */
bool netlink_addrs_changed(struct netlink *n);
/* Is this address one of the host's own? */
bool netlink_is_local(struct netlink *n, const struct addr *a);
