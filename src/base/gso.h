/*
 * What stands beside a packet on a TUN device with offloads: a super-packet holds several segments
 * of one flow, and an L4 checksum may be left open (virtio 1.2, 5.1.6: struct virtio_net_hdr). The
 * io room reads and writes it, the data plane splits and coalesces by it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum gso_kind { GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP };

struct gso {
    uint8_t kind;     /* enum gso_kind */
    bool needs_csum;  /* the L4 checksum field holds the pseudo-header's sum, not complemented */
    bool ecn;         /* TCP with CWR: only the first segment has it */
    uint16_t size;    /* payload of every segment but the last */
    uint16_t hdr_len; /* IP and L4 header; a hint only when received */
    uint16_t csum_start,
        csum_offset; /* with needs_csum: from the packet's start; from csum_start */
};
