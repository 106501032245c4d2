/*
 * rtnetlink through libmnl: a routing table of our own whose routes lead into the TUN device, the
 * rules that send packets there unless they carry our mark, and look-ups of source addresses.
 */
#pragma once

#include "io/sock.h"

struct netlink;

struct netlink *netlink_open(struct io_error *err) must_use;
void netlink_close(struct netlink *n);
/*
 * Rule "not fwmark MARK lookup TABLE" with this priority, IPv4 and IPv6 (left out where the machine
 * has no IPv6). Idempotent. mark 0 is E_USAGE: our own packets would come back to us.
 * Also sets net.ipv4.conf.all.src_valid_mark: the guard marks what peers send to us, and a strict
 * rp_filter then looks for the way back past our table too, where a policy covers the peer itself.
 */
err_t netlink_rules_add(struct netlink *n, uint32_t table, uint32_t mark, uint32_t priority,
                        struct io_error *err) must_use;
void netlink_rules_del(struct netlink *n, uint32_t table, uint32_t mark, uint32_t priority);
/* Route prefix/bits dev ifindex [src address] table TABLE, replacing one with the same prefix. src
 * with family 0: none. Host bits of prefix may be set. */
err_t netlink_route_add(struct netlink *n, uint32_t table, const struct addr *prefix, unsigned bits,
                        int ifindex, const struct addr *src, struct io_error *err) must_use;
/*
 * Route of type throw: the look-up goes on in the next table. For bypass policies, and for the
 * local networks of a policy whose remote side (0.0.0.0/0) contains them.
 */
err_t netlink_throw_add(struct netlink *n, uint32_t table, const struct addr *prefix, unsigned bits,
                        struct io_error *err) must_use;
err_t netlink_throw_del(struct netlink *n, uint32_t table, const struct addr *prefix,
                        unsigned bits) must_use;
/* Gone already is fine. E_SYS otherwise. */
err_t netlink_route_del(struct netlink *n, uint32_t table, const struct addr *prefix, unsigned bits,
                        int ifindex) must_use;
void netlink_table_flush(struct netlink *n, uint32_t table); /* leftovers of a crash */
/* Source address the kernel chooses toward remote for packets with our mark; false: no route. */
bool netlink_source_addr(struct netlink *n, const struct addr *remote, uint32_t mark,
                         struct addr *out);
/* A local address (not on ifindex `except`) that lies within lo..hi: the gateway's own address in
 * its LAN; for the source hint of routes. */
bool netlink_local_in(struct netlink *n, const struct addr *lo, const struct addr *hi, int except,
                      struct addr *out);
/* Is this address one of the host's own? */
bool netlink_is_local(struct netlink *n, const struct addr *a);
