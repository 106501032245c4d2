/* Nonce payload: see nonce.h. RFC 7296 3.9. */
#include "wire/nonce.h"

err_t nonce_parse(struct bytes body, struct bytes *out)
{
    struct rd r = rd_of(body);
    *out = rd_rest(&r);
    /* RFC 7296 3.9: the size of the Nonce Data MUST be between 16 and 256 octets, inclusive */
    if (out->n < NONCE_MIN || out->n > NONCE_MAX)
        rd_fail(&r, R_LENGTH);
    return rd_done(&r);
}

void nonce_write(struct wr *w, struct bytes nonce)
{
    if (nonce.n < NONCE_MIN || nonce.n > NONCE_MAX)
        wr_fail(w, E_USAGE);
    wr_bytes_put(w, nonce);
}
