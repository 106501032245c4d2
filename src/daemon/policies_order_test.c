/* Places of rows in the guard, against the order that they come from. */
#include "daemon/policies_order.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

enum { RULES = 40, RANKS = 30 };

struct rule {
    uint64_t rank;
    enum policy_action action; /* follows from the rank, as with policy_rank */
    bool there;
};

/* Any two rules of which one is a shunt are asked in the order of their ranks. */
static void check(const struct policies_order *o, const struct rule *r)
{
    for (size_t i = 0; i < RULES; i++) {
        for (size_t k = 0; k < RULES; k++) {
            if (!r[i].there || !r[k].there || r[i].rank >= r[k].rank ||
                (r[i].action == POL_PROTECT && r[k].action == POL_PROTECT))
                continue;
            assert_true(order_of(o, r[i].action, r[i].rank) < order_of(o, r[k].action, r[k].rank));
        }
    }
}

static void turn(struct policies_order *o, struct rule *r)
{
    if (!r->there) {
        r->rank = 1 + (uint64_t)rand() % RANKS;
        r->action = (enum policy_action)(r->rank % 3);
    }
    r->there = !r->there;
    if (r->action != POL_PROTECT && r->there)
        assert_int_equal(order_add(o, r->rank), E_OK);
    else if (r->action != POL_PROTECT)
        order_del(o, r->rank);
}

static void test_order(void **state)
{
    (void)state;
    struct policies_order o = {0}, copy = {0};
    struct rule r[RULES] = {0};
    srand(3);
    for (int i = 0; i < 3000; i++) {
        turn(&o, &r[rand() % RULES]);
        check(&o, r);
    }
    assert_int_equal(order_copy(&copy, &o), E_OK);
    check(&copy, r);
    order_fini(&copy);
    order_fini(&o);
}

/* Without shunts behind it a tunnel's place does not depend on how many there are before it. */
static void test_one_place(void **state)
{
    (void)state;
    struct policies_order o = {0};
    for (uint64_t rank = 1; rank < 100; rank++) {
        assert_int_equal(order_of(&o, POL_PROTECT, 1000), UINT64_MAX);
        assert_int_equal(order_add(&o, rank), E_OK);
    }
    assert_int_equal(order_add(&o, 2000), E_OK);
    assert_true(order_of(&o, POL_PROTECT, 1000) < order_of(&o, POL_DROP, 2000));
    assert_true(order_of(&o, POL_PROTECT, 1000) > order_of(&o, POL_DROP, 99));
    order_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_one_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
