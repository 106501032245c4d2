/*
 * Lives of travellers: XAUTH and Mode Config between phase 1 and quick mode (draft-beaulieu-ike-
 * xauth-02, draft-dukes-ike-mode-cfg-02), IKEv2's configuration payloads, while the network loses,
 * doubles and reorders. A travels, B has the pool; whatever happens, in the end each address that B
 * counts as given is one that A has.
 */
#include "setup.h"
#include <string.h>

enum { PULL, PUSH, PULL_AGGRESSIVE, PUSH_AGGRESSIVE, V2, WAYS };

/* The seed's lowest part says which way. */
static struct setup travelling(uint64_t seed)
{
    struct setup x = plain;
    uint64_t way = seed % WAYS;
    x.travel = true;
    x.version = way == V2 ? 2 : 1;
    x.push = way == PUSH || way == PUSH_AGGRESSIVE;
    x.aggressive = way == PULL_AGGRESSIVE || way == PUSH_AGGRESSIVE;
    x.ike[A] = x.ike[B] = "aes128-sha256-ecp256";
    x.esp[A] = x.esp[B] = "aes128-sha256";
    x.local_ts[A] = x.remote_ts[B] = "dynamic";
    return x;
}

static size_t online(struct sim *s)
{
    struct ike_pool_info p;
    want(s, ike_pool_get(s->node[B].ike, "road", &p), "the pool is gone");
    return p.online;
}

struct vips {
    size_t sas, ours, theirs;
    struct addr first;
    bool differ;
};

static void count_vips(void *ctx, const struct ike_sa_info *sa)
{
    struct vips *v = ctx;
    const struct addr *a = sa->local_vips ? &sa->local_vip[0] : &sa->remote_vip[0];
    v->sas += !strcmp(sa->state, "ESTABLISHED");
    v->ours += sa->local_vips;
    v->theirs += sa->remote_vips;
    if (!(sa->local_vips + sa->remote_vips))
        return;
    v->differ = v->differ || (v->first.family && !addr_eq(&v->first, a));
    v->first = *a;
}

static struct vips vips_of(struct sim *s, int node)
{
    struct vips v = {0};
    ike_sa_each(s->node[node].ike, count_vips, &v);
    return v;
}

/* One traveller has one address, however often it came. */
static void consistent(struct sim *s)
{
    struct vips a = vips_of(s, A), b = vips_of(s, B);
    want(s, !a.differ && !b.differ, "the traveller was given two addresses");
    want(s, a.ours == a.sas && b.theirs == b.sas, "an SA is up without an address");
    want(s, !a.sas || addr_eq(&a.first, &b.first), "both sides think of another address");
    want(s, online(s) == (b.sas != 0), "leases do not fit the SAs");
    want(s, s->node[A].vips == (int)a.ours, "addresses of the host do not fit the SAs");
}

static void run_fine(struct sim *s, uint64_t seed)
{
    static const int messages[WAYS] = {15, 15, 12, 12, 4};
    const struct setup x = travelling(seed);
    const struct sim_net net = {
        .latency_min_ms = 5, .latency_max_ms = 5, .nat = seed / WAYS % 2, .drop_index = -1};
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    want(s, s->node[A].cmds_ok == 1, "A did not come up");
    one_tunnel(s);
    want(s, s->sent == messages[seed % WAYS], "not the messages of the drafts");
    consistent(s);
    s->traffic = true;
    sim_run(s, 100 * 1000);
    want(s, s->esp_lost == 0, "ESP was lost");
    sim_terminate(s, A, "gw", NULL);
    heal(s);
    want(s, online(s) == 0 && s->node[A].vips == 0, "an address stayed");
}

static void run_lossy(struct sim *s, uint64_t seed)
{
    const struct sim_net net = bad_net(seed / WAYS);
    struct setup x = travelling(seed);
    x.rekey_child_s = 900;
    x.rekey_ike_s = 3600;
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    settled_v1(s);
    want(s, s->node[A].cmds_ok + s->node[A].cmds_failed == 1, "the command was not answered once");
    consistent(s);
}

/* Every message of the negotiation lost once; then the ISAKMP SA is renewed, which asks anew. */
static void run_drop_one(struct sim *s, uint64_t seed)
{
    const struct setup x = travelling(seed);
    const struct sim_net net = {.latency_min_ms = 5,
                                .latency_max_ms = 5,
                                .nat = seed / WAYS / 32 % 2,
                                .drop_index = (int)(seed / WAYS % 32)};
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 120 * 1000);
    want(s, s->node[A].cmds_ok == 1, "did not come up");
    sim_rekey(s, A, "gw", NULL);
    sim_run(s, 120 * 1000);
    want(s, s->node[A].children >= 1 && s->node[B].children >= 1, "there is no CHILD SA");
    consistent(s);
}

/* The gateway cannot ask a user to log in again, so it leaves renewing to the traveller. */
static void run_days(struct sim *s, uint64_t seed)
{
    struct setup x = travelling(seed);
    x.rekey_ike_s = 3600 + seed % 7 * 100;
    x.rekey_child_s = 900;
    establish(s, seed, &x);
    s->traffic = true;
    sim_run(s, 6 * 3600 * 1000ull);
    want(s, s->esp_lost == 0, "rekeying lost packets");
    want(s, s->node[A].count[EV_IKE_REKEYED] >= 4, "phase 1 was not renewed in time");
    s->traffic = false;
    consistent(s);
}

static void run_wrong_password(struct sim *s, uint64_t seed)
{
    struct setup x = travelling(seed - seed % WAYS + seed % V2); /* only IKEv1 has users */
    const struct sim_net net = bad_net(seed / WAYS);
    x.password = "meter-maid";
    set_up(s, seed, &x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 600 * 1000);
    want(s, s->node[A].cmds_ok == 0, "came up although it must not");
    want(s, s->node[A].children == 0 && s->node[B].children == 0, "a CHILD SA was installed");
    settled_v1(s);
    want(s, online(s) == 0, "who is not logged in has an address");
}

const struct scenario scenarios_travel[] = {
    {"travel-fine", run_fine, 10},
    {"travel-lossy", run_lossy, 300},
    {"travel-drop-one", run_drop_one, 320},
    {"travel-days", run_days, 5},
    {"travel-wrong-password", run_wrong_password, 150},
    {NULL, NULL, 0},
};
