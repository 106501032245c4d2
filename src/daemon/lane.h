/*
 * One run-to-completion chain: a queue of the TUN device and LAN interfaces, the sockets of the
 * encrypted side, a data plane and the buffers between them. Super-packets on both sides where the
 * kernel has them. Knows no loop: whoever owns the lane calls it when a descriptor is ready. There
 * is one for each worker.
 */
#pragma once

#include <culvert/dataplane.h>
#include "dataplane/coalesce.h"
#include "dataplane/split.h"
#include "io/esp_port.h"
#include "io/lan_port.h"
#include "io/tun.h"
#include <assert.h>

enum lane_sock { LS_NATT4, LS_NATT6, LS_ESP, LS_LAN, LS_COUNT };

struct lane_settings {
    const char *tun;
    unsigned tun_mtu;
    uint16_t port_natt;
    uint32_t mark;
    enum esp_io esp_io;
    const char *esp_interface; /* "": none */
    bool esp_send_only;        /* another lane receives native ESP for all */
    struct lan_settings lan;   /* tun and mtu are filled in by lane_open */
    const struct lane *beside; /* takes one more queue of this one's device; NULL: makes it */
    /* IPv4, IPv6: sockets that the port is shared with, the one that was opened first; NULL: the
     * port is the lane's alone, or there is no such family when the other is given */
    const struct sock *natt[2];
    struct dp_settings dp;
};

/* Who hears what a lane itself does not handle. */
struct lane_ports {
    void *ctx;
    void (*ike)(void *ctx, const struct dp_pkt *p); /* without the marker */
    void (*notes)(void *ctx);                       /* the data plane has some */
    /* A packet that another worker's SA is for; inbound: ESP, otherwise the host's. */
    void (*elsewhere)(void *ctx, const struct dp_pkt *p, bool inbound);
    void (*lost)(void *ctx, const char *text); /* the TUN device is gone: no way to go on */
    void (*say)(void *ctx, const char *text);  /* a line for the log */
};

#define LANE_BATCH 24  /* packets collected on the way out before the data plane is called */
#define LANE_TURN  256 /* packets on the way out before others may have their turn */
#define LANE_PKTS  256 /* in a batch: the way in, and what the last super-packet read may bring */
#define LANE_WAIT  128 /* messages that wait for their train to fill */
#define LANE_CELLS (LANE_BATCH + SPLIT_MAX + 96)
static_assert(LANE_BATCH + SPLIT_MAX <= LANE_PKTS, "a batch finds place");

/* An interface of one child's own: struct policy's `iface`. */
struct lane_iface {
    uint16_t id;
    bool lost; /* the device is gone */
    struct tun tun;
};

struct lane {
    struct lane_ports port;
    struct dp *dp;
    struct tun tun;
    struct lane_iface *iface; /* in no order */
    size_t ifaces;
    struct sock sock[LS_ESP]; /* UDP */
    struct esp_port *esp;     /* native ESP, both families */
    struct lan_port *lan;     /* LAN interfaces; NULL: the TUN device serves alone */
    struct netlink *nl;       /* NULL: nothing was too big for a link yet */
    uint32_t mark;
    bool open[LS_COUNT], gro[LS_COUNT];
    bool queues; /* the TUN device takes further lanes */
    bool lost;
    bool held; /* packets wait for a tunnel, or probes for answers: lane_tick wanted */
    uint8_t *cells, *super, *in;
    size_t cell_size;
    struct co_flags may; /* what the TUN device takes */
    uint64_t tx_failed;
    char offloads[1024]; /* one line for the log */
    struct dp_pkt pkt[LANE_PKTS];
    struct dp_pkt *ptr[LANE_PKTS];
    struct io_msg msg[LANE_WAIT + LANE_PKTS]; /* the first `waiting` are to be sent */
    size_t waiting;
    bool brief;  /* their data do not outlast the next batch */
    int wait_at; /* by this socket; -1: none can */
    struct co_pkt host[LANE_PKTS];
    struct coalesce co;
};

err_t lane_open(struct lane *l, const struct lane_settings *s, const struct lane_ports *ports,
                struct io_error *err) must_use;
void lane_close(struct lane *l);

/* Packets that the kernel dropped because we were too slow, on all ways in but the TUN device. */
uint64_t lane_rx_dropped(struct lane *l);
int lane_fd(const struct lane *l, enum lane_sock at); /* for polling */

/* Takes the device over; E_NOMEM: it does not. */
err_t lane_iface_add(struct lane *l, uint16_t id, const struct tun *tun) must_use;
void lane_iface_del(struct lane *l, uint16_t id);
struct lane_iface *lane_iface_of(const struct lane *l, uint16_t id); /* NULL: unknown */

/* A turn each; false when nothing more was there. */
bool lane_outbound(struct lane *l, uint64_t now_ms);
bool lane_iface_outbound(struct lane *l, struct lane_iface *i, uint64_t now_ms);
bool lane_inbound(struct lane *l, enum lane_sock from, uint64_t now_ms); /* LS_LAN too */
/* n packets in l->pkt, at most LANE_BATCH, that came through another lane. */
void lane_handed(struct lane *l, size_t n, bool inbound, uint64_t now_ms);
/* After SAs or policies changed: packets that were held, and notes. */
void lane_release(struct lane *l, uint64_t now_ms);
void lane_tick(struct lane *l, uint64_t now_ms); /* once a second while l->held */
