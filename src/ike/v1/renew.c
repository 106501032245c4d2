/*
 * IKEv1 does not rekey an ISAKMP SA: a new phase 1 takes over the children, then the old SA is
 * deleted (RFC 2408 5.15, RFC 2409 9). Also what else happens to older SAs of the same peer: unique
 * and INITIAL-CONTACT.
 */
#include "ike/v1/v1.h"

struct ike_sa *v1_other(struct ike *e, const struct ike_sa *sa)
{
    struct ike_sa *best = NULL;
    for (struct ike_sa *o = NULL; (o = sa_peer_next(e, sa, o));)
        if (o->ver == sa->ver && o->state == SA_ESTABLISHED && o->conn && sa->conn &&
            !strcmp(o->conn->name, sa->conn->name) && (!best || o->id > best->id))
            best = o;
    return best;
}

/* Children and plans go on with another SA, but not the plan to delete the one that was replaced.
 */
void v1_hand_over(struct ike *e, struct ike_sa *from, struct ike_sa *to)
{
    struct task *t = from->end_reason == R_REPLACED ? task_find(from, TASK_IKE_DEL, 0) : NULL;
    if (t)
        task_done(e, from, t, E_OK);
    child_move_all(e, from, to);
    tasks_move(e, from, to);
}

/* Only travellers themselves can log in and ask for their address again. */
bool v1_may_renew(const struct v1_sa *v)
{
    const struct conn *c = v->sa.conn;
    return v->sa.initiator || !(c->xauth_local || c->xauth_remote || c->pool_count);
}

void v1_renew(struct ike *e, struct v1_sa *v, struct task *t)
{
    struct ike_sa *other = v1_other(e, &v->sa), *next;
    v->sa.active = NULL;
    if (!v1_may_renew(v)) {
        task_done(e, &v->sa, t, E_OK);
        return;
    }
    if (other && other->id > v->sa.id) { /* both sides renewed: one newer SA is enough */
        task_done(e, &v->sa, t, E_OK);
        child_move_all(e, &v->sa, other);
        v->sa.end_reason = R_REPLACED;
        task_add(e, &v->sa, TASK_IKE_DEL, 0);
        return;
    }
    next = ike_again(e, &v->sa);
    if (!next) {
        task_done(e, &v->sa, t, R_TOO_MANY);
        return;
    }
    v1_of(next)->replaces = v->sa.id;
    v->successor = next->id;
    waiters_move(&next->up, &t->waiters);
    task_done(e, &v->sa, t, E_OK);
    next->ver->start(e, next);
}

#define SETTLE_MS 2000  /* before a Delete: our last message, or quick modes, are under way */
#define ADOPT_MS  10000 /* the peer that renewed may delete the old SA itself, or leave it to us */

/* The peer may still wait for our last word of XAUTH or Mode Config, and asks again. */
static bool travels(const struct v1_sa *v)
{
    return v->sa.conn->xauth_local || v->sa.conn->vip_count;
}

/* Children and plans go to the new SA; the old one says goodbye. */
static void take_over(struct ike *e, struct v1_sa *v, struct ike_sa *old, bool ours)
{
    v1_hand_over(e, old, &v->sa);
    struct event *ev = ike_event(e, EV_IKE_REKEYED, &v->sa, NULL);
    ev->number = old->id;
    old->told = true;
    old->end_reason = R_REPLACED;
    old->rekey_ms = old->over_ms = UINT64_MAX;
    struct task *t = task_add(e, old, TASK_IKE_DEL, 0);
    if (t && t != old->active)
        t->not_before = e->now + (ours && !travels(v) ? SETTLE_MS : ADOPT_MS);
}

static bool same_host(const struct ike_sa *a, const struct ike_sa *b)
{
    return addr_eq(&a->remote.addr, &b->remote.addr) && a->ver == b->ver &&
           a->state == SA_ESTABLISHED;
}

/* unique = keep: whoever came first stays; a new phase 1 from the same host renews, and does. */
bool v1_must_keep(struct ike *e, struct v1_sa *v)
{
    struct ike_sa *o = sa_peer_next(e, &v->sa, NULL);
    if (v->sa.conn->xauth_remote && !v->xauth_ok) /* who it is shows later */
        return false;
    if (v->sa.conn->unique != UNIQUE_KEEP || !o || v->p1->initial_contact || same_host(o, &v->sa))
        return false;
    struct refusal r = {
        .reason = R_EXISTS,
        .what = "unique",
        .ours = "keep",
        .text = "an SA between these identities is up",
        .hint = ike_strf(e, "set connections.%s.unique = replace", v->sa.conn->name),
    };
    ike_refused(e, &v->sa, &r);
    return true;
}

/* Neither renews the other: both sides began before they knew of the other's. */
static bool together(const struct v1_sa *v, const struct ike_sa *o)
{
    return same_host(o, &v->sa) && o->initiator != v->sa.initiator && o->id != v->replaces &&
           o->end_reason != R_REPLACED && v->sa.created_ms <= o->established_ms;
}

static void responder(struct ike *e, struct v1_sa *v)
{
    enum unique u = v->sa.conn->unique;
    bool initial = v->p1->initial_contact && u != UNIQUE_NEVER;
    struct ike_sa *next = sa_peer_next(e, &v->sa, NULL);
    for (struct ike_sa *o; (o = next);) {
        next = sa_peer_next(e, &v->sa, o);
        if (initial) {
            sa_drop(e, o, R_REPLACED);
        } else if (together(v, o)) {
            continue;
        } else if (same_host(o, &v->sa) && o->conn && !strcmp(o->conn->name, v->sa.conn->name)) {
            take_over(e, v, o, false);
        } else if (u == UNIQUE_REPLACE) {
            o->end_reason = R_REPLACED;
            task_add(e, o, TASK_IKE_DEL, 0);
        }
    }
}

/* Both sides began at once: the SA with the lower initiator's cookie stays, which both can tell. */
static void settle(struct ike *e, struct v1_sa *v)
{
    for (struct ike_sa *o = NULL, *loser; (o = sa_peer_next(e, &v->sa, o));) {
        if (!together(v, o))
            continue;
        loser = o->spi_i < v->sa.spi_i ? &v->sa : o;
        struct ike_sa *winner = loser == o ? &v->sa : o;
        v1_hand_over(e, loser, winner);
        loser->end_reason = R_REPLACED;
        loser->rekey_ms = UINT64_MAX;
        struct task *t = loser->initiator ? task_add(e, loser, TASK_IKE_DEL, 0) : NULL;
        if (t && t != loser->active)
            t->not_before = e->now + SETTLE_MS;
        return;
    }
}

static void renewed(struct ike *e, struct v1_sa *v)
{
    struct ike_sa *old = v->replaces ? sa_by_id(e, v->replaces) : NULL;
    if (!v->sa.initiator)
        responder(e, v);
    else if (old && old->state == SA_ESTABLISHED && old->ver == v->sa.ver)
        take_over(e, v, old, true);
}

/* The SA is up; other SAs of the same peer may have to go. */
void v1_renewed(struct ike *e, struct v1_sa *v)
{
    renewed(e, v);
    settle(e, v);
}
