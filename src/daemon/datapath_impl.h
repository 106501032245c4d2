/* The data path's own state, shared by its files; nobody else includes this. */
#pragma once

#include "daemon/datapath.h"
#include "daemon/ike_port.h"
#include "daemon/path_icmp.h"
#include "daemon/path_link.h"
#include "daemon/worker.h"
#include "io/tun_steer.h"

struct sock_poll {
    uv_poll_t poll;
    struct datapath *d;
    enum ike_sock at;
};

struct datapath {
    uv_loop_t *loop;
    uv_async_t bell; /* workers have something for us */
    struct sock_poll poll[IS_COUNT];
    struct datapath_ports port;
    struct ike_port ike;
    struct path_icmp *icmp;  /* NULL: the kernel does not let us read it */
    struct path_link *links; /* NULL: the kernel does not tell */
    struct mailbox box;      /* IKE messages that workers met */
    struct owners *owners;   /* NULL with one worker */
    struct tun_steer *steer; /* NULL: with one worker, or the kernel cannot */
    struct worker *worker[DP_WORKERS_MAX];
    uint32_t count;
    bool lost, ambiguous_told;
    uint64_t handed, handover_drops; /* by the main thread */
    char text[1024];
};

/* What the owners' sink and the workers' data planes are given. */
void datapath_route(void *ctx, const struct addr *prefix, unsigned bits, uint32_t worker,
                    bool gone);
struct dp_owner datapath_owner(void *ctx, uint32_t policy_id);
void datapath_too_big(void *ctx, const struct icmp_quote *q);
size_t datapath_list_links(void *ctx, struct dp_child_link **out);
void datapath_link_mtu(void *ctx, uint32_t child_id, uint16_t mtu);
