/* Black holes seen by TCP inside: see infer.h. */
#include "dataplane/infer.h"
#include "dataplane/ip.h"

enum { TCP = 6, TCP_MIN = 20, ACK = 0x10, AGAIN = 2, AGAIN_UNHEARD = 3 };

static bool is_tcp(const struct ip_info *ip)
{
    return flow_proto(&ip->flow) == TCP && !ip->later_frag && ip->l4 + TCP_MIN <= ip->len;
}

static void watch(struct infer *i, const struct ip_info *ip, uint32_t seq, uint32_t end,
                  uint64_t now_ms)
{
    *i = (struct infer){.on = i->on,
                        .hint = i->hint,
                        .flow = ip->flow,
                        .at_ms = now_ms,
                        .last_ms = now_ms,
                        .seq = seq,
                        .end = end,
                        .len = (uint16_t)ip->len,
                        .watching = true};
}

/* The segment was sent again, gap_ms after the last time. TCP doubles its pauses (RFC 6298 5.5):
 * when they are that long it has tried several times before. */
static enum infer_says judge(const struct infer *i, uint64_t gap_ms, uint64_t heard_ms)
{
    bool recent = heard_ms + INFER_RECENT_MS >= i->at_ms, late = gap_ms >= INFER_LATE_MS;
    if (heard_ms > i->at_ms)
        return i->again >= (i->hint || late ? 1 : AGAIN) ? INFER_BLACK_HOLE : INFER_NOTHING;
    return i->again >= (late ? 1 : recent ? AGAIN : AGAIN_UNHEARD) ? INFER_SILENCE : INFER_NOTHING;
}

enum infer_says infer_sent(struct infer *i, const uint8_t *p, const struct ip_info *ip,
                           uint64_t heard_ms, uint64_t now_ms)
{
    if (!is_tcp(ip))
        return INFER_NOTHING;
    const uint8_t *tcp = p + ip->l4;
    uint32_t header = (tcp[12] >> 4) * 4u, seq = get_u32(tcp + 4);
    if (header < TCP_MIN || ip->l4 + header >= ip->len)
        return INFER_NOTHING;
    if (!i->watching || now_ms - i->at_ms > INFER_OLD_MS) {
        watch(i, ip, seq, seq + ip->len - ip->l4 - header, now_ms);
        return INFER_NOTHING;
    }
    if (seq != i->seq || !flow_eq(&ip->flow, &i->flow) || now_ms - i->last_ms < INFER_AGAIN_MS)
        return INFER_NOTHING;
    uint64_t gap_ms = now_ms - i->last_ms;
    i->last_ms = now_ms;
    i->again++;
    enum infer_says says = judge(i, gap_ms, heard_ms);
    if (says != INFER_NOTHING)
        i->watching = i->hint = false;
    return says;
}

static bool is_reverse(const struct flow *a, const struct flow *b)
{
    return a->l[0] == b->r[0] && a->l[1] == b->r[1] && a->r[0] == b->l[0] && a->r[1] == b->l[1] &&
           flow_lport(a) == flow_rport(b) && flow_rport(a) == flow_lport(b);
}

enum infer_says infer_received(struct infer *i, const uint8_t *p, const struct ip_info *ip)
{
    if (!i->watching || !is_tcp(ip) || !is_reverse(&ip->flow, &i->flow))
        return INFER_NOTHING;
    const uint8_t *tcp = p + ip->l4;
    if (!(tcp[13] & ACK) || (int32_t)(get_u32(tcp + 8) - i->end) < 0)
        return INFER_NOTHING;
    i->watching = i->hint = false;
    return INFER_PASSES;
}
