/* AUTH payload: see auth.h. RFC 7296 3.8, RFC 7427 3 and 4. */
#include "wire/auth.h"

err_t auth_parse(struct bytes body, struct auth *out)
{
    struct rd r = rd_of(body);
    out->method = rd_u8(&r);
    rd_skip(&r, 3); /* reserved */
    out->data = rd_rest(&r);
    if (!r.err && out->data.n == 0)
        rd_fail(&r, R_TRUNCATED);
    return rd_done(&r);
}

static void write_head(struct wr *w, uint8_t method)
{
    wr_u8(w, method);
    (void)wr_space(w, 3);
}

void auth_write(struct wr *w, uint8_t method, struct bytes data)
{
    write_head(w, method);
    wr_bytes_put(w, data);
}

const char *auth_method_name(uint8_t method)
{
    static const char *const names[] = {
        [AM_RSA] = "RSA",
        [AM_SHARED_KEY] = "shared key",
        [AM_DSS] = "DSS",
        [AM_ECDSA_256] = "ECDSA-256",
        [AM_ECDSA_384] = "ECDSA-384",
        [AM_ECDSA_521] = "ECDSA-521",
        [AM_GSPAM] = "secure password",
        [AM_NULL] = "NULL",
        [AM_SIGNATURE] = "digital signature",
    };
    if (method >= sizeof names / sizeof *names || !names[method])
        return "unknown";
    return names[method];
}

err_t auth_signature_parse(struct bytes data, struct auth_signature *out)
{
    struct rd r = rd_of(data);
    uint8_t n = rd_u8(&r);
    out->algorithm = rd_bytes(&r, n);
    out->signature = rd_rest(&r);
    if (!r.err && (n == 0 || out->signature.n == 0))
        rd_fail(&r, R_TRUNCATED);
    return rd_done(&r);
}

void auth_signature_write(struct wr *w, struct bytes algorithm, struct bytes signature)
{
    if (algorithm.n > 255)
        wr_fail(w, E_USAGE);
    write_head(w, AM_SIGNATURE);
    wr_u8(w, (uint8_t)algorithm.n);
    wr_bytes_put(w, algorithm);
    wr_bytes_put(w, signature);
}

err_t hash_numbers_parse(struct bytes data, uint32_t *set)
{
    struct rd r = rd_of(data);
    *set = 0;
    if (data.n % 2)
        rd_fail(&r, R_LENGTH);
    while (rd_left(&r)) {
        uint16_t n = rd_u16(&r);
        if (n < 32)
            *set |= 1u << n;
    }
    return rd_done(&r);
}

void hash_numbers_write(struct wr *w, uint32_t set)
{
    for (uint16_t n = 0; n < 32; n++)
        if (set & 1u << n)
            wr_u16(w, n);
}
