/*
 * Keeps the SAs' path MTUs in step with our own links and routes (RFC 1191 6.1): after a change
 * each SA's peer is looked up again, a few at a time. What does not wait for that the kernel
 * refuses, see lane_link.c. Called by datapath.c, on its loop.
 */
#pragma once

#include "io/link_watch.h"
#include <culvert/dataplane.h>
#include <uv.h>

struct path_link;

struct path_link_sink {
    void *ctx;
    /* All SAs, allocated; their number. */
    size_t (*list)(void *ctx, struct dp_child_link **out);
    void (*mtu)(void *ctx, uint32_t child_id, uint16_t mtu);
};

/* NULL: err says why; the daemon goes on without. */
struct path_link *path_link_open(uv_loop_t *loop, uint32_t table, uint32_t mark,
                                 const struct path_link_sink *sink, struct io_error *err);
void path_link_close(struct path_link *p); /* then run the loop, then free; NULL is fine */
void path_link_free(struct path_link *p);
