/*
 * Two engines agreeing on tunnel or transport mode, ESP or AH, with and without a NAT, in both
 * versions: what each gives to its data plane, and refusals that name both sides. RFC 4301 4.1, RFC
 * 7296 1.3.1 and 2.23.1, RFC 3947 5.2, RFC 3715 2.1.
 */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct way { /* of one side */
    enum ipsec_mode mode;
    const char *ah; /* instead of ESP */
    const char *ts; /* instead of dynamic, of both ends */
    bool ipcomp;
    const char *remote_ts; /* instead of ts */
};

struct expected {
    err_t reason; /* for the operator who initiates */
    enum ipsec_mode mode;
    const char *what, *ours, *theirs; /* of the refusal, at whoever made it */
};

static void with_ah(struct conn_child *cc, const char *words)
{
    struct proposal_error err;
    cc->esp = (struct proposals){0};
    assert_int_equal(proposal_parse(PROTO_AH, words, &cc->esp, &err), 0);
}

static struct conn *conn_of(struct side *me, struct side *peer, const struct way *w,
                            uint8_t version)
{
    struct conn *c = pair_conn(me, peer, "aes128-sha256-ecp256", "aes128-sha256");
    struct conn_child *cc = &c->child[0];
    const char *why, *ts = w->ts ? w->ts : "dynamic";
    c->version = version;
    cc->mode = w->mode;
    cc->ipcomp = w->ipcomp;
    assert_int_equal(ts_conf_parse(&cc->local_ts.ts[0], ts, &why), 0);
    if (w->remote_ts)
        ts = w->remote_ts;
    assert_int_equal(ts_conf_parse(&cc->remote_ts.ts[0], ts, &why), 0);
    if (w->ah)
        with_ah(cc, w->ah);
    return c;
}

static void set_up(struct pair *p, uint8_t version, const struct way *a, const struct way *b,
                   bool nat)
{
    pair_init(p, NULL);
    p->nat_a = nat;
    pair_load(&p->a, conn_of(&p->a, &p->b, a, version));
    struct conn *c = conn_of(&p->b, &p->a, b, version);
    if (nat) {
        c->remote[0] = (struct addr_match){0};
        c->auth_remote.id.type = ID_ANY;
    }
    pair_load(&p->b, c);
    pair_psk(&p->a, "correct horse");
    pair_psk(&p->b, "correct horse");
    pair_initiate(&p->a, "conn", "net", 7);
    pair_run(p);
}

static bool text_in(const char *text, const char *part)
{
    return !part || strstr(text, part);
}

static bool refusal_fits(const struct pair *p, const struct expected *x)
{
    const struct pair_event *ev = pair_event_last(&p->a, EV_REFUSED);
    if (!ev)
        ev = pair_event_last(&p->b, EV_REFUSED);
    if (!x->what)
        return ev == NULL;
    if (ev && text_in(ev->what, x->what) && text_in(ev->ours, x->ours) &&
        text_in(ev->theirs, x->theirs) && ev->hint[0])
        return true;
    print_message("refused: %s, ours %s, theirs %s, hint %s\n", ev ? ev->what : "nothing",
                  ev ? ev->ours : "", ev ? ev->theirs : "", ev ? ev->hint : "");
    return false;
}

static bool up_fits(const struct pair *p, const struct expected *x, uint8_t proto, bool nat)
{
    const struct pair_child *a = &p->a.child[0], *b = &p->b.child[0];
    return p->a.child_count == 1 && p->b.child_count == 1 && a->mode == x->mode &&
           b->mode == x->mode && a->proto == proto && b->proto == proto && a->encap == nat &&
           b->encap == nat && a->spi_in == b->spi_out && a->spi_out == b->spi_in &&
           a->in_n == b->out_n && !memcmp(a->key_in, b->key_out, a->in_n) &&
           !memcmp(a->key_out, b->key_in, a->out_n);
}

static void agreements(void **state)
{
    static const struct {
        const char *name;
        uint8_t version; /* 0: both */
        struct way a, b;
        bool nat;
        struct expected x;
    } t[] = {
        {"tunnel", 0, {0}, {0}, false, {0}},
        {"transport", 0, {MODE_TRANSPORT}, {MODE_TRANSPORT}, false, {E_OK, MODE_TRANSPORT}},
        {"transport, NAT", 0, {MODE_TRANSPORT}, {MODE_TRANSPORT}, true, {E_OK, MODE_TRANSPORT}},
        {"AH", 0, {.ah = "sha256"}, {.ah = "sha512-sha256"}, false, {0}},
        {"AH, PFS", 0, {.ah = "sha384-ecp256"}, {.ah = "sha384-ecp256"}, false, {0}},
        {"AH, MD5", 0, {.ah = "md5"}, {.ah = "md5"}, false, {0}},
        {"AH, transport",
         0,
         {MODE_TRANSPORT, .ah = "sha1"},
         {MODE_TRANSPORT, .ah = "sha1"},
         false,
         {E_OK, MODE_TRANSPORT}},
        {"RFC 3715 2.1: AH and NAT",
         0,
         {.ah = "sha256"},
         {.ah = "sha256"},
         true,
         {R_NO_PROPOSAL, .what = "protocol", .ours = "AH"}},
        {"AH for ESP",
         0,
         {.ah = "sha256"},
         {0},
         false,
         {R_PEER_NO_PROPOSAL, .what = "protocol", .ours = "ESP", .theirs = "AH"}},
        {"RFC 4301 4.1: networks",
         0,
         {MODE_TRANSPORT, .ts = "10.0.0.0/8"},
         {MODE_TRANSPORT, .ts = "10.0.0.0/8"},
         false,
         {R_MODE, .what = "mode", .ours = "transport for 10.0.0.0/8"}},
        {"RFC 7296 1.3.1: declined",
         2,
         {MODE_TRANSPORT},
         {0},
         false,
         {R_MODE, .what = "mode", .ours = "transport", .theirs = "tunnel"}},
        {"tunnel for transport",
         2,
         {0},
         {MODE_TRANSPORT},
         false,
         {R_PEER_TS_UNACCEPTABLE, .what = "mode", .ours = "transport", .theirs = "tunnel"}},
        {"transport for tunnel",
         1,
         {MODE_TRANSPORT},
         {0},
         false,
         {R_PEER_NO_PROPOSAL, .what = "encapsulation mode", .ours = "tunnel",
          .theirs = "transport"}},
        {"tunnel for transport",
         1,
         {0},
         {MODE_TRANSPORT},
         false,
         {R_PEER_NO_PROPOSAL, .what = "encapsulation mode", .ours = "transport",
          .theirs = "tunnel"}},
        {"BEET", 2, {MODE_BEET}, {MODE_BEET}, false, {E_OK, MODE_BEET}},
        {"BEET, NAT",
         2,
         {MODE_BEET, .ts = "10.1.0.1", .remote_ts = "10.2.0.1"},
         {MODE_BEET, .ts = "10.2.0.1", .remote_ts = "10.1.0.1"},
         true,
         {E_OK, MODE_BEET}},
        {"BEET, AH",
         2,
         {MODE_BEET, .ah = "sha256"},
         {MODE_BEET, .ah = "sha256"},
         false,
         {E_OK, MODE_BEET}},
        {"BEET for transport",
         2,
         {MODE_BEET},
         {MODE_TRANSPORT},
         false,
         {R_PEER_TS_UNACCEPTABLE, .what = "mode", .ours = "transport", .theirs = "beet"}},
        {"transport for BEET",
         2,
         {MODE_TRANSPORT},
         {MODE_BEET},
         false,
         {R_MODE, .what = "mode", .ours = "transport", .theirs = "tunnel"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        for (uint8_t version = 1; version <= 2; version++) {
            static struct pair p;
            if (t[i].version && t[i].version != version)
                continue;
            set_up(&p, version, &t[i].a, &t[i].b, t[i].nat);
            err_t got = pair_result(&p.a, 7);
            pair_pass(&p, 10000);
            bool ok = got == t[i].x.reason && refusal_fits(&p, &t[i].x);
            if (ok && !got)
                ok = up_fits(&p, &t[i].x, t[i].a.ah ? PROTO_AH : PROTO_ESP, t[i].nat);
            else if (ok)
                ok = !p.a.child_count && !p.b.child_count;
            if (!ok)
                fail_msg("%s, IKEv%u: result %d", t[i].name, version, got);
            pair_fini(&p);
        }
    }
}

static void same_addr(const struct addr *a, const char *text)
{
    char is[ADDR_STR_MAX];
    assert_string_equal(addr_str(a, is), text);
}

/* Selectors are as each side sees the peer; for checksums they learn what the other one saw. */
static void original_addresses(void **state)
{
    static const struct way w = {MODE_TRANSPORT};
    (void)state;
    for (uint8_t version = 1; version <= 2; version++) {
        static struct pair p;
        set_up(&p, version, &w, &w, true);
        assert_int_equal(pair_result(&p.a, 7), 0);
        const struct pair_child *a = &p.a.child[0], *b = &p.b.child[0];
        same_addr(&a->local_ts.ts[0].lo, "192.0.2.1");
        same_addr(&a->remote_ts.ts[0].lo, "198.51.100.2");
        same_addr(&a->oa_local, "203.0.113.1");
        same_addr(&a->oa_remote, "198.51.100.2");
        same_addr(&b->local_ts.ts[0].lo, "198.51.100.2");
        same_addr(&b->remote_ts.ts[0].lo, "203.0.113.1");
        same_addr(&b->oa_local, "198.51.100.2");
        same_addr(&b->oa_remote, "192.0.2.1");
        pair_fini(&p);
    }
}

/* sha256_96 is not negotiated: who has it gets the shorter ICV, the same keys, and is told by
 * nobody. */
static void short_sha256(void **state)
{
    static const struct way w[] = {{MODE_TUNNEL}, {MODE_TUNNEL, .ah = "sha256"}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        static struct pair p;
        uint8_t version = (uint8_t)(1 + i / 2);
        pair_init(&p, NULL);
        struct conn *a = conn_of(&p.a, &p.b, &w[i % 2], version);
        a->child[0].sha256_96 = true;
        pair_load(&p.a, a);
        pair_load(&p.b, conn_of(&p.b, &p.a, &w[i % 2], version));
        pair_psk(&p.a, "correct horse");
        pair_psk(&p.b, "correct horse");
        pair_initiate(&p.a, "conn", "net", 7);
        pair_run(&p);
        assert_int_equal(pair_result(&p.a, 7), 0);
        assert_int_equal(p.a.child[0].integ->id, AUTH_HMAC_SHA2_256_96);
        assert_int_equal(p.b.child[0].integ->id, AUTH_HMAC_SHA2_256_128);
        assert_int_equal(p.a.child[0].in_n, p.b.child[0].out_n);
        assert_memory_equal(p.a.child[0].key_in, p.b.child[0].key_out, p.a.child[0].in_n);
        pair_fini(&p);
    }
}

static void mode_told(const struct side *s, const char *theirs)
{
    const struct pair_event *ev = pair_event_last(s, EV_CHILD_MODE);
    if (!theirs) {
        assert_null(ev);
        return;
    }
    assert_non_null(ev);
    assert_string_equal(ev->what, "mode");
    assert_non_null(strstr(ev->theirs, theirs));
}

/* Where one side has no BEET it is tunnel mode, and who wanted BEET is told. */
static void beet_falls_back(void **state)
{
    static const struct {
        uint8_t version;
        struct way a, b;
        const char *told_a, *told_b;
    } t[] = {
        {2, {MODE_BEET}, {0}, "tunnel", "beet, if we like"},
        {2, {0}, {MODE_BEET}, NULL, "tunnel"},
        {2,
         {MODE_BEET, .ts = "10.0.0.0/8"},
         {MODE_BEET, .ts = "10.0.0.0/8"},
         "tunnel",
         "beet, if we like"},
        {2, {MODE_BEET}, {MODE_BEET}, NULL, NULL},
        {1, {MODE_BEET}, {MODE_BEET}, "tunnel", "tunnel"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static struct pair p;
        set_up(&p, t[i].version, &t[i].a, &t[i].b, false);
        assert_int_equal(pair_result(&p.a, 7), 0);
        enum ipsec_mode want = t[i].told_b ? MODE_TUNNEL : MODE_BEET;
        assert_int_equal(p.a.child[0].mode, want);
        assert_int_equal(p.b.child[0].mode, want);
        mode_told(&p.a, t[i].told_a);
        mode_told(&p.b, t[i].told_b);
        pair_fini(&p);
    }
}

/* Rekeying keeps mode and protocol; a Delete of AH names AH. */
static void lives(void **state)
{
    static const struct way w[] = {{MODE_TRANSPORT}, {MODE_TUNNEL, .ah = "sha256"}, {MODE_BEET}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (uint8_t version = 1; version <= 2; version++) {
            static struct pair p;
            set_up(&p, version, &w[i], &w[i], false);
            uint32_t first = p.a.child[0].spi_in;
            struct ike_in in = {.kind = IN_REKEY, .cmd = 8, .child = "net"};
            pair_step(&p.a, &in);
            pair_run(&p);
            pair_pass(&p, 30000);
            assert_int_equal(p.a.child_count, 1);
            assert_int_equal(p.b.child_count, 1);
            assert_int_not_equal(p.a.child[0].spi_in, first);
            bool none = version == 1 && w[i].mode == MODE_BEET; /* RFC 2407 4.5 */
            assert_int_equal(p.a.child[0].mode, none ? MODE_TUNNEL : w[i].mode);
            assert_int_equal(p.b.child[0].proto, w[i].ah ? PROTO_AH : PROTO_ESP);
            struct ike_in end = {.kind = IN_TERMINATE, .cmd = 9, .child = "net"};
            pair_step(&p.b, &end);
            pair_run(&p);
            assert_int_equal(p.a.child_count + p.b.child_count, 0);
            pair_fini(&p);
        }
    }
}

/* RFC 7296 2.22, RFC 2407 4.6.1: only when both want it, with a CPI of each. */
static void compression(void **state)
{
    (void)state;
    for (uint8_t version = 1; version <= 2; version++) {
        for (unsigned who = 0; who < 4; who++) {
            static struct pair p;
            const struct way a = {.ipcomp = who & 1}, b = {.ipcomp = who & 2};
            set_up(&p, version, &a, &b, false);
            assert_int_equal(pair_result(&p.a, 7), 0);
            const struct pair_child *x = &p.a.child[0], *y = &p.b.child[0];
            assert_int_equal(x->cpi_in, y->cpi_out);
            assert_int_equal(x->cpi_out, y->cpi_in);
            assert_int_equal(x->cpi_in != 0, who == 3);
            assert_int_equal(y->cpi_in != 0, who == 3);
            pair_fini(&p);
        }
    }
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agreements),   cmocka_unit_test(original_addresses),
        cmocka_unit_test(short_sha256), cmocka_unit_test(lives),
        cmocka_unit_test(compression),  cmocka_unit_test(beet_falls_back),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
