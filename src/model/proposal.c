/*
 * Proposals: words of swanctl.conf to transforms and back, and the choice among them
 * (RFC 7296 2.7, 3.3). Called by configuration, both IKE versions and printers.
 */
#include "model/proposal.h"
#include <ctype.h>

err_t proposal_add(struct proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
    if (proposal_has(p, type, id, key_bits))
        return E_OK;
    if (p->count >= PROPOSAL_TRANSFORMS_MAX)
        return E_SPACE;
    p->t[p->count++] = (struct transform){type, id, key_bits};
    return E_OK;
}

const struct transform *proposal_get(const struct proposal *p, uint8_t type)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->t[i].type == type)
            return &p->t[i];
    return NULL;
}

const struct alg *proposal_alg(const struct proposal *p, uint8_t type)
{
    const struct transform *t = proposal_get(p, type);
    return t ? alg_find((enum transform_type)t->type, t->id, t->key_bits) : NULL;
}

bool proposal_has(const struct proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->t[i].type == type && p->t[i].id == id && p->t[i].key_bits == key_bits)
            return true;
    return false;
}

/* --- words to transforms --- */

static err_t bad_word(struct proposal_error *err, const char *word, size_t n, const char *why)
{
    *err = (struct proposal_error){word, n, why};
    return R_CONFIG_VALUE;
}

static bool has_aead(const struct proposal *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct transform *t = &p->t[i];
        if (t->type != T_ENCR)
            continue;
        const struct alg *a = alg_find(T_ENCR, t->id, t->key_bits);
        if (a && a->aead)
            return true;
    }
    return false;
}

static bool has_plain_cipher(const struct proposal *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *a =
            p->t[i].type == T_ENCR ? alg_find(T_ENCR, p->t[i].id, p->t[i].key_bits) : NULL;
        if (a && !a->aead)
            return true;
    }
    return false;
}

/* RFC 8247 1.1: a hash word of an IKE proposal names the PRF as well unless one is named. */
static err_t add_prfs(struct proposal *p)
{
    if (proposal_get(p, T_PRF))
        return E_OK;
    for (size_t i = 0, n = p->count; i < n; i++) {
        if (p->t[i].type != T_INTEG)
            continue;
        const struct alg *prf = alg_prf_of_integ(p->t[i].id);
        err_t e = prf ? proposal_add(p, T_PRF, prf->id, 0) : E_OK;
        if (e)
            return e;
    }
    return E_OK;
}

static void drop_type(struct proposal *p, uint8_t type)
{
    uint8_t kept = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->t[i].type != type)
            p->t[kept++] = p->t[i];
    p->count = kept;
}

static err_t finish_ike(struct proposal *p, const char *text, struct proposal_error *err)
{
    size_t n = strlen(text);
    err_t e = add_prfs(p);
    if (e)
        return e;
    if (!proposal_get(p, T_PRF))
        return bad_word(err, text, n, "an IKE proposal needs a hash (sha256) or a PRF (prfsha256)");
    if (!proposal_get(p, T_KE))
        return bad_word(err, text, n,
                        "an IKE proposal needs a key exchange (x25519, ecp256, modp2048)");
    if (proposal_get(p, T_ESN))
        return bad_word(err, text, n, "esn and noesn belong to ESP proposals");
    for (size_t i = 0; i < p->count; i++) {
        const struct transform *t = &p->t[i];
        const struct alg *a = alg_find((enum transform_type)t->type, t->id, t->key_bits);
        if (a && a->not_ike)
            return bad_word(err, text, n,
                            a->iv_len || !a->aead ? "IKE messages must be encrypted"
                                                  : "an implicit IV is for ESP only (RFC 8750 5)");
    }
    return E_OK;
}

static err_t finish_esp(struct proposal *p, const char *text, struct proposal_error *err)
{
    if (proposal_get(p, T_PRF))
        return bad_word(err, text, strlen(text), "a PRF belongs to IKE proposals");
    return proposal_get(p, T_ESN) ? E_OK : proposal_add(p, T_ESN, ESN_NO, 0);
}

/* RFC 7296 3.3.3: integrity, ESN, and a key exchange if one is wanted */
static err_t finish_ah(struct proposal *p, const char *text, struct proposal_error *err)
{
    size_t n = strlen(text);
    if (proposal_get(p, T_PRF))
        return bad_word(err, text, n, "a PRF belongs to IKE proposals");
    if (!proposal_get(p, T_INTEG))
        return bad_word(err, text, n, "an AH proposal needs an integrity algorithm (sha256 ...)");
    return proposal_get(p, T_ESN) ? E_OK : proposal_add(p, T_ESN, ESN_NO, 0);
}

static bool is_null(const struct proposal *p)
{
    return proposal_has(p, T_ENCR, ENCR_NULL, 0);
}

/* RFC 7296 3.3.3 and RFC 8221 4: a combined-mode cipher goes without integrity, others need it, but
 * what encrypts may leave it to an AH around it. */
static err_t finish(struct proposal *p, bool in_ah, const char *text, struct proposal_error *err)
{
    size_t n = strlen(text);
    if (p->proto == PROTO_AH)
        return finish_ah(p, text, err);
    if (!proposal_get(p, T_ENCR))
        return bad_word(err, text, n,
                        "a proposal needs an encryption algorithm (aes128gcm16, aes256 ...)");
    if (has_aead(p) && has_plain_cipher(p))
        return bad_word(
            err, text, n,
            "combined-mode ciphers (GCM, CCM, ChaCha20) and others need proposals of their own");
    err_t e = p->proto == PROTO_IKE ? finish_ike(p, text, err) : finish_esp(p, text, err);
    if (e)
        return e;
    if (has_aead(p))
        drop_type(p, T_INTEG);
    else if (!proposal_get(p, T_INTEG) && (!in_ah || is_null(p)))
        return bad_word(err, text, n,
                        "encryption without integrity is not allowed (RFC 8221 4): add sha256");
    return E_OK;
}

static err_t parse_words(struct proposal *p, const char *text, struct proposal_error *err)
{
    const char *w = text;
    while (*w) {
        size_t n = strcspn(w, "-");
        const struct alg *a = alg_by_name(w, n);
        if (!a)
            return bad_word(err, w, n, n ? "unknown algorithm" : "empty word in the proposal");
        if (p->proto == PROTO_AH && !(a = alg_for_ah(a)))
            return bad_word(err, w, n, "AH does not encrypt: an integrity algorithm is wanted");
        err_t e = proposal_add(p, (uint8_t)a->type, a->id, a->key_bits);
        if (e)
            return bad_word(err, w, n, "too many algorithms in one proposal");
        w += n;
        if (*w == '-' && !*++w)
            return bad_word(err, w - 1, 1, "empty word in the proposal");
    }
    return E_OK;
}

/* RFC 8221, 8247: MUST and SHOULD, strongest common ground first; nothing below. */
static const char *const default_ike[] = {
    "aes128gcm16-aes256gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-"
    "modp2048-modp3072-modp4096",
    "aes128-aes256-sha256-sha384-sha512-x25519-ecp256-ecp384-modp2048-modp3072-modp4096",
};
static const char *const default_esp[] = {
    "aes128gcm16-aes256gcm16-chacha20poly1305",
    "aes128-aes256-sha256-sha384-sha512",
};

static const char *const default_ah = "sha256-sha384-sha512";

static err_t parse_one(enum proto proto, bool in_ah, const char *text, struct proposals *out,
                       struct proposal_error *err)
{
    if (out->count >= PROPOSALS_MAX)
        return bad_word(err, text, strlen(text), "too many proposals");
    struct proposal *p = &out->p[out->count];
    *p = (struct proposal){.number = (uint8_t)(out->count + 1), .proto = (uint8_t)proto};
    err_t e = parse_words(p, text, err);
    if (!e)
        e = finish(p, in_ah, text, err);
    if (!e)
        out->count++;
    return e;
}

err_t proposal_parse(enum proto proto, const char *text, struct proposals *out,
                     struct proposal_error *err)
{
    *err = (struct proposal_error){0};
    if (strcmp(text, "default") != 0)
        return parse_one(proto, false, text, out, err);
    if (proto == PROTO_AH)
        return parse_one(proto, false, default_ah, out, err);
    const char *const *d = proto == PROTO_IKE ? default_ike : default_esp;
    err_t e = parse_one(proto, false, d[0], out, err);
    return e ? e : parse_one(proto, false, d[1], out, err);
}

err_t proposal_parse_in_ah(const char *text, struct proposals *out, struct proposal_error *err)
{
    if (!strcmp(text, "default"))
        return proposal_parse(PROTO_ESP, text, out, err);
    *err = (struct proposal_error){0};
    return parse_one(PROTO_ESP, true, text, out, err);
}

/* --- choosing --- */

static const uint8_t all_types[] = {T_ENCR, T_INTEG, T_PRF, T_KE, T_ESN};

/* "none" as the only transform of a type is the same as not offering the type: RFC 7296 3.3.2. */
static bool is_none(const struct transform *t)
{
    return (t->type == T_INTEG && t->id == AUTH_NONE) || (t->type == T_KE && t->id == KE_NONE);
}

static bool lacks(const struct proposal *p, uint8_t type)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->t[i].type == type && !is_none(&p->t[i]))
            return false;
    return true;
}

static bool offers_none(const struct proposal *p, uint8_t type)
{
    bool any = false;
    for (size_t i = 0; i < p->count; i++) {
        if (p->t[i].type != type)
            continue;
        any = true;
        if (is_none(&p->t[i]))
            return true;
    }
    return !any;
}

/* Our first transform of the type that they offer too. */
static bool pick_type(const struct proposal *ours, const struct proposal *theirs, uint8_t type,
                      struct proposal *chosen)
{
    for (size_t i = 0; i < ours->count; i++) {
        const struct transform *t = &ours->t[i];
        if (t->type == type && !is_none(t) && proposal_has(theirs, type, t->id, t->key_bits))
            return proposal_add(chosen, type, t->id, t->key_bits) == E_OK;
    }
    return (lacks(ours, type) || offers_none(ours, type)) && offers_none(theirs, type);
}

/* Number of types that agree before the first that does not; all of them: a match. */
static size_t try_pair(const struct proposal *ours, const struct proposal *theirs,
                       struct proposal *chosen)
{
    *chosen = (struct proposal){
        .number = theirs->number, .proto = theirs->proto, .spi_len = theirs->spi_len};
    memcpy(chosen->spi, theirs->spi, sizeof chosen->spi);
    size_t ok = 0;
    for (size_t i = 0; i < sizeof all_types; i++)
        ok += pick_type(ours, theirs, all_types[i], chosen);
    return ok;
}

static void print_type(const struct proposal *p, uint8_t type, struct buf *out)
{
    bool first = out->n == 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct transform *t = &p->t[i];
        if (t->type != type || is_none(t))
            continue;
        const struct alg *a = alg_find((enum transform_type)t->type, t->id, t->key_bits);
        if (!first)
            buf_puts(out, ", ");
        first = false;
        if (a)
            buf_puts(out, a->name);
        else if (t->key_bits)
            buf_printf(out, "(%u, %u bits)", t->id, t->key_bits);
        else
            buf_printf(out, "(%u)", t->id);
    }
    if (out->n == 0)
        buf_puts(out, "none");
}

static void explain(const struct proposal *ours, const struct proposal *theirs,
                    struct proposal_mismatch *why)
{
    struct proposal scratch = {0};
    for (size_t i = 0; i < sizeof all_types; i++) {
        if (pick_type(ours, theirs, all_types[i], &scratch))
            continue;
        why->type = all_types[i];
        print_type(ours, all_types[i], &why->ours);
        print_type(theirs, all_types[i], &why->theirs);
        return;
    }
}

static void print_protocols(const struct proposals *ps, struct buf *out)
{
    static const char *const names[] = {"none", "IKE", "AH", "ESP"};
    uint8_t last = UINT8_MAX;
    for (size_t i = 0; i < ps->count; i++) {
        uint8_t proto = ps->p[i].proto;
        if (proto == last)
            continue;
        buf_printf(out, "%s%s", out->n ? ", " : "", proto < 4 ? names[proto] : "unknown");
        last = proto;
    }
}

err_t proposal_select(const struct proposals *ours, const struct proposals *theirs,
                      struct proposal *chosen, struct proposal_mismatch *why)
{
    const struct proposal *best_o = NULL, *best_t = NULL;
    size_t best = 0;
    *why = (struct proposal_mismatch){0};
    for (size_t i = 0; i < ours->count; i++) {
        for (size_t j = 0; j < theirs->count; j++) {
            const struct proposal *o = &ours->p[i], *t = &theirs->p[j];
            if (o->proto != t->proto || t->unusable)
                continue;
            size_t ok = try_pair(o, t, chosen);
            if (ok == sizeof all_types)
                return E_OK;
            if (!best_o || ok > best) {
                best_o = o;
                best_t = t;
                best = ok;
            }
        }
    }
    if (best_o) {
        explain(best_o, best_t, why);
    } else {
        print_protocols(ours, &why->ours);
        print_protocols(theirs, &why->theirs);
    }
    return R_NO_PROPOSAL;
}

err_t proposal_check_chosen(const struct proposals *offered, const struct proposal *chosen)
{
    if (chosen->unusable)
        return R_PROPOSAL_ALTERED;
    for (size_t i = 0; i < offered->count; i++) {
        const struct proposal *o = &offered->p[i];
        if (o->proto != chosen->proto || (chosen->number && o->number != chosen->number))
            continue;
        bool ok = true;
        for (size_t k = 0; ok && k < sizeof all_types; k++) {
            size_t seen = 0;
            for (size_t j = 0; j < chosen->count; j++) {
                const struct transform *t = &chosen->t[j];
                if (t->type != all_types[k] || is_none(t))
                    continue;
                seen++;
                ok = ok && proposal_has(o, t->type, t->id, t->key_bits);
            }
            /* exactly one of each type that we offered */
            ok = ok && seen == (size_t)(seen == 0 && offers_none(o, all_types[k]) ? 0 : 1);
        }
        if (ok)
            return E_OK;
    }
    return R_PROPOSAL_ALTERED;
}

void proposal_mismatch_free(struct proposal_mismatch *m)
{
    buf_free(&m->ours);
    buf_free(&m->theirs);
    *m = (struct proposal_mismatch){0};
}

/* --- printing --- */

static bool implied_prf(const struct proposal *p, const struct transform *t)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *prf = p->t[i].type == T_INTEG ? alg_prf_of_integ(p->t[i].id) : NULL;
        if (prf && prf->id == t->id)
            return true;
    }
    return false;
}

void proposal_print(const struct proposal *p, struct buf *out)
{
    bool first = true;
    for (size_t k = 0; k < sizeof all_types; k++) {
        for (size_t i = 0; i < p->count; i++) {
            const struct transform *t = &p->t[i];
            if (t->type != all_types[k] || is_none(t) || (t->type == T_ESN && t->id == ESN_NO) ||
                (t->type == T_PRF && implied_prf(p, t)))
                continue;
            const struct alg *a = alg_find((enum transform_type)t->type, t->id, t->key_bits);
            buf_puts(out, first ? "" : "-");
            first = false;
            if (a)
                buf_puts(out, a->name);
            else
                buf_printf(out, "(%s %u)", transform_type_name((enum transform_type)t->type),
                           t->id);
        }
    }
    for (size_t i = 0; i < p->count; i++)
        if (p->t[i].type < T_ENCR || p->t[i].type > T_ESN)
            buf_printf(out, "-(type %u: %u)", p->t[i].type, p->t[i].id);
}

void proposals_print(const struct proposals *ps, struct buf *out)
{
    for (size_t i = 0; i < ps->count; i++) {
        buf_puts(out, i ? ", " : "");
        proposal_print(&ps->p[i], out);
    }
}
