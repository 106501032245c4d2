/*
 * Packets out of a byte stream, however it was cut: strongSwan's vici README, "Transport protocol"
 * and "Packet layer". Called by the server for its clients and by the operator's command.
 */
#include "base/secret.h"
#include <culvert/vici.h>

#define HEADER 4

err_t vici_stream_feed(struct vici_stream *s, struct bytes data)
{
    if (s->at) {
        memmove(s->in.s, s->in.s + s->at, s->in.n - s->at);
        s->in.n -= s->at;
        s->at = 0;
    }
    /* a client that does not wait for answers may pile up this much, no more */
    if (s->in.n + data.n > 2 * (HEADER + VICI_PACKET_MAX))
        return R_LENGTH;
    buf_add(&s->in, data.p, data.n);
    return s->in.err;
}

/*
 * Names that cannot be those of a command or event become empty, which nothing is called: an answer
 * "unknown" is all they need.
 */
static void get_name(struct rd *r, struct vici_packet_in *out)
{
    struct bytes b = rd_bytes(r, rd_u8(r));
    if (r->err || b.n >= sizeof out->name || memchr(b.p, 0, b.n))
        return;
    memcpy(out->name, b.p, b.n);
    out->name[b.n] = 0;
}

static err_t parse(struct bytes packet, struct vici_packet_in *out)
{
    struct rd r = rd_of(packet);
    uint8_t op = rd_u8(&r);
    if (op > VICI_EVENT)
        rd_fail(&r, R_SYNTAX);
    out->op = (enum vici_op)op;
    switch (out->op) {
    case VICI_CMD_REQUEST:
    case VICI_EVENT:
        get_name(&r, out);
        break;
    case VICI_EVENT_REGISTER:
    case VICI_EVENT_UNREGISTER:
        get_name(&r, out);
        return rd_done(&r);
    case VICI_CMD_RESPONSE:
        break;
    default:
        return rd_done(&r);
    }
    struct bytes msg = rd_rest(&r);
    return r.err ? r.err : vici_decode(msg, &out->msg);
}

err_t vici_stream_next(struct vici_stream *s, struct vici_packet_in *out)
{
    *out = (struct vici_packet_in){0};
    size_t have = s->in.n - s->at;
    if (have < HEADER)
        return E_AGAIN;
    uint8_t *p = (uint8_t *)s->in.s + s->at;
    uint32_t n = get_u32(p);
    if (n > VICI_PACKET_MAX)
        return R_LENGTH;
    if (have - HEADER < n)
        return E_AGAIN;
    err_t e = parse(bytes_of(p + HEADER, n), out);
    s->at += HEADER + n;
    secret_wipe(p, HEADER + n); /* load-shared carries secrets */
    return e;
}

void vici_stream_free(struct vici_stream *s)
{
    if (s->in.s)
        secret_wipe(s->in.s, s->in.cap);
    buf_free(&s->in);
    s->at = 0;
}
