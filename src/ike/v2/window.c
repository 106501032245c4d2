/*
 * Message ids: RFC 7296 2.1 to 2.3. One request under way in each direction; an answer is kept
 * until the next request comes, so that a retransmitted request gets the very same bytes.
 */
#include "ike/v2/v2.h"

#define FORGET_MS 180000 /* 2.1: a responder may forget an answer after several minutes */

enum v2_verdict v2_window_request(const struct v2_window *w, uint32_t id)
{
    if (id == w->next_in)
        return V2_NEW;
    /* ids never wrap: an SA is rekeyed long before (2.2) */
    return w->next_in && id == w->next_in - 1 ? V2_AGAIN : V2_OLD;
}

void v2_window_take(struct ike *e, struct v2_window *w, uint32_t id)
{
    w->next_in = id + 1;
    v2_window_forget(e, w);
}

void v2_window_forget(struct ike *e, struct v2_window *w)
{
    if (w->resp)
        slab_put(&e->slab, w->resp, sizeof *w->resp + w->resp->n);
    w->resp = NULL;
}

bool v2_window_response(const struct ike_sa *sa, uint32_t id)
{
    return retransmit_at(sa) != UINT64_MAX && sa->rtx->id == id;
}

bool v2_idle(const struct v2_sa *v)
{
    return !v->req && retransmit_at(&v->sa) == UINT64_MAX;
}

void v2_respond(struct ike *e, struct v2_sa *v, struct v2_build *b)
{
    struct bytes m;
    if (!v2_build_end(e, v, b, &m))
        return;
    struct v2_answer *a = slab_get(&e->slab, sizeof *a + m.n);
    v2_window_forget(e, &v->win);
    v->win.resp = a;
    if (!a) {
        ike_fail(e, E_NOMEM);
        return;
    }
    *a = (struct v2_answer){.forget_at = e->now + FORGET_MS, .n = m.n};
    memcpy(a->msg, m.p, m.n);
    ike_send(e, &v->sa, m);
}

void v2_request(struct ike *e, struct v2_sa *v, struct v2_build *b)
{
    struct bytes m;
    if (v2_build_end(e, v, b, &m))
        retransmit_start(e, &v->sa, v->win.next_out++, m);
}
