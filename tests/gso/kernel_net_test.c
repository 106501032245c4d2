/*
 * Splitting and coalescing against the Linux kernel: a super-packet written to a TUN device with
 * offloads is forwarded to one without, so the kernel cuts it itself; what comes out must be, byte
 * for byte, what split.c makes of it, and the packets that coalesce.c made it of.
 */
#include "dataplane/coalesce.h"
#include "dataplane/gsokit.h"
#include "dataplane/split.h"
#include "io/netlab.h"
#include "io/tun.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <poll.h>

enum { ROOM = 2112, SIZE_MAX_SEG = 1380 };

static struct tun in, out;
static struct tun_offload got;
static uint8_t pkt[GK_MAX], seg[GK_MAX], back[GK_MAX];

static int make_lab(void **state)
{
    struct io_error err = {""};
    struct tun_want want = {0};
    (void)state;
    lab_ns();
    if (tun_vnet_open(&in, "in", 1500, &want, &got, &err) || tun_open(&out, "out", 1500, &err))
        fail_msg("%s", err.text);
    lab_run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
            "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.in.rp_filter=0");
    lab_run("ip route add 10.0.0.0/8 dev out && ip -6 route add fd00::/8 dev out");
    return 0;
}

static int end_lab(void **state)
{
    (void)state;
    tun_close(&in);
    tun_close(&out);
    return 0;
}

static struct gk_shape random_shape(uint64_t *rng)
{
    struct gk_shape s = {.v6 = gk_rand(rng) & 1,
                         .tcp = gk_rand(rng) & 1,
                         .size = (uint16_t)(1 + gk_rand(rng) % SIZE_MAX_SEG),
                         .option_bytes = (unsigned)(gk_rand(rng) % 11) * 4,
                         .flags = 0x10,
                         .tos = (uint8_t)gk_rand(rng),
                         .ttl = (uint8_t)(2 + gk_rand(rng) % 250),
                         .df = gk_rand(rng) & 1};
    uint32_t most = s.size * 127u < 60000 ? s.size * 127u : 60000;
    s.tcp = s.tcp || !got.uso4;
    s.payload = (uint32_t)(s.size + 1 + gk_rand(rng) % (most - s.size));
    return s;
}

/* As a router passes it on. */
static void age(uint8_t *p, uint32_t len)
{
    uint16_t l4 = 0;
    uint32_t at = p[0] >> 4 == 4 ? 20 : 40, field = at + ((at == 20 ? p[9] : p[6]) == 17 ? 6 : 16);
    memcpy(&l4, p + field, 2);
    p[at == 20 ? 8 : 7]--;
    gk_seal(p, len); /* for the IPv4 header */
    memcpy(p + field, &l4, 2);
}

/* Past what the kernel sends of its own: multicast reports, each behind a hop-by-hop header. */
static int read_out(void)
{
    int n;
    do {
        n = tun_read(&out, back, sizeof back);
    } while (n >= 40 && back[0] >> 4 == 6 && (back[6] == 0 || back[6] == 58));
    return n;
}

static void assert_comes_out(const uint8_t *want, uint32_t n, const char *what, int turn)
{
    struct pollfd p = {.fd = out.fd, .events = POLLIN};
    int k = read_out();
    if (k == 0 && poll(&p, 1, 1000) == 1)
        k = read_out();
    if (k != (int)n || memcmp(back, want, n) != 0)
        fail_msg("%s, turn %d: %d bytes, %u wanted", what, turn, k, n);
}

static void test_split(void **state)
{
    uint64_t rng = 1;
    (void)state;
    for (int turn = 0; turn < 300; turn++) {
        struct gk_shape s = random_shape(&rng);
        struct gso g;
        struct split cut;
        s.flags = (uint8_t)(0x10 | (gk_rand(&rng) & 0xc9)); /* CWR ECE PSH FIN */
        uint32_t len = gk_super(pkt, &s, &rng, &g);
        struct bytes v = bytes_of(pkt, len);
        assert_int_equal(tun_vnet_write(&in, &g, &v, 1), 0);
        age(pkt, len);
        assert_int_equal(split_begin(&cut, pkt, len, &g), 0);
        for (uint32_t i = 0; i < cut.n; i++) {
            uint32_t n = split_payload_len(&cut, i);
            split_header(&cut, i, seg);
            memcpy(seg + cut.hdr_len, pkt + split_payload_at(&cut, i), n);
            assert_comes_out(seg, cut.hdr_len + n, "segment", turn);
        }
        assert_int_equal(read_out(), 0);
    }
}

static void test_finish(void **state)
{
    uint64_t rng = 2;
    (void)state;
    for (int turn = 0; turn < 200; turn++) {
        struct gk_shape s = random_shape(&rng);
        struct gso g;
        s.payload = (uint32_t)(gk_rand(&rng) % SIZE_MAX_SEG);
        uint32_t len = gk_super(pkt, &s, &rng, &g);
        struct bytes v = bytes_of(pkt, len);
        g.kind = GSO_NONE;
        g.size = 0;
        assert_int_equal(tun_vnet_write(&in, &g, &v, 1), 0);
        age(pkt, len);
        assert_int_equal(split_finish(pkt, len, &g), 0);
        assert_comes_out(pkt, len, "open checksum", turn);
    }
}

static struct coalesce c;
static uint8_t mem[COALESCE_MAX][ROOM], old[COALESCE_MAX][ROOM];
static struct co_pkt pkts[COALESCE_MAX];

/* Three flows, packet by packet in turn; the number of packets. */
static size_t three_flows(uint64_t *rng)
{
    static uint8_t super[3][GK_MAX];
    struct gso g[3];
    uint32_t len[3], n = 0;
    for (size_t f = 0; f < 3; f++) {
        struct gk_shape s = random_shape(rng);
        s.payload = (uint32_t)(s.size + 1 + gk_rand(rng) % (s.size * 39u));
        s.flags = (uint8_t)(0x10 | (gk_rand(rng) & 8));
        len[f] = gk_super(super[f], &s, rng, &g[f]);
    }
    for (uint32_t i = 0; i < 41; i++) {
        for (size_t f = 0; f < 3; f++) {
            uint32_t k = gk_segment(super[f], len[f], &g[f], i, mem[n]);
            if (k == 0)
                continue;
            memcpy(old[n], mem[n], k);
            pkts[n] = (struct co_pkt){mem[n], k};
            n++;
        }
    }
    return n;
}

static void test_coalesce(void **state)
{
    uint64_t rng = 3;
    (void)state;
    for (int turn = 0; turn < 200; turn++) {
        struct co_flags may = {got.tso4, got.tso6, got.uso4, got.uso6};
        size_t n = three_flows(&rng), groups = coalesce(&c, pkts, n, &may);
        assert_int_equal(groups, 3);
        for (size_t i = 0; i < groups; i++) {
            const struct co_group *g = &c.group[i];
            assert_int_equal(tun_vnet_write(&in, &g->gso, g->v, g->nv), 0);
            for (uint32_t k = 0; k < g->nv; k++) {
                size_t at = (size_t)(g->v[k].p - mem[0]) / ROOM;
                age(old[at], pkts[at].n);
                assert_comes_out(old[at], pkts[at].n, "merged packet", turn);
            }
        }
        assert_int_equal(read_out(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_coalesce),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("gso/kernel", tests, make_lab, end_lab);
}
