/*
 * AF_XDP on a LAN interface: single packets, received where they lie in the UMEM, sent from there.
 * The program is bpf/lan.bpf.c's lan_xdp, attached by a BPF link, so that it goes with the process.
 */
#include "io/fail.h"
#include "io/frame.h"
#include "io/lan_way.h"
#include "io/xdp_dev.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

_Static_assert((int)LAN_FDS == (int)XDP_DEV_QUEUES, "a descriptor for each queue");
_Static_assert((int)LAN_HEADROOM <= (int)XDP_DEV_HEADROOM, "headers grow in place");

struct lan_xdp {
    struct xdp_dev *dev;
    int link;
    uint32_t largest;
};

struct opening {
    struct lan_xdp *l;
    struct lan_bpf *bpf;
    int ifindex;
    uint32_t slot;
};

static err_t attach(void *ctx, bool native, struct io_error *err)
{
    struct opening *o = ctx;
    o->l->link = lan_bpf_attach_xdp(o->bpf, o->ifindex, native, err);
    return o->l->link < 0 ? E_SYS : 0;
}

static err_t set_socket(void *ctx, uint32_t queue, int fd, struct io_error *err)
{
    struct opening *o = ctx;
    return lan_bpf_set_socket(o->bpf, o->slot, queue, fd, err);
}

struct lan_xdp *lan_xdp_open(struct lan_bpf *bpf, const struct links_if *dev, uint32_t slot,
                             uint32_t largest, struct io_error *err)
{
    struct lan_xdp *l = calloc(1, sizeof *l);
    struct opening o = {l, bpf, dev->index, slot};
    const struct xdp_dev_hooks hooks = {&o, attach, set_socket};
    if (!l) {
        io_fail(err, ENOMEM, NULL, "AF_XDP");
        return NULL;
    }
    l->link = -1;
    l->largest = largest;
    l->dev = xdp_dev_open(dev, largest + LAN_TAILROOM, &hooks, err);
    if (!l->dev) {
        lan_xdp_close(l);
        return NULL;
    }
    return l;
}

void lan_xdp_close(struct lan_xdp *l)
{
    if (l->link >= 0)
        close(l->link); /* the last reference detaches the program */
    if (l->dev)
        xdp_dev_close(l->dev);
    free(l);
}

size_t lan_xdp_fds(const struct lan_xdp *l, int out[LAN_FDS])
{
    return xdp_dev_fds(l->dev, out);
}

const char *lan_xdp_mode(const struct lan_xdp *l)
{
    return xdp_dev_mode(l->dev);
}

bool lan_xdp_open_sums(const struct lan_xdp *l)
{
    return !xdp_dev_native(l->dev);
}

size_t lan_xdp_recv(struct lan_xdp *l, struct lan_pkt *pkts, size_t n)
{
    struct xdp_frame frame[IO_BURST];
    size_t got = xdp_dev_recv(l->dev, frame, n);
    for (size_t i = 0; i < got; i++) {
        uint32_t len = frame[i].len > FRAME_ETHER ? frame[i].len - FRAME_ETHER : 0;
        pkts[i] = (struct lan_pkt){.data = frame[i].data + FRAME_ETHER,
                                   .len = len <= l->largest ? len : 0};
    }
    return got;
}

bool lan_xdp_put(struct lan_xdp *l, const struct lan_out *o, struct bytes pkt)
{
    if (xdp_dev_reserve(l->dev, 1) == 0)
        return false;
    uint8_t *p = xdp_dev_put(l->dev);
    frame_put_ether(p, o->hop->mac, o->dev->mac, o->family);
    memcpy(p + FRAME_ETHER, o->head, o->head_len);
    memcpy(p + FRAME_ETHER + o->head_len, pkt.p + o->head_len, pkt.n - o->head_len);
    xdp_dev_commit(l->dev, FRAME_ETHER + (uint32_t)pkt.n);
    return true;
}

void lan_xdp_send(struct lan_xdp *l)
{
    xdp_dev_send(l->dev);
}

bool lan_xdp_fits(const struct lan_xdp *l, size_t len)
{
    return FRAME_ETHER + len <= xdp_dev_room(l->dev);
}

uint64_t lan_xdp_dropped(struct lan_xdp *l)
{
    return xdp_dev_dropped(l->dev);
}
