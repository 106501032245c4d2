/* The rare turns of inbound packets: see rx.h. */
#include "dataplane/rx.h"
#include "dataplane/frags.h"

/* Memory is asked for once in an SA's life, and done without when there is none. */
static struct lateness *late_of(struct dp *d, struct sa_in *sa)
{
    if (!sa->late && (sa->late = pool_get(&d->late)))
        *sa->late = (struct lateness){0};
    return sa->late;
}

void rx_behind(struct dp *d, struct sa_in *sa, uint64_t behind)
{
    if (late_of(d, sa))
        lateness_add(sa->late, behind);
}

err_t rx_refuse(struct dp *d, struct sa_in *sa, uint64_t seq)
{
    if (!replay_is_late(&sa->replay, seq))
        return R_DP_REPLAY;
    if (late_of(d, sa)) {
        lateness_add(sa->late, sa->replay.top - seq);
        sa->late->dropped++;
    }
    return R_DP_LATE;
}

void rx_tell_moved(struct dp *d, struct sa_in *sa, const struct dp_pkt *p)
{
    struct dp_note n = {.kind = NOTE_MOVED,
                        .child_id = sa->child_id,
                        .policy_id = sa->child->policy,
                        .local = p->local,
                        .remote = p->remote};
    if (!endpoint_eq(&sa->noted, &p->remote) && notes_put(&d->notes, &n))
        sa->noted = p->remote;
}

void rx_tell_first(struct dp *d, struct sa_in *sa)
{
    struct dp_note n = {
        .kind = NOTE_FIRST_IN, .child_id = sa->child_id, .policy_id = sa->child->policy};
    sa->announce = !notes_put(&d->notes, &n);
}

void rx_drop(struct dp *d, struct child *c, struct dp_pkt *p, err_t reason)
{
    if (reason != FRAGS_HELD) {
        sa_pkt_drop(d, c, p, reason);
        return;
    }
    p->verdict = DP_HELD;
    p->reason = E_OK;
}

/* RFC 4301 5.2 step 4 */
static err_t match(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, const uint8_t *inner,
                   struct ip_info *ip)
{
    if (ip->frag && sa->names_ports)
        return frags_in(d, sa, p, inner, ip);
    return sel_set_match_received(&sa->child->sel, &ip->flow) ? E_OK : R_DP_SELECTOR;
}

err_t rx_inner_parse(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, const uint8_t *inner,
                     uint32_t payload, uint8_t next, uint32_t *len)
{
    struct ip_info ip;
    err_t e = ip_parse(inner, payload, &ip);
    if (e)
        return R_DP_INNER;
    if (flow_family(&ip.flow) != (next == NEXT_IPV4 ? 4 : 6))
        return R_DP_INNER;
    e = match(d, sa, p, inner, &ip);
    *len = ip.len;
    return e;
}
