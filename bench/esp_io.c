/*
 * The ways for native ESP against each other: packets a second and CPU time per packet of sending
 * and of receiving over a veth pair, raw sockets on the other end, interleaved in one run.
 *   bench/bench-esp_io [ROUNDS]      needs root
 * Each burst is sent and then received in one thread. The CPU time of a side is the thread's
 * within its own calls; generic XDP and the tap do their work in the softirq of the sender, so the
 * figure for receiving counts what the sender spends more than toward raw sockets alone.
 */
#include "io/esp_port.h"
#include "io/netlab.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 64, PACKETS = 20000, ROUNDS = 7, WAYS = 3 };

struct figures {
    double send, recv, softirq; /* ns a packet */
};

static const char *const names[WAYS] = {"raw", "packet", "xdp"};
static const enum esp_io ios[WAYS] = {ESP_IO_RAW, ESP_IO_PACKET, ESP_IO_XDP};
static int ns_a, ns_b;
static uint8_t data[BURST][2048], room[BURST][2112];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_lab(void)
{
    ns_a = lab_ns();
    ns_b = lab_ns();
    lab_run("ip link add b0 type veth peer name a0 netns /proc/%d/fd/%d", getpid(), ns_a);
    lab_run("ip link set b0 up && ip addr add 10.9.0.3/24 dev b0");
    lab_enter(ns_a);
    lab_run("ip link set a0 up && ip addr add 10.9.0.1/24 dev a0");
}

static struct esp_port *open_port(int ns, enum esp_io io, const char *ifname)
{
    struct esp_settings s = {.io = io, .interface = ifname};
    struct io_error err = {""};
    struct esp_port *p;
    lab_enter(ns);
    if (esp_port_open(&p, &s, &err) || esp_port_io(p) != io) {
        fprintf(stderr, "%s\n", err.text[0] ? err.text : esp_port_news(p));
        exit(1);
    }
    return p;
}

static size_t receive(struct esp_port *p)
{
    struct io_msg in[BURST];
    size_t got = 0;
    int n;
    do {
        for (int i = 0; i < BURST; i++)
            in[i] = (struct io_msg){.data = room[i], .cap = sizeof room[i]};
        n = esp_port_recv(p, in, BURST);
        got += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return got;
}

/* From p to q; times of the two sides. */
static void run(struct esp_port *p, struct esp_port *q, const char *from, const char *to,
                uint32_t len, double *send, double *recv)
{
    struct io_msg out[BURST] = {0};
    size_t failed, got = 0;
    *send = *recv = 0;
    for (int i = 0; i < BURST; i++) {
        out[i] = (struct io_msg){.data = data[i], .len = len, .df = true};
        out[i].local.addr = lab_addr(from);
        out[i].remote.addr = lab_addr(to);
    }
    for (int at = -BURST * 20; at < PACKETS; at += BURST) { /* some to warm up */
        double t0 = now_ns();
        int n = esp_port_send(p, out, BURST, &failed);
        double t1 = now_ns();
        size_t k = receive(q);
        double t2 = now_ns();
        if (n != BURST || failed || (at >= 0 && k != BURST)) {
            fprintf(stderr, "lost packets: %d sent, %zu failed, %zu received\n", n, failed, k);
            exit(1);
        }
        if (at >= 0) {
            *send += t1 - t0;
            *recv += t2 - t1;
            got += k;
        }
    }
    *send /= (double)got;
    *recv /= (double)got;
}

static void measure(int way, uint32_t len, struct figures *f)
{
    double other;
    struct esp_port *p = open_port(ns_a, ios[way], "a0");
    struct esp_port *q = open_port(ns_b, ESP_IO_RAW, "b0");
    run(p, q, "10.9.0.1", "10.9.0.3", len, &f->send, &other);
    run(q, p, "10.9.0.3", "10.9.0.1", len, &f->softirq, &f->recv);
    esp_port_close(p);
    esp_port_close(q);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return v[n / 2];
}

static void table(uint32_t len, int rounds)
{
    static struct figures f[WAYS][64];
    double v[5][64];
    for (int r = 0; r < rounds; r++)
        for (int w = 0; w < WAYS; w++)
            measure(w, len, &f[w][r]);
    printf("%u bytes   send ns  ratio    recv ns  peer+softirq  whole in ratio  Mpps out/in\n",
           len);
    for (int w = 0; w < WAYS; w++) {
        for (int r = 0; r < rounds; r++) {
            double whole = f[w][r].recv + f[w][r].softirq;
            v[0][r] = f[w][r].send;
            v[1][r] = f[0][r].send / f[w][r].send;
            v[2][r] = f[w][r].recv;
            v[3][r] = f[w][r].softirq;
            v[4][r] = (f[0][r].recv + f[0][r].softirq) / whole;
        }
        double m[5];
        for (int k = 0; k < 5; k++)
            m[k] = median(v[k], rounds);
        printf("%-8s %10.0f %6.2f %10.0f %13.0f %15.2f  %5.2f/%.2f\n", names[w], m[0], m[1], m[2],
               m[3], m[4], 1e3 / m[0], 1e3 / (m[2] + m[3]));
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    if (!lab_allowed())
        return LAB_SKIP;
    rounds = rounds < 1 ? 1 : rounds > 64 ? 64 : rounds;
    make_lab();
    table(64, rounds);
    table(1400, rounds);
    return 0;
}
