/* Commands under way: numbers, patience, clients that go away. The loop's clock is only waited for
 * where a timer is the thing tested, with 1 ms. */
#include "daemon/waiting.h"
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    struct waiting *w;
    uint32_t late_cmd;
    unsigned late_count;
};

static void late(void *ctx, struct wait *x)
{
    struct fixture *f = ctx;
    f->late_cmd = x->cmd;
    f->late_count++;
    waiting_del(f->w, x);
}

static int make(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    if (uv_loop_init(&f.loop))
        return -1;
    f.w = waiting_new(&f.loop, late, &f);
    return f.w ? 0 : -1;
}

static int end(void **state)
{
    struct fixture *f = *state;
    waiting_free(f->w);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&f->loop); /* busy if a timer was left */
}

static void test_find(void **state)
{
    struct fixture *f = *state;
    struct wait *a = waiting_add(f->w, WAIT_INITIATE, "net", 0);
    struct wait *b = waiting_add(f->w, WAIT_TERMINATE, NULL, 60000);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(a->cmd != 0 && b->cmd != 0 && a->cmd != b->cmd); /* 0 wants no answer */
    assert_ptr_equal(waiting_find(f->w, a->cmd), a);
    assert_ptr_equal(waiting_find(f->w, b->cmd), b);
    assert_string_equal(a->what, "net");
    assert_string_equal(b->what, "");
    assert_int_equal(a->kind, WAIT_INITIATE);
    uint32_t gone = a->cmd;
    waiting_del(f->w, a);
    assert_null(waiting_find(f->w, gone));
    assert_null(waiting_find(f->w, 0));
    assert_ptr_equal(waiting_find(f->w, b->cmd), b);
}

static void test_name_is_copied(void **state)
{
    struct fixture *f = *state;
    char name[] = "net";
    struct wait *a = waiting_add(f->w, WAIT_REKEY, name, 0);
    name[0] = 'x';
    assert_string_equal(a->what, "net");
}

static void test_late(void **state)
{
    struct fixture *f = *state;
    struct wait *patient = waiting_add(f->w, WAIT_INITIATE, "patient", 0);
    struct wait *hasty = waiting_add(f->w, WAIT_INITIATE, "hasty", 1);
    uint32_t cmd = hasty->cmd;
    uv_run(&f->loop, UV_RUN_DEFAULT); /* until no timer is left */
    assert_int_equal(f->late_count, 1);
    assert_int_equal(f->late_cmd, cmd);
    assert_null(waiting_find(f->w, cmd));
    assert_ptr_equal(waiting_find(f->w, patient->cmd), patient);
}

static void test_answered_in_time(void **state)
{
    struct fixture *f = *state;
    struct wait *a = waiting_add(f->w, WAIT_INITIATE, "net", 1);
    waiting_del(f->w, a);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->late_count, 0);
}

static void test_client_goes(void **state)
{
    struct fixture *f = *state;
    static char one, other; /* stand for clients: only their addresses matter */
    struct vici_client *c = (struct vici_client *)&one, *d = (struct vici_client *)&other;
    struct wait *a = waiting_add(f->w, WAIT_INITIATE, "a", 0);
    struct wait *b = waiting_add(f->w, WAIT_INITIATE, "b", 0);
    struct wait *e = waiting_add(f->w, WAIT_INITIATE, "e", 0);
    a->client = e->client = c;
    b->client = d;
    waiting_forget(f->w, c);
    assert_null(a->client);
    assert_null(e->client);
    assert_ptr_equal(b->client, d);
    assert_ptr_equal(waiting_find(f->w, a->cmd), a); /* the command itself goes on */
}

static void test_bounded(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    struct wait *last = NULL, *x;
    while (n < 100000 && (x = waiting_add(f->w, WAIT_INITIATE, "x", 0))) {
        last = x;
        n++;
    }
    assert_int_equal(n, 4096);
    waiting_del(f->w, last);
    assert_non_null(waiting_add(f->w, WAIT_SHUTDOWN, "x", 0));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_find),        T(test_name_is_copied),
                                       T(test_late),        T(test_answered_in_time),
                                       T(test_client_goes), T(test_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
