/*
 * Policies into the table of spd.h and out of it, off the packet path. Called by view.c. All
 * memory is made sure of first, so that a change is done whole or not at all.
 */
#include "dataplane/spd.h"
#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct spd_rule) == 64, "a cache line");

#define RULES_MAX (UINT32_MAX / 4) /* what `sibling` holds */

/* Where a rule is filed. */
struct place {
    struct flow mask, key;
};

/* Ones above the highest bit in which lo and hi differ: the prefix that just covers the range. */
static uint64_t cover(uint64_t lo, uint64_t hi)
{
    uint64_t d = lo ^ hi;
    return d ? ~(~0ull >> __builtin_clzll(d)) : ~0ull;
}

/* One side's mask, and its key under it. */
static void cover_side(const struct sel *s, uint64_t mask[2], uint64_t key[2])
{
    uint64_t lo[2], hi[2];
    sel_range(s, lo, hi);
    mask[0] = cover(lo[0], hi[0]);
    mask[1] = ~mask[0] ? 0 : cover(lo[1], hi[1]);
    key[0] = lo[0] & mask[0];
    key[1] = lo[1] & mask[1];
}

static struct place place_of(const struct spd_rule *r)
{
    struct place p;
    cover_side(&r->l, p.mask.l, p.key.l);
    cover_side(&r->r, p.mask.r, p.key.r);
    uint8_t proto = r->l.proto ? r->l.proto : r->r.proto;
    p.mask.meta = FLOW_FAMILY | FLOW_IFACE | (proto ? FLOW_PROTO : 0);
    if (r->l.port_lo == r->l.port_hi)
        p.mask.meta |= FLOW_LPORT | FLOW_PORTS;
    if (r->r.port_lo == r->r.port_hi)
        p.mask.meta |= FLOW_RPORT | FLOW_PORTS;
    p.key.meta = flow_meta(r->l.family, proto) | flow_meta_ports(r->l.port_lo, r->r.port_lo) |
                 flow_meta_iface(r->iface);
    p.key.meta &= p.mask.meta;
    return p;
}

static bool place_eq(const struct place *a, const struct place *b)
{
    return flow_eq(&a->mask, &b->mask) && flow_eq(&a->key, &b->key);
}

/* --- room --- */

static err_t room_rules(struct spd *s, uint32_t more)
{
    if (s->n_rules + more > RULES_MAX)
        return E_NOTSUP;
    uint32_t want = s->n_rules + more + 1, cap = s->cap;
    while (cap < want)
        cap += cap / 2;
    if (cap == s->cap)
        return E_OK;
    struct spd_rule *r = realloc(s->rules, cap * sizeof *r);
    if (!r)
        return E_NOMEM;
    s->rules = r;
    s->cap = cap;
    return E_OK;
}

static void slot_put(struct spd_slot *slots, size_t mask, struct spd_slot slot)
{
    size_t i = slot.tag & mask;
    while (slots[i].rule)
        i = (i + 1) & mask;
    slots[i] = slot;
}

/* At most three quarters full: a run is then a cache line or two. */
static err_t room_slots(struct spd *s, uint32_t more)
{
    size_t n = s->slot_mask + 1;
    while (n * 3 < ((size_t)s->n_rules + more) * 4)
        n *= 2;
    if (n == s->slot_mask + 1)
        return E_OK;
    struct spd_slot *slots = calloc(n, sizeof *slots);
    if (!slots)
        return E_NOMEM;
    for (size_t i = 0; i <= s->slot_mask; i++)
        if (s->slots[i].rule)
            slot_put(slots, n - 1, s->slots[i]);
    free(s->slots);
    s->slots = slots;
    s->slot_mask = n - 1;
    return E_OK;
}

static err_t room_masks(struct spd_masks *l, size_t more)
{
    size_t cap = l->cap;
    while (cap < l->n + more)
        cap = cap ? cap * 2 : 8;
    if (cap == l->cap)
        return E_OK;
    struct spd_mask *m = realloc(l->m, cap * sizeof *m);
    if (!m)
        return E_NOMEM;
    l->m = m;
    l->cap = cap;
    return E_OK;
}

static err_t room(struct spd *s, const struct policy *p)
{
    uint32_t pairs = (uint32_t)(p->local.count * p->remote.count);
    err_t e = room_rules(s, pairs);
    if (!e)
        e = room_slots(s, pairs);
    if (!e)
        e = room_masks(&s->masks[0], pairs);
    if (!e)
        e = room_masks(&s->masks[1], pairs);
    return e;
}

/* --- masks --- */

static struct spd_masks *masks_for(struct spd *s, const struct spd_rule *r)
{
    return &s->masks[r->l.family == 6];
}

static size_t mask_find(const struct spd_masks *l, const struct flow *mask)
{
    size_t i = 0;
    while (i < l->n && !flow_eq(&l->m[i].mask, mask))
        i++;
    return i;
}

static void mask_add(struct spd_masks *l, const struct flow *mask, uint64_t rank)
{
    size_t i = mask_find(l, mask);
    if (i == l->n)
        l->m[l->n++] = (struct spd_mask){*mask, rank, 0};
    struct spd_mask m = l->m[i];
    m.rules++;
    if (rank < m.best)
        m.best = rank;
    for (; i > 0 && l->m[i - 1].best > m.best; i--)
        l->m[i] = l->m[i - 1];
    l->m[i] = m;
}

static void mask_del(struct spd_masks *l, const struct flow *mask)
{
    size_t i = mask_find(l, mask);
    if (--l->m[i].rules)
        return;
    l->n--;
    memmove(&l->m[i], &l->m[i + 1], (l->n - i) * sizeof l->m[0]);
}

/* --- slots: one for each key --- */

/* The slot of the rules with this place, or the free one at the end of the run. */
static struct spd_slot *slot_of(struct spd *s, uint32_t tag, const struct place *p)
{
    size_t i = tag & s->slot_mask;
    for (; s->slots[i].rule; i = (i + 1) & s->slot_mask) {
        struct place other;
        if (s->slots[i].tag != tag)
            continue;
        other = place_of(&s->rules[s->slots[i].rule]);
        if (place_eq(&other, p))
            break;
    }
    return &s->slots[i];
}

/* What follows in the run moves up where its way from its home leads across the gap. */
static void slot_close(struct spd *s, struct spd_slot *gone)
{
    size_t gap = (size_t)(gone - s->slots), mask = s->slot_mask;
    for (size_t i = (gap + 1) & mask; s->slots[i].rule; i = (i + 1) & mask) {
        size_t home = s->slots[i].tag & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        s->slots[gap] = s->slots[i];
        gap = i;
    }
    s->slots[gap] = (struct spd_slot){0};
}

/* From the end: as a rule what comes last ranks last, so equals cost nothing. */
static void chain_add(struct spd *s, struct spd_slot *slot, uint32_t n)
{
    struct spd_rule *rule = s->rules, *r = &rule[n];
    uint32_t first = slot->rule, after = first ? rule[first].prev : 0;
    while (after && spd_before(r, &rule[after]))
        after = after == first ? 0 : rule[after].prev;
    r->next = after ? rule[after].next : first;
    r->prev = after ? after : first ? rule[first].prev : n;
    if (after)
        rule[after].next = n;
    else
        slot->rule = n;
    if (r->next)
        rule[r->next].prev = n;
    else
        rule[slot->rule].prev = n;
}

static void chain_del(struct spd *s, struct spd_slot *slot, uint32_t n)
{
    struct spd_rule *rule = s->rules, *r = &rule[n];
    if (slot->rule != n)
        rule[r->prev].next = r->next;
    else
        slot->rule = r->next;
    if (r->next)
        rule[r->next].prev = r->prev;
    else if (slot->rule)
        rule[slot->rule].prev = r->prev;
    if (!slot->rule)
        slot_close(s, slot);
}

/* --- rules --- */

static uint32_t rule_take(struct spd *s)
{
    uint32_t n = s->unused;
    if (n)
        s->unused = s->rules[n].sibling;
    else
        n = s->top++;
    s->n_rules++;
    return n;
}

static uint32_t tag_of(const struct spd *s, const struct place *p)
{
    return (uint32_t)(flow_hash(&s->key, &p->key) >> 32);
}

static void file(struct spd *s, uint32_t n)
{
    struct place p = place_of(&s->rules[n]);
    uint32_t tag = tag_of(s, &p);
    struct spd_slot *slot = slot_of(s, tag, &p);
    mask_add(masks_for(s, &s->rules[n]), &p.mask, spd_rank(&s->rules[n]));
    slot->tag = tag;
    chain_add(s, slot, n);
}

static void unfile(struct spd *s, uint32_t n)
{
    struct place p = place_of(&s->rules[n]);
    mask_del(masks_for(s, &s->rules[n]), &p.mask);
    chain_del(s, slot_of(s, tag_of(s, &p), &p), n);
}

static bool both_possible(const struct ts *l, const struct ts *r)
{
    return l->lo.family == r->lo.family && (!l->proto || !r->proto || l->proto == r->proto);
}

/* Ahead of those from `first` on, which it replaces as first. */
static err_t add_pair(struct spd *s, const struct policy *p, struct bind *bind, const struct ts *l,
                      const struct ts *r, uint32_t *first)
{
    uint64_t *wide = l->lo.family == 6 ? pool_get(&s->wide) : NULL;
    if (l->lo.family == 6 && !wide)
        return E_NOMEM;
    uint32_t n = rule_take(s);
    struct spd_rule *rule = &s->rules[n];
    uint64_t rank = policy_rank(p->priority, p->action, l, r);
    *rule = (struct spd_rule){.bind = bind,
                              .rank_high = (uint32_t)(rank >> 16),
                              .rank_low = (uint16_t)rank,
                              .policy = p->id,
                              .sibling = *first & RULES_MAX,
                              .action = p->action & 3,
                              .iface = p->iface};
    wide = sel_of_ts(&rule->l, l, wide);
    (void)sel_of_ts(&rule->r, r, wide);
    file(s, n);
    *first = n;
    return E_OK;
}

static void rule_give(struct spd *s, uint32_t n)
{
    struct spd_rule *r = &s->rules[n];
    unfile(s, n);
    if (r->l.family == 6)
        pool_put(&s->wide, (void *)(uintptr_t)r->l.v6);
    r->sibling = s->unused & RULES_MAX;
    s->unused = n;
    s->n_rules--;
}

err_t spd_add(struct spd *s, const struct policy *p, struct bind *bind, uint32_t *first)
{
    *first = 0;
    err_t e = room(s, p);
    for (size_t l = 0; l < p->local.count && !e; l++)
        for (size_t r = 0; r < p->remote.count && !e; r++)
            if (both_possible(&p->local.ts[l], &p->remote.ts[r])) /* else no packet has both */
                e = add_pair(s, p, bind, &p->local.ts[l], &p->remote.ts[r], first);
    if (e) {
        spd_del(s, *first);
        *first = 0;
    }
    return e;
}

void spd_del(struct spd *s, uint32_t first)
{
    for (uint32_t n = first, next; n; n = next) {
        next = s->rules[n].sibling;
        rule_give(s, n);
    }
}

err_t spd_new(const uint64_t seed[2], struct spd **out)
{
    struct spd *s = calloc(1, sizeof *s);
    if (!s)
        return E_NOMEM;
    *s = (struct spd){.slot_mask = 15, .cap = 8, .top = 1};
    pool_init(&s->wide, &s->home, 2 * SEL_V6_WORDS * sizeof(uint64_t));
    flow_key_init(&s->key, seed);
    s->slots = calloc(s->slot_mask + 1, sizeof *s->slots);
    s->rules = calloc(s->cap, sizeof *s->rules); /* rules[0] is read ahead where a slot is free */
    if (!s->slots || !s->rules) {
        spd_free(s);
        return E_NOMEM;
    }
    *out = s;
    return E_OK;
}

void spd_free(struct spd *s)
{
    if (!s)
        return;
    pool_home_fini(&s->home);
    free(s->masks[0].m);
    free(s->masks[1].m);
    free(s->slots);
    free(s->rules);
    free(s);
}
