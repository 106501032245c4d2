/* Engine, surroundings and connections of the control plane's benches: see ike_rig.h. */
#include "ike_rig.h"
#include "crypto/crypto.h"
#include "pki_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t rig_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t rig_now_ms(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t rig_wall_s(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000000;
}

bool rig_auth_of(const char *name, enum rig_auth *out)
{
    static const char *const names[] = {"psk", "rsa", "ecdsa"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            *out = (enum rig_auth)i;
            return true;
        }
    return false;
}

static void env_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    cr_random(p, n);
}

static uint32_t env_spi(void *ctx, const struct ike_spi_use *use)
{
    struct rig *r = ctx;
    (void)use;
    return r->dp ? dp_spi_alloc(r->dp) : ++r->next_spi;
}

static bool env_stats(void *ctx, uint32_t id, struct child_stats *out)
{
    (void)ctx;
    (void)id;
    *out = (struct child_stats){0};
    return true;
}

static bool env_source(void *ctx, const struct addr *remote, struct addr *out)
{
    struct rig *r = ctx;
    (void)remote;
    *out = r->at;
    return true;
}

static bool env_resolve(void *ctx, const char *host, uint8_t family, struct addr *out)
{
    (void)ctx;
    (void)host;
    (void)family;
    (void)out;
    return false;
}

/* As a daemon with its log off. */
static bool env_hears(void *ctx, enum event_kind kind)
{
    (void)ctx;
    (void)kind;
    return false;
}

void rig_open(struct rig *r, struct addr at)
{
    static const struct ike_version *const versions[] = {&ike_v2};
    struct ike_settings set;
    struct ike_out out = {0};
    ike_settings_default(&set);
    set.cookie_threshold = set.half_open_max = UINT32_MAX;
    *r = (struct rig){.at = at, .next_spi = 0x1000};
    const struct ike_env env = {r,          env_random,  env_spi,  env_stats,
                                env_source, env_resolve, env_hears};
    r->ike = ike_new(&set, &env, versions, 1);
    struct shared *sh = shared_new("ike-1");
    if (!r->ike || !sh || secret_set(&sh->secret, bytes_of("bench secret", 12)))
        abort();
    if (ike_step(r->ike, &(struct ike_in){.kind = IN_SHARED_LOAD, .now_ms = 1, .shared = sh}, &out))
        abort();
    ike_out_free(&out);
}

void rig_certs(struct rig *r, enum rig_auth auth, bool gateway)
{
    static const char *const files[2][2][2] = {
        {{"gwa.pem", "gwa.key"}, {"gwa-ec256.pem", "gwa-ec256.key"}},
        {{"gwb.pem", "gwb.key"}, {"gwb-ec256.pem", "gwb-ec256.key"}},
    };
    struct ike_out out = {0};
    if (auth == RIG_PSK)
        return;
    const char *const *own = files[gateway][auth == RIG_ECDSA];
    struct pki *p = pki_of_files((const char *const[]){"ca.pem", NULL},
                                 (const char *const[]){own[0], own[1], NULL});
    if (ike_step(r->ike, &(struct ike_in){.kind = IN_PKI, .now_ms = 1, .pki = p}, &out))
        abort();
    ike_out_free(&out);
    pki_unref(p);
}

void rig_close(struct rig *r)
{
    ike_free(r->ike);
    dp_free(r->dp);
}

struct addr rig_peer_addr(uint32_t i)
{
    i += 0x64400001; /* 100.64.0.1 */
    return addr_v4(
        (const uint8_t[4]){(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i});
}

struct conn *rig_conn_new(const struct rig_conn *rc)
{
    char words[64];
    struct proposal_error err;
    const char *why;
    struct conn *c = conn_new(rc->name);
    struct conn_child *ch = c ? conn_child_add(c, "net") : NULL;
    if (!ch)
        abort();
    snprintf(words, sizeof words, "aes128-sha256-%s", rc->group);
    c->version = 2;
    c->unique = UNIQUE_NEVER;
    c->local[0].lo = c->local[0].hi = rc->local;
    c->remote[0].lo = c->remote[0].hi = rc->remote;
    c->local_count = rc->local.family ? 1 : 0;
    c->remote_count = rc->remote.family ? 1 : 0;
    if (rc->id)
        id_parse(&c->auth_local.id, rc->id);
    if (rc->auth != RIG_PSK)
        c->auth_local.kind = c->auth_remote.kind = AUTH_PUBKEY;
    if (proposal_parse(PROTO_IKE, words, &c->ike, &err) ||
        proposal_parse(PROTO_ESP, "aes128gcm16", &ch->esp, &err) ||
        ts_conf_parse(&ch->local_ts.ts[0], rc->local_ts, &why) ||
        ts_conf_parse(&ch->remote_ts.ts[0], rc->remote_ts, &why))
        abort();
    ch->local_ts.count = ch->remote_ts.count = 1;
    return c;
}

struct conn *rig_peer_conn(uint32_t i, const char *group, enum rig_auth auth,
                           const struct addr *gateway)
{
    char name[24], id[40], ts[24];
    snprintf(name, sizeof name, "p%u", i);
    snprintf(id, sizeof id, "p%u.example.org", i);
    snprintf(ts, sizeof ts, "10.%u.%u.%u/32", 128 + (i >> 16) % 128, (i >> 8) & 255, i & 255);
    return rig_conn_new(&(struct rig_conn){.name = name,
                                           .group = group,
                                           .auth = auth,
                                           .local = rig_peer_addr(i),
                                           .remote = *gateway,
                                           .id = auth == RIG_PSK ? id : RIG_PEERS_ID,
                                           .local_ts = ts,
                                           .remote_ts = "192.168.0.0/16"});
}
