/*
 * Which of several children of a connection a responder takes for an offer: two engines, the
 * initiator with one child, also begun by a packet, whose selectors go first. RFC 7296 2.9, RFC
 * 2409 5.5, RFC 4301 4.4.1.
 */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ANY                                                                                        \
    {                                                                                              \
        "0.0.0.0/0", "0.0.0.0/0", MODE_TUNNEL                                                      \
    }

struct sel {
    const char *local, *remote; /* NULL: no such child */
    enum ipsec_mode mode;
};

struct choice {
    const char *name;
    uint8_t version;       /* 0: both */
    struct sel a, b[2];    /* the initiator's, the responder's: "b0", "b1" */
    const char *from, *to; /* of the packet; NULL: by the operator */
    const char *takes;
    size_t narrowed; /* events that tell of it */
};

static const struct choice cases[] = {
    {"not the one for everything",
     0,
     {"10.1.0.0/16", "10.2.0.0/16", MODE_TUNNEL},
     {ANY, {"10.2.0.0/16", "10.1.0.0/16", MODE_TUNNEL}},
     NULL,
     NULL,
     "b1",
     0},
    {"nor when a packet begins it",
     0,
     {"10.1.0.0/16", "10.2.0.0/16", MODE_TUNNEL},
     {ANY, {"10.2.0.0/16", "10.1.0.0/16", MODE_TUNNEL}},
     "10.1.0.7[udp/4000]",
     "10.2.0.9[udp/53]",
     "b1",
     0},
    {"the narrower of two that are wider",
     0,
     {"10.1.0.0/16", "10.2.0.0/16", MODE_TUNNEL},
     {ANY, {"10.2.0.0/15", "10.0.0.0/8", MODE_TUNNEL}},
     "10.1.0.7[udp/4000]",
     "10.2.0.9[udp/53]",
     "b1",
     0},
    {"the one that has it all",
     2,
     {"10.1.0.0/16", "10.2.0.0/15", MODE_TUNNEL},
     {{"10.2.0.0/16", "10.1.0.0/16", MODE_TUNNEL}, {"10.2.0.0/15", "10.1.0.0/16", MODE_TUNNEL}},
     "10.1.0.7[icmp/2048]",
     "10.2.0.9[icmp/2048]",
     "b1",
     0},
    {"the one that has what goes first",
     2,
     {"10.1.0.0/16", "10.0.0.0/8", MODE_TUNNEL},
     {{"10.2.0.0/16", "10.1.0.0/16", MODE_TUNNEL}, {"10.3.0.0/16", "10.1.0.0/16", MODE_TUNNEL}},
     "10.1.0.7[icmp/2048]",
     "10.3.0.9[icmp/2048]",
     "b1",
     1},
    {"the first, when nobody says more",
     2,
     {"10.1.0.0/16", "10.0.0.0/8", MODE_TUNNEL},
     {{"10.2.0.0/16", "10.1.0.0/16", MODE_TUNNEL}, {"10.3.0.0/16", "10.1.0.0/16", MODE_TUNNEL}},
     NULL,
     NULL,
     "b0",
     1},
    {"transport mode is for who asks for it",
     2,
     {"dynamic", "dynamic", MODE_TUNNEL},
     {{"dynamic", "dynamic", MODE_TRANSPORT}, {"dynamic", "dynamic", MODE_TUNNEL}},
     NULL,
     NULL,
     "b1",
     0},
    {"and the narrower of those that have none",
     2,
     {"10.1.0.1", "10.2.0.1", MODE_BEET},
     {ANY, {"10.2.0.0/16", "10.1.0.0/16", MODE_TUNNEL}},
     NULL,
     NULL,
     "b1",
     0},
};

static void set(struct ts_conf *to, const char *text)
{
    const char *why;
    assert_int_equal(ts_conf_parse(to, text, &why), E_OK);
}

static void fill(struct conn_child *cc, const struct sel *s)
{
    set(&cc->local_ts.ts[0], s->local);
    set(&cc->remote_ts.ts[0], s->remote);
    cc->mode = s->mode;
}

static struct conn *responder(struct pair *p, const struct choice *c)
{
    struct conn *to = pair_conn(&p->b, &p->a, "aes128-sha256-ecp256", "aes128-sha256");
    for (size_t i = 0; i < 2; i++) {
        struct conn_child *cc = i ? conn_child_add(to, "b1") : &to->child[0];
        assert_non_null(cc);
        cc->local_ts.count = cc->remote_ts.count = 1;
        cc->esp = to->child[0].esp;
        fill(cc, &c->b[i]);
    }
    return to;
}

static void begin(struct pair *p, const struct choice *c, uint8_t version)
{
    struct ike_in in = {.kind = IN_ACQUIRE, .conn = "conn", .child = "net"};
    struct ts_conf from, to;
    struct conn *a = pair_conn(&p->a, &p->b, "aes128-sha256-ecp256", "aes128-sha256"),
                *b = responder(p, c);
    a->version = b->version = version;
    fill(&a->child[0], &c->a);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    pair_load(&p->a, a);
    pair_load(&p->b, b);
    if (!c->from) {
        pair_initiate(&p->a, "conn", "net", 1);
        pair_run(p);
        return;
    }
    set(&from, c->from);
    set(&to, c->to);
    in.flow_local = from.ts;
    in.flow_remote = to.ts;
    pair_step(&p->a, &in);
    pair_run(p);
}

static const char *taken(const struct side *b)
{
    return b->child_count != 1                 ? "none"
           : !strcmp(b->child[0].child, "net") ? "b0"
                                               : b->child[0].child;
}

static void run(const struct choice *c, uint8_t version)
{
    struct pair *p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, NULL);
    begin(p, c, version);
    size_t narrowed = pair_events(&p->b, EV_CHILD_NARROWED);
    if (strcmp(taken(&p->b), c->takes) != 0 || narrowed != c->narrowed)
        fail_msg("%s, IKEv%u: %s takes it, %zu events", c->name, version, taken(&p->b), narrowed);
    pair_fini(p);
    free(p);
}

static void test_choices(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint8_t v = 1; v <= 2; v++)
            if (!cases[i].version || cases[i].version == v)
                run(&cases[i], v);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_choices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
