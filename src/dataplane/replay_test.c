/* The window against a naive model that remembers every number; ESN against the definition. */
#include "dataplane/testkit.h"
#include <stdlib.h>

#define SPAN (1u << 18)

/* Everything ever committed, as bits over [base, base + SPAN). */
struct model {
    uint64_t base, top;
    uint32_t window;
    uint8_t *seen;
};

static bool model_ok(const struct model *m, uint64_t seq)
{
    if (seq > m->top)
        return true;
    if (m->top - seq >= m->window || seq == 0)
        return false;
    return seq < m->base || !m->seen[seq - m->base];
}

static void model_commit(struct model *m, uint64_t seq)
{
    m->seen[seq - m->base] = 1;
    if (seq > m->top)
        m->top = seq;
}

/* Mostly near the top, sometimes a leap beyond the whole ring. */
static uint64_t next_seq(uint64_t *rnd, const struct model *m)
{
    uint64_t r = kit_rand(rnd), back = r >> 8 & 0x3ffff;
    switch (r % 16) {
    case 0:
        return m->top + 1 + back % (3 * m->window);
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        return m->top + 1 + back % 3;
    default:
        back %= m->window + m->window / 2;
        return m->top > back ? m->top - back : 0;
    }
}

/* A batch's packets that all came in order. */
static void commit_row(struct replay *r, struct model *m, uint64_t first, uint64_t rnd)
{
    uint32_t n = 1 + (uint32_t)(rnd >> 32) % 64;
    if (first + n - m->base >= SPAN)
        return;
    replay_commit_row(r, first, n);
    for (uint32_t i = 0; i < n; i++)
        model_commit(m, first + i);
}

static void compare(uint32_t window, uint64_t start, uint64_t seed)
{
    struct replay r;
    uint64_t own[REPLAY_INLINE];
    struct model m = {.base = start, .top = start ? start - 1 : 0, .window = window};
    m.seen = calloc(SPAN, 1);
    assert_non_null(m.seen);
    assert_int_equal(replay_init(&r, window, own), E_OK);
    r.top = m.top;
    for (int i = 0; i < 20000; i++) {
        uint64_t seq = next_seq(&seed, &m);
        if (seq < start || seq - start >= SPAN)
            continue;
        bool ok = model_ok(&m, seq);
        assert_int_equal(replay_check(&r, seq), ok);
        assert_int_equal(replay_check(&r, seq), ok); /* checking changes nothing */
        if (seq > m.top && (seed & 6) == 0) {
            commit_row(&r, &m, seq, seed);
        } else if (seed & 1) { /* the ICV held */
            assert_int_equal(replay_commit(&r, seq), ok);
            if (ok)
                model_commit(&m, seq);
        }
        assert_int_equal(r.top, m.top);
    }
    replay_fini(&r, own);
    free(m.seen);
}

static void test_model(void **state)
{
    (void)state;
    static const uint32_t windows[] = {32,  33,   63,   64,   65,   128,  192,   193,   256,
                                       512, 1000, 1024, 2048, 4096, 8192, 16384, 32768, 65536};
    static const uint64_t starts[] = {0, 1, 5, 0xfffffff0, 0xffffffffffu};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
            compare(windows[w], starts[s], w * 100 + s);
}

/* Every size that can be configured: some 30 seconds. */
static void test_all_windows(void **state)
{
    (void)state;
    if (!getenv("CULVERT_LONG"))
        skip();
    for (uint32_t window = 32; window <= REPLAY_WINDOW_MAX; window++)
        compare(window, window & 1 ? 0 : 0xfffffff0, window);
}

/* The advice against counting by hand. */
static void test_lateness(void **state)
{
    (void)state;
    uint64_t rnd = 3;
    for (int round = 0; round < 200; round++) {
        struct lateness l = {0};
        uint64_t behind[400], packets = 1 + kit_rand(&rnd) % 3000000;
        unsigned bits = 1 + (unsigned)(kit_rand(&rnd) % 18);
        for (int i = 0; i < 400; i++) {
            behind[i] = 1 + kit_rand(&rnd) % (1u << (kit_rand(&rnd) % bits + 1));
            lateness_add(&l, behind[i]);
        }
        uint32_t want = 32;
        for (uint64_t outside;; want *= 2) {
            outside = 0;
            for (int i = 0; i < 400; i++)
                outside += behind[i] >= want;
            if (outside <= packets / 10000 || want == REPLAY_WINDOW_MAX)
                break;
        }
        assert_int_equal(lateness_window(&l, packets), want);
    }
    struct lateness l = {.n[3] = UINT32_MAX};
    lateness_add(&l, 8);
    assert_int_equal(l.n[3], UINT32_MAX);
    lateness_add(&l, UINT64_MAX);
    assert_int_equal(l.n[LATE_STEPS - 1], 1);
}

static void test_no_window(void **state)
{
    (void)state;
    struct replay r;
    uint64_t own[REPLAY_INLINE];
    assert_int_equal(replay_init(&r, 0, own), E_OK);
    assert_true(replay_commit(&r, 5));
    assert_true(replay_commit(&r, 5));
    assert_true(replay_commit(&r, 1));
    assert_int_equal(r.top, 5);
    replay_fini(&r, own);
}

/* RFC 4303 A2: of all numbers with these low bits, the one in [top - window + 1, that + 2^32). */
/* An SA that goes on under its keys: nothing up to `top` comes again, what follows comes once. */
static void test_begin(void **state)
{
    (void)state;
    static const uint64_t tops[] = {1, 62, 63, 64, 127, 1000, UINT32_MAX, 5ull << 32 | 77};
    static const uint32_t windows[] = {32, 64, 128, 4096};
    for (size_t i = 0; i < sizeof tops / sizeof *tops * 4; i++) {
        struct replay r;
        uint64_t own[REPLAY_INLINE], top = tops[i / 4];
        assert_int_equal(replay_init(&r, windows[i % 4], own), E_OK);
        replay_begin(&r, top);
        for (uint64_t back = 0; back < 5000 && back <= top; back++)
            assert_false(replay_check(&r, top - back));
        for (uint64_t seq = top + 1; seq < top + 10000; seq++) {
            assert_true(replay_commit(&r, seq));
            assert_false(replay_check(&r, seq));
        }
        replay_fini(&r, own);
    }
}

static void test_esn(void **state)
{
    (void)state;
    uint64_t rnd = 42;
    for (int i = 0; i < 200000; i++) {
        struct replay r = {.window = i & 1 ? 64 : 65536};
        uint64_t hi = kit_rand(&rnd) % 3;
        r.top = hi << 32 |
                (uint32_t)(kit_rand(&rnd) % 4 ? kit_rand(&rnd) % 200000 - 100000 : kit_rand(&rnd));
        uint32_t low = (uint32_t)(r.top + kit_rand(&rnd) % 200000 - 100000);
        int64_t bottom = (int64_t)r.top - r.window + 1;
        int64_t want = (bottom & ~0xffffffffll) | low;
        if (want < bottom)
            want += 1ll << 32;
        uint64_t got;
        bool ok = replay_esn(&r, low, &got);
        assert_int_equal(ok, want >= 0);
        if (ok)
            assert_int_equal(got, (uint64_t)want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),    cmocka_unit_test(test_all_windows),
        cmocka_unit_test(test_lateness), cmocka_unit_test(test_no_window),
        cmocka_unit_test(test_begin),    cmocka_unit_test(test_esn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
