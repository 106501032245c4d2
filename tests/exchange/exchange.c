/*
 * Whole lives of two engines, thousands of times: establishing, rekeying, colliding, deleting,
 * refusing and dying, over networks that lose, double and reorder. A failure names scenario and
 * seed; `exchange --scenario NAME --seed N --trace` replays it.
 */
#include "crypto/crypto.h"
#include "setup.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* --- scenarios: each runs one whole life from one seed --- */

static void run_fine(struct sim *s, uint64_t seed)
{
    const struct sim_net net = {
        .latency_min_ms = 5, .latency_max_ms = 5, .nat = seed % 2, .drop_index = -1};
    set_up(s, seed, &plain, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    want(s, s->node[A].cmds_ok == 1, "A did not come up");
    one_tunnel(s);
    want(s, s->sent == 4, "more than the four messages of RFC 7296 1.2");
    s->traffic = true;
    heal(s);
    want(s, s->esp_lost == 0, "ESP was lost");
}

static void run_lossy(struct sim *s, uint64_t seed)
{
    const struct sim_net net = bad_net(seed);
    struct setup x = plain;
    x.mode = seed / 60 % 2 ? MODE_TRANSPORT : MODE_TUNNEL;
    x.fragment_size = seed / 120 % 2 ? 180 : 0; /* RFC 7383: several parts of most messages */
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 300 * 1000);
    heal(s);
    want(s, s->node[A].cmds_ok + s->node[A].cmds_failed == 1, "the command was not answered once");
}

/* Every single message of a life lost once: the seed says which. */
static void run_drop_one(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    x.children = 2;
    x.esp[A] = x.esp[B] = seed % 2 ? "aes128gcm16-x25519" : "aes128-sha256";
    const struct sim_net net = {.latency_min_ms = 5,
                                .latency_max_ms = 5,
                                .nat = seed % 3 == 0,
                                .drop_index = (int)(seed / 2 % 24)};
    x.fragment_size = seed / 96 % 2 ? 180 : 0;
    set_up(s, seed, &x, &net);
    int other = net.nat ? A : (int)(seed / 48 % 2);
    sim_initiate(s, A, "net0");
    sim_run(s, 60 * 1000);
    sim_initiate(s, other, "net1");
    sim_run(s, 60 * 1000);
    sim_rekey(s, !other, NULL, "net0");
    sim_run(s, 60 * 1000);
    sim_rekey(s, other, "gw", NULL);
    sim_run(s, 60 * 1000);
    want(s, s->node[A].cmds_failed + s->node[B].cmds_failed == 0, "a command failed");
    want(s, s->node[A].children == 2, "there are not two CHILD SAs");
    sim_check_settled(s);
    sim_terminate(s, !other, NULL, "net1");
    sim_run(s, 60 * 1000);
    want(s, s->node[A].children == 1, "the CHILD SA was not deleted");
    sim_terminate(s, A, "gw", NULL);
    heal(s);
    want(s, sim_ike_count(s, A, NULL) == 0 && s->node[B].children == 0, "something stayed");
}

static void run_both_initiate(struct sim *s, uint64_t seed)
{
    struct sim_net net = bad_net(seed);
    net.nat = false;
    set_up(s, seed, &plain, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, sim_random(s, 20));
    sim_initiate(s, B, "net0");
    sim_run(s, 300 * 1000);
    heal(s);
    want(s, s->node[A].children <= 2, "more than two CHILD SAs from two initiations");
}

/* RFC 7296 2.8.1, 2.8.2, 2.25: any mix of rekeyings at nearly the same time, over any network. */
static void run_collide(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    x.esp[A] = x.esp[B] = seed % 2 ? "aes128gcm16-x25519" : "aes128-sha256";
    establish(s, seed, &x);
    s->net = bad_net(seed / 2);
    s->net.nat = false;
    s->traffic = s->net.loss_pct == 0;
    s->net.esp_latency_max_ms = 2000;
    for (int i = 0; i < 4; i++) {
        int node = (int)sim_random(s, 2);
        bool ike = sim_random(s, 2);
        sim_rekey(s, node, ike ? "gw" : NULL, ike ? NULL : "net0");
        sim_run(s, sim_random(s, 60));
        if (sim_random(s, 3) == 0) /* and the other side the same */
            sim_rekey(s, !node, ike ? "gw" : NULL, ike ? NULL : "net0");
        sim_run(s, sim_random(s, 3) ? sim_random(s, 40) : 20000);
    }
    bool fine = s->net.loss_pct == 0;
    sim_run(s, 300 * 1000);
    if (fine)
        want(s, s->esp_lost == 0, "rekeying lost packets");
    heal(s);
    if (fine)
        one_tunnel(s);
}

static void run_delete_crossing(struct sim *s, uint64_t seed)
{
    establish(s, seed, &plain);
    s->net = bad_net(seed);
    s->net.nat = false;
    switch (seed % 4) {
    case 0:
        sim_terminate(s, A, "gw", NULL);
        sim_run(s, sim_random(s, 20));
        sim_terminate(s, B, "gw", NULL);
        break;
    case 1:
        sim_terminate(s, A, NULL, "net0");
        sim_run(s, sim_random(s, 20));
        sim_terminate(s, B, NULL, "net0");
        break;
    case 2:
        sim_rekey(s, A, NULL, "net0");
        sim_run(s, sim_random(s, 20));
        sim_terminate(s, B, NULL, "net0");
        break;
    default:
        sim_rekey(s, A, "gw", NULL);
        sim_run(s, sim_random(s, 20));
        sim_terminate(s, B, "gw", NULL);
    }
    sim_run(s, 300 * 1000);
    heal(s);
}

/* Two days of short lifetimes: only rekeying may happen, no packet may be lost. */
static void run_days(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    x.rekey_ike_s = 3600 + seed % 7 * 100;
    x.rekey_child_s = 900 + seed % 5 * 60;
    x.esp[A] = x.esp[B] = seed % 2 ? "aes128gcm16-x25519" : "aes128gcm16";
    establish(s, seed, &x);
    s->traffic = true;
    s->net.esp_latency_max_ms = 2000;
    sim_run(s, 12 * 3600 * 1000ull);
    want(s, s->esp_lost == 0, "rekeying lost packets");
    want(s, s->node[A].count[EV_IKE_REKEYED] + s->node[B].count[EV_IKE_REKEYED] >= 9,
         "the IKE SA was not rekeyed in time");
    s->traffic = false;
    sim_run(s, 10000);
    one_tunnel(s);
}

static void run_peer_vanishes(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    x.dpd_action = seed % 2 ? DPD_RESTART : DPD_CLEAR;
    establish(s, seed, &x);
    sim_run(s, sim_random(s, 100000));
    s->net.cut = true;
    sim_run(s, 400 * 1000);
    if (!(seed % 2)) {
        want(s, sim_ike_count(s, A, NULL) == 0 && s->node[A].children == 0,
             "liveness did not notice (RFC 7296 2.4)");
        heal(s);
        return;
    }
    s->net.cut = false; /* restart: the tunnel comes back by itself, with all time to try */
    sim_run(s, 1200 * 1000);
    sim_check_settled(s);
}

/* Nobody answers: bounded effort, one clear end, nothing left. */
static void run_nobody(struct sim *s, uint64_t seed)
{
    set_up(s, seed, &plain, NULL);
    s->net.cut = true;
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    want(s, s->node[A].cmds_failed == 1 && s->node[A].last_reason == R_PEER_TIMEOUT,
         "the command did not end with peer-timeout");
    want(s, sim_ike_count(s, A, NULL) == 0, "an IKE SA stayed");
    s->net.cut = false;
    sim_run(s, 1000);
    sim_check_settled(s);
}

static void run_refused(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    const struct sim_net net = bad_net(seed / 4);
    bool lossy = net.loss_pct || net.latency_max_ms > 100;
    switch (seed % 4) {
    case 0:
        x.ike[B] = "aes256-sha256-x25519";
        break;
    case 1:
        x.esp[B] = "aes256gcm16";
        break;
    case 2:
        x.remote_ts[A] = "10.9.0.0/16";
        break;
    default:
        break;
    }
    set_up(s, seed, &x, &net);
    if (seed % 4 == 3)
        sim_psk(s, B, "wrong horse");
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    want(s, s->node[A].cmds_ok == 0, "came up although it must not");
    want(s, s->node[A].children == 0 && s->node[B].children == 0, "a CHILD SA was installed");
    heal(s);
    if (lossy)
        return;
    switch (seed % 4) {
    case 0:
        expect_refusal(s, B, R_NO_PROPOSAL, "encryption");
        expect_refusal(s, A, R_PEER_NO_PROPOSAL, NULL);
        break;
    case 1:
        expect_refusal(s, B, R_NO_PROPOSAL, "encryption");
        expect_refusal(s, A, R_PEER_NO_PROPOSAL, NULL);
        break;
    case 2:
        expect_refusal(s, B, R_TS_UNACCEPTABLE, NULL);
        expect_refusal(s, A, R_PEER_TS_UNACCEPTABLE, NULL);
        break;
    default:
        expect_refusal(s, B, R_PSK_MISMATCH, NULL);
        expect_refusal(s, A, R_PEER_AUTH_FAILED, NULL);
    }
}

/* RFC 7296 1.2, 2.6: another group wanted, and a cookie. */
static void run_retry(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    struct sim_net net = bad_net(seed);
    struct ike_settings set;
    x.ike[A] = "aes128-sha256-x25519-ecp256";
    x.ike[B] = seed % 2 ? "aes128-sha256-ecp256" : "aes128-sha256-x25519";
    ike_settings_default(&set);
    set.cookie_threshold = seed % 3 ? 0 : 30;
    sim_init(s, seed, &set);
    s->net = net;
    for (int i = 0; i < NODES; i++) {
        sim_load(s, i, conn_of(s, &x, i));
        sim_psk(s, i, "correct horse");
    }
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    heal(s);
    if (net.loss_pct == 0)
        want(s, s->node[A].cmds_ok == 1, "did not come up");
}

static void run_churn(struct sim *s, uint64_t seed)
{
    struct setup x = plain;
    x.children = 4;
    const struct sim_net net = bad_net(seed);
    set_up(s, seed, &x, &net);
    for (int i = 0; i < 30; i++) {
        int node = s->net.nat ? A : (int)sim_random(s, 2);
        char name[16];
        snprintf(name, sizeof name, "net%u", sim_random(s, 4));
        switch (sim_random(s, 6)) {
        case 0:
        case 1:
        case 2:
            sim_initiate(s, node, name);
            break;
        case 3:
            sim_rekey(s, node, NULL, name);
            break;
        case 4:
            sim_rekey(s, node, "gw", NULL);
            break;
        default:
            sim_terminate(s, node, sim_random(s, 3) ? NULL : "gw", name);
        }
        sim_run(s, sim_random(s, sim_random(s, 2) ? 30 : 30000));
    }
    sim_run(s, 600 * 1000);
    heal(s);
}

/* Damaged copies of everything once the tunnel is up: nothing may change but counters. */
static void run_hostile(struct sim *s, uint64_t seed)
{
    establish(s, seed, &plain);
    s->net.hostile_pct = 100;
    s->net.latency_max_ms = 50;
    s->traffic = true;
    for (int i = 0; i < 20; i++) {
        int node = (int)sim_random(s, 2);
        bool ike = sim_random(s, 2);
        sim_rekey(s, node, ike ? "gw" : NULL, ike ? NULL : "net0");
        sim_run(s, 20000 + sim_random(s, 100000));
    }
    s->net.hostile_pct = 0;
    s->traffic = false;
    sim_run(s, 20000);
    want(s, s->esp_lost == 0, "packets were lost");
    want(s, s->node[A].cmds_failed + s->node[B].cmds_failed == 0, "a command failed");
    one_tunnel(s);
    sim_check_settled(s);
}

/* The same from the first message on, which nothing protects: it may fail, it must settle. */
static void run_hostile_start(struct sim *s, uint64_t seed)
{
    struct sim_net net = bad_net(seed);
    net.hostile_pct = 100;
    set_up(s, seed, &plain, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 300 * 1000);
    s->net.hostile_pct = 0;
    heal(s);
}

static const struct scenario scenarios[] = {
    {"fine", run_fine, 20},
    {"lossy", run_lossy, 600},
    {"drop-one", run_drop_one, 192},
    {"both-initiate", run_both_initiate, 300},
    {"collide", run_collide, 800},
    {"delete-crossing", run_delete_crossing, 480},
    {"days", run_days, 10},
    {"peer-vanishes", run_peer_vanishes, 60},
    {"nobody", run_nobody, 5},
    {"refused", run_refused, 240},
    {"retry", run_retry, 240},
    {"churn", run_churn, 300},
    {"hostile", run_hostile, 40},
    {"hostile-start", run_hostile_start, 300},
    {NULL, NULL, 0},
};

static bool run_one(const struct scenario *sc, uint64_t seed)
{
    static struct sim s; /* large */
    s = (struct sim){0};
    sc->run(&s, seed);
    bool ok = !s.failure[0];
    if (!ok)
        printf("FAILED %s, seed %llu: %s\n", sc->name, (unsigned long long)seed, s.failure);
    sim_fini(&s);
    return ok;
}

static unsigned run_scenario(const struct scenario *sc, uint64_t first, unsigned runs)
{
    unsigned failed = 0;
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (unsigned i = 0; i < runs && failed < 5; i++)
        failed += !run_one(sc, first + i);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    printf("%-16s %5u lives  %6.2f s  %s\n", sc->name, runs,
           (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9,
           failed ? "FAILED" : "ok");
    fflush(stdout);
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"scenario", required_argument, NULL, 's'},
                                            {"seed", required_argument, NULL, 'n'},
                                            {"times", required_argument, NULL, 't'},
                                            {"trace", no_argument, NULL, 'v'},
                                            {0}};
    const char *only = NULL, *what = NULL;
    uint64_t seed = 0;
    unsigned times = 1, failed = 0, found = 0;
    bool trace = false, one = false;
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 's')
            only = optarg;
        else if (o == 'n')
            one = true, seed = strtoull(optarg, NULL, 10);
        else if (o == 't')
            times = (unsigned)atoi(optarg);
        else if (o == 'v')
            trace = true;
        else
            return 2;
    }
    if (cr_init(&what)) {
        printf("crypto: %s\n", what ? what : "?");
        return 1;
    }
    sim_trace = trace;
    const struct scenario *const all[] = {scenarios, scenarios_v1, scenarios_sig, scenarios_travel,
                                          scenarios_seq};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (const struct scenario *sc = all[i]; sc->name; sc++) {
            if (only && strcmp(only, sc->name) != 0)
                continue;
            found++;
            failed += run_scenario(sc, seed, one ? 1 : sc->runs * times);
        }
    }
    cr_fini();
    return failed || !found;
}
