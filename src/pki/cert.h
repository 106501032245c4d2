/* Certificates and revocation lists as the store has them: parsed once, shared by reference counts
 * between the builder, stores and jobs. Inside of pki only. */
#pragma once

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/build.h"

struct pki_cert {
    unsigned refs; /* atomic */
    X509 *x;
    struct cr_key *key; /* NULL: a kind that we have no use for */
    uint8_t flags;      /* enum pki_flag, joined */
    bool ca, self;      /* basicConstraints say CA; issued by itself */
    uint8_t fp[32];     /* SHA-256 of all of it */
    struct bytes der, subject;
    char *name;
};

struct pki_crl {
    unsigned refs; /* atomic */
    X509_CRL *x;
    struct pki_cert *signer; /* an authority of ours whose signature holds; NULL: not known */
    char *name;
};

#define PKI_CERT_MAX 65535 /* bytes */

err_t cert_new(struct bytes der, uint8_t flags, const char *name, struct pki_cert **out) must_use;
struct pki_cert *cert_ref(struct pki_cert *c);
void cert_unref(struct pki_cert *c);
err_t crl_new(struct bytes data, const char *name, struct pki_crl **out) must_use;
/* The same list with a signer, which is taken over. */
err_t crl_copy(const struct pki_crl *c, struct pki_cert *signer, struct pki_crl **out) must_use;
struct pki_crl *crl_ref(struct pki_crl *c);
void crl_unref(struct pki_crl *c);

/* Texts, each into a buffer of so many bytes, cut at the end when longer. */
#define NAME_TEXT 160
#define TIME_TEXT 32
const char *name_text(const X509_NAME *n, char out[NAME_TEXT]);
const char *time_text(const ASN1_TIME *t, char out[TIME_TEXT]); /* 2026-11-21 00:41:33 UTC */
const char *wall_text(uint64_t wall_s, char out[TIME_TEXT]);

/* --- ident.c --- */
/* Is the certificate for this identity (RFC 4945 3.1)? */
bool cert_has_id(X509 *x, const struct id *id);
void cert_ids_print(X509 *x, struct buf *out); /* subject and subjectAltNames */

/* --- revoke.c, limits.c: parts of pki_verify --- */
struct verify {
    const struct pki *p;
    const struct pki_peer *q;
    STACK_OF(X509) * chain; /* verified, the peer's own first, the root last */
    struct pki_why *why;
};
err_t chain_revoked(const struct verify *v) must_use;
err_t chain_limits(const struct verify *v) must_use;

err_t why_set(struct pki_why *why, err_t reason, const char *what, const char *clause);
/* Where a certificate comes from: "x509ca/ca.pem", or "sent by the peer". */
const char *cert_origin(const struct pki *p, X509 *x);
