/* Body of IDi and IDr payloads: RFC 7296 3.5. */
#pragma once

#include "model/id.h"

/*
 * R_LENGTH: no identity at all, an address of the wrong size, or longer than ID_MAX. R_SYNTAX: type
 * 0, which to the model means "anybody" and so must never come from a peer. Other unknown types
 * pass; they equal nothing that is configured.
 */
err_t id_body_parse(struct bytes body, struct id *out) must_use;
void id_body_write(struct wr *w, const struct id *id); /* E_USAGE in w for %any */
