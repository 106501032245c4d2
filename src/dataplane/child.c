/*
 * CHILD SAs in the data plane: made, moved and deleted at the control side's word. Keys wait
 * for the first packet of their direction (keying.h).
 */
#include "dataplane/frags.h"
#include "dataplane/lifetime.h"
#include "dataplane/modes.h"
#include "dataplane/tunnel.h"
#include <assert.h>
#include <stdlib.h>

static_assert(offsetof(struct sa_in, iface) == 128, "what each packet needs is in two lines");

struct key_seed *child_seed(struct child *c, enum child_dir dir)
{
    struct key_seed *in = (struct key_seed *)((uint8_t *)c + c->seeds_at);
    return dir == DIR_IN ? in : keying_seed_next(in);
}

struct child *child_find(const struct dp *d, uint32_t id)
{
    uint64_t h = hash_of(&d->children, &id, sizeof id);
    for (struct hash_node *n = hash_first(&d->children, h); n; n = hash_next(n)) {
        struct child *c = container_of(n, struct child, node);
        if (c->id == id)
            return c;
    }
    return NULL;
}

void sa_pkt_drop(struct dp *d, struct child *c, struct dp_pkt *p, err_t reason)
{
    pkt_drop_of(d, c, p, reason);
    if (reason < R_DP_SHORT || reason > R_DP_ROOM)
        return;
    if (!c->drops && (c->drops = pool_get(&d->drops)))
        *c->drops = (struct sa_drops){0};
    if (c->drops)
        c->drops->n[reason - R_DP_SHORT]++;
}

static struct framing framing_of(const struct child_sa *sa)
{
    if (sa->proto == PROTO_AH)
        return (struct framing){
            .hdr_len = AH_FIXED, .icv_len = sa->integ->icv_len, .esn = sa->esn, .kind = KIND_AH};
    uint8_t align = sa->encr->block > 4 ? sa->encr->block : 4; /* RFC 4303 2.4 */
    return (struct framing){.hdr_len = (uint8_t)(8 + sa->encr->iv_len),
                            .icv_len = sa->encr->aead ? sa->encr->icv_len
                                       : sa->integ    ? sa->integ->icv_len
                                                      : 0,
                            .align_mask = (uint8_t)(align - 1),
                            .esn = sa->esn,
                            .udp = sa->udp_encap,
                            .kind = modes_needed(sa) ? KIND_ESP : KIND_TUNNEL};
}

err_t sa_key_in(struct dp *d, struct sa_in *sa)
{
    sa->key = keying_make(&d->keying, child_seed(sa->child, DIR_IN));
    return sa->key ? E_OK : E_NOMEM;
}

err_t sa_key_out(struct dp *d, struct sa_out *sa)
{
    sa->key = keying_make(&d->keying, child_seed(sa->child, DIR_OUT));
    return sa->key ? E_OK : E_NOMEM;
}

static err_t keep_keys(struct dp *d, const struct child_sa *sa, const struct child_keys *k,
                       struct key_seed *seed)
{
    const struct alg *encr = sa->encr ? sa->encr : alg_find(T_ENCR, ENCR_NULL, 0);
    return keying_keep(&d->keying, encr, encr->aead ? NULL : sa->integ, secret_bytes(&k->encr),
                       secret_bytes(&k->integ), seed);
}

static err_t in_new(struct dp *d, const struct child_sa *sa, struct child *c)
{
    struct sa_in *in = pool_get(&d->sa_in);
    if (!in)
        return E_NOMEM;
    *in = (struct sa_in){.v4 = sel_v4_received(&c->sel),
                         .child = c,
                         .child_id = c->id,
                         .f = framing_of(sa),
                         .announce = sa->replaces != 0,
                         .iface = sa->iface,
                         .names_ports = sel_set_names_ports(&c->sel) || sel_set_opaque(&c->sel),
                         .later_frags = sa->later_frags && sa->mode == MODE_TUNNEL,
                         .remote = sa->remote};
    c->in = in;
    tunnel_rules_in(in, &sa->ip);
    life_init_in(in, &sa->life);
    err_t e = replay_init(&in->replay, sa->replay_window, in->own_bits);
    if (!e)
        replay_begin(&in->replay, sa->seq_in);
    return e ? e : keep_keys(d, sa, &sa->in, child_seed(c, DIR_IN));
}

static err_t out_new(struct dp *d, const struct child_sa *sa, struct child *c)
{
    struct sa_out *out = pool_get(&d->sa_out);
    if (!out)
        return E_NOMEM;
    *out = (struct sa_out){.gen = out->gen + 1,
                           .spi = sa->spi_out,
                           .child = c,
                           .child_id = c->id,
                           .f = framing_of(sa),
                           .local = sa->local,
                           .remote = sa->remote};
    c->out = out;
    out->whole = sa->mode != MODE_TUNNEL || (!sa->later_frags && sel_set_names_ports(&c->sel));
    tunnel_rules_out(out, &sa->ip, sa->mode == MODE_TUNNEL);
    out->seq = sa->seq_out;
    life_init_out(out, &sa->life);
    return keep_keys(d, sa, &sa->out, child_seed(c, DIR_OUT));
}

void sa_in_free(struct dp *d, struct sa_in *in)
{
    replay_fini(&in->replay, in->own_bits);
    if (in->late)
        pool_put(&d->late, in->late);
    pool_put(&d->sa_in, in);
}

static void in_free(struct dp *d, struct child *c)
{
    if (!c->in)
        return;
    keying_drop(&d->keying, child_seed(c, DIR_IN), c->in->key);
    sa_in_free(d, c->in);
}

/* The generation outlives the SA: flows that still point here see that it changed. */
static void out_free(struct dp *d, struct child *c)
{
    if (!c->out)
        return;
    if (c->out->active)
        bind_sa_del(c->bind, c->out);
    c->out->gen++;
    keying_drop(&d->keying, child_seed(c, DIR_OUT), c->out->key);
    pool_put(&d->sa_out, c->out);
}

static void child_free(struct dp *d, struct child *c)
{
    outs_del(d, c);
    probe_free(d, c);
    modes_del(d, c);
    frags_rules_del(d, c->ports_rule);
    out_free(d, c);
    in_free(d, c);
    if (c->bind)
        bind_let_go(d, c->bind);
    if (c->drops)
        pool_put(&d->drops, c->drops);
    slab_put(&d->slab, c, c->size);
}

static void install(struct dp *d, struct child *c, enum child_dir dir)
{
    if ((dir & DIR_IN) && !c->in_active) {
        sad_slot_of(&d->sad, c->spi_in)->sa = c->in;
        modes_install(d, c);
        c->in_active = true;
        early_release(&d->early, c->spi_in);
    }
    if ((dir & DIR_OUT) && !c->out->active) {
        c->out->active = true;
        bind_sa_add(c->bind, c->out);
        c->bind->acquiring = false;
        hold_release(&d->hold, c->bind);
    }
}

static err_t check(const struct dp *d, const struct child_sa *sa)
{
    err_t e = modes_check(sa);
    if (e)
        return e;
    if (sa->encr && !sa->encr->aead && !sa->integ && (!sa->ah.integ || sa->encr->id == ENCR_NULL))
        return E_NOTSUP; /* RFC 8221 4: never encryption alone, but within AH */
    if (child_find(d, sa->id))
        return R_EXISTS;
    return E_OK;
}

/* Selectors of the SA's own, for the peer may have narrowed those of the policy. */
static err_t ports_add(struct dp *d, const struct child_sa *sa, struct child *c)
{
    const struct policy p = {
        .id = sa->policy, .iface = sa->iface, .local = sa->local_ts, .remote = sa->remote_ts};
    err_t e = frags_rules_add(d, &p, &c->ports_rule);
    return e || !c->out->whole ? e : frags_join_open(d);
}

static err_t make(struct dp *d, const struct child_sa *sa, struct child *c)
{
    c->bind = bind_for(d, sa->policy);
    if (!c->bind)
        return E_NOMEM;
    err_t e = in_new(d, sa, c);
    if (!e)
        e = out_new(d, sa, c);
    if (!e && modes_needed(sa))
        e = modes_add(d, sa, c);
    if (!e)
        e = ports_add(d, sa, c);
    if (!e)
        e = outs_add(d, c);
    if (e)
        return e;
    const struct child *old = sa->replaces ? child_find(d, sa->replaces) : NULL;
    probe_settings(d, c);
    if (old)
        probe_inherit(d, c, old);
    return E_OK;
}

static size_t seed_size(const struct child_keys *k)
{
    return keying_seed_size(secret_bytes(&k->encr), secret_bytes(&k->integ));
}

/* With all that is its alone in one piece. */
static struct child *child_new(struct dp *d, const struct child_sa *sa)
{
    size_t seeds_at = offsetof(struct child, sel) + sel_set_size(&sa->local_ts, &sa->remote_ts);
    size_t size = seeds_at + seed_size(&sa->in) + seed_size(&sa->out);
    struct child *c = slab_get(&d->slab, size);
    if (!c)
        return NULL;
    *c = (struct child){.id = sa->id,
                        .policy = sa->policy,
                        .life_bytes = sa->life.life_bytes,
                        .life_packets = sa->life.life_packets,
                        .seq_start = sa->seq_out,
                        .spi_in = sa->spi_in,
                        .size = (uint16_t)size,
                        .seeds_at = (uint16_t)seeds_at,
                        .plain_max = sa->ip.mtu,
                        .link_mtu = sa->path_mtu,
                        .path_mtu = path_of_link(d, sa->path_mtu)};
    sel_set_init(&c->sel, &sa->local_ts, &sa->remote_ts);
    return c;
}

static err_t add(struct dp *d, const struct child_sa *sa)
{
    struct child *c = child_new(d, sa);
    if (!c)
        return E_NOMEM;
    err_t e = make(d, sa, c);
    if (!e)
        e = hash_add(&d->children, &c->node, hash_of(&d->children, &c->id, sizeof c->id));
    if (e) {
        child_free(d, c);
        return e;
    }
    d->stats.sas++;
    install(d, c, (enum child_dir)sa->dirs);
    return E_OK;
}

err_t dp_child_add(struct dp *d, const struct child_sa *sa, uint64_t now_ms)
{
    (void)now_ms;
    err_t e = check(d, sa);
    if (e)
        return e;
    bool adopt = !sad_reserved(&d->sad, sa->spi_in);
    if ((adopt && !sad_adopt(&d->sad, sa->spi_in)) || !sad_take(&d->sad, sa->spi_in))
        return R_EXISTS;
    e = add(d, sa);
    if (!e)
        return E_OK;
    if (adopt)
        sad_release(&d->sad, sa->spi_in);
    else
        sad_untake(&d->sad, sa->spi_in);
    return e;
}

err_t dp_child_dir(struct dp *d, uint32_t child_id, enum child_dir dir)
{
    struct child *c = child_find(d, child_id);
    if (!c)
        return R_NOT_FOUND;
    install(d, c, dir);
    return E_OK;
}

uint32_t dp_child_quiet(struct dp *d, uint32_t child_id)
{
    struct child *c = child_find(d, child_id);
    if (!c || c->quiet)
        return 0;
    if (c->out->active)
        bind_sa_del(c->bind, c->out);
    c->out->active = false;
    c->quiet = true;
    return c->policy;
}

uint32_t dp_child_del(struct dp *d, uint32_t child_id)
{
    struct child *c = child_find(d, child_id);
    if (!c)
        return 0;
    uint32_t policy = c->quiet ? 0 : c->policy;
    hash_del(&d->children, &c->node);
    sad_release(&d->sad, c->spi_in);
    child_free(d, c);
    d->stats.sas--;
    return policy;
}

void children_free(struct dp *d)
{
    size_t i;
    struct hash_node *n;
    while (d->children.slot && (n = hash_begin(&d->children, &i))) {
        struct child *c = container_of(n, struct child, node);
        hash_del(&d->children, n);
        child_free(d, c);
    }
}

err_t dp_child_move(struct dp *d, uint32_t child_id, const struct endpoint *local,
                    const struct endpoint *remote)
{
    struct child *c = child_find(d, child_id);
    if (!c)
        return R_NOT_FOUND;
    c->out->local = *local;
    c->in->remote = c->out->remote = *remote;
    c->in->noted = (struct endpoint){0};
    if (c->mode)
        modes_moved(c);
    probe_settings(d, c);
    return E_OK;
}

bool dp_child_stats(const struct dp *d, uint32_t child_id, struct child_stats *out)
{
    const struct child *c = child_find(d, child_id);
    if (!c)
        return false;
    /* of a bundle AH is outermost: there packets are late, or damaged */
    const struct sa_in *in = c->in, *first = c->mode && c->mode->ah_in ? c->mode->ah_in : in;
    *out = (struct child_stats){
        .in = {in->life.bytes, in->life.packets, in->last_ms},
        .out = {c->out->life.bytes, c->out->seq - c->seq_start, c->out->last_ms},
        .seq_in = first->replay.top,
        .seq_out = c->out->seq,
        .window = first->replay.window,
        .limit_bytes = c->life_bytes,
        .iface = in->iface,
        .path_mtu = probe_path_mtu(c),
        .plain_mtu = c->out->inner_mtu};
    static const struct lateness none;
    const struct lateness *l = first->late ? first->late : &none;
    static_assert(sizeof l->n == sizeof out->lateness, "the same steps");
    memcpy(out->lateness, l->n, sizeof l->n);
    out->late = l->dropped;
    if (c->drops)
        memcpy(out->drops, c->drops->n, sizeof out->drops);
    out->duplicate = out->drops[R_DP_REPLAY - R_DP_SHORT];
    out->icv_failed = out->drops[R_DP_ICV - R_DP_SHORT];
    out->selector_dropped = out->drops[R_DP_SELECTOR - R_DP_SHORT];
    if (c->mode)
        modes_stats(c, out);
    out->window_advice = lateness_window(l, first->life.packets + l->dropped);
    return true;
}
