/*
 * The TUN device on the plain side: whole IP packets, alone (tun_open, tun_read, tun_write) or with
 * super-packets in both directions (tun_vnet_*). Non-blocking.
 */
#pragma once

#include "base/gso.h"
#include "io/sock.h"

struct tun {
    int fd;
    int ifindex;
    char name[16];
    bool vnet; /* opened by tun_vnet_open, and the kernel has vnet headers */
};

/* Creates or attaches `name` ("culvert0"), sets MTU and brings it up. */
err_t tun_open(struct tun *t, const char *name, unsigned mtu, struct io_error *err) must_use;
void tun_close(struct tun *t);
/* One packet per call: length, 0 nothing there, negative err_t (E_SYS: the device is gone). */
int tun_read(struct tun *t, uint8_t *buf, size_t cap) must_use;
/*
 * E_AGAIN: not taken now (no memory, interface set down), the packet is lost. E_USAGE: not an IP
 * packet. E_SYS: the device is gone.
 */
err_t tun_write(struct tun *t, const uint8_t *pkt, size_t n) must_use;

struct tun_want {
    bool queues;           /* several queues: further ones by tun_vnet_queue */
    uint32_t gso_max_size; /* of a super-packet read, 0: 60000, so that it fills one UDP train */
    uint32_t gso_max_segs; /* 0: 128; with more segments the kernel cuts it itself */
};

/* What the kernel gave, found by asking it. */
struct tun_offload {
    bool vnet, csum, tso4, tso6, tso_ecn, uso4, uso6, queues, limits;
    char text[160]; /* one line for the log */
};

/*
 * Like tun_open, with offloads as far as the kernel has them; without any of them it is a plain
 * device, and the calls below still work. got->text says what there is.
 */
err_t tun_vnet_open(struct tun *t, const char *name, unsigned mtu, const struct tun_want *want,
                    struct tun_offload *got, struct io_error *err) must_use;
/* One more queue of a device opened with `queues`. A flow's packets are read from the queue that
 * the opposite direction is written to. */
err_t tun_vnet_queue(struct tun *q, const struct tun *first, struct io_error *err) must_use;
/*
 * As tun_read, one super-packet at most: buf should hold 65535 bytes. E_USAGE: the kernel's header
 * says something that we did not ask for; the packet is lost.
 */
int tun_vnet_read(struct tun *t, struct gso *g, uint8_t *buf, size_t cap) must_use;

#define TUN_SLICES_MAX 128

/* As tun_write. The packet is n slices, at most TUN_SLICES_MAX. A device without vnet headers takes
 * only packets that need nothing (E_USAGE). */
err_t tun_vnet_write(struct tun *t, const struct gso *g, const struct bytes *v, size_t n) must_use;
