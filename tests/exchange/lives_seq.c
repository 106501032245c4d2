/*
 * The end of the sequence numbers (RFC 4303 3.3.3: an SA without ESN never sends the number after
 * 2^32 - 1): real data planes carry packets beside the engines, and their SAs begin a few hundred
 * numbers before their last one. With IKE alive they are replaced in time and no packet is lost;
 * without it the last number is the last. IKEv1, which lets only some quick modes go on at once,
 * has that for its first SA; the others begin before three quarters, where replacing starts;
 * who asked for them sends on the new one a second later, or when the peer has.
 */
#include "setup.h"
#include <culvert/dataplane.h>
#include <stdlib.h>
#include <string.h>

#define LEFT   1500u                /* numbers */
#define SOFT   (UINT32_MAX / 4 * 3) /* where the data plane asks for another SA */
#define LIFE   9000u                /* milliseconds */
#define POLICY 7
#define LEN    100u

struct flow {
    uint32_t spi, seq; /* of the last packet */
    unsigned sas;
    uint64_t sent, lost;
};

struct paths {
    struct dp *dp[NODES];
    struct flow flow[NODES]; /* from this node on */
    unsigned installed[NODES];
    bool rush; /* all SAs are near the end */
    uint8_t buf[DP_HEADROOM + 1500 + DP_TAILROOM];
};

static struct dp *dp_open(int node)
{
    struct dp_settings set;
    const struct setup *x = &plain;
    struct policy p = {.id = POLICY, .priority = 100, .action = POL_PROTECT, .conn = "net"};
    struct ts_conf l, r;
    const char *why;
    dp_settings_default(&set);
    set.sa_max = 1024;
    set.path_probes = false;
    struct dp *d = dp_new(&set);
    if (!d || ts_conf_parse(&l, x->local_ts[node], &why) ||
        ts_conf_parse(&r, x->remote_ts[node], &why))
        abort();
    p.local = (struct ts_list){1, {l.ts}};
    p.remote = (struct ts_list){1, {r.ts}};
    if (dp_policy_add(d, &p))
        abort();
    return d;
}

static void install(struct sim *s, int node, const struct child_sa *given)
{
    struct paths *t = s->watcher;
    struct child_sa sa = *given;
    sa.policy = POLICY;
    bool first = t->installed[node]++ == 0;
    sa.seq_out = (first || t->rush ? UINT32_MAX : SOFT) - LEFT;
    if (dp_child_add(t->dp[node], &sa, s->now_ms))
        sim_fail(s, "the data plane takes no CHILD SA %u", sa.id);
}

static void watch(struct sim *s, int node, const struct ike_act *a)
{
    struct paths *t = s->watcher;
    struct dp *d = t->dp[node];
    if (a->kind == ACT_CHILD_ADD)
        install(s, node, a->sa);
    else if (a->kind == ACT_CHILD_DIR && dp_child_dir(d, a->sa->id, (enum child_dir)a->sa->dirs))
        sim_fail(s, "a direction of no CHILD SA");
    else if (a->kind == ACT_CHILD_QUIET)
        dp_child_quiet(d, a->sa->id);
    else if (a->kind == ACT_CHILD_DEL)
        dp_child_del(d, a->sa->id);
}

static uint32_t inner(uint8_t *p, int from)
{
    static const uint8_t head[20] = {0x45, 0, 0, LEN, 0, 1, 0, 0, 64, 17};
    memset(p, 0, LEN);
    memcpy(p, head, sizeof head);
    p[12] = p[16] = 10;
    p[13] = (uint8_t)(1 + from);
    p[17] = (uint8_t)(2 - from);
    uint32_t sum = 0;
    for (size_t i = 0; i < 20; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
    return LEN;
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Each SA counts up from where it began, and no further than 2^32 - 1. */
static void look(struct sim *s, struct flow *f, const uint8_t *esp)
{
    uint32_t spi = word(esp), seq = word(esp + 4);
    bool another = spi != f->spi;
    f->sas += another;
    if (another ? seq <= SOFT - LEFT : seq != f->seq + 1 || !seq)
        sim_fail(s, "SPI %08x: number %u after %u", spi, seq, f->seq);
    f->spi = spi;
    f->seq = seq;
}

static void one_packet(struct sim *s, int from)
{
    struct paths *t = s->watcher;
    struct flow *f = &t->flow[from];
    struct dp_pkt p = {.data = t->buf + DP_HEADROOM, .len = inner(t->buf + DP_HEADROOM, from)};
    struct dp_pkt *one = &p;
    f->sent++;
    dp_outbound(t->dp[from], &one, 1, s->now_ms);
    if (p.verdict == DP_TO_NET) {
        look(s, f, p.data);
        struct endpoint local = p.local;
        p.local = p.remote;
        p.remote = local;
        p.verdict = DP_NONE;
        dp_inbound(t->dp[!from], &one, 1, s->now_ms);
    }
    f->lost += p.verdict != DP_TO_HOST;
}

static void tell(struct sim *s, int node)
{
    struct paths *t = s->watcher;
    struct dp_note n;
    while (dp_note_next(t->dp[node], &n)) {
        struct ike_in in = {.child_id = n.child_id, .hard = n.kind == NOTE_HARD};
        in.kind = n.kind == NOTE_FIRST_IN ? IN_FIRST_IN : IN_EXPIRE;
        if (n.kind == NOTE_FIRST_IN || n.kind == NOTE_SOFT || n.kind == NOTE_HARD)
            sim_feed(s, node, &in);
    }
}

/* A packet each millisecond. */
static void traffic(struct sim *s, unsigned ms, bool both)
{
    for (unsigned i = 0; i < ms && !s->failure[0]; i++) {
        one_packet(s, A);
        if (both)
            one_packet(s, B);
        tell(s, A);
        tell(s, B);
        sim_run(s, 1);
    }
}

static void open_paths(struct sim *s, struct paths *t, uint64_t seed, unsigned version)
{
    const struct sim_net net = {.latency_min_ms = 5, .latency_max_ms = 20, .drop_index = -1};
    struct setup x = plain;
    x.version = (uint8_t)version;
    if (version == 1) {
        x.ike[A] = x.ike[B] = "aes128-sha256-ecp256";
        x.esp[A] = x.esp[B] = "aes128-sha256";
    }
    set_up(s, seed, &x, &net);
    for (int i = 0; i < NODES; i++)
        t->dp[i] = dp_open(i);
    s->watcher = t;
    s->watch = watch;
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    one_tunnel(s);
}

static void close_paths(struct sim *s, struct paths *t)
{
    s->watch = NULL;
    for (int i = 0; i < NODES; i++)
        dp_free(t->dp[i]);
}

static void live(struct sim *s, uint64_t seed, unsigned version)
{
    struct paths t = {0};
    bool both = seed % 2;
    t.rush = version == 2;
    open_paths(s, &t, seed, version);
    traffic(s, LIFE, both);
    for (int i = 0; i <= both; i++) {
        want(s, t.flow[i].sas >= LIFE / LEFT / 2, "not every SA was replaced");
        want(s, t.flow[i].lost == 0, "packets were lost");
    }
    close_paths(s, &t);
}

/* Nobody answers: the SA sends its last number, and nothing after it. */
static void cut(struct sim *s, uint64_t seed, unsigned version)
{
    struct paths t = {0};
    open_paths(s, &t, seed, version);
    s->net.cut = true;
    traffic(s, LEFT + 100, false);
    struct flow *f = &t.flow[A];
    want(s, f->sas == 1 && f->seq == UINT32_MAX, "the last number was not the last");
    want(s, f->sent - f->lost == LEFT, "another number of packets than numbers");
    close_paths(s, &t);
}

static void run_v1(struct sim *s, uint64_t seed)
{
    live(s, seed, 1);
}

static void run_v2(struct sim *s, uint64_t seed)
{
    live(s, seed, 2);
}

static void run_cut(struct sim *s, uint64_t seed)
{
    cut(s, seed, 1 + seed % 2);
}

const struct scenario scenarios_seq[] = {
    {"seq-v1", run_v1, 10},
    {"seq-v2", run_v2, 10},
    {"seq-cut", run_cut, 4},
    {NULL, NULL, 0},
};
