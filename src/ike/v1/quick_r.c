/*
 * Quick mode that the peer starts: RFC 2409 5.5. The child is found by the proxy identities, which
 * must lie within ours; the suite is our first that is offered. We receive on the new SA from our
 * answer on and send when the third message proves that the peer is there and alive.
 */
#include "ike/v1/v1.h"
#include "ike/vip.h"

#define AT_ONCE_MS 8000 /* two lost messages, and the peer still does not know our new SA */

/* --- which child --- */

/* IDci is the initiator's side. Without both payloads it is the peers' own addresses (5.5). */
static err_t read_selectors(const struct v1_sa *v, struct v1_exch *x)
{
    const struct payload *ci = payloads_next(&x->msg->in, P1_ID, NULL);
    const struct payload *cr = ci ? payloads_next(&x->msg->in, P1_ID, ci) : NULL;
    if (!ci) {
        x->remote = (struct ts){.port_hi = 65535, .lo = v->sa.remote.addr, .hi = v->sa.remote.addr};
        x->local = (struct ts){.port_hi = 65535, .lo = v->sa.local.addr, .hi = v->sa.local.addr};
        return E_OK;
    }
    if (!cr)
        return R_MISSING_PAYLOAD;
    err_t err = ts_v1_parse(ci->body, &x->remote);
    return err ? err : ts_v1_parse(cr->body, &x->local);
}

static bool equal_to_one(const struct ts_list *l, const struct ts *t)
{
    for (size_t i = 0; i < l->count; i++)
        if (ts_eq(&l->ts[i], t))
            return true;
    return false;
}

struct sides {
    struct ts_list ts[2]; /* local, remote */
};

static void resolve(const struct v1_sa *v, const struct conn_child *cc, struct sides *s)
{
    vip_local_ts(&v->sa, cc, &s->ts[0]);
    vip_remote_ts(&v->sa, cc, &s->ts[1]);
}

static struct conn *conn_now(const struct v1_sa *v)
{
    return v->sa.entry && v->sa.entry->conn ? v->sa.entry->conn : v->sa.conn;
}

/* In transport mode a host behind a NAT is named by its own address, and found by the NAT's. */
static void as_seen(const struct v1_sa *v, const struct v1_exch *x, const struct conn_child *cc,
                    struct sides *want)
{
    *want = (struct sides){{{1, {x->local}}, {1, {x->remote}}}};
    if (cc->mode != MODE_TRANSPORT || !sa_udp(&v->sa))
        return;
    mode_replace_host(&want->ts[0], &v->sa.local.addr);
    mode_replace_host(&want->ts[1], &v->sa.remote.addr);
}

/* Cisco Unity: a traveller wants an SA for everything and uses it for the networks that it was told
 * of, which are ours. */
static const struct conn_child *choose_split(struct ike *e, const struct v1_sa *v,
                                             struct v1_exch *x, const struct conn *c)
{
    struct sides s;
    const struct ts_list wanted = {.count = 1, .ts = {x->local}};
    struct ts_list *in = v->peer_unity && v->sa.vips ? v1_exch_alloc(e, x, sizeof *in) : NULL;
    for (size_t i = 0; in && i < c->child_count; i++) {
        const struct conn_child *cc = &c->child[i];
        if (cc->policy != CHILD_PROTECT || v1_mode(cc) != MODE_TUNNEL)
            continue;
        resolve(v, cc, &s);
        if (ts_list_contains(&s.ts[1], &x->remote) && !ts_narrow(&s.ts[0], &wanted, in)) {
            x->narrow = in;
            return cc;
        }
    }
    return NULL;
}

struct fit {
    bool equal; /* it has just this pair */
    size_t sas;
    struct sides of;
};

static bool fits_better(const struct fit *a, const struct fit *b)
{
    if (a->equal != b->equal)
        return a->equal;
    if (ts_pair_narrower(a->of.ts, b->of.ts))
        return true;
    if (ts_pair_narrower(b->of.ts, a->of.ts))
        return false;
    return a->sas < b->sas;
}

/* Which child is meant: the one that has just this pair, else the narrowest that it lies within; of
 * equals the one with fewer SAs, then the first. Sets the pair. */
static const struct conn_child *choose_child(struct ike *e, const struct v1_sa *v,
                                             struct v1_exch *x, const struct conn *c)
{
    const struct conn_child *best = NULL;
    struct fit *f = v1_exch_alloc(e, x, 2 * sizeof *f), *trial = f ? f + 1 : NULL;
    struct sides want, taken;
    for (size_t i = 0; f && i < c->child_count; i++) {
        const struct conn_child *cc = &c->child[i];
        if (cc->policy != CHILD_PROTECT)
            continue;
        resolve(v, cc, &trial->of);
        as_seen(v, x, cc, &want);
        const struct ts *l = &want.ts[0].ts[0], *r = &want.ts[1].ts[0];
        trial->equal = equal_to_one(&trial->of.ts[0], l) && equal_to_one(&trial->of.ts[1], r);
        trial->sas = child_count_of(&v->sa, cc->name);
        if (!ts_list_contains(&trial->of.ts[0], l) || !ts_list_contains(&trial->of.ts[1], r) ||
            (best && !fits_better(trial, f)))
            continue;
        best = cc;
        *f = *trial;
        taken = want;
    }
    if (best) {
        x->local = taken.ts[0].ts[0];
        x->remote = taken.ts[1].ts[0];
    }
    return best ? best : choose_split(e, v, x, c);
}

/* Row by row what we have, and the mirror image of what the peer wants. */
static err_t not_mirrored(struct ike *e, const struct v1_sa *v, const struct v1_exch *x,
                          const struct conn *c, struct refusal *r)
{
    struct ts_list l = {.count = 1, .ts = {x->local}}, q = {.count = 1, .ts = {x->remote}};
    const struct conn_child *cc = c->child_count ? &c->child[0] : NULL;
    struct sides s;
    *r = (struct refusal){
        .reason = R_TS_UNACCEPTABLE,
        .what = "proxy identities",
        .theirs = ike_strf(e, "%s === %s", ike_str_ts(e, &l), ike_str_ts(e, &q)),
        .text = "seen from our side: local === remote; the two must be mirror images",
        .clause = "RFC 2409 5.5",
    };
    if (!cc)
        return r->reason;
    resolve(v, cc, &s);
    const char *local = ike_str_ts(e, &s.ts[0]), *remote = ike_str_ts(e, &s.ts[1]);
    r->child = cc->name;
    r->ours = ike_strf(e, "%s === %s", local, remote);
    r->hint = ike_strf(e,
                       "the peer needs local %s, remote %s; or set connections.%s.children.%s."
                       "local_ts = %s and remote_ts = %s here",
                       remote, local, c->name, cc->name, ike_str_ts(e, &l), ike_str_ts(e, &q));
    return r->reason;
}

/* --- which suite --- */

static err_t take_suite(struct ike *e, struct v1_sa *v, struct v1_exch *x, struct refusal *r)
{
    struct v1_transform *ours;
    struct v1_sa_body *got = v1_exch_alloc(e, x, sizeof *got);
    err_t err = got ? sa_v1_parse(v1_body(x->msg, P1_SA), false, got) : E_NOMEM;
    if (err)
        return err;
    size_t n = v1_offer_esp(e, x->cc, v, false, &ours);
    const struct v1_transform *t = v1_choose(e, false, ours, n, got, r);
    if (!t) {
        r->child = x->cc->name;
        if (!r->hint)
            r->hint =
                ike_strf(e, "make connections.%s.children.%s.esp_proposals the same on both sides",
                         x->conn->name, x->cc->name);
        return r->reason;
    }
    if (!v1_take_spis(x, t))
        return R_SYNTAX;
    const struct alg *ke = proposal_alg(&t->p, T_KE);
    struct bytes value = v1_body(x->msg, P1_KE);
    if (ke ? value.n != ke->pub_len : value.n != 0)
        return R_INVALID_KE;
    x->cpi = t->cpi ? ike_cpi_new(e) : 0;
    x->method = ke ? ke->id : KE_NONE;
    return E_OK;
}

/* --- the answer --- */

static void refuse(struct ike *e, struct v1_sa *v, struct v1_exch *x, struct refusal *r)
{
    uint16_t type = r->reason == R_TS_UNACCEPTABLE ? N1_INVALID_ID_INFORMATION
                    : r->reason == R_INVALID_KE    ? N1_INVALID_KEY_INFORMATION
                                                   : N1_NO_PROPOSAL_CHOSEN;
    uint8_t spi[4];
    put_u32(spi, x->spi_out);
    ike_refused(e, &v->sa, r);
    struct event *ev = ike_event(e, EV_CHILD_FAILED, &v->sa, NULL);
    ev->child = ike_str(e, r->child);
    ev->reason = r->reason;
    v1_inform(e, v, PROTO1_ESP, type, bytes_of(spi, x->spi_out ? 4 : 0), bytes_of(NULL, 0));
    v1_exch_end(e, x);
}

/* RFC 2407 4.5.4: our lifetime, when it is the shorter one; 4.6.3.1: of the SA that is named */
static void put_lifetime(struct v1_build *b, const struct v1_exch *x, uint8_t proto,
                         const uint8_t spi[4])
{
    uint8_t raw[32];
    struct wr w = wr_of(raw, sizeof raw);
    uint64_t s = x->cc->life.life_s, offered = x->chosen.life_s ? x->chosen.life_s : 28800;
    if (!s || s >= offered)
        return;
    life_v1_write(&w, false, s, 0);
    v1_put_notify(b, proto, N1_RESPONDER_LIFETIME, bytes_of(spi, 4), wr_bytes(&w));
}

static void put_selectors(struct v1_build *b, const struct v1_msg *m)
{
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, P1_ID, p));)
        payload_put(&b->c, P1_ID, p->body);
}

static bool send2(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct v1_build b;
    uint8_t spi[4], ah[4];
    struct v1_transform t = x->chosen;
    put_u32(spi, x->spi);
    put_u32(ah, x->ah_spi);
    t.spi = bytes_of(spi, sizeof spi);
    t.ah.spi = bytes_of(ah, sizeof ah);
    t.cpi = x->cpi;
    if (!v1_build_begin2(e, v, &b, EXCH_V1_QUICK, x->msg_id))
        return false;
    v1_put_sa(&b, false, &t, 1);
    payload_put(&b.c, P1_NONCE, x->nr);
    if (x->method)
        payload_put(&b.c, P1_KE, cr_ke_public(x->ke));
    put_selectors(&b, x->msg);
    v1_nat_oa_put(&b, v, x);
    put_lifetime(&b, x, t.proto, spi);
    if (t.ah.there)
        put_lifetime(&b, x, PROTO_AH, ah);
    return v1_build_hash(e, v, &b, false, x->ni, bytes_of(NULL, 0)) &&
           v1_build_end(e, v, &b, x->iv, &x->last_out);
}

/* Which of ours the new one takes over from: the youngest of the same child and selectors. One that
 * we made just now the peer did not know when it asked: it means the one that this replaced. */
static uint32_t replaced(const struct ike *e, const struct v1_sa *v, const struct v1_exch *x)
{
    const struct child *best = NULL;
    list_each (it, (struct list *)&v->sa.children) {
        const struct child *c = container_of(it, struct child, link);
        struct ts_list l, r;
        if (c->state != CHILD_INSTALLED || c->redundant || strcmp(c->cc->name, x->cc->name) != 0)
            continue;
        child_ts_get(c, &l, &r);
        if ((x->narrow ? ts_list_eq(&l, x->narrow) : ts_eq(&l.ts[0], &x->local)) &&
            ts_eq(&r.ts[0], &x->remote) && (!best || c->id > best->id))
            best = c;
    }
    if (best && best->ours && best->replaces && e->now < best->installed_ms + AT_ONCE_MS)
        return best->replaces;
    return best ? best->id : 0;
}

static void answer(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    if (x->job_err) {
        struct refusal r = {.reason = R_KE_VALUE, .what = "key exchange", .clause = "RFC 6989 2"};
        refuse(e, v, x, &r);
        return;
    }
    x->old_child = replaced(e, v, x); /* it may have changed while we computed */
    struct child *c = v1_child_install(e, v, x, DIR_IN);
    if (!c || !send2(e, v, x)) {
        v1_exch_end(e, x);
        return;
    }
    c->redundant = true; /* until the third message */
    x->resend_ms = e->set.retransmit_timeout_ms;
    x->resend_at = e->now + x->resend_ms;
    ike_send(e, &v->sa, v1_bytes(&x->last_out));
}

void v1_quick1(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct refusal r = {0};
    struct conn *c = conn_now(v);
    const struct conn_child *cc = NULL;
    err_t err = read_selectors(v, x);
    x->ni = v1_body(x->msg, P1_NONCE);
    if (!err && !(cc = choose_child(e, v, x, c)))
        err = not_mirrored(e, v, x, c, &r);
    if (!err) {
        v1_exch_conn(x, c, cc);
        x->old_child = replaced(e, v, x);
        err = mode_fits(e, &v->sa, c, cc, &r) ? take_suite(e, v, x, &r) : r.reason;
    }
    if (!err)
        err = v1_nat_oa_read(e, v, x, &r);
    if (!err && !v1_spi_new(e, x))
        err = R_NO_ADDITIONAL_SAS;
    if (!err)
        x->nr = v1_nonce(e, x);
    if (err) {
        if (!r.reason)
            r = (struct refusal){.reason = err > 0 ? err : R_TEMPORARY, .what = "quick mode"};
        refuse(e, v, x, &r);
        return;
    }
    if (x->method)
        v1_exch_job(e, v, x, JOB_KE_BOTH, v1_body(x->msg, P1_KE), answer);
    else
        answer(e, v, x);
}

/* --- the third message --- */

void v1_quick_confirmed(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct child *c = child_by_id(e, x->child);
    if (c) {
        c->redundant = false;
        if (!x->commit)
            child_dirs_add(e, c, DIR_OUT);
        v1_say_installed(e, v, x, c);
        v1_retire(e, v, x->old_child, c, false);
        v1_settle(e, v, x);
    }
    bool commit = x->commit;
    v1_exch_keep(e, x);
    ike_msg_free(&x->last_out);
    if (commit) {
        x->resend_at = e->now + e->set.retransmit_timeout_ms;
        x->resends = UINT8_MAX - 1;
    }
}

void v1_quick3(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    v1_quick_confirmed(e, v, x);
}

/* No third message for all the repeating; unless data came, which says the same. */
void v1_quick_over(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct child *c = x->child ? child_by_id(e, x->child) : NULL;
    if (x->done) { /* only CONNECTED was still waited for */
        v1_connected(e, v, x);
        return;
    }
    if (c && c->dirs == DIR_BOTH) {
        v1_quick_confirmed(e, v, x);
        return;
    }
    if (c)
        child_remove(e, c, R_PEER_TIMEOUT);
    v1_exch_end(e, x);
}
