/* Boxes against a naive model: whatever a point is asked, boxes and rows agree. */
#include "io/guard_boxes.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

static struct nft_pair row(const char *local, const char *remote, uint8_t proto,
                           uint16_t local_port)
{
    struct nft_pair r = {.proto = proto, .local_port_hi = 65535, .remote_port_hi = 65535};
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, local));
    addr_prefix_range(&a, bits, &r.local_lo, &r.local_hi);
    assert_true(addr_parse_prefix(&a, &bits, remote));
    addr_prefix_range(&a, bits, &r.remote_lo, &r.remote_hi);
    if (local_port)
        r.local_port_lo = r.local_port_hi = local_port;
    return r;
}

struct point {
    struct addr remote, local;
    uint16_t proto, remote_port, local_port;
};

static bool within(const struct addr *a, const struct addr *lo, const struct addr *hi)
{
    return addr_cmp(a, lo) >= 0 && addr_cmp(a, hi) <= 0;
}

static bool box_has(const struct guard_box *b, const struct point *p)
{
    return (b->kind == GUARD_PAIR || b->proto == p->proto) &&
           within(&p->remote, &b->lo[GUARD_REMOTE], &b->hi[GUARD_REMOTE]) &&
           within(&p->local, &b->lo[GUARD_LOCAL], &b->hi[GUARD_LOCAL]) &&
           p->remote_port >= b->port_lo[GUARD_REMOTE] &&
           p->remote_port <= b->port_hi[GUARD_REMOTE] && p->local_port >= b->port_lo[GUARD_LOCAL] &&
           p->local_port <= b->port_hi[GUARD_LOCAL];
}

static bool boxes_have(const struct guard_boxes *b, const struct point *p)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->box[i].kind != GUARD_FRAGS && box_has(&b->box[i], p))
            return true;
    }
    return false;
}

/* The rule as the header states it: both addresses on both sides are no way across. */
static bool row_has(const struct nft_pair *r, const struct point *p)
{
    bool common = within(&p->remote, &r->local_lo, &r->local_hi) &&
                  within(&p->local, &r->remote_lo, &r->remote_hi);
    return (!common || guard_row_same(r)) && within(&p->remote, &r->remote_lo, &r->remote_hi) &&
           within(&p->local, &r->local_lo, &r->local_hi) && (!r->proto || r->proto == p->proto) &&
           p->remote_port >= r->remote_port_lo && p->remote_port <= r->remote_port_hi &&
           p->local_port >= r->local_port_lo && p->local_port <= r->local_port_hi;
}

static bool apart(const struct guard_box *a, const struct guard_box *b)
{
    bool apart = a->proto != b->proto || a->lo[0].family != b->lo[0].family;
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL; d++)
        apart = apart || addr_cmp(&a->hi[d], &b->lo[d]) < 0 || addr_cmp(&b->hi[d], &a->lo[d]) < 0 ||
                a->port_hi[d] < b->port_lo[d] || b->port_hi[d] < a->port_lo[d];
    return apart;
}

/* What nftables asks for: within a set no two elements overlap, and sets are together. */
static void assert_layers(const struct guard_boxes *b)
{
    for (size_t i = 0; i < b->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (b->box[i].kind == b->box[j].kind && b->box[i].layer == b->box[j].layer)
                assert_true(apart(&b->box[i], &b->box[j]));
        }
        assert_true(i == 0 || b->box[i].kind >= b->box[i - 1].kind);
    }
}

struct cut {
    const char *local, *remote;
    uint8_t proto;
    uint16_t port;
    size_t boxes;
};

static const struct cut cuts[] = {
    {"10.1.0.0/16", "10.2.0.0/16", 0, 0, 1},
    {"10.1.0.0/16", "0.0.0.0/0", 0, 0, 2},  /* below and above the local network */
    {"10.0.0.0/8", "10.1.0.0/16", 0, 0, 2}, /* a hub toward one of its spokes */
    {"0.0.0.0/0", "0.0.0.0/0", 0, 0, 1},    /* the same: all of it, but only outbound */
    {"192.0.2.1/32", "0.0.0.0/0", 0, 0, 2},
    {"0.0.0.0/1", "0.0.0.0/0", 0, 0, 1},
    {"fd01::/64", "::/0", 0, 0, 2},
    {"10.1.0.0/16", "10.2.0.0/16", 6, 0, 1},
    {"10.1.0.0/16", "10.2.0.0/16", 6, 80, 2}, /* and its later fragments */
    {"10.1.0.0/16", "10.2.0.0/16", 1, 80, 2}, /* a type of ICMP, likewise */
    {"fd01::/64", "fd02::/64", 135, 80, 1},   /* Mobility Header: the protocol */
    {"10.1.0.0/16", "10.2.0.0/16", 0, 80, 1},
};

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct nft_pair r = row(cuts[i].local, cuts[i].remote, cuts[i].proto, cuts[i].port);
        struct guard_boxes b;
        assert_int_equal(guard_boxes_make(&b, &r, 1), 0);
        assert_int_equal(b.n, cuts[i].boxes);
        assert_layers(&b);
        guard_boxes_free(&b);
    }
}

static void test_overlaps(void **state)
{
    (void)state;
    struct nft_pair rows[] = {
        row("10.1.0.0/16", "10.2.0.0/16", 0, 0),
        row("10.1.0.0/16", "10.2.0.0/16", 0, 0),
        row("10.1.5.0/24", "10.2.5.0/24", 0, 0),
        row("10.1.0.0/24", "10.2.0.0/15", 0, 0),
    };
    struct guard_boxes b;
    assert_int_equal(guard_boxes_make(&b, rows, 4), 0);
    assert_int_equal(b.n, 2); /* the same again and a part of it add nothing */
    assert_int_equal(b.box[0].layer, 0);
    assert_int_equal(b.box[1].layer, 1);
    guard_boxes_free(&b);
}

static void test_bad_rows(void **state)
{
    (void)state;
    struct nft_pair good = row("10.1.0.0/16", "10.2.0.0/16", 0, 0), bad[4] = {good, good, good};
    struct guard_boxes b;
    bad[0].local_lo = bad[0].remote_lo;
    bad[1].remote_hi = row("fd01::/64", "fd02::/64", 0, 0).remote_hi;
    bad[2].local_hi.family = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(guard_boxes_make(&b, &bad[i], 1), E_USAGE);
        assert_null(b.box);
    }
    assert_int_equal(guard_boxes_make(&b, NULL, 0), 0);
    assert_int_equal(b.n, 0);
}

static unsigned pick(unsigned n)
{
    return (unsigned)rand() % n;
}

/* Few addresses and ports, so that everything overlaps with everything. */
static struct addr small_addr(uint8_t last)
{
    return addr_v4((uint8_t[4]){10, 0, 0, last});
}

static struct nft_pair random_row(void)
{
    static const uint8_t protos[] = {0, 0, 6, 17};
    struct nft_pair r = {.proto = protos[pick(4)], .local_port_hi = 65535, .remote_port_hi = 65535};
    unsigned a = pick(12), b = pick(12);
    r.local_lo = small_addr((uint8_t)a);
    r.local_hi = small_addr((uint8_t)(a + pick(12 - a)));
    r.remote_lo = small_addr((uint8_t)b);
    r.remote_hi = small_addr((uint8_t)(b + pick(12 - b)));
    if (r.proto && pick(2)) {
        r.local_port_lo = (uint16_t)pick(4);
        r.local_port_hi = (uint16_t)(r.local_port_lo + pick(3));
        r.remote_port_hi = (uint16_t)pick(4);
    }
    return r;
}

static bool rows_have(const struct nft_pair *rows, size_t n, const struct point *p)
{
    for (size_t i = 0; i < n; i++) {
        if (row_has(&rows[i], p))
            return true;
    }
    return false;
}

static void test_against_rows(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 400; round++) {
        struct nft_pair rows[12];
        struct guard_boxes b;
        size_t n = 1 + pick(12);
        for (size_t i = 0; i < n; i++)
            rows[i] = random_row();
        assert_int_equal(guard_boxes_make(&b, rows, n), 0);
        assert_layers(&b);
        for (unsigned i = 0; i < 400; i++) {
            struct point p = {small_addr((uint8_t)pick(13)), small_addr((uint8_t)pick(13)),
                              pick(2) ? 6 : 17, (uint16_t)pick(6), (uint16_t)pick(6)};
            assert_int_equal(boxes_have(&b, &p), rows_have(rows, n, &p));
        }
        guard_boxes_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_against_rows),
    };
    return cmocka_run_group_tests_name("io/guard_boxes", tests, NULL, NULL);
}
