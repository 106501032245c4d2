/*
 * AF_XDP for native ESP. Called by esp_port.c; the XDP program is bpf/esp.bpf.c's esp_xdp, attached
 * by a BPF link, so that it goes with the process.
 */
#include "io/esp_fast.h"
#include "io/fail.h"
#include "io/frame.h"
#include "io/xdp_dev.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

_Static_assert((int)FAST_FDS == (int)XDP_DEV_QUEUES, "a descriptor for each queue");

struct esp_fast {
    struct xdp_dev *dev;
    uint16_t id; /* of the next IPv4 header */
};

static err_t attach(void *ctx, bool native, struct io_error *err)
{
    const struct esp_fast_env *env = ctx;
    return esp_bpf_attach_xdp(env->bpf, env->dev->index, native, err);
}

static err_t set_socket(void *ctx, uint32_t queue, int fd, struct io_error *err)
{
    const struct esp_fast_env *env = ctx;
    return esp_bpf_set_socket(env->bpf, queue, fd, err);
}

static void xdp_close(struct esp_fast *f)
{
    xdp_dev_close(f->dev);
    free(f);
}

static struct esp_fast *xdp_open(const struct esp_fast_env *env, struct io_error *err)
{
    const struct xdp_dev_hooks hooks = {(void *)(uintptr_t)env, attach, set_socket};
    struct esp_fast *f = calloc(1, sizeof *f);
    if (!f) {
        io_fail(err, ENOMEM, NULL, "AF_XDP");
        return NULL;
    }
    f->dev = xdp_dev_open(env->dev, env->dev->mtu, &hooks, err);
    if (!f->dev) {
        free(f);
        return NULL;
    }
    (void)!getrandom(&f->id, sizeof f->id, GRND_NONBLOCK);
    return f;
}

static size_t xdp_fds(const struct esp_fast *f, int out[FAST_FDS])
{
    return xdp_dev_fds(f->dev, out);
}

static const char *xdp_mode(const struct esp_fast *f)
{
    return xdp_dev_mode(f->dev);
}

static int xdp_recv(struct esp_fast *f, struct io_msg *msgs, size_t n)
{
    struct xdp_frame frame[IO_BURST];
    size_t got = xdp_dev_recv(f->dev, frame, n);
    for (size_t i = 0; i < got; i++) {
        msgs[i] = (struct io_msg){.data = frame[i].data, .len = frame[i].len};
        frame_take_ether(&msgs[i]);
    }
    return (int)got;
}

static uint64_t xdp_dropped(struct esp_fast *f)
{
    return xdp_dev_dropped(f->dev);
}

/* False: the MTU was raised since the frames were made. */
static bool put(struct esp_fast *f, const struct links_if *dev, const struct io_msg *m,
                const struct nexthop *hop)
{
    uint8_t family = m->remote.addr.family;
    uint32_t header = FRAME_ETHER + (uint32_t)frame_ip_size(family);
    if (header + m->len > xdp_dev_room(f->dev))
        return false;
    uint8_t *p = xdp_dev_put(f->dev);
    frame_put_ether(p, hop->mac, dev->mac, family);
    frame_put_ip(p + FRAME_ETHER, m, f->id++);
    memcpy(p + header, m->data, m->len);
    xdp_dev_commit(f->dev, header + m->len);
    return true;
}

static int xdp_send(struct esp_fast *f, const struct links_if *dev, const struct io_msg *msgs,
                    const struct nexthop *const *hops, size_t n, size_t *failed)
{
    n = xdp_dev_reserve(f->dev, n);
    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        *failed += !put(f, dev, &msgs[i], hops[i]);
    xdp_dev_send(f->dev);
    return (int)n;
}

const struct esp_fast_ops xdp_ops = {
    .name = "AF_XDP",
    .use = ESP_BPF_XDP,
    .open = xdp_open,
    .close = xdp_close,
    .fds = xdp_fds,
    .mode = xdp_mode,
    .recv = xdp_recv,
    .send = xdp_send,
    .dropped = xdp_dropped,
};
