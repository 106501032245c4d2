/* IKEv2 as the engine sees it: the table handed to ike_new, and what begins the next exchange. */
#include "ike/parts.h"
#include "ike/half.h"
#include "ike/v2/v2.h"

#define UNDECIDED_MS 500

static void begin(struct ike *e, struct v2_sa *v, struct task *t)
{
    switch (t->kind) {
    case TASK_CHILD_NEW:
    case TASK_CHILD_REKEY:
        v2_create_start(e, v, t);
        break;
    case TASK_CHILD_DEL:
        v2_delete_child_start(e, v, t);
        break;
    case TASK_IKE_REKEY:
        v2_rekey_ike_start(e, v);
        break;
    case TASK_IKE_DEL:
        v2_delete_ike_start(e, v);
        break;
    case TASK_LIVENESS:
        v2_liveness_start(e, v);
        break;
    }
}

/* A replaced SA only gets its Delete; while the peer rekeys this one (perhaps we still compute the
 * answer), nothing new begins. */
static bool may_begin(const struct v2_sa *v, const struct task *t)
{
    bool replaced = v->successor || (v->rsp && v->rsp->ike_spi);
    if (v->state == V2_REKEYED)
        return t->kind == TASK_IKE_DEL;
    return v->state == V2_UP && (!replaced || t->kind == TASK_IKE_DEL);
}

void v2_kick(struct ike *e, struct ike_sa *sa)
{
    struct v2_sa *v = v2_of(sa);
    while (v2_idle(v) && !sa->active && !sa->dead) {
        struct task *t = task_next(e, sa);
        if (!t || !may_begin(v, t))
            return;
        if (t->kind != TASK_IKE_DEL && v2_undecided(e, v)) {
            t->not_before = e->now + UNDECIDED_MS;
            continue;
        }
        task_take(t);
        sa->active = t;
        begin(e, v, t);
    }
}

static uint64_t deadline(const struct ike *e, const struct ike_sa *sa)
{
    (void)e;
    const struct v2_answer *a = ((const struct v2_sa *)sa)->win.resp;
    return a ? a->forget_at : UINT64_MAX;
}

static void tick(struct ike *e, struct ike_sa *sa)
{
    struct v2_window *w = &v2_of(sa)->win;
    if (w->resp && w->resp->forget_at <= e->now)
        v2_window_forget(e, w);
}

void v2_half_done(struct ike *e, struct v2_sa *v)
{
    if (v->init && v->init->half)
        half_count(e, &v->init->from, false);
    if (v->init)
        v->init->half = false;
}

static void release(struct ike *e, struct v2_sa *v)
{
    v2_half_done(e, v);
    v2_req_end(e, v);
    v2_rsp_end(e, v);
    v2_init_free(v->init);
    v->init = NULL;
    parts_free(&v->parts);
}

static void fini(struct ike *e, struct ike_sa *sa)
{
    struct v2_sa *v = v2_of(sa);
    release(e, v);
    v2_window_forget(e, &v->win);
    secret_free(&v->keys.all);
    v->state = V2_GONE;
}

static void strip(struct ike *e, struct ike_sa *sa)
{
    struct v2_sa *v = v2_of(sa);
    release(e, v);
    v->state = V2_GONE;
}

static const char *auth(const struct ike_sa *sa, bool local)
{
    return v2_auth_name(((const struct v2_sa *)sa)->auth[local]);
}

const struct ike_version ike_v2 = {
    .major = 2,
    .sa_size = sizeof(struct v2_sa),
    .start = v2_start,
    .packet = v2_packet,
    .cookie_reply = v2_cookie_reply,
    .half_packet = v2_half_packet,
    .half_done = v2_init_job,
    .job_done = v2_job_done,
    .kick = v2_kick,
    .timeout = v2_timeout,
    .deadline = deadline,
    .tick = tick,
    .fini = fini,
    .strip = strip,
    .keys = v2_keys_export,
    .auth = auth,
};
