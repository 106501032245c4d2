/*
 * Making a store: certificates, keys and revocation lists go into a builder, which gives immutable
 * stores of what it has at the time. The daemon keeps one builder for its life (control_creds.c),
 * tests and `culvert check` make short ones. Not for several threads.
 */
#pragma once

#include "base/buf.h"
#include "pki/pki.h"

enum pki_flag {
    PKI_END = 0,
    PKI_CA = 1,
    PKI_AA = 2,
    PKI_OCSP = 4
}; /* x509, x509ca, x509aa, x509ocsp */

struct pki_build;

struct pki_build *pki_build_new(void) must_use;
void pki_build_free(struct pki_build *b);
/* All that was added, but certificates that connections hold. */
void pki_build_clear(struct pki_build *b);

/*
 * PEM, with all certificates in it, or DER. `name` stands in evidence: a file's path, or "VICI".
 * The same certificate twice is one, with the flags of both. R_CERT_SYNTAX, or R_CERT_CA: flagged
 * as an authority and is none.
 */
err_t pki_add_cert(struct pki_build *b, struct bytes data, enum pki_flag flag,
                   const char *name) must_use;
/* A certificate that a connection names stays until it is dropped as often as it was held, and is
 * an authority until it is dropped as often with PKI_CA. flag: PKI_END or PKI_CA. */
err_t pki_hold_cert(struct pki_build *b, const struct conn_cert *c, enum pki_flag flag) must_use;
void pki_drop_cert(struct pki_build *b, const struct conn_cert *c, enum pki_flag flag);
/* R_CERT_SYNTAX or R_CRL_KIND; of several lists of one issuer and scope the newest is used. */
err_t pki_add_crl(struct pki_build *b, struct bytes data, const char *name) must_use;
/* Takes a reference; one whose public key is there already is replaced. */
err_t pki_add_key(struct pki_build *b, struct cr_key *key, const char *name) must_use;
bool pki_del_key(struct pki_build *b, const uint8_t id[20]);

/* A store of all that is there now. E_NOMEM. */
err_t pki_build_store(struct pki_build *b, struct pki **out) must_use;

/* --- looking in, for lists and checks --- */

struct pki_cert_info {
    struct bytes der, subject; /* subject: a DN */
    uint8_t flags;             /* enum pki_flag */
    bool ca, self;
    const struct cr_key *key;         /* the public one; NULL: of a kind that has no use here */
    const struct cr_key_info *secret; /* our private key for it; NULL: none */
    int64_t not_before, not_after;    /* seconds since 1970 */
    const char *name;                 /* where it came from */
    const uint8_t *fp;
};
typedef void pki_cert_fn(void *ctx, const struct pki_cert_info *i);
void pki_cert_each(const struct pki *p, pki_cert_fn *fn, void *ctx);
typedef void pki_key_fn(void *ctx, const struct cr_key *key, const char *name);
void pki_key_each(const struct pki *p, pki_key_fn *fn, void *ctx);
struct pki_crl_info {
    struct bytes der, issuer;         /* issuer: a DN */
    int64_t this_update, next_update; /* 0: none */
    const char *name;
    bool is_signed; /* by an authority that we have */
};
typedef void pki_crl_fn(void *ctx, const struct pki_crl_info *i);
void pki_crl_each(const struct pki *p, pki_crl_fn *fn, void *ctx);
void pki_name_print(struct bytes dn, struct buf *out);

/*
 * The first certificate of a file as a connection names it: DER and fingerprint for conn_cert_add,
 * and its subject. R_CERT_SYNTAX. der is the caller's to free.
 */
struct pki_read {
    uint8_t *der;
    size_t n;
    uint8_t fp[32];
    struct id subject; /* ID_ANY: longer than an identity can be */
};
err_t pki_read_cert(struct bytes data, struct pki_read *out) must_use;
bool pki_cert_is_for(struct bytes der, const struct id *id);
