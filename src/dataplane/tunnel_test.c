/* Fields of the outer and the inner header in all settings: RFC 4301 5.1.2, RFC 6040. */
#include "dataplane/testkit.h"

static uint8_t buf[KIT_BUF];

static const uint8_t dscps[] = {0, 0x28, 0xb8, 0xfc};

/* RFC 6040 figure 4, columns Not-ECT, ECT(1), ECT(0), CE; -1: drop */
static const int egress[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};

struct tunnel_case {
    struct tunnel_rules r;
    unsigned family;
    uint8_t inner, outer; /* TOS; outer: as received */
    bool df;
};

static void put_case(uint8_t *p, const struct tunnel_case *c)
{
    if (c->family == 6) {
        put_u16(p, (uint16_t)(0x6000 | c->inner << 4));
        return;
    }
    p[1] = c->inner;
    put_u16(p + 6, c->df ? 0x4000 : 0);
    put_u16(p + 10, 0);
    put_u16(p + 10, ip_csum(ip_sum(p, 20, 0)));
}

static bool out_ok(const struct tunnel_case *c, const struct dp_pkt *p)
{
    bool copies = c->r.dscp == DSCP_OUT || c->r.dscp == DSCP_BOTH;
    uint8_t tos = (uint8_t)((copies ? c->inner & 0xfc : c->r.dscp_value << 2) |
                            (c->r.ecn ? 0 : c->inner & 3));
    bool inner_df = c->family == 6 || c->df;
    bool df = c->r.df == DF_SET || (c->r.df == DF_COPY && inner_df);
    return p->verdict == DP_TO_NET && p->tos == tos && p->df == df;
}

static bool in_ok(const struct tunnel_case *c, const struct dp_pkt *p)
{
    int ecn = c->r.ecn ? c->inner & 3 : egress[c->inner & 3][c->outer & 3];
    bool takes = c->r.dscp == DSCP_IN || c->r.dscp == DSCP_BOTH;
    struct ip_info ip;
    if (ecn < 0)
        return p->verdict == DP_DROP && p->reason == R_DP_ECN;
    if (p->verdict != DP_TO_HOST || ip_parse(p->data, p->len, &ip))
        return false;
    uint8_t dscp = (takes ? c->outer : c->inner) & 0xfc;
    bool sum = c->family == 6 || ip_csum(ip_sum(p->data, 20, 0)) == 0;
    return ip.tos == (dscp | ecn) && sum && ip.df == (c->family == 6 || c->df) && ip.len == 100;
}

static void run(struct kit *k, const struct tunnel_case *c)
{
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, c->family, true));
    put_case(p.data, c);
    kit_out(k->a, &p);
    bool out = out_ok(c, &p);
    kit_cross(&p);
    p.tos = c->outer;
    kit_in(k->b, &p);
    if (!out || !in_ok(c, &p))
        fail_msg("dscp %u ecn %u df %u IPv%u inner %02x outer %02x DF %d: %s", c->r.dscp, c->r.ecn,
                 c->r.df, c->family, c->inner, c->outer, c->df, out ? "in" : "out");
}

static void all_packets(struct kit *k, struct tunnel_case *c)
{
    for (unsigned i = 0; i < 4 * 4 * 4 * 4 * 4; i++) {
        c->inner = (uint8_t)(dscps[i & 3] | (i >> 2 & 3));
        c->outer = (uint8_t)(dscps[i >> 4 & 3] | (i >> 6 & 3));
        c->df = i >> 8 & 1;
        c->family = i >> 9 ? 6 : 4;
        run(k, c);
    }
}

static void test_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4 * 2 * 3; i++) {
        struct tunnel_case c = {.r = {(uint8_t)(i & 3), (uint8_t)(i >> 2 & 1), (uint8_t)(i >> 3)}};
        c.r.dscp_value = i & 4 ? 46 : 0;
        struct kit k;
        kit_up(&k, &kit_suites[0], &(struct kit_opts){.ip = c.r});
        all_packets(&k, &c);
        kit_down(&k);
    }
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
