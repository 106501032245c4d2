/* A super-packet and its offload header, both hostile: what is cut must be whole, checksums right,
 * and what is refused unchanged. Input: ten bytes for struct gso, then the packet. */
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

static void segments(const struct split *s, const struct gso *g)
{
    static uint8_t out[GK_MAX], want[GK_MAX];
    uint32_t end = s->hdr_len;
    FUZZ_CHECK(s->n >= 1 && s->n <= SPLIT_MAX && s->hdr_len <= SPLIT_HEADER_MAX);
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t at = split_payload_at(s, i), n = split_payload_len(s, i);
        FUZZ_CHECK(at == end && n > 0 && at + n <= s->len);
        end = at + n;
        uint8_t *head = malloc(s->hdr_len);
        FUZZ_CHECK(head);
        split_header(s, i, head);
        memcpy(out, head, s->hdr_len);
        free(head);
        memcpy(out + s->hdr_len, s->pkt + at, n);
        FUZZ_CHECK(gk_segment(s->pkt, s->len, g, i, want) == s->hdr_len + n);
        FUZZ_CHECK(memcmp(out, want, s->hdr_len + n) == 0);
    }
    FUZZ_CHECK(end == s->len);
}

static void finish(uint8_t *p, uint32_t len, struct gso g)
{
    uint8_t *before = malloc(len ? len : 1);
    FUZZ_CHECK(before);
    memcpy(before, p, len);
    g.kind = GSO_NONE;
    if (split_finish(p, len, &g))
        FUZZ_CHECK(memcmp(before, p, len) == 0);
    free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 10 || size > 65535)
        return 0;
    struct gso g = {.kind = data[0],
                    .needs_csum = data[1] & 1,
                    .ecn = data[1] & 2,
                    .size = get_u16(data + 2),
                    .hdr_len = get_u16(data + 4),
                    .csum_start = get_u16(data + 6),
                    .csum_offset = get_u16(data + 8)};
    uint32_t len = (uint32_t)size - 10;
    uint8_t *p = malloc(len ? len : 1);
    FUZZ_CHECK(p);
    memcpy(p, data + 10, len);
    struct split s;
    if (split_begin(&s, p, len, &g) == E_OK)
        segments(&s, &g);
    FUZZ_CHECK(memcmp(p, data + 10, len) == 0);
    finish(p, len, g);
    free(p);
    return 0;
}
