/*
 * What a sender past the kernel's IP layer must know of an interface: its MAC address and MTU, our
 * addresses, and the next hop of each remote address, asked from the kernel through rtnetlink and
 * forgotten when the kernel tells of a change. For esp_port.c and lan_port.c.
 */
#pragma once

#include "io/sock.h"

struct links;

struct links_if {
    char name[16];
    int index;
    uint8_t mac[6];
    uint32_t mtu;
};

/* A way to a remote address that leaves by this interface to a neighbour with a known address. */
struct nexthop {
    uint8_t mac[6];
    uint16_t mtu; /* of the path: IP packets up to this size */
};

enum links_change {
    LINKS_NEXTHOPS = 1,  /* dealt with inside */
    LINKS_ADDRESSES = 2, /* our addresses, or the interface's own */
    LINKS_GONE = 4,      /* the interface was deleted */
};

/* Which routes apply. */
struct links_ask {
    uint32_t mark; /* for our own packets: leads past the TUN routes */
    int iif;       /* for forwarded packets: where they come in; 0: our own */
};

/* E_NOTSUP: no Ethernet. */
err_t links_open(struct links **l, const char *ifname, const struct links_ask *ask,
                 struct io_error *err) must_use;
void links_close(struct links *l);   /* NULL is fine */
int links_fd(const struct links *l); /* readable: links_read */
unsigned links_read(struct links *l);
const struct links_if *links_if(const struct links *l);
/* All addresses of this host but loopback's, at most max. */
size_t links_addresses(struct links *l, struct addr *out, size_t max);
/*
 * NULL: unknown, on another interface, not to be forwarded, or being resolved; let the kernel send
 * (a raw socket, the TUN device), which resolves it. Valid until the next call of a function of
 * links. Asks the kernel at most once in a few seconds for each address, and keeps the neighbour
 * entry of one in use alive.
 */
const struct nexthop *links_nexthop(struct links *l, const struct addr *remote,
                                    const struct addr *local, uint64_t now_ms);
