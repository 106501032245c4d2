/*
 * AH around ESP, negotiated by quick mode: RFC 2408 4.2, RFC 2409 5.5, RFC 2401 4.3. Two engines:
 * what each gives to its data plane, rekeying and Deletes of both protocols, refusals; and which
 * encapsulation modes of peers are taken.
 */
#include "ike/pair.h"
#include "ike/v1/v1.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct side_words {
    const char *esp, *ah; /* NULL: the default; no AH */
    enum ipsec_mode mode;
    bool ipcomp;
};

static void add(struct proposals *out, enum proto proto, const char *words)
{
    struct proposal_error err;
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
        assert_int_equal(proto == PROTO_ESP ? proposal_parse_in_ah(w, out, &err)
                                            : proposal_parse(proto, w, out, &err),
                         0);
}

static struct conn *conn_of(struct side *me, struct side *peer, const struct side_words *w)
{
    struct conn *c = pair_conn(me, peer, "aes128-sha256-ecp256", NULL);
    struct conn_child *cc = &c->child[0];
    const char *why;
    c->version = 1;
    cc->mode = w->mode;
    cc->ipcomp = w->ipcomp;
    cc->esp = (struct proposals){0};
    add(&cc->esp, PROTO_ESP, w->esp ? w->esp : "aes128-sha256");
    cc->bundle = w->ah != NULL;
    if (w->ah)
        add(&cc->esp, PROTO_AH, w->ah);
    if (w->mode == MODE_TRANSPORT) {
        assert_int_equal(ts_conf_parse(&cc->local_ts.ts[0], "dynamic", &why), 0);
        assert_int_equal(ts_conf_parse(&cc->remote_ts.ts[0], "dynamic", &why), 0);
    }
    return c;
}

static void set_up(struct pair *p, const struct side_words *a, const struct side_words *b, bool nat)
{
    pair_init(p, NULL);
    p->nat_a = nat;
    struct conn *cb = conn_of(&p->b, &p->a, b);
    if (nat)
        cb->remote[0] = (struct addr_match){0};
    pair_load(&p->a, conn_of(&p->a, &p->b, a));
    pair_load(&p->b, cb);
    pair_psk(&p->a, "correct horse");
    pair_psk(&p->b, "correct horse");
    pair_initiate(&p->a, "conn", "net", 7);
    pair_run(p);
}

/* Four SAs, each with an SPI and a key of its own. */
static void mirrored(const struct pair *p)
{
    assert_int_equal(p->a.child_count, 1);
    assert_int_equal(p->b.child_count, 1);
    const struct pair_child *a = &p->a.child[0], *b = &p->b.child[0];
    assert_int_equal(a->dirs, DIR_BOTH);
    assert_int_equal(b->dirs, DIR_BOTH);
    assert_int_equal(a->spi_in, b->spi_out);
    assert_int_equal(a->spi_out, b->spi_in);
    assert_int_equal(a->ah.spi_in, b->ah.spi_out);
    assert_int_equal(a->ah.spi_out, b->ah.spi_in);
    assert_int_not_equal(a->ah.spi_in, a->spi_in);
    assert_ptr_equal(a->ah.integ, b->ah.integ);
    assert_int_equal(a->ah.esn, b->ah.esn);
    size_t n = a->ah.integ->key_len;
    assert_memory_equal(a->ah.in, b->ah.out, n);
    assert_memory_equal(a->ah.out, b->ah.in, n);
    assert_memory_not_equal(a->ah.in, a->ah.out, n);
    assert_memory_equal(a->key_in, b->key_out, a->in_n);
    assert_memory_equal(a->key_out, b->key_in, a->out_n);
    assert_null(memmem(a->key_in, a->in_n, a->ah.in, 16));
    assert_int_equal(p->a.spis, 2);
    assert_int_equal(p->b.spis, 2);
}

static void ups(void **state)
{
    static const struct {
        const char *name;
        struct side_words a, b;
        uint16_t integ;
        bool esn;
    } t[] = {
        {"tunnel", {.ah = "sha256"}, {.ah = "sha256"}, AUTH_HMAC_SHA2_256_128, false},
        {"transport",
         {.ah = "sha1", .mode = MODE_TRANSPORT},
         {.ah = "sha1", .mode = MODE_TRANSPORT},
         AUTH_HMAC_SHA1_96,
         false},
        {"PFS",
         {.esp = "aes128-sha1-ecp256", .ah = "md5"},
         {.esp = "aes128-sha1-ecp256", .ah = "md5"},
         AUTH_HMAC_MD5_96,
         false},
        {"the responder's first",
         {.esp = "3des-sha1,aes128-sha256", .ah = "sha1-sha512,md5"},
         {.esp = "aes128-sha256", .ah = "sha512,sha1"},
         AUTH_HMAC_SHA2_512_256,
         false},
        {"AEAD",
         {.esp = "aes128gcm16", .ah = "sha256"},
         {.esp = "aes128gcm16", .ah = "sha256"},
         AUTH_HMAC_SHA2_256_128,
         false},
        {"ESP without integrity, as Cisco's esp-aes ah-sha-hmac",
         {.esp = "aes128", .ah = "sha1"},
         {.esp = "aes128", .ah = "sha1"},
         AUTH_HMAC_SHA1_96,
         false},
        {"ESN of AH",
         {.ah = "sha256-noesn-esn"},
         {.ah = "sha256-esn"},
         AUTH_HMAC_SHA2_256_128,
         true},
        {"IPComp",
         {.ah = "sha256", .ipcomp = true},
         {.ah = "sha256", .ipcomp = true},
         AUTH_HMAC_SHA2_256_128,
         false},
        {"IPComp of one side",
         {.ah = "sha256", .ipcomp = true},
         {.ah = "sha256"},
         AUTH_HMAC_SHA2_256_128,
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static struct pair p;
        set_up(&p, &t[i].a, &t[i].b, false);
        if (pair_result(&p.a, 7) != E_OK)
            fail_msg("%s: %s", t[i].name, err_name(pair_result(&p.a, 7)));
        mirrored(&p);
        const struct pair_child *c = &p.a.child[0];
        assert_int_equal(c->proto, PROTO_ESP);
        assert_int_equal(c->mode, t[i].a.mode);
        assert_int_equal(c->ah.integ->id, t[i].integ);
        assert_int_equal(c->ah.esn, t[i].esn);
        assert_int_equal(c->cpi_in != 0, t[i].a.ipcomp && t[i].b.ipcomp);
        assert_int_equal(c->cpi_in, p.b.child[0].cpi_out);
        pair_fini(&p);
    }
}

static void refusals(void **state)
{
    static const struct {
        const char *name;
        struct side_words a, b;
        bool nat, at_a;
        const char *what, *ours, *theirs, *hint;
    } t[] = {
        {"AH's hash",
         {.ah = "sha1"},
         {.ah = "sha256"},
         false,
         false,
         "AH integrity",
         "AH integrity sha256",
         "AH integrity sha1",
         "esp_proposals the same"},
        {"AH here only",
         {.ah = NULL},
         {.ah = "sha256"},
         false,
         false,
         "protocol",
         "protocol AH and ESP",
         "protocol ESP",
         "esp_proposals and ah_proposals"},
        {"AH there only",
         {.ah = "sha256"},
         {.ah = NULL},
         false,
         false,
         "protocol",
         "protocol ESP",
         "protocol AH and ESP",
         "esp_proposals and ah_proposals"},
        {"ESN of AH",
         {.ah = "sha256"},
         {.ah = "sha256-esn"},
         false,
         false,
         "ESN",
         "ESN noesn, AH esn",
         "ESN noesn, AH noesn",
         "esp_proposals the same"},
        {"mode",
         {.ah = "sha256", .mode = MODE_TUNNEL},
         {.ah = "sha256", .mode = MODE_TUNNEL, .esp = "aes256-sha256"},
         false,
         false,
         "encryption",
         "encryption aes256",
         "encryption aes128",
         "esp_proposals the same"},
        {"RFC 3715 2.1: NAT",
         {.ah = "sha256"},
         {.ah = "sha256"},
         true,
         true,
         "protocol",
         "AH and ESP",
         "",
         "without ah_proposals"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static struct pair p;
        set_up(&p, &t[i].a, &t[i].b, t[i].nat);
        const struct pair_event *ev = pair_event_last(t[i].at_a ? &p.a : &p.b, EV_REFUSED);
        if (!ev || ev->reason != R_NO_PROPOSAL || strcmp(ev->what, t[i].what) ||
            strcmp(ev->ours, t[i].ours) || strcmp(ev->theirs, t[i].theirs) ||
            !strstr(ev->hint, t[i].hint))
            fail_msg("%s: %s, ours %s, theirs %s, hint %s", t[i].name, ev ? ev->what : "nothing",
                     ev ? ev->ours : "", ev ? ev->theirs : "", ev ? ev->hint : "");
        assert_int_not_equal(pair_result(&p.a, 7), E_OK);
        pair_pass(&p, 300000);
        assert_int_equal(p.a.child_count + p.b.child_count, 0);
        assert_int_equal(p.a.spis + p.b.spis, 0);
        pair_fini(&p);
    }
}

static void command(struct side *s, enum ike_in_kind kind, const char *conn, const char *child)
{
    struct ike_in in = {.kind = kind, .conn = conn, .child = child, .cmd = 9};
    pair_step(s, &in);
}

static const struct side_words plain = {.ah = "sha256"};

static void lives(void **state)
{
    static struct pair p;
    (void)state;
    set_up(&p, &plain, &plain, false);
    for (int i = 0; i < 4; i++) { /* from both sides in turn */
        uint32_t old = p.a.child[0].ah.spi_in;
        command(i & 1 ? &p.a : &p.b, IN_REKEY, NULL, "net");
        pair_pass(&p, 10000);
        mirrored(&p);
        assert_int_not_equal(p.a.child[0].ah.spi_in, old);
    }
    command(&p.b, IN_REKEY, "conn", NULL); /* phase 1 goes, both SAs stay */
    pair_pass(&p, 10000);
    mirrored(&p);
    pair_pass(&p, 6 * 3600 * 1000ull);
    mirrored(&p);
    command(&p.a, IN_TERMINATE, "conn", NULL);
    pair_run(&p);
    assert_int_equal(p.a.child_count + p.b.child_count + (size_t)p.a.spis + (size_t)p.b.spis, 0);
    pair_fini(&p);
}

static unsigned lose_at, seen;

static bool lose_one(struct pair *p, bool to_a, struct bytes msg)
{
    (void)p;
    (void)to_a;
    (void)msg;
    return seen++ == lose_at;
}

/* RFC 2408 3.15: a Delete for each protocol; either of them ends both SAs. */
static void one_delete_is_enough(void **state)
{
    (void)state;
    for (lose_at = 0; lose_at < 2; lose_at++) {
        static struct pair p;
        set_up(&p, &plain, &plain, false);
        size_t sent = p.sent;
        seen = 0;
        p.lose = lose_one;
        command(&p.a, IN_TERMINATE, NULL, "net");
        pair_run(&p);
        assert_int_equal(p.sent, sent + 2);
        assert_int_equal(p.a.child_count + p.b.child_count, 0);
        assert_int_equal(p.a.spis + p.b.spis, 0);
        assert_int_equal(pair_events(&p.b, EV_CHILD_DOWN), 1);
        pair_fini(&p);
    }
}

/* What the attribute says of AH is what it says of ESP, or transport as racoon's complex_bundle
 * has it, or nothing. */
static void encapsulation(void **state)
{
    static const struct {
        uint16_t ours, esp, ah;
        bool same;
    } t[] = {
        {ENCAP1_TUNNEL, ENCAP1_TUNNEL, ENCAP1_TUNNEL, true},
        {ENCAP1_TUNNEL, ENCAP1_TUNNEL, ENCAP1_TRANSPORT, true},
        {ENCAP1_TUNNEL, ENCAP1_TUNNEL, 0, true},
        {ENCAP1_TRANSPORT, ENCAP1_TRANSPORT, ENCAP1_TRANSPORT, true},
        {ENCAP1_TRANSPORT, ENCAP1_TRANSPORT, ENCAP1_TUNNEL, false},
        {ENCAP1_TUNNEL, ENCAP1_TRANSPORT, ENCAP1_TUNNEL, false},
        {ENCAP1_TUNNEL, ENCAP1_TUNNEL, ENCAP1_UDP_TUNNEL, false},
    };
    const struct alg *sha1 = alg_find(T_INTEG, AUTH_HMAC_SHA1_96, 0);
    struct v1_transform a = {.proto = PROTO_ESP, .ah = {.there = true, .integ = sha1}};
    (void)state;
    assert_int_equal(proposal_add(&a.p, T_ENCR, ENCR_AES_CBC, 128), 0);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct v1_transform b = a;
        a.encap = a.ah.encap = t[i].ours;
        b.encap = t[i].esp;
        b.ah.encap = t[i].ah;
        assert_int_equal(v1_same_suite(&a, &b), t[i].same);
    }
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
        cmocka_unit_test(ups),           cmocka_unit_test(refusals),
        cmocka_unit_test(lives),         cmocka_unit_test(one_delete_is_enough),
        cmocka_unit_test(encapsulation),
    };
    return cmocka_run_group_tests(tests, init, fini);
}
