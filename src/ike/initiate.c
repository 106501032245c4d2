/*
 * Beginning negotiations, for the operator, for held packets, for dpd_action and close_action: an
 * IKE SA of the connection is used if there is one, a negotiation of the same child is joined.
 *
 * Initiating a CHILD SA that is installed already succeeds at once; initiating by the connection's
 * name alone brings up its first child, since RFC 7296 negotiates no IKE SA without one.
 */
#include "ike/engine.h"

static const struct ike_version *version_for(const struct ike *e, const struct conn *c)
{
    uint8_t want = c->version ? c->version : 2;
    for (size_t i = 0; i < e->ver_count; i++)
        if (e->ver[i]->major == want)
            return e->ver[i];
    return NULL;
}

static void refuse_start(struct ike *e, const struct conn *c, const struct conn_child *cc,
                         const struct refusal *r)
{
    ike_refused(e, NULL, r);
    e->evidence->conn = ike_str(e, c->name);
    e->evidence->child = ike_str(e, cc->name);
}

static err_t no_version(struct ike *e, const struct conn *c, const struct conn_child *cc)
{
    struct refusal r = {
        .reason = R_MAJOR_VERSION,
        .what = "version",
        .ours = ike_strf(e, "%u", c->version),
        .text = "this IKE version is not spoken here",
    };
    refuse_start(e, c, cc, &r);
    return r.reason;
}

static err_t no_address(struct ike *e, const struct conn *c, const struct conn_child *cc,
                        bool remote)
{
    const char *host = remote && c->remote_count ? c->remote[0].host : NULL;
    struct refusal r = {
        .reason = remote ? R_NOT_FOUND : R_UNREACHABLE,
        .what = remote ? "remote_addrs" : "local_addrs",
        .ours = host ? ike_str(e, host) : "%any",
        .text = host     ? "the host name does not resolve (yet)"
                : remote ? "no single address to initiate to"
                         : "no local address leads to the peer",
        .hint = ike_strf(e, "set connections.%s.%s to an address", c->name,
                         remote ? "remote_addrs" : "local_addrs"),
    };
    refuse_start(e, c, cc, &r);
    return r.reason;
}

static void set_ports(const struct ike *e, struct ike_sa *sa, const struct conn *c)
{
    sa->natt = c->local_port == 4500;
    sa->local.port = sa->natt ? e->set.port_natt : e->set.port;
    sa->remote.port = c->remote_port ? c->remote_port : 500;
}

static struct ike_sa *sa_begin(struct ike *e, const struct ike_version *ver, struct conn *c,
                               const struct addr *local, const struct addr *remote)
{
    uint64_t spi = sa_spi_new(e);
    struct ike_sa *sa = spi ? sa_new(e, ver, true, spi, 0, 0) : NULL;
    if (!sa)
        return NULL;
    sa->local.addr = *local;
    sa->remote.addr = *remote;
    set_ports(e, sa, c);
    sa_conn_set(e, sa, c);
    sa->attempt = 1;
    return sa;
}

static err_t start_sa(struct ike *e, struct conn *c, const struct conn_child *cc,
                      struct ike_sa **out)
{
    struct addr local, remote;
    const struct ike_version *ver = version_for(e, c);
    if (!ver)
        return no_version(e, c, cc);
    if (!conn_remote_addr(e, c, &remote))
        return no_address(e, c, cc, true);
    if (!conn_local_addr(e, c, &remote, &local))
        return no_address(e, c, cc, false);
    *out = sa_begin(e, ver, c, &local, &remote);
    return *out ? E_OK : E_NOMEM;
}

/* An established SA of that connection, else one that we are bringing up. */
static struct ike_sa *sa_for(const struct conn_entry *ce)
{
    struct ike_sa *best = NULL;
    if (!ce)
        return NULL;
    list_each (it, (struct list *)&ce->sas) {
        struct ike_sa *sa = container_of(it, struct ike_sa, of_conn);
        if (task_is(sa->active, TASK_IKE_DEL) || task_find(sa, TASK_IKE_DEL, 0))
            continue;
        if (sa->state == SA_ESTABLISHED)
            return sa;
        if (sa->state == SA_CONNECTING && sa->initiator)
            best = sa;
    }
    return best;
}

static bool covers(const struct child *c, const struct ike_in *acq)
{
    struct ts_list l, r;
    bool local = false, remote = false;
    child_ts_get(c, &l, &r);
    for (size_t i = 0; i < l.count; i++)
        local |= ts_contains(&l.ts[i], &acq->flow_local);
    for (size_t i = 0; i < r.count; i++)
        remote |= ts_contains(&r.ts[i], &acq->flow_remote);
    return local && remote;
}

/* Installed already (and for a held packet: does it cover the packet)? */
static bool is_up(const struct conn_entry *ce, const char *child, const struct ike_in *acq)
{
    if (!ce)
        return false;
    list_each (it, (struct list *)&ce->sas) {
        struct ike_sa *sa = container_of(it, struct ike_sa, of_conn);
        struct child *c = sa->state == SA_ESTABLISHED ? child_by_config(sa, child) : NULL;
        if (c && (!acq || covers(c, acq)))
            return true;
    }
    return false;
}

static struct task *task_under_way(const struct conn_entry *ce, const char *child)
{
    if (!ce)
        return NULL;
    list_each (it, (struct list *)&ce->sas) {
        struct task *t = task_find_config(container_of(it, struct ike_sa, of_conn), child);
        if (t)
            return t;
    }
    return NULL;
}

static struct task *plan(struct ike *e, struct ike_sa *sa, struct conn *c,
                         const struct conn_child *cc, const struct ike_in *acquire)
{
    struct task *t = task_child_new(e, sa, c, cc);
    if (t && acquire) {
        t->acquire = t->has_flow = true;
        t->flow_local = acquire->flow_local;
        t->flow_remote = acquire->flow_remote;
    }
    return t;
}

static bool cpu_is_planned(const struct ike_sa *sa, const struct conn_child *cc, uint8_t cpu)
{
    const struct task *a = sa->active;
    if (task_is(a, TASK_CHILD_NEW) && a->cpu == cpu && strcmp(a->cc->name, cc->name) == 0)
        return true;
    list_each (it, (struct list *)&sa->tasks) {
        const struct task *t = container_of(it, struct task, link);
        if (t->kind == TASK_CHILD_NEW && t->cpu == cpu && strcmp(t->cc->name, cc->name) == 0)
            return true;
    }
    list_each (it, (struct list *)&sa->children) {
        const struct child *c = container_of(it, struct child, link);
        if (c->state == CHILD_INSTALLED && c->cpu == cpu && strcmp(c->cc->name, cc->name) == 0)
            return true;
    }
    return false;
}

/* RFC 9611: one more beside the fallback SA, if both sides agreed when that was made. Nothing waits
 * for it: the worker's packets go by the fallback SA until then. */
static err_t initiate_for_cpu(struct ike *e, const struct conn_entry *ce, struct conn *c,
                              const struct conn_child *cc, uint8_t cpu)
{
    struct ike_sa *sa = sa_for(ce);
    const struct child *first =
        sa && sa->state == SA_ESTABLISHED ? child_by_config(sa, cc->name) : NULL;
    if (!first || !first->per_cpu || first->cpus_enough || cpu_is_planned(sa, cc, cpu))
        return E_OK;
    struct task *t = task_child_new(e, sa, c, cc);
    if (!t)
        return E_NOMEM;
    t->cpu = cpu;
    return E_OK;
}

err_t ike_initiate(struct ike *e, struct conn *c, const struct conn_child *cc,
                   const struct ike_in *acquire, struct cmd *cmd)
{
    struct conn_entry *ce = conn_entry_find(e, c->name);
    if (acquire && acquire->cpu)
        return initiate_for_cpu(e, ce, c, cc, acquire->cpu);
    if (is_up(ce, cc->name, acquire))
        return E_OK;
    struct task *t = task_under_way(ce, cc->name);
    if (!t) {
        struct ike_sa *sa = sa_for(ce), *fresh = NULL;
        err_t err = sa ? E_OK : start_sa(e, c, cc, &fresh);
        if (err)
            return err;
        t = plan(e, sa ? sa : fresh, c, cc, acquire);
        if (t)
            waiter_add(e, &t->waiters, cmd);
        if (fresh)
            fresh->ver->start(e, fresh);
        return t ? E_OK : E_NOMEM;
    }
    t->acquire |= acquire != NULL;
    waiter_add(e, &t->waiters, cmd);
    return E_OK;
}

struct ike_sa *ike_again(struct ike *e, const struct ike_sa *sa)
{
    struct conn *c = sa->entry && sa->entry->conn ? sa->entry->conn : sa->conn;
    struct ike_sa *next = sa_begin(e, sa->ver, c, &sa->local.addr, &sa->remote.addr);
    if (next && sa->natt) { /* behind a NAT nothing but the mapping in use leads to the peer */
        next->natt = true;
        next->local = sa->local;
        next->remote = sa->remote;
    }
    return next;
}

/* swanctl.conf keyingtries: how often a negotiation without answer is begun; 0 means forever. */
bool ike_retry(struct ike *e, struct ike_sa *sa)
{
    struct ike_sa *next;
    if (e->stopping || (sa->conn->keyingtries && sa->attempt >= sa->conn->keyingtries))
        return false;
    next = sa_begin(e, sa->ver, sa->conn, &sa->local.addr, &sa->remote.addr);
    if (!next)
        return false;
    next->attempt = (uint16_t)(sa->attempt < UINT16_MAX ? sa->attempt + 1 : UINT16_MAX);
    struct event *ev = ike_event(e, EV_IKE_RETRY, next, NULL);
    ev->number = next->attempt;
    ev->reason = R_PEER_TIMEOUT;
    struct task *active = sa->active;
    sa->active = NULL;
    if (active)
        list_add_tail(&sa->tasks, &active->link);
    tasks_move(e, sa, next);
    waiters_move(&next->up, &sa->up);
    next->ver->start(e, next);
    return true;
}
