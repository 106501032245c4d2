/*
 * Inbound packets of the SAs that are not ESP in tunnel mode: AH (RFC 4302 3.4) and ESP (RFC 4303
 * 3.4), alone or one in the other, then IPComp (RFC 3173), then the packet as the mode has it. In
 * phases over a run of one SA, as esp_in.c does. Called by it.
 */
#include "dataplane/modes.h"
#include "dataplane/rx.h"

enum { NEXT_ESP = 50, INNER_MAX = 65535 };

/* The header that came with a packet, or one like it; the AH or ESP after it. */
static err_t take_header(struct mode_pkt *k, uint8_t *hdr)
{
    const struct dp_pkt *p = k->p;
    uint32_t ah = p->ah ? 4 : 0;
    if (p->ip_len > ah && p->ip_len <= DP_IP_MAX + ah) {
        memcpy(hdr, p->data - p->ip_len, p->ip_len - ah);
        return transport_find(hdr, p->ip_len - ah, &k->h);
    }
    k->h.hlen = transport_header(hdr, &p->remote.addr, &p->local.addr, p->tos, p->ttl);
    k->h.next_at = p->remote.addr.family == 4 ? 9 : 6;
    return p->ah ? R_DP_HEADER : E_OK;
}

/* --- ESP --- */

static err_t esp_check(struct dp *d, struct sa_in *sa, struct mode_pkt *k, struct cr_op *op)
{
    uint32_t fixed = (uint32_t)sa->f.hdr_len + sa->f.icv_len;
    if (k->len <= fixed || ((k->len - fixed) & sa->f.align_mask))
        return R_DP_SHORT;
    err_t e = rx_fresh(d, sa, get_u32(k->at + 4), &k->seq);
    *op = (struct cr_op){.key = sa->key, .p = k->at, .text_len = k->len - fixed};
    return e;
}

static err_t esp_trailer(const struct sa_in *sa, struct mode_pkt *k)
{
    uint32_t text = k->len - sa->f.hdr_len - sa->f.icv_len;
    const uint8_t *end = k->at + sa->f.hdr_len + text;
    uint32_t pad = end[-2];
    if (text < pad + 2 || !rx_padding_ok(end - 2, pad))
        return R_DP_PADDING;
    k->next = end[-1];
    k->at += sa->f.hdr_len;
    k->len = text - pad - 2;
    return E_OK;
}

/* --- AH --- */

/* k->at is at AH's first byte. The length that we make, or as Linux does it in IPv4, see ah.h. */
static bool ah_size_ok(const struct sa_in *sa, const struct mode_pkt *k)
{
    uint32_t n = (k->at[1] + 2u) * 4u;
    if (k->len < AH_FIXED || n > k->len)
        return false;
    return n == ah_size(4, sa->f.icv_len) || n == ah_size(6, sa->f.icv_len);
}

/*
 * The packet lies in one piece, so it is hashed where it is: header with its mutable fields zero,
 * the ICV's place zero, the ICV behind all of it. The header is not needed again: there is a copy.
 */
static err_t ah_check(struct dp *d, struct sa_in *sa, struct mode_pkt *k, struct cr_op *op)
{
    uint8_t *ip = k->at - k->h.hlen, *icv = k->at + AH_FIXED;
    if (!ah_size_ok(sa, k))
        return R_DP_SHORT;
    err_t e = rx_fresh(d, sa, get_u32(k->at + 8), &k->seq);
    if (!e)
        e = ah_zero(ip, k->h.hlen);
    if (e)
        return e;
    memcpy(k->at + k->len, icv, sa->f.icv_len);
    memset(icv, 0, sa->f.icv_len);
    *op = (struct cr_op){.key = sa->key, .p = ip, .text_len = k->h.hlen + k->len - 8};
    return E_OK;
}

static err_t ah_strip(struct mode_pkt *k)
{
    uint32_t n = (k->at[1] + 2u) * 4u;
    k->next = k->at[0];
    k->at += n;
    k->len -= n;
    return E_OK;
}

/* --- a run --- */

static struct cr_esp *key_of(struct dp *d, struct sa_in *sa)
{
    struct mode *m = sa->child->mode;
    if (sa->key)
        return sa->key;
    if (sa == m->ah_in)
        return sa->key = keying_make(&d->keying, mode_seed(m, DIR_IN));
    return sa_key_in(d, sa) ? NULL : sa->key;
}

/* Checks, verifies and commits the first n of modes.pkt; those that are left, and how many. */
static size_t open_all(struct dp *d, struct sa_in *sa, size_t n)
{
    struct modes *m = d->modes;
    bool ah = sa->f.kind == KIND_AH;
    size_t k = 0, left = 0;
    bool keyless = !key_of(d, sa);
    for (size_t i = 0; i < n; i++) {
        struct mode_pkt *w = &m->pkt[i];
        err_t e = keyless ? E_NOMEM
                  : ah    ? ah_check(d, sa, w, &m->ops[k])
                          : esp_check(d, sa, w, &m->ops[k]);
        if (e) {
            sa_pkt_drop(d, sa->child, w->p, e);
            continue;
        }
        m->ops[k].seq_hi = (uint32_t)(w->seq >> 32);
        m->ops[k].esn = sa->f.esn;
        m->pkt[k++] = *w;
    }
    cr_open(d->crypto, m->ops, k);
    for (size_t i = 0; i < k; i++) {
        struct mode_pkt *w = &m->pkt[i];
        err_t e = rx_commit(d, sa, w->p, w->seq, m->ops[i].status);
        if (!e)
            e = ah ? ah_strip(w) : esp_trailer(sa, w);
        if (e)
            sa_pkt_drop(d, sa->child, w->p, e);
        else
            m->pkt[left++] = *w;
    }
    return left;
}

/* What AH has held must be this child's ESP: RFC 4301 5.2, the SAs in the order of the bundle. */
static size_t next_sa(struct dp *d, struct child *c, size_t n)
{
    struct modes *m = d->modes;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        struct mode_pkt *w = &m->pkt[i];
        if (w->next != NEXT_ESP || w->len < 8 || get_u32(w->at) != c->spi_in)
            sa_pkt_drop(d, c, w->p, R_DP_NEXT_HEADER);
        else
            m->pkt[left++] = *w;
    }
    return left;
}

/* --- the packet inside --- */

static err_t unpack(struct dp *d, struct mode *x, struct mode_pkt *k)
{
    struct modes *m = d->modes;
    if (k->len <= IPCOMP_HEADER || get_u16(k->at + 2) != x->cpi_in || k->at[0] == IPCOMP_PROTO)
        return R_DP_IPCOMP;
    uint8_t *out = modes_room(m, INNER_MAX);
    if (!out)
        return R_DP_ROOM;
    err_t e = ipcomp_unpack(m->zip, k->at + IPCOMP_HEADER, k->len - IPCOMP_HEADER, out,
                            INNER_MAX - k->h.hlen, &k->len);
    modes_trim(m, out, e ? 0 : k->len);
    x->unzipped += !e;
    k->next = k->at[0];
    k->at = out;
    return e;
}

/* Place for a header in front of the payload. In UDP that may be the tail of another datagram, in
 * a train of them. */
static err_t make_place(struct dp *d, const struct sa_in *sa, struct mode_pkt *k, bool in_arena)
{
    if (in_arena || !k->p->udp || k->h.hlen <= sa->f.hdr_len)
        return E_OK;
    uint8_t *to = modes_room(d->modes, k->len);
    if (!to)
        return R_DP_ROOM;
    memcpy(to, k->at, k->len);
    k->at = to;
    return E_OK;
}

static err_t put_header(struct dp *d, struct sa_in *sa, struct mode_pkt *k, const uint8_t *hdr)
{
    struct dp_pkt *p = k->p;
    if (k->h.hlen + k->len > 65535)
        return R_DP_INNER;
    p->data = k->at - k->h.hlen;
    p->len = k->h.hlen + k->len;
    memcpy(p->data, hdr, k->h.hlen);
    transport_finish(p->data, &k->h, k->next, k->len);
    uint32_t len;
    return rx_inner_parse(d, sa, p, p->data, p->len, p->data[0] >> 4 == 4 ? NEXT_IPV4 : NEXT_IPV6,
                          &len);
}

static err_t as_transport(struct dp *d, struct sa_in *sa, struct mode_pkt *k, const uint8_t *hdr,
                          bool in_arena)
{
    const struct mode *x = sa->child->mode;
    err_t e = make_place(d, sa, k, in_arena);
    if (e)
        return e;
    if (x->repair)
        transport_repair(k->at, k->len, k->next, x->csum_fix);
    return put_header(d, sa, k, hdr);
}

static err_t as_beet(struct dp *d, struct sa_in *sa, struct mode_pkt *k, const uint8_t *outer,
                     bool in_arena)
{
    const struct mode *x = sa->child->mode;
    uint8_t hdr[DP_IP_MAX];
    uint32_t skip;
    err_t e = beet_header(hdr, &k->h, &x->inner_remote, &x->inner_local, outer, k->at, k->len,
                          &k->next, &skip);
    if (e)
        return e;
    k->at += skip;
    k->len -= skip;
    e = make_place(d, sa, k, in_arena);
    return e ? e : put_header(d, sa, k, hdr);
}

static err_t inside(struct dp *d, struct sa_in *sa, struct mode_pkt *k, const uint8_t *hdr)
{
    struct mode *x = sa->child->mode;
    bool packed = k->next == IPCOMP_PROTO && x->cpi_in;
    err_t e = packed ? unpack(d, x, k) : E_OK;
    if (e)
        return e;
    if (x->mode == MODE_TRANSPORT)
        return as_transport(d, sa, k, hdr, packed);
    if (x->mode == MODE_BEET)
        return as_beet(d, sa, k, hdr, packed);
    if (k->next != NEXT_IPV4 && k->next != NEXT_IPV6)
        return R_DP_NEXT_HEADER;
    return rx_inner_check(d, sa, k->p, k->at, k->len, k->next);
}

static void deliver(struct dp *d, struct sa_in *sa, struct mode_pkt *k)
{
    struct dp_pkt *p = k->p;
    bool dummy = k->next == NEXT_DUMMY; /* RFC 4303 2.6: discarded without a word */
    if (dummy && sa->f.kind == KIND_ESP)
        probe_received(d, sa->child, k->at, k->len, d->now_ms);
    err_t e = dummy ? E_OK : inside(d, sa, k, d->modes->hdr[k->slot]);
    rx_count(d, sa, !e && !dummy ? p->len : 0);
    if (e) {
        rx_drop(d, sa->child, p, e);
        return;
    }
    p->verdict = dummy ? DP_DROP : DP_TO_HOST;
    p->iface = sa->iface;
    d->stats.packets_in += !dummy;
    d->stats.bytes_in += dummy ? 0 : p->len;
}

/* ESP of a bundle comes within its AH and not alone. */
static err_t begin(const struct sa_in *sa, struct mode_pkt *k, uint8_t *hdr)
{
    const struct mode *x = sa->child->mode;
    const struct dp_pkt *p = k->p;
    bool ah = sa->f.kind == KIND_AH;
    if (p->ah != ah || p->udp != sa->f.udp || (!ah && x->ah_in))
        return R_DP_ENCAP;
    k->at = p->data - (ah ? 4 : 0);
    k->len = p->len + (ah ? 4 : 0);
    return take_header(k, hdr);
}

void modes_in(struct dp *d, struct sa_in *sa, const struct in_work *w, size_t n, uint64_t now_ms)
{
    struct modes *m = d->modes;
    struct child *c = sa->child;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        m->pkt[k] = (struct mode_pkt){.p = w[i].p, .slot = (uint8_t)k};
        err_t e = begin(sa, &m->pkt[k], m->hdr[k]);
        if (e)
            sa_pkt_drop(d, c, w[i].p, e);
        else
            m->pkt[k++].p->child_id = c->id;
    }
    k = open_all(d, sa, k);
    if (k && sa == c->mode->ah_in) {
        sa->last_ms = now_ms;
        k = open_all(d, c->in, next_sa(d, c, k));
    }
    for (size_t i = 0; i < k; i++)
        deliver(d, c->in, &m->pkt[i]);
    if (k)
        c->in->last_ms = now_ms;
}
