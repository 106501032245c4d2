/*
 * Between phase 1 and quick mode: who logs in with XAUTH, then who gets a virtual address by Mode
 * Config. States as Cisco's screens name them: CONF_XAUTH, CONF_ADDR. Nothing of phase 2 happens
 * before this is over.
 */
#include "ike/v1/v1.h"
#include "ike/vip.h"

#define WAIT_MS 60000 /* for a peer that must ask first; a user may have to type */

static void wait_for(struct ike *e, struct v1_sa *v, enum v1_state state)
{
    v->state = (uint16_t)state;
    v->conf_at = e->now + WAIT_MS;
    v->sa.die_ms = UINT64_MAX;
    sa_dirty(e, &v->sa);
}

/* Phase 1 is done: its secrets are not needed any more. */
void v1_established(struct ike *e, struct v1_sa *v)
{
    const struct conn *c = v->sa.conn;
    struct ike_pkt early = v->p1->early;
    early.raw = early.raw.p ? arena_copy(&e->out->arena, early.raw) : early.raw;
    secret_free(&v->p1->psk);
    secret_free(&v->p1->shared);
    if (v1_proof_of(v, !v->sa.initiator) != V1_PROOF_OPEN) /* else XAUTH has yet to prove it */
        v1_count_half(e, v, false);
    if (c->xauth_remote) {
        wait_for(e, v, V1_XAUTH);
        v1_xauth_ask(e, v);
    } else if (c->xauth_local) {
        wait_for(e, v, V1_XAUTH);
    } else {
        v1_authenticated(e, v);
    }
    if (early.raw.p && !v->sa.dead)
        v1_packet(e, &v->sa, &early);
}

void v1_authenticated(struct ike *e, struct v1_sa *v)
{
    const struct conn *c = v->sa.conn;
    v1_count_half(e, v, false);
    if (c->vip_count) {
        wait_for(e, v, V1_CONF);
        if (c->pull)
            v1_modecfg_pull(e, v);
    } else if (c->pool_count && !c->pull) {
        wait_for(e, v, V1_CONF);
        v1_modecfg_push(e, v);
    } else if (c->pool_count && v->sa.initiator) { /* our quick mode needs the peer's address */
        wait_for(e, v, V1_CONF);
    } else {
        v1_up(e, v);
    }
}

/* The end with a refusal that was reported: the peer is told, as far as it knows of the SA. */
void v1_conf_failed(struct ike *e, struct v1_sa *v, err_t reason)
{
    retransmit_stop(&v->sa);
    v1_tell_deleted(e, v);
    v1_lost(e, v, reason);
}

/* Nobody answers, or asks. */
void v1_conf_silent(struct ike *e, struct v1_sa *v)
{
    bool xauth = v->state == V1_XAUTH;
    struct refusal r = {
        .reason = R_PEER_TIMEOUT,
        .what = xauth ? "XAUTH" : "Mode Config",
        .ours = v->sa.rtx ? "our message stays without answer" : "waiting for the peer's message",
        .theirs = "nothing",
        .hint = xauth ? "check that the peer does XAUTH with this connection"
                : v->sa.conn->vip_count
                    ? ike_strf(e,
                               "check that the peer has addresses to give; with a peer that "
                               "must be asked set connections.%s.pull = yes, with one that "
                               "tells without asking no",
                               v->sa.conn->name)
                    : "check that the peer takes addresses without asking, or set pull = yes",
        .clause = xauth ? "draft-beaulieu-ike-xauth-02 2" : "draft-dukes-ike-mode-cfg-02 2",
    };
    ike_peer_refused(e, &v->sa, &r);
}

void v1_conf_tick(struct ike *e, struct v1_sa *v)
{
    if (!v->conf_at || v->conf_at > e->now)
        return;
    v->conf_at = 0;
    if (!(v->state & (V1_XAUTH | V1_CONF)))
        return;
    v1_conf_silent(e, v);
    v1_conf_failed(e, v, R_PEER_TIMEOUT);
}
