/* Liveness: RFC 7296 2.4. An empty INFORMATIONAL that a living peer answers. */
#include "ike/v2/v2.h"

void v2_liveness_start(struct ike *e, struct v2_sa *v)
{
    struct v2_build b;
    v->req = v2_exch_new(e, true);
    if (v->req && v2_build_begin(e, v, &b, EXCH_INFORMATIONAL, false, v->win.next_out))
        v2_request(e, v, &b);
}

/* 2.4: an SA whose peer answers nothing is dead, with all its children. */
void v2_timeout(struct ike *e, struct ike_sa *sa)
{
    struct v2_sa *v = v2_of(sa);
    struct event *ev;
    if (sa->state == SA_CONNECTING) {
        struct refusal r = {.reason = R_PEER_TIMEOUT,
                            .what = "remote_addrs",
                            .hint = "check that the peer is up and that UDP 500 and 4500 reach it",
                            .clause = "RFC 7296 2.4"};
        ike_peer_refused(e, sa, &r);
        v2_lost(e, v, R_PEER_TIMEOUT);
        return;
    }
    if (sa->state == SA_DELETING || sa->state == SA_REKEYED) {
        sa_drop(e, sa, sa->end_reason ? sa->end_reason : R_PEER_TIMEOUT);
        return;
    }
    ev = ike_event(e, EV_DPD, sa, NULL);
    ev->reason = R_PEER_DEAD;
    ev->text = "no answer to any of the retransmissions";
    sa_drop(e, sa, R_PEER_DEAD);
}
