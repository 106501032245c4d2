/*
 * Choosing and joining the ways for native ESP (see esp_port.h). All file descriptors hang in one
 * epoll set, which is what the caller polls; the faster way is asked first, without a system call.
 */
#include "io/esp_port.h"
#include "io/clock.h"
#include "io/esp_fast.h"
#include "io/fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESSES = 4096, OTHERS_EVERY = 16 };
enum source { SRC_EVENTS, SRC_FAST, SRC_RAW }; /* SRC_RAW: and on, by raw socket */

/* Raw sockets of both families: what receives, and at last what sends datagrams as they are. */
enum { RAW_ESP, RAW_AH = 2, RAW_WHOLE = 4, RAW_ALL = 6 };

struct esp_port {
    int epoll;
    enum esp_io io;
    bool news;
    char text[512];
    uint32_t mark;
    struct sock_ear ear;
    unsigned turns;           /* in a row that the fast way had something */
    struct sock raw[RAW_ALL]; /* IPv4, IPv6, and so on */
    bool has[RAW_ALL];
    struct links *links;
    struct esp_bpf *bpf;
    struct esp_fast *fast;
    const struct esp_fast_ops *ops;
    struct esp_stats stats;
    struct addr address[ADDRESSES];
};

static err_t watch(struct esp_port *p, int fd, enum source source)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | (uint32_t)fd};
    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? E_SYS : 0;
}

static err_t open_raw(struct esp_port *p, struct io_error *err)
{
    static const enum sock_kind kinds[] = {SOCK_ESP, SOCK_AH, SOCK_WHOLE};
    for (int i = 0; i < RAW_ALL; i++) {
        uint8_t family = i & 1 ? 6 : 4;
        err_t e = sock_open(&p->raw[i], kinds[i / 2], family, 0, p->mark, err);
        if (e == E_NOTSUP && family == 6)
            continue; /* a machine without IPv6 */
        if (e)
            return e;
        p->has[i] = true;
        p->raw[i].ear = p->ear;
        if (i < RAW_WHOLE && watch(p, p->raw[i].fd, (enum source)(SRC_RAW + i)))
            return io_fail(err, errno, NULL, "cannot poll a raw socket");
    }
    return 0;
}

static err_t set_addresses(struct esp_port *p)
{
    const struct links_if *dev = links_if(p->links);
    size_t n = links_addresses(p->links, p->address, ADDRESSES);
    err_t e = esp_bpf_set_link(p->bpf, dev->index, dev->mac);
    return e ? e : esp_bpf_set_addresses(p->bpf, p->address, n);
}

/* What the tap has taken must not come a second time. */
static err_t filter_raw(struct esp_port *p, struct io_error *err)
{
    int fd = esp_bpf_raw(p->bpf);
    for (int i = 0; i < 2; i++)
        if (p->has[i] && setsockopt(p->raw[i].fd, SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof fd) < 0)
            return io_fail(err, errno, NULL, "cannot filter the raw ESP sockets");
    return 0;
}

static void unfilter_raw(struct esp_port *p)
{
    int unused = 0;
    for (int i = 0; i < 2; i++)
        if (p->has[i])
            (void)!setsockopt(p->raw[i].fd, SOL_SOCKET, SO_DETACH_BPF, &unused, sizeof unused);
}

static void drop_fast(struct esp_port *p)
{
    if (p->ops && p->ops->use == ESP_BPF_PACKET)
        unfilter_raw(p);
    if (p->fast)
        p->ops->close(p->fast);
    esp_bpf_close(p->bpf);
    p->bpf = NULL;
    p->fast = NULL;
    p->ops = NULL;
    p->io = ESP_IO_RAW;
}

static err_t watch_fast(struct esp_port *p, struct io_error *err)
{
    int fds[FAST_FDS];
    size_t n = p->ops->fds(p->fast, fds);
    for (size_t i = 0; i < n; i++)
        if (watch(p, fds[i], SRC_FAST))
            return io_fail(err, errno, NULL, "cannot poll");
    return 0;
}

static err_t start_fast(struct esp_port *p, const struct esp_settings *s, struct io_error *err)
{
    p->bpf = esp_bpf_open(p->ops->use, err);
    if (!p->bpf)
        return E_SYS;
    if (set_addresses(p))
        return io_fail(err, errno, NULL, "cannot fill the BPF maps");
    struct esp_fast_env env = {.dev = links_if(p->links), .fanout = s->fanout, .ear = s->ear, .bpf = p->bpf};
    p->fast = p->ops->open(&env, err);
    if (!p->fast)
        return E_SYS;
    /* The filter last: until then a packet may come twice, which is better than not at all. */
    err_t e = watch_fast(p, err);
    return e || p->ops->use != ESP_BPF_PACKET ? e : filter_raw(p, err);
}

static void say(struct esp_port *p, const char *what)
{
    size_t n = strlen(p->text);
    snprintf(p->text + n, sizeof p->text - n, "%s%s", n ? "; " : "", what);
    p->news = true;
}

static bool try_fast(struct esp_port *p, const struct esp_settings *s, enum esp_io io)
{
    struct io_error why = {""};
    char line[400];
    p->ops = io == ESP_IO_XDP ? &xdp_ops : &packet_ops;
    const char *name = p->ops->name;
    if (start_fast(p, s, &why)) {
        drop_fast(p);
        snprintf(line, sizeof line, "no %s on %s: %s", name, s->interface, why.text);
        say(p, line);
        return false;
    }
    p->io = io;
    snprintf(line, sizeof line, "native ESP on %s through %s%s", s->interface, name,
             p->ops->mode(p->fast));
    say(p, line);
    return true;
}

/* Never fails: the raw sockets are there. */
static void choose(struct esp_port *p, const struct esp_settings *s)
{
    const struct links_ask ask = {.mark = s->mark};
    struct io_error why = {""};
    bool named = s->interface && *s->interface;
    p->io = ESP_IO_RAW;
    if (s->io == ESP_IO_RAW || (s->io == ESP_IO_AUTO && !named))
        return;
    if (!named) {
        say(p, "no interface is configured (esp_interface): native ESP through raw sockets");
        return;
    }
    if (links_open(&p->links, s->interface, &ask, &why) == 0 &&
        watch(p, links_fd(p->links), SRC_EVENTS) == 0) {
        if (s->io != ESP_IO_PACKET && try_fast(p, s, ESP_IO_XDP))
            return;
        if (try_fast(p, s, ESP_IO_PACKET))
            return;
    } else {
        say(p, why.text);
    }
    links_close(p->links);
    p->links = NULL;
    say(p, "native ESP through raw sockets instead");
}

/* What comes to several raw sockets comes to each of them. */
static err_t keep_own(struct esp_port *p, const struct esp_settings *s, struct io_error *err)
{
    unsigned self = s->send_only ? s->workers : s->worker;
    err_t e = 0;
    for (int i = 0; i < RAW_WHOLE && !e; i++)
        if (p->has[i] && s->workers > 1 && (p->io == ESP_IO_RAW || i >= RAW_AH))
            e = sock_keep(&p->raw[i], s->tag_bits, s->workers, i < RAW_AH ? self : s->worker, err);
    return e;
}

err_t esp_port_open(struct esp_port **out, const struct esp_settings *s, struct io_error *err)
{
    struct esp_port *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) {
        io_fail(err, ENOMEM, NULL, "cannot open the port for native ESP");
        return E_NOMEM;
    }
    p->mark = s->mark;
    p->ear = s->ear;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    err_t e = p->epoll < 0 ? io_fail(err, errno, NULL, "epoll") : open_raw(p, err);
    if (e) {
        esp_port_close(p);
        return e;
    }
    choose(p, s);
    e = keep_own(p, s, err);
    if (e) {
        esp_port_close(p);
        return e;
    }
    *out = p;
    return 0;
}

void esp_port_close(struct esp_port *p)
{
    if (!p)
        return;
    drop_fast(p);
    links_close(p->links);
    for (int i = 0; i < RAW_ALL; i++)
        if (p->has[i])
            sock_close(&p->raw[i]);
    if (p->epoll >= 0)
        close(p->epoll);
    free(p);
}

int esp_port_fd(const struct esp_port *p)
{
    return p->epoll;
}

enum esp_io esp_port_io(const struct esp_port *p)
{
    return p->io;
}

const char *esp_port_news(struct esp_port *p)
{
    bool news = p->news;
    p->news = false;
    return news ? p->text : NULL;
}

void esp_port_stats(struct esp_port *p, struct esp_stats *out)
{
    if (p->fast)
        p->stats.rx_dropped += p->ops->dropped(p->fast);
    *out = p->stats;
    for (int i = 0; i < RAW_WHOLE; i++)
        if (p->has[i])
            out->rx_dropped += sock_dropped(&p->raw[i]);
}

/* --- receiving --- */

static void on_events(struct esp_port *p)
{
    unsigned change = links_read(p->links);
    if (change & LINKS_GONE) {
        p->text[0] = 0;
        drop_fast(p);
        say(p, "the interface of native ESP is gone: raw sockets are used");
        epoll_ctl(p->epoll, EPOLL_CTL_DEL, links_fd(p->links), NULL);
        links_close(p->links);
        p->links = NULL;
    } else if ((change & LINKS_ADDRESSES) && p->fast && set_addresses(p)) {
        p->text[0] = 0;
        drop_fast(p);
        say(p, "cannot update the BPF maps: native ESP through raw sockets");
    }
}

/* An interface that goes down leaves an error on its socket, which would be readable for ever. */
static void clear_error(int fd)
{
    int e;
    socklen_t n = sizeof e;
    (void)!getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
}

static int serve(struct esp_port *p, const struct epoll_event *ev, struct io_msg *msgs, size_t n)
{
    enum source source = (enum source)(ev->data.u64 >> 32);
    if (source == SRC_EVENTS && p->links)
        on_events(p);
    else if (source == SRC_FAST && p->fast && (ev->events & EPOLLERR))
        clear_error((int)(uint32_t)ev->data.u64);
    else if (source >= SRC_RAW)
        return sock_recv(&p->raw[source - SRC_RAW], msgs, n);
    return 0;
}

/* Everything but the fast way. */
static int recv_others(struct esp_port *p, struct io_msg *msgs, size_t n)
{
    struct epoll_event ev[FAST_FDS + 1 + RAW_WHOLE];
    int ready = epoll_wait(p->epoll, ev, FAST_FDS + 1 + RAW_WHOLE, 0);
    for (int i = 0; i < ready; i++) {
        int got = serve(p, &ev[i], msgs, n);
        if (got != 0)
            return got;
    }
    return 0;
}

int esp_port_recv(struct esp_port *p, struct io_msg *msgs, size_t n)
{
    int got = 0;
    if (p->fast && ++p->turns < OTHERS_EVERY)
        got = p->ops->recv(p->fast, msgs, n);
    if (got != 0)
        return got;
    p->turns = 0;
    got = recv_others(p, msgs, n);
    return got == 0 && p->fast ? p->ops->recv(p->fast, msgs, n) : got;
}

/* --- sending --- */

static const struct nexthop *hop_for(struct esp_port *p, const struct io_msg *m, uint64_t now)
{
    uint32_t header = m->remote.addr.family == 4 ? 20 : 40;
    const struct nexthop *h =
        p->fast ? links_nexthop(p->links, &m->remote.addr, &m->local.addr, now) : NULL;
    return h && !m->whole && m->len + header <= h->mtu ? h : NULL;
}

static int raw_of(const struct io_msg *m)
{
    return (m->whole ? RAW_WHOLE : RAW_ESP) + (m->remote.addr.family == 6);
}

static int send_raw(struct esp_port *p, const struct io_msg *msgs, size_t n, size_t *failed)
{
    int i = raw_of(&msgs[0]);
    size_t bad = 0;
    if (p->fast)
        p->stats.tx_kernel += n;
    if (!p->has[i]) {
        *failed += n;
        return (int)n;
    }
    int k = sock_send(&p->raw[i], msgs, n, &bad);
    *failed += bad;
    return k;
}

/* Messages at the front of one way, and for one of the raw sockets. */
static size_t run_of(const struct io_msg *msgs, const struct nexthop *const *hops, size_t n)
{
    size_t i = 1;
    while (i < n && !hops[i] == !hops[0] && (hops[0] || raw_of(&msgs[i]) == raw_of(&msgs[0])))
        i++;
    return i;
}

static int send_burst(struct esp_port *p, const struct io_msg *msgs, size_t n, size_t *failed)
{
    const struct nexthop *hops[IO_BURST];
    uint64_t now = p->fast ? clock_now_ms() : 0;
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        hops[i] = hop_for(p, &msgs[i], now);
    while (done < n) {
        size_t run = run_of(msgs + done, hops + done, n - done);
        int k = hops[done] ? p->ops->send(p->fast, links_if(p->links), msgs + done, hops + done,
                                          run, failed)
                           : send_raw(p, msgs + done, run, failed);
        if (k < 0)
            return done ? (int)done : k;
        done += (size_t)k;
        if ((size_t)k < run)
            break;
    }
    return (int)done;
}

int esp_port_send(struct esp_port *p, const struct io_msg *msgs, size_t n, size_t *failed)
{
    size_t done = 0;
    *failed = 0;
    while (done < n) {
        size_t burst = n - done < IO_BURST ? n - done : IO_BURST;
        int k = send_burst(p, msgs + done, burst, failed);
        if (k < 0)
            return done ? (int)done : k;
        done += (size_t)k;
        if ((size_t)k < burst)
            break;
    }
    return (int)done;
}
