/*
 * CPU time of a negotiation (IKE_SA_INIT, IKE_AUTH with a pre-shared key, one CHILD SA), responder
 * and initiator apart, beside the bare key exchange in the same run. Two engines in one process, no
 * network: what the engine and its cryptography cost, nothing else.
 */
#include <culvert/ike.h>
#include "crypto/crypto.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { INITIATOR, RESPONDER, SIDES };

struct side {
    struct ike *ike;
    struct endpoint at;
    uint32_t next_spi;
    uint64_t cpu_ns;
    unsigned up;
};

struct world {
    struct side side[SIDES];
    uint64_t now_ms;
};

static uint64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void env_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    cr_random(p, n);
}

static uint32_t env_spi(void *ctx, uint8_t proto)
{
    struct side *s = ctx;
    (void)proto;
    return ++s->next_spi;
}

static bool env_stats(void *ctx, uint32_t id, struct child_stats *out)
{
    (void)ctx;
    (void)id;
    *out = (struct child_stats){0};
    return true;
}

static bool env_source(void *ctx, const struct addr *remote, struct addr *out)
{
    struct side *s = ctx;
    (void)remote;
    *out = s->at.addr;
    return true;
}

static bool env_resolve(void *ctx, const char *host, uint8_t family, struct addr *out)
{
    (void)ctx;
    (void)host;
    (void)family;
    (void)out;
    return false;
}

static void feed(struct world *w, int who, struct ike_in *in);

static void carry_out(struct world *w, int who, const struct ike_act *a)
{
    struct side *s = &w->side[who];
    if (a->kind == ACT_SEND) {
        struct ike_in in = {.kind = IN_PACKET,
                            .local = a->remote,
                            .remote = a->local,
                            .natt = a->natt,
                            .data = a->data};
        feed(w, !who, &in);
    } else if (a->kind == ACT_JOB) {
        uint64_t t0 = cpu_now();
        ike_job_run(a->job);
        s->cpu_ns += cpu_now() - t0;
        feed(w, who, &(struct ike_in){.kind = IN_JOB_DONE, .job = a->job});
    } else if (a->kind == ACT_CHILD_ADD) {
        s->up++;
    }
}

static void feed(struct world *w, int who, struct ike_in *in)
{
    struct ike_out out = {0};
    uint64_t t0 = cpu_now();
    in->now_ms = w->now_ms;
    in->wall_s = w->now_ms / 1000;
    if (ike_step(w->side[who].ike, in, &out))
        abort();
    w->side[who].cpu_ns += cpu_now() - t0;
    for (const struct ike_act *a = out.first; a; a = a->next)
        carry_out(w, who, a);
    t0 = cpu_now();
    ike_out_free(&out);
    w->side[who].cpu_ns += cpu_now() - t0;
}

static void add_conn(struct world *w, int who, const char *name, const char *group, unsigned i)
{
    char words[64], text[64];
    struct proposal_error err;
    const char *why;
    struct conn *c = conn_new(name);
    struct conn_child *ch = c ? conn_child_add(c, "net") : NULL;
    if (!ch)
        abort();
    snprintf(words, sizeof words, "aes128-sha256-%s", group);
    snprintf(text, sizeof text, "p%u.example.org", i);
    c->version = 2;
    c->local[0].lo = c->local[0].hi = w->side[who].at.addr;
    c->remote[0].lo = c->remote[0].hi = w->side[!who].at.addr;
    c->local_count = c->remote_count = 1;
    if (who == INITIATOR)
        id_parse(&c->auth_local.id, text);
    else
        c->unique = UNIQUE_NEVER;
    if (proposal_parse(PROTO_IKE, words, &c->ike, &err) ||
        proposal_parse(PROTO_ESP, "aes128gcm16", &ch->esp, &err))
        abort();
    snprintf(text, sizeof text, who == INITIATOR ? "10.%u.%u.0/24" : "192.168.0.0/16",
             i / 250 % 250, i % 250);
    if (ts_conf_parse(&ch->local_ts.ts[0], who == INITIATOR ? text : "192.168.0.0/16", &why) ||
        ts_conf_parse(&ch->remote_ts.ts[0], who == INITIATOR ? "192.168.0.0/16" : "10.0.0.0/8",
                      &why))
        abort();
    ch->local_ts.count = ch->remote_ts.count = 1;
    feed(w, who, &(struct ike_in){.kind = IN_CONN_LOAD, .load = c});
    conn_unref(c);
}

static void world_open(struct world *w)
{
    static const struct ike_version *const versions[] = {&ike_v2};
    struct ike_settings set;
    ike_settings_default(&set);
    set.cookie_threshold = UINT32_MAX;
    *w = (struct world){.now_ms = 1000000};
    for (int i = 0; i < SIDES; i++) {
        struct side *s = &w->side[i];
        const struct ike_env env = {s, env_random, env_spi, env_stats, env_source, env_resolve};
        s->at.addr = addr_v4((const uint8_t[4]){192, 0, 2, (uint8_t)(1 + i)});
        s->at.port = 500;
        s->next_spi = 0x1000;
        s->ike = ike_new(&set, &env, versions, 1);
        struct shared *sh = shared_new("ike-1");
        if (!s->ike || !sh || secret_set(&sh->secret, bytes_of("bench secret", 12)))
            abort();
        feed(w, i, &(struct ike_in){.kind = IN_SHARED_LOAD, .shared = sh});
    }
}

/* One side of the bare key exchange: a fresh value and one derivation. */
static double floor_us(const char *group, unsigned count)
{
    const struct alg *a = alg_by_name(group, strlen(group));
    struct cr_ke *peer = NULL;
    struct secret shared = {0};
    if (!a || cr_ke_new(a->id, &peer))
        abort();
    uint64_t t0 = cpu_now();
    for (unsigned i = 0; i < count; i++) {
        struct cr_ke *ke = NULL;
        if (cr_ke_new(a->id, &ke) || cr_ke_derive(ke, cr_ke_public(peer), &shared))
            abort();
        cr_ke_free(ke);
    }
    double us = (double)(cpu_now() - t0) / 1000.0 / count;
    secret_free(&shared);
    cr_ke_free(peer);
    return us;
}

static void measure(const char *group, unsigned count, bool json, bool first)
{
    struct world w;
    char name[32];
    world_open(&w);
    add_conn(&w, RESPONDER, "any", group, 0);
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "c%u", i);
        add_conn(&w, INITIATOR, name, group, i);
    }
    w.side[INITIATOR].cpu_ns = w.side[RESPONDER].cpu_ns = 0;
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "c%u", i);
        feed(&w, INITIATOR, &(struct ike_in){.kind = IN_INITIATE, .conn = name, .child = "net"});
        w.now_ms++;
    }
    if (w.side[RESPONDER].up != count || w.side[INITIATOR].up != count) {
        fprintf(stderr, "only %u of %u negotiations came up\n", w.side[RESPONDER].up, count);
        exit(1);
    }
    double r = (double)w.side[RESPONDER].cpu_ns / 1000.0 / count;
    double in = (double)w.side[INITIATOR].cpu_ns / 1000.0 / count;
    double fl = floor_us(group, count < 200 ? count : 200);
    if (json)
        printf("%s{\"group\":\"%s\",\"count\":%u,\"responder_us\":%.1f,\"initiator_us\":%.1f,"
               "\"bare_us\":%.1f,\"responder_per_cpu_s\":%.0f}",
               first ? "[" : ",", group, count, r, in, fl, 1e6 / r);
    else
        printf("%-10s %6u  %9.1f %9.1f %9.1f  %6.2f %6.2f  %9.0f\n", group, count, r, in, fl,
               r / fl, in / fl, 1e6 / r);
    for (int i = 0; i < SIDES; i++)
        ike_free(w.side[i].ike);
}

int main(int argc, char **argv)
{
    static const char *const all[] = {"x25519", "ecp256", "ecp384", "modp2048", "modp3072"};
    static const struct option options[] = {{"group", required_argument, NULL, 'g'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    const char *only = NULL, *what = NULL;
    unsigned count = 200;
    bool json = false, first = true;
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'g')
            only = optarg;
        else if (o == 'c')
            count = (unsigned)atoi(optarg);
        else if (o == 'j')
            json = true;
        else
            return 2;
    }
    if (count == 0 || cr_init(&what)) {
        fprintf(stderr, "bench-handshake: %s\n", what ? what : "bad --count");
        return 2;
    }
    if (!json)
        printf("%-10s %6s  %9s %9s %9s  %6s %6s  %9s\n", "group", "count", "resp us", "init us",
               "bare us", "r/bare", "i/bare", "resp/s");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (only && strcmp(only, all[i]) != 0)
            continue;
        measure(all[i], count, json, first);
        first = false;
    }
    if (json)
        puts(first ? "[]" : "]");
    cr_fini();
    return first;
}
