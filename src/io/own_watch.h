/*
 * Hears of what takes away from us what we have in the kernel: routes of our table and our rules
 * deleted by others, TUN devices that went down and came up again (their routes went without a
 * word), addresses that come and go (routes have them as sources), and commits to nftables. Called
 * by daemon/restore.c.
 */
#pragma once

#include "io/sock.h"

struct own_watch;

enum own_event {
    OWN_ROUTES = 1, /* one is gone, or a rule */
    OWN_LINK = 2,   /* a TUN device came up, went down, was deleted; ours or another's */
    OWN_ADDRS = 4,
    OWN_NFT = 8, /* somebody changed nftables, perhaps we */
};

/* table: ours; port, nft_port: of the netlink sockets whose changes are our own (netlink_port,
 * nft_guard_port): to look at all of nftables for each tunnel that comes up would take too long. */
struct own_watch *own_watch_open(uint32_t table, uint32_t port, uint32_t nft_port,
                                 struct io_error *err) must_use;
void own_watch_close(struct own_watch *w); /* NULL is fine */
/* Two descriptors to poll; -1: nftables cannot be heard. */
void own_watch_fds(const struct own_watch *w, int fd[2]);
/* Reads all there is: enum own_event, joined. */
unsigned own_watch_read(struct own_watch *w);
/* Is this interface there and up? */
bool own_link_up(const char *name);
