/* Fragmentation before encryption: see frag_out.h. */
#include "dataplane/frag_out.h"
#include "dataplane/modes.h"
#include <stdlib.h>

enum { MF = 0x2000, OFFSET = 0x1fff, OPT_END = 0, OPT_NOP = 1, OPT_COPIED = 0x80, NEXT_IPV4 = 4 };

void frag_out_fini(struct frag_out *f)
{
    free(f->mem);
    f->mem = NULL;
}

/* Behind the last packet, or at the start again; the packets in use form one run. */
static bool find_room(const struct frag_out *f, uint32_t len, uint32_t *at)
{
    uint32_t first = f->count ? f->whole[f->first].at : 0;
    *at = f->count ? f->tail : 0;
    if (f->count && *at <= first)
        return len < first - *at;
    if (len <= FRAG_OUT_BYTES - *at)
        return true;
    *at = 0;
    return len < first;
}

bool frag_out_put(struct frag_out *f, uint32_t child_id, const uint8_t *p, uint32_t len)
{
    uint32_t at;
    if (!f->mem && !(f->mem = malloc(FRAG_OUT_BYTES)))
        return false;
    if (f->count == FRAG_OUT_PACKETS || !find_room(f, len, &at))
        return false;
    memcpy(f->mem + at, p, len);
    f->whole[(f->first + f->count++) % FRAG_OUT_PACKETS] =
        (struct frag_whole){.child_id = child_id, .at = at, .len = len};
    f->tail = at + len;
    return true;
}

static void drop_first(struct frag_out *f)
{
    f->first = (f->first + 1) % FRAG_OUT_PACKETS;
    f->count--;
}

/* RFC 791 3.1: options of later fragments are those with the copied flag. Header length. */
static uint32_t later_header(const uint8_t *p, uint32_t hlen, uint8_t *out)
{
    uint32_t n = 20;
    memcpy(out, p, 20);
    for (uint32_t at = 20; at < hlen && p[at] != OPT_END;) {
        uint32_t len = p[at] == OPT_NOP ? 1 : at + 1 < hlen ? p[at + 1] : 0;
        if (len < 1 || len > hlen - at || (p[at] != OPT_NOP && len < 2))
            break;
        if (p[at] & OPT_COPIED) {
            memcpy(out + n, p + at, len);
            n += len;
        }
        at += len;
    }
    while (n & 3)
        out[n++] = OPT_END;
    out[0] = (uint8_t)(0x40 | n / 4);
    return n;
}

static void finish_header(uint8_t *out, uint32_t hlen, uint32_t len, uint16_t frag)
{
    put_u16(out + 2, (uint16_t)len);
    put_u16(out + 6, frag);
    put_u16(out + 10, 0);
    put_u16(out + 10, ip_csum(ip_sum(out, hlen, 0)));
}

uint32_t frag_out_cut(struct frag_out *f, uint8_t *out, uint32_t mtu)
{
    struct frag_whole *w = &f->whole[f->first];
    const uint8_t *p = f->mem + w->at;
    uint32_t hlen = (p[0] & 15u) * 4u, payload = w->len - hlen, left = payload - w->done;
    uint32_t head = hlen;
    if (w->done)
        head = later_header(p, hlen, out);
    else
        memcpy(out, p, hlen);
    uint32_t room = mtu > head ? mtu - head : 0, n = left <= room ? left : room & ~7u;
    uint16_t was = get_u16(p + 6);
    uint32_t offset = (was & OFFSET) + w->done / 8;
    if (n == 0 || offset > OFFSET) {
        drop_first(f);
        return 0;
    }
    memcpy(out + head, p + hlen + w->done, n);
    bool more = n < left || (was & MF);
    finish_header(out, head, head + n, (uint16_t)(offset | (more ? MF : 0)));
    w->done += n;
    if (w->done == payload)
        drop_first(f);
    return head + n;
}

/* A piece as what its SA makes of it. */
static bool leave(struct dp *d, struct sa_out *sa, struct dp_pkt *p, uint64_t now_ms)
{
    struct out_work w = {.p = p, .len = p->len, .tos = p->data[1]};
    if (sa->f.kind == KIND_TUNNEL)
        return esp_out_own(d, sa, p, NEXT_IPV4, now_ms);
    modes_out(d, sa, &w, 1, now_ms);
    return p->verdict == DP_TO_NET;
}

bool frag_out_next(struct dp *d, struct dp_pkt *p, uint64_t now_ms)
{
    struct frag_out *f = &d->frag_out;
    while (f->count) {
        struct child *c = child_find(d, f->whole[f->first].child_id);
        p->len = c && c->out->active ? frag_out_cut(f, p->data, c->out->inner_mtu) : 0;
        if (!p->len)
            pkt_drop(d, p, R_DP_TOO_BIG);
        if (!p->len && f->count && (!c || !c->out->active))
            drop_first(f);
        else if (p->len && leave(d, c->out, p, now_ms))
            return true;
    }
    return false;
}
