/*
 * Inbound ESP in tunnel mode, RFC 4303 3.4, a batch in phases: find all SAs, check all, decrypt
 * all, commit all. Until the ICV has held nothing of an SA changes but its counters of bad packets.
 * Called by batch.c.
 */
#include "dataplane/modes.h"
#include "dataplane/rx.h"
#include "dataplane/udp_encap.h"
#include <assert.h>
#include <stddef.h>

/* True: ESP, and p->data is at the SPI. Otherwise the packet has its verdict. */
static bool classify(struct dp *d, struct dp_pkt *p)
{
    p->reason = E_OK;
    enum udp_kind kind = p->udp ? udp_classify(p->data, p->len) : UDP_IS_ESP;
    switch (kind) {
    case UDP_IS_KEEPALIVE:
        p->verdict = DP_KEEPALIVE;
        return false;
    case UDP_IS_IKE:
        p->data += UDP_MARKER;
        p->len -= UDP_MARKER;
        p->verdict = DP_TO_IKE;
        return false;
    case UDP_IS_ESP:
        if (p->len >= 8)
            return true;
        break;
    case UDP_IS_SHORT:
        break;
    }
    pkt_drop(d, p, R_DP_SHORT);
    return false;
}

static struct in_run *new_run(struct dp *d, size_t at, uint32_t spi)
{
    struct in_run *r = &d->in_runs[at];
    *r = (struct in_run){.slot = sad_slot_of(&d->sad, spi), .spi = spi};
    __builtin_prefetch(r->slot);
    return r;
}

/* Runs of one SPI; how many. An SPI of zero is IKE's marker when in UDP: classify must see it. */
static size_t find_runs(struct dp *d, struct dp_pkt *const *pkts, size_t n)
{
    struct in_work *w = d->in;
    struct in_run *r = NULL;
    size_t runs = 0;
    for (size_t i = 0; i < n; i++) {
        struct dp_pkt *p = pkts[i];
        if (r && r->spi && p->len >= 8 && get_u32(p->data) == r->spi)
            p->reason = E_OK;
        else if (classify(d, p))
            r = new_run(d, runs++, get_u32(p->data));
        else
            continue;
        r->n++;
        (w++)->p = p;
    }
    return runs;
}

static void find_sas(struct dp *d, size_t runs)
{
    for (struct in_run *r = d->in_runs; r < d->in_runs + runs; r++) {
        r->sa = r->slot->spi == r->spi ? r->slot->sa : NULL;
        if (!r->sa)
            continue;
        __builtin_prefetch(r->sa);
        __builtin_prefetch((const char *)r->sa + 64, 1);
        __builtin_prefetch((const char *)r->sa + 128, 1);
    }
    for (struct in_run *r = d->in_runs; runs > 1 && r < d->in_runs + runs; r++)
        if (r->sa) {
            __builtin_prefetch(r->sa->key);
            __builtin_prefetch(replay_word(&r->sa->replay), 1);
        }
}

/* In UDP or not, and as no AH: two bytes side by side in both. */
static_assert(offsetof(struct framing, kind) == offsetof(struct framing, udp) + 1 && !KIND_TUNNEL,
              "compared as one");
static_assert(offsetof(struct dp_pkt, ah) == offsetof(struct dp_pkt, udp) + 1, "likewise");

/* RFC 4303 3.4.2 and 3.4.3: everything that needs no key. */
static inline err_t check(struct dp *d, struct sa_in *sa, struct framing f, struct in_work *w)
{
    if (get_u16((const uint8_t *)&f.udp) != get_u16((const uint8_t *)&w->p->udp))
        return R_DP_ENCAP;
    uint32_t fixed = (uint32_t)f.hdr_len + f.icv_len;
    if (w->p->len <= fixed || ((w->p->len - fixed) & f.align_mask))
        return R_DP_SHORT;
    return rx_fresh(d, sa, get_u32(w->p->data + 4), &w->seq);
}

/* Another worker's SPI; or a reserved one, which gets its SA in a moment: the peer was quicker than
 * its own answer. */
static void without_sa(struct dp *d, const struct in_run *r, const struct in_work *from,
                       uint64_t now_ms)
{
    bool soon = r->slot->spi == r->spi;
    uint32_t owner = dp_spi_worker(r->spi, d->set.workers);
    for (size_t i = 0; i < r->n; i++) {
        if (owner != d->set.self)
            pkt_elsewhere(from[i].p, owner);
        else if (soon && early_put(&d->early, r->spi, from[i].p, now_ms))
            from[i].p->verdict = DP_HELD;
        else
            pkt_drop(d, from[i].p, R_DP_NO_SA);
    }
}

/* The packets of a run that may be decrypted move to d->in[k] and on, with their operations. */
static size_t check_run(struct dp *d, struct in_run *r, const struct in_work *from, size_t k,
                        uint64_t now_ms)
{
    size_t before = k;
    if (!r->sa) {
        without_sa(d, r, from, now_ms);
        r->n = 0;
        return k;
    }
    if (r->sa->f.kind != KIND_TUNNEL) {
        modes_in(d, r->sa, from, r->n, now_ms);
        r->n = 0;
        return k;
    }
    struct sa_in *sa = r->sa;
    const struct framing f = sa->f;
    err_t keyless = sa->key ? E_OK : sa_key_in(d, sa);
    uint64_t next = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct in_work w = from[i];
        err_t e = keyless ? keyless : check(d, sa, f, &w);
        if (e) {
            sa_pkt_drop(d, sa->child, w.p, e);
            continue;
        }
        r->in_row = k == before || (r->in_row && w.seq == next);
        next = w.seq + 1;
        struct cr_op *op = &d->ops[k];
        op->key = sa->key;
        op->p = w.p->data;
        op->plain = NULL;
        op->text_len = w.p->len - f.hdr_len - f.icv_len;
        op->seq_hi = (uint32_t)(w.seq >> 32);
        op->esn = f.esn;
        d->in[k++] = w;
    }
    r->n = (uint32_t)(k - before);
    return k;
}

static size_t check_all(struct dp *d, size_t runs, uint64_t now_ms)
{
    const struct in_work *from = d->in;
    size_t k = 0;
    for (struct in_run *r = d->in_runs; r < d->in_runs + runs; r++) {
        uint32_t n = r->n;
        k = check_run(d, r, from, k, now_ms);
        from += n;
    }
    return k;
}

static inline err_t trailer_check(struct dp *d, struct sa_in *sa, struct dp_pkt *p,
                                  uint32_t text_len, bool *dummy)
{
    const uint8_t *end = p->data + sa->f.hdr_len + text_len;
    uint8_t next = end[-1];
    uint32_t pad = end[-2];
    if (text_len < pad + 2 || !rx_padding_ok(end - 2, pad))
        return R_DP_PADDING;
    if (next == NEXT_DUMMY) { /* RFC 4303 2.6: discarded without a word */
        *dummy = true;
        probe_received(d, sa->child, p->data + sa->f.hdr_len, text_len - pad - 2, d->now_ms);
        return E_OK;
    }
    if (next != NEXT_IPV4 && next != NEXT_IPV6)
        return R_DP_NEXT_HEADER;
    return rx_inner_check(d, sa, p, p->data + sa->f.hdr_len, text_len - pad - 2, next);
}

static bool all_authentic(const struct cr_op *op, size_t n)
{
    err_t any = E_OK;
    for (size_t i = 0; i < n; i++)
        any |= op[i].status;
    return any == E_OK;
}

/* The usual run: all authentic, their numbers in a row beyond the head of the window, no limit
 * near. What rx_commit does with each packet is done once. */
static bool commit_at_once(struct dp *d, const struct in_run *r, const struct in_work *w,
                           const struct cr_op *op)
{
    struct sa_in *sa = r->sa;
    if (!r->in_row || w->seq <= sa->replay.top || sa->dead || sa->announce ||
        life_near(&sa->life, sa->life.packets, r->n) || !all_authentic(op, r->n))
        return false;
    replay_commit_row(&sa->replay, w->seq, r->n);
    rx_look_where(d, sa, w[r->n - 1].p);
    sa->life.packets += r->n;
    return true;
}

/* `at_once`: it is committed. */
static inline err_t commit(struct dp *d, struct sa_in *sa, const struct in_work *w,
                           const struct cr_op *op, bool at_once)
{
    struct dp_pkt *p = w->p;
    bool dummy = false;
    err_t e = at_once ? E_OK : rx_commit(d, sa, p, w->seq, op->status);
    if (e)
        return e;
    e = trailer_check(d, sa, p, op->text_len, &dummy);
    if (!at_once)
        rx_count(d, sa, !e && !dummy ? p->len : 0);
    if (!e)
        p->verdict = dummy ? DP_DROP : DP_TO_HOST;
    return e;
}

static void commit_run(struct dp *d, const struct in_run *r, size_t at, uint64_t now_ms)
{
    struct sa_in *sa = r->sa;
    const struct in_work *w = &d->in[at];
    const struct cr_op *op = &d->ops[at];
    uint64_t taken = sa->life.packets, packets = 0, bytes = 0;
    bool at_once = commit_at_once(d, r, w, op);
    for (const struct in_work *end = w + r->n; w < end; w++, op++) {
        struct dp_pkt *p = w->p;
        p->child_id = sa->child_id;
        if (sa->iface)
            p->iface = sa->iface;
        err_t e = commit(d, sa, w, op, at_once);
        if (e) {
            rx_drop(d, sa->child, p, e);
        } else if (p->verdict == DP_TO_HOST) {
            packets++;
            bytes += p->len;
        }
    }
    if (at_once)
        sa->life.bytes += bytes;
    if (sa->life.packets != taken)
        sa->last_ms = now_ms;
    d->stats.packets_in += packets;
    d->stats.bytes_in += bytes;
}

void esp_in_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms)
{
    size_t at = 0, runs = find_runs(d, pkts, n);
    d->now_ms = now_ms;
    if (!runs)
        return;
    find_sas(d, runs);
    cr_open(d->crypto, d->ops, check_all(d, runs, now_ms));
    for (const struct in_run *r = d->in_runs; r < d->in_runs + runs; r++) {
        if (r->n)
            commit_run(d, r, at, now_ms);
        at += r->n;
    }
}
