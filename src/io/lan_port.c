/*
 * Choosing the ways of the LAN interfaces (see lan_port.h); packets go through lan_port_io.c. All
 * file descriptors hang in one epoll set, which is what the caller polls.
 */
#include "io/fail.h"
#include "io/lan_port_if.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void say(struct lan_port *p, const char *what)
{
    size_t n = strlen(p->text);
    snprintf(p->text + n, sizeof p->text - n, "%s%s", n ? "; " : "", what);
    p->news = true;
}

static err_t watch(struct lan_port *p, size_t i, int fd, enum lan_source source)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = lan_event(source, i, fd)};
    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? E_SYS : 0;
}

/* --- opening and closing one interface --- */

static void close_ways(struct lan_if *d)
{
    if (d->drop >= 0)
        close(d->drop);
    if (d->xdp)
        lan_xdp_close(d->xdp);
    if (d->packet)
        lan_packet_close(d->packet);
    d->drop = -1;
    d->xdp = NULL;
    d->packet = NULL;
    d->ready = d->packet_queued = d->xdp_queued = false;
}

static void close_if(struct lan_port *p, size_t i)
{
    struct lan_if *d = &p->dev[i];
    if (!d->links)
        return;
    if (p->first && p->bpf)
        lan_bpf_del_link(p->bpf, links_if(d->links));
    close_ways(d);
    links_close(d->links);
    d->links = NULL;
}

err_t lan_port_maps(struct lan_port *p, size_t i)
{
    struct links *l = p->dev[i].links;
    size_t n = links_addresses(l, p->address, LAN_ADDRESSES);
    err_t e = lan_bpf_set_addresses(p->bpf, p->address, n);
    return e ? e : lan_bpf_set_link(p->bpf, (uint32_t)i, links_if(l), p->set.mtu);
}

static err_t watch_xdp(struct lan_port *p, size_t i)
{
    int fds[LAN_FDS];
    size_t n = lan_xdp_fds(p->dev[i].xdp, fds);
    for (size_t k = 0; k < n; k++)
        if (watch(p, i, fds[k], SRC_PACKETS))
            return E_SYS;
    return 0;
}

static err_t open_xdp(struct lan_port *p, size_t i, struct io_error *err)
{
    struct lan_if *d = &p->dev[i];
    const struct links_if *dev = links_if(d->links);
    d->packet = lan_packet_open(dev, -1, NULL, err); /* for super-packets on their way out */
    if (d->packet)
        d->xdp = lan_xdp_open(p->bpf, dev, (uint32_t)i, p->set.mtu, err);
    if (!d->xdp)
        return E_SYS;
    return watch_xdp(p, i) ? io_fail(err, errno, NULL, "cannot poll") : 0;
}

static err_t open_tap(struct lan_port *p, size_t i, uint16_t group, struct io_error *err)
{
    const struct lan_share share = {p->set.share ? lan_bpf_share(p->bpf) : -1, group};
    struct lan_if *d = &p->dev[i];
    const struct links_if *dev = links_if(d->links);
    d->packet = lan_packet_open(dev, lan_bpf_tap(p->bpf), &share, err);
    if (!d->packet)
        return E_SYS;
    if (watch(p, i, lan_packet_fd(d->packet), SRC_PACKETS))
        return io_fail(err, errno, NULL, "cannot poll");
    if (p->first) /* last: until then a packet may come twice, which is better than not at all */
        d->drop = lan_bpf_attach_drop(p->bpf, dev->index, err);
    return p->first && d->drop < 0 ? E_SYS : 0;
}

static err_t open_packet(struct lan_port *p, size_t i, struct io_error *err)
{
    return open_tap(p, i, 0, err);
}

static bool try_way(struct lan_port *p, size_t i, enum lan_io io)
{
    struct lan_if *d = &p->dev[i];
    struct io_error why = {""};
    char line[400];
    const char *name = io == LAN_IO_XDP ? "AF_XDP" : "AF_PACKET", *dev = p->set.interface[i];
    if ((io == LAN_IO_XDP ? open_xdp : open_packet)(p, i, &why)) {
        close_ways(d);
        snprintf(line, sizeof line, "no %s on %s: %s", name, dev, why.text);
        say(p, line);
        return false;
    }
    snprintf(line, sizeof line, "LAN interface %s through %s%s", dev, name,
             d->xdp ? lan_xdp_mode(d->xdp) : "");
    say(p, line);
    return true;
}

static bool open_links(struct lan_port *p, size_t i, struct io_error *why)
{
    const struct links_ask ask = {.iif = p->set.tun};
    struct lan_if *d = &p->dev[i];
    if (links_open(&d->links, p->set.interface[i], &ask, why))
        return false;
    if (watch(p, i, links_fd(d->links), SRC_EVENTS) == 0 && (!p->first || lan_port_maps(p, i) == 0))
        return true;
    io_fail(why, errno, NULL, "cannot watch interface \"%s\"", p->set.interface[i]);
    return false;
}

static void open_if(struct lan_port *p, size_t i)
{
    struct io_error why = {""};
    bool fine = open_links(p, i, &why);
    if (!fine)
        say(p, why.text);
    if (fine && p->set.io == LAN_IO_XDP && try_way(p, i, LAN_IO_XDP))
        return;
    if (fine && try_way(p, i, LAN_IO_PACKET))
        return;
    close_if(p, i);
    char line[64];
    snprintf(line, sizeof line, "%s is served by the TUN device instead", p->set.interface[i]);
    say(p, line);
}

/* --- the port --- */

static struct lan_port *port_new(const struct lan_settings *s, struct io_error *err)
{
    struct lan_port *p = calloc(1, sizeof *p);
    if (!p) {
        io_fail(err, ENOMEM, NULL, "cannot open the port for LAN interfaces");
        return NULL;
    }
    p->set = *s;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < LAN_INTERFACES; i++)
        p->dev[i].drop = -1;
    if (p->epoll >= 0)
        return p;
    io_fail(err, errno, NULL, "epoll");
    free(p);
    return NULL;
}

static bool open_bpf(struct lan_port *p)
{
    struct io_error why = {""};
    char line[300];
    p->bpf = lan_bpf_open(p->set.io == LAN_IO_XDP, &why);
    if (!p->bpf && p->set.io == LAN_IO_XDP) {
        snprintf(line, sizeof line, "no AF_XDP: %s", why.text);
        say(p, line);
        p->set.io = LAN_IO_PACKET;
        p->bpf = lan_bpf_open(false, &why);
    }
    if (p->bpf)
        return true;
    snprintf(line, sizeof line, "%s; LAN interfaces are served by the TUN device instead",
             why.text);
    say(p, line);
    return false;
}

err_t lan_port_open(struct lan_port **out, const struct lan_settings *s, struct io_error *err)
{
    struct lan_port *p = *out = port_new(s, err);
    if (!p)
        return E_SYS;
    p->first = true;
    if (s->io == LAN_IO_TUN || !open_bpf(p))
        return 0;
    for (size_t i = 0; i < s->interfaces; i++)
        open_if(p, i);
    return 0;
}

static void join_if(struct lan_port *p, const struct lan_port *first, size_t i)
{
    struct io_error why = {""};
    struct lan_if *d = &p->dev[i];
    bool fine = open_links(p, i, &why);
    if (fine && (first->dev[i].xdp || !p->set.share)) {
        d->packet = lan_packet_open(links_if(d->links), -1, NULL, &why);
        fine = d->packet != NULL;
    } else if (fine) {
        fine = open_tap(p, i, lan_packet_group(first->dev[i].packet), &why) == 0;
    }
    if (fine)
        return;
    say(p, why.text);
    close_if(p, i);
}

err_t lan_port_join(struct lan_port **out, const struct lan_port *first, struct io_error *err)
{
    struct lan_port *p = *out = port_new(&first->set, err);
    if (!p)
        return E_SYS;
    p->bpf = first->bpf;
    for (size_t i = 0; i < p->set.interfaces; i++)
        if (first->dev[i].links)
            join_if(p, first, i);
    return 0;
}

void lan_port_close(struct lan_port *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < LAN_INTERFACES; i++)
        close_if(p, i);
    if (p->first)
        lan_bpf_close(p->bpf);
    close(p->epoll);
    free(p);
}

int lan_port_fd(const struct lan_port *p)
{
    return p->epoll;
}

const char *lan_port_news(struct lan_port *p)
{
    bool news = p->news;
    p->news = false;
    return news ? p->text : NULL;
}

size_t lan_port_open_interfaces(const struct lan_port *p)
{
    size_t n = 0;
    for (size_t i = 0; i < LAN_INTERFACES; i++)
        n += p->dev[i].links != NULL;
    return n;
}

void lan_port_stats(struct lan_port *p, struct lan_stats *out)
{
    for (size_t i = 0; i < LAN_INTERFACES; i++) {
        struct lan_if *d = &p->dev[i];
        if (d->xdp)
            p->stats.rx_dropped += lan_xdp_dropped(d->xdp);
        else if (d->packet)
            p->stats.rx_dropped += lan_packet_dropped(d->packet);
    }
    *out = p->stats;
}

err_t lan_port_prefix(struct lan_port *p, const struct addr *prefix, unsigned bits,
                      const struct lan_sources *from)
{
    return p->bpf ? lan_bpf_prefix(p->bpf, prefix, bits, from) : 0;
}

void lan_port_prefix_del(struct lan_port *p, const struct addr *prefix, unsigned bits)
{
    if (p->bpf)
        lan_bpf_prefix_del(p->bpf, prefix, bits);
}

void lan_port_prefix_clear(struct lan_port *p)
{
    if (p->bpf)
        lan_bpf_prefix_clear(p->bpf);
}

err_t lan_port_owner(struct lan_port *p, const struct addr *prefix, unsigned bits, uint32_t owner)
{
    return p->bpf ? lan_bpf_owner(p->bpf, prefix, bits, owner) : 0;
}

void lan_port_owner_del(struct lan_port *p, const struct addr *prefix, unsigned bits)
{
    if (p->bpf)
        lan_bpf_owner_del(p->bpf, prefix, bits);
}

void lan_port_give_up(struct lan_port *p, size_t i, const char *why)
{
    char line[160];
    p->text[0] = 0;
    snprintf(line, sizeof line, "LAN interface %s %s: the TUN device serves it",
             p->set.interface[i], why);
    say(p, line);
    close_if(p, i);
}
