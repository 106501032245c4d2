/*
 * CHILD SAs: what both versions do once keys are there. Everything the data plane must know goes
 * out as struct child_sa; here remains what rekeying, deletion and the operator's screens need.
 */
#include "ike/child.h"
#include "ike/engine.h"
#include "model/ts_pack.h"
#include <stdlib.h>

struct child *child_by_id(const struct ike *e, uint32_t id)
{
    uint64_t h = hash_of(&e->children, &id, sizeof id);
    for (struct hash_node *n = hash_first(&e->children, h); n; n = hash_next(n)) {
        struct child *c = container_of(n, struct child, id_node);
        if (c->id == id)
            return c;
    }
    return NULL;
}

void child_ts_get(const struct child *c, struct ts_list *local, struct ts_list *remote)
{
    ts_unpack(ts_unpack(c->ts, local), remote);
}

struct child *child_by_spi_out(const struct ike_sa *sa, uint8_t proto, uint32_t spi)
{
    list_each (it, (struct list *)&sa->children) {
        struct child *c = container_of(it, struct child, link);
        if ((c->spi_out == spi && c->proto == proto) ||
            (c->ah && c->ah->spi_out == spi && proto == PROTO_AH))
            return c;
    }
    return NULL;
}

struct child *child_by_config(const struct ike_sa *sa, const char *name)
{
    list_each (it, (struct list *)&sa->children) {
        struct child *c = container_of(it, struct child, link);
        if (c->state == CHILD_INSTALLED && !c->cpu && strcmp(c->cc->name, name) == 0)
            return c;
    }
    return NULL;
}

/* inactive() has no more time for what it found unused. */
static bool unused(const struct child *c)
{
    return c->cc->inactivity_s && c->idle_ms == UINT64_MAX;
}

err_t child_end_reason(const struct child *c)
{
    return c->redundant || c->state == CHILD_REKEYED ? R_REPLACED
           : c->dirs == 0                            ? R_EXPIRED
           : c->sa->end_reason                       ? c->sa->end_reason
           : unused(c)                               ? R_INACTIVE
                                                     : R_OPERATOR;
}

size_t child_count_of(const struct ike_sa *sa, const char *name)
{
    size_t n = 0;
    list_each (it, (struct list *)&sa->children)
        n += !strcmp(container_of(it, struct child, link)->cc->name, name);
    return n;
}

bool child_stats_get(const struct ike *e, const struct child *c, struct child_stats *out)
{
    *out = (struct child_stats){0};
    return e->env.child_stats && e->env.child_stats(e->env.ctx, c->id, out);
}

static uint64_t less_random(struct ike *e, uint64_t limit, uint64_t range)
{
    uint64_t less = range ? ike_random_u64(e) % range : 0;
    return limit > less ? limit - less : limit;
}

/* The shorter of both sides' limits: our soft one keeps its distance. */
static void cap(uint64_t *soft, uint64_t *hard, uint64_t limit)
{
    if (!limit || (*hard && *hard <= limit))
        return;
    *hard = limit;
    if (!*soft || *soft > limit - limit / 10)
        *soft = limit - limit / 10;
}

static void set_times(struct ike *e, struct child *c, const struct child_plan *p)
{
    uint64_t soft = c->cc->life.rekey_s, hard = c->cc->life.life_s;
    cap(&soft, &hard, p->cap_s);
    c->installed_ms = e->now;
    c->rekey_ms = soft ? e->now + less_random(e, soft * 1000, c->cc->rand_s * 1000) : UINT64_MAX;
    c->life_ms = hard ? e->now + hard * 1000 : UINT64_MAX;
    /* a rekeying is no traffic */
    const struct child *old = c->replaces ? child_by_id(e, c->replaces) : NULL;
    uint64_t idle = c->cc->inactivity_s;
    c->idle_ms = !idle ? UINT64_MAX : old ? old->idle_ms : e->now + idle * 1000;
}

static struct lifetime limits(struct ike *e, const struct conn_child *cc,
                              const struct child_plan *p)
{
    struct lifetime l = cc->life;
    cap(&l.rekey_bytes, &l.life_bytes, p->cap_bytes);
    l.rekey_bytes = less_random(e, l.rekey_bytes, cc->rand_bytes);
    l.rekey_packets = less_random(e, l.rekey_packets, cc->rand_packets);
    return l;
}

static struct secret key_copy(struct ike *e, const struct secret *s)
{
    struct bytes b = arena_copy(&e->out->arena, secret_bytes(s));
    if (!b.p)
        ike_fail(e, E_NOMEM);
    return (struct secret){(uint8_t *)b.p, b.n};
}

/* sha256_96, which is not negotiated: the peer means the draft's ICV of 96 bits by the number that
 * RFC 4868 took over for 128 */
static const struct alg *integ_of(const struct child *c, const struct alg *integ)
{
    if (c->cc->sha256_96 && integ && integ->id == AUTH_HMAC_SHA2_256_128)
        return alg_find(T_INTEG, AUTH_HMAC_SHA2_256_96, 0);
    return integ;
}

static struct child_ah ah_of(struct ike *e, const struct child *c, const struct child_ah *p)
{
    if (!c->ah)
        return (struct child_ah){0};
    return (struct child_ah){.spi_in = p->spi_in,
                             .spi_out = p->spi_out,
                             .integ = integ_of(c, p->integ),
                             .in = key_copy(e, &p->in),
                             .out = key_copy(e, &p->out),
                             .esn = p->esn};
}

static void install(struct ike *e, const struct child *c, const struct child_plan *p)
{
    struct child_sa *s = ike_alloc(e, sizeof *s);
    if (!s)
        return;
    *s = (struct child_sa){
        .id = c->id,
        .replaces = c->replaces,
        .policy = c->cc->policy_id[0],
        .conn = ike_str(e, c->conn->name),
        .child = ike_str(e, c->cc->name),
        .proto = c->proto,
        .mode = c->mode,
        .dirs = c->dirs,
        .spi_in = c->spi_in,
        .spi_out = c->spi_out,
        .encr = alg_at(c->encr),
        .integ = integ_of(c, alg_at(c->integ)),
        .esn = c->esn,
        .replay_window = c->cc->replay_window,
        .udp_encap = c->encap,
        .local = c->sa->local,
        .remote = c->sa->remote,
        .in = {key_copy(e, &p->in.encr), key_copy(e, &p->in.integ)},
        .out = {key_copy(e, &p->out.encr), key_copy(e, &p->out.integ)},
        .local_ts = *p->local_ts,
        .remote_ts = *p->remote_ts,
        .later_frags = p->later_frags,
        .oa_local = p->oa_local,
        .oa_remote = p->oa_remote,
        .cpi_in = p->cpi_in,
        .cpi_out = p->cpi_out,
        .ah = ah_of(e, c, &p->ah),
        .life = limits(e, c->cc, p),
        .ip = c->cc->ip,
        .per_cpu = c->per_cpu,
        .cpu = c->cpu,
    };
    ike_act_add(e, ACT_CHILD_ADD)->sa = s;
}

static bool ah_alloc(struct child *c, const struct child_ah *p)
{
    c->ah = malloc(sizeof *c->ah);
    if (!c->ah)
        return false;
    *c->ah = *p;
    c->ah->in = c->ah->out = (struct secret){0};
    return true;
}

static size_t child_size(size_t selectors)
{
    return offsetof(struct child, ts) + selectors;
}

static void child_free(struct ike *e, struct child *c)
{
    struct ts_list local, remote;
    if (!c)
        return;
    const uint8_t *end = ts_unpack(ts_unpack(c->ts, &local), &remote);
    free(c->ah);
    free(c->last);
    slab_put(&e->slab, c, child_size((size_t)(end - c->ts)));
}

static struct child *child_alloc(struct ike *e, const struct child_plan *p)
{
    size_t size = child_size(ts_pack_size(p->local_ts) + ts_pack_size(p->remote_ts));
    struct child *c = slab_get(&e->slab, size);
    if (!c || (p->ah.integ && !ah_alloc(c, &p->ah))) {
        slab_put(&e->slab, c, size);
        return NULL;
    }
    ts_pack(ts_pack(c->ts, p->local_ts), p->remote_ts);
    c->cc = p->cc;
    c->replaces = p->replaces;
    c->spi_in = p->spi_in;
    c->spi_out = p->spi_out;
    c->encr = alg_no(p->encr);
    c->integ = alg_no(p->integ);
    c->ke = alg_no(p->ke);
    c->esn = p->esn;
    c->proto = p->proto;
    c->cpi_in = p->cpi_in;
    c->cpi_out = p->cpi_out;
    c->dirs = p->dirs;
    c->mode = p->mode;
    c->per_cpu = p->per_cpu;
    c->cpu = p->cpu;
    return c;
}

struct child *child_add(struct ike *e, struct ike_sa *sa, const struct child_plan *p)
{
    struct child *c = child_alloc(e, p);
    if (c)
        c->id = ++e->next_child;
    if (!c || hash_add(&e->children, &c->id_node, hash_of(&e->children, &c->id, sizeof c->id))) {
        child_free(e, c);
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    c->conn = conn_ref(p->conn);
    c->sa = sa;
    c->encap = sa_udp(sa);
    holdoff_clear(sa->entry, p->cc->name);
    list_add_tail(&sa->children, &c->link);
    e->stats.children++;
    set_times(e, c, p);
    install(e, c, p);
    sa_dirty(e, sa);
    return c;
}

static struct child_sa *named(struct ike *e, const struct child *c)
{
    struct child_sa *s = ike_alloc(e, sizeof *s);
    if (s) {
        s->id = c->id;
        s->spi_in = c->spi_in;
        s->spi_out = c->spi_out;
    }
    return s;
}

/* What replaced it meanwhile is sent on already. */
static bool overtaken(const struct ike *e, const struct child *c)
{
    const struct child *next = c->successor ? child_by_id(e, c->successor) : NULL;
    return next && (next->dirs & DIR_OUT);
}

void child_dirs_add(struct ike *e, struct child *c, enum child_dir dir)
{
    if ((c->dirs & dir) == dir || !c->dirs || (dir == DIR_OUT && overtaken(e, c)))
        return;
    c->dirs |= (uint8_t)dir;
    struct child_sa *s = named(e, c);
    if (!s)
        return;
    s->dirs = (uint8_t)dir;
    ike_act_add(e, ACT_CHILD_DIR)->sa = s;
}

void child_uninstall(struct ike *e, struct child *c)
{
    if (!c->dirs)
        return;
    c->dirs = 0;
    ike_act_add(e, ACT_CHILD_DEL)->sa = named(e, c);
}

static bool starts_again(const struct ike *e, const struct child *c, err_t reason)
{
    if (e->stopping || c->state != CHILD_INSTALLED || c->redundant || c->cpu)
        return false;
    if (reason == R_PEER_DEAD || reason == R_PEER_TIMEOUT)
        return c->cc->dpd_action == DPD_RESTART;
    if (reason == R_PEER_DELETED)
        return c->cc->close_action & START_START;
    return reason == R_EXPIRED && c->sa->restart;
}

/* The configuration of that name today; it may have been replaced or removed meanwhile. */
static void start_again(struct ike *e, struct conn *conn, const char *name)
{
    struct conn_entry *ce = conn_entry_find(e, conn->name);
    const struct conn_child *cc = ce && ce->conn ? conn_child_find(ce->conn, name) : NULL;
    if (!cc)
        return;
    err_t err = ike_initiate(e, ce->conn, cc, NULL, NULL);
    if (err < 0)
        ike_fail(e, err);
}

/* Deletes may come in any order, so a chain of rekeyings stays linked: whom this one replaced is
 * replaced by its own successor, if any. */
static void unlink_successor(const struct ike *e, const struct child *c)
{
    struct child *old = c->replaces ? child_by_id(e, c->replaces) : NULL;
    struct child *next = c->successor ? child_by_id(e, c->successor) : NULL;
    if (old && old->successor == c->id)
        old->successor = c->successor;
    if (next && next->replaces == c->id)
        next->replaces = c->replaces;
}

void child_remove(struct ike *e, struct child *c, err_t reason)
{
    bool again = starts_again(e, c, reason);
    if (reason == R_REPLACED && c->dirs)
        linger_add(e, c->id, c->spi_in);
    else
        child_uninstall(e, c);
    if (!c->redundant && c->state != CHILD_REKEYED)
        ike_event(e, EV_CHILD_DOWN, c->sa, c)->reason = reason;
    waiters_done(e, &c->gone, E_OK);
    unlink_successor(e, c);
    list_del(&c->link);
    hash_del(&e->children, &c->id_node);
    e->stats.children--;
    if (again)
        start_again(e, c->conn, c->cc->name);
    sa_dirty(e, c->sa);
    conn_unref(c->conn);
    child_free(e, c);
}

/* RFC 7296 2.8: the new IKE SA inherits all children. */
void child_move_all(struct ike *e, struct ike_sa *from, struct ike_sa *to)
{
    while (!list_empty(&from->children)) {
        struct child *c = container_of(from->children.next, struct child, link);
        list_del(&c->link);
        list_add_tail(&to->children, &c->link);
        c->sa = to;
    }
    if (!to->vips) { /* children and what they stand on go together */
        to->vips = from->vips;
        from->vips = NULL;
    }
    sa_dirty(e, from);
    sa_dirty(e, to);
}

void child_paths_set(struct ike *e, struct ike_sa *sa)
{
    list_each (it, &sa->children) {
        struct child *c = container_of(it, struct child, link);
        struct child_sa *s = c->dirs ? named(e, c) : NULL;
        c->encap = sa_udp(sa);
        if (!s)
            continue;
        s->local = sa->local;
        s->remote = sa->remote;
        s->udp_encap = c->encap;
        ike_act_add(e, ACT_CHILD_MOVE)->sa = s;
    }
}
