/* Binds: see bind.h. */
#include "dataplane/bind.h"
#include "base/list.h"

struct bind *bind_find(const struct hash *binds, uint32_t policy_id)
{
    uint64_t h = hash_of(binds, &policy_id, sizeof policy_id);
    for (struct hash_node *n = hash_first(binds, h); n; n = hash_next(n)) {
        struct bind *b = container_of(n, struct bind, node);
        if (b->policy_id == policy_id)
            return b;
    }
    return NULL;
}

struct bind *bind_ref(struct hash *binds, struct slab *slab, uint32_t policy_id)
{
    struct bind *b = bind_find(binds, policy_id);
    if (!b) {
        b = slab_get(slab, sizeof *b);
        if (!b)
            return NULL;
        b->policy_id = policy_id;
        if (hash_add(binds, &b->node, hash_of(binds, &policy_id, sizeof policy_id))) {
            slab_put(slab, b, sizeof *b);
            return NULL;
        }
    }
    b->refs++;
    return b;
}

void bind_unref(struct hash *binds, struct slab *slab, struct bind *b)
{
    if (--b->refs)
        return;
    hash_del(binds, &b->node);
    slab_put(slab, b, sizeof *b);
}

struct sa_out *bind_choose(const struct bind *b, const struct flow *f)
{
    for (struct sa_out *sa = b->newest; sa; sa = sa->next)
        if (sel_set_match(&sa->child->sel, f))
            return sa;
    return NULL;
}

void bind_sa_add(struct bind *b, struct sa_out *sa)
{
    for (struct sa_out *o = b->newest; o; o = o->next)
        o->gen++;
    sa->next = b->newest;
    b->newest = sa;
}

void bind_sa_del(struct bind *b, struct sa_out *sa)
{
    struct sa_out **at = &b->newest;
    while (*at && *at != sa)
        at = &(*at)->next;
    if (*at)
        *at = sa->next;
    sa->next = NULL;
    sa->gen++;
}
