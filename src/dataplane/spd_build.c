/*
 * Makes the table of spd.h from a list of policies, off the packet path. Called by view.c. Nothing
 * is shared with the caller's list afterwards.
 */
#include "dataplane/spd.h"
#include <stdlib.h>

/* A rule on its way: what it is sorted by. */
struct draft {
    struct spd_rule rule;
    uint32_t priority, narrow, order;
};

struct builder {
    struct spd *s;
    struct draft *drafts;
    struct spd_mask *masks; /* both families, in order of first use, which is the order of `best` */
    size_t n_masks, cap_masks;
};

static size_t pairs(const struct policy *p)
{
    return p->local.count * p->remote.count;
}

static size_t text_size(const struct policy *p, size_t n)
{
    size_t sum = 1;
    for (size_t i = 0; i < n; i++)
        sum += (p[i].conn ? strlen(p[i].conn) + 1 : 0) + (p[i].child ? strlen(p[i].child) + 1 : 0);
    return sum;
}

static const char *text_put(char **at, const char *s)
{
    if (!s)
        return NULL;
    size_t n = strlen(s) + 1;
    char *out = memcpy(*at, s, n);
    *at += n;
    return out;
}

static size_t slots_for(size_t rules)
{
    size_t n = 16;
    while (n < rules * 2)
        n *= 2;
    return n;
}

static err_t room(struct builder *b, const struct policy *p, size_t n)
{
    struct spd *s = b->s;
    size_t ts = 1;
    for (size_t i = 0; i < n; i++) {
        ts += p[i].local.count + p[i].remote.count;
        s->n_rules += pairs(&p[i]);
    }
    if (s->n_rules >= UINT32_MAX / 4)
        return E_NOTSUP;
    s->slot_mask = slots_for(s->n_rules) - 1;
    s->policies = calloc(n + 1, sizeof *s->policies);
    s->ts = calloc(ts, sizeof *s->ts);
    s->text = malloc(text_size(p, n));
    s->rules = calloc(s->n_rules + 1, sizeof *s->rules);
    s->slots = calloc(s->slot_mask + 1, sizeof *s->slots);
    b->drafts = calloc(s->n_rules + 1, sizeof *b->drafts);
    return s->policies && s->ts && s->text && s->rules && s->slots && b->drafts ? E_OK : E_NOMEM;
}

static void copy_policies(struct builder *b, const struct policy *p, size_t n)
{
    struct spd *s = b->s;
    char *text = s->text;
    uint32_t ts = 0;
    for (size_t i = 0; i < n; i++) {
        struct spd_policy *o = &s->policies[i];
        *o = (struct spd_policy){.id = p[i].id,
                                 .priority = p[i].priority,
                                 .action = p[i].action,
                                 .nl = (uint16_t)p[i].local.count,
                                 .nr = (uint16_t)p[i].remote.count,
                                 .ts = ts,
                                 .conn = text_put(&text, p[i].conn),
                                 .child = text_put(&text, p[i].child)};
        memcpy(s->ts + ts, p[i].local.ts, o->nl * sizeof *s->ts);
        memcpy(s->ts + ts + o->nl, p[i].remote.ts, o->nr * sizeof *s->ts);
        ts += (uint32_t)o->nl + o->nr;
    }
    s->n_policies = n;
}

static void draft_pair(struct builder *b, uint32_t policy, const struct ts *l, const struct ts *r)
{
    const struct spd_policy *p = &b->s->policies[policy];
    if (l->lo.family != r->lo.family || (l->proto && r->proto && l->proto != r->proto))
        return; /* no packet has both */
    struct draft *d = &b->drafts[b->s->n_rules];
    d->rule.policy = policy;
    d->rule.action = p->action;
    d->rule.bind = p->bind;
    sel_of_ts(&d->rule.l, l);
    sel_of_ts(&d->rule.r, r);
    d->priority = p->priority;
    d->narrow = sel_narrow(&d->rule.l) + sel_narrow(&d->rule.r);
    d->order = (uint32_t)b->s->n_rules++;
}

static void draft_all(struct builder *b)
{
    struct spd *s = b->s;
    s->n_rules = 0;
    for (uint32_t i = 0; i < s->n_policies; i++) {
        const struct spd_policy *p = &s->policies[i];
        const struct ts *ts = s->ts + p->ts;
        for (size_t l = 0; l < p->nl; l++)
            for (size_t r = 0; r < p->nr; r++)
                draft_pair(b, i, &ts[l], &ts[p->nl + r]);
    }
}

static int by_rank(const void *pa, const void *pb)
{
    const struct draft *a = pa, *b = pb;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    if (a->narrow != b->narrow)
        return a->narrow > b->narrow ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Ones above the highest bit in which lo and hi differ: the prefix that just covers the range. */
static uint64_t cover(uint64_t lo, uint64_t hi)
{
    uint64_t d = lo ^ hi;
    return d ? ~(~0ull >> __builtin_clzll(d)) : ~0ull;
}

static void cover_side(const struct sel *s, uint64_t out[2])
{
    out[0] = cover(s->lo[0], s->hi[0]);
    out[1] = ~out[0] ? 0 : cover(s->lo[1], s->hi[1]);
}

static void mask_of(const struct spd_rule *r, struct flow *mask, struct flow *key)
{
    cover_side(&r->l, mask->l);
    cover_side(&r->r, mask->r);
    uint8_t proto = r->l.proto ? r->l.proto : r->r.proto;
    mask->meta = FLOW_FAMILY | (proto ? FLOW_PROTO : 0);
    if (r->l.port_lo == r->l.port_hi)
        mask->meta |= FLOW_LPORT | FLOW_PORTS;
    if (r->r.port_lo == r->r.port_hi)
        mask->meta |= FLOW_RPORT | FLOW_PORTS;
    for (int i = 0; i < 2; i++) {
        key->l[i] = r->l.lo[i] & mask->l[i];
        key->r[i] = r->r.lo[i] & mask->r[i];
    }
    key->meta = flow_meta(r->l.family, proto) | flow_meta_ports(r->l.port_lo, r->r.port_lo);
    key->meta &= mask->meta;
}

/* Masks of the two families never mix: the family is in the key of each. */
static err_t mask_note(struct builder *b, const struct flow *mask, uint8_t family, uint32_t rule)
{
    struct flow want = *mask;
    want.meta = (want.meta & ~FLOW_FAMILY) | family;
    for (size_t i = 0; i < b->n_masks; i++)
        if (flow_eq(&b->masks[i].mask, &want))
            return E_OK;
    if (b->n_masks == b->cap_masks) {
        size_t cap = b->cap_masks ? b->cap_masks * 2 : 16;
        struct spd_mask *m = realloc(b->masks, cap * sizeof *m);
        if (!m)
            return E_NOMEM;
        b->masks = m;
        b->cap_masks = cap;
    }
    b->masks[b->n_masks++] = (struct spd_mask){want, rule};
    return E_OK;
}

static void slot_put(struct spd *s, const struct flow *key, uint32_t rule)
{
    uint64_t h = flow_hash(&s->key, key);
    size_t i = h & s->slot_mask;
    while (s->slots[i].rule)
        i = (i + 1) & s->slot_mask;
    s->slots[i] = (struct spd_slot){(uint32_t)(h >> 32), rule + 1};
}

static err_t file_rules(struct builder *b)
{
    struct spd *s = b->s;
    for (uint32_t i = 0; i < s->n_rules; i++) {
        struct flow mask, key;
        s->rules[i] = b->drafts[i].rule;
        mask_of(&s->rules[i], &mask, &key);
        err_t e = mask_note(b, &mask, s->rules[i].l.family, i);
        if (e)
            return e;
        slot_put(s, &key, i);
    }
    return E_OK;
}

static err_t split_masks(struct builder *b)
{
    struct spd *s = b->s;
    for (unsigned fam = 0; fam < 2; fam++) {
        s->masks[fam] = calloc(b->n_masks + 1, sizeof *s->masks[fam]);
        if (!s->masks[fam])
            return E_NOMEM;
        for (size_t i = 0; i < b->n_masks; i++) {
            struct spd_mask m = b->masks[i];
            if ((m.mask.meta & FLOW_FAMILY) != (fam ? 6u : 4u))
                continue;
            m.mask.meta |= FLOW_FAMILY;
            s->masks[fam][s->n_masks[fam]++] = m;
        }
    }
    return E_OK;
}

static err_t bind_policies(struct spd *s, spd_bind_fn *bind, void *ctx)
{
    for (size_t i = 0; i < s->n_policies; i++) {
        if (s->policies[i].action != POL_PROTECT)
            continue;
        s->policies[i].bind = bind(ctx, s->policies[i].id);
        if (!s->policies[i].bind)
            return E_NOMEM;
    }
    return E_OK;
}

static err_t build(struct builder *b, const struct policy *p, size_t n, spd_bind_fn *bind,
                   void *ctx)
{
    err_t e = room(b, p, n);
    if (e)
        return e;
    copy_policies(b, p, n);
    if ((e = bind_policies(b->s, bind, ctx)))
        return e;
    draft_all(b);
    qsort(b->drafts, b->s->n_rules, sizeof *b->drafts, by_rank);
    if ((e = file_rules(b)))
        return e;
    return split_masks(b);
}

err_t spd_new(const struct policy *p, size_t n, const uint64_t seed[2], spd_bind_fn *bind,
              void *ctx, struct spd **out)
{
    struct builder b = {.s = calloc(1, sizeof *b.s)};
    if (!b.s)
        return E_NOMEM;
    flow_key_init(&b.s->key, seed);
    err_t e = build(&b, p, n, bind, ctx);
    free(b.drafts);
    free(b.masks);
    if (e) {
        spd_free(b.s);
        return e;
    }
    *out = b.s;
    return E_OK;
}

void spd_free(struct spd *s)
{
    if (!s)
        return;
    free(s->masks[0]);
    free(s->masks[1]);
    free(s->slots);
    free(s->rules);
    free(s->policies);
    free(s->ts);
    free(s->text);
    free(s);
}
