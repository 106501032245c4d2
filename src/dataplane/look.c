/* Packets looked at twice: see look.h. */
#include "dataplane/look.h"
#include "dataplane/mss.h"
#include "dataplane/probe.h"

enum { TCP_MIN = 20 };

/* By RFC 9293 3.7.1 the MSS counts neither IP nor TCP options: the sender allows for them. */
static uint16_t mss_of(const struct sa_out *sa, unsigned family)
{
    uint16_t headers = (uint16_t)((family == 4 ? 20 : 40) + TCP_MIN);
    uint16_t fits = sa->inner_mtu > headers ? (uint16_t)(sa->inner_mtu - headers) : 0;
    return sa->mss_max && sa->mss_max < fits ? sa->mss_max : fits;
}

static void clamp(const struct sa_out *sa, uint8_t *p, const struct ip_info *ip)
{
    if (sa->mss_max != MSS_CLAMP_NO)
        (void)mss_clamp(p + ip->l4, ip->len - ip->l4, mss_of(sa, flow_family(&ip->flow)));
}

void look_out_syn(struct dp *d, struct sa_out *sa, uint8_t *p, uint32_t len)
{
    struct ip_info ip;
    if (ip_parse(p, len, &ip) || !mss_is_syn(p, &ip))
        return;
    probe_touch(d, sa->child, d->now_ms);
    clamp(sa, p, &ip);
}

void look_out_large(struct dp *d, struct sa_out *sa, const uint8_t *p, uint32_t len)
{
    struct child *c = sa->child;
    struct ip_info ip;
    probe_touch(d, c, d->now_ms);
    if (!c->probe || !c->probe->infer.on || ip_parse(p, len, &ip))
        return;
    enum infer_says says = infer_sent(&c->probe->infer, p, &ip, c->in->last_ms, d->now_ms);
    probe_inferred(d, c, says, d->now_ms);
}

void look_in_tcp(struct dp *d, struct sa_in *sa, uint8_t *p, uint32_t len)
{
    struct child *c = sa->child;
    struct ip_info ip;
    if (ip_parse(p, len, &ip))
        return;
    if (mss_is_syn(p, &ip)) {
        probe_touch(d, c, d->now_ms);
        clamp(c->out, p, &ip);
    }
    if (c->probe && c->probe->infer.on)
        probe_inferred(d, c, infer_received(&c->probe->infer, p, &ip), d->now_ms);
}
