/*
 * The packets' way through the daemon: sockets and the TUN device on the loop, bursts of them
 * through the data plane. Called by main; hands IKE messages and notes to its owner.
 */
#pragma once

#include <culvert/dataplane.h>
#include "io/sock.h"
#include <uv.h>

struct datapath;

struct datapath_settings {
    const char *tun;
    unsigned tun_mtu;
    uint16_t port, port_natt;
    uint32_t mark;
    struct dp_settings dp;
};

struct datapath_ports {
    void *ctx;
    void (*ike)(void *ctx, const struct endpoint *local, const struct endpoint *remote, bool natt,
                struct bytes msg);
    void (*note)(void *ctx, const struct dp_note *n);
    void (*lost)(void *ctx, const char *text); /* the TUN device is gone: no way to go on */
};

/* On failure err->text names what is missing and the way out. */
struct datapath *datapath_open(uv_loop_t *loop, const struct datapath_settings *s,
                               const struct datapath_ports *ports, struct io_error *err) must_use;
void datapath_close(struct datapath *d); /* closes its handles; run the loop, then free */
void datapath_free(struct datapath *d);

struct dp *datapath_dp(struct datapath *d);
int datapath_ifindex(const struct datapath *d);

/* An IKE message or keepalive. R_UNREACHABLE when the kernel has no way for it. */
err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive) must_use;
/* After SAs or policies changed: releases held packets and drains notes. */
void datapath_kick(struct datapath *d);
uint64_t datapath_tx_failed(const struct datapath *d);
