/*
 * Workers under traffic, 1, 2 and 4 of them (more than this machine may have CPUs): everything
 * comes, once and in order, whichever socket or queue it came through; what was seen is refused
 * again by whoever meets it; what goes away is told; who has nothing to do uses no CPU. In a
 * network namespace of its own; the peer is a data plane with a socket.
 */
#include "crypto/crypto.h"
#include "daemon/datapath.h"
#include "dataplane/testkit.h"
#include "io/netlab.h"
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    PEER = 7777,
    NATT = 4500,
    TUNNELS = 8,
    PORT = 9000,
    PEER_PORT = 1234,
    PACKETS = 400,
    LEN = 200
};

enum { FLOWS = 16, FLOW_PORT = 20000 };

struct tunnel {
    struct child_sa ours, theirs;
    int host; /* a socket of ours that talks to the tunnel's other side */
    uint32_t got, sent;
};

struct fixture {
    uv_loop_t loop;
    struct datapath *d;
    struct dp *peer;
    int udp; /* the peer's socket */
    struct tunnel t[TUNNELS];
    uint32_t flow_sent[FLOWS], flow_got[FLOWS]; /* of tunnel 0, with ports of their own */
    int flow[FLOWS];
    unsigned cpus; /* bits: workers that asked for an SA of their own */
    unsigned ike, acquires, lost;
    uint32_t acquired;
};

static struct fixture f;

static void on_ike(void *ctx, const struct endpoint *local, const struct endpoint *remote,
                   bool natt, struct bytes msg)
{
    (void)ctx;
    (void)local;
    assert_true(natt);
    assert_int_equal(remote->port, PEER);
    assert_memory_equal(msg.p, "an IKE message", 14);
    f.ike++;
}

static size_t on_first(void *ctx, const struct ike_in *in, uint8_t *answer)
{
    (void)ctx;
    (void)in;
    (void)answer;
    return 0;
}

static void on_note(void *ctx, const struct dp_note *n)
{
    (void)ctx;
    assert_int_equal(n->kind, NOTE_ACQUIRE);
    if (n->cpu) {
        f.cpus |= 1u << (n->cpu - 1);
        return;
    }
    f.acquires++;
    f.acquired = n->policy_id;
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

/* --- sockets --- */

static int udp_socket(const char *ip, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int big = 8 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void talk_to(int fd, const char *ip, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
}

static void msleep(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&t, NULL);
}

static void turn(void)
{
    uv_run(&f.loop, UV_RUN_NOWAIT);
}

/* --- tunnels --- */

static struct endpoint local_endpoint(uint16_t port)
{
    struct endpoint e = {.port = port};
    assert_true(addr_parse(&e.addr, "127.0.0.1"));
    return e;
}

static struct ts_list behind(uint32_t k)
{
    char text[32];
    snprintf(text, sizeof text, "10.2.%u.0/24", k);
    return (struct ts_list){1, {kit_ts(text)}};
}

static void prepare(struct child_sa *sa, uint32_t k, bool ours)
{
    const struct kit_opts o = {.udp = true, .window = 1024};
    const struct ts_list near = {1, {kit_ts("10.1.0.0/16")}};
    kit_sa(sa, &kit_suites[0], &o, ours);
    sa->id = sa->policy = 100 + k;
    sa->local_ts = ours ? near : behind(k);
    sa->remote_ts = ours ? behind(k) : near;
    sa->local = local_endpoint(ours ? NATT : PEER);
    sa->remote = local_endpoint(ours ? PEER : NATT);
}

static void policies_of(struct policy *p, bool ours)
{
    const struct ts_list near = {1, {kit_ts("10.1.0.0/16")}};
    for (uint32_t k = 0; k < TUNNELS; k++) {
        p[k] = (struct policy){.id = 100 + k, .priority = 100, .action = POL_PROTECT};
        p[k].local = ours ? near : behind(k);
        p[k].remote = ours ? behind(k) : near;
    }
}

static void tunnel_up(uint32_t k, uint32_t spi)
{
    struct tunnel *t = &f.t[k];
    t->ours.spi_in = t->theirs.spi_out = spi;
    t->theirs.spi_in = t->ours.spi_out = dp_spi_alloc(f.peer);
    assert_int_equal(dp_child_add(f.peer, &t->theirs, 0), E_OK);
    assert_int_equal(datapath_child_add(f.d, &t->ours), E_OK);
}

static uint32_t any_spi(void)
{
    const struct owners_use any = {.ours = true};
    return datapath_spi_alloc(f.d, &any);
}

static void all_up(void)
{
    for (uint32_t k = 0; k < TUNNELS; k++)
        tunnel_up(k, any_spi());
}

static err_t add_policies(void *arg, struct dp *dp)
{
    const struct policy *p = arg;
    err_t e = E_OK;
    for (uint32_t k = 0; k < TUNNELS && !e; k++)
        e = dp_policy_add(dp, &p[k]);
    return e;
}

static int make_with(void **state, uint32_t workers)
{
    struct io_error err = {""};
    struct policy *p = calloc(TUNNELS, sizeof *p);
    struct datapath_settings s = {.workers = workers,
                                  .tun = "culvert0",
                                  .tun_mtu = 1400,
                                  .port = 500,
                                  .port_natt = NATT,
                                  .mark = 220,
                                  .esp_io = ESP_IO_RAW,
                                  .esp_interface = ""};
    const struct datapath_ports ports = {NULL, on_first, on_ike, on_note, on_lost, on_say};
    (void)state;
    memset(&f, 0, sizeof f);
    lab_ns();
    dp_settings_default(&s.dp);
    s.dp.sa_max = 1024;
    uv_loop_init(&f.loop);
    f.d = datapath_open(&f.loop, &s, &ports, &err);
    if (!f.d)
        fail_msg("%s", err.text);
    lab_run(
        "ip addr add 10.1.0.1/16 dev lo && ip route add 10.2.0.0/16 dev culvert0 src 10.1.0.1 &&"
        "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
    f.peer = kit_dp();
    f.udp = udp_socket("127.0.0.1", PEER);
    talk_to(f.udp, "127.0.0.1", NATT);
    policies_of(p, true);
    assert_int_equal(datapath_each(f.d, add_policies, p), E_OK);
    policies_of(p, false);
    assert_int_equal(add_policies(p, f.peer), E_OK);
    for (uint32_t k = 0; k < TUNNELS; k++) {
        char to[32];
        snprintf(to, sizeof to, "10.2.%u.1", k);
        f.t[k].host = udp_socket("10.1.0.1", (uint16_t)(PORT + k));
        talk_to(f.t[k].host, to, PEER_PORT);
        prepare(&f.t[k].ours, k, true);
        prepare(&f.t[k].theirs, k, false);
    }
    free(p);
    return 0;
}

static int make1(void **state)
{
    return make_with(state, 1);
}

static int make2(void **state)
{
    return make_with(state, 2);
}

static int make4(void **state)
{
    return make_with(state, 4);
}

static int end(void **state)
{
    (void)state;
    datapath_close(f.d);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    datapath_free(f.d);
    assert_int_equal(uv_loop_close(&f.loop), 0);
    for (uint32_t k = 0; k < TUNNELS; k++) {
        close(f.t[k].host);
        kit_sa_free(&f.t[k].ours);
        kit_sa_free(&f.t[k].theirs);
    }
    close(f.udp);
    dp_free(f.peer);
    return 0;
}

/* --- traffic --- */

static void host_sends(uint32_t k)
{
    uint8_t data[LEN] = {0};
    put_u32(data, f.t[k].sent++);
    assert_int_equal(send(f.t[k].host, data, sizeof data, 0), LEN);
}

/* What came to the peer, decrypted: each flow in order. False: nothing there. */
static bool peer_takes(void)
{
    static uint8_t buf[KIT_BUF];
    ssize_t n = recv(f.udp, buf + DP_HEADROOM, 2000, 0);
    if (n <= 0)
        return false;
    struct dp_pkt p = kit_pkt(buf, (uint32_t)n);
    p.udp = true;
    p.local = local_endpoint(PEER);
    p.remote = local_endpoint(NATT);
    kit_in(f.peer, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    unsigned port = get_u16(p.data + 20);
    uint32_t *got = port >= FLOW_PORT ? &f.flow_got[port - FLOW_PORT] : &f.t[p.data[18]].got;
    assert_int_equal(get_u32(p.data + 28), *got);
    ++*got;
    return true;
}

static void peer_takes_all(uint32_t each)
{
    for (int idle = 0; idle < 400; idle++) {
        bool done = true;
        while (peer_takes())
            idle = 0;
        for (uint32_t k = 0; k < TUNNELS; k++)
            done = done && f.t[k].got >= each;
        if (done)
            return;
        turn();
        msleep(5);
    }
    fail_msg("not all packets came");
}

/* An ESP packet of the peer for tunnel k; its length. */
static uint32_t peer_makes(uint32_t k, uint8_t *out)
{
    static uint8_t buf[KIT_BUF];
    uint8_t data[LEN] = {0};
    char from[32];
    snprintf(from, sizeof from, "10.2.%u.1", k);
    put_u32(data, f.t[k].sent++);
    size_t n = lab_udp_packet(buf + DP_HEADROOM, from, "10.1.0.1", (uint16_t)(PORT + k), data, LEN);
    struct dp_pkt p = kit_pkt(buf, (uint32_t)n);
    kit_out(f.peer, &p);
    assert_int_equal(p.verdict, DP_TO_NET);
    memcpy(out, p.data, p.len);
    return p.len;
}

static void peer_sends(const uint8_t *p, size_t n, int seg)
{
    assert_int_equal(setsockopt(f.udp, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof seg), 0);
    assert_int_equal(send(f.udp, p, n, 0), (ssize_t)n);
}

static bool host_takes(uint32_t k)
{
    uint8_t data[LEN + 1];
    ssize_t n = recv(f.t[k].host, data, sizeof data, 0);
    if (n <= 0)
        return false;
    assert_int_equal(n, LEN);
    assert_int_equal(get_u32(data), f.t[k].got);
    f.t[k].got++;
    return true;
}

static void host_takes_all(uint32_t each)
{
    for (int idle = 0; idle < 400; idle++) {
        bool done = true;
        for (uint32_t k = 0; k < TUNNELS; k++) {
            while (host_takes(k))
                idle = 0;
            done = done && f.t[k].got >= each;
        }
        if (done)
            return;
        turn();
        msleep(5);
    }
    fail_msg("not all packets came");
}

static struct datapath_stats stats(void)
{
    struct datapath_stats st;
    datapath_stats(f.d, &st);
    return st;
}

static uint64_t drops(void)
{
    struct datapath_stats st = stats();
    uint64_t n = st.tx_failed;
    for (size_t i = 0; i < R_COUNT; i++)
        n += st.dp.drops[i];
    return n;
}

/* --- tests --- */

/* Every worker has its share, and nobody needs another. */
static void test_shares(void **state)
{
    (void)state;
    uint8_t esp[400];
    all_up();
    for (int i = 0; i < PACKETS; i++) {
        for (uint32_t k = 0; k < TUNNELS; k++)
            host_sends(k);
        if (i % 16 == 0)
            peer_takes_all((uint32_t)i); /* below saturation: the device's queue is short */
    }
    peer_takes_all(PACKETS);
    for (uint32_t k = 0; k < TUNNELS; k++)
        f.t[k].sent = f.t[k].got = 0;
    for (int i = 0; i < PACKETS; i++)
        for (uint32_t k = 0; k < TUNNELS; k++)
            assert_true(send(f.udp, esp, peer_makes(k, esp), 0) > 0);
    host_takes_all(PACKETS);
    struct datapath_stats st = stats();
    assert_int_equal(st.dp.packets_out, TUNNELS * PACKETS);
    assert_int_equal(st.dp.packets_in, TUNNELS * PACKETS);
    assert_int_equal(st.dp.sas, TUNNELS);
    assert_int_equal(st.handed, 0);
    assert_int_equal(drops(), 0);
    for (uint32_t i = 0; i < datapath_workers(f.d); i++) {
        datapath_worker_stats(f.d, i, &st);
        assert_int_equal(st.dp.sas, TUNNELS / datapath_workers(f.d));
        assert_int_equal(st.dp.packets_in, TUNNELS * PACKETS / datapath_workers(f.d));
        assert_int_equal(st.dp.packets_out, TUNNELS * PACKETS / datapath_workers(f.d));
    }
}

/* A train goes where its first datagram does: RFC 3948 2 lets the peer mix what it likes. */
static void test_mixed_trains(void **state)
{
    (void)state;
    uint8_t train[TUNNELS * 300 * 2] = {0}, *at = train;
    uint32_t len = 0;
    all_up();
    for (uint32_t k = 0; k < TUNNELS; k++) {
        len = peer_makes(k, at);
        at += len;
        memcpy(at + 4, "an IKE message", 14);
        at += len;
    }
    peer_sends(train, (size_t)(at - train), (int)len); /* ESP first */
    host_takes_all(1);
    memset(train, 0, len);
    memcpy(train + 4, "an IKE message", 14);
    at = train + len;
    for (uint32_t k = 0; k < TUNNELS; k++)
        at += peer_makes(k, at);
    *at++ = 0xff;
    peer_sends(train, (size_t)(at - train), (int)len); /* IKE first, a keepalive as the last */
    host_takes_all(2);
    for (int i = 0; i < 200 && f.ike < TUNNELS + 1; i++) {
        turn();
        msleep(5);
    }
    assert_int_equal(f.ike, TUNNELS + 1);
    assert_int_equal(drops(), 0);
}

/* A datagram again, behind one that leads the train to each worker in turn. */
static void test_replays_elsewhere(void **state)
{
    (void)state;
    uint8_t train[600];
    all_up();
    uint32_t len = peer_makes(0, train + 300), other = peer_makes(1, train);
    assert_int_equal(len, other);
    assert_int_equal(send(f.udp, train, len, 0), len);
    assert_int_equal(send(f.udp, train + 300, len, 0), len);
    memmove(train + len, train + 300, len);
    for (uint32_t i = 0; i < 1000 && !(f.t[0].got && f.t[1].got); i++) {
        (void)!host_takes(0);
        (void)!host_takes(1);
        msleep(1);
    }
    for (uint32_t k = 1; k < TUNNELS; k++) {
        put_u32(train, f.t[k].ours.spi_in ^ 0x100); /* of the same worker, but nobody's */
        peer_sends(train, 2 * (size_t)len, (int)len);
    }
    struct datapath_stats st = stats();
    for (int i = 0; i < 400 && st.dp.drops[R_DP_REPLAY] < TUNNELS - 1; i++) {
        msleep(5);
        st = stats();
    }
    assert_int_equal(st.dp.drops[R_DP_REPLAY], TUNNELS - 1);
    assert_int_equal(st.dp.packets_in, 2);
    assert_false(host_takes(0));
    if (datapath_workers(f.d) > 1)
        assert_true(st.handed > 0);
}

struct flood {
    uint32_t sent, workers;
    uint8_t train[65000];
};

enum { FLOOD_SEG = 1300, FLOOD_SEGS = 40, FLOOD_TRAINS = 40 };

/* SPIs of nobody, by their worker. */
static uint32_t flood_spi(uint32_t worker)
{
    uint32_t spi = f.t[0].ours.spi_in ^ 0x100;
    while (dp_spi_worker(spi, datapath_workers(f.d)) != worker)
        spi += 1u << 28;
    return spi;
}

/* The first worker stands still; trains for it are led to the second, which has nowhere to put
 * more than its box takes. */
static err_t while_locked(void *arg, struct dp *dp)
{
    struct flood *w = arg;
    (void)dp;
    if (w->sent)
        return E_OK;
    for (uint32_t k = 0; k < FLOOD_SEGS; k++)
        put_u32(w->train + (size_t)k * FLOOD_SEG, flood_spi(k == 0));
    for (uint32_t n = 0; n < FLOOD_TRAINS; n++) {
        struct datapath_stats st = {0};
        peer_sends(w->train, (size_t)FLOOD_SEGS * FLOOD_SEG, FLOOD_SEG);
        w->sent += FLOOD_SEGS - 1;
        for (int i = 0; i < 400 && st.handed + st.dp.drops[R_DP_HANDOVER] < w->sent; i++) {
            msleep(1);
            datapath_worker_stats(f.d, 1, &st);
        }
        assert_int_equal(st.handed + st.dp.drops[R_DP_HANDOVER], w->sent);
    }
    return E_OK;
}

static void test_box_full(void **state)
{
    (void)state;
    static struct flood w;
    w.sent = 0;
    all_up();
    if (datapath_workers(f.d) == 1)
        return;
    assert_int_equal(datapath_each(f.d, while_locked, &w), E_OK);
    struct datapath_stats st = stats();
    assert_true(st.handed > 0 && st.dp.drops[R_DP_HANDOVER] > 0);
    assert_int_equal(st.handed + st.dp.drops[R_DP_HANDOVER], w.sent);
}

/* What was held leaves before what came later, also when the tunnel comes up at another worker. */
static void test_held(void **state)
{
    (void)state;
    uint32_t spi[TUNNELS];
    for (uint32_t k = 0; k < TUNNELS; k++)
        host_sends(k);
    for (int i = 0; i < 400 && f.acquires < TUNNELS; i++) {
        turn();
        msleep(5);
    }
    assert_int_equal(f.acquires, TUNNELS);
    for (uint32_t k = 0; k < TUNNELS; k++)
        spi[TUNNELS - 1 - k] = any_spi();
    for (uint32_t k = 0; k < TUNNELS; k++) {
        for (int i = 0; i < 10; i++)
            host_sends(k);
        tunnel_up(k, spi[k]);
        for (int i = 0; i < 100; i++)
            host_sends(k);
    }
    peer_takes_all(111);
    assert_int_equal(drops(), 0);
}

static uint32_t worker_with(const struct child_sa *sa)
{
    return dp_spi_worker(sa->spi_in, datapath_workers(f.d));
}

static void *sends_on(void *stop)
{
    while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE)) {
        host_sends(0);
        if (f.t[0].sent % 16 == 0)
            msleep(1);
    }
    return NULL;
}

/* A policy that moves from worker to worker under traffic: its new SA is elsewhere each time. */
static void test_moves(void **state)
{
    (void)state;
    pthread_t sender;
    bool stop = false;
    unsigned moves = 0;
    struct tunnel *t = &f.t[0];
    tunnel_up(0, any_spi());
    assert_int_equal(pthread_create(&sender, NULL, sends_on, &stop), 0);
    for (uint32_t i = 1; i < 40; i++) {
        uint32_t before = worker_with(&t->ours), old = t->ours.id;
        t->ours.id = t->theirs.id = 1000 + i;
        tunnel_up(0, any_spi());
        moves += before != worker_with(&t->ours);
        for (int k = 0; k < 5; k++) {
            turn();
            msleep(2);
            while (peer_takes())
                ;
        }
        datapath_child_quiet(f.d, old);
        datapath_child_del(f.d, old);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(sender, NULL);
    for (int i = 0; i < 400 && t->got < t->sent; i++) {
        while (peer_takes())
            ;
        msleep(5);
    }
    assert_int_equal(t->got, t->sent);
    assert_int_equal(drops(), 0);
    assert_true(datapath_workers(f.d) == 1 || moves > 10);
}

/* The tunnel falls and comes back, each time at the next worker; the policy stays meanwhile. */
static void test_comes_back(void **state)
{
    (void)state;
    struct tunnel *t = &f.t[0];
    for (uint32_t i = 1; i < 10; i++) {
        t->ours.id = t->theirs.id = 1000 + i;
        tunnel_up(0, any_spi());
        host_sends(0);
        for (int k = 0; k < 400 && t->got < t->sent; k++) {
            msleep(1);
            (void)!peer_takes();
        }
        assert_int_equal(t->got, t->sent);
        datapath_child_del(f.d, t->ours.id);
    }
    assert_int_equal(drops(), 0);
}

/* --- SAs of workers' own: RFC 9611 --- */

static void flows_send(void)
{
    for (uint32_t i = 0; i < FLOWS; i++) {
        uint8_t data[LEN] = {0};
        put_u32(data, f.flow_sent[i]++);
        assert_int_equal(send(f.flow[i], data, sizeof data, 0), LEN);
    }
}

static void flows_arrive(void)
{
    for (int idle = 0; idle < 400; idle++) {
        while (peer_takes())
            idle = 0;
        if (memcmp(f.flow_got, f.flow_sent, sizeof f.flow_got) == 0)
            return;
        turn();
        msleep(5);
    }
    fail_msg("not all packets came");
}

static void own_sa(uint32_t worker)
{
    struct tunnel *t = &f.t[0];
    const struct owners_use use = {.policy = 100, .cpu = (uint8_t)(worker + 1)};
    t->ours.id = t->theirs.id = 2000 + worker;
    t->ours.cpu = use.cpu;
    uint32_t spi = datapath_spi_alloc(f.d, &use);
    assert_int_equal(dp_spi_worker(spi, datapath_workers(f.d)), worker);
    tunnel_up(0, spi);
}

/* Flows are shared by all; who has no SA of his own asks for it, and hands over until then. */
static void test_own_sas(void **state)
{
    (void)state;
    uint32_t workers = datapath_workers(f.d), done = 0;
    for (uint16_t i = 0; i < FLOWS; i++) {
        f.flow[i] = udp_socket("10.1.0.1", (uint16_t)(FLOW_PORT + i));
        talk_to(f.flow[i], "10.2.0.1", PEER_PORT);
    }
    flows_send(); /* held */
    f.t[0].ours.per_cpu = true;
    tunnel_up(0, any_spi());
    uint32_t fallback = dp_spi_worker(f.t[0].ours.spi_in, workers);
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 3; k++)
            flows_send();
        turn();
        unsigned wanted = i > 50 ? f.cpus & ~done : 0;
        if (wanted) {
            own_sa((uint32_t)__builtin_ctz(wanted));
            done |= 1u << __builtin_ctz(wanted);
            flows_send();
        }
        if (i % 4 == 0)
            flows_arrive();
    }
    flows_arrive();
    assert_int_equal(drops(), 0);
    assert_int_equal(f.cpus, ((1u << workers) - 1) & ~(1u << fallback));
    uint64_t handed = stats().handed;
    assert_int_equal(handed > 0, workers > 1);
    for (int i = 0; i < 50; i++)
        flows_send();
    flows_arrive();
    assert_int_equal(stats().handed, handed);
    for (uint32_t i = 0; i < workers; i++) {
        struct datapath_stats st;
        datapath_worker_stats(f.d, i, &st);
        assert_true(st.dp.packets_out > 0);
    }
    for (int i = 0; i < FLOWS; i++)
        close(f.flow[i]);
}

static void test_tun_gone(void **state)
{
    (void)state;
    all_up();
    lab_run("ip link del culvert0");
    for (int i = 0; i < 400 && !f.lost; i++) {
        turn();
        msleep(5);
    }
    assert_int_equal(f.lost, 1);
    msleep(20);
    turn();
    assert_int_equal(f.lost, 1); /* told once */
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void test_idle(void **state)
{
    (void)state;
    all_up();
    host_sends(0);
    host_sends(TUNNELS - 1);
    msleep(50);
    turn();
    double before = cpu_ms();
    for (int i = 0; i < 5; i++)
        msleep(200);
    assert_true(cpu_ms() - before < 3);
}

#define T(fn, n) cmocka_unit_test_setup_teardown(fn, make##n, end)
#define ALL(n)                                                                                     \
    T(test_shares, n), T(test_mixed_trains, n), T(test_replays_elsewhere, n), T(test_box_full, n), \
        T(test_held, n), T(test_moves, n), T(test_comes_back, n), T(test_own_sas, n),              \
        T(test_tun_gone, n), T(test_idle, n)

int main(void)
{
    const struct CMUnitTest tests[] = {ALL(1), ALL(2), ALL(4)};
    const char *lacks = NULL;
    if (!lab_allowed())
        return LAB_SKIP;
    if (cr_init(&lacks))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
