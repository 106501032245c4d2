/* The two ways of a LAN interface, for lan_port.c: lan_packet.c and lan_xdp.c. */
#pragma once

#include "io/lan_bpf.h"
#include "io/lan_port.h"

enum { LAN_FDS = 16, LAN_HEAD = 40 }; /* descriptors of one way; the longest IP header */

/* Where a packet goes, and its header as it leaves. */
struct lan_out {
    const struct links_if *dev;
    const struct nexthop *hop;
    uint8_t head[LAN_HEAD]; /* in place of the first slice's first head_len bytes */
    size_t head_len;
    uint8_t family;
};

/* --- AF_PACKET: everything, super-packets too --- */

struct lan_packet;

/* Sockets that share what arrives. */
struct lan_share {
    int program;    /* says by its index whose a packet is; negative: this one is alone */
    uint16_t group; /* to join; 0: a new one */
};

/* tap: socket filter; negative: only for sending. */
struct lan_packet *lan_packet_open(const struct links_if *dev, int tap,
                                   const struct lan_share *share, struct io_error *err) must_use;
uint16_t lan_packet_group(const struct lan_packet *l);
void lan_packet_close(struct lan_packet *l);
int lan_packet_fd(const struct lan_packet *l);
/* len 0: a packet that was lost for lying about itself. */
size_t lan_packet_recv(struct lan_packet *l, struct lan_pkt *pkts, size_t n);
/* False: the queue is full, lan_packet_send first. */
bool lan_packet_put(struct lan_packet *l, const struct lan_out *o, const struct gso *g,
                    const struct bytes *v, size_t n) must_use;
size_t lan_packet_send(struct lan_packet *l); /* number of slices lost */
uint64_t lan_packet_dropped(struct lan_packet *l);

/* --- AF_XDP: single packets --- */

struct lan_xdp;

struct lan_xdp *lan_xdp_open(struct lan_bpf *bpf, const struct links_if *dev, uint32_t slot,
                             uint32_t largest, struct io_error *err) must_use;
void lan_xdp_close(struct lan_xdp *l);
size_t lan_xdp_fds(const struct lan_xdp *l, int out[LAN_FDS]);
const char *lan_xdp_mode(const struct lan_xdp *l);
bool lan_xdp_open_sums(const struct lan_xdp *l); /* see forward_open_csum */
size_t lan_xdp_recv(struct lan_xdp *l, struct lan_pkt *pkts, size_t n);
/* False: no place for it, lan_xdp_send first. */
bool lan_xdp_put(struct lan_xdp *l, const struct lan_out *o, struct bytes pkt) must_use;
void lan_xdp_send(struct lan_xdp *l);
bool lan_xdp_fits(const struct lan_xdp *l, size_t len);
uint64_t lan_xdp_dropped(struct lan_xdp *l);
