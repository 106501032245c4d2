/*
 * What we offer: the alternatives of a configured proposal become the single suites that IKEv1
 * knows (RFC 2408 4.2), in order of priority. Called by both modes of phase 1 and by quick mode,
 * also by responders, who choose among these: choose.c.
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

struct list_of {
    struct v1_transform *t;
    size_t n;
    bool initiator;
};

static bool begin(struct ike *e, struct list_of *l)
{
    *l = (struct list_of){.t = ike_alloc(e, V1_TRANSFORMS_MAX * sizeof *l->t)};
    return l->t != NULL;
}

static struct v1_transform *next(struct list_of *l)
{
    return l->n < V1_TRANSFORMS_MAX ? &l->t[l->n++] : NULL;
}

static const struct alg *alg_of(const struct transform *t, uint8_t type)
{
    return t->type == type ? alg_find((enum transform_type)type, t->id, t->key_bits) : NULL;
}

static void put(struct proposal *p, const struct alg *a)
{
    if (a && proposal_add(p, (uint8_t)a->type, a->id, a->key_bits))
        p->unusable = true;
}

/* --- phase 1 --- */

/* RFC 2409 4: one hash serves as PRF and for everything else */
static void ike_suite(struct list_of *l, const struct conn *c, const struct v1_method *method,
                      const struct alg *const alg[3])
{
    const struct alg *encr = alg[0], *hash = alg[1], *ke = alg[2];
    struct v1_transform *t = next(l);
    const struct alg *prf = alg_prf_of_integ(hash->id);
    if (!t)
        return;
    *t = (struct v1_transform){.proto = PROTO_IKE, .auth = method->number};
    t->p.proto = PROTO_IKE;
    put(&t->p, encr);
    put(&t->p, hash);
    put(&t->p, prf);
    put(&t->p, ke);
    uint64_t s = c->rekey_s > c->reauth_s ? c->rekey_s : c->reauth_s;
    t->life_s = s ? s + c->over_s : 0;
}

struct ike_args {
    const struct conn *c;
    const struct v1_method *method[V1_METHODS_MAX];
    size_t methods;
};

static void ike_groups(struct list_of *l, const struct ike_args *a, const struct proposal *p,
                       const struct alg *encr, const struct alg *hash)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *ke = alg_of(&p->t[i], T_KE);
        const struct alg *const alg[] = {encr, hash, ke};
        for (size_t k = 0; ke && ke->v1_ike && k < a->methods; k++)
            ike_suite(l, a->c, a->method[k], alg);
    }
}

static void ike_hashes(struct list_of *l, const struct ike_args *a, const struct proposal *p,
                       const struct alg *encr)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *hash = alg_of(&p->t[i], T_INTEG);
        const struct alg *prf = hash ? alg_prf_of_integ(hash->id) : NULL;
        if (prf && proposal_has(p, T_PRF, prf->id, 0))
            ike_groups(l, a, p, encr, hash);
    }
}

/* RFC 2409 5: in aggressive mode the group cannot be negotiated, the value is there already */
static void only_first_group(struct list_of *l)
{
    const struct alg *first = l->n ? proposal_alg(&l->t[0].p, T_KE) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (proposal_alg(&l->t[i].p, T_KE) == first)
            l->t[n++] = l->t[i];
    l->n = n;
}

size_t v1_offer_ike(struct ike *e, const struct conn *c, const struct addr *local, bool initiator,
                    bool one_group, struct v1_transform **out)
{
    struct list_of l;
    struct ike_args a = {.c = c};
    if (!begin(e, &l))
        return 0;
    a.methods = v1_methods(e, c, local, initiator, a.method);
    for (size_t i = 0; i < c->ike.count; i++) {
        const struct proposal *p = &c->ike.p[i];
        for (size_t k = 0; k < p->count; k++) {
            const struct alg *encr = alg_of(&p->t[k], T_ENCR);
            if (encr && encr->v1_ike)
                ike_hashes(&l, &a, p, encr);
        }
    }
    if (one_group)
        only_first_group(&l);
    *out = l.t;
    return l.n;
}

/* --- quick mode --- */

struct esp_args {
    const struct conn_child *cc;
    uint16_t encap;
    uint8_t number, proto; /* of the proposal */
    bool comp;
    struct v1_ah ah; /* around it */
};

/* RFC 2407 4.5 has tunnel and transport, and strongSwan no number of its own. */
enum ipsec_mode v1_mode(const struct conn_child *cc)
{
    return cc->mode == MODE_BEET ? MODE_TUNNEL : cc->mode;
}

static uint16_t wrapping(const struct v1_sa *v, enum ipsec_mode mode)
{
    if (mode == MODE_TRANSPORT)
        return sa_udp(&v->sa) ? ENCAP1_UDP_TRANSPORT : ENCAP1_TRANSPORT;
    return sa_udp(&v->sa) ? ENCAP1_UDP_TUNNEL : ENCAP1_TUNNEL;
}

static void esp_suite(struct list_of *l, const struct esp_args *a, const struct alg *const alg[4])
{
    struct v1_transform *t = next(l);
    const struct lifetime *life = &a->cc->life;
    if (!t)
        return;
    *t = (struct v1_transform){
        .proposal = a->number, .proto = a->proto, .encap = a->encap, .cpi = a->comp, .ah = a->ah};
    t->p.proto = a->proto;
    for (size_t i = 0; i < 4; i++)
        put(&t->p, alg[i]);
    t->life_s = life->life_s;
    t->life_kb = (life->life_bytes + 1023) / 1024;
}

/* Has quick mode a number for it, in this protocol? */
static bool sayable(const struct esp_args *a, const struct alg *alg)
{
    if (alg->type == T_ESN)
        return true;
    return a->proto == PROTO_AH && alg->type == T_INTEG ? alg->v1_ah != 0 : alg->v1_esp != 0;
}

static bool any_of(const struct proposal *p, uint8_t type)
{
    for (size_t i = 0; i < p->count; i++)
        if (alg_of(&p->t[i], type) && !(type == T_KE && p->t[i].id == KE_NONE))
            return true;
    return false;
}

/* One level of the product of alternatives for each type; a type that is not there is skipped. */
static void esp_product(struct list_of *l, const struct esp_args *a, const struct proposal *p,
                        const struct alg *alg[4], size_t level)
{
    static const uint8_t types[] = {T_ENCR, T_INTEG, T_KE, T_ESN};
    if (level == sizeof types) {
        esp_suite(l, a, alg);
        return;
    }
    if (!any_of(p, types[level])) {
        alg[level] = NULL;
        esp_product(l, a, p, alg, level + 1);
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        alg[level] = alg_of(&p->t[i], types[level]);
        if (alg[level] && sayable(a, alg[level]))
            esp_product(l, a, p, alg, level + 1);
    }
}

/*
 * RFC 2408 4.2: ESP and AH with one proposal number, one AH in each. RFC 2401 4.3: AH goes around
 * ESP in the same packet, IP AH ESP, also where ESP is in tunnel mode. The attribute of both says
 * the mode of the whole: so pluto has it, Cisco's transform sets, and racoon, which with
 * complex_bundle says transport for AH instead; taken are both.
 */
static void in_ah(struct list_of *l, struct esp_args *a, const struct proposal *esp,
                  const struct proposal *ah, const struct alg *integ)
{
    const struct alg *alg[4] = {0};
    for (size_t i = 0; i < ah->count; i++) {
        const struct alg *esn = alg_of(&ah->t[i], T_ESN);
        if (!esn)
            continue;
        a->number++;
        a->ah = (struct v1_ah){
            .there = true, .esn = esn->id == ESN_YES, .encap = a->encap, .integ = integ};
        esp_product(l, a, esp, alg, 0);
    }
}

static void bundle(struct list_of *l, struct esp_args *a, const struct proposal *esp)
{
    a->proto = PROTO_ESP;
    for (size_t i = 0; i < a->cc->esp.count; i++) {
        const struct proposal *p = &a->cc->esp.p[i];
        for (size_t k = 0; k < p->count && p->proto == PROTO_AH; k++) {
            const struct alg *integ = alg_of(&p->t[k], T_INTEG);
            if (integ && integ->v1_ah)
                in_ah(l, a, esp, p, integ);
        }
    }
}

static void alone(struct list_of *l, struct esp_args *a, const struct proposal *p)
{
    const struct alg *alg[4] = {0};
    if (p->proto != a->proto) /* RFC 2408 3.5: a proposal has one protocol */
        a->number++;
    a->proto = p->proto;
    esp_product(l, a, p, alg, 0);
}

size_t v1_offer_esp(struct ike *e, const struct conn_child *cc, const struct v1_sa *v,
                    bool one_group, struct v1_transform **out)
{
    struct list_of l;
    struct esp_args a = {.cc = cc, .encap = wrapping(v, v1_mode(cc))};
    if (!begin(e, &l))
        return 0;
    for (int comp = cc->ipcomp; comp >= 0; comp--) { /* the same again without IPComp */
        a.comp = comp;
        a.proto = PROTO_NONE;
        for (size_t i = 0; i < cc->esp.count; i++) {
            const struct proposal *p = &cc->esp.p[i];
            if (cc->bundle && p->proto == PROTO_ESP)
                bundle(&l, &a, p);
            else if (!cc->bundle && mode_usable(&v->sa, p))
                alone(&l, &a, p);
        }
    }
    if (one_group) /* RFC 2409 5.5: one KE payload, so one group in all of them */
        only_first_group(&l);
    *out = l.t;
    return l.n;
}
