/* Look-up in the SPD: see spd.h; spd_build.c makes the table. */
#include "dataplane/spd.h"

static inline bool rule_match(const struct spd_rule *r, const struct flow *f)
{
    return sel_match(&r->l, f->l, flow_lport(f), f->meta) &&
           sel_match(&r->r, f->r, flow_rport(f), f->meta);
}

static inline uint64_t masked_hash(const struct spd *s, const struct flow *m, const struct flow *f)
{
    struct flow k = {.l = {f->l[0] & m->l[0], f->l[1] & m->l[1]},
                     .r = {f->r[0] & m->r[0], f->r[1] & m->r[1]},
                     .meta = f->meta & m->meta};
    return flow_hash(&s->key, &k);
}

size_t spd_fetch_slot(const struct spd *s, const struct flow *f)
{
    unsigned fam = flow_family(f) == 6;
    if (!s->n_masks[fam])
        return 0;
    size_t slot = masked_hash(s, &s->masks[fam][0].mask, f) & s->slot_mask;
    __builtin_prefetch(&s->slots[slot]);
    return slot;
}

void spd_fetch_rule(const struct spd *s, size_t slot)
{
    if (!s->slots[slot].rule)
        return;
    const struct spd_rule *r = &s->rules[s->slots[slot].rule - 1];
    __builtin_prefetch(r);
    __builtin_prefetch((const char *)r + sizeof *r - 1);
}

/* Slots of one key lie in order of rank, so the first that matches is the best of this mask. */
static uint32_t probe(const struct spd *s, const struct spd_mask *m, const struct flow *f,
                      uint32_t best)
{
    uint64_t h = masked_hash(s, &m->mask, f);
    for (size_t i = h & s->slot_mask; s->slots[i].rule; i = (i + 1) & s->slot_mask) {
        uint32_t rule = s->slots[i].rule - 1;
        if (s->slots[i].tag != (uint32_t)(h >> 32))
            continue;
        if (rule >= best)
            return best;
        if (rule_match(&s->rules[rule], f))
            return rule;
    }
    return best;
}

const struct spd_rule *spd_find(const struct spd *s, const struct flow *f)
{
    unsigned fam = flow_family(f) == 6;
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < s->n_masks[fam]; i++) {
        const struct spd_mask *m = &s->masks[fam][i];
        if (m->best >= best)
            break;
        best = probe(s, m, f, best);
    }
    return best == UINT32_MAX ? NULL : &s->rules[best];
}

void spd_policy_get(const struct spd *s, uint32_t index, struct policy *out)
{
    const struct spd_policy *p = &s->policies[index];
    *out = (struct policy){.id = p->id,
                           .priority = p->priority,
                           .action = p->action,
                           .conn = p->conn,
                           .child = p->child};
    out->local.count = p->nl;
    out->remote.count = p->nr;
    memcpy(out->local.ts, s->ts + p->ts, p->nl * sizeof(struct ts));
    memcpy(out->remote.ts, s->ts + p->ts + p->nl, p->nr * sizeof(struct ts));
}
