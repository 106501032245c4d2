/* Liveness: RFC 7296 2.4. An empty INFORMATIONAL that a living peer answers. */
#include "ike/v2/v2.h"

void v2_liveness_start(struct ike *e, struct v2_sa *v)
{
    struct v2_build b;
    v->req = v2_exch_new(e, true);
    if (v->req && v2_build_begin(e, v, &b, EXCH_INFORMATIONAL, false, v->win.next_out))
        v2_request(e, v, &b);
}

/* How far the negotiation came tells where to look. */
static void silent(struct ike *e, struct v2_sa *v)
{
    char to[ENDPOINT_STR_MAX];
    struct ike_sa *sa = &v->sa;
    bool auth = v->state == V2_AUTH_SENT;
    const char *conn = sa->conn ? sa->conn->name : "?";
    endpoint_str(&sa->remote, to);
    struct refusal r = {
        .reason = R_PEER_TIMEOUT,
        .what = auth ? "IKE_AUTH" : "IKE_SA_INIT",
        .ours = ike_strf(e, "%s sent %u times to %s in %llu s", auth ? "IKE_AUTH" : "IKE_SA_INIT",
                         sa->rtx->sent, to, (unsigned long long)(e->now - sa->created_ms) / 1000),
        .theirs = auth ? "IKE_SA_INIT answered, IKE_AUTH not" : "no answer at all",
        .clause = "RFC 7296 2.4",
    };
    if (auth)
        r.hint = ike_strf(e,
                          "the peer runs and UDP %u reaches it, so check that UDP 4500 and IP "
                          "fragments pass both ways%s",
                          e->set.port,
                          sa->nat_local || sa->nat_remote ? " (there is a NAT on the way)" : "");
    else
        r.hint = ike_strf(e,
                          "check that an IKE daemon runs there, that UDP 500 and 4500 pass "
                          "firewalls both ways, and connections.%s.remote_addrs",
                          conn);
    ike_peer_refused(e, sa, &r);
}

/* No answer to a request of an established SA. */
static void died(struct ike *e, struct ike_sa *sa)
{
    char to[ENDPOINT_STR_MAX];
    endpoint_str(&sa->remote, to);
    struct event *ev = ike_event(e, EV_DPD, sa, NULL);
    ev->reason = R_PEER_DEAD;
    ev->text = "no answer to any of the retransmissions";
    ev->theirs = ike_strf(e, "nothing from %s for %llu s", to,
                          (unsigned long long)(e->now - sa->seen_ms) / 1000);
    ev->hint = "check that the peer still runs and that its address did not change";
    ev->clause = "RFC 7296 2.4";
    e->evidence = ev;
}

/* 2.4: an SA whose peer answers nothing is dead, with all its children. */
void v2_timeout(struct ike *e, struct ike_sa *sa)
{
    struct v2_sa *v = v2_of(sa);
    if (sa->state == SA_CONNECTING) {
        silent(e, v);
        v2_lost(e, v, R_PEER_TIMEOUT);
        return;
    }
    if (sa->state == SA_DELETING || sa->state == SA_REKEYED) {
        sa_drop(e, sa, sa->end_reason ? sa->end_reason : R_PEER_TIMEOUT);
        return;
    }
    died(e, sa);
    sa_drop(e, sa, R_PEER_DEAD);
}
