/* What both ways through a lane share: see lane_io.h. No allocation; order within a flow stays. */
#include "daemon/lane_io.h"
#include <stdio.h>
#include <stdlib.h>

size_t lane_cell_stride(const struct lane *l)
{
    return ((DP_HEADROOM + l->cell_size + DP_TAILROOM + 63) & ~(size_t)63) + 64;
}

uint8_t *lane_in_buffer(struct lane *l, size_t i)
{
    return l->in + i * IN_STRIDE + DP_HEADROOM;
}

bool lane_buffers_make(struct lane *l)
{
    l->cells = aligned_alloc(64, LANE_CELLS * lane_cell_stride(l));
    l->super = malloc(IN_STRIDE);
    l->in = malloc((size_t)(IN_MESSAGES + 1) * IN_STRIDE);
    return l->cells && l->super && l->in;
}

void lane_buffers_free(struct lane *l)
{
    free(l->cells);
    free(l->super);
    free(l->in);
}

uint8_t *lane_spare(struct lane *l)
{
    return lane_in_buffer(l, IN_MESSAGES);
}

void lane_after(struct lane *l, size_t n, bool inbound)
{
    for (size_t i = 0; i < n; i++) {
        const struct dp_pkt *p = l->ptr[i];
        if (p->verdict == DP_HELD)
            l->held = true;
        else if (p->verdict == DP_TO_IKE)
            l->port.ike(l->port.ctx, p);
        else if (p->verdict == DP_ELSEWHERE)
            l->port.elsewhere(l->port.ctx, p, inbound);
    }
    if (dp_notes(l->dp))
        l->port.notes(l->port.ctx);
}

/* --- to the network --- */

static int sock_for(const struct lane *l, const struct dp_pkt *p)
{
    bool v6 = p->remote.addr.family == 6;
    int at = !p->udp || p->whole ? LS_ESP : v6 ? LS_NATT6 : LS_NATT4;
    return l->open[at] ? at : -1;
}

static int send_some(struct lane *l, const struct io_msg *m, size_t n, bool more, size_t *failed)
{
    if (l->wait_at != LS_ESP)
        return sock_send_gso(&l->sock[l->wait_at], m, n, more, failed);
    return esp_port_send(l->esp, m, n < IO_BURST ? n : IO_BURST, failed);
}

void lane_flush(struct lane *l, bool more)
{
    size_t done = 0;
    more = more && !l->brief;
    l->brief = false;
    while (l->wait_at >= 0 && done < l->waiting) {
        size_t failed = 0;
        int sent = send_some(l, l->msg + done, l->waiting - done, more, &failed);
        l->tx_failed += failed;
        if (sent <= 0)
            break;
        done += (size_t)sent;
    }
    size_t left = l->waiting - done;
    l->waiting = 0;
    if (more && left <= LANE_WAIT) {
        memmove(l->msg, l->msg + done, left * sizeof *l->msg);
        l->waiting = left;
    } else {
        l->tx_failed += left; /* the kernel's buffer is full: they are lost, and counted */
    }
}

/* Runs of the same socket at once: order within a flow stays. */
void lane_to_net(struct lane *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct dp_pkt *p = l->ptr[i];
        if (p->verdict != DP_TO_NET)
            continue;
        int at = sock_for(l, p);
        if (l->waiting && at != l->wait_at)
            lane_flush(l, false);
        l->wait_at = at;
        l->brief = l->brief || p->brief;
        l->msg[l->waiting++] = (struct io_msg){.data = p->data,
                                               .len = p->len,
                                               .local = p->local,
                                               .remote = p->remote,
                                               .tos = p->tos,
                                               .ttl = p->ttl,
                                               .label = p->label,
                                               .whole = p->whole,
                                               .tag = p->child_id,
                                               .df = p->df};
    }
}

/* --- to the host --- */

void lane_tun_gone(struct lane *l)
{
    if (!l->lost)
        l->port.lost(l->port.ctx, "the TUN device is gone");
    l->lost = true;
}

void lane_iface_gone(struct lane *l, struct lane_iface *i)
{
    char text[64];
    snprintf(text, sizeof text, "the interface %s is gone", i->tun.name);
    if (!i->lost)
        l->port.say(l->port.ctx, text);
    i->lost = true;
}

static void write_shared(struct lane *l, const struct co_group *x, uint64_t now_ms)
{
    if (l->lan && lan_port_send(l->lan, &x->gso, x->v, x->nv, now_ms))
        return;
    err_t e = tun_vnet_write(&l->tun, &x->gso, x->v, x->nv);
    if (e)
        l->tx_failed += x->nv;
    if (e == E_SYS)
        lane_tun_gone(l);
}

static void write_own(struct lane *l, struct lane_iface *i, const struct co_group *x)
{
    err_t e = i && !i->lost ? tun_vnet_write(&i->tun, &x->gso, x->v, x->nv) : E_AGAIN;
    if (e)
        l->tx_failed += x->nv;
    if (e == E_SYS)
        lane_iface_gone(l, i);
}

/* Packets of one interface, in l->host. */
static void host_run(struct lane *l, uint16_t iface, size_t hosts, uint64_t now_ms)
{
    for (size_t done = 0; done < hosts;) {
        size_t now = hosts - done < COALESCE_MAX ? hosts - done : COALESCE_MAX;
        size_t groups = coalesce(&l->co, l->host + done, now, &l->may);
        for (size_t g = 0; g < groups; g++) {
            if (iface)
                write_own(l, lane_iface_of(l, iface), &l->co.group[g]);
            else
                write_shared(l, &l->co.group[g], now_ms);
        }
        if (l->lan)
            l->tx_failed += lan_port_flush(l->lan);
        done += now;
    }
}

void lane_to_host(struct lane *l, size_t n, uint64_t now_ms)
{
    size_t hosts = 0;
    uint16_t iface = 0;
    for (size_t i = 0; i < n; i++) {
        const struct dp_pkt *p = l->ptr[i];
        if (p->verdict != DP_TO_HOST)
            continue;
        if (p->iface != iface) {
            host_run(l, iface, hosts, now_ms);
            iface = p->iface;
            hosts = 0;
        }
        l->host[hosts++] = (struct co_pkt){p->data, p->len};
    }
    host_run(l, iface, hosts, now_ms);
}
