/*
 * CPU time of a negotiation (IKE_SA_INIT, IKE_AUTH with a pre-shared key, RSA or ECDSA, one CHILD
 * SA), responder and initiator apart, beside the bare cryptography of one side in the same run. Two
 * engines in one process, no network: what the engine and its cryptography cost, nothing else.
 */
#include "crypto/crypto.h"
#include "ike_rig.h"
#include "pki_files.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { INITIATOR, RESPONDER, SIDES };

struct side {
    struct rig rig;
    uint64_t cpu_ns;
    unsigned up;
};

struct world {
    struct side side[SIDES];
    uint64_t now_ms, wall_s;
};

static void feed(struct world *w, int who, struct ike_in *in);

static void carry_out(struct world *w, int who, const struct ike_act *a)
{
    struct side *s = &w->side[who];
    if (a->kind == ACT_SEND) {
        struct ike_in in = {.kind = IN_PACKET,
                            .local = a->remote,
                            .remote = a->local,
                            .natt = a->natt,
                            .data = a->data};
        feed(w, !who, &in);
    } else if (a->kind == ACT_JOB) {
        uint64_t t0 = rig_cpu_ns();
        ike_job_run(a->job);
        s->cpu_ns += rig_cpu_ns() - t0;
        feed(w, who, &(struct ike_in){.kind = IN_JOB_DONE, .job = a->job});
    } else if (a->kind == ACT_CHILD_ADD) {
        s->up++;
    }
}

static void feed(struct world *w, int who, struct ike_in *in)
{
    struct ike_out out = {0};
    uint64_t t0 = rig_cpu_ns();
    in->now_ms = w->now_ms;
    in->wall_s = w->wall_s;
    if (ike_step(w->side[who].rig.ike, in, &out))
        abort();
    w->side[who].cpu_ns += rig_cpu_ns() - t0;
    for (const struct ike_act *a = out.first; a; a = a->next)
        carry_out(w, who, a);
    t0 = rig_cpu_ns();
    ike_out_free(&out);
    w->side[who].cpu_ns += rig_cpu_ns() - t0;
}

static void load(struct world *w, int who, struct conn *c)
{
    feed(w, who, &(struct ike_in){.kind = IN_CONN_LOAD, .load = c});
    conn_unref(c);
}

static void world_open(struct world *w, const char *group, enum rig_auth auth, unsigned count)
{
    const struct addr gateway = addr_v4((const uint8_t[4]){192, 0, 2, 1});
    *w = (struct world){.now_ms = 1000000, .wall_s = rig_wall_s()};
    rig_open(&w->side[INITIATOR].rig, rig_peer_addr(0));
    rig_open(&w->side[RESPONDER].rig, gateway);
    rig_certs(&w->side[INITIATOR].rig, auth, false);
    rig_certs(&w->side[RESPONDER].rig, auth, true);
    load(w, RESPONDER,
         rig_conn_new(&(struct rig_conn){.name = "any",
                                         .group = group,
                                         .auth = auth,
                                         .id = auth == RIG_PSK ? NULL : RIG_GATEWAY_ID,
                                         .local_ts = "192.168.0.0/16",
                                         .remote_ts = "10.128.0.0/9"}));
    for (unsigned i = 0; i < count; i++)
        load(w, INITIATOR, rig_peer_conn(i, group, auth, &gateway));
}

/* What cannot be left out: a fresh value and one derivation, the key schedule (RFC
 * 7296 2.14, 2.17), both AUTH payloads (2.15), one message sealed and one opened. With certificates
 * one signature made and two verified: the peer's, and that of its certificate. */
struct bare {
    const struct alg *ke, *prf, *encr, *integ;
    struct cr_ke *peer;
    struct cr_key *key, *ca; /* NULL: a pre-shared key */
    enum cr_scheme scheme;
    uint8_t signed_text[500], ca_sig[CR_SIG_MAX];
    size_t ca_sig_len;
    struct secret shared;
    uint8_t keys[256], msg[512];
};

static void must(err_t e)
{
    if (e)
        abort();
}

static void bare_ke(struct bare *b)
{
    struct cr_ke *ke = NULL;
    must(cr_ke_new(b->ke->id, &ke));
    must(cr_ke_derive(ke, cr_ke_public(b->peer), &b->shared));
    cr_ke_free(ke);
}

static void bare_keys(struct bare *b)
{
    const struct bytes seed = bytes_of(b->msg, 80), key = bytes_of(b->keys, 32);
    const size_t child = 2u * 20;
    must(cr_prf(b->prf, seed, &(struct bytes){b->shared.p, b->shared.n}, 1, b->keys));
    must(cr_prf_plus(b->prf, key, &seed, 1, b->keys + 32, 3u * 32 + 2u * 32 + 2u * 16));
    must(cr_prf_plus(b->prf, key, &seed, 1, b->msg + 256, child));
}

static void bare_signatures(struct bare *b)
{
    const struct bytes text = bytes_of(b->signed_text, sizeof b->signed_text);
    uint8_t sig[CR_SIG_MAX];
    size_t n;
    must(cr_sign(b->key, b->scheme, &text, 1, sig, &n));
    must(cr_verify(b->key, b->scheme, &text, 1, bytes_of(sig, n)));
    must(cr_verify(b->ca, CR_RSA_SHA256, &text, 1, bytes_of(b->ca_sig, b->ca_sig_len)));
}

static void bare_keys_of(struct bare *b, enum rig_auth auth)
{
    const struct bytes text = bytes_of(b->signed_text, sizeof b->signed_text);
    const char *own = auth == RIG_RSA ? "gwa.key" : "gwa-ec256.key";
    if (auth == RIG_PSK)
        return;
    b->scheme = auth == RIG_RSA ? CR_RSA_SHA256 : CR_ECDSA_SHA256;
    must(cr_key_private(pki_file(own), bytes_of(NULL, 0), &b->key));
    must(cr_key_private(pki_file("ca.key"), bytes_of(NULL, 0), &b->ca));
    must(cr_sign(b->ca, CR_RSA_SHA256, &text, 1, b->ca_sig, &b->ca_sig_len));
}

static void bare_auth(struct bare *b)
{
    const struct bytes signed_octets = bytes_of(b->msg, 400), id = bytes_of(b->msg, 24);
    const struct bytes key = bytes_of(b->keys, 32);
    uint8_t out[32];
    for (int side = 0; side < 2; side++) {
        must(cr_prf(b->prf, bytes_of(b->msg, 12), &id, 1, out));
        must(cr_prf(b->prf, key, &id, 1, out));
        must(cr_prf(b->prf, key, &signed_octets, 1, out));
    }
}

static void bare_messages(struct bare *b)
{
    struct cr_sk *sk = NULL;
    must(cr_sk_new(b->encr, b->integ, bytes_of(b->keys, 16), bytes_of(b->keys + 32, 32), &sk));
    must(cr_sk_seal(sk, b->msg, 32, 240));
    must(cr_sk_open(sk, b->msg, 32, 240));
    cr_sk_free(sk);
}

static double bare_us(const char *group, enum rig_auth auth, unsigned count)
{
    struct bare b = {.ke = alg_by_name(group, strlen(group)),
                     .prf = alg_find(T_PRF, PRF_HMAC_SHA2_256, 0),
                     .encr = alg_find(T_ENCR, ENCR_AES_CBC, 128),
                     .integ = alg_find(T_INTEG, AUTH_HMAC_SHA2_256_128, 0)};
    if (!b.ke || !b.prf || !b.encr || !b.integ || cr_ke_new(b.ke->id, &b.peer))
        abort();
    bare_keys_of(&b, auth);
    uint64_t t0 = rig_cpu_ns();
    for (unsigned i = 0; i < count; i++) {
        bare_ke(&b);
        bare_keys(&b);
        (b.key ? bare_signatures : bare_auth)(&b);
        bare_messages(&b);
    }
    double us = (double)(rig_cpu_ns() - t0) / 1000.0 / count;
    cr_key_unref(b.key);
    cr_key_unref(b.ca);
    secret_free(&b.shared);
    cr_ke_free(b.peer);
    return us;
}

static void measure(const char *group, const char *by, unsigned count, bool json, bool first)
{
    struct world w;
    char name[32];
    enum rig_auth auth = RIG_PSK;
    if (!rig_auth_of(by, &auth))
        abort();
    world_open(&w, group, auth, count);
    w.side[INITIATOR].cpu_ns = w.side[RESPONDER].cpu_ns = 0;
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "p%u", i);
        feed(&w, INITIATOR, &(struct ike_in){.kind = IN_INITIATE, .conn = name, .child = "net"});
        w.now_ms++;
    }
    if (w.side[RESPONDER].up != count || w.side[INITIATOR].up != count) {
        fprintf(stderr, "only %u of %u negotiations came up\n", w.side[RESPONDER].up, count);
        exit(1);
    }
    double r = (double)w.side[RESPONDER].cpu_ns / 1000.0 / count;
    double in = (double)w.side[INITIATOR].cpu_ns / 1000.0 / count;
    double fl = bare_us(group, auth, count < 200 ? count : 200);
    if (json)
        printf("%s{\"group\":\"%s\",\"auth\":\"%s\",\"count\":%u,\"responder_us\":%.1f,\"initiator_"
               "us\":%.1f,"
               "\"bare_us\":%.1f,\"responder_per_cpu_s\":%.0f}",
               first ? "[" : ",", group, by, count, r, in, fl, 1e6 / r);
    else
        printf("%-10s %-6s %6u  %9.1f %9.1f %9.1f  %6.2f %6.2f  %9.0f\n", group, by, count, r, in,
               fl, r / fl, in / fl, 1e6 / r);
    for (int i = 0; i < SIDES; i++)
        rig_close(&w.side[i].rig);
}

int main(int argc, char **argv)
{
    static const char *const all[] = {"x25519", "ecp256", "ecp384", "modp2048", "modp3072"};
    static const struct option options[] = {{"group", required_argument, NULL, 'g'},
                                            {"auth", required_argument, NULL, 'a'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    const char *only = NULL, *by = "psk", *what = NULL;
    enum rig_auth auth;
    unsigned count = 200;
    bool json = false, first = true;
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'g')
            only = optarg;
        else if (o == 'a')
            by = optarg;
        else if (o == 'c')
            count = (unsigned)atoi(optarg);
        else if (o == 'j')
            json = true;
        else
            return 2;
    }
    if (count == 0 || !rig_auth_of(by, &auth) || cr_init(&what)) {
        fprintf(stderr, "bench-handshake: %s\n", what ? what : "bad --count or --auth");
        return 2;
    }
    if (!json)
        printf("%-10s %-6s %6s  %9s %9s %9s  %6s %6s  %9s\n", "group", "auth", "count", "resp us",
               "init us", "bare us", "r/bare", "i/bare", "resp/s");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (only && strcmp(only, all[i]) != 0)
            continue;
        measure(all[i], by, count, json, first);
        first = false;
    }
    if (json)
        puts(first ? "[]" : "]");
    cr_fini();
    return first;
}
