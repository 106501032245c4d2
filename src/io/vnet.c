/* struct virtio_net_hdr in its little-endian form: see vnet.h. */
#include "io/vnet.h"

#include <linux/virtio_net.h>

enum { HDR_GSO_UDP_L4 = 5 }; /* Linux 6.2; the headers of Debian 12 do not know it */

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static void put_le16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static bool parse_kind(uint8_t type, struct gso *g)
{
    switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        g->kind = GSO_NONE;
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        g->kind = GSO_TCP4;
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        g->kind = GSO_TCP6;
        return true;
    case HDR_GSO_UDP_L4:
        g->kind = GSO_UDP;
        return true;
    default:
        return false;
    }
}

/* flags, gso_type, hdr_len, gso_size, csum_start, csum_offset */
bool vnet_parse(const uint8_t h[VNET_HEADER], uint16_t before, struct gso *g)
{
    *g = (struct gso){.needs_csum = h[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM,
                      .ecn = h[1] & VIRTIO_NET_HDR_GSO_ECN,
                      .size = le16(h + 4),
                      .csum_offset = le16(h + 8)};
    uint16_t hdr_len = le16(h + 2), csum_start = le16(h + 6);
    if ((g->needs_csum && csum_start < before) || !parse_kind(h[1], g))
        return false;
    g->hdr_len = (uint16_t)(hdr_len > before ? hdr_len - before : 0);
    g->csum_start = (uint16_t)(csum_start > before ? csum_start - before : 0);
    return true;
}

void vnet_format(const struct gso *g, uint16_t before, uint8_t h[VNET_HEADER])
{
    static const uint8_t kinds[] = {[GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
                                    [GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
                                    [GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
                                    [GSO_UDP] = HDR_GSO_UDP_L4};
    bool plain = g->kind == GSO_NONE;
    h[0] = g->needs_csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
    h[1] = (uint8_t)(kinds[g->kind] | (g->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0));
    put_le16(h + 2, plain && !g->hdr_len ? 0u : (unsigned)g->hdr_len + before);
    put_le16(h + 4, g->size);
    put_le16(h + 6, g->needs_csum ? (unsigned)g->csum_start + before : g->csum_start);
    put_le16(h + 8, g->csum_offset);
}
