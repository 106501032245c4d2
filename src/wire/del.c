/* Delete payload: see del.h. RFC 7296 3.11. */
#include "wire/del.h"

err_t del_parse(struct bytes body, struct del *out)
{
    struct rd r = rd_of(body);
    *out = (struct del){0};
    out->proto = rd_u8(&r);
    uint8_t spi_len = rd_u8(&r);
    out->count = rd_u16(&r);
    if (!r.err && (out->proto < PROTO_IKE || out->proto > PROTO_ESP))
        rd_fail(&r, R_SYNTAX);
    /* RFC 7296 3.11: SPI size MUST be zero for IKE, four for AH and ESP */
    if (!r.err && spi_len != (out->proto == PROTO_IKE ? 0 : 4))
        rd_fail(&r, R_LENGTH);
    if (!r.err && out->proto == PROTO_IKE && out->count != 0)
        rd_fail(&r, R_SYNTAX);
    out->spis = rd_bytes(&r, (size_t)out->count * spi_len);
    return rd_done(&r);
}

uint32_t del_spi(const struct del *d, size_t i)
{
    return i < d->count ? get_u32(d->spis.p + 4 * i) : 0;
}

void del_write_ike(struct wr *w)
{
    wr_u8(w, PROTO_IKE);
    wr_u8(w, 0);
    wr_u16(w, 0);
}

void del_write_child(struct wr *w, uint8_t proto, const uint32_t *spi, size_t n)
{
    if (n > 65535)
        wr_fail(w, E_USAGE);
    wr_u8(w, proto);
    wr_u8(w, 4);
    wr_u16(w, (uint16_t)n);
    for (size_t i = 0; i < n; i++)
        wr_u32(w, spi[i]);
}
