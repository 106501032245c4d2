/*
 * Signatures of strongSwan: what AUTH covers is what its log says, each AUTH is read as the method
 * and the algorithm that it is, and holds with the certificate's key and with nothing altered. RFC
 * 7296 2.15, RFC 4754, RFC 7427.
 */
#include "ike/v2/v2.h"
#include "v2_sig.h"
#include "wire/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct bytes unhex(const char *s, uint8_t *out)
{
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        assert_int_equal(sscanf(s + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return bytes_of(out, n);
}

struct run {
    struct v2_sa v;
    struct v2_init init;
    uint8_t msg[2][2048], nonce[2][256], keys[512], auth[2048], octets[2048], spki[1024], id[128];
};

static struct bytes nonce_of(struct bytes msg)
{
    static struct payloads ps;
    assert_int_equal(payloads_parse(ike_hdr_body(msg), msg.p[16], &ps), 0);
    return payloads_find(&ps, PL_NONCE)->body;
}

/* Of SK_* only SK_pi and SK_pr matter here. */
static void set_up(struct run *r, const struct v2_sig_vector *t)
{
    *r = (struct run){0};
    struct bytes i = unhex(t->init_i, r->msg[0]), s = unhex(t->init_r, r->msg[1]);
    size_t n = strlen(t->pi) / 2;
    r->v.init = &r->init;
    r->init.req = (struct ike_msg){r->msg[0], i.n};
    r->init.resp = (struct ike_msg){r->msg[1], s.n};
    r->init.ni = nonce_of(i);
    r->init.nr = nonce_of(s);
    r->v.sa.prf = alg_find(T_PRF,
                           n == 32   ? PRF_HMAC_SHA2_256
                           : n == 48 ? PRF_HMAC_SHA2_384
                                     : PRF_HMAC_SHA2_512,
                           0);
    r->v.keys.d = (uint8_t)n;
    (void)unhex(t->pi, r->keys + n);
    (void)unhex(t->pr, r->keys + 2 * n);
    r->v.keys.all = (struct secret){r->keys, 3 * n};
}

static void octets_are(struct run *r, bool initiators, struct bytes id_body, const char *want,
                       struct v2_octets *o)
{
    struct id id;
    size_t at = 0;
    assert_int_equal(id_body_parse(id_body, &id), 0);
    assert_int_equal(v2_octets(&r->v, initiators, &id, o), 0);
    struct bytes w = unhex(want, r->octets);
    for (size_t i = 0; i < 3; i++) {
        assert_true(at + o->part[i].n <= w.n);
        assert_memory_equal(o->part[i].p, w.p + at, o->part[i].n);
        at += o->part[i].n;
    }
    assert_int_equal(at, w.n);
}

static err_t verify(const struct sig_claim *c, const struct cr_key *k, const struct bytes *parts)
{
    for (size_t i = 0; i < c->schemes; i++)
        if (cr_scheme_fits(c->scheme[i], k) && !cr_verify(k, c->scheme[i], parts, 3, c->signature))
            return E_OK;
    return R_SIGNATURE;
}

static void check(struct run *r, bool initiators, const struct v2_sig_vector *t)
{
    struct auth a;
    struct cr_key *k;
    struct v2_octets o;
    struct sig_claim claim = {0};
    octets_are(r, initiators, unhex(initiators ? t->id_i : t->id_r, r->id),
               initiators ? t->octets_i : t->octets_r, &o);
    assert_int_equal(auth_parse(unhex(initiators ? t->auth_i : t->auth_r, r->auth), &a), 0);
    assert_int_equal(v2_schemes_of(NULL, &r->v, NULL, &a, &claim), 0);
    assert_int_equal(cr_key_public(unhex(initiators ? t->spki_i : t->spki_r, r->spki), &k), 0);
    assert_int_equal(verify(&claim, k, o.part), 0);
    o.mac[0] ^= 1;
    assert_int_equal(verify(&claim, k, o.part), R_SIGNATURE);
    o.mac[0] ^= 1;
    ((uint8_t *)claim.signature.p)[claim.signature.n / 2] ^= 1;
    assert_int_equal(verify(&claim, k, o.part), R_SIGNATURE);
    cr_key_unref(k);
}

static void theirs(void **state)
{
    static struct run r;
    (void)state;
    for (size_t i = 0; i < sizeof v2_sig_vectors / sizeof *v2_sig_vectors; i++) {
        const struct v2_sig_vector *t = &v2_sig_vectors[i];
        set_up(&r, t);
        check(&r, true, t);
        check(&r, false, t);
    }
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {cmocka_unit_test(theirs)};
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests_name("ike/v2/sig_vector", tests, NULL, NULL);
    cr_fini();
    return failed;
}
