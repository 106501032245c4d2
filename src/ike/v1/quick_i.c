/*
 * Quick mode that we start: RFC 2409 5.5. One pair of selectors (RFC 2407 4.6.2), one key exchange
 * group for all suites of the offer, the peer's choice checked against what we offered.
 */
#include "ike/v1/v1.h"
#include "ike/vip.h"

#define REKEY_RETRY_MS 15000

static void end_task(struct ike *e, struct v1_sa *v, err_t reason)
{
    struct task *t = v->sa.active;
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, reason);
}

void v1_quick_failed(struct ike *e, struct v1_sa *v, struct v1_exch *x, err_t reason)
{
    struct child *old = x && x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (old) { /* another attempt before its life ends */
        old->rekey_soon = false;
        old->rekey_ms = e->now + REKEY_RETRY_MS + ike_random_below(e, REKEY_RETRY_MS);
    }
    retransmit_stop(&v->sa);
    v1_exch_end(e, x);
    end_task(e, v, reason);
}

/* --- the first message --- */

static bool holds(const struct ts *t, const struct ts *flow)
{
    return ts_contains(t, flow);
}

/*
 * The peer told us the networks that are to be tunnelled: the one that there is, or, as Cisco has
 * it, an SA for all that we want of which we use these.
 */
static void split(struct ike *e, const struct v1_sa *v, struct v1_exch *x, struct ts_list *remote)
{
    struct ts_list *in = v1_exch_alloc(e, x, sizeof *in);
    if (!in || !vip_include_ts(&v->sa, remote, in))
        return;
    if (in->count == 1 && !v->peer_unity)
        *remote = *in;
    else
        x->narrow = in;
}

/* The pair that covers the packet which asks for the tunnel, else the first pair. */
static bool selectors(struct ike *e, const struct v1_sa *v, struct v1_exch *x, const struct task *t,
                      const struct child *old)
{
    struct ts_list l, r;
    if (old && !v->sa.vips) {
        child_ts_get(old, &l, &r);
    } else {
        vip_local_ts(&v->sa, x->cc, &l);
        vip_remote_ts(&v->sa, x->cc, &r);
        split(e, v, x, &r);
    }
    if (!l.count || !r.count)
        return false;
    x->local = l.ts[0];
    x->remote = r.ts[0];
    for (size_t i = 0; t->has_flow && i < l.count; i++)
        if (holds(&l.ts[i], &t->flow_local))
            x->local = l.ts[i];
    for (size_t i = 0; t->has_flow && i < r.count; i++)
        if (holds(&r.ts[i], &t->flow_remote))
            x->remote = r.ts[i];
    return ts_v1_expressible(&x->local) && ts_v1_expressible(&x->remote);
}

static err_t no_selectors(struct ike *e, struct v1_sa *v, const struct v1_exch *x)
{
    struct ts_list l = {.count = 1, .ts = {x->local}}, r = {.count = 1, .ts = {x->remote}};
    struct refusal why = {
        .reason = R_TS_UNACCEPTABLE,
        .what = "local_ts, remote_ts",
        .ours = ike_strf(e, "%s === %s", ike_str_ts(e, &l), ike_str_ts(e, &r)),
        .text = "IKEv1 knows one port or all, not ranges of ports",
        .clause = "RFC 2407 4.6.2",
        .child = x->cc->name,
    };
    ike_refused(e, &v->sa, &why);
    return why.reason;
}

static err_t no_offer(struct ike *e, struct v1_sa *v, const struct v1_exch *x)
{
    struct refusal why = {
        .reason = R_NO_PROPOSAL,
        .what = "esp_proposals",
        .ours = "nothing that IKEv1 can say",
        .hint = ike_strf(e, "set connections.%s.children.%s.esp_proposals = aes256-sha256",
                         x->conn->name, x->cc->name),
        .clause = "RFC 2407 4.4.4",
        .child = x->cc->name,
    };
    ike_refused(e, &v->sa, &why);
    return why.reason;
}

static void put_selector(struct v1_build *b, const struct ts *t)
{
    payload_begin(&b->c, P1_ID);
    ts_v1_write(&b->w, t);
    payload_end(&b->c);
}

static void send1(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct v1_build b;
    struct ike_msg m = {0};
    uint8_t spi[4], ah[4];
    if (x->job_err) {
        v1_quick_failed(e, v, x, x->job_err > 0 ? x->job_err : R_KE_VALUE);
        return;
    }
    put_u32(spi, x->spi);
    put_u32(ah, x->ah_spi);
    for (size_t i = 0; i < x->offer_count; i++) {
        x->offer[i].spi = bytes_of(spi, sizeof spi);
        x->offer[i].ah.spi = bytes_of(ah, sizeof ah);
        x->offer[i].cpi = x->offer[i].cpi ? x->cpi : 0;
    }
    if (v1_iv_phase2(v, x->msg_id, x->iv) || !v1_build_begin2(e, v, &b, EXCH_V1_QUICK, x->msg_id))
        return;
    v1_put_sa(&b, false, x->offer, x->offer_count);
    for (size_t i = 0; i < x->offer_count; i++)
        x->offer[i].spi = x->offer[i].ah.spi = bytes_of(NULL, 0);
    payload_put(&b.c, P1_NONCE, x->ni);
    if (x->method)
        payload_put(&b.c, P1_KE, cr_ke_public(x->ke));
    put_selector(&b, &x->local);
    put_selector(&b, &x->remote);
    v1_nat_oa_put(&b, v, x);
    if (!v1_build_hash(e, v, &b, false, bytes_of(NULL, 0), bytes_of(NULL, 0)) ||
        !v1_build_end(e, v, &b, x->iv, &m))
        return;
    retransmit_start(e, &v->sa, x->msg_id, v1_bytes(&m));
    ike_msg_free(&m);
}

/* The child to rekey, or none if that is pointless by now: gone, or replaced already. */
static struct child *to_rekey(struct ike *e, const struct task *t)
{
    struct child *c = child_by_id(e, t->child_id);
    if (!c || c->state != CHILD_INSTALLED || c->redundant)
        return NULL;
    return c->successor && child_by_id(e, c->successor) ? NULL : c;
}

static const struct conn_child *config_now(const struct v1_sa *v, const struct child *c,
                                           struct conn **conn)
{
    *conn = v->sa.entry && v->sa.entry->conn ? v->sa.entry->conn : c->conn;
    const struct conn_child *cc = conn_child_find(*conn, c->cc->name);
    if (cc && cc->policy == CHILD_PROTECT)
        return cc;
    *conn = c->conn;
    return c->cc;
}

static void negotiate(struct ike *e, struct v1_sa *v, struct task *t, struct child *old,
                      struct conn *conn, const struct conn_child *cc)
{
    struct v1_exch *x = v1_exch_new(e, v, true, v1_message_id(e, v));
    struct v1_transform *offer;
    struct refusal why;
    if (!x)
        return;
    v1_exch_conn(x, conn, cc);
    x->old_child = old ? old->id : 0;
    if (!mode_fits(e, &v->sa, conn, cc, &why)) {
        ike_refused(e, &v->sa, &why);
        v1_quick_failed(e, v, x, why.reason);
        return;
    }
    if (!selectors(e, v, x, t, old)) {
        v1_quick_failed(e, v, x, no_selectors(e, v, x));
        return;
    }
    x->offer_count = v1_offer_esp(e, cc, v, true, &offer);
    if (!x->offer_count) {
        v1_quick_failed(e, v, x, no_offer(e, v, x));
        return;
    }
    x->offer = (struct v1_transform *)arena_copy(&x->arena,
                                                 bytes_of(offer, x->offer_count * sizeof *offer))
                   .p;
    x->ni = v1_nonce(e, x);
    x->cpi = cc->ipcomp ? ike_cpi_new(e) : 0;
    if (!x->offer || !v1_spi_new(e, x) || !x->ni.p) {
        v1_quick_failed(e, v, x, R_TOO_MANY);
        return;
    }
    const struct alg *ke = proposal_alg(&x->offer[0].p, T_KE);
    x->method = ke ? ke->id : KE_NONE;
    if (!old) {
        struct event *ev = ike_event(e, EV_CHILD_INITIATING, &v->sa, NULL);
        ev->child = ike_str(e, cc->name);
    }
    if (x->method)
        v1_exch_job(e, v, x, JOB_KE_NEW, bytes_of(NULL, 0), send1);
    else
        send1(e, v, x);
}

void v1_quick_start(struct ike *e, struct v1_sa *v, struct task *t)
{
    struct conn *conn = t->conn;
    const struct conn_child *cc = t->cc;
    struct child *old = t->kind == TASK_CHILD_REKEY ? to_rekey(e, t) : NULL, *twin;
    if (t->kind == TASK_CHILD_REKEY && !old) {
        struct child *c = child_by_id(e, t->child_id);
        end_task(e, v, c && c->successor ? E_OK : R_NOT_FOUND);
        return;
    }
    if (old && (twin = v1_twin(old))) {
        bool stays = v1_twin_stays(old, twin);
        v1_retire(e, v, stays ? old->id : twin->id, stays ? twin : old, true);
        if (stays) {
            end_task(e, v, E_OK);
            return;
        }
    }
    if (old)
        cc = config_now(v, old, &conn);
    negotiate(e, v, t, old, conn, cc);
}

/* --- the second message --- */

/* RFC 2408 4.2 wants one answer. strongSwan gives two where it takes IPComp: with it, and the same
 * without; the first is what it does. */
static bool one_answer(const struct v1_sa_body *got)
{
    struct v1_transform second = got->t[1];
    second.cpi = got->t[0].cpi;
    return got->count == 1 || (got->count == 2 && got->t[0].cpi && !got->t[1].cpi &&
                               v1_same_suite(&got->t[0], &second));
}

static err_t take_choice(struct ike *e, struct v1_exch *x, struct refusal *r)
{
    struct v1_sa_body *got = ike_alloc(e, sizeof *got);
    err_t err = got ? sa_v1_parse(v1_body(x->msg, P1_SA), false, got) : E_NOMEM;
    if (err)
        return err;
    const struct v1_transform *t = &got->t[0];
    size_t i = 0;
    while (i < x->offer_count && !v1_same_suite(&x->offer[i], t))
        i++;
    if (one_answer(got) && i < x->offer_count && v1_take_spis(x, t)) {
        x->chosen.spi = x->chosen.raw = x->chosen.cpi_raw = bytes_of(NULL, 0);
        x->chosen.ah.spi = x->chosen.ah.raw = bytes_of(NULL, 0);
        return E_OK;
    }
    *r = (struct refusal){
        .reason = R_PROPOSAL_ALTERED,
        .what = "esp_proposals",
        .ours = v1_offer_str(e, x->offer, x->offer_count),
        .theirs = v1_offer_str(e, got->t, got->count),
        .clause = "RFC 2408 4.2",
        .child = x->cc->name,
    };
    return r->reason;
}

/* A gateway may give a traveller less than it asks for, as charon does. */
static bool narrowed(const struct v1_sa *v, struct v1_exch *x, const struct ts ts[2])
{
    if (!v->sa.vips || !ts_contains(&x->local, &ts[0]) || !ts_contains(&x->remote, &ts[1]))
        return false;
    x->local = ts[0];
    x->remote = ts[1];
    return true;
}

/* RFC 2409 5.5: the identities of the answer are those of the offer */
static err_t check_selectors(struct ike *e, const struct v1_sa *v, struct v1_exch *x,
                             struct refusal *r)
{
    struct ts ts[2];
    size_t n = 0;
    for (const struct payload *p = NULL; (p = payloads_next(&x->msg->in, P1_ID, p));)
        if (ts_v1_parse(p->body, &ts[n++]))
            return R_SYNTAX;
    if (n == 0 || (n == 2 && ts_eq(&ts[0], &x->local) && ts_eq(&ts[1], &x->remote)))
        return E_OK;
    if (n == 2 && narrowed(v, x, ts))
        return E_OK;
    struct ts_list l = {.count = 1, .ts = {x->local}}, q = {.count = 1, .ts = {x->remote}};
    *r = (struct refusal){
        .reason = R_TS_UNACCEPTABLE,
        .what = "proxy identities",
        .ours = ike_strf(e, "%s === %s", ike_str_ts(e, &l), ike_str_ts(e, &q)),
        .clause = "RFC 2409 5.5",
        .child = x->cc->name,
    };
    if (n == 2) {
        l.ts[0] = ts[0];
        q.ts[0] = ts[1];
        r->theirs = ike_strf(e, "%s === %s", ike_str_ts(e, &l), ike_str_ts(e, &q));
    }
    return r->reason;
}

static void read_lifetime(struct v1_exch *x)
{
    struct notify_v1 n;
    for (const struct payload *p = NULL; (p = payloads_next(&x->msg->in, P1_NOTIFY, p));)
        if (!notify_v1_parse(p->body, &n) && n.type == N1_RESPONDER_LIFETIME &&
            life_v1_parse(n.data, false, &x->cap_s, &x->cap_kb))
            x->cap_s = x->cap_kb = 0;
}

#define SWITCH_MS 1000 /* less than the time before the old SA is deleted */

/* When to send on the new SA: at once, when the peer says CONNECTED (RFC 2408 3.1), or in place of
 * an older SA when the peer has sent on it, as it may install its half with our third message only;
 * but none of that is waited for without end. */
static uint64_t sends_at(const struct ike *e, const struct v1_exch *x)
{
    const struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (x->commit)
        return e->now + e->set.retransmit_timeout_ms;
    return old && old->dirs & DIR_OUT ? e->now + SWITCH_MS : 0;
}

static void send3(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct v1_build b;
    struct ike_msg m = {0};
    if (x->job_err) {
        struct refusal r = {.reason = R_KE_VALUE, .what = "key exchange", .clause = "RFC 6989 2"};
        ike_refused(e, &v->sa, &r);
        v1_quick_failed(e, v, x, R_KE_VALUE);
        return;
    }
    uint64_t later = sends_at(e, x);
    struct child *c = v1_child_install(e, v, x, later ? DIR_IN : DIR_BOTH);
    if (!c || !v1_build_begin2(e, v, &b, EXCH_V1_QUICK, x->msg_id) ||
        !v1_build_hash(e, v, &b, true, x->ni, x->nr) || !v1_build_end(e, v, &b, x->iv, &m)) {
        v1_quick_failed(e, v, x, R_TOO_MANY);
        return;
    }
    ike_msg_free(&x->last_out);
    x->last_out = m;
    ike_send(e, &v->sa, v1_bytes(&x->last_out));
    v1_say_installed(e, v, x, c);
    v1_retire(e, v, x->old_child, c, true);
    v1_settle(e, v, x);
    end_task(e, v, E_OK);
    v1_exch_keep(e, x);
    if (later) {
        x->resend_at = later;
        x->resends = UINT8_MAX - 1;
    }
}

void v1_quick2(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct refusal r = {0};
    struct bytes ke = v1_body(x->msg, P1_KE);
    const struct alg *group = x->method ? alg_find(T_KE, x->method, 0) : NULL;
    err_t err = take_choice(e, x, &r);
    if (!err)
        err = check_selectors(e, v, x, &r);
    if (!err)
        err = v1_nat_oa_read(e, v, x, &r);
    if (!err && (group ? ke.n != group->pub_len : ke.n != 0))
        err = R_INVALID_KE;
    if (err) {
        if (!r.reason)
            r = (struct refusal){.reason = err > 0 ? err : R_SYNTAX, .what = "quick mode"};
        ike_refused(e, &v->sa, &r);
        v1_quick_failed(e, v, x, r.reason);
        return;
    }
    read_lifetime(x);
    x->nr = v1_body(x->msg, P1_NONCE);
    if (x->method)
        v1_exch_job(e, v, x, JOB_KE_DERIVE, ke, send3);
    else
        send3(e, v, x);
}

/* The peer refused with a notify; it belongs to the one quick mode that we have under way. */
void v1_quick_refused(struct ike *e, struct v1_sa *v, uint16_t type)
{
    struct v1_exch *x = v1_own_quick(v);
    if (!x)
        return;
    struct ts_list l = {.count = 1, .ts = {x->local}}, q = {.count = 1, .ts = {x->remote}};
    const char *at = ike_strf(e, "connections.%s.children.%s", x->conn->name, x->cc->name);
    struct refusal r = {
        .reason = v1_reason_of(type),
        .what = "esp_proposals",
        .ours = v1_offer_str(e, x->offer, x->offer_count),
        .theirs = "(the peer does not tell; see its log)",
        .hint = ike_strf(e, "make %s.esp_proposals the same on both sides, PFS group included", at),
        .text = ike_strf(e, "%s (%u)", notify_v1_name(type), type),
        .clause = "RFC 2409 5.5",
        .child = x->cc->name,
    };
    if (r.reason == R_PEER_TS_UNACCEPTABLE) {
        r.what = "proxy identities";
        r.ours = ike_strf(e, "%s === %s", ike_str_ts(e, &l), ike_str_ts(e, &q));
        r.hint = ike_strf(e, "the peer must have the mirror image: its local_ts %s, remote_ts %s",
                          ike_str_ts(e, &q), ike_str_ts(e, &l));
    }
    ike_peer_refused(e, &v->sa, &r);
    v1_quick_failed(e, v, x, r.reason);
}
