/* See testkit.h. */
#include "dataplane/testkit.h"
#include <stdlib.h>

const struct kit_suite kit_suites[] = {
    {"aes128gcm16", ENCR_AES_GCM_16, 128, 0},
    {"aes256gcm16", ENCR_AES_GCM_16, 256, 0},
    {"aes192gcm16", ENCR_AES_GCM_16, 192, 0},
    {"aes128gcm8", ENCR_AES_GCM_8, 128, 0},
    {"aes128gcm12", ENCR_AES_GCM_12, 128, 0},
    {"chacha20poly1305", ENCR_CHACHA20_POLY1305, 0, 0},
    {"aes128-sha256", ENCR_AES_CBC, 128, AUTH_HMAC_SHA2_256_128},
    {"aes192-sha384", ENCR_AES_CBC, 192, AUTH_HMAC_SHA2_384_192},
    {"aes256-sha512", ENCR_AES_CBC, 256, AUTH_HMAC_SHA2_512_256},
    {"aes128-sha1", ENCR_AES_CBC, 128, AUTH_HMAC_SHA1_96},
    {"aes128-md5", ENCR_AES_CBC, 128, AUTH_HMAC_MD5_96},
    {"3des-sha1", ENCR_3DES, 0, AUTH_HMAC_SHA1_96},
    {"3des-md5", ENCR_3DES, 0, AUTH_HMAC_MD5_96},
    {"null-sha256", ENCR_NULL, 0, AUTH_HMAC_SHA2_256_128},
};
const size_t kit_suite_count = sizeof kit_suites / sizeof kit_suites[0];

uint64_t kit_rand(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct ts kit_ts(const char *prefix)
{
    struct ts t = {.port_hi = 0xffff};
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, prefix));
    addr_prefix_range(&a, bits, &t.lo, &t.hi);
    return t;
}

struct dp *kit_dp(void)
{
    struct dp_settings s;
    dp_settings_default(&s);
    s.sa_max = 65536;
    s.path_probes = false;
    s.seed[0] = 0x1234;
    s.seed[1] = 0x5678;
    struct dp *d = dp_new(&s);
    assert_non_null(d);
    return d;
}

void kit_policy(struct dp *d, const char *local, const char *remote, const char *local6,
                const char *remote6)
{
    struct policy p = {.id = 7, .priority = 100, .action = POL_PROTECT, .conn = "net"};
    p.local = (struct ts_list){2, {kit_ts(local), kit_ts(local6)}};
    p.remote = (struct ts_list){2, {kit_ts(remote), kit_ts(remote6)}};
    dp_policy_del(d, p.id);
    assert_int_equal(dp_policy_add(d, &p), E_OK);
}

static void fill_key(struct secret *s, size_t n, uint64_t seed)
{
    assert_int_equal(secret_alloc(s, n), E_OK);
    for (size_t i = 0; i < n; i++)
        s->p[i] = (uint8_t)kit_rand(&seed);
}

static void fill_keys(struct child_sa *sa, struct child_keys *k, uint64_t seed)
{
    fill_key(&k->encr, (size_t)sa->encr->key_len + sa->encr->salt_len, seed);
    if (sa->integ)
        fill_key(&k->integ, sa->integ->key_len, seed + 1);
}

static struct endpoint endpoint(const char *a)
{
    struct endpoint e = {.port = 4500};
    assert_true(addr_parse(&e.addr, a));
    return e;
}

void kit_sa(struct child_sa *sa, const struct kit_suite *s, const struct kit_opts *o, bool is_a)
{
    struct endpoint a = endpoint(o->outer6 ? "2001:db8::a" : "192.0.2.1");
    struct endpoint b = endpoint(o->outer6 ? "2001:db8::b" : "192.0.2.2");
    *sa = (struct child_sa){.id = 1,
                            .policy = 7,
                            .proto = PROTO_ESP,
                            .mode = MODE_TUNNEL,
                            .dirs = DIR_BOTH,
                            .encr = alg_find(T_ENCR, s->encr, s->encr_bits),
                            .integ = s->integ ? alg_find(T_INTEG, s->integ, 0) : NULL,
                            .esn = o->esn,
                            .replay_window = o->no_replay ? 0
                                             : o->window  ? o->window
                                                          : 64,
                            .udp_encap = o->udp,
                            .life = o->life,
                            .ip = o->ip,
                            .local = is_a ? a : b,
                            .remote = is_a ? b : a};
    assert_non_null(sa->encr);
    fill_keys(sa, is_a ? &sa->out : &sa->in, 100);
    fill_keys(sa, is_a ? &sa->in : &sa->out, 200);
    struct ts_list net_a = {2, {kit_ts("10.1.0.0/16"), kit_ts("fd01::/64")}};
    struct ts_list net_b = {2, {kit_ts("10.2.0.0/16"), kit_ts("fd02::/64")}};
    sa->local_ts = is_a ? net_a : net_b;
    sa->remote_ts = is_a ? net_b : net_a;
}

void kit_sa_free(struct child_sa *sa)
{
    secret_free(&sa->in.encr);
    secret_free(&sa->in.integ);
    secret_free(&sa->out.encr);
    secret_free(&sa->out.integ);
}

void kit_up(struct kit *k, const struct kit_suite *s, const struct kit_opts *o)
{
    k->suite = s;
    k->a = kit_dp();
    k->b = kit_dp();
    k->a->set.path_probes = k->b->set.path_probes = o->probes;
    kit_policy(k->a, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64");
    kit_policy(k->b, "10.2.0.0/16", "10.1.0.0/16", "fd02::/64", "fd01::/64");
    kit_sa(&k->sa_a, s, o, true);
    kit_sa(&k->sa_b, s, o, false);
    k->sa_a.spi_in = k->sa_b.spi_out = dp_spi_alloc(k->a);
    k->sa_b.spi_in = k->sa_a.spi_out = dp_spi_alloc(k->b);
    assert_int_equal(dp_child_add(k->a, &k->sa_a, 0), E_OK);
    assert_int_equal(dp_child_add(k->b, &k->sa_b, 0), E_OK);
}

void kit_down(struct kit *k)
{
    kit_sa_free(&k->sa_a);
    kit_sa_free(&k->sa_b);
    dp_free(k->a);
    dp_free(k->b);
}

static void inner4(uint8_t *p, uint32_t len, bool from_a)
{
    static const uint8_t h[20] = {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17};
    memcpy(p, h, 20);
    put_u16(p + 2, (uint16_t)len);
    put_u32(p + 12, from_a ? 0x0a010203 : 0x0a020203);
    put_u32(p + 16, from_a ? 0x0a020203 : 0x0a010203);
    put_u16(p + 10, ip_csum(ip_sum(p, 20, 0)));
}

static void inner6(uint8_t *p, uint32_t len, bool from_a)
{
    static const uint8_t a[16] = {0xfd, 1, [15] = 5}, b[16] = {0xfd, 2, [15] = 5};
    memset(p, 0, 8);
    p[0] = 0x60;
    put_u16(p + 4, (uint16_t)(len - 40));
    p[6] = 17;
    p[7] = 64;
    memcpy(p + 8, from_a ? a : b, 16);
    memcpy(p + 24, from_a ? b : a, 16);
}

uint32_t kit_inner(uint8_t *p, uint32_t len, unsigned family, bool from_a)
{
    for (uint32_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 7);
    if (family == 4)
        inner4(p, len, from_a);
    else
        inner6(p, len, from_a);
    return len;
}

struct dp_pkt kit_pkt(uint8_t *buf, uint32_t len)
{
    return (struct dp_pkt){.data = buf + DP_HEADROOM, .len = len};
}

void kit_cross(struct dp_pkt *p)
{
    struct endpoint t = p->local;
    p->local = p->remote;
    p->remote = t;
    p->verdict = DP_NONE;
    p->child_id = 0;
}

void kit_out(struct dp *d, struct dp_pkt *p)
{
    dp_outbound(d, &p, 1, 1000);
}

void kit_in(struct dp *d, struct dp_pkt *p)
{
    dp_inbound(d, &p, 1, 1000);
}

uint64_t kit_drops(const struct dp *d, err_t reason)
{
    struct dp_stats s;
    dp_stats_get(d, &s);
    return s.drops[reason];
}
