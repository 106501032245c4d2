/* Body of the Notify payload: RFC 7296 3.10; types and their data's sizes are rows of notify.def.
 */
#pragma once

#include "base/cursor.h"

enum notify_type {
#define NOTIFY(name, value, brief, min, max) N_##name = value,
#include "wire/notify.def"
#undef NOTIFY
};

struct notify {
    uint8_t proto; /* enum proto; means something only with an SPI (RFC 7296 3.10) */
    uint16_t type;
    struct bytes spi;
    struct bytes data;
};

/* R_TRUNCATED; R_LENGTH when the data of a known type has a size that its RFC forbids; R_SYNTAX for
 * an ESP or AH SPI that is not four bytes. Unknown types are fine (3.10.1). */
err_t notify_parse(struct bytes body, struct notify *out) must_use;
uint16_t notify_peek(struct bytes body);     /* its type before anything is checked; 0: too short */
uint32_t notify_spi(const struct notify *n); /* of an ESP or AH SPI; 0 if there is none */

void notify_write(struct wr *w, const struct notify *n);
/* The usual kind: no SPI, protocol 0. */
void notify_write_plain(struct wr *w, uint16_t type, struct bytes data);
/* About a CHILD SA: REKEY_SA, CHILD_SA_NOT_FOUND ... */
void notify_write_spi(struct wr *w, uint8_t proto, uint32_t spi, uint16_t type);

/* RFC 7296 3.10.1: below 16384 an error, which in a response means that the request failed. */
static inline bool notify_is_error(uint16_t type)
{
    return type < 16384;
}

const char *notify_name(uint16_t type);       /* "NO_PROPOSAL_CHOSEN"; "unknown" */
const char *notify_short_name(uint16_t type); /* "NO_PROP"; NULL if unknown */
