/* What an initiator makes of the mode in an answer: RFC 7296 1.3.1. Answers that culvertd never
 * gives are among them; what two engines agree on is ike/mode_test.c. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include "ike/v2/v2.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name;
    enum ipsec_mode asked;
    uint16_t told[2]; /* notifies */
    const char *tsi, *tsr;
    err_t err;
    enum ipsec_mode mode;
    const char *ours, *theirs; /* of the refusal */
} cases[] = {
    {"tunnel", MODE_TUNNEL, {0}, "10.1.0.0/16", "10.2.0.0/16", E_OK, MODE_TUNNEL, NULL, NULL},
    {"transport",
     MODE_TRANSPORT,
     {N_USE_TRANSPORT_MODE},
     "10.1.0.1",
     "10.2.0.1",
     E_OK,
     MODE_TRANSPORT,
     NULL,
     NULL},
    {"BEET", MODE_BEET, {N_USE_BEET_MODE}, "10.1.0.1", "10.2.0.1", E_OK, MODE_BEET, NULL, NULL},
    {"BEET declined", MODE_BEET, {0}, "10.1.0.1", "10.2.0.1", E_OK, MODE_TUNNEL, NULL, NULL},
    {"BEET declined for networks",
     MODE_BEET,
     {0},
     "10.1.0.0/16",
     "10.2.0.0/16",
     E_OK,
     MODE_TUNNEL,
     NULL,
     NULL},
    {"BEET for a network",
     MODE_BEET,
     {N_USE_BEET_MODE},
     "10.1.0.1",
     "10.2.0.0/31",
     R_MODE,
     MODE_BEET,
     "beet",
     "beet for 10.1.0.1/32 === 10.2.0.0/31"},
    {"transport declined",
     MODE_TRANSPORT,
     {0},
     "10.1.0.1",
     "10.2.0.1",
     R_MODE,
     MODE_TRANSPORT,
     "transport",
     "tunnel"},
    {"transport that nobody asked for",
     MODE_TUNNEL,
     {N_USE_TRANSPORT_MODE},
     "10.1.0.1",
     "10.2.0.1",
     R_MODE,
     MODE_TUNNEL,
     "tunnel",
     "transport"},
    {"3.10.1: a private number that nobody asked for",
     MODE_TUNNEL,
     {N_USE_BEET_MODE},
     "10.1.0.1",
     "10.2.0.1",
     E_OK,
     MODE_TUNNEL,
     NULL,
     NULL},
    {"the same, for transport",
     MODE_TRANSPORT,
     {N_USE_BEET_MODE, N_USE_TRANSPORT_MODE},
     "10.1.0.1",
     "10.2.0.1",
     E_OK,
     MODE_TRANSPORT,
     NULL,
     NULL},
    {"nothing else for transport",
     MODE_TRANSPORT,
     {N_USE_BEET_MODE},
     "10.1.0.1",
     "10.2.0.1",
     R_MODE,
     MODE_TRANSPORT,
     "transport",
     "tunnel"},
    {"both",
     MODE_BEET,
     {N_USE_BEET_MODE, N_USE_TRANSPORT_MODE},
     "10.1.0.1",
     "10.2.0.1",
     R_MODE,
     MODE_BEET,
     "beet",
     "transport"},
};

static struct ts_list one(const char *text)
{
    struct ts_conf c;
    const char *why;
    assert_int_equal(ts_conf_parse(&c, text, &why), E_OK);
    return (struct ts_list){1, {c.ts}};
}

static void answer(struct v2_msg *m, const uint16_t told[2], uint8_t body[2][4])
{
    for (size_t i = 0; i < 2 && told[i]; i++) {
        put_u16(body[i], 0); /* no SA, no SPI */
        put_u16(body[i] + 2, told[i]);
        m->in.p[m->in.count++] =
            (struct payload){.type = PL_NOTIFY, .known = true, .body = bytes_of(body[i], 4)};
    }
}

static void accepts(void **state)
{
    static struct pair p;
    static struct ike_out out;
    static struct v2_sa sa;
    (void)state;
    pair_init(&p, NULL);
    p.a.e->out = &out;
    struct conn *c = pair_conn(&p.a, &p.b, "aes128-sha256-ecp256", "aes128-sha256");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct v2_msg m;
        uint8_t body[2][4];
        struct refusal r = {0};
        struct ts_list tsi = one(cases[i].tsi), tsr = one(cases[i].tsr);
        c->child[0].mode = cases[i].asked;
        struct v2_exch x = {.msg = &m,
                            .tsi = &tsi,
                            .tsr = &tsr,
                            .mode = cases[i].asked,
                            .conn = c,
                            .cc = &c->child[0]};
        m = (struct v2_msg){0};
        answer(&m, cases[i].told, body);
        err_t err = v2_mode_accept(p.a.e, &sa, &x, &r);
        if (err != cases[i].err || x.mode != cases[i].mode)
            fail_msg("%s: %d, mode %d", cases[i].name, err, x.mode);
        if (!err)
            continue;
        assert_string_equal(r.what, "mode");
        assert_string_equal(r.ours, cases[i].ours);
        assert_string_equal(r.theirs, cases[i].theirs);
        assert_non_null(r.hint);
    }
    conn_unref(c);
    p.a.e->out = NULL;
    pair_fini(&p);
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {cmocka_unit_test(accepts)};
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
