/*
 * IKE_SA_INIT, responder: RFC 7296 1.2, 2.6, 2.7. No state before the cookie (when one is asked
 * for) and the proposal are right; a retransmitted request gets the same answer from the half-open
 * SA.
 */
#include "ike/half.h"
#include "ike/v2/v2.h"
#include "wire/print.h"
#include "wire/sa_v2.h"
#include "wire/vendor.h"
#include <stdlib.h>

struct hello { /* a first message and what we make of it */
    struct v2_hello in;
    struct conn *conn;
    struct proposal chosen;
    struct bytes authorities; /* to ask for: those of connections that may be meant */
    bool hashes;              /* and one of them signs or wants signatures */
    bool vendor;              /* or asks for BEET */
};

/* 2.1: the same bytes again get the same answer; anything else from there is not believed. */
static bool repeated(struct ike *e, const struct ike_pkt *p)
{
    struct bytes answer;
    if (!v2_hello_known(e, p))
        return false;
    struct half *h = half_by_spi(e, v2_hello_spi(e, p));
    bool same = h && h->ready && bytes_eq(p->raw, bytes_of(h->data, h->req_len));
    if (same && v2_init_answer(e, h, &answer)) {
        e->stats.retransmits++;
        ike_send_to(e, &p->local, &p->remote, p->natt, answer);
    } else if (!same) {
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

/* RFC 7427 4, RFC 7296 3.7, 3.12: which connection it is, only the identities will tell. */
static void all_that_may_be(struct ike *e, struct hello *hi, struct conn *const *c, size_t n)
{
    struct notify notify;
    struct conn *remote = NULL;
    bool any = false;
    for (size_t i = 0; i < n && i < CANDIDATES_MAX; i++) {
        hi->vendor = hi->vendor || v2_mode_private(c[i]);
        any |= c[i]->auth_local.kind == AUTH_PUBKEY || c[i]->auth_remote.kind == AUTH_PUBKEY;
        if (!remote && c[i]->auth_remote.kind == AUTH_PUBKEY)
            remote = c[i];
    }
    hi->hashes = any && v2_notify_find(hi->in.m, N_SIGNATURE_HASH_ALGORITHMS, &notify);
    if (remote)
        hi->authorities = sig_authority_hashes(e, NULL);
}

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
            all_that_may_be(e, hi, c, n);
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

bool v2_init_answer(struct ike *e, struct half *h, struct bytes *out)
{
    struct v2_build b;
    struct proposal chosen;
    struct ike_hdr hdr = {.spi_i = h->spi_i,
                          .spi_r = h->spi_r,
                          .major = 2,
                          .exchange = EXCH_IKE_SA_INIT,
                          .flags = IKE_FLAG_RESPONSE};
    half_chosen(h, &chosen);
    if (!v2_build_clear(e, &b, &hdr))
        return false;
    payload_begin(&b.c, PL_SA);
    sa_v2_write_one(&b.w, &chosen);
    payload_end(&b.c);
    v2_put_ke(&b, proposal_get(&chosen, T_KE)->id, bytes_of(half_pub(h), h->pub_len));
    v2_put_nonce(&b, bytes_of(half_nr(h), h->nr_len));
    v2_nat_put(&b, &h->local, &h->remote, h->nat_fake);
    v2_put_certreq(&b, half_authorities(h));
    if (h->frags)
        v2_put_notify(&b, N_FRAGMENTATION_SUPPORTED, bytes_of(NULL, 0));
    if (h->hashes)
        v2_put_hashes(&b);
    if (h->vendor)
        v2_mode_put_vendor(&b);
    return v2_build_end(e, NULL, &b, out);
}

static void say_answer(struct ike *e, const struct half *h, struct bytes msg)
{
    struct ike_hdr hdr;
    struct payloads ps;
    struct buf b = {0};
    if (!ike_heard(e, EV_MSG_SENT) || ike_hdr_parse(msg, &hdr) ||
        payloads_parse(ike_hdr_body(msg), hdr.next, &ps))
        return;
    ike_message_print(&hdr, &ps, &b);
    half_event(e, EV_MSG_SENT, h)->text = ike_str_buf(e, &b);
}

static void bad_value(struct ike *e, struct half *h)
{
    struct refusal r = {.reason = R_KE_VALUE,
                        .what = "key exchange",
                        .clause = "RFC 6989 2",
                        .text = "public value of the peer"};
    struct ike_pkt to = {
        .local = h->local, .remote = h->remote, .natt = h->natt, .spi_i = h->spi_i};
    ike_refused(e, NULL, &r);
    e->evidence->ike_id = h->id;
    e->evidence->local = h->local;
    e->evidence->remote = h->remote;
    reply_notify(e, &to, N_INVALID_SYNTAX, bytes_of(NULL, 0));
    half_drop(e, h, R_KE_VALUE);
}

/* 2.14: only SKEYSEED is kept; SK_* are made when the peer comes back. */
static err_t take_secret(struct half *h, const struct ike_job *j)
{
    struct proposal chosen;
    uint8_t seed[CR_HASH_MAX];
    half_chosen(h, &chosen);
    struct bytes pub = cr_ke_public(j->ke);
    err_t err =
        v2_skeyseed(proposal_alg(&chosen, T_PRF), secret_bytes(&j->shared),
                    bytes_of(h->data + h->ni_at, h->ni_len), bytes_of(half_nr(h), h->nr_len), seed);
    if (!err) {
        memcpy(half_pub(h), pub.p, h->pub_len);
        memcpy(half_seed(h), seed, h->seed_len);
        h->ready = true;
    }
    secret_wipe(seed, sizeof seed);
    return err;
}

void v2_init_job(struct ike *e, struct half *h, struct ike_job *j)
{
    struct bytes msg;
    if (j->err > 0) {
        bad_value(e, h);
        return;
    }
    err_t err = j->err ? j->err : take_secret(h, j);
    if (err) {
        ike_fail(e, err < 0 ? err : E_CRYPTO);
        half_drop(e, h, R_KE_VALUE);
    } else if (v2_init_answer(e, h, &msg)) {
        say_answer(e, h, msg);
        ike_send_to(e, &h->local, &h->remote, h->natt, msg);
    }
}

static void say_hello(struct ike *e, const struct half *h, const struct v2_msg *m, struct v2_nat n)
{
    struct buf b = {0};
    struct proposal chosen;
    if (!ike_heard(e, EV_IKE_RESPONDING))
        return;
    if (v2_nat_where(n))
        half_event(e, EV_NAT, h)->text = v2_nat_where(n);
    half_event(e, EV_IKE_RESPONDING, h);
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_VENDOR, p));) {
        const char *name = vendor_name(p->body);
        half_event(e, EV_MSG_VENDOR, h)->text = name ? name : "unknown";
    }
    half_chosen(h, &chosen);
    proposal_print(&chosen, &b);
    half_event(e, EV_IKE_PROPOSAL, h)->text = ike_str_buf(e, &b);
}

static void start_job(struct ike *e, struct half *h, const struct ke *ke)
{
    struct ike_job *j = job_new(JOB_KE_BOTH, 0, 0, ke->method);
    if (!j || secret_set(&j->peer, ke->data)) {
        ike_job_free(j);
        ike_fail(e, E_NOMEM);
        half_end(e, h);
        return;
    }
    j->half = h->spi_r;
    ike_act_add(e, ACT_JOB)->job = j;
}

static void accept(struct ike *e, const struct hello *hi)
{
    const struct ike_pkt *p = &hi->in.m->pkt;
    const struct half_plan plan = {
        .pkt = p,
        .chosen = &hi->chosen,
        .ni = hi->in.ni,
        .spi_r = v2_hello_spi(e, p),
        .nr_len = V2_NONCE_LEN,
        .pub_len = proposal_alg(&hi->chosen, T_KE)->pub_len,
        .seed_len = proposal_alg(&hi->chosen, T_PRF)->out_len,
        .authorities = hi->authorities,
    };
    struct notify n;
    struct half *h = half_new(e, &ike_v2, &plan);
    if (!h)
        return;
    struct v2_nat nat = v2_nat_read(hi->in.m, h->spi_i, 0);
    h->nat_local = nat.local;
    h->nat_remote = nat.remote;
    h->nat_fake = hi->conn->encap;
    for (const struct payload *q = NULL; (q = payloads_next(&hi->in.m->in, PL_VENDOR, q));)
        h->vendors |= vendor_bit(q->body);
    h->frags = hi->conn->fragmentation != FRAG_NO &&
               v2_notify_find(hi->in.m, N_FRAGMENTATION_SUPPORTED, &n);
    h->hashes = hi->hashes;
    h->vendor = hi->vendor;
    e->env.random(e->env.ctx, half_nr(h), h->nr_len);
    say_hello(e, h, hi->in.m, nat);
    start_job(e, h, &hi->in.ke);
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
