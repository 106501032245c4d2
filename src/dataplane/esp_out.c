/*
 * Outbound ESP in tunnel mode, RFC 4303 3.3, a batch in phases: parse all, choose all SAs, write
 * all headers and trailers, encrypt all, hand over. Called by batch.c.
 */
#include "dataplane/frag_pmtu.h"
#include "dataplane/lifetime.h"

#define ACQUIRE_AGAIN_MS 1000 /* with SAs whose narrowed selectors do not hold the flow */
#define OUTER_MAX        48   /* largest outer IP and UDP header: it must fit 65535 bytes too */

static const uint8_t padding[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static inline void fetch_flow(const struct dp *d, struct out_work *w)
{
    w->hash = flow_hash(&d->flow_key, &w->ip.flow);
    const struct flow_entry *set = flow_cache_set(&d->flows, w->hash);
    __builtin_prefetch(&set[0]);
    __builtin_prefetch(&set[1]);
}

static size_t parse_all(struct dp *d, struct dp_pkt *const *pkts, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        struct out_work *w = &d->out[k];
        w->p = pkts[i];
        w->p->reason = E_OK;
        err_t e = ip_parse(w->p->data, w->p->len, &w->ip);
        if (e) {
            pkt_drop(d, w->p, e);
            continue;
        }
        w->p->len = w->inner_len = w->ip.len;
        w->same = k && flow_eq(&w->ip.flow, &w[-1].ip.flow);
        if (w->same)
            w->hash = w[-1].hash;
        else
            fetch_flow(d, w);
        k++;
    }
    return k;
}

static bool tell_acquire(struct dp *d, const struct bind *b, const struct flow *f)
{
    struct dp_note n = {.kind = NOTE_ACQUIRE, .policy_id = b->policy_id};
    flow_to_ts(f, &n.flow_local, &n.flow_remote);
    return notes_put(&d->notes, &n);
}

/* Once per policy until an SA or a drop comes; again after hold_ms in case that got lost. */
static void acquire(struct dp *d, struct bind *b, const struct flow *f, uint64_t now_ms)
{
    uint64_t since = now_ms - b->acquire_ms;
    if (b->acquiring && since < d->set.hold_ms)
        return;
    if (b->newest && b->acquire_ms && since < ACQUIRE_AGAIN_MS)
        return;
    b->acquiring = tell_acquire(d, b, f);
    b->acquire_ms = now_ms;
}

/* The negotiation is asked for even when there is no room to hold the packet. */
static void hold_packet(struct dp *d, struct out_work *w, struct bind *b, uint64_t now_ms)
{
    bool again =
        d->releasing || b->releasing; /* just released and taken by no SA: no second round */
    if (!again)
        acquire(d, b, &w->ip.flow, now_ms);
    if (again || !hold_put(&d->hold, b, w->p->data, w->p->len, now_ms))
        pkt_drop(d, w->p, R_DP_HOLD);
    else
        w->p->verdict = DP_HELD;
}

static err_t refusal(const struct spd_rule *r)
{
    return r && r->action == POL_DROP ? R_DP_POLICY_DROP : R_DP_NO_POLICY;
}

/* What the SPD says now; the flow cache learns it. NULL: the packet has its verdict. */
static struct sa_out *choose_slow(struct dp *d, struct out_work *w, uint64_t now_ms)
{
    const struct spd_rule *r = spd_find(d->spd, &w->ip.flow);
    struct sa_out *sa = NULL;
    if (r && r->action == POL_PROTECT) {
        sa = bind_choose(r->bind, &w->ip.flow);
        if (!sa) {
            hold_packet(d, w, r->bind, now_ms);
            return NULL;
        }
    }
    struct flow_entry *e = flow_cache_add(&d->flows, w->hash, &w->ip.flow);
    e->rule = r;
    e->sa = sa;
    e->sa_gen = sa ? sa->gen : 0;
    if (!sa)
        pkt_drop(d, w->p, refusal(r));
    return sa;
}

static inline void fetch_sa(const struct sa_out *sa)
{
    __builtin_prefetch(sa, 1);
    __builtin_prefetch((const char *)sa + 64, 1);
    __builtin_prefetch((const char *)sa + 128);
}

/* Copied out, for a later packet of the batch may take the entry's place. */
static inline bool look_up(const struct dp *d, struct out_work *w)
{
    if (w->same && w[-1].hit) {
        w->hit = true;
        w->sa = w[-1].sa;
        w->sa_gen = w[-1].sa_gen;
        w->rule = w[-1].rule;
        return true;
    }
    const struct flow_entry *e = flow_cache_find(&d->flows, w->hash, &w->ip.flow);
    w->hit = e != NULL;
    if (!e)
        return false;
    w->sa = e->sa;
    w->sa_gen = e->sa_gen;
    w->rule = e->rule;
    if (e->sa)
        fetch_sa(e->sa);
    return true;
}

/* Asks the cache for all; for flows it does not know the SPD's memory is fetched ahead, step by
 * step, which makes 100,000 policies about four times cheaper to ask. */
static void look_up_all(struct dp *d, size_t n)
{
    size_t misses = 0;
    for (size_t i = 0; i < n; i++)
        if (!look_up(d, &d->out[i]))
            d->miss[misses++] = (uint8_t)i;
    for (size_t i = 0; i < misses; i++) {
        struct out_work *w = &d->out[d->miss[i]];
        w->home = spd_fetch_slot(d->spd, &w->ip.flow);
    }
    for (size_t i = 0; i < misses; i++)
        spd_fetch_rule(d->spd, d->out[d->miss[i]].home);
}

static struct sa_out *choose(struct dp *d, struct out_work *w, uint64_t now_ms)
{
    w->same = false;
    if (!w->hit && !look_up(d, w)) /* an earlier packet of the batch may have had the same flow */
        return choose_slow(d, w, now_ms);
    if (w->sa && w->sa_gen != w->sa->gen)
        return choose_slow(d, w, now_ms);
    if (!w->sa)
        pkt_drop(d, w->p, refusal(w->rule));
    return w->sa;
}

static size_t choose_all(struct dp *d, size_t n, uint64_t now_ms)
{
    size_t k = 0;
    look_up_all(d, n);
    for (size_t i = 0; i < n; i++) {
        struct out_work *w = &d->out[i];
        w->sa = choose(d, w, now_ms);
        if (!w->sa)
            continue;
        __builtin_prefetch(w->sa->key);
        if (i != k)
            d->out[k] = *w;
        k++;
    }
    return k;
}

/* False: the packet was too big and has its verdict. */
static bool fits(struct dp *d, struct out_work *w)
{
    const struct sa_out *sa = w->sa;
    w->df = w->ip.df;
    if (w->ip.len <= sa->inner_mtu)
        return true;
    bool huge =
        w->ip.len + sa->f.hdr_len + sa->f.icv_len + sa->f.align_mask + 2u + OUTER_MAX > 65535;
    if (!huge && !pmtu_refuse(&w->ip, &w->df))
        return true;
    pkt_drop(d, w->p, R_DP_TOO_BIG);
    if (w->ip.df && pmtu_answer(&w->p->data, &w->p->len, &w->ip, sa->inner_mtu))
        w->p->verdict = DP_TO_HOST;
    return false;
}

/* RFC 4303 3.3.2: padding to the block and to 4 bytes, pad length, next header. */
static uint32_t trailer_put(uint8_t *end, uint32_t len, const struct framing *f, uint8_t next)
{
    uint32_t pad = (0u - (len + 2)) & f->align_mask;
    memcpy(end, padding, sizeof padding); /* more than needed: the tailroom is ours */
    end[pad] = (uint8_t)pad;
    end[pad + 1] = next;
    return len + pad + 2;
}

static void frame(struct out_work *w, struct cr_op *op, uint64_t now_ms)
{
    struct sa_out *sa = w->sa;
    uint8_t *inner = w->p->data, *p = inner - sa->f.hdr_len;
    uint64_t seq = ++sa->seq;
    sa->life.bytes += w->inner_len;
    sa->last_ms = now_ms;
    put_u32(p, sa->spi);
    put_u32(p + 4, (uint32_t)seq);
    op->key = sa->key;
    op->p = p;
    op->plain = NULL;
    op->text_len = trailer_put(inner + w->inner_len, w->inner_len, &sa->f,
                               flow_family(&w->ip.flow) == 4 ? 4 : 41);
    op->seq_hi = (uint32_t)(seq >> 32);
    op->esn = sa->f.esn;
    op->iv_seed = seq; /* unique for the life of the key: RFC 4106 3.1, RFC 7634 2 */
    op->status = E_OK;
    w->p->data = p;
    w->p->len = sa->f.hdr_len + op->text_len + sa->f.icv_len;
}

static size_t frame_all(struct dp *d, size_t n, uint64_t now_ms)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        struct out_work *w = &d->out[i];
        if (w->sa->dead) {
            pkt_drop(d, w->p, life_dead_out(d, w->sa));
            continue;
        }
        if (!fits(d, w))
            continue;
        frame(w, &d->ops[k], now_ms);
        if (life_due(&w->sa->life, w->sa->seq))
            life_reached_out(d, w->sa);
        if (i != k)
            d->out[k] = *w;
        k++;
    }
    return k;
}

/* Bytes of inner packet sent. */
static uint32_t hand_over(struct dp *d, const struct out_work *w, const struct cr_op *op)
{
    struct dp_pkt *p = w->p;
    const struct sa_out *sa = w->sa;
    if (op->status) {
        pkt_drop(d, p, op->status);
        return 0;
    }
    p->verdict = DP_TO_NET;
    p->local = sa->local;
    p->remote = sa->remote;
    p->udp = sa->f.udp;
    p->tos = w->ip.tos; /* RFC 6040 4.1: ECN copied; RFC 4301 5.1.2: DSCP copied */
    p->df = w->df;
    p->child_id = sa->child_id;
    return w->inner_len;
}

void esp_out_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms)
{
    size_t k = parse_all(d, pkts, n);
    k = choose_all(d, k, now_ms);
    k = frame_all(d, k, now_ms);
    if (!k)
        return;
    cr_seal(d->crypto, d->ops, k);
    uint64_t packets = 0, bytes = 0;
    for (size_t i = 0; i < k; i++) {
        uint32_t sent = hand_over(d, &d->out[i], &d->ops[i]);
        packets += sent > 0;
        bytes += sent;
    }
    d->stats.packets_out += packets;
    d->stats.bytes_out += bytes;
}
