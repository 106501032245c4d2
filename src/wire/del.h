/* Body of the Delete payload: RFC 7296 3.11. */
#pragma once

#include "model/proposal.h"

struct del {
    uint8_t proto;     /* PROTO_IKE (no SPIs), PROTO_AH or PROTO_ESP */
    uint16_t count;    /* of SPIs */
    struct bytes spis; /* count times four bytes */
};

err_t del_parse(struct bytes body, struct del *out) must_use; /* R_SYNTAX, R_LENGTH, R_TRUNCATED */
uint32_t del_spi(const struct del *d, size_t i);
void del_write_ike(struct wr *w);
/* SPIs are those the sender receives on (inbound). */
void del_write_child(struct wr *w, uint8_t proto, const uint32_t *spi, size_t n);
