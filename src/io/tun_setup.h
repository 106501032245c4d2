/* What tun.c and tun_vnet.c share. */
#pragma once

#include "io/tun.h"

err_t tun_device(struct tun *t, struct io_error *err) must_use; /* a descriptor, no device yet */
/* Creates or attaches; flags besides IFF_TUN and IFF_NO_PI. On failure t->fd may be open. */
err_t tun_attach(struct tun *t, const char *name, int flags, struct io_error *err) must_use;
/* MTU, queue length, no addresses, up. */
err_t tun_configure(const struct tun *t, unsigned mtu, struct io_error *err) must_use;
err_t tun_write_failed(int e) must_use; /* errno of a write: see tun_write */
