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

/* From OpenSSL's SIPHASH MAC of size 16, same key and messages. */
static void test_siphash128(void **state)
{
    static const struct {
        size_t n;
        uint8_t hash[16];
    } cases[] = {
        {0,
         {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
          0x93}},
        {1,
         {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
          0x45}},
        {8,
         {0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2, 0x64, 0xf3, 0x14, 0x97,
          0xb4}},
        {15,
         {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3,
          0xd9}},
        {58,
         {0x57, 0xfc, 0xa5, 0xde, 0x98, 0xa9, 0xd6, 0xd8, 0x00, 0x64, 0x38, 0xd0, 0x58, 0x3d, 0x8a,
          0x1d}},
    };
    static const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint8_t m[64], got[16];
    (void)state;
    for (size_t i = 0; i < sizeof m; i++)
        m[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        siphash128(key, m, cases[i].n, got);
        assert_memory_equal(got, cases[i].hash, sizeof got);
    }
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
        cmocka_unit_test(test_siphash128),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_same_hash),
    };
    return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
