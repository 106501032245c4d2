/*
 * Travellers, two engines: XAUTH and Mode Config (draft-beaulieu-ike-xauth-02, draft-dukes-ike-
 * mode-cfg-02), IKEv2's configuration payloads (RFC 7296 3.15), and the leases behind both.
 * a is the traveller, b the gateway.
 */
#include "crypto/crypto.h"
#include "ike/engine.h"
#include "ike/lease.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct setup {
    int version;
    bool aggressive, xauth, push;
    bool reversed; /* the gateway initiates */
    const char *user, *password;
    const char *vip, *pool, *pool6, *local_ts_b, *remote_ts_a;
    const char *attr[8]; /* word, value */
};

static void ts_set(struct ts_conf_list *l, const char *text)
{
    const char *why;
    l->count = 1;
    assert_int_equal(ts_conf_parse(&l->ts[0], text, &why), 0);
}

static struct conn_auth *xauth(const char *user)
{
    struct conn_auth *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->kind = AUTH_XAUTH;
    a->xauth_id = user ? strdup(user) : NULL;
    return a;
}

static struct conn *conn_of(struct pair *p, const struct setup *x, bool a)
{
    struct conn *c = pair_conn(a ? &p->a : &p->b, a ? &p->b : &p->a,
                               x->version == 1 ? "aes128-sha256-ecp256" : NULL, "aes128-sha256");
    c->version = (uint8_t)x->version;
    c->aggressive = x->aggressive;
    c->pull = !x->push;
    ts_set(&c->child[0].local_ts, a ? "dynamic" : x->local_ts_b ? x->local_ts_b : "10.2.0.0/16");
    ts_set(&c->child[0].remote_ts, !a               ? "dynamic"
                                   : x->remote_ts_a ? x->remote_ts_a
                                                    : "10.2.0.0/16");
    if (a && x->xauth)
        c->xauth_local = xauth(x->user ? x->user : "alice");
    if (!a && x->xauth)
        c->xauth_remote = xauth(NULL);
    if (a && x->vip) {
        c->vip_count = 1;
        assert_true(addr_parse(&c->vip[0], x->vip));
    }
    if (!a && x->pool)
        c->pool[c->pool_count++] = strdup("road");
    if (!a && x->pool6)
        c->pool[c->pool_count++] = strdup("road6");
    return c;
}

static void secret(struct side *s, const char *name, enum shared_kind kind, const char *owner,
                   const char *text)
{
    struct shared *k = shared_new(name);
    struct ike_in in = {.kind = IN_SHARED_LOAD, .shared = k};
    k->kind = kind;
    assert_true(id_parse(&k->owner[0], owner));
    k->owner_count = 1;
    assert_int_equal(secret_set(&k->secret, bytes_of(text, strlen(text))), 0);
    pair_step(s, &in);
}

static void pool(struct side *s, const char *name, const char *addrs, const char *const *attr)
{
    struct addr_pool *p = addr_pool_new(name);
    struct ike_in in = {.kind = IN_POOL_LOAD, .pool = p};
    assert_true(p && addr_pool_parse(p, addrs));
    for (size_t i = 0; attr && attr[i]; i += 2)
        assert_int_equal(addr_pool_attr(p, attr[i], attr[i + 1]), 0);
    pair_step(s, &in);
}

static void set_up(struct pair *p, const struct setup *x)
{
    pair_init(p, NULL);
    pair_load(&p->a, conn_of(p, x, true));
    pair_load(&p->b, conn_of(p, x, false));
    pair_psk(&p->a, "correct horse");
    pair_psk(&p->b, "correct horse");
    secret(&p->a, "xauth-1", SHARED_XAUTH, x->user ? x->user : "alice",
           x->password ? x->password : "in wonderland");
    secret(&p->b, "xauth-1", SHARED_XAUTH, "alice", "in wonderland");
    secret(&p->b, "eap-2", SHARED_EAP, "bob", "the builder");
    if (x->pool)
        pool(&p->b, "road", x->pool, x->attr);
    if (x->pool6)
        pool(&p->b, "road6", x->pool6, NULL);
}

static const char *ts_text(const struct ts_list *l, char out[128])
{
    struct buf b = {0};
    ts_list_print(l, &b);
    snprintf(out, 128, "%s", buf_str(&b));
    buf_free(&b);
    return out;
}

struct seen {
    char vips[128], dns[128], user[64], state[32];
    size_t sas;
};

static void look(void *ctx, const struct ike_sa_info *i)
{
    struct seen *s = ctx;
    char a[ADDR_STR_MAX];
    s->sas++;
    for (size_t k = 0; k < i->local_vips + i->remote_vips; k++) {
        size_t n = strlen(s->vips);
        snprintf(
            s->vips + n, sizeof s->vips - n, "%s%s", n ? " " : "",
            addr_str(k < i->local_vips ? &i->local_vip[k] : &i->remote_vip[k - i->local_vips], a));
    }
    for (size_t k = 0; k < i->dns_count; k++) {
        size_t n = strlen(s->dns);
        snprintf(s->dns + n, sizeof s->dns - n, "%s%s", n ? " " : "", addr_str(&i->dns[k], a));
    }
    if (i->remote_user) {
        struct buf b = {0};
        id_print(i->remote_user, &b);
        snprintf(s->user, sizeof s->user, "%s", buf_str(&b));
        buf_free(&b);
    }
    snprintf(s->state, sizeof s->state, "%s", i->v1_state ? i->v1_state : "-");
}

static struct seen seen(const struct side *s)
{
    struct seen r = {0};
    ike_sa_each(s->e, look, &r);
    return r;
}

/* --- what works --- */

static const struct {
    const char *name;
    struct setup x;
    const char *vip, *dns, *user, *remote_ts_a, *local_ts_b;
} good[] = {
    {"main, XAUTH alone",
     {.version = 1, .xauth = true, .remote_ts_a = "10.2.0.0/16"},
     "",
     "",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"main, pull",
     {.version = 1, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
     "10.9.0.1",
     "",
     "",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"main, XAUTH, pull, DNS",
     {.version = 1,
      .xauth = true,
      .vip = "0.0.0.0",
      .pool = "10.9.0.0/24",
      .attr = {"dns", "10.2.0.53", "dns", "10.2.0.54", "28672", "hello"}},
     "10.9.0.1",
     "10.2.0.53 10.2.0.54",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"aggressive, XAUTH, pull",
     {.version = 1, .aggressive = true, .xauth = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
     "10.9.0.1",
     "",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"main, XAUTH, push",
     {.version = 1,
      .xauth = true,
      .push = true,
      .vip = "0.0.0.0",
      .pool = "10.9.0.7-10.9.0.9",
      .attr = {"dns", "10.2.0.53"}},
     "10.9.0.7",
     "10.2.0.53",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"aggressive, push",
     {.version = 1, .aggressive = true, .push = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
     "10.9.0.1",
     "",
     "",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"a secret of eap is one of XAUTH",
     {.version = 1, .xauth = true, .user = "bob", .password = "the builder"},
     "",
     "",
     "bob",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"a certain address",
     {.version = 1, .xauth = true, .vip = "10.9.0.77", .pool = "10.9.0.0/24"},
     "10.9.0.77",
     "",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"a certain address of another net",
     {.version = 1, .xauth = true, .vip = "10.8.0.77", .pool = "10.9.0.0/24"},
     "10.9.0.1",
     "",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"split networks narrow both ends",
     {.version = 1,
      .xauth = true,
      .vip = "0.0.0.0",
      .pool = "10.9.0.0/24",
      .remote_ts_a = "0.0.0.0/0",
      .attr = {"split_include", "10.2.0.0/16", "split_include", "10.3.0.0/16"}},
     "10.9.0.1",
     "",
     "alice",
     "10.2.0.0/16 10.3.0.0/16",
     "10.2.0.0/16"},
    {"IPv6",
     {.version = 1,
      .vip = "::",
      .pool6 = "2001:db8:9::/120",
      .local_ts_b = "2001:db8:2::/48",
      .remote_ts_a = "2001:db8:2::/48"},
     "2001:db8:9::1",
     "",
     "",
     "2001:db8:2::/48",
     "2001:db8:2::/48"},
    {"the gateway initiates",
     {.version = 1, .xauth = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24", .reversed = true},
     "10.9.0.1",
     "",
     "alice",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"IKEv2",
     {.version = 2,
      .vip = "0.0.0.0",
      .pool = "10.9.0.0/24",
      .attr = {"dns", "10.2.0.53", "subnet", "10.2.0.0/16"}},
     "10.9.0.1",
     "10.2.0.53",
     "",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"IKEv2, a certain address",
     {.version = 2, .vip = "10.9.0.77", .pool = "10.9.0.0/24"},
     "10.9.0.77",
     "",
     "",
     "10.2.0.0/16",
     "10.2.0.0/16"},
    {"IKEv2, IPv6",
     {.version = 2,
      .vip = "::",
      .pool6 = "2001:db8:9::/120",
      .local_ts_b = "2001:db8:2::/48",
      .remote_ts_a = "2001:db8:2::/48"},
     "2001:db8:9::1",
     "",
     "",
     "2001:db8:2::/48",
     "2001:db8:2::/48"},
    {"IKEv2, everything",
     {.version = 2, .vip = "0.0.0.0", .pool = "10.9.0.0/24", .remote_ts_a = "0.0.0.0/0"},
     "10.9.0.1",
     "",
     "",
     "10.2.0.0/16",
     "10.2.0.0/16"},
};

static void works(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct pair p;
        char text[128], want[160];
        set_up(&p, &good[i].x);
        struct side *first = good[i].x.reversed ? &p.b : &p.a;
        pair_initiate(first, "conn", "net", 1);
        pair_run(&p);
        if (pair_result(first, 1))
            fail_msg("%s: %s", good[i].name, err_name(pair_result(first, 1)));
        struct seen a = seen(&p.a), b = seen(&p.b);
        assert_string_equal(a.vips, good[i].vip);
        assert_string_equal(b.vips, good[i].vip);
        assert_string_equal(a.dns, good[i].dns);
        assert_string_equal(b.user, good[i].user);
        assert_int_equal(p.a.child_count, 1);
        assert_int_equal(p.b.child_count, 1);
        snprintf(want, sizeof want, "%s/%d", *a.vips ? a.vips : "192.0.2.1",
                 strchr(a.vips, ':') ? 128 : 32);
        assert_string_equal(ts_text(&p.a.child[0].local_ts, text), want);
        assert_string_equal(ts_text(&p.b.child[0].remote_ts, text), want);
        assert_string_equal(ts_text(&p.a.child[0].remote_ts, text), good[i].remote_ts_a);
        assert_string_equal(ts_text(&p.b.child[0].local_ts, text), good[i].local_ts_b);
        assert_int_equal(p.a.vips, *a.vips != 0);
        pair_pass(&p, 20000); /* nothing is left over, nothing repeats */
        assert_int_equal(pair_events(&p.a, EV_MSG_RETRANSMIT), 0);
        assert_int_equal(pair_events(&p.b, EV_MSG_RETRANSMIT), 0);
        struct ike_in in = {.kind = IN_TERMINATE, .conn = "conn", .cmd = 2};
        pair_step(&p.a, &in);
        pair_pass(&p, 20000);
        assert_int_equal(pair_sas(&p.a) + pair_sas(&p.b), 0);
        assert_int_equal(p.a.vips, 0);
        pair_fini(&p);
    }
}

/* --- what is refused, and what is said of it --- */

static const struct {
    const char *name;
    struct setup x;
    err_t reason, refused_a, refused_b; /* 0: nothing is refused there */
    const char *what;
} bad[] = {
    {"wrong password",
     {.version = 1, .xauth = true, .password = "in wonderlanD"},
     R_PEER_XAUTH,
     R_PEER_XAUTH,
     R_XAUTH,
     "xauth"},
    {"unknown user",
     {.version = 1, .xauth = true, .user = "carol"},
     R_PEER_XAUTH,
     R_PEER_XAUTH,
     R_XAUTH,
     "xauth"},
    {"unknown user, aggressive",
     {.version = 1, .aggressive = true, .xauth = true, .user = "carol"},
     R_PEER_XAUTH,
     R_PEER_XAUTH,
     R_XAUTH,
     "xauth"},
    {"another's password",
     {.version = 1, .xauth = true, .password = "the builder"},
     R_PEER_XAUTH,
     R_PEER_XAUTH,
     R_XAUTH,
     "xauth"},
    {"no pools",
     {.version = 1, .xauth = true, .vip = "0.0.0.0"},
     R_NO_VIP,
     R_NO_VIP,
     R_POOL_EMPTY,
     "pools"},
    {"no pool of this family",
     {.version = 1, .vip = "::", .pool = "10.9.0.0/24", .remote_ts_a = "2001:db8:2::/48"},
     R_NO_VIP,
     R_NO_VIP,
     R_POOL_EMPTY,
     "pools"},
    {"nobody asks to push to",
     {.version = 1, .push = true, .vip = "0.0.0.0"},
     R_PEER_TIMEOUT,
     R_PEER_TIMEOUT,
     0,
     NULL},
    {"IKEv2: no pools",
     {.version = 2, .vip = "0.0.0.0"},
     R_NO_VIP,
     R_NO_VIP,
     R_POOL_EMPTY,
     "pools"},
    {"IKEv2: no request",
     {.version = 2, .pool = "10.9.0.0/24"},
     R_PEER_REFUSED,
     R_PEER_REFUSED,
     R_CP_REQUIRED,
     "vips"},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pair p;
        set_up(&p, &bad[i].x);
        pair_initiate(&p.a, "conn", "net", 1);
        pair_pass(&p, 100000);
        if (pair_result(&p.a, 1) != bad[i].reason)
            fail_msg("%s: %s", bad[i].name, err_name(pair_result(&p.a, 1)));
        const struct pair_event *a = pair_event_last(&p.a, EV_PEER_REFUSED);
        const struct pair_event *b = pair_event_last(&p.b, EV_REFUSED);
        assert_true(a && a->reason == bad[i].refused_a);
        assert_int_equal(b ? b->reason : 0, bad[i].refused_b);
        if (bad[i].what)
            assert_string_equal(b->what, bad[i].what);
        assert_int_equal(p.a.child_count + p.b.child_count, 0);
        assert_int_equal(p.a.vips, 0);
        pair_pass(&p, 400000);
        if (bad[i].x.version == 1)
            assert_int_equal(pair_sas(&p.a) + pair_sas(&p.b), 0);
        pair_fini(&p);
    }
}

/* Not a hair of difference: the same messages of the same lengths for both mistakes. */
static size_t lengths[2][32];
static size_t length_count[2], length_run;

static bool note_length(struct pair *p, bool to_a, struct bytes msg)
{
    (void)p;
    if (to_a && length_count[length_run] < 32)
        lengths[length_run][length_count[length_run]++] = msg.n;
    return false;
}

static void no_oracle(void **state)
{
    (void)state;
    static const struct setup x[] = {
        {.version = 1, .xauth = true, .password = "another one!!"},
        {.version = 1, .xauth = true, .user = "nobod", .password = "in wonderland"},
    };
    for (length_run = 0; length_run < 2; length_run++) {
        struct pair p;
        set_up(&p, &x[length_run]);
        p.lose = note_length;
        pair_initiate(&p.a, "conn", "net", 1);
        pair_pass(&p, 100000);
        pair_fini(&p);
    }
    assert_int_equal(length_count[0], length_count[1]);
    assert_memory_equal(lengths[0], lengths[1], length_count[0] * sizeof(size_t));
}

/* --- messages lost and doubled --- */

static int lose_at, lost_counter;

static bool lose_one(struct pair *p, bool to_a, struct bytes msg)
{
    (void)p;
    (void)to_a;
    (void)msg;
    return lost_counter++ == lose_at;
}

static void each_lost(void **state)
{
    (void)state;
    static const struct setup x[] = {
        {.version = 1, .xauth = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
        {.version = 1, .aggressive = true, .xauth = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
        {.version = 1, .xauth = true, .push = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
        {.version = 2, .vip = "0.0.0.0", .pool = "10.9.0.0/24"},
    };
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        for (lose_at = 0; lose_at < 16; lose_at++) {
            struct pair p;
            lost_counter = 0;
            set_up(&p, &x[i]);
            p.lose = lose_one;
            pair_initiate(&p.a, "conn", "net", 1);
            pair_pass(&p, 60000);
            if (pair_result(&p.a, 1))
                fail_msg("setup %zu, message %d lost: %s", i, lose_at,
                         err_name(pair_result(&p.a, 1)));
            assert_string_equal(seen(&p.a).vips, "10.9.0.1");
            assert_string_equal(seen(&p.b).vips, "10.9.0.1");
            assert_int_equal(seen(&p.b).sas, 1);
            assert_int_equal(p.a.child_count, 1);
            assert_int_equal(p.b.child_count, 1);
            pair_fini(&p);
        }
    }
}

/* --- states as they are shown --- */

static char shown[2][256];

static bool note_states(struct pair *p, bool to_a, struct bytes msg)
{
    (void)to_a;
    (void)msg;
    for (int i = 0; i < 2; i++) {
        struct seen s = seen(i ? &p->b : &p->a);
        size_t n = strlen(shown[i]);
        if (*s.state && !strstr(shown[i], s.state))
            snprintf(shown[i] + n, sizeof shown[i] - n, "%s ", s.state);
    }
    return false;
}

static void states(void **state)
{
    (void)state;
    static const struct setup x = {
        .version = 1, .xauth = true, .vip = "0.0.0.0", .pool = "10.9.0.0/24"};
    struct pair p;
    set_up(&p, &x);
    p.lose = note_states;
    pair_initiate(&p.a, "conn", "net", 1);
    pair_run(&p);
    assert_string_equal(shown[0],
                        "MM_NO_STATE MM_SA_SETUP MM_KEY_EXCH CONF_XAUTH CONF_ADDR QM_IDLE ");
    assert_string_equal(shown[1], "MM_SA_SETUP MM_KEY_EXCH CONF_XAUTH QM_IDLE ");
    pair_fini(&p);
}

/* --- renewing: the address stays --- */

static void renewed(void **state)
{
    (void)state;
    for (int version = 1; version <= 2; version++) {
        struct setup x = {
            .version = version, .xauth = version == 1, .vip = "0.0.0.0", .pool = "10.9.0.0/24"};
        struct pair p;
        char text[128];
        set_up(&p, &x);
        pair_initiate(&p.a, "conn", "net", 1);
        pair_run(&p);
        struct ike_in in = {.kind = IN_REKEY, .conn = "conn"};
        pair_step(&p.a, &in);
        pair_pass(&p, 60000);
        in.child = "net";
        pair_step(&p.a, &in);
        pair_pass(&p, 60000);
        assert_string_equal(seen(&p.a).vips, "10.9.0.1");
        assert_string_equal(seen(&p.b).vips, "10.9.0.1");
        assert_int_equal(p.a.vips, 1);
        assert_int_equal(p.a.child_count, 1);
        assert_string_equal(ts_text(&p.a.child[0].local_ts, text), "10.9.0.1/32");
        struct ike_pool_info info;
        assert_true(ike_pool_get(p.b.e, "road", &info));
        assert_int_equal(info.online, 1);
        assert_int_equal(info.known, 1);
        pair_fini(&p);
    }
}

/* --- leases --- */

static struct ike *engine(struct pair *p)
{
    static struct ike_out out;
    pair_init(p, NULL);
    p->b.e->out = &out;
    return p->b.e;
}

static const char *get(struct ike *e, const char *who, const char *wanted, struct lease **l)
{
    static char text[ADDR_STR_MAX];
    struct id id;
    struct addr a = {0};
    assert_true(id_parse(&id, who));
    if (wanted)
        assert_true(addr_parse(&a, wanted));
    *l = lease_get(e, pool_find(e, "p"), &id, wanted ? &a : NULL);
    if (!*l)
        return "none";
    a = lease_addr(*l);
    return addr_str(&a, text);
}

static void leases(void **state)
{
    (void)state;
    struct pair p;
    struct lease *a, *b, *c, *d;
    struct ike *e = engine(&p);
    struct addr_pool *conf = addr_pool_new("p");
    assert_true(addr_pool_parse(conf, "10.9.0.1-10.9.0.3"));
    assert_int_equal(pool_load(e, conf), 0);
    assert_string_equal(get(e, "alice", NULL, &a), "10.9.0.1");
    assert_string_equal(get(e, "bob", "10.9.0.3", &b), "10.9.0.3");   /* free: granted */
    assert_string_equal(get(e, "carol", "10.9.0.1", &c), "10.9.0.2"); /* alice's: another */
    assert_string_equal(get(e, "dave", NULL, &d), "none");
    assert_int_equal(pool_unload(e, "p"), R_BUSY);
    lease_put(a);
    assert_string_equal(get(e, "Alice", NULL, &a), "10.9.0.1"); /* her former one */
    lease_put(b);
    lease_put(a);
    assert_string_equal(get(e, "dave", NULL, &d), "10.9.0.3"); /* who is away longest loses */
    assert_string_equal(get(e, "alice", NULL, &a), "10.9.0.1");
    assert_string_equal(get(e, "bob", NULL, &b), "none");
    /* renewing: the same identity holds the same address twice */
    struct lease *again;
    assert_string_equal(get(e, "alice", "10.9.0.1", &again), "10.9.0.1");
    assert_ptr_equal(again, a);
    lease_put(a);
    assert_string_equal(get(e, "bob", NULL, &b), "none");
    lease_put(again);
    assert_string_equal(get(e, "bob", NULL, &b), "10.9.0.1");
    lease_put(b);
    lease_put(c);
    /* other attributes any time, another range only while nobody is there */
    conf = addr_pool_new("p");
    assert_true(addr_pool_parse(conf, "10.9.0.1-10.9.0.3"));
    assert_int_equal(pool_load(e, conf), 0);
    conf = addr_pool_new("p");
    assert_true(addr_pool_parse(conf, "10.9.0.0/24"));
    assert_int_equal(pool_load(e, conf), R_BUSY);
    lease_put(d);
    conf = addr_pool_new("p");
    assert_true(addr_pool_parse(conf, "10.9.0.0/24"));
    assert_int_equal(pool_load(e, conf), 0);
    assert_int_equal(pool_unload(e, "p"), 0);
    assert_int_equal(pool_unload(e, "p"), R_NOT_FOUND);
    e->out = NULL;
    pair_fini(&p);
}

/* Against a naive list: nobody shares an address, everybody gets the former one while it is free.
 */
static void leases_at_random(void **state)
{
    (void)state;
    enum { SIZE = 12, PEOPLE = 20 };
    struct pair p;
    struct ike *e = engine(&p);
    struct lease *held[PEOPLE] = {0};
    uint32_t rng = 7, owner[SIZE];
    struct addr_pool *conf = addr_pool_new("p");
    assert_true(addr_pool_parse(conf, "10.9.0.1-10.9.0.12"));
    assert_int_equal(pool_load(e, conf), 0);
    memset(owner, 0xff, sizeof owner);
    for (int i = 0; i < 20000; i++) {
        rng = rng * 1103515245 + 12345;
        uint32_t who = rng / 65536 % PEOPLE, online = 0, former = SIZE;
        char name[8];
        snprintf(name, sizeof name, "u%u", who);
        for (uint32_t k = 0; k < PEOPLE; k++)
            online += held[k] != NULL;
        for (uint32_t k = 0; k < SIZE; k++)
            former = owner[k] == who ? k : former;
        if (held[who]) {
            lease_put(held[who]);
            held[who] = NULL;
            continue;
        }
        (void)get(e, name, NULL, &held[who]);
        assert_int_equal(held[who] != NULL, online < SIZE);
        if (!held[who])
            continue;
        for (uint32_t k = 0; k < PEOPLE; k++)
            assert_true(k == who || !held[k] || held[k]->n != held[who]->n);
        if (former < SIZE)
            assert_int_equal(held[who]->n, former);
        owner[held[who]->n] = who;
    }
    struct ike_pool_info info;
    assert_true(ike_pool_get(e, "p", &info));
    assert_true(info.known <= SIZE && info.online <= info.known);
    e->out = NULL;
    pair_fini(&p);
}

static int init(void **state)
{
    const char *what;
    (void)state;
    return cr_init(&what);
}

static int fini(void **state)
{
    (void)state;
    cr_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works),     cmocka_unit_test(refuses),
        cmocka_unit_test(no_oracle), cmocka_unit_test(each_lost),
        cmocka_unit_test(states),    cmocka_unit_test(renewed),
        cmocka_unit_test(leases),    cmocka_unit_test(leases_at_random),
    };
    return cmocka_run_group_tests(tests, init, fini);
}
