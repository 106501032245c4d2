/*
 * The headers in front of a native ESP packet, for the ways past the kernel's IP layer (xdp.c,
 * packet.c): Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200).
 */
#pragma once

#include "io/sock.h"

enum { FRAME_ETHER = 14, FRAME_IP4 = 20, FRAME_IP6 = 40, FRAME_MAX = FRAME_ETHER + FRAME_IP6 };

/*
 * m->data and m->len hold a packet from its IP header on, perhaps with padding behind: steps over
 * the header and fills in local, remote and tos. What is not a whole, unfragmented packet with ESP
 * directly behind a header in good order becomes a message of length 0.
 */
void frame_take_ip(struct io_msg *m);
/* As frame_take_ip, from the Ethernet header on. */
void frame_take_ether(struct io_msg *m);

/* Writes the IP header of m (FRAME_IP4 or FRAME_IP6 bytes, returned); id is for IPv4. */
size_t frame_put_ip(uint8_t *out, const struct io_msg *m, uint16_t id);
/* FRAME_ETHER bytes. */
void frame_put_ether(uint8_t *out, const uint8_t to[6], const uint8_t from[6], uint8_t family);

static inline size_t frame_ip_size(uint8_t family)
{
    return family == 4 ? FRAME_IP4 : FRAME_IP6;
}
