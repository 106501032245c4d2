/* The simulated world: see sim.h. */
#include "sim.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum item_kind { IT_DATAGRAM, IT_JOB, IT_ESP, IT_TRAFFIC };

struct sim_item {
    struct sim_item *next;
    uint64_t at_ms, order;
    enum item_kind kind;
    int node; /* who gets it */
    struct endpoint local, remote;
    bool natt;
    uint8_t *data;
    size_t n;
    struct ike_job *job;
    uint32_t spi;
    uint8_t key[64];
};

uint32_t sim_random(struct sim *s, uint32_t below)
{
    s->rng ^= s->rng << 13; /* xorshift64 */
    s->rng ^= s->rng >> 7;
    s->rng ^= s->rng << 17;
    return below ? (uint32_t)((s->rng >> 20) % below) : 0;
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    if (s->failure[0])
        return;
    va_start(ap, fmt);
    vsnprintf(s->failure, sizeof s->failure, fmt, ap);
    va_end(ap);
}

static struct sim_item *push(struct sim *s, enum item_kind kind, int node, uint64_t at_ms)
{
    struct sim_item *it = calloc(1, sizeof *it);
    if (!it)
        abort();
    it->kind = kind;
    it->node = node;
    it->at_ms = at_ms;
    it->order = s->order++;
    struct sim_item **at = &s->queue;
    while (*at && (*at)->at_ms <= at_ms)
        at = &(*at)->next;
    it->next = *at;
    *at = it;
    return it;
}

/* --- the engine's surroundings --- */

struct env_ctx {
    struct sim *s;
    int node;
};

static struct env_ctx env_ctx[NODES];
bool sim_trace;

static void env_random(void *ctx, void *p, size_t n)
{
    struct env_ctx *x = ctx;
    uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)sim_random(x->s, 256);
}

static uint32_t env_spi(void *ctx, const struct ike_spi_use *use)
{
    struct env_ctx *x = ctx;
    struct sim_node *n = &x->s->node[x->node];
    (void)use;
    if (n->spis == SIM_SPIS_MAX) {
        sim_fail(x->s, "SPIs leak");
        return 0;
    }
    n->spi[n->spis++] = ++n->next_spi;
    return n->next_spi;
}

static bool env_stats(void *ctx, uint32_t id, struct child_stats *out)
{
    struct env_ctx *x = ctx;
    struct sim_node *n = &x->s->node[x->node];
    *out = (struct child_stats){0};
    for (size_t i = 0; i < n->children; i++) {
        if (n->child[i].id != id)
            continue;
        out->in.last_ms = n->child[i].last_in_ms;
        out->in.packets = n->child[i].packets_in;
        return true;
    }
    return false;
}

static bool env_source(void *ctx, const struct addr *remote, struct addr *out)
{
    struct env_ctx *x = ctx;
    (void)remote;
    *out = x->s->node[x->node].at.addr;
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

/* --- the model of the data plane --- */

static void spi_free(struct sim *s, struct sim_node *n, uint32_t spi)
{
    for (size_t i = 0; i < n->spis; i++) {
        if (n->spi[i] == spi) {
            n->spi[i] = n->spi[--n->spis];
            return;
        }
    }
    sim_fail(s, "SPI %u given back twice or never reserved", spi);
}

static struct sim_child *child_by_id(struct sim_node *n, uint32_t id)
{
    for (size_t i = 0; i < n->children; i++)
        if (n->child[i].id == id)
            return &n->child[i];
    return NULL;
}

static void copy_key(uint8_t out[64], const struct child_keys *k)
{
    memset(out, 0, 64);
    size_t e = k->encr.n < 36 ? k->encr.n : 36, i = k->integ.n < 28 ? k->integ.n : 28;
    if (e)
        memcpy(out, k->encr.p, e);
    if (i)
        memcpy(out + 36, k->integ.p, i);
}

static void copy_ah(struct sim_child *c, const struct child_ah *ah)
{
    c->ah_in = ah->spi_in;
    c->ah_out = ah->spi_out;
    memcpy(c->ah_key_in, ah->in.p, ah->in.n);
    memcpy(c->ah_key_out, ah->out.p, ah->out.n);
}

static void child_add(struct sim *s, struct sim_node *n, const struct child_sa *sa)
{
    if (n->children == SIM_CHILDREN_MAX || child_by_id(n, sa->id)) {
        sim_fail(s, "CHILD SA %u installed twice or too many", sa->id);
        return;
    }
    struct sim_child *c = &n->child[n->children++];
    *c = (struct sim_child){.id = sa->id,
                            .spi_in = sa->spi_in,
                            .spi_out = sa->spi_out,
                            .dirs = sa->dirs,
                            .replaces = sa->replaces != 0};
    c->out_order = sa->dirs & DIR_OUT ? ++s->order : 0;
    snprintf(c->name, sizeof c->name, "%s", sa->child);
    copy_key(c->key_in, &sa->in);
    copy_key(c->key_out, &sa->out);
    if (sa->ah.integ)
        copy_ah(c, &sa->ah);
    if (!sa->local_ts.count || !sa->remote_ts.count)
        sim_fail(s, "CHILD SA without selectors");
}

static void child_dir(struct sim *s, struct sim_node *n, const struct child_sa *sa)
{
    struct sim_child *c = child_by_id(n, sa->id);
    if (!c) {
        sim_fail(s, "direction of an unknown CHILD SA");
        return;
    }
    if ((sa->dirs & DIR_OUT) && !(c->dirs & DIR_OUT))
        c->out_order = ++s->order;
    c->dirs |= sa->dirs;
}

static void child_quiet(struct sim *s, struct sim_node *n, uint32_t id)
{
    struct sim_child *c = child_by_id(n, id);
    if (!c || c->quiet)
        sim_fail(s, "CHILD SA %u silenced twice or unknown", id);
    else
        c->quiet = true;
}

static void child_del(struct sim *s, struct sim_node *n, uint32_t id)
{
    struct sim_child *c = child_by_id(n, id);
    if (!c) {
        sim_fail(s, "unknown CHILD SA %u deleted", id);
        return;
    }
    spi_free(s, n, c->spi_in);
    if (c->ah_in)
        spi_free(s, n, c->ah_in);
    *c = n->child[--n->children];
}

/* The newest SA of this name that may send. */
static struct sim_child *sender(struct sim_node *n)
{
    struct sim_child *best = NULL;
    for (size_t i = 0; i < n->children; i++)
        if ((n->child[i].dirs & DIR_OUT) && !n->child[i].quiet &&
            (!best || n->child[i].out_order > best->out_order))
            best = &n->child[i];
    return best;
}

static void esp_send(struct sim *s, int from)
{
    struct sim_child *c = s->node[from].dead ? NULL : sender(&s->node[from]);
    if (!c || s->net.cut)
        return;
    s->esp_sent++;
    uint32_t min = s->net.latency_min_ms, max = s->net.esp_latency_max_ms;
    uint64_t at = s->now_ms + min + (max > min ? sim_random(s, max - min) : 0);
    struct sim_item *it = push(s, IT_ESP, !from, at);
    it->spi = c->spi_out;
    memcpy(it->key, c->key_out, sizeof it->key);
}

static void esp_receive(struct sim *s, const struct sim_item *it)
{
    struct sim_node *n = &s->node[it->node];
    for (size_t i = 0; i < n->children && !n->dead; i++) {
        struct sim_child *c = &n->child[i];
        if (c->spi_in != it->spi || !(c->dirs & DIR_IN))
            continue;
        if (memcmp(c->key_in, it->key, sizeof it->key) != 0)
            sim_fail(s, "the two ends of an SA have different keys");
        c->last_in_ms = s->now_ms;
        c->packets_in++;
        if (c->replaces && !c->announced) {
            c->announced = true;
            sim_feed(s, it->node, &(struct ike_in){.kind = IN_FIRST_IN, .child_id = c->id});
        }
        return;
    }
    s->esp_lost++;
    if (sim_trace)
        printf("%8llu  ESP %08x lost at %c\n", (unsigned long long)s->now_ms, it->spi,
               'A' + it->node);
}

/* --- the network --- */

static const uint8_t nat_ip[4] = {198, 51, 100, 1};
#define NAT_SHIFT 60000

/* A's packets leave with the NAT's address; what B sends there comes back to A. */
static void translate(struct sim *s, int from, struct endpoint *src, struct endpoint *dst)
{
    if (!s->net.nat)
        return;
    if (from == A) {
        src->addr = addr_v4(nat_ip);
        src->port = (uint16_t)(NAT_SHIFT + src->port % 5000);
    } else {
        dst->addr = s->node[A].at.addr;
        dst->port = dst->port == NAT_SHIFT + 500 ? 500 : 4500;
    }
}

static void deliver_later(struct sim *s, int from, const struct ike_act *a)
{
    struct endpoint src = a->local, dst = a->remote;
    uint32_t spread = s->net.latency_max_ms - s->net.latency_min_ms + 1;
    translate(s, from, &src, &dst);
    struct sim_item *it =
        push(s, IT_DATAGRAM, !from, s->now_ms + s->net.latency_min_ms + sim_random(s, spread));
    it->local = dst;
    it->remote = src;
    it->natt = a->natt;
    it->data = malloc(a->data.n ? a->data.n : 1);
    if (!it->data)
        abort();
    memcpy(it->data, a->data.p, a->data.n);
    it->n = a->data.n;
}

/* What an attacker on the way sends besides: flipped bits, truncations, garbage behind a header
 * that fits. The real datagram arrives, too. */
static void damaged_copy(struct sim *s, int from, const struct ike_act *a)
{
    struct ike_act bad = *a;
    uint8_t copy[4096];
    size_t n = a->data.n < sizeof copy ? a->data.n : sizeof copy;
    memcpy(copy, a->data.p, n);
    switch (sim_random(s, 3)) {
    case 0:
        for (uint32_t i = sim_random(s, 4) + 1; i > 0; i--)
            copy[sim_random(s, (uint32_t)n)] ^= (uint8_t)(1u << sim_random(s, 8));
        break;
    case 1:
        n = sim_random(s, (uint32_t)n);
        break;
    default:
        for (size_t i = 28; i < n; i++)
            copy[i] = (uint8_t)sim_random(s, 256);
    }
    bad.data = bytes_of(copy, n);
    deliver_later(s, from, &bad);
}

static void net_send(struct sim *s, int from, const struct ike_act *a)
{
    int index = s->sent++;
    if (sim_trace)
        printf("%8llu  %c sends #%d %zu bytes, exchange %u, id %u%s\n",
               (unsigned long long)s->now_ms, 'A' + from, index, a->data.n, a->data.p[18],
               get_u32(a->data.p + 20), a->data.p[19] & 0x20 ? " response" : "");
    bool lost = s->net.cut || s->node[from].dead || index == s->net.drop_index ||
                sim_random(s, 100) < s->net.loss_pct;
    if (lost)
        return;
    deliver_later(s, from, a);
    if (sim_random(s, 100) < s->net.hostile_pct)
        damaged_copy(s, from, a);
    if (sim_random(s, 100) < s->net.dup_pct)
        deliver_later(s, from, a);
}

/* --- carrying out --- */

static void note_event(struct sim *s, int node, const struct event *ev)
{
    struct sim_node *n = &s->node[node];
    n->count[ev->kind]++;
    if (ev->kind == EV_REFUSED || ev->kind == EV_PEER_REFUSED) {
        n->refused = ev->reason;
        snprintf(n->what, sizeof n->what, "%s", ev->what ? ev->what : "");
    }
    if (sim_trace) {
        struct buf b = {0};
        event_render(ev, &b);
        printf("%8llu  %c: %s\n", (unsigned long long)s->now_ms, 'A' + node, buf_str(&b));
        buf_free(&b);
    }
}

static void trace_child(const struct sim *s, int node, const struct ike_act *a)
{
    const char *what = a->kind == ACT_CHILD_ADD     ? "adds"
                       : a->kind == ACT_CHILD_DIR   ? "gives a direction to"
                       : a->kind == ACT_CHILD_QUIET ? "quiets"
                       : a->kind == ACT_CHILD_DEL   ? "removes"
                                                    : NULL;
    if (sim_trace && what)
        printf("%8llu  %c %s CHILD SA %u, directions %u\n", (unsigned long long)s->now_ms,
               'A' + node, what, a->sa->id, a->sa->dirs);
}

static void carry_out(struct sim *s, int node, const struct ike_act *a)
{
    struct sim_node *n = &s->node[node];
    trace_child(s, node, a);
    if (s->watch)
        s->watch(s, node, a);
    switch (a->kind) {
    case ACT_SEND:
        net_send(s, node, a);
        break;
    case ACT_CHILD_ADD:
        child_add(s, n, a->sa);
        break;
    case ACT_CHILD_DIR:
        child_dir(s, n, a->sa);
        break;
    case ACT_CHILD_QUIET:
        child_quiet(s, n, a->sa->id);
        break;
    case ACT_CHILD_DEL:
        child_del(s, n, a->sa->id);
        break;
    case ACT_SPI_FREE:
        spi_free(s, n, a->spi);
        break;
    case ACT_JOB:
        s->jobs++;
        ike_job_run(a->job);
        push(s, IT_JOB, node, s->now_ms + sim_random(s, 5))->job = a->job;
        break;
    case ACT_CMD_DONE:
        n->cmds_open--;
        *(a->reason ? &n->cmds_failed : &n->cmds_ok) += 1;
        n->last_reason = a->reason;
        break;
    case ACT_EVENT:
        note_event(s, node, &a->event);
        break;
    case ACT_VIP_ADD:
    case ACT_VIP_DEL:
        n->vips += a->kind == ACT_VIP_ADD ? 1 : -1;
        break;
    case ACT_KEEPALIVE:
    case ACT_CHILD_MOVE:
    case ACT_ACQUIRE_FAILED:
        break;
    }
}

void sim_feed(struct sim *s, int node, struct ike_in *in)
{
    struct ike_out out = {0};
    in->now_ms = s->now_ms;
    in->wall_s = 1900000000 + s->now_ms / 1000; /* 2030: certificates are valid */
    if (ike_step(s->node[node].ike, in, &out))
        sim_fail(s, "the engine failed");
    for (const struct ike_act *a = out.first; a; a = a->next)
        carry_out(s, node, a);
    s->node[node].wake_ms = out.wake_ms;
    ike_out_free(&out);
}

/* --- time --- */

static void run_item(struct sim *s, struct sim_item *it)
{
    switch (it->kind) {
    case IT_DATAGRAM:
        if (!s->node[it->node].dead)
            sim_feed(s, it->node,
                     &(struct ike_in){.kind = IN_PACKET,
                                      .local = it->local,
                                      .remote = it->remote,
                                      .natt = it->natt,
                                      .data = bytes_of(it->data, it->n)});
        break;
    case IT_JOB:
        s->jobs--;
        sim_feed(s, it->node, &(struct ike_in){.kind = IN_JOB_DONE, .job = it->job});
        break;
    case IT_ESP:
        esp_receive(s, it);
        break;
    case IT_TRAFFIC:
        esp_send(s, A);
        esp_send(s, B);
        if (s->traffic)
            push(s, IT_TRAFFIC, A, s->now_ms + 100);
        break;
    }
    free(it->data);
    free(it);
}

static bool tick_due(struct sim *s, uint64_t limit)
{
    uint64_t next = s->queue ? s->queue->at_ms : UINT64_MAX;
    int who = -1;
    for (int i = 0; i < NODES; i++) {
        if (s->node[i].wake_ms < next && s->node[i].wake_ms <= limit) {
            next = s->node[i].wake_ms;
            who = i;
        }
    }
    if (who < 0)
        return false;
    if (next > s->now_ms)
        s->now_ms = next;
    sim_feed(s, who, &(struct ike_in){.kind = IN_TICK});
    return true;
}

void sim_run(struct sim *s, uint64_t ms)
{
    uint64_t limit = s->now_ms + ms;
    size_t idle_ticks = 0;
    if (s->traffic)
        push(s, IT_TRAFFIC, A, s->now_ms);
    while (!s->failure[0]) {
        uint64_t before = s->now_ms;
        if (tick_due(s, limit)) {
            idle_ticks = s->now_ms == before ? idle_ticks + 1 : 0;
            if (idle_ticks > 10000)
                sim_fail(s, "the engine's timer spins");
            continue;
        }
        struct sim_item *it = s->queue;
        if (!it || it->at_ms > limit)
            break;
        s->queue = it->next;
        if (it->at_ms > s->now_ms)
            s->now_ms = it->at_ms;
        run_item(s, it);
    }
    s->now_ms = limit;
}

/* --- set-up and commands --- */

void sim_init(struct sim *s, uint64_t seed, const struct ike_settings *set)
{
    static const struct ike_version *const versions[] = {&ike_v1, &ike_v2};
    *s = (struct sim){.now_ms = 1000000, .rng = seed * 0x9e3779b97f4a7c15u + 1};
    s->net = (struct sim_net){.latency_min_ms = 5, .latency_max_ms = 5, .drop_index = -1};
    for (int i = 0; i < NODES; i++) {
        struct sim_node *n = &s->node[i];
        env_ctx[i] = (struct env_ctx){s, i};
        const struct ike_env env = {&env_ctx[i], env_random,  env_spi, env_stats,
                                    env_source,  env_resolve, NULL};
        n->at.addr = addr_v4((const uint8_t[4]){192, 0, 2, (uint8_t)(1 + i)});
        n->at.port = 500;
        n->next_spi = 0x1000u * (uint32_t)(1 + i) << 8;
        n->wake_ms = UINT64_MAX;
        n->ike = ike_new(set, &env, versions, 2);
        if (!n->ike)
            abort();
    }
}

void sim_fini(struct sim *s)
{
    for (struct sim_item *it = s->queue, *nx; it; it = nx) {
        nx = it->next;
        if (it->job)
            ike_job_free(it->job);
        free(it->data);
        free(it);
    }
    for (int i = 0; i < NODES; i++)
        ike_free(s->node[i].ike);
}

void sim_load(struct sim *s, int node, struct conn *c)
{
    sim_feed(s, node, &(struct ike_in){.kind = IN_CONN_LOAD, .load = c});
    conn_unref(c);
}

void sim_psk(struct sim *s, int node, const char *secret)
{
    struct shared *sh = shared_new("ike-1");
    if (!sh || secret_set(&sh->secret, bytes_of(secret, strlen(secret))))
        abort();
    sim_feed(s, node, &(struct ike_in){.kind = IN_SHARED_LOAD, .shared = sh});
}

void sim_pki(struct sim *s, int node, struct pki *store)
{
    sim_feed(s, node, &(struct ike_in){.kind = IN_PKI, .pki = store});
}

void sim_login(struct sim *s, int node, const char *user, const char *password)
{
    struct shared *sh = shared_new("xauth-1");
    if (!sh || secret_set(&sh->secret, bytes_of(password, strlen(password))) ||
        !id_parse(&sh->owner[0], user))
        abort();
    sh->kind = SHARED_XAUTH;
    sh->owner_count = 1;
    sim_feed(s, node, &(struct ike_in){.kind = IN_SHARED_LOAD, .shared = sh});
}

static void command(struct sim *s, int node, struct ike_in *in)
{
    static uint32_t next;
    in->cmd = ++next;
    s->node[node].cmds_open++;
    sim_feed(s, node, in);
}

void sim_initiate(struct sim *s, int node, const char *child)
{
    command(s, node, &(struct ike_in){.kind = IN_INITIATE, .child = child});
}

void sim_terminate(struct sim *s, int node, const char *conn, const char *child)
{
    command(s, node, &(struct ike_in){.kind = IN_TERMINATE, .conn = conn, .child = child});
}

void sim_rekey(struct sim *s, int node, const char *conn, const char *child)
{
    command(s, node, &(struct ike_in){.kind = IN_REKEY, .conn = conn, .child = child});
}

/* --- judging --- */

struct sa_list {
    struct {
        uint64_t i, r;
        const char *state;
    } v[64];
    size_t n;
};

static void collect(void *ctx, const struct ike_sa_info *sa)
{
    struct sa_list *l = ctx;
    if (l->n < 64) {
        l->v[l->n].i = sa->spi_i;
        l->v[l->n].r = sa->spi_r;
        l->v[l->n++].state = sa->state;
    }
}

size_t sim_ike_count(struct sim *s, int node, const char *state)
{
    struct sa_list l = {0};
    size_t n = 0;
    ike_sa_each(s->node[node].ike, collect, &l);
    for (size_t i = 0; i < l.n; i++)
        n += !state || !strcmp(l.v[i].state, state);
    return n;
}

static void check_ike_sas(struct sim *s)
{
    struct sa_list l[NODES] = {0};
    for (int i = 0; i < NODES; i++) {
        ike_sa_each(s->node[i].ike, collect, &l[i]);
        for (size_t j = 0; j < l[i].n; j++)
            if (strcmp(l[i].v[j].state, "ESTABLISHED") != 0)
                sim_fail(s, "%c keeps an IKE SA in state %s", 'A' + i, l[i].v[j].state);
    }
    if (l[A].n != l[B].n)
        sim_fail(s, "A has %zu IKE SAs, B %zu", l[A].n, l[B].n);
    for (size_t i = 0; i < l[A].n; i++) {
        bool found = false;
        for (size_t j = 0; j < l[B].n; j++)
            found = found || (l[A].v[i].i == l[B].v[j].i && l[A].v[i].r == l[B].v[j].r);
        if (!found)
            sim_fail(s, "an IKE SA of A is unknown to B");
    }
}

static void check_children(struct sim *s)
{
    const struct sim_node *a = &s->node[A], *b = &s->node[B];
    if (a->children != b->children)
        sim_fail(s, "A has %zu CHILD SAs, B %zu", a->children, b->children);
    for (size_t i = 0; i < a->children; i++) {
        const struct sim_child *x = &a->child[i];
        bool found = false;
        for (size_t j = 0; j < b->children; j++) {
            const struct sim_child *y = &b->child[j];
            if (x->spi_in != y->spi_out || x->spi_out != y->spi_in)
                continue;
            found = true;
            if (memcmp(x->key_in, y->key_out, 64) != 0 || memcmp(x->key_out, y->key_in, 64) != 0)
                sim_fail(s, "keys of a CHILD SA differ");
            if (x->ah_in != y->ah_out || x->ah_out != y->ah_in ||
                memcmp(x->ah_key_in, y->ah_key_out, 64) != 0 ||
                memcmp(x->ah_key_out, y->ah_key_in, 64) != 0)
                sim_fail(s, "AH of a bundle differs");
            if (x->dirs != DIR_BOTH || y->dirs != DIR_BOTH)
                sim_fail(s, "a CHILD SA stays without one direction");
        }
        if (!found)
            sim_fail(s, "a CHILD SA of A is unknown to B");
    }
}

static size_t children_spis(const struct sim_node *n)
{
    size_t k = n->children;
    for (size_t i = 0; i < n->children; i++)
        k += n->child[i].ah_in != 0;
    return k;
}

void sim_check_settled(struct sim *s)
{
    check_ike_sas(s);
    check_children(s);
    for (int i = 0; i < NODES; i++) {
        struct sim_node *n = &s->node[i];
        struct ike_stats st;
        ike_stats_get(n->ike, &st);
        if (n->spis != children_spis(n))
            sim_fail(s, "%c holds %zu SPIs for %zu CHILD SAs", 'A' + i, n->spis, n->children);
        if (st.half_open)
            sim_fail(s, "%c counts %zu half-open IKE SAs", 'A' + i, st.half_open);
        if (n->cmds_open)
            sim_fail(s, "%c never answered %u commands", 'A' + i, n->cmds_open);
    }
    if (s->jobs)
        sim_fail(s, "%u jobs never came back", s->jobs);
}
