/*
 * Bodies of CERT and CERTREQ payloads: RFC 7296 3.6 and 3.7; RFC 2408 3.9 and 3.10, with the same
 * encodings. Reading certificates is pki's affair.
 */
#pragma once

#include "base/cursor.h"

enum cert_encoding {
    CERT_PKCS7_X509 = 1,
    CERT_PGP = 2,
    CERT_DNS_SIGNED_KEY = 3,
    CERT_X509_SIGNATURE = 4,
    CERT_KERBEROS_TOKEN = 6,
    CERT_CRL = 7,
    CERT_ARL = 8,
    CERT_SPKI = 9,
    CERT_X509_ATTRIBUTE = 10,
    CERT_RAW_RSA = 11,
    CERT_HASH_URL_X509 = 12,
    CERT_HASH_URL_BUNDLE = 13,
    CERT_OCSP_CONTENT = 14, /* RFC 4806 */
    CERT_RAW_PUBLIC_KEY = 15,
};

struct cert {
    uint8_t encoding;
    struct bytes data; /* certificate; of a CERTREQ: key hashes of the authorities */
};

#define CERTREQ_HASH_LEN 20 /* SHA-1 of a trust anchor's SubjectPublicKeyInfo */

err_t cert_parse(struct bytes body, struct cert *out) must_use;
/* IKEv1 (RFC 2408 3.10): data is the DER name of one authority; empty asks for any certificate. */
err_t certreq_v1_parse(struct bytes body, struct cert *out) must_use;
/* R_LENGTH when X.509 authorities (encodings 4, 12, 13) are no whole number of hashes. */
err_t certreq_parse(struct bytes body, struct cert *out) must_use;
void cert_write(struct wr *w, uint8_t encoding, struct bytes data); /* both */
