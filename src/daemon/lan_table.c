/*
 * What LAN interfaces take: see lan_table.h. The kernel's half finds a packet's destination by its
 * longest prefix and holds its source against the few prefixes noted there; a destination with more
 * of them is left to the kernel, and so is what lies within both sides of a pair (guard_boxes.h).
 */
#include "daemon/lan_table.h"
#include "base/list.h"
#include <stdlib.h>

struct source {
    struct addr prefix;
    uint32_t refs;
    uint8_t bits;
};

struct lan_dest {
    struct hash_node node;
    struct lan_dest *next; /* in `changed` */
    struct addr prefix;
    uint8_t bits;
    bool changed, told;
    uint32_t holes;
    size_t n, cap;
    struct source *from;
};

/* --- destinations --- */

static struct lan_dest *dest_of(struct hash_node *n)
{
    return container_of(n, struct lan_dest, node);
}

static uint64_t dest_hash(const struct lan_table *t, const struct addr *a, unsigned bits)
{
    uint8_t k[sizeof a->ip + 2];
    memcpy(k, a->ip, sizeof a->ip);
    k[sizeof a->ip] = (uint8_t)bits;
    k[sizeof a->ip + 1] = a->family;
    return hash_of(&t->dests, k, sizeof k);
}

static struct lan_dest *dest_find(const struct lan_table *t, const struct addr *a, unsigned bits)
{
    for (struct hash_node *n = hash_first(&t->dests, dest_hash(t, a, bits)); n; n = hash_next(n))
        if (dest_of(n)->bits == bits && addr_eq(&dest_of(n)->prefix, a))
            return dest_of(n);
    return NULL;
}

static struct lan_dest *dest_get(struct lan_table *t, const struct addr *a, unsigned bits)
{
    struct lan_dest *d = dest_find(t, a, bits);
    if (d || !(d = calloc(1, sizeof *d)))
        return d;
    d->prefix = *a;
    d->bits = (uint8_t)bits;
    if (!hash_add(&t->dests, &d->node, dest_hash(t, a, bits)))
        return d;
    free(d);
    return NULL;
}

static void touch(struct lan_table *t, struct lan_dest *d)
{
    if (d->changed)
        return;
    d->changed = true;
    d->next = t->changed;
    t->changed = d;
}

/* --- sources --- */

static size_t source_find(const struct lan_dest *d, const struct addr *a, unsigned bits)
{
    size_t i = 0;
    while (i < d->n && !(d->from[i].bits == bits && addr_eq(&d->from[i].prefix, a)))
        i++;
    return i;
}

static err_t source_add(struct lan_dest *d, const struct addr *a, unsigned bits)
{
    size_t i = source_find(d, a, bits);
    if (i == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 1;
        struct source *grown = realloc(d->from, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        d->from = grown;
        d->cap = cap;
    }
    if (i == d->n)
        d->from[d->n++] = (struct source){.prefix = *a, .bits = (uint8_t)bits};
    d->from[i].refs++;
    return E_OK;
}

static void source_del(struct lan_dest *d, const struct addr *a, unsigned bits)
{
    size_t i = source_find(d, a, bits);
    if (i < d->n && --d->from[i].refs == 0)
        d->from[i] = d->from[--d->n];
}

/* --- pairs --- */

struct pair {
    struct addr local, remote;
    unsigned local_bits, remote_bits;
    bool add;
};

static err_t change(struct lan_table *t, const struct pair *p)
{
    struct lan_dest *d =
        p->add ? dest_get(t, &p->remote, p->remote_bits) : dest_find(t, &p->remote, p->remote_bits);
    if (!d)
        return p->add ? E_NOMEM : E_OK;
    touch(t, d);
    if (p->add)
        return source_add(d, &p->local, p->local_bits);
    source_del(d, &p->local, p->local_bits);
    return E_OK;
}

/* Our own side within the remote one. */
static err_t change_hole(struct lan_table *t, const struct pair *p)
{
    struct lan_dest *d =
        p->add ? dest_get(t, &p->local, p->local_bits) : dest_find(t, &p->local, p->local_bits);
    if (!d)
        return p->add ? E_NOMEM : E_OK;
    touch(t, d);
    if (p->add)
        d->holes++;
    else if (d->holes)
        d->holes--;
    return E_OK;
}

static bool within(const struct addr *a, unsigned bits, const struct addr *outer,
                   unsigned outer_bits)
{
    struct addr lo, hi;
    addr_prefix_range(outer, outer_bits, &lo, &hi);
    return bits >= outer_bits && addr_cmp(&lo, a) <= 0 && addr_cmp(a, &hi) <= 0;
}

static err_t change_both(struct lan_table *t, struct pair *p)
{
    err_t e = change(t, p);
    if (!e && within(&p->local, p->local_bits, &p->remote, p->remote_bits))
        e = change_hole(t, p);
    if (!e && within(&p->remote, p->remote_bits, &p->local, p->local_bits)) {
        struct pair turned = {p->remote, p->local, p->remote_bits, p->local_bits, p->add};
        e = change_hole(t, &turned);
    }
    return e;
}

static err_t each_pair(struct lan_table *t, const struct ts *local, const struct ts *remote,
                       bool add)
{
    struct pair p = {.add = add};
    struct addr l = local->lo;
    err_t e = E_OK;
    for (bool more_l = true; more_l && !e;) {
        struct addr r = remote->lo;
        more_l = addr_range_cut(&l, &local->hi, &p.local, &p.local_bits);
        for (bool more_r = true; more_r && !e;) {
            more_r = addr_range_cut(&r, &remote->hi, &p.remote, &p.remote_bits);
            e = change_both(t, &p);
        }
    }
    return e;
}

err_t lan_table_add(struct lan_table *t, const struct ts *local, const struct ts *remote)
{
    return each_pair(t, local, remote, true);
}

void lan_table_del(struct lan_table *t, const struct ts *local, const struct ts *remote)
{
    err_t e = each_pair(t, local, remote, false);
    (void)e; /* taking away does not fail */
}

/* --- telling --- */

static struct lan_sources sources_of(const struct lan_dest *d)
{
    struct lan_sources s = {0};
    if (d->holes || d->n > LAN_SOURCES)
        return s;
    for (; s.n < d->n; s.n++) {
        s.prefix[s.n] = d->from[s.n].prefix;
        s.bits[s.n] = d->from[s.n].bits;
    }
    return s;
}

static err_t tell(struct lan_table *t, struct lan_dest *d)
{
    const struct lan_sources s = sources_of(d);
    if (d->n || d->holes) {
        err_t e = t->to.take(t->to.ctx, &d->prefix, d->bits, &s);
        d->told = !e;
        return e;
    }
    if (d->told)
        t->to.leave(t->to.ctx, &d->prefix, d->bits);
    d->told = false;
    return E_OK;
}

static void dest_free(struct lan_dest *d)
{
    free(d->from);
    free(d);
}

err_t lan_table_settle(struct lan_table *t)
{
    err_t e = E_OK;
    while (t->changed && !e) {
        struct lan_dest *d = t->changed;
        e = tell(t, d);
        if (e)
            break;
        t->changed = d->next;
        d->changed = false;
        if (d->n || d->holes)
            continue;
        hash_del(&t->dests, &d->node);
        dest_free(d);
    }
    return e;
}

/* --- life --- */

err_t lan_table_init(struct lan_table *t, const uint64_t key[2], const struct lan_follower *to)
{
    *t = (struct lan_table){.to = *to};
    return hash_init(&t->dests, key);
}

static void free_all(struct lan_table *t)
{
    size_t i;
    struct hash_node *next;
    for (struct hash_node *n = t->dests.slot ? hash_begin(&t->dests, &i) : NULL; n; n = next) {
        next = hash_step(&t->dests, &i, n);
        hash_del(&t->dests, n);
        dest_free(dest_of(n));
    }
    t->changed = NULL;
}

void lan_table_clear(struct lan_table *t)
{
    free_all(t);
    if (t->to.ctx)
        t->to.clear(t->to.ctx);
}

void lan_table_fini(struct lan_table *t)
{
    free_all(t);
    hash_fini(&t->dests);
}
