/* The queue of exchanges of an IKE SA: one request under way at a time (RFC 7296 2.3). */
#include "ike/engine.h"
#include <stdlib.h>

const char *task_name(enum task_kind k)
{
    static const char *const names[] = {
        [TASK_CHILD_NEW] = "CHILD_CREATE", [TASK_CHILD_REKEY] = "CHILD_REKEY",
        [TASK_CHILD_DEL] = "CHILD_DELETE", [TASK_IKE_REKEY] = "IKE_REKEY",
        [TASK_IKE_DEL] = "IKE_DELETE",     [TASK_LIVENESS] = "IKE_DPD",
    };
    return names[k];
}

struct task *task_find(const struct ike_sa *sa, enum task_kind kind, uint32_t child_id)
{
    list_each (it, (struct list *)&sa->tasks) {
        struct task *t = container_of(it, struct task, link);
        if (t->kind == kind && t->child_id == child_id)
            return t;
    }
    return NULL;
}

bool task_is(const struct task *t, enum task_kind kind)
{
    return t && t->kind == kind;
}

struct task *task_find_config(const struct ike_sa *sa, const char *child)
{
    if (task_is(sa->active, TASK_CHILD_NEW) && !sa->active->cpu &&
        strcmp(sa->active->cc->name, child) == 0)
        return sa->active;
    list_each (it, (struct list *)&sa->tasks) {
        struct task *t = container_of(it, struct task, link);
        if (t->kind == TASK_CHILD_NEW && !t->cpu && strcmp(t->cc->name, child) == 0)
            return t;
    }
    return NULL;
}

struct task *task_first_child(const struct ike_sa *sa)
{
    list_each (it, (struct list *)&sa->tasks) {
        struct task *t = container_of(it, struct task, link);
        if (t->kind == TASK_CHILD_NEW)
            return t;
    }
    return NULL;
}

static struct task *task_new(struct ike *e, struct ike_sa *sa, enum task_kind kind)
{
    struct task *t = calloc(1, sizeof *t);
    if (!t) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    t->kind = kind;
    /* the end of an SA does not wait for its other plans */
    if (kind == TASK_IKE_DEL)
        list_add_tail(sa->tasks.next, &t->link);
    else
        list_add_tail(&sa->tasks, &t->link);
    sa_dirty(e, sa);
    return t;
}

/* The same plan twice is one plan. */
struct task *task_add(struct ike *e, struct ike_sa *sa, enum task_kind kind, uint32_t child_id)
{
    if (task_is(sa->active, kind) && sa->active->child_id == child_id)
        return sa->active;
    struct task *t = task_find(sa, kind, child_id);
    if (t)
        return t;
    t = task_new(e, sa, kind);
    if (t)
        t->child_id = child_id;
    return t;
}

struct task *task_child_new(struct ike *e, struct ike_sa *sa, struct conn *c,
                            const struct conn_child *cc)
{
    struct task *t = task_new(e, sa, TASK_CHILD_NEW);
    if (t) {
        t->conn = conn_ref(c);
        t->cc = cc;
    }
    return t;
}

struct task *task_next(const struct ike *e, const struct ike_sa *sa)
{
    list_each (it, (struct list *)&sa->tasks) {
        struct task *t = container_of(it, struct task, link);
        if (t->not_before <= e->now)
            return t;
    }
    return NULL;
}

void task_take(struct task *t)
{
    list_del(&t->link);
}

static void acquire_failed(struct ike *e, struct ike_sa *sa, const struct task *t, err_t reason)
{
    holdoff_failed(e, conn_entry_find(e, t->conn->name), t->cc->name);
    struct ike_act *a = ike_act_add(e, ACT_ACQUIRE_FAILED);
    a->reason = reason;
    a->event.reason = reason;
    a->event.conn = ike_str(e, t->conn->name);
    a->event.child = ike_str(e, t->cc->name);
    a->event.ike_id = sa ? sa->id : 0;
    a->event.number = t->cc->policy_id[0];
}

void task_done(struct ike *e, struct ike_sa *sa, struct task *t, err_t reason)
{
    list_del(&t->link);
    if (reason && t->kind == TASK_CHILD_NEW) {
        struct event *ev = ike_event(e, EV_CHILD_FAILED, sa, NULL);
        ev->child = ike_str(e, t->cc->name);
        ev->reason = reason;
        acquire_failed(e, sa, t, reason);
    }
    if (reason && sa)
        ike_evidence_of(e, sa, reason);
    waiters_done(e, &t->waiters, reason);
    if (t->conn)
        conn_unref(t->conn);
    free(t);
}

void tasks_fail(struct ike *e, struct ike_sa *sa, err_t reason)
{
    struct task *active = sa->active;
    sa->active = NULL;
    if (active)
        task_done(e, sa, active, reason);
    while (!list_empty(&sa->tasks))
        task_done(e, sa, container_of(sa->tasks.next, struct task, link), reason);
}

/* Plans for a rekeyed or restarted IKE SA go on with its successor. */
void tasks_move(struct ike *e, struct ike_sa *from, struct ike_sa *to)
{
    list_each_safe (it, nx, &from->tasks) {
        struct task *t = container_of(it, struct task, link);
        if (t->kind == TASK_IKE_REKEY || t->kind == TASK_LIVENESS) {
            task_done(e, from, t, E_OK);
            continue;
        }
        list_del(&t->link);
        list_add_tail(&to->tasks, &t->link);
    }
    sa_dirty(e, to);
}
