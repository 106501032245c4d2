/* IKEv1's fragment payload: see frag_v1.h. Called by ike/v1/frag.c. */
#include "wire/frag_v1.h"
#include "wire/payload_v1.h"

enum { LAST = 1 };

err_t frag_v1_parse(struct bytes body, struct frag_v1 *out)
{
    struct rd r = rd_of(body);
    uint8_t next = rd_u8(&r), reserved = rd_u8(&r);
    uint16_t len = rd_u16(&r);
    *out = (struct frag_v1){.id = rd_u16(&r), .number = rd_u8(&r), .last = rd_u8(&r) & LAST};
    out->data = rd_rest(&r);
    if (!r.err && len != body.n)
        rd_fail(&r, R_LENGTH);
    if (!r.err && (next != P1_NONE || reserved || !out->number || !out->data.n))
        rd_fail(&r, R_SYNTAX);
    return rd_done(&r);
}

void frag_v1_write(struct wr *w, const struct frag_v1 *f)
{
    size_t len = FRAG_V1_HDR_LEN + f->data.n;
    if (len > UINT16_MAX)
        wr_fail(w, E_SPACE);
    wr_u8(w, P1_NONE);
    wr_u8(w, 0);
    wr_u16(w, (uint16_t)len);
    wr_u16(w, f->id);
    wr_u8(w, f->number);
    wr_u8(w, f->last ? LAST : 0);
    wr_bytes_put(w, f->data);
}
