/*
 * The states of IKEv2 as rows: which message may come when, what it must and may carry, who handles
 * it, and the RFC's clause. v2_packet finds the row, opens the message and keeps the window.
 */
#include "ike/v2/v2.h"
#include <stdlib.h>

#define B(t)      (1u << ((t)-PL_SA))
#define B_ANYTIME (B(PL_NOTIFY) | B(PL_VENDOR))
#define B_CHILD   (B(PL_SA) | B(PL_TSI) | B(PL_TSR))
#define AUTHED    (V2_UP | V2_REKEYED | V2_DELETING)

static const struct v2_row rows[] = {
    /* exchange, from, response, must, may, handler, clause */
    {EXCH_IKE_SA_INIT, V2_IDLE, false, B(PL_SA) | B(PL_KE) | B(PL_NONCE), B_ANYTIME | B(PL_CERTREQ),
     NULL, "RFC 7296 1.2"},
    {EXCH_IKE_SA_INIT, V2_INIT_SENT, true, B(PL_SA) | B(PL_KE) | B(PL_NONCE),
     B_ANYTIME | B(PL_CERTREQ), v2_init_response, "RFC 7296 1.2"},
    {EXCH_IKE_AUTH, V2_AUTH_WAIT, false, B(PL_IDI) | B(PL_AUTH),
     B_ANYTIME | B_CHILD | B(PL_IDR) | B(PL_CERT) | B(PL_CERTREQ) | B(PL_CP), v2_auth_request,
     "RFC 7296 1.2"},
    {EXCH_IKE_AUTH, V2_AUTH_SENT, true, B(PL_IDR) | B(PL_AUTH),
     B_ANYTIME | B_CHILD | B(PL_CERT) | B(PL_CP) | B(PL_EAP), v2_auth_response, "RFC 7296 1.2"},
    {EXCH_CREATE_CHILD_SA, AUTHED, false, B(PL_SA) | B(PL_NONCE),
     B_ANYTIME | B(PL_KE) | B(PL_TSI) | B(PL_TSR) | B(PL_CP), v2_create_request, "RFC 7296 1.3"},
    {EXCH_CREATE_CHILD_SA, AUTHED, true, B(PL_SA) | B(PL_NONCE),
     B_ANYTIME | B(PL_KE) | B(PL_TSI) | B(PL_TSR) | B(PL_CP), v2_create_response, "RFC 7296 1.3"},
    {EXCH_INFORMATIONAL, AUTHED, false, 0, B_ANYTIME | B(PL_DELETE) | B(PL_CP), v2_info_request,
     "RFC 7296 1.4"},
    {EXCH_INFORMATIONAL, AUTHED, true, 0, B_ANYTIME | B(PL_DELETE) | B(PL_CP), v2_info_response,
     "RFC 7296 1.4"},
};

const struct v2_row *v2_row_find(uint8_t exchange, bool response, uint16_t state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].exchange == exchange && rows[i].response == response && (rows[i].from & state))
            return &rows[i];
    return NULL;
}

/* A response that carries an error notify need not carry the rest: 2.21. */
err_t v2_row_check(const struct v2_row *row, const struct v2_msg *m)
{
    struct notify n;
    uint32_t seen = 0;
    for (size_t i = 0; i < m->in.count; i++) {
        uint8_t t = m->in.p[i].type;
        if (m->in.p[i].known && t >= PL_SA && t <= PL_EAP)
            seen |= B(t);
    }
    if (seen & ~(row->must | row->may))
        return R_UNEXPECTED_PAYLOAD;
    if ((row->must & ~seen) == 0)
        return E_OK;
    bool excused = m->response && (v2_error_of(m, &n) || v2_notify_find(m, N_COOKIE, &n));
    return excused ? E_OK : R_MISSING_PAYLOAD;
}

struct v2_msg *v2_msg_new(struct ike *e, struct arena *a, const struct ike_pkt *p)
{
    struct v2_msg *m = arena_alloc(a, sizeof *m);
    struct bytes raw = arena_copy(a, p->raw);
    if (!m || !raw.p) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    m->pkt = *p;
    m->raw = raw;
    m->response = p->flags & IKE_FLAG_RESPONSE;
    err_t err = ike_hdr_parse(raw, &m->hdr);
    return err ? NULL : m;
}

/* 2.5: tell a peer of the future which version we speak; once per message and stateless. */
static void wrong_major(struct ike *e, const struct ike_pkt *p)
{
    struct v2_build b;
    struct bytes out;
    ike_drop(e, p, R_MAJOR_VERSION, NULL);
    if (p->flags & IKE_FLAG_RESPONSE)
        return;
    struct ike_hdr h = {.spi_i = p->spi_i,
                        .spi_r = p->spi_r,
                        .major = 2,
                        .exchange = p->exchange,
                        .flags = IKE_FLAG_RESPONSE,
                        .msg_id = p->msg_id};
    if (!v2_build_clear(e, &b, &h))
        return;
    v2_put_notify(&b, N_INVALID_MAJOR_VERSION, bytes_of(NULL, 0));
    if (v2_build_end(e, NULL, &b, &out))
        ike_send_to(e, &p->local, &p->remote, p->natt, out);
}

#define SPI_ANSWERS 10 /* in a second: nobody shall reflect floods with us */

/* 2.21.4: a peer that still uses an SA we forgot (we were restarted) hears of it; to a request of
 * its own address and port, with its SPIs and message id, once and without state. */
static void unknown_spi(struct ike *e, const struct ike_pkt *p)
{
    struct v2_build b;
    struct bytes out;
    ike_drop(e, p, R_IKE_SPI, ike_exchange_name(p->exchange));
    if (p->flags & IKE_FLAG_RESPONSE || p->exchange == EXCH_IKE_SA_INIT || !p->spi_r)
        return;
    if (e->now >= e->spi_answers_at + 1000) {
        e->spi_answers_at = e->now;
        e->spi_answers = 0;
    }
    if (e->spi_answers++ >= SPI_ANSWERS)
        return;
    struct ike_hdr h = {.spi_i = p->spi_i,
                        .spi_r = p->spi_r,
                        .major = 2,
                        .exchange = p->exchange,
                        .msg_id = p->msg_id};
    h.flags =
        (uint8_t)(IKE_FLAG_RESPONSE | (p->flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR));
    if (!v2_build_clear(e, &b, &h))
        return;
    v2_put_notify(&b, N_INVALID_IKE_SPI, bytes_of(NULL, 0));
    if (v2_build_end(e, NULL, &b, &out))
        ike_send_to(e, &p->local, &p->remote, p->natt, out);
}

/* 2.4: an unprotected INVALID_IKE_SPI proves nothing, anybody can send it. It answers a request
 * that is under way, whose retransmissions find out whether the peer still has the SA; here it is
 * only said. */
static const char *unprotected(const struct payloads *clear)
{
    struct notify n;
    const struct payload *p = payloads_find(clear, PL_NOTIFY);
    bool hint = p && !notify_parse(p->body, &n) && n.type == N_INVALID_IKE_SPI;
    return hint ? "not protected; the peer seems to have lost this SA (INVALID_IKE_SPI)"
                : "not protected";
}

/* The answer to our first message: in clear, so nothing of it is believed but what is checked. */
static void clear_response(struct ike *e, struct v2_sa *v, const struct ike_pkt *p)
{
    const struct v2_row *row = v2_row_find(p->exchange, true, v->state);
    struct v2_msg *m = row ? v2_msg_new(e, &e->out->arena, p) : NULL;
    if (!m || !v->req) {
        ike_drop(e, p, R_STATE, "IKE_SA_INIT response");
        return;
    }
    err_t err = payloads_parse(ike_hdr_body(m->raw), p->next, &m->in);
    if (!err)
        err = v2_row_check(row, m);
    if (err) {
        ike_drop(e, p, err, "IKE_SA_INIT response");
        return;
    }
    v2_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    v->req->msg = m;
    row->handler(e, v, v->req);
}

static const struct payload *sk_of(const struct v2_msg *m, bool frags, struct payloads *clear)
{
    if (payloads_parse(ike_hdr_body(m->raw), m->hdr.next, clear) || !clear->count)
        return NULL;
    const struct payload *last = &clear->p[clear->count - 1];
    return last->type == PL_SK || (frags && last->type == PL_SKF) ? last : NULL;
}

bool v2_msg_open(struct ike *e, const struct v2_suite *s, const struct v2_keys *k,
                 bool by_initiator, bool frags, struct v2_msg *m, err_t *err)
{
    struct payloads clear;
    const struct payload *sk = sk_of(m, frags, &clear);
    if (!sk || !k->all.p) {
        ike_drop(e, &m->pkt, sk ? R_STATE : R_DECRYPT, unprotected(&clear));
        return false;
    }
    *err = v2_sk_open(s, k, by_initiator, m, sk);
    if (m->authentic)
        return true;
    if (*err < 0)
        ike_fail(e, *err);
    ike_drop(e, &m->pkt, R_DECRYPT, NULL);
    return false;
}

static bool open_msg(struct ike *e, struct v2_sa *v, struct v2_msg *m, err_t *err)
{
    const struct v2_suite s = {v->sa.encr, v->sa.integ, v->sa.prf};
    return v2_msg_open(e, &s, &v->keys, !v->sa.initiator, v->frags, m, err);
}

/* 2.5 and 2.21.3: an unknown critical payload is answered; broken syntax ends the SA. */
static void bad_request(struct ike *e, struct v2_sa *v, struct v2_exch *x, err_t err)
{
    uint8_t type = x->msg->in.bad_type;
    e->stats.dropped[err]++;
    struct refusal r = {
        .reason = err,
        .what = "payload",
        .theirs = ike_strf(e, "payload type %u", type),
        .clause = err == R_CRITICAL ? "RFC 7296 2.5" : "RFC 7296 2.21.3",
        .text = ike_exchange_name(x->msg->hdr.exchange),
    };
    ike_refused(e, &v->sa, &r);
    if (err == R_CRITICAL)
        v2_respond_notify(e, v, N_UNSUPPORTED_CRITICAL_PAYLOAD, bytes_of(&type, 1));
    else
        v2_respond_notify(e, v, N_INVALID_SYNTAX, bytes_of(NULL, 0));
    v2_rsp_end(e, v);
    if (err != R_CRITICAL || v->state == V2_AUTH_WAIT)
        sa_close(e, &v->sa, err);
}

void v2_fatal(struct ike *e, struct v2_sa *v, err_t reason, const char *what)
{
    struct refusal r = {.reason = reason, .what = what, .clause = "RFC 7296 2.21.3"};
    ike_refused(e, &v->sa, &r);
    v2_req_end(e, v);
    v->sa.end_reason = reason;
    if (v->state == V2_UP)
        v2_delete_ike_start(e, v);
    else
        sa_drop(e, &v->sa, reason);
}

static bool exchange_known(uint8_t exchange)
{
    return exchange >= EXCH_IKE_SA_INIT && exchange <= EXCH_INFORMATIONAL;
}

/* 2.23: the peer may have floated to 4500 with IKE_AUTH; every answer goes whence the request came
 * (2.11), a refusal too. */
static void float_with(struct v2_sa *v, const struct ike_pkt *p)
{
    v->sa.local = p->local;
    v->sa.remote = p->remote;
    v->sa.natt = p->natt;
}

void v2_request_take(struct ike *e, struct v2_sa *v, const struct v2_row *row, struct v2_exch *x,
                     err_t err)
{
    const struct ike_pkt *p = &x->msg->pkt;
    v2_msg_event(e, EV_MSG_RECEIVED, &v->sa, &x->msg->hdr, &x->msg->in);
    v->sa.seen_ms = e->now;
    if (v->state == V2_AUTH_WAIT)
        float_with(v, p);
    else
        path_follow(e, &v->sa, p);
    v2_window_take(e, &v->win, p->msg_id);
    v->rsp = x;
    if (!err)
        err = row ? v2_row_check(row, x->msg) : R_CRITICAL;
    if (err)
        bad_request(e, v, x, err);
    else
        row->handler(e, v, x);
}

static void new_request(struct ike *e, struct v2_sa *v, const struct ike_pkt *p)
{
    const struct v2_row *row = v2_row_find(p->exchange, false, v->state);
    if (v->rsp || (!row && exchange_known(p->exchange))) {
        ike_drop(e, p, R_STATE, ike_exchange_name(p->exchange));
        return;
    }
    err_t err;
    struct v2_exch *x = v2_exch_new(e, false);
    x->msg = x ? v2_msg_new(e, &x->arena, p) : NULL;
    if (!x || !x->msg || !open_msg(e, v, x->msg, &err) ||
        !v2_frag_take(e, v, &x->arena, x->msg, &err)) {
        v2_exch_free(e, x);
        return;
    }
    v2_request_take(e, v, row, x, err);
}

/* 2.1: the peer did not get our answer; but only an authentic repetition moves us. */
static void old_request(struct ike *e, struct v2_sa *v, const struct ike_pkt *p)
{
    err_t err;
    struct v2_msg *m = v2_msg_new(e, &e->out->arena, p);
    if (!m || !open_msg(e, v, m, &err))
        return;
    if (m->number > 1) /* RFC 7383 2.6.1: the first fragment asks for the answer again */
        return;
    v2_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    if (v->win.resp) {
        e->stats.retransmits++;
        ike_send(e, &v->sa, bytes_of(v->win.resp->msg, v->win.resp->n));
    }
}

static void request(struct ike *e, struct v2_sa *v, const struct ike_pkt *p)
{
    enum v2_verdict what = v2_window_request(&v->win, p->msg_id);
    if (what == V2_OLD)
        ike_drop(e, p, R_MESSAGE_ID, NULL);
    else if (what == V2_AGAIN)
        old_request(e, v, p);
    else if (v->state == V2_GONE)
        ike_drop(e, p, R_STATE, NULL);
    else
        new_request(e, v, p);
}

static void response(struct ike *e, struct v2_sa *v, const struct ike_pkt *p)
{
    const struct v2_row *row = v2_row_find(p->exchange, true, v->state);
    if (!v2_window_response(&v->sa, p->msg_id) || !row || !v->req || v->req->resume) {
        ike_drop(e, p, row ? R_MESSAGE_ID : R_STATE, ike_exchange_name(p->exchange));
        return;
    }
    err_t err;
    struct v2_exch *x = v->req;
    struct v2_msg *m = v2_msg_new(e, &e->out->arena, p);
    if (!m || !open_msg(e, v, m, &err) || !v2_frag_take(e, v, &e->out->arena, m, &err))
        return;
    v2_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    retransmit_stop(&v->sa);
    v->sa.seen_ms = e->now;
    path_follow(e, &v->sa, p);
    x->msg = m;
    if (!err)
        err = v2_row_check(row, m);
    if (err)
        v2_fatal(e, v, err, ike_exchange_name(p->exchange));
    else
        row->handler(e, v, x);
}

void v2_packet(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p)
{
    bool is_response = p->flags & IKE_FLAG_RESPONSE;
    bool by_initiator = p->flags & IKE_FLAG_INITIATOR;
    if (p->version > 2)
        wrong_major(e, p);
    else if (p->exchange == EXCH_IKE_SA_INIT && !is_response && by_initiator && !sa)
        v2_init_request(e, p);
    else if (!sa)
        unknown_spi(e, p);
    else if (by_initiator == sa->initiator)
        ike_drop(e, p, R_SYNTAX, "initiator flag");
    else if (p->exchange == EXCH_IKE_SA_INIT && is_response)
        clear_response(e, v2_of(sa), p);
    else if (p->exchange == EXCH_IKE_SA_INIT)
        ike_drop(e, p, R_STATE, "IKE_SA_INIT");
    else if (is_response)
        response(e, v2_of(sa), p);
    else
        request(e, v2_of(sa), p);
}
