/*
 * Pairs of prefixes in the guard against a naive model. Rows come and go; a model of the kernel's
 * sets takes the changes and its rules are asked as nft_pairs_print_rules words them.
 */
#include "io/nft_pairs.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

enum { ELEMS = 4096, ROWS = 120 };

struct kernel {
    struct nft_elem_change elem[ELEMS];
    size_t n, heard;
};

static struct kernel kernel;

static size_t kernel_find(const struct nft_elem_change *c)
{
    size_t i = 0;
    while (i < kernel.n &&
           (strcmp(kernel.elem[i].set, c->set) != 0 || kernel.elem[i].len != c->len ||
            memcmp(kernel.elem[i].key, c->key, c->len) != 0))
        i++;
    return i;
}

static void kernel_take(const struct nft_elem_change *c)
{
    size_t i = kernel_find(c);
    assert_int_equal(i < kernel.n, c->gone); /* nothing is told twice */
    if (c->gone) {
        kernel.elem[i] = kernel.elem[--kernel.n];
    } else {
        assert_true(kernel.n < ELEMS);
        kernel.elem[kernel.n++] = *c;
    }
    kernel.heard++;
}

/* Small pieces, as a large change would be told. */
static void apply(struct nft_pairs *t)
{
    struct nft_elem_change c[3];
    struct nft_pairs_at at = {0};
    bool deleting = false;
    for (size_t n; (n = nft_pairs_changes(t, &at, c, 3));) {
        for (size_t i = 0; i < n; i++) {
            assert_true(c[i].gone || !deleting);
            deleting = c[i].gone;
            kernel_take(&c[i]);
        }
    }
    nft_pairs_settle(t);
}

/* --- asking --- */

struct point {
    struct addr addr[2];
    uint8_t proto;
    uint16_t port[2];
};

static void masked(uint8_t **at, const struct addr *a, unsigned bits)
{
    struct addr lo, hi;
    addr_prefix_range(a, bits, &lo, &hi);
    memcpy(*at, lo.ip, addr_len(a));
    *at += addr_len(a);
}

static bool in_set(char kind, size_t shape, const uint8_t *key, const uint8_t *end)
{
    struct nft_elem_change c = {.len = (uint8_t)(end - key)};
    snprintf(c.set, sizeof c.set, "%c%zu", kind, shape);
    memcpy(c.key, key, c.len);
    return kernel_find(&c) < kernel.n;
}

/* The rule of a shape, word by word. */
static bool shape_meets(const struct nft_shape *s, size_t shape, const struct point *p)
{
    uint8_t key[NFT_KEY_MAX] = {0}, *at = key;
    unsigned narrow = s->bits[0] > s->bits[1] ? s->bits[0] : s->bits[1];
    if (p->addr[0].family != s->family || s->frags)
        return false;
    for (int d = 0; d < 2; d++)
        masked(&at, &p->addr[d], s->bits[d]);
    if (s->proto) {
        *at = p->proto;
        at += 4;
    }
    for (int d = 0; d < 2; d++) {
        if (!s->port[d])
            continue;
        put_u16(at, p->port[d]);
        at += 4;
    }
    if (!in_set('p', shape, key, at))
        return false;
    if (s->does == NFT_PASS || s->same)
        return true;
    at = key;
    for (int d = 0; d < 2; d++)
        masked(&at, &p->addr[d], narrow);
    return !in_set('s', shape, key, at);
}

/* The lowest order of a shape that covers it. */
static uint64_t table_meets(const struct nft_pairs *t, const struct point *p)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < t->shapes; i++)
        if (t->shape[i].order < best && shape_meets(&t->shape[i], i, p))
            best = t->shape[i].order;
    return best;
}

static bool within(const struct addr *a, const struct addr *lo, const struct addr *hi)
{
    return addr_cmp(a, lo) >= 0 && addr_cmp(a, hi) <= 0;
}

/* As nft.h states it: both addresses on both sides are no way across, but for what passes and
 * where the sides are the same. */
static bool row_meets(const struct nft_pair *r, const struct point *p)
{
    const struct addr *remote = &p->addr[GUARD_REMOTE], *local = &p->addr[GUARD_LOCAL];
    bool common =
        within(remote, &r->local_lo, &r->local_hi) && within(local, &r->remote_lo, &r->remote_hi);
    common = common && r->does != NFT_PASS && !guard_row_same(r);
    return !common && within(remote, &r->remote_lo, &r->remote_hi) &&
           within(local, &r->local_lo, &r->local_hi) && (!r->proto || r->proto == p->proto) &&
           p->port[GUARD_REMOTE] >= r->remote_port_lo &&
           p->port[GUARD_REMOTE] <= r->remote_port_hi && p->port[GUARD_LOCAL] >= r->local_port_lo &&
           p->port[GUARD_LOCAL] <= r->local_port_hi;
}

/* --- random rows in a small world --- */

static struct addr random_addr(unsigned *seed, uint8_t family)
{
    struct addr a = {.family = family};
    size_t n = addr_len(&a);
    a.ip[0] = 10;
    a.ip[n - 2] = (uint8_t)(rand_r(seed) % 3);
    a.ip[n - 1] = (uint8_t)(rand_r(seed) % 3);
    return a;
}

static void random_side(unsigned *seed, uint8_t family, struct addr *lo, struct addr *hi)
{
    static const unsigned less[] = {0, 0, 8, 16, 1};
    struct addr a = random_addr(seed, family);
    unsigned bits = (unsigned)addr_len(&a) * 8 - less[rand_r(seed) % 5];
    addr_prefix_range(&a, rand_r(seed) % 8 ? bits : 0, lo, hi);
}

static void random_ports(unsigned *seed, uint16_t *lo, uint16_t *hi)
{
    bool any = rand_r(seed) % 2;
    *lo = any ? 0 : (uint16_t)(1 + rand_r(seed) % 2);
    *hi = any ? 65535 : *lo;
}

static struct nft_pair random_row(unsigned *seed)
{
    uint8_t family = rand_r(seed) % 2 ? 4 : 6;
    struct nft_pair r = {.local_port_hi = 65535, .remote_port_hi = 65535};
    random_side(seed, family, &r.remote_lo, &r.remote_hi);
    random_side(seed, family, &r.local_lo, &r.local_hi);
    r.order = (uint64_t)rand_r(seed) % 4;
    r.does = r.order % 2 ? NFT_PROTECT : r.order ? NFT_DROP : NFT_PASS;
    if (rand_r(seed) % 3 == 0) {
        r.proto = rand_r(seed) % 2 ? 6 : 47;
        if (r.proto == 6) {
            random_ports(seed, &r.remote_port_lo, &r.remote_port_hi);
            random_ports(seed, &r.local_port_lo, &r.local_port_hi);
        }
    }
    return r;
}

static struct point random_point(unsigned *seed)
{
    uint8_t family = rand_r(seed) % 2 ? 4 : 6;
    return (struct point){{random_addr(seed, family), random_addr(seed, family)},
                          rand_r(seed) % 2 ? 6 : 47,
                          {(uint16_t)(rand_r(seed) % 3), (uint16_t)(rand_r(seed) % 3)}};
}

struct entry {
    bool there, fits; /* fits: else it is for the interval sets */
    struct nft_pair row;
};

static uint64_t rows_meet(const struct entry *e, const struct point *p)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < ROWS; i++)
        if (e[i].there && e[i].fits && e[i].row.order < best && row_meets(&e[i].row, p))
            best = e[i].row.order;
    return best;
}

/* Equal rows are one to the table, even where one found no place when it came: the other's place is
 * taken, and it counts as the one without. */
static void swap_equal(struct entry *all, struct entry *e)
{
    for (struct entry *o = all; o < all + ROWS && !e->fits; o++) {
        if (o->there && o->fits && !memcmp(&o->row, &e->row, sizeof e->row)) {
            o->fits = false;
            e->fits = true;
        }
    }
}

static void turn_over(struct nft_pairs *t, struct entry *all, struct entry *e, unsigned *seed)
{
    if (e->there) {
        swap_equal(all, e);
        assert_int_equal(nft_pairs_del(t, &e->row), e->fits);
    } else {
        memset(&e->row, 0, sizeof e->row); /* compared as bytes */
        e->row = random_row(seed);
        assert_int_equal(nft_pairs_add(t, &e->row, &e->fits), E_OK);
    }
    e->there = !e->there;
}

/* A table made anew holds what it prints; here: all that is wanted. */
static void reload(struct nft_pairs *t, const struct entry *e)
{
    struct nft_pairs fresh;
    bool fits;
    if (!t->reshaped)
        return;
    nft_pairs_clear(t);
    apply(t);
    assert_int_equal(kernel.n, 0);
    nft_pairs_fini(t);
    assert_int_equal(nft_pairs_init(&fresh), E_OK);
    for (size_t i = 0; i < ROWS; i++)
        if (e[i].there && e[i].fits)
            assert_int_equal(nft_pairs_add(&fresh, &e[i].row, &fits), E_OK);
    *t = fresh;
}

static void test_model(void **state)
{
    (void)state;
    unsigned seed = 11;
    struct entry e[ROWS] = {0};
    struct nft_pairs t;
    size_t unfit = 0;
    kernel = (struct kernel){0};
    assert_int_equal(nft_pairs_init(&t), E_OK);
    for (int step = 0; step < 600; step++) {
        for (int some = rand_r(&seed) % 20; some >= 0; some--)
            turn_over(&t, e, &e[rand_r(&seed) % ROWS], &seed);
        if (step % 100 == 99)
            reload(&t, e);
        apply(&t);
        size_t heard = kernel.heard;
        apply(&t);
        assert_int_equal(kernel.heard, heard);
        for (int k = 0; k < 60; k++) {
            struct point p = random_point(&seed);
            assert_int_equal(table_meets(&t, &p), rows_meet(e, &p));
        }
        for (size_t i = 0; i < ROWS; i++)
            unfit += e[i].there && !e[i].fits;
    }
    assert_true(unfit > 0); /* more shapes than there are places for were met too */
    nft_pairs_clear(&t);
    apply(&t);
    assert_int_equal(kernel.n, 0);
    assert_int_equal(t.elems.count, 0);
    nft_pairs_fini(&t);
}

static struct nft_pair row(const char *local, const char *remote)
{
    struct nft_pair r = {.local_port_hi = 65535, .remote_port_hi = 65535};
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, local));
    addr_prefix_range(&a, bits, &r.local_lo, &r.local_hi);
    assert_true(addr_parse_prefix(&a, &bits, remote));
    addr_prefix_range(&a, bits, &r.remote_lo, &r.remote_hi);
    return r;
}

/* Ranges are for the interval sets. */
static void test_fits(void **state)
{
    (void)state;
    struct nft_pairs t;
    bool fits;
    struct nft_pair r[] = {row("10.0.0.0/8", "10.2.0.0/16"), row("10.0.0.0/8", "10.2.0.0/16"),
                           row("10.0.0.0/8", "10.2.0.0/16"), row("fd00::/8", "::/0"),
                           row("10.0.0.0/8", "10.2.0.0/16")};
    static const bool want[] = {false, false, false, true, true};
    r[0].remote_hi.ip[3]--;
    r[1].proto = 17;
    r[1].remote_port_lo = 10;
    r[1].remote_port_hi = 20;
    r[2].proto = 1;
    r[2].remote_port_lo = 10; /* types of ICMP; of both sides what they have in common */
    r[2].remote_port_hi = 20;
    r[4] = r[2];
    r[4].local_port_lo = 20;
    assert_int_equal(nft_pairs_init(&t), E_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nft_pairs_add(&t, &r[i], &fits), E_OK);
        assert_int_equal(fits, want[i]);
        assert_int_equal(nft_pairs_del(&t, &r[i]), want[i]);
        assert_false(want[i] && nft_pairs_del(&t, &r[i]));
    }
    nft_pairs_fini(&t);
}

/* Two rows with one element: it stays until the second has gone. A row that is replaced by an equal
 * one is no change. */
static void test_counted(void **state)
{
    (void)state;
    struct nft_pairs t;
    bool fits;
    const struct nft_pair r = row("10.1.0.0/16", "10.2.0.0/16");
    kernel = (struct kernel){0};
    assert_int_equal(nft_pairs_init(&t), E_OK);
    assert_int_equal(nft_pairs_add(&t, &r, &fits), E_OK);
    assert_int_equal(nft_pairs_add(&t, &r, &fits), E_OK);
    apply(&t);
    assert_int_equal(kernel.n, 1);
    assert_true(nft_pairs_del(&t, &r));
    apply(&t);
    assert_int_equal(kernel.n, 1);
    assert_true(nft_pairs_del(&t, &r));
    assert_int_equal(nft_pairs_add(&t, &r, &fits), E_OK);
    apply(&t);
    assert_int_equal(kernel.heard, 1);
    assert_true(nft_pairs_del(&t, &r));
    apply(&t);
    assert_int_equal(kernel.n, 0);
    nft_pairs_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
