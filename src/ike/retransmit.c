/*
 * Retransmission of the outstanding request, RFC 7296 2.1 and 2.4, with charon's numbers: the n-th
 * wait lasts timeout * base^n; after retransmit_tries the peer counts as gone.
 */
#include "ike/engine.h"
#include <stdlib.h>

bool ike_msg_set(struct ike *e, struct ike_msg *m, struct bytes b)
{
    uint8_t *p = malloc(b.n ? b.n : 1);
    if (!p) {
        ike_fail(e, E_NOMEM);
        return false;
    }
    if (b.n)
        memcpy(p, b.p, b.n);
    ike_msg_free(m);
    *m = (struct ike_msg){p, b.n};
    return true;
}

void ike_msg_free(struct ike_msg *m)
{
    free(m->p);
    *m = (struct ike_msg){0};
}

void retransmit_start(struct ike *e, struct ike_sa *sa, uint32_t id, struct bytes msg)
{
    struct retransmit *r = malloc(sizeof *r + msg.n);
    retransmit_stop(sa);
    if (!r) {
        ike_fail(e, E_NOMEM);
        return;
    }
    *r = (struct retransmit){.id = id, .sent = 1, .n = msg.n};
    r->delay_ms = e->set.retransmit_timeout_ms;
    r->at = e->now + r->delay_ms;
    memcpy(r->msg, msg.p, msg.n);
    sa->rtx = r;
    ike_send(e, sa, msg);
    sa_dirty(e, sa);
}

void retransmit_stop(struct ike_sa *sa)
{
    free(sa->rtx);
    sa->rtx = NULL;
}

uint64_t retransmit_at(const struct ike_sa *sa)
{
    return sa->rtx ? sa->rtx->at : UINT64_MAX;
}

void retransmit_tick(struct ike *e, struct ike_sa *sa)
{
    struct retransmit *r = sa->rtx;
    if (!r || r->at > e->now)
        return;
    if (r->sent > e->set.retransmit_tries) {
        r->at = UINT64_MAX;
        sa->ver->timeout(e, sa);
        if (!sa->dead)
            retransmit_stop(sa);
        return;
    }
    struct event *ev = ike_event(e, EV_MSG_RETRANSMIT, sa, NULL);
    ev->number = r->sent;
    ev->text = ike_strf(e, "%u of request with message ID %u", r->sent, r->id);
    r->sent++;
    r->delay_ms = r->delay_ms * e->set.retransmit_base_pct / 100;
    r->at = e->now + r->delay_ms;
    e->stats.retransmits++;
    ike_send(e, sa, bytes_of(r->msg, r->n));
}
