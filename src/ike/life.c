/*
 * What time brings to an SA of either version: limits of its states, rekeying before the lifetime
 * ends (RFC 7296 2.8), liveness checks (2.4) and NAT keepalives (RFC 3948 4).
 */
#include "ike/child.h"
#include "ike/engine.h"
#include <stdlib.h>

#define EXPIRED_RETRY_MS 60000

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool idle(const struct ike_sa *sa)
{
    return !sa->rtx && !sa->active && list_empty(&sa->tasks);
}

static uint64_t liveness_at(const struct ike_sa *sa)
{
    if (sa->state != SA_ESTABLISHED || !sa->conn->dpd_delay_s || !idle(sa))
        return UINT64_MAX;
    return sa->seen_ms + sa->conn->dpd_delay_s * 1000;
}

static uint64_t keepalive_at(const struct ike *e, const struct ike_sa *sa)
{
    if (sa->state != SA_ESTABLISHED || !sa->nat_local || !sa->natt || !e->set.keepalive_ms)
        return UINT64_MAX;
    return sa->sent_ms + e->set.keepalive_ms;
}

static uint64_t tasks_at(const struct ike_sa *sa)
{
    uint64_t at = UINT64_MAX;
    if (sa->active || sa->state == SA_CONNECTING)
        return at;
    list_each (it, (struct list *)&sa->tasks)
        at = earlier(at, container_of(it, struct task, link)->not_before);
    return at;
}

static uint64_t children_at(const struct ike_sa *sa)
{
    uint64_t at = UINT64_MAX;
    list_each (it, (struct list *)&sa->children) {
        struct child *c = container_of(it, struct child, link);
        if (c->state == CHILD_INSTALLED)
            at = earlier(at, earlier(c->rekey_ms, c->idle_ms));
        at = earlier(at, c->life_ms);
    }
    return at;
}

uint64_t life_deadline(const struct ike *e, const struct ike_sa *sa)
{
    uint64_t at = earlier(sa->die_ms, retransmit_at(sa));
    at = earlier(at, tasks_at(sa));
    if (sa->state == SA_ESTABLISHED) {
        at = earlier(at, earlier(sa->rekey_ms, sa->reauth_ms));
        at = earlier(at, earlier(sa->over_ms, liveness_at(sa)));
        at = earlier(at, keepalive_at(e, sa));
    }
    return earlier(at, children_at(sa));
}

/* Traffic in the data plane counts as a sign of life and keeps NAT mappings open. */
static void hear_children(struct ike *e, struct ike_sa *sa)
{
    list_each (it, &sa->children) {
        struct child_stats st;
        if (!child_stats_get(e, container_of(it, struct child, link), &st))
            continue;
        if (st.in.last_ms > sa->seen_ms)
            sa->seen_ms = st.in.last_ms;
        if (st.out.last_ms > sa->sent_ms)
            sa->sent_ms = st.out.last_ms;
    }
}

static void keepalive(struct ike *e, struct ike_sa *sa)
{
    struct ike_act *a = ike_act_add(e, ACT_KEEPALIVE);
    a->local = sa->local;
    a->remote = sa->remote;
    a->natt = true;
    sa->sent_ms = e->now;
}

static void quiet(struct ike *e, struct ike_sa *sa)
{
    if (liveness_at(sa) > e->now && keepalive_at(e, sa) > e->now)
        return;
    hear_children(e, sa);
    if (keepalive_at(e, sa) <= e->now)
        keepalive(e, sa);
    if (liveness_at(sa) <= e->now) {
        ike_event(e, EV_DPD, sa, NULL);
        task_add(e, sa, TASK_LIVENESS, 0);
    }
}

/* It is gone from the data plane before the peer has heard, which takes time when it does not
 * answer; without memory for them the counters read zero. */
static void keep_use(const struct ike *e, struct child *c)
{
    struct child_stats st;
    if (c->last || !child_stats_get(e, c, &st) || !(c->last = malloc(2 * sizeof *c->last)))
        return;
    c->last[0] = st.in;
    c->last[1] = st.out;
}

void life_child_expire(struct ike *e, struct child *c, bool hard)
{
    if (hard) {
        c->rekey_ms = UINT64_MAX;
        c->life_ms = e->now + EXPIRED_RETRY_MS; /* should the Delete be lost with its IKE SA */
        keep_use(e, c);
        child_uninstall(e, c);
        task_add(e, c->sa, TASK_CHILD_DEL, c->id);
    } else if (c->state == CHILD_INSTALLED && c->rekey_soon) {
        c->rekey_ms = UINT64_MAX;
    } else if (c->state == CHILD_INSTALLED) {
        c->rekey_ms = UINT64_MAX;
        c->rekey_soon = true;
        task_add(e, c->sa, TASK_CHILD_REKEY, c->id);
    }
    sa_dirty(e, c->sa);
}

/* Nobody used it for so long; only now the data plane is asked when it was used last. */
static void inactive(struct ike *e, struct child *c)
{
    struct child_stats st;
    uint64_t last = 0;
    if (child_stats_get(e, c, &st))
        last = st.in.last_ms > st.out.last_ms ? st.in.last_ms : st.out.last_ms;
    c->idle_ms = last + c->cc->inactivity_s * 1000;
    if (last && c->idle_ms > e->now)
        return;
    c->idle_ms = UINT64_MAX;
    ike_event(e, EV_CHILD_INACTIVE, c->sa, c)->number = c->cc->inactivity_s;
    task_add(e, c->sa, TASK_CHILD_DEL, c->id);
}

static void children_tick(struct ike *e, struct ike_sa *sa)
{
    list_each_safe (it, nx, &sa->children) {
        struct child *c = container_of(it, struct child, link);
        if (c->life_ms <= e->now)
            life_child_expire(e, c, true);
        else if (c->state == CHILD_INSTALLED && c->rekey_ms <= e->now)
            life_child_expire(e, c, false);
        else if (c->state == CHILD_INSTALLED && c->idle_ms <= e->now)
            inactive(e, c);
    }
}

static void end_it(struct ike *e, struct ike_sa *sa, bool again)
{
    sa->restart = again;
    sa->end_reason = R_EXPIRED;
    sa->over_ms = sa->rekey_ms = sa->reauth_ms = UINT64_MAX;
    struct event *ev = ike_event(e, EV_IKE_DELETING, sa, NULL);
    ev->reason = R_EXPIRED;
    task_add(e, sa, TASK_IKE_DEL, 0);
}

static void lifetime_tick(struct ike *e, struct ike_sa *sa)
{
    if (sa->over_ms <= e->now) {
        end_it(e, sa, false);
    } else if (sa->reauth_ms <= e->now) {
        end_it(e, sa, true);
    } else if (sa->rekey_ms <= e->now) {
        sa->rekey_ms = UINT64_MAX;
        task_add(e, sa, TASK_IKE_REKEY, 0);
    }
}

/* The limit of a state: negotiation not finished, Delete not answered, nothing left to repeat. */
static void state_over(struct ike *e, struct ike_sa *sa)
{
    sa->die_ms = UINT64_MAX;
    if (sa->state == SA_REKEYED)
        task_add(e, sa, TASK_IKE_DEL, 0);
    else
        sa_drop(e, sa, sa->state == SA_CONNECTING ? R_PEER_TIMEOUT : R_EXPIRED);
}

void life_tick(struct ike *e, struct ike_sa *sa)
{
    sa_dirty(e, sa);
    if (sa->die_ms <= e->now)
        state_over(e, sa);
    if (!sa->dead)
        retransmit_tick(e, sa);
    if (sa->dead || sa->state == SA_GONE)
        return;
    children_tick(e, sa);
    if (sa->state != SA_ESTABLISHED)
        return;
    lifetime_tick(e, sa);
    quiet(e, sa);
}
