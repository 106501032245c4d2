/*
 * NAT detection: RFC 3947 3.2. NAT-D = HASH(CKY-I | CKY-R | IP | port) with the negotiated hash of
 * phase 1; the first payload speaks of the receiver, the others of the sender.
 */
#include "ike/v1/v1.h"

static bool nat_hash(const struct v1_sa *v, const struct endpoint *ep, uint8_t out[CR_HASH_MAX])
{
    uint8_t buf[34];
    struct wr w = wr_of(buf, sizeof buf);
    wr_u64(&w, v->sa.spi_i);
    wr_u64(&w, v->sa.spi_r);
    wr_put(&w, ep->addr.ip, addr_len(&ep->addr));
    wr_u16(&w, ep->port);
    struct bytes all = wr_bytes(&w);
    return !w.err && !cr_hash(v->sa.prf, &all, 1, out);
}

static void put_one(struct v1_build *b, const struct v1_sa *v, const struct endpoint *ep)
{
    uint8_t hash[CR_HASH_MAX];
    if (nat_hash(v, ep, hash))
        payload_put(&b->c, P1_NAT_D, bytes_of(hash, v->sa.prf->out_len));
}

void v1_nat_put(struct ike *e, struct v1_build *b, const struct v1_sa *v)
{
    struct endpoint us = v->sa.local;
    if (!v->peer_natt)
        return;
    if (v->sa.conn->encap) { /* encap = yes: as if there were one */
        us = (struct endpoint){.addr = {.family = 4}};
        e->env.random(e->env.ctx, us.addr.ip, 4);
    }
    put_one(b, v, &v->sa.remote);
    put_one(b, v, &us);
}

void v1_nat_read(struct ike *e, struct v1_sa *v, const struct v1_msg *m)
{
    struct ike_sa *sa = &v->sa;
    uint8_t us[CR_HASH_MAX], them[CR_HASH_MAX];
    size_t n = sa->prf->out_len, seen = 0;
    bool us_ok = false, them_ok = false;
    if (!v->peer_natt || !nat_hash(v, &m->pkt.local, us) || !nat_hash(v, &m->pkt.remote, them))
        return;
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, P1_NAT_D, p)); seen++) {
        if (seen == 0)
            us_ok = bytes_eq(p->body, bytes_of(us, n));
        else
            them_ok |= bytes_eq(p->body, bytes_of(them, n));
    }
    if (seen < 2)
        return;
    sa->nat_local = !us_ok;
    sa->nat_remote = !them_ok;
    if (us_ok && them_ok)
        return;
    struct event *ev = ike_event(e, EV_NAT, sa, NULL);
    ev->text = ike_strf(e, "%s (by %s, RFC 3947 3.2)",
                        !us_ok && !them_ok ? "on both sides"
                        : !us_ok           ? "before us"
                                           : "before the peer",
                        sa->integ ? sa->integ->name : sa->prf->name);
}
