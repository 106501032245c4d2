/* Identities: RFC 7296 3.5, written as swanctl.conf writes them. */
#pragma once

#include "base/addr.h"
#include "base/buf.h"

enum id_type {
    ID_ANY = 0, /* "%any": matches all, never sent */
    ID_IPV4_ADDR = 1,
    ID_FQDN = 2,
    ID_RFC822_ADDR = 3,
    ID_IPV6_ADDR = 5,
    ID_DER_ASN1_DN = 9,
    ID_DER_ASN1_GN = 10,
    ID_KEY_ID = 11,
};

#define ID_MAX 256

struct id {
    uint8_t type;
    uint16_t len;
    uint8_t data[ID_MAX];
};

/* "192.0.2.1", "2001:db8::1", "gw.example.org", "@gw", "user@example.org", "@#6b6579", "keyid:xx",
 * "fqdn:xx", "C=CH, O=Example, CN=gw", "%any". False if longer than ID_MAX or malformed. */
bool id_parse(struct id *id, const char *text);
bool id_of_addr(struct id *id, const struct addr *a);
bool id_set(struct id *id, uint8_t type, struct bytes data);
bool id_eq(const struct id *a, const struct id *b); /* FQDN and mail addresses ignore case */
/* For hash tables: of equal identities the same bytes (of type and value, at most ID_MAX + 1), but
 * of names (DN) that are only written otherwise. */
size_t id_fold(const struct id *id, uint8_t *out);
/* Does the configured pattern ("%any", "*.example.org", "*@example.org", "O=x, CN=*") match? Rank:
 * 0 no, 1 %any, 2 wildcard, 3 exact. */
int id_match(const struct id *pattern, const struct id *id);
/* For people and VICI; unprintable bytes of a peer's identity are escaped. */
void id_print(const struct id *id, struct buf *out);
