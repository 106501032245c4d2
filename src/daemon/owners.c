/* Who has what: see owners.h. Every prefix behind peers is kept once, with the SAs that count on
 * it.
 */
#include "daemon/owners.h"
#include "base/list.h"
#include "base/slab.h"
#include <stdlib.h>

enum { PREFIXES_MAX = 64 }; /* of one SA: odd ranges cut into more are handed over */

struct prefix {
    struct hash_node node;
    struct list refs; /* the newest SA last */
    uint8_t worker;   /* what the sink was told last */
    uint8_t bits;
    struct addr addr;
};

struct policy_owner {
    struct hash_node node;
    uint32_t id;
    struct list sas; /* the newest last, before them workers' own ones */
};

/* An SA counts on a prefix. */
struct ref {
    struct list link;
    struct prefix *prefix;
    uint8_t worker;
};

struct owned {
    struct hash_node node;
    struct list link; /* of its policy */
    struct policy_owner *policy;
    uint32_t id;
    uint8_t worker;
    bool spread;
    uint8_t room, n; /* places in `ref`, taken ones */
    struct ref ref[];
};

struct owners {
    uint32_t workers, turn;
    struct owners_sink sink;
    struct slab slab;
    struct hash children, policies, prefixes;
    uint32_t sas[DP_WORKERS_MAX];
    bool ambiguous;
};

static struct owned *child_of(const struct owners *o, uint32_t id)
{
    uint64_t h = hash_of(&o->children, &id, sizeof id);
    for (struct hash_node *n = hash_first(&o->children, h); n; n = hash_next(n)) {
        struct owned *c = container_of(n, struct owned, node);
        if (c->id == id)
            return c;
    }
    return NULL;
}

static struct policy_owner *policy_of(const struct owners *o, uint32_t id)
{
    uint64_t h = hash_of(&o->policies, &id, sizeof id);
    for (struct hash_node *n = hash_first(&o->policies, h); n; n = hash_next(n)) {
        struct policy_owner *p = container_of(n, struct policy_owner, node);
        if (p->id == id)
            return p;
    }
    return NULL;
}

static uint64_t prefix_hash(const struct owners *o, const struct addr *a, unsigned bits)
{
    uint8_t key[1 + sizeof *a] = {(uint8_t)bits};
    memcpy(key + 1, a, sizeof *a);
    return hash_of(&o->prefixes, key, sizeof key);
}

static struct prefix *prefix_of(const struct owners *o, const struct addr *a, unsigned bits)
{
    uint64_t h = prefix_hash(o, a, bits);
    for (struct hash_node *n = hash_first(&o->prefixes, h); n; n = hash_next(n)) {
        struct prefix *p = container_of(n, struct prefix, node);
        if (p->bits == bits && addr_eq(&p->addr, a))
            return p;
    }
    return NULL;
}

/* --- prefixes --- */

static struct prefix *prefix_new(struct owners *o, const struct addr *a, unsigned bits)
{
    struct prefix *p = slab_get(&o->slab, sizeof *p);
    if (!p)
        return NULL;
    p->addr = *a;
    p->bits = (uint8_t)bits;
    list_init(&p->refs);
    if (hash_add(&o->prefixes, &p->node, prefix_hash(o, a, bits))) {
        slab_put(&o->slab, p, sizeof *p);
        return NULL;
    }
    return p;
}

static void route_to(struct owners *o, struct prefix *p, uint32_t worker)
{
    p->worker = (uint8_t)worker;
    o->sink.route(o->sink.ctx, &p->addr, p->bits, worker, false);
}

static bool prefix_ref(struct owners *o, struct ref *r, const struct addr *a, unsigned bits)
{
    struct prefix *p = prefix_of(o, a, bits);
    if (!p && !(p = prefix_new(o, a, bits)))
        return false;
    bool first = list_empty(&p->refs);
    o->ambiguous = o->ambiguous || (!first && p->worker != r->worker);
    if (first || p->worker != r->worker)
        route_to(o, p, r->worker);
    r->prefix = p;
    list_add_tail(&p->refs, &r->link);
    return true;
}

static void prefix_unref(struct owners *o, struct ref *r)
{
    struct prefix *p = r->prefix;
    list_del(&r->link);
    if (!list_empty(&p->refs)) {
        uint32_t newest = container_of(p->refs.prev, struct ref, link)->worker;
        if (newest != p->worker)
            route_to(o, p, newest);
        return;
    }
    o->sink.route(o->sink.ctx, &p->addr, p->bits, 0, true);
    hash_del(&o->prefixes, &p->node);
    slab_put(&o->slab, p, sizeof *p);
}

/* The first PREFIXES_MAX prefixes of all ranges. */
static uint32_t cut(const struct ts_list *remote, struct addr *addr, unsigned *bits)
{
    uint32_t n = 0;
    for (size_t i = 0; i < remote->count; i++) {
        struct addr at = remote->ts[i].lo;
        bool more = true;
        while (more && n < PREFIXES_MAX) {
            more = addr_range_cut(&at, &remote->ts[i].hi, &addr[n], &bits[n]);
            n++;
        }
    }
    return n;
}

/* --- SAs --- */

static struct policy_owner *policy_get(struct owners *o, uint32_t id)
{
    struct policy_owner *p = policy_of(o, id);
    if (p)
        return p;
    p = slab_get(&o->slab, sizeof *p);
    if (!p)
        return NULL;
    p->id = id;
    list_init(&p->sas);
    if (hash_add(&o->policies, &p->node, hash_of(&o->policies, &id, sizeof id))) {
        slab_put(&o->slab, p, sizeof *p);
        return NULL;
    }
    return p;
}

static void policy_put(struct owners *o, struct policy_owner *p)
{
    if (!list_empty(&p->sas))
        return;
    hash_del(&o->policies, &p->node);
    slab_put(&o->slab, p, sizeof *p);
}

static size_t owned_size(uint32_t prefixes)
{
    return sizeof(struct owned) + prefixes * sizeof(struct ref);
}

static struct owned *owned_new(struct owners *o, const struct child_sa *sa, uint32_t worker,
                               uint32_t prefixes)
{
    struct owned *c = slab_get(&o->slab, owned_size(prefixes));
    struct policy_owner *p = c ? policy_get(o, sa->policy) : NULL;
    uint32_t id = sa->id;
    if (!p || hash_add(&o->children, &c->node, hash_of(&o->children, &id, sizeof id))) {
        if (p)
            policy_put(o, p);
        slab_put(&o->slab, c, owned_size(prefixes));
        return NULL;
    }
    c->id = id;
    c->room = (uint8_t)prefixes;
    c->worker = (uint8_t)worker;
    c->policy = p;
    c->spread = sa->per_cpu;
    list_add_tail(sa->cpu ? p->sas.next : &p->sas, &c->link);
    o->sas[worker]++;
    return c;
}

static struct dp_owner newest_of(const struct list *link)
{
    const struct owned *c = container_of(link, struct owned, link);
    return (struct dp_owner){c->worker, c->spread};
}

static bool differ(const struct owners_move *m)
{
    return m->from.worker != m->to.worker || m->from.spread != m->to.spread;
}

struct dp_owner owners_policy(const struct owners *o, uint32_t policy_id)
{
    const struct policy_owner *p = policy_of(o, policy_id);
    return p && !list_empty(&p->sas) ? newest_of(p->sas.prev) : (struct dp_owner){0};
}

err_t owners_add(struct owners *o, const struct child_sa *sa, uint32_t worker,
                 struct owners_move *m)
{
    struct addr addr[PREFIXES_MAX];
    unsigned bits[PREFIXES_MAX];
    uint32_t n = sa->iface ? 0 : cut(&sa->remote_ts, addr, bits); /* steered by their interface */
    *m = (struct owners_move){sa->policy, owners_policy(o, sa->policy), {0}, false};
    struct owned *c = owned_new(o, sa, worker, n);
    if (!c)
        return E_NOMEM;
    for (uint32_t i = 0; i < n; i++) { /* without memory its packets are handed over */
        c->ref[c->n].worker = sa->per_cpu ? OWNERS_ALL : (uint8_t)worker;
        c->n = (uint8_t)(c->n + prefix_ref(o, &c->ref[c->n], &addr[i], bits[i]));
    }
    m->to = owners_policy(o, sa->policy);
    m->changed = differ(m);
    return E_OK;
}

static void owned_free(struct owners *o, struct owned *c)
{
    hash_del(&o->children, &c->node);
    for (uint32_t i = 0; i < c->n; i++)
        prefix_unref(o, &c->ref[i]);
    list_del(&c->link);
    policy_put(o, c->policy);
    o->sas[c->worker]--;
    slab_put(&o->slab, c, owned_size(c->room));
}

bool owners_leaving(const struct owners *o, uint32_t child_id, struct owners_move *m)
{
    const struct owned *c = child_of(o, child_id);
    *m = (struct owners_move){0};
    if (!c)
        return false;
    const struct list *sas = &c->policy->sas, *next = sas->prev;
    if (next == &c->link)
        next = next->prev;
    m->policy = c->policy->id;
    m->from = newest_of(c->policy->sas.prev);
    if (next != sas)
        m->to = newest_of(next);
    m->changed = differ(m);
    return next != sas;
}

void owners_del(struct owners *o, uint32_t child_id, struct owners_move *m)
{
    (void)owners_leaving(o, child_id, m);
    struct owned *c = child_of(o, child_id);
    if (c)
        owned_free(o, c);
}

bool owners_child(const struct owners *o, uint32_t child_id, uint32_t *worker)
{
    const struct owned *c = child_of(o, child_id);
    if (c)
        *worker = c->worker;
    return c != NULL;
}

bool owners_has_sas(const struct owners *o, uint32_t policy_id)
{
    return policy_of(o, policy_id) != NULL;
}

static const struct prefix *peer_of(const struct owners *o, const struct ts_list *remote)
{
    for (size_t i = 0; remote && i < remote->count; i++) {
        struct addr at = remote->ts[i].lo, a;
        unsigned bits;
        (void)!addr_range_cut(&at, &remote->ts[i].hi, &a, &bits);
        const struct prefix *p = prefix_of(o, &a, bits);
        if (p)
            return p;
    }
    return NULL;
}

/* From another one each time, for what is only being negotiated is not counted; and from another
 * one than the peer, which may be on the same machine: both ends of an SA on one CPU are slow. */
static uint32_t emptiest(struct owners *o, bool ours)
{
    uint32_t first = (o->turn++ + ours) % o->workers, best = first;
    for (uint32_t i = 1; i < o->workers; i++) {
        uint32_t at = (first + i) % o->workers;
        if (o->sas[at] < o->sas[best])
            best = at;
    }
    return best;
}

uint32_t owners_place(struct owners *o, const struct owners_use *u)
{
    uint32_t worker;
    if (u->beside)
        return dp_spi_worker(u->beside, o->workers);
    if (u->iface)
        return dp_iface_worker(u->iface, o->workers);
    if (u->cpu)
        return (u->cpu - 1u) % o->workers;
    if (u->replaces && owners_child(o, u->replaces, &worker))
        return worker;
    if (owners_has_sas(o, u->policy))
        return owners_policy(o, u->policy).worker;
    const struct prefix *p = peer_of(o, u->remote);
    return p && p->worker != OWNERS_ALL ? p->worker : emptiest(o, u->ours);
}

bool owners_ambiguous(const struct owners *o)
{
    return o->ambiguous;
}

struct owners *owners_new(uint32_t workers, const uint64_t key[2], const struct owners_sink *sink)
{
    struct owners *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->workers = workers;
    o->sink = *sink;
    if (hash_init(&o->children, key) || hash_init(&o->policies, key) ||
        hash_init(&o->prefixes, key)) {
        owners_free(o);
        return NULL;
    }
    return o;
}

void owners_free(struct owners *o)
{
    size_t i;
    struct hash_node *n;
    if (!o)
        return;
    while (o->children.slot && o->children.count && (n = hash_begin(&o->children, &i)))
        owned_free(o, container_of(n, struct owned, node));
    hash_fini(&o->children);
    hash_fini(&o->policies);
    hash_fini(&o->prefixes);
    slab_fini(&o->slab);
    free(o);
}
