/*
 * Inbound AH, transport mode, BEET and IPComp behind authentication. Input: which SA, the length of
 * the outer header, the header, the payload (for ESP with its trailer); the ICV is made here. What
 * is let in must be whole and within the selectors.
 */
#include "dataplane/modes.h"
#include "dp_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAC = 16, KINDS = 8, SPACE = 65536 + 1024 };

/* BEET has one address on each side. */
static struct ts_list host(uint8_t family, uint8_t last)
{
    struct ts t = fuzz_any(family);
    t.lo.ip[0] = 10;
    t.lo.ip[family == 4 ? 3 : 15] = last;
    t.hi = t.lo;
    return (struct ts_list){1, {t}};
}

static struct dp *dp_of(unsigned kind)
{
    static struct dp *made[KINDS];
    struct child_sa sa = fuzz_sa();
    if (made[kind])
        return made[kind];
    sa.local.addr = addr_v4((const uint8_t *)"\x7f\0\0\1");
    sa.remote.addr = addr_v4((const uint8_t *)"\x7f\0\0\2");
    sa.mode = (uint8_t[]){MODE_TRANSPORT, MODE_BEET, MODE_TUNNEL,    MODE_TRANSPORT,
                          MODE_TUNNEL,    MODE_BEET, MODE_TRANSPORT, MODE_BEET}[kind];
    if (kind >= 4 && kind < 7) {
        sa.proto = PROTO_AH;
        sa.encr = NULL;
    }
    if (kind == 2 || kind == 3 || kind == 6)
        sa.cpi_in = sa.cpi_out = 2;
    if (kind == 3)
        sa.oa_remote = sa.local.addr;
    if (sa.mode == MODE_BEET) {
        sa.local_ts = host(kind == 7 ? 6 : 4, 1);
        sa.remote_ts = host(kind == 7 ? 6 : 4, 2);
    }
    return made[kind] = fuzz_dp_of(&sa);
}

static void check_inner(const struct dp *d, const struct dp_pkt *p)
{
    struct ip_info ip;
    FUZZ_CHECK(ip_parse(p->data, p->len, &ip) == E_OK && ip.len <= p->len);
    flow_turn(&ip.flow);
    FUZZ_CHECK(sel_set_match(&child_find(d, 1)->sel, &ip.flow));
}

/* The ICV over what AH sees, into its place; false: the header is not one. */
static bool seal_ah(struct dp *d, uint8_t *ip, uint32_t hlen, uint32_t len)
{
    static uint8_t copy[SPACE];
    memcpy(copy, ip, hlen + len);
    if (hlen == 0 || ah_zero(copy, hlen))
        return false;
    struct cr_op op = {.key = child_find(d, 1)->out->key, .p = copy, .text_len = hlen + len - 8};
    cr_seal(d->crypto, &op, 1);
    memcpy(ip + hlen + AH_FIXED, copy + hlen + len, MAC);
    return true;
}

static uint32_t put_ah(struct dp *d, uint8_t *ip, uint32_t hlen, const uint8_t *body, uint32_t n)
{
    uint8_t *ah = ip + hlen;
    memset(ah, 0, AH_FIXED + MAC);
    ah[0] = body[0];
    ah[1] = (AH_FIXED + MAC) / 4 - 2;
    put_u32(ah + 4, 0x1000);
    put_u32(ah + 8, (uint32_t)++child_find(d, 1)->out->seq);
    memcpy(ah + AH_FIXED + MAC, body + 1, n - 1);
    seal_ah(d, ip, hlen, AH_FIXED + MAC + n - 1);
    return AH_FIXED + MAC + n - 1;
}

static uint32_t put_esp(struct dp *d, uint8_t *ip, uint32_t hlen, const uint8_t *body, uint32_t n)
{
    uint8_t *esp = ip + hlen;
    n &= ~3u;
    put_u32(esp, 0x1000);
    put_u32(esp + 4, (uint32_t)++child_find(d, 1)->out->seq);
    memcpy(esp + 8, body, n);
    struct cr_op op = {.key = child_find(d, 1)->out->key, .p = esp, .text_len = n};
    if (n)
        cr_seal(d->crypto, &op, 1);
    return 8 + n + MAC;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[SPACE];
    if (size < 3 || size > 4096)
        return 0;
    unsigned kind = data[0] % KINDS;
    uint32_t hlen = data[1] & 127, n = (uint32_t)size - 2 - hlen;
    if (hlen + 3 > size)
        return 0;
    struct dp *d = dp_of(kind);
    struct child *c = child_find(d, 1);
    bool ah = c->in->f.kind == KIND_AH;
    FUZZ_CHECK(c->out->key || sa_key_out(d, c->out) == E_OK);
    uint8_t *ip = buf + 256;
    memcpy(ip, data + 2, hlen);
    uint32_t len =
        ah ? put_ah(d, ip, hlen, data + 2 + hlen, n) : put_esp(d, ip, hlen, data + 2 + hlen, n);
    struct dp_pkt p = {.data = ip + hlen + (ah ? 4 : 0),
                       .len = len - (ah ? 4 : 0),
                       .ah = ah,
                       .ip_len = (uint16_t)(hlen + (ah && hlen ? 4 : 0)),
                       .local = c->out->local,
                       .remote = c->in->remote},
                  *pp = &p;
    dp_inbound(d, &pp, 1, 1);
    FUZZ_CHECK(p.verdict == DP_TO_HOST || p.verdict == DP_DROP);
    FUZZ_CHECK(p.reason != R_DP_ICV);
    if (p.verdict == DP_TO_HOST)
        check_inner(d, &p);
    return 0;
}
