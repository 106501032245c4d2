/* The IP parser, and what follows it on the way out: a clear packet of any shape through
 * dp_outbound, in a buffer of just the promised head- and tailroom. */
#include "dp_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size)
{
    struct ip_info ip;
    uint8_t *b = malloc(size ? size : 1);
    FUZZ_CHECK(b);
    memcpy(b, data, size);
    if (ip_parse(b, (uint32_t)size, &ip) == E_OK) {
        FUZZ_CHECK(ip.l4 <= ip.len && ip.len <= size && ip.l4 >= 20);
        FUZZ_CHECK(!(ip.flow.meta & FLOW_PORTS) || (!ip.later_frag && ip.l4 + 4 <= ip.len));
    }
    free(b);
}

/* Packets that were cut leave piece by piece; between them the SA's own. */
static void drain(struct dp *d)
{
    static uint8_t b[DP_HEADROOM + 65535 + DP_TAILROOM];
    struct dp_pkt p;
    while (dp_held_next(d, &p, b, sizeof b, 1)) {
        FUZZ_CHECK(p.verdict == DP_TO_NET || p.verdict == DP_TO_HOST);
        FUZZ_CHECK(p.data >= b && p.data + p.len <= b + sizeof b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dp *d;
    if (!d)
        d = fuzz_dp(false);
    if (size > 65535)
        return 0;
    parse(data, size);
    uint8_t *b = malloc(DP_HEADROOM + size + DP_TAILROOM);
    FUZZ_CHECK(b);
    memcpy(b + DP_HEADROOM, data, size);
    struct dp_pkt p = {.data = b + DP_HEADROOM, .len = (uint32_t)size}, *pp = &p;
    dp_outbound(d, &pp, 1, 1);
    FUZZ_CHECK(p.verdict == DP_TO_NET || p.verdict == DP_TO_HOST || p.verdict == DP_DROP ||
               p.verdict == DP_HELD);
    if (p.verdict == DP_TO_NET || p.verdict == DP_TO_HOST)
        FUZZ_CHECK(p.data >= b && p.data + p.len <= b + DP_HEADROOM + size + DP_TAILROOM);
    free(b);
    drain(d);
    return 0;
}
