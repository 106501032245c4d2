/* Inside of the port for LAN interfaces: shared by lan_port.c, which opens it, and lan_port_io.c.
 */
#pragma once

#include "io/lan_way.h"

enum lan_source { SRC_EVENTS, SRC_PACKETS };
enum { LAN_ADDRESSES = 4096 };

struct lan_if {
    struct links *links;       /* NULL: not open */
    struct lan_packet *packet; /* sends; receives too, unless xdp does */
    struct lan_xdp *xdp;       /* or NULL */
    int drop;                  /* keeps the kernel from forwarding what `packet` takes; or -1 */
    bool ready;
    bool packet_queued, xdp_queued;
};

struct lan_port {
    int epoll;
    struct lan_settings set;
    struct lan_bpf *bpf; /* of the first port on these interfaces */
    bool first, news;
    unsigned turns; /* without a look at epoll */
    size_t turn;    /* the interface that receives next */
    struct lan_if dev[LAN_INTERFACES];
    struct lan_stats stats;
    size_t lost; /* slices, since the last flush */
    char text[1024];
    struct addr address[LAN_ADDRESSES];
};

/* What an epoll event is about. */
static inline uint64_t lan_event(enum lan_source source, size_t i, int fd)
{
    return (uint64_t)source << 48 | (uint64_t)i << 32 | (uint32_t)fd;
}

/* The interface gets another MAC address, MTU, or the host other addresses. */
err_t lan_port_maps(struct lan_port *p, size_t i) must_use;
void lan_port_give_up(struct lan_port *p, size_t i, const char *why);
