/*
 * bench-dataplane: encapsulation and decapsulation in memory by suite and packet size, beside the
 * crypto room alone (crypto) and ipsec-mb called directly (bare) on the same buffers. The three run
 * in short turns, and medians are quoted. share: of the bare packet rate. With
 * --lookup: the policy look-up with a cold flow cache, by number of policies.
 */
#include "bare_imb.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#define TURNS_MAX 400
#define TURN      100 /* full batches in one turn of one kind */

static const struct bench_suite suites[] = {
    {"aes128gcm16", ENCR_AES_GCM_16, 128, 0},
    {"aes256gcm16", ENCR_AES_GCM_16, 256, 0},
    {"chacha20poly1305", ENCR_CHACHA20_POLY1305, 0, 0},
    {"aes128-sha256", ENCR_AES_CBC, 128, AUTH_HMAC_SHA2_256_128},
    {"3des-sha1", ENCR_3DES, 0, AUTH_HMAC_SHA1_96},
    {"null-sha256", ENCR_NULL, 0, AUTH_HMAC_SHA2_256_128},
};
static const uint32_t sizes[] = {64, 256, 512, 1420, 8192};

struct options {
    const char *suite;
    uint32_t size, sas, policies, batch;
    double seconds;
    bool json, lookup;
    int impl;
};

/* Cycles per packet: median over turns. */
struct cell {
    double cycles, crypto, bare, share;
};

static double tsc_ghz = 1;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void calibrate(void)
{
    double t0 = now_s();
    uint64_t c0 = __rdtsc();
    while (now_s() - t0 < 0.1)
        ;
    tsc_ghz = (double)(__rdtsc() - c0) / (now_s() - t0) / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n ? v[n / 2] : 0;
}

/* Batches in one turn: as many packets whatever the batch. */
static uint32_t turns(const struct rig *r)
{
    uint32_t packets = TURN * DP_BATCH, visits = 12 * r->o.sas;
    return (packets > visits ? packets : visits) / r->o.batch;
}

/* One turn through the data planes: what A encapsulates B decapsulates, in place. */
static void turn_dp(struct rig *r, double *enc, double *dec)
{
    uint64_t e = 0, d = 0;
    for (uint32_t i = 0; i < turns(r); i++) {
        rig_deal(r);
        uint64_t t0 = __rdtsc();
        dp_outbound(r->a, r->pp, r->o.batch, 1);
        uint64_t t1 = __rdtsc();
        rig_cross(r);
        uint64_t t2 = __rdtsc();
        dp_inbound(r->b, r->pp, r->o.batch, 1);
        d += __rdtsc() - t2;
        e += t1 - t0;
        rig_check(r);
    }
    *enc = (double)e / (turns(r) * r->o.batch);
    *dec = (double)d / (turns(r) * r->o.batch);
}

/* The text of a packet as dp_outbound pads it. */
static uint32_t text_len(const struct rig *r)
{
    const struct framing *f = &child_find(r->a, 1)->out->f;
    return (r->o.size + 2 + f->align_mask) & ~(uint32_t)f->align_mask;
}

/* The same buffers, lengths and keys, without a data plane. */
static void turn_crypto(struct rig *r, double *seal, double *open)
{
    uint32_t text = text_len(r), hdr = child_find(r->a, 1)->out->f.hdr_len;
    uint64_t s = 0, o = 0;
    for (uint32_t i = 0; i < turns(r); i++) {
        rig_deal(r);
        for (size_t k = 0; k < r->o.batch; k++) {
            r->pkt[k].data -= hdr;
            r->pkt[k].len = text;
        }
        uint64_t t0 = __rdtsc();
        rig_crypto(r, true);
        uint64_t t1 = __rdtsc();
        rig_crypto(r, false);
        o += __rdtsc() - t1;
        s += t1 - t0;
    }
    *seal = (double)s / (turns(r) * r->o.batch);
    *open = (double)o / (turns(r) * r->o.batch);
}

static void turn_bare(struct rig *r, struct bare *b, double *seal, double *open)
{
    uint32_t text = text_len(r), hdr = child_find(r->a, 1)->out->f.hdr_len;
    uint8_t *p[DP_BATCH];
    uint64_t s = 0, o = 0;
    for (uint32_t i = 0; i < turns(r); i++) {
        rig_deal(r);
        for (size_t k = 0; k < r->o.batch; k++)
            p[k] = r->pkt[k].data - hdr;
        uint64_t t0 = __rdtsc();
        bare_seal(b, p, r->sa, text);
        uint64_t t1 = __rdtsc();
        bare_open(b, p, r->sa, text);
        o += __rdtsc() - t1;
        s += t1 - t0;
    }
    *seal = (double)s / (turns(r) * r->o.batch);
    *open = (double)o / (turns(r) * r->o.batch);
}

/* Encapsulation to cell[0], decapsulation to cell[1]. */
static void measure(struct rig *r, struct bare *b, double seconds, struct cell cell[2])
{
    static double dp[2][TURNS_MAX], cr[2][TURNS_MAX], bare[2][TURNS_MAX], share[2][TURNS_MAX];
    size_t n = 0;
    double end = now_s() + seconds;
    turn_dp(r, &dp[0][0], &dp[1][0]);
    while (n < TURNS_MAX && (n < 5 || now_s() < end)) {
        turn_dp(r, &dp[0][n], &dp[1][n]);
        turn_bare(r, b, &bare[0][n], &bare[1][n]);
        turn_crypto(r, &cr[0][n], &cr[1][n]);
        for (int w = 0; w < 2; w++)
            share[w][n] = bare[w][n] / dp[w][n];
        n++;
    }
    for (int w = 0; w < 2; w++)
        cell[w] = (struct cell){median(dp[w], n), median(cr[w], n), median(bare[w], n),
                                median(share[w], n)};
}

static void print_way(const struct options *o, const struct rig_opts *ro, const char *way,
                      const struct cell *c)
{
    static bool more;
    double ns = c->cycles / tsc_ghz, mpps = 1e3 / ns, gbit = ro->size * 8 / ns;
    if (o->json) {
        printf("%s\n {\"suite\": \"%s\", \"size\": %u, \"way\": \"%s\", \"sas\": %u, \"policies\": "
               "%u, "
               "\"batch\": %u, \"cycles\": %.1f, \"ns\": %.1f, \"mpps\": %.3f, \"gbit\": %.2f, "
               "\"crypto_cycles\": %.1f, \"bare_cycles\": %.1f, \"share\": %.3f}",
               more ? "," : "", ro->suite->name, ro->size, way, ro->sas, ro->policies, ro->batch,
               c->cycles, ns, mpps, gbit, c->crypto, c->bare, c->share);
    } else {
        printf("%-17s %5u %-4s %8.1f %8.1f %8.3f %7.2f %8.1f %8.1f %6.3f\n", ro->suite->name,
               ro->size, way, c->cycles, ns, mpps, gbit, c->crypto, c->bare, c->share);
    }
    more = true;
    fflush(stdout);
}

static void run_cell(const struct options *o, const struct bench_suite *s, uint32_t size)
{
    static struct rig r;
    struct rig_opts ro = {.suite = s,
                          .size = size,
                          .sas = o->sas,
                          .policies = o->policies,
                          .impl = o->impl,
                          .batch = o->batch,
                          .window = 128};
    rig_init(&r, &ro);
    struct bare *b = bare_new(s, o->sas, o->batch);
    struct cell c[2];
    measure(&r, b, o->seconds, c);
    print_way(o, &ro, "enc", &c[0]);
    print_way(o, &ro, "dec", &c[1]);
    bare_free(b);
    rig_fini(&r);
}

static void run_suites(const struct options *o)
{
    if (!o->json)
        printf("%-17s %5s %-4s %8s %8s %8s %7s %8s %8s %6s\n", "suite", "size", "way", "cycles",
               "ns", "Mpkt/s", "Gbit/s", "crypto", "bare", "share");
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            if ((!o->suite || strcmp(o->suite, suites[i].name) == 0) && (!o->size || k == 0))
                run_cell(o, &suites[i], o->size ? o->size : sizes[k]);
}

/* --- look-up: parse, miss the flow cache, ask the SPD, remember; the policies say drop --- */

static double lookup_once(struct dp *d, uint32_t n, uint64_t *rnd)
{
    static uint8_t b[DP_BATCH][DP_HEADROOM + 64 + DP_TAILROOM];
    struct dp_pkt p[DP_BATCH], *pp[DP_BATCH];
    uint64_t sum = 0;
    for (int turn = 0; turn < TURN; turn++) {
        for (size_t i = 0; i < DP_BATCH; i++) {
            uint8_t *ip = b[i] + DP_HEADROOM;
            memcpy(ip, (uint8_t[20]){0x45, 0, 0, 64, 0, 1, 0, 0, 64, 17, 0, 0, 10, 1, 2, 3}, 20);
            put_u32(ip + 12, 0x0a000000u | (uint32_t)(rig_rand(rnd) & 0xffffff)); /* flows differ */
            put_u32(ip + 16, rig_remote((uint32_t)(rig_rand(rnd) % n)) + 9);
            p[i] = (struct dp_pkt){.data = ip, .len = 64};
            pp[i] = &p[i];
        }
        flow_cache_forget(&d->flows);
        uint64_t t0 = __rdtsc();
        dp_outbound(d, pp, DP_BATCH, 1);
        sum += __rdtsc() - t0;
        if (p[0].reason != R_DP_POLICY_DROP)
            abort();
    }
    return (double)sum / (TURN * DP_BATCH);
}

static void run_lookup(const struct options *o)
{
    static const uint32_t counts[] = {1, 10, 100, 1000, 10000, 100000};
    struct dp *d[6];
    static double v[6][TURNS_MAX];
    struct dp_settings s;
    uint64_t rnd = 9;
    size_t n = 0;
    dp_settings_default(&s);
    for (int i = 0; i < 6; i++) {
        d[i] = dp_new(&s);
        if (!d[i])
            exit(1);
        rig_policies(d[i], counts[i], POL_DROP, false);
    }
    double end = now_s() + o->seconds * 6;
    for (; n < TURNS_MAX && (n < 5 || now_s() < end); n++)
        for (int i = 0; i < 6; i++)
            v[i][n] = lookup_once(d[i], counts[i], &rnd);
    double one = median(v[0], n);
    for (int i = 0; i < 6; i++) {
        double c = median(v[i], n);
        printf(o->json ? "%s\n {\"policies\": %u, \"cycles\": %.1f, \"ns\": %.1f, \"share\": %.3f}"
                       : "%spolicies %6u: %7.1f cycles %6.1f ns, share of one policy's rate %.3f\n",
               o->json && i ? "," : "", counts[i], c, c / tsc_ghz, one / c);
        dp_free(d[i]);
    }
}

static const char usage[] =
    "usage: bench-dataplane [--suite NAME] [--size BYTES] [--seconds S] [--sas N] [--policies N]\n"
    "                       [--batch N] [--impl auto|openssl|ipsec-mb] [--json] [--lookup]\n";

static int impl_of(const char *s)
{
    return strcmp(s, "openssl") == 0 ? CR_OSSL : strcmp(s, "ipsec-mb") == 0 ? CR_IMB : CR_AUTO;
}

static bool parse_args(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"suite", 1, NULL, 's'},    {"size", 1, NULL, 'z'},
                                          {"seconds", 1, NULL, 't'},  {"sas", 1, NULL, 'a'},
                                          {"policies", 1, NULL, 'p'}, {"impl", 1, NULL, 'i'},
                                          {"batch", 1, NULL, 'b'},    {"json", 0, NULL, 'j'},
                                          {"lookup", 0, NULL, 'l'},   {NULL, 0, NULL, 0}};
    *o = (struct options){.sas = 1, .policies = 1, .batch = DP_BATCH, .seconds = 0.5};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 's':
            o->suite = optarg;
            break;
        case 'z':
            o->size = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 't':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'a':
            o->sas = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            o->policies = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            o->batch = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'i':
            o->impl = impl_of(optarg);
            break;
        case 'j':
            o->json = true;
            break;
        case 'l':
            o->lookup = true;
            break;
        default:
            return false;
        }
    }
    return o->batch >= 1 && o->batch <= DP_BATCH && o->size <= 9000 && o->sas >= 1 &&
           o->sas <= 60000 && optind == argc;
}

int main(int argc, char **argv)
{
    struct options o;
    const char *what = "";
    if (!parse_args(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    if (cr_init(&what)) {
        fprintf(stderr, "bench-dataplane: crypto self-test failed: %s\n", what);
        return 1;
    }
    calibrate();
    if (o.json)
        printf("[");
    if (o.lookup)
        run_lookup(&o);
    else
        run_suites(&o);
    if (o.json)
        printf("\n]\n");
    return 0;
}
