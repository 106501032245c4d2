/*
 * The main thread's sockets: UDP 500, and UDP 4500 beside the workers' own. Datagrams one by one,
 * sorted: IKE for the engine; ESP that came here all the same (in a train behind IKE, or because
 * the kernel does not steer) for its worker. First messages that only get a cookie are answered
 * together, a burst at a time: RFC 7296 2.6. Knows no loop; see datapath.c.
 */
#pragma once

#include "io/sock.h"
#include <culvert/ike.h>

enum ike_sock { IS_IKE4, IS_IKE6, IS_NATT4, IS_NATT6, IS_COUNT };

struct ike_port_settings {
    uint16_t port, port_natt;
    uint32_t mark;
};

struct ike_port_sinks {
    void *ctx;
    /* ike_cookie_reply; 0: the message is for `ike`. */
    size_t (*first)(void *ctx, const struct ike_in *in, uint8_t out[IKE_COOKIE_REPLY_MAX]);
    void (*ike)(void *ctx, const struct endpoint *local, const struct endpoint *remote, bool natt,
                struct bytes msg);
    /* ESP or what may be some; data may be written to, but for the buffer's end and front. */
    void (*esp)(void *ctx, const struct io_msg *m);
};

struct ike_port_batch; /* answers that wait for the burst's end */

struct ike_port {
    struct ike_port_sinks sink;
    struct sock sock[IS_COUNT];
    bool open[IS_COUNT];
    uint8_t *in;
    struct ike_port_batch *batch;
    uint64_t tx_failed;
};

err_t ike_port_open(struct ike_port *p, const struct ike_port_settings *s,
                    const struct ike_port_sinks *sinks, struct io_error *err) must_use;
void ike_port_close(struct ike_port *p);
/* A burst; false: no more. */
bool ike_port_receive(struct ike_port *p, enum ike_sock at, uint64_t now_ms);
/* An IKE message or keepalive. R_UNREACHABLE when the kernel has no way for it. */
err_t ike_port_send(struct ike_port *p, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive) must_use;
