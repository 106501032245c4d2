/* Body of the AUTH payload: RFC 7296 3.8, RFC 7427 3. */
#pragma once

#include "base/cursor.h"

enum auth_method { /* IANA IKEv2 authentication methods */
                   AM_RSA = 1,
                   AM_SHARED_KEY = 2,
                   AM_DSS = 3,
                   AM_ECDSA_256 = 9, /* RFC 4754 */
                   AM_ECDSA_384 = 10,
                   AM_ECDSA_521 = 11,
                   AM_GSPAM = 12,     /* RFC 6467 */
                   AM_NULL = 13,      /* RFC 7619 */
                   AM_SIGNATURE = 14, /* RFC 7427 */
};

struct auth {
    uint8_t method;
    struct bytes data;
};

err_t auth_parse(struct bytes body, struct auth *out) must_use;
void auth_write(struct wr *w, uint8_t method, struct bytes data);
const char *auth_method_name(uint8_t method); /* "shared key", "RSA", ...; "unknown" */

/* Data of AM_SIGNATURE: a counted DER AlgorithmIdentifier, then the signature. */
struct auth_signature {
    struct bytes algorithm, signature;
};

err_t auth_signature_parse(struct bytes data, struct auth_signature *out) must_use;
/* The whole AUTH body with method 14. */
void auth_signature_write(struct wr *w, struct bytes algorithm, struct bytes signature);

/*
 * Data of the notify SIGNATURE_HASH_ALGORITHMS: RFC 7427 4. A set of bits by IANA's "IKEv2 Hash
 * Algorithms"; numbers from 32 on are unknown and left out. R_LENGTH: no whole number of them.
 */
enum hash_number {
    HASH_SHA1 = 1,
    HASH_SHA2_256 = 2,
    HASH_SHA2_384 = 3,
    HASH_SHA2_512 = 4,
    HASH_IDENTITY = 5
}; /* RFC 8420 2 */
err_t hash_numbers_parse(struct bytes data, uint32_t *set) must_use;
void hash_numbers_write(struct wr *w, uint32_t set); /* in order of their numbers */
