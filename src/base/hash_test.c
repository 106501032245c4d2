/* Hash table: SipHash's published vectors, and random work against a naive model. */
#include "base/hash.h"
#include "base/list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_siphash(void **state)
{
    /* key 00 01 .. 0f, message 00 01 .. n-1 */
    static const struct {
        size_t n;
        uint64_t hash;
    } cases[] = {
        {0, 0x726fdb47dd0e0e31u}, {1, 0x74f839c593dc67fdu},  {2, 0x0d6c8009d9a94f5au},
        {3, 0x85676696d7fb7e2du}, {15, 0xa129ca6149be45e5u},
    };
    static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint8_t m[16];
    (void)state;
    for (size_t i = 0; i < sizeof m; i++)
        m[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(siphash(key, m, cases[i].n) == cases[i].hash);
}

struct thing {
    struct hash_node node;
    uint32_t key;
    bool in;
};

static struct thing *find(const struct hash *t, uint32_t key)
{
    struct hash_node *n = hash_first(t, hash_of(t, &key, sizeof key));
    for (; n; n = hash_next(n)) {
        struct thing *x = container_of(n, struct thing, node);
        if (x->key == key)
            return x;
    }
    return NULL;
}

static size_t walk(const struct hash *t)
{
    size_t seen = 0, i;
    for (struct hash_node *n = hash_begin(t, &i); n; n = hash_step(t, &i, n)) {
        assert_true(container_of(n, struct thing, node)->in);
        seen++;
    }
    return seen;
}

#define THINGS 2000

static void test_model(void **state)
{
    static struct thing things[THINGS];
    static const uint64_t key[2] = {1, 2};
    struct hash t;
    size_t in = 0;
    uint32_t rnd = 1;
    (void)state;
    assert_int_equal(hash_init(&t, key), 0);
    assert_int_equal(walk(&t), 0);
    for (int step = 0; step < 20000; step++) {
        rnd = rnd * 1664525 + 1013904223;
        struct thing *x = &things[(rnd >> 8) % THINGS];
        x->key = (uint32_t)(x - things);
        assert_ptr_equal(find(&t, x->key), x->in ? x : NULL);
        if (x->in)
            hash_del(&t, &x->node);
        else
            assert_int_equal(hash_add(&t, &x->node, hash_of(&t, &x->key, 4)), 0);
        x->in = !x->in;
        in = x->in ? in + 1 : in - 1;
        assert_int_equal(t.count, in);
    }
    assert_int_equal(walk(&t), in);
    hash_fini(&t);
}

/* Different keys under the same hash value are kept apart by the caller's comparison. */
static void test_same_hash(void **state)
{
    static const uint64_t key[2] = {3, 4};
    struct thing a = {.key = 1}, b = {.key = 2}, c = {.key = 3};
    struct hash t;
    (void)state;
    assert_int_equal(hash_init(&t, key), 0);
    assert_int_equal(hash_add(&t, &a.node, 77), 0);
    assert_int_equal(hash_add(&t, &b.node, 77), 0);
    assert_int_equal(hash_add(&t, &c.node, 77 + 16), 0); /* the same slot only */
    struct hash_node *n = hash_first(&t, 77);
    assert_non_null(n);
    struct hash_node *m = hash_next(n);
    assert_true(m && m != n && m != &c.node && n != &c.node);
    assert_null(hash_next(m));
    hash_del(&t, &b.node);
    assert_ptr_equal(hash_first(&t, 77), &a.node);
    hash_del(&t, &b.node); /* twice does nothing */
    assert_int_equal(t.count, 2);
    assert_null(hash_first(&t, 78));
    hash_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_same_hash),
    };
    return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
