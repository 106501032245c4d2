/* Trains of datagrams over a link between two namespaces: merged or not, each arrives as sent. */
#include "io/netlab.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { N_MAX = 300, ROOM = 65536 };

static int ns_a, ns_b;
static struct sock a, b; /* b sends to a */
static struct sock_offload got;
static uint8_t out_mem[N_MAX][1600], big_out[N_MAX * 1000], big[ROOM], in_mem[IO_BURST][ROOM];
static struct io_msg out[N_MAX];

struct link {
    uint8_t family;
    const char *a, *b;
};

static const struct link links[] = {{4, "10.9.0.1", "10.9.0.3"}, {6, "fd09::1", "fd09::3"}};

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

static void open_one(int ns, struct sock *s, uint8_t family, uint16_t port)
{
    struct io_error err = {""};
    lab_enter(ns);
    if (sock_open(s, SOCK_UDP, family, port, 0x77, &err) != 0)
        fail_msg("%s", err.text);
    sock_offload(s, &got);
}

static void open_pair(const struct link *l)
{
    open_one(ns_a, &a, l->family, 4500);
    open_one(ns_b, &b, l->family, 0);
    for (size_t i = 0; i < N_MAX; i++) {
        out[i] = (struct io_msg){.data = out_mem[i], .tos = 0x28};
        out[i].remote = (struct endpoint){lab_addr(l->a), 4500};
        memset(out_mem[i], (int)i + 1, sizeof out_mem[i]);
        put_u32(out_mem[i], (uint32_t)i);
    }
}

static void close_pair(void)
{
    sock_close(&a);
    sock_close(&b);
}

/* Receives all there is and compares it with the first n messages sent; number of messages. */
static size_t assert_arrived(const struct link *l, const struct io_msg *want, size_t n)
{
    static struct io_msg in[IO_BURST];
    struct addr from = lab_addr(l->b), to = lab_addr(l->a);
    size_t at = 0, messages = 0;
    for (;;) {
        for (size_t i = 0; i < IO_BURST; i++)
            in[i] = (struct io_msg){.data = in_mem[i], .cap = ROOM};
        int k = sock_recv(&a, in, IO_BURST);
        assert_true(k >= 0);
        if (k == 0)
            break;
        messages += (size_t)k;
        for (int i = 0; i < k; i++) {
            assert_true(addr_eq(&in[i].remote.addr, &from) && addr_eq(&in[i].local.addr, &to));
            assert_int_equal(in[i].tos, 0x28);
            for (uint32_t j = 0; j < io_msg_segments(&in[i]); j++, at++) {
                struct bytes d = io_msg_segment(&in[i], j);
                assert_true(at < n);
                assert_int_equal(d.n, want[at].len);
                assert_memory_equal(d.p, want[at].data, d.n);
            }
        }
    }
    assert_int_equal(at, n);
    return messages;
}

static size_t send_all(size_t n)
{
    size_t failed;
    assert_int_equal(sock_send_gso(&b, out, n, false, &failed), n);
    return failed;
}

static void trains(const struct link *l)
{
    open_pair(l);
    assert_true(got.gro && got.train_max >= 64);
    assert_non_null(strstr(got.text, "datagrams to send, merged ones received"));
    for (size_t i = 0; i < N_MAX; i++)
        out[i].len = 1400;
    out[N_MAX - 1].len = 5;
    assert_int_equal(send_all(N_MAX), 0);
    assert_true(assert_arrived(l, out, N_MAX) <= 10); /* 46 of 1400 bytes fit */
    for (size_t i = 0; i < N_MAX; i++)
        out[i].len = 64;
    assert_int_equal(send_all(N_MAX), 0);
    assert_true(assert_arrived(l, out, N_MAX) <= 6);
    close_pair();
}

/* A train that may still grow waits when there is more to come, whole ones do not. Data that lie
 * one behind the other go as one piece: nothing of it shows. */
static void growing(const struct link *l)
{
    open_pair(l);
    size_t failed, whole = got.train_max >= 65 ? 65 : got.train_max; /* of 1000 bytes 65 fit */
    for (size_t i = 0; i < N_MAX; i++) {
        out[i].data = big_out + i * 1000;
        out[i].len = 1000;
        put_u32(out[i].data, (uint32_t)i);
    }
    assert_int_equal(sock_send_gso(&b, out, whole - 1, true, &failed), 0);
    assert_int_equal(sock_send_gso(&b, out, 2 * whole + 1, true, &failed), 2 * whole);
    assert_int_equal(assert_arrived(l, out, 2 * whole), 2);
    out[2].len = 999; /* a shorter one closes its train */
    assert_int_equal(sock_send_gso(&b, out, 4, true, &failed), 3);
    assert_int_equal(assert_arrived(l, out, 3), 1);
    assert_int_equal(sock_send_gso(&b, out, 2, false, &failed), 2);
    assert_int_equal(assert_arrived(l, out, 2), 1);
    close_pair();
}

/* Another TTL is another train: the first one waits for nothing any more. */
static void other_ttl(const struct link *l)
{
    size_t failed;
    open_pair(l);
    out[0].len = out[1].len = 300;
    out[1].ttl = 9;
    assert_int_equal(sock_send_gso(&b, out, 2, true, &failed), 1);
    assert_arrived(l, out, 1);
    close_pair();
}

/* Sizes at random, other TOS and DF between: cut where it must be, nothing out of order. */
static void mixed(const struct link *l)
{
    static const uint16_t sizes[] = {1, 64, 64, 64, 65, 1400, 1400, 1400, 1472, 4};
    unsigned seed = 7;
    open_pair(l);
    for (size_t turn = 0; turn < 40; turn++) {
        for (size_t i = 0; i < N_MAX; i++) {
            seed = seed * 1103515245u + 12345u;
            out[i].len = sizes[(seed >> 16) % 10];
            out[i].len -= l->family == 6 && out[i].len == 1472 ? 20 : 0;
            out[i].df = (seed >> 8) % 16 == 0;
        }
        assert_int_equal(send_all(N_MAX), 0);
        assert_arrived(l, out, N_MAX);
    }
    close_pair();
}

/* ESP, an IKE message of the same size behind its marker, a keepalive: one flow to the kernel. */
static void kinds(const struct link *l)
{
    open_pair(l);
    for (size_t i = 0; i < 30; i++)
        out[i].len = 200;
    memset(out_mem[11], 0, 4);
    out[29].len = 1;
    out_mem[29][0] = 0xff;
    assert_int_equal(send_all(30), 0);
    assert_int_equal(assert_arrived(l, out, 30), 1);
    close_pair();
}

/* A message that is a train already, and what io_msg_segment says of it. */
static void ready_made(const struct link *l)
{
    static struct io_msg parts[64];
    size_t failed;
    open_pair(l);
    for (uint16_t max = b.train_max;; max = 0) {
        struct io_msg m = out[0];
        m.data = big;
        m.len = 30 * 1400 + 17;
        m.seg = 1400;
        for (size_t i = 0; i < m.len; i++)
            big[i] = (uint8_t)(i * 3 + (i >> 8));
        assert_int_equal(io_msg_segments(&m), 31);
        for (uint32_t i = 0; i < 31; i++) {
            struct bytes d = io_msg_segment(&m, i);
            parts[i] = (struct io_msg){.data = big + (d.p - big), .len = (uint32_t)d.n};
        }
        b.train_max = max;
        assert_int_equal(sock_send_gso(&b, &m, 1, false, &failed), 1);
        assert_int_equal(failed, 0);
        size_t messages = assert_arrived(l, parts, 31);
        assert_true(max ? messages == 1 : messages >= 1);
        if (!max)
            break;
    }
    close_pair();
}

/* Without UDP_SEGMENT everything goes singly. */
static void singly(const struct link *l)
{
    open_pair(l);
    b.train_max = 0;
    for (size_t i = 0; i < N_MAX; i++)
        out[i].len = 300;
    assert_int_equal(send_all(N_MAX), 0);
    assert_arrived(l, out, N_MAX);
    close_pair();
}

/* Empty datagrams and the largest ones. */
static void extremes(const struct link *l)
{
    struct io_msg in = {.data = in_mem[0], .cap = ROOM};
    size_t failed, top = l->family == 4 ? 65507 : 65527;
    open_pair(l);
    assert_int_equal(send_all(1), 0); /* len 0 */
    assert_int_equal(sock_recv(&a, &in, 1), 1);
    assert_int_equal(in.len, 0);
    assert_int_equal(io_msg_segments(&in), 0);
    for (size_t n = top; n <= top + 1; n++) {
        struct io_msg m = out[0];
        m.data = big;
        m.len = (uint32_t)n;
        assert_int_equal(sock_send_gso(&b, &m, 1, false, &failed), 1);
        assert_int_equal(failed, n > top);
        assert_int_equal(lab_recv(&a, &in, in_mem[0], ROOM), n == top);
        assert_true(n > top || (in.len == top && memcmp(in.data, big, top) == 0));
    }
    /* an empty one between equal ones: never part of a train */
    out[0].len = out[2].len = out[3].len = 100;
    assert_int_equal(send_all(4), 0);
    out[1] = out[2];
    out[2] = out[3];
    assert_arrived(l, out, 3);
    close_pair();
}

static unsigned heard;

static void too_big(void *ctx, const struct io_msg *m)
{
    assert_ptr_equal(ctx, out);
    assert_true(m >= out && m < out + N_MAX && m->tag == (uint32_t)(m - out) && m->len == 1400);
    heard++;
}

/* Small ones between large ones: each is judged by itself, and the listener hears of all. */
static void some_too_big(const struct link *l)
{
    heard = 0;
    b.ear = (struct sock_ear){out, too_big};
    for (size_t i = 0; i < 20; i++) {
        out[i].len = i % 3 ? 200 : 1400;
        out[i].tag = (uint32_t)i;
    }
    assert_int_equal(send_all(20), 0);
    assert_int_equal(heard, 7);
    static struct io_msg small[20];
    size_t n = 0;
    for (size_t i = 0; i < 20; i++)
        if (out[i].len == 200)
            small[n++] = out[i];
    assert_arrived(l, small, n);
    b.ear = (struct sock_ear){0};
}

/* Too long for the path: with DF every datagram fails by itself, without it all go in fragments. */
static void path_mtu(const struct link *l)
{
    open_pair(l);
    lab_enter(ns_b);
    lab_run("ip link set b0 mtu 1300");
    for (size_t i = 0; i < 20; i++) {
        out[i].len = i == 19 ? 200 : 1400;
        out[i].df = true;
    }
    assert_int_equal(send_all(20), 19);
    assert_arrived(l, out + 19, 1);
    some_too_big(l);
    for (size_t i = 0; i < 20; i++)
        out[i] = (struct io_msg){.data = out[i].data,
                                 .len = i == 19 ? 200 : 1400,
                                 .local = out[i].local,
                                 .remote = out[i].remote,
                                 .tos = out[i].tos};
    assert_int_equal(send_all(20), 0);
    assert_arrived(l, out, 20);
    lab_run("ip link set b0 mtu 1500 && (ip addr add fd09::3/64 dev b0 nodad 2>/dev/null; true)");
    close_pair();
}

/* A device without checksum offload: refused by older kernels (EIO), computed by newer ones. */
static void no_checksum(const struct link *l)
{
    open_pair(l);
    lab_run("ethtool -K b0 tx off >/dev/null 2>&1; true");
    for (size_t turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < N_MAX; i++)
            out[i].len = 500;
        assert_int_equal(send_all(N_MAX), 0);
        assert_arrived(l, out, N_MAX);
    }
    lab_run("ethtool -K b0 tx on >/dev/null 2>&1; true");
    close_pair();
}

static void no_route(const struct link *l)
{
    size_t failed;
    open_pair(l);
    for (size_t i = 0; i < 40; i++) {
        out[i].len = 500;
        if (i < 20)
            out[i].remote.addr = lab_addr(l->family == 4 ? "198.51.100.1" : "2001:db8::1");
    }
    assert_int_equal(sock_send_gso(&b, out, 40, false, &failed), 40);
    assert_int_equal(failed, 20);
    assert_arrived(l, out + 20, 20);
    close_pair();
}

/* The receiver's buffer is full: what fits arrives whole, the rest is lost, later ones come. */
static void full_receiver(const struct link *l)
{
    int small = 1;
    size_t seen = 0;
    struct io_msg in;
    open_pair(l);
    assert_int_equal(setsockopt(a.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (size_t i = 0; i < N_MAX; i++)
        out[i].len = 1400;
    assert_int_equal(send_all(N_MAX), 0);
    for (;;) {
        in = (struct io_msg){.data = in_mem[0], .cap = ROOM};
        if (sock_recv(&a, &in, 1) != 1)
            break;
        seen += io_msg_segments(&in);
    }
    assert_true(seen < N_MAX);
    assert_int_equal(send_all(1), 0);
    assert_arrived(l, out, 1);
    close_pair();
}

/* Our own buffer is full, as a slow link holds what was sent: fewer are taken, none is half sent.
 */
static void full_sender(const struct link *l)
{
    int small = 1, n;
    size_t failed, taken = 0;
    open_pair(l);
    lab_enter(ns_b);
    if (system("tc qdisc add dev b0 root tbf rate 8mbit burst 70kb limit 10mb 2>/dev/null") != 0) {
        close_pair();
        return; /* no such scheduler in this kernel */
    }
    assert_int_equal(setsockopt(b.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (size_t i = 0; i < N_MAX; i++)
        out[i].len = 1400;
    for (int i = 0; i < 20; i++) {
        n = sock_send_gso(&b, out, N_MAX, false, &failed);
        assert_in_range(n, 0, N_MAX - 1);
        assert_int_equal(failed, 0);
        taken += (size_t)n;
    }
    lab_run("tc qdisc del dev b0 root");
    assert_true(taken > 0 && taken < 20 * N_MAX);
    close_pair();
}

static void test_all(void **state)
{
    static const struct {
        const char *name;
        void (*run)(const struct link *);
    } cases[] = {{"trains", trains},
                 {"growing", growing},
                 {"other TTL", other_ttl},
                 {"mixed", mixed},
                 {"kinds", kinds},
                 {"ready made", ready_made},
                 {"singly", singly},
                 {"extremes", extremes},
                 {"path MTU", path_mtu},
                 {"no checksum", no_checksum},
                 {"no route", no_route},
                 {"full receiver", full_receiver},
                 {"full sender", full_sender}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < sizeof links / sizeof *links; k++) {
            print_message("%s, IPv%u\n", cases[i].name, links[k].family);
            cases[i].run(&links[k]);
        }
    }
}

/* Protocol 50 has no trains; a closed socket is told. */
static void test_others(void **state)
{
    struct io_error err = {""};
    struct sock s;
    size_t failed;
    (void)state;
    lab_enter(ns_b);
    if (sock_open(&s, SOCK_ESP, 4, 0, 0, &err) != 0)
        fail_msg("%s", err.text);
    sock_offload(&s, &got);
    assert_true(!got.gro && !got.train_max && !s.train_max);
    assert_string_equal(got.text,
                        "protocol 50 (IPv4): no UDP segmentation, one datagram a message");
    sock_close(&s);

    open_pair(&links[0]);
    out[0].len = out[1].len = 100;
    close(b.fd);
    assert_int_equal(sock_send_gso(&b, out, 2, false, &failed), E_SYS);
    b.fd = -1;
    close_pair();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_others),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/sock_gso", tests, make_lab, NULL);
}
