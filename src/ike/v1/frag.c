/*
 * Messages in fragments: see wire/frag_v1.h. What is too large for a datagram of fragment_size is
 * cut after encryption, for peers that announced it (or with fragmentation = force); what comes is
 * put together before anything else is done with it, one message for each SA, and for peers without
 * SA a few, of which the oldest goes.
 */
#include "ike/parts.h"
#include "ike/v1/v1.h"
#include "wire/frag_v1.h"

/* --- receiving --- */

/* Whole: it must be what its fragments said, and no fragment again. */
static bool fits(const struct ike_pkt *whole, const struct ike_pkt *p)
{
    return whole->spi_i == p->spi_i && whole->spi_r == p->spi_r && whole->version == p->version &&
           whole->exchange == p->exchange && whole->msg_id == p->msg_id &&
           whole->next != P1_FRAGMENT;
}

static void whole(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p, struct bytes msg)
{
    struct ike_pkt all = *p;
    all.raw = msg;
    if (!msg.p)
        return;
    if (ike_pkt_read(&all) || !fits(&all, p))
        ike_drop(e, p, R_SYNTAX, "a message put together from fragments");
    else
        v1_packet(e, sa, &all);
}

static bool allowed(const struct ike_sa *sa)
{
    return !sa || !sa->conn || sa->conn->fragmentation != FRAG_NO;
}

void v1_frag_in(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p)
{
    struct frag_v1 f;
    err_t err = frag_v1_parse(bytes_of(p->raw.p + IKE_HDR_LEN, p->raw.n - IKE_HDR_LEN), &f);
    if (!err && (!allowed(sa) || (!sa && (p->spi_r || !p->spi_i))))
        err = R_STATE;
    if (err) {
        ike_drop(e, p, err, "fragment");
        return;
    }
    const struct ike_part part = {.msg_id = p->msg_id,
                                  .exchange = p->exchange,
                                  .id = f.id,
                                  .number = f.number,
                                  .total = f.last ? f.number : 0,
                                  .data = f.data};
    struct ike_parts **parts = sa ? &v1_of(sa)->parts : parts_of_stranger(e, p);
    enum parts_state state = parts ? parts_add(e, parts, &part) : PARTS_BAD;
    if (state == PARTS_BAD)
        ike_drop(e, p, R_TOO_MANY, "fragment");
    if (state == PARTS_DONE)
        whole(e, sa, p, parts_join(e, &e->out->arena, parts));
}

/* --- sending --- */

static size_t room(const struct ike *e, const struct ike_sa *sa)
{
    return ike_datagram_room(e, sa) - IKE_HDR_LEN - FRAG_V1_HDR_LEN;
}

static bool wanted(const struct ike *e, const struct v1_sa *v, size_t n)
{
    const struct conn *c = v->sa.conn;
    if (!c || n <= ike_datagram_room(e, &v->sa))
        return false;
    return c->fragmentation == FRAG_FORCE || (c->fragmentation == FRAG_YES && v->peer_frag);
}

static void one(struct wr *w, const struct ike_hdr *h, const struct frag_v1 *f)
{
    size_t at = ike_hdr_begin(w, h);
    wr_patch_u8(w, at + 16, P1_FRAGMENT);
    frag_v1_write(w, f);
    ike_hdr_end(w, at);
}

/* `out` becomes all the datagrams, one behind the other: ike_send takes them apart. */
bool v1_frag_split(struct ike *e, struct v1_sa *v, const struct ike_hdr *whole_hdr,
                   struct bytes msg, struct ike_msg *out)
{
    if (!wanted(e, v, msg.n))
        return ike_msg_set(e, out, msg);
    size_t part = room(e, &v->sa), count = (msg.n + part - 1) / part;
    struct ike_hdr h = *whole_hdr;
    struct frag_v1 f = {.id = ++v->frag_id};
    size_t max = msg.n + count * (IKE_HDR_LEN + FRAG_V1_HDR_LEN);
    uint8_t *buf = count <= IKE_PARTS_MAX ? ike_alloc(e, max) : NULL;
    if (!buf)
        return ike_msg_set(e, out, msg);
    struct wr w = wr_of(buf, max);
    h.flags = 0; /* what is inside may be encrypted, this message is not */
    for (size_t at = 0; at < msg.n; at += f.data.n) {
        f.number++;
        f.data = bytes_of(msg.p + at, msg.n - at < part ? msg.n - at : part);
        f.last = f.number == count;
        one(&w, &h, &f);
    }
    return !w.err && ike_msg_set(e, out, wr_bytes(&w));
}
