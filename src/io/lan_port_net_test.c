/*
 * The port for LAN interfaces over a veth pair: a host, a gateway with a TUN device and the port.
 * What is taken and what is left to the kernel, what leaves and what is left to the TUN device,
 * falling back, and that nothing stays behind.
 */
#include "io/clock.h"
#include "io/lan_port.h"
#include "io/netlab.h"
#include "io/tun.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 65536, TUN_MTU = 1400, PORT = 5000 };

static int ns_gw, ns_host;
static struct lan_port *port; /* in the gateway, on l0 */
static struct tun tun;        /* there, too */
static struct sock host[2];   /* UDP at the host */
static uint8_t big[ROOM], pkt[ROOM], in_mem[ROOM];

static const char *const host_addr[2] = {"10.1.0.2", "fd01::2"};
static const char *const far_addr[2] = {"10.2.0.5", "fd02::5"};
static const enum lan_io ways[] = {LAN_IO_PACKET, LAN_IO_XDP};
static enum lan_io way;

static int make_lab(void **state)
{
    struct io_error err = {""};
    struct tun_want want = {0};
    struct tun_offload got;
    (void)state;
    ns_gw = lab_ns();
    ns_host = lab_ns();
    lab_run("ip link add h0 type veth peer name l0 netns /proc/%d/fd/%d", getpid(), ns_gw);
    lab_run("ip link set h0 up && ip addr add 10.1.0.2/24 dev h0 && ip addr add fd01::2/64 dev h0 "
            "nodad &&"
            "ip route add default via 10.1.0.1 && ip -6 route add default via fd01::1");
    lab_enter(ns_gw);
    lab_run("ip link set l0 up && ip addr add 10.1.0.1/24 dev l0 && ip addr add fd01::1/64 dev l0 "
            "nodad &&"
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 &&"
            "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done");
    assert_int_equal(tun_vnet_open(&tun, "t0", TUN_MTU, &want, &got, &err), 0);
    lab_run("ip route add 10.2.0.0/16 dev t0 && ip -6 route add fd02::/32 dev t0 &&"
            "echo 0 >/proc/sys/net/ipv4/conf/t0/rp_filter");
    lab_enter(ns_host);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sock_open(&host[i], SOCK_UDP, i ? 6 : 4, PORT, 0, &err), 0);
    return 0;
}

/* From there; NULL: a hole. */
static void prefix_from(const char *text, const char *from)
{
    struct addr a;
    unsigned bits, from_bits;
    struct lan_sources s = {.n = from != NULL};
    assert_true(addr_parse_prefix(&a, &bits, text));
    if (from) {
        assert_true(addr_parse_prefix(&s.prefix[0], &from_bits, from));
        s.bits[0] = (uint8_t)from_bits;
    }
    assert_int_equal(lan_port_prefix(port, &a, bits, &s), 0);
}

static void prefix(const char *text, bool take)
{
    prefix_from(text, !take ? NULL : strchr(text, ':') ? "fd01::/64" : "10.1.0.0/24");
}

static void no_prefix(const char *text)
{
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, text));
    lan_port_prefix_del(port, &a, bits);
}

static struct lan_settings settings(enum lan_io io, const char *ifname)
{
    struct lan_settings s = {.io = io, .interfaces = 1, .tun = tun.ifindex, .mtu = TUN_MTU};
    snprintf(s.interface[0], sizeof s.interface[0], "%s", ifname);
    return s;
}

static void open_port(enum lan_io io, const char *ifname)
{
    struct lan_settings s = settings(io, ifname);
    struct io_error err = {""};
    lab_enter(ns_gw);
    way = io;
    if (lan_port_open(&port, &s, &err) != 0)
        fail_msg("%s", err.text);
}

static void open_both(enum lan_io io)
{
    open_port(io, "l0");
    const char *news = lan_port_news(port);
    if (!news || !strstr(news, io == LAN_IO_XDP ? "LAN interface l0 through AF_XDP"
                                                : "LAN interface l0 through AF_PACKET"))
        fail_msg("%s", news ? news : "no news");
    prefix("10.2.0.0/16", true);
    prefix("fd02::/32", true);
}

static void for_all(void (*fn)(void))
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        open_both(ways[i]);
        fn();
        lan_port_close(port);
    }
}

/* One packet, within ms; false: none came. */
static bool take(struct lan_pkt *p, int ms)
{
    struct pollfd fd = {.fd = lan_port_fd(port), .events = POLLIN};
    for (int turn = 0; turn < 50; turn++) { /* events and buffers given back wake us too */
        if (lan_port_recv(port, p, 1) == 1)
            return true;
        if (poll(&fd, 1, ms) == 0)
            return false;
    }
    return false;
}

/* What the kernel forwarded into the TUN device: its length, 0 for none. The kernel's own multicast
 * reports are none. */
static size_t forwarded(int ms)
{
    struct pollfd fd = {.fd = tun.fd, .events = POLLIN};
    struct gso g;
    while (poll(&fd, 1, ms) == 1) {
        int n = tun_vnet_read(&tun, &g, in_mem, sizeof in_mem);
        assert_true(n > 0);
        if (in_mem[0] >> 4 == 4 || in_mem[24] != 0xff)
            return (size_t)n;
    }
    return 0;
}

static void drain(void)
{
    struct lan_pkt p;
    while (take(&p, 20) || forwarded(20))
        continue;
}

static void assert_udp(const uint8_t *p, int i, uint8_t hops, size_t len, const void *data)
{
    struct addr from = lab_addr(host_addr[i]), to = lab_addr(far_addr[i]);
    size_t header = i ? 40 : 20, at = i ? 8 : 12, n = addr_len(&from);
    assert_int_equal(p[i ? 7 : 8], hops);
    assert_memory_equal(p + at, from.ip, n);
    assert_memory_equal(p + at + n, to.ip, n);
    assert_memory_equal(p + header + 8, data, len);
}

/* From the host: taken once, a hop older, its checksum known to be open. */
static void inbound(void)
{
    struct lan_pkt p;
    for (int i = 0; i < 2; i++) {
        for (uint32_t len = 1; len <= 1300; len = len * 3 + 1) {
            memset(big, (int)len, len);
            assert_true(lab_send(&host[i], NULL, far_addr[i], 7, big, len));
            assert_true(take(&p, 2000));
            assert_int_equal(p.len, (i ? 48 : 28) + len);
            assert_udp(p.data, i, 63, len, big);
            assert_int_equal(p.gso.kind, GSO_NONE);
            assert_true(p.gso.needs_csum);
            assert_int_equal(p.gso.csum_start, i ? 40 : 20);
            assert_int_equal(p.gso.csum_offset, 6);
        }
        assert_false(take(&p, 10));
        assert_int_equal(forwarded(0), 0);
    }
}

static void test_inbound(void **state)
{
    (void)state;
    for_all(inbound);
}

/* --- what is taken --- */

static void frame_out(const uint8_t *frame, size_t n)
{
    lab_enter(ns_host);
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("h0")};
    assert_true(fd >= 0);
    assert_int_equal(sendto(fd, frame, n, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)n);
    close(fd);
    lab_enter(ns_gw);
}

enum who { US, KERNEL, NOBODY };

static const struct frame_case {
    const char *name;
    bool v6;
    uint8_t at, value; /* from the IP header on */
    const char *from, *to;
    uint16_t len; /* payload */
    enum who who; /* US: the port; KERNEL: comes out of the TUN device; NOBODY: answered, dropped */
} frames[] = {
    {"fine", false, 1, 0, NULL, NULL, 100, US},
    {"fine, IPv6", true, 1, 0, NULL, NULL, 100, US},
    {"shorter than Ethernet's minimum", false, 1, 0, NULL, NULL, 1, US},
    {"hop limit 2", false, 8, 2, NULL, NULL, 100, US},
    {"hop limit 2, IPv6", true, 7, 2, NULL, NULL, 100, US},
    {"RFC 4301 5.1.2.1: hop limit 1 is the kernel's to answer", false, 8, 1, NULL, NULL, 100,
     NOBODY},
    {"hop limit 1, IPv6", true, 7, 1, NULL, NULL, 100, NOBODY},
    {"first fragment", false, 6, 0x20, NULL, NULL, 100, KERNEL},
    {"later fragment", false, 7, 9, NULL, NULL, 100, KERNEL},
    {"hop-by-hop options", true, 6, 0, NULL, NULL, 100, NOBODY},
    {"to ourselves", false, 1, 0, NULL, "10.1.0.1", 100, NOBODY},
    {"to ourselves, IPv6", true, 1, 0, NULL, "fd01::1", 100, NOBODY},
    {"from ourselves", false, 1, 0, "10.1.0.1", NULL, 100, NOBODY},
    {"to a hole", false, 1, 0, NULL, "10.2.7.5", 100, KERNEL},
    {"to a network for others than us", false, 1, 0, NULL, "10.2.9.5", 100, KERNEL},
    {"to a policy in the hole", false, 1, 0, NULL, "10.2.7.200", 100, US},
    {"elsewhere", false, 1, 0, NULL, "10.3.0.1", 100, NOBODY},
    {"from loopback", false, 1, 0, "127.0.0.1", NULL, 100, NOBODY},
    {"from the link", true, 1, 0, "fe80::99", NULL, 100, NOBODY},
    {"as large as the TUN device takes", false, 1, 0, NULL, NULL, TUN_MTU - 28, US},
    {"larger, and may be cut", false, 1, 0, NULL, NULL, TUN_MTU - 27, KERNEL},
    {"as large as the TUN device takes, IPv6", true, 1, 0, NULL, NULL, TUN_MTU - 48, US},
    {"larger, answered (RFC 8200 5)", true, 1, 0, NULL, NULL, TUN_MTU - 47, NOBODY},
    {"length beyond the frame", false, 2, 4, NULL, NULL, 100, NOBODY},
    {"version 5", false, 0, 0x55, NULL, NULL, 100, NOBODY},
};

static size_t make_frame(uint8_t *f, const uint8_t mac[6], const struct frame_case *c)
{
    memcpy(f, mac, 6);
    memcpy(f + 6, "\2\2\2\2\2\2", 6);
    put_u16(f + 12, c->v6 ? 0x86dd : 0x0800);
    size_t n = lab_udp_packet(f + 14, c->from ? c->from : host_addr[c->v6],
                              c->to ? c->to : far_addr[c->v6], PORT, big, c->len);
    uint8_t old = f[14 + c->at];
    f[14 + c->at] = c->value;
    if (!c->v6) { /* RFC 1624: the checksum follows */
        uint32_t was = c->at & 1 ? old : (uint32_t)old << 8;
        uint32_t is = c->at & 1 ? c->value : (uint32_t)c->value << 8;
        uint32_t sum = (uint16_t)~get_u16(f + 24) + (uint16_t)~was + is;
        sum = (sum & 0xffff) + (sum >> 16);
        put_u16(f + 24, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
    }
    return 14 + n;
}

static void one_frame(const uint8_t mac[6], const struct frame_case *c)
{
    struct lan_pkt p;
    uint8_t f[2048];
    size_t n = make_frame(f, mac, c);
    frame_out(f, n);
    bool us = take(&p, c->who == US ? 2000 : 20);
    if (us != (c->who == US))
        fail_msg("%s: %s, way %d", c->name, us ? "taken" : "not taken", way);
    if (us)
        assert_int_equal(p.len, n - 14);
    bool kernel = forwarded(c->who == KERNEL ? 2000 : 20) != 0;
    if (kernel != (c->who == KERNEL))
        fail_msg("%s: %s forwarded, way %d", c->name, kernel ? "was" : "not", way);
    drain();
}

static void which_frames(void)
{
    uint8_t mac[6];
    lab_enter(ns_gw);
    lab_mac("l0", mac);
    prefix("10.2.7.0/24", false);
    prefix("10.2.7.200/32", true);
    prefix_from("10.2.9.0/24", "10.1.0.128/25");
    drain();
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        one_frame(mac, &frames[i]);
    mac[5] ^= 1; /* to somebody else */
    struct frame_case other = {"another MAC address", false, 1, 0, NULL, NULL, 100, NOBODY};
    one_frame(mac, &other);
}

static void test_which_frames(void **state)
{
    (void)state;
    for_all(which_frames);
}

/* VLANs and whatever else is in the Ethernet header go to the kernel. */
static void tagged(void)
{
    static const struct frame_case fine = {"tagged", false, 1, 0, NULL, NULL, 100, US};
    uint8_t mac[6], f[256];
    struct lan_pkt p;
    lab_enter(ns_gw);
    lab_mac("l0", mac);
    size_t n = make_frame(f, mac, &fine);
    memmove(f + 16, f + 12, n - 12);
    memcpy(f + 12, "\x81\0\0\7", 4);
    frame_out(f, n + 4);
    assert_false(take(&p, 20));
    assert_int_equal(forwarded(20), 0);
}

static void test_tagged(void **state)
{
    (void)state;
    for_all(tagged);
}

/* Prefixes that go take nothing any more; ::/0 is no IPv4; a new own address is ours at once. */
static void prefixes(void)
{
    struct lan_pkt p;
    no_prefix("10.2.0.0/16");
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    assert_int_equal(forwarded(2000), 29);
    prefix("::/0", true);
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    assert_int_equal(forwarded(2000), 29);
    prefix("0.0.0.0/0", true);
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    assert_true(take(&p, 2000));
    no_prefix("0.0.0.0/0");
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    assert_int_equal(forwarded(2000), 29);
    prefix("0.0.0.0/0", true);
    lab_run("ip addr add 10.2.0.5/32 dev lo");
    assert_false(take(&p, 50)); /* learns of it */
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    assert_false(take(&p, 20));
    lab_run("ip addr del 10.2.0.5/32 dev lo");
    assert_false(take(&p, 50));
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    assert_true(take(&p, 2000));
    lan_port_prefix_clear(port);
    for (int i = 0; i < 2; i++) {
        assert_true(lab_send(&host[i], NULL, far_addr[i], 7, "x", 1));
        assert_int_equal(forwarded(2000), i ? 49 : 29);
    }
    assert_false(take(&p, 0));
}

static void test_prefixes(void **state)
{
    (void)state;
    for_all(prefixes);
}

/* --- super-packets --- */

static void send_train(int i, uint16_t seg, uint32_t len)
{
    int size = seg;
    assert_int_equal(setsockopt(host[i].fd, SOL_UDP, UDP_SEGMENT, &size, sizeof size), 0);
    assert_true(lab_send(&host[i], NULL, far_addr[i], 7, big, len));
    size = 0;
    assert_int_equal(setsockopt(host[i].fd, SOL_UDP, UDP_SEGMENT, &size, sizeof size), 0);
}

/* AF_PACKET takes them as they are; the XDP program leaves them to the kernel. */
static void trains(void)
{
    struct lan_pkt p;
    for (uint32_t k = 0; k < 20000; k++)
        big[k] = (uint8_t)(k * 7);
    for (int i = 0; i < 2; i++) {
        uint32_t header = i ? 48 : 28;
        send_train(i, 1000, 20000);
        if (way == LAN_IO_PACKET) {
            assert_true(take(&p, 2000));
            assert_int_equal(p.len, header + 20000);
            assert_int_equal(p.gso.kind, GSO_UDP);
            assert_int_equal(p.gso.size, 1000);
            assert_true(p.gso.needs_csum);
            assert_udp(p.data, i, 63, 20000, big);
        }
        drain();
        send_train(i, (uint16_t)(TUN_MTU - header), 20000);
        assert_int_equal(take(&p, way == LAN_IO_PACKET ? 2000 : 50), way == LAN_IO_PACKET);
        drain();
        /* segments over the TUN device's MTU: the kernel answers, and the host remembers */
        send_train(i, (uint16_t)(TUN_MTU - header + 1), 20000);
        assert_false(take(&p, 50));
        drain();
        lab_enter(ns_host);
        lab_run("ip route flush cache && ip -6 route flush cache");
        lab_enter(ns_gw);
    }
}

static void test_trains(void **state)
{
    (void)state;
    for_all(trains);
}

/* --- to the host --- */

static struct gso no_gso;

static uint8_t one[ROOM];

static bool to_host(int i, uint8_t hops, uint32_t len)
{
    size_t n = lab_udp_packet(one, far_addr[i], host_addr[i], PORT, big, len);
    struct gso g = {.needs_csum = false};
    if (i) {
        one[7] = hops;
    } else {
        uint32_t sum = get_u16(one + 10) + (uint32_t)(64 - hops) * 0x100;
        one[8] = hops;
        put_u16(one + 10, (uint16_t)((sum & 0xffff) + (sum >> 16)));
    }
    struct bytes v = bytes_of(one, n);
    bool sent = lan_port_send(port, &g, &v, 1, clock_now_ms());
    assert_int_equal(lan_port_flush(port), 0);
    return sent;
}

static void resolve(int i)
{
    lab_enter(ns_gw);
    lab_run("ping -%d -c1 -W2 -q %s >/dev/null", i ? 6 : 4, host_addr[i]);
    struct lan_pkt p;
    while (take(&p, 10))
        continue;
}

static void outbound(void)
{
    struct io_msg m;
    for (int i = 0; i < 2; i++) {
        lab_enter(ns_gw);
        lab_run("ip neigh flush dev l0");
        drain();
        assert_false(to_host(i, 64, 100)); /* no neighbour: the TUN device's */
        resolve(i);
        for (uint32_t len = 1; len <= 1400; len = len * 3 + 1) {
            memset(big, (int)len, len);
            assert_true(to_host(i, 64, len));
            assert_true(lab_recv(&host[i], &m, in_mem, sizeof in_mem));
            assert_int_equal(m.len, len);
            assert_memory_equal(m.data, big, len);
        }
        assert_true(to_host(i, 2, 10));
        assert_true(lab_recv(&host[i], &m, in_mem, sizeof in_mem));
        assert_false(to_host(i, 1, 10)); /* the kernel answers "time exceeded" */
        assert_true(to_host(i, 64, 1500 - (i ? 48 : 28)));
        assert_true(lab_recv(&host[i], &m, in_mem, sizeof in_mem));
        assert_false(to_host(i, 64, 1501 - (i ? 48 : 28))); /* and "too big" */
    }
}

static void test_outbound(void **state)
{
    (void)state;
    for_all(outbound);
}

/* Not by this interface, or not by this machine: the TUN device's. */
static void elsewhere(void)
{
    resolve(0);
    assert_true(to_host(0, 64, 10));
    lab_run("ip route add blackhole 10.1.0.2/32");
    drain();
    assert_false(to_host(0, 64, 10));
    lab_run("ip route del blackhole 10.1.0.2/32");
    drain();
    assert_true(to_host(0, 64, 10));
    lab_run("sysctl -qw net.ipv4.ip_forward=0");
    lab_run("ip route add 10.77.0.0/24 dev l0"); /* an event, to ask again */
    drain();
    assert_false(to_host(0, 64, 10));
    lab_run("ip route del 10.77.0.0/24 dev l0; sysctl -qw net.ipv4.ip_forward=1");
    drain();
    size_t n = lab_udp_packet(pkt, far_addr[0], "10.1.0.1", PORT, "x", 1); /* the gateway itself */
    struct bytes v = bytes_of(pkt, n);
    assert_false(lan_port_send(port, &no_gso, &v, 1, clock_now_ms()));
    struct io_msg m;
    while (lab_recv(&host[0], &m, in_mem, sizeof in_mem))
        continue;
}

static void test_elsewhere(void **state)
{
    (void)state;
    for_all(elsewhere);
}

/* A group of slices with an open checksum, then a single packet: in order, cut by the kernel. */
static void groups(void)
{
    enum { SEG = 1000, SEGS = 20 };
    struct io_msg m;
    struct bytes v[SEGS];
    for (int i = 0; i < 2; i++) {
        uint32_t header = i ? 48 : 28;
        resolve(i);
        for (uint32_t k = 0; k < SEG * SEGS; k++)
            big[k] = (uint8_t)(k * 11);
        lab_udp_packet(pkt, far_addr[i], host_addr[i], PORT, big, SEG * SEGS);
        struct addr a = lab_addr(far_addr[i]), b = lab_addr(host_addr[i]);
        uint32_t sum = 17 + 8 + SEG * SEGS;
        for (size_t k = 0; k < addr_len(&a); k += 2)
            sum += get_u16(a.ip + k) + (uint32_t)get_u16(b.ip + k);
        sum = (sum & 0xffff) + (sum >> 16);
        put_u16(pkt + header - 2, (uint16_t)((sum & 0xffff) + (sum >> 16)));
        struct gso g = {.kind = GSO_UDP,
                        .needs_csum = true,
                        .size = SEG,
                        .hdr_len = (uint16_t)header,
                        .csum_start = (uint16_t)(header - 8),
                        .csum_offset = 6};
        v[0] = bytes_of(pkt, header + SEG);
        for (size_t k = 1; k < SEGS; k++)
            v[k] = bytes_of(pkt + header + k * SEG, SEG);
        assert_true(lan_port_send(port, &g, v, SEGS, clock_now_ms()));
        assert_true(to_host(i, 64, 77));
        for (uint32_t k = 0; k < SEGS; k++) {
            assert_true(lab_recv(&host[i], &m, in_mem, sizeof in_mem));
            assert_int_equal(m.len, SEG);
            assert_memory_equal(m.data, big + k * SEG, SEG);
        }
        assert_true(lab_recv(&host[i], &m, in_mem, sizeof in_mem));
        assert_int_equal(m.len, 77);
    }
}

static void test_groups(void **state)
{
    (void)state;
    for_all(groups);
}

/* --- many --- */

static void many(void)
{
    enum { MANY = 20000, BURST = 64 };
    struct io_msg out[BURST] = {0};
    static uint8_t mem[BURST][512];
    struct lan_pkt in[BURST];
    uint32_t sent = 0, got = 0;
    size_t failed;
    for (int k = 0; k < BURST; k++) {
        out[k] = (struct io_msg){.data = mem[k], .len = 100 + (uint32_t)k};
        out[k].remote = (struct endpoint){lab_addr(far_addr[0]), 7};
    }
    while (got < MANY) {
        for (int k = 0; k < BURST; k++)
            put_u32(mem[k], sent++);
        assert_int_equal(sock_send(&host[0], out, BURST, &failed), BURST);
        for (int turn = 0; turn < 1000 && got < sent; turn++) {
            size_t n = lan_port_recv(port, in, BURST);
            for (size_t k = 0; k < n; k++)
                assert_int_equal(get_u32(in[k].data + 28), got++);
        }
        assert_int_equal(got, sent);
    }
    struct lan_stats st;
    lan_port_stats(port, &st);
    assert_int_equal(st.rx, got);
    assert_int_equal(st.rx_dropped + st.rx_bad, 0);
    assert_int_equal(forwarded(0), 0);
}

static void test_many(void **state)
{
    (void)state;
    for_all(many);
}

/* Nobody reads: what does not fit is dropped and counted, and the kernel forwards none of it. */
static void flood(void)
{
    struct lan_pkt p;
    struct lan_stats st;
    size_t got = 0;
    for (int k = 0; k < 20000; k++)
        assert_true(lab_send(&host[0], NULL, far_addr[0], 7, big, 1000));
    while (take(&p, 0))
        got++;
    lan_port_stats(port, &st);
    assert_in_range(got, 1000, 20000);
    assert_int_equal(st.rx_dropped, 20000 - got);
    assert_int_equal(forwarded(0), 0);
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, big, 77));
    assert_true(take(&p, 2000));
}

static void test_flood(void **state)
{
    (void)state;
    for_all(flood);
}

/* --- falling back, several ports, ends --- */

static void assert_news(const char *what)
{
    const char *news = lan_port_news(port);
    assert_non_null(news);
    if (!strstr(news, what) || strchr(news, '\n'))
        fail_msg("\"%s\" lacks \"%s\"", news, what);
    assert_null(lan_port_news(port));
}

static void test_falls_back(void **state)
{
    (void)state;
    open_port(LAN_IO_XDP, "nothere");
    assert_news(
        "interface \"nothere\": No such device; nothere is served by the TUN device instead");
    assert_int_equal(lan_port_open_interfaces(port), 0);
    assert_false(to_host(0, 64, 10));
    lan_port_close(port);

    open_port(LAN_IO_PACKET, "lo");
    assert_news("needs an Ethernet interface");
    lan_port_close(port);

    struct lan_port *first;
    open_port(LAN_IO_XDP, "l0");
    assert_news("LAN interface l0 through AF_XDP (generic, copy, 1 queue)");
    first = port;
    open_port(LAN_IO_XDP, "l0");
    assert_news(
        "no AF_XDP on l0: cannot attach the XDP program: Device or resource busy: another XDP "
        "program is on the interface; LAN interface l0 through AF_PACKET");
    lan_port_close(port);
    lan_port_close(first);
}

static bool refused(void)
{
    struct lan_settings s = settings(LAN_IO_PACKET, "l0");
    struct io_error err = {""};
    if (lan_port_open(&port, &s, &err))
        return false;
    const char *news = lan_port_news(port);
    return lan_port_open_interfaces(port) == 0 && news && strstr(news, "needs root or CAP_");
}

static void test_without_capabilities(void **state)
{
    (void)state;
    lab_enter(ns_gw);
    assert_true(lab_as_nobody(refused));
}

static bool comes_to(struct lan_port *p, const char *to)
{
    struct lan_pkt got;
    port = p;
    assert_true(lab_send(&host[0], NULL, to, 7, "x", 1));
    return take(&got, 2000);
}

/* Flows go to both, each always to the same one. */
static bool spread(struct lan_port *const two[2])
{
    enum { FLOWS = 16, TURNS = 3 };
    struct lan_pkt got;
    int at[FLOWS], count[2] = {0};
    for (int k = 0; k < FLOWS * TURNS; k++) {
        int flow = k % FLOWS, to = -1;
        assert_true(lab_send(&host[0], NULL, "10.2.128.9", (uint16_t)(1000 + flow), "x", 1));
        for (int turn = 0; turn < 1000 && to < 0; turn++) {
            port = two[turn % 2];
            to = take(&got, 2) ? turn % 2 : -1;
        }
        assert_true(to >= 0 && (k < FLOWS || at[flow] == to));
        at[flow] = to;
        count[to]++;
    }
    return count[0] > 0 && count[1] > 0;
}

/* Two ports share the packets by destination, the longest prefix decides; both send. */
static void test_join(void **state)
{
    struct lan_settings s = settings(LAN_IO_PACKET, "l0");
    struct lan_port *two[2];
    struct io_error err = {""};
    struct addr half, single;
    unsigned bits;
    (void)state;
    lab_enter(ns_gw);
    s.share = true;
    assert_int_equal(lan_port_open(&two[0], &s, &err), 0);
    assert_int_equal(lan_port_join(&two[1], two[0], &err), 0);
    assert_int_equal(lan_port_open_interfaces(two[1]), 1);
    port = two[0];
    prefix("10.2.0.0/16", true);
    assert_true(addr_parse_prefix(&half, &bits, "10.2.128.0/17"));
    assert_int_equal(lan_port_owner(two[0], &half, 17, 1), 0);
    assert_true(addr_parse_prefix(&single, &bits, "10.2.128.9/32"));
    assert_int_equal(lan_port_owner(two[0], &single, 32, 0), 0);
    for (int turn = 0; turn < 3; turn++) {
        assert_true(comes_to(two[0], "10.2.0.5"));
        assert_true(comes_to(two[1], "10.2.128.5"));
        assert_true(comes_to(two[0], "10.2.128.9"));
    }
    lan_port_owner_del(two[0], &single, 32);
    assert_true(comes_to(two[1], "10.2.128.9"));
    assert_int_equal(lan_port_owner(two[0], &half, 17, LAN_OWNER_ALL), 0);
    assert_true(spread(two));
    lan_port_owner_del(two[0], &half, 17);
    assert_true(comes_to(two[0], "10.2.128.9"));
    assert_false(take(&(struct lan_pkt){0}, 0));
    resolve(0);
    port = two[1];
    assert_true(to_host(0, 64, 10));
    struct io_msg m;
    assert_true(lab_recv(&host[0], &m, in_mem, sizeof in_mem));
    assert_false(take(&(struct lan_pkt){0}, 0));
    lan_port_close(two[1]);
    lan_port_close(two[0]);
    assert_int_equal(forwarded(0), 0);
}

/* XDP and tc programs on the interface; without them the kernel forwards. */
static int programs(void)
{
    lab_enter(ns_gw);
    return lab_number("ip link show l0 | grep -c prog/xdp; true");
}

/* The kernel lets go of a program in its own time when a descriptor was the last one. */
static bool none_left(void)
{
    for (int i = 0; i < 200 && programs(); i++)
        usleep(10000);
    return programs() == 0;
}

static bool kernel_forwards(void)
{
    assert_true(lab_send(&host[0], NULL, far_addr[0], 7, "x", 1));
    return forwarded(300) == 29;
}

static void test_gone_after_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_both(ways[i]);
        assert_int_equal(programs(), ways[i] == LAN_IO_XDP);
        assert_false(kernel_forwards());
        lan_port_close(port);
        assert_true(none_left());
        assert_true(kernel_forwards());
    }
}

static void test_gone_after_kill(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int status, ready[2];
        char c;
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            open_both(ways[i]);
            (void)!write(ready[1], "x", 1);
            for (;;)
                pause();
        }
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_false(kernel_forwards());
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        bool back = false;
        for (int k = 0; k < 50 && !back; k++)
            back = kernel_forwards(); /* the kernel drops the last references a little later */
        assert_true(back);
        assert_true(none_left());
        while (forwarded(20))
            continue;
        close(ready[0]);
        close(ready[1]);
    }
}

/* The interface goes down and up, gets another MAC address, then goes away. */
static void test_interface_gone(void **state)
{
    struct lan_pkt p;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        lab_enter(ns_gw);
        lab_run("ip link add c0 type veth peer name c1 && ip link set c0 up && ip link set c1 up");
        open_port(ways[i], "c0");
        assert_news("LAN interface c0");
        lab_run("ip link set c0 down");
        for (int k = 0; k < 5; k++)
            assert_false(take(&p, 10));
        struct pollfd fd = {.fd = lan_port_fd(port), .events = POLLIN};
        int wakes = 0;
        while (poll(&fd, 1, 50) == 1 && ++wakes < 100)
            assert_false(take(&p, 0));
        assert_in_range(wakes, 0, 50); /* late events, but no spinning */
        lab_run("ip link set c0 up");
        assert_false(take(&p, 50));
        lab_run("ip link del c0");
        assert_false(take(&p, 50));
        assert_int_equal(lan_port_open_interfaces(port), 0);
        assert_news("is gone");
        lan_port_close(port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inbound),
        cmocka_unit_test(test_which_frames),
        cmocka_unit_test(test_tagged),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_trains),
        cmocka_unit_test(test_outbound),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_falls_back),
        cmocka_unit_test(test_without_capabilities),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_gone_after_close),
        cmocka_unit_test(test_gone_after_kill),
        cmocka_unit_test(test_interface_gone),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/lan_port", tests, make_lab, NULL);
}
