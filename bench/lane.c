/*
 * bench-lane: a gateway's whole chain on one core, from the TUN device to UDP and back, TCP in
 * super-packets, ESP in UDP with AES-128-GCM. One thread feeds a lane and then turns it: only the
 * lane's own time counts, which is that of its system calls and of what the kernel does in them, up
 * to the other end of the veth pairs. There a namespace that forwards nothing drops what comes:
 * neither the other gateway's work nor a TCP receiver's is in the figure. Needs root.
 *
 * bench-lane [--json] [--seconds S] [--burst SUPER-PACKETS]
 */
#include "crypto/crypto.h"
#include "daemon/lane.h"
#include "dataplane/gsokit.h"
#include "dp_rig.h"
#include "io/netlab.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { NATT = 4500, MTU = 1400, HEADERS = 52, SEGMENT = MTU - HEADERS, SEGMENTS = 48 };
enum { BURST_MAX = 16, TRAIN = 45, TURNS_MAX = 100000 };
enum { ESP_MAX = DP_HEADROOM + MTU + DP_TAILROOM };

static const struct bench_suite suite = {"aes128gcm16", ENCR_AES_GCM_16, 128, 0};

struct bench {
    struct lane lane;
    struct dp *peer;
    int tap, udp; /* to the TUN device as the host; from the other gateway */
    uint32_t burst;
    uint64_t rng;
    struct gso gso;
    uint8_t super[GK_MAX];
    uint32_t len;
    uint8_t cell[SEGMENTS][ESP_MAX], train[GK_MAX];
    struct dp_pkt pkt[SEGMENTS], *ptr[SEGMENTS];
};

static struct bench b;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static void must(bool ok, const char *what)
{
    if (!ok)
        die(what);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void ignore_pkt(void *ctx, const struct dp_pkt *p)
{
    (void)ctx;
    (void)p;
}

static void ignore_notes(void *ctx)
{
    struct dp_note n;
    (void)ctx;
    while (dp_note_next(b.lane.dp, &n))
        ;
}

static void ignore_elsewhere(void *ctx, const struct dp_pkt *p, bool inbound)
{
    (void)ctx;
    (void)p;
    (void)inbound;
}

static void ignore_text(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

/* The gateway has w0 to the other one and l0 to its LAN. */
static int make_lab(void)
{
    static const char *const links[][2] = {{"w0", "w1"}, {"l0", "l1"}};
    uint8_t mac[6];
    int far = lab_ns();
    int near = lab_ns();
    for (size_t i = 0; i < 2; i++) {
        lab_run("ip link add %s type veth peer name %s netns /proc/%d/fd/%d", links[i][0],
                links[i][1], getpid(), far);
        lab_enter(far);
        lab_run("ip link set %s up", links[i][1]);
        lab_mac(links[i][1], mac);
        lab_enter(near);
        lab_run("ip link set %s up && ip addr add 192.0.%zu.1/24 dev %s && ip neigh replace "
                "192.0.%zu.9 dev %s lladdr %02x:%02x:%02x:%02x:%02x:%02x",
                links[i][0], i + 2, links[i][0], i + 2, links[i][0], mac[0], mac[1], mac[2], mac[3],
                mac[4], mac[5]);
    }
    lab_run("sysctl -qw net.ipv4.ip_forward=1 && ip route add 10.0.0.0/8 via 192.0.3.9");
    lab_enter(far);
    lab_run("ip addr add 192.0.2.2/24 dev w1");
    b.udp = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(NATT)}, to = from;
    from.sin_addr.s_addr = inet_addr("192.0.2.2");
    to.sin_addr.s_addr = inet_addr("192.0.2.1");
    must(b.udp >= 0 && bind(b.udp, (struct sockaddr *)&from, sizeof from) == 0 &&
             connect(b.udp, (struct sockaddr *)&to, sizeof to) == 0,
         "the other gateway's socket");
    lab_enter(near);
    return near;
}

/* The TUN device as the host sees it: super-packets with a vnet header. */
static int tap_open(void)
{
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = 0, /* receives nothing */
                             .sll_ifindex = (int)if_nametoindex("culvert0")};
    must(fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) == 0 &&
             bind(fd, (struct sockaddr *)&at, sizeof at) == 0,
         "a socket on the TUN device");
    return fd;
}

static void make_gateways(void)
{
    struct io_error err = {""};
    struct lane_settings s = {.tun = "culvert0",
                              .tun_mtu = MTU,
                              .port_natt = NATT,
                              .esp_io = ESP_IO_RAW,
                              .esp_interface = ""};
    const struct lane_ports ports = {NULL,        ignore_pkt, ignore_notes, ignore_elsewhere,
                                     ignore_text, ignore_text};
    const struct rig_opts o = {.suite = &suite, .window = 1024};
    dp_settings_default(&s.dp);
    if (lane_open(&b.lane, &s, &ports, &err)) {
        fprintf(stderr, "bench-lane: %s\n", err.text);
        exit(1);
    }
    b.peer = dp_new(&s.dp);
    must(b.peer, "the other gateway");
    rig_policies(b.lane.dp, 1, POL_PROTECT, false);
    rig_policies(b.peer, 1, POL_PROTECT, true);
    rig_sa(b.lane.dp, &o, 0, false);
    rig_sa(b.peer, &o, 0, true);
    b.tap = tap_open();
}

static void send_to(const char *remote)
{
    struct endpoint local = {.port = NATT}, far = {.port = NATT};
    local.addr = lab_addr("192.0.2.1");
    far.addr = lab_addr(remote);
    must(dp_child_move(b.lane.dp, 1, &local, &far) == E_OK, "the SA");
}

/* Segments that go on where the last super-packet's ended. */
static void next_super(bool out)
{
    static uint32_t seq;
    const struct gk_shape shape = {.tcp = true,
                                   .payload = SEGMENTS * SEGMENT,
                                   .size = SEGMENT,
                                   .option_bytes = 12,
                                   .flags = 0x10,
                                   .ttl = 64,
                                   .df = true};
    static const uint8_t addr[2][8] = {{100, 0, 0, 9, 10, 1, 2, 3}, {10, 1, 2, 3, 100, 0, 0, 9}};
    if (!b.len)
        b.len = gk_super(b.super, &shape, &b.rng, &b.gso);
    memcpy(b.super + 12, addr[out], 8);
    put_u32(b.super + 24, seq);
    put_u16(b.super + 10, 0);
    seq += SEGMENTS * SEGMENT;
}

static void feed_out(void)
{
    const struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                     .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                     .hdr_len = HEADERS,
                                     .gso_size = SEGMENT,
                                     .csum_start = 20,
                                     .csum_offset = 16};
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IP),
                             .sll_ifindex = b.lane.tun.ifindex};
    for (uint32_t i = 0; i < b.burst; i++) {
        next_super(true);
        struct iovec v[2] = {{(void *)(uintptr_t)&h, sizeof h}, {b.super, b.len}};
        const struct msghdr m = {
            .msg_name = &at, .msg_namelen = sizeof at, .msg_iov = v, .msg_iovlen = 2};
        must(sendmsg(b.tap, &m, 0) > 0, "a super-packet to the TUN device");
    }
}

/* Packets from..to of b.pkt as one train. */
static void send_train(uint32_t from, uint32_t to)
{
    size_t n = 0;
    int seg = (int)b.pkt[from].len;
    for (uint32_t i = from; i < to; i++) {
        must(b.pkt[i].verdict == DP_TO_NET, "encapsulation at the other gateway");
        memcpy(b.train + n, b.pkt[i].data, b.pkt[i].len);
        n += b.pkt[i].len;
    }
    must(setsockopt(b.udp, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof seg) == 0 &&
             send(b.udp, b.train, n, 0) == (ssize_t)n,
         "a train");
}

/* Segment i of the super-packet. */
static struct dp_pkt segment(const struct split *x, uint32_t i)
{
    uint8_t *p = b.cell[i] + DP_HEADROOM;
    split_header(x, i, p);
    memcpy(p + x->hdr_len, x->pkt + split_payload_at(x, i), SEGMENT);
    return (struct dp_pkt){.data = p, .len = MTU};
}

static void feed_in(void)
{
    struct split x;
    for (uint32_t i = 0; i < b.burst; i++) {
        next_super(false);
        must(split_begin(&x, b.super, b.len, &b.gso) == E_OK, "a super-packet");
        for (uint32_t k = 0; k < SEGMENTS; k++) {
            b.pkt[k] = segment(&x, k);
            b.ptr[k] = &b.pkt[k];
        }
        dp_outbound(b.peer, b.ptr, SEGMENTS, 1);
        send_train(0, TRAIN);
        send_train(TRAIN, SEGMENTS);
    }
}

static void turn_out(void)
{
    while (lane_outbound(&b.lane, 1))
        ;
}

static void turn_in(void)
{
    while (lane_inbound(&b.lane, LS_NATT4, 1))
        ;
}

static uint64_t count(bool out)
{
    struct dp_stats st;
    dp_stats_get(b.lane.dp, &st);
    must(!b.lane.tx_failed, "the lane sends");
    return out ? st.packets_out : st.packets_in;
}

static int by_value(const void *x, const void *y)
{
    double d = *(const double *)x - *(const double *)y;
    return d < 0 ? -1 : d > 0;
}

/* Nanoseconds for a packet, the median of all turns; each is fed and then timed. */
static double measure(bool out, double seconds)
{
    static double v[TURNS_MAX];
    size_t n = 0;
    double packets = b.burst * SEGMENTS, end = now_ns() + seconds * 1e9;
    send_to(out ? "192.0.2.9" : "192.0.2.2");
    while (n < TURNS_MAX && (n < 100 || now_ns() < end)) {
        uint64_t before = count(out);
        (out ? feed_out : feed_in)();
        double t0 = now_ns();
        (out ? turn_out : turn_in)();
        v[n++] = (now_ns() - t0) / packets;
        if (count(out) - before < b.burst * SEGMENTS) { /* more: probes of the path */
            fprintf(stderr, "bench-lane: %u packets fed, %llu went through\n", b.burst * SEGMENTS,
                    (unsigned long long)(count(out) - before));
            exit(1);
        }
    }
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

static const char usage[] = "usage: bench-lane [--json] [--seconds S] [--burst SUPER-PACKETS]\n";

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"json", 0, NULL, 'j'},
                                          {"seconds", 1, NULL, 't'},
                                          {"burst", 1, NULL, 'b'},
                                          {NULL, 0, NULL, 0}};
    const char *what = "";
    double seconds = 0.5;
    bool json = false;
    b.burst = 4;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'j')
            json = true;
        else if (c == 't')
            seconds = strtod(optarg, NULL);
        else if (c == 'b')
            b.burst = (uint32_t)strtoul(optarg, NULL, 10);
        else
            b.burst = 0;
    }
    if (b.burst < 1 || b.burst > BURST_MAX || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (cr_init(&what)) {
        fprintf(stderr, "bench-lane: crypto self-test failed: %s\n", what);
        return 1;
    }
    make_lab();
    make_gateways();
    for (int out = 1; out >= 0; out--) {
        double ns = measure(out, seconds);
        printf(json ? "%s{\"way\": \"%s\", \"ns\": %.1f}%s" : "%s%s %.1f ns a packet%s\n",
               json && out ? "[" : "", out ? "enc" : "dec", ns, json ? out ? ", " : "]\n" : "");
    }
    lane_close(&b.lane);
    dp_free(b.peer);
    return 0;
}
