/*
 * Phases 1 of strongSwan with signatures: SKEYID comes from the nonces, HASH_I and HASH_R are what
 * its log says, and SIG_I and SIG_R hold over them with the keys of the certificates. RFC 2409 5.1,
 * RFC 4754.
 */
#include "ike/v1/v1.h"
#include "v1_sig.h"
#include "wire/cert.h"
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

static void assert_hex(struct bytes got, const char *want)
{
    uint8_t buf[2048];
    struct bytes w = unhex(want, buf);
    assert_int_equal(got.n, w.n);
    assert_memory_equal(got.p, w.p, w.n);
}

struct run {
    const struct v1_sig_vector *t;
    struct v1_sa v;
    struct v1_phase1 p1;
    struct v1_msg m[6];
    size_t count;
    uint8_t raw[6][2048], shared[1024], spki[1024];
};

static void load(struct run *r)
{
    for (r->count = 0; r->count < 6 && r->t->p1[r->count]; r->count++) {
        struct v1_msg *m = &r->m[r->count];
        m->raw = unhex(r->t->p1[r->count], r->raw[r->count]);
        assert_int_equal(ike_hdr_parse(m->raw, &m->hdr), 0);
        m->encrypted = m->hdr.flags & IKE_V1_FLAG_ENCRYPTION;
        if (!m->encrypted)
            assert_int_equal(v1_msg_read(&r->v, m, NULL), 0);
    }
}

static struct ike_msg keep(struct bytes b)
{
    return (struct ike_msg){(uint8_t *)b.p, b.n};
}

static void keys(struct run *r, size_t ke)
{
    static struct v1_sa_body sa;
    const struct v1_msg *m = r->m;
    assert_int_equal(sa_v1_parse(v1_body(&m[1], P1_SA), true, &sa), 0);
    r->v.method = v1_method_of(sa.t[0].auth);
    assert_non_null(r->v.method);
    assert_int_equal(v1_proof_of(&r->v, true), V1_PROOF_SIG);
    v1_suite_set(&r->v.sa, &sa.t[0].p);
    r->v.sa.spi_i = m[1].hdr.spi_i;
    r->v.sa.spi_r = m[1].hdr.spi_r;
    r->v.p1 = &r->p1;
    r->p1.sa_i = keep(v1_body(&m[0], P1_SA));
    r->p1.ke_i = keep(v1_body(&m[ke], P1_KE));
    r->p1.ke_r = keep(v1_body(&m[ke + 1], P1_KE));
    struct v1_seeds s = {.prf = r->v.sa.prf,
                         .encr = r->v.sa.encr,
                         .shared = unhex(r->t->shared, r->shared),
                         .ni = v1_body(&m[ke], P1_NONCE),
                         .nr = v1_body(&m[ke + 1], P1_NONCE),
                         .cky_i = r->v.sa.spi_i,
                         .cky_r = r->v.sa.spi_r};
    assert_int_equal(v1_keys_make(&r->v.keys, &s), 0);
    assert_hex(v1_skeyid(&r->v.keys), r->t->skeyid);
    assert_hex(v1_key_cipher(&r->v.keys), r->t->key);
    assert_int_equal(v1_iv_phase1(s.prf, v1_bytes(&r->p1.ke_i), v1_bytes(&r->p1.ke_r), r->v.iv), 0);
    assert_hex(bytes_of(r->v.iv, r->v.sa.encr->block), r->t->iv);
}

static void open_rest(struct run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->m[i].encrypted)
            continue;
        assert_int_equal(v1_msg_read(&r->v, &r->m[i], r->v.iv), 0);
        memcpy(r->v.iv, r->m[i].iv, sizeof r->v.iv);
    }
}

static void check(struct run *r, const struct v1_msg *m, bool initiators)
{
    uint8_t hash[CR_HASH_MAX];
    struct cert c;
    struct cr_key *k;
    const char *spki = initiators ? r->t->spki_i : r->t->spki_r;
    const struct v1_method *method = r->v.method;
    assert_int_equal(v1_hash_phase1(&r->v, r->v.sa.prf, initiators, hash), 0);
    struct bytes h = bytes_of(hash, r->v.sa.prf->out_len);
    assert_hex(h, initiators ? r->t->hash_i : r->t->hash_r);
    assert_int_equal(cert_parse(v1_body(m, P1_CERT), &c), 0);
    assert_int_equal(c.encoding, CERT_X509_SIGNATURE);
    assert_int_equal(cr_key_public(unhex(spki, r->spki), &k), 0);
    assert_true(cr_scheme_fits(method->scheme, k));
    assert_int_equal(cr_key_info(k)->type, method->key);
    assert_int_equal(cr_verify(k, method->scheme, &h, 1, v1_body(m, P1_SIG)), 0);
    hash[0] ^= 1;
    assert_int_equal(cr_verify(k, method->scheme, &h, 1, v1_body(m, P1_SIG)), R_SIGNATURE);
    cr_key_unref(k);
}

static void theirs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof v1_sig_vectors / sizeof *v1_sig_vectors; i++) {
        static struct run r;
        r = (struct run){.t = &v1_sig_vectors[i]};
        load(&r);
        bool aggressive = r.count == 3;
        keys(&r, aggressive ? 0 : 2);
        open_rest(&r);
        r.p1.id_i = keep(v1_body(&r.m[aggressive ? 0 : 4], P1_ID));
        r.p1.id_r = keep(v1_body(&r.m[aggressive ? 1 : 5], P1_ID));
        check(&r, &r.m[aggressive ? 2 : 4], true);
        check(&r, &r.m[aggressive ? 1 : 5], false);
        secret_free(&r.v.keys.all);
    }
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {cmocka_unit_test(theirs)};
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests_name("ike/v1/sig_vector", tests, NULL, NULL);
    cr_fini();
    return failed;
}
