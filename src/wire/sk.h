/*
 * Layout of the encrypted payloads SK (RFC 7296 3.14) and SKF (RFC 7383 2.5): where IV, text and
 * ICV lie. No crypto here: the caller seals or opens between these calls (crypto.h: cr_sk_seal and
 * cr_sk_open take exactly aad_len and text_len).
 */
#pragma once

#include "wire/payload.h"

#define SKF_HDR_LEN 4

/* Sizes that the negotiated algorithms dictate. block: 1 for AEAD and counter modes. */
struct sk_sizes {
    size_t iv_len, block, icv_len;
};

struct sk_layout {
    uint8_t first;          /* first inner payload's type; SKF: 0 but in fragment 1 */
    uint16_t number, total; /* SKF; 0 for SK */
    size_t aad_len;         /* all before the IV, from the message's start: RFC 5282 5.1 */
    size_t text_len;        /* encrypted text with padding and pad length */
};

/*
 * Measures the SK or SKF payload `p`, the last one of `msg`. R_TRUNCATED when IV, pad length and
 * ICV do not fit, R_LENGTH when the text is no multiple of the block, R_SYNTAX for fragment numbers
 * that RFC 7383 2.5 forbids (zero, number over total, a first payload in other fragments than 1).
 */
err_t sk_measure(struct bytes msg, const struct payload *p, const struct sk_sizes *z,
                 struct sk_layout *out) must_use;
/* Encrypted text as it is to be found and, after opening, the inner chain without padding. */
err_t sk_inner(struct bytes msg, const struct sk_layout *l, const struct sk_sizes *z,
               struct bytes *inner) must_use;

/*
 * Writing SK: sk_begin opens the payload and leaves room for the IV; then inner payloads follow
 * with payload_begin on the same chain; sk_end pads, leaves room for the ICV, patches the length
 * and says the layout. Then ike_hdr_end, fill the IV at msg + aad_len, seal.
 */
size_t sk_begin(struct payload_chain *c, const struct sk_sizes *z);
/* One fragment: `part` of the inner chain; `first` counts in fragment 1 only. */
size_t skf_begin(struct payload_chain *c, const struct sk_sizes *z, uint8_t first, uint16_t number,
                 uint16_t total);
/* `at` is what sk_begin or skf_begin returned; `msg_at` the start of the message (ike_hdr_begin).
 */
void sk_end(struct payload_chain *c, size_t msg_at, size_t at, const struct sk_sizes *z,
            struct sk_layout *out);

/* Most inner bytes that fit a message of `max` bytes (without UDP/IP) in one SK or SKF payload. */
size_t sk_room(size_t max, bool fragment, const struct sk_sizes *z);
