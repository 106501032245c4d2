/* One request over rtnetlink and its answer, for netlink.c, netlink_route.c and tun.c. */
#pragma once

#include "base/addr.h"

#include <libmnl/libmnl.h>

struct rtnl {
    struct mnl_socket *socket;
    uint32_t seq, port;
    _Alignas(struct nlmsghdr) uint8_t buf[32768]; /* dumps come in pieces up to this size */
};

/* 0 or a negative errno; after a failure there is nothing to close. */
int rtnl_open(struct rtnl *r) must_use;
void rtnl_close(struct rtnl *r);
/* An empty message in r->buf with a header of n bytes (zeroed) at *extra. */
struct nlmsghdr *rtnl_begin(struct rtnl *r, uint16_t type, uint16_t flags, size_t n, void **extra);
void rtnl_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a);
/* The attribute of this type behind a header of n bytes, or NULL. */
const struct nlattr *rtnl_attr(const struct nlmsghdr *h, size_t n, uint16_t type);
/* No family: a is NULL or no address. */
struct addr rtnl_get_addr(const struct nlattr *a, uint8_t af);
/* A route's MTU as the operator set it, 0: none. What the kernel learned from ICMP errors has a
 * time when it ends; nobody has looked at those closely (icmp.h). */
uint32_t rtnl_route_mtu(const struct nlmsghdr *h);
/* Sends h and hands every message of the answer to cb (may be NULL). 0 or a negative errno. */
int rtnl_talk(struct rtnl *r, struct nlmsghdr *h, mnl_cb_t cb, void *data) must_use;

/*
 * Many requests in one system call: rtnl_next begins each behind the last in r->buf, NULL when
 * that is full; rtnl_flush sends what is there. The kernel answers for what failed, and for the
 * last: `failed` (may be NULL) hears the number of each request that failed, counted from 0, and a
 * negative errno. 0, or a negative errno when the answers are lost.
 */
struct rtnl_batch {
    struct rtnl *r;
    size_t n, bytes;
    struct nlmsghdr *last;
};
struct nlmsghdr *rtnl_next(struct rtnl_batch *b, uint16_t type, uint16_t flags, size_t n,
                           void **extra);
typedef void rtnl_failed_fn(void *ctx, size_t number, int e);
int rtnl_flush(struct rtnl_batch *b, rtnl_failed_fn *failed, void *ctx) must_use;

uint8_t rtnl_af(uint8_t family); /* 4 or 6 to AF_INET or AF_INET6 */
