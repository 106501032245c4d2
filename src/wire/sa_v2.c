/*
 * SA payload: see sa_v2.h. RFC 7296 3.3. Called by the engine for IKE_SA_INIT, IKE_AUTH and
 * CREATE_CHILD_SA.
 */
#include "wire/sa_v2.h"

enum { MORE_PROPOSALS = 2, MORE_TRANSFORMS = 3, LAST = 0 }; /* 3.3.1, 3.3.2 */
enum { ATTR_TV = 0x8000, ATTR_KEY_LENGTH = 14 };            /* 3.3.5 */

/* What became of the transforms of each type: bits by type; types above 31 share the last bit. */
struct types {
    uint32_t seen, kept;
};

static uint32_t type_bit(uint8_t type)
{
    return 1u << (type < 31 ? type : 31);
}

/* RFC 7296 3.3.5. True if every attribute is one that we understand. */
static bool attributes(struct rd *r, struct transform *t)
{
    bool known = true;
    while (rd_left(r)) {
        uint16_t type = rd_u16(r);
        uint16_t value = rd_u16(r); /* TLV: the length */
        if (!(type & ATTR_TV))
            rd_skip(r, value);
        if (type == (ATTR_TV | ATTR_KEY_LENGTH) && value != 0 && t->key_bits == 0)
            t->key_bits = value;
        else
            known = false;
    }
    return known;
}

/* A substructure's head: is it last exactly when nothing follows it? */
static struct rd substructure(struct rd *r, uint8_t more, size_t head)
{
    uint8_t last = rd_u8(r);
    rd_skip(r, 1); /* reserved */
    uint16_t len = rd_u16(r);
    if (!r->err && len < head)
        rd_fail(r, R_LENGTH);
    struct rd sub = rd_sub(r, r->err ? 0 : (size_t)len - 4);
    if (!r->err && last != (rd_left(r) ? more : LAST))
        rd_fail(r, R_SYNTAX);
    if (r->err)
        sub.err = r->err;
    return sub;
}

static err_t transform(struct rd *r, struct proposal *p, struct types *types)
{
    struct transform t = {0};
    struct rd sub = substructure(r, MORE_TRANSFORMS, 8);
    t.type = rd_u8(&sub);
    rd_skip(&sub, 1);
    t.id = rd_u16(&sub);
    bool known = attributes(&sub, &t);
    err_t e = rd_done(&sub);
    if (e)
        return e;
    types->seen |= type_bit(t.type);
    /* 3.3.6: a transform with an attribute we do not know is not acceptable; its like are */
    if (!known || p->count == PROPOSAL_TRANSFORMS_MAX)
        return E_OK;
    types->kept |= type_bit(t.type);
    p->t[p->count++] = t;
    /* 3.3.6: a transform type we do not know makes the whole proposal unacceptable */
    if (t.type < T_ENCR || t.type > T_ESN)
        p->unusable = true;
    return E_OK;
}

static bool spi_fits(uint8_t proto, uint8_t len)
{
    switch (proto) {
    case PROTO_IKE:
        return len == 0 || len == 8; /* 3.3.1: 8 when rekeying */
    case PROTO_AH:
    case PROTO_ESP:
        return len == 4;
    default:
        return true; /* the proposal is not usable anyway */
    }
}

static void spi(struct rd *r, uint8_t len, struct proposal *p)
{
    struct bytes b = rd_bytes(r, len);
    if (p->proto < PROTO_IKE || p->proto > PROTO_ESP)
        p->unusable = true;
    if (!r->err && !spi_fits(p->proto, len))
        rd_fail(r, R_SYNTAX);
    if (r->err || len > sizeof p->spi)
        return;
    p->spi_len = len;
    if (len)
        memcpy(p->spi, b.p, len);
}

static err_t proposal(struct rd *r, struct proposal *p)
{
    struct types types = {0};
    *p = (struct proposal){0};
    struct rd sub = substructure(r, MORE_PROPOSALS, 8);
    p->number = rd_u8(&sub);
    p->proto = rd_u8(&sub);
    uint8_t spi_len = rd_u8(&sub);
    uint8_t count = rd_u8(&sub);
    spi(&sub, spi_len, p);
    for (; count && !sub.err; count--)
        rd_fail(&sub, transform(&sub, p, &types));
    if (types.seen & ~types.kept)
        p->unusable = true;
    err_t e = rd_done(&sub);
    return e == (err_t)R_TRAILING ? (err_t)R_SYNTAX : e; /* more transforms than counted */
}

err_t sa_v2_parse(struct bytes body, struct proposals *out)
{
    struct rd r = rd_of(body);
    struct proposal surplus;
    unsigned n = 0, number = 0;
    out->count = 0;
    if (body.n == 0)
        return R_TRUNCATED;
    while (rd_left(&r)) {
        struct proposal *p = out->count < PROPOSALS_MAX ? &out->p[out->count] : &surplus;
        rd_fail(&r, proposal(&r, p));
        if (r.err)
            break;
        /* 3.3.1: numbers count from 1; only a lone one, an answer, may start elsewhere */
        if (n++ && (p->number != number + 1 || (n == 2 && number != 1)))
            rd_fail(&r, R_SYNTAX);
        number = p->number;
        out->count += p != &surplus;
    }
    return rd_done(&r);
}

static void write_transform(struct wr *w, const struct transform *t, bool last)
{
    wr_u8(w, last ? LAST : MORE_TRANSFORMS);
    wr_u8(w, 0);
    wr_u16(w, t->key_bits ? 12 : 8);
    wr_u8(w, t->type);
    wr_u8(w, 0);
    wr_u16(w, t->id);
    if (t->key_bits) {
        wr_u16(w, ATTR_TV | ATTR_KEY_LENGTH);
        wr_u16(w, t->key_bits);
    }
}

static void write_proposal(struct wr *w, const struct proposal *p, bool last)
{
    size_t at = wr_len(w);
    wr_u8(w, last ? LAST : MORE_PROPOSALS);
    wr_u8(w, 0);
    wr_u16(w, 0);
    wr_u8(w, p->number);
    wr_u8(w, p->proto);
    wr_u8(w, p->spi_len);
    wr_u8(w, p->count);
    wr_put(w, p->spi, p->spi_len);
    for (size_t i = 0; i < p->count; i++)
        write_transform(w, &p->t[i], i + 1 == p->count);
    wr_patch_u16(w, at + 2, (uint16_t)(wr_len(w) - at));
}

void sa_v2_write(struct wr *w, const struct proposals *ps)
{
    if (ps->count == 0 || ps->count > PROPOSALS_MAX)
        wr_fail(w, E_USAGE);
    for (size_t i = 0; i < ps->count && !w->err; i++)
        write_proposal(w, &ps->p[i], i + 1 == ps->count);
}

void sa_v2_write_one(struct wr *w, const struct proposal *p)
{
    write_proposal(w, p, true);
}
