/*
 * Steering of what the host sends into a TUN device with several queues: destination prefixes to
 * queues, longest first. An eBPF program in the kernel; it goes with the device. Used by the daemon
 * when there are several workers.
 */
#pragma once

#include "io/tun.h"

struct tun_steer;

/* NULL: the kernel or this build cannot; err says why. */
struct tun_steer *tun_steer_open(const struct tun *t, struct io_error *err) must_use;
void tun_steer_close(struct tun_steer *s); /* NULL is fine */
#define TUN_STEER_SPREAD UINT32_MAX        /* as a queue: flows go to all of them by their hash */

/* The queue has to be one of the device's. E_SYS: the table is full. */
err_t tun_steer_set(struct tun_steer *s, const struct addr *prefix, unsigned bits,
                    uint32_t queue) must_use;
void tun_steer_del(struct tun_steer *s, const struct addr *prefix, unsigned bits);
