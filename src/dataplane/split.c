/*
 * Segmentation of TCP (RFC 9293) and UDP super-packets: see split.h. What is written is what the
 * Linux kernel's own software segmentation writes (tests/gso compares them): IPv4 identification
 * counts up, TCP sequence numbers go on, FIN and PSH are the last segment's, CWR the first's
 * (RFC 3168 6.1.2).
 */
#include "dataplane/split.h"
#include "base/cursor.h"
#include "dataplane/csum.h"

enum { P_TCP = 6, P_UDP = 17, UDP_HEADER = 8, TCP_CSUM = 16, UDP_CSUM = 6 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

/* RFC 791 3.1. Options and fragments have no business in a super-packet. */
static bool v4_fits(const uint8_t *p, uint32_t len, unsigned proto)
{
    return p[0] == 0x45 && get_u16(p + 2) == len && !(get_u16(p + 6) & 0x3fff) && p[9] == proto;
}

static bool v6_fits(const uint8_t *p, uint32_t len, unsigned proto)
{
    return len >= 40 && p[0] >> 4 == 6 && 40u + get_u16(p + 4) == len && p[6] == proto;
}

static bool ip_fits(struct split *s, const struct gso *g)
{
    unsigned proto = g->kind == GSO_UDP ? P_UDP : P_TCP;
    s->tcp = proto == P_TCP;
    s->v6 = g->kind == GSO_TCP6 || (g->kind == GSO_UDP && s->pkt[0] >> 4 == 6);
    s->ip_len = s->v6 ? 40 : 20;
    return s->v6 ? v6_fits(s->pkt, s->len, proto) : v4_fits(s->pkt, s->len, proto);
}

static bool l4_fits(struct split *s)
{
    uint32_t room = s->len - s->ip_len, n = UDP_HEADER;
    if (s->tcp && room < 20)
        return false;
    if (s->tcp)
        n = (s->pkt[s->ip_len + 12] >> 4) * 4u;
    s->hdr_len = s->ip_len + n;
    return n <= room && n >= (s->tcp ? 20 : UDP_HEADER) &&
           (s->tcp || get_u16(s->pkt + s->ip_len + 4) == room);
}

static bool csum_fits(const struct split *s, const struct gso *g)
{
    return !g->needs_csum ||
           (g->csum_start == s->ip_len && g->csum_offset == (s->tcp ? TCP_CSUM : UDP_CSUM));
}

static bool size_fits(struct split *s, const struct gso *g)
{
    uint32_t payload = s->len - s->hdr_len;
    s->size = g->size;
    if (s->size == 0 || payload == 0)
        return false;
    s->n = (payload + s->size - 1) / s->size;
    return s->n <= SPLIT_MAX;
}

/* The header's sum without the fields that differ between segments. */
static void sum_common(struct split *s)
{
    const uint8_t *ip = s->pkt, *l4 = s->pkt + s->ip_len;
    uint32_t addrs = s->v6 ? 8 : 12;
    uint8_t h[SPLIT_HEADER_MAX], proto[2] = {0, s->tcp ? P_TCP : P_UDP};
    uint32_t n = s->hdr_len - s->ip_len;

    memcpy(h, l4, n);
    if (s->tcp) {
        memset(h + 4, 0, 4);
        h[13] = 0;
        memset(h + TCP_CSUM, 0, 2);
    } else {
        memset(h + 4, 0, 4); /* length and checksum */
    }
    s->l4_sum = csum_add(h, n, csum_word16(proto));
    s->l4_sum = csum_add(ip + addrs, s->ip_len - addrs, s->l4_sum);
    s->ip_sum = 0;
    if (s->v6)
        return;
    s->ip_sum = csum_word16(ip) + csum_word16(ip + 6) + csum_word16(ip + 8);
    s->ip_sum = csum_add(ip + 12, 8, s->ip_sum);
}

err_t split_begin(struct split *s, const uint8_t *pkt, uint32_t len, const struct gso *g)
{
    struct split t = {.pkt = pkt, .len = len};
    if (len < 20)
        return R_DP_SHORT;
    if (g->kind == GSO_NONE || g->kind > GSO_UDP)
        return R_DP_GSO;
    if (!ip_fits(&t, g) || !l4_fits(&t) || !csum_fits(&t, g) || !size_fits(&t, g))
        return R_DP_GSO;
    sum_common(&t);
    *s = t;
    return E_OK;
}

static void put_ip(const struct split *s, uint32_t i, uint32_t len, uint8_t *out)
{
    if (s->v6) {
        put_u16(out + 4, (uint16_t)(len - 40));
        return;
    }
    /* summed from registers: a load across two stores would wait for the cell's cache line */
    uint16_t total = htobe16((uint16_t)len), id = htobe16((uint16_t)(get_u16(s->pkt + 4) + i));
    csum_put(out + 2, total);
    csum_put(out + 4, id);
    csum_put(out + 10, (uint16_t)~csum_fold(s->ip_sum + total + id));
}

/* Sequence number and flags, and what they add to the checksum. */
static uint64_t put_tcp(const struct split *s, uint32_t i, uint8_t *l4)
{
    uint8_t flags = s->pkt[s->ip_len + 13];
    if (i + 1 < s->n)
        flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (i > 0)
        flags &= (uint8_t)~TCP_CWR;
    uint32_t seq = htobe32(get_u32(s->pkt + s->ip_len + 4) + i * s->size);
    memcpy(l4 + 4, &seq, sizeof seq);
    l4[13] = flags;
    return (uint64_t)seq + htobe16(flags);
}

void split_header(const struct split *s, uint32_t i, uint8_t *out)
{
    uint32_t payload = split_payload_len(s, i), l4_len = s->hdr_len - s->ip_len + payload;
    uint8_t *l4 = out + s->ip_len;

    memcpy(out, s->pkt, s->hdr_len);
    put_ip(s, i, s->hdr_len + payload, out);
    uint16_t len = htobe16((uint16_t)l4_len);
    uint64_t sum = s->l4_sum + len;
    if (s->tcp) {
        sum += put_tcp(s, i, l4);
    } else {
        csum_put(l4 + 4, len);
        sum += len;
    }
    uint16_t c = (uint16_t)~csum_fold(csum_add(s->pkt + split_payload_at(s, i), payload, sum));
    if (!s->tcp && c == 0) /* RFC 768: zero means that there is none */
        c = 0xffff;
    csum_put(l4 + (s->tcp ? TCP_CSUM : UDP_CSUM), c);
}

/* The packet's own length (a buffer may be longer), or 0 if it is none. */
static uint32_t ip_total(const uint8_t *p, uint32_t len)
{
    if (len >= 20 && p[0] >> 4 == 4)
        return get_u16(p + 2) <= len ? get_u16(p + 2) : 0;
    if (len >= 40 && p[0] >> 4 == 6)
        return 40u + get_u16(p + 4) <= len ? 40u + get_u16(p + 4) : 0;
    return 0;
}

/* The offsets may point behind the first L4 header: a tunnel in the tunnel (VXLAN, GRE). */
err_t split_finish(uint8_t *pkt, uint32_t len, const struct gso *g)
{
    if (g->kind != GSO_NONE)
        return R_DP_GSO;
    if (!g->needs_csum)
        return E_OK;
    uint32_t total = ip_total(pkt, len), field = (uint32_t)g->csum_start + g->csum_offset;
    if (field + 2 > total || g->csum_start < (pkt[0] >> 4 == 6 ? 40 : 20))
        return R_DP_GSO;
    uint16_t c = (uint16_t)~csum_fold(csum_add(pkt + g->csum_start, total - g->csum_start, 0));
    csum_put(pkt + field, c ? c : 0xffff); /* as the kernel does, for UDP's sake */
    return E_OK;
}
