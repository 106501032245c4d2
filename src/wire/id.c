/* IDi and IDr payloads: see id.h. RFC 7296 3.5. */
#include "wire/id.h"

static bool length_fits(uint8_t type, size_t n)
{
    if (type == ID_IPV4_ADDR)
        return n == 4;
    if (type == ID_IPV6_ADDR)
        return n == 16;
    return n > 0 && n <= ID_MAX;
}

err_t id_body_parse(struct bytes body, struct id *out)
{
    struct rd r = rd_of(body);
    *out = (struct id){0};
    uint8_t type = rd_u8(&r);
    rd_skip(&r, 3); /* reserved */
    struct bytes data = rd_rest(&r);
    if (!r.err && type == ID_ANY)
        rd_fail(&r, R_SYNTAX);
    if (!r.err && !length_fits(type, data.n))
        rd_fail(&r, R_LENGTH);
    if (!r.err) {
        out->type = type;
        out->len = (uint16_t)data.n;
        memcpy(out->data, data.p, data.n);
    }
    return rd_done(&r);
}

void id_body_write(struct wr *w, const struct id *id)
{
    if (id->type == ID_ANY)
        wr_fail(w, E_USAGE);
    wr_u8(w, id->type);
    (void)wr_space(w, 3);
    wr_put(w, id->data, id->len);
}
