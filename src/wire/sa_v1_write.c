/*
 * SA payload of IKEv1, writing: see sa_v1.h. RFC 2408 3.3 to 3.6, RFC 2407 4.5 and 4.6.1. Called by
 * ike/v1 for both phases.
 */
#include "wire/sa_v1_impl.h"

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

/* A proposal's head, up to the transforms; where it began. */
static size_t head(struct wr *w, const struct v1_transform *t, uint8_t proto, struct bytes spi,
                   size_t transforms, bool last)
{
    size_t at = wr_len(w);
    wr_u8(w, last ? LAST : MORE_PROPOSALS);
    wr_u8(w, 0);
    wr_u16(w, 0);
    wr_u8(w, t->proposal ? t->proposal : 1);
    wr_u8(w, proto);
    wr_u8(w, (uint8_t)spi.n);
    wr_u8(w, (uint8_t)transforms);
    wr_bytes_put(w, spi);
    return at;
}

static void write_comp(struct wr *w, const struct v1_transform *t, bool last)
{
    uint8_t cpi[2];
    put_u16(cpi, t->cpi);
    size_t at = head(w, t, PROTO_COMP, bytes_of(cpi, sizeof cpi), 1, last);
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

/* RFC 2408 4.2.1: behind the ESP that it goes around */
static void write_ah(struct wr *w, const struct v1_transform *t, bool last)
{
    struct v1_transform ah = {.proto = PROTO_AH,
                              .encap = t->ah.encap,
                              .life_s = t->life_s,
                              .life_kb = t->life_kb,
                              .raw = t->ah.raw,
                              .p = {.proto = PROTO_AH}};
    const struct alg *integ = t->ah.integ, *ke = proposal_alg(&t->p, T_KE);
    size_t at = head(w, t, PROTO_AH, t->ah.spi, 1, last);
    if ((integ && proposal_add(&ah.p, T_INTEG, integ->id, 0)) ||
        (ke && proposal_add(&ah.p, T_KE, ke->id, 0)) ||
        proposal_add(&ah.p, T_ESN, t->ah.esn ? ESN_YES : ESN_NO, 0))
        wr_fail(w, E_USAGE);
    write_transform(w, false, &ah, 1, true);
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
    size_t at = head(w, t, t->proto, t->spi, n, last);
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
        write_proposal(w, ike, t + i, k, i + k == n && !t[i].cpi && !t[i].ah.there);
        if (t[i].ah.there)
            write_ah(w, t + i, i + k == n && !t[i].cpi);
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
