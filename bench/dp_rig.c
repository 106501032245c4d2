/* See dp_rig.h. Keys are fixed and the same for each SA; only speed is measured here. */
#include "dp_rig.h"
#include <stdio.h>
#include <stdlib.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "bench-dataplane: failed: %s\n", #x);                                  \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define LOCAL_NET 0x0a000000u /* 10/8 behind A */

uint64_t rig_rand(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t rig_remote(uint32_t i)
{
    return 0x64000000u + (i << 8); /* 100.0.0.0/24 and following */
}

static struct ts net(uint32_t first, uint32_t count)
{
    struct ts t = {.port_hi = 0xffff, .lo.family = 4, .hi.family = 4};
    put_u32(t.lo.ip, first);
    put_u32(t.hi.ip, first + count - 1);
    return t;
}

static void selectors(uint32_t i, bool swap, struct ts_list *local, struct ts_list *remote)
{
    struct ts_list a = {1, {net(LOCAL_NET, 1u << 24)}}, b = {1, {net(rig_remote(i), 256)}};
    *local = swap ? b : a;
    *remote = swap ? a : b;
}

void rig_policies(struct dp *d, uint32_t n, enum policy_action action, bool swap)
{
    for (uint32_t i = 0; i < n; i++) {
        struct policy p = {.id = i + 1, .priority = 100, .action = action};
        selectors(i, swap, &p.local, &p.remote);
        MUST(dp_policy_add(d, &p) == E_OK);
    }
}

static struct dp *plane(const struct rig_opts *o)
{
    struct dp_settings s;
    dp_settings_default(&s);
    s.crypto = o->impl;
    s.seed[0] = 11;
    s.mtu = 65000;
    struct dp *d = dp_new(&s);
    MUST(d);
    return d;
}

void rig_sa(struct dp *d, const struct rig_opts *o, uint32_t i, bool swap)
{
    static uint8_t key[64] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                              13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};
    struct child_sa sa = {.id = i + 1,
                          .policy = i + 1,
                          .proto = PROTO_ESP,
                          .dirs = DIR_BOTH,
                          .spi_in = 0x10000u + i,
                          .spi_out = 0x10000u + i,
                          .ip.mtu = 60000, /* known; else each large packet is looked at */
                          .encr = alg_find(T_ENCR, o->suite->encr, o->suite->bits),
                          .integ = o->suite->integ ? alg_find(T_INTEG, o->suite->integ, 0) : NULL,
                          .replay_window = o->window,
                          .udp_encap = true};
    MUST(sa.encr);
    sa.local.addr.family = sa.remote.addr.family = 4;
    sa.in.encr = (struct secret){key, (size_t)sa.encr->key_len + sa.encr->salt_len};
    sa.in.integ = (struct secret){key, sa.integ ? sa.integ->key_len : 0};
    sa.out = sa.in;
    selectors(i, swap, &sa.local_ts, &sa.remote_ts);
    MUST(dp_child_add(d, &sa, 0) == E_OK);
}

static void inner(uint8_t *p, uint32_t n)
{
    static const uint8_t h[28] = {0x45, 0, 0, 0, 0, 1, 0,    0, 64,   17,   0, 0, 10, 1,
                                  2,    3, 0, 0, 0, 0, 0x12, 0, 0x34, 0x56, 0, 0, 0,  0};
    for (uint32_t i = 28; i < n; i++)
        p[i] = (uint8_t)i;
    memcpy(p, h, 28);
    put_u16(p + 2, (uint16_t)n);
}

void rig_init(struct rig *r, const struct rig_opts *o)
{
    *r = (struct rig){.o = *o, .rnd = 5};
    r->a = plane(o);
    r->b = plane(o);
    uint32_t n = o->policies > o->sas ? o->policies : o->sas;
    rig_policies(r->a, n, POL_PROTECT, false);
    rig_policies(r->b, n, POL_PROTECT, true);
    r->seal_key = calloc(o->sas, sizeof(struct cr_esp *));
    r->open_key = calloc(o->sas, sizeof(struct cr_esp *));
    MUST(r->seal_key && r->open_key);
    for (uint32_t i = 0; i < o->sas; i++) {
        rig_sa(r->a, o, i, false);
        rig_sa(r->b, o, i, true);
        struct sa_out *out = child_find(r->a, i + 1)->out;
        struct sa_in *in = child_find(r->b, i + 1)->in;
        MUST(sa_key_out(r->a, out) == E_OK && sa_key_in(r->b, in) == E_OK);
        r->seal_key[i] = out->key;
        r->open_key[i] = in->key;
    }
    r->stride = (DP_HEADROOM + o->size + DP_TAILROOM + 127) / 128 * 128 + 64;
    r->bufs = aligned_alloc(64, r->stride * DP_BATCH);
    MUST(r->bufs);
    memset(r->bufs, 0, r->stride * DP_BATCH);
    for (size_t i = 0; i < DP_BATCH; i++) {
        r->pp[i] = &r->pkt[i];
        inner(r->bufs + i * r->stride + DP_HEADROOM, o->size);
    }
}

void rig_fini(struct rig *r)
{
    dp_free(r->a);
    dp_free(r->b);
    free(r->bufs);
    free(r->seal_key);
    free(r->open_key);
}

void rig_deal(struct rig *r)
{
    for (size_t i = 0; i < r->o.batch; i++) {
        uint32_t sa = r->o.sas > 1 ? (uint32_t)(rig_rand(&r->rnd) % r->o.sas) : 0;
        uint8_t *p = r->bufs + i * r->stride + DP_HEADROOM;
        r->sa[i] = sa;
        put_u32(p + 16, rig_remote(sa) + 9);
        r->pkt[i] = (struct dp_pkt){.data = p, .len = r->o.size};
    }
}

void rig_cross(struct rig *r)
{
    for (size_t i = 0; i < r->o.batch; i++) {
        MUST(r->pkt[i].verdict == DP_TO_NET);
        r->pkt[i].tos = 0;
    }
}

void rig_check(const struct rig *r)
{
    for (size_t i = 0; i < r->o.batch; i++)
        MUST(r->pkt[i].verdict == DP_TO_HOST && r->pkt[i].len == r->o.size);
}

void rig_crypto(struct rig *r, bool seal)
{
    for (size_t i = 0; i < r->o.batch; i++) {
        struct cr_op *op = &r->ops[i];
        op->key = (seal ? r->seal_key : r->open_key)[r->sa[i]];
        op->p = r->pkt[i].data;
        op->text_len = r->pkt[i].len;
        op->status = E_OK;
        op->iv_seed++;
    }
    if (seal)
        cr_seal(r->a->crypto, r->ops, r->o.batch);
    else
        cr_open(r->b->crypto, r->ops, r->o.batch);
}
