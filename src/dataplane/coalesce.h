/*
 * Makes super-packets of decrypted packets on their way to the TUN device: a GRO of our own, worth
 * a factor of two on decapsulation. Pure: payloads stay where they are, a group is a chain of
 * slices for one writev. Called after dp_inbound with the packets for the host, in order.
 *
 * Within a flow (addresses, protocol, ports) the order stays; what is merged splits back into the
 * packets that came, but for the identification of IPv4 packets with DF (RFC 6864 4.1).
 */
#pragma once

#include "base/cursor.h"
#include "base/gso.h"

#define COALESCE_MAX   256 /* packets a call */
#define COALESCE_SLOTS 512

struct co_pkt {
    uint8_t *p; /* whole IP packet; the header of a group's first packet is rewritten */
    uint32_t n; /* its length by the IP header */
};

struct co_group {
    struct gso gso; /* for the TUN device; all zero for a packet that goes alone, unchanged */
    const struct bytes *v; /* the first packet, then payloads */
    uint32_t nv;           /* slices, which is packets */
    uint32_t len;          /* in all */
    uint32_t first;        /* index of its first packet */
};

struct co_flags {
    bool tcp4, tcp6, udp4, udp6; /* the super-packets that the TUN device takes */
};

/* A packet while the groups form. */
struct co_row {
    uint8_t class, kind, ip_len, hdr_len;
    uint16_t payload;
    bool push;
    uint16_t next; /* in its group; 0: the last */
};

/* A group while it forms. */
struct co_open {
    uint32_t next_seq, len;
    uint16_t size, first, last, count;
    bool closed, verified;
};

struct coalesce {
    struct co_group group[COALESCE_MAX];
    struct bytes slice[COALESCE_MAX];
    struct co_row row[COALESCE_MAX];
    struct co_open open[COALESCE_MAX];
    uint16_t slot[COALESCE_SLOTS]; /* flow to its latest group, plus one */
    size_t groups;
};

/*
 * Number of groups in c->group, in the order in which their first packets came; they hold until the
 * next call. n is at most COALESCE_MAX. Nothing of *c needs to be set before.
 */
size_t coalesce(struct coalesce *c, const struct co_pkt *pkts, size_t n,
                const struct co_flags *may) must_use;
