/*
 * Drives the IKE engine: one input at a time, its actions carried out through the ports, its timer
 * and its slow jobs on the loop and the thread pool. Called by main and whoever has an input.
 */
#pragma once

#include <culvert/ike.h>
#include <uv.h>

struct runner;

/* Called while a step's actions are carried out, when none of them may call runner_feed; but
 * cmd_done and settled come after the step, and may. */
struct runner_ports {
    void *ctx;
    void (*send)(void *ctx, const struct ike_act *a); /* ACT_SEND, ACT_KEEPALIVE */
    bool (*child)(void *ctx,
                  const struct ike_act *a); /* CHILD_*, SPI_FREE, ACQUIRE_FAILED; false: failed */
    void (*event)(void *ctx, const struct event *ev);
    void (*cmd_done)(void *ctx, uint32_t cmd, err_t reason, const struct event *ev);
    void (*settled)(void *ctx); /* all actions of a step are done */
};

struct runner *runner_new(uv_loop_t *loop, const struct ike_settings *s, const struct ike_env *env,
                          const struct runner_ports *ports) must_use;
/* Fills in the time, steps, carries out. False when the engine itself failed (memory). */
bool runner_feed(struct runner *r, struct ike_in *in);
struct ike *runner_engine(struct runner *r);
/* Stops timer; waits for jobs by running the loop is the caller's business. */
void runner_close(struct runner *r);
void runner_free(struct runner *r);
