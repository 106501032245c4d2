/* A batch of hostile packets: every one of them is in one group, order is kept within it, lone ones
 * are unchanged, and groups split back into what came. Input: packets, each after its length and a
 * byte of which the lowest bit asks for its checksums to be made right. */
#include "dataplane/coalesce.h"
#include "dataplane/gsokit.h"
#include "dataplane/split.h"
#include <stdlib.h>

#define FUZZ_CHECK(x)                                                                              \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct coalesce c;
static struct co_pkt pkts[COALESCE_MAX];
static uint8_t *old[COALESCE_MAX], joined[GK_MAX + 4096], seg[GK_MAX];

/* Long enough, and of a kind, for checksums to have a place. */
static bool sealable(const uint8_t *p, uint32_t n)
{
    if (n < 60 || (p[0] != 0x45 && p[0] >> 4 != 6))
        return false;
    return p[0] == 0x45 ? p[9] == 6 || p[9] == 17 : p[6] == 6 || p[6] == 17;
}

static size_t take(struct rd r)
{
    size_t n = 0;
    while (n < COALESCE_MAX && rd_left(&r) >= 3) {
        uint32_t len = rd_u16(&r);
        uint8_t how = rd_u8(&r);
        struct bytes b = rd_bytes(&r, len < rd_left(&r) ? len : rd_left(&r));
        uint8_t *p = malloc(b.n ? b.n : 1);
        old[n] = malloc(b.n ? b.n : 1);
        FUZZ_CHECK(p && old[n]);
        memcpy(p, b.p, b.n);
        if ((how & 1) && sealable(p, (uint32_t)b.n))
            gk_seal(p, (uint32_t)b.n);
        memcpy(old[n], p, b.n);
        pkts[n++] = (struct co_pkt){p, (uint32_t)b.n};
    }
    return n;
}

static size_t member(size_t n, const struct bytes *v)
{
    for (size_t i = 0; i < n; i++)
        if (v->p >= pkts[i].p && v->p + v->n == pkts[i].p + pkts[i].n)
            return i;
    abort();
}

static bool same(const uint8_t *came, const uint8_t *now, uint32_t n)
{
    uint8_t a[60], b[60]; /* identification and, by it, the IPv4 checksum are free with DF */
    uint32_t h = n < 60 ? n : 60;
    memcpy(a, came, h);
    memcpy(b, now, h);
    if (came[0] >> 4 == 4 && (came[6] & 0x40)) {
        memset(a + 4, 0, 2);
        memset(b + 4, 0, 2);
        memset(a + 10, 0, 2);
        memset(b + 10, 0, 2);
    }
    return memcmp(a, b, h) == 0 && memcmp(came + h, now + h, n - h) == 0;
}

static void check(const struct co_group *g, size_t n)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < g->nv; i++) {
        memcpy(joined + len, g->v[i].p, g->v[i].n);
        len += (uint32_t)g->v[i].n;
        FUZZ_CHECK(i == 0 || member(n, &g->v[i]) > member(n, &g->v[i - 1]));
    }
    FUZZ_CHECK(len == g->len);
    if (g->nv == 1) {
        FUZZ_CHECK(g->gso.kind == GSO_NONE && !g->gso.needs_csum);
        FUZZ_CHECK(len == pkts[g->first].n && memcmp(joined, old[g->first], len) == 0);
        return;
    }
    struct split s;
    FUZZ_CHECK(split_begin(&s, joined, len, &g->gso) == E_OK && s.n == g->nv);
    for (uint32_t i = 0; i < s.n; i++) {
        size_t at = member(n, &g->v[i]);
        uint32_t k = split_payload_len(&s, i);
        split_header(&s, i, seg);
        memcpy(seg + s.hdr_len, joined + split_payload_at(&s, i), k);
        FUZZ_CHECK(pkts[at].n == s.hdr_len + k && same(old[at], seg, s.hdr_len + k));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct co_flags all = {true, true, true, true};
    size_t n = take(rd_of(bytes_of(data, size))), groups = coalesce(&c, pkts, n, &all), seen = 0;
    for (size_t i = 0; i < groups; i++) {
        FUZZ_CHECK(i == 0 || c.group[i].first > c.group[i - 1].first);
        seen += c.group[i].nv;
        check(&c.group[i], n);
    }
    FUZZ_CHECK(seen == n);
    for (size_t i = 0; i < n; i++) {
        free(pkts[i].p);
        free(old[i]);
    }
    return 0;
}
