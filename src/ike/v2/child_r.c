/*
 * A CHILD SA from the responder's side: which child of the connection, which selectors (RFC 7296
 * 2.9), which proposal (2.7). Nothing of the SA changes here; the caller installs and answers.
 */
#include "ike/v2/v2.h"
#include "ike/vip.h"
#include "wire/sa_v2.h"
#include "wire/ts.h"

static err_t read_selectors(struct ike *e, struct v2_exch *x)
{
    x->tsi = v2_exch_alloc(e, x, sizeof *x->tsi);
    x->tsr = v2_exch_alloc(e, x, sizeof *x->tsr);
    if (!x->tsi || !x->tsr)
        return E_NOMEM;
    err_t err = ts_body_parse(v2_body(x->msg, PL_TSI), x->tsi);
    return err ? err : ts_body_parse(v2_body(x->msg, PL_TSR), x->tsr);
}

struct sides {
    struct ts_list ours[2];        /* local, remote; resolved */
    struct ts_list want_l, want_r; /* the peer's, as seen from here */
    struct ts_list got_l, got_r;   /* narrowed */
};

static bool narrow(const struct v2_sa *v, struct v2_exch *x, const struct conn_child *cc,
                   struct sides *s)
{
    vip_local_ts(&v->sa, cc, &s->ours[0]);
    vip_remote_ts(&v->sa, cc, &s->ours[1]);
    s->want_l = *x->tsr;
    s->want_r = *x->tsi;
    if (cc->mode == MODE_TRANSPORT)
        v2_mode_as_seen(v, x, &s->want_l, &s->want_r);
    return !ts_narrow(&s->ours[0], &s->want_l, &s->got_l) &&
           !ts_narrow(&s->ours[1], &s->want_r, &s->got_r);
}

static bool all_of_it(const struct sides *s)
{
    return ts_within(&s->ours[0], &s->want_l) && ts_within(&s->ours[1], &s->want_r);
}

/* 2.9: the peer's first choices, which are those of a packet where one began it. */
static bool first_of_it(const struct sides *s)
{
    return ts_list_contains(&s->ours[0], &s->want_l.ts[0]) &&
           ts_list_contains(&s->ours[1], &s->want_r.ts[0]);
}

/* 1.3.1: who asks for transport mode may get tunnel mode, but not the other way round. */
static bool mode_allowed(const struct v2_exch *x, const struct conn_child *cc)
{
    return cc->mode != MODE_TRANSPORT || v2_mode_told(x) == MODE_TRANSPORT;
}

/* The configuration as loaded today, if the SA's connection is still there. */
static struct conn *conn_now(const struct v2_sa *v)
{
    return v->sa.entry && v->sa.entry->conn ? v->sa.entry->conn : v->sa.conn;
}

/* How well a child takes an offer; what comes first weighs more. */
enum { FIT_FIRST = 1, FIT_ALL = 2, FIT_ALL_IN_MODE = 4, FIT_ALLOWED = 8 };

struct fit {
    unsigned how;
    size_t sas; /* that it has already, on this IKE SA */
};

static struct fit fit_of(const struct v2_sa *v, const struct v2_exch *x,
                         const struct conn_child *cc, const struct sides *s)
{
    unsigned how = mode_allowed(x, cc) ? FIT_ALLOWED : 0;
    if (all_of_it(s))
        how |= FIT_ALL | (v2_mode_told(x) == cc->mode ? FIT_ALL_IN_MODE : 0);
    if (first_of_it(s))
        how |= FIT_FIRST;
    return (struct fit){how, cc->per_cpu ? 0 : child_count_of(&v->sa, cc->name)};
}

/* Of several that take all of it the one that is the most about it, so that a child for everything
 * does not take what another is for; then the one with fewer SAs, for children with equal selectors
 * (interfaces of their own) come up one after the other on both sides. Of those that take a part
 * one that has the first choices, which 2.9 says MUST be among what is taken. */
static bool fits_better(const struct fit *a, const struct sides *sa, const struct fit *b,
                        const struct sides *sb)
{
    if (a->how != b->how)
        return a->how > b->how;
    if (a->how & FIT_ALL && ts_pair_narrower(sa->ours, sb->ours))
        return true;
    if (a->how & FIT_ALL && ts_pair_narrower(sb->ours, sa->ours))
        return false;
    return a->sas < b->sas;
}

/* The child that fits best, of equals the first; *s: what it takes. */
static const struct conn_child *choose_child(const struct v2_sa *v, struct v2_exch *x,
                                             const struct conn *c, const char *name,
                                             struct sides *s, struct sides *trial)
{
    const struct conn_child *best = NULL;
    struct fit best_fit = {0};
    for (size_t i = 0; i < c->child_count; i++) {
        const struct conn_child *cc = &c->child[i];
        if (cc->policy != CHILD_PROTECT || (name && strcmp(cc->name, name) != 0) ||
            !narrow(v, x, cc, trial))
            continue;
        struct fit f = fit_of(v, x, cc, trial);
        if (best && !fits_better(&f, trial, &best_fit, s))
            continue;
        best = cc;
        best_fit = f;
        *s = *trial;
    }
    return best;
}

static err_t no_selectors(struct ike *e, const struct v2_sa *v, struct v2_exch *x,
                          const struct conn *c, struct sides *s, struct refusal *r)
{
    const struct conn_child *cc = c->child_count ? &c->child[0] : NULL;
    *r = (struct refusal){
        .reason = R_TS_UNACCEPTABLE, .what = "local_ts, remote_ts", .clause = "RFC 7296 2.9"};
    r->theirs = ike_strf(e, "%s === %s", ike_str_ts(e, x->tsr), ike_str_ts(e, x->tsi));
    r->text = "seen from our side: local === remote";
    if (!cc)
        return r->reason;
    (void)narrow(v, x, cc, s);
    bool local_differs = ts_narrow(&s->ours[0], &s->want_l, &s->got_l) != E_OK;
    r->what = local_differs ? "local_ts" : "remote_ts";
    r->ours = ike_strf(e, "%s === %s", ike_str_ts(e, &s->ours[0]), ike_str_ts(e, &s->ours[1]));
    r->child = cc->name;
    r->hint = ike_strf(e, "set connections.%s.children.%s.%s = %s, or the peer's to ours", c->name,
                       cc->name, r->what, ike_str_ts(e, local_differs ? x->tsr : x->tsi));
    return r->reason;
}

static err_t take_selectors(struct ike *e, struct v2_sa *v, struct v2_exch *x, const char *name,
                            struct refusal *r)
{
    struct sides *s = v2_exch_alloc(e, x, 2 * sizeof *s);
    struct conn *c = conn_now(v);
    if (!s)
        return E_NOMEM;
    const struct conn_child *cc = choose_child(v, x, c, name, s, s + 1);
    if (!cc && name)
        cc = choose_child(v, x, c, NULL, s, s + 1);
    if (!cc)
        return no_selectors(e, v, x, c, s, r);
    if (!mode_fits(e, &v->sa, c, cc, r))
        return r->reason;
    if (!mode_allowed(x, cc)) {
        mode_differs(e, c, cc, v2_mode_told(x), r);
        return r->reason;
    }
    v2_exch_conn(x, c, cc);
    if (!all_of_it(s)) {
        struct event *ev = ike_event(e, EV_CHILD_NARROWED, &v->sa, NULL);
        ev->child = ike_str(e, cc->name);
        ev->theirs = ike_strf(e, "%s === %s", ike_str_ts(e, x->tsr), ike_str_ts(e, x->tsi));
        ev->ours = ike_strf(e, "%s === %s", ike_str_ts(e, &s->got_l), ike_str_ts(e, &s->got_r));
    }
    *x->tsr = s->got_l;
    *x->tsi = s->got_r;
    v2_mode_choose(e, v, x);
    return E_OK;
}

static err_t take_proposal(struct ike *e, const struct v2_sa *v, struct v2_exch *x, bool with_ke,
                           struct refusal *r)
{
    struct proposals *ours = v2_exch_alloc(e, x, sizeof *ours);
    struct proposal_mismatch why = {0};
    if (!ours)
        return E_NOMEM;
    v2_proposals(v, x->cc, ours);
    if (!with_ke) {
        v2_strip_ke(ours);
        v2_strip_ke(x->offer);
    }
    err_t err = proposal_select(ours, x->offer, &x->chosen, &why);
    if (err > 0) {
        const char *key =
            ike_strf(e, "connections.%s.children.%s.esp_proposals", x->conn->name, x->cc->name);
        v2_proposal_refusal(e, r, key, &why, ours, x->offer);
        r->child = x->cc->name;
        return err;
    }
    proposal_mismatch_free(&why);
    if (!err && (x->chosen.spi_len != 4 || !get_u32(x->chosen.spi)))
        err = r->reason = R_SYNTAX;
    return err;
}

/* with_ke: CREATE_CHILD_SA. Rekeying names the child it wants again. */
err_t v2_child_choose(struct ike *e, struct v2_sa *v, struct v2_exch *x, bool with_ke,
                      struct refusal *r)
{
    const struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    *r = (struct refusal){0};
    err_t err = read_selectors(e, x);
    if (!err && !x->offer) {
        x->offer = v2_exch_alloc(e, x, sizeof *x->offer);
        err = x->offer ? sa_v2_parse(v2_body(x->msg, PL_SA), x->offer) : E_NOMEM;
    }
    if (!err)
        err = take_selectors(e, v, x, old ? old->cc->name : NULL, r);
    if (!err)
        err = take_proposal(e, v, x, with_ke, r);
    if (!err)
        err = v2_per_cpu_choose(e, v, x, r);
    if (!err)
        v2_ipcomp_choose(e, x);
    if (!err)
        v2_later_frags_choose(x);
    if (err > 0 && !r->reason)
        *r = (struct refusal){.reason = err, .what = "payload", .clause = "RFC 7296 3"};
    return err;
}

/* SA [Nr] [KE] TSi TSr of the answer, with our SPI. */
void v2_child_put(struct v2_build *b, const struct v2_exch *x, bool with_nonce)
{
    struct proposal p = x->chosen;
    p.spi_len = 4;
    put_u32(p.spi, x->spi);
    v2_per_cpu_put(b, x);
    v2_mode_put(b, x);
    v2_ipcomp_put(b, x);
    v2_later_frags_put(b, x);
    payload_begin(&b->c, PL_SA);
    sa_v2_write_one(&b->w, &p);
    payload_end(&b->c);
    if (with_nonce)
        v2_put_nonce(b, x->nr);
    if (with_nonce && x->method)
        v2_put_ke(b, x->method, cr_ke_public(x->ke));
    v2_put_ts(b, PL_TSI, x->tsi);
    v2_put_ts(b, PL_TSR, x->tsr);
}
