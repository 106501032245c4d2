/* Ethernet and IP headers around ESP (see frame.h). The BPF programs have looked at them before,
 * but not at the checksum, and nothing here relies on what they saw. */
#include "io/frame.h"

enum { NH_ESP = 50, HOPS = 64, ESP_MIN = 8, ETHER_IP4 = 0x0800, ETHER_IP6 = 0x86dd };

/* RFC 1071; a header that carries its own sum gives 0. */
static uint16_t header_sum(const uint8_t *p)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < FRAME_IP4; i += 2)
        sum += get_u16(p + i);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void step_over(struct io_msg *m, uint32_t header, uint32_t payload)
{
    m->data += header;
    m->len = payload;
    m->head = (uint16_t)header;
}

static bool take_ip4(struct io_msg *m)
{
    const uint8_t *p = m->data;
    if (m->len < FRAME_IP4 + ESP_MIN || p[0] != 0x45 || p[9] != NH_ESP)
        return false;
    uint32_t total = get_u16(p + 2);
    bool fragment = get_u16(p + 6) & 0x3fff;
    if (total < FRAME_IP4 + ESP_MIN || total > m->len || fragment || header_sum(p) != 0)
        return false;
    m->tos = p[1];
    m->remote = (struct endpoint){.addr = addr_v4(p + 12)};
    m->local = (struct endpoint){.addr = addr_v4(p + 16)};
    step_over(m, FRAME_IP4, total - FRAME_IP4);
    return true;
}

static bool take_ip6(struct io_msg *m)
{
    const uint8_t *p = m->data;
    if (m->len < FRAME_IP6 + ESP_MIN || p[0] >> 4 != 6 || p[6] != NH_ESP)
        return false;
    uint32_t payload = get_u16(p + 4);
    if (payload < ESP_MIN || payload > m->len - FRAME_IP6)
        return false;
    m->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
    m->remote = (struct endpoint){.addr = addr_v6(p + 8)};
    m->local = (struct endpoint){.addr = addr_v6(p + 24)};
    step_over(m, FRAME_IP6, payload);
    return true;
}

void frame_take_ip(struct io_msg *m)
{
    if (!take_ip4(m) && !take_ip6(m))
        m->len = 0;
}

void frame_take_ether(struct io_msg *m)
{
    bool taken = false;
    if (m->len >= FRAME_ETHER) {
        uint16_t type = get_u16(m->data + 12);
        step_over(m, FRAME_ETHER, m->len - FRAME_ETHER);
        taken = type == ETHER_IP4 ? take_ip4(m) : type == ETHER_IP6 && take_ip6(m);
    }
    if (!taken)
        m->len = 0;
}

static void put_ip4(uint8_t *out, const struct io_msg *m, uint16_t id)
{
    out[0] = 0x45;
    out[1] = m->tos;
    put_u16(out + 2, (uint16_t)(FRAME_IP4 + m->len));
    put_u16(out + 4, id);
    put_u16(out + 6, m->df ? 0x4000 : 0);
    out[8] = m->ttl ? m->ttl : HOPS;
    out[9] = NH_ESP;
    put_u16(out + 10, 0);
    memcpy(out + 12, m->local.addr.ip, 4);
    memcpy(out + 16, m->remote.addr.ip, 4);
    put_u16(out + 10, header_sum(out));
}

static void put_ip6(uint8_t *out, const struct io_msg *m)
{
    put_u32(out, 0x60000000u | (uint32_t)m->tos << 20 | (m->label & 0xfffff));
    put_u16(out + 4, (uint16_t)m->len);
    out[6] = NH_ESP;
    out[7] = m->ttl ? m->ttl : HOPS;
    memcpy(out + 8, m->local.addr.ip, 16);
    memcpy(out + 24, m->remote.addr.ip, 16);
}

size_t frame_put_ip(uint8_t *out, const struct io_msg *m, uint16_t id)
{
    if (m->remote.addr.family == 4)
        put_ip4(out, m, id);
    else
        put_ip6(out, m);
    return frame_ip_size(m->remote.addr.family);
}

void frame_put_ether(uint8_t *out, const uint8_t to[6], const uint8_t from[6], uint8_t family)
{
    memcpy(out, to, 6);
    memcpy(out + 6, from, 6);
    put_u16(out + 12, family == 4 ? ETHER_IP4 : ETHER_IP6);
}
