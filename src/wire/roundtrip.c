/* Round trips through every parser and writer: see roundtrip.h. Called by tests and fuzz targets.
 */
#include "wire/roundtrip.h"
#include "wire/auth.h"
#include "wire/cert.h"
#include "wire/cfg.h"
#include "wire/del.h"
#include "wire/id.h"
#include "wire/ike_hdr.h"
#include "wire/ke.h"
#include "wire/nonce.h"
#include "wire/notify.h"
#include "wire/payload.h"
#include "wire/print.h"
#include "wire/sa_v2.h"
#include "wire/sk.h"
#include "wire/ts.h"
#include "wire/vendor.h"

/* room for the longest body and what alignment of reserved fields may add */
static uint8_t space[70000];

static enum roundtrip verdict(bool same)
{
    return same ? RT_HOLDS : RT_BROKEN;
}

static bool transform_same(const struct transform *a, const struct transform *b)
{
    return a->type == b->type && a->id == b->id && a->key_bits == b->key_bits;
}

static bool proposal_same(const struct proposal *a, const struct proposal *b)
{
    bool same = a->number == b->number && a->proto == b->proto && a->count == b->count &&
                bytes_eq(bytes_of(a->spi, a->spi_len), bytes_of(b->spi, b->spi_len));
    for (size_t i = 0; same && i < a->count; i++)
        same = transform_same(&a->t[i], &b->t[i]);
    /* what was dropped while parsing cannot be seen again; the rest must not become unusable */
    return same && (a->unusable || !b->unusable);
}

static enum roundtrip sa(struct bytes body)
{
    static struct proposals a, b;
    struct wr w = wr_of(space, sizeof space);
    if (sa_v2_parse(body, &a))
        return RT_REFUSED;
    sa_v2_write(&w, &a);
    if (w.err || sa_v2_parse(wr_bytes(&w), &b) || a.count != b.count)
        return RT_BROKEN;
    for (size_t i = 0; i < a.count; i++)
        if (!proposal_same(&a.p[i], &b.p[i]))
            return RT_BROKEN;
    return RT_HOLDS;
}

enum roundtrip roundtrip_cfg(struct bytes body, bool v1)
{
    static struct cfg_body a, b;
    struct wr w = wr_of(space, sizeof space);
    if (cfg_parse(body, v1, &a))
        return RT_REFUSED;
    cfg_write(&w, v1, &a);
    if (w.err || cfg_parse(wr_bytes(&w), v1, &b))
        return RT_BROKEN;
    bool same = a.type == b.type && a.id == b.id && a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++) {
        struct addr one;
        struct ts_list l = {0};
        same = a.attr[i].type == b.attr[i].type && bytes_eq(a.attr[i].value, b.attr[i].value);
        cfg_networks(&a.attr[i], &l);
        for (size_t k = 0; k < l.count; k++)
            same = same && addr_cmp(&l.ts[k].lo, &l.ts[k].hi) <= 0;
        if (cfg_addr(&a.attr[i], &one))
            same = same && one.family;
    }
    return verdict(same);
}

static enum roundtrip ke(struct bytes body)
{
    struct ke a, b;
    struct wr w = wr_of(space, sizeof space);
    if (ke_parse(body, &a))
        return RT_REFUSED;
    ke_write(&w, a.method, a.data);
    if (w.err || ke_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.method == b.method && bytes_eq(a.data, b.data));
}

static enum roundtrip nonce(struct bytes body)
{
    struct bytes a, b;
    struct wr w = wr_of(space, sizeof space);
    if (nonce_parse(body, &a))
        return RT_REFUSED;
    nonce_write(&w, a);
    if (w.err || nonce_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(bytes_eq(a, b));
}

static enum roundtrip id(struct bytes body)
{
    struct id a, b;
    struct wr w = wr_of(space, sizeof space);
    if (id_body_parse(body, &a))
        return RT_REFUSED;
    id_body_write(&w, &a);
    if (w.err || id_body_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.type == b.type && bytes_eq(bytes_of(a.data, a.len), bytes_of(b.data, b.len)));
}

static bool signature_same(struct bytes data)
{
    struct auth_signature a, b;
    struct auth body;
    struct wr w = wr_of(space, sizeof space);
    if (auth_signature_parse(data, &a))
        return true; /* refused */
    auth_signature_write(&w, a.algorithm, a.signature);
    if (w.err || auth_parse(wr_bytes(&w), &body) || auth_signature_parse(body.data, &b))
        return false;
    return body.method == AM_SIGNATURE && bytes_eq(a.algorithm, b.algorithm) &&
           bytes_eq(a.signature, b.signature);
}

static enum roundtrip auth(struct bytes body)
{
    struct auth a, b;
    struct wr w = wr_of(space, sizeof space);
    if (auth_parse(body, &a))
        return RT_REFUSED;
    auth_write(&w, a.method, a.data);
    if (w.err || auth_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    bool same = a.method == b.method && bytes_eq(a.data, b.data) && auth_method_name(a.method);
    return verdict(same && signature_same(a.data));
}

static bool ts_same(const struct ts *a, const struct ts *b)
{
    return a->proto == b->proto && a->port_lo == b->port_lo && a->port_hi == b->port_hi &&
           addr_eq(&a->lo, &b->lo) && addr_eq(&a->hi, &b->hi) && addr_cmp(&a->lo, &a->hi) <= 0 &&
           (a->port_lo <= a->port_hi || ts_opaque(a));
}

static enum roundtrip ts(struct bytes body)
{
    static struct ts_list a, b;
    struct wr w = wr_of(space, sizeof space);
    if (ts_body_parse(body, &a))
        return RT_REFUSED;
    if (a.count == 0)
        return RT_HOLDS; /* nothing but selectors of unknown types */
    ts_body_write(&w, &a);
    if (w.err || ts_body_parse(wr_bytes(&w), &b) || a.count != b.count)
        return RT_BROKEN;
    for (size_t i = 0; i < a.count; i++)
        if (!ts_same(&a.ts[i], &b.ts[i]))
            return RT_BROKEN;
    return RT_HOLDS;
}

static bool hash_numbers_same(struct bytes data)
{
    uint32_t a, b;
    struct wr w = wr_of(space, sizeof space);
    if (hash_numbers_parse(data, &a))
        return true; /* refused */
    hash_numbers_write(&w, a);
    return !w.err && !hash_numbers_parse(wr_bytes(&w), &b) && a == b;
}

static enum roundtrip notify(struct bytes body)
{
    struct notify a, b;
    struct wr w = wr_of(space, sizeof space);
    if (notify_parse(body, &a))
        return RT_REFUSED;
    if (a.type == N_SIGNATURE_HASH_ALGORITHMS && !hash_numbers_same(a.data))
        return RT_BROKEN;
    notify_write(&w, &a);
    if (w.err || notify_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.proto == b.proto && a.type == b.type && bytes_eq(a.spi, b.spi) &&
                   bytes_eq(a.data, b.data) && notify_spi(&a) == notify_spi(&b));
}

static enum roundtrip del(struct bytes body)
{
    struct del a, b;
    struct wr w = wr_of(space, sizeof space);
    static uint32_t spi[65536];
    if (del_parse(body, &a))
        return RT_REFUSED;
    for (size_t i = 0; i < a.count; i++)
        spi[i] = del_spi(&a, i);
    if (a.proto == PROTO_IKE)
        del_write_ike(&w);
    else
        del_write_child(&w, a.proto, spi, a.count);
    if (w.err || del_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.proto == b.proto && a.count == b.count && bytes_eq(a.spis, b.spis));
}

static enum roundtrip cert(struct bytes body, err_t (*parse)(struct bytes, struct cert *))
{
    struct cert a, b;
    struct wr w = wr_of(space, sizeof space);
    if (parse(body, &a))
        return RT_REFUSED;
    cert_write(&w, a.encoding, a.data);
    if (w.err || parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.encoding == b.encoding && bytes_eq(a.data, b.data));
}

static enum roundtrip vendor(struct bytes body)
{
    const char *name = vendor_name(body);
    if (!name)
        return RT_REFUSED;
    /* a name may have several ids, such as FRAGMENTATION with and without capabilities behind it:
     * the one to announce need not be the one received, but must be called the same */
    const char *again = vendor_name(vendor_id(name));
    return verdict(again && strcmp(again, name) == 0);
}

enum roundtrip roundtrip_body(uint8_t type, struct bytes body)
{
    switch (type) {
    case PL_SA:
        return sa(body);
    case PL_KE:
        return ke(body);
    case PL_NONCE:
        return nonce(body);
    case PL_IDI:
    case PL_IDR:
        return id(body);
    case PL_AUTH:
        return auth(body);
    case PL_TSI:
    case PL_TSR:
        return ts(body);
    case PL_NOTIFY:
        return notify(body);
    case PL_DELETE:
        return del(body);
    case PL_CERT:
        return cert(body, cert_parse);
    case PL_CERTREQ:
        return cert(body, certreq_parse);
    case PL_CP:
        return roundtrip_cfg(body, false);
    case PL_VENDOR:
        return vendor(body);
    default:
        return RT_REFUSED;
    }
}

static bool chain_same(const struct payloads *a, const struct payloads *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct payload *x = &a->p[i], *y = &b->p[i];
        if (x->type != y->type || x->next != y->next || !bytes_eq(x->body, y->body))
            return false;
    }
    return true;
}

static void write_chain(struct payload_chain *c, const struct payloads *ps)
{
    for (size_t i = 0; i < ps->count; i++) {
        payload_put(c, ps->p[i].type, ps->p[i].body);
        if (ps->p[i].type == PL_SK || ps->p[i].type == PL_SKF)
            wr_patch_u8(c->w, c->at, ps->p[i].next); /* the first inner payload */
    }
}

/* Layout of SK and SKF for the sizes that algorithms have: never outside of the message. */
static bool sk_inside(struct bytes msg, const struct payload *p)
{
    static const struct sk_sizes sizes[] = {{8, 1, 16}, {8, 8, 12}, {16, 16, 16}, {16, 16, 32}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct sk_sizes *z = &sizes[i];
        struct sk_layout l;
        struct bytes inner;
        if (sk_measure(msg, p, z, &l))
            continue;
        if (l.aad_len + z->iv_len + l.text_len + z->icv_len != msg.n)
            return false;
        if (!sk_inner(msg, &l, z, &inner) && inner.n >= l.text_len)
            return false;
    }
    return true;
}

static enum roundtrip bodies(const struct payloads *ps)
{
    for (size_t i = 0; i < ps->count; i++)
        if (roundtrip_body(ps->p[i].type, ps->p[i].body) == RT_BROKEN)
            return RT_BROKEN;
    return RT_HOLDS;
}

enum roundtrip roundtrip_chain(struct bytes chain, uint8_t first)
{
    static struct payloads a, b;
    static uint8_t out[1 << 17];
    struct wr w = wr_of(out, sizeof out);
    if (payloads_parse(chain, first, &a))
        return RT_REFUSED;
    struct payload_chain c = payload_chain_bare(&w);
    write_chain(&c, &a);
    if (w.err || c.first != first || payloads_parse(wr_bytes(&w), first, &b))
        return RT_BROKEN;
    return chain_same(&a, &b) ? bodies(&a) : RT_BROKEN;
}

static bool header_same(const struct ike_hdr *a, const struct ike_hdr *b)
{
    return a->spi_i == b->spi_i && a->spi_r == b->spi_r && a->next == b->next &&
           a->major == b->major && a->minor == b->minor && a->exchange == b->exchange &&
           a->flags == b->flags && a->msg_id == b->msg_id && a->length == b->length;
}

static bool prints(const struct ike_hdr *h, const struct payloads *ps)
{
    struct buf text = {0};
    ike_message_print(h, ps, &text);
    bool fine = text.err == 0 && text.n > 0;
    buf_free(&text);
    return fine;
}

enum roundtrip roundtrip_message(struct bytes msg)
{
    static struct payloads a, b;
    static uint8_t out[1 << 17];
    struct ike_hdr h, g;
    struct wr w = wr_of(out, sizeof out);
    if (ike_hdr_parse(msg, &h) || payloads_parse(ike_hdr_body(msg), h.next, &a))
        return RT_REFUSED;
    size_t at = ike_hdr_begin(&w, &h);
    struct payload_chain c = payload_chain_of_msg(&w, at);
    write_chain(&c, &a);
    ike_hdr_end(&w, at);
    struct bytes again = wr_bytes(&w);
    if (w.err || ike_hdr_parse(again, &g) || payloads_parse(ike_hdr_body(again), g.next, &b))
        return RT_BROKEN;
    if (!header_same(&h, &g) || !chain_same(&a, &b) || !prints(&h, &a))
        return RT_BROKEN;
    if (a.count && (a.p[a.count - 1].type == PL_SK || a.p[a.count - 1].type == PL_SKF) &&
        !sk_inside(msg, &a.p[a.count - 1]))
        return RT_BROKEN;
    return bodies(&a);
}
