/* Scratch of one exchange, and its jobs: slow work leaves with the exchange's number. */
#include "ike/v2/v2.h"
#include <stdlib.h>

struct v2_exch *v2_exch_new(struct ike *e, bool ours)
{
    struct v2_exch *x = calloc(1, sizeof *x);
    if (!x) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    x->serial = ++e->next_exch;
    x->ours = ours;
    if (!ours) /* an exchange of ours waits long for its answer */
        arena_borrow(&x->arena, &e->exch_home);
    return x;
}

void v2_exch_free(struct ike *e, struct v2_exch *x)
{
    if (!x)
        return;
    if (x->spi && !x->spi_used)
        ike_act_add(e, ACT_SPI_FREE)->spi = x->spi;
    if (x->ke)
        cr_ke_free(x->ke);
    secret_free(&x->shared);
    sig_own_free(x->auth.own);
    sig_work_free(x->auth.sig);
    if (x->conn)
        conn_unref(x->conn);
    if (x->ours)
        arena_free(&x->arena);
    else
        arena_return(&x->arena, &e->exch_home);
    free(x);
}

void v2_exch_conn(struct v2_exch *x, struct conn *c, const struct conn_child *cc)
{
    struct conn *old = x->conn;
    x->conn = conn_ref(c);
    x->cc = cc;
    if (old)
        conn_unref(old);
}

void *v2_exch_alloc(struct ike *e, struct v2_exch *x, size_t n)
{
    void *p = arena_alloc(&x->arena, n);
    if (!p)
        ike_fail(e, E_NOMEM);
    return p;
}

struct bytes v2_nonce(struct ike *e, struct v2_exch *x)
{
    uint8_t *p = v2_exch_alloc(e, x, V2_NONCE_LEN);
    if (!p)
        return bytes_of(NULL, 0);
    e->env.random(e->env.ctx, p, V2_NONCE_LEN);
    return bytes_of(p, V2_NONCE_LEN);
}

void v2_job(struct ike *e, struct v2_sa *v, struct v2_exch *x, enum job_kind kind,
            struct bytes peer, v2_resume *resume)
{
    struct ike_job *j = job_new(kind, v->sa.id, x->serial, x->method);
    if (!j || secret_set(&j->peer, peer)) {
        ike_job_free(j);
        ike_fail(e, E_NOMEM);
        return;
    }
    j->ke = x->ke;
    x->ke = NULL;
    x->resume = resume;
    ike_act_add(e, ACT_JOB)->job = j;
}

/* Signing or verifying; j NULL: no memory. */
void v2_sig_job(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct ike_job *j,
                v2_resume *resume)
{
    if (!j) {
        ike_fail(e, E_NOMEM);
        return;
    }
    sig_work_free(x->auth.sig);
    x->auth.sig = NULL;
    x->resume = resume;
    j->ike_id = v->sa.id;
    j->exch = x->serial;
    ike_act_add(e, ACT_JOB)->job = j;
}

/* Takes what the job made; whoever asked may be gone, then all of it is freed. */
void v2_job_done(struct ike *e, struct ike_sa *sa, struct ike_job *j)
{
    struct v2_sa *v = v2_of(sa);
    struct v2_exch *x = v->req && v->req->serial == j->exch   ? v->req
                        : v->rsp && v->rsp->serial == j->exch ? v->rsp
                                                              : NULL;
    if (!x || !x->resume) {
        ike_job_free(j);
        return;
    }
    v2_resume *resume = x->resume;
    x->resume = NULL;
    if (j->sig) {
        x->auth.sig = j->sig;
        j->sig = NULL;
        ike_job_free(j);
        resume(e, v, x);
        return;
    }
    x->ke = j->ke;
    j->ke = NULL;
    secret_move(&x->shared, &j->shared);
    x->job_err = j->err;
    ike_job_free(j);
    if (x->job_err < 0)
        ike_fail(e, x->job_err);
    resume(e, v, x);
}

void v2_req_end(struct ike *e, struct v2_sa *v)
{
    struct v2_exch *x = v->req;
    v->req = NULL;
    v2_exch_free(e, x);
    sa_dirty(e, &v->sa);
}

void v2_rsp_end(struct ike *e, struct v2_sa *v)
{
    struct v2_exch *x = v->rsp;
    v->rsp = NULL;
    v2_exch_free(e, x);
}
