/*
 * ICMP errors about packets of ours (RFC 4301 8.2.1, RFC 1191 3, RFC 8201 4). Anybody can send one,
 * so it is believed only when it quotes the SPI of an SA that sends to where the packet was going,
 * and a sequence number sent lately; and never below what every path carries. One that quotes no
 * SPI (RFC 792: eight bytes, which are the UDP header) is only a reason to look.
 */
#include "dataplane/dp.h"

#define SENT_LATELY (1u << 20)

static uint64_t out_hash(const struct dp *d, uint32_t spi)
{
    return hash_of(&d->outs, &spi, sizeof spi);
}

err_t outs_add(struct dp *d, struct child *c)
{
    return hash_add(&d->outs, &c->out_node, out_hash(d, c->out->spi));
}

void outs_del(struct dp *d, struct child *c)
{
    if (c->out_node.h)
        hash_del(&d->outs, &c->out_node);
}

static bool is_about(const struct sa_out *out, const struct dp_too_big *t)
{
    return out->spi == t->spi && out->f.udp == t->udp && (out->f.kind == KIND_AH) == t->ah &&
           addr_eq(&out->remote.addr, &t->remote.addr) &&
           (!t->udp || out->remote.port == t->remote.port) &&
           (uint32_t)((uint32_t)out->seq - t->seq) < SENT_LATELY;
}

/* One peer has few SAs; of what was never sent there is none. */
static bool suspect_all(struct dp *d, const struct dp_too_big *t, uint64_t now_ms)
{
    bool any = false;
    size_t i;
    for (struct hash_node *n = hash_begin(&d->children, &i); n;
         n = hash_step(&d->children, &i, n)) {
        struct child *c = container_of(n, struct child, node);
        if (c->out->f.udp != t->udp || c->out->remote.port != t->remote.port ||
            !addr_eq(&c->out->remote.addr, &t->remote.addr) || !c->out->seq)
            continue;
        probe_suspect(d, c, t->mtu, now_ms);
        any = true;
    }
    return any;
}

bool dp_path_too_big(struct dp *d, const struct dp_too_big *t, uint64_t now_ms)
{
    if (t->weak)
        return suspect_all(d, t, now_ms);
    for (struct hash_node *n = hash_first(&d->outs, out_hash(d, t->spi)); n; n = hash_next(n)) {
        struct child *c = container_of(n, struct child, out_node);
        if (!is_about(c->out, t))
            continue;
        probe_believe(d, c, probe_inner_of(c, t->mtu), DP_PATH_ICMP, now_ms);
        return true;
    }
    return false;
}
