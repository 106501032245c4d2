/*
 * Virtual addresses that peers gave us. They stand on the TUN device: there the kernel finds them
 * when it looks for the source of what a tunnel is to carry, and they go with the daemon, also
 * when it is killed. Several SAs may hold the same address: it goes with the last.
 */
#pragma once

#include "io/netlink.h"

struct vips;

struct vips *vips_new(struct netlink *nl, int ifindex) must_use; /* NULL: out of memory */
void vips_free(struct vips *v);                                  /* takes all of them off */
err_t vips_add(struct vips *v, const struct addr *a, struct io_error *err) must_use;
void vips_del(struct vips *v, const struct addr *a);
