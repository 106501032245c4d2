/* Inbound ESP behind authentication: the input is the payload with its trailer, sealed here, so
 * that padding, next header, inner packet and selectors are reached. What is let in must be whole.
 */
#include "dp_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inner(const struct dp *d, const struct dp_pkt *p)
{
    struct ip_info ip;
    FUZZ_CHECK(ip_parse(p->data, p->len, &ip) == E_OK && ip.len == p->len);
    flow_turn(&ip.flow);
    FUZZ_CHECK(sel_set_match(&child_find(d, 1)->sel, &ip.flow));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dp *d;
    if (!d)
        d = fuzz_dp(false);
    if (size < 2 || size > 4096)
        return 0;
    struct child *c = child_find(d, 1);
    FUZZ_CHECK(c->out->key || sa_key_out(d, c->out) == E_OK); /* else made at its first packet */
    uint8_t tos = data[0];
    uint32_t n = (uint32_t)(size - 1) & ~3u;
    uint8_t *b = malloc(8 + n + 16);
    FUZZ_CHECK(b);
    put_u32(b, 0x1000);
    put_u32(b + 4, (uint32_t)++c->out->seq);
    memcpy(b + 8, data + 1, n);
    if (n) {
        struct cr_op op = {.key = c->out->key, .p = b, .text_len = n};
        cr_seal(d->crypto, &op, 1);
    }
    struct dp_pkt p = {.data = b, .len = 8 + n + 16, .tos = tos}, *pp = &p;
    dp_inbound(d, &pp, 1, 1);
    FUZZ_CHECK(p.reason != R_DP_ICV || n == 0);
    FUZZ_CHECK(p.verdict == DP_TO_HOST || p.verdict == DP_DROP);
    if (p.verdict == DP_TO_HOST)
        check_inner(d, &p);
    free(b);
    return 0;
}
