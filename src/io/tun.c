/*
 * The TUN device of the plain side (see tun.h; Documentation/networking/tuntap.rst). No address is
 * put on it, not even the kernel's own link-local one: what appears there is what policies and
 * routes lead there, and router solicitations would only be packets without a policy.
 */
#include "io/tun.h"
#include "io/fail.h"
#include "io/rtnl.h"
#include "io/tun_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The packets of a negotiation's few round trips and a burst; 500, the default, drops in bursts. */
enum { TX_QUEUE = 1000 };

static err_t open_failed(int e, struct io_error *err)
{
    const char *hint = io_hint_perm(e, HINT_NET_ADMIN);
    if (e == ENOENT || e == ENODEV || e == ENXIO)
        hint = "no TUN device in this kernel or container (try: modprobe tun)";
    return io_fail(err, e, hint, "cannot open /dev/net/tun");
}

static err_t attach_failed(const char *name, int e, struct io_error *err)
{
    char hint[128];
    if (e == EPERM)
        snprintf(hint, sizeof hint, HINT_NET_ADMIN);
    else if (e == EBUSY)
        snprintf(hint, sizeof hint, "another process uses it (try: ip -d link show %s)", name);
    else if (e == EINVAL)
        snprintf(hint, sizeof hint,
                 "an interface of this name and another kind exists (try: ip -d link show %s)",
                 name);
    else
        return io_fail(err, e, NULL, "cannot create TUN device %s", name);
    return io_fail(err, e, hint, "cannot create TUN device %s", name);
}

err_t tun_device(struct tun *t, struct io_error *err)
{
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return t->fd < 0 ? open_failed(errno, err) : 0;
}

err_t tun_attach(struct tun *t, const char *name, int flags, struct io_error *err)
{
    struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags)};
    if (snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name) >= (int)sizeof ifr.ifr_name)
        return io_fail(err, ENAMETOOLONG, "at most 15 characters", "cannot create TUN device %s",
                       name);
    err_t e = tun_device(t, err);
    if (e)
        return e;
    if (ioctl(t->fd, TUNSETIFF, &ifr) < 0)
        return attach_failed(name, errno, err);
    snprintf(t->name, sizeof t->name, "%s", ifr.ifr_name);
    t->ifindex = (int)if_nametoindex(t->name);
    return 0;
}

/* addrgenmode none, as long as the device is down. A machine without IPv6 has nothing to set. */
static int no_link_local(int ifindex)
{
    struct rtnl rt;
    struct ifinfomsg *ifi;
    int e = rtnl_open(&rt);
    if (e < 0)
        return e;
    struct nlmsghdr *h = rtnl_begin(&rt, RTM_NEWLINK, 0, sizeof *ifi, (void **)&ifi);
    ifi->ifi_index = ifindex;
    struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);
    mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(h, inet6);
    mnl_attr_nest_end(h, spec);
    e = rtnl_talk(&rt, h, NULL, NULL);
    rtnl_close(&rt);
    return e == -EAFNOSUPPORT || e == -EINVAL || e == -EOPNOTSUPP ? 0 : e;
}

/* Distributions switch IPv6 off for new interfaces at times; IPv6 policies need it here. */
static void enable_ipv6(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "0", 1);
    close(fd);
}

static err_t set_up(const struct tun *t, unsigned mtu, int ctl, struct io_error *err)
{
    struct ifreq ifr = {0};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", t->name);

    ifr.ifr_mtu = (int)mtu;
    if (ioctl(ctl, SIOCSIFMTU, &ifr) < 0)
        return io_fail(err, errno, NULL, "cannot set MTU %u of %s", mtu, t->name);
    ifr.ifr_qlen = TX_QUEUE;
    (void)!ioctl(ctl, SIOCSIFTXQLEN, &ifr);
    int e = no_link_local(t->ifindex);
    if (e < 0)
        return io_fail(err, -e, NULL, "cannot set addrgenmode of %s", t->name);
    enable_ipv6(t->name);
    if (ioctl(ctl, SIOCGIFFLAGS, &ifr) < 0)
        return io_fail(err, errno, NULL, "cannot read flags of %s", t->name);
    ifr.ifr_flags |= IFF_UP;
    if (ioctl(ctl, SIOCSIFFLAGS, &ifr) < 0)
        return io_fail(err, errno, NULL, "cannot bring up %s", t->name);
    return 0;
}

err_t tun_configure(const struct tun *t, unsigned mtu, struct io_error *err)
{
    int ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ctl < 0)
        return io_fail(err, errno, NULL, "cannot create socket to configure %s", t->name);
    err_t e = set_up(t, mtu, ctl, err);
    close(ctl);
    return e;
}

err_t tun_open(struct tun *t, const char *name, unsigned mtu, struct io_error *err)
{
    *t = (struct tun){.fd = -1};
    err_t e = tun_attach(t, name, 0, err);
    if (!e)
        e = tun_configure(t, mtu, err);
    if (e)
        tun_close(t);
    return e;
}

void tun_close(struct tun *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

int tun_read(struct tun *t, uint8_t *buf, size_t cap)
{
    ssize_t n = read(t->fd, buf, cap);
    if (n >= 0)
        return (int)n;
    /* EBADFD: the device was deleted under us. */
    return errno == EAGAIN || errno == EINTR ? 0 : E_SYS;
}

err_t tun_write_failed(int e)
{
    if (e == EINVAL || e == EMSGSIZE)
        return E_USAGE;
    bool passing = e == EAGAIN || e == EINTR || e == EIO || e == ENOMEM || e == ENOBUFS;
    return passing ? E_AGAIN : E_SYS;
}

err_t tun_write(struct tun *t, const uint8_t *pkt, size_t n)
{
    return write(t->fd, pkt, n) >= 0 ? 0 : tun_write_failed(errno);
}
