/*
 * Rings and frames of AF_XDP (see xdp_dev.h). Native XDP on veth is not tried: it needs a program
 * on the other end as well, and costs more than generic XDP.
 */
#include "io/xdp_dev.h"
#include "io/fail.h"
#include "io/frame.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

enum {
    RX_FRAMES = 2048,
    TX_FRAMES = 1024,
    FRAMES = RX_FRAMES + TX_FRAMES,
    RESERVED = 256 + 32, /* XDP_PACKET_HEADROOM and room for alignment */
    SMALL = 2112,        /* unaligned chunks: no power of two spreads over the cache's sets */
    LARGE = 4096,
    KICKS = 8 /* attempts to make the kernel send before a burst is cut */
};

struct queue {
    uint32_t number;
    uint32_t chunk; /* distance of frames */
    uint8_t *area;
    struct xsk_umem *umem;
    struct xsk_socket *xsk;
    struct xsk_ring_prod fill, tx;
    struct xsk_ring_cons comp, rx;
    uint64_t rx_taken[IO_BURST]; /* frames that the caller has */
    uint32_t rx_taken_n;
    uint64_t tx_free[TX_FRAMES];
    uint32_t tx_free_n;
    uint64_t dropped; /* as told last */
};

struct xdp_dev {
    struct queue *queue;
    uint32_t queues, turn; /* turn: the queue that receives next */
    uint32_t tx_at, tx_left;
    bool native, zero_copy;
    char mode[64];
};

/* --- what the interface can do --- */

static bool ethtool(const char *ifname, void *request)
{
    struct ifreq ifr = {.ifr_data = request};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    bool fine = fd >= 0 && ioctl(fd, SIOCETHTOOL, &ifr) == 0;
    if (fd >= 0)
        close(fd);
    return fine;
}

static bool is_veth(const char *ifname)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    return ethtool(ifname, &info) && strcmp(info.driver, "veth") == 0;
}

static uint32_t count_queues(const char *ifname)
{
    struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
    if (!ethtool(ifname, &ch))
        return 1;
    uint32_t n = ch.rx_count + ch.combined_count;
    return n < 1 ? 1 : n > XDP_DEV_QUEUES ? XDP_DEV_QUEUES : n;
}

/* --- opening --- */

static void umem_free(struct queue *q)
{
    if (q->umem)
        xsk_umem__delete(q->umem);
    if (q->area)
        munmap(q->area, (size_t)FRAMES * LARGE);
    q->umem = NULL;
    q->area = NULL;
}

static int umem_make(struct queue *q, uint32_t chunk)
{
    struct xsk_umem_config config = {
        .fill_size = RX_FRAMES,
        .comp_size = TX_FRAMES,
        .frame_size = chunk,
        .flags = chunk == LARGE ? 0 : XDP_UMEM_UNALIGNED_CHUNK_FLAG,
    };
    void *area = mmap(NULL, (size_t)FRAMES * LARGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        return -errno;
    q->area = area;
    q->chunk = chunk;
    /* Whole pages: the last frame's rest belongs to nobody. */
    size_t size = ((size_t)FRAMES * chunk + LARGE - 1) / LARGE * LARGE;
    int e = xsk_umem__create(&q->umem, area, size, &q->fill, &q->comp, &config);
    if (e) {
        q->umem = NULL;
        umem_free(q);
    }
    return e;
}

static int socket_make(struct queue *q, const char *ifname, uint16_t flags)
{
    struct xsk_socket_config config = {
        .rx_size = RX_FRAMES,
        .tx_size = TX_FRAMES,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP | flags),
    };
    int e = xsk_socket__create(&q->xsk, ifname, q->number, q->umem, &q->rx, &q->tx, &config);
    if (e)
        q->xsk = NULL;
    return e;
}

static void queue_close(struct queue *q)
{
    if (q->xsk)
        xsk_socket__delete(q->xsk);
    q->xsk = NULL;
    umem_free(q);
}

static void frames_share_out(struct queue *q)
{
    uint32_t at = 0;
    (void)!xsk_ring_prod__reserve(&q->fill, RX_FRAMES, &at);
    for (uint32_t i = 0; i < RX_FRAMES; i++)
        *xsk_ring_prod__fill_addr(&q->fill, at + i) = (uint64_t)i * q->chunk;
    xsk_ring_prod__submit(&q->fill, RX_FRAMES);
    for (uint32_t i = 0; i < TX_FRAMES; i++)
        q->tx_free[i] = (uint64_t)(RX_FRAMES + i) * q->chunk;
    q->tx_free_n = TX_FRAMES;
}

/* Zero copy wants aligned frames; copies are cheaper between unaligned ones. */
static int queue_open(struct queue *q, const struct links_if *dev, uint32_t largest, bool zero_copy)
{
    static const uint32_t chunks[] = {SMALL, LARGE};
    int e = -EINVAL;
    for (size_t i = zero_copy ? 1 : 0; i < 2; i++) {
        if (largest + FRAME_ETHER + RESERVED > chunks[i])
            continue;
        e = umem_make(q, chunks[i]);
        if (e == 0)
            e = socket_make(q, dev->name, zero_copy ? XDP_ZEROCOPY : XDP_COPY);
        if (e == 0)
            break;
        queue_close(q);
    }
    if (e == 0)
        frames_share_out(q);
    return e;
}

static void close_queues(struct xdp_dev *x)
{
    for (uint32_t i = 0; i < x->queues; i++)
        queue_close(&x->queue[i]);
}

static int open_queues(struct xdp_dev *x, const struct links_if *dev, uint32_t largest,
                       bool zero_copy)
{
    for (uint32_t i = 0; i < x->queues; i++) {
        x->queue[i].number = i;
        int e = queue_open(&x->queue[i], dev, largest, zero_copy);
        if (e) {
            close_queues(x);
            return e;
        }
    }
    x->zero_copy = zero_copy;
    return 0;
}

static err_t register_queues(struct xdp_dev *x, const struct xdp_dev_hooks *hooks,
                             struct io_error *err)
{
    for (uint32_t i = 0; i < x->queues; i++) {
        err_t e = hooks->set_socket(hooks->ctx, i, xsk_socket__fd(x->queue[i].xsk), err);
        if (e)
            return e;
    }
    return 0;
}

static err_t bring_up(struct xdp_dev *x, const struct links_if *dev, uint32_t largest,
                      const struct xdp_dev_hooks *hooks, struct io_error *err)
{
    if (largest + FRAME_ETHER + RESERVED > LARGE) {
        io_fail(err, EMSGSIZE, NULL, "frames of MTU %u do not fit into %d bytes", dev->mtu, LARGE);
        return E_NOTSUP;
    }
    x->native = !is_veth(dev->name) && hooks->attach(hooks->ctx, true, err) == 0;
    if (!x->native) {
        err_t e = hooks->attach(hooks->ctx, false, err);
        if (e)
            return e;
    }
    int e = x->native ? open_queues(x, dev, largest, true) : -ENOTSUP;
    if (e)
        e = open_queues(x, dev, largest, false);
    if (e)
        return io_fail(err, -e, io_hint_perm(-e, HINT_NET_RAW), "cannot open AF_XDP sockets");
    return register_queues(x, hooks, err);
}

void xdp_dev_close(struct xdp_dev *x)
{
    if (x->queue)
        close_queues(x);
    free(x->queue);
    free(x);
}

struct xdp_dev *xdp_dev_open(const struct links_if *dev, uint32_t largest,
                             const struct xdp_dev_hooks *hooks, struct io_error *err)
{
    struct xdp_dev *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->queues = count_queues(dev->name);
    x->queue = calloc(x->queues, sizeof *x->queue);
    if (!x->queue || bring_up(x, dev, largest, hooks, err)) {
        xdp_dev_close(x);
        return NULL;
    }
    snprintf(x->mode, sizeof x->mode, " (%s, %s, %u queue%s)",
             x->native ? "in the driver" : "generic", x->zero_copy ? "zero copy" : "copy",
             x->queues, x->queues == 1 ? "" : "s");
    return x;
}

size_t xdp_dev_fds(const struct xdp_dev *x, int out[XDP_DEV_QUEUES])
{
    for (uint32_t i = 0; i < x->queues; i++)
        out[i] = xsk_socket__fd(x->queue[i].xsk);
    return x->queues;
}

const char *xdp_dev_mode(const struct xdp_dev *x)
{
    return x->mode;
}

bool xdp_dev_native(const struct xdp_dev *x)
{
    return x->native;
}

/* --- receiving --- */

/* The ring is as large as there are frames: there is always room. */
static void give_back(struct queue *q)
{
    uint32_t at = 0, n = q->rx_taken_n;
    if (n && xsk_ring_prod__reserve(&q->fill, n, &at) == n) {
        for (uint32_t i = 0; i < n; i++)
            *xsk_ring_prod__fill_addr(&q->fill, at + i) = q->rx_taken[i];
        xsk_ring_prod__submit(&q->fill, n);
        q->rx_taken_n = 0;
    }
    if (xsk_ring_prod__needs_wakeup(&q->fill))
        (void)!recvfrom(xsk_socket__fd(q->xsk), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static size_t queue_recv(struct queue *q, struct xdp_frame *frames, size_t n)
{
    uint32_t at = 0, got = xsk_ring_cons__peek(&q->rx, (uint32_t)n, &at);
    for (uint32_t i = 0; i < got; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, at + i);
        uint64_t base = xsk_umem__extract_addr(d->addr);
        frames[i] = (struct xdp_frame){q->area + xsk_umem__add_offset_to_addr(d->addr), d->len};
        if (q->chunk == LARGE)
            base &= ~(uint64_t)(LARGE - 1); /* aligned: the address is the packet's */
        q->rx_taken[i] = base;
    }
    if (got)
        xsk_ring_cons__release(&q->rx, got);
    q->rx_taken_n = got;
    return got;
}

size_t xdp_dev_recv(struct xdp_dev *x, struct xdp_frame *frames, size_t n)
{
    size_t got = 0;
    n = n > IO_BURST ? IO_BURST : n;
    for (uint32_t i = 0; i < x->queues; i++)
        give_back(&x->queue[i]);
    for (uint32_t i = 0; i < x->queues && got == 0; i++) {
        struct queue *q = &x->queue[x->turn];
        x->turn = (x->turn + 1) % x->queues;
        got = queue_recv(q, frames, n);
    }
    return got;
}

uint64_t xdp_dev_dropped(struct xdp_dev *x)
{
    uint64_t more = 0;
    for (uint32_t i = 0; i < x->queues; i++) {
        struct xdp_statistics st = {0};
        socklen_t n = sizeof st;
        struct queue *q = &x->queue[i];
        if (getsockopt(xsk_socket__fd(q->xsk), SOL_XDP, XDP_STATISTICS, &st, &n) < 0)
            continue;
        uint64_t now = st.rx_dropped + st.rx_ring_full; /* an empty fill ring counts as dropped */
        more += now - q->dropped;
        q->dropped = now;
    }
    return more;
}

/* --- sending --- */

static void reap(struct queue *q)
{
    uint32_t at = 0, n = xsk_ring_cons__peek(&q->comp, TX_FRAMES, &at);
    for (uint32_t i = 0; i < n; i++)
        q->tx_free[q->tx_free_n++] = *xsk_ring_cons__comp_addr(&q->comp, at + i);
    if (n)
        xsk_ring_cons__release(&q->comp, n);
}

/* Copies leave within the call, in portions; EAGAIN: there is more to come. */
static void kick(struct queue *q)
{
    for (int i = 0; i < KICKS && xsk_ring_prod__needs_wakeup(&q->tx); i++) {
        if (sendto(xsk_socket__fd(q->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
            break;
        if (errno != EAGAIN && errno != EBUSY && errno != EINTR)
            break;
    }
    reap(q);
}

/* Every frame has a place in the ring: a descriptor that the kernel keeps has its frame. */
size_t xdp_dev_reserve(struct xdp_dev *x, size_t n)
{
    struct queue *q = &x->queue[0];
    if (q->tx_free_n < n)
        kick(q);
    n = n < q->tx_free_n ? n : q->tx_free_n;
    if (n == 0 || xsk_ring_prod__reserve(&q->tx, (uint32_t)n, &x->tx_at) != n)
        n = 0;
    x->tx_left = (uint32_t)n;
    return n;
}

uint32_t xdp_dev_room(const struct xdp_dev *x)
{
    return x->queue[0].chunk;
}

/* The frame used last: still in the cache. */
uint8_t *xdp_dev_put(struct xdp_dev *x)
{
    struct queue *q = &x->queue[0];
    return q->area + q->tx_free[q->tx_free_n - 1];
}

void xdp_dev_commit(struct xdp_dev *x, uint32_t len)
{
    struct queue *q = &x->queue[0];
    *xsk_ring_prod__tx_desc(&q->tx, x->tx_at++) =
        (struct xdp_desc){.addr = q->tx_free[--q->tx_free_n], .len = len};
    x->tx_left--;
}

void xdp_dev_send(struct xdp_dev *x)
{
    struct queue *q = &x->queue[0];
    q->tx.cached_prod -= x->tx_left;
    x->tx_left = 0;
    xsk_ring_prod__submit(&q->tx, q->tx.cached_prod - *q->tx.producer);
    kick(q);
}
