/* Round trips of IKEv1's parsers and writers: see roundtrip.h. Called by tests and fuzz targets. */
#include "wire/cert.h"
#include "wire/frag_v1.h"
#include "wire/id_v1.h"
#include "wire/notify_v1.h"
#include "wire/payload_v1.h"
#include "wire/roundtrip.h"
#include "wire/sa_v1.h"

static uint8_t space[1 << 17];

static enum roundtrip verdict(bool same)
{
    return same ? RT_HOLDS : RT_BROKEN;
}

static bool proposal_same(const struct proposal *a, const struct proposal *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = proposal_has(b, a->t[i].type, a->t[i].id, a->t[i].key_bits);
    return same;
}

static bool ah_same(const struct v1_ah *a, const struct v1_ah *b)
{
    return a->there == b->there && a->esn == b->esn && a->encap == b->encap &&
           a->integ == b->integ && bytes_eq(a->spi, b->spi);
}

static bool transform_same(const struct v1_transform *a, const struct v1_transform *b)
{
    return a->proto == b->proto && a->auth == b->auth && a->encap == b->encap &&
           a->life_s == b->life_s && a->life_kb == b->life_kb && bytes_eq(a->spi, b->spi) &&
           a->unusable == b->unusable && a->cpi == b->cpi && proposal_same(&a->p, &b->p) &&
           ah_same(&a->ah, &b->ah);
}

/* Unaltered as a responder returns it, and written from what was understood. */
static enum roundtrip sa(struct bytes body, bool ike)
{
    static struct v1_sa_body a, b;
    if (sa_v1_parse(body, ike, &a))
        return RT_REFUSED;
    for (size_t i = 0; i < a.count; i++) {
        struct v1_transform t = a.t[i];
        struct wr w = wr_of(space, sizeof space);
        sa_v1_write(&w, ike, &t, 1);
        if (w.err || sa_v1_parse(wr_bytes(&w), ike, &b) || b.count != 1 ||
            !transform_same(&t, &b.t[0]) || !bytes_eq(t.raw, b.t[0].raw) ||
            !bytes_eq(t.ah.raw, b.t[0].ah.raw))
            return RT_BROKEN;
        if (t.unusable || t.life_s > UINT32_MAX || t.life_kb > UINT32_MAX)
            continue;
        t.raw = t.ah.raw = bytes_of(NULL, 0);
        w = wr_of(space, sizeof space);
        sa_v1_write(&w, ike, &t, 1);
        if (w.err || sa_v1_parse(wr_bytes(&w), ike, &b) || !transform_same(&t, &b.t[0]))
            return RT_BROKEN;
    }
    return RT_HOLDS;
}

static enum roundtrip id(struct bytes body)
{
    struct id a, b;
    struct wr w = wr_of(space, sizeof space);
    if (id_v1_parse(body, &a))
        return RT_REFUSED;
    id_v1_write(&w, &a);
    if (w.err || id_v1_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.type == b.type && bytes_eq(bytes_of(a.data, a.len), bytes_of(b.data, b.len)));
}

static enum roundtrip selector(struct bytes body)
{
    struct ts a, b;
    struct wr w = wr_of(space, sizeof space);
    if (ts_v1_parse(body, &a))
        return RT_REFUSED;
    ts_v1_write(&w, &a);
    if (w.err || ts_v1_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(ts_eq(&a, &b));
}

static enum roundtrip notify(struct bytes body)
{
    struct notify_v1 a, b;
    struct wr w = wr_of(space, sizeof space);
    if (notify_v1_parse(body, &a))
        return RT_REFUSED;
    notify_v1_write(&w, &a);
    if (w.err || notify_v1_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.doi == b.doi && a.proto == b.proto && a.type == b.type &&
                   bytes_eq(a.spi, b.spi) && bytes_eq(a.data, b.data));
}

static enum roundtrip del(struct bytes body)
{
    struct delete_v1 a, b;
    if (delete_v1_parse(body, &a))
        return RT_REFUSED;
    for (size_t i = 0; i < a.count; i++) {
        struct wr w = wr_of(space, sizeof space);
        delete_v1_write(&w, a.proto, delete_v1_spi(&a, i));
        if (w.err || delete_v1_parse(wr_bytes(&w), &b) || b.count != 1 ||
            !bytes_eq(delete_v1_spi(&b, 0), delete_v1_spi(&a, i)))
            return RT_BROKEN;
    }
    return RT_HOLDS;
}

static enum roundtrip fragment(struct bytes body)
{
    struct frag_v1 a, b;
    struct wr w = wr_of(space, sizeof space);
    if (frag_v1_parse(body, &a))
        return RT_REFUSED;
    frag_v1_write(&w, &a);
    if (w.err || frag_v1_parse(wr_bytes(&w), &b))
        return RT_BROKEN;
    return verdict(a.id == b.id && a.number == b.number && a.last == b.last &&
                   bytes_eq(a.data, b.data));
}

static enum roundtrip cert(struct bytes body, bool request)
{
    struct cert a, b;
    struct wr w = wr_of(space, sizeof space);
    if (request ? certreq_v1_parse(body, &a) : cert_parse(body, &a))
        return RT_REFUSED;
    cert_write(&w, a.encoding, a.data);
    if (w.err || (request ? certreq_v1_parse(wr_bytes(&w), &b) : cert_parse(wr_bytes(&w), &b)))
        return RT_BROKEN;
    return verdict(a.encoding == b.encoding && bytes_eq(a.data, b.data));
}

static enum roundtrip body_of(const struct payload *p)
{
    switch (p->type) {
    case P1_SA:
        return sa(p->body, true) == RT_BROKEN ? RT_BROKEN : sa(p->body, false);
    case P1_ID:
        return id(p->body) == RT_BROKEN ? RT_BROKEN : selector(p->body);
    case P1_CERT:
    case P1_CERTREQ:
        return cert(p->body, p->type == P1_CERTREQ);
    case P1_NOTIFY:
        return notify(p->body);
    case P1_DELETE:
        return del(p->body);
    case P1_CONFIG:
        return roundtrip_cfg(p->body, true);
    default:
        return RT_HOLDS;
    }
}

enum roundtrip roundtrip_chain_v1(struct bytes chain, uint8_t first)
{
    static struct payloads a, b;
    static uint8_t out[1 << 17];
    struct wr w = wr_of(out, sizeof out);
    size_t used;
    if (first == P1_FRAGMENT) /* the whole message */
        return fragment(chain);
    if (payloads_v1_parse(chain, first, &a, &used))
        return RT_REFUSED;
    struct payload_chain c = payload_chain_bare(&w);
    for (size_t i = 0; i < a.count; i++)
        payload_put(&c, a.p[i].type, a.p[i].body);
    if (w.err || payloads_v1_parse(wr_bytes(&w), first, &b, NULL) ||
        !bytes_eq(wr_bytes(&w), bytes_of(chain.p, used)))
        return RT_BROKEN;
    for (size_t i = 0; i < a.count; i++)
        if (body_of(&a.p[i]) == RT_BROKEN)
            return RT_BROKEN;
    return RT_HOLDS;
}
