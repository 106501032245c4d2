/* The search of path.c against simulated paths: what it finds, in how many rounds, and with loss.
 */
#include "dataplane/path.h"
#include "dataplane/testkit.h"

struct net {
    uint16_t mtu;      /* what passes */
    unsigned loss_pct; /* of any packet */
    bool mute;
    uint64_t seed;
    unsigned rounds;
};

static bool passes(struct net *n, uint16_t size)
{
    return !n->mute && size <= n->mtu && kit_rand(&n->seed) % 100 >= n->loss_pct;
}

/* Answers in the order of the probes, then the time runs out if nothing came of it. */
static enum path_next one_round(struct path *p, struct net *n)
{
    uint16_t size[PATH_RUNGS];
    uint8_t rungs = p->rungs, round = p->round;
    memcpy(size, p->size, sizeof size);
    n->rounds++;
    for (unsigned i = 0; i < rungs; i++) {
        if (i)
            assert_true(size[i] <= size[i - 1]);
        if (!passes(n, size[i]))
            continue;
        enum path_next next = path_answer(p, round, i, size[i]);
        if (next != PATH_WAIT)
            return next;
    }
    return path_timeout(p);
}

static enum path_next search(struct path *p, struct net *n, uint16_t goal)
{
    enum path_next next = PATH_SEND;
    path_search(p, goal, 2);
    for (int i = 0; i < 40 && next == PATH_SEND; i++)
        next = one_round(p, n);
    return next;
}

/* Every path MTU, three alignments: the result passes, and is the best or one step less. */
static void test_all_sizes(void **state)
{
    (void)state;
    static const uint16_t align[] = {4, 8, 16};
    for (uint16_t mtu = 520; mtu <= 1500; mtu++) {
        struct net n = {.mtu = mtu};
        struct path p;
        path_init(&p, 1446, 520, align[mtu % 3]);
        assert_int_equal(search(&p, &n, p.cap), PATH_DONE);
        uint16_t best = mtu < p.cap ? mtu : p.cap;
        if (p.mtu > best || best - p.mtu > p.align || n.rounds > 5)
            fail_msg("path %u: found %u in %u rounds", mtu, p.mtu, n.rounds);
    }
}

static void test_one_round_when_all_is_well(void **state)
{
    (void)state;
    struct net n = {.mtu = 1500};
    struct path p;
    path_init(&p, 1446, 520, 4);
    assert_int_equal(search(&p, &n, p.cap), PATH_DONE);
    assert_int_equal(n.rounds, 1);
    assert_int_equal(p.mtu, 1446);
}

/* 1 % loss lowers a good path in less than one of a thousand searches; never below the base. */
static void test_loss(void **state)
{
    (void)state;
    unsigned lowered = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        struct net n = {.mtu = 1500, .loss_pct = 1, .seed = i};
        struct path p;
        path_init(&p, 1446, 520, 4);
        enum path_next next = search(&p, &n, p.cap);
        assert_true(next == PATH_DONE || next == PATH_MUTE);
        assert_true(p.mtu >= 520);
        lowered += p.mtu < 1446;
    }
    assert_true(lowered < 5);
}

static void test_mute(void **state)
{
    (void)state;
    struct net n = {.mute = true};
    struct path p;
    path_init(&p, 1446, 520, 4);
    assert_int_equal(search(&p, &n, p.cap), PATH_MUTE);
    assert_int_equal(n.rounds, PATH_TRIES);
    assert_int_equal(p.mtu, 1446);
    assert_int_equal(path_timeout(&p), PATH_WAIT);
}

/* Down, and up again when the path is better. */
static void test_raise(void **state)
{
    (void)state;
    struct net n = {.mtu = 1243};
    struct path p;
    path_init(&p, 1446, 520, 4);
    assert_int_equal(search(&p, &n, p.cap), PATH_DONE);
    assert_in_range(p.mtu, 1239, 1243);
    uint16_t low = p.mtu;
    assert_int_equal(search(&p, &n, p.cap), PATH_DONE); /* still so */
    assert_int_equal(p.mtu, low);
    n.mtu = 1400;
    assert_int_equal(search(&p, &n, p.cap), PATH_DONE);
    assert_in_range(p.mtu, 1396, 1400);
}

/* Answers of another round, of other sizes, after the end: nothing changes. */
static void test_strangers(void **state)
{
    (void)state;
    struct path p;
    path_init(&p, 1446, 520, 4);
    assert_int_equal(path_answer(&p, 0, 0, 1446), PATH_WAIT);
    path_search(&p, 1446, 2);
    assert_int_equal(path_answer(&p, (uint8_t)(p.round + 1), 0, 1446), PATH_WAIT);
    assert_int_equal(path_answer(&p, p.round, 0, 1440), PATH_WAIT);
    assert_int_equal(path_answer(&p, p.round, PATH_RUNGS, 1446), PATH_WAIT);
    assert_int_equal(path_answer(&p, p.round, 200, 65535), PATH_WAIT);
    assert_int_equal(p.lo, 0);
    assert_int_equal(p.mtu, 1446);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sizes), cmocka_unit_test(test_one_round_when_all_is_well),
        cmocka_unit_test(test_loss),      cmocka_unit_test(test_mute),
        cmocka_unit_test(test_raise),     cmocka_unit_test(test_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
