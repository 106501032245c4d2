/*
 * How we choose: a responder takes its own first suite that the peer offers too (RFC 2409 5), an
 * initiator looks whether the answer is one that it offered (RFC 2408 4.2). What differs is told
 * attribute by attribute. Called by phase 1 and quick mode.
 */
#include "ike/v1/v1.h"

static bool same_type(const struct v1_transform *a, const struct v1_transform *b, uint8_t type)
{
    return proposal_alg(&a->p, type) == proposal_alg(&b->p, type);
}

/* The attributes that must agree, in the order in which they are told. */
enum attr { A_PROTO, A_ENCR, A_HASH, A_AH, A_KE, A_ESN, A_AUTH, A_ENCAP, A_COMP, A_COUNT };

/* What only one of them has is told by the protocol alone. */
static bool agree_ah(const struct v1_ah *a, const struct v1_ah *b)
{
    return a->there != b->there || (a->integ == b->integ && (a->integ || !a->there));
}

/* AH around ESP, not a tunnel in a tunnel or transport within one; 0: it leaves that to ESP. */
static bool around(const struct v1_transform *t)
{
    return !t->ah.there || t->ah.encap == t->encap || t->ah.encap == ENCAP1_TRANSPORT ||
           !t->ah.encap;
}

static bool agree(const struct v1_transform *a, const struct v1_transform *b, enum attr i)
{
    switch (i) {
    case A_PROTO:
        return a->proto == b->proto && a->ah.there == b->ah.there && !a->bundled && !b->bundled;
    case A_ENCR:
        return same_type(a, b, T_ENCR) && (a->proto == PROTO_AH || proposal_alg(&a->p, T_ENCR));
    case A_HASH:
        return same_type(a, b, T_INTEG);
    case A_AH:
        return agree_ah(&a->ah, &b->ah);
    case A_KE:
        return same_type(a, b, T_KE);
    case A_ESN:
        return same_type(a, b, T_ESN) && (a->ah.there != b->ah.there || a->ah.esn == b->ah.esn);
    case A_AUTH:
        return a->auth == b->auth;
    case A_COMP:
        return !a->cpi == !b->cpi;
    default:
        return a->encap == b->encap && around(a) && around(b);
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
    static const char *const phase1[] = {
        "protocol", "encryption",     "hash",          "AH",    "group",
        "ESN",      "authentication", "encapsulation", "IPComp"};
    static const char *const phase2[] = {"protocol",       "encryption",         "integrity",
                                         "AH integrity",   "PFS group",          "ESN",
                                         "authentication", "encapsulation mode", "IPComp"};
    return ike ? phase1[i] : phase2[i];
}

static const char *alg_name(const struct v1_transform *t, uint8_t type)
{
    const struct alg *a = proposal_alg(&t->p, type);
    return a ? a->name : t->unusable ? "(unknown)" : "none";
}

static void print_attr(const struct v1_transform *t, enum attr i, struct buf *b)
{
    static const uint8_t types[] = {[A_ENCR] = T_ENCR, [A_HASH] = T_INTEG, [A_KE] = T_KE};
    const char *auth = auth_v1_name(t->auth);
    switch (i) {
    case A_PROTO:
        buf_puts(b, t->bundled              ? "several, not all known"
                    : t->ah.there           ? "AH and ESP"
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
    case A_AH:
        buf_puts(b, t->ah.integ ? t->ah.integ->name : t->ah.there ? "(unknown)" : "none");
        break;
    case A_ESN:
        buf_puts(b, alg_name(t, T_ESN));
        if (t->ah.there)
            buf_puts(b, t->ah.esn ? ", AH esn" : ", AH noesn");
        break;
    case A_ENCAP:
        buf_puts(b, encap_v1_name(t->encap));
        if (!around(t))
            buf_printf(b, ", AH %s", encap_v1_name(t->ah.encap));
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

static const char *encap_hint(struct ike *e, const struct v1_transform *o,
                              const struct v1_transform *t)
{
    uint16_t ours = o->encap, theirs = t->encap;
    const char *mode = is_transport(ours) ? "transport" : "tunnel";
    if (!around(t))
        return "AH goes around ESP in the same packet: at the peer, give AH the mode of ESP, or "
               "transport mode";
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
        r->hint = encap_hint(e, o, t);
    if (!agree(o, t, A_PROTO) && o->ah.there != t->ah.there)
        r->hint = "AH around ESP is esp_proposals and ah_proposals of one child, both set, on both "
                  "sides";
    if (!what.n) { /* all known ones agree */
        buf_puts(&what, "attributes");
        buf_puts(&theirs, "an attribute that is not known here");
    }
    r->what = ike_str_buf(e, &what);
    r->ours = ike_str_buf(e, &ours);
    r->theirs = ike_str_buf(e, &theirs);
}

void v1_suite_print(const struct v1_transform *t, struct buf *out)
{
    proposal_print(&t->p, out);
    if (t->ah.there)
        buf_printf(out, " in AH %s%s", t->ah.integ ? t->ah.integ->name : "(unknown)",
                   t->ah.esn ? "-esn" : "");
}

const char *v1_offer_str(struct ike *e, const struct v1_transform *t, size_t n)
{
    struct buf b = {0};
    for (size_t i = 0; i < n && i < 16; i++) {
        buf_puts(&b, i ? ", " : "");
        v1_suite_print(&t[i], &b);
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
