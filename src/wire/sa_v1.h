/*
 * Body of IKEv1's SA payload: RFC 2408 3.4 to 3.6, RFC 2407 4.5 and 4.6.1, RFC 2409 appendix A, RFC
 * 3947 5.1 (encapsulation modes), RFC 4304 (ESN). A transform of IKEv1 is one complete suite; here
 * each becomes one entry with the model's own numbers beside what only IKEv1 has.
 */
#pragma once

#include "model/proposal.h"

#define V1_TRANSFORMS_MAX 128

enum { /* RFC 2409 appendix A and IANA: authentication methods */
       AUTH1_PSK = 1,
       AUTH1_DSS = 2,
       AUTH1_RSA_SIG = 3,
       AUTH1_RSA_ENC = 4,
       AUTH1_RSA_ENC_REVISED = 5,
       AUTH1_ECDSA_256 = 9, /* RFC 4754 */
       AUTH1_ECDSA_384 = 10,
       AUTH1_ECDSA_521 = 11,
       AUTH1_HYBRID_INIT_RSA = 64221, /* draft-zegman-ike-hybrid-auth: the initiator logs in */
       AUTH1_HYBRID_RESP_RSA = 64222,
       AUTH1_HYBRID_INIT_DSS = 64223,
       AUTH1_HYBRID_RESP_DSS = 64224,
       AUTH1_XAUTH_INIT_PSK = 65001, /* draft-beaulieu-ike-xauth-02 5 */
       AUTH1_XAUTH_RESP_PSK = 65002,
       AUTH1_XAUTH_INIT_DSS = 65003,
       AUTH1_XAUTH_RESP_DSS = 65004,
       AUTH1_XAUTH_INIT_RSA = 65005,
       AUTH1_XAUTH_RESP_RSA = 65006,
};

enum { /* RFC 2407 4.5, RFC 3947 5.1 */
       ENCAP1_TUNNEL = 1,
       ENCAP1_TRANSPORT = 2,
       ENCAP1_UDP_TUNNEL = 3,
       ENCAP1_UDP_TRANSPORT = 4,
};

/* AH around ESP, of the same proposal number (RFC 2408 4.2). */
struct v1_ah {
    bool there;
    bool esn;
    uint16_t encap;
    const struct alg *integ;
    struct bytes spi, raw; /* borrowed, as those of ESP */
};

struct v1_transform {
    uint8_t proposal, number; /* as on the wire */
    uint8_t proto;            /* enum proto; others as received */
    struct bytes spi;         /* borrowed */
    uint16_t auth;            /* phase 1 */
    uint16_t encap;           /* phase 2 */
    uint64_t life_s, life_kb; /* 0: not said */
    struct proposal p;        /* one algorithm of each type */
    bool unusable;            /* something in it that we do not know */
    bool bundled;             /* its proposal number has further protocols, which are not taken */
    struct v1_ah ah;          /* beside ESP */
    uint16_t cpi;             /* IPComp with DEFLATE beside it (RFC 2407 4.6.1, 4.4.5); 0: none */
    struct bytes cpi_raw;     /* as raw, of IPComp's transform */
    struct bytes raw;         /* from the transform number to its end, to return it unaltered */
};

struct v1_sa_body {
    uint32_t doi, situation;
    size_t count;
    struct v1_transform t[V1_TRANSFORMS_MAX];
};

/*
 * Phase 1 when `ike`, quick mode otherwise: attribute numbers differ. What is not known makes a
 * transform unusable; what does not fit the array is checked and left out. Errors: R_TRUNCATED,
 * R_LENGTH, R_TRAILING, R_SYNTAX (DOI, situation, last bits, transform counts).
 */
err_t sa_v1_parse(struct bytes body, bool ike, struct v1_sa_body *out) must_use;
/* Neighbours of the same proposal number and protocol make one proposal, with the SPI of the first,
 * and its AH and IPComp beside it; transforms count from 1 in each. Those with `raw` are written as
 * they came. */
void sa_v1_write(struct wr *w, bool ike, const struct v1_transform *t, size_t n);

/* The duration of a RESPONDER-LIFETIME or NOTIFY body: same attributes as in quick mode. */
err_t life_v1_parse(struct bytes attributes, bool ike, uint64_t *s, uint64_t *kb) must_use;
void life_v1_write(struct wr *w, bool ike, uint64_t s, uint64_t kb);

const char *auth_v1_name(uint16_t method); /* "pre-shared key"; NULL: unknown */
const char *encap_v1_name(uint16_t encap);
