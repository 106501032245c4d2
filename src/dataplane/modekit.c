/* See modekit.h. */
#include "dataplane/modekit.h"

const struct shape shapes[] = {
    {"esp transport", PROTO_ESP, MODE_TRANSPORT, false, false},
    {"esp beet", PROTO_ESP, MODE_BEET, false, false},
    {"ah tunnel", PROTO_AH, MODE_TUNNEL, false, false},
    {"ah transport", PROTO_AH, MODE_TRANSPORT, false, false},
    {"ah beet", PROTO_AH, MODE_BEET, false, false},
    {"ah+esp tunnel", PROTO_ESP, MODE_TUNNEL, true, false},
    {"ah+esp transport", PROTO_ESP, MODE_TRANSPORT, true, false},
    {"ah+esp beet", PROTO_ESP, MODE_BEET, true, false},
    {"esp tunnel ipcomp", PROTO_ESP, MODE_TUNNEL, false, true},
    {"esp transport ipcomp", PROTO_ESP, MODE_TRANSPORT, false, true},
    {"ah transport ipcomp", PROTO_AH, MODE_TRANSPORT, false, true},
    {"ah+esp beet ipcomp", PROTO_ESP, MODE_BEET, true, true},
    {"ah+esp without integrity, tunnel", PROTO_ESP, MODE_TUNNEL, true, false, true},
    {"ah+esp without integrity, transport", PROTO_ESP, MODE_TRANSPORT, true, false, true},
};

const size_t SHAPES = sizeof shapes / sizeof shapes[0];

uint8_t wire[KIT_BUF], got[KIT_BUF], plain[KIT_BUF];

struct addr kit_addr(const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text));
    return a;
}

static void shape_sa(struct child_sa *sa, const struct shape *s, unsigned inner, bool is_a)
{
    sa->mode = s->mode;
    sa->proto = s->proto;
    sa->replay_window = 64;
    if (s->proto == PROTO_AH) {
        secret_free(&sa->in.encr);
        secret_free(&sa->out.encr);
        sa->encr = NULL;
    }
    if (s->bare) {
        secret_free(&sa->in.integ);
        secret_free(&sa->out.integ);
        sa->integ = NULL;
    }
    if (s->zip)
        sa->cpi_in = sa->cpi_out = 0x1234;
    const char *a = inner == 4 ? "10.1.2.3/32" : "fd01::5/128";
    const char *b = inner == 4 ? "10.2.2.3/32" : "fd02::5/128";
    if (s->mode == MODE_TUNNEL)
        return;
    sa->local_ts = (struct ts_list){1, {kit_ts(is_a ? a : b)}};
    sa->remote_ts = (struct ts_list){1, {kit_ts(is_a ? b : a)}};
    if (s->mode == MODE_BEET)
        return;
    sa->local.addr = sa->local_ts.ts[0].lo;
    sa->remote.addr = sa->remote_ts.ts[0].lo;
}

static void bundle(struct child_sa *sa, const struct child_sa *like, bool is_a)
{
    static uint8_t key_a[32] = {1}, key_b[32] = {2};
    sa->ah = (struct child_ah){.spi_in = is_a ? 0x70001 : 0x70002,
                               .spi_out = is_a ? 0x70002 : 0x70001,
                               .integ = alg_find(T_INTEG, AUTH_HMAC_SHA2_256_128, 0),
                               .in = {is_a ? key_a : key_b, 32},
                               .out = {is_a ? key_b : key_a, 32},
                               .esn = like->esn};
}

void mode_up(struct peers *t, const struct shape *s, unsigned inner, const struct kit_suite *u,
             const struct kit_opts *o)
{
    *t = (struct peers){.s = s, .inner = inner};
    struct kit *k = &t->k;
    k->a = kit_dp();
    k->b = kit_dp();
    kit_policy(k->a, "10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64");
    kit_policy(k->b, "10.2.0.0/16", "10.1.0.0/16", "fd02::/64", "fd01::/64");
    kit_sa(&k->sa_a, u, o, true);
    kit_sa(&k->sa_b, u, o, false);
    shape_sa(&k->sa_a, s, inner, true);
    shape_sa(&k->sa_b, s, inner, false);
    if (s->ah) {
        bundle(&k->sa_a, &k->sa_a, true);
        bundle(&k->sa_b, &k->sa_a, false);
    }
    k->sa_a.spi_in = k->sa_b.spi_out = dp_spi_alloc(k->a);
    k->sa_b.spi_in = k->sa_a.spi_out = dp_spi_alloc(k->b);
    assert_int_equal(dp_child_add(k->a, &k->sa_a, 0), E_OK);
    assert_int_equal(dp_child_add(k->b, &k->sa_b, 0), E_OK);
}

struct dp_pkt mode_arrive(const struct dp_pkt *p, uint8_t *buf)
{
    uint8_t *at = buf + DP_HEADROOM;
    struct dp_pkt q = {.local = p->remote, .remote = p->local, .udp = p->udp, .tos = p->tos};
    struct transport_at h = {.next_at = p->remote.addr.family == 4 ? 9 : 6};
    if (!p->whole) {
        h.hlen = transport_header(at, &p->local.addr, &p->remote.addr, p->tos, p->ttl);
        memcpy(at + h.hlen, p->data, p->len);
        if (at[0] >> 4 == 6)
            put_u32(at, get_u32(at) | p->label);
        else if (p->df)
            at[6] = 0x40;
        transport_finish(at, &h, 50, p->len);
        q.len = p->len;
    } else {
        memcpy(at, p->data, p->len);
        assert_int_equal(transport_split(at, p->len, &h), E_OK);
        q.len = p->len - h.hlen;
        q.tos = at[0] >> 4 == 4 ? at[1] : (uint8_t)(at[0] << 4 | at[1] >> 4);
    }
    q.ah = p->whole && at[h.next_at] == 51;
    q.ip_len = p->udp ? 0 : (uint16_t)(h.hlen + (q.ah ? 4 : 0));
    q.data = at + h.hlen + (q.ah ? 4 : 0);
    q.len -= q.ah ? 4 : 0;
    return q;
}

uint32_t mode_inner(uint32_t len, unsigned family)
{
    uint32_t n = kit_inner(plain, len, family, true);
    if (family == 4 && len >= 20) { /* an identification of zero would not stay with AH */
        plain[4] = 0x11;
        plain[10] = plain[11] = 0;
        put_u16(plain + 10, ip_csum(ip_sum(plain, 20, 0)));
    }
    return n;
}

struct dp_pkt mode_sent(struct peers *t, uint32_t len)
{
    memcpy(wire + DP_HEADROOM, plain, len);
    struct dp_pkt p = kit_pkt(wire, len);
    kit_out(t->k.a, &p);
    if (p.verdict != DP_TO_NET)
        fail_msg("%s, %u bytes out: %s", t->s->name, len, err_name(p.reason));
    return p;
}
