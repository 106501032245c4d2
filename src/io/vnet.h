/*
 * struct virtio_net_hdr (virtio 1.2, 5.1.6) and struct gso: ten bytes before each packet say how
 * the kernel made it of segments, or how it shall cut it. For tun_vnet.c and lan_packet.c.
 */
#pragma once

#include "base/gso.h"

enum { VNET_HEADER = 10 };

/*
 * before: bytes in front of the IP header that the header's offsets count and struct gso's do not
 * (Ethernet). False: a kind we do not know, or offsets that lie in front of the packet.
 */
bool vnet_parse(const uint8_t h[VNET_HEADER], uint16_t before, struct gso *g);
void vnet_format(const struct gso *g, uint16_t before, uint8_t h[VNET_HEADER]);
