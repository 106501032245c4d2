/*
 * Quick mode, what both roles share: receiving (RFC 2409 5.5), installing the pair of IPsec SAs,
 * the commit bit (RFC 2408 3.1) and what happens to the SA that a new one replaces.
 *
 *     HDR*, HASH(1), SA, Ni [, KE] [, IDci, IDcr] -->
 *                                             <--  HDR*, HASH(2), SA, Nr [, KE] [, IDci, IDcr]
 *     HDR*, HASH(3)                           -->
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

#define KEEP_MS   60000 /* the last message may be asked for again */
#define RETIRE_MS 2000  /* before the Delete of a replaced SA: our third message is under way */

#define MAY_ALWAYS (V1_BIT(P1_NOTIFY) | V1_BIT(P1_VENDOR))

/* --- receiving --- */

static bool hash_holds(struct ike *e, const struct v1_sa *v, const struct v1_exch *x,
                       const struct v1_msg *m, bool third)
{
    uint8_t want[CR_HASH_MAX];
    struct bytes hash, rest;
    if (!v1_after_hash(m, &hash, &rest))
        return false;
    struct bytes parts[] = {x->ni, x->nr, third ? bytes_of(NULL, 0) : rest};
    err_t err = v1_hash_phase2(v, third, m->hdr.msg_id, parts, 3, want);
    if (err < 0)
        ike_fail(e, err);
    return !err && hash.n == v->sa.prf->out_len && secret_eq(hash.p, want, hash.n);
}

/* Decrypts and verifies; nothing of the exchange changes before that. */
static struct v1_msg *open_msg(struct ike *e, struct v1_sa *v, struct v1_exch *x,
                               const struct ike_pkt *p, bool third)
{
    struct v1_msg *m = v1_msg_new(e, &x->arena, p);
    err_t err = m ? v1_msg_read(v, m, x->iv) : E_NOMEM;
    if (!err && !hash_holds(e, v, x, m, third))
        err = R_DECRYPT;
    if (!err) {
        memcpy(x->iv, m->iv, sizeof x->iv);
        v1_digest(p->raw, x->last_in);
        x->commit |= p->flags & IKE_V1_FLAG_COMMIT;
        v->sa.seen_ms = e->now;
        path_follow(e, &v->sa, p);
        v1_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
        return m;
    }
    if (err < 0)
        ike_fail(e, err);
    ike_drop(e, p, R_DECRYPT, "quick mode: it does not decrypt, or its hash does not hold");
    return NULL;
}

static size_t under_way(const struct v1_sa *v)
{
    size_t n = 0;
    list_each (it, (struct list *)&v->exchs)
        n += !container_of(it, struct v1_exch, link)->ours; /* transactions too: few */
    return n;
}

static void first(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    if (under_way(v) >= V1_QUICK_MAX || e->stopping) {
        ike_drop(e, p, R_TOO_MANY, "quick modes under way");
        return;
    }
    struct v1_exch *x = v1_exch_new(e, v, false, p->msg_id);
    if (!x || v1_iv_phase2(v, p->msg_id, x->iv))
        return;
    x->msg = open_msg(e, v, x, p, false);
    err_t err = !x->msg ? R_DECRYPT : v1_seen(v, p->msg_id) ? R_MESSAGE_ID : E_OK;
    if (!err)
        err = v1_payloads_check(x->msg, V1_BIT(P1_HASH) | V1_BIT(P1_SA) | V1_BIT(P1_NONCE),
                                MAY_ALWAYS | V1_BIT(P1_KE) | V1_BIT(P1_ID) | V1_BIT(P1_NAT_OA));
    if (err && x->msg)
        ike_drop(e, p, err, "quick mode");
    if (err)
        v1_exch_end(e, x);
    else
        v1_quick1(e, v, x);
}

static void second(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct ike_pkt *p)
{
    struct v1_msg *m = open_msg(e, v, x, p, false);
    if (!m)
        return;
    x->msg = m;
    err_t err = v1_payloads_check(m, V1_BIT(P1_HASH) | V1_BIT(P1_SA) | V1_BIT(P1_NONCE),
                                  MAY_ALWAYS | V1_BIT(P1_KE) | V1_BIT(P1_ID) | V1_BIT(P1_NAT_OA));
    retransmit_stop(&v->sa);
    if (err)
        v1_quick_failed(e, v, x, err);
    else
        v1_quick2(e, v, x);
}

static void third(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct ike_pkt *p)
{
    struct v1_msg *m = open_msg(e, v, x, p, true);
    if (!m)
        return;
    x->msg = m;
    v1_quick3(e, v, x);
}

void v1_quick_in(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    struct v1_exch *x = v1_exch_find(v, p->msg_id);
    if (v->state != V1_UP || !p->msg_id || !(p->flags & IKE_V1_FLAG_ENCRYPTION) ||
        (x && x->exchange != EXCH_V1_QUICK)) {
        ike_drop(e, p, R_STATE, "quick mode without ISAKMP SA");
        return;
    }
    if (x && v1_exch_repeated(e, v, x, p))
        return;
    if (x && (x->resume || x->done)) {
        ike_drop(e, p, R_STATE, "quick mode");
        return;
    }
    if (!x)
        first(e, v, p);
    else if (x->ours)
        second(e, v, x, p);
    else
        third(e, v, x, p);
}

/* --- the pair of SAs --- */

static bool spi_of(struct bytes b, uint32_t *out)
{
    *out = b.n == 4 ? get_u32(b.p) : 0;
    return *out != 0;
}

bool v1_take_spis(struct v1_exch *x, const struct v1_transform *t)
{
    x->chosen = *t;
    return spi_of(t->spi, &x->spi_out) && (!t->ah.there || spi_of(t->ah.spi, &x->ah_spi_out));
}

bool v1_spi_new(struct ike *e, struct v1_exch *x)
{
    const struct ts_list remote = {.count = 1, .ts = {x->remote}};
    struct ike_spi_use use = {.proto = PROTO_ESP,
                              .conn = x->conn->name,
                              .child = x->cc->name,
                              .replaces = x->old_child,
                              .remote = &remote};
    x->spi = e->env.spi_alloc(e->env.ctx, &use);
    if (x->cc->bundle && x->spi) {
        use.proto = PROTO_AH;
        use.beside = x->spi;
        x->ah_spi = e->env.spi_alloc(e->env.ctx, &use);
    }
    return x->spi && (x->ah_spi || !x->cc->bundle);
}

/* RFC 2409 5.5: protocol and SPI are part of it, so every SA has keys of its own */
static err_t one_key(const struct v1_sa *v, const struct v1_exch *x, uint8_t proto, uint32_t spi,
                     const struct alg *encr, const struct alg *integ, struct child_keys *out)
{
    return v1_child_keys(v->sa.prf, v1_key_d(&v->keys), secret_bytes(&x->shared), proto, spi, x->ni,
                         x->nr, encr, integ, out);
}

static err_t ah_key(const struct v1_sa *v, const struct v1_exch *x, uint32_t spi,
                    struct secret *out)
{
    struct child_keys k = {0};
    err_t err = one_key(v, x, PROTO_AH, spi, NULL, x->chosen.ah.integ, &k);
    if (!err)
        secret_move(out, &k.integ);
    secret_free(&k.encr);
    secret_free(&k.integ);
    return err;
}

static err_t plan_keys(const struct v1_sa *v, const struct v1_exch *x, struct child_plan *p)
{
    err_t err = one_key(v, x, p->proto, x->spi, p->encr, p->integ, &p->in);
    if (!err)
        err = one_key(v, x, p->proto, x->spi_out, p->encr, p->integ, &p->out);
    if (!err && p->ah.integ)
        err = ah_key(v, x, x->ah_spi, &p->ah.in);
    if (!err && p->ah.integ)
        err = ah_key(v, x, x->ah_spi_out, &p->ah.out);
    return err;
}

static void plan_wipe(struct child_plan *p)
{
    secret_free(&p->in.encr);
    secret_free(&p->in.integ);
    secret_free(&p->out.encr);
    secret_free(&p->out.integ);
    secret_free(&p->ah.in);
    secret_free(&p->ah.out);
}

/* What both sides said, 0 for nothing. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a && (!b || a < b) ? a : b;
}

struct child *v1_child_install(struct ike *e, struct v1_sa *v, struct v1_exch *x, uint8_t dirs)
{
    const struct transform *esn = proposal_get(&x->chosen.p, T_ESN);
    struct ts_list l = {.count = 1, .ts = {x->local}}, r = {.count = 1, .ts = {x->remote}};
    if (x->narrow)
        *(x->ours ? &r : &l) = *x->narrow;
    struct child_plan p = {
        .conn = x->conn,
        .cc = x->cc,
        .replaces = x->old_child,
        .spi_in = x->spi,
        .spi_out = x->spi_out,
        .encr = proposal_alg(&x->chosen.p, T_ENCR),
        .ke = proposal_alg(&x->chosen.p, T_KE),
        .esn = esn && esn->id == ESN_YES,
        .proto = x->chosen.proto,
        .dirs = dirs,
        .mode = (uint8_t)v1_mode(x->cc),
        .oa_local = x->oa_local,
        .oa_remote = x->oa_remote,
        .cpi_in = x->chosen.cpi ? x->cpi : 0,
        .cpi_out = x->chosen.cpi,
        .local_ts = &l,
        .remote_ts = &r,
        .cap_s = shorter(x->chosen.life_s, x->cap_s),
        .cap_bytes = shorter(x->chosen.life_kb, x->cap_kb) * 1024,
    };
    p.integ = p.encr && p.encr->aead ? NULL : proposal_alg(&x->chosen.p, T_INTEG);
    if (x->chosen.ah.there)
        p.ah = (struct child_ah){.spi_in = x->ah_spi,
                                 .spi_out = x->ah_spi_out,
                                 .integ = x->chosen.ah.integ,
                                 .esn = x->chosen.ah.esn};
    err_t err = plan_keys(v, x, &p);
    struct child *c = err ? NULL : child_add(e, &v->sa, &p);
    plan_wipe(&p);
    if (err)
        ike_fail(e, err < 0 ? err : E_CRYPTO);
    if (!c)
        return NULL;
    c->ours = x->ours;
    x->spi_used = true;
    x->child = c->id;
    return c;
}

static void say_no_beet(struct ike *e, const struct v1_sa *v, const struct child *c)
{
    struct event *ev = ike_event(e, EV_CHILD_MODE, &v->sa, c);
    ev->what = "mode";
    ev->ours = mode_name(c->cc->mode);
    ev->theirs = mode_name(c->mode);
    ev->text = "as IKEv1 has no BEET";
    ev->hint = "set version = 2 at both peers";
    ev->clause = "RFC 2407 4.5";
}

void v1_say_installed(struct ike *e, struct v1_sa *v, const struct v1_exch *x, struct child *c)
{
    struct buf b = {0};
    struct ts_list l, r;
    child_ts_get(c, &l, &r);
    v1_suite_print(&x->chosen, &b);
    ike_event(e, EV_CHILD_PROPOSAL, &v->sa, c)->text = ike_str_buf(e, &b);
    struct event *ev =
        ike_event(e, x->old_child ? EV_CHILD_REKEYED : EV_CHILD_ESTABLISHED, &v->sa, c);
    ev->text = ike_strf(e, "TS %s === %s", ike_str_ts(e, &l), ike_str_ts(e, &r));
    if (c->ah)
        ev->text =
            ike_strf(e, "%s, AH SPIs %08x_i %08x_o", ev->text, c->ah->spi_in, c->ah->spi_out);
    ev->number = x->old_child;
    if (c->mode != c->cc->mode)
        say_no_beet(e, v, c);
}

static bool same_selectors(const struct child *a, const struct child *b)
{
    struct ts_list l[2], r[2];
    child_ts_get(a, &l[0], &r[0]);
    child_ts_get(b, &l[1], &r[1]);
    return ts_list_eq(&l[0], &l[1]) && ts_list_eq(&r[0], &r[1]);
}

struct child *v1_twin(const struct child *c)
{
    list_each (it, &c->sa->children) {
        struct child *o = container_of(it, struct child, link);
        if (o != c && o->state == CHILD_INSTALLED && !o->redundant && o->dirs == DIR_BOTH &&
            !strcmp(o->cc->name, c->cc->name) && same_selectors(o, c))
            return o;
    }
    return NULL;
}

bool v1_twin_stays(const struct child *c, const struct child *twin)
{
    uint32_t a = c->spi_in < c->spi_out ? c->spi_in : c->spi_out;
    uint32_t b = twin->spi_in < twin->spi_out ? twin->spi_in : twin->spi_out;
    return b > a;
}

/* The replaced SA only receives now. Who rekeyed deletes it, a little later; if the peer did and
 * does not (strongSwan leaves that to us), it stays until its lifetime ends. */
void v1_retire(struct ike *e, struct v1_sa *v, uint32_t old_id, const struct child *by, bool ours)
{
    struct child *old = old_id ? child_by_id(e, old_id) : NULL;
    if (!old || old->redundant || old->state == CHILD_DELETING)
        return;
    old->successor = by->id;
    old->rekey_ms = UINT64_MAX;
    old->state = CHILD_REKEYED;
    if (!ours)
        return;
    struct task *t = task_add(e, old->sa, TASK_CHILD_DEL, old->id);
    if (t && t != old->sa->active)
        t->not_before = e->now + RETIRE_MS;
    (void)v;
}

/*
 * Both sides rekeyed the same SA at once. IKEv1 says nothing of it: of the two new ones we let the
 * one go that the responder of the ISAKMP SA began, which takes no word between the peers.
 */
void v1_settle(struct ike *e, struct v1_sa *v, const struct v1_exch *x)
{
    struct child *c = child_by_id(e, x->child);
    if (!c || !c->replaces || v->sa.initiator)
        return;
    list_each (it, &c->sa->children) {
        struct child *o = container_of(it, struct child, link);
        if (o->replaces != c->replaces || o->ours == c->ours || o->redundant ||
            o->state != CHILD_INSTALLED)
            continue;
        v1_retire(e, v, c->ours ? c->id : o->id, c->ours ? o : c, true);
        return;
    }
}

/* The exchange is complete on our side: what remains is to answer repetitions. */
void v1_exch_keep(struct ike *e, struct v1_exch *x)
{
    x->done = true;
    x->resend_at = UINT64_MAX;
    x->die_ms = e->now + KEEP_MS;
    x->msg = NULL;
    x->ni = x->nr = bytes_of(NULL, 0);
    x->offer = NULL;
    x->narrow = NULL;
    arena_free(&x->arena);
    secret_free(&x->shared);
}

/* RFC 2408 3.1: CONNECTED came, or has been waited for long enough. */
void v1_connected(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct child *c = x->child ? child_by_id(e, x->child) : NULL;
    x->commit = false;
    if (c)
        child_dirs_add(e, c, DIR_OUT);
    sa_dirty(e, &v->sa);
}
