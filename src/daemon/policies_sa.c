/* SAs and the rows of the SPD that they serve or bring: see policies.h. */
#include "daemon/policies_rows.h"

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
    struct policies_row *r = row_for_sa(p, sa, ch);
    if (!r)
        return 0;
    r->sas++;
    return r->id;
}

void policies_sa_del(struct policies *p, uint32_t id)
{
    struct policies_row *r = row_by_id(p, id);
    if (r && --r->sas == 0 && !r->configured && !r->keep)
        row_drop(p, r);
}

static void release(struct policies *p, struct policies_row *r, void *arg)
{
    const char *child = arg;
    if (child && strcmp(row_child(r), child) != 0)
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
