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

#define COALESCE_MAX 128 /* packets a call */

struct co_pkt {
    uint8_t *p; /* whole IP packet; the header of a group's first packet is rewritten */
    uint32_t n; /* its length by the IP header */
};

struct co_group {
    struct gso gso; /* for the TUN device; all zero for a packet that goes alone, unchanged */
    const struct bytes *v;
    uint32_t nv;  /* slices, and packets merged */
    uint32_t len; /* in all */
    uint32_t first;
};

struct co_flags {
    bool tcp4, tcp6, udp4, udp6; /* the super-packets that the TUN device takes */
};

struct co_row; /* a packet while the groups form */

struct coalesce {
    struct co_group group[COALESCE_MAX];
    struct bytes slice[COALESCE_MAX];
    struct co_row *rows;
};

struct coalesce *coalesce_new(void) must_use;
void coalesce_free(struct coalesce *c);
/* Number of groups in c->group, in the order in which their first packets came. n is at most
 * COALESCE_MAX. Groups hold until the next call. */
size_t coalesce(struct coalesce *c, const struct co_pkt *pkts, size_t n,
                const struct co_flags *may) must_use;
