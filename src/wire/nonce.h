/* Body of the Nonce payload: RFC 7296 3.9. */
#pragma once

#include "base/cursor.h"

#define NONCE_MIN 16
#define NONCE_MAX 256

err_t nonce_parse(struct bytes body, struct bytes *out) must_use; /* R_LENGTH outside 16..256 */
void nonce_write(struct wr *w, struct bytes nonce);
