/* Two engines talk to each other: negotiation, refusals and their words. RFC
 * 7296 1.2, 2.6, 2.7, 2.15. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pair *p;

static void begin(const struct ike_settings *s)
{
    p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, s);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
}

static void load(const char *ike_a, const char *esp_a, const char *ike_b, const char *esp_b)
{
    pair_load(&p->a, pair_conn(&p->a, &p->b, ike_a, esp_a));
    pair_load(&p->b, pair_conn(&p->b, &p->a, ike_b, esp_b));
}

static void finish(void)
{
    pair_fini(p);
    free(p);
}

/* Both ends hold the same pairs of SAs with crossed SPIs and keys. */
static void assert_agree(void)
{
    assert_int_equal(p->a.child_count, p->b.child_count);
    for (size_t i = 0; i < p->a.child_count; i++) {
        struct pair_child *a = &p->a.child[i], *b = NULL;
        for (size_t k = 0; k < p->b.child_count; k++)
            if (p->b.child[k].spi_in == a->spi_out)
                b = &p->b.child[k];
        assert_non_null(b);
        assert_int_equal(a->spi_in, b->spi_out);
        assert_int_equal(a->in_n, b->out_n);
        assert_memory_equal(a->key_in, b->key_out, a->in_n);
        assert_memory_equal(a->key_out, b->key_in, a->out_n);
        assert_memory_not_equal(a->key_in, a->key_out, a->in_n);
        assert_true(ts_list_eq(&a->local_ts, &b->remote_ts));
        assert_true(ts_list_eq(&a->remote_ts, &b->local_ts));
    }
    assert_int_equal(p->a.spis, p->a.child_count);
    assert_int_equal(p->b.spis, p->b.child_count);
}

static void assert_up(size_t children)
{
    assert_int_equal(pair_sas(&p->a), 1);
    assert_int_equal(pair_sas(&p->b), 1);
    assert_int_equal(p->a.child_count, children);
    assert_agree();
}

static void up(void)
{
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
    assert_up(1);
}

static void assert_nothing(void)
{
    pair_pass(p, 400000);
    assert_int_equal(pair_sas(&p->a), 0);
    assert_int_equal(pair_sas(&p->b), 0);
    assert_int_equal(p->a.spis, 0);
    assert_int_equal(p->b.spis, 0);
    assert_int_equal(p->a.child_count + p->b.child_count, 0);
}

static void establish_each_suite(void **state)
{
    static const char *const suites[][2] = {
        {"aes128-sha256-x25519", "aes128gcm16"},
        {"aes256-sha512-modp2048", "aes256-sha256"},
        {"aes256gcm16-prfsha384-ecp384", "aes192-sha384"},
        {"chacha20poly1305-prfsha256-x448", "chacha20poly1305"},
        {"3des-sha1-modp1024", "3des-md5"},
        {"aes128gcm8-prfsha256-ecp256", "aes256gcm16-esn"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        begin(NULL);
        load(suites[i][0], suites[i][1], suites[i][0], suites[i][1]);
        up();
        assert_int_equal(p->sent, 4);
        assert_int_equal(pair_events(&p->a, EV_IKE_ESTABLISHED), 1);
        assert_int_equal(pair_events(&p->b, EV_CHILD_ESTABLISHED), 1);
        finish();
    }
}

static void psk_mismatch(void **state)
{
    (void)state;
    begin(NULL);
    load(NULL, NULL, NULL, NULL);
    pair_psk(&p->b, "something else");
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_AUTH_FAILED);
    const struct pair_event *b = pair_event_last(&p->b, EV_REFUSED);
    const struct pair_event *a = pair_event_last(&p->a, EV_PEER_REFUSED);
    assert_non_null(b);
    assert_int_equal(b->reason, R_PSK_MISMATCH);
    assert_non_null(strstr(b->hint, "secrets"));
    assert_non_null(a);
    assert_int_equal(a->reason, R_PEER_AUTH_FAILED);
    assert_nothing();
    finish();
}

static void no_proposal(void **state)
{
    (void)state;
    begin(NULL);
    load("aes256-sha256-modp2048", NULL, "aes128-sha256-modp2048", NULL);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_NO_PROPOSAL);
    const struct pair_event *b = pair_event_last(&p->b, EV_REFUSED);
    const struct pair_event *a = pair_event_last(&p->a, EV_PEER_REFUSED);
    assert_non_null(b);
    assert_int_equal(b->reason, R_NO_PROPOSAL);
    assert_string_equal(b->what, "encryption");
    assert_string_equal(b->ours, "aes128");
    assert_string_equal(b->theirs, "aes256");
    assert_non_null(strstr(b->hint, "connections.conn.proposals"));
    assert_non_null(a);
    assert_string_equal(a->ours, "aes256-sha256-modp2048");
    assert_nothing();
    finish();
}

static void child_refused_ike_stays(void **state)
{
    (void)state;
    begin(NULL);
    load(NULL, "aes256gcm16", NULL, "aes128gcm16");
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_NO_PROPOSAL);
    assert_int_equal(pair_event_last(&p->b, EV_REFUSED)->reason, R_NO_PROPOSAL);
    assert_up(0); /* RFC 7296 1.2 */
    finish();
}

static void selectors_differ(void **state)
{
    const char *why;
    (void)state;
    begin(NULL);
    pair_load(&p->a, pair_conn(&p->a, &p->b, NULL, NULL));
    struct conn *c = pair_conn(&p->b, &p->a, NULL, NULL);
    assert_int_equal(ts_conf_parse(&c->child[0].remote_ts.ts[0], "10.9.0.0/16", &why), 0);
    pair_load(&p->b, c);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_TS_UNACCEPTABLE);
    const struct pair_event *b = pair_event_last(&p->b, EV_REFUSED);
    assert_int_equal(b->reason, R_TS_UNACCEPTABLE);
    assert_string_equal(b->what, "remote_ts");
    assert_non_null(strstr(b->ours, "10.9.0.0/16"));
    assert_non_null(strstr(b->theirs, "10.1.0.0/16"));
    assert_up(0);
    finish();
}

static void id_mismatch(void **state)
{
    (void)state;
    begin(NULL);
    pair_load(&p->a, pair_conn(&p->a, &p->b, NULL, NULL));
    struct conn *c = pair_conn(&p->b, &p->a, NULL, NULL);
    assert_true(id_parse(&c->auth_remote.id, "c.example"));
    pair_load(&p->b, c);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_AUTH_FAILED);
    const struct pair_event *b = pair_event_last(&p->b, EV_REFUSED);
    assert_int_equal(b->reason, R_NO_CONN);
    assert_non_null(strstr(b->theirs, "a.example"));
    assert_non_null(strstr(b->hint, "remote.id"));
    assert_nothing();
    finish();
}

/* RFC 7296 1.3: the responder wants another group of the initiator's offer. */
static void invalid_ke(void **state)
{
    (void)state;
    begin(NULL);
    load("aes128-sha256-x25519-ecp256", NULL, "aes128-sha256-ecp256", NULL);
    up();
    assert_int_equal(p->sent, 6);
    finish();
}

static void cookie(void **state)
{
    struct ike_settings s;
    struct ike_stats st;
    (void)state;
    ike_settings_default(&s);
    s.cookie_threshold = 0;
    begin(&s);
    load("aes128-sha256-x25519-ecp256", NULL, "aes128-sha256-ecp256", NULL);
    up();
    ike_stats_get(p->b.e, &st);
    assert_true(st.cookies_sent >= 1);
    finish();
}

static void nat_float(void **state)
{
    (void)state;
    begin(NULL);
    p->nat_a = true;
    pair_load(&p->a, pair_conn(&p->a, &p->b, NULL, NULL));
    struct conn *c = pair_conn(&p->b, &p->a, NULL, NULL);
    c->remote_count = 0; /* %any */
    pair_load(&p->b, c);
    up();
    assert_true(p->a.child[0].encap && p->b.child[0].encap);
    assert_int_equal(p->a.child[0].remote.port, 4500);
    assert_int_equal(p->b.child[0].remote.port, 14500);
    /* keepalives only from behind the NAT */
    pair_pass(p, 61000);
    assert_int_equal(p->a.keepalives, 3);
    assert_int_equal(p->b.keepalives, 0);
    /* RFC 7296 2.23: the mapping changes, the one outside follows */
    p->nat_port = 20000;
    struct ike_in in = {.kind = IN_REKEY, .child = "net"};
    pair_step(&p->a, &in);
    pair_run(p);
    assert_int_equal(pair_events(&p->b, EV_PATH_CHANGED), 1);
    assert_int_equal(p->b.child[0].remote.port, 24500);
    assert_up(1);
    finish();
}

static void forced_encapsulation(void **state)
{
    (void)state;
    begin(NULL);
    struct conn *c = pair_conn(&p->a, &p->b, NULL, NULL);
    c->encap = true;
    pair_load(&p->a, c);
    pair_load(&p->b, pair_conn(&p->b, &p->a, NULL, NULL));
    up();
    assert_true(p->a.child[0].encap && p->b.child[0].encap);
    finish();
}

static bool lose_first_of_each(struct pair *q, bool to_a, struct bytes msg)
{
    static uint8_t seen[64][20];
    static size_t n;
    (void)q;
    if (!msg.n) {
        n = 0;
        return false;
    }
    uint8_t key[20];
    memcpy(key, msg.p, 8);
    memcpy(key + 8, msg.p + 18, 6);
    memset(key + 14, to_a, 6);
    for (size_t i = 0; i < n; i++)
        if (memcmp(seen[i], key, 20) == 0)
            return false;
    memcpy(seen[n++ % 64], key, 20);
    return true;
}

static void retransmission(void **state)
{
    (void)state;
    begin(NULL);
    load(NULL, NULL, NULL, NULL);
    lose_first_of_each(p, false, bytes_of(NULL, 0));
    p->lose = lose_first_of_each;
    pair_initiate(&p->a, "conn", "net", 1);
    pair_pass(p, 60000);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
    assert_up(1);
    finish();
}

static void peer_silent(void **state)
{
    (void)state;
    begin(NULL);
    load(NULL, NULL, NULL, NULL);
    p->b.dead = true;
    pair_initiate(&p->a, "conn", "net", 1);
    pair_pass(p, 160000);
    assert_int_equal(pair_result(&p->a, 1), E_AGAIN);
    pair_pass(p, 10000);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_TIMEOUT);
    assert_non_null(strstr(p->a.done_ours, "IKE_SA_INIT sent 6 times to 198.51.100.2[500]"));
    assert_non_null(strstr(p->a.done_hint, "connections.conn.remote_addrs"));
    assert_int_equal(p->a.acquires_failed, 1);
    assert_nothing();
    finish();
}

static bool lose_big(struct pair *q, bool to_a, struct bytes msg)
{
    (void)q;
    return !to_a && msg.p[18] == 35; /* IKE_AUTH does not arrive */
}

/* The hint tells how far it came. */
static void auth_never_answered(void **state)
{
    (void)state;
    begin(NULL);
    load(NULL, NULL, NULL, NULL);
    p->lose = lose_big;
    pair_initiate(&p->a, "conn", "net", 1);
    pair_pass(p, 200000);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_TIMEOUT);
    assert_non_null(strstr(p->a.done_hint, "fragments"));
    assert_nothing();
    finish();
}

/* Packets that ask for what the peer refuses: one negotiation in 1, 2, 4 ... seconds, until the
 * operator asks. */
static void acquire_held_off(void **state)
{
    struct ike_in in = {.kind = IN_ACQUIRE, .conn = "conn", .child = "net"};
    struct ike_stats st;
    (void)state;
    begin(NULL);
    load(NULL, "aes128gcm16", NULL, "aes256gcm16");
    in.flow_local = (struct ts){.port_hi = 0xffff};
    in.flow_remote = in.flow_local;
    assert_true(addr_parse(&in.flow_local.lo, "10.1.0.5"));
    assert_true(addr_parse(&in.flow_remote.lo, "10.2.0.7"));
    in.flow_local.hi = in.flow_local.lo;
    in.flow_remote.hi = in.flow_remote.lo;
    for (int i = 0; i < 1500; i++) {
        pair_step(&p->a, &in);
        pair_pass(p, 10);
    }
    ike_stats_get(p->a.e, &st);
    assert_int_equal(pair_events(&p->a, EV_ACQUIRE), 4); /* at 0, 1, 3 and 7 s */
    assert_int_equal(st.acquires_refused, 1496);
    assert_int_equal(p->a.acquires_failed, 8); /* four failed, four times it may ask again */
    pair_initiate(&p->a, "conn", "net", 1);
    pair_pass(p, 10);
    assert_int_equal(pair_result(&p->a, 1), R_PEER_NO_PROPOSAL);
    assert_non_null(strstr(p->a.done_hint, "esp_proposals"));
    finish();
}

/* RFC 7296 2.9: the packet leads the selectors; asking again joins the negotiation. */
static void acquire(void **state)
{
    struct ike_in in = {.kind = IN_ACQUIRE, .conn = "conn", .child = "net"};
    (void)state;
    begin(NULL);
    load(NULL, NULL, NULL, NULL);
    in.flow_local = (struct ts){.proto = 6, .port_lo = 1000, .port_hi = 1000};
    in.flow_remote = (struct ts){.proto = 6, .port_lo = 80, .port_hi = 80};
    assert_true(addr_parse(&in.flow_local.lo, "10.1.0.5"));
    assert_true(addr_parse(&in.flow_remote.lo, "10.2.0.7"));
    in.flow_local.hi = in.flow_local.lo;
    in.flow_remote.hi = in.flow_remote.lo;
    for (int i = 0; i < 3; i++)
        pair_step(&p->a, &in);
    pair_run(p);
    pair_step(&p->a, &in);
    pair_run(p);
    assert_up(1);
    assert_int_equal(p->sent, 4);
    assert_int_equal(p->a.acquires_failed, 0);
    finish();
}

static void initiate_twice_and_by_name(void **state)
{
    (void)state;
    begin(NULL);
    load(NULL, NULL, NULL, NULL);
    pair_initiate(&p->a, NULL, "net", 1);
    pair_initiate(&p->a, "conn", NULL, 2);
    pair_initiate(&p->a, "conn", "none", 3);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
    assert_int_equal(pair_result(&p->a, 2), E_OK);
    assert_int_equal(pair_result(&p->a, 3), R_NOT_FOUND);
    assert_up(1);
    finish();
}

static void unknown_version_is_refused_by_name(void **state)
{
    (void)state;
    begin(NULL);
    struct conn *c = pair_conn(&p->a, &p->b, NULL, NULL);
    c->version = 3;
    pair_load(&p->a, c);
    pair_initiate(&p->a, "conn", "net", 1);
    assert_int_equal(pair_result(&p->a, 1), R_MAJOR_VERSION);
    assert_string_equal(pair_event_last(&p->a, EV_REFUSED)->what, "version");
    assert_nothing();
    finish();
}

/* A first message made by hand: header and one payload of `type`. */
static void send_raw(uint8_t version, uint8_t exchange, uint8_t type, uint8_t critical)
{
    uint8_t m[36] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct ike_in in = {.kind = IN_PACKET, .local = p->b.ep, .remote = p->a.ep};
    m[16] = type;
    m[17] = version;
    m[18] = exchange;
    m[19] = 0x08;
    m[27] = sizeof m;
    m[29] = critical;
    m[31] = 8;
    in.data = bytes_of(m, sizeof m);
    pair_step(&p->b, &in);
}

static void hostile_first_messages(void **state)
{
    static const struct {
        const char *name;
        uint8_t version, exchange, type, critical;
        uint8_t notify; /* 0: silence */
    } cases[] = {
        {"2.5: unknown critical payload", 0x20, 34, 200, 0x80, 1},
        {"2.5: unknown payload alone lacks the others", 0x20, 34, 200, 0, 7},
        {"2.5: newer major version", 0x30, 34, 33, 0, 5},
        {"older major version", 0x10, 2, 1, 0, 0},
        {"unknown SPIs", 0x20, 37, 46, 0, 0},
        {"unknown exchange", 0x20, 99, 46, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("%s\n", cases[i].name);
        begin(NULL);
        load(NULL, NULL, NULL, NULL);
        send_raw(cases[i].version, cases[i].exchange, cases[i].type, cases[i].critical);
        assert_int_equal(p->sent, cases[i].notify ? 1 : 0);
        if (cases[i].notify) {
            assert_int_equal(p->first->p[16], 41);
            assert_int_equal(p->first->p[28 + 7], cases[i].notify);
        }
        assert_int_equal(pair_sas(&p->b), 0);
        assert_true(pair_events(&p->b, EV_MSG_DROPPED) >= 1);
        finish();
    }
}

/* 2.21.4: a request under SPIs of ours that we forgot is answered, ten times in a second; a
 * response never. */
static void unknown_spi(void **state)
{
    uint8_t msg[28] = {[0] = 1, [8] = 2, [17] = 0x20, [18] = 37, [19] = 0x08, [27] = 28};
    struct ike_in in = {.kind = IN_PACKET, .data = bytes_of(msg, sizeof msg)};
    (void)state;
    begin(NULL);
    in.local = p->b.ep;
    in.remote = p->a.ep;
    for (int i = 0; i < 25; i++)
        pair_step(&p->b, &in);
    assert_int_equal(p->sent, 10);
    assert_int_equal(p->first->p[19], 0x20);
    assert_int_equal(p->first->p[28 + 7], 4);
    pair_pass(p, 1000);
    assert_int_equal(p->sent, 10); /* A does not answer the answers */
    pair_step(&p->b, &in);
    assert_int_equal(p->sent, 11);
    msg[19] = 0x20;
    pair_step(&p->b, &in);
    assert_int_equal(p->sent, 11);
    finish();
}

static void half_open_limits(void **state)
{
    struct ike_settings s;
    struct ike_stats st;
    (void)state;
    ike_settings_default(&s);
    s.half_open_max = 0;
    begin(&s);
    load(NULL, NULL, NULL, NULL);
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    ike_stats_get(p->b.e, &st);
    assert_int_equal(st.dropped[R_TOO_MANY], 1);
    assert_int_equal(pair_sas(&p->b), 0);
    finish();
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(establish_each_suite),
        cmocka_unit_test(psk_mismatch),
        cmocka_unit_test(no_proposal),
        cmocka_unit_test(child_refused_ike_stays),
        cmocka_unit_test(selectors_differ),
        cmocka_unit_test(id_mismatch),
        cmocka_unit_test(invalid_ke),
        cmocka_unit_test(cookie),
        cmocka_unit_test(nat_float),
        cmocka_unit_test(forced_encapsulation),
        cmocka_unit_test(retransmission),
        cmocka_unit_test(peer_silent),
        cmocka_unit_test(acquire),
        cmocka_unit_test(acquire_held_off),
        cmocka_unit_test(auth_never_answered),
        cmocka_unit_test(initiate_twice_and_by_name),
        cmocka_unit_test(unknown_version_is_refused_by_name),
        cmocka_unit_test(hostile_first_messages),
        cmocka_unit_test(half_open_limits),
        cmocka_unit_test(unknown_spi),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
