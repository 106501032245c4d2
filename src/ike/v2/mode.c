/*
 * Transport mode: RFC 7296 1.3.1, and through a NAT 2.23.1. It is asked for with
 * USE_TRANSPORT_MODE, and declined by leaving that out of the answer; then the SA is one of tunnel
 * mode, which an initiator that wants none deletes at once. Used wherever a CHILD SA is negotiated.
 */
#include "ike/v2/v2.h"

bool v2_mode_told(const struct v2_exch *x)
{
    struct notify n;
    return v2_notify_find(x->msg, N_USE_TRANSPORT_MODE, &n);
}

void v2_mode_put(struct v2_build *b, const struct v2_exch *x)
{
    if (x->cc->mode == MODE_TRANSPORT)
        v2_put_notify(b, N_USE_TRANSPORT_MODE, bytes_of(NULL, 0));
}

/* The peer's selectors as seen from here; what they said is where checksums were made. */
void v2_mode_as_seen(const struct v2_sa *v, struct v2_exch *x, struct ts_list *local,
                     struct ts_list *remote)
{
    const struct ike_sa *sa = &v->sa;
    if (!sa_udp(sa) || !local->count || !remote->count)
        return;
    x->oa_local = local->ts[0].lo;
    x->oa_remote = remote->ts[0].lo;
    if (sa->nat_local)
        mode_replace_host(local, &sa->local.addr);
    if (sa->nat_remote)
        mode_replace_host(remote, &sa->remote.addr);
}

/* For the initiator, when the answer is here. */
err_t v2_mode_accept(struct ike *e, const struct v2_exch *x, struct refusal *r)
{
    bool told = v2_mode_told(x);
    if (told == (x->cc->mode == MODE_TRANSPORT))
        return E_OK;
    mode_differs(e, x->conn, x->cc, told ? MODE_TRANSPORT : MODE_TUNNEL, r);
    r->clause = "RFC 7296 1.3.1";
    return r->reason;
}

/* What the peer has installed already and we do not want. */
void v2_child_unwanted(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    x->unwanted = true;
    struct child *c = v2_child_install(e, v, x, DIR_IN);
    if (!c)
        return;
    c->redundant = true;
    task_add(e, &v->sa, TASK_CHILD_DEL, c->id);
}
