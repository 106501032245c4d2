/* Notify and Delete of IKEv1: see notify_v1.h. Called by ike/v1 and for the log. */
#include "wire/notify_v1.h"

static const struct {
    uint16_t type;
    const char *name, *brief;
} names[] = {
    {N1_INVALID_PAYLOAD_TYPE, "INVALID_PAYLOAD_TYPE", "INVAL_PAYLOAD"},
    {N1_DOI_NOT_SUPPORTED, "DOI_NOT_SUPPORTED", "NO_DOI"},
    {N1_SITUATION_NOT_SUPPORTED, "SITUATION_NOT_SUPPORTED", "NO_SIT"},
    {N1_INVALID_COOKIE, "INVALID_COOKIE", "INVAL_COOKIE"},
    {N1_INVALID_MAJOR_VERSION, "INVALID_MAJOR_VERSION", "INVAL_MAJOR"},
    {N1_INVALID_MINOR_VERSION, "INVALID_MINOR_VERSION", "INVAL_MINOR"},
    {N1_INVALID_EXCHANGE_TYPE, "INVALID_EXCHANGE_TYPE", "INVAL_EXCH"},
    {N1_INVALID_FLAGS, "INVALID_FLAGS", "INVAL_FLAGS"},
    {N1_INVALID_MESSAGE_ID, "INVALID_MESSAGE_ID", "INVAL_MID"},
    {N1_INVALID_PROTOCOL_ID, "INVALID_PROTOCOL_ID", "INVAL_PROTO"},
    {N1_INVALID_SPI, "INVALID_SPI", "INVAL_SPI"},
    {N1_INVALID_TRANSFORM_ID, "INVALID_TRANSFORM_ID", "INVAL_TRANS"},
    {N1_ATTRIBUTES_NOT_SUPPORTED, "ATTRIBUTES_NOT_SUPPORTED", "NO_ATTR"},
    {N1_NO_PROPOSAL_CHOSEN, "NO_PROPOSAL_CHOSEN", "NO_PROP"},
    {N1_BAD_PROPOSAL_SYNTAX, "BAD_PROPOSAL_SYNTAX", "BAD_PROP"},
    {N1_PAYLOAD_MALFORMED, "PAYLOAD_MALFORMED", "PLD_MAL"},
    {N1_INVALID_KEY_INFORMATION, "INVALID_KEY_INFORMATION", "INVAL_KE"},
    {N1_INVALID_ID_INFORMATION, "INVALID_ID_INFORMATION", "INVAL_ID"},
    {N1_INVALID_CERT_ENCODING, "INVALID_CERT_ENCODING", "INVAL_CERTEN"},
    {N1_INVALID_CERTIFICATE, "INVALID_CERTIFICATE", "INVAL_CERT"},
    {N1_CERT_TYPE_UNSUPPORTED, "CERT_TYPE_UNSUPPORTED", "NO_CTYPE"},
    {N1_INVALID_CERT_AUTHORITY, "INVALID_CERT_AUTHORITY", "INVAL_CA"},
    {N1_INVALID_HASH_INFORMATION, "INVALID_HASH_INFORMATION", "INVAL_HASH"},
    {N1_AUTHENTICATION_FAILED, "AUTHENTICATION_FAILED", "AUTH_FAILED"},
    {N1_INVALID_SIGNATURE, "INVALID_SIGNATURE", "INVAL_SIG"},
    {N1_ADDRESS_NOTIFICATION, "ADDRESS_NOTIFICATION", "ADDR"},
    {N1_NOTIFY_SA_LIFETIME, "NOTIFY_SA_LIFETIME", "LIFETIME"},
    {N1_CERTIFICATE_UNAVAILABLE, "CERTIFICATE_UNAVAILABLE", "NO_CERT"},
    {N1_UNSUPPORTED_EXCHANGE_TYPE, "UNSUPPORTED_EXCHANGE_TYPE", "NO_EXCH"},
    {N1_UNEQUAL_PAYLOAD_LENGTHS, "UNEQUAL_PAYLOAD_LENGTHS", "UNEQ_LEN"},
    {N1_CONNECTED, "CONNECTED", "CONNECTED"},
    {N1_RESPONDER_LIFETIME, "RESPONDER_LIFETIME", "RESP_LIFE"},
    {N1_REPLAY_STATUS, "REPLAY_STATUS", "REPLAY"},
    {N1_INITIAL_CONTACT, "INITIAL_CONTACT", "INITIAL_CONTACT"},
    {N1_R_U_THERE, "R_U_THERE", "DPD"},
    {N1_R_U_THERE_ACK, "R_U_THERE_ACK", "DPD_ACK"},
};

const char *notify_v1_name(uint16_t type)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == type)
            return names[i].name;
    return "unknown";
}

const char *notify_v1_short_name(uint16_t type)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == type)
            return names[i].brief;
    return NULL;
}

err_t notify_v1_parse(struct bytes body, struct notify_v1 *out)
{
    struct rd r = rd_of(body);
    *out = (struct notify_v1){0};
    out->doi = rd_u32(&r);
    out->proto = rd_u8(&r);
    uint8_t spi_len = rd_u8(&r);
    out->type = rd_u16(&r);
    out->spi = rd_bytes(&r, spi_len);
    out->data = rd_rest(&r);
    if (!r.err && spi_len > 16) /* RFC 2408 3.14: 0 to 16 */
        rd_fail(&r, R_SYNTAX);
    return rd_done(&r);
}

void notify_v1_write(struct wr *w, const struct notify_v1 *n)
{
    if (n->spi.n > 16)
        wr_fail(w, E_USAGE);
    wr_u32(w, n->doi);
    wr_u8(w, n->proto);
    wr_u8(w, (uint8_t)n->spi.n);
    wr_u16(w, n->type);
    wr_bytes_put(w, n->spi);
    wr_bytes_put(w, n->data);
}

err_t delete_v1_parse(struct bytes body, struct delete_v1 *out)
{
    struct rd r = rd_of(body);
    *out = (struct delete_v1){0};
    out->doi = rd_u32(&r);
    out->proto = rd_u8(&r);
    out->spi_len = rd_u8(&r);
    out->count = rd_u16(&r);
    out->spis = rd_bytes(&r, (size_t)out->count * out->spi_len);
    bool isakmp = out->proto == PROTO1_ISAKMP;
    if (!r.err && (out->spi_len != (isakmp ? 16 : 4) || out->doi > DOI_IPSEC))
        rd_fail(&r, R_SYNTAX);
    return rd_done(&r);
}

struct bytes delete_v1_spi(const struct delete_v1 *d, size_t i)
{
    return i < d->count ? bytes_of(d->spis.p + i * d->spi_len, d->spi_len) : bytes_of(NULL, 0);
}

void delete_v1_write(struct wr *w, uint8_t proto, struct bytes spi)
{
    wr_u32(w, DOI_IPSEC);
    wr_u8(w, proto);
    wr_u8(w, (uint8_t)spi.n);
    wr_u16(w, 1);
    wr_bytes_put(w, spi);
}
