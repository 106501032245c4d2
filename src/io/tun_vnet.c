/*
 * Super-packets through the TUN device (see tun.h), with a vnet header (vnet.h) before each packet.
 * Offloads are asked for from all downwards until the kernel takes them.
 */
#include "io/fail.h"
#include "io/rtnl.h"
#include "io/tun_setup.h"
#include "io/vnet.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Linux 6.2; the headers of Debian 12 do not know them. */
enum { F_USO4 = 0x20, F_USO6 = 0x40 };
enum { ATTR_GSO_IPV4_MAX_SIZE = 63 }; /* Linux 6.3 */
enum { SIZE_DEFAULT = 60000, SEGS_DEFAULT = 128 };

static const unsigned tries[] = {
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | F_USO4 | F_USO6,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | F_USO4 | F_USO6,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
    TUN_F_CSUM | TUN_F_TSO4,
    TUN_F_CSUM,
};

/* False: not even the header's size and order can be set, so nothing of it is used. */
static bool set_header(int fd)
{
    int size = VNET_HEADER, on = 1;
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
        return false;
    /* Kernels without the choice have the machine's own order. */
    return ioctl(fd, TUNSETVNETLE, &on) == 0 || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
}

static unsigned set_offloads(int fd)
{
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)tries[i]) == 0)
            return tries[i];
    return 0;
}

static int set_link(int ifindex, uint16_t type1, uint32_t v1, uint16_t type2, uint32_t v2)
{
    struct rtnl rt;
    struct ifinfomsg *ifi;
    int e = rtnl_open(&rt);
    if (e < 0)
        return e;
    struct nlmsghdr *h = rtnl_begin(&rt, RTM_NEWLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = ifindex;
    mnl_attr_put_u32(h, type1, v1);
    if (type2)
        mnl_attr_put_u32(h, type2, v2);
    e = rtnl_talk(&rt, h, NULL, NULL);
    rtnl_close(&rt);
    return e;
}

/* Kernels before 6.3 have one limit for both families. */
static bool set_limits(int ifindex, const struct tun_want *w)
{
    uint32_t size = w->gso_max_size ? w->gso_max_size : SIZE_DEFAULT;
    uint32_t segs = w->gso_max_segs ? w->gso_max_segs : SEGS_DEFAULT;
    if (set_link(ifindex, IFLA_GSO_MAX_SIZE, size, IFLA_GSO_MAX_SEGS, segs) < 0)
        return false;
    (void)!set_link(ifindex, ATTR_GSO_IPV4_MAX_SIZE, size, 0, 0);
    return true;
}

static void describe(const struct tun *t, struct tun_offload *o)
{
    if (!o->vnet) {
        snprintf(o->text, sizeof o->text, "%s: no vnet headers in this kernel, one packet a call",
                 t->name);
        return;
    }
    snprintf(o->text, sizeof o->text, "%s: offloads%s%s%s%s%s%s%s%s%s", t->name,
             o->csum ? " csum" : " none", o->tso4 ? " tso4" : "", o->tso6 ? " tso6" : "",
             o->tso_ecn ? " tso-ecn" : "", o->uso4 ? " uso4" : "", o->uso6 ? " uso6" : "",
             o->queues ? ", several queues" : "", o->limits ? "" : ", size limits not settable",
             o->csum && !o->uso4 ? " (UDP segmentation needs Linux 6.2)" : "");
}

/* What the kernel knows of flags; 0 where it cannot be asked. */
static unsigned features(int fd)
{
    unsigned f = 0;
    return ioctl(fd, TUNGETFEATURES, &f) < 0 ? 0 : f;
}

static err_t attach(struct tun *t, const char *name, const struct tun_want *w,
                    struct tun_offload *o, struct io_error *err)
{
    struct tun probe = {.fd = -1};
    /* The flags must be right when the device is made, so ask a descriptor without one. */
    err_t e = tun_device(&probe, err);
    unsigned f = e ? 0 : features(probe.fd);
    tun_close(&probe);
    if (e)
        return e;
    o->vnet = f & IFF_VNET_HDR;
    o->queues = w->queues && (f & IFF_MULTI_QUEUE);
    int flags = (o->vnet ? IFF_VNET_HDR : 0) | (o->queues ? IFF_MULTI_QUEUE : 0);
    e = tun_attach(t, name, flags, err);
    if (e || !o->vnet || set_header(t->fd))
        return e;
    tun_close(t);
    o->vnet = false;
    return tun_attach(t, name, flags & ~IFF_VNET_HDR, err);
}

static void switch_on(struct tun *t, const struct tun_want *w, struct tun_offload *o)
{
    t->vnet = o->vnet;
    if (!o->vnet)
        return;
    unsigned f = set_offloads(t->fd);
    o->csum = f & TUN_F_CSUM;
    o->tso4 = f & TUN_F_TSO4;
    o->tso6 = f & TUN_F_TSO6;
    o->tso_ecn = f & TUN_F_TSO_ECN;
    o->uso4 = f & F_USO4;
    o->uso6 = f & F_USO6;
    o->limits = set_limits(t->ifindex, w);
}

err_t tun_vnet_open(struct tun *t, const char *name, unsigned mtu, const struct tun_want *want,
                    struct tun_offload *got, struct io_error *err)
{
    *t = (struct tun){.fd = -1};
    *got = (struct tun_offload){0};
    err_t e = attach(t, name, want, got, err);
    if (!e)
        switch_on(t, want, got);
    if (!e)
        e = tun_configure(t, mtu, err);
    if (e)
        tun_close(t);
    else
        describe(t, got);
    return e;
}

err_t tun_vnet_queue(struct tun *q, const struct tun *first, struct io_error *err)
{
    *q = (struct tun){.fd = -1};
    err_t e = tun_attach(q, first->name, IFF_MULTI_QUEUE | (first->vnet ? IFF_VNET_HDR : 0), err);
    if (!e && first->vnet && !set_header(q->fd))
        e = io_fail(err, errno, NULL, "cannot set the vnet header of a queue of %s", first->name);
    q->vnet = first->vnet; /* offloads are the device's, not the queue's */
    if (e)
        tun_close(q);
    return e;
}

int tun_vnet_read(struct tun *t, struct gso *g, uint8_t *buf, size_t cap)
{
    uint8_t h[VNET_HEADER];
    struct iovec v[2] = {{h, sizeof h}, {buf, cap}};
    if (!t->vnet) {
        *g = (struct gso){0};
        return tun_read(t, buf, cap);
    }
    ssize_t n = readv(t->fd, v, 2);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : E_SYS;
    return n > VNET_HEADER && vnet_parse(h, 0, g) ? (int)(n - VNET_HEADER) : E_USAGE;
}

err_t tun_vnet_write(struct tun *t, const struct gso *g, const struct bytes *v, size_t n)
{
    struct iovec iov[1 + TUN_SLICES_MAX];
    uint8_t h[VNET_HEADER];
    size_t at = t->vnet ? 1 : 0;
    if (n == 0 || n > TUN_SLICES_MAX || g->kind > GSO_UDP ||
        (!t->vnet && (g->kind != GSO_NONE || g->needs_csum)))
        return E_USAGE;
    vnet_format(g, 0, h);
    iov[0] = (struct iovec){h, sizeof h};
    for (size_t i = 0; i < n; i++)
        iov[at + i] = (struct iovec){(void *)(uintptr_t)v[i].p, v[i].n};
    return writev(t->fd, iov, (int)(at + n)) >= 0 ? 0 : tun_write_failed(errno);
}
