/*
 * What a router does to a plain packet that goes past the kernel's forwarding (RFC 1812 5.2,
 * RFC 8200 3). Pure; for lan_port.c and its ways.
 */
#pragma once

#include "base/addr.h"
#include "base/gso.h"

enum { FORWARD_IP4 = 20, FORWARD_IP6 = 40 };

/*
 * A packet just received, perhaps with padding behind: its header is checked, *len trimmed to what
 * it says, its hop limit counted down. False: broken, or not to be forwarded.
 */
bool forward_in(uint8_t *ip, uint32_t *len);
/*
 * The header of a packet to send, with the hop limit counted down, written to `out` (FORWARD_IP6
 * bytes); its length, and whence and where it goes. 0: the kernel must see the packet, because its
 * way ends here or it has options for routers.
 */
size_t forward_out(uint8_t *out, const uint8_t *ip, size_t n, struct addr *from, struct addr *to);
/*
 * A sender beside us (veth, a virtual machine) leaves the checksum of TCP and UDP open, and AF_XDP
 * does not tell. Such a field holds the pseudo header's sum: then *g says so. For a packet whose
 * checksum is right and looks the same, closing it changes nothing.
 */
void forward_open_csum(const uint8_t *ip, uint32_t len, struct gso *g);
