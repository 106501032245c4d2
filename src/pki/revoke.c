/*
 * Revocation lists: RFC 5280 5 and 6.3, from files and VICI, by `revocation` of the connection.
 * Each certificate of the chain but the root is looked up in the lists that its issuer signed.
 */
#include "pki/store.h"
#include <openssl/err.h>
#include <stdio.h>

#define CLAUSE "RFC 5280 6.3.3"

enum standing {
    CRL_NONE,   /* no list of this issuer */
    CRL_FORGED, /* one of this name, but not signed by it */
    CRL_OTHERS, /* good, but for other certificates of the issuer */
    CRL_STALE,  /* good, but its nextUpdate is over */
    CRL_EARLY,  /* its thisUpdate is to come */
    CRL_FRESH,
};

struct lookup {
    enum standing standing;
    const struct pki_crl *crl; /* what standing is about */
    X509_REVOKED *entry;
};

/* Lists of authorities that we have were looked at when the store was made. */
static bool is_signed_by(const struct pki_crl *crl, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    if (crl->signer && !X509_cmp(crl->signer->x, issuer))
        return true;
    return key && (X509_get_key_usage(issuer) & KU_CRL_SIGN) && X509_CRL_verify(crl->x, key) == 1;
}

static enum standing standing_of(const struct pki_crl *crl, X509 *issuer, uint64_t wall_s)
{
    X509_CRL *x = crl->x;
    time_t now = (time_t)wall_s;
    if (!is_signed_by(crl, issuer))
        return CRL_FORGED;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(x);
    if (X509_cmp_time(X509_CRL_get0_lastUpdate(x), &now) > 0)
        return CRL_EARLY;
    return !next || X509_cmp_time(next, &now) < 0 ? CRL_STALE : CRL_FRESH;
}

/* --- which certificates a list is about: RFC 5280 5.2.5, 6.3.3 (b) --- */

static bool share_name(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(a); i++)
        for (int k = 0; k < sk_GENERAL_NAME_num(b); k++)
            if (!GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i), sk_GENERAL_NAME_value(b, k)))
                return true;
    return false;
}

static const GENERAL_NAMES *full_name(const DIST_POINT_NAME *n)
{
    return n && !n->type ? n->name.fullname : NULL; /* 1: relative to the issuer */
}

/* The certificate itself says that this part of the issuer's lists is its. */
static bool names_part(X509 *x, const DIST_POINT_NAME *part)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_DIST_POINT_num(points) && !found; i++) {
        const DIST_POINT *p = sk_DIST_POINT_value(points, i);
        found = !p->CRLissuer && share_name(full_name(p->distpoint), full_name(part));
    }
    CRL_DIST_POINTS_free(points);
    return found;
}

static bool is_about(X509_CRL *crl, X509 *x)
{
    ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
    bool ca = X509_get_extension_flags(x) & EXFLAG_CA;
    bool is = !idp || ((ca ? idp->onlyuser : idp->onlyCA) <= 0 &&
                       (!idp->distpoint || names_part(x, idp->distpoint)));
    ISSUING_DIST_POINT_free(idp);
    return is;
}

/* All lists of the issuer are asked: revoked in one is revoked, even in one for others. */
static struct lookup look_up(const struct verify *v, X509 *x, X509 *issuer)
{
    struct lookup l = {.standing = CRL_NONE};
    for (size_t i = 0; v->p && i < v->p->crl_count && !l.entry; i++) {
        struct pki_crl *crl = v->p->crl[i];
        if (X509_NAME_cmp(X509_CRL_get_issuer(crl->x), X509_get_subject_name(issuer)) != 0)
            continue;
        enum standing s = standing_of(crl, issuer, v->q->wall_s);
        X509_REVOKED *entry = NULL;
        int found = s > CRL_FORGED ? X509_CRL_get0_by_cert(crl->x, &entry, x) : 0;
        if (s > CRL_FORGED && !is_about(crl->x, x))
            s = CRL_OTHERS;
        if (found == 1) /* 2: taken off the list again */
            l = (struct lookup){s, crl, entry};
        else if (s > l.standing)
            l = (struct lookup){s, crl, NULL};
    }
    return l;
}

static const char *reason_of(X509_REVOKED *entry)
{
    static const char *const names[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", NULL,
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    ASN1_ENUMERATED *r = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    long n = r ? ASN1_ENUMERATED_get(r) : 0;
    ASN1_ENUMERATED_free(r);
    const char *name = n >= 0 && n < (long)(sizeof names / sizeof *names) ? names[n] : NULL;
    return name ? name : "unspecified";
}

static err_t revoked(const struct verify *v, X509 *x, const struct lookup *l)
{
    char name[NAME_TEXT], at[TIME_TEXT];
    struct pki_why *why = v->why;
    name_text(X509_get_subject_name(x), name);
    time_text(X509_REVOKED_get0_revocationDate(l->entry), at);
    snprintf(why->theirs, sizeof why->theirs, "%s, revoked on %s (%s)", name, at,
             reason_of(l->entry));
    snprintf(why->ours, sizeof why->ours, "the list %s", l->crl->name);
    snprintf(why->hint, sizeof why->hint, "the peer needs a new certificate and key from %s",
             name_text(X509_get_issuer_name(x), name));
    return why_set(why, R_CERT_REVOKED, "revocation", CLAUSE);
}

static bool has_uri(X509 *x)
{
    return X509_get_ext_by_NID(x, NID_crl_distribution_points, -1) >= 0;
}

static void list_text(const struct lookup *l, struct pki_why *why)
{
    char a[TIME_TEXT];
    switch (l->standing) {
    case CRL_NONE:
        snprintf(why->ours, sizeof why->ours, "no revocation list of this issuer");
        break;
    case CRL_FORGED:
        snprintf(why->ours, sizeof why->ours, "%s, which the issuer did not sign", l->crl->name);
        break;
    case CRL_OTHERS:
        snprintf(why->ours, sizeof why->ours, "%s, which is for other certificates of the issuer",
                 l->crl->name);
        break;
    case CRL_EARLY:
        snprintf(why->ours, sizeof why->ours, "%s, issued only on %s", l->crl->name,
                 time_text(X509_CRL_get0_lastUpdate(l->crl->x), a));
        break;
    case CRL_STALE:
    case CRL_FRESH:
        snprintf(why->ours, sizeof why->ours, "%s, which was due for renewal on %s", l->crl->name,
                 time_text(X509_CRL_get0_nextUpdate(l->crl->x), a));
        break;
    }
}

static err_t unknown(const struct verify *v, X509 *x, const struct lookup *l,
                     enum revocation policy)
{
    char name[NAME_TEXT], issuer[NAME_TEXT];
    struct pki_why *why = v->why;
    list_text(l, why);
    name_text(X509_get_issuer_name(x), issuer);
    snprintf(why->theirs, sizeof why->theirs, "%s, issued by %s",
             name_text(X509_get_subject_name(x), name), issuer);
    snprintf(why->hint, sizeof why->hint,
             "put a fresh list of %s into x509crl/, or write revocation = relaxed instead of %s",
             issuer, policy == REVOCATION_STRICT ? "strict" : "ifuri");
    return why_set(why, R_CERT_REVOCATION, "revocation", CLAUSE);
}

err_t chain_revoked(const struct verify *v)
{
    enum revocation policy = v->q->auth->revocation;
    for (int i = 0; i + 1 < sk_X509_num(v->chain); i++) {
        X509 *x = sk_X509_value(v->chain, i);
        struct lookup l = look_up(v, x, sk_X509_value(v->chain, i + 1));
        if (l.entry)
            return revoked(v, x, &l);
        bool must = policy == REVOCATION_STRICT || (policy == REVOCATION_IFURI && has_uri(x));
        if (must && l.standing != CRL_FRESH)
            return unknown(v, x, &l, policy);
    }
    return E_OK;
}
