/* TUN device, rules, routes and look-ups in one namespace with a link to another one. */
#include "io/netlab.h"
#include "io/netlink.h"
#include "io/tun.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CLEAR = 1 << 28, CLEAR_TUN = 1 << 29 };
enum { MARK = 0x77, TABLE = 220, PRIORITY = 220, PORT = 7000 };

static int ns_a, ns_b;
static struct tun tun;
static struct netlink *nl;
static uint8_t buf[65536];

struct plan {
    uint8_t family;
    const char *inner, *outer, *target; /* A's LAN and outer address; a host of the remote LAN */
    const char *net;
    unsigned bits;
};

static const struct plan plans[] = {
    {4, "10.1.0.1", "10.9.0.1", "10.2.0.5", "10.2.0.9", 16},
    {6, "fd01::1", "fd09::1", "fd02::5", "fd02::9", 64},
};

/* B holds the remote addresses itself, so a packet that passes the tunnel by is seen there. */
static int make_lab(void **state)
{
    struct io_error err = {""};
    (void)state;
    ns_a = lab_ns();
    ns_b = lab_ns();
    lab_run("ip link add b0 type veth peer name a0 netns /proc/%d/fd/%d", getpid(), ns_a);
    lab_run("ip link set b0 up && ip addr add 10.9.0.3/24 dev b0 && ip addr add 10.2.0.5/32 dev b0"
            " && ip addr add fd09::3/64 dev b0 nodad && ip addr add fd02::5/128 dev b0 nodad");
    lab_enter(ns_a);
    lab_run("ip link set a0 up && ip addr add 10.9.0.1/24 dev a0 &&"
            "ip addr add fd09::1/64 dev a0 nodad && ip link add lan0 type veth peer name lan1 && "
            "ip link set lan1 up &&"
            "ip link set lan0 up && ip addr add 10.1.0.1/24 dev lan0 &&"
            "ip addr add fd01::1/64 dev lan0 nodad && ip route add default via 10.9.0.3 &&"
            "ip -6 route add default via fd09::3");
    nl = netlink_open(&err);
    assert_non_null(nl);
    if (tun_open(&tun, "culvert0", 1400, &err) != 0)
        fail_msg("%s", err.text);
    return 0;
}

static int end_lab(void **state)
{
    (void)state;
    tun_close(&tun);
    netlink_close(nl);
    return 0;
}

static const struct netlink_rules rules_want = {TABLE, PRIORITY,  MARK,
                                                CLEAR, CLEAR_TUN, "culvert0"};

static void add_routes(void)
{
    struct io_error err = {""};
    if (netlink_rules_add(nl, &rules_want, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct addr net = lab_addr(plans[i].net), src = lab_addr(plans[i].inner);
        const struct netlink_route r = {net, src, plans[i].bits, tun.ifindex, false};
        if (netlink_routes_change(nl, TABLE, &r, 1, &err) != 0)
            fail_msg("%s", err.text);
    }
}

static struct sock open_sock(int ns, uint8_t family, uint16_t port, uint32_t mark)
{
    struct io_error err = {""};
    struct sock s;
    lab_enter(ns);
    if (sock_open(&s, SOCK_UDP, family, port, mark, &err) != 0)
        fail_msg("%s", err.text);
    lab_enter(ns_a);
    return s;
}

static int read_packet(void)
{
    struct pollfd p = {.fd = tun.fd, .events = POLLIN};
    return poll(&p, 1, 2000) == 1 ? tun_read(&tun, buf, sizeof buf) : 0;
}

static void test_device(void **state)
{
    (void)state;
    assert_string_equal(tun.name, "culvert0");
    assert_int_equal(lab_number("cat /proc/sys/net/ipv6/conf/culvert0/disable_ipv6"), 0);
    assert_int_equal(lab_number("ip addr show dev culvert0 | grep -c inet; true"), 0);
    assert_int_equal(lab_number("ip link show dev culvert0 | grep -c 'UP.*mtu 1400'"), 1);
    assert_int_equal(tun_read(&tun, buf, sizeof buf), 0); /* no router solicitation either */
}

static void test_routes_lead_into_tun(void **state)
{
    (void)state;
    add_routes();
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const struct plan *p = &plans[i];
        struct sock plain = open_sock(ns_a, p->family, 0, 0);
        struct addr from = lab_addr(p->inner), to = lab_addr(p->target);
        size_t header = p->family == 4 ? 20 : 40, at = p->family == 4 ? 12 : 8;

        assert_true(lab_send(&plain, NULL, p->target, PORT, "into", 4));
        assert_int_equal(read_packet(), header + 8 + 4);
        assert_memory_equal(buf + header + 8, "into", 4);
        assert_memory_equal(buf + at, from.ip, addr_len(&from)); /* the route's source hint */
        assert_memory_equal(buf + at + addr_len(&from), to.ip, addr_len(&to));
        sock_close(&plain);
    }
}

static void test_marked_packets_go_past(void **state)
{
    (void)state;
    add_routes();
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const struct plan *p = &plans[i];
        struct sock marked = open_sock(ns_a, p->family, 0, MARK);
        struct sock there = open_sock(ns_b, p->family, PORT, 0);
        struct addr from = lab_addr(p->outer);
        struct io_msg m;

        assert_true(lab_send(&marked, NULL, p->target, PORT, "past", 4));
        assert_true(lab_recv(&there, &m, buf, sizeof buf));
        assert_memory_equal(m.data, "past", 4);
        assert_true(addr_eq(&m.remote.addr, &from));
        assert_int_equal(tun_read(&tun, buf, sizeof buf), 0);
        sock_close(&marked);
        sock_close(&there);
    }
}

static void test_written_packets_arrive(void **state)
{
    (void)state;
    add_routes();
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const struct plan *p = &plans[i];
        struct sock s = open_sock(ns_a, p->family, PORT, 0);
        struct addr from = lab_addr(p->target);
        uint8_t pkt[100];
        struct io_msg m;
        size_t n = lab_udp_packet(pkt, p->target, p->inner, PORT, "plain", 5);

        assert_int_equal(tun_write(&tun, pkt, n), 0);
        assert_true(lab_recv(&s, &m, buf, sizeof buf));
        assert_int_equal(m.len, 5);
        assert_true(addr_eq(&m.remote.addr, &from));
        sock_close(&s);
    }
    assert_int_equal(tun_write(&tun, (const uint8_t *)"\x10", 1), E_USAGE);
}

static void test_source_addr(void **state)
{
    (void)state;
    struct addr out, want, unreachable = lab_addr("198.51.100.7");
    add_routes();
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct addr target = lab_addr(plans[i].target);
        want = lab_addr(plans[i].outer);
        assert_true(netlink_source_addr(nl, &target, MARK, &out));
        assert_true(addr_eq(&out, &want));
        want = lab_addr(plans[i].inner);
        assert_true(netlink_source_addr(nl, &target, 0, &out));
        assert_true(addr_eq(&out, &want));
    }
    struct addr far = lab_addr(plans[0].target);
    assert_int_equal(netlink_path_mtu(nl, &far, MARK), 1500);
    lab_run("ip route add unreachable 198.51.100.0/24");
    assert_int_equal(netlink_path_mtu(nl, &unreachable, MARK), 0);
    assert_false(netlink_source_addr(nl, &unreachable, MARK, &out));
    lab_run("ip route del unreachable 198.51.100.0/24");
}

static void test_local_addresses(void **state)
{
    static const struct {
        const char *prefix, *found;
    } cases[] = {
        {"10.1.0.0/16", "10.1.0.1"}, {"10.1.0.0/32", NULL},    {"10.9.0.1/32", "10.9.0.1"},
        {"172.16.0.0/12", NULL},     {"fd01::/64", "fd01::1"}, {"fd03::/64", NULL},
        {"127.0.0.0/8", NULL},       {"::1/128", NULL},        {"fe80::/10", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a, lo, hi, out, want = lab_addr(cases[i].found);
        unsigned bits;
        assert_true(addr_parse_prefix(&a, &bits, cases[i].prefix));
        addr_prefix_range(&a, bits, &lo, &hi);
        assert_int_equal(netlink_local_in(nl, &lo, &hi, tun.ifindex, &out), want.family != 0);
        assert_true(!want.family || addr_eq(&out, &want));
    }
    struct addr lo = lab_addr("10.1.0.0"), hi = lab_addr("10.1.0.255"), out;
    assert_false(netlink_local_in(nl, &lo, &hi, (int)if_nametoindex("lan0"), &out));
}

static void test_is_local(void **state)
{
    static const struct {
        const char *addr;
        bool local;
    } cases[] = {{"10.1.0.1", true},  {"127.0.0.9", true}, {"10.1.0.2", false},
                 {"10.2.0.5", false}, {"fd01::1", true},   {"fd01::2", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a = lab_addr(cases[i].addr);
        assert_int_equal(netlink_is_local(nl, &a), cases[i].local);
    }
}

static int rules(void)
{
    return lab_number(
        "(ip rule; ip -6 rule) | grep -c 'not from all fwmark 0x77 lookup 220'; true");
}

static int routes(void)
{
    return lab_number("(ip route show table 220; ip -6 route show table 220) 2>/dev/null | wc -l");
}

static void test_idempotent(void **state)
{
    struct io_error err = {""};
    const struct netlink_route net = {
        .prefix = lab_addr("10.2.0.0"), .bits = 16, .ifindex = tun.ifindex, .gone = true};
    struct netlink_route lan = {.prefix = lab_addr("10.1.0.0"), .bits = 16};
    (void)state;
    add_routes();
    add_routes();
    assert_int_equal(rules(), 2);
    assert_int_equal(routes(), 2);
    assert_int_equal(netlink_routes_change(nl, TABLE, &net, 1, &err), 0);
    assert_int_equal(netlink_routes_change(nl, TABLE, &net, 1, &err), 0);
    assert_int_equal(routes(), 1);
    assert_int_equal(netlink_routes_change(nl, TABLE, &lan, 1, &err), 0);
    assert_int_equal(lab_number("ip route show table 220 | grep -c '^throw 10.1.0.0/16'"), 1);
    lan.gone = true;
    assert_int_equal(netlink_routes_change(nl, TABLE, &lan, 1, &err), 0);
    assert_int_equal(routes(), 1);
    struct netlink_rules no_mark = rules_want;
    no_mark.mark = 0;
    assert_int_equal(netlink_rules_add(nl, &no_mark, &err), E_USAGE);
    netlink_rules_del(nl, &rules_want);
    assert_int_equal(rules(), 0);
}

/* A route into the device and a throw take each other's place, in one step. */
static void test_kinds_replace(void **state)
{
    static const char *const prefixes[] = {"10.7.0.0", "fd07::"};
    struct io_error err = {""};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct netlink_route r = {.prefix = lab_addr(prefixes[i]), .bits = 32};
        for (int k = 0; k < 4; k++) {
            r.ifindex = k % 2 ? 0 : tun.ifindex;
            assert_int_equal(netlink_routes_change(nl, TABLE, &r, 1, &err), 0);
            assert_int_equal(
                lab_number("(ip route show table 220; ip -6 route show table 220) | grep %s |"
                           " grep -c '%s'",
                           prefixes[i], k % 2 ? "^throw" : "dev culvert0"),
                1);
        }
        r.gone = true;
        assert_int_equal(netlink_routes_change(nl, TABLE, &r, 1, &err), 0);
    }
    assert_int_equal(lab_number("ip -6 route show table 220 | grep -c fd07; true"), 0);
}

enum { MANY = 250 };

/* Many in one call, more than one batch holds. */
static void test_flush(void **state)
{
    static struct netlink_route r[2 * MANY];
    struct io_error err = {""};
    (void)state;
    for (uint8_t i = 0; i < MANY; i++) {
        struct addr v6 = lab_addr("fd03::");
        v6.ip[5] = i;
        r[i] = (struct netlink_route){
            .prefix = addr_v4((uint8_t[4]){10, 3, i, 0}), .bits = 24, .ifindex = tun.ifindex};
        r[MANY + i] = (struct netlink_route){.prefix = v6, .bits = 48, .ifindex = tun.ifindex};
    }
    assert_int_equal(netlink_routes_change(nl, TABLE, r, 2 * MANY, &err), 0);
    int main_before = lab_number("ip route | wc -l");
    assert_true(routes() >= 500);
    netlink_table_flush(nl, TABLE);
    netlink_table_flush(nl, TABLE);
    assert_int_equal(routes(), 0);
    assert_int_equal(lab_number("ip route | wc -l"), main_before);
}

/* One that fails does not keep the others back. */
static void test_route_errors(void **state)
{
    struct io_error err = {""};
    const struct netlink_route r[] = {
        {.prefix = lab_addr("10.6.0.0"), .bits = 16, .ifindex = tun.ifindex},
        {lab_addr("10.7.0.0"), lab_addr("192.0.2.1"), 16, tun.ifindex, false},
        {.prefix = lab_addr("10.8.0.0"), .bits = 16, .ifindex = tun.ifindex}};
    (void)state;
    assert_int_equal(netlink_routes_change(nl, TABLE, r, 3, &err), E_SYS);
    assert_non_null(strstr(err.text, "10.7.0.0/16 dev culvert0 table 220"));
    assert_non_null(strstr(err.text, "source address"));
    assert_int_equal(lab_number("ip route show table 220 | grep -c '^10.[68].0.0/16'"), 2);
    netlink_table_flush(nl, TABLE);
}

static void test_addrs(void **state)
{
    static const char *const text[] = {"10.255.0.1", "2001:db8:9::1"};
    static const unsigned bits[] = {30, 64};
    struct io_error err = {""};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct addr a = lab_addr(text[i]);
        for (int again = 0; again < 2; again++)
            assert_int_equal(netlink_addr_add(nl, tun.ifindex, &a, bits[i], &err), 0);
        struct addr found;
        assert_true(netlink_local_in(nl, &a, &a, 0, &found));
        for (int again = 0; again < 2; again++)
            netlink_addr_del(nl, tun.ifindex, &a, bits[i]);
        assert_false(netlink_local_in(nl, &a, &a, 0, &found));
    }
    struct addr a = lab_addr("10.255.0.1");
    assert_int_equal(netlink_addr_add(nl, 9999, &a, 30, &err), E_SYS);
    assert_non_null(strstr(err.text, "10.255.0.1/30"));
}

static void test_addrs_changed(void **state)
{
    (void)state;
    (void)netlink_addrs_changed(nl);
    assert_false(netlink_addrs_changed(nl));
    lab_run("ip addr add 192.0.2.77/32 dev lo");
    assert_true(netlink_addrs_changed(nl));
    assert_false(netlink_addrs_changed(nl));
    lab_run("ip addr del 192.0.2.77/32 dev lo");
    assert_true(netlink_addrs_changed(nl));
}

static void test_names_in_use(void **state)
{
    struct io_error err = {""};
    struct tun second;
    (void)state;
    assert_int_equal(tun_open(&second, "culvert0", 1400, &err), E_SYS);
    assert_non_null(strstr(err.text, "TUN device culvert0: "));
    assert_non_null(strstr(err.text, "another process uses it"));
    assert_int_equal(second.fd, -1);
    assert_int_equal(tun_open(&second, "lan0", 1400, &err), E_SYS);
    assert_non_null(strstr(err.text, "another kind"));
    assert_int_equal(tun_open(&second, "a-name-that-is-too-long", 1400, &err), E_SYS);
    assert_non_null(strstr(err.text, "15 characters"));
}

static void drain(void)
{
    while (tun_read(&tun, buf, sizeof buf) > 0)
        ;
}

/* A queue that nobody reads: what it has no room for is counted. */
static void test_queue_drops(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    (void)state;
    assert_int_equal(netlink_link_dropped(nl, 99999), 0);
    lab_run("ip link set culvert0 txqueuelen 4 && ip route add 10.66.0.0/24 dev culvert0");
    drain();
    uint64_t before = netlink_link_dropped(nl, tun.ifindex);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, "10.66.0.1", &to.sin_addr), 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
    close(fd);
    assert_in_range(netlink_link_dropped(nl, tun.ifindex) - before, 6, 10);
    drain();
    lab_run("ip link set culvert0 txqueuelen 500 && ip route del 10.66.0.0/24 dev culvert0");
}

/* Last: the device goes. */
static void test_device_deleted(void **state)
{
    uint8_t pkt[100];
    size_t n = lab_udp_packet(pkt, "10.2.0.5", "10.1.0.1", PORT, "x", 1);
    (void)state;
    lab_run("ip link set culvert0 down");
    assert_int_equal(tun_write(&tun, pkt, n), E_AGAIN);
    lab_run("ip link del culvert0");
    assert_int_equal(tun_read(&tun, buf, sizeof buf), E_SYS);
    assert_int_equal(tun_write(&tun, pkt, n), E_SYS);
    struct io_error err = {""};
    const struct netlink_route r = {
        .prefix = lab_addr("10.2.0.0"), .bits = 16, .ifindex = tun.ifindex, .gone = true};
    assert_int_equal(netlink_routes_change(nl, TABLE, &r, 1, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_routes_lead_into_tun),
        cmocka_unit_test(test_marked_packets_go_past),
        cmocka_unit_test(test_written_packets_arrive),
        cmocka_unit_test(test_source_addr),
        cmocka_unit_test(test_local_addresses),
        cmocka_unit_test(test_is_local),
        cmocka_unit_test(test_idempotent),
        cmocka_unit_test(test_kinds_replace),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_route_errors),
        cmocka_unit_test(test_addrs),
        cmocka_unit_test(test_addrs_changed),
        cmocka_unit_test(test_names_in_use),
        cmocka_unit_test(test_queue_drops),
        cmocka_unit_test(test_device_deleted),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/tun", tests, make_lab, end_lab);
}
