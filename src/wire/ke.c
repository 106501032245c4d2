/* KE payload: see ke.h. RFC 7296 3.4. */
#include "wire/ke.h"

err_t ke_parse(struct bytes body, struct ke *out)
{
    struct rd r = rd_of(body);
    out->method = rd_u16(&r);
    rd_skip(&r, 2); /* reserved */
    out->data = rd_rest(&r);
    if (!r.err && out->data.n == 0)
        rd_fail(&r, R_TRUNCATED);
    return rd_done(&r);
}

void ke_write(struct wr *w, uint16_t method, struct bytes data)
{
    wr_u16(w, method);
    wr_u16(w, 0);
    wr_bytes_put(w, data);
}
