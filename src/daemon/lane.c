/* Opening and closing a lane, and its slow side: see lane.h; the packets' way is in lane_io.c. */
#include "daemon/lane_io.h"
#include <stdio.h>
#include <stdlib.h>

static err_t open_sock(struct lane *l, enum lane_sock at, const struct lane_settings *s,
                       struct io_error *err)
{
    static const uint8_t family[LS_ESP] = {4, 6, 4, 6};
    bool natt = at == LS_NATT4 || at == LS_NATT6;
    uint16_t port = natt ? s->port_natt : s->port;
    err_t e = sock_open(&l->sock[at], SOCK_UDP, family[at], port, s->mark, err);
    if (e == E_NOTSUP && family[at] == 6)
        return E_OK; /* a machine without IPv6 goes on with IPv4 alone */
    if (e)
        return e;
    l->open[at] = true;
    return E_OK;
}

static err_t open_esp(struct lane *l, const struct lane_settings *s, struct io_error *err)
{
    const struct esp_settings esp = {
        .io = s->esp_io, .interface = s->esp_interface, .mark = s->mark};
    err_t e = esp_port_open(&l->esp, &esp, err);
    l->open[LS_ESP] = !e;
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
    const struct tun_want want = {.gso_max_size = 65536};
    err_t e = tun_vnet_open(&l->tun, s->tun, s->tun_mtu, &want, got, err);
    if (e)
        return e;
    l->may = (struct co_flags){got->tso4, got->tso6, got->uso4, got->uso6};
    return E_OK;
}

static err_t open_all(struct lane *l, const struct lane_settings *s, struct io_error *err)
{
    struct tun_offload tun = {0};
    char socks[128] = "";
    err_t e = open_tun(l, s, &tun, err);
    for (int at = 0; at < LS_ESP && !e; at++)
        e = open_sock(l, (enum lane_sock)at, s, err);
    if (!e)
        e = open_esp(l, s, err);
    if (e)
        return e;
    offload_socks(l, socks, sizeof socks);
    const char *esp = esp_port_news(l->esp);
    snprintf(l->offloads, sizeof l->offloads, "%s; %s%s%s", tun.text, socks, esp ? "; " : "",
             esp ? esp : "");
    return E_OK;
}

err_t lane_open(struct lane *l, const struct lane_settings *s, const struct lane_ports *ports,
                struct io_error *err)
{
    *l = (struct lane){.port = *ports, .tun.fd = -1};
    snprintf(err->text, sizeof err->text, "out of memory");
    l->cell_size = s->tun_mtu > 1500 ? s->tun_mtu : 1500;
    l->dp = dp_new(&s->dp);
    if (!l->dp || !lane_buffers_make(l))
        return E_NOMEM;
    return open_all(l, s, err);
}

void lane_close(struct lane *l)
{
    for (int at = 0; at < LS_ESP; at++)
        if (l->open[at])
            sock_close(&l->sock[at]);
    esp_port_close(l->esp);
    if (l->tun.fd >= 0)
        tun_close(&l->tun);
    if (l->dp)
        dp_free(l->dp);
    lane_buffers_free(l);
}

int lane_fd(const struct lane *l, enum lane_sock at)
{
    return at == LS_ESP ? esp_port_fd(l->esp) : l->sock[at].fd;
}

void lane_tick(struct lane *l, uint64_t now_ms)
{
    struct dp_stats st;
    dp_tick(l->dp, now_ms);
    dp_stats_get(l->dp, &st);
    l->held = st.held != 0;
}

err_t lane_send_ike(struct lane *l, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive)
{
    static const uint8_t marker[4]; /* RFC 3948 2.2: four zero bytes before IKE */
    bool v6 = remote->addr.family == 6;
    int at = natt ? (v6 ? LS_NATT6 : LS_NATT4) : (v6 ? LS_IKE6 : LS_IKE4);
    size_t skip = natt && !keepalive ? sizeof marker : 0, failed = 0;
    uint8_t *buf = lane_spare(l);
    if (!l->open[at])
        return R_UNREACHABLE;
    if (data.n + skip > 65507)
        return E_SPACE;
    memcpy(buf, marker, skip);
    memcpy(buf + skip, data.p, data.n);
    struct io_msg m = {
        .data = buf, .len = (uint32_t)(data.n + skip), .local = *local, .remote = *remote};
    if (sock_send(&l->sock[at], &m, 1, &failed) == 1 && !failed)
        return E_OK;
    l->tx_failed++;
    return R_UNREACHABLE;
}
