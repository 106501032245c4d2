/* Look-up in the SPD: see spd.h; spd_edit.c changes it. */
#include "dataplane/spd.h"

static inline bool rule_match(const struct spd_rule *r, const struct flow *f)
{
    return (f->meta & FLOW_IFACE) == flow_meta_iface(r->iface) &&
           sel_match(&r->l, f->l, flow_lport(f), f->meta) &&
           sel_match(&r->r, f->r, flow_rport(f), f->meta);
}

static inline uint32_t masked_tag(const struct spd *s, const struct flow *m, const struct flow *f)
{
    struct flow k = {.l = {f->l[0] & m->l[0], f->l[1] & m->l[1]},
                     .r = {f->r[0] & m->r[0], f->r[1] & m->r[1]},
                     .meta = f->meta & m->meta};
    return (uint32_t)(flow_hash(&s->key, &k) >> 32);
}

static inline const struct spd_masks *masks_of(const struct spd *s, const struct flow *f)
{
    return &s->masks[flow_family(f) == 6];
}

size_t spd_fetch_slot(const struct spd *s, const struct flow *f)
{
    const struct spd_masks *masks = masks_of(s, f);
    if (!masks->n)
        return 0;
    size_t slot = masked_tag(s, &masks->m[0].mask, f) & s->slot_mask;
    __builtin_prefetch(&s->slots[slot]);
    return slot;
}

void spd_fetch_rule(const struct spd *s, size_t slot)
{
    const struct spd_rule *r = &s->rules[s->slots[slot].rule];
    __builtin_prefetch(r);
    __builtin_prefetch((const char *)r + sizeof *r - 1);
}

/* The rules of one key lie in order of rank, so the first that matches is the best of its mask. */
static const struct spd_rule *first_match(const struct spd *s, uint32_t rule, const struct flow *f,
                                          const struct spd_rule *best)
{
    for (; rule; rule = s->rules[rule].next) {
        const struct spd_rule *r = &s->rules[rule];
        if (best && !spd_before(r, best))
            break;
        if (rule_match(r, f))
            return r;
    }
    return best;
}

static const struct spd_rule *probe(const struct spd *s, const struct spd_mask *m,
                                    const struct flow *f, const struct spd_rule *best)
{
    uint32_t tag = masked_tag(s, &m->mask, f);
    for (size_t i = tag & s->slot_mask; s->slots[i].rule; i = (i + 1) & s->slot_mask)
        if (s->slots[i].tag == tag) /* other keys may share it */
            best = first_match(s, s->slots[i].rule, f, best);
    return best;
}

const struct spd_rule *spd_find(const struct spd *s, const struct flow *f)
{
    const struct spd_masks *masks = masks_of(s, f);
    const struct spd_rule *best = NULL;
    for (size_t i = 0; i < masks->n; i++) {
        const struct spd_mask *m = &masks->m[i];
        if (best && m->best > spd_rank(best))
            break;
        best = probe(s, m, f, best);
    }
    return best;
}
