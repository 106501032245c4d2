/*
 * The IKE header: RFC 7296 3.1; ISAKMP's (RFC 2408 3.1) has the same fields at the same places.
 * Whether version, exchange and flags make sense is the engine's affair: it may want to answer
 * INVALID_MAJOR_VERSION to a header that this parser therefore has to accept.
 */
#pragma once

#include "base/cursor.h"

#define IKE_HDR_LEN 28

/* RFC 3948 2.2: what precedes an IKE message on port 4500 */
#define NON_ESP_MARKER_LEN 4

enum ike_exchange {
    EXCH_V1_BASE = 1, /* RFC 2408 3.1 */
    EXCH_V1_MAIN = 2, /* identity protection */
    EXCH_V1_AUTH_ONLY = 3,
    EXCH_V1_AGGRESSIVE = 4,
    EXCH_V1_INFO = 5,
    EXCH_V1_TRANSACTION = 6,
    EXCH_V1_QUICK = 32,
    EXCH_V1_NEW_GROUP = 33,
    EXCH_IKE_SA_INIT = 34, /* RFC 7296 3.1 */
    EXCH_IKE_AUTH = 35,
    EXCH_CREATE_CHILD_SA = 36,
    EXCH_INFORMATIONAL = 37,
    EXCH_IKE_SESSION_RESUME = 38, /* RFC 5723 */
    EXCH_GSA_AUTH = 39,
    EXCH_GSA_REGISTRATION = 40,
    EXCH_GSA_REKEY = 41,
    EXCH_IKE_INTERMEDIATE = 43, /* RFC 9242 */
    EXCH_IKE_FOLLOWUP_KE = 44,  /* RFC 9370 */
};

enum { /* IKEv2 */
       IKE_FLAG_INITIATOR = 0x08,
       IKE_FLAG_VERSION = 0x10,
       IKE_FLAG_RESPONSE = 0x20,
};

enum { /* IKEv1 */
       IKE_V1_FLAG_ENCRYPTION = 0x01,
       IKE_V1_FLAG_COMMIT = 0x02,
       IKE_V1_FLAG_AUTH_ONLY = 0x04,
};

struct ike_hdr {
    uint64_t spi_i, spi_r;
    uint8_t next; /* type of the first payload; filled by the chain writer */
    uint8_t major, minor;
    uint8_t exchange;
    uint8_t flags;
    uint32_t msg_id;
    uint32_t length; /* of the whole message; ignored by ike_hdr_begin */
};

/* The message's bytes are exactly what the length field says, or R_LENGTH; under 28: R_TRUNCATED.
 */
err_t ike_hdr_parse(struct bytes msg, struct ike_hdr *out) must_use;
/* What follows the header of a message that ike_hdr_parse accepted. */
struct bytes ike_hdr_body(struct bytes msg);

/* The message starts where the writer stands; returns that offset for ike_hdr_end, which patches
 * the length. Payloads go between (payload.h: payload_chain_of_msg). */
size_t ike_hdr_begin(struct wr *w, const struct ike_hdr *h);
void ike_hdr_end(struct wr *w, size_t at);

const char *ike_exchange_name(uint8_t exchange); /* "IKE_SA_INIT"; "UNKNOWN" */
