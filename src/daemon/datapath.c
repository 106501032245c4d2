/* The workers and the main thread's sockets on the loop: see datapath.h. */
#include "daemon/datapath.h"
#include "daemon/ike_port.h"
#include "daemon/owners.h"
#include "daemon/worker.h"
#include "io/clock.h"
#include "io/tun_steer.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BURSTS_PER_TURN = 8, /* of one socket, so that other control work is never starved */
    BOX_BYTES = 1 << 20,
    NOTES = 64, /* fetched at once */
};

struct sock_poll {
    uv_poll_t poll;
    struct datapath *d;
    enum ike_sock at;
};

struct datapath {
    uv_loop_t *loop;
    uv_async_t bell; /* workers have something for us */
    struct sock_poll poll[IS_COUNT];
    struct datapath_ports port;
    struct ike_port ike;
    struct mailbox box;      /* IKE messages that workers met */
    struct owners *owners;   /* NULL with one worker */
    struct tun_steer *steer; /* NULL: with one worker, or the kernel cannot */
    struct worker *worker[DP_WORKERS_MAX];
    uint32_t count;
    bool lost, ambiguous_told;
    uint64_t handed, handover_drops; /* by the main thread */
    char text[1024];
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

/* --- steering --- */

/* Prefixes that no SA stands behind lead to worker 0: what the kernel does with what it does not
 * know. */
static void route(void *ctx, const struct addr *prefix, unsigned bits, uint32_t worker, bool gone)
{
    struct datapath *d = ctx;
    if (!d->steer)
        return;
    if (gone)
        tun_steer_del(d->steer, prefix, bits);
    else if (tun_steer_set(d->steer, prefix, bits,
                           worker == OWNERS_ALL ? TUN_STEER_SPREAD : worker))
        d->port.say(d->port.ctx, "the table that leads packets to workers is full: some are handed "
                                 "over between workers, which is slower");
}

static void tell_ambiguous(struct datapath *d)
{
    if (d->ambiguous_told || !owners_ambiguous(d->owners))
        return;
    d->ambiguous_told = true;
    d->port.say(d->port.ctx, "SAs of several workers have the same remote addresses: packets of "
                             "some are handed over between workers, which is slower");
}

/* --- control calls --- */

static struct worker *worker_of_child(const struct datapath *d, uint32_t child_id)
{
    uint32_t at = 0;
    if (d->owners && !owners_child(d->owners, child_id, &at))
        return NULL;
    return d->worker[at];
}

static struct dp_owner owner_of(void *ctx, uint32_t policy_id)
{
    const struct datapath *d = ctx;
    return d->owners ? owners_policy(d->owners, policy_id) : (struct dp_owner){0};
}

uint32_t datapath_spi_alloc(struct datapath *d, const struct owners_use *use)
{
    uint32_t at = d->owners ? owners_place(d->owners, use) : 0;
    uint32_t spi = dp_spi_alloc(worker_lock(d->worker[at]));
    worker_unlock(d->worker[at]);
    return spi;
}

void datapath_spi_free(struct datapath *d, uint32_t spi)
{
    struct worker *w = d->worker[dp_spi_worker(spi, d->count)];
    dp_spi_free(worker_lock(w), spi);
    worker_unlock(w);
}

static err_t add_at(struct datapath *d, const struct child_sa *sa, uint32_t at)
{
    err_t e = dp_child_add(worker_lock(d->worker[at]), sa, clock_now_ms());
    worker_unlock(d->worker[at]);
    return e;
}

/* The new owner first: what others send after the policy finds it there. */
static void policy_moves(struct datapath *d, const struct owners_move *m)
{
    for (uint32_t i = 0; m->changed && i < d->count; i++) {
        uint32_t at = (m->to.worker + i) % d->count;
        dp_policy_moved(worker_lock(d->worker[at]), m->policy, m->to);
        worker_unlock(d->worker[at]);
    }
}

/* Without SA only what is held or on its way could be overtaken. */
static bool has_packets(struct datapath *d, uint32_t policy, uint32_t at)
{
    struct worker *w = d->worker[at];
    bool has = dp_policy_held(worker_lock(w), policy) || worker_is_busy(w);
    worker_unlock(w);
    return has;
}

/*
 * Packets of a policy go another way from now on; those before go before. Who reads them next waits
 * for who has read them, or has them in its box, until now: the policy's owner.
 */
struct change {
    uint32_t from;
    bool paused[DP_WORKERS_MAX];
};

static void change_begin(struct datapath *d, struct change *x, uint32_t from, uint32_t to, bool all)
{
    *x = (struct change){.from = from};
    for (uint32_t i = 0; i < d->count; i++)
        if (i != from && (all || i == to))
            x->paused[i] = worker_pause(d->worker[i], d->worker[from]);
}

static void change_end(struct datapath *d, const struct change *x)
{
    for (uint32_t i = 0; i < d->count; i++)
        if (x->paused[i])
            worker_flush(d->worker[x->from], i);
}

static err_t add_and_move(struct datapath *d, const struct child_sa *sa, uint32_t at)
{
    uint32_t from = owners_policy(d->owners, sa->policy).worker;
    struct owners_move m;
    struct change x = {0};
    if (owners_has_sas(d->owners, sa->policy) || has_packets(d, sa->policy, from))
        change_begin(d, &x, from, at, sa->per_cpu && !sa->cpu);
    err_t e = owners_add(d->owners, sa, at, &m);
    if (!e) {
        e = add_at(d, sa, at);
        if (e)
            owners_del(d->owners, sa->id, &m);
        else
            policy_moves(d, &m);
    }
    change_end(d, &x);
    return e;
}

err_t datapath_child_add(struct datapath *d, const struct child_sa *sa)
{
    uint32_t at = dp_spi_worker(sa->spi_in, d->count);
    if (!d->owners)
        return add_at(d, sa, at);
    err_t e = add_and_move(d, sa, at);
    tell_ambiguous(d);
    return e;
}

err_t datapath_child_dir(struct datapath *d, uint32_t child_id, enum child_dir dir)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return R_NOT_FOUND;
    err_t e = dp_child_dir(worker_lock(w), child_id, dir);
    worker_unlock(w);
    return e;
}

void datapath_child_quiet(struct datapath *d, uint32_t child_id)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return;
    dp_child_quiet(worker_lock(w), child_id);
    worker_unlock(w);
}

void datapath_child_del(struct datapath *d, uint32_t child_id)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return;
    dp_child_del(worker_lock(w), child_id);
    worker_unlock(w);
    if (!d->owners)
        return;
    struct owners_move m;
    struct change x = {0};
    if (owners_leaving(d->owners, child_id, &m) && m.changed)
        change_begin(d, &x, m.from.worker, m.to.worker, m.from.spread || m.to.spread);
    owners_del(d->owners, child_id, &m);
    policy_moves(d, &m);
    change_end(d, &x);
}

err_t datapath_child_move(struct datapath *d, uint32_t child_id, const struct endpoint *local,
                          const struct endpoint *remote)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return R_NOT_FOUND;
    err_t e = dp_child_move(worker_lock(w), child_id, local, remote);
    worker_unlock(w);
    return e;
}

bool datapath_child_stats(struct datapath *d, uint32_t child_id, struct child_stats *out)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return false;
    bool found = dp_child_stats(worker_lock(w), child_id, out);
    worker_unlock(w);
    return found;
}

err_t datapath_each(struct datapath *d, err_t (*fn)(void *arg, struct dp *dp), void *arg)
{
    err_t e = E_OK;
    for (uint32_t i = 0; i < d->count && !e; i++) {
        e = fn(arg, worker_lock(d->worker[i]));
        worker_unlock(d->worker[i]);
    }
    return e;
}

void datapath_hold_drop(struct datapath *d, uint32_t policy_id)
{
    for (uint32_t i = 0; i < d->count; i++) {
        dp_hold_drop(worker_lock(d->worker[i]), policy_id);
        worker_unlock(d->worker[i]);
    }
}

/* --- LAN interfaces: the first worker's, who shares its tables with the others --- */

static struct lan_port *lan_of(const struct datapath *d)
{
    return worker_lane(d->worker[0])->lan;
}

static err_t on_routes(void *ctx, const struct netlink_route *r, size_t n)
{
    struct lan_port *lan = lan_of(ctx);
    err_t e = E_OK;
    for (size_t i = 0; i < n && !e; i++) {
        bool take = r[i].ifindex != 0; /* a throw route is a hole */
        if (r[i].gone)
            lan_port_prefix_del(lan, &r[i].prefix, r[i].bits, take);
        else
            e = lan_port_prefix(lan, &r[i].prefix, r[i].bits, take);
    }
    return e;
}

static void on_routes_flush(void *ctx)
{
    lan_port_prefix_clear(lan_of(ctx));
}

struct routes_follower datapath_follower(struct datapath *d)
{
    return (struct routes_follower){lan_of(d) ? d : NULL, on_routes, on_routes_flush};
}

err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive)
{
    return ike_port_send(&d->ike, local, remote, natt, data, keepalive);
}

/* --- figures --- */

void datapath_worker_stats(struct datapath *d, uint32_t worker, struct datapath_stats *out)
{
    struct worker *w = d->worker[worker];
    struct worker_stats own;
    *out = (struct datapath_stats){0};
    dp_stats_get(worker_lock(w), &out->dp);
    worker_stats(w, &own);
    worker_unlock(w);
    out->tx_failed = own.tx_failed;
    out->handed = own.handed;
    out->taken = own.taken;
    out->cpu = own.cpu;
}

static void add_dp(struct dp_stats *sum, const struct dp_stats *x)
{
    sum->packets_in += x->packets_in;
    sum->packets_out += x->packets_out;
    sum->bytes_in += x->bytes_in;
    sum->bytes_out += x->bytes_out;
    sum->sas += x->sas;
    sum->held += x->held;
    for (size_t i = 0; i < R_COUNT; i++)
        sum->drops[i] += x->drops[i];
}

void datapath_stats(struct datapath *d, struct datapath_stats *out)
{
    struct datapath_stats one;
    *out = (struct datapath_stats){.tx_failed = d->ike.tx_failed, .handed = d->handed, .cpu = -1};
    out->dp.drops[R_DP_HANDOVER] = d->handover_drops;
    for (uint32_t i = 0; i < d->count; i++) {
        datapath_worker_stats(d, i, &one);
        add_dp(&out->dp, &one.dp);
        out->tx_failed += one.tx_failed;
        out->handed += one.handed;
        out->taken += one.taken;
    }
}

uint32_t datapath_workers(const struct datapath *d)
{
    return d->count;
}

int datapath_ifindex(const struct datapath *d)
{
    return worker_lane(d->worker[0])->tun.ifindex;
}

const char *datapath_offloads(const struct datapath *d)
{
    return d->text;
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
    lane.dp.owner = owner_of;
    lane.dp.owner_ctx = d;
    const struct worker_settings w = {
        .index = at,
        .cpu = cpu_for(at, d->count, may),
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
    const struct owners_sink sink = {d, route};
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
    mailbox_fini(&d->box);
    free(d);
}
