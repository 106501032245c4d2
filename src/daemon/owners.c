/* Who has what: see owners.h. Every prefix behind peers is kept once, with the SAs that count on
 * it.
 */
#include "daemon/owners.h"
#include "base/list.h"
#include <stdlib.h>

enum { PREFIXES_MAX = 64 }; /* of one SA: odd ranges cut into more are handed over */

struct prefix {
    struct hash_node node;
    struct addr addr;
    uint8_t bits;
    uint32_t worker, sas;
};

struct policy_owner {
    struct hash_node node;
    uint32_t id, worker, sas;
};

struct owned {
    struct hash_node node;
    uint32_t id, worker;
    struct policy_owner *policy;
    uint32_t n;
    struct prefix *prefix[];
};

struct owners {
    uint32_t workers, turn;
    struct owners_sink sink;
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
    struct prefix *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->addr = *a;
    p->bits = (uint8_t)bits;
    if (hash_add(&o->prefixes, &p->node, prefix_hash(o, a, bits))) {
        free(p);
        return NULL;
    }
    return p;
}

static struct prefix *prefix_ref(struct owners *o, const struct addr *a, unsigned bits,
                                 uint32_t worker)
{
    struct prefix *p = prefix_of(o, a, bits);
    if (!p && !(p = prefix_new(o, a, bits)))
        return NULL;
    if (p->worker != worker || !p->sas) {
        o->ambiguous = o->ambiguous || p->sas;
        o->sink.route(o->sink.ctx, a, bits, worker, false);
        p->worker = worker;
    }
    p->sas++;
    return p;
}

static void prefix_unref(struct owners *o, struct prefix *p)
{
    if (--p->sas)
        return;
    o->sink.route(o->sink.ctx, &p->addr, p->bits, 0, true);
    hash_del(&o->prefixes, &p->node);
    free(p);
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

static struct policy_owner *policy_ref(struct owners *o, uint32_t id, uint32_t worker, bool *moved)
{
    struct policy_owner *p = policy_of(o, id);
    *moved = owners_policy(o, id) != worker;
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            return NULL;
        p->id = id;
        if (hash_add(&o->policies, &p->node, hash_of(&o->policies, &id, sizeof id))) {
            free(p);
            return NULL;
        }
    }
    p->worker = worker;
    p->sas++;
    return p;
}

static void policy_unref(struct owners *o, struct policy_owner *p)
{
    if (--p->sas)
        return;
    hash_del(&o->policies, &p->node);
    free(p);
}

err_t owners_add(struct owners *o, const struct child_sa *sa, uint32_t worker, bool *moved)
{
    struct addr addr[PREFIXES_MAX];
    unsigned bits[PREFIXES_MAX];
    uint32_t n = cut(&sa->remote_ts, addr, bits), id = sa->id;
    struct owned *c = calloc(1, sizeof *c + n * sizeof c->prefix[0]);
    if (!c)
        return E_NOMEM;
    c->id = id;
    c->worker = worker;
    c->policy = policy_ref(o, sa->policy, worker, moved);
    if (!c->policy || hash_add(&o->children, &c->node, hash_of(&o->children, &id, sizeof id))) {
        if (c->policy)
            policy_unref(o, c->policy);
        free(c);
        return E_NOMEM;
    }
    for (uint32_t i = 0; i < n; i++) {
        c->prefix[c->n] = prefix_ref(o, &addr[i], bits[i], worker);
        c->n += c->prefix[c->n] != NULL; /* without memory its packets are handed over */
    }
    o->sas[worker]++;
    return E_OK;
}

static void owned_free(struct owners *o, struct owned *c)
{
    hash_del(&o->children, &c->node);
    for (uint32_t i = 0; i < c->n; i++)
        prefix_unref(o, c->prefix[i]);
    policy_unref(o, c->policy);
    o->sas[c->worker]--;
    free(c);
}

void owners_del(struct owners *o, uint32_t child_id)
{
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

uint32_t owners_policy(const struct owners *o, uint32_t policy_id)
{
    const struct policy_owner *p = policy_of(o, policy_id);
    return p ? p->worker : 0;
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

uint32_t owners_place(struct owners *o, uint32_t policy_id, uint32_t replaces,
                      const struct ts_list *remote, bool ours)
{
    uint32_t worker;
    if (replaces && owners_child(o, replaces, &worker))
        return worker;
    const struct policy_owner *policy = policy_of(o, policy_id);
    if (policy)
        return policy->worker;
    const struct prefix *p = peer_of(o, remote);
    return p ? p->worker : emptiest(o, ours);
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
    free(o);
}
