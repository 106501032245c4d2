/*
 * Chains of payloads: RFC 7296 2.5, 3.2. The same functions read the clear part of a message and
 * the decrypted inside of its SK payload. Sizes and repetition are rows of one table in payload.c,
 * so that body parsers and state tables need not repeat them.
 */
#pragma once

#include "base/cursor.h"

#define PAYLOAD_HDR_LEN 4
#define PAYLOADS_MAX    64

enum payload_type {
    PL_NONE = 0,
    PL_SA = 33,
    PL_KE = 34,
    PL_IDI = 35,
    PL_IDR = 36,
    PL_CERT = 37,
    PL_CERTREQ = 38,
    PL_AUTH = 39,
    PL_NONCE = 40,
    PL_NOTIFY = 41,
    PL_DELETE = 42,
    PL_VENDOR = 43,
    PL_TSI = 44,
    PL_TSR = 45,
    PL_SK = 46,
    PL_CP = 47,
    PL_EAP = 48,
    PL_GSPM = 49, /* 49..52 and 54 are only named, not understood */
    PL_IDG = 50,
    PL_GSA = 51,
    PL_KD = 52,
    PL_SKF = 53, /* RFC 7383 */
    PL_PS = 54,
};

struct payload {
    uint8_t type;
    uint8_t next;      /* as in its generic header; of SK and SKF: the first inner payload */
    bool critical;     /* as received; RFC 7296 2.5: to be ignored on types we understand */
    bool known;        /* false: an unknown, not critical payload, to be skipped */
    struct bytes body; /* after the generic header; borrowed from the message */
};

struct payloads {
    size_t count;
    uint8_t bad_type; /* the payload at which parsing failed, for the notify and the log */
    struct payload p[PAYLOADS_MAX];
};

/*
 * Splits a chain whose first payload has type `first` (0: the chain must be empty). Every body is
 * within the sizes of its type; types that may stand once only do. SK and SKF end the chain and
 * must end the bytes too. Errors: R_TRUNCATED, R_LENGTH, R_TRAILING, R_CRITICAL (answer
 * UNSUPPORTED_CRITICAL_PAYLOAD with bad_type), R_DUPLICATE_PAYLOAD, R_TOO_MANY. On an error `out`
 * holds the payloads before the failing one.
 */
err_t payloads_parse(struct bytes body, uint8_t first, struct payloads *out) must_use;
const struct payload *payloads_find(const struct payloads *ps, uint8_t type); /* first, or NULL */
size_t payloads_count(const struct payloads *ps, uint8_t type);

/* for (const struct payload *p = NULL; (p = payloads_next(ps, PL_NOTIFY, p));) */
const struct payload *payloads_next(const struct payloads *ps, uint8_t type,
                                    const struct payload *after);

/* Short as charon logs them: "SA", "No", "N", "D", "V", "E" ...; "?" if unknown. */
const char *payload_name(uint8_t type);
bool payload_known(uint8_t type);

/*
 * Writing: each begin names its type in the field before it (message header, previous payload,
 * or `first` for a chain without header) and each end patches the length.
 *
 *     struct payload_chain c = payload_chain_of_msg(&w, at);
 *     payload_begin(&c, PL_NONCE);
 *     nonce_write(&w, nonce);
 *     payload_end(&c);
 */
struct payload_chain {
    struct wr *w;
    size_t next_at; /* offset of the next-payload field to patch; SIZE_MAX: it is `first` */
    size_t at;      /* offset of the payload being written */
    size_t iv_at;   /* offset of the IV in the SK or SKF payload: sk.h's */
    uint8_t first;  /* type of the first payload */
};

/* For the message whose header ike_hdr_begin wrote at `at`. */
struct payload_chain payload_chain_of_msg(struct wr *w, size_t at);
/* For the inside of an SK payload that is kept apart until it is split into SKF payloads. */
struct payload_chain payload_chain_bare(struct wr *w);
void payload_begin(struct payload_chain *c, uint8_t type);
void payload_end(struct payload_chain *c);
/* A whole payload of which the body exists already. */
void payload_put(struct payload_chain *c, uint8_t type, struct bytes body);
