/* Notify payload: see notify.h. RFC 7296 3.10. */
#include "wire/notify.h"

enum { PROTO_AH_ID = 2, PROTO_ESP_ID = 3 }; /* RFC 7296 3.3.1 */

struct row {
    uint16_t type;
    const char *name, *brief;
    uint16_t min, max;
};

static const struct row rows[] = {
#define NOTIFY(name, value, brief, min, max) {value, #name, brief, min, max},
#include "wire/notify.def"
#undef NOTIFY
};

static const struct row *row_of(uint16_t type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

const char *notify_name(uint16_t type)
{
    const struct row *row = row_of(type);
    return row ? row->name : "unknown";
}

const char *notify_short_name(uint16_t type)
{
    const struct row *row = row_of(type);
    return row ? row->brief : NULL;
}

static bool child_proto(uint8_t proto)
{
    return proto == PROTO_AH_ID || proto == PROTO_ESP_ID;
}

static err_t check(const struct notify *n)
{
    const struct row *row = row_of(n->type);
    if (child_proto(n->proto) && n->spi.n != 0 && n->spi.n != 4)
        return R_SYNTAX;
    if (row && (n->data.n < row->min || n->data.n > row->max))
        return R_LENGTH;
    return E_OK;
}

uint16_t notify_peek(struct bytes body)
{
    return body.n >= 4 ? get_u16(body.p + 2) : 0;
}

err_t notify_parse(struct bytes body, struct notify *out)
{
    struct rd r = rd_of(body);
    *out = (struct notify){0};
    out->proto = rd_u8(&r);
    uint8_t spi_len = rd_u8(&r);
    out->type = rd_u16(&r);
    out->spi = rd_bytes(&r, spi_len);
    out->data = rd_rest(&r);
    if (!r.err)
        rd_fail(&r, check(out));
    return rd_done(&r);
}

uint32_t notify_spi(const struct notify *n)
{
    return child_proto(n->proto) && n->spi.n == 4 ? get_u32(n->spi.p) : 0;
}

void notify_write(struct wr *w, const struct notify *n)
{
    if (n->spi.n > 255)
        wr_fail(w, E_USAGE);
    wr_u8(w, n->proto);
    wr_u8(w, (uint8_t)n->spi.n);
    wr_u16(w, n->type);
    wr_bytes_put(w, n->spi);
    wr_bytes_put(w, n->data);
}

void notify_write_plain(struct wr *w, uint16_t type, struct bytes data)
{
    /* RFC 7296 3.10: without an SPI the protocol MUST be sent as zero */
    struct notify n = {.type = type, .data = data};
    notify_write(w, &n);
}

void notify_write_spi(struct wr *w, uint8_t proto, uint32_t spi, uint16_t type)
{
    uint8_t raw[4];
    put_u32(raw, spi);
    struct notify n = {.proto = proto, .type = type, .spi = bytes_of(raw, sizeof raw)};
    notify_write(w, &n);
}
