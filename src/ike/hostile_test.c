/* Peers that claim too much, strangers who send in another's name, and what must stay possible. RFC
 * 7296 2.4, 2.6, 2.15. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pair *p;

static void begin(const struct ike_settings *s)
{
    p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, s);
}

static void finish(void)
{
    pair_fini(p);
    free(p);
}

static void load_secret(struct side *s, const char *const *owners)
{
    struct shared *k = shared_new("ike-x");
    struct ike_in in = {.kind = IN_SHARED_LOAD, .shared = k};
    assert_int_equal(secret_set(&k->secret, bytes_of("only-for-tests", 14)), E_OK);
    k->kind = SHARED_IKE;
    for (; *owners; owners++)
        assert_true(id_parse(&k->owner[k->owner_count++], *owners));
    pair_step(s, &in);
}

static struct conn *named(const struct side *me, const struct side *peer, const char *local,
                          const char *remote)
{
    struct conn *c = pair_conn(me, peer, NULL, NULL);
    assert_true(id_parse(&c->auth_local.id, local));
    assert_true(id_parse(&c->auth_remote.id, remote));
    return c;
}

/* Who knows a secret proves to be one of its owners, and nobody else. */
static void identities_of_secrets(void **state)
{
    static const struct {
        const char *name;
        const char *owners[3];         /* of the responder's secret */
        const char *ours, *accepts;    /* local.id and remote.id of the responder */
        const char *claims, *asks_for; /* IDi and IDr of the initiator */
        bool ok;
    } cases[] = {
        {"everybody's", {NULL}, "b.example", "%any", "a.example", "b.example", true},
        {"the peer's", {"a.example"}, "b.example", "%any", "a.example", "b.example", true},
        {"both's", {"a.example", "b.example"}, "b.example", "%any", "a.example", "b.example", true},
        {"ours, for all", {"b.example"}, "b.example", "%any", "a.example", "b.example", true},
        {"a pattern", {"*.example"}, "b.example", "*.example", "a.example", "b.example", true},
        {"our address", {"198.51.100.2"}, "%any", "%any", "a.example", "198.51.100.2", true},
        {"an owner claims to be another",
         {"a.example", "b.example"},
         "b.example",
         "%any",
         "carol.example",
         "b.example",
         false},
        {"an owner calls us by its own name",
         {"a.example"},
         "%any",
         "%any",
         "carol.example",
         "a.example",
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("%s\n", cases[i].name);
        begin(NULL);
        pair_psk(&p->a, "only-for-tests");
        load_secret(&p->b, cases[i].owners);
        pair_load(&p->a, named(&p->a, &p->b, cases[i].claims, cases[i].asks_for));
        pair_load(&p->b, named(&p->b, &p->a, cases[i].ours, cases[i].accepts));
        pair_initiate(&p->a, "conn", "net", 1);
        pair_run(p);
        assert_int_equal(pair_sas(&p->b), cases[i].ok);
        assert_int_equal(pair_result(&p->a, 1), cases[i].ok ? E_OK : R_PEER_AUTH_FAILED);
        if (!cases[i].ok)
            assert_int_equal(pair_event_last(&p->b, EV_REFUSED)->reason, R_NO_SHARED);
        finish();
    }
}

static bool lose_all(struct pair *q, bool to_a, struct bytes msg)
{
    (void)q;
    (void)to_a;
    (void)msg;
    return true;
}

/* a forgets its SA without a word and comes again, as after a crash. */
static void come_again(void)
{
    struct ike_in in = {.kind = IN_TERMINATE, .conn = "conn", .force = true};
    p->lose = lose_all;
    pair_step(&p->a, &in);
    pair_run(p);
    p->lose = NULL;
    assert_int_equal(pair_sas(&p->a), 0);
    assert_int_equal(pair_sas(&p->b), 1);
    pair_initiate(&p->a, "conn", "net", 2);
    pair_run(p);
}

/* 2.4: who says INITIAL_CONTACT has no other SA; unique = keep would lock it out. */
static void crashed_peer_with_unique_keep(void **state)
{
    (void)state;
    begin(NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    struct conn *a = pair_conn(&p->a, &p->b, NULL, NULL), *b = pair_conn(&p->b, &p->a, NULL, NULL);
    a->unique = b->unique = UNIQUE_KEEP;
    pair_load(&p->a, a);
    pair_load(&p->b, b);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    come_again();
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    assert_int_equal(pair_sas(&p->b), 1);
    finish();
}

/* Without it whoever came first stays. */
static void unique_keep_keeps(void **state)
{
    (void)state;
    begin(NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    struct conn *a = pair_conn(&p->a, &p->b, NULL, NULL), *b = pair_conn(&p->b, &p->a, NULL, NULL);
    b->unique = UNIQUE_KEEP;
    pair_load(&p->a, a);
    pair_load(&p->b, b);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    come_again();
    assert_int_equal(pair_result(&p->a, 2), R_PEER_AUTH_FAILED);
    assert_int_equal(pair_sas(&p->b), 1);
    finish();
}

/* FQDNs ignore case: the same peer in capitals is no second one. */
static void same_peer_in_capitals(void **state)
{
    (void)state;
    begin(NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    pair_load(&p->a, pair_conn(&p->a, &p->b, NULL, NULL));
    struct conn *b = pair_conn(&p->b, &p->a, NULL, NULL);
    b->unique = UNIQUE_REPLACE;
    pair_load(&p->b, b);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    struct conn *a = named(&p->a, &p->b, "A.Example", "b.example");
    a->unique = UNIQUE_REPLACE; /* says INITIAL_CONTACT */
    pair_load(&p->a, a);
    come_again();
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    assert_int_equal(pair_sas(&p->b), 1);
    finish();
}

#define MANY 150

/* Connections for peers of any address are told apart by identity, however many there are. */
static void many_connections_of_any_address(void **state)
{
    char name[32];
    (void)state;
    begin(NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "u%d.example", i);
        struct conn *c = named(&p->b, &p->a, "b.example", name);
        c->remote_count = 0; /* %any */
        free(c->name);
        c->name = strdup(name);
        pair_load(&p->b, c);
    }
    pair_load(&p->a, named(&p->a, &p->b, name, "b.example"));
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
    finish();
}

/* The first message of a, with other SPIs: who does not receive at a's address can send these. */
static void spoof(size_t n)
{
    uint8_t m[4096];
    size_t len = p->first->n;
    assert_true(len <= sizeof m);
    memcpy(m, p->first->p, len);
    for (size_t i = 0; i < n; i++) {
        struct ike_in in = {.kind = IN_PACKET, .local = p->b.ep, .remote = p->a.ep};
        put_u64(m, 0x5500000000000000u + i);
        in.data = bytes_of(m, len);
        pair_step(&p->b, &in);
    }
}

/* 2.6: half-open SAs in another's name do not shut that other out. */
static void spoofed_half_open(void **state)
{
    (void)state;
    for (uint32_t limit = 1; limit <= 5; limit++) {
        struct ike_settings s;
        ike_settings_default(&s);
        s.init_limit_per_source = limit;
        begin(&s);
        pair_psk(&p->a, "only-for-tests");
        pair_psk(&p->b, "only-for-tests");
        pair_load(&p->a, pair_conn(&p->a, &p->b, NULL, NULL));
        pair_load(&p->b, pair_conn(&p->b, &p->a, NULL, NULL));
        pair_initiate(&p->a, "conn", "net", 1);
        assert_non_null(p->first);
        spoof(10);
        pair_run(p);
        assert_int_equal(pair_result(&p->a, 1), E_OK);
        finish();
    }
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_of_secrets),
        cmocka_unit_test(crashed_peer_with_unique_keep),
        cmocka_unit_test(unique_keep_keeps),
        cmocka_unit_test(same_peer_in_capitals),
        cmocka_unit_test(many_connections_of_any_address),
        cmocka_unit_test(spoofed_half_open),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
