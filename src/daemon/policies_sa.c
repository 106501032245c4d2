/* SAs and the rows of the SPD that they serve or bring: see policies.h. */
#include "daemon/policies_rows.h"
#include <stdlib.h>

struct sa_ref {
    struct hash_node node;
    uint32_t child_id;
    struct policies_row *row;
};

static bool has_dynamic(const struct ts_conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->ts[i].dynamic)
            return true;
    return false;
}

static struct policies_row *row_found_for_sa(const struct policies *p, const struct child_sa *sa)
{
    struct policies_row *r = row_configured(p, sa->conn, sa->child);
    return r && row_covers(r, sa) ? r : row_selected(p, sa);
}

/* It goes with the SA, and the next one may be another. */
static bool on_virtual_address(const struct child_sa *sa, const struct conn_child *ch)
{
    return has_dynamic(&ch->local_ts) && !addr_eq(&sa->local_ts.ts[0].lo, &sa->local.addr);
}

static struct policies_row *row_for_sa(struct policies *p, const struct child_sa *sa,
                                       const struct conn_child *ch)
{
    struct policies_row *r = row_found_for_sa(p, sa);
    if (r)
        return r;
    r = row_new(p, sa->conn, sa->child, &sa->local_ts, &sa->remote_ts, false);
    if (!r)
        return NULL;
    r->action = POL_PROTECT;
    r->priority = ch ? ch->priority : 0;
    r->iface = sa->iface;
    r->keep = ch && !has_dynamic(&ch->remote_ts) && !on_virtual_address(sa, ch);
    return r;
}

uint32_t policies_sa_add(struct policies *p, const struct child_sa *sa, const struct conn_child *ch)
{
    if (!sa->local_ts.count || !sa->remote_ts.count)
        return 0;
    struct sa_ref *ref = calloc(1, sizeof *ref);
    struct policies_row *r = ref ? row_for_sa(p, sa, ch) : NULL;
    uint32_t id = sa->id;
    if (!r || hash_add(&p->refs, &ref->node, hash_of(&p->refs, &id, sizeof id))) {
        free(ref);
        return 0;
    }
    ref->child_id = id;
    ref->row = r;
    r->sas++;
    return r->id;
}

static struct sa_ref *ref_of(const struct policies *p, uint32_t child_id)
{
    uint64_t h = hash_of(&p->refs, &child_id, sizeof child_id);
    for (struct hash_node *n = hash_first(&p->refs, h); n; n = hash_next(n)) {
        struct sa_ref *ref = container_of(n, struct sa_ref, node);
        if (ref->child_id == child_id)
            return ref;
    }
    return NULL;
}

void policies_sa_del(struct policies *p, uint32_t child_id)
{
    struct sa_ref *ref = ref_of(p, child_id);
    if (!ref)
        return;
    struct policies_row *r = ref->row;
    hash_del(&p->refs, &ref->node);
    free(ref);
    if (--r->sas == 0 && !r->configured && !r->keep)
        row_drop(p, r);
}

static void release(struct policies *p, struct policies_row *r, void *arg)
{
    const char *child = arg;
    if (child && strcmp(r->child, child) != 0)
        return;
    r->keep = false;
    if (r->sas == 0 && !r->configured)
        row_drop(p, r);
}

void policies_release(struct policies *p, const char *conn, const char *child)
{
    void *arg = (void *)(uintptr_t)child;
    if (conn)
        rows_of_conn(p, conn, release, arg);
    else
        rows_each(p, release, arg);
}

void policies_sa_forget(struct policies *p)
{
    size_t i;
    struct hash_node *next;
    for (struct hash_node *n = p->refs.slot ? hash_begin(&p->refs, &i) : NULL; n; n = next) {
        next = hash_step(&p->refs, &i, n);
        free(container_of(n, struct sa_ref, node));
    }
    hash_fini(&p->refs);
}
