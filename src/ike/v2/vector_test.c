/*
 * Real negotiations of strongSwan, with the secrets its log told: our keys are the same, its
 * IKE_AUTH messages open, the AUTH values are what we would expect. RFC
 * 7296 2.14, 2.15, 2.17, 3.14.
 */
#include "ike/v2/v2.h"
#include "v2_psk.h"
#include "wire/id.h"
#include "wire/sa_v2.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct bytes unhex(const char *s, uint8_t *out)
{
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        for (size_t k = 0; k < 2; k++) {
            char c = s[2 * i + k];
            v = v << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        out[i] = (uint8_t)v;
    }
    return bytes_of(out, n);
}

static void assert_hex(struct bytes got, const char *want)
{
    uint8_t buf[2048];
    struct bytes w = unhex(want, buf);
    assert_int_equal(got.n, w.n);
    if (w.n)
        assert_memory_equal(got.p, w.p, w.n);
}

static void chosen(const struct payloads *ps, struct proposal *out)
{
    static struct proposals all;
    const struct payload *p = payloads_find(ps, PL_SA);
    assert_non_null(p);
    assert_int_equal(sa_v2_parse(p->body, &all), 0);
    *out = all.p[0];
}

struct run {
    struct v2_sa v;
    struct v2_init init;
    uint8_t ni[256], nr[256], init_i[2048], init_r[2048], shared[256], msg[2][4096], psk[64];
    struct v2_msg m[2]; /* IKE_AUTH request and response, opened */
};

static void set_up(struct run *r, const struct v2_vector *t)
{
    struct proposal p;
    struct payloads ps;
    *r = (struct run){0};
    struct bytes i = unhex(t->init_i, r->init_i), s = unhex(t->init_r, r->init_r);
    assert_int_equal(payloads_parse(ike_hdr_body(s), s.p[16], &ps), 0);
    chosen(&ps, &p);
    r->v.init = &r->init;
    r->init.req = (struct ike_msg){r->init_i, i.n};
    r->init.resp = (struct ike_msg){r->init_r, s.n};
    r->init.ni = unhex(t->ni, r->ni);
    r->init.nr = unhex(t->nr, r->nr);
    r->v.sa.spi_i = get_u64(s.p);
    r->v.sa.spi_r = get_u64(s.p + 8);
    v2_suite_set(&r->v.sa, &p);
    struct v2_suite suite = {r->v.sa.encr, r->v.sa.integ, r->v.sa.prf};
    assert_int_equal(v2_keys_init(&r->v.keys, &suite, unhex(t->shared, r->shared), r->init.ni,
                                  r->init.nr, r->v.sa.spi_i, r->v.sa.spi_r),
                     0);
}

static void check_keys(const struct run *r, const struct v2_vector *t)
{
    const struct v2_keys *k = &r->v.keys;
    assert_hex(v2_key_d(k), t->d);
    assert_hex(v2_key_a(k, true), t->ai);
    assert_hex(v2_key_a(k, false), t->ar);
    assert_hex(v2_key_e(k, true), t->ei);
    assert_hex(v2_key_e(k, false), t->er);
    assert_hex(v2_key_p(k, true), t->pi);
    assert_hex(v2_key_p(k, false), t->pr);
}

static err_t open_one(struct run *r, size_t i, const char *hex)
{
    struct payloads clear;
    struct v2_msg *m = &r->m[i];
    m->raw = unhex(hex, r->msg[i]);
    assert_int_equal(ike_hdr_parse(m->raw, &m->hdr), 0);
    assert_int_equal(payloads_parse(ike_hdr_body(m->raw), m->hdr.next, &clear), 0);
    const struct v2_suite s = {r->v.sa.encr, r->v.sa.integ, r->v.sa.prf};
    return v2_sk_open(&s, &r->v.keys, i == 0, m, &clear.p[clear.count - 1]);
}

static void check_proof(struct run *r, size_t i, const struct v2_vector *t)
{
    struct id id;
    struct auth a;
    uint8_t want[CR_HASH_MAX];
    struct bytes psk = unhex(t->psk, r->psk);
    struct secret secret = {r->psk, psk.n};
    assert_int_equal(id_body_parse(v2_body(&r->m[i], i ? PL_IDR : PL_IDI), &id), 0);
    assert_int_equal(auth_parse(v2_body(&r->m[i], PL_AUTH), &a), 0);
    assert_int_equal(a.method, AM_SHARED_KEY);
    assert_int_equal(v2_auth_psk(&r->v, i == 0, &id, &secret, want), 0);
    assert_hex(bytes_of(want, r->v.sa.prf->out_len), i ? t->proof_r : t->proof_i);
    assert_hex(a.data, i ? t->proof_r : t->proof_i);
}

static void check_child(struct run *r, const struct v2_vector *t)
{
    struct proposal p;
    struct child_keys i2r = {0}, r2i = {0};
    chosen(&r->m[1].in, &p);
    const struct alg *encr = proposal_alg(&p, T_ENCR);
    const struct alg *integ = encr->aead ? NULL : proposal_alg(&p, T_INTEG);
    assert_int_equal(v2_child_keys(r->v.sa.prf, v2_key_d(&r->v.keys), bytes_of(NULL, 0), r->init.ni,
                                   r->init.nr, encr, integ, &i2r, &r2i),
                     0);
    assert_hex(secret_bytes(&i2r.encr), t->encr_i);
    assert_hex(secret_bytes(&r2i.encr), t->encr_r);
    assert_hex(secret_bytes(&i2r.integ), t->integ_i);
    assert_hex(secret_bytes(&r2i.integ), t->integ_r);
    secret_free(&i2r.encr);
    secret_free(&i2r.integ);
    secret_free(&r2i.encr);
    secret_free(&r2i.integ);
}

static void vectors(void **state)
{
    static struct run r;
    (void)state;
    for (size_t i = 0; i < sizeof v2_vectors / sizeof v2_vectors[0]; i++) {
        const struct v2_vector *t = &v2_vectors[i];
        print_message("%s\n", t->name);
        set_up(&r, t);
        check_keys(&r, t);
        assert_int_equal(open_one(&r, 0, t->auth_i), 0);
        assert_int_equal(open_one(&r, 1, t->auth_r), 0);
        check_proof(&r, 0, t);
        check_proof(&r, 1, t);
        check_child(&r, t);
        secret_free(&r.v.keys.all);
    }
}

/* One flipped bit anywhere in the protected message and it does not open. */
static void flipped_bits(void **state)
{
    static struct run r;
    (void)state;
    const struct v2_vector *t = &v2_vectors[0];
    char hex[8192];
    size_t n = strlen(t->auth_i);
    set_up(&r, t);
    for (size_t i = 2 * IKE_HDR_LEN + 8; i < n; i += 7) {
        memcpy(hex, t->auth_i, n + 1);
        hex[i] = hex[i] == '0' ? '1' : '0';
        assert_int_equal(open_one(&r, 0, hex), R_DECRYPT);
        assert_false(r.m[0].authentic);
    }
    secret_free(&r.v.keys.all);
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(flipped_bits),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
