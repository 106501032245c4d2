/*
 * What one tunnel's policy costs when it comes and goes, by the number of others: in the data plane
 * alone, and through the daemon's SPD with guard and routes in the kernel, each change applied by
 * itself and in turns of 16. Memory is the allocator's own account (mallinfo2). Needs root: it
 * works in a network namespace of its own.
 *
 * bench-policies [--json] [--most N]
 */
#include "crypto/crypto.h"
#include "daemon/policies.h"
#include "io/netlab.h"
#include "io/tun.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PROBES = 512, TURN = 16, MARK = 220, TABLE = 220 };

struct bench {
    struct tun tun;
    struct netlink *nl;
    struct dp *dp;
    struct policies *p;
};

struct result {
    uint32_t n;
    double dp_add, dp_del, add, del, turn_add, turn_del; /* microseconds for one policy */
    double dp_bytes, daemon_bytes;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench-policies: %s\n", what);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

static struct ts net(uint32_t first, uint32_t count)
{
    struct ts t = {.port_hi = 0xffff, .lo.family = 4, .hi.family = 4};
    put_u32(t.lo.ip, first);
    put_u32(t.hi.ip, first + count - 1);
    return t;
}

static struct ts_list local_of(void)
{
    return (struct ts_list){1, {net(0x0a000000, 1u << 24)}};
}

/* 100.0.0.0/24 and following */
static struct ts_list remote_of(uint32_t i)
{
    return (struct ts_list){1, {net(0x64000000u + (i << 8), 256)}};
}

/* The policy that it serves. */
static uint32_t sa_add(struct bench *b, uint32_t i)
{
    const struct child_sa sa = {
        .id = i, .conn = "gw", .child = "net", .local_ts = local_of(), .remote_ts = remote_of(i)};
    uint32_t policy = policies_sa_add(b->p, &sa, NULL);
    if (!policy)
        die("out of memory");
    return policy;
}

static void apply(struct bench *b)
{
    struct io_error err;
    if (policies_apply(b->p, &err))
        die(err.text);
}

static err_t view_each(void *ctx, err_t (*fn)(void *arg, struct dp *dp), void *arg)
{
    struct bench *b = ctx;
    return fn(arg, b->dp);
}

static void view_hold_drop(void *ctx, uint32_t policy_id)
{
    struct bench *b = ctx;
    dp_hold_drop(b->dp, policy_id);
}

static void start(struct bench *b)
{
    struct dp_settings set;
    struct io_error err = {"out of memory"};
    dp_settings_default(&set);
    b->dp = dp_new(&set);
    const struct policies_settings s = {
        {"culvert0", MARK, 0x10000000, 0x20000000, 500, 4500}, b->tun.ifindex, TABLE, TABLE};
    const struct policies_view view = {b, view_each, view_hold_drop};
    b->p = b->dp ? policies_open(&s, &view, b->nl, &err) : NULL;
    if (!b->p)
        die(err.text);
    apply(b);
}

static void stop(struct bench *b)
{
    policies_close(b->p);
    dp_free(b->dp);
}

/* --- the data plane alone --- */

static void dp_add(struct bench *b, uint32_t i)
{
    const struct policy p = {
        .id = i, .action = POL_PROTECT, .local = local_of(), .remote = remote_of(i)};
    if (dp_policy_add(b->dp, &p))
        die("out of memory");
}

static void measure_dp(struct bench *b, struct result *r)
{
    double before = heap();
    for (uint32_t i = 1; i <= r->n; i++)
        dp_add(b, i);
    r->dp_bytes = (heap() - before) / r->n;
    double t0 = now_us();
    for (uint32_t i = 1; i <= PROBES; i++)
        dp_add(b, r->n + i);
    double t1 = now_us();
    for (uint32_t i = 1; i <= PROBES; i++)
        dp_policy_del(b->dp, r->n + i);
    r->dp_add = (t1 - t0) / PROBES;
    r->dp_del = (now_us() - t1) / PROBES;
    for (uint32_t i = 1; i <= r->n; i++)
        dp_policy_del(b->dp, i);
}

/* --- all of it --- */

static void probe(struct bench *b, uint32_t n, uint32_t turn, double *add, double *del)
{
    static uint32_t policy[PROBES + 1];
    double t0 = now_us();
    for (uint32_t i = 1; i <= PROBES; i++) {
        policy[i] = sa_add(b, n + i);
        if (i % turn == 0)
            apply(b);
    }
    double t1 = now_us();
    for (uint32_t i = 1; i <= PROBES; i++) {
        policies_sa_del(b->p, policy[i]);
        if (i % turn == 0)
            apply(b);
    }
    *add = (t1 - t0) / PROBES;
    *del = (now_us() - t1) / PROBES;
}

static void measure_daemon(struct bench *b, struct result *r)
{
    double before = heap();
    for (uint32_t i = 1; i <= r->n; i++) {
        sa_add(b, i);
        if (i % 256 == 0)
            apply(b);
    }
    apply(b);
    r->daemon_bytes = (heap() - before) / r->n - r->dp_bytes;
    probe(b, r->n, 1, &r->add, &r->del);
    probe(b, r->n, TURN, &r->turn_add, &r->turn_del);
}

static struct result measure(struct bench *b, uint32_t n)
{
    struct result r = {.n = n};
    start(b);
    measure_dp(b, &r);
    stop(b);
    start(b);
    measure_daemon(b, &r);
    stop(b);
    return r;
}

static void print(const struct result *r, bool json, bool first)
{
    if (json) {
        printf(
            "%s\n {\"policies\": %u, \"dp_add_us\": %.3f, \"dp_del_us\": %.3f, \"add_us\": %.2f, "
            "\"del_us\": %.2f, \"turn_add_us\": %.2f, \"turn_del_us\": %.2f, \"dp_bytes\": %.0f, "
            "\"daemon_bytes\": %.0f}",
            first ? "" : ",", r->n, r->dp_add, r->dp_del, r->add, r->del, r->turn_add, r->turn_del,
            r->dp_bytes, r->daemon_bytes);
        return;
    }
    if (first)
        puts("policies   data plane     applied one by one   in turns of 16    bytes in data "
             "plane,\n"
             "           add    del     add        del       add      del      in the daemon");
    printf("%8u %6.2f %6.2f %8.1f %10.1f %9.1f %8.1f %10.0f %6.0f\n", r->n, r->dp_add, r->dp_del,
           r->add, r->del, r->turn_add, r->turn_del, r->dp_bytes, r->daemon_bytes);
}

int main(int argc, char **argv)
{
    static const uint32_t counts[] = {100, 1000, 20000, 100000};
    struct bench b;
    struct io_error err = {""};
    const char *what = "";
    bool json = false;
    uint32_t most = UINT32_MAX;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--most") && i + 1 < argc)
            most = (uint32_t)strtoul(argv[++i], NULL, 10);
        else
            die("usage: bench-policies [--json] [--most N]");
    }
    if (cr_init(&what))
        die(what);
    if (!lab_allowed())
        return LAB_SKIP;
    lab_ns();
    if (tun_open(&b.tun, "culvert0", 1400, &err) || !(b.nl = netlink_open(&err)))
        die(err.text);
    printf(json ? "[" : "microseconds for one policy\n");
    for (size_t i = 0; i < sizeof counts / sizeof *counts && counts[i] <= most; i++) {
        struct result r = measure(&b, counts[i]);
        print(&r, json, i == 0);
        fflush(stdout);
    }
    printf(json ? "\n]\n" : "");
    netlink_close(b.nl);
    tun_close(&b.tun);
    return 0;
}
