/* Mailboxes: order, bounds, fences, and many senders at once. */
#include "daemon/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>

enum { BOX = 1 << 16, SENDERS = 4, EACH = 20000 };

static struct mailbox box;
static uint8_t data[65535];

static int make(void **state)
{
    (void)state;
    assert_int_equal(mailbox_init(&box, BOX), E_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    mailbox_fini(&box);
    return 0;
}

static bool put(uint8_t mark, uint32_t len, bool *first)
{
    data[0] = mark;
    const struct letter l = {
        .kind = LETTER_IN, .hops = 1, .pkt = {.data = data, .len = len, .udp = true, .tos = 3}};
    return mailbox_put(&box, &l, first);
}

static void test_order_and_turns(void **state)
{
    (void)state;
    static const uint32_t lens[] = {1, 0, 1500, 15, 16, 17, 9000};
    enum { N = sizeof lens / sizeof *lens };
    struct letter l;
    bool first;
    assert_false(mailbox_turn(&box));
    assert_false(mailbox_next(&box, &l));
    for (int round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < N; i++) {
            assert_true(put(i, lens[i], &first));
            assert_int_equal(first, i == 0);
        }
        assert_true(mailbox_turn(&box));
        assert_true(put(99, 10, &first)); /* for the next turn */
        assert_true(first);
        for (uint8_t i = 0; i < N; i++) {
            assert_true(mailbox_next(&box, &l));
            assert_int_equal(l.pkt.len, lens[i]);
            assert_int_equal(l.pkt.tos, 3);
            assert_true(lens[i] == 0 || l.pkt.data[0] == i);
            memset(l.pkt.data - DP_HEADROOM, 0xaa, DP_HEADROOM + lens[i] + DP_TAILROOM);
        }
        assert_false(mailbox_next(&box, &l));
        assert_true(mailbox_turn(&box));
        assert_true(mailbox_next(&box, &l));
        assert_int_equal(l.pkt.data[0], 99);
        assert_false(mailbox_turn(&box));
    }
}

/* What does not fit is refused, and nothing of it is written. */
static void test_full(void **state)
{
    (void)state;
    bool first;
    unsigned n = 0, got = 0;
    struct letter l;
    assert_false(put(1, 65535, &first)); /* larger than the box */
    while (put((uint8_t)n, 1000, &first))
        n++;
    assert_in_range(n, 40, BOX / 1000);
    assert_true(mailbox_turn(&box));
    while (mailbox_next(&box, &l))
        assert_int_equal(l.pkt.data[0], got++);
    assert_int_equal(got, n);
    assert_true(put(1, 1000, &first)); /* room again */
}

/* A fence is met behind everything that was put before it, also when the box is full. */
static void test_fence(void **state)
{
    (void)state;
    bool first;
    struct letter l;
    while (put(1, 1000, &first))
        ;
    mailbox_fence(&box, &first);
    assert_false(first);
    assert_true(mailbox_turn(&box));
    assert_int_equal(mailbox_fences(&box), 0);
    while (mailbox_next(&box, &l))
        ;
    assert_int_equal(mailbox_fences(&box), 1);
    assert_int_equal(mailbox_fences(&box), 0);
    mailbox_fence(&box, &first);
    assert_true(first); /* wakes the reader of an empty box */
    assert_true(mailbox_turn(&box));
    assert_int_equal(mailbox_fences(&box), 1);
}

static void *sender(void *arg)
{
    uint8_t who = *(uint8_t *)arg, bytes[8] = {who};
    struct letter l = {.kind = LETTER_OUT, .pkt = {.data = bytes, .len = sizeof bytes}};
    bool first;
    for (uint32_t i = 0; i < EACH; i++) {
        put_u32(bytes + 4, i);
        while (!mailbox_put(&box, &l, &first))
            sched_yield();
    }
    return NULL;
}

/* Of each sender everything comes, once and in order. */
static void test_threads(void **state)
{
    (void)state;
    pthread_t t[SENDERS];
    uint8_t who[SENDERS];
    uint32_t seen[SENDERS] = {0}, total = 0;
    struct letter l;
    for (uint8_t i = 0; i < SENDERS; i++) {
        who[i] = i;
        assert_int_equal(pthread_create(&t[i], NULL, sender, &who[i]), 0);
    }
    while (total < SENDERS * EACH) {
        if (!mailbox_turn(&box))
            sched_yield();
        while (mailbox_next(&box, &l)) {
            assert_int_equal(get_u32(l.pkt.data + 4), seen[l.pkt.data[0]]++);
            total++;
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(t[i], NULL);
    assert_false(mailbox_turn(&box));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_order_and_turns), T(test_full), T(test_fence),
                                       T(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
