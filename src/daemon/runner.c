/* The engine's driver: see runner.h. */
#include "daemon/runner.h"
#include "io/clock.h"
#include <stdlib.h>

#define QUICK_MAX 8  /* jobs of one step that are done on the spot */
#define LOST_MAX  64 /* CHILD SAs of one step that the data plane could not take */

struct runner {
    struct ike *engine;
    struct runner_ports port;
    uv_loop_t *loop;
    uv_timer_t timer;
    uint64_t wake_ms;
    bool stepping, closed;
    uint32_t lost[LOST_MAX];
    size_t lost_count;
    size_t jobs;                      /* in the thread pool */
    struct ike_job *quick[QUICK_MAX]; /* done already, to be fed back after the step */
    size_t quick_count;
};

struct job_req {
    uv_work_t work;
    struct runner *r;
    struct ike_job *job;
};

static void on_job(uv_work_t *w)
{
    struct job_req *q = w->data;
    ike_job_run(q->job);
}

static void on_job_done(uv_work_t *w, int status)
{
    struct job_req *q = w->data;
    struct runner *r = q->r;
    r->jobs--;
    if (r->closed || status)
        ike_job_free(q->job);
    else
        runner_feed(r, &(struct ike_in){.kind = IN_JOB_DONE, .job = q->job});
    free(q);
}

static void queue_job(struct runner *r, struct ike_job *job)
{
    if (ike_job_quick(job) && r->quick_count < QUICK_MAX) {
        ike_job_run(job);
        r->quick[r->quick_count++] = job;
        return;
    }
    struct job_req *q = calloc(1, sizeof *q);
    if (!q) {
        ike_job_free(job); /* the SA runs into its half-open timeout */
        return;
    }
    *q = (struct job_req){.r = r, .job = job};
    q->work.data = q;
    if (uv_queue_work(r->loop, &q->work, on_job, on_job_done) != 0) {
        ike_job_free(job);
        free(q);
        return;
    }
    r->jobs++;
}

static void carry_out(struct runner *r, const struct ike_act *a)
{
    switch (a->kind) {
    case ACT_SEND:
    case ACT_KEEPALIVE:
        r->port.send(r->port.ctx, a);
        break;
    case ACT_CHILD_ADD:
    case ACT_CHILD_DIR:
    case ACT_CHILD_QUIET:
    case ACT_CHILD_DEL:
    case ACT_CHILD_MOVE:
    case ACT_SPI_FREE:
    case ACT_VIP_ADD:
    case ACT_VIP_DEL:
    case ACT_ACQUIRE_FAILED:
        if (!r->port.child(r->port.ctx, a) && r->lost_count < LOST_MAX)
            r->lost[r->lost_count++] = a->sa->id;
        break;
    case ACT_JOB:
        queue_job(r, a->job);
        break;
    case ACT_CMD_DONE: /* tell_done: who is answered may have the next command ready */
        break;
    case ACT_EVENT:
        r->port.event(r->port.ctx, &a->event);
        break;
    }
}

static void on_timer(uv_timer_t *t)
{
    struct runner *r = t->data;
    r->wake_ms = UINT64_MAX;
    runner_feed(r, &(struct ike_in){.kind = IN_TICK});
}

static void arm(struct runner *r, uint64_t wake_ms, uint64_t now_ms)
{
    if (wake_ms == r->wake_ms && uv_is_active((uv_handle_t *)&r->timer))
        return;
    r->wake_ms = wake_ms;
    if (wake_ms == UINT64_MAX || r->closed) {
        uv_timer_stop(&r->timer);
        return;
    }
    uv_update_time(r->loop);
    uv_timer_start(&r->timer, on_timer, wake_ms > now_ms ? wake_ms - now_ms : 0, 0);
}

static void tell_done(struct runner *r, const struct ike_out *out)
{
    for (const struct ike_act *a = out->first; a; a = a->next)
        if (a->kind == ACT_CMD_DONE)
            r->port.cmd_done(r->port.ctx, a->cmd, a->reason, &a->event);
}

static bool step(struct runner *r, struct ike_in *in)
{
    struct ike_out out = {0};
    in->now_ms = clock_now_ms();
    in->wall_s = clock_wall_s();
    r->stepping = true;
    err_t e = ike_step(r->engine, in, &out);
    for (const struct ike_act *a = out.first; a; a = a->next)
        carry_out(r, a);
    r->stepping = false;
    arm(r, out.wake_ms, in->now_ms);
    tell_done(r, &out);
    ike_out_free(&out);
    return e >= 0;
}

bool runner_feed(struct runner *r, struct ike_in *in)
{
    if (r->stepping)
        abort(); /* a port fed the engine: a programming error */
    bool ok = step(r, in);
    while (r->quick_count) {
        struct ike_job *job = r->quick[--r->quick_count];
        ok = step(r, &(struct ike_in){.kind = IN_JOB_DONE, .job = job}) && ok;
    }
    while (r->lost_count) {
        uint32_t id = r->lost[--r->lost_count];
        ok = step(r, &(struct ike_in){.kind = IN_EXPIRE, .child_id = id, .hard = true}) && ok;
    }
    r->port.settled(r->port.ctx);
    return ok;
}

struct ike *runner_engine(struct runner *r)
{
    return r->engine;
}

struct runner *runner_new(uv_loop_t *loop, const struct ike_settings *s, const struct ike_env *env,
                          const struct runner_ports *ports)
{
    static const struct ike_version *const versions[] = {&ike_v1, &ike_v2};
    struct runner *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct runner){.port = *ports, .loop = loop, .wake_ms = UINT64_MAX};
    r->engine = ike_new(s, env, versions, sizeof versions / sizeof versions[0]);
    if (!r->engine) {
        free(r);
        return NULL;
    }
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    return r;
}

void runner_close(struct runner *r)
{
    r->closed = true;
    uv_timer_stop(&r->timer);
    uv_close((uv_handle_t *)&r->timer, NULL);
}

void runner_free(struct runner *r)
{
    if (!r)
        return;
    ike_free(r->engine);
    free(r);
}
