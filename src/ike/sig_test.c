/*
 * Two engines that prove themselves by signatures: each kind of key in IKEv2 and in both modes of
 * IKEv1, a key on one side and a secret on the other, chains, requests for certificates; what must
 * be refused, with its reason on our side and one answer for the peer; jobs that come back late.
 * RFC 7296 2.15, RFC 7427, RFC 4754, RFC 2409 5.1, RFC 4945.
 */
#include "ike/pair.h"
#include "pki/build.h"
#include "pki_files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CERTS_MAX 3

struct who {
    const char *own[CERTS_MAX];     /* "gwa": gwa.pem with gwa.key; none: pre-shared key */
    const char *trusted[CERTS_MAX]; /* ca.pem by default */
    const char *others[CERTS_MAX];  /* certificates alone */
    const char *crl;
    const char *id;           /* gwa.example or gwb.example by default */
    bool pin;                 /* `own` by local.certs: whatever the identity */
    struct key_limits limits; /* of the peer's key */
    enum send_cert send_cert;
    bool no_certreq;
    enum { AS_IT_HAS, WANT_SECRET, WANT_KEY } want; /* of the peer */
};

struct setup {
    const char *name;
    uint8_t version; /* 1, 2; 3: aggressive mode */
    struct who a, b;
    err_t at_a, at_b; /* reasons; 0: it comes up */
    const char *what;
    const char *proof[2]; /* a's and b's, as screens have them; NULL: any */
};

static void add_cert(struct pki_build *b, const char *name, enum pki_flag flag)
{
    char file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    struct bytes pem = pki_file(file);
    assert_int_equal(pki_add_cert(b, pem, flag, file), 0);
}

static void add_key(struct pki_build *b, const char *name)
{
    char file[64];
    struct cr_key *k;
    snprintf(file, sizeof file, "%s.key", name);
    struct bytes pem = pki_file(file);
    assert_int_equal(cr_key_private(pem, bytes_of(NULL, 0), &k), 0);
    assert_int_equal(pki_add_key(b, k, file), 0);
    cr_key_unref(k);
}

static struct pki *store_of(const struct who *w)
{
    struct pki *p;
    struct pki_build *b = pki_build_new();
    assert_non_null(b);
    for (size_t i = 0; i < CERTS_MAX && w->own[i]; i++) {
        add_cert(b, w->own[i], PKI_END);
        add_key(b, w->own[i]);
    }
    for (size_t i = 0; i < CERTS_MAX && w->others[i]; i++)
        add_cert(b, w->others[i], PKI_END);
    for (size_t i = 0; i < CERTS_MAX && (w->trusted[i] || !i); i++)
        add_cert(b, w->trusted[i] ? w->trusted[i] : "ca", PKI_CA);
    if (w->crl)
        assert_int_equal(pki_add_crl(b, pki_file(w->crl), w->crl), 0);
    assert_int_equal(pki_build_store(b, &p), 0);
    pki_build_free(b);
    return p;
}

static void auth_of(struct conn_auth *auth, const struct who *w, const char *id)
{
    auth->kind = w->own[0] ? AUTH_PUBKEY : AUTH_PSK;
    assert_true(id_parse(&auth->id, w->id ? w->id : id));
}

/* local.certs as loading would have them. */
static void pin(struct conn_auth *auth, const struct who *w)
{
    char file[64];
    struct pki_read cert;
    snprintf(file, sizeof file, "%s.pem", w->own[0]);
    assert_int_equal(pki_read_cert(pki_file(file), &cert), 0);
    auth->pki = calloc(1, sizeof *auth->pki);
    auth->pki->certs = calloc(1, sizeof *auth->pki->certs);
    assert_true(auth->pki && auth->pki->certs);
    auth->pki->cert_count = 1;
    auth->pki->certs[0].name = strdup(w->own[0]);
    memcpy(auth->pki->certs[0].fp, cert.fp, sizeof cert.fp);
    free(cert.der);
}

static void load(struct pair *p, const struct setup *x, bool a)
{
    struct side *me = a ? &p->a : &p->b, *peer = a ? &p->b : &p->a;
    const struct who *us = a ? &x->a : &x->b, *them = a ? &x->b : &x->a;
    struct conn *c = pair_conn(me, peer, "aes128-sha256-ecp256", "aes128-sha256");
    c->version = x->version == 3 ? 1 : x->version;
    c->aggressive = x->version == 3;
    auth_of(&c->auth_local, us, a ? "gwa.example" : "gwb.example");
    auth_of(&c->auth_remote, them, a ? "gwb.example" : "gwa.example");
    if (us->want)
        c->auth_remote.kind = us->want == WANT_KEY ? AUTH_PUBKEY : AUTH_PSK;
    c->send_cert = us->send_cert;
    c->send_certreq = !us->no_certreq;
    if (us->pin)
        pin(&c->auth_local, us);
    if (us->limits.types || us->limits.hashes || us->limits.rsa_bits) {
        c->auth_remote.pki = calloc(1, sizeof *c->auth_remote.pki);
        assert_non_null(c->auth_remote.pki);
        c->auth_remote.pki->ike = us->limits;
    }
    pair_load(me, c);
    pair_pki(me, store_of(us));
    pair_psk(me, "correct horse");
}

static void set_up(struct pair *p, const struct setup *x)
{
    pair_init(p, NULL);
    load(p, x, true);
    load(p, x, false);
    pair_initiate(&p->a, "conn", "net", 7);
}

static err_t reason_of(const struct side *s)
{
    const struct pair_event *ev = pair_event_last(s, EV_REFUSED);
    return ev ? ev->reason : E_OK;
}

static const char *what_of(const struct side *s)
{
    const struct pair_event *ev = pair_event_last(s, EV_REFUSED);
    return ev ? ev->what : "";
}

static void check(struct pair *p, const struct setup *x)
{
    bool up = !x->at_a && !x->at_b;
    err_t a = reason_of(&p->a), b = reason_of(&p->b);
    if (a != x->at_a || b != x->at_b)
        fail_msg("%s: reasons %s and %s, wanted %s and %s", x->name, err_name(a), err_name(b),
                 err_name(x->at_a), err_name(x->at_b));
    if (x->what && strcmp(x->what, x->at_a ? what_of(&p->a) : what_of(&p->b)) != 0)
        fail_msg("%s: names %s", x->name, x->at_a ? what_of(&p->a) : what_of(&p->b));
    if ((pair_result(&p->a, 7) == E_OK) != up)
        fail_msg("%s: ended with %s", x->name, err_name(pair_result(&p->a, 7)));
    if (p->a.child_count != up || p->b.child_count != up)
        fail_msg("%s: %zu and %zu CHILD SAs", x->name, p->a.child_count, p->b.child_count);
}

static void proofs(struct pair *p, const struct setup *x)
{
    uint32_t id;
    struct ike_sa_info at_a, at_b;
    assert_int_equal(ike_sa_ids(p->a.e, "conn", &id, 1), 1);
    assert_true(ike_sa_info_get(p->a.e, id, &at_a));
    assert_int_equal(ike_sa_ids(p->b.e, "conn", &id, 1), 1);
    assert_true(ike_sa_info_get(p->b.e, id, &at_b));
    assert_string_equal(at_a.auth_local, at_b.auth_remote);
    assert_string_equal(at_a.auth_remote, at_b.auth_local);
    if (x->proof[0])
        assert_string_equal(at_a.auth_local, x->proof[0]);
    if (x->proof[1])
        assert_string_equal(at_a.auth_remote, x->proof[1]);
}

static void run(const struct setup *x)
{
    static struct pair p;
    set_up(&p, x);
    pair_run(&p);
    if (pair_result(&p.a, 7) == E_AGAIN) /* IKEv1's silence */
        pair_pass(&p, 200000);
    check(&p, x);
    if (!x->at_a && !x->at_b)
        proofs(&p, x);
    pair_pass(&p, 100000);
    assert_int_equal(pair_sas(&p.a), !x->at_a && !x->at_b);
    assert_int_equal(pair_sas(&p.b), !x->at_a && !x->at_b);
    pair_fini(&p);
}

#define KEYS(a_key, b_key) .a = {.own = {a_key}}, .b = {.own = {b_key}}

static void ups(void **state)
{
    static const struct setup t[] = {
        {"v2, RSA", 2, KEYS("gwa", "gwb"), .proof = {"rsa-sha256", "rsa-sha256"}},
        {"v2, ECDSA-256", 2, KEYS("gwa-ec256", "gwb-ec256")},
        {"v2, ECDSA-384", 2, KEYS("gwa-ec384", "gwb-ec384"),
         .proof = {"ecdsa-sha384", "ecdsa-sha384"}},
        {"v2, ECDSA-521", 2, KEYS("gwa-ec521", "gwb-ec521")},
        {"v2, Ed25519", 2, KEYS("gwa-ed25519", "gwb-ed25519"), .proof = {"ed25519", "ed25519"}},
        {"v2, Ed448", 2, KEYS("gwa-ed448", "gwb-ed448")},
        {"v2, each another kind", 2, KEYS("gwa", "gwb-ec384"),
         .proof = {"rsa-sha256", "ecdsa-sha384"}},
        {"v2, we a secret, the peer a key", 2, .b = {.own = {"gwb"}},
         .proof = {"psk", "rsa-sha256"}},
        {"v2, we a key, the peer a secret", 2, .a = {.own = {"gwa-ec256"}}},
        {"v2, through an intermediate", 2, .a = {.own = {"gwa"}},
         .b = {.own = {"sub-gwb"}, .others = {"sub"}}},
        {"v2, PSS wanted", 2, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .limits = {.types = 1 << CR_KEY_RSA}}},
        {"v2, certificates never sent, but known", 2,
         .a = {.own = {"gwa"}, .others = {"gwb"}, .send_cert = SEND_CERT_NEVER},
         .b = {.own = {"gwb"}, .others = {"gwa"}, .send_cert = SEND_CERT_NEVER}},
        {"v2, sent unasked", 2,
         .a = {.own = {"gwa"}, .send_cert = SEND_CERT_ALWAYS, .no_certreq = true},
         .b = {.own = {"gwb"}, .send_cert = SEND_CERT_ALWAYS, .no_certreq = true}},
        {"v2, the key that the peer can check", 2,
         .a = {.own = {"gwa"}, .trusted = {"ec-ca", "ca"}},
         .b = {.own = {"other-gwb", "ec-gwb"}, .trusted = {"ca", "ec-ca"}}},
        {"main, RSA", 1, KEYS("gwa", "gwb"), .proof = {"rsig", "rsig"}},
        {"main, ECDSA-256", 1, KEYS("gwa-ec256", "gwb-ec256")},
        {"main, ECDSA-384", 1, KEYS("gwa-ec384", "gwb-ec384")},
        {"main, ECDSA-521", 1, KEYS("gwa-ec521", "gwb-ec521")},
        {"main, several keys: the one that both have", 1,
         .a = {.own = {"gwa", "gwa-ec384", "gwa-ec256"}}, .b = {.own = {"gwb-ec384"}}},
        {"main, through an intermediate", 1, .a = {.own = {"gwa"}},
         .b = {.own = {"sub-gwb"}, .others = {"sub"}}},
        {"aggressive, RSA", 3, KEYS("gwa", "gwb")},
        {"aggressive, ECDSA-256", 3, KEYS("gwa-ec256", "gwb-ec256")},
        {"aggressive, ECDSA-384", 3, KEYS("gwa-ec384", "gwb-ec384")},
        {"aggressive, ECDSA-521", 3, KEYS("gwa-ec521", "gwb-ec521")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        run(&t[i]);
}

static void refusals(void **state)
{
#define PEER(key) .a = {.own = {"gwa"}}, .b = {.own = {key}, .send_cert = SEND_CERT_ALWAYS }
    static const struct setup t[] = {
        {"v2, responder's CA is unknown", 2, PEER("other-gwb"), .at_a = R_CERT_UNTRUSTED},
        {"v2, a CA of the same name", 2, PEER("twin-gwb"), .at_a = R_CERT_UNTRUSTED},
        {"v2, expired", 2, PEER("expired"), .at_a = R_CERT_EXPIRED},
        {"v2, not valid yet", 2, PEER("early"), .at_a = R_CERT_NOT_YET},
        {"v2, revoked", 2, .a = {.own = {"gwa"}, .crl = "ca.crl"}, .b = {.own = {"revoked"}},
         .at_a = R_CERT_REVOKED},
        {"v2, identity that the certificate has not", 2, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .id = "gwc.example", .pin = true}, .at_a = R_CERT_ID},
        {"v2, initiator's CA is unknown", 2, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .trusted = {"other-ca"}}, .at_b = R_CERT_UNTRUSTED},
        {"v2, initiator's identity", 2, .a = {.own = {"gwa"}, .id = "gwc.example", .pin = true},
         .b = {.own = {"gwb"}}, .at_b = R_CERT_ID},
        {"v2, ECDSA wanted", 2, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .limits = {.types = 1 << CR_KEY_ECDSA}}, .at_b = R_AUTH_METHOD,
         .what = "auth"},
        {"v2, no certificate is known or sent", 2,
         .a = {.own = {"gwa"}, .send_cert = SEND_CERT_NEVER}, .b = {.own = {"gwb"}},
         .at_b = R_CERT_MISSING},
        {"v2, no key of ours", 2, .a = {.own = {"gwa"}, .id = "gwc.example"}, .b = {.own = {"gwb"}},
         .at_a = R_NO_KEY, .what = "local.certs"},
        {"v2, no key of the responder", 2, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .id = "gwc.example"}, .at_b = R_NO_KEY},
        {"main, responder's CA is unknown", 1, PEER("other-gwb"), .at_a = R_CERT_UNTRUSTED},
        {"main, initiator's CA is unknown", 1, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .trusted = {"other-ca"}}, .at_b = R_CERT_UNTRUSTED},
        {"main, expired", 1, PEER("expired"), .at_a = R_CERT_EXPIRED},
        {"main, initiator's identity", 1, .a = {.own = {"gwa"}, .id = "gwc.example", .pin = true},
         .b = {.own = {"gwb"}}, .at_b = R_CERT_ID},
        {"main, no key of ours", 1, .a = {.own = {"gwa"}, .id = "gwc.example"},
         .b = {.own = {"gwb"}}, .at_a = R_NO_KEY},
        {"main, keys of different kinds", 1, KEYS("gwa", "gwb-ec256"), .at_b = R_NO_PROPOSAL,
         .what = "authentication"},
        {"main, secret against key", 1, .a = {.want = WANT_SECRET},
         .b = {.own = {"gwb"}, .want = WANT_KEY}, .at_b = R_NO_PROPOSAL, .what = "authentication"},
        {"main, a secret here and a key there", 1, .b = {.own = {"gwb"}}, .at_a = R_NO_PROPOSAL,
         .what = "auth"},
        {"v2, a secret is wanted of a peer with a key", 2,
         .a = {.own = {"gwa"}, .want = WANT_SECRET}, .b = {.own = {"gwb"}}, .at_a = R_AUTH_METHOD,
         .what = "auth"},
        {"v2, a key is wanted of a peer with a secret", 2, .b = {.own = {"gwb"}, .want = WANT_KEY},
         .at_b = R_AUTH_METHOD, .what = "auth"},
        {"aggressive, responder's CA is unknown", 3, PEER("other-gwb"), .at_a = R_CERT_UNTRUSTED},
        {"aggressive, initiator's CA is unknown", 3, .a = {.own = {"gwa"}},
         .b = {.own = {"gwb"}, .trusted = {"other-ca"}}, .at_b = R_CERT_UNTRUSTED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        run(&t[i]);
}

/* An SA may be gone before its job comes back; what is left of it must not be touched. */
static void late_jobs(void **state)
{
    static struct pair p;
    (void)state;
    for (uint8_t version = 1; version <= 3; version++) {
        const struct setup x = {"late", version, KEYS("gwa", "gwb")};
        for (int drop = 0; drop < 8; drop++) {
            int n = 0;
            set_up(&p, &x);
            p.keep_jobs = true;
            for (int i = 0; i < 40; i++) {
                pair_run(&p);
                struct side *s = p.a.job ? &p.a : p.b.job ? &p.b : NULL;
                if (!s)
                    break;
                if (n++ == drop) {
                    struct ike_in in = {.kind = IN_TERMINATE, .conn = "conn", .force = true};
                    pair_step(s, &in);
                    if (drop & 1)
                        pair_step(s, &(struct ike_in){.kind = IN_CONN_UNLOAD, .conn = "conn"});
                    pair_pki(s, NULL);
                }
                pair_job_back(s);
            }
            pair_pass(&p, 300000);
            if (n <= drop)
                assert_int_equal(pair_result(&p.a, 7), E_OK);
            pair_fini(&p);
        }
    }
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {cmocka_unit_test(ups), cmocka_unit_test(refusals),
                                       cmocka_unit_test(late_jobs)};
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests_name("ike/sig", tests, NULL, NULL);
    cr_fini();
    return failed;
}
