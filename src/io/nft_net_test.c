/*
 * The guard in a gateway A between a LAN host C and a remote B, with the tunnel down: what a policy
 * covers does not come in or leave in clear, and everything else goes on. That something was
 * dropped is seen from the message sent after it, which arrives alone, so nothing waits.
 */
#include "io/clock.h"
#include "io/netlab.h"
#include "io/netlink.h"
#include "io/nft.h"
#include "io/own_watch.h"
#include "io/tun.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARK = 0x77, PORT = 7000, OTHER = 7001, BIG = 8000 };

static int ns_a, ns_b, ns_c;
static struct tun tun;
static uint8_t buf[65536], big[BIG];

/* Host names by role and family. */
struct hosts {
    uint8_t family;
    const char *a_wan, *a_lan, *b_wan, *b_lan, *b_free, *c; /* b_free: no policy covers it */
    const char *lan_net, *remote_net;
};

static const struct hosts hosts[] = {
    {4, "10.9.0.1", "10.1.0.1", "10.9.0.3", "10.2.0.5", "10.3.0.5", "10.1.0.7", "10.1.0.0/16",
     "10.2.0.0/16"},
    {6, "fd09::1", "fd01::1", "fd09::3", "fd02::5", "fd03::5", "fd01::7", "fd01::/64", "fd02::/64"},
};

#define EACH_FAMILY(h) for (const struct hosts *h = hosts; h < hosts + 2; h++)

static int make_lab(void **state)
{
    struct io_error err = {""};
    (void)state;
    memset(big, 0x5a, sizeof big);
    ns_a = lab_ns();
    ns_b = lab_ns();
    lab_run("ip link add b0 type veth peer name a0 netns /proc/%d/fd/%d", getpid(), ns_a);
    lab_run("ip link set b0 up && ip addr add 10.9.0.3/24 dev b0 && ip addr add 10.2.0.5/32 dev b0"
            " && ip addr add 10.3.0.5/32 dev b0 && ip route add 10.1.0.0/16 via 10.9.0.1");
    lab_run("for i in fd09::3/64 fd02::5/128 fd03::5/128; do ip addr add $i dev b0 nodad; done;"
            "ip -6 route add fd01::/64 via fd09::1");
    ns_c = lab_ns();
    lab_run("ip link add c0 type veth peer name a1 netns /proc/%d/fd/%d", getpid(), ns_a);
    lab_run("ip link set c0 up && ip addr add 10.1.0.7/16 dev c0 &&"
            "ip addr add fd01::7/64 dev c0 nodad && ip route add default via 10.1.0.1 &&"
            "ip -6 route add default via fd01::1");
    lab_enter(ns_a);
    lab_run("ip link set a0 up && ip link set a1 up && ip addr add 10.9.0.1/24 dev a0 &&"
            "ip addr add 10.1.0.1/16 dev a1 && ip addr add fd09::1/64 dev a0 nodad &&"
            "ip addr add fd01::1/64 dev a1 nodad && ip route add default via 10.9.0.3 &&"
            "ip -6 route add default via fd09::3 && echo 1 >/proc/sys/net/ipv4/ip_forward &&"
            "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    return tun_open(&tun, "culvert0", 1400, &err);
}

static int end_lab(void **state)
{
    (void)state;
    tun_close(&tun);
    return 0;
}

static struct sock open_sock(int ns, enum sock_kind kind, uint8_t family, uint16_t port,
                             uint32_t mark)
{
    struct io_error err = {""};
    struct sock s;
    lab_enter(ns);
    if (sock_open(&s, kind, family, port, mark, &err) != 0)
        fail_msg("%s", err.text);
    lab_enter(ns_a);
    return s;
}

static struct nft_pair row(const char *local, const char *remote)
{
    struct nft_pair r = {.local_port_hi = 65535, .remote_port_hi = 65535};
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, local));
    addr_prefix_range(&a, bits, &r.local_lo, &r.local_hi);
    assert_true(addr_parse_prefix(&a, &bits, remote));
    addr_prefix_range(&a, bits, &r.remote_lo, &r.remote_hi);
    return r;
}

/* As if the rows were all there ever was; what was there already is no change. */
static err_t set_rows(struct nft_guard *g, const struct nft_pair *rows, size_t n,
                      struct io_error *err)
{
    err_t e = E_OK;
    nft_guard_clear(g);
    for (size_t i = 0; i < n && !e; i++)
        e = nft_guard_add(g, &rows[i]);
    return e ? e : nft_guard_apply(g, err);
}

static struct nft_guard *guard_with(const struct nft_pair *rows, size_t n)
{
    struct io_error err = {""};
    lab_enter(ns_a);
    struct nft_guard *g = nft_guard_open(
        &(struct nft_guard_settings){"culvert0", MARK, 0x10000000, 0x20000000, 500, 4500}, &err);
    if (!g || set_rows(g, rows, n, &err) != 0)
        fail_msg("%s", err.text);
    return g;
}

struct path {
    int from_ns, to_ns;
    const char *from, *to;
    uint32_t mark; /* the sender's */
    uint16_t port; /* source and destination port; 0: protocol 50 */
    size_t size;
    bool passes;
};

/* Sends on the path, then the same from the same place to a port that is free of any policy. */
static void try_path(const struct hosts *h, const struct path *p, const char *free_from,
                     const char *free_to)
{
    enum sock_kind kind = p->port ? SOCK_UDP : SOCK_ESP;
    struct sock from = open_sock(p->from_ns, kind, h->family, p->port, p->mark);
    struct sock to = open_sock(p->to_ns, kind, h->family, p->port, 0);
    struct io_msg m;

    (void)lab_send(&from, p->from, p->to, p->port, big, p->size);
    (void)lab_send(&from, free_from, free_to, p->port, "end", 3);
    for (int wanted = p->passes; wanted >= 0; wanted--) {
        if (!lab_recv(&to, &m, buf, sizeof buf))
            fail_msg("%s -> %s port %u: lost", p->from, p->to, p->port);
        if (m.len != (wanted ? p->size : 3))
            fail_msg("%s -> %s port %u: %s", p->from, p->to, p->port,
                     p->passes ? "dropped" : "came through in clear");
    }
    sock_close(&from);
    sock_close(&to);
}

static void assert_dropped(struct nft_guard *g, uint64_t in, uint64_t out)
{
    uint64_t in_now = 0, out_now = 0;
    assert_true(nft_guard_counters(g, &in_now, &out_now));
    assert_int_equal(in_now, in);
    assert_int_equal(out_now, out);
}

/* A bypass policy inside a protected network goes through, its neighbours do not. */
static void test_bypass(void **state)
{
    (void)state;
    struct nft_pair rows[4];
    EACH_FAMILY(h)
    {
        rows[2 * (h - hosts)] = row(h->lan_net, h->remote_net);
        rows[2 * (h - hosts) + 1] = row(h->c, h->remote_net);
        rows[2 * (h - hosts) + 1].does = NFT_PASS;
    }
    struct nft_guard *g = guard_with(rows, 4);
    EACH_FAMILY(h)
    {
        const struct path passes = {ns_c, ns_b, h->c, h->b_lan, 0, PORT, 20, true};
        const struct path inward = {ns_b, ns_c, h->b_lan, h->c, 0, PORT, 20, true};
        const struct path dropped = {ns_a, ns_b, h->a_lan, h->b_lan, 0, PORT, 20, false};
        try_path(h, &passes, h->c, h->b_free);
        try_path(h, &inward, h->b_free, h->c);
        try_path(h, &dropped, h->a_lan, h->b_free);
    }
    assert_dropped(g, 0, 2);
    nft_guard_close(g, true);
}

/* LAN to LAN, forwarded and for the gateway itself. */
static void test_networks(void **state)
{
    (void)state;
    struct nft_pair rows[2];
    EACH_FAMILY(h)
    rows[h - hosts] = row(h->lan_net, h->remote_net);
    struct nft_guard *g = guard_with(rows, 2);
    uint64_t in = 0, out = 0;
    assert_dropped(g, 0, 0);
    EACH_FAMILY(h)
    {
        const struct path paths[] = {
            {ns_b, ns_a, h->b_lan, h->a_lan, 0, PORT, 20, false},
            {ns_b, ns_c, h->b_lan, h->c, 0, PORT, 20, false},
            {ns_b, ns_c, h->b_lan, h->c, 0, 4500, 20, false}, /* IKE of others is data */
            {ns_a, ns_b, h->a_lan, h->b_lan, 0, PORT, 20, false},
            {ns_c, ns_b, h->c, h->b_lan, 0, PORT, 20, false},
            {ns_c, ns_b, h->c, h->b_lan, 0, 500, 20, false},
            {ns_a, ns_b, h->a_lan, h->b_lan, MARK, PORT, 20, true},        /* our own */
            {ns_a, ns_b, h->a_lan, h->b_lan, 0x10000000, PORT, 20, false}, /* set by others */
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, PORT, 20, true},
            {ns_c, ns_b, h->c, h->b_wan, 0, PORT, 20, true},
        };
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            bool inward = paths[i].from_ns == ns_b;
            try_path(h, &paths[i], inward ? h->b_free : paths[i].from,
                     inward ? paths[i].to : h->b_free);
        }
        in += 3;
        out += 4;
        assert_dropped(g, in, out);
    }
    /* A new set of rows goes on counting. */
    struct io_error err = {""};
    assert_int_equal(set_rows(g, NULL, 0, &err), 0);
    assert_dropped(g, in, out);
    nft_guard_close(g, true);
}

static void dhcp_from(int ns, const char *from, bool passes)
{
    const struct hosts *h = &hosts[0];
    struct sock client = open_sock(ns, SOCK_UDP, 4, 68, 0);
    struct sock server = open_sock(ns_b, SOCK_UDP, 4, 67, 0);
    struct io_msg m;
    (void)lab_send(&client, from, h->b_lan, 67, "renew", 5);
    (void)lab_send(&client, from, h->b_free, 67, "end", 3);
    for (int wanted = passes; wanted >= 0; wanted--) {
        assert_true(lab_recv(&server, &m, buf, sizeof buf));
        assert_int_equal(m.len, wanted ? 5 : 3);
    }
    sock_close(&client);
    sock_close(&server);
}

/* DHCP of this host stays on the link; what is forwarded from port 68 is data like any other. */
static void test_dhcp(void **state)
{
    (void)state;
    const struct nft_pair rows[] = {row(hosts[0].lan_net, hosts[0].remote_net)};
    struct nft_guard *g = guard_with(rows, 1);
    dhcp_from(ns_a, hosts[0].a_lan, true);
    dhcp_from(ns_c, hosts[0].c, false);
    assert_dropped(g, 0, 1);
    nft_guard_close(g, true);
}

/* The policy covers the gateways' own addresses: IKE and ESP pass, in fragments too. */
static void test_host_to_host(void **state)
{
    (void)state;
    struct nft_pair rows[2];
    EACH_FAMILY(h)
    rows[h - hosts] = row(h->a_wan, h->b_wan);
    struct nft_guard *g = guard_with(rows, 2);
    EACH_FAMILY(h)
    {
        const struct path paths[] = {
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, 500, 20, true},
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, 4500, BIG, true},
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, 0, 20, true},
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, 0, BIG, true},
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, PORT, 20, false},
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, PORT, BIG, false},
            {ns_a, ns_b, h->a_wan, h->b_wan, 0, 500, 20, true},
            {ns_a, ns_b, h->a_wan, h->b_wan, 0, 4500, BIG, true},
            {ns_a, ns_b, h->a_wan, h->b_wan, MARK, 0, BIG, true},
            {ns_a, ns_b, h->a_wan, h->b_wan, MARK, 0, 20, true},
            {ns_a, ns_b, h->a_wan, h->b_wan, MARK, PORT, 20, true},
            {ns_a, ns_b, h->a_wan, h->b_wan, 0, PORT, 20, false},
            {ns_a, ns_b, h->a_wan, h->b_wan, 0, PORT, BIG, false},
        };
        /* Neighbour discovery between the two must go on. */
        lab_run("ip neigh flush dev a0");
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            bool inward = paths[i].from_ns == ns_b;
            try_path(h, &paths[i], inward ? h->b_free : paths[i].from,
                     inward ? paths[i].to : h->b_free);
        }
    }
    nft_guard_close(g, true);
}

/* Everything through the tunnel: what is local stays local. */
static void test_everything(void **state)
{
    (void)state;
    const struct nft_pair rows[] = {row("10.1.0.0/16", "0.0.0.0/0"), row("fd01::/64", "::/0")};
    struct nft_guard *g = guard_with(rows, 2);
    EACH_FAMILY(h)
    {
        const struct path paths[] = {
            {ns_c, ns_a, h->c, h->a_lan, 0, PORT, 20, true},
            {ns_a, ns_c, h->a_lan, h->c, 0, PORT, 20, true},
            {ns_b, ns_a, h->b_wan, h->a_lan, 0, PORT, 20, false},
            {ns_b, ns_a, h->b_wan, h->a_wan, 0, 500, 20, true},
        };
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            bool lan = paths[i].from_ns != ns_b;
            try_path(h, &paths[i], lan ? paths[i].from : h->b_free, lan ? paths[i].to : h->a_wan);
        }
    }
    nft_guard_close(g, true);
}

/* A row with a port stops that port and the later fragments of that protocol, nothing else. */
static void test_ports(void **state)
{
    (void)state;
    struct nft_pair rows[2];
    EACH_FAMILY(h)
    {
        rows[h - hosts] = row(h->lan_net, h->remote_net);
        rows[h - hosts].proto = 17;
        rows[h - hosts].remote_port_lo = rows[h - hosts].remote_port_hi = PORT;
    }
    struct nft_guard *g = guard_with(rows, 2);
    EACH_FAMILY(h)
    {
        const struct path paths[] = {
            {ns_c, ns_b, h->c, h->b_lan, 0, PORT, 20, false},
            {ns_c, ns_b, h->c, h->b_lan, 0, OTHER, 20, true},
            {ns_b, ns_c, h->b_lan, h->c, 0, PORT, 20, false},
            {ns_b, ns_c, h->b_lan, h->c, 0, OTHER, 20, true},
            {ns_c, ns_b, h->c, h->b_lan, 0, OTHER, BIG, false},
        };
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            bool inward = paths[i].from_ns == ns_b;
            try_path(h, &paths[i], inward ? h->b_free : paths[i].from,
                     inward ? paths[i].to : h->b_free);
        }
    }
    nft_guard_close(g, true);
}

/* Later fragments that reach B in clear. */
static int fragments_at_b(void)
{
    lab_enter(ns_b);
    int n = lab_number("nft list counters table inet frags | grep -o 'packets [0-9]*' | grep -o"
                       " '[0-9]*'");
    lab_enter(ns_a);
    return n;
}

/* RFC 4301 7.4: a port that may pass inside of what is protected passes in fragments too, and
 * brings no fragments of other ports with it. */
static void test_bypass_fragments(void **state)
{
    (void)state;
    struct nft_pair rows[4];
    EACH_FAMILY(h)
    {
        struct nft_pair *r = &rows[2 * (h - hosts)];
        r[0] = r[1] = row(h->lan_net, h->remote_net);
        r[1].proto = 17;
        r[1].remote_port_lo = r[1].remote_port_hi = PORT;
        r[1].does = NFT_PASS;
    }
    lab_enter(ns_b);
    lab_run("nft 'table inet frags { counter later { }; chain in { type filter hook prerouting"
            " priority -450; ip frag-off & 0x1fff != 0 counter name later;"
            " frag frag-off != 0 counter name later; }; }'");
    lab_enter(ns_a);
    for (int ranges = 0; ranges < 2; ranges++) {
        struct nft_guard *g = guard_with(rows, 4);
        EACH_FAMILY(h)
        {
            const struct path passes = {ns_c, ns_b, h->c, h->b_lan, 0, PORT, BIG, true};
            const struct path inward = {ns_b, ns_c, h->b_lan, h->c, 0, PORT, BIG, true};
            const struct path own = {ns_a, ns_b, h->a_lan, h->b_lan, 0, PORT, BIG, true};
            const struct path stopped = {ns_c, ns_b, h->c, h->b_lan, 0, OTHER, BIG, false};
            const struct path back = {ns_b, ns_c, h->b_lan, h->c, 0, OTHER, BIG, false};
            try_path(h, &passes, h->c, h->b_free);
            try_path(h, &inward, h->b_free, h->c);
            try_path(h, &own, h->a_lan, h->b_free);
            int before = fragments_at_b();
            assert_true(before >= 8);
            try_path(h, &stopped, h->c, h->b_free);
            try_path(h, &back, h->b_free, h->c);
            assert_int_equal(fragments_at_b(), before);
        }
        nft_guard_close(g, true);
        EACH_FAMILY(h) /* the same in interval sets */
        rows[2 * (h - hosts) + 1].remote_port_lo--;
    }
    lab_enter(ns_b);
    lab_run("nft delete table inet frags");
    lab_enter(ns_a);
}

static bool pings(const struct hosts *h, const char *host)
{
    lab_enter(ns_c);
    int lost = lab_number("ping -%d -n -c 1 -W 1 %s >/dev/null; echo $?", h->family, host);
    lab_enter(ns_a);
    return lost == 0;
}

/* ICMP's types are told apart as ports are: the one is stopped, the other is not. */
static void test_types(void **state)
{
    (void)state;
    for (int ranges = 0; ranges < 2; ranges++) {
        EACH_FAMILY(h)
        {
            uint16_t echo = h->family == 4 ? 8 << 8 : 128 << 8;
            struct nft_pair r[2] = {row(h->lan_net, h->remote_net), row(h->lan_net, h->remote_net)};
            r[0].proto = h->family == 4 ? 1 : 58;
            r[0].local_port_lo = r[0].remote_port_lo = echo;
            r[0].local_port_hi = r[0].remote_port_hi = (uint16_t)(echo + ranges * 255);
            struct nft_guard *g = guard_with(r, 1);
            assert_false(pings(h, h->b_lan));
            nft_guard_close(g, true);
            r[0].local_port_lo = (uint16_t)(echo + 512); /* another type; and none at all */
            for (int none = 0; none < 2; none++) {
                r[0].remote_port_lo = none ? echo : r[0].local_port_lo;
                r[0].local_port_hi = (uint16_t)(r[0].local_port_lo + ranges * 255);
                r[0].remote_port_hi = (uint16_t)(r[0].remote_port_lo + ranges * 255);
                g = guard_with(r, 1);
                assert_true(pings(h, h->b_lan));
                nft_guard_close(g, true);
            }
        }
    }
}

/* Echo and its answer pass inside of what is protected, and nothing else of ICMP. */
static void test_types_pass(void **state)
{
    (void)state;
    EACH_FAMILY(h)
    {
        struct nft_pair r[3] = {row(h->lan_net, h->remote_net), row(h->lan_net, h->remote_net),
                                row(h->lan_net, h->remote_net)};
        for (int i = 1; i < 3; i++) {
            unsigned type = h->family == 4 ? (i == 1 ? 8 : 0) : (i == 1 ? 128 : 129);
            r[i].proto = h->family == 4 ? 1 : 58;
            r[i].does = NFT_PASS;
            r[i].remote_port_lo = (uint16_t)(type << 8);
            r[i].remote_port_hi = (uint16_t)(type << 8 | 255);
        }
        struct nft_guard *g = guard_with(r, 3);
        assert_true(pings(h, h->b_lan));
        nft_guard_close(g, true);
        g = guard_with(r, 2);
        assert_false(pings(h, h->b_lan));
        assert_dropped(g, 1, 0); /* the answer */
        nft_guard_close(g, true);
    }
}

/* What comes out of the TUN device is let in. */
static void test_tun_may(void **state)
{
    (void)state;
    struct nft_pair rows[2];
    EACH_FAMILY(h)
    rows[h - hosts] = row(h->lan_net, h->remote_net);
    struct nft_guard *g = guard_with(rows, 2);
    EACH_FAMILY(h)
    {
        struct sock s = open_sock(ns_a, SOCK_UDP, h->family, PORT, 0);
        uint8_t pkt[100];
        struct io_msg m;
        size_t n = lab_udp_packet(pkt, h->b_lan, h->a_lan, PORT, "plain", 5);
        assert_int_equal(tun_write(&tun, pkt, n), 0);
        assert_true(lab_recv(&s, &m, buf, sizeof buf));
        assert_int_equal(m.len, 5);
        sock_close(&s);
    }
    nft_guard_close(g, true);
}

static const struct netlink_rules rules = {220, 220, MARK, 0x10000000, 0x20000000, "culvert0"};

/* A strict rp_filter and a policy that covers the peer: its ESP still comes in (src_valid_mark). */
static void test_strict_rp_filter(void **state)
{
    struct io_error err = {""};
    const struct hosts *h = &hosts[0];
    const struct nft_pair r = row(h->a_wan, h->b_wan);
    struct addr peer = lab_addr(h->b_wan);
    (void)state;
    struct nft_guard *g = guard_with(&r, 1);
    struct netlink *n = netlink_open(&err);
    assert_non_null(n);
    assert_int_equal(netlink_rules_add(n, &rules, &err), 0);
    const struct netlink_route to_peer = {.prefix = peer, .bits = 32, .ifindex = tun.ifindex};
    assert_int_equal(netlink_routes_change(n, 220, &to_peer, 1, &err), 0);
    lab_run("echo 1 >/proc/sys/net/ipv4/conf/a0/rp_filter");
    const struct path p = {ns_b, ns_a, h->b_wan, h->a_wan, 0, 4500, 20, true};
    try_path(h, &p, h->b_free, h->a_wan);
    lab_run("echo 0 >/proc/sys/net/ipv4/conf/a0/rp_filter");
    netlink_rules_del(n, &rules);
    netlink_table_flush(n, 220);
    netlink_close(n);
    nft_guard_close(g, true);
}

static int tables(void)
{
    return lab_number("nft list tables | grep -c 'inet culvert'; true");
}

static void test_unclean_exit(void **state)
{
    const struct hosts *h = &hosts[0];
    const struct path p = {ns_c, ns_b, h->c, h->b_lan, 0, PORT, 20, false};
    struct nft_pair r = row(h->lan_net, h->remote_net);
    struct io_error err = {""};
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        guard_with(&r, 1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(tables(), 1);
    try_path(h, &p, h->c, h->b_free);

    /* The next start finds it working, and removes it when told to. */
    struct nft_guard *g = nft_guard_open(
        &(struct nft_guard_settings){"culvert0", MARK, 0x10000000, 0x20000000, 500, 4500}, &err);
    assert_non_null(g);
    try_path(h, &p, h->c, h->b_free);
    assert_dropped(g, 0, 2);
    nft_guard_close(g, false);
    assert_int_equal(tables(), 1);
    g = nft_guard_open(
        &(struct nft_guard_settings){"culvert0", MARK, 0x10000000, 0x20000000, 500, 4500}, &err);
    assert_non_null(g);
    nft_guard_close(g, true);
    assert_int_equal(tables(), 0);
}

static void test_many_rows(void **state)
{
    enum { N = 1000 };
    struct nft_pair *rows = calloc(2 * N, sizeof *rows);
    (void)state;
    assert_non_null(rows);
    for (size_t i = 0; i < N; i++) {
        struct nft_pair r = row("10.1.0.0/24", "10.128.0.0/24"), s = row("fd01::/64", "fd80::/64");
        r.remote_lo.ip[1] = r.remote_hi.ip[1] = s.remote_lo.ip[3] = s.remote_hi.ip[3] =
            (uint8_t)(128 + i / 250);
        r.remote_lo.ip[2] = r.remote_hi.ip[2] = s.remote_lo.ip[5] = s.remote_hi.ip[5] =
            (uint8_t)(i % 250);
        rows[i] = r;
        rows[N + i] = s;
    }
    uint64_t start = clock_now_ms();
    struct nft_guard *g = guard_with(rows, 2 * N);
    uint64_t took = clock_now_ms() - start;
    print_message("%d rows in %llu ms\n", 2 * N, (unsigned long long)took);
    assert_true(took < 1000);
    assert_int_equal(lab_number("nft list table inet culvert | grep -c ' goto covered'"), 4);
    nft_guard_close(g, true);
    free(rows);
}

/* nftables refuses overlapping elements: they are in sets of their own. */
static void test_overlapping_rows(void **state)
{
    (void)state;
    const struct nft_pair rows[] = {
        row("10.1.0.0/16", "10.2.0.0/16"), row("10.1.0.0/24", "10.2.0.0/15"),
        row("10.0.0.0/8", "10.2.0.5/32"),  row("10.1.0.0/16", "10.128.0.0/9"),
        row("10.1.5.0/24", "10.2.0.0/24"), row("fd01::/64", "::/0"),
    };
    const struct hosts *h = &hosts[0];
    const struct path p = {ns_c, ns_b, h->c, h->b_lan, 0, PORT, 20, false};
    struct nft_guard *g = guard_with(rows, 6);
    try_path(h, &p, h->c, h->b_wan);
    nft_guard_close(g, true);
}

/* Clients come and go one by one, without the table being made anew; a flushed table comes back. */
static void test_clients(void **state)
{
    (void)state;
    struct io_error err = {""};
    const struct hosts *h = &hosts[0];
    const struct nft_pair rows[] = {row("10.1.0.0/16", "10.9.9.9/32"),
                                    row("10.1.0.0/16", h->b_lan)};
    const struct path stopped = {ns_c, ns_b, h->c, h->b_lan, 0, PORT, 20, false};
    struct path passes = stopped;
    passes.passes = true;
    struct nft_guard *g = guard_with(rows, 1);
    lab_run("nft add chain inet culvert mine");
    try_path(h, &passes, h->c, h->b_wan);
    assert_int_equal(set_rows(g, rows, 2, &err), E_OK);
    try_path(h, &stopped, h->c, h->b_wan);
    assert_int_equal(set_rows(g, rows, 2, &err), E_OK);
    assert_int_equal(set_rows(g, rows, 1, &err), E_OK);
    try_path(h, &passes, h->c, h->b_wan);
    assert_int_equal(lab_number("nft list table inet culvert | grep -c 'chain mine'"), 1);
    lab_run("nft flush ruleset");
    assert_int_equal(set_rows(g, rows, 2, &err), E_OK);
    try_path(h, &stopped, h->c, h->b_wan);
    nft_guard_close(g, true);
}

static void dump(const char *file)
{
    /* the set's numbers and the order of elements are no matter */
    lab_run("nft -s list table inet culvert | tr -d '\\n\\t' | grep -o 'elements = {[^}]*}' |"
            " grep -oE '[0-9a-f.:]+(/[0-9]+)? \\. [^,}]*' | tr -d ' ' | sort > %s",
            file);
}

static struct nft_pair random_row(unsigned *seed)
{
    struct nft_pair r =
        rand_r(seed) % 2 ? row("10.1.0.0/16", "10.128.0.0/24") : row("fd01::/64", "fd80::/64");
    unsigned k = (unsigned)rand_r(seed) % 60;
    r.remote_lo.ip[2] = r.remote_hi.ip[2] = (uint8_t)k;
    switch (rand_r(seed) % 8) {
    case 0:
        r.proto = 6;
        r.remote_port_lo = r.remote_port_hi = (uint16_t)(1 + k);
        break;
    case 1:
        r.local_lo = row("0.0.0.0/0", "0.0.0.0/0").local_lo;
        r.local_hi = row("0.0.0.0/0", "0.0.0.0/0").local_hi;
        r.local_lo.family = r.local_hi.family = r.remote_lo.family;
        if (r.remote_lo.family == 6)
            memset(r.local_hi.ip, 0xff, 16);
        break;
    case 2:
        r.proto = 47;
        r.does = NFT_PASS;
        break;
    default:
        break;
    }
    return r;
}

/* However rows came and went: the kernel has what it has with a table made of those that are left.
 */
static void test_churn(void **state)
{
    enum { N = 200 };
    struct nft_pair rows[N];
    bool there[N] = {0};
    unsigned seed = 3;
    struct io_error err = {""};
    char a[] = "/tmp/nft_churn_XXXXXX", b[] = "/tmp/nft_churn_XXXXXX";
    (void)state;
    assert_true(close(mkstemp(a)) == 0 && close(mkstemp(b)) == 0);
    struct nft_guard *g = guard_with(NULL, 0);
    for (int turn = 0; turn < 60; turn++) {
        for (int k = 0; k < 40; k++) {
            size_t i = (size_t)rand_r(&seed) % N;
            if (there[i]) {
                nft_guard_del(g, &rows[i]);
            } else {
                rows[i] = random_row(&seed);
                assert_int_equal(nft_guard_add(g, &rows[i]), E_OK);
            }
            there[i] = !there[i];
        }
        assert_int_equal(nft_guard_apply(g, &err), E_OK);
    }
    dump(a);
    nft_guard_close(g, true);
    g = guard_with(NULL, 0);
    size_t left = 0;
    for (size_t i = 0; i < N; i++) {
        if (there[i])
            assert_int_equal(nft_guard_add(g, &rows[i]), E_OK);
        left += there[i];
    }
    assert_int_equal(nft_guard_apply(g, &err), E_OK);
    dump(b);
    lab_run("cmp %s %s", a, b);
    assert_true(left > 50 && lab_number("wc -l <%s", a) > 50);
    nft_guard_close(g, true);
    unlink(a);
    unlink(b);
}

/* What others commit is heard, elements that we change are not. */
static void test_own_commits(void **state)
{
    (void)state;
    struct io_error err = {""};
    struct nft_pair rows[] = {row("10.1.0.0/24", "10.2.0.0/24"), row("10.1.1.0/24", "10.2.1.0/24")};
    struct nft_guard *g = guard_with(rows, 1);
    struct own_watch *w = own_watch_open(220, 1, nft_guard_port(g), &err);
    assert_non_null(w);
    assert_int_equal(set_rows(g, rows, 2, &err), 0);
    assert_int_equal(own_watch_read(w), 0);
    lab_run("nft add table inet others");
    assert_int_equal(own_watch_read(w), OWN_NFT);
    lab_run("nft delete table inet others");
    own_watch_close(w);
    nft_guard_close(g, true);
}

static void test_refusals(void **state)
{
    struct io_error err = {""};
    struct nft_pair bad = row("10.1.0.0/16", "fd02::/64"), good = row("10.1.0.0/16", "10.2.0.0/16");
    (void)state;
    assert_null(nft_guard_open(
        &(struct nft_guard_settings){"tun\" accept", MARK, 0x10000000, 0x20000000, 500, 4500},
        &err));
    assert_non_null(strstr(err.text, "cannot guard interface"));
    assert_null(nft_guard_open(
        &(struct nft_guard_settings){"culvert0", 0, 0x10000000, 0x20000000, 500, 4500}, &err));
    /* Rows that do not fit leave what was there. */
    struct nft_guard *g = guard_with(&good, 1);
    assert_int_equal(set_rows(g, &bad, 1, &err), E_USAGE);
    assert_int_equal(lab_number("nft list table inet culvert | grep -c ' drop'"), 2);
    nft_guard_close(g, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bypass),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_dhcp),
        cmocka_unit_test(test_host_to_host),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_bypass_fragments),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_types_pass),
        cmocka_unit_test(test_tun_may),
        cmocka_unit_test(test_strict_rp_filter),
        cmocka_unit_test(test_unclean_exit),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_overlapping_rows),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_own_commits),
        cmocka_unit_test(test_refusals),
    };
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests_name("io/nft", tests, make_lab, end_lab);
}
