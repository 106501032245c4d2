/* Snapshots for screens and VICI: see ike.h. Compact copies are unfolded into scratch here. */
#include "ike/half.h"
#include "ike/vip.h"
#include <stdlib.h>

struct ike_info {
    struct id local, remote;
    struct proposal proposal;
    struct ts_list local_ts, remote_ts;
    struct buf tasks;
};

static const char *const sa_states[] = {
    [SA_CONNECTING] = "CONNECTING", [SA_ESTABLISHED] = "ESTABLISHED", [SA_REKEYED] = "REKEYED",
    [SA_DELETING] = "DELETING",     [SA_GONE] = "DELETING",
};

static struct ike_info *scratch(const struct ike *e)
{
    return e->info;
}

void info_free(struct ike *e)
{
    if (e->info)
        buf_free(&e->info->tasks);
    free(e->info);
}

bool info_init(struct ike *e)
{
    e->info = calloc(1, sizeof *e->info);
    return e->info != NULL;
}

static void add_transform(struct proposal *p, const struct alg *a)
{
    if (a && proposal_add(p, (uint8_t)a->type, a->id, a->key_bits))
        p->unusable = true;
}

static const struct proposal *proposal_of(struct ike_info *i, const struct ike_sa *sa)
{
    if (!sa->prf)
        return NULL;
    i->proposal = (struct proposal){.number = 1, .proto = PROTO_IKE};
    add_transform(&i->proposal, sa->encr);
    add_transform(&i->proposal, sa->integ);
    add_transform(&i->proposal, sa->prf);
    add_transform(&i->proposal, sa->ke);
    return &i->proposal;
}

static const char *tasks_of(struct ike_info *i, const struct ike_sa *sa)
{
    buf_clear(&i->tasks);
    if (sa->active)
        buf_puts(&i->tasks, task_name(sa->active->kind));
    list_each (it, (struct list *)&sa->tasks)
        buf_printf(&i->tasks, "%s%s", i->tasks.n ? " " : "",
                   task_name(container_of(it, struct task, link)->kind));
    return buf_str(&i->tasks);
}

static const char *state_of(const struct ike_sa *sa)
{
    if (sa->state == SA_ESTABLISHED && task_is(sa->active, TASK_IKE_REKEY))
        return "REKEYING";
    if (sa->state == SA_CONNECTING && !sa->rtx && !sa->prf)
        return "CREATED";
    return sa_states[sa->state];
}

static uint64_t or_never(uint64_t ms)
{
    return ms == UINT64_MAX ? 0 : ms;
}

_Static_assert(VIP_DNS_MAX == CONN_VIPS_MAX, "one size for all lists of addresses");

static void fill_vips(const struct sa_vips *v, struct ike_sa_info *out)
{
    if (!v)
        return;
    memcpy(out->local_vip, v->our, sizeof out->local_vip);
    memcpy(out->dns, v->dns, sizeof out->dns);
    for (size_t i = 0; i < v->their_count; i++)
        out->remote_vip[i] = lease_addr(v->their[i]);
    out->local_vips = v->our_count;
    out->remote_vips = v->their_count;
    out->dns_count = v->dns_count;
    out->remote_user = v->user;
}

static void fill(const struct ike *e, const struct ike_sa *sa, struct ike_sa_info *out)
{
    struct ike_info *i = scratch(e);
    id_pair_get(sa->ids, &i->local, &i->remote);
    *out = (struct ike_sa_info){
        .id = sa->id,
        .conn = sa->conn,
        .version = sa->ver->major,
        .state = state_of(sa),
        .initiator = sa->initiator,
        .spi_i = sa->spi_i,
        .spi_r = sa->spi_r,
        .local = sa->local,
        .remote = sa->remote,
        .local_id = &i->local,
        .remote_id = &i->remote,
        .nat_local = sa->nat_local,
        .nat_remote = sa->nat_remote,
        .nat_fake = sa->nat_fake,
        .vendors = sa->vendors,
        .nat_any = sa->nat_local || sa->nat_remote || sa->nat_fake,
        .proposal = proposal_of(i, sa),
        .created_ms = sa->created_ms,
        .established_ms = sa->established_ms,
        .rekey_ms = or_never(sa->rekey_ms),
        .reauth_ms = or_never(sa->reauth_ms),
        .tasks = tasks_of(i, sa),
        .v1_mode = sa->ver->mode ? sa->ver->mode(sa) : NULL,
        .v1_state = sa->ver->state ? sa->ver->state(sa) : NULL,
        .auth_local = sa->ver->auth ? sa->ver->auth(sa, true) : NULL,
        .auth_remote = sa->ver->auth ? sa->ver->auth(sa, false) : NULL,
    };
    fill_vips(sa->vips, out);
    list_each (it, (struct list *)&sa->children)
        out->child_count++;
}

static void half_fill(const struct ike *e, const struct half *h, struct ike_sa_info *out)
{
    struct ike_info *i = scratch(e);
    i->local = i->remote = (struct id){0};
    half_chosen(h, &i->proposal);
    *out = (struct ike_sa_info){
        .id = h->id,
        .version = h->ver->major,
        .state = sa_states[SA_CONNECTING],
        .spi_i = h->spi_i,
        .spi_r = h->spi_r,
        .local = h->local,
        .remote = h->remote,
        .local_id = &i->local,
        .remote_id = &i->remote,
        .nat_local = h->nat_local,
        .nat_remote = h->nat_remote,
        .nat_fake = h->nat_fake,
        .vendors = h->vendors,
        .nat_any = h->nat_local || h->nat_remote || h->nat_fake,
        .proposal = &i->proposal,
        .created_ms = h->born_ms,
        .tasks = "",
    };
}

void ike_sa_each(const struct ike *e, ike_sa_fn *fn, void *ctx)
{
    struct ike_sa_info info;
    list_each (it, (struct list *)&e->sas) {
        fill(e, container_of(it, struct ike_sa, all), &info);
        fn(ctx, &info);
    }
    list_each (it, (struct list *)&e->half_open) {
        half_fill(e, container_of(it, struct half, age), &info);
        fn(ctx, &info);
    }
}

bool ike_sa_info_get(const struct ike *e, uint32_t ike_id, struct ike_sa_info *out)
{
    struct ike_sa *sa = sa_by_id(e, ike_id);
    const struct half *h = sa ? NULL : half_by_id(e, ike_id);
    if (h)
        half_fill(e, h, out);
    else if (sa && sa->state != SA_GONE)
        fill(e, sa, out);
    return h || (sa && sa->state != SA_GONE);
}

void ike_conn_sas_each(const struct ike *e, const char *conn, ike_sa_fn *fn, void *ctx)
{
    struct ike_sa_info info;
    struct conn_entry *ce = conn_entry_find(e, conn);
    if (!ce)
        return;
    list_each (it, &ce->sas) {
        fill(e, container_of(it, struct ike_sa, of_conn), &info);
        fn(ctx, &info);
    }
}

size_t ike_sa_ids(const struct ike *e, const char *conn, uint32_t *out, size_t max)
{
    size_t n = 0;
    struct conn_entry *ce = conn ? conn_entry_find(e, conn) : NULL;
    if (conn && !ce)
        return 0;
    list_each (it, conn ? &ce->sas : (struct list *)&e->sas) {
        const struct ike_sa *sa =
            conn ? container_of(it, struct ike_sa, of_conn) : container_of(it, struct ike_sa, all);
        if (n < max)
            out[n] = sa->id;
        n++;
    }
    return n;
}

uint32_t ike_sa_of_child(const struct ike *e, uint32_t child_id)
{
    const struct child *c = child_by_id(e, child_id);
    return c ? c->sa->id : 0;
}

const struct conn *ike_conn_of_child(const struct ike *e, const char *child)
{
    return conn_of_child(e, child);
}

static const char *child_state_of(const struct child *c)
{
    const struct task *a = c->sa->active;
    if (c->state == CHILD_REKEYED)
        return "REKEYED";
    if (!c->dirs || c->state == CHILD_DELETING ||
        (task_is(a, TASK_CHILD_DEL) && a->child_id == c->id))
        return "DELETING";
    if (task_is(a, TASK_CHILD_REKEY) && a->child_id == c->id)
        return "REKEYING";
    return "INSTALLED";
}

static void child_fill(struct ike_info *i, const struct child *c, struct child_sa_info *out)
{
    child_ts_get(c, &i->local_ts, &i->remote_ts);
    *out = (struct child_sa_info){
        .id = c->id,
        .conn = c->conn,
        .child = c->cc,
        .reqid = c->cc->policy_id[0] ? c->cc->policy_id[0] : c->id,
        .state = child_state_of(c),
        .proto = c->proto,
        .mode = c->mode,
        .encap = c->encap,
        .per_cpu = c->per_cpu,
        .cpu = c->cpu,
        .spi_in = c->spi_in,
        .spi_out = c->spi_out,
        .cpi_in = c->cpi_in,
        .cpi_out = c->cpi_out,
        .ah = c->ah,
        .encr = alg_at(c->encr),
        .integ = alg_at(c->integ),
        .ke = alg_at(c->ke),
        .esn = c->esn,
        .installed_ms = c->installed_ms,
        .rekey_ms = or_never(c->rekey_ms),
        .life_ms = c->dirs ? or_never(c->life_ms) : 0, /* it expired */
        .last = c->last,
        .local_ts = &i->local_ts,
        .remote_ts = &i->remote_ts,
    };
}

void child_sa_each(const struct ike *e, uint32_t ike_id, child_sa_fn *fn, void *ctx)
{
    struct ike_sa *sa = sa_by_id(e, ike_id);
    struct child_sa_info info;
    if (!sa)
        return;
    list_each (it, &sa->children) {
        child_fill(scratch(e), container_of(it, struct child, link), &info);
        fn(ctx, &info);
    }
}

void ike_stats_get(const struct ike *e, struct ike_stats *out)
{
    *out = e->stats;
}

bool ike_keys_export(const struct ike *e, uint32_t ike_id, struct buf *out)
{
    struct ike_sa *sa = sa_by_id(e, ike_id);
    return sa && sa->ver->keys(sa, out);
}
