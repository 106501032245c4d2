/* The wiring between engine, data plane, policies and sinks: see core.h. */
#include "daemon/core.h"
#include "crypto/crypto.h"
#include "io/clock.h"
#include <stdio.h>
#include <stdlib.h>

void core_say(struct core *c, enum event_kind kind, const char *conn, const char *text)
{
    sinks_event(c->sinks, &(struct event){.kind = kind, .conn = conn, .text = text});
}

/* --- what the engine asks --- */

static void env_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    cr_random(p, n);
}

static uint32_t env_spi(void *ctx, const struct ike_spi_use *use)
{
    struct core *c = ctx;
    const struct conn *conn = ike_conn_get(runner_engine(c->runner), use->conn);
    const struct conn_child *ch = conn ? conn_child_find(conn, use->child) : NULL;
    const struct owners_use place = {.iface = ch ? ch->iface_id : 0,
                                     .policy = policies_id_of(c->pol, use->conn, use->child),
                                     .replaces = use->replaces,
                                     .beside = use->beside,
                                     .cpu = use->cpu,
                                     .ours = use->ours,
                                     .remote = use->remote};
    return datapath_spi_alloc(c->path, &place);
}

static bool env_stats(void *ctx, uint32_t child_id, struct child_stats *out)
{
    struct core *c = ctx;
    return datapath_child_stats(c->path, child_id, out);
}

static bool env_source(void *ctx, const struct addr *remote, struct addr *out)
{
    struct core *c = ctx;
    return netlink_source_addr(c->nl, remote, c->set.fwmark, out);
}

static bool env_resolve(void *ctx, const char *host, uint8_t family, struct addr *out)
{
    struct core *c = ctx;
    return names_get(c->names, host, family, out);
}

static bool env_hears(void *ctx, enum event_kind kind)
{
    struct core *c = ctx;
    return sinks_hear(c->sinks, kind);
}

/* --- what the engine wants done --- */

static void apply(struct core *c)
{
    struct io_error err;
    if (policies_apply(c->pol, &err))
        core_say(c, EV_DAEMON_ERROR, NULL, err.text);
}

static void do_send(void *ctx, const struct ike_act *a)
{
    struct core *c = ctx;
    static const uint8_t keepalive = 0xff; /* RFC 3948 2.3 */
    bool ka = a->kind == ACT_KEEPALIVE;
    struct bytes data = ka ? bytes_of(&keepalive, 1) : a->data;
    err_t e = datapath_send(c->path, &a->local, &a->remote, a->natt || ka, data, ka);
    if (e)
        sinks_event(c->sinks, &(struct event){.kind = EV_MSG_DROPPED,
                                              .reason = e,
                                              .local = a->local,
                                              .remote = a->remote,
                                              .text = "on sending"});
}

/* Route-based: routing daemons compare the MTU of an interface, and the kernel makes use of it. */
static void iface_follow(struct core *c, uint16_t iface)
{
    if (iface)
        ifaces_follow(c->ifaces, iface, datapath_iface_mtu(c->path, iface));
}

err_t core_child_add(struct core *c, const struct child_sa *given, const struct conn_child *ch)
{
    struct child_sa sa = *given;
    sa.iface = ch ? ch->iface_id : 0;
    sa.path_mtu = netlink_path_mtu(c->nl, &sa.remote.addr, c->set.fwmark);
    sa.policy = policies_sa_add(c->pol, &sa, ch);
    apply(c); /* first: the answer to what comes through the SA must not leave in clear */
    err_t e = sa.policy ? datapath_child_add(c->path, &sa) : E_NOMEM;
    if (e)
        policies_sa_del(c->pol, sa.policy);
    else
        keylog_add(c->keylog, &sa);
    if (!e)
        ifaces_sas(c->ifaces, sa.iface, 1);
    iface_follow(c, sa.iface);
    return e;
}

static err_t child_move(struct core *c, uint32_t child_id, const struct endpoint *local,
                        const struct endpoint *remote)
{
    err_t e = datapath_child_move(c->path, child_id, local, remote);
    uint16_t mtu = netlink_path_mtu(c->nl, &remote->addr, c->set.fwmark);
    return e ? e : datapath_child_mtu(c->path, child_id, mtu);
}

void core_child_del(struct core *c, uint32_t child_id)
{
    struct policy_row row;
    uint32_t policy = datapath_child_del(c->path, child_id);
    if (policies_get(c->pol, policy, &row))
        ifaces_sas(c->ifaces, row.iface, -1);
    policies_sa_del(c->pol, policy);
    keylog_del(c->keylog, child_id);
}

static bool child_add(struct core *c, const struct child_sa *sa)
{
    const struct conn *conn = ike_conn_get(runner_engine(c->runner), sa->conn);
    err_t e = core_child_add(c, sa, conn ? conn_child_find(conn, sa->child) : NULL);
    if (e)
        sinks_event(c->sinks, &(struct event){.kind = EV_CHILD_FAILED,
                                              .reason = e,
                                              .conn = sa->conn,
                                              .child = sa->child,
                                              .child_id = sa->id,
                                              .text = "in the data plane"});
    return !e;
}

static bool child_dir(struct core *c, const struct child_sa *sa)
{
    struct child_stats st;
    err_t e = datapath_child_dir(c->path, sa->id, (enum child_dir)sa->dirs);
    if (!e && datapath_child_stats(c->path, sa->id, &st))
        iface_follow(c, st.iface);
    return !e;
}

static void acquire_failed(struct core *c, const struct ike_act *a)
{
    uint32_t id = policies_id_of(c->pol, a->event.conn, a->event.child);
    if (id)
        datapath_hold_drop(c->path, id);
}

static void vip_add(struct core *c, const struct addr *a)
{
    struct io_error err;
    if (vips_add(c->vips, a, &err))
        core_say(c, EV_DAEMON_ERROR, NULL, err.text);
}

static bool do_child(void *ctx, const struct ike_act *a)
{
    struct core *c = ctx;
    struct datapath *path = c->path;
    switch (a->kind) {
    case ACT_VIP_ADD:
        vip_add(c, &a->local.addr);
        return true;
    case ACT_VIP_DEL:
        vips_del(c->vips, &a->local.addr);
        return true;
    case ACT_CHILD_ADD:
        return child_add(c, a->sa);
    case ACT_CHILD_DIR:
        return child_dir(c, a->sa);
    case ACT_CHILD_QUIET:
        policies_sa_del(c->pol, datapath_child_quiet(path, a->sa->id));
        return true;
    case ACT_CHILD_DEL:
        core_child_del(c, a->sa->id);
        return true;
    case ACT_CHILD_MOVE:
        return !child_move(c, a->sa->id, &a->sa->local, &a->sa->remote);
    case ACT_SPI_FREE:
        datapath_spi_free(path, a->spi);
        return true;
    default:
        acquire_failed(c, a);
        return true;
    }
}

static void do_event(void *ctx, const struct event *ev)
{
    struct core *c = ctx;
    sinks_event(c->sinks, ev);
    updown_event(c, ev);
}

void core_settle(struct core *c)
{
    apply(c);
}

/* What the operator is told to be up or down is so for the next packet. */
static void do_cmd_done(void *ctx, uint32_t cmd, err_t reason, const struct event *ev)
{
    struct core *c = ctx;
    apply(c);
    control_cmd_done(c, cmd, reason, ev);
}

static void on_turn(uv_prepare_t *h)
{
    uv_prepare_stop(h);
    core_settle(h->data);
}

/* Before the loop waits again: what went in one turn goes in one transaction. */
static void do_settled(void *ctx)
{
    struct core *c = ctx;
    if (policies_dirty(c->pol) && !uv_is_closing((uv_handle_t *)&c->turn))
        uv_prepare_start(&c->turn, on_turn);
}

/* --- what the data plane tells --- */

static void on_ike(void *ctx, const struct endpoint *local, const struct endpoint *remote,
                   bool natt, struct bytes msg)
{
    struct core *c = ctx;
    runner_feed(
        c->runner,
        &(struct ike_in){
            .kind = IN_PACKET, .local = *local, .remote = *remote, .natt = natt, .data = msg});
}

static size_t on_first(void *ctx, const struct ike_in *in, uint8_t *answer)
{
    struct core *c = ctx;
    return ike_cookie_reply(runner_engine(c->runner), in, answer);
}

static void on_acquire(struct core *c, const struct dp_note *n)
{
    struct policy_row row;
    bool known = policies_get(c->pol, n->policy_id, &row) && !c->stopping;
    if (!known || (!row.acquire && !n->cpu)) { /* a further SA is no new tunnel: RFC 9611 */
        if (!n->cpu)
            datapath_hold_drop(c->path, n->policy_id);
        return;
    }
    runner_feed(c->runner, &(struct ike_in){.kind = IN_ACQUIRE,
                                            .conn = row.conn,
                                            .child = row.child,
                                            .cpu = n->cpu,
                                            .flow_local = n->flow_local,
                                            .flow_remote = n->flow_remote});
}

/* Nobody rekeys what came by hand; where it sends to changes as with the others. */
static void on_manual(struct core *c, const struct dp_note *n)
{
    if (n->kind == NOTE_HARD || n->kind == NOTE_SOFT)
        manual_expired(c->manual, n->child_id, n->kind == NOTE_HARD);
    else if (n->kind == NOTE_MOVED && child_move(c, n->child_id, &n->local, &n->remote))
        core_say(c, EV_DAEMON_ERROR, NULL, "an SA by hand did not follow its peer");
    core_settle(c);
}

/* One line each time: what a path carries changes seldom, and explains a lot. */
static void on_path_mtu(struct core *c, const struct dp_note *n)
{
    static const char *const how[] = {[DP_PATH_PROBED] = "found by probes inside of the SA",
                                      [DP_PATH_ICMP] = "by an ICMP error about its packets",
                                      [DP_PATH_INFERRED] = "TCP inside fell into a black hole",
                                      [DP_PATH_AGED] = "not believed to be smaller any more",
                                      [DP_PATH_LINK] = "for the outgoing link"};
    char text[96];
    struct policy_row row;
    bool known = policies_get(c->pol, n->policy_id, &row);
    if (n->path_source == DP_PATH_LINK)
        iface_follow(c, n->iface);
    snprintf(text, sizeof text, "%u bytes, %s", n->path_mtu, how[n->path_source]);
    sinks_event(c->sinks, &(struct event){.kind = EV_PATH_MTU,
                                          .conn = known ? row.conn : NULL,
                                          .child = known ? row.child : NULL,
                                          .child_id = n->child_id,
                                          .local = n->local,
                                          .remote = n->remote,
                                          .number = n->path_mtu,
                                          .text = text});
}

/* RFC 4303 4: "the SPI value, date/time received, Source Address, Destination Address, the Sequence
 * Number", where there are any. */
static void on_drop(struct core *c, const struct dp_note *n)
{
    struct policy_row row;
    struct buf text = {0};
    bool known = policies_get(c->pol, n->policy_id, &row);
    if (n->count > 1)
        buf_printf(&text, "%u packets, the last ", n->count);
    else
        buf_puts(&text, "a packet ");
    if (n->flow_local.lo.family) {
        buf_puts(&text, "from ");
        ts_print(&n->flow_local, &text);
        buf_puts(&text, " to ");
        ts_print(&n->flow_remote, &text);
    } else if (n->spi) {
        buf_printf(&text, "with sequence number %u", n->seq);
    }
    sinks_event(c->sinks, &(struct event){.kind = EV_DP_DROPS,
                                          .conn = known ? row.conn : NULL,
                                          .child = known ? row.child : NULL,
                                          .reason = n->reason,
                                          .child_id = n->child_id,
                                          .spi_in = n->spi,
                                          .local = n->local,
                                          .remote = n->remote,
                                          .number = n->count,
                                          .text = buf_str(&text)});
    buf_free(&text);
}

static void on_note(void *ctx, const struct dp_note *n)
{
    struct core *c = ctx;
    bool any = n->kind == NOTE_ACQUIRE || n->kind == NOTE_PATH_MTU || n->kind == NOTE_DROP;
    if (!any && n->child_id >= MANUAL_ID_FIRST) {
        on_manual(c, n);
        return;
    }
    switch (n->kind) {
    case NOTE_ACQUIRE:
        on_acquire(c, n);
        break;
    case NOTE_SOFT:
    case NOTE_HARD:
        runner_feed(c->runner, &(struct ike_in){.kind = IN_EXPIRE,
                                                .child_id = n->child_id,
                                                .hard = n->kind == NOTE_HARD});
        break;
    case NOTE_MOVED:
        runner_feed(c->runner, &(struct ike_in){.kind = IN_PATH_CHANGE,
                                                .child_id = n->child_id,
                                                .local = n->local,
                                                .remote = n->remote});
        break;
    case NOTE_PATH_MTU:
        on_path_mtu(c, n);
        break;
    case NOTE_DROP:
        on_drop(c, n);
        break;
    case NOTE_FIRST_IN:
        runner_feed(c->runner, &(struct ike_in){.kind = IN_FIRST_IN, .child_id = n->child_id});
        break;
    }
}

static void on_say(void *ctx, const char *text)
{
    core_say(ctx, EV_DAEMON_IO, NULL, text);
}

static void on_lost(void *ctx, const char *text)
{
    struct core *c = ctx;
    c->fatal = text;
    core_say(c, EV_DAEMON_ERROR, NULL, text);
    core_stop(c);
}

/* --- life --- */

static void late(void *ctx, struct wait *w)
{
    struct core *c = ctx;
    control_cmd_done(c, w->cmd, R_PEER_TIMEOUT, NULL);
}

static void settings_of(const struct config_daemon *d, struct ike_settings *s)
{
    ike_settings_default(s);
    s->retransmit_tries = d->retransmit_tries;
    s->fragment_size = d->fragment_size;
    s->retransmit_timeout_ms = d->retransmit_timeout_ms;
    s->retransmit_base_pct = d->retransmit_base_pct;
    s->half_open_timeout_ms = d->half_open_timeout_ms;
    s->half_open_max = d->half_open_max;
    s->cookie_threshold = d->cookie_threshold;
    s->init_limit_per_source = d->init_limit_per_source;
    s->keepalive_ms = d->keepalive_ms;
    s->port = d->port;
    s->port_natt = d->port_natt;
    s->make_before_break = d->make_before_break;
}

/*
 * What the shared TUN device carries: what the SA with the least around its packets does (IPv4,
 * ESP with AES-GCM: 20 + 8 + 8 + 2 + 16), so that no SA goes below its own. For SAs that carry less
 * the data plane cuts packets or answers their senders, and it lowers the MSS of TCP.
 */
static unsigned tun_mtu(uint32_t path)
{
    const uint32_t overhead = 54;
    return path < 1280 + overhead ? 1280 : path - overhead;
}

_Static_assert((int)LAN_IO_XDP == CONFIG_LAN_XDP && (int)LAN_INTERFACES == CONFIG_LAN_MAX,
               "same order, same size");
_Static_assert((int)ESP_IO_XDP == CONFIG_ESP_XDP && (int)ESP_IO_RAW == CONFIG_ESP_RAW,
               "same order");

static err_t open_path(struct core *c, struct io_error *err)
{
    struct datapath_settings s = {
        .workers = c->set.workers,
        .busy_poll_us = c->set.busy_poll,
        .tun = c->set.tun,
        .tun_mtu = tun_mtu(c->set.mtu),
        .port = c->set.port,
        .port_natt = c->set.port_natt,
        .mark = c->set.fwmark,
        .route_table = c->set.route_table,
        .esp_io = (enum esp_io)c->set.esp_io,
        .esp_interface = c->set.esp_interface,
        .lan = {.io = (enum lan_io)c->set.lan_io, .interfaces = c->set.lan_interfaces}};
    memcpy(s.lan.interface, c->set.lan_interface, sizeof s.lan.interface);
    dp_settings_default(&s.dp);
    s.dp.sa_max = c->set.sa_max;
    s.dp.hold_max = c->set.hold_max;
    s.dp.hold_per_policy = c->set.hold_per_policy;
    s.dp.hold_ms = c->set.hold_ms;
    s.dp.mtu = (uint16_t)c->set.mtu;
    s.dp.path_probes = c->set.mtu_probing;
    cr_random(s.dp.seed, sizeof s.dp.seed);
    const struct datapath_ports ports = {c, on_first, on_ike, on_note, on_lost, on_say};
    c->path = datapath_open(c->loop, &s, &ports, err);
    return c->path ? E_OK : E_SYS;
}

static err_t view_each(void *ctx, err_t (*fn)(void *arg, struct dp *dp), void *arg)
{
    return datapath_each(ctx, fn, arg);
}

static void view_hold_drop(void *ctx, uint32_t policy_id)
{
    datapath_hold_drop(ctx, policy_id);
}

static err_t open_policies(struct core *c, struct io_error *err)
{
    const struct policies_settings s = {.guard = {.tun = c->set.tun,
                                                  .mark = c->set.fwmark,
                                                  .clear = 1u << c->set.fwmark_bits,
                                                  .clear_tun = 2u << c->set.fwmark_bits,
                                                  .port = c->set.port,
                                                  .port_natt = c->set.port_natt,
                                                  .nat = (enum nft_nat)c->set.nat_exemption},
                                        .ifindex = datapath_ifindex(c->path),
                                        .table = c->set.route_table,
                                        .priority = c->set.route_table_prio,
                                        .follower = datapath_follower(c->path)};
    const struct policies_view view = {c->path, view_each, view_hold_drop};
    c->pol = policies_open(&s, &view, c->nl, err);
    c->vips = vips_new(c->nl, s.ifindex);
    return c->pol && c->vips ? E_OK : E_SYS;
}

static err_t iface_add(void *ctx, uint16_t id, const char *name, unsigned mtu, int *ifindex,
                       struct io_error *err)
{
    return datapath_iface_add(ctx, id, name, mtu, ifindex, err);
}

static void iface_del(void *ctx, uint16_t id)
{
    datapath_iface_del(ctx, id);
}

static void creds_changed(void *ctx, struct pki *store)
{
    struct core *c = ctx;
    runner_feed(c->runner, &(struct ike_in){.kind = IN_PKI, .pki = store});
}

static err_t open_engine(struct core *c, struct io_error *err)
{
    struct ike_settings s;
    const struct ifaces_ports devices = {c->path, iface_add, iface_del};
    settings_of(&c->set, &s);
    s.cpus = (uint8_t)datapath_workers(c->path);
    const struct ike_env env = {c,          env_random,  env_spi,  env_stats,
                                env_source, env_resolve, env_hears};
    const struct runner_ports ports = {c, do_send, do_child, do_event, do_cmd_done, do_settled};
    c->names = names_new(c->loop, core_name_ready, c);
    c->waiting = waiting_new(c->loop, late, c);
    c->creds = creds_new(creds_changed, c);
    c->runner = runner_new(c->loop, &s, &env, &ports);
    c->manual = manual_new(c);
    c->ifaces = ifaces_new(c->nl, tun_mtu(c->set.mtu), &devices);
    snprintf(err->text, sizeof err->text, "out of memory");
    return c->names && c->waiting && c->creds && c->runner && c->manual && c->ifaces ? E_OK
                                                                                     : E_NOMEM;
}

err_t core_open(struct core *c, struct io_error *err)
{
    uv_prepare_init(c->loop, &c->turn);
    c->turn.data = c;
    c->nl = netlink_open(err);
    if (!c->nl)
        return E_SYS;
    err_t e = open_path(c, err);
    if (!e)
        e = open_policies(c, err);
    if (!e)
        e = open_engine(c, err);
    if (!e)
        c->restore = restore_open(c);
    return e;
}

void core_stop(struct core *c)
{
    if (c->stopping)
        return;
    c->stopping = true;
    struct wait *w = waiting_add(c->waiting, WAIT_SHUTDOWN, "shutdown", 5000);
    if (!w) {
        c->stopped(c);
        return;
    }
    runner_feed(c->runner, &(struct ike_in){.kind = IN_SHUTDOWN, .cmd = w->cmd});
}

void core_close(struct core *c)
{
    restore_close(c->restore);
    if (c->manual)
        manual_close(c->manual);
    if (c->runner)
        runner_close(c->runner);
    waiting_free(c->waiting);
    c->waiting = NULL;
    names_free(c->names);
    creds_free(c->creds);
    c->names = NULL;
    if (c->path)
        datapath_close(c->path);
    if (c->turn.loop)
        uv_close((uv_handle_t *)&c->turn, NULL);
}

void core_free(struct core *c)
{
    restore_free(c->restore);
    manual_free(c->manual);
    runner_free(c->runner);
    policies_close(c->pol);
    ifaces_free(c->ifaces);
    vips_free(c->vips);
    datapath_free(c->path);
    netlink_close(c->nl);
    keylog_free(c->keylog);
}

struct render core_render(struct core *c)
{
    return (struct render){runner_engine(c->runner), env_stats, c, clock_now_ms(), c->set.tun};
}
