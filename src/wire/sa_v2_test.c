/* SA payloads: RFC 7296 3.3. */
#include "wire/sa_v2.h"
#include "wire/payload.h"
#include "wire/roundtrip.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* transforms; M: more follow, L: the last */
#define M_AES128 "\3\0\0\x0c\1\0\0\x0c\x80\x0e\0\x80"
#define L_AES128 "\0\0\0\x0c\1\0\0\x0c\x80\x0e\0\x80"
#define M_SHA2   "\3\0\0\x08\3\0\0\x0c"
#define L_SHA2   "\0\0\0\x08\3\0\0\x0c"
#define L_ESN0   "\0\0\0\x08\5\0\0\0"
#define M_TLV    "\3\0\0\x0e\1\0\0\x0c\0\1\0\2xx" /* an attribute we do not know */
#define L_TYPE9  "\0\0\0\x08\x09\0\0\1"
/* heads of proposals: last or more, total length, number, protocol, SPI size, transforms */
#define ESP(more, len, no, count) more "\0\0" len no "\3\4" count "SPI4"

struct sample {
    const char *name, *b;
    size_t n;
    err_t err;
    size_t proposals, transforms; /* of the first */
    bool unusable;
};

#define CASE(name, b, err, ps, ts, un)                                                             \
    {                                                                                              \
        name, b, sizeof(b) - 1, err, ps, ts, un                                                    \
    }

/* clang-format off */
static const struct sample samples[] = {
    CASE("empty", "", R_TRUNCATED, 0, 0, false),
    CASE("one", ESP("\0", "\x28", "\1", "\3") M_AES128 M_SHA2 L_ESN0, 0, 1, 3, false),
    CASE("two", ESP("\2", "\x18", "\1", "\1") L_AES128 ESP("\0", "\x14", "\2", "\1") L_SHA2,
         0, 2, 1, false),
    CASE("3.3.1: last although more follow",
         ESP("\0", "\x18", "\1", "\1") L_AES128 ESP("\0", "\x14", "\2", "\1") L_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("3.3.1: more although it is the last", ESP("\2", "\x14", "\1", "\1") L_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("3.3.1: numbers start at 1",
         ESP("\2", "\x18", "\2", "\1") L_AES128 ESP("\0", "\x14", "\3", "\1") L_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("3.3.1: numbers go up by one",
         ESP("\2", "\x18", "\1", "\1") L_AES128 ESP("\0", "\x14", "\3", "\1") L_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("3.3.1: an answer keeps its number", ESP("\0", "\x14", "\5", "\1") L_SHA2, 0, 1, 1, false),
    CASE("3.3.2: last transform says more", ESP("\0", "\x14", "\1", "\1") M_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("3.3.2: first transform says last", ESP("\0", "\x20", "\1", "\2") L_AES128 L_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("fewer transforms than counted", ESP("\0", "\x14", "\1", "\2") L_SHA2,
         R_TRUNCATED, 0, 0, false),
    CASE("more transforms than counted", ESP("\0", "\x20", "\1", "\1") M_AES128 L_SHA2,
         R_SYNTAX, 0, 0, false),
    CASE("proposal longer than the payload", ESP("\0", "\x15", "\1", "\1") L_SHA2,
         R_TRUNCATED, 0, 0, false),
    CASE("proposal shorter than its head", ESP("\0", "\x07", "\1", "\1") L_SHA2,
         R_LENGTH, 0, 0, false),
    CASE("transform shorter than its head", ESP("\0", "\x14", "\1", "\1") "\0\0\0\x07\3\0\0\x0c",
         R_LENGTH, 0, 0, false),
    CASE("attribute cut off", ESP("\0", "\x16", "\1", "\1") "\0\0\0\x0a\1\0\0\x0c\x80\x0e",
         R_TRUNCATED, 0, 0, false),
    CASE("TLV attribute longer than the transform",
         ESP("\0", "\x18", "\1", "\1") "\0\0\0\x0c\1\0\0\x0c\0\1\0\1", R_TRUNCATED, 0, 0, false),
    CASE("3.3.6: unknown attribute: the transform goes",
         ESP("\0", "\x26", "\1", "\2") M_TLV L_AES128, 0, 1, 1, false),
    CASE("3.3.6: unknown attribute: none of the type is left",
         ESP("\0", "\x22", "\1", "\2") M_TLV L_SHA2, 0, 1, 1, true),
    CASE("3.3.6: unknown transform type", ESP("\0", "\x20", "\1", "\2") M_AES128 L_TYPE9,
         0, 1, 2, true),
    CASE("3.3.5: key length twice",
         ESP("\0", "\x1c", "\1", "\1") "\0\0\0\x10\1\0\0\x0c\x80\x0e\0\x80\x80\x0e\1\0",
         0, 1, 0, true),
    CASE("3.3.5: key length zero",
         ESP("\0", "\x18", "\1", "\1") "\0\0\0\x0c\1\0\0\x0c\x80\x0e\0\0", 0, 1, 0, true),
    CASE("IKE without SPI", "\0\0\0\x10\1\1\0\1" L_SHA2, 0, 1, 1, false),
    CASE("IKE with SPI of 8", "\0\0\0\x18\1\1\x08\1" "SPI8SPI8" L_SHA2, 0, 1, 1, false),
    CASE("IKE with SPI of 4", "\0\0\0\x14\1\1\4\1" "SPI4" L_SHA2, R_SYNTAX, 0, 0, false),
    CASE("ESP with SPI of 8", "\0\0\0\x18\1\3\x08\1" "SPI8SPI8" L_SHA2, R_SYNTAX, 0, 0, false),
    CASE("ESP without SPI", "\0\0\0\x10\1\3\0\1" L_SHA2, R_SYNTAX, 0, 0, false),
    CASE("unknown protocol", "\0\0\0\x19\1\7\x09\1" "SPI9SPI9x" L_SHA2, 0, 1, 1, true),
    CASE("no transforms", "\0\0\0\x08\1\1\0\0", 0, 1, 0, false),
};
/* clang-format on */

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *c = &samples[i];
        static struct proposals ps;
        err_t e = sa_v2_parse(bytes_of(c->b, c->n), &ps);
        if (e != c->err)
            fail_msg("%s: %s", c->name, err_name(e));
        assert_int_equal(roundtrip_body(PL_SA, bytes_of(c->b, c->n)), e ? RT_REFUSED : RT_HOLDS);
        if (!e && (ps.count != c->proposals || ps.p[0].count != c->transforms ||
                   ps.p[0].unusable != c->unusable))
            fail_msg("%s: %zu %u %d", c->name, ps.count, ps.p[0].count, ps.p[0].unusable);
    }
}

static void test_exact(void **state)
{
    static const char b[] =
        ESP("\2", "\x18", "\1", "\1") L_AES128 ESP("\0", "\x28", "\2", "\3") M_AES128 M_SHA2 L_ESN0;
    static struct proposals ps;
    uint8_t out[sizeof b];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    assert_int_equal(sa_v2_parse(bytes_of(b, sizeof b - 1), &ps), 0);
    assert_int_equal(ps.p[0].t[0].key_bits, 128);
    assert_memory_equal(ps.p[0].spi, "SPI4", 4);
    sa_v2_write(&w, &ps);
    assert_int_equal(w.err, 0);
    assert_int_equal(wr_len(&w), sizeof b - 1);
    assert_memory_equal(out, b, sizeof b - 1);
    for (size_t cap = 0; cap + 1 < sizeof b; cap++) {
        w = wr_of(out, cap);
        sa_v2_write(&w, &ps);
        assert_int_equal(w.err, E_SPACE);
    }
    ps.count = 0;
    w = wr_of(out, sizeof out);
    sa_v2_write(&w, &ps);
    assert_int_equal(w.err, E_USAGE);
}

/* Surplus proposals are checked and ignored. */
static void test_many_proposals(void **state)
{
    static struct proposals ps;
    uint8_t b[16 * (PROPOSALS_MAX + 5)];
    size_t n = sizeof b / 16;
    (void)state;
    for (size_t i = 0; i < n; i++)
        memcpy(b + 16 * i, "\2\0\0\x10\1\1\0\1" L_SHA2, 16), b[16 * i + 4] = (uint8_t)(i + 1);
    b[16 * (n - 1)] = 0;
    assert_int_equal(sa_v2_parse(bytes_of(b, sizeof b), &ps), 0);
    assert_int_equal(ps.count, PROPOSALS_MAX);
    b[sizeof b - 5] = 9; /* length of the last transform */
    assert_int_not_equal(sa_v2_parse(bytes_of(b, sizeof b), &ps), 0);
}

/* A surplus transform hurts only when its type would be gone. */
static void test_many_transforms(void **state)
{
    static struct proposals ps;
    static uint8_t b[8 + 8 * (PROPOSAL_TRANSFORMS_MAX + 1)];
    (void)state;
    memcpy(b, "\0\0\0\0\1\1\0", 8);
    put_u16(b + 2, sizeof b);
    b[7] = PROPOSAL_TRANSFORMS_MAX + 1;
    for (size_t i = 0; i <= PROPOSAL_TRANSFORMS_MAX; i++)
        memcpy(b + 8 + 8 * i, M_SHA2, 8);
    b[sizeof b - 8] = 0;
    assert_int_equal(sa_v2_parse(bytes_of(b, sizeof b), &ps), 0);
    assert_int_equal(ps.p[0].count, PROPOSAL_TRANSFORMS_MAX);
    assert_false(ps.p[0].unusable);
    b[sizeof b - 4] = T_KE; /* ignoring a key exchange would be agreeing to none */
    assert_int_equal(sa_v2_parse(bytes_of(b, sizeof b), &ps), 0);
    assert_true(ps.p[0].unusable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_many_proposals),
        cmocka_unit_test(test_many_transforms),
    };
    return cmocka_run_group_tests_name("wire/sa_v2", tests, NULL, NULL);
}
