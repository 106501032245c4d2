/* The rare turns of inbound packets: see rx.h. */
#include "dataplane/rx.h"

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
    if (!replay_is_late(&sa->replay, seq)) {
        sa->duplicate++;
        return R_DP_REPLAY;
    }
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

err_t rx_inner_parse(struct sa_in *sa, const uint8_t *inner, uint32_t payload, uint8_t next,
                     uint32_t *len)
{
    struct ip_info ip;
    err_t e = ip_parse(inner, payload, &ip);
    if (e)
        return R_DP_INNER;
    if (flow_family(&ip.flow) != (next == NEXT_IPV4 ? 4 : 6))
        return R_DP_INNER;
    if (!sel_set_match_received(sa->sel, &ip.flow)) {
        sa->selector_dropped++;
        return R_DP_SELECTOR; /* RFC 4301 5.2 step 4 */
    }
    *len = ip.len;
    return E_OK;
}
