/*
 * CHILD SAs for one CPU, RFC 9611: further SAs with the same selectors, so that each worker has its
 * own sequence numbers and keys. The first one is the fallback: whoever has none of his own sends
 * on it. SA_RESOURCE_INFO in request and answer agrees on it; its data, where there are any, are
 * the number of the CPU at the sender's: a hint, which leads both directions of a flow to workers
 * of one number. Used wherever a CHILD SA is negotiated.
 */
#include "ike/v2/v2.h"

#define SAS_MAX 64 /* with the same selectors, as a responder */

void v2_per_cpu_put(struct v2_build *b, const struct v2_exch *x)
{
    uint8_t id[4];
    if (!x->per_cpu)
        return;
    put_u32(id, x->cpu - 1u);
    v2_put_notify(b, N_SA_RESOURCE_INFO, bytes_of(id, x->cpu ? sizeof id : 0));
}

static bool is_told(const struct v2_exch *x)
{
    struct notify n;
    return v2_notify_find(x->msg, N_SA_RESOURCE_INFO, &n);
}

/* As in child_sa.cpu; 0: the peer told none that we have. */
static uint8_t told_cpu(const struct ike *e, const struct v2_exch *x)
{
    struct notify n;
    if (!v2_notify_find(x->msg, N_SA_RESOURCE_INFO, &n) || n.data.n != 4)
        return 0;
    uint32_t cpu = get_u32(n.data.p);
    return cpu < e->set.cpus && cpu < SAS_MAX ? (uint8_t)(cpu + 1) : 0;
}

void v2_per_cpu_ask(struct ike *e, struct v2_exch *x, const struct task *t)
{
    const struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    x->per_cpu = x->cc->per_cpu;
    x->cpu = old ? old->cpu : t ? t->cpu : 0;
}

void v2_per_cpu_answered(struct v2_exch *x)
{
    x->per_cpu = x->per_cpu && is_told(x);
}

/* SAs of this child: in all, and by CPU. */
static unsigned count(const struct v2_sa *v, const struct v2_exch *x, unsigned by_cpu[SAS_MAX + 1])
{
    unsigned n = 0;
    list_each (it, (struct list *)&v->sa.children) {
        const struct child *c = container_of(it, struct child, link);
        if (c->state != CHILD_INSTALLED || c->redundant || strcmp(c->cc->name, x->cc->name) != 0)
            continue;
        by_cpu[c->cpu <= SAS_MAX ? c->cpu : 0]++;
        n++;
    }
    return n;
}

/* The one that has the fewest, of several the peer's. */
static uint8_t fewest(const struct ike *e, const unsigned by_cpu[SAS_MAX + 1], uint8_t told)
{
    uint8_t best = told ? told : 1;
    for (uint8_t i = 1; i <= e->set.cpus && i <= SAS_MAX; i++)
        if (by_cpu[i] < by_cpu[best])
            best = i;
    return best;
}

err_t v2_per_cpu_choose(struct ike *e, const struct v2_sa *v, struct v2_exch *x, struct refusal *r)
{
    const struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    unsigned by_cpu[SAS_MAX + 1] = {0};
    x->per_cpu = x->cc->per_cpu && is_told(x);
    x->cpu = old ? old->cpu : 0;
    if (!x->per_cpu || old)
        return E_OK;
    unsigned n = count(v, x, by_cpu);
    if (n >= SAS_MAX) {
        *r = (struct refusal){.reason = R_TS_MAX_QUEUE,
                              .what = "SAs with the same selectors",
                              .ours = ike_strf(e, "at most %d", SAS_MAX),
                              .clause = "RFC 9611 4",
                              .child = x->cc->name};
        return r->reason;
    }
    if (by_cpu[0]) /* the fallback SA is there */
        x->cpu = fewest(e, by_cpu, told_cpu(e, x));
    return E_OK;
}
