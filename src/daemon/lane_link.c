/*
 * Packets that the kernel found too big for the outgoing link: the SA hears what the link carries,
 * as the kernel's tables tell, so that the next ones are cut or answered. Called by the sockets
 * while a lane sends.
 */
#include "daemon/lane_io.h"
#include "io/clock.h"
#include "io/netlink.h"

static uint16_t link_mtu(struct lane *l, const struct addr *remote)
{
    struct io_error unused;
    if (!l->nl)
        l->nl = netlink_open(&unused);
    return l->nl ? netlink_path_mtu(l->nl, remote, l->mark) : 0;
}

static uint32_t with_headers(const struct lane *l, const struct io_msg *m)
{
    uint32_t ip = m->remote.addr.family == 6 ? 40 : 20, udp = l->wait_at == LS_ESP ? 0 : 8;
    uint32_t len = m->seg ? m->seg : m->len;
    return m->whole ? len : len + ip + udp;
}

static void too_big(void *ctx, const struct io_msg *m)
{
    struct lane *l = ctx;
    uint16_t mtu = m->tag ? link_mtu(l, &m->remote.addr) : 0; /* of no SA: counted */
    dp_link_too_big(l->dp, m->tag, with_headers(l, m), mtu, clock_now_ms());
    if (dp_notes(l->dp))
        l->port.notes(l->port.ctx);
}

struct sock_ear lane_ear(struct lane *l)
{
    return (struct sock_ear){l, too_big};
}
