/*
 * Hears of what may change the MTU toward a remote address: interfaces whose MTU changes, and
 * routes (rtnetlink(7)). What it is then netlink_path_mtu tells. Called by daemon/path_link.c.
 */
#pragma once

#include "io/sock.h"

struct link_watch;

/* table: changes in this routing table do not count: it is our own. */
struct link_watch *link_watch_open(uint32_t table, struct io_error *err) must_use;
void link_watch_close(struct link_watch *w); /* NULL is fine */
int link_watch_fd(const struct link_watch *w);
/* Reads all there is. True: something changed. */
bool link_watch_read(struct link_watch *w);
