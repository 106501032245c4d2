/* Half-open SAs: see half.h. Made by v2/sa_init_r.c, end in v2/auth_first.c or here by time. */
#include "ike/half.h"
#include <stdlib.h>

/* Half-open SAs of one source address, for init_limit_per_source. */
struct source {
    struct hash_node node;
    struct addr addr;
    uint32_t count;
};

static struct source *source_find(const struct ike *e, const struct addr *a)
{
    uint64_t h = hash_of(&e->sources, a, sizeof *a);
    for (struct hash_node *n = hash_first(&e->sources, h); n; n = hash_next(n)) {
        struct source *s = container_of(n, struct source, node);
        if (addr_eq(&s->addr, a))
            return s;
    }
    return NULL;
}

uint32_t half_source_count(const struct ike *e, const struct addr *a)
{
    struct source *s = source_find(e, a);
    return s ? s->count : 0;
}

static void source_in(struct ike *e, const struct addr *a)
{
    struct source *s = source_find(e, a);
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s || hash_add(&e->sources, &s->node, hash_of(&e->sources, a, sizeof *a))) {
            free(s);
            ike_fail(e, E_NOMEM);
            return;
        }
        s->addr = *a;
    }
    s->count++;
}

static void source_out(struct ike *e, const struct addr *a)
{
    struct source *s = source_find(e, a);
    if (!s || --s->count)
        return;
    hash_del(&e->sources, &s->node);
    free(s);
}

void half_count(struct ike *e, const struct addr *source, bool on)
{
    e->stats.half_open = on ? e->stats.half_open + 1 : e->stats.half_open - 1;
    if (!e->set.init_limit_per_source)
        return;
    if (on)
        source_in(e, source);
    else
        source_out(e, source);
}

static uint64_t spi_hash(const struct ike *e, uint64_t spi)
{
    return hash_of(&e->halves, &spi, sizeof spi);
}

struct half *half_by_spi(const struct ike *e, uint64_t spi_r)
{
    for (struct hash_node *n = hash_first(&e->halves, spi_hash(e, spi_r)); n; n = hash_next(n)) {
        struct half *h = container_of(n, struct half, node);
        if (h->spi_r == spi_r)
            return h;
    }
    return NULL;
}

struct half *half_by_id(const struct ike *e, uint32_t id)
{
    list_each (it, (struct list *)&e->half_open) {
        struct half *h = container_of(it, struct half, age);
        if (h->id == id)
            return h;
    }
    return NULL;
}

static void fill(struct half *h, const struct half_plan *p)
{
    h->spi_i = p->pkt->spi_i;
    h->spi_r = p->spi_r;
    h->local = p->pkt->local;
    h->remote = p->pkt->remote;
    h->natt = p->pkt->natt;
    h->number = p->chosen->number;
    h->count = p->chosen->count;
    memcpy(h->t, p->chosen->t, h->count * sizeof h->t[0]);
    h->ni_at = (uint16_t)(p->ni.p - p->pkt->raw.p);
    h->ni_len = (uint16_t)p->ni.n;
    h->req_len = (uint16_t)p->pkt->raw.n;
    h->nr_len = (uint16_t)p->nr_len;
    h->pub_len = (uint16_t)p->pub_len;
    h->seed_len = (uint16_t)p->seed_len;
    h->ca_len = (uint16_t)p->authorities.n;
    memcpy(h->data, p->pkt->raw.p, h->req_len);
    if (h->ca_len)
        memcpy(half_seed(h) + h->seed_len, p->authorities.p, h->ca_len);
}

struct half *half_new(struct ike *e, const struct ike_version *ver, const struct half_plan *p)
{
    size_t n = p->pkt->raw.n + p->nr_len + p->pub_len + p->seed_len + p->authorities.n;
    struct half *h = p->chosen->count <= HALF_TRANSFORMS ? calloc(1, sizeof *h + n) : NULL;
    if (!h || hash_add(&e->halves, &h->node, spi_hash(e, p->spi_r))) {
        free(h);
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    fill(h, p);
    h->ver = ver;
    h->id = ++e->next_ike;
    h->born_ms = e->now;
    list_init(&h->age);
    list_add_tail(&e->half_open, &h->age);
    e->stats.ike_sas++;
    half_count(e, &h->remote.addr, true);
    return h;
}

void half_chosen(const struct half *h, struct proposal *out)
{
    *out = (struct proposal){.number = h->number, .proto = PROTO_IKE, .count = h->count};
    memcpy(out->t, h->t, h->count * sizeof h->t[0]);
}

struct event *half_event(struct ike *e, enum event_kind kind, const struct half *h)
{
    struct event *ev = ike_event(e, kind, NULL, NULL);
    ev->ike_id = h->id;
    ev->ike_spi_i = h->spi_i;
    ev->ike_spi_r = h->spi_r;
    ev->local = h->local;
    ev->remote = h->remote;
    return ev;
}

void half_end(struct ike *e, struct half *h)
{
    hash_del(&e->halves, &h->node);
    list_del(&h->age);
    e->stats.ike_sas--;
    half_count(e, &h->remote.addr, false);
    secret_wipe(half_seed(h), h->seed_len);
    free(h);
}

void half_drop(struct ike *e, struct half *h, err_t reason)
{
    half_event(e, EV_IKE_FAILED, h)->reason = reason;
    half_end(e, h);
}

static struct half *oldest(const struct ike *e)
{
    return list_empty(&e->half_open) ? NULL : container_of(e->half_open.next, struct half, age);
}

void halves_drop(struct ike *e, err_t reason)
{
    for (struct half *h; (h = oldest(e));)
        half_drop(e, h, reason);
}

uint64_t half_at(const struct ike *e)
{
    const struct half *h = oldest(e);
    return h ? h->born_ms + e->set.half_open_timeout_ms : UINT64_MAX;
}

void half_tick(struct ike *e)
{
    while (half_at(e) <= e->now)
        half_drop(e, oldest(e), R_PEER_TIMEOUT);
}
