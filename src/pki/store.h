/* What is in a store. Inside of pki only. */
#pragma once

#include "pki/cert.h"

struct pki_secret {
    unsigned refs; /* atomic */
    struct cr_key *key;
    char *name;
};

struct seen;

struct pki {
    unsigned refs; /* atomic */
    struct pki_cert **cert;
    struct pki_crl **crl;
    struct pki_secret **secret;
    size_t cert_count, crl_count, secret_count;
    STACK_OF(X509) * anchors; /* authorities that we trust, self-signed */
    STACK_OF(X509) * others;  /* all others, for the way up */
    struct seen *seen;        /* the one thing that changes */
};

struct pki_secret *secret_key_new(struct cr_key *key, const char *name) must_use;
struct pki_secret *secret_key_ref(struct pki_secret *s);
void secret_key_unref(struct pki_secret *s);
struct pki_cert *store_by_fp(const struct pki *p, const uint8_t fp[32]);
const struct pki_secret *store_secret_of(const struct pki *p, const struct cr_key *pub);
struct pki_cert *store_issuer_of(const struct pki *p, const struct pki_cert *c);

/* --- seen.c --- */
struct seen *seen_new(void);
void seen_free(struct seen *s);
X509 *seen_get(struct seen *s, struct bytes der); /* a reference, or NULL */
void seen_put(struct seen *s, struct bytes der, X509 *x);
