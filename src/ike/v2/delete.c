/*
 * Deleting: RFC 7296 1.4.1, 2.25. A CHILD SA's Delete names the SPI its sender receives on and is
 * answered with the other half of the pair; an IKE SA's Delete is answered by an empty message.
 */
#include "ike/v2/v2.h"
#include "ike/v2/delete.h"
#include "wire/del.h"

static void end(struct ike *e, struct v2_sa *v)
{
    struct task *t = v->sa.active;
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, E_OK);
    v2_req_end(e, v);
}

void v2_delete_child_start(struct ike *e, struct v2_sa *v, struct task *t)
{
    struct v2_build b;
    struct child *c = child_by_id(e, t->child_id);
    if (v2_task_follow(e, v, t, c))
        return;
    if (!c) {
        end(e, v);
        return;
    }
    v->req = v2_exch_new(e, true);
    if (!v->req || !v2_build_begin(e, v, &b, EXCH_INFORMATIONAL, false, v->win.next_out))
        return;
    v->req->old_child = c->id;
    if (c->state == CHILD_INSTALLED)
        c->state = CHILD_DELETING;
    payload_begin(&b.c, PL_DELETE);
    del_write_child(&b.w, c->proto, &c->spi_in, 1);
    payload_end(&b.c);
    v2_request(e, v, &b);
}

/* The peer is told and given time to answer; the children go with the SA. */
void v2_delete_ike_start(struct ike *e, struct v2_sa *v)
{
    struct v2_build b;
    v->req = v2_exch_new(e, true);
    if (!v->req || !v2_build_begin(e, v, &b, EXCH_INFORMATIONAL, false, v->win.next_out))
        return;
    payload_begin(&b.c, PL_DELETE);
    del_write_ike(&b.w);
    payload_end(&b.c);
    v->state = V2_DELETING;
    v->sa.state = SA_DELETING;
    v->sa.die_ms = UINT64_MAX;
    v2_request(e, v, &b);
}

/* 2.21.2: the initiator does not believe the responder, tells it why and leaves. */
void v2_auth_failed_start(struct ike *e, struct v2_sa *v, err_t reason)
{
    struct v2_build b;
    sa_fail(e, &v->sa, reason);
    v->sa.end_reason = reason;
    v->req = v2_exch_new(e, true);
    if (!v->req || !v2_build_begin(e, v, &b, EXCH_INFORMATIONAL, false, v->win.next_out))
        return;
    v2_put_notify(&b, N_AUTHENTICATION_FAILED, bytes_of(NULL, 0));
    payload_begin(&b.c, PL_DELETE);
    del_write_ike(&b.w);
    payload_end(&b.c);
    v->state = V2_DELETING;
    v->sa.state = SA_DELETING;
    v2_request(e, v, &b);
}

/* The old SA of a rekeying is gone: what replaces it sends from now on. */
static void hand_over(struct ike *e, const struct child *c)
{
    struct child *next = c->successor ? child_by_id(e, c->successor) : NULL;
    if (next && !next->redundant && next->state == CHILD_INSTALLED)
        child_dirs_add(e, next, DIR_OUT);
}

static void child_deleted(struct ike *e, struct v2_sa *v)
{
    struct child *c = child_by_id(e, v->req->old_child);
    if (c && c->sa == &v->sa) {
        hand_over(e, c);
        child_remove(e, c, child_end_reason(c));
    }
    end(e, v);
}

/* Our Delete was answered. */
void v2_delete_done(struct ike *e, struct v2_sa *v)
{
    if (v->state == V2_DELETING) {
        struct task *t = v->sa.active;
        v->sa.active = NULL;
        if (t)
            task_done(e, &v->sa, t, E_OK);
        sa_drop(e, &v->sa, v->sa.end_reason ? v->sa.end_reason : R_OPERATOR);
        return;
    }
    child_deleted(e, v);
}

static bool we_delete(const struct v2_sa *v, const struct child *c)
{
    return task_is(v->sa.active, TASK_CHILD_DEL) && v->sa.active->child_id == c->id;
}

/* Perhaps the SA that our request under way made at the peer, whose answer is still to come. */
static void note_early(struct v2_sa *v, uint32_t spi)
{
    struct v2_exch *x = v->req;
    if (x && x->cc && x->early_count < sizeof x->early / sizeof x->early[0])
        x->early[x->early_count++] = spi;
}

/* 2.25.1: closing what both are closing is answered without a Delete of our own. */
size_t v2_delete_children(struct ike *e, struct v2_sa *v, const struct del *d, uint32_t *spis,
                          size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < d->count; i++) {
        struct child *c = child_by_spi_out(&v->sa, d->proto, del_spi(d, i));
        if (!c) {
            note_early(v, del_spi(d, i));
            continue;
        }
        bool both = we_delete(v, c);
        if (!both && n < max)
            spis[n++] = c->spi_in;
        if (c->successor && child_by_id(e, c->successor))
            c->state = CHILD_REKEYED;
        hand_over(e, c);
        bool replaced = c->redundant || c->state == CHILD_REKEYED;
        child_remove(e, c, both ? child_end_reason(c) : replaced ? R_REPLACED : R_PEER_DELETED);
    }
    return n;
}

/* 2.25.2: a Delete of the IKE SA ends whatever we were at with it. */
void v2_delete_ike(struct ike *e, struct v2_sa *v, err_t reason)
{
    struct ike_sa *next = v2_bequeath(e, v);
    if (next && v->state == V2_UP) {
        struct event *ev = ike_event(e, EV_IKE_REKEYED, next, NULL);
        ev->number = v->sa.id;
        v->sa.told = true;
        reason = R_REPLACED;
    }
    sa_close(e, &v->sa, v->state == V2_REKEYED ? R_REPLACED : reason);
}
