/*
 * Configuration: the CP payload of IKEv2 (RFC 7296 3.15) and the attribute payload of IKEv1's
 * transaction exchanges (draft-dukes-ike-mode-cfg-02 3.2), which XAUTH uses as well
 * (draft-beaulieu-ike-xauth-02 6). Same types and numbers; IKEv1 has an identifier, and short
 * values may stand in place of the length as in RFC 2408 3.3.
 */
#pragma once

#include "model/addr_pool.h"
#include "model/ts.h"

enum cfg_type { CFG_REQUEST = 1, CFG_REPLY = 2, CFG_SET = 3, CFG_ACK = 4 };

#define CFG_ATTRS_MAX 64

struct cfg_attr {
    uint16_t type;
    struct bytes value; /* borrowed */
};

struct cfg_body {
    uint8_t type;
    uint16_t id; /* IKEv1 */
    size_t count;
    struct cfg_attr attr[CFG_ATTRS_MAX];
};

/* Attributes beyond CFG_ATTRS_MAX: R_TOO_MANY. Types and lengths of values are not judged. */
err_t cfg_parse(struct bytes body, bool v1, struct cfg_body *out) must_use;
void cfg_write(struct wr *w, bool v1, const struct cfg_body *b);

const struct cfg_attr *cfg_find(const struct cfg_body *b, uint16_t type); /* NULL: not there */
/* Adds one; what does not fit any more is left out. */
void cfg_add(struct cfg_body *b, uint16_t type, struct bytes value);

/*
 * Values. An address attribute: false when its length is none of an address; an empty one or all
 * zeros asks for any and gives a zero address of its family. An IPv6 address may have its prefix
 * length behind it (RFC 7296 3.15.1; charon does so in IKEv1 too).
 */
bool cfg_addr(const struct cfg_attr *a, struct addr *out) must_use;
bool cfg_is_v6(uint16_t type);
/* A number of XAUTH: 2 bytes. */
bool cfg_u16(const struct cfg_attr *a, uint16_t *out) must_use;
/* Networks of INTERNAL_IP4_SUBNET, INTERNAL_IP6_SUBNET and Unity's split lists, as selectors, from
 * the nth on: the list grows; those that make no sense or find no room are left out. */
void cfg_networks(const struct cfg_attr *a, struct ts_list *out);

const char *cfg_attr_name(uint16_t type); /* "INTERNAL_IP4_ADDRESS"; NULL: unknown */
