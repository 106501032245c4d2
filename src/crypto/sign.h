/*
 * Public and private keys and signatures: PKCS #1 v1.5 and PSS (RFC 8017), ECDSA (FIPS 186) in the
 * form r | s of RFC 4754 and as DER (RFC 7427), EdDSA (RFC 8420). Keys are decoded once and shared
 * by reference counts; signing and verifying are safe from any thread, with the same key as well.
 */
#pragma once

#include "crypto/crypto.h"

enum cr_key_type { CR_KEY_RSA = 1, CR_KEY_ECDSA, CR_KEY_ED25519, CR_KEY_ED448 };

/* RFC 7427 7: numbers of the IANA registry of hash algorithms. */
enum cr_sig_hash {
    CR_SIG_NULL = 0, /* the caller's own digest */
    CR_SIG_SHA1 = 1,
    CR_SIG_SHA256 = 2,
    CR_SIG_SHA384 = 3,
    CR_SIG_SHA512 = 4,
    CR_SIG_IDENTITY = 5, /* EdDSA: the whole text, RFC 8420 2 */
};

enum cr_scheme {
    CR_SCHEME_NONE = 0,
    CR_RSA_RAW, /* the digest alone, without DigestInfo: IKEv1, RFC 2409 5.1 */
    CR_RSA_SHA1,
    CR_RSA_SHA256,
    CR_RSA_SHA384,
    CR_RSA_SHA512,
    CR_RSA_PSS_SHA256, /* salt as long as the hash */
    CR_RSA_PSS_SHA384,
    CR_RSA_PSS_SHA512,
    CR_ECDSA_RAW,  /* r | s over the caller's digest, the curve is the key's */
    CR_ECDSA_P256, /* r | s with SHA-256: RFC 4754 */
    CR_ECDSA_P384, /* with SHA-384 */
    CR_ECDSA_P521, /* with SHA-512 */
    CR_ECDSA_SHA1, /* DER from here on, any curve: RFC 7427 A.3 */
    CR_ECDSA_SHA256,
    CR_ECDSA_SHA384,
    CR_ECDSA_SHA512,
    CR_ED25519,
    CR_ED448,
    CR_SCHEME_COUNT
};

struct cr_scheme_info {
    const char *name; /* "rsa-sha256", "rsa/pss-sha256", "ecdsa-sha256": as swanctl.conf has them */
    enum cr_key_type type;
    enum cr_sig_hash hash;
    uint16_t bits; /* of the curve that it is for; 0: any */
    bool pss;
};
const struct cr_scheme_info *cr_scheme(enum cr_scheme s); /* never NULL */

/* AlgorithmIdentifiers of RFC 7427 appendix A. Empty: the scheme has none (raw, r | s). */
struct bytes cr_scheme_algid(enum cr_scheme s);
enum cr_scheme cr_scheme_of_algid(struct bytes der); /* CR_SCHEME_NONE: unknown */

struct cr_key;

struct cr_key_info {
    enum cr_key_type type;
    uint16_t bits;    /* of the modulus or the curve: 2048, 256, 384, 521, 456 */
    bool secret;      /* it can sign */
    uint8_t id[20];   /* SHA-1 of the public key's bits, as in a subjectKeyIdentifier */
    uint8_t spki[20]; /* SHA-1 of the SubjectPublicKeyInfo, as in CERTREQ (RFC 7296 3.7) */
};
const struct cr_key_info *cr_key_info(const struct cr_key *k);

#define CR_SIG_MAX 1024 /* of RSA with 8192 bits, the longest that is taken */

/* R_KEY_SYNTAX: not a key; R_KEY_KIND: a key that culvert has no use for (DSA, other curves, RSA
 * below 1024 or above 8192 bits). */
err_t cr_key_public(struct bytes spki, struct cr_key **out) must_use;
/*
 * PEM or DER: PKCS #1, SEC 1, PKCS #8, the latter also encrypted. R_KEY_LOCKED: it is encrypted,
 * and pass is not the phrase or empty. Wipes what it decoded on the way.
 */
err_t cr_key_private(struct bytes data, struct bytes pass, struct cr_key **out) must_use;
/* PEM or DER of a SubjectPublicKeyInfo or a PKCS #1 RSAPublicKey. */
err_t cr_key_public_file(struct bytes data, struct cr_key **out) must_use;
struct cr_key *cr_key_ref(const struct cr_key *k); /* also in threads */
void cr_key_unref(struct cr_key *k);
bool cr_key_pair(const struct cr_key *a, const struct cr_key *b); /* the same public key */
/* "RSA 2048", "ECDSA 256", "Ed25519". */
const char *cr_key_text(const struct cr_key *k, char out[24]);

/* Can this key be used with the scheme? Also for public keys. */
bool cr_scheme_fits(enum cr_scheme s, const struct cr_key *k);
/* Over parts[0] | parts[1] | ...; for the raw schemes that is the digest. Slow: a JOB. E_USAGE when
 * scheme and key do not fit or the key is public. */
err_t cr_sign(const struct cr_key *k, enum cr_scheme s, const struct bytes *parts, size_t n,
              uint8_t sig[CR_SIG_MAX], size_t *len) must_use;
/* 0 or R_SIGNATURE, also for a key that does not fit the scheme. Slow: a JOB. */
err_t cr_verify(const struct cr_key *k, enum cr_scheme s, const struct bytes *parts, size_t n,
                struct bytes sig) must_use;
