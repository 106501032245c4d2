/*
 * The ports for native ESP over a veth pair: each way against raw sockets on the other end, what is
 * taken and what is left to the kernel, falling back, and that nothing stays behind.
 */
#include "io/esp_port.h"
#include "io/netlab.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARK = 0x77, ROOM = 65536, MANY = 100000 };

static int ns_a, ns_b;
static uint8_t mem[IO_BURST][2048], big[ROOM], in_mem[ROOM];
static struct esp_port *port; /* in A, on a0 */
static struct sock peer[2];   /* in B */

static const char *const a_addr[2] = {"10.9.0.1", "fd09::1"};
static const char *const b_addr[2] = {"10.9.0.3", "fd09::3"};
static const enum esp_io ways[] = {ESP_IO_RAW, ESP_IO_PACKET, ESP_IO_XDP};

static int make_lab(void **state)
{
    (void)state;
    ns_a = lab_ns();
    ns_b = lab_ns();
    lab_run("ip link add b0 type veth peer name a0 netns /proc/%d/fd/%d", getpid(), ns_a);
    lab_run("ip link set b0 up && ip addr add 10.9.0.3/24 dev b0 &&"
            "ip addr add fd09::3/64 dev b0 nodad");
    lab_enter(ns_a);
    lab_run("ip link set a0 up && ip addr add 10.9.0.1/24 dev a0 &&"
            "ip addr add fd09::1/64 dev a0 nodad");
    return 0;
}

static unsigned heard;

static void too_big(void *ctx, const struct io_msg *m)
{
    assert_null(ctx);
    assert_true(m->df);
    heard++;
}

static void open_port(enum esp_io io, const char *ifname)
{
    struct esp_settings s = {.io = io, .interface = ifname, .mark = MARK, .ear = {NULL, too_big}};
    struct io_error err = {""};
    lab_enter(ns_a);
    if (esp_port_open(&port, &s, &err) != 0)
        fail_msg("%s", err.text);
}

static void open_both(enum esp_io io)
{
    struct io_error err = {""};
    open_port(io, "a0");
    assert_int_equal(esp_port_io(port), io);
    lab_enter(ns_b);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sock_open(&peer[i], SOCK_ESP, i ? 6 : 4, 0, 0, &err), 0);
}

static void close_both(void)
{
    esp_port_close(port);
    for (int i = 0; i < 2; i++)
        sock_close(&peer[i]);
}

static void for_all(void (*fn)(void))
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        open_both(ways[i]);
        fn();
        close_both();
    }
}

/* One message, within ms; false: none came. */
static bool take(struct io_msg *m, int ms)
{
    struct pollfd p = {.fd = esp_port_fd(port), .events = POLLIN};
    for (int turn = 0; turn < 50; turn++) { /* events and buffers given back wake us too */
        *m = (struct io_msg){.data = in_mem, .cap = sizeof in_mem};
        int n = esp_port_recv(port, m, 1);
        assert_in_range(n, 0, 1);
        if (n == 1)
            return true;
        if (poll(&p, 1, ms) == 0)
            return false;
    }
    return false;
}

static void assert_addr(const struct endpoint *e, const char *text)
{
    struct addr want = lab_addr(text);
    assert_true(addr_eq(&e->addr, &want));
    assert_int_equal(e->port, 0);
}

/* What a port sends to B: the second time from the neighbour table. */
static void send_to_b(int i, uint32_t len, bool df, size_t *failed)
{
    struct io_msg m = {.data = big, .len = len, .tos = 0xb9, .df = df};
    m.local.addr = lab_addr(a_addr[i]);
    m.remote.addr = lab_addr(b_addr[i]);
    assert_int_equal(esp_port_send(port, &m, 1, failed), 1);
}

static void both_directions(void)
{
    struct io_msg m;
    struct esp_stats before, after;
    size_t failed;
    for (int i = 0; i < 2; i++) {
        for (int round = 0; round < 3; round++) {
            assert_true(lab_send(&peer[i], b_addr[i], a_addr[i], 0, "12345678question", 16));
            assert_true(take(&m, 2000));
            assert_int_equal(m.len, 16);
            assert_memory_equal(m.data, "12345678question", 16);
            assert_addr(&m.local, a_addr[i]);
            assert_addr(&m.remote, b_addr[i]);
            esp_port_stats(port, &before);
            memset(big, 0xa0 + round, 1400);
            send_to_b(i, 1400, true, &failed);
            assert_int_equal(failed, 0);
            assert_true(lab_recv(&peer[i], &m, in_mem, sizeof in_mem));
            assert_int_equal(m.len, 1400);
            assert_memory_equal(m.data, big, 1400);
            assert_int_equal(m.tos, 0xb9);
            assert_addr(&m.remote, a_addr[i]);
            assert_false(take(&m, 0)); /* and nothing twice, but neighbours are learned */
        }
        esp_port_stats(port, &after);
        assert_int_equal(after.tx_kernel, before.tx_kernel); /* the last one went the fast way */
    }
}

static void test_both_directions(void **state)
{
    (void)state;
    for_all(both_directions);
}

/* Fragments in and out, once each, small first fragments also; too big with DF is told. */
static void fragments(void)
{
    struct io_msg m;
    size_t failed;
    for (int i = 0; i < 2; i++) {
        for (uint32_t len = 1490; len <= 9000; len = len * 3 / 2) {
            memset(big, (int)len, len);
            assert_true(lab_send(&peer[i], b_addr[i], a_addr[i], 0, big, len));
            assert_true(take(&m, 2000));
            assert_int_equal(m.len, len);
            assert_memory_equal(m.data, big, len);
            assert_false(take(&m, 10));
            send_to_b(i, len, false, &failed);
            assert_int_equal(failed, 0);
            assert_true(lab_recv(&peer[i], &m, in_mem, sizeof in_mem));
            assert_int_equal(m.len, len);
            send_to_b(i, len, true, &failed);
            assert_int_equal(failed, 0);
            assert_int_equal(heard, 1);
            heard = 0;
        }
    }
    /* Fragments of a packet that would not have needed any. */
    lab_enter(ns_b);
    lab_run("ip route add 10.9.0.1/32 dev b0 mtu lock 600");
    memset(big, 7, 1000);
    assert_true(lab_send(&peer[0], b_addr[0], a_addr[0], 0, big, 1000));
    lab_run("ip route del 10.9.0.1/32 dev b0");
    assert_true(take(&m, 2000));
    assert_int_equal(m.len, 1000);
    assert_false(take(&m, 10));
}

static void test_fragments(void **state)
{
    (void)state;
    for_all(fragments);
}

/* Everything else still reaches the kernel, and options reach the raw socket. */
static void others(void)
{
    struct io_msg m;
    lab_enter(ns_b);
    lab_run("ping -c1 -W2 -q 10.9.0.1 >/dev/null && ping -c1 -W2 -q fd09::1 >/dev/null");
    assert_false(take(&m, 10));
    assert_int_equal(setsockopt(peer[0].fd, IPPROTO_IP, IP_OPTIONS, "\1\1\1\1\1\1\1", 8), 0);
    assert_true(lab_send(&peer[0], NULL, "10.9.0.1", 0, "12345678", 8));
    assert_true(take(&m, 2000));
    assert_int_equal(m.len, 8);
    assert_memory_equal(m.data, "12345678", 8);
    assert_false(take(&m, 10));
    /* To loopback: another interface than the fast one's. */
    lab_enter(ns_a);
    struct sock local;
    struct io_error err = {""};
    assert_int_equal(sock_open(&local, SOCK_ESP, 4, 0, 0, &err), 0);
    assert_true(lab_send(&local, NULL, "10.9.0.1", 0, "12345678", 8));
    assert_true(take(&m, 2000));
    assert_int_equal(m.len, 8);
    sock_close(&local);
}

static void test_others(void **state)
{
    (void)state;
    for_all(others);
}

/* An address that comes and goes is taken and left. */
static void addresses(void)
{
    struct io_msg m;
    lab_enter(ns_b);
    lab_run("ip route add 10.9.7.7/32 via 10.9.0.1");
    lab_enter(ns_a);
    lab_run("sysctl -qw net.ipv4.ip_forward=0");
    assert_true(lab_send(&peer[0], NULL, "10.9.7.7", 0, "12345678", 8));
    assert_false(take(&m, 20));
    lab_run("ip addr add 10.9.7.7/32 dev a0");
    assert_false(take(&m, 20)); /* learns of it */
    assert_true(lab_send(&peer[0], NULL, "10.9.7.7", 0, "12345678", 8));
    assert_true(take(&m, 2000));
    assert_addr(&m.local, "10.9.7.7");
    assert_false(take(&m, 20));
    lab_run("ip addr del 10.9.7.7/32 dev a0");
    assert_false(take(&m, 20));
    assert_true(lab_send(&peer[0], NULL, "10.9.7.7", 0, "12345678", 8));
    assert_false(take(&m, 20));
    lab_enter(ns_b);
    lab_run("ip route del 10.9.7.7/32 via 10.9.0.1");
}

static void test_addresses(void **state)
{
    (void)state;
    for_all(addresses);
}

/* --- frames made by hand --- */

static void frame_out(const uint8_t *frame, size_t n)
{
    lab_enter(ns_b);
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("b0")};
    assert_true(fd >= 0);
    assert_int_equal(sendto(fd, frame, n, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)n);
    close(fd);
}

static const struct hostile {
    const char *name;
    uint8_t at, value; /* from the Ethernet header on */
    bool sum;          /* with a checksum that fits */
    uint8_t cut;       /* bytes missing at the end */
    bool comes;
} hostile[] = {
    {"fine", 15, 0, true, 0, true},
    {"another MAC address", 5, 0x99, true, 0, false},
    {"IHL 15 of 28 bytes", 14, 0x4f, true, 0, false},
    {"IHL 0", 14, 0x40, true, 0, false},
    {"version 5", 14, 0x55, true, 0, false},
    {"total length 100", 17, 100, true, 0, false},
    {"total length 65314", 16, 0xff, true, 0, false},
    {"total length 20", 17, 20, true, 0, false},
    {"wrong checksum", 22, 1, false, 0, false},
    {"to another address", 33, 99, true, 0, false},
    {"half a packet", 15, 0, true, 14, false},
    {"an Ethernet header alone", 15, 0, true, 34, false},
};

static size_t make_frame(uint8_t *f, const uint8_t mac[6], const struct hostile *h)
{
    static const uint8_t start[34] = {0,  0, 0, 0, 0, 0,  2,  2, 2, 2,  2, 2, 8, 0,  0x45, 0, 0,
                                      34, 0, 9, 0, 0, 64, 50, 0, 0, 10, 9, 0, 3, 10, 9,    0, 1};
    memcpy(f, start, sizeof start);
    memcpy(f, mac, 6);
    memcpy(f + 34, "12345678payload", 14);
    bool sum_at = h->at == 24;
    f[h->at] = h->value;
    uint32_t sum = 0;
    for (size_t i = 14; i < 34; i += 2)
        sum += (uint32_t)f[i] << 8 | f[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    if (!h->sum)
        sum ^= 0x0101;
    if (!sum_at) {
        f[24] = (uint8_t)(sum >> 8);
        f[25] = (uint8_t)sum;
    }
    return 48u - h->cut;
}

static void hostile_frames(void)
{
    uint8_t mac[6], f[64];
    struct io_msg m;
    lab_enter(ns_a);
    lab_mac("a0", mac);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        size_t n = make_frame(f, mac, &hostile[i]);
        frame_out(f, n);
        bool came = take(&m, 20) && m.len > 0;
        if (came != hostile[i].comes)
            fail_msg("%s: way %d", hostile[i].name, esp_port_io(port));
    }
}

static void test_hostile_frames(void **state)
{
    (void)state;
    for_all(hostile_frames);
}

/* --- many --- */

static void many_in(int i)
{
    struct io_msg out[IO_BURST] = {0}, in[IO_BURST];
    uint32_t sent = 0, got = 0;
    size_t failed;
    for (int k = 0; k < IO_BURST; k++) {
        out[k] = (struct io_msg){.data = mem[k], .len = 100 + (uint32_t)k};
        out[k].remote.addr = lab_addr(a_addr[i]);
    }
    while (got < MANY) {
        for (int k = 0; k < IO_BURST && sent < MANY; k++)
            put_u32(mem[k] + 4, sent++);
        size_t n = sent % IO_BURST ? sent % IO_BURST : IO_BURST;
        if (got < sent && sent - got <= IO_BURST)
            assert_int_equal(sock_send(&peer[i], out, n, &failed), n);
        for (int k = 0; k < IO_BURST; k++)
            in[k] = (struct io_msg){.data = big + k * 1000, .cap = 1000};
        for (int turn = 0; turn < 100 && got < sent; turn++) {
            int r = esp_port_recv(port, in, IO_BURST);
            assert_in_range(r, 0, IO_BURST);
            for (int k = 0; k < r; k++)
                assert_int_equal(get_u32(in[k].data + 4), got++);
        }
        assert_int_equal(got, sent);
    }
}

static void many_out(int i)
{
    struct io_msg out[IO_BURST] = {0}, in[IO_BURST];
    uint32_t sent = 0, got = 0;
    size_t failed;
    for (int k = 0; k < IO_BURST; k++) {
        out[k] = (struct io_msg){.data = mem[k], .len = 1400};
        out[k].remote.addr = lab_addr(b_addr[i]);
        out[k].local.addr = lab_addr(a_addr[i]);
    }
    while (got < MANY) {
        size_t n = MANY - sent < IO_BURST ? MANY - sent : IO_BURST;
        for (size_t k = 0; k < n; k++)
            put_u32(mem[k] + 4, sent++);
        assert_int_equal(esp_port_send(port, out, n, &failed), n);
        assert_int_equal(failed, 0);
        for (int turn = 0; turn < 100 && got < sent; turn++) {
            for (int k = 0; k < 16; k++)
                in[k] = (struct io_msg){.data = big + k * 2048, .cap = 2048};
            int r = sock_recv(&peer[i], in, 16);
            assert_in_range(r, 0, 16);
            for (int k = 0; k < r; k++)
                assert_int_equal(get_u32(in[k].data + 4), got++);
        }
        assert_int_equal(got, sent);
    }
}

static void many(void)
{
    for (int i = 0; i < 2; i++) {
        many_in(i);
        many_out(i);
    }
    struct esp_stats st;
    esp_port_stats(port, &st);
    assert_int_equal(st.rx_dropped, 0);
}

static void test_many(void **state)
{
    (void)state;
    for_all(many);
}

/* Nobody reads: the rings fill, drops are counted, and afterwards all is as before. */
static void flood(void)
{
    struct io_msg m;
    struct esp_stats st;
    size_t got = 0;
    memset(big, 1, 1000);
    for (int k = 0; k < 20000; k++)
        assert_true(lab_send(&peer[0], NULL, "10.9.0.1", 0, big, 1000));
    while (take(&m, 0))
        got++;
    assert_in_range(got, 1000, 20000);
    esp_port_stats(port, &st);
    if (esp_port_io(port) != ESP_IO_RAW)
        assert_int_equal(st.rx_dropped, 20000 - got);
    assert_true(lab_send(&peer[0], NULL, "10.9.0.1", 0, big, 77));
    assert_true(take(&m, 2000));
    assert_int_equal(m.len, 77);
}

static void test_flood(void **state)
{
    (void)state;
    for_all(flood);
}

/* --- falling back --- */

static void assert_news(const char *what)
{
    const char *news = esp_port_news(port);
    assert_non_null(news);
    if (!strstr(news, what) || strchr(news, '\n'))
        fail_msg("\"%s\" lacks \"%s\"", news, what);
    assert_null(esp_port_news(port));
}

static void test_falls_back(void **state)
{
    (void)state;
    open_port(ESP_IO_XDP, "nothere");
    assert_int_equal(esp_port_io(port), ESP_IO_RAW);
    assert_news("interface \"nothere\": No such device; native ESP through raw sockets instead");
    esp_port_close(port);

    open_port(ESP_IO_PACKET, "lo");
    assert_int_equal(esp_port_io(port), ESP_IO_RAW);
    assert_news("needs an Ethernet interface");
    esp_port_close(port);

    open_port(ESP_IO_XDP, NULL);
    assert_news("no interface is configured");
    esp_port_close(port);

    open_port(ESP_IO_AUTO, NULL);
    assert_int_equal(esp_port_io(port), ESP_IO_RAW);
    assert_null(esp_port_news(port));
    esp_port_close(port);

    lab_run("ip link set a0 mtu 9000");
    open_port(ESP_IO_XDP, "a0");
    assert_int_equal(esp_port_io(port), ESP_IO_PACKET);
    assert_news("no AF_XDP on a0: frames of MTU 9000 do not fit into 4096 bytes");
    esp_port_close(port);
    lab_run("ip link set a0 mtu 1500");

    struct esp_port *first;
    open_port(ESP_IO_XDP, "a0");
    assert_news("native ESP on a0 through AF_XDP (generic, copy, 1 queue)");
    first = port;
    open_port(ESP_IO_XDP, "a0");
    assert_int_equal(esp_port_io(port), ESP_IO_PACKET);
    assert_news("another XDP program is on the interface");
    esp_port_close(port);
    esp_port_close(first);
}

static bool refused(void)
{
    struct esp_settings s = {.io = ESP_IO_XDP, .interface = "a0"};
    struct io_error err = {""};
    return esp_port_open(&port, &s, &err) == E_SYS && strstr(err.text, "CAP_NET_RAW") != NULL;
}

static void test_without_capabilities(void **state)
{
    (void)state;
    lab_enter(ns_a);
    assert_true(lab_as_nobody(refused));
}

static int programs(void)
{
    lab_enter(ns_a);
    return lab_number("ip link show a0 | grep -c prog/xdp; true");
}

/* The kernel lets go of a program in its own time when a descriptor was the last one. */
static bool none_left(void)
{
    for (int i = 0; i < 200 && programs(); i++)
        usleep(10000);
    return programs() == 0;
}

static void test_gone_after_close(void **state)
{
    (void)state;
    open_port(ESP_IO_XDP, "a0");
    assert_int_equal(programs(), 1);
    esp_port_close(port);
    assert_true(none_left());
}

static void test_gone_after_kill(void **state)
{
    int status, ready[2];
    char c;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        open_port(ESP_IO_XDP, "a0");
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(programs(), 1);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_true(none_left());
    close(ready[0]);
    close(ready[1]);
}

/* Two ports of one fanout group: each packet comes once, and each SPI always at the same port. */
static void test_fanout(void **state)
{
    enum { SPIS = 16, TURNS = 4 };
    struct esp_settings s = {.io = ESP_IO_PACKET, .interface = "a0", .fanout = 77};
    struct esp_port *two[2];
    struct io_error err = {""};
    struct io_msg m;
    int at[SPIS], count[2] = {0};
    (void)state;
    lab_enter(ns_a);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(esp_port_open(&two[i], &s, &err), 0);
        assert_int_equal(esp_port_io(two[i]), ESP_IO_PACKET);
    }
    lab_enter(ns_b);
    assert_int_equal(sock_open(&peer[0], SOCK_ESP, 4, 0, 0, &err), 0);
    memset(at, -1, sizeof at);
    for (int k = 0; k < SPIS * TURNS; k++) {
        put_u32(big, 0xc0000000 + (uint32_t)(k % SPIS));
        assert_true(lab_send(&peer[0], NULL, "10.9.0.1", 0, big, 100));
        int before = count[0] + count[1];
        for (int i = 0; i < 2; i++) {
            port = two[i];
            if (!take(&m, 0))
                continue;
            assert_int_equal(get_u32(m.data), 0xc0000000 + (uint32_t)(k % SPIS));
            assert_true(at[k % SPIS] < 0 || at[k % SPIS] == i);
            at[k % SPIS] = i;
            count[i]++;
        }
        assert_int_equal(count[0] + count[1], before + 1);
    }
    assert_int_equal(count[0], count[1]); /* consecutive SPIs spread evenly */
    for (int i = 0; i < 2; i++)
        esp_port_close(two[i]);
    sock_close(&peer[0]);
}

/* The neighbour changes its MAC address: the next packet but one finds it. */
static void new_mac(void)
{
    struct io_msg m;
    size_t failed;
    for (int i = 0; i < 3; i++)
        send_to_b(0, 100, true, &failed);
    while (lab_recv(&peer[0], &m, in_mem, sizeof in_mem) && m.len != 100)
        continue;
    lab_enter(ns_b);
    lab_run("ip link set b0 address 02:00:00:00:00:%02x && ping -c1 -W2 -q 10.9.0.1 >/dev/null",
            0x10 + esp_port_io(port));
    while (lab_recv(&peer[0], &m, in_mem, sizeof in_mem) && m.len != 100)
        continue;
    assert_false(take(&m, 20));
    memset(big, 0x5a, 200);
    send_to_b(0, 200, true, &failed);
    do
        assert_true(lab_recv(&peer[0], &m, in_mem, sizeof in_mem));
    while (m.len != 200);
}

static void test_new_mac(void **state)
{
    (void)state;
    for_all(new_mac);
}

/* The interface goes down and up, then away. Last: it takes the link with it. */
static void test_interface_gone(void **state)
{
    struct io_msg m;
    (void)state;
    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        lab_enter(ns_a);
        lab_run("ip link add c0 type veth peer name c1 && ip link set c0 up && ip link set c1 up");
        open_port(ways[i], "c0");
        assert_int_equal(esp_port_io(port), ways[i]);
        assert_news("native ESP on c0");
        lab_run("ip link set c0 down");
        for (int k = 0; k < 5; k++)
            assert_false(take(&m, 10));
        struct pollfd p = {.fd = esp_port_fd(port), .events = POLLIN};
        int wakes = 0;
        while (poll(&p, 1, 50) == 1 && ++wakes < 100)
            assert_false(take(&m, 0));
        assert_in_range(wakes, 0, 50); /* late events, but no spinning */
        lab_run("ip link set c0 up");
        assert_false(take(&m, 50));
        lab_run("ip link del c0");
        assert_false(take(&m, 50));
        assert_int_equal(esp_port_io(port), ESP_IO_RAW);
        assert_news("is gone");
        esp_port_close(port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_hostile_frames),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_falls_back),
        cmocka_unit_test(test_without_capabilities),
        cmocka_unit_test(test_gone_after_close),
        cmocka_unit_test(test_gone_after_kill),
        cmocka_unit_test(test_fanout),
        cmocka_unit_test(test_new_mac),
        cmocka_unit_test(test_interface_gone),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/esp_port", tests, make_lab, NULL);
}
