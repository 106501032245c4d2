/*
 * Messages in fragments: RFC 7383. Agreed on with IKEV2_FRAGMENTATION_SUPPORTED in IKE_SA_INIT.
 * Each fragment is protected by itself, so only authentic ones are kept, and what a stranger sends
 * changes nothing. Called where messages are opened and sealed.
 */
#include "ike/parts.h"
#include "ike/v2/v2.h"

/* --- receiving --- */

/* 2.6: fewer fragments than are known of come from before the sender made them smaller. */
static bool outdated(const struct v2_sa *v, const struct ike_part *q)
{
    return q->total < parts_total(v->parts, q);
}

/* m is authentic. True when it is whole: m->in and err are set then, and what they point at lies in
 * the arena. False: more has to come. */
bool v2_frag_take(struct ike *e, struct v2_sa *v, struct arena *a, struct v2_msg *m, err_t *err)
{
    const struct ike_part part = {.msg_id = m->hdr.msg_id,
                                  .exchange = m->hdr.exchange,
                                  .id = m->response,
                                  .number = m->number,
                                  .total = m->total,
                                  .data = m->inner};
    if (!m->total) {
        parts_free(&v->parts);
        return true;
    }
    enum parts_state s = outdated(v, &part) ? PARTS_AGAIN : parts_add(e, &v->parts, &part);
    if (s == PARTS_BAD)
        ike_drop(e, &m->pkt, R_TOO_MANY, "fragment");
    if (m->number == 1 && s != PARTS_BAD)
        v->first = m->first;
    if (s != PARTS_DONE)
        return false;
    struct bytes all = parts_join(e, a, &v->parts);
    *err = all.p ? payloads_parse(all, v->first, &m->in) : E_NOMEM;
    return true;
}

/* --- sending --- */

static bool wanted(const struct ike *e, const struct v2_sa *v, size_t n)
{
    const struct conn *c = v->sa.conn;
    return v->frags && c && c->fragmentation >= FRAG_YES && n > ike_datagram_room(e, &v->sa);
}

static err_t one(struct ike *e, struct v2_sa *v, const struct v2_build *b, struct wr *w,
                 struct bytes part, const struct sk_layout *numbers)
{
    struct sk_layout l;
    size_t at = ike_hdr_begin(w, &b->hdr);
    struct payload_chain c = payload_chain_of_msg(w, at);
    size_t sk = skf_begin(&c, &b->z, numbers->first, numbers->number, numbers->total);
    wr_bytes_put(w, part);
    sk_end(&c, at, sk, &b->z, &l);
    ike_hdr_end(w, at);
    return w->err ? w->err : v2_sk_seal(e, v, w->start + at, &l);
}

/* 2.5.1: `inner` is what the SK payload would hold. All datagrams, one behind the other, in the
 * step's arena; .p NULL: it goes as it is. */
err_t v2_frag_split(struct ike *e, struct v2_sa *v, const struct v2_build *b, uint8_t first,
                    struct bytes inner, struct bytes *out)
{
    size_t max = ike_datagram_room(e, &v->sa), room = sk_room(max, true, &b->z);
    size_t count = room ? (inner.n + room - 1) / room : 0;
    *out = bytes_of(NULL, 0);
    if (!wanted(e, v, wr_len(&b->w)) || !count || count > IKE_PARTS_MAX)
        return E_OK;
    uint8_t *buf = ike_alloc(e, count * max);
    if (!buf)
        return E_NOMEM;
    struct wr w = wr_of(buf, count * max);
    struct sk_layout numbers = {.first = first, .total = (uint16_t)count};
    err_t err = E_OK;
    for (size_t at = 0, n; !err && at < inner.n; at += n) {
        n = inner.n - at < room ? inner.n - at : room;
        numbers.number++;
        err = one(e, v, b, &w, bytes_of(inner.p + at, n), &numbers);
    }
    *out = wr_bytes(&w);
    return err;
}
