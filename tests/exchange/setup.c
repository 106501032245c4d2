/* How the two sides of a simulated life are configured: see setup.h. */
#include "setup.h"
#include "pki_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct setup plain = {
    .ike = {"aes128-sha256-x25519", "aes128-sha256-x25519"},
    .esp = {"aes128gcm16", "aes128gcm16"},
    .local_ts = {"10.1.0.0/16", "10.2.0.0/16"},
    .remote_ts = {"10.2.0.0/16", "10.1.0.0/16"},
    .children = 1,
};

static void add_proposals(enum proto proto, const char *words, struct proposals *out)
{
    struct proposal_error err;
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
        if (proposal_parse(proto, w, out, &err))
            abort();
}

static void add_ts(struct ts_conf_list *l, const char *text)
{
    const char *why;
    if (ts_conf_parse(&l->ts[l->count++], text, &why))
        abort();
}

static void add_child(struct conn *c, const struct setup *x, int node, unsigned i)
{
    char name[16];
    snprintf(name, sizeof name, "net%u", i);
    struct conn_child *ch = conn_child_add(c, name);
    if (!ch)
        abort();
    char l[64], r[64];
    if (i == 0 && x->mode == MODE_TRANSPORT) {
        snprintf(l, sizeof l, "dynamic");
        snprintf(r, sizeof r, "dynamic");
        ch->mode = x->mode;
    } else if (i == 0) {
        snprintf(l, sizeof l, "%s", x->local_ts[node]);
        snprintf(r, sizeof r, "%s", x->remote_ts[node]);
    } else { /* further children carry networks of their own */
        snprintf(l, sizeof l, "10.%u.0.0/16", 10 * i + (unsigned)node);
        snprintf(r, sizeof r, "10.%u.0.0/16", 10 * i + (unsigned)!node);
    }
    add_ts(&ch->local_ts, l);
    add_ts(&ch->remote_ts, r);
    add_proposals(PROTO_ESP, x->esp[node], &ch->esp);
    ch->life.rekey_s = x->rekey_child_s;
    ch->life.life_s = x->rekey_child_s + x->rekey_child_s / 10;
    ch->rand_s = x->rekey_child_s / 10;
    ch->dpd_action = x->dpd_action;
}

static void identity(const struct setup *x, int node, struct conn_auth *auth)
{
    char id[32];
    snprintf(id, sizeof id, x->key[node] ? "gw%c.example" : "%c.example.org", 'a' + node);
    auth->kind = x->key[node] ? AUTH_PUBKEY : AUTH_PSK;
    if (!id_parse(&auth->id, x->id[node] ? x->id[node] : id))
        abort();
}

static struct conn_auth *login(void)
{
    struct conn_auth *a = calloc(1, sizeof *a);
    if (!a || !(a->xauth_id = strdup("alice")))
        abort();
    a->kind = AUTH_XAUTH;
    return a;
}

static void travel(struct conn *c, const struct setup *x, int node)
{
    c->pull = !x->push;
    if (node == A) {
        c->vip[c->vip_count++] = (struct addr){.family = 4};
    } else if (!(c->pool[c->pool_count++] = strdup("road"))) {
        abort();
    }
    if (c->version == 1)
        *(node == A ? &c->xauth_local : &c->xauth_remote) = login();
}

static void travel_creds(struct sim *s, const struct setup *x)
{
    struct addr_pool *p = addr_pool_new("road");
    if (!p || !addr_pool_parse(p, "10.9.0.0/24"))
        abort();
    sim_feed(s, B, &(struct ike_in){.kind = IN_POOL_LOAD, .pool = p});
    sim_login(s, A, "alice", x->password ? x->password : "in wonderland");
    sim_login(s, B, "alice", "in wonderland");
}

struct conn *conn_of(const struct sim *s, const struct setup *x, int node)
{
    struct conn *c = conn_new("gw");
    if (!c)
        abort();
    c->version = x->version ? x->version : 2;
    c->aggressive = x->aggressive;
    c->local[0].lo = c->local[0].hi = s->node[node].at.addr;
    c->local_count = 1;
    if (!(s->net.nat && node == B)) { /* behind a NAT anybody may be A */
        c->remote[0].lo = c->remote[0].hi = s->node[!node].at.addr;
        c->remote_count = 1;
    }
    identity(x, node, &c->auth_local);
    identity(x, !node, &c->auth_remote);
    add_proposals(PROTO_IKE, x->ike[node], &c->ike);
    c->dpd_delay_s = 30;
    c->rekey_s = x->rekey_ike_s;
    c->over_s = c->rand_s = x->rekey_ike_s / 10;
    for (unsigned i = 0; i < x->children; i++)
        add_child(c, x, node, i);
    for (unsigned i = 0; i < x->children && x->ah[node] && !s->net.nat; i++) { /* RFC 3715 2.1 */
        c->child[i].bundle = true;
        add_proposals(PROTO_AH, x->ah[node], &c->child[i].esp);
    }
    if (x->travel)
        travel(c, x, node);
    return c;
}

/* What a side knows is read once: lives are many. */
static struct pki *store_of(const char *own, const char *ca)
{
    static struct {
        const char *own, *ca;
        struct pki *store;
    } made[16];
    char cert[64], key[64], root[64];
    size_t i = 0;
    ca = ca ? ca : "ca";
    for (; i < 16 && made[i].store; i++)
        if (!strcmp(made[i].own, own) && !strcmp(made[i].ca, ca))
            return made[i].store;
    if (i == 16)
        abort();
    snprintf(cert, sizeof cert, "%s.pem", own);
    snprintf(key, sizeof key, "%s.key", own);
    snprintf(root, sizeof root, "%s.pem", ca);
    made[i].own = own;
    made[i].ca = ca;
    made[i].store =
        pki_of_files((const char *const[]){root, NULL}, (const char *const[]){cert, key, NULL});
    return made[i].store;
}

void set_up(struct sim *s, uint64_t seed, const struct setup *x, const struct sim_net *net)
{
    struct ike_settings set;
    ike_settings_default(&set);
    if (x->fragment_size)
        set.fragment_size = x->fragment_size;
    sim_init(s, seed, &set);
    if (net)
        s->net = *net;
    for (int i = 0; i < NODES; i++) {
        sim_load(s, i, conn_of(s, x, i));
        sim_psk(s, i, "correct horse");
        if (x->key[i])
            sim_pki(s, i, store_of(x->key[i], x->ca[i]));
    }
    if (x->travel)
        travel_creds(s, x);
}

/* A network somewhere between fine and awful. */
struct sim_net bad_net(uint64_t seed)
{
    return (struct sim_net){.loss_pct = (unsigned)(seed % 5) * 8,
                            .dup_pct = (unsigned)(seed / 5 % 3) * 15,
                            .latency_min_ms = 5,
                            .latency_max_ms = seed / 15 % 2 ? 3000 : 30,
                            .nat = seed / 30 % 2,
                            .drop_index = -1};
}

/* The network gets well and everything has time to settle. */
void heal(struct sim *s)
{
    s->net.loss_pct = s->net.dup_pct = 0;
    s->net.cut = false;
    s->traffic = s->traffic && s->net.esp_latency_max_ms == 0;
    s->net.latency_max_ms = s->net.latency_min_ms;
    sim_run(s, 1200 * 1000);
    sim_check_settled(s);
}

/* The network is fine again and lifetimes have passed: there is a moment at which both agree. */
void settled_v1(struct sim *s)
{
    s->net.loss_pct = s->net.dup_pct = s->net.hostile_pct = 0;
    s->net.cut = s->traffic = false;
    s->net.latency_max_ms = s->net.latency_min_ms;
    sim_run(s, 2600 * 1000);
    for (int i = 0; i < 60 && !s->failure[0]; i++) {
        sim_check_settled(s);
        if (!s->failure[0])
            return;
        if (i < 59)
            s->failure[0] = 0;
        sim_run(s, 1000);
    }
}

void want(struct sim *s, bool ok, const char *what)
{
    if (!ok)
        sim_fail(s, "%s", what);
}

void one_tunnel(struct sim *s)
{
    want(s, sim_ike_count(s, A, "ESTABLISHED") == 1, "there is not exactly one IKE SA");
    want(s, s->node[A].children == 1, "there is not exactly one CHILD SA");
}

void establish(struct sim *s, uint64_t seed, const struct setup *x)
{
    const struct sim_net net = {.latency_min_ms = 5, .latency_max_ms = 5, .drop_index = -1};
    set_up(s, seed, x, &net);
    sim_initiate(s, A, "net0");
    sim_run(s, 1000);
    one_tunnel(s);
}

void expect_refusal(struct sim *s, int node, err_t reason, const char *what)
{
    struct sim_node *n = &s->node[node];
    if (n->refused != reason)
        sim_fail(s, "%c: reason %s instead of %s", 'A' + node, err_name(n->refused),
                 err_name(reason));
    if (what && strcmp(n->what, what) != 0)
        sim_fail(s, "%c names \"%s\" instead of \"%s\"", 'A' + node, n->what, what);
}
