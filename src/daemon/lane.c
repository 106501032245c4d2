/* Opening and closing a lane, and its slow side: see lane.h; the packets' way is in lane_io.c. */
#include "daemon/lane_io.h"
#include "io/netlink.h"
#include <stdio.h>
#include <stdlib.h>

static err_t open_sock(struct lane *l, enum lane_sock at, const struct lane_settings *s,
                       struct io_error *err)
{
    const struct sock *beside = s->natt[at == LS_NATT6];
    bool alone = !s->natt[0] && !s->natt[1];
    uint8_t family = at == LS_NATT6 ? 6 : 4;
    if (!alone && !beside)
        return E_OK;
    err_t e = alone ? sock_open(&l->sock[at], SOCK_UDP, family, s->port_natt, s->mark, err)
                    : sock_open_beside(&l->sock[at], beside, s->mark, err);
    if (e == E_NOTSUP && family == 6)
        return E_OK; /* a machine without IPv6 goes on with IPv4 alone */
    if (e)
        return e;
    l->sock[at].ear = lane_ear(l);
    l->open[at] = true;
    return E_OK;
}

static err_t open_esp(struct lane *l, const struct lane_settings *s, struct io_error *err)
{
    const struct esp_settings esp = {.io = s->esp_send_only ? ESP_IO_RAW : s->esp_io,
                                     .interface = s->esp_interface,
                                     .mark = s->mark,
                                     .workers = s->dp.workers,
                                     .worker = s->dp.self,
                                     .tag_bits = dp_tag_bits(s->dp.workers),
                                     .send_only = s->esp_send_only,
                                     .ear = lane_ear(l)};
    err_t e = esp_port_open(&l->esp, &esp, err);
    l->open[LS_ESP] = !e;
    return e;
}

static err_t open_lan(struct lane *l, const struct lane_settings *s, struct io_error *err)
{
    struct lan_settings lan = s->lan;
    if (lan.io == LAN_IO_TUN)
        return E_OK;
    lan.tun = l->tun.ifindex;
    lan.mtu = (uint16_t)s->tun_mtu;
    lan.share = s->dp.workers > 1;
    err_t e =
        s->beside ? lan_port_join(&l->lan, s->beside->lan, err) : lan_port_open(&l->lan, &lan, err);
    l->open[LS_LAN] = !e;
    return e;
}

static void offload_socks(struct lane *l, char *text, size_t cap)
{
    struct sock_offload got;
    for (int at = LS_NATT4; at <= LS_NATT6; at++) {
        if (!l->open[at])
            continue;
        sock_offload(&l->sock[at], &got);
        l->gro[at] = got.gro;
        if (at == LS_NATT4)
            snprintf(text, cap, "%s", got.text);
    }
}

static err_t open_tun(struct lane *l, const struct lane_settings *s, struct tun_offload *got,
                      struct io_error *err)
{
    /* what is forwarded was sized by its sender, up to 64 KB; above the limit the kernel cuts it
     * into single packets */
    const struct tun_want want = {.gso_max_size = 65536, .queues = s->dp.workers > 1};
    err_t e = tun_vnet_open(&l->tun, s->tun, s->tun_mtu, &want, got, err);
    if (e)
        return e;
    l->queues = got->queues;
    l->may = (struct co_flags){got->tso4, got->tso6, got->uso4, got->uso6};
    return E_OK;
}

static err_t join_tun(struct lane *l, const struct lane *first, struct io_error *err)
{
    l->may = first->may;
    return tun_vnet_queue(&l->tun, &first->tun, err);
}

static err_t open_all(struct lane *l, const struct lane_settings *s, struct io_error *err)
{
    struct tun_offload tun = {0};
    char socks[128] = "";
    err_t e = s->beside ? join_tun(l, s->beside, err) : open_tun(l, s, &tun, err);
    for (int at = 0; at < LS_ESP && !e; at++)
        e = open_sock(l, (enum lane_sock)at, s, err);
    if (!e)
        e = open_esp(l, s, err);
    if (!e)
        e = open_lan(l, s, err);
    if (e)
        return e;
    offload_socks(l, socks, sizeof socks);
    const char *esp = esp_port_news(l->esp), *lan = l->lan ? lan_port_news(l->lan) : NULL;
    snprintf(l->offloads, sizeof l->offloads, "%s; %s%s%s%s%s", tun.text, socks, esp ? "; " : "",
             esp ? esp : "", lan ? "; " : "", lan ? lan : "");
    return E_OK;
}

err_t lane_open(struct lane *l, const struct lane_settings *s, const struct lane_ports *ports,
                struct io_error *err)
{
    *l = (struct lane){.port = *ports, .tun.fd = -1, .mark = s->mark};
    snprintf(err->text, sizeof err->text, "out of memory");
    l->cell_size = s->tun_mtu > 1500 ? s->tun_mtu : 1500;
    l->dp = dp_new(&s->dp);
    if (!l->dp || !lane_buffers_make(l))
        return E_NOMEM;
    return open_all(l, s, err);
}

/* --- interfaces of their own --- */

struct lane_iface *lane_iface_of(const struct lane *l, uint16_t id)
{
    for (size_t i = 0; i < l->ifaces; i++)
        if (l->iface[i].id == id)
            return &l->iface[i];
    return NULL;
}

err_t lane_iface_add(struct lane *l, uint16_t id, const struct tun *tun)
{
    struct lane_iface *more = realloc(l->iface, (l->ifaces + 1) * sizeof *more);
    if (!more)
        return E_NOMEM;
    l->iface = more;
    l->iface[l->ifaces++] = (struct lane_iface){.id = id, .tun = *tun};
    return E_OK;
}

void lane_iface_del(struct lane *l, uint16_t id)
{
    struct lane_iface *i = lane_iface_of(l, id);
    if (!i)
        return;
    tun_close(&i->tun);
    *i = l->iface[--l->ifaces];
}

void lane_close(struct lane *l)
{
    while (l->ifaces)
        lane_iface_del(l, l->iface[0].id);
    free(l->iface);
    for (int at = 0; at < LS_ESP; at++)
        if (l->open[at])
            sock_close(&l->sock[at]);
    esp_port_close(l->esp);
    netlink_close(l->nl);
    lan_port_close(l->lan);
    if (l->tun.fd >= 0)
        tun_close(&l->tun);
    if (l->dp)
        dp_free(l->dp);
    lane_buffers_free(l);
}

uint64_t lane_rx_dropped(struct lane *l)
{
    struct esp_stats esp = {0};
    struct lan_stats lan = {0};
    uint64_t n = 0;
    for (int at = 0; at < LS_ESP; at++)
        n += l->open[at] ? sock_dropped(&l->sock[at]) : 0;
    if (l->esp)
        esp_port_stats(l->esp, &esp);
    if (l->lan)
        lan_port_stats(l->lan, &lan);
    return n + esp.rx_dropped + lan.rx_dropped + lan.rx_bad;
}

int lane_fd(const struct lane *l, enum lane_sock at)
{
    return at == LS_ESP ? esp_port_fd(l->esp) : at == LS_LAN ? lan_port_fd(l->lan) : l->sock[at].fd;
}

void lane_tick(struct lane *l, uint64_t now_ms)
{
    dp_tick(l->dp, now_ms);
    lane_own(l, now_ms);
    l->held = dp_ticks(l->dp);
}
