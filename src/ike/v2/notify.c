/*
 * Refusals: ours become an error notify to the peer and an event that names the parameter, both
 * values and the key to change; the peer's become an event that says what we had offered.
 * RFC 7296 2.21, 3.10.1.
 */
#include "ike/v2/v2.h"
#include "model/proposal.h"

void v2_respond_notify(struct ike *e, struct v2_sa *v, uint16_t type, struct bytes data)
{
    struct v2_build b;
    struct v2_exch *x = v->rsp;
    if (!v2_build_begin(e, v, &b, x->msg->hdr.exchange, true, x->msg->hdr.msg_id))
        return;
    v2_put_notify(&b, type, data);
    v2_respond(e, v, &b);
}

void v2_refuse(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct refusal *r)
{
    uint8_t group[2];
    struct bytes data = {0};
    if (r->reason == R_INVALID_KE) {
        put_u16(group, x->method);
        data = bytes_of(group, 2);
    }
    /* asking for another group is a step of the negotiation, not its end: 1.3 */
    if (r->reason != R_INVALID_KE)
        ike_refused(e, &v->sa, r);
    v2_respond_notify(e, v, err_notify2(r->reason), data);
    v2_rsp_end(e, v);
}

err_t v2_reason_of(uint16_t notify)
{
    switch (notify) {
    case N_NO_PROPOSAL_CHOSEN:
        return R_PEER_NO_PROPOSAL;
    case N_AUTHENTICATION_FAILED:
        return R_PEER_AUTH_FAILED;
    case N_TS_UNACCEPTABLE:
    case N_SINGLE_PAIR_REQUIRED:
        return R_PEER_TS_UNACCEPTABLE;
    case N_INVALID_SYNTAX:
        return R_PEER_INVALID_SYNTAX;
    case N_INVALID_KE_PAYLOAD:
        return R_PEER_INVALID_KE;
    case N_TEMPORARY_FAILURE:
        return R_TEMPORARY;
    case N_NO_ADDITIONAL_SAS:
        return R_NO_ADDITIONAL_SAS;
    case N_TS_MAX_QUEUE:
        return R_TS_MAX_QUEUE;
    case N_CHILD_SA_NOT_FOUND:
        return R_CHILD_SPI;
    default:
        return R_PEER_REFUSED;
    }
}

void v2_peer_refusal(struct ike *e, const struct ike_sa *sa, const struct notify *n,
                     struct refusal *r)
{
    const char *conn = sa->conn ? sa->conn->name : "?";
    *r = (struct refusal){.reason = v2_reason_of(n->type), .clause = "RFC 7296 2.21"};
    r->text = ike_strf(e, "%s (%u)", notify_name(n->type), n->type);
    if (r->reason == (err_t)R_PEER_AUTH_FAILED && sa->conn &&
        sa->conn->auth_local.kind == AUTH_PUBKEY) {
        r->what = "certificate or id";
        r->clause = "RFC 7296 2.21.2";
        r->theirs = "(the peer does not tell; see its log)";
        r->hint = ike_strf(e,
                           "check in this order: the peer trusts the authority of our certificate "
                           "and finds it valid; the certificate names connections.%s.local.id, "
                           "which is the peer's remote.id; connections.%s.remote.id is the peer's "
                           "local.id; the peer's remote.auth is pubkey, and its hash constraints "
                           "allow our signature; it has a connection for our address",
                           conn, conn);
    } else if (r->reason == (err_t)R_PEER_AUTH_FAILED) {
        r->what = "secret or id";
        r->clause = "RFC 7296 2.21.2";
        r->theirs = "(the peer does not tell; see its log)";
        r->hint = ike_strf(e,
                           "check in this order: secrets.ike-*.secret is the same on both sides; "
                           "connections.%s.local.id is the peer's remote.id; "
                           "connections.%s.remote.id is the peer's local.id; auth = psk in local "
                           "and remote on both sides; the peer has a connection for our address",
                           conn, conn);
    }
}

/* The two sides of the transform type in which the nearest proposals differ, with the key to set.
 */
void v2_proposal_refusal(struct ike *e, struct refusal *r, const char *key,
                         struct proposal_mismatch *why, const struct proposals *ours,
                         const struct proposals *theirs)
{
    struct buf b = {0};
    r->reason = R_NO_PROPOSAL;
    r->what = why->type ? transform_type_name((enum transform_type)why->type) : "protocol";
    r->ours = ike_str_buf(e, &why->ours);
    r->theirs = ike_str_buf(e, &why->theirs);
    r->clause = "RFC 7296 2.7";
    proposals_print(theirs, &b);
    const char *all = ike_str_buf(e, &b);
    proposals_print(ours, &b);
    r->text = ike_strf(e, "we have %s; the peer offers %s", buf_str(&b), all);
    buf_free(&b);
    if (theirs->count) {
        proposal_print(&theirs->p[0], &b);
        r->hint = ike_strf(e, "set %s = %s on this side, or ours on the other", key, buf_str(&b));
        buf_free(&b);
    }
}
