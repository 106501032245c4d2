/*
 * Lives with IKEv1: RFC 2408, 2409, 3706. Deletes have no answers here, so after losses the two
 * sides may differ until DPD or a lifetime settles it; that it does settle is what these scenarios
 * prove.
 */
#include "setup.h"
#include <string.h>

/* AH around ESP in every third life: both SAs come, go and are replaced together. */
static struct setup v1(uint64_t seed)
{
    struct setup x = plain;
    x.version = 1;
    x.aggressive = seed % 2;
    x.ike[A] = x.ike[B] = "aes128-sha256-ecp256";
    x.esp[A] = x.esp[B] = seed / 2 % 2 ? "aes128-sha256-ecp256" : "aes128-sha256";
    x.rekey_child_s = 900;
    x.rekey_ike_s = 3600;
    x.ah[A] = x.ah[B] = seed % 3 == 2 ? "sha256" : NULL;
    return x;
}

static void begin(struct sim *s, uint64_t seed, const struct setup *x)
{
    const struct sim_net net = {.latency_min_ms = 5, .latency_max_ms = 5, .drop_index = -1};
    set_up(s, seed, x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    one_tunnel(s);
}

static void run_fine(struct sim *s, uint64_t seed)
{
    const struct sim_net net = {
        .latency_min_ms = 5, .latency_max_ms = 5, .nat = seed / 4 % 2, .drop_index = -1};
    struct setup x = v1(seed);
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    want(s, s->node[A].cmds_ok == 1, "A did not come up");
    one_tunnel(s);
    want(s, s->sent == (x.aggressive ? 6 : 9), "not the messages of RFC 2409 5");
    s->traffic = true;
    sim_run(s, 600 * 1000);
    want(s, s->esp_lost == 0, "ESP was lost");
    settled_v1(s);
}

static void run_lossy(struct sim *s, uint64_t seed)
{
    const struct sim_net net = bad_net(seed);
    struct setup x = v1(seed);
    x.mode = seed / 60 % 2 ? MODE_TRANSPORT : MODE_TUNNEL;
    x.fragment_size = seed / 120 % 2 ? 200 : 0;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    settled_v1(s);
    want(s, s->node[A].cmds_ok + s->node[A].cmds_failed == 1, "the command was not answered once");
}

/* Every single message of a life lost once: the seed says which. */
static void run_drop_one(struct sim *s, uint64_t seed)
{
    struct setup x = v1(seed);
    x.children = 2;
    const struct sim_net net = {.latency_min_ms = 5,
                                .latency_max_ms = 5,
                                .nat = seed % 3 == 0,
                                .drop_index = (int)(seed / 4 % 36)};
    x.fragment_size = seed / 96 % 2 ? 200 : 0;
    set_up(s, seed, &x, &net);
    int other = net.nat ? A : (int)(seed / 144 % 2);
    sim_initiate(s, A, "net0");
    sim_run(s, 60 * 1000);
    sim_initiate(s, other, "net1");
    sim_run(s, 60 * 1000);
    sim_rekey(s, !other, NULL, "net0");
    sim_run(s, 60 * 1000);
    sim_rekey(s, other, "gw", NULL);
    sim_run(s, 60 * 1000);
    want(s, s->node[A].cmds_failed + s->node[B].cmds_failed == 0, "a command failed");
    settled_v1(s);
    /* One that was replaced in this very moment is on its way out for some seconds. */
    for (int i = 0; i < 20 && s->node[A].children > 2; i++)
        sim_run(s, 1000);
    want(s, s->node[A].children == 2, "not two CHILD SAs");
    sim_terminate(s, A, "gw", NULL);
    settled_v1(s);
    want(s, sim_ike_count(s, A, NULL) == 0 && s->node[B].children == 0, "something stayed");
}

static void run_both_initiate(struct sim *s, uint64_t seed)
{
    struct sim_net net = bad_net(seed);
    const struct setup x = v1(seed);
    net.nat = false;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, sim_random(s, 20));
    sim_initiate(s, B, "net0");
    sim_run(s, 300 * 1000);
    settled_v1(s);
    want(s, s->node[A].children <= 2, "more than two CHILD SAs from two initiations");
}

static void run_collide(struct sim *s, uint64_t seed)
{
    const struct setup x = v1(seed);
    begin(s, seed, &x);
    s->net = bad_net(seed / 4);
    s->net.nat = false;
    s->traffic = s->net.loss_pct == 0;
    for (int i = 0; i < 4; i++) {
        int node = (int)sim_random(s, 2);
        bool ike = sim_random(s, 2);
        sim_rekey(s, node, ike ? "gw" : NULL, ike ? NULL : "net0");
        sim_run(s, sim_random(s, 60));
        if (sim_random(s, 3) == 0)
            sim_rekey(s, !node, ike ? "gw" : NULL, ike ? NULL : "net0");
        sim_run(s, sim_random(s, 3) ? sim_random(s, 40) : 20000);
    }
    bool fine = s->net.loss_pct == 0 && s->net.latency_max_ms < 100;
    sim_run(s, 300 * 1000);
    if (fine)
        want(s, s->esp_lost == 0, "rekeying lost packets");
    settled_v1(s);
    if (fine)
        want(s, s->node[A].children > 0, "the tunnel went down");
}

static void run_days(struct sim *s, uint64_t seed)
{
    struct setup x = v1(seed);
    x.rekey_ike_s = 3600 + seed % 7 * 100;
    x.rekey_child_s = 900 + seed % 5 * 60;
    begin(s, seed, &x);
    s->traffic = true;
    s->net.esp_latency_max_ms = 1000;
    sim_run(s, 12 * 3600 * 1000ull);
    want(s, s->esp_lost == 0, "rekeying lost packets");
    want(s, s->node[A].count[EV_IKE_REKEYED] + s->node[B].count[EV_IKE_REKEYED] >= 9,
         "phase 1 was not renewed in time");
    settled_v1(s);
    one_tunnel(s);
}

static void run_vanishes(struct sim *s, uint64_t seed)
{
    struct setup x = v1(seed);
    begin(s, seed, &x);
    sim_run(s, sim_random(s, 100000));
    s->net.cut = true;
    sim_run(s, 600 * 1000);
    want(s, sim_ike_count(s, A, NULL) == 0 && s->node[A].children == 0,
         "DPD did not notice (RFC 3706 5)");
    settled_v1(s);
}

static void run_refused(struct sim *s, uint64_t seed)
{
    struct setup x = v1(seed);
    const struct sim_net net = bad_net(seed / 8);
    bool lossy = net.loss_pct || net.latency_max_ms > 100;
    switch (seed / 2 % 4) {
    case 0:
        x.ike[B] = "aes256-sha256-ecp256";
        break;
    case 1:
        x.esp[A] = x.esp[B] = "aes128-sha256";
        x.esp[B] = "aes256-sha256";
        break;
    case 2:
        x.remote_ts[A] = "10.9.0.0/16";
        break;
    default:
        break;
    }
    set_up(s, seed, &x, &net);
    if (seed / 2 % 4 == 3)
        sim_psk(s, B, "wrong horse");
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    want(s, s->node[A].cmds_ok == 0, "came up although it must not");
    want(s, s->node[A].children == 0 && s->node[B].children == 0, "a CHILD SA was installed");
    settled_v1(s);
    if (lossy)
        return;
    switch (seed / 2 % 4) {
    case 0:
    case 1:
        expect_refusal(s, B, R_NO_PROPOSAL, "encryption");
        expect_refusal(s, A, R_PEER_NO_PROPOSAL, NULL);
        break;
    case 2:
        expect_refusal(s, B, R_TS_UNACCEPTABLE, "proxy identities");
        expect_refusal(s, A, R_PEER_TS_UNACCEPTABLE, NULL);
        break;
    default:
        expect_refusal(s, x.aggressive ? A : B, R_PSK_MISMATCH, "secret");
    }
}

/* Damaged copies of everything once the tunnel is up: nothing may change but counters. */
static void run_hostile(struct sim *s, uint64_t seed)
{
    struct setup x = v1(seed & ~1ull); /* main mode: what hurts aggressive mode is in clear */
    begin(s, seed, &x);
    s->net.hostile_pct = 100;
    s->net.latency_max_ms = 50;
    s->traffic = true;
    for (int i = 0; i < 20; i++) {
        sim_rekey(s, (int)sim_random(s, 2), NULL, "net0");
        sim_run(s, 20000 + sim_random(s, 100000));
    }
    s->net.hostile_pct = 0;
    s->traffic = false;
    sim_run(s, 20000);
    want(s, s->esp_lost == 0, "packets were lost");
    settled_v1(s);
    want(s, s->node[A].children > 0, "the tunnel went down");
}

/* The same from the first message on, which nothing protects: it may fail, it must settle. */
static void run_hostile_start(struct sim *s, uint64_t seed)
{
    struct sim_net net = bad_net(seed);
    const struct setup x = v1(seed);
    net.hostile_pct = 100;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 300 * 1000);
    settled_v1(s);
}

const struct scenario scenarios_v1[] = {
    {"v1-fine", run_fine, 16},
    {"v1-lossy", run_lossy, 400},
    {"v1-drop-one", run_drop_one, 576},
    {"v1-both-initiate", run_both_initiate, 200},
    {"v1-collide", run_collide, 400},
    {"v1-days", run_days, 16},
    {"v1-vanishes", run_vanishes, 40},
    {"v1-refused", run_refused, 160},
    {"v1-hostile", run_hostile, 30},
    {"v1-hostile-start", run_hostile_start, 200},
    {NULL, NULL, 0},
};
