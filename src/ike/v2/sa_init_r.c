/*
 * IKE_SA_INIT, responder: RFC 7296 1.2, 2.6, 2.7. No state before the cookie (when one is asked
 * for) and the proposal are right; a retransmitted request gets the same answer from the half-open
 * SA.
 */
#include "ike/v2/v2.h"
#include "wire/print.h"
#include "wire/sa_v2.h"
#include "wire/vendor.h"
#include <stdlib.h>

struct hello { /* a first message and what we make of it */
    struct v2_hello in;
    struct conn *conn;
    struct proposal chosen;
};

/* 2.1: the same bytes again get the same answer; anything else from there is not believed. */
static bool repeated(struct ike *e, const struct ike_pkt *p)
{
    struct v2_sa *v = v2_hello_known(e, p);
    if (!v)
        return false;
    const struct v2_init *i = v->init;
    if (i && i->resp.p && bytes_eq(p->raw, bytes_of(i->req.p, i->req.n))) {
        e->stats.retransmits++;
        ike_send_to(e, &p->local, &p->remote, p->natt, bytes_of(i->resp.p, i->resp.n));
    } else {
        ike_drop(e, p, R_STATE, "IKE_SA_INIT for an SA under way");
    }
    return true;
}

static void reply_notify(struct ike *e, const struct ike_pkt *p, uint16_t type, struct bytes data)
{
    uint8_t msg[128];
    size_t n = v2_hello_notify(p, type, data, msg, sizeof msg);
    ike_send_to(e, &p->local, &p->remote, p->natt, bytes_of(msg, n));
}

/* Between two of these events v2_cookie_reply answers without a word. */
static void say_cookie(struct ike *e, const struct ike_pkt *p)
{
    struct event *ev = ike_event(e, EV_COOKIE_ASKED, NULL, NULL);
    ev->remote = p->remote;
    ev->number = e->stats.half_open;
    if (e->cookies_untold)
        ev->text = ike_strf(e, "and %u others before", e->cookies_untold);
    e->cookies_untold = 0;
    e->cookie_told_at = e->now;
}

/* 2.6: proof of return routability before anything is kept or computed. */
static bool cookie_missing(struct ike *e, const struct hello *hi)
{
    struct notify n;
    uint8_t cookie[V2_COOKIE_LEN];
    const struct ike_pkt *p = &hi->in.m->pkt;
    if (!v2_cookie_wanted(e, &p->remote))
        return false;
    if (v2_notify_find(hi->in.m, N_COOKIE, &n) &&
        v2_cookie_ok(e, &p->remote, p->spi_i, hi->in.ni, n.data))
        return false;
    v2_cookie_make(e, &p->remote, p->spi_i, hi->in.ni, cookie);
    say_cookie(e, p);
    e->stats.cookies_sent++;
    reply_notify(e, p, N_COOKIE, bytes_of(cookie, sizeof cookie));
    return true;
}

static void refuse(struct ike *e, const struct hello *hi, struct refusal *r, uint16_t group)
{
    uint8_t data[2];
    put_u16(data, group);
    if (r->reason != R_INVALID_KE) {
        ike_refused(e, NULL, r);
        e->evidence->remote = hi->in.m->pkt.remote;
        e->evidence->local = hi->in.m->pkt.local;
        e->evidence->conn = hi->conn ? ike_str(e, hi->conn->name) : NULL;
    }
    e->stats.dropped[r->reason]++;
    reply_notify(e, &hi->in.m->pkt, err_notify2(r->reason),
                 r->reason == R_INVALID_KE ? bytes_of(data, 2) : bytes_of(NULL, 0));
}

static void refuse_addresses(struct ike *e, const struct hello *hi)
{
    char l[ADDR_STR_MAX], r[ADDR_STR_MAX];
    const struct ike_pkt *p = &hi->in.m->pkt;
    struct refusal why = {
        .reason = R_NO_PROPOSAL,
        .what = "remote_addrs",
        .theirs =
            ike_strf(e, "%s to %s", addr_str(&p->remote.addr, r), addr_str(&p->local.addr, l)),
        .ours = "no connection with these addresses",
        .hint = ike_strf(e, "add %s to connections.<conn>.remote_addrs", r),
        .clause = "RFC 7296 2.7",
    };
    refuse(e, hi, &why, 0);
}

#define CANDIDATES_MAX 64 /* strangers shall not make us compare more */

/* Connections in order of fitness: the first that shares a proposal. */
static bool choose(struct ike *e, struct hello *hi)
{
    struct conn **c;
    const struct ike_pkt *p = &hi->in.m->pkt;
    size_t n = conn_candidates(e, &p->local, &p->remote, 2, &c);
    struct proposal_mismatch why = {0};
    if (!n) {
        refuse_addresses(e, hi);
        return false;
    }
    for (size_t i = 0; i < n && i < CANDIDATES_MAX; i++) {
        proposal_mismatch_free(&why);
        why = (struct proposal_mismatch){0};
        hi->conn = c[i];
        if (!proposal_select(&c[i]->ike, hi->in.offer, &hi->chosen, &why)) {
            proposal_mismatch_free(&why);
            return true;
        }
    }
    struct refusal r = {0};
    hi->conn = c[0];
    proposal_mismatch_free(&why);
    why = (struct proposal_mismatch){0};
    if (proposal_select(&c[0]->ike, hi->in.offer, &hi->chosen, &why)) {
        const char *key = ike_strf(e, "connections.%s.proposals", c[0]->name);
        v2_proposal_refusal(e, &r, key, &why, &c[0]->ike, hi->in.offer);
        refuse(e, hi, &r, 0);
    }
    return false;
}

static bool wrong_group(struct ike *e, const struct hello *hi)
{
    const struct transform *want = proposal_get(&hi->chosen, T_KE);
    if (want && want->id == hi->in.ke.method)
        return false;
    struct refusal r = {.reason = R_INVALID_KE};
    refuse(e, hi, &r, want ? want->id : 0);
    return true;
}

static bool too_many(struct ike *e, const struct ike_pkt *p)
{
    if (!v2_hello_refused(e, &p->remote))
        return false;
    ike_drop(e, p, R_TOO_MANY, "IKE_SA_INIT request");
    return true;
}

static bool remember(struct ike *e, struct v2_sa *v, const struct ike_pkt *p)
{
    v->init_from = p->remote;
    if (hash_add(&e->inits, &v->init_node, v2_hello_hash(e, &p->remote, p->spi_i))) {
        ike_fail(e, E_NOMEM);
        return false;
    }
    v->in_inits = true;
    return true;
}

static void answer(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_build b;
    struct ike_hdr h = {.spi_i = v->sa.spi_i,
                        .spi_r = v->sa.spi_r,
                        .major = 2,
                        .exchange = EXCH_IKE_SA_INIT,
                        .flags = IKE_FLAG_RESPONSE};
    if (!v2_build_clear(e, &b, &h))
        return;
    payload_begin(&b.c, PL_SA);
    sa_v2_write_one(&b.w, &x->chosen);
    payload_end(&b.c);
    v2_put_ke(&b, x->method, x->ke);
    v2_put_nonce(&b, bytes_of(v->init->nr, v->init->nr_len));
    v2_nat_put(e, &b, &v->sa, h.spi_i, h.spi_r, v->sa.nat_fake);
    if (!v2_build_end(e, v, &b, &v->init->resp))
        return;
    struct bytes msg = bytes_of(v->init->resp.p, v->init->resp.n);
    struct payloads ps;
    if (!payloads_parse(ike_hdr_body(msg), msg.p[16], &ps))
        v2_msg_event(e, EV_MSG_SENT, &v->sa, &h, &ps);
    ike_send(e, &v->sa, msg);
}

static void have_secret(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_init *i = v->init;
    if (x->job_err) {
        struct refusal r = {.reason = R_KE_VALUE,
                            .what = "key exchange",
                            .clause = "RFC 6989 2",
                            .text = "public value of the peer"};
        ike_refused(e, &v->sa, &r);
        reply_notify(e, &x->msg->pkt, N_INVALID_SYNTAX, bytes_of(NULL, 0));
        sa_drop(e, &v->sa, R_KE_VALUE);
        return;
    }
    v2_suite_set(&v->sa, &x->chosen);
    struct v2_suite s = {v->sa.encr, v->sa.integ, v->sa.prf};
    err_t err = v2_keys_init(&v->keys, &s, secret_bytes(&x->shared), bytes_of(i->ni, i->ni_len),
                             bytes_of(i->nr, i->nr_len), v->sa.spi_i, v->sa.spi_r);
    if (err) {
        ike_fail(e, err < 0 ? err : E_CRYPTO);
        sa_drop(e, &v->sa, R_KE_VALUE);
        return;
    }
    answer(e, v, x);
    v->state = V2_AUTH_WAIT;
    v->win.next_in = 1;
    v2_rsp_end(e, v);
}

static struct v2_sa *half_open(struct ike *e, const struct hello *hi)
{
    const struct ike_pkt *p = &hi->in.m->pkt;
    uint64_t spi = sa_spi_new(e);
    struct ike_sa *sa = spi ? sa_new(e, &ike_v2, false, p->spi_i, spi) : NULL;
    if (!sa)
        return NULL;
    struct v2_sa *v = v2_of(sa);
    sa->local = p->local;
    sa->remote = p->remote;
    sa->natt = p->natt;
    sa->half_addr = p->remote.addr;
    sa->die_ms = e->now + e->set.half_open_timeout_ms;
    sa_half_open(e, sa, true);
    v->state = V2_INIT_BUSY;
    v->init = calloc(1, sizeof *v->init);
    v->rsp = v->init ? v2_exch_new(e, false) : NULL;
    if (v->rsp && remember(e, v, p) && ike_msg_set(e, &v->init->req, p->raw))
        return v;
    ike_fail(e, E_NOMEM);
    sa_drop(e, sa, R_TOO_MANY);
    return NULL;
}

static void accept(struct ike *e, const struct hello *hi)
{
    struct v2_sa *v = half_open(e, hi);
    if (!v)
        return;
    struct v2_init *i = v->init;
    struct v2_exch *x = v->rsp;
    memcpy(i->ni, hi->in.ni.p, hi->in.ni.n);
    i->ni_len = hi->in.ni.n;
    e->env.random(e->env.ctx, i->nr, V2_NONCE_LEN);
    i->nr_len = V2_NONCE_LEN;
    x->chosen = hi->chosen;
    x->chosen.spi_len = 0;
    x->method = hi->in.ke.method;
    x->msg = v2_exch_alloc(e, x, sizeof *x->msg);
    if (!x->msg)
        return;
    x->msg->pkt = hi->in.m->pkt;
    x->msg->pkt.raw = bytes_of(i->req.p, i->req.n);
    v->sa.nat_fake = hi->conn->encap;
    v2_nat_read(e, &v->sa, hi->in.m, v->sa.spi_i, 0);
    ike_event(e, EV_IKE_RESPONDING, &v->sa, NULL);
    for (const struct payload *p = NULL; (p = payloads_next(&hi->in.m->in, PL_VENDOR, p));) {
        const char *name = vendor_name(p->body);
        ike_event(e, EV_MSG_VENDOR, &v->sa, NULL)->text = name ? name : "unknown";
    }
    struct buf b = {0};
    proposal_print(&hi->chosen, &b);
    ike_event(e, EV_IKE_PROPOSAL, &v->sa, NULL)->text = ike_str_buf(e, &b);
    v2_job(e, v, x, JOB_KE_BOTH, hi->in.ke.data, have_secret);
}

static void bad_hello(struct ike *e, const struct hello *hi, err_t err)
{
    const struct ike_pkt *p = &hi->in.m->pkt;
    ike_drop(e, p, err, "IKE_SA_INIT request");
    uint8_t type = hi->in.m->in.bad_type;
    if (err == R_CRITICAL) /* 2.5 */
        reply_notify(e, p, N_UNSUPPORTED_CRITICAL_PAYLOAD, bytes_of(&type, 1));
    else if (err_notify2(err)) /* 2.21.1 */
        reply_notify(e, p, err_notify2(err), bytes_of(NULL, 0));
}

void v2_init_request(struct ike *e, const struct ike_pkt *p)
{
    struct hello hi = {
        .in = {.m = ike_alloc(e, sizeof *hi.in.m), .offer = ike_alloc(e, sizeof *hi.in.offer)}};
    if (!hi.in.m || !hi.in.offer || repeated(e, p) || too_many(e, p))
        return;
    if (p->spi_r || p->msg_id || !p->spi_i) {
        ike_drop(e, p, R_SYNTAX, "IKE_SA_INIT request with a responder's SPI or message id");
        return;
    }
    hi.in.m->pkt = *p;
    hi.in.m->raw = p->raw;
    err_t err = v2_hello_read(&hi.in);
    if (err) {
        bad_hello(e, &hi, err);
        return;
    }
    v2_msg_event(e, EV_MSG_RECEIVED, NULL, &hi.in.m->hdr, &hi.in.m->in);
    if (cookie_missing(e, &hi) || !choose(e, &hi) || wrong_group(e, &hi))
        return;
    accept(e, &hi);
}
