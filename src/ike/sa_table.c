/*
 * The table of IKE SAs: by our SPI, by number, by the pair of identities; their birth and end. An
 * SA that ends takes its children, tasks and waiters along; its memory goes when the step ends.
 */
#include "ike/half.h"
#include "ike/vip.h"
#include <stdlib.h>

static uint64_t our_spi(const struct ike_sa *sa)
{
    return sa->initiator ? sa->spi_i : sa->spi_r;
}

struct ike_sa *sa_by_spi(const struct ike *e, uint64_t spi)
{
    uint64_t h = hash_of(&e->by_spi, &spi, sizeof spi);
    for (struct hash_node *n = hash_first(&e->by_spi, h); n; n = hash_next(n)) {
        struct ike_sa *sa = container_of(n, struct ike_sa, spi_node);
        if (our_spi(sa) == spi)
            return sa;
    }
    return NULL;
}

struct ike_sa *sa_by_id(const struct ike *e, uint32_t id)
{
    uint64_t h = hash_of(&e->by_id, &id, sizeof id);
    for (struct hash_node *n = hash_first(&e->by_id, h); n; n = hash_next(n)) {
        struct ike_sa *sa = container_of(n, struct ike_sa, id_node);
        if (sa->id == id)
            return sa;
    }
    return NULL;
}

uint64_t sa_spi_new(struct ike *e)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t spi = ike_random_u64(e);
        if (spi && !sa_by_spi(e, spi) && !half_by_spi(e, spi))
            return spi;
    }
    return 0;
}

static void init_lists(struct ike_sa *sa)
{
    list_init(&sa->all);
    list_init(&sa->of_conn);
    list_init(&sa->children);
    list_init(&sa->tasks);
    sa->rekey_ms = sa->reauth_ms = sa->over_ms = sa->die_ms = UINT64_MAX;
}

struct ike_sa *sa_new(struct ike *e, const struct ike_version *ver, bool initiator, uint64_t spi_i,
                      uint64_t spi_r, uint32_t id)
{
    struct ike_sa *sa = slab_get(&e->slab, ver->sa_size);
    if (!sa) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    init_lists(sa);
    if (ver->init)
        ver->init(sa);
    sa->ver = ver;
    sa->initiator = initiator;
    sa->spi_i = spi_i;
    sa->spi_r = spi_r;
    sa->created_ms = sa->seen_ms = sa->sent_ms = e->now;
    sa->id = id ? id : ++e->next_ike;
    uint64_t spi = our_spi(sa);
    if (hash_add(&e->by_id, &sa->id_node, hash_of(&e->by_id, &sa->id, sizeof sa->id))) {
        ike_fail(e, E_NOMEM);
        slab_put(&e->slab, sa, ver->sa_size);
        return NULL;
    }
    if (hash_add(&e->by_spi, &sa->spi_node, hash_of(&e->by_spi, &spi, sizeof spi))) {
        ike_fail(e, E_NOMEM);
        hash_del(&e->by_id, &sa->id_node);
        slab_put(&e->slab, sa, ver->sa_size);
        return NULL;
    }
    list_add_tail(&e->sas, &sa->all);
    e->stats.ike_sas++;
    sa_dirty(e, sa);
    return sa;
}

void sa_dirty(struct ike *e, struct ike_sa *sa)
{
    if (sa->dirty)
        return;
    sa->dirty = true;
    sa->dirty_next = e->dirty;
    e->dirty = sa;
}

void sa_conn_set(struct ike *e, struct ike_sa *sa, struct conn *c)
{
    if (sa->conn == c)
        return;
    struct conn_entry *old = sa->entry;
    struct conn *old_conn = sa->conn;
    struct conn_entry *ce = c ? conn_entry_get(e, c->name) : NULL;
    if (c && !ce)
        ike_fail(e, E_NOMEM);
    list_del(&sa->of_conn);
    sa->conn = c ? conn_ref(c) : NULL;
    sa->entry = ce;
    if (ce)
        list_add_tail(&ce->sas, &sa->of_conn);
    if (old)
        conn_entry_release(e, old);
    if (old_conn)
        conn_unref(old_conn);
}

/* FQDN and mail addresses ignore case, so the hash must as well. Travellers of one group share its
 * identity; who logged in (XAUTH) tells them apart. */
static uint64_t peers_hash(const struct ike *e, const struct ike_sa *sa)
{
    uint8_t key[3 * ID_MAX + 3];
    const struct id *user = vip_user(sa);
    const struct id_pair *ids = sa->ids;
    size_t n = ids ? (size_t)ids->len[0] + ids->len[1] : 0;
    for (size_t i = 0; i < n; i++)
        key[i] = ids->data[i] >= 'A' && ids->data[i] <= 'Z' ? (uint8_t)(ids->data[i] + 32)
                                                            : ids->data[i];
    put_u16(key + n, ids ? ids->len[0] : 0);
    n += 2;
    return hash_of(&e->by_peer, key, user ? n + id_fold(user, key + n) : n);
}

bool sa_ids_set(struct ike *e, struct ike_sa *sa, const struct id *local, const struct id *remote)
{
    struct id_pair *p = id_pair_new(&e->slab, local, remote);
    if (!p) {
        ike_fail(e, E_NOMEM);
        return false;
    }
    id_pair_free(&e->slab, sa->ids);
    sa->ids = p;
    return true;
}

void sa_peers_add(struct ike *e, struct ike_sa *sa)
{
    if (sa->in_peers)
        return;
    if (hash_add(&e->by_peer, &sa->peer_node, peers_hash(e, sa)))
        ike_fail(e, E_NOMEM);
    else
        sa->in_peers = true;
}

static bool same_user(const struct ike_sa *a, const struct ike_sa *b)
{
    const struct id *x = vip_user(a), *y = vip_user(b);
    return x && y ? id_eq(x, y) : x == y;
}

/* Walks the other established SAs between the same two identities. */
struct ike_sa *sa_peer_next(struct ike *e, const struct ike_sa *sa, struct ike_sa *after)
{
    struct hash_node *n =
        after ? hash_next(&after->peer_node) : hash_first(&e->by_peer, peers_hash(e, sa));
    for (; n; n = hash_next(n)) {
        struct ike_sa *o = container_of(n, struct ike_sa, peer_node);
        if (o != sa && id_pair_eq(o->ids, sa->ids) && same_user(o, sa))
            return o;
    }
    return NULL;
}

static uint64_t in_s(struct ike *e, uint64_t s, uint64_t rand_s)
{
    if (!s)
        return UINT64_MAX;
    uint64_t less = rand_s ? ike_random_u64(e) % (rand_s * 1000) : 0;
    uint64_t ms = s * 1000;
    return e->now + (less < ms ? ms - less : ms);
}

/* swanctl.conf: rekey_time and reauth_time less a random part of rand_time; over_time beyond. */
void sa_times_set(struct ike *e, struct ike_sa *sa)
{
    const struct conn *c = sa->conn;
    sa->rekey_ms = in_s(e, c->rekey_s, c->rand_s);
    sa->reauth_ms = in_s(e, c->reauth_s, c->rand_s);
    uint64_t longest = c->rekey_s > c->reauth_s ? c->rekey_s : c->reauth_s;
    sa->over_ms = longest && c->over_s ? e->now + (longest + c->over_s) * 1000 : UINT64_MAX;
}

static void say_down(struct ike *e, struct ike_sa *sa, err_t reason)
{
    bool up = sa->established_ms != 0;
    if (sa->told)
        return;
    sa->told = true;
    struct event *ev = ike_event(e, up ? EV_IKE_DOWN : EV_IKE_FAILED, sa, NULL);
    ev->reason = reason;
    if (!up && !e->evidence)
        e->evidence = ev;
}

/* All but the memory and the row by SPI. */
static void finish(struct ike *e, struct ike_sa *sa, err_t reason)
{
    if (sa->state == SA_GONE)
        return;
    say_down(e, sa, reason);
    ike_evidence_of(e, sa, reason);
    sa->state = SA_GONE;
    retransmit_stop(sa);
    if (sa->in_peers)
        hash_del(&e->by_peer, &sa->peer_node);
    sa->in_peers = false;
    list_del(&sa->all);
    list_del(&sa->of_conn);
    struct conn_entry *ce = sa->entry;
    sa->entry = NULL;
    if (ce)
        conn_entry_release(e, ce);
    e->stats.ike_sas--;
    while (!list_empty(&sa->children))
        child_remove(e, container_of(sa->children.next, struct child, link), reason);
    vip_fini(e, sa);
    tasks_fail(e, sa, reason);
    waiters_done(e, &sa->up, reason);
    waiters_done(e, &sa->gone, E_OK);
}

void sa_fail(struct ike *e, struct ike_sa *sa, err_t reason)
{
    say_down(e, sa, reason);
    ike_evidence_of(e, sa, reason);
    tasks_fail(e, sa, reason);
    waiters_done(e, &sa->up, reason);
}

void sa_drop(struct ike *e, struct ike_sa *sa, err_t reason)
{
    if (sa->dead)
        return;
    finish(e, sa, reason);
    sa->dead = true;
    sa->ver->fini(e, sa);
    hash_del(&e->by_spi, &sa->spi_node);
    hash_del(&e->by_id, &sa->id_node);
    heap_del(&e->heap, &sa->timer);
    list_add_tail(&e->graveyard, &sa->all);
}

void sa_close(struct ike *e, struct ike_sa *sa, err_t reason)
{
    if (sa->dead)
        return;
    finish(e, sa, reason);
    sa->ver->strip(e, sa);
    sa->die_ms = e->now + e->set.close_delay_ms;
    sa_dirty(e, sa);
}

static void sa_free(struct ike *e, struct ike_sa *sa)
{
    list_del(&sa->all);
    if (sa->conn)
        conn_unref(sa->conn);
    id_pair_free(&e->slab, sa->ids);
    free(sa->why);
    retransmit_stop(sa);
    slab_put(&e->slab, sa, sa->ver->sa_size);
}

void sa_bury(struct ike *e)
{
    while (!list_empty(&e->graveyard))
        sa_free(e, container_of(e->graveyard.next, struct ike_sa, all));
}

void sa_timer_set(struct ike *e, struct ike_sa *sa)
{
    if (sa->dead)
        return;
    uint64_t at = life_deadline(e, sa);
    uint64_t own = sa->ver->deadline(e, sa);
    if (heap_set(&e->heap, &sa->timer, own < at ? own : at))
        ike_fail(e, E_NOMEM);
}
