/*
 * The packets' way through the daemon: sockets and the TUN device on the loop, bursts of them
 * through the data plane. Called by main; hands IKE messages and notes to its owner.
 */
#pragma once

#include "daemon/lane.h"
#include <uv.h>

struct datapath;

/* On failure err->text names what is missing and the way out. */
struct datapath *datapath_open(uv_loop_t *loop, const struct lane_settings *s,
                               const struct lane_ports *ports, struct io_error *err) must_use;
void datapath_close(struct datapath *d); /* closes its handles; run the loop, then free */
void datapath_free(struct datapath *d);

struct dp *datapath_dp(struct datapath *d);
int datapath_ifindex(const struct datapath *d);

/* An IKE message or keepalive. R_UNREACHABLE when the kernel has no way for it. */
err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive) must_use;
/* After SAs or policies changed: releases held packets and drains notes. */
void datapath_kick(struct datapath *d);
const char *datapath_offloads(const struct datapath *d); /* one line for the log */
uint64_t datapath_tx_failed(const struct datapath *d);
