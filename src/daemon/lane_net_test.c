/*
 * A lane with what a host, a peer or an operator may do to it: super-packets that lie, trains that
 * mix IKE, keepalives and ESP, a full socket buffer, a TUN device that goes away. In a network
 * namespace of its own; where the host must lie, a socket pair stands for the TUN device.
 */
#include "crypto/crypto.h"
#include "daemon/lane.h"
#include "dataplane/gsokit.h"
#include "dataplane/testkit.h"
#include "io/netlab.h"
#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NATT = 4500, PEER = 7777 };
enum { GSO_UDP_L4 = 5 }; /* VIRTIO_NET_HDR_GSO_UDP_L4, younger than the headers of Debian 12 */

struct fixture {
    struct lane l;
    struct dp *peer; /* the other gateway, without a lane */
    struct child_sa sa, peer_sa;
    int host; /* our end of the pair that stands for the TUN device, -1: it is a real one */
    int udp;  /* the peer's socket */
    unsigned ike, ike_bytes, notes, lost;
};

static struct fixture f;
static uint8_t super[GK_MAX + 64], buf[KIT_BUF];

static void on_ike(void *ctx, const struct dp_pkt *p)
{
    (void)ctx;
    assert_int_equal(p->remote.port, PEER);
    assert_true(p->udp);
    f.ike++;
    f.ike_bytes = p->len;
}

static void on_notes(void *ctx)
{
    (void)ctx;
    f.notes++;
}

static void on_elsewhere(void *ctx, const struct dp_pkt *p, bool inbound)
{
    (void)ctx;
    (void)p;
    (void)inbound;
    fail_msg("a lane that is alone hands nothing over");
}

static void on_lost(void *ctx, const char *text)
{
    (void)ctx;
    assert_non_null(text);
    f.lost++;
}

static void on_say(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static int peer_socket(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PEER)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    a.sin_port = htons(NATT);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void tunnel_up(void)
{
    const struct kit_opts o = {.udp = true};
    f.peer = kit_dp();
    kit_policy(f.l.dp, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64");
    kit_policy(f.peer, "10.2.0.0/16", "10.1.0.0/16", "fd02::/64", "fd01::/64");
    kit_sa(&f.sa, &kit_suites[0], &o, true);
    kit_sa(&f.peer_sa, &kit_suites[0], &o, false);
    f.sa.spi_in = f.peer_sa.spi_out = dp_spi_alloc(f.l.dp);
    f.peer_sa.spi_in = f.sa.spi_out = dp_spi_alloc(f.peer);
    assert_int_equal(dp_child_add(f.l.dp, &f.sa, 0), E_OK);
    assert_int_equal(dp_child_add(f.peer, &f.peer_sa, 0), E_OK);
}

/* w0 leads to a network in which nobody is: what is sent there waits for a neighbour. */
static int make(void **state)
{
    struct io_error err = {""};
    struct lane_settings s = {.tun = "culvert0",
                              .tun_mtu = 1400,
                              .port_natt = NATT,
                              .mark = 220,
                              .esp_io = ESP_IO_RAW,
                              .esp_interface = ""};
    const struct lane_ports ports = {NULL, on_ike, on_notes, on_elsewhere, on_lost, on_say};
    (void)state;
    memset(&f, 0, sizeof f);
    f.host = -1;
    lab_ns();
    lab_run("ip link add w0 type veth peer name w1 && ip link set w1 up && ip link set w0 up &&"
            "ip addr add 192.0.2.1/24 dev w0");
    dp_settings_default(&s.dp);
    s.dp.path_probes = false;
    s.dp.sa_max = 1024;
    if (lane_open(&f.l, &s, &ports, &err))
        fail_msg("%s", err.text);
    f.udp = peer_socket();
    tunnel_up();
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (f.host >= 0)
        close(f.host);
    close(f.udp);
    lane_close(&f.l);
    dp_free(f.peer);
    kit_sa_free(&f.sa);
    kit_sa_free(&f.peer_sa);
    return 0;
}

/* From now on the host is the test. */
static void be_the_host(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
    close(f.l.tun.fd);
    f.l.tun.fd = pair[0];
    f.host = pair[1];
}

static void host_sends(const struct virtio_net_hdr *h, const void *p, size_t n)
{
    struct iovec v[2] = {{(void *)(uintptr_t)h, sizeof *h}, {(void *)(uintptr_t)p, n}};
    assert_int_equal(writev(f.host, v, 2), (ssize_t)(sizeof *h + n));
}

static void host_sends_good(void)
{
    const struct virtio_net_hdr plain = {0};
    uint8_t p[200];
    host_sends(&plain, p, kit_inner(p, sizeof p, 4, true));
}

static uint64_t dropped(void)
{
    struct dp_stats st;
    uint64_t n = 0;
    dp_stats_get(f.l.dp, &st);
    for (size_t i = 0; i < R_COUNT; i++)
        n += st.drops[i];
    return n;
}

static uint64_t sent(void)
{
    struct dp_stats st;
    dp_stats_get(f.l.dp, &st);
    return st.packets_out;
}

static void drain_outbound(void)
{
    while (lane_outbound(&f.l, 1))
        ;
}

/* A TCP super-packet of ten segments, whole and honest. */
static uint32_t honest(struct virtio_net_hdr *h, uint64_t *rng)
{
    struct gso g;
    const struct gk_shape shape = {.tcp = true, .payload = 10000, .size = 1000, .ttl = 64};
    uint32_t n = gk_super(super, &shape, rng, &g);
    memcpy(super + 12, (const uint8_t[]){10, 1, 2, 3, 10, 2, 2, 3}, 8);
    *h = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                 .hdr_len = g.hdr_len,
                                 .gso_size = 1000,
                                 .csum_start = g.csum_start,
                                 .csum_offset = g.csum_offset};
    return n;
}

struct lie {
    const char *name;
    int flags, type; /* -1 in any of these: as it was */
    int hdr_len, size, csum_start, csum_offset;
    int len; /* of the packet */
};

static const struct lie lies[] = {
    {"segments of nothing", -1, -1, -1, 0, -1, -1, -1},
    {"more segments than a train has", -1, -1, -1, 1, -1, -1, -1},
    {"segments larger than a cell", -1, -1, -1, 9000, -1, -1, -1},
    {"IPv6 it says", -1, VIRTIO_NET_HDR_GSO_TCPV6, -1, -1, -1, -1, -1},
    {"UDP it says", -1, GSO_UDP_L4, -1, -1, -1, -1, -1},
    {"shorter than its headers", -1, -1, -1, -1, -1, -1, 30},
    {"shorter than an IP header", -1, -1, -1, -1, -1, -1, 7},
    {"a checksum behind the end", -1, VIRTIO_NET_HDR_GSO_NONE, -1, -1, 65000, -1, 1000},
    {"a checksum across the end", -1, VIRTIO_NET_HDR_GSO_NONE, -1, -1, 999, 0, 1000},
    {"a single packet larger than a cell", 0, VIRTIO_NET_HDR_GSO_NONE, 0, 0, 0, 0, 9000},
};

static void tell_lie(const struct lie *x, uint64_t *rng)
{
    struct virtio_net_hdr h;
    uint32_t n = honest(&h, rng);
    h.flags = (uint8_t)(x->flags < 0 ? h.flags : x->flags);
    h.gso_type = (uint8_t)(x->type < 0 ? h.gso_type : x->type);
    h.hdr_len = (uint16_t)(x->hdr_len < 0 ? h.hdr_len : x->hdr_len);
    h.gso_size = (uint16_t)(x->size < 0 ? h.gso_size : x->size);
    h.csum_start = (uint16_t)(x->csum_start < 0 ? h.csum_start : x->csum_start);
    h.csum_offset = (uint16_t)(x->csum_offset < 0 ? h.csum_offset : x->csum_offset);
    host_sends(&h, super, x->len < 0 ? n : (uint32_t)x->len);
}

/* Each is dropped and counted, and the packet behind it goes its way. */
static void test_lies(void **state)
{
    (void)state;
    uint64_t rng = 1;
    struct virtio_net_hdr h;
    be_the_host();
    uint32_t n = honest(&h, &rng);
    host_sends(&h, super, n);
    drain_outbound();
    assert_int_equal(sent(), 10);
    assert_int_equal(dropped(), 0);
    for (const struct lie *x = lies; x < lies + sizeof lies / sizeof *lies; x++) {
        uint64_t s = sent(), d = dropped();
        tell_lie(x, &rng);
        host_sends_good();
        drain_outbound();
        if (sent() != s + 1 || dropped() != d + 1)
            fail_msg("%s: sent %d, dropped %d", x->name, (int)(sent() - s), (int)(dropped() - d));
    }
    assert_int_equal(f.lost, 0);
}

static void test_random_headers(void **state)
{
    (void)state;
    uint64_t rng = 7;
    be_the_host();
    for (int i = 0; i < 20000; i++) {
        struct virtio_net_hdr h;
        uint32_t n = honest(&h, &rng);
        uint8_t *raw = (uint8_t *)&h;
        for (uint64_t k = gk_rand(&rng) % 4 + 1; k; k--)
            raw[gk_rand(&rng) % sizeof h] = (uint8_t)gk_rand(&rng);
        if (gk_rand(&rng) % 2)
            super[gk_rand(&rng) % 60] ^= (uint8_t)gk_rand(&rng);
        host_sends(&h, super, gk_rand(&rng) % 3 ? n : gk_rand(&rng) % n + 1);
        drain_outbound();
    }
    uint64_t s = sent();
    host_sends_good();
    drain_outbound();
    assert_int_equal(sent(), s + 1);
    assert_int_equal(f.lost, 0);
}

/* --- trains from the network --- */

static uint32_t esp_of_peer(uint8_t *out)
{
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 200, 4, false));
    kit_out(f.peer, &p);
    assert_int_equal(p.verdict, DP_TO_NET);
    memcpy(out, p.data, p.len);
    return p.len;
}

static void send_train(const uint8_t *p, size_t n, int seg)
{
    assert_int_equal(setsockopt(f.udp, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof seg), 0);
    assert_int_equal(send(f.udp, p, n, 0), (ssize_t)n);
}

static void drain_inbound(void)
{
    while (lane_inbound(&f.l, LS_NATT4, 1))
        ;
}

static size_t host_got(void)
{
    size_t n = 0;
    uint8_t skip[2000];
    while (recv(f.host, skip, sizeof skip, 0) > 0)
        n++;
    return n;
}

/* ESP, IKE, ESP of nobody, IKE, ESP, and a keepalive as the shorter last one: RFC 3948 2. */
static void test_mixed_train(void **state)
{
    (void)state;
    uint8_t train[3000], *at = train;
    be_the_host();
    uint32_t len = esp_of_peer(at);
    memset(at + len, 0, len); /* the marker; what follows is the engine's business */
    memcpy(at + 2 * len, at, len);
    at[2 * len] ^= 0x40; /* an SPI that nobody has */
    memset(at + 3 * len, 0, len);
    assert_int_equal(esp_of_peer(at + 4 * len), len);
    at[5 * len] = 0xff;
    send_train(train, 5 * len + 1, (int)len);
    drain_inbound();
    assert_int_equal(f.ike, 2);
    assert_int_equal(f.ike_bytes, len - 4);
    assert_int_equal(dropped(), 1);
    assert_int_equal(host_got(), 2);
}

/* More datagrams than a batch, and one byte ones that a train may be made of. */
static void test_long_trains(void **state)
{
    (void)state;
    static uint8_t train[64 * 300];
    uint32_t len = 0;
    be_the_host();
    for (unsigned k = 0; k < 60; k++)
        len = esp_of_peer(train + k * len);
    send_train(train, 60 * len, (int)len);
    send_train((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff", 8, 1);
    send_train((const uint8_t *)"ab", 2, 1);
    drain_inbound();
    assert_true(host_got() >= 1); /* coalesced as the device takes it */
    struct dp_stats st;
    dp_stats_get(f.l.dp, &st);
    assert_int_equal(st.packets_in, 60);
    assert_int_equal(dropped(), 2); /* a and b are no ESP */
    assert_int_equal(f.ike, 0);
}

/* --- what the machine does --- */

static void test_full_buffer(void **state)
{
    (void)state;
    const int small = 1;
    be_the_host();
    int fd = f.l.sock[LS_NATT4].fd;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (int k = 0; k < 400; k++) {
        host_sends_good();
        drain_outbound();
    }
    assert_int_equal(sent(), 400);
    assert_in_range(f.l.tx_failed, 1, 400); /* lost, counted, and nobody waited */
    lab_run("ip neigh flush dev w0; ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev w0");
    uint64_t before = f.l.tx_failed;
    host_sends_good();
    drain_outbound();
    assert_int_equal(f.l.tx_failed, before);
    assert_int_equal(f.lost, 0);
}

/* More than the socket's buffer holds before anybody reads: the kernel's drops are in our counters.
 */
static void test_too_slow(void **state)
{
    (void)state;
    const int small = 1;
    uint8_t esp[400];
    be_the_host();
    assert_int_equal(lane_rx_dropped(&f.l), 0);
    assert_int_equal(setsockopt(f.l.sock[LS_NATT4].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small),
                     0);
    for (unsigned k = 0; k < 60; k++) {
        uint32_t n = esp_of_peer(esp);
        assert_int_equal(send(f.udp, esp, n, 0), (ssize_t)n);
    }
    drain_inbound();
    struct dp_stats st;
    dp_stats_get(f.l.dp, &st);
    assert_true(st.packets_in < 60);
    assert_int_equal(st.packets_in + lane_rx_dropped(&f.l), 60);
}

static uint64_t drops_of(err_t reason)
{
    struct dp_stats st;
    dp_stats_get(f.l.dp, &st);
    return st.drops[reason];
}

/* The link to the peer became smaller than the SA believes: what is under way is lost, counted for
 * what it is, and told; what follows is answered with ICMP. */
static void test_small_link(void **state)
{
    (void)state;
    uint64_t rng = 3;
    struct virtio_net_hdr h;
    struct child_stats st;
    be_the_host();
    lab_run("ip link set w0 mtu 1100");
    for (int turn = 0; turn < 2; turn++) {
        uint32_t n = honest(&h, &rng);
        put_u16(super + 6, 0x4000);
        put_u16(super + 10, 0);
        put_u16(super + 10, ip_csum(ip_sum(super, 20, 0)));
        h.gso_size = 1060;
        host_sends(&h, super, n);
        drain_outbound();
        assert_int_equal(drops_of(R_DP_LINK), 9); /* and the last segment is small */
        assert_int_equal(drops_of(R_DP_TOO_BIG), turn ? 9 : 0);
        assert_int_equal(host_got(), turn ? 9 : 0);
        assert_true(dp_child_stats(f.l.dp, f.sa.id, &st));
        assert_in_range(st.path_mtu, 1092, 1100);
    }
    assert_int_equal(st.drops[R_DP_LINK - R_DP_SHORT], 9);
    assert_int_equal(f.l.tx_failed, 0);
    assert_true(f.notes > 0);
}

static void test_tun_deleted(void **state)
{
    (void)state;
    uint8_t esp[400];
    uint32_t n = esp_of_peer(esp);
    lab_run("ip link del culvert0");
    assert_false(lane_outbound(&f.l, 1));
    assert_int_equal(f.lost, 1);
    assert_false(lane_outbound(&f.l, 1));
    assert_int_equal(send(f.udp, esp, n, 0), (ssize_t)n);
    drain_inbound();
    assert_int_equal(f.lost, 1); /* told once */
    assert_int_equal(f.l.tx_failed, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_lies),        T(test_random_headers), T(test_mixed_train), T(test_long_trains),
        T(test_full_buffer), T(test_too_slow),       T(test_small_link),  T(test_tun_deleted)};
    const char *lacks = NULL;
    if (!lab_allowed())
        return LAB_SKIP;
    if (cr_init(&lacks))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
