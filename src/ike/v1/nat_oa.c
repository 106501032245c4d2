/*
 * NAT-OA: RFC 3947 5.2. In UDP-encapsulated transport mode both peers tell which addresses they see
 * at both ends; the checksums of TCP and UDP inside were made between those.
 */
#include "ike/v1/v1.h"

static bool wanted(const struct v1_sa *v, const struct v1_exch *x)
{
    return x->cc->mode == MODE_TRANSPORT && sa_udp(&v->sa);
}

static void put_one(struct v1_build *b, const struct addr *a)
{
    struct id id;
    if (!id_of_addr(&id, a))
        return;
    payload_begin(&b->c, P1_NAT_OA);
    id_v1_write(&b->w, &id);
    payload_end(&b->c);
}

/* The initiator's address first, whoever sends. */
void v1_nat_oa_put(struct v1_build *b, const struct v1_sa *v, const struct v1_exch *x)
{
    const struct addr *us = &v->sa.local.addr, *them = &v->sa.remote.addr;
    if (!wanted(v, x))
        return;
    put_one(b, x->ours ? us : them);
    put_one(b, x->ours ? them : us);
}

static err_t read_one(const struct payload *p, uint8_t family, struct addr *out)
{
    struct id id;
    err_t err = id_v1_parse(p->body, &id);
    if (err)
        return err;
    if (id.type != (family == 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR))
        return R_SYNTAX;
    *out = (struct addr){.family = family};
    memcpy(out->ip, id.data, id.len);
    return E_OK;
}

/* Who is not behind a NAT has the address that the other one sees. */
static err_t check(struct ike *e, const struct v1_sa *v, const struct v1_exch *x, struct refusal *r)
{
    const struct ike_sa *sa = &v->sa;
    const struct addr *seen = &sa->remote.addr, *told = &x->oa_remote;
    bool differs = !sa->nat_remote && !addr_eq(told, seen);
    char a[ADDR_STR_MAX], b[ADDR_STR_MAX];
    if (!differs)
        return E_OK;
    addr_str(seen, a);
    addr_str(told, b);
    *r = (struct refusal){
        .reason = R_SYNTAX,
        .what = "NAT-OA",
        .ours = ike_strf(e, "%s, no NAT before the peer", a),
        .theirs = ike_str(e, b),
        .clause = "RFC 3947 5.2",
        .child = x->cc->name,
    };
    return r->reason;
}

/* Peers that see no NAT before themselves may leave it out (Libreswan does): then nothing is known
 * and the data plane makes checksums anew. */
err_t v1_nat_oa_read(struct ike *e, struct v1_sa *v, struct v1_exch *x, struct refusal *r)
{
    const struct payload *i = payloads_next(&x->msg->in, P1_NAT_OA, NULL);
    const struct payload *q = i ? payloads_next(&x->msg->in, P1_NAT_OA, i) : NULL;
    uint8_t family = v->sa.remote.addr.family;
    if (!wanted(v, x) || !q)
        return E_OK;
    err_t err = read_one(i, family, x->ours ? &x->oa_local : &x->oa_remote);
    if (!err)
        err = read_one(q, family, x->ours ? &x->oa_remote : &x->oa_local);
    return err ? err : check(e, v, x, r);
}
