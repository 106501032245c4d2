/*
 * Dead peer detection: RFC 3706. R-U-THERE with a sequence number that the answer returns; asked
 * again in fresh messages until an answer comes or the time is over. Only between peers that both
 * sent the vendor id (5.1).
 */
#include "ike/v1/v1.h"

static void ask(struct ike *e, struct v1_sa *v)
{
    uint8_t seq[4];
    put_u32(seq, v->dpd_out);
    v1_inform(e, v, PROTO1_ISAKMP, N1_R_U_THERE, bytes_of(NULL, 0), bytes_of(seq, sizeof seq));
    v->dpd_at = e->now + v->dpd_ms;
    v->dpd_ms = v->dpd_ms * e->set.retransmit_base_pct / 100;
    sa_dirty(e, &v->sa);
}

static void end(struct ike *e, struct v1_sa *v, err_t reason)
{
    struct task *t = v->sa.active;
    v->dpd_at = 0;
    if (!task_is(t, TASK_LIVENESS))
        return;
    v->sa.active = NULL;
    task_done(e, &v->sa, t, reason);
}

void v1_dpd_start(struct ike *e, struct v1_sa *v)
{
    if (!v->peer_dpd) { /* it cannot be asked */
        v->sa.seen_ms = e->now;
        end(e, v, E_OK);
        return;
    }
    /* 6.2: the first number is random, with its highest bit clear */
    v->dpd_out = v->dpd_out ? v->dpd_out + 1 : (uint32_t)ike_random_u64(e) >> 1;
    v->dpd_since = e->now;
    v->dpd_ms = e->set.retransmit_timeout_ms;
    ask(e, v);
}

/* dpd_timeout, or what retransmissions would take. */
static uint64_t patience_ms(const struct ike *e, const struct v1_sa *v)
{
    uint64_t ms = e->set.retransmit_timeout_ms, all = 0;
    if (v->sa.conn->dpd_timeout_s)
        return v->sa.conn->dpd_timeout_s * 1000;
    for (uint32_t i = 0; i <= e->set.retransmit_tries; i++) {
        all += ms;
        ms = ms * e->set.retransmit_base_pct / 100;
    }
    return all;
}

static void died(struct ike *e, struct v1_sa *v)
{
    char to[ENDPOINT_STR_MAX];
    endpoint_str(&v->sa.remote, to);
    struct event *ev = ike_event(e, EV_DPD, &v->sa, NULL);
    ev->reason = R_PEER_DEAD;
    ev->text = "no answer to R-U-THERE";
    ev->theirs = ike_strf(e, "nothing from %s for %llu s", to,
                          (unsigned long long)(e->now - v->sa.seen_ms) / 1000);
    ev->hint = "check that the peer still runs and that its address did not change";
    ev->clause = "RFC 3706 5.5";
    e->evidence = ev;
    sa_drop(e, &v->sa, R_PEER_DEAD);
}

/* Anything authentic that came meanwhile proves life (5.4); traffic of the children too. */
static bool heard(const struct ike *e, const struct v1_sa *v)
{
    uint64_t last = v->sa.seen_ms;
    list_each (it, (struct list *)&v->sa.children) {
        struct child_stats st;
        if (child_stats_get(e, container_of(it, struct child, link), &st) && st.in.last_ms > last)
            last = st.in.last_ms;
    }
    return last > v->dpd_since;
}

void v1_dpd_tick(struct ike *e, struct v1_sa *v)
{
    if (!v->dpd_at || v->dpd_at > e->now)
        return;
    if (heard(e, v))
        end(e, v, E_OK);
    else if (e->now >= v->dpd_since + patience_ms(e, v))
        died(e, v);
    else
        ask(e, v);
}

void v1_dpd_in(struct ike *e, struct v1_sa *v, const struct notify_v1 *n)
{
    if (n->data.n != 4)
        return;
    uint32_t seq = get_u32(n->data.p);
    if (n->type == N1_R_U_THERE_ACK) {
        if (v->dpd_at && seq == v->dpd_out)
            end(e, v, E_OK);
        return;
    }
    if (v->dpd_in_set && (int32_t)(seq - v->dpd_in) < 0) /* 6.2: an old number is not answered */
        return;
    v->dpd_in = seq;
    v->dpd_in_set = true;
    v1_inform(e, v, PROTO1_ISAKMP, N1_R_U_THERE_ACK, bytes_of(NULL, 0), n->data);
}
