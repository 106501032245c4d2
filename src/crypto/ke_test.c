/* Key exchange: the RFCs' examples, agreement, and the values RFC 6989 forbids. */
#include "crypto/test_hex.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "vectors/crypto/ke.h"
#include "vectors/crypto/x7748.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define PUB_MAX  1024

static const uint16_t methods[] = {1,  2,  5,  14, 15, 16, 17, 18, 19, 20, 21,
                                   22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

static void same(const char *want, struct bytes got)
{
    uint8_t b[PUB_MAX];
    assert_true(bytes_eq(unhex(want, b, sizeof b), got));
}

static void same_sha1(const char *want, struct bytes got)
{
    uint8_t h[20];
    assert_int_equal(cr_sha1(got, h), 0);
    same(want, bytes_of(h, sizeof h));
}

static struct cr_ke *from_hex(uint16_t method, const char *x)
{
    uint8_t b[PUB_MAX];
    struct cr_ke *ke;
    assert_int_equal(cr_ke_new_from(method, unhex(x, b, sizeof b), &ke), 0);
    return ke;
}

/* RFC 5903 8.1 to 8.3, RFC 5114 A.1 to A.5, RFC 7748 6.1 and 6.2, RFC 8031 A */
static void examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ke_examples); i++) {
        struct cr_ke *a = from_hex(ke_examples[i].method, ke_examples[i].xa);
        struct cr_ke *b = from_hex(ke_examples[i].method, ke_examples[i].xb);
        struct secret za = {0}, zb = {0};
        same(ke_examples[i].ya, cr_ke_public(a));
        same(ke_examples[i].yb, cr_ke_public(b));
        assert_int_equal(cr_ke_derive(a, cr_ke_public(b), &za), 0);
        assert_int_equal(cr_ke_derive(b, cr_ke_public(a), &zb), 0);
        same(ke_examples[i].z, secret_bytes(&za));
        same(ke_examples[i].z, secret_bytes(&zb));
        secret_free(&za);
        secret_free(&zb);
        cr_ke_free(a);
        cr_ke_free(b);
    }
}

/* X25519(scalar, u) or X448(scalar, u) to out. */
static void x_function(uint16_t method, const uint8_t *scalar, const uint8_t *u, uint8_t *out)
{
    size_t n = alg_find(T_KE, method, 0)->pub_len;
    struct secret z = {0};
    struct cr_ke *ke;
    assert_int_equal(cr_ke_new_from(method, bytes_of(scalar, n), &ke), 0);
    assert_int_equal(cr_ke_derive(ke, bytes_of(u, n), &z), 0);
    assert_int_equal(z.n, n);
    memcpy(out, z.p, n);
    secret_free(&z);
    cr_ke_free(ke);
}

/* RFC 7748 5.2. The u of the second case has its highest bit set, which X25519 must ignore. */
static void x_functions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(x_cases); i++) {
        uint8_t scalar[56], u[56], out[56];
        size_t n = unhex(x_cases[i].scalar, scalar, sizeof scalar).n;
        unhex(x_cases[i].u, u, sizeof u);
        x_function(x_cases[i].method, scalar, u, out);
        same(x_cases[i].out, bytes_of(out, n));
    }
}

/* RFC 7748 5.2: the result becomes the scalar, the scalar u. */
static void x_functions_iterated(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(x_iterated); i++) {
        uint8_t k[56] = {x_iterated[i].method == KE_CURVE25519 ? 9 : 5}, u[56], out[56];
        memcpy(u, k, sizeof u);
        for (unsigned n = 0; n < x_iterated[i].iterations; n++) {
            x_function(x_iterated[i].method, k, u, out);
            memcpy(u, k, sizeof u);
            memcpy(k, out, sizeof k);
        }
        same(x_iterated[i].out, bytes_of(k, strlen(x_iterated[i].out) / 2));
    }
}

/* Against Python's integers; the last case has a shared secret that begins with a zero octet,
 * which must stay (RFC 7296 2.14). */
static void modp_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ke_modp); i++) {
        struct cr_ke *a = from_hex(ke_modp[i].method, ke_modp[i].xa);
        struct cr_ke *b = from_hex(ke_modp[i].method, ke_modp[i].xb);
        struct secret z = {0};
        same_sha1(ke_modp[i].ya_sha1, cr_ke_public(a));
        same_sha1(ke_modp[i].yb_sha1, cr_ke_public(b));
        assert_int_equal(cr_ke_derive(a, cr_ke_public(b), &z), 0);
        same_sha1(ke_modp[i].z_sha1, secret_bytes(&z));
        if (i == COUNT(ke_modp) - 1)
            assert_int_equal(z.p[0], 0);
        secret_free(&z);
        cr_ke_free(a);
        cr_ke_free(b);
    }
}

static void random_halves_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct cr_ke *a, *b;
        struct secret za = {0}, zb = {0};
        assert_int_equal(cr_ke_new(methods[i], &a), 0);
        assert_int_equal(cr_ke_new(methods[i], &b), 0);
        assert_int_equal(cr_ke_public(a).n, alg_find(T_KE, methods[i], 0)->pub_len);
        assert_false(bytes_eq(cr_ke_public(a), cr_ke_public(b)));
        assert_int_equal(cr_ke_derive(a, cr_ke_public(b), &za), 0);
        assert_int_equal(cr_ke_derive(b, cr_ke_public(a), &zb), 0);
        assert_true(bytes_eq(secret_bytes(&za), secret_bytes(&zb)));
        secret_free(&za);
        secret_free(&zb);
        cr_ke_free(a);
        cr_ke_free(b);
    }
}

/* Our public value comes from a table, the peer's secret from the general way: often enough that
 * every digit meets every row. */
static void table_of_powers(void **state)
{
    static const uint16_t of[] = {KE_MODP_1024, KE_MODP_2048};
    (void)state;
    for (size_t i = 0; i < COUNT(of); i++) {
        struct cr_ke *fixed;
        assert_int_equal(cr_ke_new_from(of[i], bytes_of("\x03", 1), &fixed), 0);
        for (int n = 0; n < 100; n++) {
            struct cr_ke *ke;
            struct secret za = {0}, zb = {0};
            assert_int_equal(cr_ke_new(of[i], &ke), 0);
            assert_int_equal(cr_ke_derive(ke, cr_ke_public(fixed), &za), 0);
            assert_int_equal(cr_ke_derive(fixed, cr_ke_public(ke), &zb), 0);
            assert_true(bytes_eq(secret_bytes(&za), secret_bytes(&zb)));
            secret_free(&za);
            secret_free(&zb);
            cr_ke_free(ke);
        }
        cr_ke_free(fixed);
    }
}

static void refuse(struct cr_ke *ke, struct bytes peer)
{
    struct secret z = {0};
    assert_int_equal(cr_ke_derive(ke, peer, &z), R_KE_VALUE);
    assert_null(z.p);
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        uint8_t b[PUB_MAX + 2] = {0};
        struct cr_ke *ke;
        assert_int_equal(cr_ke_new(methods[i], &ke), 0);
        size_t n = cr_ke_public(ke).n;
        memcpy(b + 1, cr_ke_public(ke).p, n);
        refuse(ke, bytes_of(b, n + 1));
        refuse(ke, bytes_of(b + 1, n + 1));
        refuse(ke, bytes_of(b + 1, n - 1));
        refuse(ke, bytes_of(b + 1, 0));
        cr_ke_free(ke);
    }
}

/* RFC 6989 2.1: 0, 1, p - 1, p and what is above */
static void modp_values_outside_the_group_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ke_primes); i++) {
        uint8_t b[PUB_MAX] = {0};
        struct secret z = {0};
        struct cr_ke *ke;
        assert_int_equal(cr_ke_new(ke_primes[i].method, &ke), 0);
        struct bytes y = bytes_of(b, cr_ke_public(ke).n);
        refuse(ke, y);
        b[y.n - 1] = 1;
        refuse(ke, y);
        assert_int_equal(unhex(ke_primes[i].p, b, sizeof b).n, y.n);
        refuse(ke, y);
        b[y.n - 1]--;
        refuse(ke, y);
        memset(b, 0xff, y.n);
        refuse(ke, y);
        memset(b, 0, y.n);
        b[y.n - 1] = 2;
        /* 2.2: 2 is in the group of a safe prime, and not in the subgroup of order q of 22 to 24 */
        assert_int_equal(cr_ke_derive(ke, y, &z), ke_primes[i].method >= 22 ? R_KE_VALUE : 0);
        secret_free(&z);
        cr_ke_free(ke);
    }
}

/* RFC 6989 2.3: off the curve, and coordinates that are not below p */
static void points_off_the_curve_are_refused(void **state)
{
    (void)state;
    static const uint16_t ecp[] = {19, 20, 21, 25, 26, 27, 28, 29, 30};
    for (size_t m = 0; m < COUNT(ecp); m++) {
        uint8_t b[PUB_MAX];
        struct cr_ke *ke;
        assert_int_equal(cr_ke_new(ecp[m], &ke), 0);
        struct bytes y = bytes_of(b, cr_ke_public(ke).n);
        for (size_t bit = 0; bit < 8 * y.n; bit += 13) {
            memcpy(b, cr_ke_public(ke).p, y.n);
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            refuse(ke, y);
        }
        memset(b, 0, y.n);
        refuse(ke, y);
        memset(b, 0xff, y.n);
        refuse(ke, y);
        cr_ke_free(ke);
    }
}

/* RFC 8031 3.2, RFC 7748 6: points of small order give zero */
static void xdh_zero_results_are_refused(void **state)
{
    (void)state;
    static const char *const low25519[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t b[56] = {0};
    struct cr_ke *ke;
    assert_int_equal(cr_ke_new(KE_CURVE25519, &ke), 0);
    for (size_t i = 0; i < COUNT(low25519); i++)
        refuse(ke, unhex(low25519[i], b, sizeof b));
    cr_ke_free(ke);
    assert_int_equal(cr_ke_new(KE_CURVE448, &ke), 0);
    memset(b, 0, sizeof b);
    refuse(ke, bytes_of(b, sizeof b));
    b[0] = 1;
    refuse(ke, bytes_of(b, sizeof b));
    cr_ke_free(ke);
}

static void unknown_methods_are_not_supported(void **state)
{
    (void)state;
    static const uint16_t bad[] = {0, 3, 4, 6, 13, 33, 34, 999};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct cr_ke *ke;
        assert_int_equal(cr_ke_new(bad[i], &ke), E_NOTSUP);
        assert_null(ke);
    }
}

static int setup(void **state)
{
    (void)state;
    const char *what;
    return cr_init(&what);
}

static int teardown(void **state)
{
    (void)state;
    cr_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(x_functions),
        cmocka_unit_test(x_functions_iterated),
        cmocka_unit_test(modp_values),
        cmocka_unit_test(random_halves_agree),
        cmocka_unit_test(table_of_powers),
        cmocka_unit_test(wrong_lengths_are_refused),
        cmocka_unit_test(modp_values_outside_the_group_are_refused),
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(xdh_zero_results_are_refused),
        cmocka_unit_test(unknown_methods_are_not_supported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
