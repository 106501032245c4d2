/* Sockets over a real link between two namespaces: addresses, TOS, bursts, sizes, errors. */
#include "io/netlab.h"
#include "io/netlink.h"
#include "io/nft.h"
#include "io/tun.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MARK = 0x77, BIG = 60000 };

static int ns_a, ns_b;
static uint8_t buf[65536];

struct link {
    uint8_t family;
    const char *a, *a2, *b; /* a2: A's second address, which the kernel would not choose */
};

static const struct link links[] = {
    {4, "10.9.0.1", "10.9.0.2", "10.9.0.3"},
    {6, "fd09::1", "fd09::2", "fd09::3"},
};

static int make_lab(void **state)
{
    (void)state;
    ns_a = lab_ns();
    ns_b = lab_ns();
    lab_run("ip link add b0 type veth peer name a0 netns /proc/%d/fd/%d", getpid(), ns_a);
    lab_run("ip link set b0 up && ip addr add 10.9.0.3/24 dev b0 &&"
            "ip addr add fd09::3/64 dev b0 nodad");
    lab_enter(ns_a);
    lab_run("ip link set a0 up && ip addr add 10.9.0.1/24 dev a0 && ip addr add 10.9.0.2/24 dev a0"
            " && ip addr add fd09::2/64 dev a0 nodad && ip addr add fd09::1/64 dev a0 nodad");
    return 0;
}

static void open_in(int ns, struct sock *s, enum sock_kind kind, uint8_t family, uint16_t port)
{
    struct io_error err = {""};
    lab_enter(ns);
    if (sock_open(s, kind, family, port, MARK, &err) != 0)
        fail_msg("%s", err.text);
}

struct pair {
    struct sock a, b;
};

static void open_pair(struct pair *p, const struct link *l, enum sock_kind kind)
{
    open_in(ns_a, &p->a, kind, l->family, 4500);
    open_in(ns_b, &p->b, kind, l->family, 0);
    assert_true(kind == SOCK_ESP || p->b.port != 0);
}

static void close_pair(struct pair *p)
{
    sock_close(&p->a);
    sock_close(&p->b);
}

static void assert_addr(const struct endpoint *e, const char *text)
{
    struct addr want = lab_addr(text);
    assert_true(addr_eq(&e->addr, &want));
}

static void echo(const struct link *l, enum sock_kind kind)
{
    struct pair p;
    struct io_msg m = {.data = (uint8_t *)"question", .len = 8, .tos = 0xb9};
    size_t failed;

    open_pair(&p, l, kind);
    m.remote = (struct endpoint){lab_addr(l->a2), kind == SOCK_UDP ? 4500 : 0};
    assert_int_equal(sock_send(&p.b, &m, 1, &failed), 1);
    assert_int_equal(failed, 0);
    assert_true(lab_recv(&p.a, &m, buf, sizeof buf));
    assert_int_equal(m.len, 8);
    assert_memory_equal(m.data, "question", 8);
    assert_int_equal(m.tos, 0xb9);
    assert_addr(&m.local, l->a2);
    assert_addr(&m.remote, l->b);
    assert_int_equal(m.remote.port, kind == SOCK_UDP ? p.b.port : 0);
    assert_int_equal(m.local.port, kind == SOCK_UDP ? 4500 : 0);

    /* The answer leaves from the address that was asked. */
    assert_int_equal(sock_send(&p.a, &m, 1, &failed), 1);
    assert_true(lab_recv(&p.b, &m, buf, sizeof buf));
    assert_addr(&m.remote, l->a2);
    assert_int_equal(m.len, 8);
    close_pair(&p);
}

static void burst(const struct link *l, enum sock_kind kind)
{
    enum { N = IO_BURST + 9 };
    static uint8_t data[N][64];
    struct io_msg out[N] = {0}, in[N];
    struct pair p;
    size_t failed, got = 0;

    open_pair(&p, l, kind);
    for (size_t i = 0; i < N; i++) {
        memset(data[i], (int)i, sizeof data[i]);
        out[i] = (struct io_msg){.data = data[i], .len = (uint32_t)(8 + i % 50), .df = i % 7 == 0};
        out[i].remote = (struct endpoint){lab_addr(l->a), 4500};
    }
    assert_int_equal(sock_send(&p.b, out, N, &failed), N);
    assert_int_equal(failed, 0);
    while (got < N) {
        for (size_t i = got; i < N; i++)
            in[i] = (struct io_msg){.data = buf + i * 256, .cap = 256};
        int n = sock_recv(&p.a, in + got, N - got);
        assert_in_range(n, 1, IO_BURST); /* veth delivers within the send */
        got += (size_t)n;
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(in[i].len, out[i].len);
        assert_int_equal(in[i].data[0], (uint8_t)i);
    }
    assert_int_equal(sock_recv(&p.a, in, N), 0);
    close_pair(&p);
}

/* Large IKE messages leave in fragments; with DF they fail alone and the next one goes. */
static void sizes(const struct link *l, enum sock_kind kind)
{
    static uint8_t big[BIG];
    struct io_msg out[3] = {0}, in;
    struct pair p;
    size_t failed;

    open_pair(&p, l, kind);
    for (size_t i = 0; i < 3; i++) {
        out[i] = (struct io_msg){.data = big, .len = i == 2 ? 9 : BIG, .df = i == 1};
        out[i].remote = (struct endpoint){lab_addr(l->a), 4500};
    }
    memset(big, 0xa5, sizeof big);
    assert_int_equal(sock_send(&p.b, out, 3, &failed), 3);
    assert_int_equal(failed, 1);
    assert_true(lab_recv(&p.a, &in, buf, sizeof buf));
    assert_int_equal(in.len, BIG);
    assert_memory_equal(in.data, big, BIG);
    assert_true(lab_recv(&p.a, &in, buf, sizeof buf));
    assert_int_equal(in.len, 9);

    /* What does not fit its buffer is not handed over in part. */
    assert_int_equal(sock_send(&p.b, out, 1, &failed), 1);
    assert_true(lab_recv(&p.a, &in, buf, 1000));
    assert_int_equal(in.len, 0);
    close_pair(&p);
}

static void each(void (*fn)(const struct link *, enum sock_kind))
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        fn(&links[i], SOCK_UDP);
        fn(&links[i], SOCK_ESP);
    }
}

static void test_echo(void **state)
{
    (void)state;
    each(echo);
}

static void test_burst(void **state)
{
    (void)state;
    each(burst);
}

static void test_sizes(void **state)
{
    (void)state;
    each(sizes);
}

/* A closed port, an unknown network and an address that is not ours do not end the loop. */
static void test_failures_go_by(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        const struct link *l = &links[i];
        const char *nowhere = l->family == 4 ? "203.0.113.1" : "2001:db8::1";
        struct pair p;
        struct io_msg m;

        open_pair(&p, l, SOCK_UDP);
        assert_true(lab_send(&p.b, NULL, l->a, 9, "x", 1));
        assert_true(lab_send(&p.b, NULL, l->a, 9, "x", 1));
        assert_false(lab_send(&p.b, NULL, nowhere, 4500, "x", 1));
        assert_false(lab_send(&p.b, nowhere, l->a, 4500, "x", 1));
        assert_true(lab_send(&p.b, l->b, l->a, 4500, "fine", 4));
        assert_true(lab_recv(&p.a, &m, buf, sizeof buf));
        assert_int_equal(m.len, 4);
        assert_true(lab_send(&p.a, NULL, l->b, p.b.port, "back", 4));
        assert_true(lab_recv(&p.b, &m, buf, sizeof buf));
        assert_int_equal(m.len, 4);
        close_pair(&p);
        assert_int_equal(p.a.fd, -1);
    }
}

static void test_empty_datagram(void **state)
{
    (void)state;
    struct pair p;
    struct io_msg m;
    open_pair(&p, &links[0], SOCK_UDP);
    assert_true(lab_send(&p.b, NULL, "10.9.0.1", 4500, "", 0));
    assert_true(lab_recv(&p.a, &m, buf, sizeof buf));
    assert_int_equal(m.len, 0);
    close_pair(&p);
}

/* RFC 791 3.1: the header's length decides where the payload begins. */
static void test_ip_options(void **state)
{
    (void)state;
    struct pair p;
    struct io_msg m;
    open_pair(&p, &links[0], SOCK_ESP);
    assert_int_equal(setsockopt(p.b.fd, IPPROTO_IP, IP_OPTIONS, "\1\1\1\1\1\1\1", 8), 0);
    assert_true(lab_send(&p.b, NULL, "10.9.0.1", 0, "payload", 7));
    assert_true(lab_recv(&p.a, &m, buf, sizeof buf));
    assert_ptr_equal(m.data, buf + 28);
    assert_int_equal(m.len, 7);
    assert_memory_equal(m.data, "payload", 7);
    assert_addr(&m.remote, "10.9.0.3");
    close_pair(&p);
}

/* The far end's queue is full: the kernel takes what it can, and sending goes on afterwards. */
/* A header with options (4: router alert, 6: hop-by-hop and destination options, both of which a
 * receiver without knowledge of them skips) and AH behind it, `payload` bytes. */
static uint32_t whole_packet(const struct link *l, uint8_t *p, uint32_t payload)
{
    static const uint8_t v4[24] = {0x46, 0x28, 0, 0, 0x12, 0x34, 0, 0, 9, 51, [20] = 148, 4};
    static const uint8_t v6[56] = {0x62, 0x80, [6] = 0, 11, [40] = 60, 0, 0x1e, 4, 1, 2,
                                   3,    4,    51,      0,  0x1e,      4, 5,    6, 7, 8};
    struct addr from = lab_addr(l->b), to = lab_addr(l->a2);
    uint32_t n = l->family == 4 ? sizeof v4 : sizeof v6;
    memcpy(p, l->family == 4 ? v4 : v6, n);
    put_u16(p + (l->family == 4 ? 2 : 4), (uint16_t)(payload + (l->family == 4 ? n : n - 40)));
    memcpy(p + (l->family == 4 ? 12 : 8), from.ip, l->family == 4 ? 4 : 16);
    memcpy(p + (l->family == 4 ? 16 : 24), to.ip, l->family == 4 ? 4 : 16);
    for (uint32_t i = 0; i < payload; i++)
        p[n + i] = (uint8_t)(i * 3);
    return n;
}

/* RFC 4302: all of the header that counts for AH arrives, and leaves, as the caller has it. */
static void whole(const struct link *l, uint32_t payload)
{
    static uint8_t out[5000];
    struct sock from, to;
    struct io_msg m = {.data = out, .whole = true}, in;
    size_t failed;
    open_in(ns_b, &from, SOCK_WHOLE, l->family, 0);
    open_in(ns_a, &to, SOCK_AH, l->family, 0);
    uint32_t n = whole_packet(l, out, payload);
    m.len = n + payload;
    m.remote.addr = lab_addr(l->a2);
    m.local.addr = lab_addr(l->b);
    assert_int_equal(sock_send(&from, &m, 1, &failed), 1);
    assert_int_equal(failed, 0);
    assert_true(lab_recv(&to, &in, buf, sizeof buf));
    assert_true(in.ah);
    assert_int_equal(in.head, n + 4);
    assert_int_equal(in.len, payload - 4);
    const uint8_t *ip = in.data - in.head;
    if (l->family == 4) {
        put_u16(out + 10, get_u16(ip + 10)); /* the kernel makes the checksum */
        assert_memory_equal(ip, out, n + payload);
    } else {
        assert_memory_equal(ip, "\x62\x80\0\0", 4);
        assert_memory_equal(ip + 4, out + 4, n + payload - 4);
    }
    m.df = true;
    assert_int_equal(sock_send(&from, &m, 1, &failed), 1);
    assert_int_equal(failed, payload > 1400); /* too big, and must not be cut */
    sock_close(&from);
    sock_close(&to);
}

static void test_whole(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        whole(&links[i], 100);
        whole(&links[i], 4800);
    }
}

/* A TTL of the caller's, seen by a raw socket that has the header. */
static void test_ttl(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair p;
        struct io_msg m = {.data = (uint8_t *)"question", .len = 8, .ttl = 254, .tos = 4}, in;
        size_t failed;
        open_pair(&p, &links[i], SOCK_ESP);
        m.remote.addr = lab_addr(links[i].a);
        m.local.addr = lab_addr(links[i].b);
        assert_int_equal(sock_send(&p.b, &m, 1, &failed), 1);
        assert_true(lab_recv(&p.a, &in, buf, sizeof buf));
        assert_int_equal(in.head, i ? 40 : 20);
        assert_int_equal(in.data[(i ? 7 : 8) - in.head], 254);
        m.ttl = 0;
        assert_int_equal(sock_send(&p.b, &m, 1, &failed), 1);
        assert_true(lab_recv(&p.a, &in, buf, sizeof buf));
        assert_int_equal(in.data[(i ? 7 : 8) - in.head], 64);
        close_pair(&p);
    }
}

static void test_full_buffer(void **state)
{
    static uint8_t data[60000];
    (void)state;
    struct io_msg out[IO_BURST] = {0}, m;
    struct pair p;
    size_t failed;
    open_pair(&p, &links[0], SOCK_UDP);
    for (size_t i = 0; i < IO_BURST; i++) {
        out[i] = (struct io_msg){.data = data, .len = sizeof data};
        out[i].remote = (struct endpoint){lab_addr("10.9.0.1"), 4500};
    }
    for (int i = 0; i < 20; i++)
        assert_in_range(sock_send(&p.b, out, IO_BURST, &failed), 0, IO_BURST);
    while (sock_recv(&p.a, &(struct io_msg){.data = buf, .cap = sizeof buf}, 1) > 0)
        continue;
    assert_true(lab_send(&p.b, NULL, "10.9.0.1", 4500, "x", 1));
    assert_true(lab_recv(&p.a, &m, buf, sizeof buf));
    assert_int_equal(m.len, 1);
    close_pair(&p);
}

static void test_port_in_use(void **state)
{
    (void)state;
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct io_error err = {""};
        struct sock first, second;
        open_in(ns_a, &first, SOCK_UDP, family, 500);
        assert_int_equal(sock_open(&second, SOCK_UDP, family, 500, MARK, &err), E_SYS);
        assert_non_null(strstr(err.text, "cannot bind UDP port 500"));
        assert_non_null(strstr(err.text, "in use: another IKE daemon is running"));
        assert_non_null(strstr(err.text, "ss -ulpn sport = :500"));
        assert_int_equal(second.fd, -1);
        sock_close(&first);
    }
}

static bool says(const struct io_error *err, const char *what)
{
    if (strstr(err->text, what) && !strchr(err->text, '\n'))
        return true;
    fprintf(stderr, "\"%s\" lacks \"%s\"\n", err->text, what);
    return false;
}

static bool refused_udp(void)
{
    struct io_error err = {""};
    struct sock s;
    return sock_open(&s, SOCK_UDP, 4, 500, MARK, &err) == E_SYS && says(&err, "UDP port 500") &&
           says(&err, "CAP_NET_ADMIN");
}

static bool refused_raw(void)
{
    struct io_error err = {""};
    struct sock s;
    return sock_open(&s, SOCK_ESP, 6, 0, MARK, &err) == E_SYS && says(&err, "CAP_NET_RAW");
}

static bool refused_tun(void)
{
    struct io_error err = {""};
    struct tun t;
    return tun_open(&t, "culvert0", 1400, &err) == E_SYS && says(&err, "CAP_NET_ADMIN");
}

static bool refused_netlink(void)
{
    struct io_error err = {""};
    const struct netlink_rules rules = {220, 220, MARK, 1u << 28, 2u << 28, "culvert0"};
    struct netlink *n = netlink_open(&err);
    bool fine = n && netlink_rules_add(n, &rules, &err) == E_SYS && says(&err, "CAP_NET_ADMIN") &&
                says(&err, "not fwmark 0x77");
    netlink_close(n);
    return fine;
}

static bool refused_guard(void)
{
    struct io_error err = {""};
    return !nft_guard_open(
               &(struct nft_guard_settings){"culvert0", MARK, 0x10000000, 0x20000000, 500, 4500},
               &err) &&
           says(&err, "CAP_NET_ADMIN");
}

static void test_without_capabilities(void **state)
{
    (void)state;
    lab_enter(ns_a);
    assert_true(lab_as_nobody(refused_udp));
    assert_true(lab_as_nobody(refused_raw));
    assert_true(lab_as_nobody(refused_tun));
    assert_true(lab_as_nobody(refused_netlink));
    assert_true(lab_as_nobody(refused_guard));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_failures_go_by),
        cmocka_unit_test(test_empty_datagram),
        cmocka_unit_test(test_ip_options),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_without_capabilities),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/sock", tests, make_lab, NULL);
}
