/*
 * Fragments: cutting a datagram and joining the pieces gives the datagram; and what is no piece of
 * anything is joined to nothing that is not whole. Input: a packet, and how its pieces are spoilt.
 */
#include "dataplane/frag_join.h"
#include "dataplane/ip.h"
#include "dp_setup.h"
#include "io/cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_whole(const uint8_t *p, uint32_t n)
{
    struct ip_info ip;
    if (ip_parse(p, n, &ip) == E_OK)
        FUZZ_CHECK(ip.len == n);
    FUZZ_CHECK(n <= 65535 && !frag_join_is(p, n < 20 ? n : 20));
}

static void join(struct frag_join *f, const uint8_t *p, uint32_t len, const uint8_t *want,
                 uint32_t want_len, uint32_t hlen)
{
    uint8_t *whole;
    uint32_t n;
    err_t e = frag_join_put(f, 0, p, len, &whole, &n);
    FUZZ_CHECK(e == E_OK || (e == R_DP_FRAGMENT && !whole));
    if (!whole)
        return;
    check_whole(whole, n);
    if (want && n == want_len)
        FUZZ_CHECK(memcmp(whole + hlen, want + hlen, n - hlen) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frag_join *f;
    static uint8_t packet[8192], piece[CUT_SIZE];
    struct cut c;
    if (!f)
        FUZZ_CHECK((f = frag_join_new()) != NULL);
    if (size < 22 || size > 2048 || (data[1] >> 4 != 4 && data[1] >> 4 != 6))
        return 0;
    if (frag_join_is(data + 1, (uint32_t)size - 1))
        join(f, data + 1, (uint32_t)size - 1, NULL, 0, 0);
    uint32_t len = (uint32_t)size - 1, big = len * 4;
    for (uint32_t i = 0; i < big; i++)
        packet[i] = i < len ? data[1 + i] : (uint8_t)i;
    if (!cut_begin(&c, packet, big, 1))
        return 0;
    for (uint32_t n, i = 0; (n = cut_next(&c, piece)) != 0; i++) {
        FUZZ_CHECK(n <= CUT_SIZE &&
                   frag_join_is(piece, n) == (big - c.hlen > n - c.hlen || packet[0] >> 4 == 6));
        if (i == data[0] >> 4)
            piece[data[0] & 15] ^= 0x20;
        if (frag_join_is(piece, n))
            join(f, piece, n, data[0] >> 4 > 7 ? packet : NULL, big, c.hlen);
    }
    return 0;
}
