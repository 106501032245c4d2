/*
 * The outgoing link's side of the path MTU (RFC 1191 6.1): what it carries is known, so it bounds
 * all that is believed of the path; and a packet that the kernel refused for it (EMSGSIZE) says so
 * before anybody else does. Called through dataplane.h.
 */
#include "dataplane/dp.h"

static void link_is(struct dp *d, struct child *c, uint16_t mtu)
{
    uint16_t was = c->path_mtu;
    c->link_mtu = mtu;
    c->path_mtu = path_of_link(d, mtu);
    if (c->path_mtu != was)
        probe_link(d, c, d->now_ms);
}

err_t dp_child_mtu(struct dp *d, uint32_t child_id, uint16_t mtu)
{
    struct child *c = child_find(d, child_id);
    if (!c)
        return R_NOT_FOUND;
    link_is(d, c, mtu);
    return E_OK;
}

size_t dp_child_links(const struct dp *d, struct dp_child_link *out, size_t max)
{
    size_t i, n = 0;
    for (struct hash_node *h = hash_begin(&d->children, &i); h && n < max;
         h = hash_step(&d->children, &i, h)) {
        const struct child *c = container_of(h, struct child, node);
        out[n++] = (struct dp_child_link){c->id, c->link_mtu, c->out->remote.addr};
    }
    return n;
}

uint16_t dp_iface_mtu(const struct dp *d, uint16_t iface)
{
    uint16_t least = 0;
    size_t i;
    for (struct hash_node *h = hash_begin(&d->children, &i); h;
         h = hash_step(&d->children, &i, h)) {
        const struct child *c = container_of(h, struct child, node);
        uint16_t mtu = c->in->iface == iface && c->out->active ? probe_cap(c) : 0;
        if (mtu && (!least || mtu < least))
            least = mtu;
    }
    return least;
}

void dp_link_too_big(struct dp *d, uint32_t child_id, uint32_t len, uint16_t link_mtu,
                     uint64_t now_ms)
{
    struct dp_pkt lost;
    struct child *c = child_find(d, child_id);
    if (!c) {
        dp_count_drop(d, R_DP_LINK);
        return;
    }
    sa_pkt_drop(d, c, &lost, R_DP_LINK);
    d->now_ms = now_ms;
    if (link_mtu && link_mtu < len)
        link_is(d, c, link_mtu);
    else if (len <= probe_path_mtu(c)) /* something on the way out of the host needs room as well */
        probe_believe(d, c, probe_below(c, c->out->inner_mtu), DP_PATH_LINK, now_ms);
}
