/* The workers and the main thread's sockets on the loop: see datapath.h. */
#include "daemon/datapath_impl.h"
#include "io/clock.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BURSTS_PER_TURN = 8, /* of one socket, so that other control work is never starved */
    BOX_BYTES = 1 << 20,
    NOTES = 64, /* fetched at once */
};

/* --- from the workers, in their threads --- */

static void ring(void *ctx)
{
    struct datapath *d = ctx;
    uv_async_send(&d->bell);
}

static bool worker_met_ike(void *ctx, const struct letter *l)
{
    struct datapath *d = ctx;
    bool first;
    if (!mailbox_put(&d->box, l, &first))
        return false;
    if (first)
        ring(d);
    return true;
}

static bool worker_met_other(void *ctx, uint32_t owner, const struct letter *l)
{
    struct datapath *d = ctx;
    return owner < d->count && worker_post(d->worker[owner], l);
}

static void worker_fence(void *ctx, uint32_t worker)
{
    struct datapath *d = ctx;
    worker_resume(d->worker[worker]);
}

/* --- the main thread's sockets --- */

static void on_ike(void *ctx, const struct endpoint *local, const struct endpoint *remote,
                   bool natt, struct bytes msg)
{
    struct datapath *d = ctx;
    d->port.ike(d->port.ctx, local, remote, natt, msg);
}

static size_t on_first(void *ctx, const struct ike_in *in, uint8_t *answer)
{
    struct datapath *d = ctx;
    return d->port.first(d->port.ctx, in, answer);
}

/* Also what is too short for an SPI: worker 0 counts it. */
static void on_esp(void *ctx, const struct io_msg *m)
{
    struct datapath *d = ctx;
    const struct letter l = {.kind = LETTER_IN,
                             .hops = 1,
                             .pkt = {.data = m->data,
                                     .len = m->len,
                                     .local = m->local,
                                     .remote = m->remote,
                                     .tos = m->tos,
                                     .udp = true}};
    uint32_t owner = m->len >= 4 ? dp_spi_worker(get_u32(m->data), d->count) : 0;
    if (worker_post(d->worker[owner], &l))
        d->handed++;
    else
        d->handover_drops++;
}

static void on_sock(uv_poll_t *poll, int status, int events)
{
    struct sock_poll *s = poll->data;
    (void)status; /* an error is read, and thereby cleared, by receiving */
    (void)events;
    for (int i = 0; i < BURSTS_PER_TURN; i++)
        if (!ike_port_receive(&s->d->ike, s->at, clock_now_ms()))
            break;
}

/* --- what workers have for the main thread --- */

static void take_letters(struct datapath *d)
{
    struct letter l;
    while (mailbox_turn(&d->box))
        while (mailbox_next(&d->box, &l))
            d->port.ike(d->port.ctx, &l.pkt.local, &l.pkt.remote, true,
                        bytes_of(l.pkt.data, l.pkt.len));
}

static size_t fetch_notes(struct worker *w, struct dp_note *out)
{
    size_t n = 0;
    struct dp *dp = worker_lock(w);
    while (n < NOTES && dp_note_next(dp, &out[n]))
        n++;
    worker_unlock(w);
    return n;
}

/* The lock is let go before anybody hears of it: control calls follow from notes. */
static void take_notes(struct datapath *d, struct worker *w)
{
    struct dp_note notes[NOTES];
    size_t n;
    do {
        n = fetch_notes(w, notes);
        for (size_t i = 0; i < n; i++)
            d->port.note(d->port.ctx, &notes[i]);
    } while (n == NOTES);
}

static void take_news(struct datapath *d, struct worker *w)
{
    char text[sizeof d->text] = "";
    bool lost;
    worker_lock(w);
    const char *news = worker_news(w, &lost);
    if (news)
        snprintf(text, sizeof text, "%s", news);
    worker_unlock(w);
    if (lost && !d->lost) {
        d->lost = true;
        d->port.lost(d->port.ctx, "the TUN device is gone");
    } else if (*text && !lost) {
        d->port.say(d->port.ctx, text);
    }
}

static void on_bell(uv_async_t *a)
{
    struct datapath *d = a->data;
    take_letters(d);
    for (uint32_t i = 0; i < d->count; i++) {
        take_news(d, d->worker[i]);
        take_notes(d, d->worker[i]);
    }
}

/* --- LAN interfaces: the first worker's, who shares its tables with the others --- */

static struct lan_port *lan_of(const struct datapath *d)
{
    return worker_lane(d->worker[0])->lan;
}

static err_t on_take(void *ctx, const struct addr *prefix, unsigned bits,
                     const struct lan_sources *from)
{
    return lan_port_prefix(lan_of(ctx), prefix, bits, from);
}

static void on_leave(void *ctx, const struct addr *prefix, unsigned bits)
{
    lan_port_prefix_del(lan_of(ctx), prefix, bits);
}

static void on_clear(void *ctx)
{
    lan_port_prefix_clear(lan_of(ctx));
}

struct lan_follower datapath_follower(struct datapath *d)
{
    return (struct lan_follower){lan_of(d) ? d : NULL, on_take, on_leave, on_clear};
}

err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive)
{
    return ike_port_send(&d->ike, local, remote, natt, data, keepalive);
}

/* --- opening --- */

/* A single worker on a machine of several CPUs is left to the scheduler, and so are more workers
 * than CPUs. */
static int cpu_for(uint32_t worker, uint32_t workers, const cpu_set_t *may)
{
    uint32_t cpus = (uint32_t)CPU_COUNT(may);
    if (workers > cpus || (workers == 1 && cpus > 1))
        return -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, may) && worker-- == 0)
            return cpu;
    return -1;
}

static err_t start_worker(struct datapath *d, const struct datapath_settings *s, uint32_t at,
                          const cpu_set_t *may, struct io_error *err)
{
    const struct lane *first = at ? worker_lane(d->worker[0]) : NULL;
    struct lane_settings lane = {.tun = s->tun,
                                 .tun_mtu = s->tun_mtu,
                                 .port_natt = s->port_natt,
                                 .mark = s->mark,
                                 .esp_io = s->esp_io,
                                 .esp_interface = s->esp_interface,
                                 .lan = s->lan,
                                 .beside = first,
                                 .dp = s->dp};
    lane.esp_send_only = first && esp_port_io(first->esp) != ESP_IO_RAW;
    lane.natt[0] = d->ike.open[IS_NATT4] ? &d->ike.sock[IS_NATT4] : NULL;
    lane.natt[1] = d->ike.open[IS_NATT6] ? &d->ike.sock[IS_NATT6] : NULL;
    lane.dp.workers = d->count;
    lane.dp.self = at;
    lane.dp.owner = datapath_owner;
    lane.dp.owner_ctx = d;
    const struct worker_settings w = {
        .index = at,
        .cpu = cpu_for(at, d->count, may),
        .busy_poll_us = s->busy_poll_us,
        .lane = &lane,
        .port = {d, ring, worker_met_ike, worker_met_other, worker_fence}};
    d->worker[at] = worker_start(&w, err);
    return d->worker[at] ? E_OK : E_SYS;
}

static void add_text(struct datapath *d, const char *fmt, const char *what)
{
    size_t n = strlen(d->text);
    snprintf(d->text + n, sizeof d->text - n, fmt, what);
}

/* IKE to us, ESP to the workers: without it all of them share by peer, and hand over. */
static void steer_socks(struct datapath *d)
{
    struct io_error err;
    for (int at = IS_NATT4; at <= IS_NATT6; at++)
        if (d->ike.open[at] &&
            sock_steer(&d->ike.sock[at], dp_tag_bits(d->count), d->count, &err)) {
            add_text(d, "; %s: packets are handed over between workers, which is slower", err.text);
            return;
        }
}

static void steer_tun(struct datapath *d)
{
    struct io_error err;
    if (d->count == 1)
        return;
    d->steer = tun_steer_open(&worker_lane(d->worker[0])->tun, &err);
    if (!d->steer)
        add_text(d, "; %s: packets are handed over between workers, which is slower", err.text);
}

static uint32_t count_for(const struct datapath_settings *s, const cpu_set_t *may)
{
    uint32_t n = s->workers ? s->workers : (uint32_t)CPU_COUNT(may);
    return n < 1 ? 1 : n > DP_WORKERS_MAX ? DP_WORKERS_MAX : n;
}

static err_t start_workers(struct datapath *d, const struct datapath_settings *s,
                           struct io_error *err)
{
    cpu_set_t may;
    CPU_ZERO(&may);
    (void)!sched_getaffinity(0, sizeof may, &may);
    uint32_t want = d->count = count_for(s, &may);
    char text[64];
    for (uint32_t i = 0; i < want; i++) {
        err_t e = start_worker(d, s, i, &may, err);
        if (e) {
            d->count = i;
            return e;
        }
    }
    snprintf(text, sizeof text, "%u worker%s; ", want, want == 1 ? "" : "s");
    add_text(d, "%s", text);
    add_text(d, "%s", worker_lane(d->worker[0])->offloads);
    return E_OK;
}

static err_t share_ports(struct datapath *d, struct io_error *err)
{
    err_t e = E_OK;
    for (int at = IS_NATT4; at <= IS_NATT6 && !e; at++)
        if (d->ike.open[at])
            e = sock_share(&d->ike.sock[at], err);
    return e;
}

static err_t open_owners(struct datapath *d, const struct datapath_settings *s)
{
    const struct owners_sink sink = {d, datapath_route};
    if (d->count == 1)
        return E_OK;
    d->owners = owners_new(d->count, s->dp.seed, &sink);
    return d->owners ? E_OK : E_NOMEM;
}

static err_t open_all(struct datapath *d, const struct datapath_settings *s, struct io_error *err)
{
    const struct ike_port_settings ike = {s->port, s->port_natt, s->mark};
    const struct ike_port_sinks sinks = {d, on_first, on_ike, on_esp};
    err_t e = mailbox_init(&d->box, BOX_BYTES);
    if (!e)
        e = ike_port_open(&d->ike, &ike, &sinks, err);
    if (!e)
        e = share_ports(d, err);
    if (!e)
        e = start_workers(d, s, err);
    if (e)
        return e;
    e = open_owners(d, s);
    if (e)
        return e;
    steer_socks(d);
    steer_tun(d);
    for (uint32_t i = 0; i < d->count; i++)
        worker_go(d->worker[i]);
    return E_OK;
}

static void poll_all(struct datapath *d)
{
    for (int at = 0; at < IS_COUNT; at++) {
        struct sock_poll *s = &d->poll[at];
        if (!d->ike.open[at])
            continue;
        *s = (struct sock_poll){.d = d, .at = (enum ike_sock)at};
        s->poll.data = s;
        uv_poll_init(d->loop, &s->poll, d->ike.sock[at].fd);
        uv_poll_start(&s->poll, UV_READABLE, on_sock);
    }
}

static void open_icmp(struct datapath *d)
{
    const struct path_icmp_sink sink = {d, datapath_too_big};
    struct io_error err;
    d->icmp = path_icmp_open(d->loop, &sink, &err);
    if (!d->icmp)
        d->port.say(d->port.ctx, err.text);
}

static void open_links(struct datapath *d, const struct datapath_settings *s)
{
    const struct path_link_sink sink = {d, datapath_list_links, datapath_link_mtu};
    struct io_error err = {"out of memory"};
    d->links = path_link_open(d->loop, s->route_table, s->mark, &sink, &err);
    if (!d->links)
        d->port.say(d->port.ctx, err.text);
}

struct datapath *datapath_open(uv_loop_t *loop, const struct datapath_settings *s,
                               const struct datapath_ports *ports, struct io_error *err)
{
    struct datapath *d = calloc(1, sizeof *d);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!d)
        return NULL;
    d->port = *ports;
    d->loop = loop;
    d->bell.data = d;
    if (uv_async_init(loop, &d->bell, on_bell)) {
        free(d);
        return NULL;
    }
    if (open_all(d, s, err)) {
        datapath_close(d);
        uv_run(loop, UV_RUN_NOWAIT); /* lets go of the handle */
        datapath_free(d);
        return NULL;
    }
    poll_all(d);
    open_icmp(d);
    open_links(d, s);
    return d;
}

static void close_handle(uv_handle_t *h)
{
    if (h->loop && !uv_is_closing(h))
        uv_close(h, NULL);
}

void datapath_close(struct datapath *d)
{
    for (uint32_t i = 0; i < d->count; i++)
        worker_stop(d->worker[i]);
    for (size_t i = 0; i < IS_COUNT; i++)
        close_handle((uv_handle_t *)&d->poll[i].poll);
    close_handle((uv_handle_t *)&d->bell);
    path_icmp_close(d->icmp);
    path_link_close(d->links);
}

void datapath_free(struct datapath *d)
{
    if (!d)
        return;
    tun_steer_close(d->steer);
    d->steer = NULL;
    owners_free(d->owners);
    for (uint32_t i = d->count; i-- > 0;)
        worker_free(d->worker[i]);
    ike_port_close(&d->ike);
    path_icmp_free(d->icmp);
    path_link_free(d->links);
    mailbox_fini(&d->box);
    free(d);
}
