/* The view of policies: the SPD and the binds of what is in it. */
#include "dataplane/frags.h"
#include <stdlib.h>

struct bind *bind_for(struct dp *d, uint32_t policy_id)
{
    struct bind *b = bind_ref(&d->binds, &d->slab, policy_id);
    if (b && b->refs == 1)
        b->owner = d->set.owner ? d->set.owner(d->set.owner_ctx, policy_id)
                                : (struct dp_owner){.worker = (uint8_t)d->set.self};
    return b;
}

void dp_policy_moved(struct dp *d, uint32_t policy_id, struct dp_owner owner)
{
    struct bind *b = bind_find(&d->binds, policy_id);
    if (!b)
        return;
    if (b->iface) /* an interface stays with its worker */
        owner = (struct dp_owner){.worker = (uint8_t)dp_iface_worker(b->iface, d->set.workers)};
    b->owner = owner;
    b->acquiring = false; /* what was asked for is here, or another's business */
    b->acquire_ms = 0;
    for (struct sa_out *sa = b->newest; sa; sa = sa->next)
        sa->gen++; /* its flows are assigned anew */
    if (owner.worker != d->set.self)
        hold_release(&d->hold, b);
}

void bind_let_go(struct dp *d, struct bind *b)
{
    uint32_t held = b->refs == 1 ? hold_drop(&d->hold, b) : 0;
    d->stats.drops[R_DP_HOLD] += held;
    bind_unref(&d->binds, &d->slab, b);
}

err_t dp_policy_add(struct dp *d, const struct policy *p)
{
    struct bind *b = bind_for(d, p->id);
    if (!b)
        return E_NOMEM;
    err_t e = b->rule ? R_EXISTS : spd_add(d->spd, p, b, &b->rule);
    if (e != R_EXISTS && p->iface) {
        b->iface = p->iface;
        b->owner = (struct dp_owner){.worker = (uint8_t)dp_iface_worker(p->iface, d->set.workers)};
    }
    if (!e && b->rule && (e = frags_rules_add(d, p, &b->ports_rule))) {
        spd_del(d->spd, b->rule);
        b->rule = 0;
    }
    flow_cache_forget(&d->flows);
    if (e || !b->rule)
        bind_let_go(d, b);
    return e;
}

static void policy_drop(struct dp *d, struct bind *b)
{
    spd_del(d->spd, b->rule);
    frags_rules_del(d, b->ports_rule);
    b->rule = b->ports_rule = 0;
    flow_cache_forget(&d->flows);
    bind_let_go(d, b);
}

void dp_policy_del(struct dp *d, uint32_t id)
{
    struct bind *b = bind_find(&d->binds, id);
    if (b && b->rule)
        policy_drop(d, b);
}

err_t view_init(struct dp *d)
{
    return spd_new(d->set.seed, &d->spd);
}

/* After the children: what binds are left are those of policies. */
void view_fini(struct dp *d)
{
    size_t i;
    struct hash_node *next;
    for (struct hash_node *n = d->binds.slot ? hash_begin(&d->binds, &i) : NULL; n; n = next) {
        next = hash_step(&d->binds, &i, n);
        policy_drop(d, container_of(n, struct bind, node));
    }
    spd_free(d->spd);
}

uint32_t dp_policy_lookup(const struct dp *d, const struct ts *local, const struct ts *remote)
{
    struct flow f;
    flow_from_ts(&f, local, remote);
    const struct spd_rule *r = spd_find(d->spd, &f);
    return r && r->action == POL_PROTECT ? r->policy : 0;
}
