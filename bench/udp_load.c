/*
 * A UDP generator and its receiver: packets that carry a run, a flow and a number, so that loss and
 * order are known exactly. No control connection: nothing of it is lost among the packets.
 *
 *   bench-udp-load receive PORT       orders on stdin, one line each: `begin RUN` counts that run's
 *                                     packets from now on, `report` answers with what has come
 *   bench-udp-load send ADDRESS PORT RUN BYTES KPPS MS FLOWS
 *
 * BYTES is UDP payload, at least 16. KPPS is thousands of packets a second over all flows (source
 * ports). Answers are lines of JSON. Called by bench/e2e/traffic.py.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 32, FLOWS_MAX = 16, ROOM = 65536, NAP_NS = 50000 };

struct head {
    uint32_t run, flow;
    uint64_t number; /* from 1, within the flow */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- receiving --- */

struct seen {
    uint32_t run;
    uint64_t received, late, highest[FLOWS_MAX]; /* late: after one with a higher number */
    uint64_t first_ns, last_ns;
};

static void see(struct seen *s, const void *p, size_t n, uint64_t now)
{
    struct head h;
    if (n < sizeof h)
        return;
    memcpy(&h, p, sizeof h);
    if (h.run != s->run || h.flow >= FLOWS_MAX)
        return;
    if (h.number > s->highest[h.flow])
        s->highest[h.flow] = h.number;
    else
        s->late++;
    if (s->received++ == 0)
        s->first_ns = now;
    s->last_ns = now;
}

static void take(int fd, struct seen *s)
{
    static uint8_t mem[2 * BURST][2048];
    struct mmsghdr m[2 * BURST] = {0};
    struct iovec v[2 * BURST];
    for (size_t i = 0; i < 2 * BURST; i++) {
        v[i] = (struct iovec){mem[i], sizeof mem[i]};
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    int n;
    do {
        n = recvmmsg(fd, m, 2 * BURST, MSG_DONTWAIT, NULL);
        uint64_t now = now_ns();
        for (int i = 0; i < n; i++)
            see(s, mem[i], m[i].msg_len, now);
    } while (n == 2 * BURST);
}

static void obey(const char *line, struct seen *s)
{
    unsigned run;
    if (sscanf(line, "begin %u", &run) == 1)
        *s = (struct seen){.run = run};
    printf("{\"run\": %u, \"received\": %llu, \"late\": %llu, \"ms\": %.3f}\n", s->run,
           (unsigned long long)s->received, (unsigned long long)s->late,
           (double)(s->last_ns - s->first_ns) / 1e6);
    fflush(stdout);
}

static int receive(const char *port)
{
    static struct seen s;
    char line[64];
    const int room = 16 << 20, off = 0;
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                                     .sin6_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) ||
        bind(fd, (const struct sockaddr *)&any, sizeof any)) {
        perror("bench-udp-load");
        return 1;
    }
    obey("begin 0", &s);
    struct pollfd p[2] = {{0, POLLIN, 0}, {fd, POLLIN, 0}};
    for (;;) {
        if (poll(p, 2, -1) < 0)
            return 1;
        if (p[1].revents)
            take(fd, &s);
        if (p[0].revents) {
            if (!fgets(line, sizeof line, stdin))
                return 0;
            obey(line, &s);
        }
    }
}

/* --- sending --- */

struct sender {
    int fd[FLOWS_MAX];
    uint32_t run, flows, size;
    uint64_t number[FLOWS_MAX], sent, refused;
};

static int connect_to(const char *addr, const char *port)
{
    const struct addrinfo hint = {.ai_socktype = SOCK_DGRAM,
                                  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *a = NULL;
    const int room = 4 << 20;
    if (getaddrinfo(addr, port, &hint, &a))
        return -1;
    int fd = socket(a->ai_family, SOCK_DGRAM, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) ||
                    connect(fd, a->ai_addr, a->ai_addrlen))) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(a);
    return fd;
}

static void number_them(struct sender *s, uint32_t flow, uint8_t *mem, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct head h = {s->run, flow, ++s->number[flow]};
        memcpy(mem + i * s->size, &h, sizeof h);
    }
}

/* n packets of one flow; what the kernel refuses counts as sent and lost.
 */
static void send_some(struct sender *s, uint32_t flow, size_t n)
{
    static uint8_t mem[ROOM];
    struct mmsghdr m[BURST] = {0};
    struct iovec v[BURST];
    number_them(s, flow, mem, n);
    s->sent += n;
    for (size_t i = 0; i < n; i++) {
        v[i] = (struct iovec){mem + i * s->size, s->size};
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    int done = sendmmsg(s->fd[flow], m, (unsigned)n, 0);
    s->refused += n - (size_t)(done < 0 ? 0 : done);
}

/* Keeps to the clock: after a delay it sends what is due, but never more than 10 ms' worth. */
static void pace(struct sender *s, double kpps, unsigned ms)
{
    uint64_t t0 = now_ns(), end = t0 + ms * 1000000ull, now;
    double credit = 0, most = kpps * 10;
    for (uint32_t flow = 0; (now = now_ns()) < end;) {
        credit += (double)(now - t0) * kpps / 1e6;
        t0 = now;
        if (credit > most && most >= BURST)
            credit = most;
        size_t n = credit >= BURST ? BURST : (size_t)credit;
        if (n == 0) {
            nanosleep(&(struct timespec){0, NAP_NS}, NULL);
            continue;
        }
        send_some(s, flow, n);
        flow = (flow + 1) % s->flows;
        credit -= (double)n;
    }
}

static int send_all(char **argv)
{
    static struct sender s;
    s = (struct sender){.run = (uint32_t)atoi(argv[2]),
                        .size = (uint32_t)atoi(argv[3]),
                        .flows = (uint32_t)atoi(argv[6])};
    double kpps = atof(argv[4]);
    if (s.size < sizeof(struct head) || s.size > 2000 || s.flows < 1 || s.flows > FLOWS_MAX ||
        kpps <= 0)
        return 2;
    for (uint32_t i = 0; i < s.flows; i++) {
        s.fd[i] = connect_to(argv[0], argv[1]);
        if (s.fd[i] < 0) {
            perror("bench-udp-load");
            return 1;
        }
    }
    uint64_t t0 = now_ns();
    pace(&s, kpps, (unsigned)atoi(argv[5]));
    printf("{\"sent\": %llu, \"refused\": %llu, \"ms\": %.3f}\n", (unsigned long long)s.sent,
           (unsigned long long)s.refused, (double)(now_ns() - t0) / 1e6);
    return 0;
}

int main(int argc, char **argv)
{
    int rc = 2;
    if (argc == 3 && !strcmp(argv[1], "receive"))
        return receive(argv[2]);
    if (argc == 9 && !strcmp(argv[1], "send"))
        rc = send_all(argv + 2);
    if (rc == 2)
        fputs("usage: bench-udp-load receive PORT\n"
              "       bench-udp-load send ADDRESS PORT RUN BYTES KPPS MS FLOWS\n",
              stderr);
    return rc;
}
