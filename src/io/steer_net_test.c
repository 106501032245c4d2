/*
 * Who gets what: sockets that share a port by the SPI's tag, raw sockets that share protocol 50,
 * and queues of a TUN device by destination. In network namespaces of its own.
 */
#include "io/netlab.h"
#include "io/tun_steer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NATT = 4500, WORKERS = 3, TAG_BITS = 2, SOCKS = WORKERS + 1 };

static uint8_t buf[70000];

static bool got(struct sock *s, uint32_t *first)
{
    struct io_msg m = {.data = buf, .cap = sizeof buf};
    if (sock_recv(s, &m, 1) != 1)
        return false;
    *first = m.len >= 4 ? get_u32(m.data) : 0;
    return true;
}

/* The only one that got something. */
static int who_got(struct sock *s, size_t n)
{
    int who = -1;
    uint32_t first;
    for (size_t i = 0; i < n; i++) {
        if (!got(&s[i], &first))
            continue;
        assert_int_equal(who, -1);
        who = (int)i;
    }
    return who;
}

static const struct {
    const char *name;
    uint8_t data[8];
    size_t len;
    int index;
} datagrams[] = {
    {"the marker before IKE", {0, 0, 0, 0, 1, 2, 3, 4}, 8, 0},
    {"a keepalive, RFC 3948 2.3", {0xff}, 1, 0},
    {"nothing", {0}, 0, 0},
    {"three bytes", {0x80, 1, 1}, 3, 0},
    {"tag 0", {0x00, 0, 1, 0, 0, 0, 0, 1}, 8, 1},
    {"tag 1", {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1}, 8, 2},
    {"tag 2", {0x80, 0, 0, 0, 0, 0, 0, 1}, 8, 3},
    {"tag 3, which nobody has", {0xc0, 0, 0, 0, 0, 0, 0, 1}, 8, 1},
};

static void talk(uint8_t family)
{
    struct io_error err = {""};
    struct sock s[SOCKS], peer, other;
    const char *lo = family == 4 ? "127.0.0.1" : "::1";
    assert_int_equal(sock_open(&s[0], SOCK_UDP, family, NATT, 0, &err), 0);
    assert_int_equal(sock_share(&s[0], &err), 0);
    for (int i = 1; i < SOCKS; i++)
        assert_int_equal(sock_open_beside(&s[i], &s[0], 0, &err), 0);
    assert_int_equal(sock_steer(&s[0], TAG_BITS, WORKERS, &err), 0);
    /* another daemon on the port is still noticed */
    assert_int_equal(sock_open(&other, SOCK_UDP, family, NATT, 0, &err), E_SYS);
    assert_int_equal(sock_open(&peer, SOCK_UDP, family, 0, 0, &err), 0);
    for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
        assert_true(lab_send(&peer, lo, lo, NATT, datagrams[i].data, datagrams[i].len));
        int who = who_got(s, SOCKS);
        if (who != datagrams[i].index)
            fail_msg("IPv%u, %s: went to %d", family, datagrams[i].name, who);
    }
    sock_close(&peer);
    for (int i = 0; i < SOCKS; i++)
        sock_close(&s[i]);
}

static void test_group(void **state)
{
    (void)state;
    close(lab_ns());
    talk(4);
    talk(6);
}

/* With one worker there is no tag, and all ESP is his. */
static void test_alone(void **state)
{
    (void)state;
    struct io_error err = {""};
    struct sock s[2], peer;
    close(lab_ns());
    assert_int_equal(sock_open(&s[0], SOCK_UDP, 4, NATT, 0, &err), 0);
    assert_int_equal(sock_share(&s[0], &err), 0);
    assert_int_equal(sock_open_beside(&s[1], &s[0], 0, &err), 0);
    assert_int_equal(sock_steer(&s[0], 0, 1, &err), 0);
    assert_int_equal(sock_open(&peer, SOCK_UDP, 4, 0, 0, &err), 0);
    for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
        assert_true(
            lab_send(&peer, "127.0.0.1", "127.0.0.1", NATT, datagrams[i].data, datagrams[i].len));
        assert_int_equal(who_got(s, 2), datagrams[i].index != 0);
    }
    for (int i = 0; i < 2; i++)
        sock_close(&s[i]);
    sock_close(&peer);
}

static void share_raw(uint8_t family)
{
    struct io_error err = {""};
    struct sock s[WORKERS], none, peer;
    const char *lo = family == 4 ? "127.0.0.1" : "::1";
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(sock_open(&s[i], SOCK_ESP, family, 0, 0, &err), 0);
        assert_int_equal(sock_keep(&s[i], TAG_BITS, WORKERS, i, &err), 0);
    }
    assert_int_equal(sock_open(&none, SOCK_ESP, family, 0, 0, &err), 0);
    assert_int_equal(sock_keep(&none, TAG_BITS, WORKERS, WORKERS, &err), 0);
    assert_int_equal(sock_open(&peer, SOCK_ESP, family, 0, 0, &err), 0);
    for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
        if (datagrams[i].index == 0)
            continue;
        assert_true(lab_send(&peer, lo, lo, 0, datagrams[i].data, 8));
        int who = who_got(s, WORKERS);
        if (who + 1 != datagrams[i].index)
            fail_msg("IPv%u, %s: went to %d", family, datagrams[i].name, who);
    }
    for (size_t len = 1; len < 4; len++) { /* too short for an SPI: somebody counts it */
        assert_true(lab_send(&peer, lo, lo, 0, "\xff\xff\xff", len));
        assert_int_equal(who_got(s, WORKERS), 0);
    }
    assert_int_equal(who_got(&none, 1), -1);
    for (int i = 0; i < WORKERS; i++)
        sock_close(&s[i]);
    sock_close(&none);
    sock_close(&peer);
}

static void test_raw(void **state)
{
    (void)state;
    close(lab_ns());
    share_raw(4);
    share_raw(6);
}

/* --- TUN --- */

static int queue_of(struct tun *q, size_t n)
{
    int who = -1;
    for (size_t i = 0; i < n; i++) {
        struct gso g;
        if (tun_vnet_read(&q[i], &g, buf, sizeof buf) <= 0)
            continue;
        assert_int_equal(who, -1);
        who = (int)i;
    }
    return who;
}

static void send_to(const char *to)
{
    struct io_error err = {""};
    struct sock s;
    bool v6 = strchr(to, ':');
    assert_int_equal(sock_open(&s, SOCK_UDP, v6 ? 6 : 4, 0, 0, &err), 0);
    assert_true(lab_send(&s, v6 ? "fd05::1" : "10.5.0.1", to, 9, "x", 1));
    sock_close(&s);
}

static void set(struct tun_steer *s, const char *prefix, uint32_t queue)
{
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, prefix));
    assert_int_equal(tun_steer_set(s, &a, bits, queue), 0);
}

static void unset(struct tun_steer *s, const char *prefix)
{
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, prefix));
    tun_steer_del(s, &a, bits);
}

static void test_tun(void **state)
{
    (void)state;
    struct io_error err = {""};
    const struct tun_want want = {.queues = true};
    struct tun_offload o;
    struct tun q[3];
    static const struct {
        const char *to;
        int queue;
    } cases[] = {{"10.5.1.1", 1},  {"10.5.1.9", 2},  {"10.5.2.1", 0},     {"10.5.3.1", 2},
                 {"fd05::1:1", 1}, {"fd05::2:1", 2}, {"fd05::2:ffff", 0}, {"fd05:0:0:9::", 0}};
    close(lab_ns());
    assert_int_equal(tun_vnet_open(&q[0], "many", 1400, &want, &o, &err), 0);
    for (int i = 1; i < 3; i++)
        assert_int_equal(tun_vnet_queue(&q[i], &q[0], &err), 0);
    struct tun_steer *s = tun_steer_open(&q[0], &err);
    if (!s)
        fail_msg("%s", err.text);
    lab_run("ip addr add 10.5.0.1/16 dev many && ip -6 addr add fd05::1/32 dev many nodad");
    set(s, "10.5.0.0/16", 2);
    set(s, "10.5.1.0/24", 1);
    set(s, "10.5.1.9/32", 2);
    set(s, "10.5.2.0/24", 0);
    set(s, "fd05::1:0/112", 1);
    set(s, "fd05::2:1/128", 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        send_to(cases[i].to);
        int queue = queue_of(q, 3);
        if (queue != cases[i].queue)
            fail_msg("%s went to queue %d", cases[i].to, queue);
    }
    unset(s, "10.5.1.0/24");
    unset(s, "10.5.1.0/24"); /* not there: nothing happens */
    send_to("10.5.1.1");
    assert_int_equal(queue_of(q, 3), 2);
    set(s, "10.5.0.0/16", 1); /* moved */
    send_to("10.5.1.1");
    assert_int_equal(queue_of(q, 3), 1);
    tun_steer_close(s);
    for (int i = 0; i < 3; i++)
        tun_close(&q[i]);
}

static void send_between(const char *from, uint16_t port, const char *to, uint16_t to_port)
{
    struct io_error err = {""};
    struct sock s;
    assert_int_equal(sock_open(&s, SOCK_UDP, strchr(to, ':') ? 6 : 4, port, 0, &err), 0);
    assert_true(lab_send(&s, from, to, to_port, "x", 1));
    sock_close(&s);
}

/* Flows that are spread come to several queues, and what goes back to the same one. */
static void test_tun_both_ways(void **state)
{
    (void)state;
    enum { FLOWS = 16, PORT = 7000 };
    struct io_error err = {""};
    const struct tun_want want = {.queues = true};
    static const char *const near[] = {"10.5.0.1", "fd05::1"}, *const far[] = {"10.5.9.9",
                                                                               "fd05::9:9"};
    struct tun_offload o;
    struct tun q[2];
    int queue[2][FLOWS], seen[2] = {0};
    close(lab_ns());
    assert_int_equal(tun_vnet_open(&q[0], "many", 1400, &want, &o, &err), 0);
    assert_int_equal(tun_vnet_queue(&q[1], &q[0], &err), 0);
    struct tun_steer *s = tun_steer_open(&q[0], &err);
    if (!s)
        fail_msg("%s", err.text);
    set(s, "10.5.0.0/16", 0xffffffff);
    set(s, "fd05::/32", 0xffffffff);
    lab_run("ip addr add 10.5.0.1/16 dev many && ip -6 addr add fd05::1/32 dev many nodad");
    for (unsigned v = 0; v < 2; v++)
        for (uint16_t i = 0; i < FLOWS; i++) {
            send_between(near[v], (uint16_t)(PORT + i), far[v], 9);
            seen[queue[v][i] = queue_of(q, 2)]++;
        }
    assert_true(seen[0] && seen[1]);
    lab_run("ip addr flush dev many && ip addr add 10.5.9.9/16 dev many && "
            "ip -6 addr add fd05::9:9/32 dev many nodad");
    for (unsigned v = 0; v < 2; v++)
        for (uint16_t i = 0; i < FLOWS; i++) {
            send_between(far[v], 9, near[v], (uint16_t)(PORT + i));
            assert_int_equal(queue_of(q, 2), queue[v][i]);
        }
    tun_steer_close(s);
    tun_close(&q[0]);
    tun_close(&q[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_group), cmocka_unit_test(test_alone),
                                       cmocka_unit_test(test_raw), cmocka_unit_test(test_tun),
                                       cmocka_unit_test(test_tun_both_ways)};
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
