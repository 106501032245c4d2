/* IKEv1 payload chains: see payload_v1.h. RFC 2408 3.2, 5.3. Called by ike/v1 for every message. */
#include "wire/payload_v1.h"

struct row {
    const char *name; /* charon's short name */
    uint8_t often;    /* how often in one message */
    uint16_t min, max;
};

#define BODY_MAX (65535 - PAYLOAD_HDR_LEN)
#define ANY      PAYLOADS_MAX

static const struct row rows[] = {
    [P1_SA] = {"SA", 1, 16, BODY_MAX},      /* RFC 2408 3.4: DOI, situation, one proposal */
    [P1_KE] = {"KE", 1, 1, BODY_MAX},       /* 3.7 */
    [P1_ID] = {"ID", 2, 5, BODY_MAX},       /* 3.8; two in quick mode */
    [P1_CERT] = {"CERT", ANY, 1, BODY_MAX}, /* 3.9 */
    [P1_CERTREQ] = {"CERTREQ", ANY, 1, BODY_MAX},
    [P1_HASH] = {"HASH", 1, 1, 64},        /* 3.11 */
    [P1_SIG] = {"SIG", 1, 1, BODY_MAX},    /* 3.12 */
    [P1_NONCE] = {"No", 1, 8, 256},        /* RFC 2409 5: 8 to 256 bytes */
    [P1_NOTIFY] = {"N", ANY, 8, BODY_MAX}, /* 3.14 */
    [P1_DELETE] = {"D", ANY, 8, BODY_MAX}, /* 3.15 */
    [P1_VENDOR] = {"V", ANY, 0, BODY_MAX}, /* 3.16 */
    [P1_CONFIG] = {"CP", 1, 4, BODY_MAX},  /* draft-ietf-ipsec-isakmp-mode-cfg */
    [P1_NAT_D] = {"NAT-D", ANY, 1, 64},    /* RFC 3947 3.2 */
    [P1_NAT_OA] = {"NAT-OA", 2, 8, 20},    /* RFC 3947 5.2 */
};

static const struct row *row_of(uint8_t type)
{
    return type < sizeof rows / sizeof *rows && rows[type].name ? &rows[type] : NULL;
}

const char *payload_v1_name(uint8_t type)
{
    const struct row *row = row_of(type);
    return row ? row->name : "?";
}

static err_t check(const struct payloads *ps, const struct payload *p)
{
    const struct row *row = row_of(p->type);
    if (!p->known) /* RFC 2408 5.3: an unknown type makes the message void; private ones are skipped
                    */
        return p->type < P1_PRIVATE ? (err_t)R_SYNTAX : E_OK;
    if (p->body.n < row->min || p->body.n > row->max)
        return R_LENGTH;
    return payloads_count(ps, p->type) < row->often ? E_OK : (err_t)R_DUPLICATE_PAYLOAD;
}

static struct payload take(struct rd *r, uint8_t type)
{
    struct payload p = {.type = type, .known = row_of(type) != NULL};
    p.next = rd_u8(r);
    uint8_t reserved = rd_u8(r);
    uint16_t len = rd_u16(r);
    if (!r->err && reserved) /* 5.3: must be zero; after decryption with a wrong key it is not */
        rd_fail(r, R_SYNTAX);
    if (!r->err && len < PAYLOAD_HDR_LEN)
        rd_fail(r, R_LENGTH);
    if (!r->err)
        p.body = rd_bytes(r, (size_t)(len - PAYLOAD_HDR_LEN));
    return p;
}

err_t payloads_v1_parse(struct bytes body, uint8_t first, struct payloads *out, size_t *used)
{
    struct rd r = rd_of(body);
    out->count = 0;
    out->bad_type = 0;
    for (uint8_t type = first; type != P1_NONE;) {
        struct payload p = take(&r, type);
        if (!r.err && out->count == PAYLOADS_MAX)
            rd_fail(&r, R_TOO_MANY);
        if (!r.err)
            rd_fail(&r, check(out, &p));
        if (r.err) {
            out->bad_type = type;
            return r.err;
        }
        out->p[out->count++] = p;
        type = p.next;
    }
    if (!used)
        return rd_done(&r);
    *used = body.n - rd_left(&r);
    return E_OK;
}
