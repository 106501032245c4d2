/*
 * The IKE engine's steps: what came in goes to the SA concerned or to the commands, due timers
 * fire, changed SAs go on with their next exchange, and the earliest time of all is what the caller
 * waits for. Protocol versions come as tables from outside: include/culvert/ike.h.
 */
#include "ike/engine.h"
#include "ike/parts.h"
#include "ike/half.h"
#include "pki/pki.h"
#include "ike/lease.h"
#include "wire/ike_hdr.h"
#include <stdlib.h>

void ike_settings_default(struct ike_settings *s)
{
    *s = (struct ike_settings){
        .retransmit_tries = 5,
        .retransmit_timeout_ms = 4000,
        .retransmit_base_pct = 180,
        .half_open_timeout_ms = 30000,
        .cookie_threshold = 30,
        .half_open_max = 10000,
        .keepalive_ms = 20000,
        .close_delay_ms = 5000,
        .cpus = 1,
        .port = 500,
        .port_natt = 4500,
        .fragment_size = 1280,
    };
}

static err_t tables_init(struct ike *e)
{
    struct hash *const all[] = {&e->by_spi,   &e->by_id,   &e->by_peer, &e->by_child,
                                &e->children, &e->entries, &e->remotes, &e->owners,
                                &e->sources,  &e->halves,  &e->inits1};
    uint64_t key[2] = {ike_random_u64(e), ike_random_u64(e)};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (hash_init(all[i], key))
            return E_NOMEM;
    return E_OK;
}

static void tables_fini(struct ike *e)
{
    struct hash *const all[] = {&e->by_spi,   &e->by_id,   &e->by_peer, &e->by_child,
                                &e->children, &e->entries, &e->remotes, &e->owners,
                                &e->sources,  &e->halves,  &e->inits1};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        hash_fini(all[i]);
}

static void lists_init(struct ike *e)
{
    list_init(&e->strangers);
    list_init(&e->lingering);
    list_init(&e->refused);
    list_init(&e->early1);
    e->refused_at = UINT64_MAX;
    list_init(&e->half_open);
    list_init(&e->sas);
    list_init(&e->conns);
    list_init(&e->shared);
    list_init(&e->wild_shared);
    list_init(&e->wild_conns);
    list_init(&e->pools);
    list_init(&e->graveyard);
}

#define HOME ((size_t)32768)

static bool homes_init(struct ike *e)
{
    return arena_reserve(&e->step_home, HOME) && arena_reserve(&e->exch_home, HOME);
}

static void homes_fini(struct ike *e)
{
    arena_free(&e->step_home);
    arena_free(&e->exch_home);
    free(e->scratch);
}

struct ike *ike_new(const struct ike_settings *s, const struct ike_env *env,
                    const struct ike_version *const *versions, size_t count)
{
    struct ike *e = calloc(1, sizeof *e);
    if (!e || count > sizeof e->ver / sizeof e->ver[0]) {
        free(e);
        return NULL;
    }
    e->set = *s;
    e->env = *env;
    memcpy(e->ver, versions, count * sizeof *versions);
    e->ver_count = count;
    lists_init(e);
    env->random(env->ctx, e->cookie_secret, sizeof e->cookie_secret);
    env->random(env->ctx, e->spi_key, sizeof e->spi_key);
    e->scratch = malloc(IKE_MSG_MAX);
    if (!e->scratch || tables_init(e) || !info_init(e) || !homes_init(e)) {
        tables_fini(e);
        homes_fini(e);
        info_free(e);
        free(e);
        return NULL;
    }
    return e;
}

/* Whatever still lives goes without a word: the actions of this last step are thrown away. */
void ike_free(struct ike *e)
{
    if (!e)
        return;
    struct ike_out out = {0};
    e->out = &out;
    e->stopping = true;
    halves_drop(e, R_SHUTDOWN);
    list_each_safe (it, nx, &e->sas)
        sa_drop(e, container_of(it, struct ike_sa, all), R_SHUTDOWN);
    for (struct ike_timer *t; (t = heap_first(&e->heap));)
        sa_drop(e, container_of(t, struct ike_sa, timer), R_SHUTDOWN);
    sa_bury(e);
    linger_flush(e);
    parts_strangers_free(e);
    cmd_unref(e, e->shutdown);
    conns_fini(e);
    pools_fini(e);
    shared_clear(e);
    pki_unref(e->pki);
    tables_fini(e);
    heap_free(&e->heap);
    info_free(e);
    ike_out_free(&out);
    homes_fini(e);
    slab_fini(&e->slab);
    secret_wipe(e, sizeof *e);
    free(e);
}

err_t ike_pkt_read(struct ike_pkt *p)
{
    struct ike_hdr h;
    err_t err = ike_hdr_parse(p->raw, &h);
    if (err)
        return err;
    p->spi_i = h.spi_i;
    p->spi_r = h.spi_r;
    p->next = h.next;
    p->version = h.major;
    p->exchange = h.exchange;
    p->flags = h.flags;
    p->msg_id = h.msg_id;
    return E_OK;
}

static err_t header_of(const struct ike_in *in, struct ike_pkt *p)
{
    *p = (struct ike_pkt){.local = in->local, .remote = in->remote, .natt = in->natt};
    p->raw = in->data;
    return ike_pkt_read(p);
}

static struct ike_sa *sa_of(const struct ike *e, const struct ike_pkt *p)
{
    struct ike_sa *sa = p->spi_r ? sa_by_spi(e, p->spi_r) : NULL;
    if (sa && !sa->initiator && sa->spi_i == p->spi_i)
        return sa;
    sa = sa_by_spi(e, p->spi_i);
    if (sa && sa->initiator && (!sa->spi_r || sa->spi_r == p->spi_r))
        return sa;
    return NULL;
}

static void packet_in(struct ike *e, const struct ike_in *in)
{
    struct ike_pkt p;
    e->stats.packets_in++;
    err_t err = header_of(in, &p);
    if (err) {
        ike_drop(e, &p, err, "IKE header");
        return;
    }
    struct ike_sa *sa = sa_of(e, &p);
    if (sa && sa->ver->major == p.version) {
        sa_dirty(e, sa);
        sa->ver->packet(e, sa, &p);
        return;
    }
    struct half *h = sa ? NULL : half_by_spi(e, p.spi_r);
    if (h && h->spi_i == p.spi_i && h->ver->major == p.version) {
        h->ver->half_packet(e, h, &p);
        return;
    }
    /* RFC 7296 2.5: a newer major version is answered by the newest we have */
    const struct ike_version *best = NULL;
    for (size_t i = 0; i < e->ver_count; i++) {
        if (e->ver[i]->major > p.version && p.version != 1)
            continue;
        if (e->ver[i]->major <= p.version && (!best || e->ver[i]->major > best->major))
            best = e->ver[i];
    }
    if (best && !sa)
        best->packet(e, NULL, &p);
    else
        ike_drop(e, &p, R_MAJOR_VERSION, "IKE version not spoken here");
}

size_t ike_cookie_reply(struct ike *e, const struct ike_in *in, uint8_t out[IKE_COOKIE_REPLY_MAX])
{
    struct ike_pkt p;
    size_t n = 0;
    if (header_of(in, &p) || sa_of(e, &p))
        return 0;
    e->now = in->now_ms;
    for (size_t i = 0; i < e->ver_count && !n; i++)
        if (e->ver[i]->major == p.version && e->ver[i]->cookie_reply)
            n = e->ver[i]->cookie_reply(e, &p, out);
    e->stats.packets_in += n != 0;
    e->stats.packets_out += n != 0;
    return n;
}

static void half_job_in(struct ike *e, struct ike_job *j)
{
    struct half *h = half_by_spi(e, j->half);
    if (h)
        h->ver->half_done(e, h, j);
    ike_job_free(j);
}

static void job_in(struct ike *e, struct ike_job *j)
{
    if (j->half) {
        half_job_in(e, j);
        return;
    }
    struct ike_sa *sa = sa_by_id(e, j->ike_id);
    if (!sa || sa->state == SA_GONE) {
        ike_job_free(j);
        return;
    }
    sa_dirty(e, sa);
    sa->ver->job_done(e, sa, j);
}

static void about_child(struct ike *e, const struct ike_in *in)
{
    struct child *c = child_by_id(e, in->child_id);
    if (!c)
        return;
    if (in->kind == IN_EXPIRE)
        life_child_expire(e, c, in->hard);
    else if (in->kind == IN_FIRST_IN)
        child_dirs_add(e, c, DIR_OUT);
    else if (!c->sa->nat_local && c->sa->nat_remote)
        path_move(e, c->sa, &in->local, &in->remote);
    sa_dirty(e, c->sa);
}

static void take(struct ike *e, const struct ike_in *in)
{
    switch (in->kind) {
    case IN_PACKET:
        packet_in(e, in);
        break;
    case IN_TICK:
        break;
    case IN_JOB_DONE:
        job_in(e, in->job);
        break;
    case IN_EXPIRE:
    case IN_PATH_CHANGE:
    case IN_FIRST_IN:
        about_child(e, in);
        break;
    default:
        ike_command(e, in);
        break;
    }
}

static void timers(struct ike *e)
{
    for (struct ike_timer *t; (t = heap_first(&e->heap)) && t->at <= e->now;) {
        struct ike_sa *sa = container_of(t, struct ike_sa, timer);
        heap_del(&e->heap, t);
        life_tick(e, sa);
        if (!sa->dead)
            sa->ver->tick(e, sa);
    }
}

/* SAs that were touched: begin what waits, then note when they want to be woken. */
static void settle(struct ike *e)
{
    for (struct ike_sa *sa; (sa = e->dirty);) {
        e->dirty = sa->dirty_next;
        sa->dirty = false;
        if (!sa->dead && sa->state != SA_GONE)
            sa->ver->kick(e, sa);
        sa_timer_set(e, sa);
    }
}

err_t ike_step(struct ike *e, const struct ike_in *in, struct ike_out *out)
{
    *out = (struct ike_out){.wake_ms = UINT64_MAX, .home = &e->step_home};
    arena_borrow(&out->arena, out->home);
    e->out = out;
    e->now = in->now_ms;
    e->wall_s = in->wall_s;
    e->err = E_OK;
    e->evidence = NULL;
    take(e, in);
    timers(e);
    half_tick(e);
    linger_tick(e);
    holdoff_tick(e);
    settle(e);
    ike_shutdown_check(e);
    settle(e);
    sa_bury(e);
    struct ike_timer *first = heap_first(&e->heap);
    if (first)
        out->wake_ms = first->at > e->now ? first->at : e->now + 1;
    if (e->stopping && e->shutdown && e->shutdown_ms < out->wake_ms)
        out->wake_ms = e->shutdown_ms;
    if (e->refused_at < out->wake_ms)
        out->wake_ms = e->refused_at;
    if (half_at(e) < out->wake_ms)
        out->wake_ms = half_at(e);
    if (linger_at(e) < out->wake_ms)
        out->wake_ms = linger_at(e);
    e->out = NULL;
    e->evidence = NULL; /* it lies in the step's arena */
    return e->err;
}

void ike_out_free(struct ike_out *out)
{
    if (out->home)
        arena_return(&out->arena, out->home);
    else
        arena_free(&out->arena);
    out->first = out->last = NULL;
}
