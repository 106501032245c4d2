/* Cutting super-packets: against the slow way, and every lie about one. */
#include "dataplane/split.h"
#include "dataplane/csum.h"
#include "dataplane/gsokit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static uint8_t pkt[GK_MAX + 64], want[GK_MAX], got[GK_MAX];

static void test_csum(void **state)
{
    uint64_t rng = 1;
    (void)state;
    for (uint32_t n = 0; n < 700; n++) {
        uint32_t at = n % 5, slow = 0;
        for (uint32_t i = 0; i < n; i++)
            pkt[at + i] = n % 3 ? (uint8_t)gk_rand(&rng) : 0xff;
        for (uint32_t i = 0; i < n; i++)
            slow += i & 1 ? pkt[at + i] : (uint32_t)pkt[at + i] << 8;
        while (slow >> 16)
            slow = (slow & 0xffff) + (slow >> 16);
        uint8_t out[2];
        csum_put(out, csum_fold(csum_add(pkt + at, n, 0)));
        assert_int_equal(get_u16(out), slow);
        for (enum csum_way w = CSUM_PLAIN; w <= CSUM_VNNI; w++) {
            if (!csum_has(w))
                continue;
            csum_put(out, csum_fold(csum_add_by(w, pkt + at, n, 0)));
            assert_int_equal(get_u16(out), slow);
        }
    }
    memset(pkt, 0xff, GK_MAX);
    assert_int_equal(csum_fold(csum_add(pkt, GK_MAX - 1, UINT64_MAX)), 0xffff);
    for (enum csum_way w = CSUM_PLAIN; w <= CSUM_VNNI; w++)
        for (size_t n = 1; csum_has(w) && n < GK_MAX; n += 1 + n / 3)
            assert_int_equal(csum_fold(csum_add_by(w, pkt, n, 0)), n == 1  ? 0xff
                                                                   : n % 2 ? 0xff
                                                                           : 0xffff);
}

static void assert_split(const uint8_t *p, uint32_t len, const struct gso *g)
{
    struct split s;
    uint32_t n = 0;
    assert_int_equal(split_begin(&s, p, len, g), 0);
    for (uint32_t size; (size = gk_segment(p, len, g, n, want)) != 0; n++) {
        uint32_t at = split_payload_at(&s, n), payload = split_payload_len(&s, n);
        assert_true(n < s.n && s.hdr_len <= SPLIT_HEADER_MAX && at + payload <= len);
        split_header(&s, n, got);
        memcpy(got + s.hdr_len, p + at, payload);
        assert_int_equal(s.hdr_len + payload, size);
        assert_memory_equal(got, want, size);
        assert_true(gk_intact(got, size));
    }
    assert_int_equal(s.n, n);
}

static struct gk_shape random_shape(uint64_t *rng)
{
    struct gk_shape s = {.v6 = gk_rand(rng) & 1,
                         .tcp = gk_rand(rng) & 1,
                         .size = (uint16_t)(1 + gk_rand(rng) % (gk_rand(rng) & 1 ? 60 : 1500)),
                         .option_bytes = (unsigned)(gk_rand(rng) % 11) * 4,
                         .flags = (uint8_t)(0x10 | (gk_rand(rng) & 0xc9)),
                         .tos = (uint8_t)gk_rand(rng),
                         .ttl = (uint8_t)gk_rand(rng),
                         .df = gk_rand(rng) & 1};
    uint32_t most = s.size * 128u < 65000 ? s.size * 128u : 65000;
    s.payload = (uint32_t)(1 + gk_rand(rng) % most);
    return s;
}

static void test_random(void **state)
{
    uint64_t rng = 2;
    (void)state;
    for (int i = 0; i < 400; i++) {
        struct gk_shape s = random_shape(&rng);
        struct gso g;
        uint32_t len = gk_super(pkt, &s, &rng, &g);
        assert_split(pkt, len, &g);
    }
}

/* UDP: a sum that comes out as zero is sent as ffff (RFC 768). */
static void test_udp_zero(void **state)
{
    struct gk_shape s = {.payload = 64, .size = 32, .ttl = 64};
    uint64_t rng = 3;
    struct gso g;
    (void)state;
    uint32_t len = gk_super(pkt, &s, &rng, &g), n = gk_segment(pkt, len, &g, 0, want);
    memset(pkt + 28, 0, 2);
    gk_segment(pkt, len, &g, 0, want);
    memcpy(pkt + 28, want + 26, 2); /* the checksum as payload makes the sum ffff */
    n = gk_segment(pkt, len, &g, 0, want);
    assert_int_equal(n, 60);
    assert_int_equal(get_u16(want + 26), 0xffff);
    assert_split(pkt, len, &g);
}

struct lie {
    const char *name;
    struct gk_shape s;
    uint32_t at; /* these bytes of the packet are changed; n 0: none */
    uint8_t n, b[4];
    struct gso g; /* fields that are not zero are put in; size 0xffff: zero */
};

#define V4T                                                                                        \
    {                                                                                              \
        .tcp = true, .payload = 3000, .size = 1000, .ttl = 64, .flags = 0x10                       \
    }
#define V6T                                                                                        \
    {                                                                                              \
        .v6 = true, .tcp = true, .payload = 3000, .size = 1000, .ttl = 64, .flags = 0x10           \
    }
#define V4U                                                                                        \
    {                                                                                              \
        .payload = 3000, .size = 1000, .ttl = 64                                                   \
    }
#define V6U                                                                                        \
    {                                                                                              \
        .v6 = true, .payload = 3000, .size = 1000, .ttl = 64                                       \
    }

static const struct lie lies[] = {
    {"size 0", V4T, .g.size = 0xffff},
    {"129 segments", {.tcp = true, .payload = 129, .size = 1}},
    {"no payload", {.tcp = true, .size = 1000}},
    {"TCP header of 16", V4T, 32, 1, {0x40}},
    {"TCP header past the end", {.tcp = true, .payload = 1, .size = 1}, 32, 1, {0xf0}},
    {"IPv4 options", V4T, 0, 1, {0x46}},
    {"IPv4 header of 16", V4T, 0, 1, {0x44}},
    {"version 6 in TCP4", V4T, 0, 1, {0x60}},
    {"version 4 in TCP6", V6T, 0, 1, {0x45}},
    {"version 0", V4U, 0, 1, {0x05}},
    {"total too long", V4T, 2, 2, {0xff, 0xff}},
    {"total too short", V4T, 2, 2, {0x0b, 0xdf}},
    {"total zero", V4T, 2, 2, {0, 0}},
    {"first fragment", V4T, 6, 2, {0x20, 0}},
    {"later fragment", V4T, 6, 2, {0, 1}},
    {"UDP in TCP4", V4T, 9, 1, {17}},
    {"TCP in UDP", V4U, 9, 1, {6}},
    {"IPv6 hop-by-hop", V6T, 6, 1, {0}},
    {"IPv6 payload length", V6U, 4, 2, {0, 1}},
    {"IPv6 jumbogram", V6T, 4, 2, {0, 0}},
    {"UDP length", V4U, 24, 2, {0, 8}},
    {"UDP length zero", V6U, 44, 2, {0, 0}},
    {"csum_start in the IP header", V4T, .g.csum_start = 12},
    {"csum_start in the payload", V4T, .g.csum_start = 60},
    {"csum_start past the end", V6T, .g.csum_start = 65535},
    {"csum_offset of UDP", V4T, .g.csum_offset = 6},
    {"csum_offset past the end", V4U, .g.csum_offset = 65535},
    {"unknown kind", V4U, .g.kind = 9},
};

static void test_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const struct lie *l = &lies[i];
        struct split s = {.n = 77}, before = s;
        uint64_t rng = i;
        struct gso g;
        uint32_t len = gk_super(pkt, &l->s, &rng, &g);
        memcpy(pkt + l->at, l->b, l->n);
        if (l->g.size)
            g.size = 0;
        g.kind = l->g.kind ? l->g.kind : g.kind;
        g.csum_start = l->g.csum_start ? l->g.csum_start : g.csum_start;
        g.csum_offset = l->g.csum_offset ? l->g.csum_offset : g.csum_offset;
        memcpy(want, pkt, len);
        if (split_begin(&s, pkt, len, &g) != R_DP_GSO)
            fail_msg("%s", l->name);
        assert_memory_equal(&s, &before, sizeof s);
        assert_memory_equal(pkt, want, len);
    }
}

/* Shorter than it says, in a buffer of just that size. */
static void test_truncated(void **state)
{
    static const struct gk_shape shapes[] = {V4T, V6T, V4U, V6U};
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        uint64_t rng = k;
        struct gso g, open = {.needs_csum = true};
        uint32_t len = gk_super(pkt, &shapes[k], &rng, &g);
        open.csum_start = g.csum_start;
        open.csum_offset = g.csum_offset;
        for (uint32_t n = 0; n < len; n += n < 120 ? 1 : 97) {
            uint8_t *exact = malloc(n ? n : 1);
            struct split s;
            assert_non_null(exact);
            memcpy(exact, pkt, n);
            assert_int_not_equal(split_begin(&s, exact, n, &g), 0);
            assert_int_not_equal(split_finish(exact, n, &open), 0);
            assert_memory_equal(exact, pkt, n);
            free(exact);
        }
    }
}

static void test_finish(void **state)
{
    uint64_t rng = 5;
    (void)state;
    for (int i = 0; i < 400; i++) {
        struct gk_shape s = random_shape(&rng);
        struct gso g;
        s.payload %= 1500;
        uint32_t len = gk_super(pkt, &s, &rng, &g);
        g.kind = GSO_NONE;
        memcpy(want, pkt, len);
        gk_seal(want, len);
        /* a buffer longer than the packet: what is behind does not count */
        assert_int_equal(split_finish(pkt, len + (uint32_t)i % 7, &g), 0);
        if (s.tcp || get_u16(want + g.csum_start + 6) != 0xffff)
            assert_memory_equal(pkt, want, len);
        assert_true(gk_intact(pkt, len));
        g.needs_csum = false;
        pkt[len - 1] ^= 1;
        memcpy(want, pkt, len);
        assert_int_equal(split_finish(pkt, len, &g), 0);
        assert_memory_equal(pkt, want, len);
    }
}

static void test_finish_lies(void **state)
{
    static const struct gso bad[] = {
        {.needs_csum = true, .csum_start = 19, .csum_offset = 16},
        {.needs_csum = true, .csum_start = 0, .csum_offset = 10},
        {.needs_csum = true, .csum_start = 20, .csum_offset = 1019},
        {.needs_csum = true, .csum_start = 1039, .csum_offset = 0},
        {.needs_csum = true, .csum_start = 65535, .csum_offset = 65535},
        {.needs_csum = true, .kind = GSO_UDP, .csum_start = 20, .csum_offset = 16},
    };
    struct gk_shape s = {.tcp = true, .payload = 1000, .size = 1000};
    uint64_t rng = 6;
    struct gso g;
    (void)state;
    uint32_t len = gk_super(pkt, &s, &rng, &g);
    memcpy(want, pkt, len);
    assert_int_equal(len, 1040);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(split_finish(pkt, len, &bad[i]), R_DP_GSO);
        assert_memory_equal(pkt, want, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csum),        cmocka_unit_test(test_random),
        cmocka_unit_test(test_udp_zero),    cmocka_unit_test(test_lies),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_finish),
        cmocka_unit_test(test_finish_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
