/* The view of policies: built aside, swapped whole between batches, asked by control. */
#include "dataplane/dp.h"
#include <stdlib.h>

struct bind *bind_for(void *ctx, uint32_t policy_id)
{
    struct dp *d = ctx;
    struct bind *b = bind_ref(&d->binds, policy_id);
    if (b && b->refs == 1)
        b->owner = d->set.owner ? d->set.owner(d->set.owner_ctx, policy_id) : d->set.self;
    return b;
}

void dp_policy_moved(struct dp *d, uint32_t policy_id, uint32_t owner)
{
    struct bind *b = bind_find(&d->binds, policy_id);
    if (!b || b->owner == owner)
        return;
    b->owner = owner;
    for (struct sa_out *sa = b->newest; sa; sa = sa->next)
        sa->gen++; /* its flows are assigned anew */
    if (owner != d->set.self)
        hold_release(&d->hold, b);
}

void bind_let_go(struct dp *d, struct bind *b)
{
    uint32_t held = b->refs == 1 ? hold_drop(&d->hold, b) : 0;
    d->stats.drops[R_DP_HOLD] += held;
    bind_unref(&d->binds, b);
}

static void view_free(struct dp *d, struct spd *s)
{
    for (size_t i = 0; s && i < s->n_policies; i++)
        if (s->policies[i].bind)
            bind_let_go(d, s->policies[i].bind);
    spd_free(s);
}

err_t dp_policies_set(struct dp *d, const struct policy *p, size_t n)
{
    struct spd *s;
    err_t e = spd_new(p, n, d->set.seed, bind_for, d, &s);
    if (e)
        return e;
    struct spd *old = d->spd;
    d->spd = s;
    flow_cache_forget(&d->flows);
    view_free(d, old);
    return E_OK;
}

err_t view_init(struct dp *d)
{
    d->scratch = calloc(1, sizeof *d->scratch);
    if (!d->scratch)
        return E_NOMEM;
    return dp_policies_set(d, NULL, 0);
}

void view_fini(struct dp *d)
{
    view_free(d, d->spd);
    free(d->scratch);
}

const struct policy *dp_policy_lookup(const struct dp *d, const struct ts *local,
                                      const struct ts *remote)
{
    struct flow f;
    flow_from_ts(&f, local, remote);
    const struct spd_rule *r = spd_find(d->spd, &f);
    if (!r || r->action != POL_PROTECT)
        return NULL;
    spd_policy_get(d->spd, r->policy, d->scratch);
    return d->scratch;
}
