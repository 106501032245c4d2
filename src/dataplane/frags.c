/* Fragments and ports: see frags.h. */
#include "dataplane/frags.h"
#include "dataplane/frag_join.h"
#include "dataplane/rx.h"
#include <stdlib.h>

enum { HEADER_MAX = 60 }; /* of TCP: RFC 9293 3.1 */

/* What is joined must remain an IP packet with all that comes around it. */
#define JOINED_MAX (65535u - DP_HEADROOM - DP_TAILROOM)

static err_t frags_new(const uint64_t seed[2], struct frags **out)
{
    struct frags *f = calloc(1, sizeof *f);
    if (!f || spd_new(seed, &f->spd) || frag_table_init(&f->out, seed) ||
        frag_table_init(&f->in, seed) || frag_wait_init(&f->wait)) {
        frags_free(f);
        return E_NOMEM;
    }
    *out = f;
    return E_OK;
}

void frags_free(struct frags *f)
{
    if (!f)
        return;
    spd_free(f->spd);
    frag_table_fini(&f->out);
    frag_table_fini(&f->in);
    frag_wait_fini(&f->wait);
    frag_join_free(f->join);
    free(f);
}

static err_t open_once(struct dp *d)
{
    return d->frags ? E_OK : frags_new(d->set.seed, &d->frags);
}

err_t frags_join_open(struct dp *d)
{
    err_t e = open_once(d);
    if (!e && !d->frags->join && !(d->frags->join = frag_join_new()))
        e = E_NOMEM;
    return e;
}

/* --- whom ports matter to --- */

/* In IPv6 what follows a fragment header is true of the first fragment only (RFC 8200 4.5): a later
 * one may claim any protocol. */
static bool widen(struct ts_list *l)
{
    bool named = false;
    size_t n = l->count;
    l->count = 0;
    for (size_t i = 0; i < n; i++) {
        struct ts *t = &l->ts[l->count];
        *t = l->ts[i];
        named |= !ts_any_port(t);
        if (ts_opaque(t)) /* what has no ports is what it is for */
            continue;
        l->count++;
        t->port_lo = 0;
        t->port_hi = 0xffff;
        t->proto = t->lo.family == 6 ? 0 : t->proto;
    }
    return named;
}

err_t frags_rules_add(struct dp *d, const struct policy *p, uint32_t *rule)
{
    struct policy any = *p;
    bool local = widen(&any.local), remote = widen(&any.remote);
    *rule = 0;
    if (!local && !remote)
        return E_OK;
    err_t e = open_once(d);
    return e ? e : spd_add(d->frags->spd, &any, NULL, rule);
}

void frags_rules_del(struct dp *d, uint32_t rule)
{
    if (rule)
        spd_del(d->frags->spd, rule);
}

static bool ports_matter(const struct dp *d, const struct ip_info *ip)
{
    return spd_find(d->frags->spd, &ip->flow);
}

/* RFC 4301 7.2: later fragments of this protocol have a policy of their own. */
static bool go_apart(const struct dp *d, const struct ip_info *ip)
{
    struct flow f = ip->flow;
    f.meta &= ~(FLOW_PORTS | FLOW_LPORT | FLOW_RPORT);
    const struct spd_rule *r = spd_find(d->spd, &f);
    return r && (sel_opaque(&r->l) || sel_opaque(&r->r));
}

/* --- out --- */

static void drop(struct dp *d, struct dp_pkt *p, err_t reason)
{
    pkt_drop(d, p, reason);
}

/* RFC 1858 3: a first fragment too short for its ports is nobody's; the later ones go with it. */
static bool first_out(struct dp *d, struct dp_pkt *p, const struct ip_info *ip,
                      const struct frag_piece *f)
{
    bool tiny = ip_short_of_ports(&ip->flow) && ports_matter(d, ip);
    frag_table_put(&d->frags->out, f, p->iface, tiny ? 0 : ip->flow.meta, d->now_ms);
    frag_wait_release(&d->frags->wait, &f->key, p->iface, false);
    if (tiny)
        drop(d, p, R_DP_FRAG_SHORT);
    return !tiny;
}

/* RFC 1858 4, RFC 5722: nobody honest sends what overlaps. */
static err_t follow(const struct frag_first *first, const struct frag_piece *f, uint64_t *meta)
{
    if (!first->meta)
        return R_DP_FRAG_SHORT;
    if (f->offset < first->end)
        return R_DP_FRAG_OVERLAP;
    *meta = first->meta;
    return E_OK;
}

static bool wait_put(struct dp *d, const struct frag_wait_slot *s, const uint8_t *p)
{
    return frag_wait_put(&d->frags->wait, s, p, d->now_ms);
}

bool frags_out(struct dp *d, struct dp_pkt *p, struct ip_info *ip)
{
    struct frag_piece f;
    bool apart = go_apart(d, ip);
    frag_piece_of(p->data, ip, &f);
    ip->frag = apart ? 0 : ip->frag; /* nothing to be put together */
    if (!ip->later_frag)
        return first_out(d, p, ip, &f);
    if (apart || !ports_matter(d, ip))
        return true;
    const struct frag_first *first = frag_table_find(&d->frags->out, &f.key, p->iface, d->now_ms);
    const struct frag_wait_slot s = {
        .len = ip->len, .scope = p->iface, .iface = p->iface, .key = f.key};
    if (!first && wait_put(d, &s, p->data)) {
        p->verdict = DP_HELD;
        p->reason = E_OK;
        return false;
    }
    err_t e = first ? follow(first, &f, &ip->flow.meta) : R_DP_FRAG_ORPHAN;
    if (e)
        drop(d, p, e);
    return !e;
}

bool frags_collect(struct dp *d, const struct sa_out *sa, struct out_work *w)
{
    struct dp_pkt *p = w->p;
    uint8_t *whole;
    uint32_t n;
    if (!frag_join_is(p->data, w->len))
        return false;
    err_t e = frag_join_put(d->frags->join, p->iface, p->data, w->len, &whole, &n);
    if (!e && whole && n > JOINED_MAX)
        e = R_DP_TOO_BIG;
    if (e) {
        sa_pkt_drop(d, sa->child, p, e);
        return true;
    }
    if (!whole) {
        p->verdict = DP_HELD;
        p->reason = E_OK;
        return true;
    }
    p->data = whole;
    p->len = w->len = n;
    p->brief = true;
    p->close = false;
    w->df = false;
    return false;
}

/* --- in --- */

static err_t first_in(struct dp *d, struct sa_in *sa, const struct ip_info *ip,
                      const struct frag_piece *f, bool matches)
{
    bool tiny = ip_short_of_ports(&ip->flow) && !matches;
    uint32_t scope = sa->child->policy;
    frag_table_put(&d->frags->in, f, scope, tiny ? 0 : ip->flow.meta, d->now_ms);
    frag_wait_release(&d->frags->wait, &f->key, scope, true);
    return matches ? E_OK : tiny ? R_DP_FRAG_SHORT : R_DP_SELECTOR;
}

/* RFC 4301 7.3: discarded unless agreed on; and what does not comply with the policy of the whole
 * packet. */
static err_t later_in(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, const uint8_t *inner,
                      struct ip_info *ip, const struct frag_piece *f)
{
    uint32_t scope = sa->child->policy;
    if (!sa->later_frags)
        return R_DP_FRAG_PORTS;
    const struct frag_first *first = frag_table_find(&d->frags->in, &f->key, scope, d->now_ms);
    if (!first) {
        const struct frag_wait_slot s = {
            .len = ip->len, .scope = scope, .child_id = sa->child_id, .tos = p->tos, .key = f->key};
        return wait_put(d, &s, inner) ? FRAGS_HELD : R_DP_FRAG_ORPHAN;
    }
    err_t e = follow(first, f, &ip->flow.meta);
    return e || sel_set_match_received(&sa->child->sel, &ip->flow) ? e : R_DP_SELECTOR;
}

err_t frags_in(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, const uint8_t *inner,
               struct ip_info *ip)
{
    struct frag_piece f;
    bool matches = sel_set_match_received(&sa->child->sel, &ip->flow);
    frag_piece_of(inner, ip, &f);
    if (!ip->later_frag)
        return first_in(d, sa, ip, &f, matches);
    if (matches && sel_set_opaque(&sa->child->sel) && f.offset < HEADER_MAX)
        return R_DP_FRAG_OVERLAP; /* 7.2: it may lie over the first one's ports and flags */
    return matches ? E_OK : later_in(d, sa, p, inner, ip, &f); /* 7.1: any port will do */
}

/* --- those that waited --- */

static bool deliver(struct dp *d, const struct frag_wait_slot *s, struct dp_pkt *p)
{
    struct child *c = child_find(d, s->child_id);
    if (!c) {
        drop(d, p, R_DP_FRAG_ORPHAN);
        return false;
    }
    p->tos = s->tos;
    p->child_id = c->id;
    p->iface = c->in->iface;
    err_t e = rx_inner_check(d, c->in, p, p->data, p->len, p->data[0] >> 4 == 4 ? 4 : 41);
    if (e == FRAGS_HELD) /* the first one has been forgotten again */
        return false;
    if (e) {
        sa_pkt_drop(d, c, p, e);
        return false;
    }
    rx_count(d, c->in, p->len);
    d->stats.packets_in++;
    d->stats.bytes_in += p->len;
    p->verdict = DP_TO_HOST;
    p->reason = E_OK;
    return true;
}

bool frags_next(struct dp *d, struct dp_pkt *p, size_t cap, uint64_t now_ms)
{
    struct frag_wait_slot s;
    d->now_ms = now_ms;
    while (cap >= FRAG_WAIT_SIZE && frags_ready(d)) {
        uint8_t *at = p->data;
        (void)!frag_wait_take(&d->frags->wait, &s, p->data);
        p->len = s.len;
        p->iface = s.iface;
        if (s.child_id && deliver(d, &s, p))
            return true;
        if (!s.child_id)
            esp_out_batch(d, &p, 1, now_ms);
        if (!s.child_id &&
            (p->verdict == DP_TO_NET || p->verdict == DP_TO_HOST || p->verdict == DP_ELSEWHERE))
            return true;
        *p = (struct dp_pkt){.data = at};
    }
    return false;
}

void frags_tick(struct dp *d, uint64_t now_ms)
{
    if (d->frags)
        d->stats.drops[R_DP_FRAG_ORPHAN] += frag_wait_expire(&d->frags->wait, now_ms);
}
