/* The IKE header: see ike_hdr.h. RFC 7296 3.1. Called by the engine for every datagram. */
#include "wire/ike_hdr.h"

#define LENGTH_AT 24

err_t ike_hdr_parse(struct bytes msg, struct ike_hdr *out)
{
    struct rd r = rd_of(msg);
    *out = (struct ike_hdr){0};
    out->spi_i = rd_u64(&r);
    out->spi_r = rd_u64(&r);
    out->next = rd_u8(&r);
    uint8_t version = rd_u8(&r);
    out->major = version >> 4;
    out->minor = version & 15;
    out->exchange = rd_u8(&r);
    out->flags = rd_u8(&r);
    out->msg_id = rd_u32(&r);
    out->length = rd_u32(&r);
    if (!r.err && out->length != msg.n)
        rd_fail(&r, R_LENGTH);
    (void)rd_rest(&r);
    return rd_done(&r);
}

struct bytes ike_hdr_body(struct bytes msg)
{
    if (msg.n < IKE_HDR_LEN)
        return bytes_of(NULL, 0);
    return bytes_of(msg.p + IKE_HDR_LEN, msg.n - IKE_HDR_LEN);
}

size_t ike_hdr_begin(struct wr *w, const struct ike_hdr *h)
{
    size_t at = wr_len(w);
    wr_u64(w, h->spi_i);
    wr_u64(w, h->spi_r);
    wr_u8(w, h->next);
    wr_u8(w, (uint8_t)(h->major << 4 | (h->minor & 15)));
    wr_u8(w, h->exchange);
    wr_u8(w, h->flags);
    wr_u32(w, h->msg_id);
    wr_u32(w, 0);
    return at;
}

void ike_hdr_end(struct wr *w, size_t at)
{
    wr_patch_u32(w, at + LENGTH_AT, (uint32_t)(wr_len(w) - at));
}

const char *ike_exchange_name(uint8_t exchange)
{
    static const char *const names[] = {
        [EXCH_V1_BASE] = "BASE",
        [EXCH_V1_MAIN] = "ID_PROT",
        [EXCH_V1_AUTH_ONLY] = "AUTH_ONLY",
        [EXCH_V1_AGGRESSIVE] = "AGGRESSIVE",
        [EXCH_V1_INFO] = "INFORMATIONAL_V1",
        [EXCH_V1_TRANSACTION] = "TRANSACTION",
        [EXCH_V1_QUICK] = "QUICK_MODE",
        [EXCH_V1_NEW_GROUP] = "NEW_GROUP_MODE",
        [EXCH_IKE_SA_INIT] = "IKE_SA_INIT",
        [EXCH_IKE_AUTH] = "IKE_AUTH",
        [EXCH_CREATE_CHILD_SA] = "CREATE_CHILD_SA",
        [EXCH_INFORMATIONAL] = "INFORMATIONAL",
        [EXCH_IKE_SESSION_RESUME] = "IKE_SESSION_RESUME",
        [EXCH_GSA_AUTH] = "GSA_AUTH",
        [EXCH_GSA_REGISTRATION] = "GSA_REGISTRATION",
        [EXCH_GSA_REKEY] = "GSA_REKEY",
        [EXCH_IKE_INTERMEDIATE] = "IKE_INTERMEDIATE",
        [EXCH_IKE_FOLLOWUP_KE] = "IKE_FOLLOWUP_KE",
    };
    if (exchange >= sizeof names / sizeof *names || !names[exchange])
        return "UNKNOWN";
    return names[exchange];
}
