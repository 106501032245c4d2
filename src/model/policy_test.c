/* The order of the SPD's rows. */
#include "model/policy.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

struct rule {
    uint32_t priority;
    enum policy_action action;
    const char *local, *remote;
};

static uint64_t rank_of(const struct rule *r)
{
    struct ts_conf l, m;
    const char *why;
    assert_int_equal(ts_conf_parse(&l, r->local, &why), E_OK);
    assert_int_equal(ts_conf_parse(&m, r->remote, &why), E_OK);
    return policy_rank(r->priority, r->action, &l.ts, &m.ts);
}

/* From the first to the last that is asked. */
static void test_order(void **state)
{
    static const struct rule rules[] = {
        {1, POL_PROTECT, "0.0.0.0/0", "0.0.0.0/0"}, /* explicit before automatic, however wide */
        {2, POL_BYPASS, "10.1.0.0/16", "10.2.0.1/32"},
        {3, POL_DROP, "10.1.0.0/16", "10.2.0.0/24"},
        {3, POL_PROTECT, "10.1.0.0/16", "10.2.0.0/24"}, /* a tie: closed before open */
        {3, POL_BYPASS, "10.1.0.0/16", "10.2.0.0/24"},
        {3, POL_DROP, "10.1.0.0/16", "10.2.0.0/16"},
        {199999, POL_BYPASS, "0.0.0.0/0", "0.0.0.0/0"},
        {0, POL_BYPASS, "fd01::/64", "fd02::1[tcp/80]"}, /* automatic: the narrower */
        {0, POL_BYPASS, "fd01::/64", "fd02::1[tcp]"},
        {0, POL_DROP, "fd01::/64", "fd02::1"},
        {0, POL_BYPASS, "fd01::/64", "fd02::/64"},
        {0, POL_DROP, "10.1.0.0/16", "10.2.0.0/16"},
        {0, POL_BYPASS, "0.0.0.0/0", "0.0.0.0/0"}, /* shunts before what protects */
        {0, POL_PROTECT, "10.1.0.7", "10.2.0.1[tcp/80]"},
        {0, POL_PROTECT, "10.1.0.0/16", "10.2.0.1[tcp/1000-1001]"},
        {0, POL_PROTECT, "10.1.0.0/16", "10.2.0.1-10.2.0.3"},
        {0, POL_PROTECT, "10.1.0.0/16", "10.2.0.0/16"},
        {0, POL_PROTECT, "0.0.0.0/0", "0.0.0.0/0"},
        {400001, POL_DROP, "10.1.0.7", "10.2.0.7"},
        {UINT32_MAX, POL_DROP, "10.1.0.7", "10.2.0.7"},
    };
    (void)state;
    for (size_t i = 0; i + 1 < sizeof rules / sizeof *rules; i++)
        if (rank_of(&rules[i]) >= rank_of(&rules[i + 1]))
            fail_msg("rule %zu does not come before the next", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
