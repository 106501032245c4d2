/*
 * Outbound ESP in tunnel mode, RFC 4303 3.3, a batch in phases: parse all into runs of one flow,
 * look up all runs, write all headers and trailers, encrypt all. Called by batch.c.
 */
#include "dataplane/frag_pmtu.h"
#include "dataplane/frags.h"
#include "dataplane/lifetime.h"
#include "dataplane/modes.h"
#include "dataplane/look.h"
#include "dataplane/mss.h"
#include "dataplane/train.h"
#include "dataplane/tunnel.h"

#define ACQUIRE_AGAIN_MS 1000 /* with SAs whose narrowed selectors do not hold the flow */
#define TELL_MAX         1000 /* ICMP errors a second: for a sender a few are enough */
#define OUTER_MAX        48   /* largest outer IP and UDP header: it must fit 65535 bytes too */

static const uint8_t padding[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* What the batch has come to so far. */
struct out_sum {
    size_t ops;
    uint64_t bytes;
};

/* The hash is that of the words just written, before they are copied, or it would wait for them. */
static inline struct out_run *run_of(struct dp *d, size_t runs, const struct flow *f)
{
    struct out_run *r = &d->out_runs[runs];
    r->hash = flow_hash(&d->flow_key, f);
    __builtin_prefetch(flow_cache_set(&d->flows, r->hash)); /* mostly it is the set's youngest */
    r->flow = *f;
    r->n = 0;
    r->look = 0;
    return r;
}

/* Nobody sends a SYN in fragments. */
static inline uint8_t look_of(const uint8_t *p, const struct ip_info *ip)
{
    return mss_is_syn(p, ip) ? RUN_SYN : ip->frag ? RUN_FRAG : 0;
}

/* Packets with a place in d->out; their runs to *runs. */
static size_t parse_all(struct dp *d, struct dp_pkt *const *pkts, size_t n, size_t *runs)
{
    struct train t = {0};
    struct out_run *run = NULL;
    uint16_t iface = 0; /* of the train */
    size_t k = 0;
    *runs = 0;
    for (size_t i = 0; i < n; i++) {
        struct dp_pkt *p = pkts[i];
        struct out_work *w = &d->out[k];
        uint32_t len = p->iface == iface ? train_next(&t, p->data, p->len) : 0;
        __builtin_prefetch(p->data - 16, 1); /* where header and trailer will be written */
        __builtin_prefetch(p->data + p->len, 1);
        if (len) {
            *w = (struct out_work){p, len, p->data[1], p->data[6] & 0x40};
        } else {
            struct ip_info ip;
            err_t e = ip_parse(p->data, p->len, &ip);
            if (e) {
                pkt_drop(d, p, e);
                continue;
            }
            *w = (struct out_work){p, ip.len, ip.tos, ip.df};
            iface = p->iface;
            ip.flow.meta |= flow_meta_iface(iface);
            if (__builtin_expect(ip.frag && d->frags, 0) && !frags_out(d, p, &ip))
                continue;
            if (!run || !flow_eq(&ip.flow, &run->flow))
                run = run_of(d, (*runs)++, &ip.flow);
            run->look |= look_of(p->data, &ip);
            train_start(&t, p->data, &ip);
        }
        run->n++;
        k++;
    }
    return k;
}

/* A fragment's flow has no ports: an SA for such alone is asked for (RFC 4301 7.2). */
static void as_rule(const struct sel *s, struct ts *t)
{
    if (!sel_opaque(s))
        return;
    t->port_lo = s->port_lo;
    t->port_hi = s->port_hi;
}

static bool tell_acquire(struct dp *d, const struct spd_rule *r, const struct flow *f)
{
    const struct bind *b = r->bind;
    struct dp_note n = {.kind = NOTE_ACQUIRE, .policy_id = b->policy_id};
    if (b->owner.worker != d->set.self)
        n.cpu = (uint8_t)(d->set.self + 1);
    flow_to_ts(f, &n.flow_local, &n.flow_remote);
    as_rule(&r->l, &n.flow_local);
    as_rule(&r->r, &n.flow_remote);
    return notes_put(&d->notes, &n);
}

/* Once per policy until an SA or a drop comes; again after hold_ms in case that got lost. */
static void acquire(struct dp *d, const struct spd_rule *r, const struct flow *f, uint64_t now_ms)
{
    struct bind *b = r->bind;
    uint32_t since = (uint32_t)now_ms - b->acquire_ms;
    if (b->acquiring && since < d->set.hold_ms)
        return;
    if (b->newest && b->acquire_ms && since < ACQUIRE_AGAIN_MS)
        return;
    b->acquiring = tell_acquire(d, r, f);
    b->acquire_ms = (uint32_t)now_ms;
}

/* For everything but framing. */
static void gather(struct dp_pkt *p)
{
    if (p->body)
        memcpy(p->data + p->len - p->body_len, p->body, p->body_len);
    p->body = NULL;
}

/* The negotiation is asked for even when there is no room to hold the packet. */
static void hold_packet(struct dp *d, const struct out_work *w, const struct flow *f,
                        const struct spd_rule *r, uint64_t now_ms)
{
    struct bind *b = r->bind;
    bool again =
        d->releasing ||
        hold_releasing(&d->hold, b); /* just released and taken by no SA: no second round */
    if (!again)
        acquire(d, r, f, now_ms);
    gather(w->p);
    if (again || !hold_put(&d->hold, b, w->p->data, w->len, now_ms)) {
        pkt_drop(d, w->p, R_DP_HOLD);
    } else {
        w->p->verdict = DP_HELD;
        w->p->reason = E_OK;
    }
}

/* Another worker has the SAs of this policy. One that is here all the same may be used up, unless
 * it is this worker's own: RFC 9611 3. */
static bool is_elsewhere(struct dp *d, const struct spd_rule *r, const struct flow *f,
                         uint64_t now_ms)
{
    if (!r || r->action != POL_PROTECT || r->bind->owner.worker == d->set.self)
        return false;
    if (!r->bind->owner.spread)
        return true;
    if (bind_choose(r->bind, f))
        return false;
    acquire(d, r, f, now_ms);
    return true;
}

/* RFC 4301 5.1: what a policy lets pass by port or type came here because a route knows neither.
 * It goes on as it is, past the routes into the tunnels. */
static void bypass(struct dp *d, const struct out_work *w)
{
    struct dp_pkt *p = w->p;
    bool v4 = p->data[0] >> 4 == 4;
    gather(p);
    p->len = w->len;
    p->local = (struct endpoint){0};
    p->remote = (struct endpoint){.addr = v4 ? addr_v4(p->data + 16) : addr_v6(p->data + 24)};
    p->udp = false;
    p->whole = true;
    p->tos = 0;
    p->df = v4 && w->df;
    p->child_id = 0;
    p->verdict = DP_TO_NET;
    p->reason = E_OK;
    d->stats.packets_bypassed++;
}

/* No SA is for it. */
static void without_sa(struct dp *d, const struct spd_rule *r, const struct out_work *w)
{
    if (r && r->action == POL_BYPASS && !r->iface)
        bypass(d, w);
    else
        pkt_drop(d, w->p, r && r->action == POL_DROP ? R_DP_POLICY_DROP : R_DP_NO_POLICY);
}

/* What the SPD says now; the flow cache learns it. NULL: the packet has its verdict. */
static struct sa_out *choose_slow(struct dp *d, struct out_run *run, const struct out_work *w,
                                  uint64_t now_ms)
{
    const struct spd_rule *r = spd_find(d->spd, &run->flow);
    struct sa_out *sa = NULL;
    if (is_elsewhere(d, r, &run->flow, now_ms)) {
        gather(w->p);
        pkt_elsewhere(w->p, r->bind->owner.worker);
        return NULL;
    }
    if (r && r->action == POL_PROTECT) {
        sa = bind_choose(r->bind, &run->flow);
        if (!sa) {
            hold_packet(d, w, &run->flow, r, now_ms);
            return NULL;
        }
    }
    struct flow_entry *e = flow_cache_add(&d->flows, run->hash, &run->flow);
    e->rule = run->rule = r;
    e->sa = run->sa = sa;
    e->sa_gen = run->sa_gen = sa ? sa->gen : 0;
    run->hit = true;
    if (!sa)
        without_sa(d, r, w);
    return sa;
}

static inline void fetch_sa(const struct sa_out *sa)
{
    __builtin_prefetch(sa, 1);
    __builtin_prefetch((const char *)sa + 64, 1);
}

/* Copied out, for a later packet of the batch may take the entry's place. */
static inline bool look_up(const struct dp *d, struct out_run *r)
{
    const struct flow_entry *e = flow_cache_find(&d->flows, r->hash, &r->flow);
    r->hit = e != NULL;
    if (!e)
        return false;
    r->sa = e->sa;
    r->sa_gen = e->sa_gen;
    r->rule = e->rule;
    if (e->sa)
        fetch_sa(e->sa);
    return true;
}

/* Asks the cache for all; for flows it does not know the SPD's memory is fetched ahead, step by
 * step, which makes 100,000 policies about four times cheaper to ask. */
static void look_up_all(struct dp *d, size_t runs)
{
    size_t misses = 0;
    for (size_t i = 0; i < runs; i++)
        if (!look_up(d, &d->out_runs[i]))
            d->miss[misses++] = (uint8_t)i;
    for (size_t i = 0; i < misses; i++) {
        struct out_run *r = &d->out_runs[d->miss[i]];
        r->home = spd_fetch_slot(d->spd, &r->flow);
    }
    for (size_t i = 0; i < misses; i++)
        spd_fetch_rule(d->spd, d->out_runs[d->miss[i]].home);
    for (size_t i = 0; runs > 1 && i < runs; i++)
        if (d->out_runs[i].hit && d->out_runs[i].sa)
            __builtin_prefetch(d->out_runs[i].sa->key);
}

/* The SA for a run's packet; NULL: the packet has its verdict. */
static struct sa_out *choose(struct dp *d, struct out_run *r, const struct out_work *w,
                             uint64_t now_ms)
{
    if (!r->hit && !look_up(d, r)) /* an earlier packet of the batch may have had the same flow */
        return choose_slow(d, r, w, now_ms);
    if (r->sa && r->sa_gen != r->sa->gen)
        return choose_slow(d, r, w, now_ms);
    if (!r->sa)
        without_sa(d, r->rule, w);
    return r->sa;
}

/* RFC 1812 4.3.2.8, RFC 4443 2.4 (f): errors are made at a limited rate. */
static bool may_tell(struct dp *d)
{
    uint64_t second = d->now_ms / 1000;
    if (second != d->told_s)
        d->told = 0;
    d->told_s = second;
    return d->told++ < TELL_MAX;
}

bool esp_may_exceed(struct dp *d, struct out_work *w, const struct sa_out *sa)
{
    struct ip_info ip;
    gather(w->p);
    bool huge = w->len + sa->f.hdr_len + sa->f.icv_len + sa->f.align_mask + 2u + OUTER_MAX > 65535;
    bool sound = ip_parse(w->p->data, w->len, &ip) == E_OK;
    if (sound && !ip.df && sa->frag_before &&
        frag_out_put(&d->frag_out, sa->child_id, w->p->data, w->len)) {
        w->p->verdict = DP_HELD;
        w->p->reason = E_OK;
        return false;
    }
    if (sound && !huge && !pmtu_refuse(&ip, &w->df))
        return true;
    sa_pkt_drop(d, sa->child, w->p, R_DP_TOO_BIG);
    w->p->len = w->len;
    if (ip.df && may_tell(d) && pmtu_answer(&w->p->data, &w->p->len, &ip, sa->inner_mtu))
        w->p->verdict = DP_TO_HOST;
    return false;
}

/* Perhaps a SYN or a fragment, or longer than what is watched. False: the packet has its verdict.
 */
static bool look_closer(struct dp *d, struct out_work *w, struct sa_out *sa, uint8_t look)
{
    const uint8_t *was = w->p->data;
    gather(w->p);
    if ((look & RUN_FRAG) && sa->whole && frags_collect(d, sa, w))
        return false;
    if (w->p->data != was)
        return true; /* a datagram that was cut already is cut again */
    if (look & RUN_SYN)
        look_out_syn(d, sa, w->p->data, w->len);
    if (w->len > sa->watch)
        look_out_large(d, sa, w->p->data, w->len);
    return w->len <= sa->inner_mtu || esp_may_exceed(d, w, sa);
}

/* A packet laid close for an SA that is no longer its own: there is no room for this one. */
static inline bool has_room(const struct out_work *w, struct framing f)
{
    const struct dp_room r = {f.hdr_len, f.align_mask, f.icv_len};
    return !w->p->close || (w->p->head >= r.head && w->p->back >= dp_room_back(&r, w->len));
}

bool dp_out_room(const struct dp *d, uint16_t iface, const uint8_t *pkt, uint32_t len,
                 uint32_t each, struct dp_room *room)
{
    struct ip_info ip;
    if (ip_parse(pkt, len, &ip))
        return false;
    ip.flow.meta |= flow_meta_iface(iface);
    const struct flow_entry *e =
        flow_cache_find(&d->flows, flow_hash(&d->flow_key, &ip.flow), &ip.flow);
    if (!e || !e->sa || e->sa_gen != e->sa->gen || e->sa->f.kind != KIND_TUNNEL ||
        each > e->sa->inner_mtu)
        return false;
    *room = (struct dp_room){e->sa->f.hdr_len, e->sa->f.align_mask, e->sa->f.icv_len};
    return true;
}

/* RFC 4303 3.3.2: padding to the block and to 4 bytes, pad length, next header. */
static inline uint32_t trailer_put(uint8_t *end, uint32_t len, uint32_t align_mask, uint8_t next)
{
    uint32_t pad = (0u - (len + 2)) & align_mask;
    /* More than needed: what follows is ours, the ICV or the header of a packet that is yet to be
     * framed. */
    memcpy(end, padding, sizeof padding);
    end[pad] = (uint8_t)pad;
    end[pad + 1] = next;
    return len + pad + 2;
}

static inline void frame(struct cr_op *op, const struct out_work *w, const struct sa_out *sa,
                         struct framing f, uint64_t seq, uint8_t next, uint8_t tos_mask,
                         uint8_t tos_add)
{
    struct dp_pkt *p = w->p;
    uint8_t *inner = p->data, *esp = inner - f.hdr_len;
    if (p->body && w->len != p->len)
        gather(p);
    uint32_t text_len = trailer_put(inner + w->len, w->len, f.align_mask, next);
    put_u64(esp, (uint64_t)sa->spi << 32 | (uint32_t)seq);
    *op = (struct cr_op){.key = sa->key,
                         .p = esp,
                         .text_len = text_len,
                         .seq_hi = (uint32_t)(seq >> 32),
                         .esn = f.esn,
                         .body = p->body,
                         .body_at = p->len - p->body_len,
                         .body_len = p->body_len,
                         .iv_seed = seq}; /* unique for the life of the key: RFC 4106 3.1 */
    p->body = NULL;
    p->data = esp;
    p->len = f.hdr_len + text_len + f.icv_len;
    p->verdict = DP_TO_NET;
    p->reason = E_OK;
    p->local = sa->local;
    p->remote = sa->remote;
    p->udp = f.udp;
    p->label = tunnel_flow_label(sa->spi);
    /* RFC 6040 4.1: ECN copied; RFC 4301 5.1.2: DSCP copied or set */
    p->tos = (w->tos & tos_mask) | tos_add;
    p->df = w->df;
    p->child_id = sa->child_id;
}

/* Packets of a run, between which no limit of the SA is reached. */
static void frame_some(struct dp *d, struct sa_out *sa, const struct out_run *r, struct out_work *w,
                       size_t n, struct out_sum *sum)
{
    uint32_t watch = r->look ? 0 : sa->watch;
    const struct framing f = sa->f;
    const uint8_t df = sa->df, tos_mask = sa->tos_mask, tos_add = sa->tos_add;
    uint8_t next = w->p->data[0] >> 4 == 4 ? 4 : 41;
    uint64_t bytes = 0;
    size_t k = sum->ops;
    for (const struct out_work *end = w + n; w < end; w++) {
        if (!has_room(w, f)) {
            sa_pkt_drop(d, sa->child, w->p, R_DP_ROOM);
            continue;
        }
        if (df != DF_COPY)
            w->df = df == DF_SET;
        if (w->len > watch && !look_closer(d, w, sa, r->look))
            continue;
        frame(&d->ops[k], w, sa, f, ++sa->seq, next, tos_mask, tos_add);
        bytes += w->len;
        d->out[k++] = *w;
    }
    sa->life.bytes += bytes;
    sum->bytes += bytes;
    sum->ops = k;
}

/* A run's packets that have an SA: all at once, one by one where a limit is near. */
static void frame_run(struct dp *d, struct sa_out *sa, const struct out_run *r, struct out_work *w,
                      size_t n, uint64_t now_ms, struct out_sum *sum)
{
    size_t before = sum->ops;
    while (n && !sa->dead) {
        size_t some = life_near(&sa->life, sa->seq, n) ? 1 : n;
        frame_some(d, sa, r, w, some, sum);
        if (life_due(&sa->life, sa->seq))
            life_reached_out(d, sa);
        w += some;
        n -= some;
    }
    for (; n; w++, n--)
        sa_pkt_drop(d, sa->child, w->p, life_dead_out(d, sa));
    if (sum->ops != before)
        sa->last_ms = now_ms;
}

/* The other modes have no use for slices. */
static void special_run(struct dp *d, struct sa_out *sa, const struct out_run *r,
                        struct out_work *w, size_t n, uint64_t now_ms)
{
    for (size_t i = 0; i < n; i++) {
        gather(w[i].p);
        if (r->look & RUN_SYN)
            look_out_syn(d, sa, w[i].p->data, w[i].len);
        if (w[i].len > sa->watch)
            look_out_large(d, sa, w[i].p->data, w[i].len);
    }
    modes_out(d, sa, w, n, now_ms);
}

static struct out_sum frame_all(struct dp *d, size_t runs, uint64_t now_ms)
{
    struct out_sum sum = {0};
    struct out_work *w = d->out;
    for (struct out_run *r = d->out_runs; r < d->out_runs + runs; r++) {
        struct out_work *end = w + r->n;
        struct sa_out *sa = NULL;
        while (w < end && !(sa = choose(d, r, w, now_ms)))
            w++;
        if (w < end && !sa->key && sa_key_out(d, sa)) {
            for (; w < end; w++)
                pkt_drop(d, w->p, E_NOMEM);
        }
        if (w < end && sa->f.kind == KIND_TUNNEL)
            frame_run(d, sa, r, w, (size_t)(end - w), now_ms, &sum);
        else if (w < end)
            special_run(d, sa, r, w, (size_t)(end - w), now_ms);
        w = end;
    }
    return sum;
}

/* Some operation failed, which only a failure of our own can cause. */
static void take_back(struct dp *d, struct out_sum *sum)
{
    for (size_t i = 0, n = sum->ops; i < n; i++) {
        if (!d->ops[i].status)
            continue;
        pkt_drop(d, d->out[i].p, d->ops[i].status);
        sum->ops--;
        sum->bytes -= d->out[i].len;
    }
}

bool esp_out_own(struct dp *d, struct sa_out *sa, struct dp_pkt *p, uint8_t next, uint64_t now_ms)
{
    bool plain = next == 4; /* a fragment; else a probe, which must not be cut on its way */
    uint32_t saved = 0;
    if (sa->f.kind != KIND_TUNNEL && !modes_dummy(sa->child, &saved))
        return false;
    if (p->len < saved + PROBE_PAYLOAD) /* an answer has no more than its payload */
        saved = 0;
    const struct out_work w = {.p = p,
                               .len = p->len - saved,
                               .tos = plain ? p->data[1] : 0,
                               .df = !plain || sa->df == DF_SET};
    if (sa->dead || (!sa->key && sa_key_out(d, sa)))
        return false;
    frame(&d->ops[0], &w, sa, sa->f, ++sa->seq, next, sa->tos_mask, sa->tos_add);
    sa->last_ms = now_ms;
    sa->life.bytes += plain ? w.len : 0;
    if (life_due(&sa->life, sa->seq))
        life_reached_out(d, sa);
    if (!cr_seal(d->crypto, d->ops, 1))
        return false;
    d->stats.packets_out++;
    d->stats.bytes_out += plain ? w.len : 0;
    return true;
}

void esp_out_batch(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms)
{
    d->now_ms = now_ms;
    size_t runs;
    parse_all(d, pkts, n, &runs);
    look_up_all(d, runs);
    struct out_sum sum = frame_all(d, runs, now_ms);
    if (!cr_seal(d->crypto, d->ops, sum.ops))
        take_back(d, &sum);
    d->stats.packets_out += sum.ops;
    d->stats.bytes_out += sum.bytes;
}
