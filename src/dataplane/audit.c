/* What of a dropped packet is worth a line in the log: see audit.h. */
#include "dataplane/dp.h"
#include "dataplane/ip.h"

enum { EVERY_MS = 10000 };

/* What a packet's bytes still are when it is dropped for this. */
enum seen {
    SEEN_NOT,   /* no matter of audit: configured, or the path's and the machine's business */
    SEEN_OUTER, /* SPI and sequence number */
    SEEN_PLAIN, /* a plain packet */
    SEEN_ELSE,  /* neither: what the SA says */
};

static enum seen seen_of(err_t reason)
{
    static const uint8_t kinds[CHILD_DROPS] = {
#define KIND(r, k) [R_DP_##r - R_DP_SHORT] = SEEN_##k
        KIND(NO_SA, OUTER),       KIND(REPLAY, OUTER),    KIND(LATE, OUTER),
        KIND(ICV, OUTER),         KIND(ENCAP, OUTER),     KIND(PADDING, ELSE),
        KIND(NEXT_HEADER, ELSE),  KIND(HEADER, ELSE),     KIND(IPCOMP, ELSE),
        KIND(INNER, ELSE),        KIND(SELECTOR, PLAIN),  KIND(NO_POLICY, PLAIN),
        KIND(SEQ_OVERFLOW, ELSE), KIND(EXPIRED, ELSE),    KIND(FRAG_SHORT, ELSE),
        KIND(FRAG_OVERLAP, ELSE), KIND(FRAG_PORTS, ELSE),
#undef KIND
    };
    return reason < R_DP_SHORT || reason > R_DP_ROOM ? SEEN_NOT : kinds[reason - R_DP_SHORT];
}

/* The kernel speaks to its neighbours on every interface, also where there are none. */
static bool to_neighbours(const struct dp_pkt *p)
{
    const uint8_t *b = p->data;
    return (p->len >= 40 && b[0] >> 4 == 6 && b[24] == 0xff) ||
           (p->len >= 20 && b[0] >> 4 == 4 && b[16] >> 4 == 14);
}

static void describe(const struct child *c, const struct dp_pkt *p, enum seen seen,
                     struct dp_note *n)
{
    struct ip_info ip;
    n->child_id = c ? c->id : 0;
    n->policy_id = c ? c->policy : 0;
    n->local = p->local;
    n->remote = p->remote;
    if (seen == SEEN_OUTER && p->len >= 8) {
        n->spi = get_u32(p->data);
        n->seq = get_u32(p->data + 4);
    } else if (seen == SEEN_PLAIN && !ip_parse(p->data, p->len, &ip)) {
        flow_to_ts(&ip.flow, &n->flow_local, &n->flow_remote);
    }
}

void audit_drop(struct dp *d, const struct child *c, const struct dp_pkt *p, err_t reason)
{
    enum seen seen = seen_of(reason);
    if (seen == SEEN_NOT || (reason == R_DP_NO_POLICY && to_neighbours(p)))
        return;
    size_t at = (size_t)(reason - R_DP_SHORT);
    uint32_t since = ++d->audit.of[at].since;
    if (d->now_ms < d->audit.of[at].next_ms)
        return;
    struct dp_note n = {.kind = NOTE_DROP, .reason = reason, .count = since};
    describe(c, p, seen, &n);
    if (!notes_put(&d->notes, &n))
        return;
    d->audit.of[at].next_ms = d->now_ms + EVERY_MS;
    d->audit.of[at].since = 0;
}
