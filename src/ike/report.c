/*
 * Events: filled from what an SA knows and handed out as ACT_EVENT. A refusal names the parameter,
 * our value, the peer's and the key of swanctl.conf to change.
 */
#include "ike/engine.h"
#include <stdlib.h>

static void fill_sa(struct ike *e, struct event *ev, const struct ike_sa *sa)
{
    ev->conn = sa->conn ? ike_str(e, sa->conn->name) : NULL;
    ev->ike_id = sa->id;
    ev->ike_spi_i = sa->spi_i;
    ev->ike_spi_r = sa->spi_r;
    ev->local = sa->local;
    ev->remote = sa->remote;
}

static void fill_child(struct ike *e, struct event *ev, const struct child *c)
{
    if (!ev->conn)
        ev->conn = ike_str(e, c->conn->name);
    ev->child = ike_str(e, c->cc->name);
    ev->child_id = c->id;
    ev->spi_in = c->spi_in;
    ev->spi_out = c->spi_out;
}

bool ike_heard(const struct ike *e, enum event_kind kind)
{
    return !e->env.hears || e->env.hears(e->env.ctx, kind);
}

struct event *ike_event(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                        const struct child *c)
{
    bool made = event_level(kind) <= LEVEL_AUDIT || ike_heard(e, kind);
    struct event *ev = made ? &ike_act_add(e, ACT_EVENT)->event : &e->lost.event;
    ev->kind = kind;
    if (sa)
        fill_sa(e, ev, sa);
    if (c)
        fill_child(e, ev, c);
    return ev;
}

static void keep(struct ike_sa *sa, const struct event *ev)
{
    struct evidence *why = evidence_new(ev);
    free(sa->why);
    sa->why = why;
}

void ike_evidence_of(struct ike *e, const struct ike_sa *sa, err_t reason)
{
    bool have = e->evidence && e->evidence->ike_id == sa->id && e->evidence->reason == reason;
    if (have || !sa->why || evidence_reason(sa->why) != reason)
        return;
    struct event *ev = ike_alloc(e, sizeof *ev);
    if (!ev)
        return;
    fill_sa(e, ev, sa);
    evidence_fill(e, sa->why, ev);
    e->evidence = ev;
}

static void refusal(struct ike *e, enum event_kind kind, struct ike_sa *sa, const struct refusal *r)
{
    struct event *ev = ike_event(e, kind, sa, NULL);
    ev->reason = r->reason;
    ev->what = r->what;
    ev->ours = r->ours;
    ev->theirs = r->theirs;
    ev->hint = r->hint;
    ev->clause = r->clause;
    ev->text = r->text;
    ev->child = ike_str(e, r->child);
    e->evidence = ev;
    if (sa)
        keep(sa, ev);
}

void ike_refused(struct ike *e, struct ike_sa *sa, const struct refusal *r)
{
    refusal(e, EV_REFUSED, sa, r);
}

void ike_peer_refused(struct ike *e, struct ike_sa *sa, const struct refusal *r)
{
    refusal(e, EV_PEER_REFUSED, sa, r);
}

void ike_drop(struct ike *e, const struct ike_pkt *p, err_t reason, const char *text)
{
    if (reason <= 0 || reason >= R_COUNT)
        return;
    e->stats.dropped[reason]++;
    struct event *ev = ike_event(e, EV_MSG_DROPPED, NULL, NULL);
    ev->reason = reason;
    ev->local = p->local;
    ev->remote = p->remote;
    ev->ike_spi_i = p->spi_i;
    ev->ike_spi_r = p->spi_r;
    ev->number = p->msg_id;
    ev->text = text;
}
