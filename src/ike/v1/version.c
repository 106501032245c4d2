/* IKEv1 as the engine sees it: the table handed to ike_new, and what begins the next exchange. */
#include "ike/parts.h"
#include "ike/v1/v1.h"

static void begin(struct ike *e, struct v1_sa *v, struct task *t)
{
    switch (t->kind) {
    case TASK_CHILD_NEW:
    case TASK_CHILD_REKEY:
        v1_quick_start(e, v, t);
        break;
    case TASK_CHILD_DEL:
        v1_delete_child(e, v, t);
        break;
    case TASK_IKE_REKEY:
        v1_renew(e, v, t);
        break;
    case TASK_IKE_DEL:
        v1_delete_ike(e, v);
        break;
    case TASK_LIVENESS:
        v1_dpd_start(e, v);
        break;
    }
}

void v1_kick(struct ike *e, struct ike_sa *sa)
{
    struct v1_sa *v = v1_of(sa);
    while (v->state == V1_UP && !sa->active && !sa->dead) {
        struct task *t = task_next(e, sa);
        if (!t)
            return;
        task_take(t);
        sa->active = t;
        begin(e, v, t);
    }
}

static uint64_t deadline(const struct ike *e, const struct ike_sa *sa)
{
    const struct v1_sa *v = (const struct v1_sa *)sa;
    uint64_t at = v1_exchs_at(v);
    (void)e;
    if (v->forget_at && v->forget_at < at)
        at = v->forget_at;
    if (v->conf_at && v->conf_at < at)
        at = v->conf_at;
    return v->dpd_at && v->dpd_at < at ? v->dpd_at : at;
}

static void tick(struct ike *e, struct ike_sa *sa)
{
    struct v1_sa *v = v1_of(sa);
    if (v->forget_at && v->forget_at <= e->now) {
        ike_msg_free(&v->last_out);
        v->forget_at = 0;
    }
    v1_exchs_tick(e, v);
    v1_dpd_tick(e, v);
    v1_conf_tick(e, v);
}

static void release(struct ike *e, struct v1_sa *v)
{
    while (!list_empty(&v->exchs))
        v1_exch_end(e, container_of(v->exchs.next, struct v1_exch, link));
    v1_early_end(e, v);
    v1_count_half(e, v, false);
    if (v->in_inits)
        hash_del(&e->inits1, &v->init_node);
    v->in_inits = false;
    v1_p1_free(v->p1);
    v->p1 = NULL;
    parts_free(&v->parts);
    v->state = V1_GONE;
}

static void fini(struct ike *e, struct ike_sa *sa)
{
    struct v1_sa *v = v1_of(sa);
    release(e, v);
    ike_msg_free(&v->last_out);
    secret_free(&v->keys.all);
}

static void strip(struct ike *e, struct ike_sa *sa)
{
    release(e, v1_of(sa));
}

static const char *mode(const struct ike_sa *sa)
{
    return ((const struct v1_sa *)sa)->aggressive ? "aggressive" : "main";
}

static const char *auth(const struct ike_sa *sa, bool local)
{
    const struct v1_method *m = ((const struct v1_sa *)sa)->method;
    (void)local; /* RFC 2409 5: one method for both */
    return m ? m->name : NULL;
}

static void init(struct ike_sa *sa)
{
    list_init(&v1_of(sa)->exchs);
    list_init(&v1_of(sa)->early);
}

const struct ike_version ike_v1 = {
    .major = 1,
    .sa_size = sizeof(struct v1_sa),
    .init = init,
    .start = v1_start,
    .packet = v1_packet,
    .job_done = v1_job_done,
    .kick = v1_kick,
    .timeout = v1_timeout,
    .deadline = deadline,
    .tick = tick,
    .fini = fini,
    .strip = strip,
    .keys = v1_keys_export,
    .state = v1_state_name,
    .mode = mode,
    .auth = auth,
};
