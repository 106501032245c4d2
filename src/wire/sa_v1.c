/* SA payload of IKEv1: see sa_v1.h. Called by ike/v1 for both phases. */
#include "wire/sa_v1.h"

enum { MORE_PROPOSALS = 2, MORE_TRANSFORMS = 3, LAST = 0 };
enum { DOI = 1, SIT_IDENTITY_ONLY = 1 }; /* RFC 2407 4.2 */
enum { KEY_IKE = 1 };                    /* RFC 2407 4.4.2: the one transform id of phase 1 */
enum { ATTR_TV = 0x8000 };               /* RFC 2408 3.3 */

enum { /* RFC 2409 appendix A */
       IKE_ENCR = 1,
       IKE_HASH = 2,
       IKE_AUTH = 3,
       IKE_GROUP = 4,
       IKE_LIFE_TYPE = 11,
       IKE_LIFE = 12,
       IKE_KEY_LENGTH = 14,
};

enum { /* RFC 2407 4.5; 11: RFC 4304 */
       ESP_LIFE_TYPE = 1,
       ESP_LIFE = 2,
       ESP_GROUP = 3,
       ESP_ENCAP = 4,
       ESP_AUTH = 5,
       ESP_KEY_LENGTH = 6,
       ESP_ESN = 11,
};

enum { PROTO_COMP = 4 }; /* RFC 2407 4.4.1 */

enum { LIFE_SECONDS = 1, LIFE_KILOBYTES = 2 };

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
    else
        ok = ok && encr->aead; /* RFC 8221 4: encryption without integrity is not taken */
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

enum { COMP_DEFLATE = 2 }; /* RFC 2407 4.4.5 */

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

static const struct v1_transform *comp_of(const struct v1_sa_body *s, uint8_t proposal)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->t[i].proposal == proposal && s->t[i].proto == PROTO_COMP && !s->t[i].unusable)
            return &s->t[i];
    return NULL;
}

static bool alone(const struct v1_sa_body *s, const struct v1_transform *comp)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->t[i].proposal == comp->proposal && s->t[i].proto != PROTO_COMP)
            return false;
    return true;
}

/* IPComp becomes a property of the ESP or AH beside it; alone it is nothing that we do. */
static void fold_comp(struct v1_sa_body *s)
{
    bool gone[V1_TRANSFORMS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct v1_transform *c = comp_of(s, s->t[i].proposal);
        if (c && s->t[i].proto != PROTO_COMP) {
            s->t[i].cpi = c->cpi;
            s->t[i].cpi_raw = c->raw;
        }
    }
    for (size_t i = 0; i < s->count; i++)
        gone[i] = s->t[i].proto == PROTO_COMP && !alone(s, &s->t[i]) &&
                  comp_of(s, s->t[i].proposal) != NULL;
    for (size_t i = 0; i < s->count; i++) {
        if (gone[i])
            continue;
        s->t[n] = s->t[i];
        if (s->t[n].proto == PROTO_COMP) {
            s->t[n].unusable = true;
            s->t[n].cpi = 0;
        }
        n++;
    }
    s->count = n;
}

/* RFC 2408 4.2: proposals of one number are meant together */
static void mark_bundles(struct v1_sa_body *s)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->count; k++)
            if (s->t[i].proposal == s->t[k].proposal && s->t[i].proto != s->t[k].proto)
                s->t[i].bundled = true;
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
    if (!e && !ike)
        fold_comp(out);
    if (!e)
        mark_bundles(out);
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

/* --- writing --- */

static void tv(struct wr *w, uint16_t type, uint16_t value)
{
    wr_u16(w, ATTR_TV | type);
    wr_u16(w, value);
}

/* RFC 2408 3.3: two bytes go in place, more with their length */
static void one_life(struct wr *w, bool ike, uint16_t type, uint64_t n)
{
    uint16_t attr = ike ? IKE_LIFE : ESP_LIFE;
    tv(w, ike ? IKE_LIFE_TYPE : ESP_LIFE_TYPE, type);
    if (n <= UINT16_MAX) {
        tv(w, attr, (uint16_t)n);
        return;
    }
    wr_u16(w, attr);
    wr_u16(w, 4);
    wr_u32(w, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}

void life_v1_write(struct wr *w, bool ike, uint64_t s, uint64_t kb)
{
    if (s)
        one_life(w, ike, LIFE_SECONDS, s);
    if (kb)
        one_life(w, ike, LIFE_KILOBYTES, kb);
}

static void ike_attributes(struct wr *w, const struct v1_transform *t)
{
    const struct alg *encr = proposal_alg(&t->p, T_ENCR), *hash = proposal_alg(&t->p, T_PRF);
    const struct alg *ke = proposal_alg(&t->p, T_KE);
    if (!encr || !hash || !ke || !encr->v1_ike || !ke->v1_ike) {
        wr_fail(w, E_USAGE);
        return;
    }
    tv(w, IKE_ENCR, encr->v1_ike);
    if (encr->key_bits)
        tv(w, IKE_KEY_LENGTH, encr->key_bits);
    tv(w, IKE_HASH, hash->v1_ike);
    tv(w, IKE_GROUP, ke->v1_ike);
    tv(w, IKE_AUTH, t->auth);
    life_v1_write(w, true, t->life_s, t->life_kb);
}

static void esp_attributes(struct wr *w, const struct v1_transform *t)
{
    const struct alg *encr = proposal_alg(&t->p, T_ENCR), *integ = proposal_alg(&t->p, T_INTEG);
    const struct alg *ke = proposal_alg(&t->p, T_KE);
    const struct transform *esn = proposal_get(&t->p, T_ESN);
    if (encr && encr->key_bits)
        tv(w, ESP_KEY_LENGTH, encr->key_bits);
    if (integ)
        tv(w, ESP_AUTH, integ->v1_esp);
    if (ke)
        tv(w, ESP_GROUP, ke->v1_esp);
    tv(w, ESP_ENCAP, t->encap);
    if (esn && esn->id == ESN_YES)
        tv(w, ESP_ESN, 1);
    life_v1_write(w, false, t->life_s, t->life_kb);
}

/* The transform's id; 0: IKEv1 has none. */
static uint8_t transform_id(bool ike, const struct v1_transform *t)
{
    const struct alg *encr = proposal_alg(&t->p, T_ENCR), *integ = proposal_alg(&t->p, T_INTEG);
    if (ike)
        return encr ? KEY_IKE : 0;
    if (t->proto == PROTO_AH)
        return integ ? (uint8_t)integ->v1_ah : 0;
    return encr ? (uint8_t)encr->v1_esp : 0;
}

static void write_transform(struct wr *w, bool ike, const struct v1_transform *t, uint8_t n,
                            bool last)
{
    size_t at = wr_len(w);
    uint8_t id = transform_id(ike, t);
    wr_u8(w, last ? LAST : MORE_TRANSFORMS);
    wr_u8(w, 0);
    wr_u16(w, 0);
    if (t->raw.p) {
        wr_bytes_put(w, t->raw);
    } else if (!id) {
        wr_fail(w, E_USAGE);
    } else {
        wr_u8(w, n);
        wr_u8(w, id);
        wr_u16(w, 0);
        (ike ? ike_attributes : esp_attributes)(w, t);
    }
    wr_patch_u16(w, at + 2, (uint16_t)(wr_len(w) - at));
}

static void write_comp(struct wr *w, const struct v1_transform *t, bool last)
{
    size_t at = wr_len(w);
    wr_u8(w, last ? LAST : MORE_PROPOSALS);
    wr_u8(w, 0);
    wr_u16(w, 0);
    wr_u8(w, t->proposal ? t->proposal : 1);
    wr_u8(w, PROTO_COMP);
    wr_u8(w, 2);
    wr_u8(w, 1);
    wr_u16(w, t->cpi);
    size_t inner = wr_len(w);
    wr_u8(w, LAST);
    wr_u8(w, 0);
    wr_u16(w, 0);
    if (t->cpi_raw.p) {
        wr_bytes_put(w, t->cpi_raw);
    } else {
        wr_u8(w, 1);
        wr_u8(w, COMP_DEFLATE);
        wr_u16(w, 0);
        tv(w, ESP_ENCAP, t->encap);
        life_v1_write(w, false, t->life_s, t->life_kb);
    }
    wr_patch_u16(w, inner + 2, (uint16_t)(wr_len(w) - inner));
    wr_patch_u16(w, at + 2, (uint16_t)(wr_len(w) - at));
}

static size_t same_proposal(const struct v1_transform *t, size_t n)
{
    size_t k = 1;
    while (k < n && t[k].proposal == t->proposal && t[k].proto == t->proto)
        k++;
    return k;
}

static void write_proposal(struct wr *w, bool ike, const struct v1_transform *t, size_t n,
                           bool last)
{
    size_t at = wr_len(w);
    wr_u8(w, last ? LAST : MORE_PROPOSALS);
    wr_u8(w, 0);
    wr_u16(w, 0);
    wr_u8(w, t->proposal ? t->proposal : 1);
    wr_u8(w, t->proto);
    wr_u8(w, (uint8_t)t->spi.n);
    wr_u8(w, (uint8_t)n);
    wr_bytes_put(w, t->spi);
    for (size_t i = 0; i < n && !w->err; i++)
        write_transform(w, ike, &t[i], (uint8_t)(i + 1), i + 1 == n);
    wr_patch_u16(w, at + 2, (uint16_t)(wr_len(w) - at));
}

void sa_v1_write(struct wr *w, bool ike, const struct v1_transform *t, size_t n)
{
    if (!n || n > 255)
        wr_fail(w, E_USAGE);
    wr_u32(w, DOI);
    wr_u32(w, SIT_IDENTITY_ONLY);
    for (size_t i = 0, k; i < n && !w->err; i += k) {
        k = same_proposal(t + i, n - i);
        write_proposal(w, ike, t + i, k, i + k == n && !t[i].cpi);
        if (t[i].cpi)
            write_comp(w, t + i, i + k == n);
    }
}

const char *auth_v1_name(uint16_t method)
{
    static const struct {
        uint16_t method;
        const char *name;
    } names[] = {
        {AUTH1_PSK, "pre-shared key"},
        {AUTH1_DSS, "DSS signatures"},
        {AUTH1_RSA_SIG, "RSA signatures"},
        {AUTH1_RSA_ENC, "RSA encryption"},
        {AUTH1_RSA_ENC_REVISED, "revised RSA encryption"},
        {AUTH1_ECDSA_256, "ECDSA-256"},
        {AUTH1_ECDSA_384, "ECDSA-384"},
        {AUTH1_ECDSA_521, "ECDSA-521"},
        {AUTH1_HYBRID_INIT_RSA, "hybrid RSA with XAUTH"},
        {AUTH1_HYBRID_RESP_RSA, "hybrid RSA with the responder's XAUTH"},
        {AUTH1_HYBRID_INIT_DSS, "hybrid DSS with XAUTH"},
        {AUTH1_HYBRID_RESP_DSS, "hybrid DSS with the responder's XAUTH"},
        {AUTH1_XAUTH_INIT_PSK, "pre-shared key with XAUTH"},
        {AUTH1_XAUTH_RESP_PSK, "pre-shared key with the responder's XAUTH"},
        {AUTH1_XAUTH_INIT_DSS, "DSS signatures with XAUTH"},
        {AUTH1_XAUTH_RESP_DSS, "DSS signatures with the responder's XAUTH"},
        {AUTH1_XAUTH_INIT_RSA, "RSA signatures with XAUTH"},
        {AUTH1_XAUTH_RESP_RSA, "RSA signatures with the responder's XAUTH"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].method == method)
            return names[i].name;
    return NULL;
}

const char *encap_v1_name(uint16_t encap)
{
    static const char *const names[] = {"none", "tunnel", "transport", "UDP-encapsulated tunnel",
                                        "UDP-encapsulated transport"};
    return encap < sizeof names / sizeof *names ? names[encap] : "unknown";
}
