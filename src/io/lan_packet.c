/*
 * AF_PACKET on a LAN interface (packet(7), PACKET_VNET_HDR): super-packets with open checksums come
 * and go as the kernel has them, each behind a vnet header. Received with recvmmsg into buffers
 * that are used from the first on, so that those in use stay in the cache; sent with sendmmsg.
 */
#include "io/fail.h"
#include "io/frame.h"
#include "io/lan_way.h"
#include "io/vnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DATA = 65536,
    STRIDE = LAN_HEADROOM + DATA + LAN_TAILROOM + 832, /* no power of two: spread over sets */
    BUFFERS = 32,
    LARGE = 4096, /* of such a few fill a batch */
    LARGE_BURST = 2,
    SOCKET_BUFFER = 8 << 20,
    QUEUE = 64,
    SLICES = 256,
    BEFORE = VNET_HEADER + FRAME_ETHER
};

struct lan_packet {
    int fd;
    uint16_t group;
    unsigned burst;   /* how many buffers the next call offers */
    uint8_t *buffers; /* NULL: only for sending */
    struct mmsghdr rx[BUFFERS];
    struct iovec rx_v[BUFFERS][2];
    uint8_t rx_head[BUFFERS][BEFORE];
    unsigned queued, slices;
    struct mmsghdr tx[QUEUE];
    struct sockaddr_ll to[QUEUE];
    uint32_t tx_slices[QUEUE];
    struct iovec tx_v[QUEUE + SLICES];
    uint8_t tx_head[QUEUE][BEFORE + LAN_HEAD];
};

static uint8_t *buffer(const struct lan_packet *l, size_t i)
{
    return l->buffers + i * STRIDE + LAN_HEADROOM;
}

/* --- opening --- */

static err_t option(struct lan_packet *l, int level, int name, int v, const char *what,
                    struct io_error *err)
{
    if (setsockopt(l->fd, level, name, &v, sizeof v) == 0)
        return 0;
    return io_fail(err, errno, NULL, "%s", what);
}

static void grow(int fd, int force, int name)
{
    int size = SOCKET_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0)
        (void)!setsockopt(fd, SOL_SOCKET, name, &size, sizeof size);
}

static err_t make_buffers(struct lan_packet *l, struct io_error *err)
{
    l->buffers = malloc((size_t)BUFFERS * STRIDE);
    if (!l->buffers)
        return io_fail(err, ENOMEM, NULL, "AF_PACKET");
    for (size_t i = 0; i < BUFFERS; i++) {
        l->rx_v[i][0] = (struct iovec){l->rx_head[i], BEFORE};
        l->rx_v[i][1] = (struct iovec){buffer(l, i), DATA};
        l->rx[i].msg_hdr = (struct msghdr){.msg_iov = l->rx_v[i], .msg_iovlen = 2};
    }
    l->burst = BUFFERS;
    return 0;
}

/* Members are numbered in the order in which they join. */
static err_t join(struct lan_packet *l, const struct lan_share *share, struct io_error *err)
{
    uint32_t how = PACKET_FANOUT_EBPF | (share->group ? 0 : PACKET_FANOUT_FLAG_UNIQUEID);
    uint32_t group = share->group | how << 16;
    socklen_t n = sizeof group;
    if (setsockopt(l->fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) < 0 ||
        getsockopt(l->fd, SOL_PACKET, PACKET_FANOUT, &group, &n) < 0)
        return io_fail(err, errno, NULL, "cannot join the fanout group");
    l->group = (uint16_t)group;
    return option(l, SOL_PACKET, PACKET_FANOUT_DATA, share->program, "cannot steer packets", err);
}

static err_t listen_on(struct lan_packet *l, const struct links_if *dev, int tap,
                       const struct lan_share *share, struct io_error *err)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL), /* before the IP layer sees it */
                             .sll_ifindex = dev->index};
    err_t e = make_buffers(l, err);
    if (!e)
        e = option(l, SOL_SOCKET, SO_ATTACH_BPF, tap, "cannot attach the filter", err);
    if (!e)
        e = option(l, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "no PACKET_IGNORE_OUTGOING", err);
    if (e)
        return e;
    grow(l->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    if (bind(l->fd, (struct sockaddr *)&at, sizeof at) < 0)
        return io_fail(err, errno, NULL, "cannot bind to %s", dev->name);
    return share->program < 0 ? 0 : join(l, share, err);
}

static err_t open_socket(struct lan_packet *l, struct io_error *err)
{
    /* Protocol 0: hears nothing before filter and interface are set. */
    l->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return io_fail(err, errno, io_hint_perm(errno, HINT_NET_RAW),
                       "cannot create a packet socket");
    grow(l->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) /* these headers have the machine's order */
        return io_fail(err, ENOTSUP, NULL, "vnet headers in another byte order");
    return option(l, SOL_PACKET, PACKET_VNET_HDR, 1, "no PACKET_VNET_HDR", err);
}

struct lan_packet *lan_packet_open(const struct links_if *dev, int tap,
                                   const struct lan_share *share, struct io_error *err)
{
    struct lan_packet *l = calloc(1, sizeof *l);
    if (!l) {
        io_fail(err, ENOMEM, NULL, "AF_PACKET");
        return NULL;
    }
    err_t e = open_socket(l, err);
    if (!e && tap >= 0)
        e = listen_on(l, dev, tap, share, err);
    if (e) {
        lan_packet_close(l);
        return NULL;
    }
    return l;
}

void lan_packet_close(struct lan_packet *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->buffers);
    free(l);
}

int lan_packet_fd(const struct lan_packet *l)
{
    return l->fd;
}

uint16_t lan_packet_group(const struct lan_packet *l)
{
    return l->group;
}

/* --- receiving --- */

static void take(struct lan_packet *l, size_t i, struct lan_pkt *p)
{
    const struct mmsghdr *m = &l->rx[i];
    *p = (struct lan_pkt){.data = buffer(l, i)};
    if (m->msg_len > BEFORE && !(m->msg_hdr.msg_flags & MSG_TRUNC) &&
        vnet_parse(l->rx_head[i], FRAME_ETHER, &p->gso))
        p->len = m->msg_len - BEFORE;
}

/* Two super-packets fill a batch; of small packets a system call brings many. */
static void adapt(struct lan_packet *l, size_t got)
{
    for (size_t i = 0; i < got; i++) {
        if (l->rx[i].msg_len > LARGE) {
            l->burst = LARGE_BURST;
            return;
        }
    }
    if (got == l->burst)
        l->burst = l->burst * 2 < BUFFERS ? l->burst * 2 : BUFFERS;
}

size_t lan_packet_recv(struct lan_packet *l, struct lan_pkt *pkts, size_t n)
{
    unsigned want = n < l->burst ? (unsigned)n : l->burst;
    int got = l->buffers ? recvmmsg(l->fd, l->rx, want, MSG_DONTWAIT, NULL) : 0;
    if (got <= 0) /* an interface that is down tells it once, in errno */
        return 0;
    for (size_t i = 0; i < (size_t)got; i++)
        take(l, i, &pkts[i]);
    adapt(l, (size_t)got);
    return (size_t)got;
}

uint64_t lan_packet_dropped(struct lan_packet *l)
{
    struct tpacket_stats st = {0};
    socklen_t n = sizeof st;
    (void)!getsockopt(l->fd, SOL_PACKET, PACKET_STATISTICS, &st, &n); /* and sets it to 0 */
    return st.tp_drops;
}

/* --- sending --- */

static size_t put_head(uint8_t *p, const struct lan_out *o, const struct gso *g)
{
    vnet_format(g, FRAME_ETHER, p);
    frame_put_ether(p + VNET_HEADER, o->hop->mac, o->dev->mac, o->family);
    memcpy(p + BEFORE, o->head, o->head_len);
    return BEFORE + o->head_len;
}

bool lan_packet_put(struct lan_packet *l, const struct lan_out *o, const struct gso *g,
                    const struct bytes *v, size_t n)
{
    unsigned i = l->queued;
    if (i == QUEUE || l->slices + n > SLICES)
        return false;
    struct iovec *at = &l->tx_v[i + l->slices];
    at[0] = (struct iovec){l->tx_head[i], put_head(l->tx_head[i], o, g)};
    for (size_t k = 0; k < n; k++)
        at[1 + k] = (struct iovec){(void *)(uintptr_t)v[k].p, v[k].n};
    at[1] = (struct iovec){(void *)(uintptr_t)(v[0].p + o->head_len), v[0].n - o->head_len};
    l->to[i] = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                    .sll_ifindex = o->dev->index,
                                    .sll_protocol = htons(o->family == 4 ? ETH_P_IP : ETH_P_IPV6),
                                    .sll_halen = 6};
    memcpy(l->to[i].sll_addr, o->hop->mac, 6);
    l->tx[i].msg_hdr = (struct msghdr){
        .msg_name = &l->to[i], .msg_namelen = sizeof l->to[i], .msg_iov = at, .msg_iovlen = n + 1};
    l->tx_slices[i] = (uint32_t)n;
    l->slices += (unsigned)n;
    l->queued++;
    return true;
}

/* What fails alone (interface down, too big for it now) is passed over; with the kernel's buffer
 * full the rest is lost. */
size_t lan_packet_send(struct lan_packet *l)
{
    size_t lost = 0;
    unsigned at = 0;
    while (at < l->queued) {
        int k = sendmmsg(l->fd, l->tx + at, l->queued - at, MSG_DONTWAIT);
        if (k > 0)
            at += (unsigned)k;
        else if (errno != EINTR)
            lost += l->tx_slices[at++];
    }
    l->queued = l->slices = 0;
    return lost;
}
