/*
 * Half-open SAs of a responder: what is kept between its answer to a first message and the peer's
 * proof. Strangers make us keep them, so each is one small piece of memory. The answer is not kept:
 * it is put together again, byte for byte, for a retransmission and for AUTH.
 */
#pragma once

#include "ike/engine.h"

#define HALF_TRANSFORMS 5

struct half {
    struct hash_node node; /* by our SPI */
    struct list age;       /* oldest first; all wait equally long */
    const struct ike_version *ver;
    uint64_t spi_i, spi_r, born_ms;
    struct endpoint local, remote;
    uint32_t id, vendors;
    bool natt, nat_local, nat_remote, nat_fake;
    bool frags;  /* RFC 7383 is agreed on */
    bool hashes; /* the answer names our hash algorithms: RFC 7427 4 */
    bool vendor; /* the answer says whose private numbers we know: mode = beet */
    bool ready;  /* answered: public value and seed are there */
    uint8_t number, count;
    struct transform t[HALF_TRANSFORMS]; /* of the chosen proposal */
    uint16_t ni_at, ni_len;              /* the peer's nonce within its request */
    uint16_t req_len, nr_len, pub_len, seed_len;
    uint16_t ca_len; /* of the authorities that the answer asks for; 0: no CERTREQ */
    uint8_t data[];  /* request | our nonce | our public value | SKEYSEED | hashes of authorities */
};

struct half_plan {
    const struct ike_pkt *pkt;
    const struct proposal *chosen;
    struct bytes ni; /* lies within pkt->raw */
    uint64_t spi_r;
    size_t nr_len, pub_len, seed_len;
    struct bytes authorities; /* for a CERTREQ; kept, because the trusted ones may change */
};

static inline uint8_t *half_nr(struct half *h)
{
    return h->data + h->req_len;
}

static inline uint8_t *half_pub(struct half *h)
{
    return half_nr(h) + h->nr_len;
}

static inline uint8_t *half_seed(struct half *h)
{
    return half_pub(h) + h->pub_len;
}

static inline struct bytes half_authorities(struct half *h)
{
    return bytes_of(half_seed(h) + h->seed_len, h->ca_len);
}

/* Counted for its source; NULL: no memory, ike_fail was called. */
struct half *half_new(struct ike *e, const struct ike_version *ver,
                      const struct half_plan *p) must_use;
struct half *half_by_spi(const struct ike *e, uint64_t spi_r);
struct half *half_by_id(const struct ike *e, uint32_t id); /* looks at all of them */
void half_chosen(const struct half *h, struct proposal *out);
struct event *half_event(struct ike *e, enum event_kind kind, const struct half *h);
/* An SA takes its place. */
void half_end(struct ike *e, struct half *h);
/* The negotiation failed; says so. */
void half_drop(struct ike *e, struct half *h, err_t reason);
void halves_drop(struct ike *e, err_t reason);
/* One more or less of this source, here or of another version. */
void half_count(struct ike *e, const struct addr *source, bool on);
uint32_t half_source_count(const struct ike *e, const struct addr *a);
