/*
 * AF_PACKET for native ESP (packet(7)): received from a ring shared with the kernel (TPACKET_V2,
 * which shows each packet at once; V3 waits for a block to fill), sent with sendmmsg behind IP
 * headers of our own. Called by esp_port.c; the socket filter is bpf/esp.bpf.c's esp_tap.
 */
#include "io/esp_fast.h"
#include "io/fail.h"
#include "io/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADROOM = 128,  /* free in front of the IP header */
    OVERHEAD = 256,  /* TPACKET_V2's header, its address, HEADROOM */
    BLOCK = 1 << 17, /* frames do not cross blocks */
    BLOCKS = 64,     /* 8 MB, as much as a raw socket's buffer */
    ETHER_PAD = 64
};

struct esp_fast {
    int fd;
    uint16_t id; /* of the next IPv4 header */
    struct sock_ear ear;
    uint8_t *ring;
    struct tpacket_req req;
    uint32_t at, taken; /* the next frame; how many before it are the caller's */
    struct mmsghdr hdr[IO_BURST];
    struct iovec iov[IO_BURST][2];
    struct sockaddr_ll to[IO_BURST];
    uint8_t header[IO_BURST][FRAME_IP6];
};

static err_t option(struct esp_fast *f, int name, const void *v, socklen_t n, const char *what,
                    struct io_error *err)
{
    if (setsockopt(f->fd, SOL_PACKET, name, v, n) == 0)
        return 0;
    return io_fail(err, errno, NULL, "%s", what);
}

static err_t make_ring(struct esp_fast *f, const struct links_if *dev, struct io_error *err)
{
    int version = TPACKET_V2, reserve = HEADROOM, on = 1;
    uint32_t frame = (dev->mtu + ETHER_PAD + OVERHEAD + 15) / 16 * 16;
    frame = frame < 2112 ? 2112 : frame; /* no power of two: spread over the cache's sets */
    f->req = (struct tpacket_req){.tp_block_size = BLOCK,
                                  .tp_block_nr = BLOCKS,
                                  .tp_frame_size = frame,
                                  .tp_frame_nr = BLOCK / frame * BLOCKS};
    err_t e = option(f, PACKET_VERSION, &version, sizeof version, "no TPACKET_V2", err);
    if (!e)
        e = option(f, PACKET_RESERVE, &reserve, sizeof reserve, "no PACKET_RESERVE", err);
    if (!e)
        e = option(f, PACKET_IGNORE_OUTGOING, &on, sizeof on, "no PACKET_IGNORE_OUTGOING", err);
    if (!e)
        e = option(f, PACKET_RX_RING, &f->req, sizeof f->req, "cannot make the ring", err);
    if (e)
        return e;
    void *ring = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (ring == MAP_FAILED)
        return io_fail(err, errno, NULL, "cannot map the ring");
    f->ring = ring;
    return 0;
}

static err_t attach(struct esp_fast *f, const struct esp_fast_env *env, struct io_error *err)
{
    int tap = esp_bpf_tap(env->bpf), steer = esp_bpf_fanout(env->bpf), size = 8 << 20;
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL), /* before the IP layer sees it */
                             .sll_ifindex = env->dev->index};
    uint32_t group = env->fanout | PACKET_FANOUT_EBPF << 16;

    if (setsockopt(f->fd, SOL_SOCKET, SO_ATTACH_BPF, &tap, sizeof tap) < 0)
        return io_fail(err, errno, NULL, "cannot attach the filter");
    if (setsockopt(f->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        (void)!setsockopt(f->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(f->fd, (struct sockaddr *)&at, sizeof at) < 0)
        return io_fail(err, errno, NULL, "cannot bind to %s", env->dev->name);
    if (env->fanout == 0)
        return 0;
    err_t e = option(f, PACKET_FANOUT, &group, sizeof group, "cannot join the fanout group", err);
    return e ? e : option(f, PACKET_FANOUT_DATA, &steer, sizeof steer, "cannot steer by SPI", err);
}

static void packet_close(struct esp_fast *f)
{
    if (f->ring)
        munmap(f->ring, (size_t)BLOCK * BLOCKS);
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

static void prepare_headers(struct esp_fast *f, const struct links_if *dev)
{
    for (size_t i = 0; i < IO_BURST; i++) {
        f->to[i] = (struct sockaddr_ll){
            .sll_family = AF_PACKET, .sll_ifindex = dev->index, .sll_halen = 6};
        f->iov[i][0].iov_base = f->header[i];
        f->hdr[i].msg_hdr = (struct msghdr){.msg_name = &f->to[i],
                                            .msg_namelen = sizeof f->to[i],
                                            .msg_iov = f->iov[i],
                                            .msg_iovlen = 2};
    }
}

static struct esp_fast *packet_open(const struct esp_fast_env *env, struct io_error *err)
{
    struct esp_fast *f = calloc(1, sizeof *f);
    if (!f) {
        io_fail(err, ENOMEM, NULL, "AF_PACKET");
        return NULL;
    }
    f->ear = env->ear;
    /* Protocol 0: hears nothing before filter and interface are set. */
    f->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    err_t e = 0;
    if (f->fd < 0)
        e = io_fail(err, errno, io_hint_perm(errno, HINT_NET_RAW), "cannot create a packet socket");
    if (!e)
        e = make_ring(f, env->dev, err);
    if (!e)
        e = attach(f, env, err);
    if (e) {
        packet_close(f);
        return NULL;
    }
    (void)!getrandom(&f->id, sizeof f->id, GRND_NONBLOCK);
    prepare_headers(f, env->dev);
    return f;
}

static size_t packet_fds(const struct esp_fast *f, int out[FAST_FDS])
{
    out[0] = f->fd;
    return 1;
}

static const char *packet_mode(const struct esp_fast *f)
{
    (void)f;
    return "";
}

/* --- receiving --- */

static struct tpacket2_hdr *frame_at(const struct esp_fast *f, uint32_t i)
{
    uint32_t per_block = BLOCK / f->req.tp_frame_size;
    return (void *)(f->ring + (size_t)(i / per_block) * BLOCK +
                    (size_t)(i % per_block) * f->req.tp_frame_size);
}

static _Atomic uint32_t *status_of(struct tpacket2_hdr *h)
{
    return (_Atomic uint32_t *)&h->tp_status; /* shared with the kernel */
}

static void give_back(struct esp_fast *f)
{
    uint32_t n = f->req.tp_frame_nr;
    for (uint32_t i = f->at + n - f->taken; f->taken > 0; f->taken--, i++)
        atomic_store_explicit(status_of(frame_at(f, i % n)), TP_STATUS_KERNEL,
                              memory_order_release);
}

static void take(struct tpacket2_hdr *h, struct io_msg *m)
{
    *m = (struct io_msg){.data = (uint8_t *)h + h->tp_net, .len = h->tp_snaplen};
    if (h->tp_snaplen < h->tp_len)
        m->len = 0; /* cut: larger than the interface's MTU was */
    frame_take_ip(m);
}

static int packet_recv(struct esp_fast *f, struct io_msg *msgs, size_t n)
{
    size_t got = 0;
    give_back(f);
    for (; got < n && got < IO_BURST; got++) {
        struct tpacket2_hdr *h = frame_at(f, f->at);
        if (!(atomic_load_explicit(status_of(h), memory_order_acquire) & TP_STATUS_USER))
            break;
        take(h, &msgs[got]);
        f->at = (f->at + 1) % f->req.tp_frame_nr;
    }
    f->taken = (uint32_t)got;
    return (int)got;
}

static uint64_t packet_dropped(struct esp_fast *f)
{
    struct tpacket_stats st = {0};
    socklen_t n = sizeof st;
    (void)!getsockopt(f->fd, SOL_PACKET, PACKET_STATISTICS, &st, &n); /* and sets it to 0 */
    return st.tp_drops;
}

/* --- sending --- */

static void put(struct esp_fast *f, size_t i, const struct io_msg *m, const struct nexthop *hop)
{
    uint8_t family = m->remote.addr.family;
    f->to[i].sll_protocol = htons(family == 4 ? ETH_P_IP : ETH_P_IPV6);
    memcpy(f->to[i].sll_addr, hop->mac, 6);
    f->iov[i][0].iov_len = frame_put_ip(f->header[i], m, f->id++);
    f->iov[i][1] = (struct iovec){m->data, m->len};
}

static void refused(const struct esp_fast *f, int e, const struct io_msg *m, size_t *failed)
{
    if (e == EMSGSIZE && m->df && f->ear.too_big)
        f->ear.too_big(f->ear.ctx, m);
    else
        ++*failed;
}

/* A message that fails alone (interface down, too big for it now) is passed over. */
static int packet_send(struct esp_fast *f, const struct links_if *dev, const struct io_msg *msgs,
                       const struct nexthop *const *hops, size_t n, size_t *failed)
{
    size_t at = 0;
    (void)dev;
    for (size_t i = 0; i < n; i++)
        put(f, i, &msgs[i], hops[i]);
    while (at < n) {
        int k = sendmmsg(f->fd, f->hdr + at, (unsigned)(n - at), MSG_DONTWAIT);
        if (k > 0) {
            at += (size_t)k;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno == EBADF || errno == ENOTSOCK) {
            return E_SYS;
        } else if (errno != EINTR) {
            refused(f, errno, &msgs[at++], failed);
        }
    }
    return (int)at;
}

const struct esp_fast_ops packet_ops = {
    .name = "AF_PACKET",
    .use = ESP_BPF_PACKET,
    .open = packet_open,
    .close = packet_close,
    .fds = packet_fds,
    .mode = packet_mode,
    .recv = packet_recv,
    .send = packet_send,
    .dropped = packet_dropped,
};
