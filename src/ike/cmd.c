/*
 * Commands of the operator and of the data plane: initiate, acquire, terminate, rekey, load and
 * shut down. A command ends with ACT_CMD_DONE when what it asked for has happened or failed.
 */
#include "ike/half.h"
#include "ike/lease.h"
#include "pki/pki.h"
#include <stdlib.h>

static struct cmd *cmd_new(struct ike *e, uint32_t number)
{
    struct cmd *c = calloc(1, sizeof *c);
    if (!c) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    *c = (struct cmd){.number = number, .refs = 1};
    return c;
}

static void cmd_result(struct ike *e, const struct cmd *c)
{
    if (!c->number)
        return;
    struct ike_act *a = ike_act_add(e, ACT_CMD_DONE);
    a->cmd = c->number;
    a->reason = c->worst;
    if (c->why)
        evidence_fill(e, c->why, &a->event);
    if (!a->event.reason)
        a->event.reason = c->worst;
}

void cmd_unref(struct ike *e, struct cmd *c)
{
    if (!c || --c->refs)
        return;
    cmd_result(e, c);
    free(c->why);
    free(c);
}

/* The first failure of several is the one that is told, with its evidence. */
static void cmd_failed(struct ike *e, struct cmd *c, err_t reason)
{
    if (!reason || c->worst)
        return;
    c->worst = reason;
    if (e->evidence)
        c->why = evidence_new(e->evidence);
}

void waiter_add(struct ike *e, struct waiter **list, struct cmd *cmd)
{
    struct waiter *w = cmd ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        if (cmd)
            ike_fail(e, E_NOMEM);
        return;
    }
    cmd->refs++;
    *w = (struct waiter){*list, cmd};
    *list = w;
}

void waiters_done(struct ike *e, struct waiter **list, err_t reason)
{
    while (*list) {
        struct waiter *w = *list;
        *list = w->next;
        cmd_failed(e, w->cmd, reason);
        cmd_unref(e, w->cmd);
        free(w);
    }
}

void waiters_move(struct waiter **to, struct waiter **from)
{
    while (*to)
        to = &(*to)->next;
    *to = *from;
    *from = NULL;
}

static const struct conn_child *first_child(const struct conn *c)
{
    for (size_t i = 0; i < c->child_count; i++)
        if (c->child[i].policy == CHILD_PROTECT)
            return &c->child[i];
    return NULL;
}

static struct conn *in_conn(struct conn *c, const struct ike_in *in, const struct conn_child **cc)
{
    *cc = !c ? NULL : in->child ? conn_child_find(c, in->child) : first_child(c);
    return *cc && (*cc)->policy == CHILD_PROTECT ? c : NULL;
}

/* swanctl --initiate --child NAME needs no connection's name: the first that has such a child. */
static struct conn *find_config(const struct ike *e, const struct ike_in *in,
                                const struct conn_child **cc)
{
    if (in->conn) {
        struct conn_entry *ce = conn_entry_find(e, in->conn);
        return in_conn(ce ? ce->conn : NULL, in, cc);
    }
    return in_conn(conn_of_child(e, in->child), in, cc);
}

static err_t not_found(struct ike *e, const struct ike_in *in)
{
    struct event *ev = ike_event(e, EV_REFUSED, NULL, NULL);
    ev->reason = R_NOT_FOUND;
    ev->conn = ike_str(e, in->conn);
    ev->child = ike_str(e, in->child);
    ev->what = "name";
    ev->text = "no such connection, child or SA";
    e->evidence = ev;
    return R_NOT_FOUND;
}

static err_t initiate(struct ike *e, const struct ike_in *in, struct cmd *cmd)
{
    const struct conn_child *cc = NULL;
    struct conn *c = find_config(e, in, &cc);
    if (!c)
        return not_found(e, in);
    if (in->kind == IN_INITIATE)
        holdoff_clear(conn_entry_find(e, c->name), cc->name);
    return ike_initiate(e, c, cc, in->kind == IN_ACQUIRE ? in : NULL, cmd);
}

/* The packet that triggers it. */
static const char *packet_text(struct ike *e, const struct ike_in *in)
{
    const struct ts_list from = {1, {in->flow_local}}, to = {1, {in->flow_remote}};
    return in->flow_local.lo.family
               ? ike_strf(e, "for a packet from %s to %s", ike_str_ts(e, &from), ike_str_ts(e, &to))
               : NULL;
}

static err_t acquire(struct ike *e, const struct ike_in *in)
{
    struct conn_entry *ce = in->conn ? conn_entry_find(e, in->conn) : NULL;
    if (in->cpu) /* nothing is held, nothing fails: the fallback SA is there */
        return initiate(e, in, NULL);
    if (holdoff_refuses(e, ce, in->child))
        return E_OK;
    struct event *ev = ike_event(e, EV_ACQUIRE, NULL, NULL);
    ev->conn = ike_str(e, in->conn);
    ev->child = ike_str(e, in->child);
    ev->text = packet_text(e, in);
    err_t err = initiate(e, in, NULL);
    if (err > 0) {
        holdoff_failed(e, ce, in->child);
        struct ike_act *a = ike_act_add(e, ACT_ACQUIRE_FAILED);
        a->reason = a->event.reason = err;
        a->event.conn = ike_str(e, in->conn);
        a->event.child = ike_str(e, in->child);
    }
    return err;
}

/* --- terminate and rekey: what the numbers and names of a command mean --- */

typedef bool sa_do(struct ike *e, struct ike_sa *sa, const struct ike_in *in, struct cmd *cmd);

static bool named_sa(const struct ike_sa *sa, const struct ike_in *in)
{
    if (in->ike_id && sa->id != in->ike_id)
        return false;
    if (in->conn && (!sa->conn || strcmp(sa->conn->name, in->conn) != 0))
        return false;
    return in->ike_id || in->conn || in->child || in->child_id;
}

static size_t one_sa(struct ike *e, struct ike_sa *sa, const struct ike_in *in, struct cmd *cmd,
                     sa_do *fn)
{
    return sa && sa->state != SA_GONE && named_sa(sa, in) && fn(e, sa, in, cmd) ? 1 : 0;
}

/* The entry may go with its last SA: what comes next is read before. */
static size_t each_of_conn(struct ike *e, struct conn_entry *ce, const struct ike_in *in,
                           struct cmd *cmd, sa_do *fn)
{
    size_t n = 0, count = 0, i = 0;
    list_each (it, &ce->sas)
        count++;
    uint32_t *ids = count ? ike_alloc(e, count * sizeof *ids) : NULL;
    if (!ids)
        return 0;
    list_each (it, &ce->sas)
        ids[i++] = container_of(it, struct ike_sa, of_conn)->id;
    for (i = 0; i < count; i++)
        n += one_sa(e, sa_by_id(e, ids[i]), in, cmd, fn);
    return n;
}

/* Whoever names a number or a connection does not pay for 20,000 others; only a child's name alone
 * is looked for everywhere. */
static size_t each_named(struct ike *e, const struct ike_in *in, struct cmd *cmd, sa_do *fn)
{
    size_t n = 0;
    const struct child *c = in->child_id ? child_by_id(e, in->child_id) : NULL;
    struct conn_entry *ce = in->conn ? conn_entry_find(e, in->conn) : NULL;
    if (in->ike_id)
        return one_sa(e, sa_by_id(e, in->ike_id), in, cmd, fn);
    if (in->child_id)
        return one_sa(e, c ? c->sa : NULL, in, cmd, fn);
    if (in->conn && !ce)
        return 0;
    if (ce)
        return each_of_conn(e, ce, in, cmd, fn);
    list_each_safe (it, nx, &e->sas) {
        struct ike_sa *sa = container_of(it, struct ike_sa, all);
        if (named_sa(sa, in) && fn(e, sa, in, cmd))
            n++;
    }
    return n;
}

static bool named_child(const struct child *c, const struct ike_in *in)
{
    return in->child_id ? c->id == in->child_id : strcmp(c->cc->name, in->child) == 0;
}

static bool terminate_child(struct ike *e, struct ike_sa *sa, struct child *c,
                            const struct ike_in *in, struct cmd *cmd)
{
    waiter_add(e, &c->gone, cmd);
    if (in->force)
        child_remove(e, c, R_OPERATOR);
    else
        task_add(e, sa, TASK_CHILD_DEL, c->id);
    return true;
}

/* A child that is only planned: not any more. */
static bool cancel_child(struct ike *e, struct ike_sa *sa, const struct ike_in *in)
{
    struct task *t = in->child && !in->child_id ? task_find_config(sa, in->child) : NULL;
    if (!t)
        return false;
    if (t != sa->active)
        task_done(e, sa, t, R_OPERATOR);
    if (sa->state == SA_CONNECTING && !task_first_child(sa))
        sa_drop(e, sa, R_OPERATOR);
    return true;
}

static bool terminate_children(struct ike *e, struct ike_sa *sa, const struct ike_in *in,
                               struct cmd *cmd)
{
    bool any = cancel_child(e, sa, in);
    if (sa->state == SA_GONE)
        return any;
    list_each_safe (it, nx, &sa->children) {
        struct child *c = container_of(it, struct child, link);
        if (named_child(c, in) && c->state != CHILD_REKEYED)
            any |= terminate_child(e, sa, c, in, cmd);
    }
    return any;
}

/* By force: the peer is told once, and nobody waits for what it says. */
static void tell_once(struct ike *e, struct ike_sa *sa)
{
    if (sa->state != SA_ESTABLISHED || sa->active)
        return;
    task_add(e, sa, TASK_IKE_DEL, 0);
    sa->ver->kick(e, sa);
}

static bool terminate_sa(struct ike *e, struct ike_sa *sa, const struct ike_in *in, struct cmd *cmd)
{
    waiter_add(e, &sa->gone, cmd);
    if (in->force)
        tell_once(e, sa);
    if (sa->state == SA_CONNECTING || in->force) {
        sa_drop(e, sa, R_OPERATOR);
        return true;
    }
    sa->end_reason = R_OPERATOR;
    ike_event(e, EV_IKE_DELETING, sa, NULL)->reason = R_OPERATOR;
    task_add(e, sa, TASK_IKE_DEL, 0);
    return true;
}

static err_t terminate(struct ike *e, const struct ike_in *in, struct cmd *cmd)
{
    bool child = in->child || in->child_id;
    struct half *h = in->ike_id && !in->conn && !child ? half_by_id(e, in->ike_id) : NULL;
    size_t n = each_named(e, in, cmd, child ? terminate_children : terminate_sa);
    if (h)
        half_drop(e, h, R_OPERATOR);
    return n || h ? E_OK : not_found(e, in);
}

static bool rekey_children(struct ike *e, struct ike_sa *sa, const struct ike_in *in,
                           struct cmd *cmd)
{
    bool any = false;
    list_each (it, &sa->children) {
        struct child *c = container_of(it, struct child, link);
        if (!named_child(c, in) || c->state != CHILD_INSTALLED || c->redundant)
            continue;
        c->rekey_soon = true;
        struct task *t = task_add(e, sa, TASK_CHILD_REKEY, c->id);
        if (t)
            waiter_add(e, &t->waiters, cmd);
        any = true;
    }
    return any;
}

static bool rekey_sa(struct ike *e, struct ike_sa *sa, const struct ike_in *in, struct cmd *cmd)
{
    if (sa->state != SA_ESTABLISHED)
        return false;
    struct task *t = task_add(e, sa, in->reauth ? TASK_IKE_DEL : TASK_IKE_REKEY, 0);
    if (in->reauth) {
        sa->restart = true;
        sa->end_reason = R_EXPIRED;
    }
    if (t)
        waiter_add(e, &t->waiters, cmd);
    return true;
}

static err_t rekey(struct ike *e, const struct ike_in *in, struct cmd *cmd)
{
    bool child = in->child || in->child_id;
    size_t n = each_named(e, in, cmd, child ? rekey_children : rekey_sa);
    return n ? E_OK : not_found(e, in);
}

/* --- configuration --- */

static err_t load(struct ike *e, const struct ike_in *in)
{
    err_t err = conn_load(e, in->load);
    if (!err)
        ike_event(e, EV_CONN_LOADED, NULL, NULL)->conn = ike_str(e, in->load->name);
    return err;
}

static err_t unload(struct ike *e, const struct ike_in *in)
{
    if (!in->conn || !conn_unload(e, in->conn))
        return not_found(e, in);
    ike_event(e, EV_CONN_UNLOADED, NULL, NULL)->conn = ike_str(e, in->conn);
    return E_OK;
}

static err_t load_shared(struct ike *e, const struct ike_in *in)
{
    const char *name = ike_str(e, in->shared->name);
    err_t err = shared_load(e, in->shared);
    if (!err)
        ike_event(e, EV_CRED_LOADED, NULL, NULL)->text = name;
    return err;
}

/* The caller looked before whether it may: what is refused here is only logged. */
static err_t pool_change(struct ike *e, const struct ike_in *in)
{
    bool load = in->kind == IN_POOL_LOAD;
    const char *name = ike_str(e, load ? in->pool->name : in->pool_name);
    err_t err = load ? pool_load(e, in->pool) : pool_unload(e, in->pool_name);
    if (err > 0) {
        struct refusal r = {
            .reason = err, .what = "pool", .ours = name, .text = "leases of it are online"};
        if (err == R_NOT_FOUND)
            r.text = NULL;
        ike_refused(e, NULL, &r);
    }
    return err;
}

/* --- shutdown --- */

#define SHUTDOWN_WAIT_MS 1000

static err_t shut_down(struct ike *e, struct cmd *cmd)
{
    if (cmd)
        cmd->refs++;
    if (e->shutdown)
        cmd_unref(e, e->shutdown);
    e->shutdown = cmd;
    e->stopping = true;
    linger_flush(e);
    halves_drop(e, R_SHUTDOWN);
    e->shutdown_ms = e->now + SHUTDOWN_WAIT_MS;
    list_each_safe (it, nx, &e->sas) {
        struct ike_sa *sa = container_of(it, struct ike_sa, all);
        if (sa->state == SA_CONNECTING) {
            sa_drop(e, sa, R_SHUTDOWN);
            continue;
        }
        sa->end_reason = R_SHUTDOWN;
        task_add(e, sa, TASK_IKE_DEL, 0);
    }
    return E_OK;
}

/* At the end of each step: all gone, or waited long enough? */
void ike_shutdown_check(struct ike *e)
{
    if (!e->stopping)
        return;
    if (e->now >= e->shutdown_ms) {
        list_each_safe (it, nx, &e->sas)
            sa_drop(e, container_of(it, struct ike_sa, all), R_SHUTDOWN);
    }
    if (!list_empty(&e->sas) || !e->shutdown)
        return;
    cmd_unref(e, e->shutdown);
    e->shutdown = NULL;
}

static err_t dispatch(struct ike *e, const struct ike_in *in, struct cmd *cmd)
{
    switch (in->kind) {
    case IN_ACQUIRE:
        return acquire(e, in);
    case IN_INITIATE:
        return initiate(e, in, cmd);
    case IN_TERMINATE:
        return terminate(e, in, cmd);
    case IN_REKEY:
        return rekey(e, in, cmd);
    case IN_CONN_LOAD:
        return load(e, in);
    case IN_CONN_UNLOAD:
        return unload(e, in);
    case IN_SHARED_LOAD:
        return load_shared(e, in);
    case IN_SHARED_UNLOAD:
        return in->shared_name && shared_unload(e, in->shared_name) ? E_OK : not_found(e, in);
    case IN_CREDS_CLEAR:
        shared_clear(e);
        return E_OK;
    case IN_PKI:
        pki_unref(e->pki);
        e->pki = in->pki ? pki_ref(in->pki) : NULL;
        return E_OK;
    case IN_POOL_LOAD:
    case IN_POOL_UNLOAD:
        return pool_change(e, in);
    case IN_SHUTDOWN:
        return shut_down(e, cmd);
    default:
        return E_USAGE;
    }
}

void ike_command(struct ike *e, const struct ike_in *in)
{
    struct cmd *cmd = cmd_new(e, in->cmd);
    err_t err = dispatch(e, in, cmd);
    if (err < 0)
        ike_fail(e, err);
    if (cmd)
        cmd_failed(e, cmd, err);
    cmd_unref(e, cmd);
}
