/*
 * Deleting: RFC 2408 3.15. One message without answer: whoever sends it is done, and what gets lost
 * is found by DPD or ends with its lifetime.
 */
#include "ike/v1/v1.h"

static void end_task(struct ike *e, struct v1_sa *v, err_t reason)
{
    struct task *t = v->sa.active;
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, reason);
}

/* --- ours --- */

static void send_one(struct ike *e, struct v1_sa *v, uint8_t proto, uint32_t spi_in)
{
    uint8_t spi[4];
    put_u32(spi, spi_in); /* RFC 2407 4.6.3: SPIs are the sender's inbound */
    v1_send_delete(e, v, proto, bytes_of(spi, sizeof spi));
}

/* RFC 2408 3.15: a payload is for one protocol; each goes in a message of its own, as racoon and
 * pluto have it. */
static void send_child(struct ike *e, struct v1_sa *v, const struct child *c)
{
    send_one(e, v, c->proto, c->spi_in);
    if (c->ah)
        send_one(e, v, PROTO_AH, c->ah->spi_in);
}

/* What replaced it is gone again, and nothing else carries its traffic: it stays after all. */
static bool needed_again(struct ike *e, struct child *c)
{
    if (c->state != CHILD_REKEYED || child_by_id(e, c->successor) || v1_twin(c))
        return false;
    c->state = CHILD_INSTALLED;
    c->successor = 0;
    c->rekey_ms = e->now;
    return true;
}

void v1_delete_child(struct ike *e, struct v1_sa *v, struct task *t)
{
    struct child *c = child_by_id(e, t->child_id);
    if (c && c->sa != &v->sa) { /* it moved to a newer ISAKMP SA meanwhile */
        task_add(e, c->sa, TASK_CHILD_DEL, c->id);
    } else if (c && !needed_again(e, c)) {
        struct ike_sa *o =
            v1_other(e, &v->sa); /* the peer may have deleted the older one already */
        send_child(e, o && o->id > v->sa.id ? v1_of(o) : v, c);
        child_remove(e, c, child_end_reason(c));
    }
    end_task(e, v, E_OK);
}

void v1_tell_deleted(struct ike *e, struct v1_sa *v)
{
    uint8_t spi[16];
    put_u64(spi, v->sa.spi_i);
    put_u64(spi + 8, v->sa.spi_r);
    v1_send_delete(e, v, PROTO1_ISAKMP, bytes_of(spi, sizeof spi));
}

/* The ISAKMP SA with all its children. */
void v1_delete_ike(struct ike *e, struct v1_sa *v)
{
    err_t reason = v->sa.end_reason ? v->sa.end_reason : R_OPERATOR;
    struct ike_sa *next = reason == R_REPLACED ? v1_other(e, &v->sa) : NULL;
    if (reason == R_REPLACED && !next) { /* what replaced it is gone again: it stays after all */
        v->sa.end_reason = E_OK;
        v->sa.told = false;
        v->sa.rekey_ms = e->now + 15000;
        end_task(e, v, E_OK);
        return;
    }
    if (next)
        v1_hand_over(e, &v->sa, next);
    list_each (it, &v->sa.children)
        send_child(e, v, container_of(it, struct child, link));
    v1_tell_deleted(e, v);
    end_task(e, v, E_OK);
    sa_drop(e, &v->sa, reason);
}

/* --- the peer's --- */

/* What replaces it sends from now on. */
static void hand_over(struct ike *e, const struct child *c)
{
    struct child *next = c->successor ? child_by_id(e, c->successor) : NULL;
    if (next && !next->redundant && next->state == CHILD_INSTALLED)
        child_dirs_add(e, next, DIR_OUT);
}

/* Of a bundle the SAs go together: the first Delete ends both, and the other finds nothing. */
static void child_gone(struct ike *e, struct child *c)
{
    if ((c->successor && child_by_id(e, c->successor)) || v1_twin(c))
        c->state = CHILD_REKEYED; /* what is under way on it still arrives */
    hand_over(e, c);
    child_remove(e, c, c->state == CHILD_REKEYED ? R_REPLACED : R_PEER_DELETED);
}

/* Children stand under the ISAKMP SA that made them, but any between the same peers may end them,
 * once its peer has proved to be that peer: with signatures the keys alone prove nothing. */
static struct child *find_child(struct ike *e, const struct v1_sa *v, uint8_t proto, uint32_t spi)
{
    struct child *c = child_by_spi_out(&v->sa, proto, spi);
    bool proved = v->state == V1_UP;
    for (struct ike_sa *o = NULL; proved && !c && (o = sa_peer_next(e, &v->sa, o));)
        if (o->ver == v->sa.ver)
            c = child_by_spi_out(o, proto, spi);
    return c;
}

static void ike_gone(struct ike *e, struct v1_sa *v)
{
    struct ike_sa *next = v1_other(e, &v->sa);
    err_t reason = R_PEER_DELETED;
    if (next) { /* a newer one is up: nothing but the old one ends */
        v1_hand_over(e, &v->sa, next);
        reason = R_REPLACED;
    }
    if (v->p1)
        v1_lost(e, v, reason);
    else
        sa_drop(e, &v->sa, reason);
}

static struct v1_sa *by_cookies(struct ike *e, struct v1_sa *v, struct bytes spi)
{
    uint64_t i = get_u64(spi.p), r = get_u64(spi.p + 8);
    if (i == v->sa.spi_i && r == v->sa.spi_r)
        return v;
    bool proved = v->state == V1_UP;
    for (struct ike_sa *o = NULL; proved && (o = sa_peer_next(e, &v->sa, o));)
        if (o->ver == v->sa.ver && o->spi_i == i && o->spi_r == r)
            return v1_of(o);
    return NULL;
}

void v1_delete_in(struct ike *e, struct v1_sa *v, const struct delete_v1 *d)
{
    for (size_t i = 0; i < d->count && !v->sa.dead; i++) {
        struct bytes spi = delete_v1_spi(d, i);
        if (d->proto == PROTO1_ESP || d->proto == PROTO1_AH) {
            struct child *c = find_child(e, v, d->proto, get_u32(spi.p));
            if (c)
                child_gone(e, c);
        } else if (d->proto == PROTO1_ISAKMP) {
            struct v1_sa *gone = by_cookies(e, v, spi);
            if (gone)
                ike_gone(e, gone);
        }
    }
}
