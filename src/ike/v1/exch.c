/*
 * Exchanges of phase 2 and their times; message ids; jobs. Each exchange has its own chain of IVs,
 * so several may be under way (RFC 2409 5.5).
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

struct v1_exch *v1_exch_new(struct ike *e, struct v1_sa *v, bool ours, uint32_t msg_id)
{
    struct v1_exch *x = calloc(1, sizeof *x);
    if (!x) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    x->serial = ++e->next_exch;
    x->ours = ours;
    x->exchange = EXCH_V1_QUICK;
    x->msg_id = msg_id;
    x->resend_at = x->die_ms = UINT64_MAX;
    list_init(&x->link);
    list_add_tail(&v->exchs, &x->link);
    return x;
}

bool v1_exch_repeated(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct ike_pkt *p)
{
    uint8_t digest[20];
    v1_digest(p->raw, digest);
    if (memcmp(digest, x->last_in, sizeof digest) != 0)
        return false;
    if (x->last_out.p) {
        e->stats.retransmits++;
        ike_send(e, &v->sa, v1_bytes(&x->last_out));
    }
    return true;
}

void v1_exch_end(struct ike *e, struct v1_exch *x)
{
    if (!x)
        return;
    if (x->spi && !x->spi_used)
        ike_act_add(e, ACT_SPI_FREE)->spi = x->spi;
    if (x->ah_spi && !x->spi_used)
        ike_act_add(e, ACT_SPI_FREE)->spi = x->ah_spi;
    if (x->ke)
        cr_ke_free(x->ke);
    secret_free(&x->shared);
    if (x->conn)
        conn_unref(x->conn);
    ike_msg_free(&x->last_out);
    arena_free(&x->arena);
    list_del(&x->link);
    free(x);
}

struct v1_exch *v1_exch_find(const struct v1_sa *v, uint32_t msg_id)
{
    list_each (it, (struct list *)&v->exchs) {
        struct v1_exch *x = container_of(it, struct v1_exch, link);
        if (x->msg_id == msg_id)
            return x;
    }
    return NULL;
}

struct v1_exch *v1_own_quick(const struct v1_sa *v)
{
    list_each (it, (struct list *)&v->exchs) {
        struct v1_exch *x = container_of(it, struct v1_exch, link);
        if (x->ours && !x->done && x->exchange == EXCH_V1_QUICK)
            return x;
    }
    return NULL;
}

void v1_exch_conn(struct v1_exch *x, struct conn *c, const struct conn_child *cc)
{
    struct conn *old = x->conn;
    x->conn = conn_ref(c);
    x->cc = cc;
    if (old)
        conn_unref(old);
}

void *v1_exch_alloc(struct ike *e, struct v1_exch *x, size_t n)
{
    void *p = arena_alloc(&x->arena, n);
    if (!p)
        ike_fail(e, E_NOMEM);
    return p;
}

struct bytes v1_nonce(struct ike *e, struct v1_exch *x)
{
    uint8_t *p = v1_exch_alloc(e, x, V1_NONCE_LEN);
    if (!p)
        return bytes_of(NULL, 0);
    e->env.random(e->env.ctx, p, V1_NONCE_LEN);
    return bytes_of(p, V1_NONCE_LEN);
}

/* RFC 2408 3.1: chosen at random by the initiator of the exchange, not zero */
uint32_t v1_message_id(struct ike *e, const struct v1_sa *v)
{
    for (;;) {
        uint32_t id = (uint32_t)ike_random_u64(e);
        if (id && !v1_exch_find(v, id))
            return id;
    }
}

/* A message id begins one exchange only; the last ones are known, so replaying is no use. */
bool v1_seen(struct v1_sa *v, uint32_t msg_id)
{
    for (size_t i = 0; i < V1_SEEN; i++)
        if (v->seen[i] == msg_id)
            return true;
    v->seen[v->seen_next] = msg_id;
    v->seen_next = (uint8_t)((v->seen_next + 1) % V1_SEEN);
    return false;
}

static void away(struct ike *e, struct ike_job *j, struct cr_ke **ke, struct bytes peer)
{
    if (!j || secret_set(&j->peer, peer)) {
        ike_job_free(j);
        ike_fail(e, E_NOMEM);
        return;
    }
    j->ke = *ke;
    *ke = NULL;
    ike_act_add(e, ACT_JOB)->job = j;
}

void v1_exch_job(struct ike *e, struct v1_sa *v, struct v1_exch *x, enum job_kind kind,
                 struct bytes peer, v1_resume *resume)
{
    x->resume = resume;
    away(e, job_new(kind, v->sa.id, x->serial, x->method), &x->ke, peer);
}

void v1_p1_job(struct ike *e, struct v1_sa *v, enum job_kind kind, struct bytes peer,
               v1_p1_resume *resume)
{
    struct v1_phase1 *p = v->p1;
    p->resume = resume;
    away(e, job_new(kind, v->sa.id, p->serial, p->method), &p->ke, peer);
}

/* Signing or verifying; j NULL: no memory. */
void v1_p1_sig(struct ike *e, struct v1_sa *v, struct ike_job *j, v1_p1_resume *resume)
{
    struct v1_phase1 *p = v->p1;
    if (!j) {
        ike_fail(e, E_NOMEM);
        return;
    }
    sig_work_free(p->sig);
    p->sig = NULL;
    p->resume = resume;
    j->ike_id = v->sa.id;
    j->exch = p->serial;
    ike_act_add(e, ACT_JOB)->job = j;
}

static struct v1_exch *by_serial(const struct v1_sa *v, uint32_t serial)
{
    list_each (it, (struct list *)&v->exchs) {
        struct v1_exch *x = container_of(it, struct v1_exch, link);
        if (x->serial == serial)
            return x;
    }
    return NULL;
}

static void signature_done(struct ike *e, struct v1_sa *v, struct ike_job *j)
{
    struct v1_phase1 *p = v->p1;
    v1_p1_resume *resume = p->resume;
    p->resume = NULL;
    p->sig = j->sig;
    j->sig = NULL;
    ike_job_free(j);
    resume(e, v);
}

/* Takes what the job made; whoever asked may be gone, then all of it is freed. */
void v1_job_done(struct ike *e, struct ike_sa *sa, struct ike_job *j)
{
    struct v1_sa *v = v1_of(sa);
    struct v1_phase1 *p = v->p1 && v->p1->serial == j->exch && v->p1->resume ? v->p1 : NULL;
    struct v1_exch *x = p ? NULL : by_serial(v, j->exch);
    if (!p && (!x || !x->resume)) {
        ike_job_free(j);
        return;
    }
    if (p && j->sig) {
        signature_done(e, v, j);
        return;
    }
    *(p ? &p->ke : &x->ke) = j->ke;
    j->ke = NULL;
    secret_move(p ? &p->shared : &x->shared, &j->shared);
    err_t err = j->err;
    *(p ? &p->job_err : &x->job_err) = err;
    ike_job_free(j);
    if (err < 0)
        ike_fail(e, err);
    if (p) {
        v1_p1_resume *resume = p->resume;
        p->resume = NULL;
        resume(e, v);
    } else {
        v1_resume *resume = x->resume;
        x->resume = NULL;
        resume(e, v, x);
    }
}

uint64_t v1_exchs_at(const struct v1_sa *v)
{
    uint64_t at = UINT64_MAX;
    list_each (it, (struct list *)&v->exchs) {
        const struct v1_exch *x = container_of(it, struct v1_exch, link);
        at = x->resend_at < at ? x->resend_at : at;
        at = x->die_ms < at ? x->die_ms : at;
    }
    return at;
}

/* A responder waits for the third message of quick mode and repeats its second. */
static void resend(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    const struct child *c = x->child ? child_by_id(e, x->child) : NULL;
    bool heard = c && c->dirs == DIR_BOTH; /* data came: the peer had our answer */
    if (heard || x->resends++ >= e->set.retransmit_tries) {
        x->resend_at = UINT64_MAX;
        v1_quick_over(e, v, x);
        return;
    }
    struct event *ev = ike_event(e, EV_MSG_RETRANSMIT, &v->sa, NULL);
    ev->number = x->resends;
    ev->text = ike_strf(e, "%u of response with message ID %u", x->resends, x->msg_id);
    x->resend_ms = x->resend_ms * e->set.retransmit_base_pct / 100;
    x->resend_at = e->now + x->resend_ms;
    e->stats.retransmits++;
    ike_send(e, &v->sa, v1_bytes(&x->last_out));
}

void v1_exchs_tick(struct ike *e, struct v1_sa *v)
{
    list_each_safe (it, nx, &v->exchs) {
        struct v1_exch *x = container_of(it, struct v1_exch, link);
        if (x->die_ms <= e->now)
            v1_exch_end(e, x);
        else if (x->resend_at <= e->now)
            resend(e, v, x);
    }
}
