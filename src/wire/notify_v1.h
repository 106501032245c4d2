/* Bodies of IKEv1's Notify and Delete payloads: RFC 2408 3.14, 3.15; types of RFC 2407 4.6.3. */
#pragma once

#include "base/cursor.h"

#define DOI_ISAKMP 0
#define DOI_IPSEC  1

/* RFC 2407 4.4.1 */
enum { PROTO1_ISAKMP = 1, PROTO1_AH = 2, PROTO1_ESP = 3, PROTO1_IPCOMP = 4 };

enum notify_v1_type {
    N1_INVALID_PAYLOAD_TYPE = 1,
    N1_DOI_NOT_SUPPORTED = 2,
    N1_SITUATION_NOT_SUPPORTED = 3,
    N1_INVALID_COOKIE = 4,
    N1_INVALID_MAJOR_VERSION = 5,
    N1_INVALID_MINOR_VERSION = 6,
    N1_INVALID_EXCHANGE_TYPE = 7,
    N1_INVALID_FLAGS = 8,
    N1_INVALID_MESSAGE_ID = 9,
    N1_INVALID_PROTOCOL_ID = 10,
    N1_INVALID_SPI = 11,
    N1_INVALID_TRANSFORM_ID = 12,
    N1_ATTRIBUTES_NOT_SUPPORTED = 13,
    N1_NO_PROPOSAL_CHOSEN = 14,
    N1_BAD_PROPOSAL_SYNTAX = 15,
    N1_PAYLOAD_MALFORMED = 16,
    N1_INVALID_KEY_INFORMATION = 17,
    N1_INVALID_ID_INFORMATION = 18,
    N1_INVALID_CERT_ENCODING = 19,
    N1_INVALID_CERTIFICATE = 20,
    N1_CERT_TYPE_UNSUPPORTED = 21,
    N1_INVALID_CERT_AUTHORITY = 22,
    N1_INVALID_HASH_INFORMATION = 23,
    N1_AUTHENTICATION_FAILED = 24,
    N1_INVALID_SIGNATURE = 25,
    N1_ADDRESS_NOTIFICATION = 26,
    N1_NOTIFY_SA_LIFETIME = 27,
    N1_CERTIFICATE_UNAVAILABLE = 28,
    N1_UNSUPPORTED_EXCHANGE_TYPE = 29,
    N1_UNEQUAL_PAYLOAD_LENGTHS = 30,
    N1_CONNECTED = 16384,          /* RFC 2408 3.14.1 */
    N1_RESPONDER_LIFETIME = 24576, /* RFC 2407 4.6.3 */
    N1_REPLAY_STATUS = 24577,
    N1_INITIAL_CONTACT = 24578,
    N1_R_U_THERE = 36136, /* RFC 3706 5.2 */
    N1_R_U_THERE_ACK = 36137,
};

struct notify_v1 {
    uint32_t doi;
    uint8_t proto;
    uint16_t type;
    struct bytes spi, data;
};

err_t notify_v1_parse(struct bytes body, struct notify_v1 *out) must_use;
void notify_v1_write(struct wr *w, const struct notify_v1 *n); /* E_USAGE: SPI over 16 bytes */
const char *notify_v1_name(uint16_t type);                     /* "NO_PROPOSAL_CHOSEN"; "unknown" */
const char *notify_v1_short_name(uint16_t type);               /* "NO_PROP"; NULL: none */
static inline bool notify_v1_is_error(uint16_t type)
{
    return type < N1_CONNECTED; /* RFC 2408 3.14.1 */
}

struct delete_v1 {
    uint32_t doi;
    uint8_t proto, spi_len;
    uint16_t count;
    struct bytes spis;
};

/* An SPI has 16 bytes for ISAKMP (both cookies), 4 otherwise: else R_SYNTAX. */
err_t delete_v1_parse(struct bytes body, struct delete_v1 *out) must_use;
struct bytes delete_v1_spi(const struct delete_v1 *d, size_t i);
void delete_v1_write(struct wr *w, uint8_t proto, struct bytes spi); /* one SPI */
