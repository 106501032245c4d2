/*
 * Main mode, responder: RFC 2409 5.4, messages as in main_i.c. The first message costs a small SA
 * and no computation; when too many of those wait the oldest goes, so a flood keeps bounded state
 * and whoever completes the exchange quickly gets through.
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

#define EARLY_MAX      1000
#define CANDIDATES_MAX 64 /* strangers shall not make us compare more */

static void refuse(struct ike *e, const struct v1_msg *m, const struct conn *c, struct refusal *r,
                   uint16_t type)
{
    ike_refused(e, NULL, r);
    e->evidence->remote = m->pkt.remote;
    e->evidence->local = m->pkt.local;
    e->evidence->conn = c ? ike_str(e, c->name) : NULL;
    e->stats.dropped[r->reason]++;
    v1_refuse_clear(e, &m->pkt, type);
}

static bool no_addresses(struct ike *e, const struct v1_msg *m)
{
    char l[ADDR_STR_MAX], r[ADDR_STR_MAX];
    const struct ike_pkt *p = &m->pkt;
    struct refusal why = {
        .reason = R_NO_PROPOSAL,
        .what = "remote_addrs",
        .theirs =
            ike_strf(e, "%s to %s", addr_str(&p->remote.addr, r), addr_str(&p->local.addr, l)),
        .ours = "no connection for IKEv1 with these addresses",
        .hint = ike_strf(e, "add %s to connections.<conn>.remote_addrs, with version = 1 or 0", r),
        .clause = "RFC 2409 5",
    };
    refuse(e, m, NULL, &why, N1_NO_PROPOSAL_CHOSEN);
    return false;
}

static bool no_aggressive(struct ike *e, const struct v1_msg *m, const struct conn *c)
{
    struct refusal r = {
        .reason = R_EXCHANGE,
        .what = "aggressive",
        .ours = "main mode only",
        .theirs = "aggressive mode",
        .text = "aggressive mode shows a hash that a weak secret can be guessed from",
        .hint = ike_strf(e, "use main mode at the peer, or set connections.%s.aggressive = yes",
                         c->name),
        .clause = "RFC 2409 5.4, RFC 9395 3",
    };
    refuse(e, m, c, &r, N1_NO_PROPOSAL_CHOSEN);
    return false;
}

static bool wrong_id(struct ike *e, const struct v1_msg *m, const struct conn *c,
                     const struct id *idi)
{
    struct refusal r = {
        .reason = R_NO_CONN,
        .what = "id",
        .ours = ike_strf(e, "%s has remote.id %s", c->name, ike_str_id(e, &c->auth_remote.id)),
        .theirs = ike_str_id(e, idi),
        .hint = ike_strf(e, "set connections.%s.remote.id = %s", c->name, ike_str_id(e, idi)),
        .clause = "RFC 2409 5",
    };
    refuse(e, m, c, &r, N1_INVALID_ID_INFORMATION);
    return false;
}

/* Connections in order of fitness: the first that shares a suite, by our own priorities. */
bool v1_choose_conn(struct ike *e, const struct v1_msg *m, const struct v1_sa_body *offer,
                    const struct id *idi, struct conn **conn, const struct v1_transform **chosen)
{
    struct conn **c, *near = NULL;
    struct refusal why = {0}, r;
    bool any_mode = false;
    size_t n = conn_candidates(e, &m->pkt.local, &m->pkt.remote, 1, &c);
    if (!n)
        return no_addresses(e, m);
    for (size_t i = 0; i < n && i < CANDIDATES_MAX; i++) {
        struct v1_transform *ours;
        if (idi && !c[i]->aggressive)
            continue;
        any_mode = true;
        if (idi && !id_match(&c[i]->auth_remote.id, idi))
            continue;
        *conn = c[i];
        size_t count = v1_offer_ike(e, c[i], &m->pkt.local.addr, false, false, &ours);
        *chosen = v1_choose(e, true, ours, count, offer, &r);
        if (*chosen)
            return true;
        if (!near) {
            near = c[i];
            why = r;
        }
    }
    if (!any_mode)
        return no_aggressive(e, m, c[0]);
    if (!near)
        return wrong_id(e, m, c[0], idi);
    if (!why.hint)
        why.hint = ike_strf(e, "make connections.%s.proposals the same on both sides", near->name);
    refuse(e, m, near, &why, N1_NO_PROPOSAL_CHOSEN);
    return false;
}

/* --- half open --- */

static uint64_t init_hash(const struct ike *e, const struct endpoint *from, uint64_t spi_i)
{
    uint8_t key[26];
    memcpy(key, from->addr.ip, 16);
    put_u16(key + 16, from->port);
    put_u64(key + 18, spi_i);
    return hash_of(&e->inits1, key, sizeof key);
}

static struct v1_sa *known(const struct ike *e, const struct ike_pkt *p)
{
    uint64_t h = init_hash(e, &p->remote, p->spi_i);
    for (struct hash_node *n = hash_first(&e->inits1, h); n; n = hash_next(n)) {
        struct v1_sa *v = container_of(n, struct v1_sa, init_node);
        if (v->sa.spi_i == p->spi_i && endpoint_eq(&v->init_from, &p->remote))
            return v;
    }
    return NULL;
}

static void make_room(struct ike *e)
{
    if (e->early1_count < EARLY_MAX)
        return;
    struct v1_sa *oldest = container_of(e->early1.next, struct v1_sa, early);
    sa_drop(e, &oldest->sa, R_TOO_MANY);
}

void v1_count_half(struct ike *e, struct v1_sa *v, bool on)
{
    if (v->half != on)
        half_count(e, &v->init_from.addr, on);
    v->half = on;
}

struct v1_sa *v1_half_open(struct ike *e, const struct v1_msg *m, struct conn *c,
                           const struct v1_transform *chosen)
{
    const struct ike_pkt *p = &m->pkt;
    make_room(e);
    uint64_t spi = sa_spi_new(e);
    struct ike_sa *sa = spi ? sa_new(e, &ike_v1, false, p->spi_i, spi, 0) : NULL;
    if (!sa)
        return NULL;
    struct v1_sa *v = v1_of(sa);
    sa->local = p->local;
    sa->remote = p->remote;
    sa->natt = p->natt;
    sa->die_ms = e->now + e->set.half_open_timeout_ms;
    sa_conn_set(e, sa, c);
    sa->nat_fake = c->encap;
    v->init_from = p->remote;
    v1_count_half(e, v, true);
    v->life_s = chosen->life_s;
    v->method = v1_method_of(chosen->auth);
    v1_suite_set(sa, &chosen->p);
    struct v1_phase1 *p1 = v1_p1_new(e, v);
    if (p1 && !hash_add(&e->inits1, &v->init_node, init_hash(e, &p->remote, p->spi_i))) {
        v->in_inits = true;
        p1->method = sa->ke->id;
        p1->chosen_proposal = chosen->proposal;
        if (ike_msg_set(e, &p1->sa_i, v1_body(m, P1_SA)) &&
            ike_msg_set(e, &p1->chosen, chosen->raw))
            return v;
    }
    ike_fail(e, E_NOMEM);
    sa_drop(e, sa, R_TOO_MANY);
    return NULL;
}

static bool too_many(struct ike *e, const struct ike_pkt *p)
{
    uint32_t limit = e->set.init_limit_per_source;
    if (!e->stopping && e->stats.half_open < e->set.half_open_max &&
        !(limit && half_source_count(e, &p->remote.addr) >= limit))
        return false;
    ike_drop(e, p, R_TOO_MANY, "first message");
    return true;
}

/* The transform goes back as it came: RFC 2408 4.2 */
void v1_put_choice(struct v1_build *b, const struct v1_sa *v)
{
    struct v1_transform t = {.proposal = v->p1->chosen_proposal, .proto = PROTO_IKE};
    t.raw = v1_bytes(&v->p1->chosen);
    v1_put_sa(b, true, &t, 1);
}

static void main1(struct ike *e, struct v1_msg *m)
{
    struct conn *c;
    struct v1_build b;
    struct ike_msg out = {0};
    const struct v1_transform *chosen;
    struct v1_sa_body *offer = ike_alloc(e, sizeof *offer);
    err_t err = offer ? sa_v1_parse(v1_body(m, P1_SA), true, offer) : E_NOMEM;
    if (err) {
        ike_drop(e, &m->pkt, err, "SA payload");
        return;
    }
    if (!v1_choose_conn(e, m, offer, NULL, &c, &chosen))
        return;
    struct v1_sa *v = v1_half_open(e, m, c, chosen);
    if (!v)
        return;
    list_add_tail(&e->early1, &v->early);
    e->early1_count++;
    ike_event(e, EV_IKE_RESPONDING, &v->sa, NULL)->text = "IKEv1 main mode";
    v1_read_vendors(e, v, m);
    v1_p1_accept(v, m);
    v->state = V1_R_MM2;
    if (!v1_build_begin(e, v, &b, EXCH_V1_MAIN, 0))
        return;
    v1_put_choice(&b, v);
    v1_put_vendors(&b, v);
    if (v1_build_end(e, v, &b, NULL, &out))
        v1_p1_answer(e, v, &out);
}

#define MAY_VENDOR (V1_BIT(P1_VENDOR) | V1_BIT(P1_NOTIFY))

/* A message that belongs to no SA: it can only be the first of a new one. */
void v1_first(struct ike *e, const struct ike_pkt *p)
{
    struct v1_sa *v = known(e, p);
    uint8_t digest[20];
    if (v) {
        v1_digest(p->raw, digest);
        if (v->last_out.p && !memcmp(digest, v->last_in, sizeof digest)) {
            e->stats.retransmits++;
            ike_send_to(e, &p->local, &p->remote, p->natt, v1_bytes(&v->last_out));
        } else {
            ike_drop(e, p, R_STATE, "first message of an SA under way");
        }
        return;
    }
    if (too_many(e, p))
        return;
    struct v1_msg *m = v1_msg_new(e, &e->out->arena, p);
    bool aggressive = p->exchange == EXCH_V1_AGGRESSIVE;
    uint32_t must = V1_BIT(P1_SA);
    if (aggressive)
        must |= V1_BIT(P1_KE) | V1_BIT(P1_NONCE) | V1_BIT(P1_ID);
    err_t err = m ? v1_msg_read(NULL, m, NULL) : E_NOMEM;
    if (!err)
        err = v1_payloads_check(m, must, MAY_VENDOR | V1_BIT(P1_CERTREQ));
    if (err) {
        ike_drop(e, p, err, "first message");
        return;
    }
    v1_msg_event(e, EV_MSG_RECEIVED, NULL, &m->hdr, &m->in);
    (aggressive ? v1_aggressive1 : main1)(e, m);
}

/* --- the third message: values --- */

static void send4(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_build b;
    struct ike_msg m = {0};
    if (!p->job_err && !ike_msg_set(e, &p->ke_r, cr_ke_public(p->ke)))
        return;
    if (!v1_p1_nonce(e, &p->nr) || !v1_p1_keys(e, v))
        return;
    if (!v1_build_begin(e, v, &b, EXCH_V1_MAIN, 0))
        return;
    payload_put(&b.c, P1_KE, v1_bytes(&p->ke_r));
    payload_put(&b.c, P1_NONCE, v1_bytes(&p->nr));
    v1_put_certreqs(e, &b, v);
    v1_nat_put(e, &b, v);
    v->state = V1_R_MM4;
    if (v1_build_end(e, v, &b, NULL, &m))
        v1_p1_answer(e, v, &m);
}

void v1_main3(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct v1_phase1 *p = v->p1;
    struct bytes ke = v1_body(m, P1_KE);
    if (ke.n != v->sa.ke->pub_len) {
        ike_drop(e, &m->pkt, R_KE_VALUE, "length of the public value");
        return;
    }
    if (v1_uses_psk(v->method) && !v1_psk_find(e, v, v->sa.conn, NULL)) {
        v1_psk_missing(e, v, v->sa.conn, NULL);
        v1_refuse_clear(e, &m->pkt, N1_AUTHENTICATION_FAILED);
        sa_drop(e, &v->sa, R_NO_SHARED);
        return;
    }
    if (!ike_msg_set(e, &p->ke_i, ke) || !ike_msg_set(e, &p->ni, v1_body(m, P1_NONCE)))
        return;
    v1_early_end(e, v);
    v1_p1_accept(v, m);
    ike_msg_free(&v->last_out);
    v1_read_vendors(e, v, m);
    v1_read_certreqs(v, m);
    v1_nat_read(e, v, m);
    v1_p1_job(e, v, JOB_KE_BOTH, ke, send4);
}

void v1_early_end(struct ike *e, struct v1_sa *v)
{
    if (list_empty(&v->early))
        return;
    list_del(&v->early);
    e->early1_count--;
}

/* --- the fifth: who the peer is --- */

/* RFC 3947 4: the peer may come from another port now, and behind a NAT from another address */
static void follow(struct v1_sa *v, const struct v1_msg *m)
{
    v->sa.local = m->pkt.local;
    v->sa.remote = m->pkt.remote;
    v->sa.natt = m->pkt.natt;
}

static void refused(struct ike *e, struct v1_sa *v, err_t reason)
{
    if (v1_proof_of(v, true) == V1_PROOF_SIG) /* it has the keys */
        v1_inform(e, v, PROTO1_ISAKMP, N1_AUTHENTICATION_FAILED, bytes_of(NULL, 0),
                  bytes_of(NULL, 0));
    else
        v1_refuse_clear(e, &v->p1->held->pkt, N1_AUTHENTICATION_FAILED);
    sa_drop(e, &v->sa, reason);
}

static void send6(struct ike *e, struct v1_sa *v)
{
    struct v1_build b;
    struct ike_msg m = {0};
    if (v->p1->proof_err) {
        refused(e, v, v->p1->proof_err > 0 ? v->p1->proof_err : R_AUTH_FAILED);
        return;
    }
    if (!v1_build_begin(e, v, &b, EXCH_V1_MAIN, 0))
        return;
    payload_put(&b.c, P1_ID, v1_bytes(&v->p1->id_r));
    v1_put_proof(&b, v);
    if (!v1_build_end(e, v, &b, v->iv, &m))
        return;
    v1_p1_answer(e, v, &m);
    v1_established(e, v);
}

static void proved(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_msg *m = p->held;
    struct id us, them;
    if (p->proof_err) {
        v1_unproved(e, v);
        return;
    }
    v1_p1_accept(v, m);
    follow(v, m);
    if (id_v1_parse(v1_bytes(&p->id_i), &them) || !v1_peer_id(e, v, &them)) {
        refused(e, v, R_ID_MISMATCH);
        return;
    }
    v1_read_certreqs(v, m);
    v1_read_contact(v, m);
    if (v1_must_keep(e, v)) {
        refused(e, v, R_EXISTS);
        return;
    }
    id_pair_get(v->sa.ids, &us, NULL);
    if (v1_id_body(e, &us, &p->id_r))
        v1_prove(e, v, send6);
}

void v1_main5(struct ike *e, struct v1_sa *v, struct v1_msg *m)
{
    struct id them;
    if (id_v1_parse(v1_body(m, P1_ID), &them))
        v1_garbled(e, v, &m->pkt, R_DECRYPT);
    else if (ike_msg_set(e, &v->p1->id_i, v1_body(m, P1_ID)) && v1_hold(e, v, m))
        v1_check_proof(e, v, &them, proved);
}

/*
 * A message of phase 1 that proves nothing. It may be forged, so the SA stays for the true one;
 * wrong padding, identity, hash, certificate and signature get the same answer. With a pre-shared
 * key, another one shows as garbage.
 */
void v1_garbled(struct ike *e, struct v1_sa *v, const struct ike_pkt *p, err_t reason)
{
    if (v1_uses_psk(v->method)) {
        e->stats.dropped[R_DECRYPT]++;
        v1_psk_differs(e, v, "the encrypted message makes no sense with it");
    } else {
        ike_drop(e, p, reason > 0 ? reason : (err_t)R_DECRYPT, "proof of the peer");
    }
    v1_refuse_clear(e, p, N1_AUTHENTICATION_FAILED);
}
