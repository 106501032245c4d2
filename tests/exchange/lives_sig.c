/*
 * Lives that begin with signatures, in IKEv2 and in both modes of IKEv1: jobs take their time while
 * the network loses, doubles and reorders, and while the peer repeats what we are still checking.
 * RFC 7296 2.15, RFC 2409 5.1.
 */
#include "setup.h"

enum { V2, MAIN, AGGRESSIVE, WAYS };

/* The seed's lowest part says which way and which kind of key. */
static struct setup signing(uint64_t seed)
{
    static const char *const keys[][NODES] = {
        {"gwa-ec256", "gwb-ec256"}, {"gwa", "gwb"}, {"gwa-ec384", "gwb-ec384"}};
    struct setup x = plain;
    uint64_t way = seed % WAYS;
    x.version = way == V2 ? 2 : 1;
    x.aggressive = way == AGGRESSIVE;
    x.ike[A] = x.ike[B] = "aes128-sha256-ecp256";
    x.esp[A] = x.esp[B] = "aes128-sha256";
    for (int i = 0; i < NODES; i++)
        x.key[i] = keys[seed / WAYS % 3][i];
    return x;
}

#define WAYS_AND_KEYS 9

static void run_fine(struct sim *s, uint64_t seed)
{
    static const int messages[WAYS] = {4, 9, 6};
    const struct setup x = signing(seed);
    const struct sim_net net = {.latency_min_ms = 5,
                                .latency_max_ms = 5,
                                .nat = seed / WAYS_AND_KEYS % 2,
                                .drop_index = -1};
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    want(s, s->node[A].cmds_ok == 1, "A did not come up");
    one_tunnel(s);
    if (seed / WAYS % 3 == 0) /* RSA needs fragments */
        want(s, s->sent == messages[seed % WAYS], "not the messages of the RFC");
    s->traffic = true;
    sim_run(s, 100 * 1000);
    want(s, s->esp_lost == 0, "ESP was lost");
}

static void run_lossy(struct sim *s, uint64_t seed)
{
    const struct sim_net net = bad_net(seed / WAYS_AND_KEYS);
    struct setup x = signing(seed);
    x.rekey_child_s = 900;
    x.rekey_ike_s = 3600;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    settled_v1(s);
    want(s, s->node[A].cmds_ok + s->node[A].cmds_failed == 1, "the command was not answered once");
}

/* Every message of the first negotiation lost once: the other side repeats, and it comes up. */
static void run_drop_one(struct sim *s, uint64_t seed)
{
    const struct setup x = signing(seed);
    const struct sim_net net = {.latency_min_ms = 5,
                                .latency_max_ms = 5,
                                .nat = seed / 90 % 2,
                                .drop_index = (int)(seed / WAYS_AND_KEYS % 10)};
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 120 * 1000);
    want(s, s->node[A].cmds_ok == 1, "did not come up");
    want(s, s->node[A].children >= 1 && s->node[B].children >= 1, "there is no CHILD SA");
}

/* Given up at any moment, with jobs away. */
static void run_given_up(struct sim *s, uint64_t seed)
{
    const struct sim_net net = {.latency_min_ms = 2, .latency_max_ms = 2, .drop_index = -1};
    struct setup x = signing(seed);
    x.rekey_child_s = 900;
    x.rekey_ike_s = 3600;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, seed / WAYS_AND_KEYS % 24);
    sim_terminate(s, seed % 2 ? A : B, "gw", NULL);
    sim_run(s, 100 * 1000);
    settled_v1(s);
}

static void run_refused(struct sim *s, uint64_t seed)
{
    struct setup x = signing(seed);
    const struct sim_net net = bad_net(seed / WAYS_AND_KEYS / 3);
    int strict = seed / WAYS_AND_KEYS % 3 ? A : B; /* who finds fault with the other */
    bool expired = seed / WAYS_AND_KEYS % 3 == 2;
    if (expired)
        x.key[!strict] = "expired";
    else
        x.ca[strict] = "other-ca";
    if (expired) { /* one kind for both: IKEv1 */
        x.key[strict] = "gwa";
        x.id[!strict] = "gwb.example";
    }
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    want(s, s->node[A].cmds_ok == 0, "came up although it must not");
    want(s, s->node[A].children == 0 && s->node[B].children == 0, "a CHILD SA was installed");
    settled_v1(s);
    if (net.loss_pct || net.latency_max_ms > 100)
        return;
    expect_refusal(s, strict, expired ? R_CERT_EXPIRED : R_CERT_UNTRUSTED, NULL);
}

/* Damaged copies of everything from the first message on: it may fail, it must settle. */
static void run_hostile_start(struct sim *s, uint64_t seed)
{
    struct sim_net net = bad_net(seed / WAYS_AND_KEYS);
    struct setup x = signing(seed);
    x.rekey_child_s = 900;
    x.rekey_ike_s = 3600;
    net.hostile_pct = 100;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 300 * 1000);
    settled_v1(s);
}

const struct scenario scenarios_sig[] = {
    {"sig-fine", run_fine, 18},
    {"sig-lossy", run_lossy, 180},
    {"sig-drop-one", run_drop_one, 180},
    {"sig-given-up", run_given_up, 216},
    {"sig-refused", run_refused, 162},
    {"sig-hostile-start", run_hostile_start, 90},
    {NULL, NULL, 0},
};
