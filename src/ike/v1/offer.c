/*
 * What we offer and how we choose: the alternatives of a configured proposal become the single
 * suites that IKEv1 knows (RFC 2408 4.2), in order of priority; a responder takes its own first
 * that the peer offers too (RFC 2409 5). What differs is told attribute by attribute.
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
};

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
        .proposal = a->number, .proto = a->proto, .encap = a->encap, .cpi = a->comp};
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

size_t v1_offer_esp(struct ike *e, const struct conn_child *cc, const struct v1_sa *v,
                    bool one_group, struct v1_transform **out)
{
    struct list_of l;
    struct esp_args a = {.cc = cc, .encap = wrapping(v, cc->mode)};
    const struct alg *alg[4] = {0};
    if (!begin(e, &l))
        return 0;
    for (int comp = cc->ipcomp; comp >= 0; comp--) { /* the same again without IPComp */
        a.comp = comp;
        a.proto = PROTO_NONE;
        for (size_t i = 0; i < cc->esp.count; i++) {
            const struct proposal *p = &cc->esp.p[i];
            if (!mode_usable(&v->sa, p))
                continue;
            if (p->proto != a.proto) /* RFC 2408 3.5: a proposal has one protocol */
                a.number++;
            a.proto = p->proto;
            esp_product(&l, &a, p, alg, 0);
        }
    }
    if (one_group) /* RFC 2409 5.5: one KE payload, so one group in all of them */
        only_first_group(&l);
    *out = l.t;
    return l.n;
}

/* --- choosing --- */

static bool same_type(const struct v1_transform *a, const struct v1_transform *b, uint8_t type)
{
    return proposal_alg(&a->p, type) == proposal_alg(&b->p, type);
}

/* The attributes that must agree, in the order in which they are told. */
enum attr { A_PROTO, A_ENCR, A_HASH, A_KE, A_ESN, A_AUTH, A_ENCAP, A_COMP, A_COUNT };

static bool agree(const struct v1_transform *a, const struct v1_transform *b, enum attr i)
{
    switch (i) {
    case A_PROTO:
        return a->proto == b->proto && !a->bundled && !b->bundled;
    case A_ENCR:
        return same_type(a, b, T_ENCR) && (a->proto == PROTO_AH || proposal_alg(&a->p, T_ENCR));
    case A_HASH:
        return same_type(a, b, T_INTEG);
    case A_KE:
        return same_type(a, b, T_KE);
    case A_ESN:
        return same_type(a, b, T_ESN);
    case A_AUTH:
        return a->auth == b->auth;
    case A_COMP:
        return !a->cpi == !b->cpi;
    default:
        return a->encap == b->encap;
    }
}

static size_t agreeing(const struct v1_transform *a, const struct v1_transform *b)
{
    size_t n = 0;
    for (enum attr i = 0; i < A_COUNT; i++)
        n += agree(a, b, i);
    return n;
}

bool v1_same_suite(const struct v1_transform *a, const struct v1_transform *b)
{
    return agreeing(a, b) == A_COUNT && !a->unusable && !b->unusable;
}

static const char *attr_name(bool ike, enum attr i)
{
    static const char *const phase1[] = {"protocol", "encryption",     "hash",          "group",
                                         "ESN",      "authentication", "encapsulation", "IPComp"};
    static const char *const phase2[] = {"protocol",           "encryption", "integrity",
                                         "PFS group",          "ESN",        "authentication",
                                         "encapsulation mode", "IPComp"};
    return ike ? phase1[i] : phase2[i];
}

static const char *alg_name(const struct v1_transform *t, uint8_t type)
{
    const struct alg *a = proposal_alg(&t->p, type);
    return a ? a->name : t->unusable ? "(unknown)" : "none";
}

static void print_attr(const struct v1_transform *t, enum attr i, struct buf *b)
{
    static const uint8_t types[] = {
        [A_ENCR] = T_ENCR, [A_HASH] = T_INTEG, [A_KE] = T_KE, [A_ESN] = T_ESN};
    const char *auth = auth_v1_name(t->auth);
    switch (i) {
    case A_PROTO:
        buf_puts(b, t->bundled              ? "AH and ESP"
                    : t->proto == PROTO_ESP ? "ESP"
                    : t->proto == PROTO_AH  ? "AH"
                    : t->proto == PROTO_IKE ? "ISAKMP"
                                            : "IPCOMP");
        break;
    case A_AUTH:
        if (auth)
            buf_puts(b, auth);
        else
            buf_printf(b, "method %u", t->auth);
        break;
    case A_ENCAP:
        buf_puts(b, encap_v1_name(t->encap));
        break;
    case A_COMP:
        buf_puts(b, t->cpi ? "DEFLATE" : "none");
        break;
    default:
        buf_puts(b, alg_name(t, types[i]));
    }
}

static bool is_transport(uint16_t encap)
{
    return encap == ENCAP1_TRANSPORT || encap == ENCAP1_UDP_TRANSPORT;
}

static const char *encap_hint(struct ike *e, uint16_t ours, uint16_t theirs)
{
    const char *mode = is_transport(ours) ? "transport" : "tunnel";
    if (is_transport(ours) == is_transport(theirs))
        return "the peers do not agree whether a NAT is between them: see NAT-D in both logs";
    return ike_strf(e, "set mode = %s for this child, or the peer's to %s",
                    is_transport(theirs) ? "transport" : "tunnel", mode);
}

static void differences(struct ike *e, bool ike, const struct v1_transform *o,
                        const struct v1_transform *t, struct refusal *r)
{
    struct buf what = {0}, ours = {0}, theirs = {0};
    for (enum attr i = 0; i < A_COUNT; i++) {
        if (agree(o, t, i))
            continue;
        const char *sep = what.n ? ", " : "";
        buf_printf(&what, "%s%s", sep, attr_name(ike, i));
        buf_printf(&ours, "%s%s ", sep, attr_name(ike, i));
        print_attr(o, i, &ours);
        buf_printf(&theirs, "%s%s ", sep, attr_name(ike, i));
        print_attr(t, i, &theirs);
    }
    if (agreeing(o, t) == A_COUNT - 1 && !agree(o, t, A_ENCAP))
        r->hint = encap_hint(e, o->encap, t->encap);
    if (!what.n) { /* all known ones agree */
        buf_puts(&what, "attributes");
        buf_puts(&theirs, "an attribute that is not known here");
    }
    r->what = ike_str_buf(e, &what);
    r->ours = ike_str_buf(e, &ours);
    r->theirs = ike_str_buf(e, &theirs);
}

const char *v1_offer_str(struct ike *e, const struct v1_transform *t, size_t n)
{
    struct buf b = {0};
    for (size_t i = 0; i < n && i < 16; i++) {
        buf_puts(&b, i ? ", " : "");
        proposal_print(&t[i].p, &b);
    }
    if (n > 16)
        buf_puts(&b, " ...");
    return ike_str_buf(e, &b);
}

static const char *method_hint(uint16_t theirs)
{
    switch (theirs) {
    case AUTH1_RSA_ENC:
    case AUTH1_RSA_ENC_REVISED:
        return "RSA encryption (rsa-encr) is not spoken here, nor by anybody but old IOS: set "
               "\"authentication rsa-sig\" in the peer's policy";
    case AUTH1_DSS:
        return "DSS signatures are not spoken here: use RSA or ECDSA";
    default:
        return "make auth of local and remote the same on both sides: psk, or pubkey with keys of "
               "one kind";
    }
}

const struct v1_transform *v1_choose(struct ike *e, bool ike, const struct v1_transform *ours,
                                     size_t n, const struct v1_sa_body *theirs, struct refusal *r)
{
    const struct v1_transform *near_o = NULL, *near_t = NULL;
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < theirs->count; k++) {
            const struct v1_transform *t = &theirs->t[k];
            size_t ok = agreeing(&ours[i], t);
            if (ok == A_COUNT && !t->unusable)
                return t;
            if (ok > best) {
                best = ok;
                near_o = &ours[i];
                near_t = t;
            }
        }
    }
    *r = (struct refusal){.reason = R_NO_PROPOSAL,
                          .what = "proposals",
                          .ours = "none for IKEv1",
                          .clause = ike ? "RFC 2409 5" : "RFC 2407 4.5"};
    if (!near_o)
        return NULL;
    differences(e, ike, near_o, near_t, r);
    if (ike && !agree(near_o, near_t, A_AUTH))
        r->hint = method_hint(near_t->auth);
    r->text = ike_strf(e, "we have %s; the peer offers %s", v1_offer_str(e, ours, n),
                       v1_offer_str(e, theirs->t, theirs->count));
    return NULL;
}

void v1_suite_set(struct ike_sa *sa, const struct proposal *p)
{
    sa->encr = proposal_alg(p, T_ENCR);
    sa->integ = proposal_alg(p, T_INTEG); /* only shown: the hash */
    sa->prf = proposal_alg(p, T_PRF);
    sa->ke = proposal_alg(p, T_KE);
}
