/*
 * Chains of IKEv1 payloads: RFC 2408 3.2, RFC 3947 for NAT-D and NAT-OA. Same generic header as in
 * IKEv2 and disjoint type numbers, so struct payloads and the writers of payload.h serve both; what
 * differs is the table, the reserved byte and that padding may follow a decrypted chain.
 */
#pragma once

#include "wire/payload.h"

enum payload_v1_type {
    P1_NONE = 0,
    P1_SA = 1,
    P1_PROPOSAL = 2, /* inside SA only */
    P1_TRANSFORM = 3,
    P1_KE = 4,
    P1_ID = 5,
    P1_CERT = 6,
    P1_CERTREQ = 7,
    P1_HASH = 8,
    P1_SIG = 9,
    P1_NONCE = 10,
    P1_NOTIFY = 11,
    P1_DELETE = 12,
    P1_VENDOR = 13,
    P1_CONFIG = 14,    /* Mode Config, XAUTH */
    P1_NAT_D = 20,     /* RFC 3947 3.2 */
    P1_NAT_OA = 21,    /* RFC 3947 5.2 */
    P1_FRAGMENT = 132, /* frag_v1.h: alone in its message */
    P1_PRIVATE = 128   /* from here on: skipped, RFC 2408 3.1 leaves them to the peers */
};

/*
 * Splits a chain whose first payload has type `first`. `used`: the bytes of the chain; NULL:
 * nothing may follow it. After decryption padding follows (RFC 2409 appendix B), of any content.
 * Errors: R_TRUNCATED, R_LENGTH, R_TRAILING, R_SYNTAX (reserved byte, unknown type),
 * R_DUPLICATE_PAYLOAD, R_TOO_MANY.
 */
err_t payloads_v1_parse(struct bytes body, uint8_t first, struct payloads *out,
                        size_t *used) must_use;
const char *payload_v1_name(uint8_t type); /* as charon logs them: "SA", "No", "NAT-D"; "?" */
