/*
 * CREATE_CHILD_SA that we start for a CHILD SA, new (RFC 7296 1.3.1) or rekeyed (1.3.3, 2.8). After
 * rekeying the side that started it deletes the old one; collisions are settled by collide.c.
 */
#include "ike/v2/v2.h"
#include "wire/ke.h"
#include "wire/nonce.h"

#define BUSY_RETRY_MS  2000 /* 2.25: after TEMPORARY_FAILURE, plus up to as much at random */
#define BUSY_TRIES     10
#define REKEY_RETRY_MS 15000

static void end(struct ike *e, struct v2_sa *v, err_t reason)
{
    struct task *t = v->sa.active;
    v->sa.active = NULL;
    if (t)
        task_done(e, &v->sa, t, reason);
    v2_req_end(e, v);
}

static void send_request(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct v2_build b;
    const struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (x->job_err || (x->old_child && !old)) {
        end(e, v, x->job_err > 0 ? x->job_err : R_NOT_FOUND);
        return;
    }
    if (!v2_build_begin(e, v, &b, EXCH_CREATE_CHILD_SA, false, v->win.next_out))
        return;
    if (old) { /* 1.3.3: named by the SPI that we receive on */
        payload_begin(&b.c, PL_NOTIFY);
        notify_write_spi(&b.w, old->proto, old->spi_in, N_REKEY_SA);
        payload_end(&b.c);
    }
    v2_offer_put(&b, x, true);
    v2_request(e, v, &b);
}

/* The child to rekey, or none if that is pointless by now: gone, or the peer rekeyed it already. */
static struct child *to_rekey(struct ike *e, const struct v2_sa *v, const struct task *t)
{
    struct child *c = child_by_id(e, t->child_id);
    if (!c || c->sa != &v->sa || c->state != CHILD_INSTALLED || c->redundant)
        return NULL;
    return c->successor && child_by_id(e, c->successor) ? NULL : c;
}

static bool replaced_already(struct ike *e, const struct task *t)
{
    struct child *c = child_by_id(e, t->child_id);
    return c && c->successor && child_by_id(e, c->successor);
}

static const struct conn_child *config_now(const struct v2_sa *v, const struct child *c,
                                           struct conn **conn)
{
    *conn = v->sa.entry && v->sa.entry->conn ? v->sa.entry->conn : c->conn;
    const struct conn_child *cc = conn_child_find(*conn, c->cc->name);
    if (cc && cc->policy == CHILD_PROTECT)
        return cc;
    *conn = c->conn;
    return c->cc;
}

void v2_create_start(struct ike *e, struct v2_sa *v, struct task *t)
{
    struct refusal why;
    struct conn *conn = t->conn;
    const struct conn_child *cc = t->cc;
    if (t->kind == TASK_CHILD_REKEY && v2_task_follow(e, v, t, child_by_id(e, t->child_id)))
        return;
    struct child *old = t->kind == TASK_CHILD_REKEY ? to_rekey(e, v, t) : NULL;
    if (t->kind == TASK_CHILD_REKEY && !old) {
        end(e, v, replaced_already(e, t) ? E_OK : R_NOT_FOUND);
        return;
    }
    if (old)
        cc = config_now(v, old, &conn);
    if (!mode_fits(e, &v->sa, conn, cc, &why)) {
        ike_refused(e, &v->sa, &why);
        end(e, v, why.reason);
        return;
    }
    struct v2_exch *x = v->req = v2_exch_new(e, true);
    if (!x)
        return;
    v2_exch_conn(x, conn, cc);
    x->old_child = old ? old->id : 0;
    x->ni = v2_nonce(e, x);
    x->method = t->ke_method ? t->ke_method : v2_first_ke(&cc->esp);
    if (!x->ni.p || !v2_offer_make(e, v, x, t, true)) {
        end(e, v, R_TOO_MANY);
        return;
    }
    if (!old) {
        struct event *ev = ike_event(e, EV_CHILD_INITIATING, &v->sa, NULL);
        ev->child = ike_str(e, cc->name);
    }
    if (x->method)
        v2_job(e, v, x, JOB_KE_NEW, bytes_of(NULL, 0), send_request);
    else
        send_request(e, v, x);
}

/* --- the answer --- */

static void delete_child(struct ike *e, struct v2_sa *v, struct child *c)
{
    task_add(e, &v->sa, TASK_CHILD_DEL, c->id);
}

/* The replaced SA: it only receives now, until its Delete went through. */
static void retire(struct ike *e, struct v2_sa *v, struct child *old, const struct child *by)
{
    old->state = CHILD_REKEYED;
    old->successor = by->id;
    delete_child(e, v, old);
}

static struct child *rival_of(struct ike *e, const struct v2_exch *x)
{
    return x->rival ? child_by_id(e, x->rival) : NULL;
}

static void say_collision(struct ike *e, struct v2_sa *v, const struct child *c, const char *text)
{
    struct event *ev = ike_event(e, EV_COLLISION, &v->sa, c);
    ev->text = text;
    ev->clause = "RFC 7296 2.8.1";
}

/* 2.8.1: two SAs replace one; the one with the lowest nonce goes. */
static void settle(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct child *old)
{
    struct child *rival = rival_of(e, x);
    bool lose = x->rival && v2_we_lose(x); /* it may have been replaced already */
    struct child *mine = v2_child_install(e, v, x, lose ? DIR_IN : DIR_BOTH);
    if (!mine)
        return;
    if (lose) {
        say_collision(e, v, mine, "both sides rekeyed; ours has the lowest nonce and goes");
        mine->redundant = true;
        delete_child(e, v, mine);
        return;
    }
    if (rival) {
        say_collision(e, v, rival, "both sides rekeyed; the peer's has the lowest nonce and goes");
        rival->redundant = true;
    }
    if (old)
        retire(e, v, old, mine);
}

static bool stillborn(const struct v2_exch *x)
{
    for (size_t i = 0; i < x->early_count; i++)
        if (x->early[i] == get_u32(x->chosen.spi))
            return true;
    return false;
}

static void commit(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (x->job_err) {
        struct refusal r = {.reason = R_KE_VALUE, .what = "key exchange", .clause = "RFC 6989 2"};
        ike_refused(e, &v->sa, &r);
        end(e, v, R_KE_VALUE);
        return;
    }
    if (stillborn(x)) { /* 2.25: the peer's Delete overtook its answer */
        end(e, v, R_PEER_DELETED);
        return;
    }
    if (x->unwanted)
        v2_child_unwanted(e, v, x);
    else if (x->old_child)
        settle(e, v, x, old);
    else
        (void)v2_child_install(e, v, x, DIR_BOTH);
    end(e, v, x->unwanted ? R_MODE : E_OK);
}

/* 1.3: another group of our offer is wanted; once. */
static bool wants_group(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct notify *n)
{
    struct task *t = v->sa.active;
    uint16_t group = n->data.n == 2 ? get_u16(n->data.p) : 0;
    if (n->type != N_INVALID_KE_PAYLOAD || !v2_offers_ke(x->offer, group) || t->ke_method == group)
        return false;
    t->ke_method = group;
    v2_task_again(e, v, 0);
    return true;
}

/* 2.25: the peer is at something that conflicts; it ends, or the SA is gone meanwhile. */
static bool busy(struct ike *e, struct v2_sa *v, const struct v2_exch *x, const struct notify *n)
{
    struct task *t = v->sa.active;
    if (n->type != N_TEMPORARY_FAILURE || t->tries >= BUSY_TRIES)
        return false;
    if (x->rival) /* the peer rekeyed it already */
        return false;
    v2_task_again(e, v, BUSY_RETRY_MS + ike_random_below(e, BUSY_RETRY_MS));
    return true;
}

static void begin_anew(struct ike *e, struct v2_sa *v, const struct v2_exch *x)
{
    struct task *t = task_child_new(e, &v->sa, x->conn, x->cc);
    if (t)
        waiters_move(&t->waiters, &v->sa.active->waiters);
}

/* 2.25.1: the peer does not have the SA (any more): its own rekeying or Delete is on the way. */
static bool gone(struct ike *e, struct v2_sa *v, const struct v2_exch *x, const struct notify *n)
{
    struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (n->type != N_CHILD_SA_NOT_FOUND)
        return false;
    if (old && !x->rival && old->state == CHILD_INSTALLED) {
        old->state = CHILD_DELETING;
        child_remove(e, old, R_PEER_DELETED);
        if (!child_by_config(&v->sa, x->cc->name) && !task_find_config(&v->sa, x->cc->name))
            begin_anew(e, v, x);
    }
    end(e, v, E_OK);
    return true;
}

static void refused(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct notify *n)
{
    struct child *old = x->old_child ? child_by_id(e, x->old_child) : NULL;
    if (wants_group(e, v, x, n) || busy(e, v, x, n) || gone(e, v, x, n))
        return;
    if (!x->rival)
        v2_child_refused(e, v, x, n);
    struct child *first = x->cpu && !old ? child_by_config(&v->sa, x->cc->name) : NULL;
    if (first) /* RFC 9611 4: TS_MAX_QUEUE; or whatever it was, it will not be otherwise soon */
        first->cpus_enough = true;
    if (old) { /* another attempt before its life ends */
        old->rekey_soon = false;
        old->rekey_ms = e->now + REKEY_RETRY_MS + ike_random_below(e, REKEY_RETRY_MS);
    }
    end(e, v, x->rival ? E_OK : v2_reason_of(n->type));
}

static err_t read_answer(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct bytes *peer,
                         struct refusal *r)
{
    struct bytes nr, body = v2_body(x->msg, PL_KE);
    struct ke ke = {0};
    err_t err = nonce_parse(v2_body(x->msg, PL_NONCE), &nr);
    if (!err && body.p)
        err = ke_parse(body, &ke);
    if (!err)
        err = v2_offer_accept(e, v, x, r);
    x->unwanted = err == (err_t)R_MODE; /* but the peer has it: it is deleted */
    if (err && !x->unwanted)
        return err;
    const struct transform *t = proposal_get(&x->chosen, T_KE);
    uint16_t chosen = t ? t->id : KE_NONE;
    if (chosen && (!body.p || ke.method != chosen || chosen != x->method))
        return R_INVALID_KE;
    x->method = chosen;
    x->nr = arena_copy(&x->arena, nr);
    *peer = ke.data;
    return E_OK;
}

void v2_create_response(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    struct notify n;
    struct bytes peer = {0};
    struct refusal r = {0};
    if (task_is(v->sa.active, TASK_IKE_REKEY)) {
        v2_rekey_ike_response(e, v, x);
        return;
    }
    if (!v->sa.active || !x->cc) {
        v2_req_end(e, v);
        return;
    }
    if (v2_error_of(x->msg, &n)) {
        refused(e, v, x, &n);
        return;
    }
    err_t err = read_answer(e, v, x, &peer, &r);
    if (r.reason)
        ike_refused(e, &v->sa, &r);
    if (err) {
        struct task *t = v->sa.active;
        v->sa.active = NULL;
        task_done(e, &v->sa, t, err);
        v2_fatal(e, v, err > 0 ? err : R_SYNTAX, "CREATE_CHILD_SA response");
        return;
    }
    if (x->method)
        v2_job(e, v, x, JOB_KE_DERIVE, peer, commit);
    else
        commit(e, v, x);
}
