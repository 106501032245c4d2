/* The TUN device on the plain side: whole IP packets, no extra header. Non-blocking. */
#pragma once

#include "io/sock.h"

struct tun {
    int fd;
    int ifindex;
    char name[16];
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
