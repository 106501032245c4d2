/* CERT and CERTREQ payloads: see cert.h. RFC 7296 3.6, 3.7; RFC 2408 3.9, 3.10. */
#include "wire/cert.h"

err_t cert_parse(struct bytes body, struct cert *out)
{
    struct rd r = rd_of(body);
    out->encoding = rd_u8(&r);
    out->data = rd_rest(&r);
    if (!r.err && out->data.n == 0)
        rd_fail(&r, R_TRUNCATED);
    return rd_done(&r);
}

static bool names_hashes(uint8_t encoding)
{
    return encoding == CERT_X509_SIGNATURE || encoding == CERT_HASH_URL_X509 ||
           encoding == CERT_HASH_URL_BUNDLE;
}

err_t certreq_v1_parse(struct bytes body, struct cert *out)
{
    struct rd r = rd_of(body);
    out->encoding = rd_u8(&r);
    out->data = rd_rest(&r);
    return rd_done(&r);
}

err_t certreq_parse(struct bytes body, struct cert *out)
{
    struct rd r = rd_of(body);
    out->encoding = rd_u8(&r);
    out->data = rd_rest(&r);
    /* RFC 7296 3.7: concatenated SHA-1 hashes; none at all asks for any certificate */
    if (!r.err && names_hashes(out->encoding) && out->data.n % CERTREQ_HASH_LEN)
        rd_fail(&r, R_LENGTH);
    return rd_done(&r);
}

void cert_write(struct wr *w, uint8_t encoding, struct bytes data)
{
    wr_u8(w, encoding);
    wr_bytes_put(w, data);
}
