/* SA payload of IKEv1, reading: see sa_v1.h. Called by ike/v1 for both phases. */
#include "wire/sa_v1_impl.h"

/* What the attributes of one transform said. */
struct attrs {
    uint16_t encr, hash, auth, group, key_bits, encap, esn, life_type;
    uint64_t life_s, life_kb;
    bool unknown;
};

/* --- numbers of IKEv1 to rows of the model --- */

/* RFC 2451 2.1: Blowfish, CAST and RC5 have keys of 128 bits when nothing is said */
static bool bits_fit(const struct alg *a, uint16_t bits)
{
    bool varies = a->id == ENCR_BLOWFISH || a->id == ENCR_CAST || a->id == ENCR_RC5;
    return a->key_bits == (varies && !bits ? 128 : bits);
}

static const struct alg *find_encr(bool ike, uint16_t id, uint16_t bits)
{
    for (const struct alg *a = alg_table; a < alg_table + alg_count; a++)
        if (a->type == T_ENCR && (ike ? a->v1_ike : a->v1_esp) == id && bits_fit(a, bits))
            return a;
    return NULL;
}

/* RFC 2407 4.4.3: AH's transform names the hash once more */
static const struct alg *find_ah(uint8_t id, uint16_t auth)
{
    for (const struct alg *a = alg_table; a < alg_table + alg_count; a++)
        if (a->type == T_INTEG && a->v1_ah && a->v1_ah == id && a->v1_esp == auth)
            return a;
    return NULL;
}

static const struct alg *find_v1(enum transform_type type, bool ike, uint16_t id)
{
    for (const struct alg *a = alg_table; a < alg_table + alg_count; a++)
        if (a->type == type && (ike ? a->v1_ike : a->v1_esp) == id)
            return a;
    return NULL;
}

static bool add(struct proposal *p, const struct alg *a)
{
    return a && !proposal_add(p, (uint8_t)a->type, a->id, a->key_bits);
}

/* RFC 2409 4: these four MUST be there */
static void ike_suite(struct v1_transform *t, const struct attrs *a)
{
    bool ok = a->encr && a->hash && a->auth && a->group;
    ok = ok && add(&t->p, find_encr(true, a->encr, a->key_bits));
    ok = ok && add(&t->p, find_v1(T_INTEG, true, a->hash)) &&
         add(&t->p, find_v1(T_PRF, true, a->hash));
    ok = ok && add(&t->p, find_v1(T_KE, true, a->group));
    t->auth = a->auth;
    t->unusable = !ok || a->unknown;
}

static void esp_suite(struct v1_transform *t, uint8_t id, const struct attrs *a)
{
    const struct alg *encr = find_encr(false, id, a->key_bits);
    bool ok = id && add(&t->p, encr) && a->esn <= 1;
    if (a->hash)
        ok = ok && add(&t->p, find_v1(T_INTEG, false, a->hash));
    if (a->group)
        ok = ok && add(&t->p, find_v1(T_KE, false, a->group));
    ok = ok && !proposal_add(&t->p, T_ESN, a->esn ? ESN_YES : ESN_NO, 0);
    t->encap = a->encap;
    t->unusable = !ok || a->unknown;
}

static void ah_suite(struct v1_transform *t, uint8_t id, const struct attrs *a)
{
    bool ok = add(&t->p, find_ah(id, a->hash)) && a->esn <= 1 && !a->key_bits;
    if (a->group)
        ok = ok && add(&t->p, find_v1(T_KE, false, a->group));
    ok = ok && !proposal_add(&t->p, T_ESN, a->esn ? ESN_YES : ESN_NO, 0);
    t->encap = a->encap;
    t->unusable = !ok || a->unknown;
}

/* RFC 3173 4.1: a CPI has two bytes; some fill the SPI up to four. */
static void comp_suite(struct v1_transform *t, uint8_t id, const struct attrs *a)
{
    size_t n = t->spi.n;
    t->cpi = n == 2 || n == 4 ? get_u16(t->spi.p + n - 2) : 0;
    t->encap = a->encap;
    t->unusable = id != COMP_DEFLATE || !t->cpi;
}

/* --- reading --- */

static uint64_t number(struct bytes v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v.n; i++)
        n = n >> 56 ? UINT64_MAX : n << 8 | v.p[i];
    return n;
}

/* RFC 2407 4.5, RFC 2409 appendix A: the type says what the next duration counts */
static void life(struct attrs *a, uint64_t n)
{
    if (a->life_type == LIFE_SECONDS)
        a->life_s = n;
    else if (a->life_type == LIFE_KILOBYTES)
        a->life_kb = n;
    else
        a->unknown = true;
}

static void ike_attr(struct attrs *a, uint16_t type, uint64_t n)
{
    uint16_t v = n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
    switch (type) {
    case IKE_ENCR:
        a->encr = v;
        break;
    case IKE_HASH:
        a->hash = v;
        break;
    case IKE_AUTH:
        a->auth = v;
        break;
    case IKE_GROUP:
        a->group = v;
        break;
    case IKE_LIFE_TYPE:
        a->life_type = v;
        break;
    case IKE_LIFE:
        life(a, n);
        break;
    case IKE_KEY_LENGTH:
        a->key_bits = v;
        break;
    default:
        a->unknown = true;
    }
}

static void esp_attr(struct attrs *a, uint16_t type, uint64_t n)
{
    uint16_t v = n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
    switch (type) {
    case ESP_LIFE_TYPE:
        a->life_type = v;
        break;
    case ESP_LIFE:
        life(a, n);
        break;
    case ESP_GROUP:
        a->group = v;
        break;
    case ESP_ENCAP:
        a->encap = v;
        break;
    case ESP_AUTH:
        a->hash = v;
        break;
    case ESP_KEY_LENGTH:
        a->key_bits = v;
        break;
    case ESP_ESN:
        a->esn = v;
        break;
    default:
        a->unknown = true;
    }
}

static void attributes(struct rd *r, bool ike, struct attrs *a)
{
    while (rd_left(r)) {
        uint16_t type = rd_u16(r);
        uint16_t value = rd_u16(r); /* TLV: the length */
        uint64_t n = type & ATTR_TV ? value : number(rd_bytes(r, value));
        if (r->err)
            return;
        (ike ? ike_attr : esp_attr)(a, type & 0x7fff, n);
    }
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

static void transform(struct rd *r, bool ike, struct v1_transform *t)
{
    struct attrs a = {0};
    struct rd sub = substructure(r, MORE_TRANSFORMS, 8);
    t->raw = bytes_of(sub.p, rd_left(&sub));
    t->number = rd_u8(&sub);
    uint8_t id = rd_u8(&sub);
    rd_skip(&sub, 2); /* reserved */
    attributes(&sub, ike, &a);
    rd_fail(r, rd_done(&sub));
    if (r->err)
        return;
    t->life_s = a.life_s;
    t->life_kb = a.life_kb;
    t->p.number = t->proposal;
    t->p.proto = t->proto;
    if (ike && t->proto == PROTO_IKE && id == KEY_IKE)
        ike_suite(t, &a);
    else if (!ike && t->proto == PROTO_ESP)
        esp_suite(t, id, &a);
    else if (!ike && t->proto == PROTO_AH)
        ah_suite(t, id, &a);
    else if (!ike && t->proto == PROTO_COMP)
        comp_suite(t, id, &a);
    else
        t->unusable = true;
}

/* RFC 2408 3.5: phase 1 has an SPI of 0 to 16 bytes, which means nothing */
static bool spi_fits(bool ike, uint8_t proto, size_t n)
{
    if (ike)
        return n <= 16;
    return n == 4 || (proto != PROTO_ESP && proto != PROTO_AH && n <= 16);
}

static void proposal(struct rd *r, bool ike, struct v1_sa_body *out)
{
    struct v1_transform head = {0}, surplus;
    struct rd sub = substructure(r, MORE_PROPOSALS, 8);
    head.proposal = rd_u8(&sub);
    head.proto = rd_u8(&sub);
    uint8_t spi_len = rd_u8(&sub), count = rd_u8(&sub);
    head.spi = rd_bytes(&sub, spi_len);
    if (!sub.err && (!count || !spi_fits(ike, head.proto, spi_len)))
        rd_fail(&sub, R_SYNTAX);
    for (; count && !sub.err; count--) {
        struct v1_transform *t = out->count < V1_TRANSFORMS_MAX ? &out->t[out->count++] : &surplus;
        *t = head;
        transform(&sub, ike, t);
    }
    err_t e = rd_done(&sub);
    rd_fail(r, e == (err_t)R_TRAILING ? (err_t)R_SYNTAX : e); /* more than counted */
}

err_t sa_v1_parse(struct bytes body, bool ike, struct v1_sa_body *out)
{
    struct rd r = rd_of(body);
    out->count = 0;
    out->doi = rd_u32(&r);
    out->situation = rd_u32(&r);
    if (!r.err && (out->doi > DOI || out->situation != SIT_IDENTITY_ONLY))
        rd_fail(&r, R_SYNTAX);
    do {
        proposal(&r, ike, out);
    } while (rd_left(&r));
    err_t e = rd_done(&r);
    if (!e)
        sa_v1_fold(out, ike);
    return e;
}

err_t life_v1_parse(struct bytes b, bool ike, uint64_t *s, uint64_t *kb)
{
    struct attrs a = {0};
    struct rd r = rd_of(b);
    attributes(&r, ike, &a);
    *s = a.life_s;
    *kb = a.life_kb;
    return rd_done(&r);
}
