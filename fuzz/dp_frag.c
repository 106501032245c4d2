/* Any IPv4 packet cut into pieces for a path of any size: each piece is whole, fits, says where it
 * belongs, and together they are the packet. */
#include "dp_setup.h"
#include "dataplane/frag_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_piece(const uint8_t *p, uint32_t n, uint32_t mtu, uint32_t at)
{
    struct ip_info ip;
    FUZZ_CHECK(n <= mtu && ip_parse(p, n, &ip) == E_OK && ip.len == n);
    FUZZ_CHECK((get_u16(p + 6) & 0x1fffu) == at);
    FUZZ_CHECK(ip_csum(ip_sum(p, (p[0] & 15u) * 4u, 0)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frag_out f;
    static uint8_t out[65535];
    struct ip_info ip;
    if (size < 22 || size > 65535)
        return 0;
    uint32_t mtu = get_u16(data), n, at, payload = 0;
    data += 2;
    if (ip_parse(data, (uint32_t)size - 2, &ip) || flow_family(&ip.flow) != 4)
        return 0;
    FUZZ_CHECK(frag_out_put(&f, 1, data, ip.len));
    at = get_u16(data + 6) & 0x1fffu;
    bool whole = true;
    while (f.count) {
        n = frag_out_cut(&f, out, mtu);
        whole = whole && n;
        if (!n)
            continue;
        uint32_t hlen = (out[0] & 15u) * 4u;
        check_piece(out, n, mtu, at);
        FUZZ_CHECK(!memcmp(out + hlen, data + ip.l4 + payload, n - hlen));
        payload += n - hlen;
        at += (n - hlen) / 8;
    }
    FUZZ_CHECK(!whole || payload == ip.len - ip.l4);
    return 0;
}
