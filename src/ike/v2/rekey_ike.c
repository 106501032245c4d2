/*
 * Rekeying the IKE SA: RFC 7296 1.3.2, 2.8.2, 2.18, 2.25.2. The new SA inherits children and plans;
 * the side that started it deletes the old one. With both sides at it, the SA made with the lowest
 * nonce is the one to go, and the children wait on the old SA until that is known.
 */
#include "ike/v2/v2.h"
#include "wire/ke.h"
#include "wire/nonce.h"
#include "wire/sa_v2.h"
#include <stdlib.h>

#define BUSY_RETRY_MS  2000
#define BUSY_TRIES     10
#define REKEY_RETRY_MS 15000

void v2_succeed(struct ike *e, struct v2_sa *v, struct v2_sa *next)
{
    child_move_all(e, &v->sa, &next->sa);
    tasks_move(e, &v->sa, &next->sa);
}

/* The child moved to the SA that replaces this one; what is planned for it goes there too. */
bool v2_task_follow(struct ike *e, struct v2_sa *v, struct task *t, const struct child *c)
{
    if (!c || c->sa == &v->sa)
        return false;
    v->sa.active = NULL;
    list_add_tail(&c->sa->tasks, &t->link);
    sa_dirty(e, c->sa);
    return true;
}

/* The SA that all of this one's rekeyings led to; NULL: none, or it is gone. */
static struct ike_sa *prevailing(struct ike *e, const struct v2_sa *v)
{
    struct ike_sa *sa = v->successor ? sa_by_id(e, v->successor) : NULL;
    while (sa && sa->state != SA_ESTABLISHED)
        sa = v2_of(sa)->successor ? sa_by_id(e, v2_of(sa)->successor) : NULL;
    return sa;
}

void v2_task_again(struct ike *e, struct v2_sa *v, uint64_t wait_ms)
{
    struct task *t = v->sa.active;
    const struct child *c = t->child_id ? child_by_id(e, t->child_id) : NULL;
    struct ike_sa *next = v->state == V2_UP ? NULL : prevailing(e, v);
    struct ike_sa *at = c ? c->sa : next ? next : &v->sa;
    v->sa.active = NULL;
    t->tries++;
    t->not_before = wait_ms ? e->now + wait_ms : 0;
    list_add_tail(&at->tasks, &t->link);
    sa_dirty(e, at);
    v2_req_end(e, v);
}

struct ike_sa *v2_bequeath(struct ike *e, struct v2_sa *v)
{
    struct task *t = v->sa.active;
    struct ike_sa *next = prevailing(e, v);
    if (!next)
        return NULL;
    if (t && (t->child_id || t->kind == TASK_CHILD_NEW)) {
        v2_task_again(e, v, 0);
    } else if (t) {
        v->sa.active = NULL;
        task_done(e, &v->sa, t, E_OK);
    }
    v2_succeed(e, v, v2_of(next));
    return next;
}

static struct ike_sa *undecided(struct ike *e, const struct v2_sa *v)
{
    struct ike_sa *old = v->predecessor ? sa_by_id(e, v->predecessor) : NULL;
    bool waits = old && old->state == SA_ESTABLISHED && v2_of(old)->successor == v->sa.id;
    return waits ? old : NULL;
}

bool v2_undecided(struct ike *e, const struct v2_sa *v)
{
    return undecided(e, v) != NULL;
}

void v2_adopt(struct ike *e, struct v2_sa *v)
{
    struct ike_sa *old = undecided(e, v);
    v->predecessor = 0;
    if (old) /* plans too: a Delete left behind would go down with the old SA */
        v2_succeed(e, v2_of(old), v);
}

static void put_proposals(struct v2_build *b, const struct v2_exch *x)
{
    payload_begin(&b->c, PL_SA);
    if (x->ours) {
        sa_v2_write(&b->w, x->offer);
    } else {
        struct proposal p = x->chosen;
        p.spi_len = 8;
        put_u64(p.spi, x->ike_spi);
        sa_v2_write_one(&b->w, &p);
    }
    payload_end(&b->c);
    v2_put_nonce(b, x->ours ? x->ni : x->nr);
    v2_put_ke(b, x->method, cr_ke_public(x->ke));
}

static void send_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_build b;
    if (x->job_err || !v2_build_begin(e, v, &b, EXCH_CREATE_CHILD_SA, false, v->win.next_out))
        return;
    put_proposals(&b, x);
    v2_request(e, v, &b);
}

static bool make_offer(struct ike *e, struct v2_exch *x, const struct conn *c)
{
    x->offer = v2_exch_alloc(e, x, sizeof *x->offer);
    x->ike_spi = sa_spi_new(e);
    if (!x->offer || !x->ike_spi)
        return false;
    *x->offer = c->ike;
    for (size_t i = 0; i < x->offer->count; i++) {
        x->offer->p[i].number = (uint8_t)(i + 1);
        x->offer->p[i].spi_len = 8;
        put_u64(x->offer->p[i].spi, x->ike_spi);
    }
    return true;
}

static void end(struct ike *e, struct v2_sa *v, err_t reason)
{
    struct task *t = v->sa.active;
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, reason);
    v2_req_end(e, v);
}

void v2_rekey_ike_start(struct ike *e, struct v2_sa *v)
{
    struct conn *c = v->sa.entry && v->sa.entry->conn ? v->sa.entry->conn : v->sa.conn;
    struct v2_exch *x = v->req = v2_exch_new(e, true);
    const struct task *t = v->sa.active;
    if (!x)
        return;
    /* 2.18: the group in use is most likely to be accepted at once */
    x->method = t->ke_method                                      ? t->ke_method
                : v->sa.ke && v2_offers_ke(&c->ike, v->sa.ke->id) ? v->sa.ke->id
                                                                  : v2_first_ke(&c->ike);
    x->ni = v2_nonce(e, x);
    if (!x->ni.p || !make_offer(e, x, c)) {
        end(e, v, R_TOO_MANY);
        return;
    }
    v2_job(e, v, x, JOB_KE_NEW, bytes_of(NULL, 0), send_request);
}

/* --- the new SA --- */

static void inherit(struct ike *e, struct v2_sa *from, struct v2_sa *to)
{
    struct ike_sa *o = &from->sa, *n = &to->sa;
    struct id local, remote;
    n->local = o->local;
    n->remote = o->remote;
    n->natt = o->natt;
    n->nat_local = o->nat_local;
    n->nat_remote = o->nat_remote;
    n->nat_fake = o->nat_fake;
    n->vendors = o->vendors;
    v2_of(n)->frags = v2_of(o)->frags;
    memcpy(v2_of(n)->auth, v2_of(o)->auth, sizeof v2_of(n)->auth);
    sa_conn_set(e, n, o->entry && o->entry->conn ? o->entry->conn : o->conn);
    id_pair_get(o->ids, &local, &remote);
    (void)sa_ids_set(e, n, &local, &remote);
}

/* x->chosen carries the peer's new SPI; keys are checked before anything is visible. */
static struct v2_sa *new_sa(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    uint64_t theirs = get_u64(x->chosen.spi);
    uint64_t spi_i = x->ours ? x->ike_spi : theirs, spi_r = x->ours ? theirs : x->ike_spi;
    struct v2_keys keys = {0};
    const struct v2_suite s = v2_suite_of(&x->chosen);
    err_t err = v2_keys_rekey(&keys, &s, v->sa.prf, v2_key_d(&v->keys), secret_bytes(&x->shared),
                              x->ni, x->nr, spi_i, spi_r);
    struct ike_sa *sa = err ? NULL : sa_new(e, v->sa.ver, x->ours, spi_i, spi_r, 0);
    if (!sa) {
        secret_free(&keys.all);
        ike_fail(e, err < 0 ? err : E_CRYPTO);
        return NULL;
    }
    struct v2_sa *n = v2_of(sa);
    n->keys = keys;
    v2_keys_settle(&n->keys);
    v2_suite_set(sa, &x->chosen);
    inherit(e, v, n);
    n->state = V2_UP;
    n->predecessor = v->sa.id;
    sa->state = SA_ESTABLISHED;
    sa->established_ms = e->now;
    sa_peers_add(e, sa);
    sa_times_set(e, sa);
    return n;
}

static void say_rekeyed(struct ike *e, const struct v2_sa *v, const struct v2_sa *n)
{
    struct event *ev = ike_event(e, EV_IKE_REKEYED, &n->sa, NULL);
    ev->number = v->sa.id;
    ev->text = ike_strf(e, "replaces IKE SA %u", v->sa.id);
}

/* The old SA has nothing left but its Delete, ours or the peer's. */
static void retire(struct ike *e, struct v2_sa *v, struct v2_sa *next, bool ours)
{
    v->successor = next->sa.id;
    v->state = V2_REKEYED;
    v->sa.state = SA_REKEYED;
    v->sa.told = true;
    v->sa.end_reason = R_REPLACED;
    v2_succeed(e, v, next);
    v->sa.die_ms = e->now + e->set.half_open_timeout_ms;
    if (ours)
        task_add(e, &v->sa, TASK_IKE_DEL, 0);
    sa_dirty(e, &v->sa);
}

/* --- our rekeying: the answer --- */

/* The SA of the peer's rekeying, or what replaced that meanwhile. */
static struct v2_sa *rival_of(struct ike *e, const struct v2_sa *v, const struct v2_exch *x)
{
    struct ike_sa *sa = x->rival ? prevailing(e, v) : NULL;
    return sa ? v2_of(sa) : NULL;
}

static void say_collision(struct ike *e, const struct v2_sa *v, const char *text)
{
    struct event *ev = ike_event(e, EV_COLLISION, &v->sa, NULL);
    ev->text = text;
    ev->clause = "RFC 7296 2.8.2";
}

static void discard(struct ike *e, struct v2_sa *loser)
{
    loser->sa.told = true;
    loser->sa.end_reason = R_REPLACED;
    task_add(e, &loser->sa, TASK_IKE_DEL, 0);
}

static void commit(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_sa *mine = x->job_err ? NULL : new_sa(e, v, x);
    struct v2_sa *rival = rival_of(e, v, x);
    bool lose = mine && rival && v2_we_lose(x);
    if (!mine) {
        end(e, v, R_KE_VALUE);
        return;
    }
    end(e, v, E_OK);
    if (lose) {
        say_collision(e, mine, "both sides rekeyed; ours has the lowest nonce and goes");
        say_rekeyed(e, v, rival);
        discard(e, mine);
        retire(e, v, rival, false);
        return;
    }
    if (rival) { /* the peer closes its own; should it not, time does */
        say_collision(e, rival, "both sides rekeyed; the peer's has the lowest nonce and goes");
        rival->sa.told = true;
        rival->sa.state = SA_REKEYED;
        rival->state = V2_REKEYED;
        rival->sa.end_reason = R_REPLACED;
        rival->sa.die_ms = e->now + e->set.half_open_timeout_ms;
    }
    say_rekeyed(e, v, mine);
    retire(e, v, mine, true);
}

static void refused(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct notify *n)
{
    struct refusal r;
    struct task *t = v->sa.active;
    struct v2_sa *rival = rival_of(e, v, x);
    if (rival) { /* the peer did it: its SA takes over */
        end(e, v, E_OK);
        say_rekeyed(e, v, rival);
        retire(e, v, rival, false);
        return;
    }
    uint16_t group = n->data.n == 2 ? get_u16(n->data.p) : 0;
    if (n->type == N_INVALID_KE_PAYLOAD && v2_offers_ke(x->offer, group) && t->ke_method != group) {
        t->ke_method = group;
        v2_task_again(e, v, 0);
        return;
    }
    if (n->type == N_TEMPORARY_FAILURE && t->tries < BUSY_TRIES) {
        v2_task_again(e, v, BUSY_RETRY_MS + ike_random_below(e, BUSY_RETRY_MS));
        return;
    }
    v2_peer_refusal(e, &v->sa, n, &r);
    ike_peer_refused(e, &v->sa, &r);
    v->sa.rekey_ms = e->now + REKEY_RETRY_MS + ike_random_below(e, REKEY_RETRY_MS);
    end(e, v, r.reason);
}

static err_t read_answer(struct ike *e, struct v2_exch *x, struct bytes *peer)
{
    struct ke ke;
    struct bytes nr;
    struct proposals *ps = ike_alloc(e, sizeof *ps);
    if (!ps)
        return E_NOMEM;
    if (!v2_body(x->msg, PL_KE).p)
        return R_MISSING_PAYLOAD;
    err_t err = sa_v2_parse(v2_body(x->msg, PL_SA), ps);
    if (!err)
        err = ke_parse(v2_body(x->msg, PL_KE), &ke);
    if (!err)
        err = nonce_parse(v2_body(x->msg, PL_NONCE), &nr);
    if (!err && (ps->count != 1 || ps->p[0].spi_len != 8 || !get_u64(ps->p[0].spi)))
        err = R_SYNTAX;
    if (!err)
        err = proposal_check_chosen(x->offer, &ps->p[0]);
    if (!err && (ke.method != x->method || !proposal_has(&ps->p[0], T_KE, ke.method, 0)))
        err = R_INVALID_KE;
    if (err)
        return err;
    x->chosen = ps->p[0];
    x->nr = arena_copy(&x->arena, nr);
    *peer = ke.data;
    return E_OK;
}

void v2_rekey_ike_response(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    struct bytes peer;
    if (v2_error_of(x->msg, &n)) {
        refused(e, v, x, &n);
        return;
    }
    err_t err = read_answer(e, x, &peer);
    if (err) {
        struct task *t = v->sa.active;
        v->sa.active = NULL;
        task_done(e, &v->sa, t, err);
        v2_fatal(e, v, err > 0 ? err : R_SYNTAX, "IKE rekeying response");
        return;
    }
    v2_job(e, v, x, JOB_KE_DERIVE, peer, commit);
}

/* --- the peer's rekeying --- */

static void answer(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_build b;
    if (v2_build_begin(e, v, &b, EXCH_CREATE_CHILD_SA, true, x->msg->hdr.msg_id)) {
        put_proposals(&b, x);
        v2_respond(e, v, &b);
    }
    v2_rsp_end(e, v);
}

static void respond(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct refusal r = {.reason = R_KE_VALUE, .what = "key exchange", .clause = "RFC 6989 2"};
    if (x->job_err) {
        v2_refuse(e, v, x, &r);
        return;
    }
    /* our own rekeying was settled while we computed: the peer goes on with that SA (2.25.2) */
    struct v2_sa *n = v->state == V2_UP ? new_sa(e, v, x) : NULL;
    if (!n) {
        v2_respond_notify(e, v, N_TEMPORARY_FAILURE, bytes_of(NULL, 0));
        v2_rsp_end(e, v);
        return;
    }
    if (v->req && task_is(v->sa.active, TASK_IKE_REKEY)) {
        v2_rival_set(e, v->req, x, n->sa.id);
        v->successor = n->sa.id;
        answer(e, v, x);
        return;
    }
    answer(e, v, x);
    say_rekeyed(e, v, n);
    retire(e, v, n, false);
}

/* 2.25.2: not while we create, rekey or close a CHILD SA, nor twice. */
static bool conflicts(const struct v2_sa *v)
{
    const struct task *t = v->sa.active;
    return v->state != V2_UP || v->successor ||
           (t && t->kind != TASK_IKE_REKEY && t->kind != TASK_LIVENESS);
}

static err_t read_request(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct ke *ke,
                          struct refusal *r)
{
    struct conn *c = v->sa.entry && v->sa.entry->conn ? v->sa.entry->conn : v->sa.conn;
    struct proposal_mismatch why = {0};
    x->offer = v2_exch_alloc(e, x, sizeof *x->offer);
    if (!x->offer)
        return E_NOMEM;
    if (!v2_body(x->msg, PL_KE).p)
        return R_MISSING_PAYLOAD;
    err_t err = sa_v2_parse(v2_body(x->msg, PL_SA), x->offer);
    if (!err)
        err = ke_parse(v2_body(x->msg, PL_KE), ke);
    if (!err)
        err = nonce_parse(v2_body(x->msg, PL_NONCE), &x->ni);
    if (err)
        return err;
    err = proposal_select(&c->ike, x->offer, &x->chosen, &why);
    if (err > 0) {
        v2_proposal_refusal(e, r, ike_strf(e, "connections.%s.proposals", c->name), &why, &c->ike,
                            x->offer);
        return err;
    }
    proposal_mismatch_free(&why);
    if (!err && (x->chosen.spi_len != 8 || !get_u64(x->chosen.spi)))
        return R_SYNTAX;
    const struct transform *t = proposal_get(&x->chosen, T_KE);
    x->method = t ? t->id : KE_NONE;
    return err ? err : ke->method != x->method ? R_INVALID_KE : E_OK;
}

void v2_rekey_ike_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct ke ke = {0};
    struct refusal r = {0};
    if (conflicts(v)) {
        v2_respond_notify(e, v, N_TEMPORARY_FAILURE, bytes_of(NULL, 0));
        v2_rsp_end(e, v);
        return;
    }
    v2_adopt(e, v);
    err_t err = read_request(e, v, x, &ke, &r);
    if (!err && !(x->ike_spi = sa_spi_new(e)))
        err = R_TEMPORARY;
    if (err < 0)
        ike_fail(e, err);
    if (err) {
        r.reason = err > 0 ? err : R_TEMPORARY;
        v2_refuse(e, v, x, &r);
        return;
    }
    x->nr = v2_nonce(e, x);
    v2_job(e, v, x, JOB_KE_BOTH, ke.data, respond);
}
