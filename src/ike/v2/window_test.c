/* Message ids: RFC 7296 2.1 to 2.3. */
#include "ike/v2/v2.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void requests(void **state)
{
    static const struct {
        const char *name;
        uint32_t next, id;
        enum v2_verdict want;
    } cases[] = {
        {"2.2: the first id is 0", 0, 0, V2_NEW},
        {"2.3: outside the window of one", 0, 1, V2_OLD},
        {"the next one", 5, 5, V2_NEW},
        {"2.1: a repetition gets the same answer", 5, 4, V2_AGAIN},
        {"2.3: older than the window", 5, 3, V2_OLD},
        {"ahead of the window", 5, 6, V2_OLD},
        {"no repetition before the first", 0, UINT32_MAX, V2_OLD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct v2_window w = {.next_in = cases[i].next};
        print_message("%s\n", cases[i].name);
        assert_int_equal(v2_window_request(&w, cases[i].id), cases[i].want);
    }
}

static void taking(void **state)
{
    static struct ike e;
    struct v2_window w = {0};
    (void)state;
    v2_window_take(&e, &w, 0);
    assert_int_equal(v2_window_request(&w, 0), V2_AGAIN);
    assert_int_equal(v2_window_request(&w, 1), V2_NEW);
    assert_null(w.resp); /* nothing to repeat while it is being worked on */
}

static void responses(void **state)
{
    struct retransmit r = {.at = 100, .id = 7};
    struct ike_sa sa = {.rtx = &r};
    (void)state;
    assert_true(v2_window_response(&sa, 7));
    assert_false(v2_window_response(&sa, 6));
    assert_false(v2_window_response(&sa, 8));
    r.at = UINT64_MAX; /* given up: whatever comes is late */
    assert_false(v2_window_response(&sa, 7));
    sa.rtx = NULL; /* nothing outstanding: whatever comes is late */
    assert_false(v2_window_response(&sa, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(taking),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
