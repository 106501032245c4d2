/*
 * AF_XDP on one interface: a socket for each receive queue, each with a UMEM of its own, through
 * libxdp's ring helpers. Whole Ethernet frames; for xdp.c and lan_xdp.c.
 */
#pragma once

#include "io/links.h"

enum { XDP_DEV_QUEUES = 16, XDP_DEV_HEADROOM = 128 };

struct xdp_dev;

/* The program that hands frames over is the caller's. */
struct xdp_dev_hooks {
    void *ctx;
    /* Attaches it in the driver (native) or at the generic hook. */
    err_t (*attach)(void *ctx, bool native, struct io_error *err);
    err_t (*set_socket)(void *ctx, uint32_t queue, int fd, struct io_error *err);
};

struct xdp_frame {
    uint8_t *data; /* may be written to: XDP_DEV_HEADROOM bytes in front, and those asked for behind
                    */
    uint32_t len;
};

/*
 * largest: IP packets up to this size, and bytes behind them that the caller may write to. Probed
 * from the fastest down: native XDP with zero copy, native with copy, the kernel's generic hook.
 */
struct xdp_dev *xdp_dev_open(const struct links_if *dev, uint32_t largest,
                             const struct xdp_dev_hooks *hooks, struct io_error *err) must_use;
void xdp_dev_close(struct xdp_dev *x);
size_t xdp_dev_fds(const struct xdp_dev *x, int out[XDP_DEV_QUEUES]);
const char *xdp_dev_mode(const struct xdp_dev *x); /* " (generic, copy, 1 queue)" for the log */
bool xdp_dev_native(const struct xdp_dev *x);
uint64_t xdp_dev_dropped(struct xdp_dev *x); /* since the last call, because we were too slow */

/* At most IO_BURST; valid until the next call. */
size_t xdp_dev_recv(struct xdp_dev *x, struct xdp_frame *frames, size_t n);

/*
 * Sending: frames are reserved (fewer than asked for when the ring is full), written one after the
 * other into xdp_dev_put's buffer of xdp_dev_room bytes, each finished by xdp_dev_commit, or
 * skipped, and leave together.
 */
size_t xdp_dev_reserve(struct xdp_dev *x, size_t n);
uint32_t xdp_dev_room(const struct xdp_dev *x);
uint8_t *xdp_dev_put(struct xdp_dev *x);
void xdp_dev_commit(struct xdp_dev *x, uint32_t len);
void xdp_dev_send(struct xdp_dev *x);
