/* Sticky cursors: see cursor.h. */
#include "base/cursor.h"

struct bytes rd_rest(struct rd *r)
{
    return rd_bytes(r, rd_left(r));
}

struct rd rd_sub(struct rd *r, size_t n)
{
    const uint8_t *p = rd_take(r, n);
    if (!p || n == 0)
        return (struct rd){p, p, r->err};
    return (struct rd){p, p + n, 0};
}

void rd_fail(struct rd *r, err_t e)
{
    if (!r->err)
        r->err = e;
}

err_t rd_done(const struct rd *r)
{
    if (r->err)
        return r->err;
    return r->p == r->end ? E_OK : (err_t)R_TRAILING;
}

static uint8_t *room(struct wr *w, size_t n)
{
    if (w->err)
        return NULL;
    if ((size_t)(w->end - w->p) < n) {
        w->err = E_SPACE;
        return NULL;
    }
    uint8_t *p = w->p;
    if (n)
        w->p += n;
    return p;
}

uint8_t *wr_space(struct wr *w, size_t n)
{
    uint8_t *p = room(w, n);
    if (p && n)
        memset(p, 0, n);
    return p;
}

void wr_fail(struct wr *w, err_t e)
{
    if (!w->err)
        w->err = e;
}

void wr_u8(struct wr *w, uint8_t v)
{
    uint8_t *p = room(w, 1);
    if (p)
        *p = v;
}

void wr_u16(struct wr *w, uint16_t v)
{
    uint8_t *p = room(w, 2);
    if (p)
        put_u16(p, v);
}

void wr_u32(struct wr *w, uint32_t v)
{
    uint8_t *p = room(w, 4);
    if (p)
        put_u32(p, v);
}

void wr_u64(struct wr *w, uint64_t v)
{
    uint8_t *p = room(w, 8);
    if (p)
        put_u64(p, v);
}

void wr_put(struct wr *w, const void *src, size_t n)
{
    uint8_t *p = room(w, n);
    if (p && n)
        memcpy(p, src, n);
}

void wr_bytes_put(struct wr *w, struct bytes b)
{
    wr_put(w, b.p, b.n);
}

static uint8_t *at_offset(struct wr *w, size_t at, size_t n)
{
    if (w->err)
        return NULL;
    if (at > wr_len(w) || n > wr_len(w) - at) {
        w->err = E_USAGE;
        return NULL;
    }
    return w->start + at;
}

void wr_patch_u8(struct wr *w, size_t at, uint8_t v)
{
    uint8_t *p = at_offset(w, at, 1);
    if (p)
        *p = v;
}

void wr_patch_u16(struct wr *w, size_t at, uint16_t v)
{
    uint8_t *p = at_offset(w, at, 2);
    if (p)
        put_u16(p, v);
}

void wr_patch_u32(struct wr *w, size_t at, uint32_t v)
{
    uint8_t *p = at_offset(w, at, 4);
    if (p)
        put_u32(p, v);
}
