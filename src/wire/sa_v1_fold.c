/*
 * SA payload of IKEv1: what one proposal number means together (RFC 2408 4.2). IPComp and AH beside
 * ESP become properties of it, so that a suite is one entry; other combinations are marked. Called
 * when the payload was read.
 */
#include "wire/sa_v1_impl.h"

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

static const struct alg *integ_of(const struct v1_transform *t)
{
    return proposal_alg(&t->p, T_INTEG);
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a && (!b || a < b) ? a : b;
}

/* RFC 2409 5.5: one KE payload, so both have the same group; both end with the shorter life. */
static void put_ah(struct v1_transform *esp, const struct v1_transform *ah)
{
    const struct transform *esn = proposal_get(&ah->p, T_ESN);
    bool same = proposal_alg(&esp->p, T_KE) == proposal_alg(&ah->p, T_KE);
    esp->ah = (struct v1_ah){.there = true,
                             .esn = esn && esn->id == ESN_YES,
                             .encap = ah->encap,
                             .integ = integ_of(ah),
                             .spi = ah->spi,
                             .raw = ah->raw};
    esp->life_s = shorter(esp->life_s, ah->life_s);
    esp->life_kb = shorter(esp->life_kb, ah->life_kb);
    esp->unusable |= ah->unusable || !same;
}

static bool beside(const struct v1_sa_body *s, size_t n, const struct v1_transform *t,
                   uint8_t proto)
{
    for (size_t i = 0; i < n; i++)
        if (s->t[i].proposal == t->proposal && s->t[i].proto == proto)
            return true;
    return false;
}

/* Each ESP once with each AH of its proposal number; beyond the array they are left out. */
static void pair_up(struct v1_sa_body *s, size_t given, size_t at)
{
    const struct v1_transform esp = s->t[at];
    struct v1_transform *to = &s->t[at];
    for (size_t k = 0; k < given && to; k++) {
        if (s->t[k].proposal != esp.proposal || s->t[k].proto != PROTO_AH)
            continue;
        *to = esp;
        put_ah(to, &s->t[k]);
        to = s->count < V1_TRANSFORMS_MAX ? &s->t[s->count++] : NULL;
    }
    if (to)
        s->count--; /* taken for one that did not come */
}

/* AH becomes a property of the ESP beside it; alone it stays what it is. */
static void fold_ah(struct v1_sa_body *s)
{
    size_t given = s->count, n = 0;
    for (size_t i = 0; i < given; i++)
        if (s->t[i].proto == PROTO_ESP && beside(s, given, &s->t[i], PROTO_AH))
            pair_up(s, given, i);
    for (size_t i = 0; i < s->count; i++)
        if (s->t[i].proto != PROTO_AH || !beside(s, s->count, &s->t[i], PROTO_ESP))
            s->t[n++] = s->t[i];
    s->count = n;
}

/* RFC 8221 4: encryption without integrity is not taken, but with AH around it, as Cisco's sets of
 * esp-aes and ah-sha-hmac have it; RFC 4301 4.2: never nothing at all. */
static bool nobody_vouches(const struct v1_transform *t)
{
    const struct alg *encr = proposal_alg(&t->p, T_ENCR);
    return t->proto == PROTO_ESP && encr && !encr->aead && !integ_of(t) &&
           (!t->ah.there || encr->id == ENCR_NULL);
}

static void mark_unprotected(struct v1_sa_body *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (nobody_vouches(&s->t[i]))
            s->t[i].unusable = true;
}

/* RFC 2408 4.2: proposals of one number are meant together */
static void mark_bundles(struct v1_sa_body *s)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->count; k++)
            if (s->t[i].proposal == s->t[k].proposal && s->t[i].proto != s->t[k].proto)
                s->t[i].bundled = true;
}

void sa_v1_fold(struct v1_sa_body *s, bool ike)
{
    if (!ike) {
        fold_comp(s);
        fold_ah(s);
        mark_unprotected(s);
    }
    mark_bundles(s);
}
