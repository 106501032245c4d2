/*
 * Body of the SA payload: RFC 7296 3.3, to and from the version-neutral proposals of the model.
 *
 * What we do not understand is no error (3.3.6): a transform with an unknown attribute is dropped;
 * an unknown transform type is kept and makes its proposal unusable, as does losing every transform
 * of a type, and an unknown protocol. What does not fit the model's arrays is checked like the rest
 * and then ignored: surplus proposals (the least preferred) disappear, surplus transforms make the
 * proposal unusable only when no transform of their type was kept.
 */
#pragma once

#include "model/proposal.h"

/* Errors: R_TRUNCATED, R_LENGTH, R_TRAILING, R_SYNTAX (numbering, counts, last bits, SPI size). */
err_t sa_v2_parse(struct bytes body, struct proposals *out) must_use;
/* Writes numbers and SPIs as they stand in `ps`. E_USAGE in w for an empty list. */
void sa_v2_write(struct wr *w, const struct proposals *ps);
/* A responder's answer: the one chosen proposal with the peer's number and our SPI. */
void sa_v2_write_one(struct wr *w, const struct proposal *p);
