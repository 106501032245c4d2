/* Whatever arrives on the NAT traversal port: told apart, and nothing unauthentic gets in. */
#include "dp_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dp *d;
    if (!d)
        d = fuzz_dp(true);
    if (size > 65535)
        return 0;
    uint8_t *b = malloc(size ? size : 1);
    FUZZ_CHECK(b);
    memcpy(b, data, size);
    struct dp_pkt p = {.data = b, .len = (uint32_t)size, .udp = true}, *pp = &p;
    dp_inbound(d, &pp, 1, 1);
    switch (p.verdict) {
    case DP_KEEPALIVE:
        FUZZ_CHECK(size == 1 && data[0] == 0xff);
        break;
    case DP_TO_IKE:
        FUZZ_CHECK(size > 4 && get_u32(data) == 0 && p.data == b + 4 && p.len == size - 4);
        break;
    case DP_DROP:
        FUZZ_CHECK(p.reason > 0);
        break;
    default:
        FUZZ_CHECK(p.verdict == DP_TO_HOST); /* a fuzzer that finds HMAC-SHA-256 may pass */
    }
    free(b);
    return 0;
}
