/* Layout of SK and SKF payloads: see sk.h. RFC 7296 3.14, RFC 7383 2.5. */
#include "wire/sk.h"
#include "wire/ike_hdr.h"

static err_t fragment_numbers(struct rd *r, const struct payload *p, struct sk_layout *out)
{
    out->number = rd_u16(r);
    out->total = rd_u16(r);
    if (r->err)
        return r->err;
    /* RFC 7383 2.5: from 1 to total; only the first fragment names a first inner payload */
    if (out->number == 0 || out->number > out->total || (out->number > 1 && p->next != PL_NONE))
        return R_SYNTAX;
    return E_OK;
}

err_t sk_measure(struct bytes msg, const struct payload *p, const struct sk_sizes *z,
                 struct sk_layout *out)
{
    struct rd r = rd_of(p->body);
    *out = (struct sk_layout){.first = p->next};
    if (p->type != PL_SK && p->type != PL_SKF)
        return E_USAGE;
    err_t e = p->type == PL_SKF ? fragment_numbers(&r, p, out) : E_OK;
    if (e)
        return e;
    size_t left = rd_left(&r);
    if (left < z->iv_len + z->icv_len + 1) /* at least the pad length */
        return R_TRUNCATED;
    out->aad_len = (size_t)(p->body.p - msg.p) + (p->body.n - left);
    out->text_len = left - z->iv_len - z->icv_len;
    return out->text_len % z->block ? (err_t)R_LENGTH : E_OK;
}

err_t sk_inner(struct bytes msg, const struct sk_layout *l, const struct sk_sizes *z,
               struct bytes *inner)
{
    *inner = bytes_of(NULL, 0);
    size_t at = l->aad_len + z->iv_len;
    if (l->text_len == 0 || at > msg.n || l->text_len > msg.n - at)
        return R_TRUNCATED;
    const uint8_t *text = msg.p + at;
    /* RFC 7296 3.14: padding may be of any content and length that its length byte can say */
    size_t pad = text[l->text_len - 1];
    if (pad + 1 > l->text_len)
        return R_LENGTH;
    *inner = bytes_of(text, l->text_len - 1 - pad);
    return E_OK;
}

size_t sk_begin(struct payload_chain *c, const struct sk_sizes *z)
{
    payload_begin(c, PL_SK);
    size_t at = c->at;
    c->iv_at = wr_len(c->w);
    (void)wr_space(c->w, z->iv_len);
    return at;
}

size_t skf_begin(struct payload_chain *c, const struct sk_sizes *z, uint8_t first, uint16_t number,
                 uint16_t total)
{
    payload_begin(c, PL_SKF);
    size_t at = c->at;
    wr_patch_u8(c->w, at, number == 1 ? first : PL_NONE);
    wr_u16(c->w, number);
    wr_u16(c->w, total);
    c->iv_at = wr_len(c->w);
    (void)wr_space(c->w, z->iv_len);
    return at;
}

/* RFC 7296 3.14: the sender SHOULD use the least padding that fills the last block */
static void pad(struct wr *w, size_t text_at, size_t block)
{
    size_t over = (wr_len(w) - text_at + 1) % block;
    size_t n = over ? block - over : 0;
    (void)wr_space(w, n);
    wr_u8(w, (uint8_t)n);
}

void sk_end(struct payload_chain *c, size_t msg_at, size_t at, const struct sk_sizes *z,
            struct sk_layout *out)
{
    struct wr *w = c->w;
    size_t text_at = c->iv_at + z->iv_len;
    *out = (struct sk_layout){0};
    pad(w, text_at, z->block);
    size_t text_end = wr_len(w);
    (void)wr_space(w, z->icv_len);
    if (wr_len(w) - at > 65535)
        wr_fail(w, E_SPACE);
    wr_patch_u16(w, at + 2, (uint16_t)(wr_len(w) - at));
    if (w->err)
        return;
    out->first = w->start[at];
    out->aad_len = c->iv_at - msg_at;
    out->text_len = text_end - text_at;
    if (c->iv_at != at + PAYLOAD_HDR_LEN) { /* SKF */
        out->number = get_u16(w->start + at + 4);
        out->total = get_u16(w->start + at + 6);
    }
}

size_t sk_room(size_t max, bool fragment, const struct sk_sizes *z)
{
    size_t head = IKE_HDR_LEN + PAYLOAD_HDR_LEN + (size_t)(fragment ? SKF_HDR_LEN : 0) + z->iv_len;
    if (max < head + z->icv_len + z->block)
        return 0;
    size_t text = max - head - z->icv_len;
    return text - text % z->block - 1; /* pad length */
}
