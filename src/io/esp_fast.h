/* What a way past the kernel's IP layer offers to esp_port.c: implemented by xdp.c and packet.c. */
#pragma once

#include "io/esp_bpf.h"
#include "io/links.h"

enum { FAST_FDS = 16 };

struct esp_fast_env {
    const struct links_if *dev;
    uint16_t fanout;
    struct sock_ear ear;
    struct esp_bpf *bpf; /* addresses are set already; stays the caller's */
};

struct esp_fast; /* each has its own */

struct esp_fast_ops {
    const char *name;
    enum esp_bpf_use use;
    struct esp_fast *(*open)(const struct esp_fast_env *env, struct io_error *err);
    void (*close)(struct esp_fast *f);
    size_t (*fds)(const struct esp_fast *f, int out[FAST_FDS]);
    const char *(*mode)(const struct esp_fast *f); /* for the log */
    /* As esp_port_recv; gives back the buffers of the call before. */
    int (*recv)(struct esp_fast *f, struct io_msg *msgs, size_t n);
    /* Number taken; all have a next hop and fit its MTU. dev: as it is now. */
    int (*send)(struct esp_fast *f, const struct links_if *dev, const struct io_msg *msgs,
                const struct nexthop *const *hops, size_t n, size_t *failed);
    uint64_t (*dropped)(struct esp_fast *f); /* received by the kernel, but not by us */
};

extern const struct esp_fast_ops xdp_ops, packet_ops;
