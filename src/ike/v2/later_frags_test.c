/* NON_FIRST_FRAGMENTS_ALSO between two engines: who agrees to later fragments, and rekeying. RFC
 * 7296 1.3.1, RFC 4301 7.3. */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct agreeing {
    const char *name, *local, *remote; /* as A has it; NULL: as usual */
    const char *far_local, *far_remote;
    enum ipsec_mode mode;
    uint8_t version;
    bool agreed;
};

static const struct agreeing cases[] = {
    {"any port", NULL, NULL, NULL, NULL, MODE_TUNNEL, 2, false},
    {"a port", "10.1.0.0/16[udp]", "10.2.0.0/16[udp/5000]", "10.2.0.0/16[udp/5000]",
     "10.1.0.0/16[udp]", MODE_TUNNEL, 2, true},
    {"narrowed to a port", "10.1.0.0/16[udp]", "10.2.0.0/16[udp/1-6000]", "10.2.0.0/16[udp/5000]",
     "10.1.0.0/16[udp]", MODE_TUNNEL, 2, true},
    {"fragments alone", "10.1.0.0/16[udp/opaque]", "10.2.0.0/16[udp/opaque]",
     "10.2.0.0/16[udp/opaque]", "10.1.0.0/16[udp]", MODE_TUNNEL, 2, false},
    {"ICMP's type", "10.1.0.0/16[icmp/2048]", "10.2.0.0/16[icmp/2048]", "10.2.0.0/16[icmp/2048]",
     "10.1.0.0/16[icmp/2048]", MODE_TUNNEL, 2, true},
    {"transport mode", "dynamic[udp]", "dynamic[udp/5000]", "dynamic[udp/5000]", "dynamic[udp]",
     MODE_TRANSPORT, 2, false},
    {"IKEv1 has no word for it", "10.1.0.0/16[udp]", "10.2.0.0/16[udp/5000]",
     "10.2.0.0/16[udp/5000]", "10.1.0.0/16[udp]", MODE_TUNNEL, 1, false},
};

static struct conn *conn_of(struct side *me, struct side *peer, const char *local,
                            const char *remote, const struct agreeing *a)
{
    const char *why;
    struct conn *c = pair_conn(me, peer, "aes128-sha256-ecp256", "aes128-sha256");
    struct conn_child *cc = &c->child[0];
    c->version = a->version;
    cc->mode = a->mode;
    if (local)
        assert_int_equal(ts_conf_parse(&cc->local_ts.ts[0], local, &why), E_OK);
    if (remote)
        assert_int_equal(ts_conf_parse(&cc->remote_ts.ts[0], remote, &why), E_OK);
    return c;
}

static void all_say(const struct side *s, const struct agreeing *a)
{
    assert_true(s->child_count > 0);
    for (size_t i = 0; i < s->child_count; i++)
        if (s->child[i].later_frags != a->agreed)
            fail_msg("%s: %s", a->name, a->agreed ? "not agreed" : "agreed");
}

static void run(const struct agreeing *a)
{
    struct pair *p = malloc(sizeof *p);
    assert_non_null(p);
    pair_init(p, NULL);
    pair_psk(&p->a, "only-for-tests");
    pair_psk(&p->b, "only-for-tests");
    pair_load(&p->a, conn_of(&p->a, &p->b, a->local, a->remote, a));
    pair_load(&p->b, conn_of(&p->b, &p->a, a->far_local, a->far_remote, a));
    pair_initiate(&p->a, "conn", "net", 1);
    pair_run(p);
    assert_int_equal(pair_result(&p->a, 1), E_OK);
    all_say(&p->a, a);
    all_say(&p->b, a);
    uint32_t was = p->a.child[0].id;
    pair_pass(p, 2 * 3600 * 1000); /* the SA has been replaced */
    assert_true(p->a.child[0].id != was);
    all_say(&p->a, a);
    all_say(&p->b, a);
    pair_fini(p);
    free(p);
}

static void test_agreeing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run(&cases[i]);
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agreeing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
