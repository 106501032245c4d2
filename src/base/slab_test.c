/* Pieces of all sizes against what was written into them. */
#include "base/slab.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PIECES 500

struct piece {
    uint8_t *p;
    size_t n;
    uint8_t mark;
};

static uint64_t rnd(void)
{
    static uint64_t s = 88172645463325252u;
    s ^= s << 13;
    s ^= s >> 7;
    return s ^= s << 17;
}

static void all_are(const struct piece *w, uint8_t byte)
{
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(w->p[i], byte);
}

/* Zeros when they come, untouched by others until they go, aligned for anything in between. */
static void test_pieces(void **state)
{
    static struct piece has[PIECES];
    struct slab s = {0};
    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct piece *w = &has[rnd() % PIECES];
        if (w->p) {
            all_are(w, w->mark);
            slab_put(&s, w->p, w->n);
            w->p = NULL;
            continue;
        }
        w->n = rnd() % (SLAB_MAX + SLAB_MAX / 4);
        w->p = slab_get(&s, w->n);
        assert_non_null(w->p);
        assert_int_equal((uintptr_t)w->p % 8, 0);
        all_are(w, 0);
        w->mark = (uint8_t)rnd();
        memset(w->p, w->mark, w->n);
    }
    for (int i = 0; i < PIECES; i++)
        slab_put(&s, has[i].p, has[i].n);
    slab_put(&s, NULL, 8);
    slab_fini(&s);
    assert_null(s.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
