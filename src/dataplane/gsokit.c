/* Super-packets for tests: see gsokit.h. No code is shared with split.c and coalesce.c. */
#include "dataplane/gsokit.h"

enum { TCP = 6, UDP = 17 };

uint64_t gk_rand(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t sum16(const uint8_t *p, uint32_t n, uint32_t sum)
{
    for (uint32_t i = 0; i < n; i++) {
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint32_t ip_len(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? 20 : 40;
}

static uint8_t proto(const uint8_t *p)
{
    return p[0] >> 4 == 4 ? p[9] : p[6];
}

static uint32_t hdr_len(const uint8_t *p)
{
    uint32_t at = ip_len(p);
    return proto(p) == UDP ? at + 8 : at + (p[at + 12] >> 4) * 4u;
}

static uint32_t pseudo(const uint8_t *p, uint32_t l4_len)
{
    uint32_t at = p[0] >> 4 == 4 ? 12 : 8;
    return sum16(p + at, ip_len(p) - at, proto(p) + l4_len);
}

static uint8_t *csum_field(uint8_t *p)
{
    return p + ip_len(p) + (proto(p) == UDP ? 6 : 16);
}

/* RFC 791 3.1; RFC 8200 3. */
static void put_lengths(uint8_t *p, uint32_t len)
{
    if (p[0] >> 4 == 4)
        put_u16(p + 2, (uint16_t)len);
    else
        put_u16(p + 4, (uint16_t)(len - 40));
    if (proto(p) == UDP)
        put_u16(p + ip_len(p) + 4, (uint16_t)(len - ip_len(p)));
}

static void seal_ip(uint8_t *p)
{
    if (p[0] >> 4 != 4)
        return;
    put_u16(p + 10, 0);
    put_u16(p + 10, (uint16_t)~sum16(p, 20, 0));
}

void gk_seal(uint8_t *p, uint32_t len)
{
    uint32_t at = ip_len(p);
    seal_ip(p);
    put_u16(csum_field(p), 0);
    uint16_t c = (uint16_t)~sum16(p + at, len - at, pseudo(p, len - at));
    put_u16(csum_field(p), proto(p) == UDP && c == 0 ? 0xffff : c);
}

bool gk_intact(const uint8_t *p, uint32_t len)
{
    uint32_t at = ip_len(p);
    if (p[0] >> 4 == 4 && sum16(p, 20, 0) != 0xffff)
        return false;
    return sum16(p + at, len - at, pseudo(p, len - at)) == 0xffff;
}

static void put_ip(uint8_t *p, const struct gk_shape *s, uint64_t *rng)
{
    for (unsigned i = 0; i < 40; i++)
        p[i] = (uint8_t)gk_rand(rng);
    if (s->v6) {
        p[0] = (uint8_t)(0x60 | s->tos >> 4);
        p[1] = (uint8_t)(s->tos << 4 | (p[1] & 15));
        p[6] = s->tcp ? TCP : UDP;
        p[7] = s->ttl;
        p[8] = p[24] = 0xfd;
        return;
    }
    p[0] = 0x45;
    p[1] = s->tos;
    put_u16(p + 6, s->df ? 0x4000 : 0);
    p[8] = s->ttl;
    p[9] = s->tcp ? TCP : UDP;
    p[12] = p[16] = 10;
}

uint32_t gk_super(uint8_t *p, const struct gk_shape *s, uint64_t *rng, struct gso *g)
{
    uint32_t at = s->v6 ? 40 : 20, l4 = s->tcp ? 20 + s->option_bytes : 8;
    uint32_t len = at + l4 + s->payload;
    put_ip(p, s, rng);
    for (uint32_t i = at; i < len; i++)
        p[i] = (uint8_t)gk_rand(rng);
    if (s->tcp) {
        p[at + 12] = (uint8_t)((l4 / 4) << 4);
        p[at + 13] = s->flags;
        memset(p + at + 20, 1, s->option_bytes); /* no operation */
    }
    put_lengths(p, len);
    seal_ip(p);
    put_u16(csum_field(p), (uint16_t)pseudo(p, len - at));
    *g = (struct gso){.kind = !s->tcp ? GSO_UDP
                              : s->v6 ? GSO_TCP6
                                      : GSO_TCP4,
                      .needs_csum = true,
                      .ecn = s->tcp && (s->flags & 0x80),
                      .size = s->size,
                      .hdr_len = (uint16_t)(at + l4),
                      .csum_start = (uint16_t)at,
                      .csum_offset = s->tcp ? 16 : 6};
    return len;
}

uint32_t gk_segment(const uint8_t *p, uint32_t len, const struct gso *g, uint32_t i, uint8_t *out)
{
    uint32_t at = ip_len(p), h = hdr_len(p), off = h + i * g->size;
    if (off >= len)
        return 0;
    uint32_t n = len - off < g->size ? len - off : g->size;
    memcpy(out, p, h);
    memcpy(out + h, p + off, n);
    put_lengths(out, h + n);
    if (at == 20)
        put_u16(out + 4, (uint16_t)(get_u16(p + 4) + i));
    if (proto(p) == TCP) {
        put_u32(out + at + 4, get_u32(p + at + 4) + i * g->size);
        if (off + n < len)
            out[at + 13] &= (uint8_t)~0x09; /* FIN, PSH */
        if (i)
            out[at + 13] &= 0x7f; /* CWR */
    }
    gk_seal(out, h + n);
    return h + n;
}
