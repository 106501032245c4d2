/*
 * Drives an IKE daemon with many peers from one process: our own engine over real UDP sockets, one
 * socket for all peers' addresses (the namespace routes 100.64.0.0/12 to lo as local). Orders come
 * as lines on standard input, one answer each on standard output:
 *
 *   peers GROUP AUTH FIRST COUNT   loads peers that will call the gateway; AUTH: psk, rsa, ecdsa
 *   call FIRST COUNT WINDOW   brings them up, WINDOW at a time
 *   first N                   peer N's first message is sent and kept; nobody waits for more
 *   serve GROUP AUTH          loads one connection that answers anybody, as all peers together
 *   mark                      forgets the CHILD SAs that came up so far
 *   wait COUNT                until so many CHILD SAs came up since then
 *   half COUNT                so many first messages that nobody goes on with
 *   flood COUNT WINDOW PORT   the same message with SPIs of its own each, WINDOW under way
 *   stay SECONDS              answers what comes
 *
 * ike_load GATEWAY; ike_load --echo PORT SIZE is the bare receiver and sender that a flood is
 * compared with, one datagram after the other; --echo-bursts does it with recvmmsg and sendmmsg.
 * Called by bench/control.py.
 */
#include "crypto/crypto.h"
#include "ike_rig.h"
#include "io/sock.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STALL_MS 20000 /* without any progress an order has failed */

struct load {
    struct rig rig;
    struct sock sock;
    struct endpoint gateway;
    struct bytes first; /* the last first message, kept */
    unsigned up, failed;
    uint64_t wake_ms, moved_ms;
    bool deaf; /* answers are not read by the engine */
    uint8_t mem[IO_BURST][4096];
};

static void feed(struct load *l, struct ike_in *in);

static void keep_first(struct load *l, struct bytes data)
{
    uint8_t *copy = malloc(data.n);
    if (!copy)
        abort();
    memcpy(copy, data.p, data.n);
    free((void *)(uintptr_t)l->first.p);
    l->first = bytes_of(copy, data.n);
}

static void send_one(struct load *l, const struct ike_act *a)
{
    size_t failed = 0;
    const struct io_msg m = {.data = (uint8_t *)(uintptr_t)a->data.p,
                             .len = (uint32_t)a->data.n,
                             .local = a->local,
                             .remote = a->remote};
    int n = sock_send(&l->sock, &m, 1, &failed);
    (void)n; /* lost: the engine sends it again */
    if (a->data.n > 18 && a->data.p[18] == 34 && a->data.p[16] == 33) /* without a cookie */
        keep_first(l, a->data);
}

static void carry_out(struct load *l, const struct ike_act *a)
{
    if (a->kind == ACT_SEND) {
        send_one(l, a);
    } else if (a->kind == ACT_JOB) {
        ike_job_run(a->job);
        feed(l, &(struct ike_in){.kind = IN_JOB_DONE, .job = a->job});
    } else if (a->kind == ACT_CHILD_ADD) {
        l->up++;
        l->moved_ms = rig_now_ms();
    } else if (a->kind == ACT_CMD_DONE && a->reason) {
        l->failed++;
        l->moved_ms = rig_now_ms();
    }
}

static void feed(struct load *l, struct ike_in *in)
{
    struct ike_out out = {0};
    in->now_ms = rig_now_ms();
    in->wall_s = rig_wall_s();
    if (ike_step(l->rig.ike, in, &out))
        abort();
    l->wake_ms = out.wake_ms;
    for (const struct ike_act *a = out.first; a; a = a->next)
        carry_out(l, a);
    ike_out_free(&out);
}

/* One burst; gives the number of datagrams. */
static int turn(struct load *l, int timeout_ms)
{
    struct io_msg m[IO_BURST];
    struct pollfd p = {l->sock.fd, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) < 0)
        return 0;
    for (size_t i = 0; i < IO_BURST; i++)
        m[i] = (struct io_msg){.data = l->mem[i], .cap = sizeof l->mem[i]};
    int n = sock_recv(&l->sock, m, IO_BURST);
    for (int i = 0; i < n && !l->deaf; i++)
        if (m[i].len)
            feed(l, &(struct ike_in){.kind = IN_PACKET,
                                     .local = m[i].local,
                                     .remote = m[i].remote,
                                     .data = bytes_of(m[i].data, m[i].len)});
    if (!l->deaf && rig_now_ms() >= l->wake_ms)
        feed(l, &(struct ike_in){.kind = IN_TICK});
    return n < 0 ? 0 : n;
}

static bool stalled(const struct load *l)
{
    return rig_now_ms() > l->moved_ms + STALL_MS;
}

static void peers(struct load *l, const char *group, enum rig_auth auth, unsigned first,
                  unsigned count)
{
    rig_certs(&l->rig, auth, false);
    for (unsigned i = first; i < first + count; i++) {
        struct conn *c = rig_peer_conn(i, group, auth, &l->gateway.addr);
        feed(l, &(struct ike_in){.kind = IN_CONN_LOAD, .load = c});
        conn_unref(c);
    }
}

static void serve(struct load *l, const char *group, enum rig_auth auth)
{
    rig_certs(&l->rig, auth, false);
    struct conn *c = rig_conn_new(&(struct rig_conn){.name = "any",
                                                     .group = group,
                                                     .auth = auth,
                                                     .id = auth == RIG_PSK ? NULL : RIG_PEERS_ID,
                                                     .local_ts = "10.128.0.0/9",
                                                     .remote_ts = "192.168.0.0/16"});
    feed(l, &(struct ike_in){.kind = IN_CONN_LOAD, .load = c});
    conn_unref(c);
}

static void call(struct load *l, unsigned i, uint32_t cmd)
{
    char name[24];
    snprintf(name, sizeof name, "p%u", i);
    feed(l, &(struct ike_in){.kind = IN_INITIATE, .conn = name, .child = "net", .cmd = cmd});
}

static void call_all(struct load *l, unsigned first, unsigned count, unsigned window)
{
    for (unsigned begun = 0; l->up + l->failed < count && !stalled(l);) {
        for (; begun < count && begun - l->up - l->failed < window; begun++)
            call(l, first + begun, begun + 1);
        turn(l, 20);
    }
}

static void wait_for(struct load *l, unsigned count)
{
    while (l->up < count && !stalled(l))
        turn(l, 20);
}

/* Copies of a first message with SPIs of their own: nobody remembers them on this side. */
static unsigned flood(struct load *l, unsigned count, unsigned window, uint16_t port)
{
    unsigned sent = 0, answers = 0;
    struct endpoint to = l->gateway;
    to.port = port;
    l->deaf = true;
    while (answers < count && !stalled(l)) {
        struct io_msg m[IO_BURST];
        size_t n = 0, failed = 0;
        for (; n < IO_BURST && sent < count && sent - answers < window; n++, sent++) {
            uint64_t spi = 0x1000000000000000u + rig_now_ms() * 1000000u + sent;
            memcpy(l->mem[n], l->first.p, l->first.n);
            memcpy(l->mem[n], &spi, sizeof spi);
            m[n] = (struct io_msg){.data = l->mem[n],
                                   .len = (uint32_t)l->first.n,
                                   .local = {rig_peer_addr(sent % 60000), 500},
                                   .remote = to};
        }
        if (n && sock_send(&l->sock, m, n, &failed) < 0)
            break;
        int got = turn(l, 50);
        answers += (unsigned)got;
        if (got)
            l->moved_ms = rig_now_ms();
        else
            sent = answers; /* lost ones are made good */
    }
    l->deaf = false;
    return answers;
}

/* First messages of peers that do not exist beyond them. */
static unsigned half(struct load *l, unsigned count)
{
    return flood(l, count, 32, l->gateway.port);
}

static void stay(struct load *l, unsigned seconds)
{
    uint64_t end = rig_now_ms() + seconds * 1000u;
    while (rig_now_ms() < end)
        turn(l, 50);
}

static bool order(struct load *l, const char *line)
{
    char group[32], by[8];
    enum rig_auth auth;
    unsigned a = 0, b = 0, c = 0;
    uint64_t t0 = rig_now_ms();
    bool waits = !strncmp(line, "wait ", 5);
    l->moved_ms = t0;
    if (!waits)
        l->up = l->failed = 0;
    if (sscanf(line, "peers %31s %7s %u %u", group, by, &a, &b) == 4 && rig_auth_of(by, &auth)) {
        peers(l, group, auth, a, b);
    } else if (sscanf(line, "serve %31s %7s", group, by) == 2 && rig_auth_of(by, &auth)) {
        serve(l, group, auth);
    } else if (sscanf(line, "call %u %u %u", &a, &b, &c) == 3) {
        call_all(l, a, b, c);
    } else if (sscanf(line, "first %u", &a) == 1) {
        call(l, a, 1);
    } else if (sscanf(line, "wait %u", &a) == 1) {
        wait_for(l, a);
    } else if (!strcmp(line, "mark")) {
        /* the counters are at zero now */
    } else if (sscanf(line, "half %u", &a) == 1) {
        l->up = half(l, a);
    } else if (sscanf(line, "flood %u %u %u", &a, &b, &c) == 3) {
        l->up = flood(l, a, b, (uint16_t)c);
    } else if (sscanf(line, "stay %u", &a) == 1) {
        stay(l, a);
    } else {
        return false;
    }
    printf("{\"up\": %u, \"failed\": %u, \"ms\": %llu}\n", l->up, l->failed,
           (unsigned long long)(rig_now_ms() - t0));
    fflush(stdout);
    return true;
}

/* Between orders peers go on answering: liveness checks, retransmissions. */
static int obey(struct load *l)
{
    char line[128];
    size_t n = 0;
    struct pollfd p[2] = {{0, POLLIN, 0}, {l->sock.fd, POLLIN, 0}};
    for (;;) {
        if (poll(p, 2, 100) < 0)
            return 1;
        if (p[1].revents || rig_now_ms() >= l->wake_ms)
            turn(l, 0);
        if (!p[0].revents)
            continue;
        ssize_t got = read(0, line + n, 1);
        if (got <= 0)
            return 0;
        if (line[n] != '\n' && n + 2 < sizeof line) {
            n++;
            continue;
        }
        line[n] = 0;
        n = 0;
        if (!order(l, line)) {
            fprintf(stderr, "ike_load: not understood: %s\n", line);
            return 2;
        }
    }
}

/* A receive and a send of `size` bytes for each datagram. */
static int echo(uint16_t port, unsigned size)
{
    static uint8_t mem[4096];
    struct sock s;
    struct io_error err;
    if (size > sizeof mem || sock_open(&s, SOCK_UDP, 4, port, 0, &err))
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct sockaddr_storage from;
        socklen_t n = sizeof from;
        struct pollfd p = {s.fd, POLLIN, 0};
        if (recvfrom(s.fd, mem, sizeof mem, 0, (struct sockaddr *)&from, &n) < 0) {
            if (poll(&p, 1, -1) < 0)
                return 1;
        } else if (sendto(s.fd, mem, size, 0, (struct sockaddr *)&from, n) < 0) {
            return 1;
        }
    }
}

/* What a cookie answer cannot be cheaper than: bursts in, bursts of `size` bytes out. */
static int echo_bursts(uint16_t port, unsigned size)
{
    static uint8_t mem[IO_BURST][4096];
    struct sock s;
    struct io_error err;
    struct io_msg m[IO_BURST];
    if (size > sizeof mem[0] || sock_open(&s, SOCK_UDP, 4, port, 0, &err))
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd p = {s.fd, POLLIN, 0};
        size_t failed = 0;
        if (poll(&p, 1, -1) < 0)
            return 1;
        for (size_t i = 0; i < IO_BURST; i++)
            m[i] = (struct io_msg){.data = mem[i], .cap = sizeof mem[i]};
        int n = sock_recv(&s, m, IO_BURST);
        for (int i = 0; i < n; i++)
            m[i].len = size;
        if (n > 0 && sock_send(&s, m, (size_t)n, &failed) < 0)
            return 1;
    }
}

int main(int argc, char **argv)
{
    static struct load l;
    const char *what = NULL;
    struct io_error err;
    if (argc == 4 && !strcmp(argv[1], "--echo"))
        return echo((uint16_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
    if (argc == 4 && !strcmp(argv[1], "--echo-bursts"))
        return echo_bursts((uint16_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
    if (argc != 2 || !addr_parse(&l.gateway.addr, argv[1])) {
        fprintf(stderr, "usage: ike_load GATEWAY | ike_load --echo PORT SIZE\n");
        return 2;
    }
    l.gateway.port = 500;
    l.wake_ms = UINT64_MAX;
    if (cr_init(&what) || sock_open(&l.sock, SOCK_UDP, 4, 500, 0, &err)) {
        fprintf(stderr, "ike_load: %s\n", what ? what : err.text);
        return 1;
    }
    int rcvbuf = 8 << 20;
    setsockopt(l.sock.fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf);
    rig_open(&l.rig, rig_peer_addr(0));
    int code = obey(&l);
    rig_close(&l.rig);
    free((void *)(uintptr_t)l.first.p);
    cr_fini();
    return code;
}
