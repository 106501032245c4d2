/*
 * A CHILD SA from the initiator's side: the offer (RFC 7296 1.3.1, 2.9, 3.3) and checking the
 * responder's choice. Used by IKE_AUTH, CREATE_CHILD_SA and rekeying alike.
 */
#include "ike/v2/v2.h"
#include "ike/vip.h"
#include "wire/ke.h"
#include "wire/nonce.h"
#include "wire/sa_v2.h"
#include "wire/ts.h"

uint16_t v2_first_ke(const struct proposals *ps)
{
    for (size_t i = 0; i < ps->count; i++) {
        const struct transform *t = proposal_get(&ps->p[i], T_KE);
        if (t && t->id != KE_NONE)
            return t->id;
    }
    return KE_NONE;
}

bool v2_offers_ke(const struct proposals *ps, uint16_t method)
{
    for (size_t i = 0; i < ps->count; i++)
        if (proposal_has(&ps->p[i], T_KE, method, 0))
            return true;
    return false;
}

/* RFC 7296 3.3.2: no key exchange in IKE_AUTH, there the IKE SA's own serves. */
void v2_strip_ke(struct proposals *ps)
{
    for (size_t i = 0; i < ps->count; i++) {
        struct proposal *p = &ps->p[i];
        uint8_t n = 0;
        for (uint8_t k = 0; k < p->count; k++)
            if (p->t[k].type != T_KE)
                p->t[n++] = p->t[k];
        p->count = n;
    }
}

/* The child's proposals that can be used between these peers. */
void v2_proposals(const struct v2_sa *v, const struct conn_child *cc, struct proposals *out)
{
    out->count = 0;
    for (size_t i = 0; i < cc->esp.count; i++)
        if (mode_usable(&v->sa, &cc->esp.p[i]))
            out->p[out->count++] = cc->esp.p[i];
}

static bool offer_proposals(struct ike *e, const struct v2_sa *v, struct v2_exch *x, bool with_ke)
{
    x->offer = v2_exch_alloc(e, x, sizeof *x->offer);
    if (!x->offer)
        return false;
    v2_proposals(v, x->cc, x->offer);
    if (!with_ke)
        v2_strip_ke(x->offer);
    for (size_t i = 0; i < x->offer->count; i++) {
        struct proposal *p = &x->offer->p[i];
        p->number = (uint8_t)(i + 1);
        p->spi_len = 4;
        put_u32(p->spi, x->spi);
    }
    return true;
}

/* 2.9: the packet that started it all goes first. */
static void lead_with(struct ts_list *l, const struct ts *flow)
{
    if (l->count == TS_MAX)
        l->count--;
    memmove(l->ts + 1, l->ts, l->count * sizeof l->ts[0]);
    l->ts[0] = *flow;
    l->count++;
}

static bool offer_selectors(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct task *t)
{
    x->tsi = v2_exch_alloc(e, x, sizeof *x->tsi);
    x->tsr = v2_exch_alloc(e, x, sizeof *x->tsr);
    if (!x->tsi || !x->tsr)
        return false;
    vip_offer_ts(&v->sa, x->cc, x->tsi);
    vip_remote_ts(&v->sa, x->cc, x->tsr);
    if (t && t->has_flow) {
        lead_with(x->tsi, &t->flow_local);
        lead_with(x->tsr, &t->flow_remote);
    }
    return true;
}

bool v2_spi_new(struct ike *e, struct v2_exch *x)
{
    const struct ike_spi_use use = {.proto = PROTO_ESP,
                                    .conn = x->conn ? x->conn->name : NULL,
                                    .child = x->cc ? x->cc->name : NULL,
                                    .ours = x->ours,
                                    .replaces = x->old_child,
                                    .cpu = x->cpu,
                                    .remote = x->ours ? x->tsr : x->tsi};
    x->spi = e->env.spi_alloc(e->env.ctx, &use);
    return x->spi != 0;
}

bool v2_offer_make(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct task *t,
                   bool with_ke)
{
    x->mode = x->cc->mode;
    v2_per_cpu_ask(e, x, t);
    v2_ipcomp_ask(e, x);
    if (!offer_selectors(e, v, x, t))
        return false;
    v2_later_frags_ask(x);
    return v2_spi_new(e, x) && offer_proposals(e, v, x, with_ke);
}

/* SA [Ni] [KE] TSi TSr: 1.3.1 has the nonce between, IKE_AUTH none. */
void v2_offer_put(struct v2_build *b, const struct v2_exch *x, bool with_nonce)
{
    v2_per_cpu_put(b, x);
    v2_mode_put(b, x);
    v2_ipcomp_put(b, x);
    v2_later_frags_put(b, x);
    payload_begin(&b->c, PL_SA);
    sa_v2_write(&b->w, x->offer);
    payload_end(&b->c);
    if (with_nonce)
        v2_put_nonce(b, x->ni);
    if (with_nonce && x->method)
        v2_put_ke(b, x->method, cr_ke_public(x->ke));
    v2_put_ts(b, PL_TSI, x->tsi);
    v2_put_ts(b, PL_TSR, x->tsr);
}

static err_t accept_proposal(struct ike *e, struct v2_exch *x, struct refusal *r)
{
    struct proposals *ps = ike_alloc(e, sizeof *ps);
    if (!ps)
        return E_NOMEM;
    err_t err = sa_v2_parse(v2_body(x->msg, PL_SA), ps);
    if (!err && (ps->count != 1 || ps->p[0].spi_len != 4 || !get_u32(ps->p[0].spi)))
        err = R_SYNTAX;
    if (!err)
        err = proposal_check_chosen(x->offer, &ps->p[0]);
    if (!err) {
        x->chosen = ps->p[0];
        return E_OK;
    }
    struct buf b = {0};
    proposals_print(x->offer, &b);
    *r = (struct refusal){.reason = err, .what = "esp_proposals", .clause = "RFC 7296 2.7"};
    r->ours = ike_str_buf(e, &b);
    proposals_print(ps, &b);
    r->theirs = ike_str_buf(e, &b);
    return err;
}

/* What the responder leaves us of our first offer is ours only as far as our address goes. */
static err_t within_vip(const struct v2_sa *v, const struct v2_exch *x, struct ts_list *tsi)
{
    struct ts_list mine, got = *tsi;
    if (!v->sa.vips || !v->sa.vips->our_count)
        return E_OK;
    vip_local_ts(&v->sa, x->cc, &mine);
    return ts_narrow(&mine, &got, tsi);
}

static err_t accept_selectors(struct ike *e, const struct v2_sa *v, struct v2_exch *x,
                              struct refusal *r)
{
    struct ts_list *i = v2_exch_alloc(e, x, sizeof *i), *s = v2_exch_alloc(e, x, sizeof *s);
    if (!i || !s)
        return E_NOMEM;
    err_t err = ts_body_parse(v2_body(x->msg, PL_TSI), i);
    if (!err)
        err = ts_body_parse(v2_body(x->msg, PL_TSR), s);
    if (!err && x->mode == MODE_TRANSPORT && v2_mode_told(x) == MODE_TRANSPORT)
        v2_mode_as_seen(v, x, i, s);
    if (!err && (!i->count || !s->count || !ts_within(x->tsi, i) || !ts_within(x->tsr, s)))
        err = R_TS_UNACCEPTABLE;
    if (!err)
        err = within_vip(v, x, i);
    if (err) {
        *r = (struct refusal){.reason = err, .what = "traffic selectors", .clause = "RFC 7296 2.9"};
        r->ours = ike_strf(e, "%s === %s", ike_str_ts(e, x->tsi), ike_str_ts(e, x->tsr));
        r->theirs = ike_strf(e, "%s === %s", ike_str_ts(e, i), ike_str_ts(e, s));
        return err;
    }
    x->tsi = i;
    x->tsr = s;
    return E_OK;
}

/* What the responder chose must lie within what we offered. R_MODE: all but the mode does. */
err_t v2_offer_accept(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct refusal *r)
{
    err_t err = accept_proposal(e, x, r);
    if (!err)
        err = accept_selectors(e, v, x, r);
    if (!err)
        err = v2_mode_accept(e, v, x, r);
    if (err > 0)
        r->child = x->cc->name;
    v2_per_cpu_answered(x);
    v2_ipcomp_answered(x);
    v2_later_frags_answered(x);
    return err;
}

static void say_installed(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct child *c,
                          const struct ts_list *l, const struct ts_list *r)
{
    v2_say_proposal(e, EV_CHILD_PROPOSAL, &v->sa, c, &x->chosen);
    enum event_kind kind = x->old_child ? EV_CHILD_REKEYED : EV_CHILD_ESTABLISHED;
    struct event *ev = ike_event(e, kind, &v->sa, c);
    if (ike_heard(e, kind))
        ev->text = ike_strf(e, "TS %s === %s", ike_str_ts(e, l), ike_str_ts(e, r));
    ev->number = x->old_child;
}

static err_t plan_keys(const struct v2_sa *v, const struct v2_exch *x, struct child_plan *p)
{
    struct child_keys *i2r = x->ours ? &p->out : &p->in, *r2i = x->ours ? &p->in : &p->out;
    return v2_child_keys(v->sa.prf, v2_key_d(&v->keys), secret_bytes(&x->shared), x->ni, x->nr,
                         p->encr, p->integ, i2r, r2i);
}

static void plan_wipe(struct child_plan *p)
{
    secret_free(&p->in.encr);
    secret_free(&p->in.integ);
    secret_free(&p->out.encr);
    secret_free(&p->out.integ);
}

/* x holds everything checked; the reserved SPI passes to the CHILD SA. */
struct child *v2_child_install(struct ike *e, struct v2_sa *v, struct v2_exch *x, uint8_t dirs)
{
    const struct transform *esn = proposal_get(&x->chosen, T_ESN);
    struct child_plan p = {
        .conn = x->conn,
        .cc = x->cc,
        .replaces = x->old_child,
        .spi_in = x->spi,
        .spi_out = get_u32(x->chosen.spi),
        .encr = proposal_alg(&x->chosen, T_ENCR),
        .ke = x->method ? proposal_alg(&x->chosen, T_KE) : NULL,
        .esn = esn && esn->id == ESN_YES,
        .proto = x->chosen.proto,
        .dirs = dirs,
        .mode = x->unwanted ? MODE_TUNNEL : (uint8_t)x->mode,
        .per_cpu = x->per_cpu,
        .later_frags = x->later_frags,
        .cpu = x->cpu,
        .local_ts = x->ours ? x->tsi : x->tsr,
        .remote_ts = x->ours ? x->tsr : x->tsi,
    };
    p.cpi_in = x->cpi_in;
    p.cpi_out = x->cpi_out;
    if (p.mode == MODE_TRANSPORT) {
        p.oa_local = x->oa_local;
        p.oa_remote = x->oa_remote;
    }
    p.integ = p.encr && p.encr->aead ? NULL : proposal_alg(&x->chosen, T_INTEG);
    err_t err = plan_keys(v, x, &p);
    struct child *c = err ? NULL : child_add(e, &v->sa, &p);
    plan_wipe(&p);
    if (err)
        ike_fail(e, err < 0 ? err : E_CRYPTO);
    if (!c)
        return NULL;
    x->spi_used = true;
    if (!x->unwanted)
        say_installed(e, v, x, c, p.local_ts, p.remote_ts);
    return c;
}

/* The peer refused a CHILD SA with an error notify: what we had offered, and what to look at. */
void v2_child_refused(struct ike *e, struct v2_sa *v, const struct v2_exch *x,
                      const struct notify *n)
{
    struct refusal r;
    struct buf b = {0};
    v2_peer_refusal(e, &v->sa, n, &r);
    r.child = x->cc->name;
    const char *at = ike_strf(e, "connections.%s.children.%s", x->conn->name, x->cc->name);
    if (r.reason == R_PEER_NO_PROPOSAL) {
        proposals_print(x->offer, &b);
        r.what = "esp_proposals";
        r.ours = ike_str_buf(e, &b);
        r.theirs = "(the peer does not tell; see its log)";
        r.hint = ike_strf(e, "make %s.esp_proposals the same on both sides", at);
    } else if (r.reason == R_PEER_TS_UNACCEPTABLE) {
        r.what = "traffic selectors";
        r.ours = ike_strf(e, "%s === %s", ike_str_ts(e, x->tsi), ike_str_ts(e, x->tsr));
        r.theirs = "(the peer does not tell; see its log)";
        r.hint = ike_strf(e, "make %s.local_ts the peer's remote_ts, and the other way round", at);
        r.clause = "RFC 7296 2.9";
    }
    ike_peer_refused(e, &v->sa, &r);
}
