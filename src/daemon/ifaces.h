/*
 * Interfaces of children (`interface = NAME`): route-based VPN, RFC 4301 with selectors bound to a
 * virtual interface. Each is a TUN device; what is routed into it meets the policies of that
 * interface alone. They come with the first connection that names them and go with the last; an
 * interface that stays keeps its SAs, and of MTU, addresses and routes what is still asked for.
 * Called by load.c and core.c.
 */
#pragma once

#include "io/netlink.h"
#include "model/conn.h"

struct ifaces;

/* What makes and ends the devices. */
struct ifaces_ports {
    void *ctx;
    err_t (*add)(void *ctx, uint16_t id, const char *name, unsigned mtu, int *ifindex,
                 struct io_error *err);
    void (*del)(void *ctx, uint16_t id);
};

struct ifaces *ifaces_new(struct netlink *nl, unsigned mtu,
                          const struct ifaces_ports *ports) must_use;
void ifaces_free(struct ifaces *f); /* all devices go */

/* Makes what the connection's children name and is not there yet, and notes their ids in them. On
 * failure err->text says which; what was made goes with the next ifaces_end. */
err_t ifaces_need(struct ifaces *f, struct conn *c, struct io_error *err) must_use;
/* The smallest of what links and routes leave to the plain packets of its SAs; 0: there are none.
 * The MTU of an interface for which none is configured. */
void ifaces_follow(struct ifaces *f, uint16_t id, unsigned mtu);
/* So many SAs more or less. An interface has a carrier while it has SAs, or one of its children
 * waits for traffic; routes into one without do not count. */
void ifaces_sas(struct ifaces *f, uint16_t id, int more);
/* NULL: there is none of this number. */
const char *ifaces_name(const struct ifaces *f, uint16_t id);
/* Of all of them: netlink_link_dropped. */
uint64_t ifaces_dropped(const struct ifaces *f);
/* Devices that others deleted, routes and addresses that went while one was down. */
err_t ifaces_restore(struct ifaces *f, struct io_error *err) must_use;
/* Between the two: ifaces_keep for each loaded connection; then those that nobody kept go. */
void ifaces_begin(struct ifaces *f);
void ifaces_keep(struct ifaces *f, const struct conn *c);
void ifaces_end(struct ifaces *f);
