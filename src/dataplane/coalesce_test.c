/* Coalescing: what was merged splits back, order stays, and everything that must not merge. */
#include "dataplane/coalesce.h"
#include "dataplane/gsokit.h"
#include "dataplane/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { ROOM = 2112 };

static const struct co_flags all = {true, true, true, true};
static struct coalesce c;
static uint8_t super[GK_MAX], joined[GK_MAX + 128], mem[COALESCE_MAX][ROOM],
    old[COALESCE_MAX][ROOM];
static struct co_pkt pkts[COALESCE_MAX];

static void put(size_t i, const uint8_t *p, uint32_t n)
{
    assert_true(n <= ROOM && i < COALESCE_MAX);
    memcpy(mem[i], p, n);
    memcpy(old[i], p, n);
    pkts[i] = (struct co_pkt){mem[i], n};
}

/* Cuts a super-packet into packets from index `at` on; the number behind the last. */
static size_t cut(const struct gk_shape *s, uint64_t *rng, size_t at, struct gso *g)
{
    uint8_t seg[ROOM];
    uint32_t len = gk_super(super, s, rng, g);
    for (uint32_t i = 0, n; (n = gk_segment(super, len, g, i, seg)) != 0; i++)
        put(at++, seg, n);
    return at;
}

static uint32_t join(const struct co_group *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->nv; i++) {
        memcpy(joined + n, g->v[i].p, g->v[i].n);
        n += (uint32_t)g->v[i].n;
    }
    assert_int_equal(n, g->len);
    return n;
}

static struct gk_shape random_shape(uint64_t *rng)
{
    struct gk_shape s = {.v6 = gk_rand(rng) & 1,
                         .tcp = gk_rand(rng) & 1,
                         .size = (uint16_t)(1 + gk_rand(rng) % 1500),
                         .option_bytes = (unsigned)(gk_rand(rng) % 11) * 4,
                         .flags = (uint8_t)(0x10 | (gk_rand(rng) & 0x08)),
                         .tos = (uint8_t)gk_rand(rng),
                         .ttl = (uint8_t)gk_rand(rng),
                         .df = gk_rand(rng) & 1};
    uint32_t most = s.size * (uint32_t)SPLIT_MAX < 65000 ? s.size * (uint32_t)SPLIT_MAX : 65000;
    s.payload = (uint32_t)(1 + gk_rand(rng) % most);
    return s;
}

static bool same_gso(const struct gso *a, const struct gso *b)
{
    return a->kind == b->kind && a->needs_csum == b->needs_csum && a->ecn == b->ecn &&
           a->size == b->size && a->hdr_len == b->hdr_len && a->csum_start == b->csum_start &&
           a->csum_offset == b->csum_offset;
}

/* coalesce(split(x)) is x, and its offload header what the kernel would write. */
static void test_round_trip(void **state)
{
    uint64_t rng = 1;
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct gk_shape s = random_shape(&rng);
        struct gso g;
        size_t n = cut(&s, &rng, 0, &g);
        assert_int_equal(coalesce(&c, pkts, n, &all), 1);
        uint32_t len = join(&c.group[0]);
        if (n == 1) {
            assert_int_equal(c.group[0].gso.kind, GSO_NONE);
            assert_memory_equal(joined, old[0], len);
            continue;
        }
        uint32_t whole = (s.v6 ? 40 : 20) + (s.tcp ? 20 + s.option_bytes : 8) + s.payload;
        assert_int_equal(len, whole);
        assert_memory_equal(joined, super, len);
        assert_true(same_gso(&c.group[0].gso, &g));
    }
}

/* Cuts group g back and compares each packet with the one that came. */
static void assert_group(const struct co_group *g, const uint16_t *members)
{
    uint8_t seg[ROOM];
    uint32_t len = join(g);
    if (g->nv == 1) {
        assert_int_equal(len, pkts[members[0]].n);
        assert_memory_equal(joined, old[members[0]], len);
        assert_int_equal(g->gso.kind, GSO_NONE);
        assert_false(g->gso.needs_csum);
        return;
    }
    struct split s;
    assert_int_equal(split_begin(&s, joined, len, &g->gso), 0);
    assert_int_equal(s.n, g->nv);
    for (uint32_t i = 0; i < s.n; i++) {
        split_header(&s, i, seg);
        memcpy(seg + s.hdr_len, joined + split_payload_at(&s, i), split_payload_len(&s, i));
        assert_memory_equal(seg, old[members[i]], s.hdr_len + split_payload_len(&s, i));
    }
}

/* The packets of group g by the order in which they came: slices are pieces of the buffers. */
static void assert_groups(size_t n, size_t groups)
{
    size_t seen = 0;
    for (size_t i = 0; i < groups; i++) {
        const struct co_group *g = &c.group[i];
        uint16_t members[COALESCE_MAX];
        for (uint32_t k = 0; k < g->nv; k++, seen++) {
            members[k] = (uint16_t)((size_t)(g->v[k].p - mem[0]) / ROOM);
            assert_true(k == 0 || members[k] > members[k - 1]);
        }
        assert_int_equal(members[0], g->first);
        assert_group(g, members);
    }
    assert_int_equal(seen, n);
}

/* Several flows mixed at random, with random damage to headers: nothing is lost, all order kept. */
static void mix(uint64_t *rng)
{
    static uint8_t seg[8][COALESCE_MAX][ROOM];
    static uint32_t len[8][COALESCE_MAX];
    size_t count[8], at[8] = {0}, total = 0, n = 0;
    for (size_t f = 0; f < 8; f++) {
        struct gk_shape s = random_shape(rng);
        struct gso g;
        s.df = false;
        s.payload = (uint32_t)(s.size * (1 + gk_rand(rng) % 16));
        uint32_t whole = gk_super(super, &s, rng, &g);
        for (count[f] = 0; (len[f][count[f]] =
                                gk_segment(super, whole, &g, (uint32_t)count[f], seg[f][count[f]]));
             count[f]++)
            ;
        total += count[f];
    }
    while (n < total) {
        size_t f = gk_rand(rng) % 8, k = at[f];
        if (k == count[f])
            continue;
        at[f]++;
        uint64_t dice = gk_rand(rng);
        if (dice % 32 == 0)
            seg[f][k][(dice >> 8) % len[f][k]] ^= (uint8_t)(1u << (dice >> 32) % 8);
        if (dice % 64 == 1)
            seg[f][k][(dice >> 8) % 60 % len[f][k]] ^= (uint8_t)(1u << (dice >> 32) % 8);
        if (dice % 64 == 1 && seg[f][k][0] >> 4 != 6)
            gk_seal(seg[f][k], len[f][k] > 60 ? len[f][k] : 60);
        put(n++, seg[f][k], len[f][k]);
    }
    assert_groups(n, coalesce(&c, pkts, n, &all));
}

static void test_mixed(void **state)
{
    uint64_t rng = 2;
    (void)state;
    for (int i = 0; i < 300; i++)
        mix(&rng);
}

struct stop_case {
    const char *name;
    bool v6, udp;
    bool df;      /* IPv4 */
    uint32_t at;  /* byte of the second of three packets that is changed */
    uint8_t flip; /* and how; its checksums are made right again */
    size_t groups;
};

static const struct stop_case stops[] = {
    {"nothing changed", false, false, false, 0, 0, 1},
    {"TOS", false, false, false, 1, 4, 3},
    {"identification without DF", false, false, false, 5, 0x10, 3},
    {"identification with DF", false, false, true, 5, 0x10, 1},
    {"DF", false, false, false, 6, 0x40, 3},
    {"reserved bit", false, false, false, 6, 0x80, 3},
    {"TTL", false, false, false, 8, 1, 3},
    {"source", false, false, true, 15, 1, 3}, /* the third does not follow the first either */
    {"destination", false, false, true, 19, 1, 3},
    {"source port", false, false, true, 21, 1, 3},
    {"destination port", false, false, true, 23, 1, 3},
    {"sequence", false, false, false, 27, 1, 3},
    {"acknowledgment", false, false, false, 31, 1, 3},
    {"reserved flags", false, false, false, 32, 1, 3},
    {"FIN", false, false, false, 33, 0x01, 3},
    {"SYN", false, false, false, 33, 0x02, 3},
    {"RST", false, false, false, 33, 0x04, 3},
    {"PSH ends the group", false, false, false, 33, 0x08, 2},
    {"ACK missing", false, false, false, 33, 0x10, 3},
    {"URG", false, false, false, 33, 0x20, 3},
    {"ECE", false, false, false, 33, 0x40, 3},
    {"CWR", false, false, false, 33, 0x80, 3},
    {"window", false, false, false, 35, 1, 3},
    {"urgent pointer", false, false, false, 39, 1, 3},
    {"options", false, false, false, 41, 1, 3},
    {"payload", false, false, false, 60, 1, 1},
    {"IPv6: nothing changed", true, false, false, 0, 0, 1},
    {"traffic class", true, false, false, 1, 0x40, 3},
    {"flow label", true, false, false, 3, 1, 3},
    {"hop limit", true, false, false, 7, 1, 3},
    {"IPv6 source", true, false, false, 23, 1, 3},
    {"IPv6 destination", true, false, false, 39, 1, 3},
    {"IPv6 sequence", true, false, false, 47, 1, 3},
    {"UDP: nothing changed", false, true, false, 0, 0, 1},
    {"UDP identification", false, true, false, 5, 0x10, 3},
    {"UDP port", false, true, true, 23, 1, 2}, /* the third follows the first */
    {"UDP TTL", false, true, true, 8, 1, 3},
    {"IPv6 UDP: nothing changed", true, true, false, 0, 0, 1},
    {"IPv6 UDP: hop limit", true, true, false, 7, 1, 3},
};

static void test_stops(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        const struct stop_case *t = &stops[i];
        struct gk_shape s = {.v6 = t->v6,
                             .tcp = !t->udp,
                             .payload = 300,
                             .size = 100,
                             .ttl = 64,
                             .flags = 0x10,
                             .option_bytes = 12,
                             .df = t->df};
        uint64_t rng = i;
        struct gso g;
        size_t n = cut(&s, &rng, 0, &g);
        assert_int_equal(n, 3);
        mem[1][t->at] ^= t->flip;
        gk_seal(mem[1], pkts[1].n);
        memcpy(old[1], mem[1], pkts[1].n);
        size_t groups = coalesce(&c, pkts, n, &all);
        if (groups != t->groups)
            fail_msg("%s: %zu groups", t->name, groups);
        if (!t->df)
            assert_groups(n, groups);
    }
}

/* A damaged packet goes out as it came, alone, wherever it stands; the rest still merges. */
static void test_damage(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < 4; bad++) {
        static const size_t want[4] = {2, 3, 3, 2};
        for (uint32_t bit = 0; bit < 4; bit++) {
            struct gk_shape s = {
                .tcp = true, .payload = 400, .size = 100, .ttl = 64, .flags = 0x10};
            uint64_t rng = bit;
            struct gso g;
            size_t n = cut(&s, &rng, 0, &g);
            mem[bad][bit == 0 ? 10 : bit == 1 ? 36 : 40 + bit * 17] ^= 4;
            memcpy(old[bad], mem[bad], pkts[bad].n);
            assert_int_equal(coalesce(&c, pkts, n, &all), want[bad]);
            assert_groups(n, want[bad]);
        }
    }
}

/* Fragments, extension headers and options may belong to any flow: nothing moves past them. */
static void test_barriers(void **state)
{
    static const struct {
        uint32_t at;
        uint8_t v;
        size_t groups;
    } cases[] = {{0, 0x46, 3}, {6, 0x20, 3}, {7, 1, 3}, {9, 1, 2}, {9, 50, 2}, {0, 0x55, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gk_shape s = {
            .tcp = true, .payload = 300, .size = 100, .ttl = 64, .flags = 0x10, .df = true};
        uint64_t rng = i;
        struct gso g;
        cut(&s, &rng, 0, &g);
        put(3, mem[2], pkts[2].n);
        put(2, mem[1], pkts[1].n);
        mem[1][cases[i].at] = old[1][cases[i].at] = cases[i].v;
        assert_int_equal(coalesce(&c, pkts, 4, &all), cases[i].groups);
        /* 0 | 1 | 2 3, or 0 2 3 | 1 */
        assert_int_equal(c.group[cases[i].groups == 3 ? 2 : 0].nv, cases[i].groups == 3 ? 2 : 3);
    }
}

static void test_limits(void **state)
{
    struct gk_shape s = {
        .tcp = true, .payload = 1400u * 46, .size = 1400, .ttl = 64, .flags = 0x10};
    struct gso g;
    uint64_t rng = 9;
    (void)state;
    size_t n = cut(&s, &rng, 0, &g);
    for (size_t i = 0; i < n; i++) { /* a second train that goes on where the first one ends */
        put(n + i, mem[i], pkts[i].n);
        put_u32(mem[n + i] + 24, get_u32(mem[i] + 24) + 1400 * 46);
        put_u16(mem[n + i] + 4, (uint16_t)(get_u16(mem[i] + 4) + 46));
        gk_seal(mem[n + i], pkts[i].n);
        memcpy(old[n + i], mem[n + i], pkts[i].n);
    }
    assert_int_equal(coalesce(&c, pkts, 2 * n, &all), 2);
    assert_true(c.group[0].len <= 65535 && c.group[0].nv == 46);
    assert_groups(2 * n, 2);
}

/* Without the kernel's support nothing of that kind is touched. */
static void test_flags(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        for (unsigned bit = 0; bit < 5; bit++) {
            struct gk_shape s = {.v6 = kind & 1,
                                 .tcp = !(kind & 2),
                                 .payload = 300,
                                 .size = 100,
                                 .ttl = 64,
                                 .flags = 0x10};
            struct co_flags may = {bit == 0, bit == 1, bit == 2, bit == 3};
            uint64_t rng = kind;
            struct gso g;
            size_t n = cut(&s, &rng, 0, &g);
            assert_int_equal(coalesce(&c, pkts, n, &may), bit == kind ? 1 : 3);
            assert_groups(n, bit == kind ? 1 : 3);
        }
    }
    assert_int_equal(coalesce(&c, pkts, 0, &all), 0);
}

/* UDP without a checksum (RFC 768) and empty datagrams stay alone. */
static void test_udp_alone(void **state)
{
    struct gk_shape s = {.payload = 300, .size = 100, .ttl = 64, .df = true};
    struct gso g;
    uint64_t rng = 4;
    (void)state;
    size_t n = cut(&s, &rng, 0, &g);
    put_u16(mem[1] + 26, 0);
    put_u16(old[1] + 26, 0);
    assert_int_equal(coalesce(&c, pkts, n, &all), 3);
    n = cut(&s, &rng, 0, &g);
    put_u16(mem[0] + 2, 28);
    put_u16(mem[0] + 24, 8);
    gk_seal(mem[0], 28);
    put(0, mem[0], 28);
    assert_int_equal(coalesce(&c, pkts, n, &all), 2);
    assert_int_equal(c.group[0].nv, 1);
}

/* In buffers of just their size, cut short anywhere, with lengths made to fit or not. */
static void test_truncated(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        struct gk_shape s = {.v6 = kind & 1,
                             .tcp = !(kind & 2),
                             .payload = 90,
                             .size = 30,
                             .ttl = 64,
                             .flags = 0x10,
                             .option_bytes = 8};
        uint64_t rng = kind;
        struct gso g;
        size_t n = cut(&s, &rng, 0, &g);
        for (uint32_t len = 0; len < pkts[1].n; len++) {
            uint8_t *exact = malloc(len ? len : 1);
            assert_non_null(exact);
            memcpy(exact, old[1], len);
            if ((kind & 4) && len >= 6)
                put_u16(exact + (s.v6 ? 4 : 2), (uint16_t)(s.v6 ? len - 40 : len));
            struct co_pkt list[3] = {pkts[0], {exact, len}, pkts[2]};
            assert_true(coalesce(&c, list, n, &all) >= 2);
            free(exact);
            put(0, old[0], pkts[0].n);
            put(2, old[2], pkts[2].n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_stops),      cmocka_unit_test(test_damage),
        cmocka_unit_test(test_barriers),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_flags),      cmocka_unit_test(test_udp_alone),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
