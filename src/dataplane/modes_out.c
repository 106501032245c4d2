/*
 * Outbound packets of the SAs that are not ESP in tunnel mode: what the mode leaves of the packet,
 * IPComp (RFC 3173), ESP (RFC 4303 3.3), AH (RFC 4302 3.3), in phases over a run of one SA. Called
 * by esp_out.c.
 *
 * Where the kernel can write the IP header it does: then it also chooses the identification and
 * fragments what is too big. With AH, or with options and extension headers, the header is ours and
 * the packet leaves whole.
 */
#include "dataplane/frags.h"
#include "dataplane/modes.h"
#include "dataplane/rx.h"
#include "dataplane/tunnel.h"
#include <assert.h>

enum { NEXT_UDP = 17, NEXT_ESP = 50, NEXT_AH = 51, UDP_HEADER = 8, ICV_MAX = 32 };

static_assert(15 + 2 + 2 * ICV_MAX <= DP_TAILROOM, "ESP's padding and ICV, then AH's ICV");

static const uint8_t padding[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* --- what the mode leaves --- */

/* The outer header of a tunnel or of BEET. */
static void own_header(const struct sa_out *sa, const struct out_work *w, struct mode_pkt *k,
                       uint8_t *hdr)
{
    bool v4 = sa->remote.addr.family == 4;
    k->h.hlen = transport_header(hdr, &sa->local.addr, &sa->remote.addr, w->tos, w->p->ttl);
    k->h.next_at = v4 ? 9 : 6;
    if (!v4)
        put_u32(hdr, get_u32(hdr) | w->p->label);
    else if (w->df)
        hdr[6] = 0x40;
}

static err_t as_transport(const struct out_work *w, struct mode_pkt *k, uint8_t *hdr)
{
    struct dp_pkt *p = w->p;
    err_t e = transport_split(p->data, w->len, &k->h);
    if (e)
        return e;
    memcpy(hdr, p->data, k->h.hlen);
    k->next = hdr[k->h.next_at];
    k->at = p->data + k->h.hlen;
    k->len = w->len - k->h.hlen;
    p->ttl = hdr[hdr[0] >> 4 == 4 ? 8 : 7];
    p->label = hdr[0] >> 4 == 6 ? get_u32(hdr) & 0xfffff : 0; /* the host's own */
    return E_OK;
}

static err_t as_beet(const struct sa_out *sa, const struct out_work *w, struct mode_pkt *k,
                     uint8_t *hdr)
{
    struct dp_pkt *p = w->p;
    int32_t skip;
    uint16_t id = get_u16(p->data + 4);
    bool v4 = p->data[0] >> 4 == 4;
    p->ttl = p->data[v4 ? 8 : 7];
    p->label = v4 ? tunnel_flow_label(sa->spi) : get_u32(p->data) & 0xfffff;
    err_t e = beet_strip(p->data, w->len, &skip, &k->next);
    if (e)
        return e;
    k->at = p->data + skip;
    k->len = (uint32_t)((int32_t)w->len - skip);
    own_header(sa, w, k, hdr);
    if (v4 && hdr[0] >> 4 == 4)
        put_u16(hdr + 4, id);
    return E_OK;
}

static err_t as_tunnel(const struct sa_out *sa, struct out_work *w, struct mode_pkt *k,
                       uint8_t *hdr)
{
    k->at = w->p->data;
    k->len = w->len;
    k->next = k->at[0] >> 4 == 4 ? NEXT_IPV4 : NEXT_IPV6;
    w->p->label = tunnel_flow_label(sa->spi);
    own_header(sa, w, k, hdr);
    return E_OK;
}

/* RFC 3173 2.2: what does not shrink is not tried for a while. */
static void pack(struct dp *d, struct mode *x, struct mode_pkt *k)
{
    if (x->zip_skip) {
        x->zip_skip--;
        x->not_zipped++;
        return;
    }
    if (ipcomp_pack(d->modes->zip, k->at, &k->len, k->next, x->cpi_out)) {
        k->next = IPCOMP_PROTO;
        x->zip_fails = 0;
        x->zipped++;
        return;
    }
    x->not_zipped++;
    if (k->len >= IPCOMP_LEAST && ++x->zip_fails >= 8) {
        x->zip_skip = 64;
        x->zip_fails = 0;
    }
}

static err_t begin(struct dp *d, struct sa_out *sa, struct out_work *w, struct mode_pkt *k,
                   uint8_t *hdr)
{
    struct mode *x = sa->child->mode;
    err_t e = x->mode == MODE_TRANSPORT ? as_transport(w, k, hdr)
              : x->mode == MODE_BEET    ? as_beet(sa, w, k, hdr)
                                        : as_tunnel(sa, w, k, hdr);
    if (!e && x->cpi_out)
        pack(d, x, k);
    return e;
}

/* --- ESP --- */

/* RFC 4303 3.3.2; more padding is written than needed: the place behind is ours. */
static void esp_put(const struct sa_out *sa, struct mode_pkt *k, uint64_t seq, struct cr_op *op)
{
    uint32_t pad = (0u - (k->len + 2)) & sa->f.align_mask;
    uint8_t *end = k->at + k->len;
    memcpy(end, padding, sizeof padding);
    end[pad] = (uint8_t)pad;
    end[pad + 1] = k->next;
    uint32_t text_len = k->len + pad + 2;
    k->at -= sa->f.hdr_len;
    put_u64(k->at, (uint64_t)sa->spi << 32 | (uint32_t)seq);
    *op = (struct cr_op){.key = sa->key,
                         .p = k->at,
                         .text_len = text_len,
                         .seq_hi = (uint32_t)(seq >> 32),
                         .esn = sa->f.esn,
                         .iv_seed = seq};
    k->len = sa->f.hdr_len + text_len + sa->f.icv_len;
    k->next = NEXT_ESP;
}

/* --- AH --- */

/* In front of the payload; the header before it, as it will be sent. */
static void ah_put(const struct sa_out *sa, struct mode_pkt *k, uint8_t *hdr, uint64_t seq)
{
    uint32_t n = ah_size(hdr[0] >> 4, sa->f.icv_len);
    k->at -= n;
    k->len += n;
    memset(k->at, 0, n);
    k->at[0] = k->next;
    k->at[1] = (uint8_t)(n / 4 - 2);
    put_u64(k->at + 4, (uint64_t)sa->spi << 32 | (uint32_t)seq);
    k->next = NEXT_AH;
    /* RFC 4302 holds the identification; the kernel would put one where there is none (raw(7)) */
    if (hdr[0] >> 4 == 4 && get_u16(hdr + 4) == 0)
        put_u16(hdr + 4, (uint16_t)seq ? (uint16_t)seq : 1);
    transport_finish(hdr, &k->h, NEXT_AH, k->len);
}

static err_t ah_seal(const struct sa_out *sa, struct mode_pkt *k, const uint8_t *hdr, uint64_t seq,
                     struct cr_op *op)
{
    uint8_t *ip = k->at - k->h.hlen;
    memcpy(ip, hdr, k->h.hlen);
    *op = (struct cr_op){.key = sa->key,
                         .p = ip,
                         .text_len = k->h.hlen + k->len - 8,
                         .seq_hi = (uint32_t)(seq >> 32),
                         .esn = sa->f.esn,
                         .iv_seed = seq};
    return ah_zero(ip, k->h.hlen);
}

/* The ICV was made behind the packet. */
static void ah_done(const struct sa_out *sa, struct mode_pkt *k)
{
    memcpy(k->at + AH_FIXED, k->at + k->len, sa->f.icv_len);
}

/* --- phases --- */

static struct cr_esp *key_of(struct dp *d, struct sa_out *sa)
{
    struct mode *m = sa->child->mode;
    if (sa->key)
        return sa->key;
    if (sa == m->ah_out)
        return sa->key = keying_make(&d->keying, mode_seed(m, DIR_OUT));
    return sa_key_out(d, sa) ? NULL : sa->key;
}

/* Those of n packets whose operation failed go, which only a failure of our own can cause. */
static size_t seal(struct dp *d, size_t n)
{
    struct modes *m = d->modes;
    size_t left = 0;
    if (cr_seal(d->crypto, m->ops, n))
        return n;
    for (size_t i = 0; i < n; i++) {
        if (m->ops[i].status)
            pkt_drop(d, m->pkt[i].p, m->ops[i].status);
        else
            m->pkt[left++] = m->pkt[i];
    }
    return left;
}

static size_t esp_all(struct dp *d, struct sa_out *sa, size_t n)
{
    for (size_t i = 0; i < n; i++)
        esp_put(sa, &d->modes->pkt[i], d->modes->pkt[i].seq, &d->modes->ops[i]);
    return seal(d, n);
}

static void count(struct dp *d, struct sa_out *sa, uint32_t bytes)
{
    sa->life.bytes += bytes;
    if (life_due(&sa->life, sa->seq))
        life_reached_out(d, sa);
}

/* Of a bundle's AH, which without ESN may come to its end before the ESP within: RFC 4302 3.3.2. */
static err_t own_number(struct dp *d, struct sa_out *ah, uint64_t *seq)
{
    if (ah->dead)
        return life_dead_out(d, ah);
    *seq = ++ah->seq;
    count(d, ah, 0);
    return E_OK;
}

static size_t ah_all(struct dp *d, struct sa_out *sa, size_t n)
{
    struct modes *m = d->modes;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        struct mode_pkt *w = &m->pkt[i];
        uint64_t seq = w->seq;
        err_t e = sa == sa->child->out ? E_OK : own_number(d, sa, &seq);
        if (!e) {
            ah_put(sa, w, m->hdr[w->slot], seq);
            e = ah_seal(sa, w, m->hdr[w->slot], seq, &m->ops[k]);
        }
        if (e)
            sa_pkt_drop(d, sa->child, w->p, e);
        else
            m->pkt[k++] = *w;
    }
    k = seal(d, k);
    for (size_t i = 0; i < k; i++)
        ah_done(sa, &m->pkt[i]);
    return k;
}

/* ESP in UDP with a header of ours around it: RFC 3948 2.1; in IPv6 a checksum is a must. */
static void put_udp(const struct sa_out *sa, struct mode_pkt *k, const uint8_t *hdr)
{
    uint8_t *u = k->at -= UDP_HEADER;
    k->len += UDP_HEADER;
    k->next = NEXT_UDP;
    put_u16(u, sa->local.port);
    put_u16(u + 2, sa->remote.port);
    put_u16(u + 4, (uint16_t)k->len);
    put_u16(u + 6, 0);
    if (hdr[0] >> 4 == 4)
        return;
    uint16_t sum = ip_csum(ip_sum(u, k->len, ip_sum(hdr + 8, 32, k->len + NEXT_UDP)));
    put_u16(u + 6, sum ? sum : 0xffff);
}

static bool keeps_header(const struct mode *x, const struct mode_pkt *k, const uint8_t *hdr)
{
    return k->next == NEXT_AH ||
           (x->mode == MODE_TRANSPORT && k->h.hlen > (hdr[0] >> 4 == 4 ? 20u : 40u));
}

static void emit(struct dp *d, const struct sa_out *sa, struct mode_pkt *k)
{
    struct dp_pkt *p = k->p;
    uint8_t *hdr = d->modes->hdr[k->slot];
    p->udp = sa->f.udp;
    p->whole = keeps_header(sa->child->mode, k, hdr);
    if (p->whole && p->udp)
        put_udp(sa, k, hdr);
    if (p->whole) {
        transport_finish(hdr, &k->h, k->next, k->len);
        k->at -= k->h.hlen;
        k->len += k->h.hlen;
        memcpy(k->at, hdr, k->h.hlen);
    }
    p->data = k->at;
    p->len = k->len;
    p->verdict = DP_TO_NET;
    p->reason = E_OK;
    p->local = sa->local;
    p->remote = sa->remote;
    p->child_id = sa->child_id;
    d->stats.packets_out++;
    d->stats.bytes_out += k->plain;
}

static err_t may_go(struct dp *d, struct sa_out *sa, struct sa_out *ah, const struct dp_pkt *p)
{
    if (sa->dead)
        return life_dead_out(d, sa);
    if (ah && ah->dead)
        return life_dead_out(d, ah);
    return p->close ? R_DP_ROOM : E_OK;
}

/* Too big for the path, and none of its pieces: a datagram that was cut already is cut again. */
static bool fits(struct dp *d, struct out_work *w, const struct sa_out *sa, bool joined)
{
    return joined || w->len <= sa->inner_mtu || esp_may_exceed(d, w, sa);
}

void modes_out(struct dp *d, struct sa_out *sa, struct out_work *w, size_t n, uint64_t now_ms)
{
    struct modes *m = d->modes;
    struct sa_out *ah = sa->child->mode->ah_out;
    bool keyless = !key_of(d, sa) || (ah && !key_of(d, ah));
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (sa->child->mode->mode == MODE_TUNNEL) {
            w[i].df = sa->df == DF_COPY ? w[i].df : sa->df == DF_SET;
            w[i].tos = (uint8_t)((w[i].tos & sa->tos_mask) | sa->tos_add);
        }
        err_t e = keyless ? E_NOMEM : may_go(d, sa, ah, w[i].p);
        const uint8_t *was = w[i].p->data;
        if (!e && sa->whole && frags_collect(d, sa, &w[i]))
            continue;
        if (!e && !fits(d, &w[i], sa, w[i].p->data != was))
            continue;
        m->pkt[k] = (struct mode_pkt){.p = w[i].p, .slot = (uint8_t)k, .plain = w[i].len};
        w[i].p->tos = w[i].tos;
        w[i].p->df = w[i].df;
        if (!e)
            e = begin(d, sa, &w[i], &m->pkt[k], m->hdr[k]);
        if (e) {
            sa_pkt_drop(d, sa->child, w[i].p, e);
            continue;
        }
        m->pkt[k++].seq = ++sa->seq;
        count(d, sa, w[i].len);
    }
    if (k)
        sa->last_ms = now_ms;
    if (sa->f.kind == KIND_ESP)
        k = esp_all(d, sa, k);
    if (sa->f.kind == KIND_AH || ah)
        k = ah_all(d, sa->f.kind == KIND_AH ? sa : ah, k);
    for (size_t i = 0; i < k; i++)
        emit(d, sa, &m->pkt[i]);
}
