/*
 * Coalescing toward the TUN device: see coalesce.h. The rules are those of the kernel's GRO, made
 * stricter where it would lose something: windows must be equal too, and without DF the
 * identification must count up. Checksums of a packet are verified before it is merged: the group's
 * checksum is left to the kernel, which would hide damage otherwise.
 */
#include "dataplane/coalesce.h"
#include "dataplane/csum.h"

enum { P_TCP = 6, P_UDP = 17, UDP_HEADER = 8, TCP_CSUM = 16, UDP_CSUM = 6 };
enum { TCP_PSH = 0x08, TCP_ACK = 0x10 };
enum { GROUP_MAX = 128 }; /* packets: as many as the kernel allows a UDP super-packet */

enum class {
    CO_PASS,    /* belongs to no flow of ours */
    CO_BARRIER, /* may belong to any flow: no group goes on behind it */
    CO_STOP,    /* goes alone; its flow's group does not go on behind it */
    CO_MERGE,
};

static void class_tcp(struct co_row *r, const uint8_t *l4, uint32_t room)
{
    uint32_t n = room >= 20 ? (l4[12] >> 4) * 4u : 0;
    if (n < 20 || n > room) {
        r->class = CO_BARRIER;
        return;
    }
    r->hdr_len = (uint8_t)(r->ip_len + n);
    r->payload = (uint16_t)(room - n);
    r->push = l4[13] & TCP_PSH;
    bool plain = (l4[13] & ~TCP_PSH) == TCP_ACK && !(l4[12] & 15);
    r->class = plain && r->payload ? CO_MERGE : CO_STOP;
}

static void class_udp(struct co_row *r, const uint8_t *l4, uint32_t room)
{
    if (room < UDP_HEADER || get_u16(l4 + 4) != room) {
        r->class = CO_BARRIER;
        return;
    }
    r->hdr_len = (uint8_t)(r->ip_len + UDP_HEADER);
    r->payload = (uint16_t)(room - UDP_HEADER);
    r->class = r->payload && get_u16(l4 + UDP_CSUM) ? CO_MERGE : CO_STOP;
}

/* True: TCP or UDP stands directly behind the IP header, and *proto is which. */
static bool class_ip(struct co_row *r, const struct co_pkt *k, uint8_t *proto)
{
    const uint8_t *p = k->p;
    r->class = CO_BARRIER;
    if (k->n >= 20 && p[0] == 0x45 && get_u16(p + 2) == k->n && !(get_u16(p + 6) & 0x3fff)) {
        r->ip_len = 20;
        *proto = p[9];
    } else if (k->n >= 40 && p[0] >> 4 == 6 && 40u + get_u16(p + 4) == k->n) {
        r->ip_len = 40;
        *proto = p[6];
    } else {
        return false;
    }
    static const uint64_t ext = 1ull << 0 | 1ull << 43 | 1ull << 44 | 1ull << 51 | 1ull << 60;
    if (*proto == P_TCP || *proto == P_UDP)
        return true;
    if (r->ip_len == 20 || *proto >= 64 || !(ext >> *proto & 1))
        r->class = CO_PASS;
    return false;
}

/* In place: a row written piece by piece and then copied whole would wait for its own stores. */
static void classify(struct co_row *r, const struct co_pkt *k, const struct co_flags *may)
{
    uint8_t proto = 0;
    *r = (struct co_row){0};
    if (!class_ip(r, k, &proto))
        return;
    bool v6 = r->ip_len == 40, tcp = proto == P_TCP;
    r->kind = tcp ? (v6 ? GSO_TCP6 : GSO_TCP4) : GSO_UDP;
    if (!(tcp ? (v6 ? may->tcp6 : may->tcp4) : (v6 ? may->udp6 : may->udp4)))
        r->class = CO_PASS; /* nothing of this kind merges: its order is safe */
    else if (tcp)
        class_tcp(r, k->p + r->ip_len, k->n - r->ip_len);
    else
        class_udp(r, k->p + r->ip_len, k->n - r->ip_len);
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t flow_slot(const struct co_row *r, const uint8_t *p)
{
    uint64_t h = csum_word32(p + r->ip_len) + r->kind;
    if (r->ip_len == 20)
        h ^= load64(p + 12);
    else
        h ^= load64(p + 8) ^ load64(p + 16) * 3 ^ load64(p + 24) * 5 ^ load64(p + 32) * 7;
    return (uint32_t)(h * 0x9e3779b97f4a7c15u >> 55);
}

static bool same_flow(const struct co_row *a, const uint8_t *p, const struct co_row *b,
                      const uint8_t *q)
{
    if (a->kind != b->kind || a->ip_len != b->ip_len)
        return false;
    if (csum_word32(p + a->ip_len) != csum_word32(q + a->ip_len))
        return false;
    return a->ip_len == 20 ? load64(p + 12) == load64(q + 12) : memcmp(p + 8, q + 8, 32) == 0;
}

/* The slot of the packet's flow: empty, or naming its latest group. */
static uint16_t *find_slot(struct coalesce *c, const struct co_pkt *pkts, size_t i)
{
    uint32_t at = flow_slot(&c->row[i], pkts[i].p);
    for (;; at = (at + 1) % COALESCE_SLOTS) {
        uint16_t *s = &c->slot[at];
        if (!*s)
            return s;
        uint16_t first = c->open[*s - 1].first;
        if (same_flow(&c->row[first], pkts[first].p, &c->row[i], pkts[i].p))
            return s;
    }
}

/* TOS, TTL, DF, flow label; the identification is the count-th from the first one's. */
static bool same_ip(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    if (a[0] >> 4 == 6)
        return csum_word32(a) == csum_word32(b) && a[7] == b[7];
    if (a[1] != b[1] || a[8] != b[8] || csum_word16(a + 6) != csum_word16(b + 6))
        return false;
    return (a[6] & 0x40) || get_u16(b + 4) == (uint16_t)(get_u16(a + 4) + count);
}

static bool same_words(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i += 4)
        if (csum_word32(a + i) != csum_word32(b + i))
            return false;
    return true;
}

/* Acknowledgment, window and options; flags were seen to before. */
static bool same_tcp(const struct co_row *r, const uint8_t *a, const uint8_t *b)
{
    return csum_word32(a + 8) == csum_word32(b + 8) && a[12] == b[12] &&
           csum_word16(a + 14) == csum_word16(b + 14) &&
           csum_word16(a + 18) == csum_word16(b + 18) &&
           same_words(a + 20, b + 20, r->hdr_len - r->ip_len - 20u);
}

static bool fits(const struct co_open *g, const struct co_row *head, const uint8_t *first,
                 const struct co_row *r, const uint8_t *p)
{
    if (g->closed || r->class != CO_MERGE || g->count == GROUP_MAX || r->payload > g->size ||
        g->len + r->payload > 65535 || !same_ip(first, p, g->count))
        return false;
    if (r->kind == GSO_UDP)
        return true;
    return r->hdr_len == head->hdr_len && get_u32(p + r->ip_len + 4) == g->next_seq &&
           same_tcp(r, first + r->ip_len, p + r->ip_len);
}

/* The pseudo header's sum: RFC 9293 3.1, RFC 8200 8.1. */
static uint64_t pseudo(const struct co_row *r, const uint8_t *ip, uint32_t l4_len)
{
    uint64_t sum = htobe32((r->kind == GSO_UDP ? (uint32_t)P_UDP : (uint32_t)P_TCP) << 16 | l4_len);
    return sum + (r->ip_len == 40 ? csum_words(ip + 8, 32) : csum_words(ip + 12, 8));
}

static bool intact(const struct co_row *r, const struct co_pkt *k)
{
    if (r->ip_len == 20 && csum_fold(csum_words(k->p, 20)) != 0xffff)
        return false;
    uint32_t l4 = k->n - r->ip_len;
    return csum_fold(csum_add(k->p + r->ip_len, l4, pseudo(r, k->p, l4))) == 0xffff;
}

/* The first packet is looked at when there is a second one: most lone packets are never read. */
static bool group_intact(struct coalesce *c, struct co_open *g, const struct co_pkt *pkts)
{
    if (!g->verified)
        g->closed = !intact(&c->row[g->first], &pkts[g->first]);
    g->verified = true;
    return !g->closed;
}

static struct co_open *group_new(struct coalesce *c, const struct co_pkt *pkts, size_t i)
{
    const struct co_row *r = &c->row[i];
    struct co_open *g = &c->open[c->groups++];
    *g = (struct co_open){.len = pkts[i].n,
                          .size = r->payload,
                          .first = (uint16_t)i,
                          .last = (uint16_t)i,
                          .count = 1,
                          .closed = r->class != CO_MERGE || r->push};
    if (r->class == CO_MERGE && r->kind != GSO_UDP)
        g->next_seq = get_u32(pkts[i].p + r->ip_len + 4) + r->payload;
    return g;
}

static void group_add(struct coalesce *c, struct co_open *g, size_t i)
{
    const struct co_row *r = &c->row[i];
    c->row[g->last].next = (uint16_t)i;
    g->last = (uint16_t)i;
    g->count++;
    g->len += r->payload;
    g->next_seq += r->payload;
    g->closed = r->payload < g->size || r->push;
}

/* False: it did not join the group, which is at its end then, or is not its first group. */
static bool join(struct coalesce *c, const struct co_pkt *pkts, size_t i, uint16_t slot)
{
    if (!slot)
        return false;
    struct co_open *g = &c->open[slot - 1];
    struct co_row *r = &c->row[i];
    if (!fits(g, &c->row[g->first], pkts[g->first].p, r, pkts[i].p) || !group_intact(c, g, pkts))
        return false;
    if (!intact(r, &pkts[i])) {
        r->class = CO_STOP;
        return false;
    }
    group_add(c, g, i);
    return true;
}

static void place(struct coalesce *c, const struct co_pkt *pkts, size_t i)
{
    if (c->row[i].class == CO_BARRIER)
        memset(c->slot, 0, sizeof c->slot);
    if (c->row[i].class < CO_STOP) {
        group_new(c, pkts, i);
        return;
    }
    uint16_t *slot = find_slot(c, pkts, i);
    if (join(c, pkts, i, *slot))
        return;
    group_new(c, pkts, i);
    *slot = (uint16_t)c->groups;
}

/* One header for all; its checksum field is what NEEDS_CSUM wants: the pseudo header's sum. */
static struct gso rewrite(const struct coalesce *c, const struct co_open *g, uint8_t *p)
{
    const struct co_row *r = &c->row[g->first];
    uint8_t *l4 = p + r->ip_len;
    uint32_t l4_len = g->len - r->ip_len;
    uint16_t field = r->kind == GSO_UDP ? UDP_CSUM : TCP_CSUM;

    if (r->ip_len == 40) {
        put_u16(p + 4, (uint16_t)l4_len);
    } else {
        put_u16(p + 2, (uint16_t)g->len);
        put_u16(p + 10, 0);
        csum_put(p + 10, (uint16_t)~csum_fold(csum_words(p, 20)));
    }
    if (r->kind == GSO_UDP)
        put_u16(l4 + 4, (uint16_t)l4_len);
    else if (c->row[g->last].push)
        l4[13] |= TCP_PSH;
    csum_put(l4 + field, csum_fold(pseudo(r, p, l4_len)));
    return (struct gso){.kind = r->kind,
                        .needs_csum = true,
                        .size = g->size,
                        .hdr_len = r->hdr_len,
                        .csum_start = r->ip_len,
                        .csum_offset = field};
}

static uint32_t chain(struct coalesce *c, const struct co_open *g, const struct co_pkt *pkts,
                      struct bytes *v)
{
    uint32_t n = 0;
    v[n++] = bytes_of(pkts[g->first].p, pkts[g->first].n);
    for (uint16_t i = c->row[g->first].next; i; i = c->row[i].next)
        v[n++] = bytes_of(pkts[i].p + c->row[i].hdr_len, c->row[i].payload);
    return n;
}

static void finish(struct coalesce *c, const struct co_pkt *pkts)
{
    struct bytes *v = c->slice;
    for (size_t i = 0; i < c->groups; i++) {
        const struct co_open *g = &c->open[i];
        struct co_group *out = &c->group[i];
        *out = (struct co_group){.v = v, .len = g->len, .first = g->first};
        out->nv = chain(c, g, pkts, v);
        v += out->nv;
        if (g->count > 1)
            out->gso = rewrite(c, g, pkts[g->first].p);
    }
}

size_t coalesce(struct coalesce *c, const struct co_pkt *pkts, size_t n, const struct co_flags *may)
{
    c->groups = 0;
    memset(c->slot, 0, sizeof c->slot);
    for (size_t i = 0; i < n; i++) {
        classify(&c->row[i], &pkts[i], may);
        place(c, pkts, i);
    }
    finish(c, pkts);
    return c->groups;
}
