/*
 * A proposal: alternatives of each transform type, as RFC 7296 3.3 means it, neutral of version.
 * Words as swanctl.conf writes them: "aes128gcm16-prfsha256-x25519", "aes256-sha256-modp2048".
 */
#pragma once

#include "base/buf.h"
#include "model/alg.h"

enum proto { PROTO_NONE = 0, PROTO_IKE = 1, PROTO_AH = 2, PROTO_ESP = 3 }; /* RFC 7296 3.3.1 */

struct transform {
    uint8_t type; /* enum transform_type; others are kept when received: they make a proposal
                     unacceptable */
    uint16_t id;
    uint16_t key_bits; /* 0: no attribute */
};

#define PROPOSAL_TRANSFORMS_MAX 32
#define PROPOSALS_MAX           24

struct proposal {
    uint8_t number; /* on the wire, from 1 */
    uint8_t proto;  /* enum proto */
    uint8_t spi_len;
    uint8_t spi[8];
    uint8_t count;
    bool unusable; /* carries something we do not know and must not accept: RFC 7296 3.3.6 */
    struct transform t[PROPOSAL_TRANSFORMS_MAX];
};

struct proposals {
    size_t count;
    struct proposal p[PROPOSALS_MAX];
};

err_t proposal_add(struct proposal *p, uint8_t type, uint16_t id, uint16_t key_bits) must_use;

/*
 * Parses one proposal in swanctl.conf's words, or "default" (which may add several). On
 * R_CONFIG_VALUE `bad` points at the offending word within text and `why` says what was expected.
 * An ESP or AH proposal gets ESN_NO where no word says otherwise; an IKE proposal gets a PRF from
 * its hash words where none is named, and must name a key exchange.
 */
struct proposal_error {
    const char *bad;
    size_t bad_len;
    const char *why;
};
err_t proposal_parse(enum proto proto, const char *text, struct proposals *out,
                     struct proposal_error *err) must_use;

/* ESP that has AH around it: encryption without integrity is taken, RFC 8221 4. */
err_t proposal_parse_in_ah(const char *text, struct proposals *out,
                           struct proposal_error *err) must_use;

/* First match by our order. `chosen` gets exactly one transform per type that applies; its
 * number and SPI are the peer's. `ours_first`: our list's order decides (responder's preference).
 */
struct proposal_mismatch {
    uint8_t type; /* the transform type in which the best candidates differ; 0: protocol */
    struct buf ours, theirs; /* words of that type; for the caller to free */
};
err_t proposal_select(const struct proposals *ours, const struct proposals *theirs,
                      struct proposal *chosen, struct proposal_mismatch *why) must_use;
/* For the initiator: is `chosen` one of what we offered, unaltered (RFC 7296 2.7)? */
err_t proposal_check_chosen(const struct proposals *offered,
                            const struct proposal *chosen) must_use;
void proposal_mismatch_free(struct proposal_mismatch *m);

const struct transform *proposal_get(const struct proposal *p, uint8_t type); /* first of type */
const struct alg *proposal_alg(const struct proposal *p, uint8_t type);       /* NULL if none */
bool proposal_has(const struct proposal *p, uint8_t type, uint16_t id, uint16_t key_bits);

/* "ESP:AES_GCM_16_128/ESN_NO..." is charon's log form; ours is the configuration's words. */
void proposal_print(const struct proposal *p, struct buf *out);
void proposals_print(const struct proposals *ps, struct buf *out); /* comma separated */
