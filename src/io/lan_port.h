/*
 * The plain side's port for LAN interfaces: AF_XDP or AF_PACKET instead of the kernel's forwarding
 * and the TUN device. Packets to protected destinations are taken before the kernel forwards them;
 * decrypted packets leave as Ethernet frames to the neighbour that the kernel knows. What needs a
 * router's judgement stays with the kernel and the TUN device, in both directions: hop limits that
 * end here, options, fragments on their way in, sizes over an MTU, neighbours to be found. Called
 * by a lane.
 *
 * Firewall rules for forwarded packets, connection tracking and rp_filter do not see what goes this
 * way. Nothing outlives the process: without it the kernel forwards into its routes and the guard.
 */
#pragma once

#include "base/gso.h"
#include "io/sock.h"

enum lan_io { LAN_IO_TUN, LAN_IO_PACKET, LAN_IO_XDP };

enum { LAN_INTERFACES = 8, LAN_HEADROOM = 128, LAN_TAILROOM = 96 };

struct lan_settings {
    enum lan_io io;
    char interface[LAN_INTERFACES][16];
    size_t interfaces;
    int tun;      /* its ifindex: packets are routed as though they came from there */
    uint16_t mtu; /* of the TUN device: what is larger the kernel answers or cuts */
    bool share;   /* packet: ports that join get what lan_port_owner says, in their order */
};

struct lan_pkt {
    uint8_t *data; /* may be written to, LAN_HEADROOM bytes in front and LAN_TAILROOM behind it */
    uint32_t len;
    struct gso gso;
};

struct lan_stats {
    uint64_t rx, tx;     /* packets, a super-packet is one */
    uint64_t rx_dropped; /* by the kernel, because we were too slow */
    uint64_t rx_bad;     /* a header that lies */
    uint64_t tx_tun;     /* left to the TUN device */
};

struct lan_port;

/*
 * Each interface falls back from XDP to AF_PACKET to none of it (the TUN device serves alone); what
 * lacks stands in lan_port_news. Fails only without memory or descriptors.
 */
err_t lan_port_open(struct lan_port **p, const struct lan_settings *s,
                    struct io_error *err) must_use;
void lan_port_close(struct lan_port *p); /* NULL is fine */
/* One more port on the same interfaces, for another thread: sends by all, and where `first` uses
 * AF_PACKET with `share` receives its own. Closed before the first. */
err_t lan_port_join(struct lan_port **p, const struct lan_port *first,
                    struct io_error *err) must_use;
int lan_port_fd(const struct lan_port *p); /* for polling; readable: lan_port_recv */
/* One line for the log, once for each change of what is used; NULL: nothing to say. */
const char *lan_port_news(struct lan_port *p);
size_t lan_port_open_interfaces(const struct lan_port *p);

/* What is taken: the longest prefix of the destination decides; from these sources. None of them:
 * a hole in a wider prefix. */
enum { LAN_SOURCES = 4 };
struct lan_sources {
    struct addr prefix[LAN_SOURCES];
    uint8_t bits[LAN_SOURCES];
    size_t n;
};
err_t lan_port_prefix(struct lan_port *p, const struct addr *prefix, unsigned bits,
                      const struct lan_sources *from) must_use;
void lan_port_prefix_del(struct lan_port *p, const struct addr *prefix, unsigned bits);
void lan_port_prefix_clear(struct lan_port *p);
#define LAN_OWNER_ALL UINT32_MAX /* flows go to all of them by their hash */
/* Whose a destination is, of ports that share; what nobody has is the first one's (0). */
err_t lan_port_owner(struct lan_port *p, const struct addr *prefix, unsigned bits,
                     uint32_t owner) must_use;
void lan_port_owner_del(struct lan_port *p, const struct addr *prefix, unsigned bits);

/* Number of packets, their hop limit counted down; valid until the next call. 0: nothing more. */
size_t lan_port_recv(struct lan_port *p, struct lan_pkt *pkts, size_t n);
/*
 * One packet of n slices, as tun_vnet_write. False: not this way, write it to the TUN device. True:
 * it leaves with the next lan_port_flush, and the slices must hold until then.
 */
bool lan_port_send(struct lan_port *p, const struct gso *g, const struct bytes *v, size_t n,
                   uint64_t now_ms);
size_t lan_port_flush(struct lan_port *p); /* number of slices lost */
void lan_port_stats(struct lan_port *p, struct lan_stats *out);
