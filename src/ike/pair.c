/* Two engines wired together, for tests: see pair.h. */
#include "ike/pair.h"
#include "ike/job.h"
#include "pki/pki.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define WALL_S 1900000000 /* 2030 */

static void env_random(void *ctx, void *p, size_t n)
{
    struct side *s = ctx;
    for (size_t i = 0; i < n; i++) {
        s->rng ^= s->rng << 13;
        s->rng ^= s->rng >> 7;
        s->rng ^= s->rng << 17;
        ((uint8_t *)p)[i] = (uint8_t)(s->rng >> 24);
    }
}

static uint32_t env_spi(void *ctx, const struct ike_spi_use *use)
{
    struct side *s = ctx;
    (void)use;
    s->spis++;
    return ++s->next_spi;
}

static bool env_stats(void *ctx, uint32_t id, struct child_stats *out)
{
    struct side *s = ctx;
    if (!s->traffic_ms || !pair_child_find(s, id))
        return false;
    out->in.last_ms = out->out.last_ms = s->traffic_ms;
    return true;
}

static bool env_source(void *ctx, const struct addr *remote, struct addr *out)
{
    struct side *s = ctx;
    *out = s->ep.addr;
    return remote->family == s->ep.addr.family;
}

static bool env_resolve(void *ctx, const char *host, uint8_t family, struct addr *out)
{
    struct side *s = ctx;
    (void)family;
    if (strcmp(host, "peer.example") != 0)
        return false;
    *out = s == &s->pair->a ? s->pair->b.ep.addr : s->pair->a.ep.addr;
    return true;
}

static void side_init(struct pair *p, struct side *s, const char *addr, uint64_t seed,
                      const struct ike_settings *set)
{
    struct ike_env env = {s, env_random, env_spi, env_stats, env_source, env_resolve, NULL};
    const struct ike_version *const v[] = {&ike_v1, &ike_v2};
    s->pair = p;
    s->rng = seed;
    s->next_spi = (uint32_t)(seed & 0xff) << 24 | 0x1000;
    bool ok = addr_parse(&s->ep.addr, addr);
    s->ep.port = 500;
    s->e = ike_new(set, &env, v, 2);
    assert(ok && s->e);
    (void)ok;
    s->wake = UINT64_MAX;
}

void pair_init(struct pair *p, const struct ike_settings *s)
{
    struct ike_settings def;
    ike_settings_default(&def);
    *p = (struct pair){.now = 1000000, .nat_port = 10000};
    side_init(p, &p->a, "192.0.2.1", 0xa1a2a3a4a5a6a7a8u, s ? s : &def);
    side_init(p, &p->b, "198.51.100.2", 0xb1b2b3b4b5b6b7b9u, s ? s : &def);
}

void pair_fini(struct pair *p)
{
    while (p->first) {
        struct pair_packet *k = p->first;
        p->first = k->next;
        free(k);
    }
    ike_job_free(p->a.job);
    ike_job_free(p->b.job);
    ike_free(p->a.e);
    ike_free(p->b.e);
}

static void one_addr(struct addr_match *m, const struct addr *a)
{
    m->lo = m->hi = *a;
}

static void proposals(enum proto proto, const char *words, struct proposals *out)
{
    struct proposal_error err;
    *out = (struct proposals){0};
    err_t e = proposal_parse(proto, words, out, &err);
    assert(!e);
    (void)e;
}

struct conn *pair_conn(const struct side *me, const struct side *peer, const char *ike,
                       const char *esp)
{
    struct conn *c = conn_new("conn");
    const char *why;
    bool is_a = me == &me->pair->a;
    struct conn_child *cc = conn_child_add(c, "net");
    one_addr(&c->local[0], &me->ep.addr);
    one_addr(&c->remote[0], &peer->ep.addr);
    c->local_count = c->remote_count = 1;
    c->version = 2;
    proposals(PROTO_IKE, ike ? ike : "aes128-sha256-x25519", &c->ike);
    proposals(PROTO_ESP, esp ? esp : "aes128gcm16", &cc->esp);
    c->rand_s = cc->rand_s = 0;
    bool ok = id_parse(&c->auth_local.id, is_a ? "a.example" : "b.example") &&
              id_parse(&c->auth_remote.id, is_a ? "b.example" : "a.example");
    cc->local_ts.count = cc->remote_ts.count = 1;
    err_t e = ts_conf_parse(&cc->local_ts.ts[0], is_a ? "10.1.0.0/16" : "10.2.0.0/16", &why);
    if (!e)
        e = ts_conf_parse(&cc->remote_ts.ts[0], is_a ? "10.2.0.0/16" : "10.1.0.0/16", &why);
    assert(ok && !e);
    (void)ok;
    return c;
}

static void enqueue(struct side *from, const struct ike_act *a)
{
    struct pair *p = from->pair;
    struct pair_packet *k = malloc(sizeof *k + a->data.n);
    bool to_a = from == &p->b;
    assert(k);
    p->sent++;
    *k = (struct pair_packet){.to_a = to_a, .natt = a->natt, .n = a->data.n};
    memcpy(k->p, a->data.p, a->data.n);
    k->local = a->remote;
    k->remote = a->local;
    if (p->nat_a && !to_a) {
        uint8_t nat[4] = {203, 0, 113, 1};
        k->remote.addr = addr_v4(nat);
        k->remote.port = (uint16_t)(k->remote.port + p->nat_port);
    } else if (p->nat_a) {
        k->local.addr = p->a.ep.addr;
        k->local.port = a->natt ? 4500 : 500;
    }
    if (p->last)
        p->last->next = k;
    else
        p->first = k;
    p->last = k;
}

struct pair_child *pair_child_find(struct side *s, uint32_t id)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->child[i].id == id)
            return &s->child[i];
    return NULL;
}

static size_t keys(uint8_t *out, const struct child_keys *k)
{
    memcpy(out, k->encr.p, k->encr.n);
    if (k->integ.n)
        memcpy(out + k->encr.n, k->integ.p, k->integ.n);
    return k->encr.n + k->integ.n;
}

static void text(char *to, size_t n, const char *from)
{
    snprintf(to, n, "%s", from ? from : "");
}

static void child_add_act(struct side *s, const struct child_sa *sa)
{
    assert(s->child_count < PAIR_CHILDREN && !pair_child_find(s, sa->id));
    struct pair_child *c = &s->child[s->child_count++];
    *c = (struct pair_child){.id = sa->id,
                             .replaces = sa->replaces,
                             .spi_in = sa->spi_in,
                             .spi_out = sa->spi_out,
                             .proto = sa->proto,
                             .mode = sa->mode,
                             .dirs = sa->dirs,
                             .encap = sa->udp_encap,
                             .per_cpu = sa->per_cpu,
                             .later_frags = sa->later_frags,
                             .cpu = sa->cpu,
                             .integ = sa->integ,
                             .local = sa->local,
                             .remote = sa->remote,
                             .cpi_in = sa->cpi_in,
                             .cpi_out = sa->cpi_out,
                             .oa_local = sa->oa_local,
                             .oa_remote = sa->oa_remote,
                             .local_ts = sa->local_ts,
                             .remote_ts = sa->remote_ts};
    text(c->child, sizeof c->child, sa->child);
    c->in_n = keys(c->key_in, &sa->in);
    c->out_n = keys(c->key_out, &sa->out);
    if (!sa->ah.integ)
        return;
    c->ah.spi_in = sa->ah.spi_in;
    c->ah.spi_out = sa->ah.spi_out;
    c->ah.integ = sa->ah.integ;
    c->ah.esn = sa->ah.esn;
    memcpy(c->ah.in, sa->ah.in.p, sa->ah.in.n);
    memcpy(c->ah.out, sa->ah.out.p, sa->ah.out.n);
}

static void child_del_act(struct side *s, uint32_t id)
{
    struct pair_child *c = pair_child_find(s, id);
    assert(c);
    s->spis -= c->ah.spi_in ? 2 : 1;
    *c = s->child[--s->child_count];
}

static void note_event(struct side *s, const struct event *ev)
{
    struct pair_event *r = &s->event[s->event_count++ % PAIR_EVENTS];
    r->kind = ev->kind;
    r->reason = ev->reason;
    text(r->what, sizeof r->what, ev->what);
    text(r->ours, sizeof r->ours, ev->ours);
    text(r->theirs, sizeof r->theirs, ev->theirs);
    text(r->hint, sizeof r->hint, ev->hint);
    if (getenv("PAIR_TRACE")) {
        struct buf b = {0};
        event_render(ev, &b);
        fprintf(stderr, "%llu %s %s: %s\n", (unsigned long long)s->pair->now,
                s == &s->pair->a ? "a" : "b", event_name(ev->kind), buf_str(&b));
        buf_free(&b);
    }
}

static void do_act(struct side *s, const struct ike_act *a)
{
    struct pair_child *c = a->sa ? pair_child_find(s, a->sa->id) : NULL;
    switch (a->kind) {
    case ACT_SEND:
        enqueue(s, a);
        break;
    case ACT_KEEPALIVE:
        s->keepalives++;
        break;
    case ACT_CHILD_ADD:
        child_add_act(s, a->sa);
        break;
    case ACT_CHILD_DIR:
        assert(c);
        c->dirs |= a->sa->dirs;
        break;
    case ACT_CHILD_QUIET: /* for the tests it is gone */
        child_del_act(s, a->sa->id);
        s->quiet++;
        break;
    case ACT_CHILD_DEL:
        if (c)
            child_del_act(s, a->sa->id);
        else
            assert(s->quiet-- > 0);
        break;
    case ACT_CHILD_MOVE:
        assert(c);
        c->local = a->sa->local;
        c->remote = a->sa->remote;
        break;
    case ACT_SPI_FREE:
        s->spis--;
        break;
    case ACT_JOB: {
        struct ike_in in = {.kind = IN_JOB_DONE, .job = a->job};
        ike_job_run(a->job);
        if (s->pair->keep_jobs && a->job->sig) {
            assert(!s->job);
            s->job = a->job;
        } else {
            pair_step(s, &in);
        }
        break;
    }
    case ACT_CMD_DONE:
        text(s->done_hint, sizeof s->done_hint, a->event.hint);
        text(s->done_ours, sizeof s->done_ours, a->event.ours);
        s->done[s->done_count].cmd = a->cmd;
        s->done[s->done_count++ % PAIR_CMDS].reason = a->reason;
        break;
    case ACT_EVENT:
        note_event(s, &a->event);
        break;
    case ACT_VIP_ADD:
        s->vips++;
        s->vip = a->local.addr;
        break;
    case ACT_VIP_DEL:
        s->vips--;
        break;
    case ACT_ACQUIRE_FAILED:
        s->acquires_failed++;
        break;
    }
}

void pair_step(struct side *s, struct ike_in *in)
{
    struct ike_out out;
    in->now_ms = s->pair->now;
    in->wall_s = WALL_S;
    err_t err = ike_step(s->e, in, &out);
    assert(!err);
    (void)err;
    s->wake = out.wake_ms;
    for (const struct ike_act *a = out.first; a; a = a->next)
        do_act(s, a);
    ike_out_free(&out);
}

bool pair_deliver(struct pair *p)
{
    struct pair_packet *k = p->first;
    if (!k)
        return false;
    p->first = k->next;
    if (!p->first)
        p->last = NULL;
    struct side *to = k->to_a ? &p->a : &p->b;
    struct bytes msg = bytes_of(k->p, k->n);
    if (!to->dead && !(p->lose && p->lose(p, k->to_a, msg))) {
        struct ike_in in = {.kind = IN_PACKET,
                            .local = k->local,
                            .remote = k->remote,
                            .natt = k->natt,
                            .data = msg};
        pair_step(to, &in);
    }
    free(k);
    return true;
}

void pair_run(struct pair *p)
{
    for (int i = 0; i < 10000 && pair_deliver(p); i++)
        ;
}

/* A dead side does nothing at all. */
static uint64_t due(const struct side *s)
{
    return s->dead ? UINT64_MAX : s->wake;
}

static void tick(struct side *s)
{
    struct ike_in in = {.kind = IN_TICK};
    if (due(s) <= s->pair->now)
        pair_step(s, &in);
}

void pair_pass(struct pair *p, uint64_t ms)
{
    uint64_t end = p->now + ms;
    pair_run(p);
    for (int i = 0; i < 100000; i++) {
        uint64_t next = due(&p->a) < due(&p->b) ? due(&p->a) : due(&p->b);
        if (next > end)
            break;
        p->now = next > p->now ? next : p->now;
        tick(&p->a);
        tick(&p->b);
        pair_run(p);
    }
    p->now = end;
}

void pair_load(struct side *s, struct conn *c)
{
    struct ike_in in = {.kind = IN_CONN_LOAD, .load = c};
    pair_step(s, &in);
    conn_unref(c);
}

void pair_pki(struct side *s, struct pki *p)
{
    struct ike_in in = {.kind = IN_PKI, .pki = p};
    pair_step(s, &in);
    pki_unref(p);
}

void pair_job_back(struct side *s)
{
    struct ike_in in = {.kind = IN_JOB_DONE, .job = s->job};
    assert(s->job);
    s->job = NULL;
    pair_step(s, &in);
}

void pair_psk(struct side *s, const char *secret)
{
    struct shared *k = shared_new("ike-1");
    struct ike_in in = {.kind = IN_SHARED_LOAD, .shared = k};
    err_t err = secret_set(&k->secret, bytes_of(secret, strlen(secret)));
    assert(!err);
    (void)err;
    k->kind = SHARED_IKE;
    pair_step(s, &in);
}

void pair_initiate(struct side *s, const char *conn, const char *child, uint32_t cmd)
{
    struct ike_in in = {.kind = IN_INITIATE, .conn = conn, .child = child, .cmd = cmd};
    pair_step(s, &in);
}

size_t pair_events(const struct side *s, enum event_kind k)
{
    size_t n = 0;
    for (size_t i = 0; i < s->event_count && i < PAIR_EVENTS; i++)
        n += s->event[i].kind == k;
    return n;
}

const struct pair_event *pair_event_last(const struct side *s, enum event_kind k)
{
    for (size_t i = s->event_count < PAIR_EVENTS ? s->event_count : PAIR_EVENTS; i-- > 0;)
        if (s->event[i].kind == k)
            return &s->event[i];
    return NULL;
}

err_t pair_result(const struct side *s, uint32_t cmd)
{
    for (size_t i = 0; i < s->done_count; i++)
        if (s->done[i].cmd == cmd)
            return s->done[i].reason;
    return E_AGAIN;
}

size_t pair_sas(const struct side *s)
{
    struct ike_stats st;
    ike_stats_get(s->e, &st);
    return st.ike_sas;
}
