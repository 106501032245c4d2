/* Payload chains: see payload.h. RFC 7296 2.5, 3.2; RFC 7383 2.5 for SKF. */
#include "wire/payload.h"

enum repeat { ONCE, OFTEN };

struct row {
    const char *name; /* charon's short name */
    bool known;
    enum repeat repeat;
    uint16_t min, max; /* of the body, without the generic header */
};

#define BODY_MAX (65535 - PAYLOAD_HDR_LEN)

static const struct row rows[] = {
    [PL_SA] = {"SA", true, ONCE, 8, BODY_MAX},   /* 3.3: one proposal */
    [PL_KE] = {"KE", true, ONCE, 5, BODY_MAX},   /* 3.4 */
    [PL_IDI] = {"IDi", true, ONCE, 5, BODY_MAX}, /* 3.5 */
    [PL_IDR] = {"IDr", true, ONCE, 5, BODY_MAX},
    [PL_CERT] = {"CERT", true, OFTEN, 2, BODY_MAX}, /* 3.6 */
    [PL_CERTREQ] = {"CERTREQ", true, OFTEN, 1, BODY_MAX},
    [PL_AUTH] = {"AUTH", true, ONCE, 5, BODY_MAX}, /* 3.8 */
    [PL_NONCE] = {"No", true, ONCE, 16, 256},      /* 3.9 */
    [PL_NOTIFY] = {"N", true, OFTEN, 4, BODY_MAX}, /* 3.10 */
    [PL_DELETE] = {"D", true, OFTEN, 4, BODY_MAX}, /* 3.11 */
    [PL_VENDOR] = {"V", true, OFTEN, 0, BODY_MAX}, /* 3.12 */
    [PL_TSI] = {"TSi", true, ONCE, 8, BODY_MAX},   /* 3.13 */
    [PL_TSR] = {"TSr", true, ONCE, 8, BODY_MAX},
    [PL_SK] = {"E", true, ONCE, 1, BODY_MAX},    /* 3.14 */
    [PL_CP] = {"CP", true, ONCE, 4, BODY_MAX},   /* 3.15 */
    [PL_EAP] = {"EAP", true, ONCE, 4, BODY_MAX}, /* 3.16 */
    [PL_GSPM] = {"GSPM", false, OFTEN, 0, BODY_MAX},
    [PL_IDG] = {"IDg", false, OFTEN, 0, BODY_MAX},
    [PL_GSA] = {"GSA", false, OFTEN, 0, BODY_MAX},
    [PL_KD] = {"KD", false, OFTEN, 0, BODY_MAX},
    [PL_SKF] = {"EF", true, ONCE, 5, BODY_MAX},  /* RFC 7383 2.5 */
    [PL_PS] = {"PS", false, OFTEN, 0, BODY_MAX}, /* RFC 8019 */
};

static const struct row *row_of(uint8_t type)
{
    static const struct row unknown = {"?", false, OFTEN, 0, BODY_MAX};
    if (type >= sizeof rows / sizeof *rows || !rows[type].name)
        return &unknown;
    return &rows[type];
}

const char *payload_name(uint8_t type)
{
    return row_of(type)->name;
}

bool payload_known(uint8_t type)
{
    return row_of(type)->known;
}

static err_t check(const struct payloads *ps, const struct payload *p)
{
    const struct row *row = row_of(p->type);
    /* RFC 7296 2.5: the bit counts only where we do not understand the type */
    if (!p->known && p->critical)
        return R_CRITICAL;
    if (p->body.n < row->min || p->body.n > row->max)
        return R_LENGTH;
    if (row->repeat == ONCE && payloads_find(ps, p->type))
        return R_DUPLICATE_PAYLOAD;
    return ps->count < PAYLOADS_MAX ? E_OK : (err_t)R_TOO_MANY;
}

static struct payload take(struct rd *r, uint8_t type)
{
    struct payload p = {.type = type, .known = payload_known(type)};
    p.next = rd_u8(r);
    p.critical = rd_u8(r) & 0x80;
    uint16_t len = rd_u16(r);
    if (!r->err && len < PAYLOAD_HDR_LEN)
        rd_fail(r, R_LENGTH);
    if (!r->err)
        p.body = rd_bytes(r, (size_t)(len - PAYLOAD_HDR_LEN));
    return p;
}

err_t payloads_parse(struct bytes body, uint8_t first, struct payloads *out)
{
    struct rd r = rd_of(body);
    out->count = 0;
    out->bad_type = 0;
    for (uint8_t type = first; type != PL_NONE;) {
        struct payload p = take(&r, type);
        if (!r.err)
            rd_fail(&r, check(out, &p));
        if (r.err) {
            out->bad_type = type;
            break;
        }
        out->p[out->count++] = p;
        /* RFC 7296 3.14: the next payload of SK is inside of it */
        type = type == PL_SK || type == PL_SKF ? PL_NONE : p.next;
    }
    return rd_done(&r);
}

const struct payload *payloads_next(const struct payloads *ps, uint8_t type,
                                    const struct payload *after)
{
    for (size_t i = after ? (size_t)(after - ps->p) + 1 : 0; i < ps->count; i++)
        if (ps->p[i].type == type)
            return &ps->p[i];
    return NULL;
}

const struct payload *payloads_find(const struct payloads *ps, uint8_t type)
{
    return payloads_next(ps, type, NULL);
}

size_t payloads_count(const struct payloads *ps, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < ps->count; i++)
        n += ps->p[i].type == type;
    return n;
}

#define HDR_NEXT_AT 16 /* the IKE header's next payload */

struct payload_chain payload_chain_of_msg(struct wr *w, size_t at)
{
    return (struct payload_chain){.w = w, .next_at = at + HDR_NEXT_AT};
}

struct payload_chain payload_chain_bare(struct wr *w)
{
    return (struct payload_chain){.w = w, .next_at = SIZE_MAX};
}

void payload_begin(struct payload_chain *c, uint8_t type)
{
    if (c->next_at != SIZE_MAX)
        wr_patch_u8(c->w, c->next_at, type);
    if (!c->first)
        c->first = type;
    c->at = c->next_at = wr_len(c->w);
    wr_u8(c->w, PL_NONE);
    wr_u8(c->w, 0); /* RFC 7296 3.2: the critical bit MUST be zero on types of this document */
    wr_u16(c->w, 0);
}

void payload_end(struct payload_chain *c)
{
    size_t len = wr_len(c->w) - c->at;
    if (len > 65535)
        wr_fail(c->w, E_SPACE);
    wr_patch_u16(c->w, c->at + 2, (uint16_t)len);
}

void payload_put(struct payload_chain *c, uint8_t type, struct bytes body)
{
    payload_begin(c, type);
    wr_bytes_put(c->w, body);
    payload_end(c);
}
