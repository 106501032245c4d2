/*
 * Messages of IKEv1: reading one (decrypting into a copy, so that nothing changes before it is
 * verified) and putting one together. RFC 2408 3.1, RFC 2409 5 and appendix B.
 */
#include "ike/v1/v1.h"
#include "wire/print.h"
#include <stdlib.h>

struct v1_msg *v1_msg_new(struct ike *e, struct arena *a, const struct ike_pkt *p)
{
    struct v1_msg *m = arena_alloc(a, sizeof *m);
    struct bytes raw = arena_copy(a, p->raw);
    if (!m || !raw.p) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    m->pkt = *p;
    m->raw = raw;
    m->encrypted = p->flags & IKE_V1_FLAG_ENCRYPTION;
    return ike_hdr_parse(raw, &m->hdr) ? NULL : m;
}

/* Libreswan fills messages in clear with zeros to four bytes too. */
static err_t read_clear(struct v1_msg *m, struct bytes body)
{
    static const uint8_t zeros[3];
    err_t err = payloads_v1_parse(body, m->hdr.next, &m->in, &m->used);
    size_t over = body.n - m->used;
    if (!err && (over > sizeof zeros || (over && memcmp(body.p + m->used, zeros, over) != 0)))
        err = R_TRAILING;
    return err;
}

err_t v1_msg_read(const struct v1_sa *v, struct v1_msg *m, const uint8_t *iv)
{
    struct bytes body = ike_hdr_body(m->raw);
    if (!iv)
        return read_clear(m, body);
    memcpy(m->iv, iv, sizeof m->iv);
    err_t err =
        cr_cbc(v->sa.encr, v1_key_cipher(&v->keys), m->iv, (uint8_t *)body.p, body.n, false);
    return err ? err : payloads_v1_parse(body, m->hdr.next, &m->in, &m->used);
}

struct bytes v1_body(const struct v1_msg *m, uint8_t type)
{
    const struct payload *p = payloads_find(&m->in, type);
    return p ? p->body : bytes_of(NULL, 0);
}

bool v1_after_hash(const struct v1_msg *m, struct bytes *hash, struct bytes *rest)
{
    if (!m->in.count || m->in.p[0].type != P1_HASH)
        return false;
    struct bytes body = ike_hdr_body(m->raw);
    size_t first = PAYLOAD_HDR_LEN + m->in.p[0].body.n;
    *hash = m->in.p[0].body;
    *rest = bytes_of(body.p + first, m->used - first);
    return true;
}

void v1_msg_event(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                  const struct ike_hdr *h, const struct payloads *ps)
{
    struct buf b = {0};
    ike_message_print(h, ps, &b);
    struct event *ev = ike_event(e, kind, sa, NULL);
    ev->text = ike_str_buf(e, &b);
    ev->number = h->msg_id;
}

/* --- writing --- */

bool v1_build_begin(struct ike *e, const struct v1_sa *v, struct v1_build *b, uint8_t exchange,
                    uint32_t msg_id)
{
    uint8_t *p = ike_alloc(e, V1_MSG_MAX);
    *b = (struct v1_build){.hdr = {.spi_i = v->sa.spi_i,
                                   .spi_r = v->sa.spi_r,
                                   .major = 1,
                                   .exchange = exchange,
                                   .msg_id = msg_id}};
    if (!p)
        return false;
    b->w = wr_of(p, V1_MSG_MAX);
    size_t at = ike_hdr_begin(&b->w, &b->hdr);
    b->c = payload_chain_of_msg(&b->w, at);
    return true;
}

bool v1_build_begin2(struct ike *e, const struct v1_sa *v, struct v1_build *b, uint8_t exchange,
                     uint32_t msg_id)
{
    if (!v1_build_begin(e, v, b, exchange, msg_id))
        return false;
    b->hash_len = v->sa.prf->out_len;
    payload_begin(&b->c, P1_HASH);
    (void)wr_space(&b->w, b->hash_len);
    payload_end(&b->c);
    return true;
}

bool v1_build_hash(struct ike *e, const struct v1_sa *v, struct v1_build *b, bool third,
                   struct bytes ni, struct bytes nr)
{
    uint8_t *hash = b->w.start + IKE_HDR_LEN + PAYLOAD_HDR_LEN;
    struct bytes all = wr_bytes(&b->w);
    size_t head = IKE_HDR_LEN + PAYLOAD_HDR_LEN + b->hash_len;
    struct bytes parts[] = {ni, nr, bytes_of(all.p + head, all.n - head)};
    err_t err = v1_hash_phase2(v, third, b->hdr.msg_id, parts, 3, hash);
    if (err)
        ike_fail(e, err < 0 ? err : E_CRYPTO);
    return !err;
}

static void say_sent(struct ike *e, const struct v1_sa *v, const struct v1_build *b)
{
    struct payloads ps = {0};
    struct bytes msg = wr_bytes(&b->w);
    size_t used;
    if (!payloads_v1_parse(ike_hdr_body(msg), msg.p[16], &ps, &used))
        v1_msg_event(e, EV_MSG_SENT, &v->sa, &b->hdr, &ps);
}

/* Appendix B: padded with zeros to whole blocks; the header's length includes them */
static err_t encrypt(const struct v1_sa *v, struct v1_build *b, uint8_t *iv)
{
    size_t block = v->sa.encr->block, over = (wr_len(&b->w) - IKE_HDR_LEN) % block;
    (void)wr_space(&b->w, over ? block - over : 0);
    wr_patch_u8(&b->w, 19, IKE_V1_FLAG_ENCRYPTION);
    ike_hdr_end(&b->w, 0);
    if (b->w.err)
        return b->w.err;
    return cr_cbc(v->sa.encr, v1_key_cipher(&v->keys), iv, b->w.start + IKE_HDR_LEN,
                  wr_len(&b->w) - IKE_HDR_LEN, true);
}

bool v1_build_end(struct ike *e, struct v1_sa *v, struct v1_build *b, uint8_t *iv,
                  struct ike_msg *out)
{
    err_t err = b->w.err;
    if (!err)
        say_sent(e, v, b);
    if (!err && iv)
        err = encrypt(v, b, iv);
    else
        ike_hdr_end(&b->w, 0);
    if (!err)
        return v1_frag_split(e, v, &b->hdr, wr_bytes(&b->w), out);
    ike_fail(e, err < 0 ? err : E_USAGE);
    return false;
}

void v1_put_sa(struct v1_build *b, bool ike, const struct v1_transform *t, size_t n)
{
    payload_begin(&b->c, P1_SA);
    sa_v1_write(&b->w, ike, t, n);
    payload_end(&b->c);
}

void v1_put_notify(struct v1_build *b, uint8_t proto, uint16_t type, struct bytes spi,
                   struct bytes data)
{
    struct notify_v1 n = {.doi = DOI_IPSEC, .proto = proto, .type = type, .spi = spi, .data = data};
    payload_begin(&b->c, P1_NOTIFY);
    notify_v1_write(&b->w, &n);
    payload_end(&b->c);
}

/* About the ISAKMP SA itself: its SPI is both cookies (RFC 2407 4.6.3). */
void v1_put_notify_sa(struct v1_build *b, const struct v1_sa *v, uint16_t type, struct bytes data)
{
    uint8_t spi[16];
    put_u64(spi, v->sa.spi_i);
    put_u64(spi + 8, v->sa.spi_r);
    v1_put_notify(b, PROTO1_ISAKMP, type, bytes_of(spi, sizeof spi), data);
}
