/*
 * Whole negotiations of strongSwan with the secrets that it logged: SKEYID and its children, the
 * cipher's key, every IV (each message decrypts and its hash holds), HASH_I, HASH_R, HASH(1) to (3)
 * and the keys of the IPsec SAs. RFC 2409 5, 5.5, appendix B.
 */
#include "ike/v1/v1.h"
#include "v1_psk.h"
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
    const struct v1_vector *t;
    struct v1_sa v;
    struct v1_phase1 p1;
    bool aggressive;
    struct v1_msg m[9]; /* phase 1, then quick mode */
    uint8_t raw[9][2048], shared[1024];
};

static struct v1_msg *load(struct run *r, size_t i, const char *hex)
{
    struct v1_msg *m = &r->m[i];
    m->raw = unhex(hex, r->raw[i]);
    assert_int_equal(ike_hdr_parse(m->raw, &m->hdr), 0);
    m->encrypted = m->hdr.flags & IKE_V1_FLAG_ENCRYPTION;
    return m;
}

static struct v1_msg *load_clear(struct run *r, size_t i, const char *hex)
{
    struct v1_msg *m = load(r, i, hex);
    assert_false(m->encrypted);
    assert_int_equal(v1_msg_read(&r->v, m, NULL), 0);
    return m;
}

static struct ike_msg keep(struct bytes b)
{
    return (struct ike_msg){(uint8_t *)b.p, b.n};
}

static void first_messages(struct run *r)
{
    const struct v1_vector *t = r->t;
    size_t ke = r->aggressive ? 0 : 2;
    static struct v1_sa_body sa;
    struct v1_msg *m1 = load_clear(r, 0, t->p1[0]), *m2 = load_clear(r, 1, t->p1[1]);
    if (!r->aggressive) {
        load_clear(r, 2, t->p1[2]);
        load_clear(r, 3, t->p1[3]);
    }
    assert_int_equal(sa_v1_parse(v1_body(m2, P1_SA), true, &sa), 0);
    v1_suite_set(&r->v.sa, &sa.t[0].p);
    r->v.sa.spi_i = m2->hdr.spi_i;
    r->v.sa.spi_r = m2->hdr.spi_r;
    r->v.p1 = &r->p1;
    r->p1.sa_i = keep(v1_body(m1, P1_SA));
    r->p1.ke_i = keep(v1_body(&r->m[ke], P1_KE));
    r->p1.ke_r = keep(v1_body(&r->m[ke + 1], P1_KE));
    r->p1.ni = keep(v1_body(&r->m[ke], P1_NONCE));
    r->p1.nr = keep(v1_body(&r->m[ke + 1], P1_NONCE));
    if (r->aggressive) {
        r->p1.id_i = keep(v1_body(m1, P1_ID));
        r->p1.id_r = keep(v1_body(m2, P1_ID));
    }
}

static void keys(struct run *r)
{
    const struct v1_vector *t = r->t;
    struct v1_seeds s = {.prf = r->v.sa.prf,
                         .encr = r->v.sa.encr,
                         .psk = bytes_of(t->psk, strlen(t->psk)),
                         .shared = unhex(t->shared, r->shared),
                         .ni = v1_bytes(&r->p1.ni),
                         .nr = v1_bytes(&r->p1.nr),
                         .cky_i = r->v.sa.spi_i,
                         .cky_r = r->v.sa.spi_r};
    assert_int_equal(v1_keys_make(&r->v.keys, &s), 0);
    assert_hex(v1_skeyid(&r->v.keys), t->skeyid);
    assert_hex(v1_key_d(&r->v.keys), t->d);
    assert_hex(v1_key_a(&r->v.keys), t->a);
    assert_hex(v1_key_cipher(&r->v.keys), t->key);
    assert_int_equal(
        v1_iv_phase1(r->v.sa.prf, v1_bytes(&r->p1.ke_i), v1_bytes(&r->p1.ke_r), r->v.iv), 0);
    assert_hex(bytes_of(r->v.iv, r->v.sa.encr->block), t->iv);
}

static void hash_is(struct run *r, bool initiators, struct bytes got)
{
    uint8_t hash[CR_HASH_MAX];
    assert_int_equal(v1_hash_phase1(&r->v, r->v.sa.prf, initiators, hash), 0);
    assert_hex(bytes_of(hash, r->v.sa.prf->out_len), initiators ? r->t->hash_i : r->t->hash_r);
    assert_true(bytes_eq(got, bytes_of(hash, r->v.sa.prf->out_len)));
}

static void encrypted(struct run *r, size_t i)
{
    struct v1_msg *m = load(r, i, r->t->p1[i]);
    assert_true(m->encrypted);
    assert_int_equal(v1_msg_read(&r->v, m, r->v.iv), 0);
    memcpy(r->v.iv, m->iv, sizeof m->iv);
}

static void last_messages(struct run *r)
{
    if (r->aggressive) {
        hash_is(r, false, v1_body(&r->m[1], P1_HASH));
        encrypted(r, 2);
        hash_is(r, true, v1_body(&r->m[2], P1_HASH));
        return;
    }
    encrypted(r, 4);
    r->p1.id_i = keep(v1_body(&r->m[4], P1_ID));
    hash_is(r, true, v1_body(&r->m[4], P1_HASH));
    encrypted(r, 5);
    r->p1.id_r = keep(v1_body(&r->m[5], P1_ID));
    hash_is(r, false, v1_body(&r->m[5], P1_HASH));
}

static void quick(struct run *r)
{
    uint8_t iv[V1_BLOCK_MAX], hash[CR_HASH_MAX];
    struct bytes ni = {0}, nr = {0};
    for (size_t i = 0; i < 3; i++) {
        struct v1_msg *m = load(r, 6 + i, r->t->quick[i]);
        struct bytes got, rest;
        if (!i)
            assert_int_equal(v1_iv_phase2(&r->v, m->hdr.msg_id, iv), 0);
        assert_int_equal(v1_msg_read(&r->v, m, iv), 0);
        memcpy(iv, m->iv, sizeof iv);
        assert_true(v1_after_hash(m, &got, &rest));
        struct bytes parts[] = {ni, nr, rest};
        assert_int_equal(v1_hash_phase2(&r->v, i == 2, m->hdr.msg_id, parts, 3, hash), 0);
        assert_hex(bytes_of(hash, r->v.sa.prf->out_len), r->t->hash[i]);
        assert_hex(got, r->t->hash[i]);
        if (i == 0)
            ni = v1_body(m, P1_NONCE);
        else if (i == 1)
            nr = v1_body(m, P1_NONCE);
    }
}

/* The keys of what one side sends: made with the SPI that the other chose. */
static void child(struct run *r, size_t spi_of, const char *encr, const char *integ)
{
    static struct v1_sa_body sa;
    struct child_keys k = {0};
    uint8_t pfs[1024];
    assert_int_equal(sa_v1_parse(v1_body(&r->m[spi_of], P1_SA), false, &sa), 0);
    assert_int_equal(sa.count, 1);
    const struct alg *a = proposal_alg(&sa.t[0].p, T_ENCR);
    struct bytes shared = r->t->quick_shared ? unhex(r->t->quick_shared, pfs) : bytes_of(NULL, 0);
    assert_int_equal(v1_child_keys(r->v.sa.prf, v1_key_d(&r->v.keys), shared, PROTO_ESP,
                                   get_u32(sa.t[0].spi.p), v1_body(&r->m[6], P1_NONCE),
                                   v1_body(&r->m[7], P1_NONCE), a,
                                   a->aead ? NULL : proposal_alg(&sa.t[0].p, T_INTEG), &k),
                     0);
    assert_hex(secret_bytes(&k.encr), encr);
    if (integ)
        assert_hex(secret_bytes(&k.integ), integ);
    secret_free(&k.encr);
    secret_free(&k.integ);
}

static void known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof v1_vectors / sizeof *v1_vectors; i++) {
        static struct run r;
        r = (struct run){.t = &v1_vectors[i]};
        r.aggressive = strstr(r.t->name, "aggressive") != NULL;
        first_messages(&r);
        keys(&r);
        last_messages(&r);
        quick(&r);
        child(&r, 7, r.t->encr_i, r.t->integ_i);
        child(&r, 6, r.t->encr_r, r.t->integ_r);
        secret_free(&r.v.keys.all);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answers)};
    return cmocka_run_group_tests(tests, init, fini);
}
