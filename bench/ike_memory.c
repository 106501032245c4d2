/*
 * Heap per established tunnel and per half-open SA on the responder's side: engine, pair of IPsec
 * SAs in the data plane and policy view, by the allocator's own account (mallinfo2) around each of
 * the responder's steps. Called by bench/control.py and by hand.
 */
#include "crypto/crypto.h"
#include "ike_rig.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALLER, ANSWERER, SIDES };

struct world {
    struct rig side[SIDES];
    struct policy *policies;
    size_t up, policy_count;
    int64_t used;  /* bytes that the answerer's steps left allocated */
    int64_t pairs; /* bytes of the data plane's SAs */
    uint64_t now_ms;
    bool deaf; /* the caller hears nothing */
};

static int64_t heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return (int64_t)(m.uordblks + m.hblkhd);
}

static void feed(struct world *w, int who, struct ike_in *in);

static void install(struct world *w, const struct child_sa *given)
{
    struct child_sa sa = *given;
    int64_t before = heap();
    sa.policy = (uint32_t)++w->up;
    if (dp_child_add(w->side[ANSWERER].dp, &sa, w->now_ms))
        abort();
    w->pairs += heap() - before;
    if (w->policies)
        w->policies[w->policy_count++] = (struct policy){
            .id = sa.policy, .action = POL_PROTECT, .local = sa.local_ts, .remote = sa.remote_ts};
}

static void carry_out(struct world *w, int who, const struct ike_act *a)
{
    if (a->kind == ACT_SEND && !(who == ANSWERER && w->deaf)) {
        feed(w, !who,
             &(struct ike_in){.kind = IN_PACKET,
                              .local = a->remote,
                              .remote = a->local,
                              .natt = a->natt,
                              .data = a->data});
    } else if (a->kind == ACT_JOB) {
        int64_t before = heap();
        ike_job_run(a->job);
        if (who == ANSWERER)
            w->used += heap() - before; /* the step that takes it back frees it */
        feed(w, who, &(struct ike_in){.kind = IN_JOB_DONE, .job = a->job});
    } else if (a->kind == ACT_CHILD_ADD && who == ANSWERER) {
        install(w, a->sa);
    }
}

/* A step is counted to its end, what it sends excepted: that is carried out afterwards. */
static void feed(struct world *w, int who, struct ike_in *in)
{
    struct ike_out out = {0};
    in->now_ms = w->now_ms;
    int64_t before = heap();
    if (ike_step(w->side[who].ike, in, &out))
        abort();
    int64_t step = heap() - before;
    for (const struct ike_act *a = out.first; a; a = a->next)
        carry_out(w, who, a);
    before = heap();
    ike_out_free(&out);
    step += heap() - before;
    if (who == ANSWERER)
        w->used += step;
}

static void load(struct world *w, int who, struct conn *c)
{
    feed(w, who, &(struct ike_in){.kind = IN_CONN_LOAD, .load = c});
    conn_unref(c);
}

static void world_open(struct world *w, unsigned count, const char *group)
{
    struct dp_settings set;
    const struct addr gateway = addr_v4((const uint8_t[4]){192, 0, 2, 1});
    *w = (struct world){.now_ms = 1000000};
    rig_open(&w->side[CALLER], rig_peer_addr(0));
    rig_open(&w->side[ANSWERER], gateway);
    dp_settings_default(&set);
    w->side[ANSWERER].dp = dp_new(&set);
    w->policies = calloc(count, sizeof *w->policies);
    if (!w->side[ANSWERER].dp || !w->policies)
        abort();
    load(w, ANSWERER,
         rig_conn_new(&(struct rig_conn){.name = "any",
                                         .group = group,
                                         .local_ts = "192.168.0.0/16",
                                         .remote_ts = "10.128.0.0/9"}));
    for (unsigned i = 0; i < count; i++)
        load(w, CALLER, rig_peer_conn(i, group, RIG_PSK, &gateway));
}

static void world_close(struct world *w)
{
    for (int i = 0; i < SIDES; i++)
        rig_close(&w->side[i]);
    free(w->policies);
}

static double run(unsigned count, const char *group, bool deaf, double *policy_bytes,
                  double *pair_bytes)
{
    struct world w;
    world_open(&w, count, group);
    w.deaf = deaf;
    w.used = 0;
    for (unsigned i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "p%u", i);
        feed(&w, CALLER, &(struct ike_in){.kind = IN_INITIATE, .conn = name, .child = "net"});
        w.now_ms += deaf ? 0 : 1;
    }
    if (!deaf && w.up != count) {
        fprintf(stderr, "only %zu of %u came up\n", w.up, count);
        exit(1);
    }
    int64_t before = heap();
    for (size_t i = 0; i < w.policy_count; i++)
        if (dp_policy_add(w.side[ANSWERER].dp, &w.policies[i]))
            abort();
    *policy_bytes = (double)(heap() - before) / count;
    *pair_bytes = (double)w.pairs / count;
    double bytes = (double)w.used / count + *pair_bytes;
    world_close(&w);
    return bytes;
}

/* What lies in the allocator's cache per thread counts as used: without it the account is exact. */
static void without_cache(char **argv)
{
    static const char name[] = "GLIBC_TUNABLES", off[] = "glibc.malloc.tcache_count=0";
    const char *now = getenv(name);
    if (now && strcmp(now, off) == 0)
        return;
    if (!setenv(name, off, 1))
        execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    without_cache(argv);
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;
    const char *group = argc > 2 ? argv[2] : "x25519", *what = NULL;
    double policy, pair, none;
    if (count == 0 || cr_init(&what)) {
        fprintf(stderr, "usage: bench-ike-memory [COUNT [GROUP]]\n");
        return 2;
    }
    double tunnel = run(count, group, false, &policy, &pair);
    double half = run(count, group, true, &none, &none);
    printf("{\"count\": %u, \"group\": \"%s\", \"tunnel_bytes\": %.0f, \"of_these_sa_pair\": %.0f, "
           "\"policy_view_bytes\": %.0f, "
           "\"half_open_bytes\": %.0f}\n",
           count, group, tunnel, pair, policy, half);
    cr_fini();
    return 0;
}
