/*
 * The way between the peers: NAT detection hashes, the float to UDP 4500 and following a peer whose
 * NAT mapping changed. RFC 7296 2.23, RFC 3947 3.2.
 */
#include "crypto/crypto.h"
#include "ike/engine.h"

void path_nat_hash(uint64_t spi_i, uint64_t spi_r, const struct endpoint *ep, uint8_t out[20])
{
    uint8_t buf[34];
    struct wr w = wr_of(buf, sizeof buf);
    wr_u64(&w, spi_i);
    wr_u64(&w, spi_r);
    wr_put(&w, ep->addr.ip, addr_len(&ep->addr));
    wr_u16(&w, ep->port);
    if (w.err || cr_sha1(wr_bytes(&w), out))
        memset(out, 0, 20);
}

/* RFC 7296 2.23: from IKE_AUTH on, both ports become 4500; the peer's is what it was behind NAT. */
void path_float(struct ike *e, struct ike_sa *sa)
{
    if (sa->natt)
        return;
    sa->natt = true;
    sa->local.port = e->set.port_natt;
    if (sa->remote.port == 500)
        sa->remote.port = 4500;
}

void path_move(struct ike *e, struct ike_sa *sa, const struct endpoint *local,
               const struct endpoint *remote)
{
    char from[ENDPOINT_STR_MAX];
    endpoint_str(&sa->remote, from);
    if (local->addr.family)
        sa->local = *local;
    sa->remote = *remote;
    struct event *ev = ike_event(e, EV_PATH_CHANGED, sa, NULL);
    ev->text = ike_strf(e, "from %s", from);
    ev->clause = "RFC 7296 2.23";
    child_paths_set(e, sa);
}

/* An authentic and new message came. RFC 7296 2.23: who is not behind a NAT follows the peer that
 * is. */
void path_follow(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p)
{
    if (endpoint_eq(&p->remote, &sa->remote) || sa->nat_local || !sa->nat_remote)
        return;
    if (p->natt != sa->natt)
        return;
    path_move(e, sa, &p->local, &p->remote);
}
