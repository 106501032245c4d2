/*
 * Control calls of the data path, each to the worker that it concerns, and figures of all: see
 * datapath.h. From the main thread; a worker's lock is held for one call at a time.
 */
#include "daemon/datapath_impl.h"
#include "io/clock.h"
#include <stdio.h>
#include <stdlib.h>

/* --- steering --- */

/* Prefixes that no SA stands behind lead to worker 0: what the kernel does with what it does not
 * know. */
void datapath_route(void *ctx, const struct addr *prefix, unsigned bits, uint32_t worker, bool gone)
{
    struct datapath *d = ctx;
    struct lan_port *lan = worker_lane(d->worker[0])->lan;
    err_t e = E_OK;
    if (d->steer && gone)
        tun_steer_del(d->steer, prefix, bits);
    else if (d->steer)
        e = tun_steer_set(d->steer, prefix, bits, worker == OWNERS_ALL ? TUN_STEER_SPREAD : worker);
    if (lan && gone)
        lan_port_owner_del(lan, prefix, bits);
    else if (lan && !e)
        e = lan_port_owner(lan, prefix, bits, worker == OWNERS_ALL ? LAN_OWNER_ALL : worker);
    if (e)
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

struct dp_owner datapath_owner(void *ctx, uint32_t policy_id)
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

uint32_t datapath_child_quiet(struct datapath *d, uint32_t child_id)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return 0;
    uint32_t policy = dp_child_quiet(worker_lock(w), child_id);
    worker_unlock(w);
    return policy;
}

uint32_t datapath_child_del(struct datapath *d, uint32_t child_id)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return 0;
    uint32_t policy = dp_child_del(worker_lock(w), child_id);
    worker_unlock(w);
    if (!d->owners)
        return policy;
    struct owners_move m;
    struct change x = {0};
    if (owners_leaving(d->owners, child_id, &m) && m.changed)
        change_begin(d, &x, m.from.worker, m.to.worker, m.from.spread || m.to.spread);
    owners_del(d->owners, child_id, &m);
    policy_moves(d, &m);
    change_end(d, &x);
    return policy;
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

err_t datapath_child_mtu(struct datapath *d, uint32_t child_id, uint16_t mtu)
{
    struct worker *w = worker_of_child(d, child_id);
    if (!w)
        return R_NOT_FOUND;
    err_t e = dp_child_mtu(worker_lock(w), child_id, mtu);
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

/* --- interfaces of children --- */

err_t datapath_iface_add(struct datapath *d, uint16_t id, const char *name, unsigned mtu,
                         int *ifindex, struct io_error *err)
{
    const struct tun_want want = {.gso_max_size = 65536};
    struct worker *w = d->worker[dp_iface_worker(id, d->count)];
    struct tun_offload got;
    struct tun tun;
    err_t e = tun_vnet_open(&tun, name, mtu, &want, &got, err);
    if (e)
        return e;
    *ifindex = tun.ifindex;
    e = worker_iface_add(w, id, &tun);
    if (e) {
        tun_close(&tun);
        snprintf(err->text, sizeof err->text, "cannot serve the interface %s", name);
    }
    return e;
}

void datapath_iface_del(struct datapath *d, uint16_t id)
{
    worker_iface_del(d->worker[dp_iface_worker(id, d->count)], id);
}

uint16_t datapath_iface_mtu(struct datapath *d, uint16_t iface)
{
    struct worker *w = d->worker[dp_iface_worker(iface, d->count)];
    uint16_t mtu = dp_iface_mtu(worker_lock(w), iface);
    worker_unlock(w);
    return mtu;
}

/* SPIs that a peer chose may be the same on two workers; each sees whether it is meant. */
void datapath_too_big(void *ctx, const struct icmp_quote *q)
{
    struct datapath *d = ctx;
    const struct dp_too_big t = {.local = q->local,
                                 .remote = q->remote,
                                 .spi = q->spi,
                                 .seq = q->seq,
                                 .mtu = q->mtu,
                                 .udp = q->udp,
                                 .ah = q->ah,
                                 .weak = q->weak};
    for (uint32_t i = 0; i < d->count; i++) {
        (void)dp_path_too_big(worker_lock(d->worker[i]), &t, clock_now_ms());
        worker_unlock(d->worker[i]);
    }
}

size_t datapath_list_links(void *ctx, struct dp_child_link **out)
{
    struct datapath *d = ctx;
    struct datapath_stats st;
    datapath_stats(d, &st);
    size_t n = 0, max = st.dp.sas;
    *out = calloc(max + 1, sizeof **out);
    for (uint32_t i = 0; *out && i < d->count; i++) {
        n += dp_child_links(worker_lock(d->worker[i]), *out + n, max - n);
        worker_unlock(d->worker[i]);
    }
    return n;
}

/* The SA may have gone meanwhile. */
void datapath_link_mtu(void *ctx, uint32_t child_id, uint16_t mtu)
{
    struct datapath *d = ctx;
    if (datapath_child_mtu(d, child_id, mtu) == E_OK)
        uv_async_send(&d->bell); /* it has a note */
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
    out->rx_dropped = own.rx_dropped;
    out->handed = own.handed;
    out->taken = own.taken;
    out->cpu = own.cpu;
}

static void add_dp(struct dp_stats *sum, const struct dp_stats *x)
{
    sum->packets_in += x->packets_in;
    sum->packets_out += x->packets_out;
    sum->packets_bypassed += x->packets_bypassed;
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
        out->rx_dropped += one.rx_dropped;
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
