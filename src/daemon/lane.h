/*
 * One run-to-completion chain: a queue of the TUN device, the sockets of the encrypted side, a data
 * plane and the buffers between them. Super-packets on both sides where the kernel has them. Knows
 * no loop: whoever owns the lane calls it when a descriptor is ready.
 */
#pragma once

#include <culvert/dataplane.h>
#include "dataplane/coalesce.h"
#include "dataplane/split.h"
#include "io/esp_port.h"
#include "io/tun.h"

enum lane_sock { LS_IKE4, LS_IKE6, LS_NATT4, LS_NATT6, LS_ESP, LS_COUNT };

struct lane_settings {
    const char *tun;
    unsigned tun_mtu;
    uint16_t port, port_natt;
    uint32_t mark;
    enum esp_io esp_io;
    const char *esp_interface; /* "": none */
    struct dp_settings dp;
};

/* Who hears what a lane itself does not handle. */
struct lane_ports {
    void *ctx;
    void (*ike)(void *ctx, const struct endpoint *local, const struct endpoint *remote, bool natt,
                struct bytes msg);
    void (*note)(void *ctx, const struct dp_note *n);
    void (*lost)(void *ctx, const char *text); /* the TUN device is gone: no way to go on */
    void (*say)(void *ctx, const char *text);  /* a line for the log */
};

#define LANE_BATCH 64                       /* packets collected before the data plane is called */
#define LANE_CELLS (LANE_BATCH + SPLIT_MAX) /* the last super-packet read may bring SPLIT_MAX */

struct lane {
    struct lane_ports port;
    struct dp *dp;
    struct tun tun;
    struct sock sock[LS_ESP]; /* UDP */
    struct esp_port *esp;     /* native ESP, both families */
    bool open[LS_COUNT], gro[LS_COUNT];
    bool lost;
    bool held; /* packets wait for a tunnel: lane_tick wanted */
    uint8_t *cells, *super, *in;
    size_t cell_size;
    struct co_flags may; /* what the TUN device takes */
    uint64_t tx_failed;
    char offloads[640]; /* one line for the log */
    struct dp_pkt pkt[LANE_CELLS];
    struct dp_pkt *ptr[LANE_CELLS];
    struct io_msg msg[LANE_CELLS];
    struct co_pkt host[LANE_CELLS];
    struct coalesce co;
};

err_t lane_open(struct lane *l, const struct lane_settings *s, const struct lane_ports *ports,
                struct io_error *err) must_use;
void lane_close(struct lane *l);

int lane_fd(const struct lane *l, enum lane_sock at); /* for polling */

/* A burst each; false when nothing more was there. */
bool lane_outbound(struct lane *l, uint64_t now_ms);
bool lane_inbound(struct lane *l, enum lane_sock from, uint64_t now_ms);
/* After SAs or policies changed: packets that were held, and notes. */
void lane_release(struct lane *l, uint64_t now_ms);
void lane_tick(struct lane *l, uint64_t now_ms); /* once a second while l->held */

/* An IKE message or keepalive. R_UNREACHABLE when the kernel has no way for it. */
err_t lane_send_ike(struct lane *l, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive) must_use;
