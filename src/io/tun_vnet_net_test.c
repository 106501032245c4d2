/*
 * Super-packets between the TUN devices of two namespaces: what one gives is written to the other,
 * so the kernel's own TCP and UDP say whether headers, checksums and segments are right.
 */
#include "io/netlab.h"
#include "io/tun.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PORT = 7000, BULK = 3 << 20 };

static int ns_a, ns_b;
static struct tun tun_a, tun_b;
static struct tun_offload got;
static uint8_t buf[65536 + 64], data[BULK], back[BULK];

static int make_lab(void **state)
{
    struct io_error err = {""};
    struct tun_want want = {0};
    (void)state;
    ns_a = lab_ns();
    lab_run("sysctl -qw net.ipv4.tcp_congestion_control=reno");
    if (tun_vnet_open(&tun_a, "culvert0", 1438, &want, &got, &err) != 0)
        fail_msg("%s", err.text);
    lab_run("ip addr add 10.1.0.1/24 dev culvert0 && ip addr add fd01::1/64 dev culvert0 nodad");
    ns_b = lab_ns();
    if (tun_vnet_open(&tun_b, "culvert0", 1438, &want, &got, &err) != 0)
        fail_msg("%s", err.text);
    lab_run("ip addr add 10.1.0.2/24 dev culvert0 && ip addr add fd01::2/64 dev culvert0 nodad");
    for (size_t i = 0; i < BULK; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 11));
    return 0;
}

static int end_lab(void **state)
{
    (void)state;
    tun_close(&tun_a);
    tun_close(&tun_b);
    return 0;
}

struct seen {
    size_t supers, open_csums;
    int longest;
};

/* Everything that waits at `from` goes to `to`. */
static void carry(struct tun *from, struct tun *to, uint8_t kind, struct seen *seen)
{
    struct gso g;
    int n;
    while ((n = tun_vnet_read(from, &g, buf, sizeof buf)) > 0) {
        struct bytes v[2] = {bytes_of(buf, 20), bytes_of(buf + 20, (size_t)n - 20)};
        seen->supers += g.kind == kind && n > g.size + g.hdr_len;
        seen->open_csums += g.needs_csum;
        seen->longest = n > seen->longest ? n : seen->longest;
        assert_int_equal(tun_vnet_write(to, &g, v, 2), 0);
    }
    assert_int_equal(n, 0);
}

static int endpoint(int ns, int type, uint8_t family, const char *addr)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    lab_enter(ns);
    int fd = socket(family == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK, 0), one = 1;
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    inet_pton(AF_INET, addr, &in.sin_addr);
    inet_pton(AF_INET6, addr, &in6.sin6_addr);
    assert_int_equal(family == 4 ? bind(fd, (struct sockaddr *)&in, sizeof in)
                                 : bind(fd, (struct sockaddr *)&in6, sizeof in6),
                     0);
    return fd;
}

static void reach(int fd, uint8_t family, const char *addr)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    inet_pton(AF_INET, addr, &in.sin_addr);
    inet_pton(AF_INET6, addr, &in6.sin6_addr);
    int r = family == 4 ? connect(fd, (struct sockaddr *)&in, sizeof in)
                        : connect(fd, (struct sockaddr *)&in6, sizeof in6);
    assert_true(r == 0 || errno == EINPROGRESS);
}

static void tcp(uint8_t family, uint8_t kind, const char *a, const char *b)
{
    struct seen there = {0}, ack = {0};
    size_t sent = 0, received = 0;
    int in = endpoint(ns_b, SOCK_STREAM, family, b), out = endpoint(ns_a, SOCK_STREAM, family, a);
    int conn = -1;
    assert_int_equal(listen(in, 1), 0);
    reach(out, family, b);
    for (int turns = 0; received < BULK; turns++) {
        ssize_t n = sent < BULK ? send(out, data + sent, BULK - sent, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        carry(&tun_a, &tun_b, kind, &there);
        carry(&tun_b, &tun_a, kind, &ack);
        if (conn < 0)
            conn = accept4(in, NULL, NULL, SOCK_NONBLOCK);
        n = conn >= 0 ? recv(conn, back + received, BULK - received, 0) : 0;
        received += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            poll(NULL, 0, 1);
        assert_true(turns < 20000);
    }
    assert_memory_equal(data, back, BULK);
    assert_true(there.supers > 0 && there.open_csums >= there.supers);
    assert_in_range(there.longest, 10000, 60000);
    close(conn);
    close(out);
    close(in);
    carry(&tun_a, &tun_b, kind, &there);
    carry(&tun_b, &tun_a, kind, &ack);
}

static void test_tcp(void **state)
{
    (void)state;
    assert_true(got.vnet && got.csum && got.tso4 && got.tso6 && got.limits);
    tcp(4, GSO_TCP4, "10.1.0.1", "10.1.0.2");
    tcp(6, GSO_TCP6, "fd01::1", "fd01::2");
}

static void udp(uint8_t family, const char *a, const char *b, uint16_t size, size_t total)
{
    struct seen seen = {0};
    int in = endpoint(ns_b, SOCK_DGRAM, family, b), out = endpoint(ns_a, SOCK_DGRAM, family, a);
    int seg = size;
    size_t at = 0;
    reach(out, family, b);
    assert_int_equal(setsockopt(out, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof seg), 0);
    assert_int_equal(send(out, data, total, 0), total);
    carry(&tun_a, &tun_b, GSO_UDP, &seen);
    while (at < total) {
        ssize_t n = recv(in, back + at, 2000, 0);
        size_t want = total - at < size ? total - at : size;
        assert_int_equal(n, want);
        at += (size_t)n;
    }
    assert_memory_equal(back, data, total);
    assert_int_equal(seen.supers, total > size);
    assert_true(seen.open_csums > 0);
    close(in);
    close(out);
}

static void test_udp(void **state)
{
    (void)state;
    if (!got.uso4 || !got.uso6)
        skip();
    udp(4, "10.1.0.1", "10.1.0.2", 1400, 40000);
    udp(6, "fd01::1", "fd01::2", 1300, 40001);
    udp(4, "10.1.0.1", "10.1.0.2", 64, 64 * 60 + 1);
    udp(4, "10.1.0.1", "10.1.0.2", 1400, 1); /* no super-packet, only an open checksum */
    udp(6, "fd01::1", "fd01::2", 1300, 1300);
}

static void test_device(void **state)
{
    (void)state;
    lab_enter(ns_b);
    assert_non_null(strstr(got.text, "culvert0: offloads csum tso4 tso6"));
    assert_int_equal(lab_number("ip -d link show culvert0 | grep -c 'gso_max_size 60000'"), 1);
    assert_int_equal(lab_number("ip -d link show culvert0 | grep -c 'gso_max_segs 128'"), 1);
    assert_int_equal(lab_number("ip addr show dev culvert0 | grep -c fe80; true"), 0);
}

/* What does not fit is refused by us or by the kernel, and the device goes on. */
static void test_lies(void **state)
{
    static const struct gso lies[] = {
        {.kind = GSO_TCP4, .needs_csum = true, .csum_start = 20, .csum_offset = 16},
        {.kind = GSO_TCP4, .needs_csum = true, .size = 100, .csum_start = 65000, .csum_offset = 16},
        {.needs_csum = true, .csum_start = 65535, .csum_offset = 65535},
        {.kind = GSO_UDP, .size = 100},
        {.kind = 9, .size = 100},
    };
    struct bytes v[TUN_SLICES_MAX + 1];
    struct gso none = {0};
    uint8_t pkt[600], payload[500] = {1};
    (void)state;
    size_t n = lab_udp_packet(pkt, "10.1.0.2", "10.1.0.1", PORT, payload, sizeof payload);
    v[0] = bytes_of(pkt, n);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        if (tun_vnet_write(&tun_a, &lies[i], v, 1) != E_USAGE)
            fail_msg("lie %zu", i);
    for (size_t i = 0; i <= TUN_SLICES_MAX; i++)
        v[i] = bytes_of(pkt + i, i < TUN_SLICES_MAX ? 1 : n - TUN_SLICES_MAX);
    assert_int_equal(tun_vnet_write(&tun_a, &none, v, 0), E_USAGE);
    assert_int_equal(tun_vnet_write(&tun_a, &none, v, TUN_SLICES_MAX + 1), E_USAGE);
    v[0] = bytes_of("\x10", 1);
    assert_int_equal(tun_vnet_write(&tun_a, &none, v, 1), E_USAGE);

    int fd = endpoint(ns_a, SOCK_DGRAM, 4, "10.1.0.1");
    v[0] = bytes_of(pkt, n);
    assert_int_equal(tun_vnet_write(&tun_a, &none, v, 1), 0);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), sizeof payload);
    close(fd);
}

/* As many slices as there may be. */
static void test_slices(void **state)
{
    struct bytes v[TUN_SLICES_MAX];
    struct gso none = {0};
    uint8_t pkt[600], payload[500] = {1};
    (void)state;
    size_t n = lab_udp_packet(pkt, "10.1.0.2", "10.1.0.1", PORT, payload, sizeof payload);
    for (size_t i = 0; i < TUN_SLICES_MAX; i++)
        v[i] = bytes_of(pkt + 4 * i, i + 1 < TUN_SLICES_MAX ? 4 : n - 4 * i);
    int fd = endpoint(ns_a, SOCK_DGRAM, 4, "10.1.0.1");
    assert_int_equal(tun_vnet_write(&tun_a, &none, v, TUN_SLICES_MAX), 0);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), sizeof payload);
    close(fd);
}

/* Answers come from the queue that the question was written to. */
static void test_queues(void **state)
{
    struct io_error err = {""};
    struct tun_want want = {.queues = true, .gso_max_size = 30000, .gso_max_segs = 64};
    struct tun_offload o;
    struct tun q[3];
    struct gso g = {0};
    uint8_t pkt[100];
    (void)state;
    int ns = lab_ns();
    if (tun_vnet_open(&q[0], "many", 1400, &want, &o, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(o.queues);
    for (int i = 1; i < 3; i++)
        if (tun_vnet_queue(&q[i], &q[0], &err) != 0)
            fail_msg("%s", err.text);
    lab_run("ip addr add 10.5.0.1/24 dev many");
    assert_int_equal(lab_number("ip -d link show many | grep -c 'gso_max_size 30000'"), 1);
    int fd = endpoint(ns, SOCK_DGRAM, 4, "10.5.0.1");
    for (int i = 0; i < 6; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        char source[20];
        snprintf(source, sizeof source, "10.5.0.%d", 10 + i / 3);
        size_t n = lab_udp_packet(pkt, source, "10.5.0.1", PORT, "?", 1);
        struct bytes v = bytes_of(pkt, n);
        g = (struct gso){0};
        assert_int_equal(tun_vnet_write(&q[i % 3], &g, &v, 1), 0);
        assert_int_equal(recvfrom(fd, buf, 9, 0, (struct sockaddr *)&from, &len), 1);
        assert_int_equal(sendto(fd, "!", 1, 0, (struct sockaddr *)&from, len), 1);
        for (int k = 0; k < 3; k++)
            assert_int_equal(tun_vnet_read(&q[k], &g, buf, sizeof buf), k == i % 3 ? 29 : 0);
    }
    close(fd);
    tun_close(&q[1]); /* one queue may go */
    assert_int_equal(tun_vnet_read(&q[2], &g, buf, sizeof buf), 0);
    tun_close(&q[2]);
    tun_close(&q[0]);
    close(ns);
}

/* A device without vnet headers through the same calls. */
static void test_plain(void **state)
{
    struct io_error err = {""};
    struct tun t;
    struct gso g = {0}, tcp4 = {.kind = GSO_TCP4, .size = 100}, open = {.needs_csum = true};
    uint8_t pkt[100];
    (void)state;
    int ns = lab_ns();
    if (tun_open(&t, "plain", 1400, &err) != 0)
        fail_msg("%s", err.text);
    lab_run("ip addr add 10.5.0.1/24 dev plain");
    size_t n = lab_udp_packet(pkt, "10.5.0.2", "10.5.0.1", PORT, "x", 1);
    struct bytes v[2] = {bytes_of(pkt, 20), bytes_of(pkt + 20, n - 20)};
    int fd = endpoint(ns, SOCK_DGRAM, 4, "10.5.0.1");
    assert_int_equal(tun_vnet_write(&t, &tcp4, v, 2), E_USAGE);
    assert_int_equal(tun_vnet_write(&t, &open, v, 2), E_USAGE);
    assert_int_equal(tun_vnet_write(&t, &g, v, 2), 0);
    assert_int_equal(recv(fd, buf, 9, 0), 1);
    reach(fd, 4, "10.5.0.2");
    assert_int_equal(send(fd, "ab", 2, 0), 2);
    assert_int_equal(tun_vnet_read(&t, &g, buf, sizeof buf), 30);
    assert_int_equal(g.kind, GSO_NONE);
    close(fd);
    tun_close(&t);
    close(ns);
}

/* Last: the device goes. */
static void test_deleted(void **state)
{
    struct gso g = {0};
    uint8_t pkt[100];
    size_t n = lab_udp_packet(pkt, "10.1.0.2", "10.1.0.1", PORT, "x", 1);
    struct bytes v = bytes_of(pkt, n);
    (void)state;
    lab_enter(ns_a);
    lab_run("ip link set culvert0 down");
    assert_int_equal(tun_vnet_write(&tun_a, &g, &v, 1), E_AGAIN);
    lab_run("ip link del culvert0");
    assert_int_equal(tun_vnet_read(&tun_a, &g, buf, sizeof buf), E_SYS);
    assert_int_equal(tun_vnet_write(&tun_a, &g, &v, 1), E_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),   cmocka_unit_test(test_udp),     cmocka_unit_test(test_device),
        cmocka_unit_test(test_lies),  cmocka_unit_test(test_slices),  cmocka_unit_test(test_queues),
        cmocka_unit_test(test_plain), cmocka_unit_test(test_deleted),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/tun_vnet", tests, make_lab, end_lab);
}
