/* VICI's command table and the commands that answer at once. Keys and spellings are charon's. */
#include "daemon/core.h"
#include "io/clock.h"
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

void reply_ok(struct vnode *reply)
{
    vnode_value(reply, "success", "yes");
}

void reply_no(struct vnode *reply, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    vnode_value(reply, "success", "no");
    vnode_value(reply, "errmsg", text);
}

static void put_lines(struct vnode *list, const struct diag *d)
{
    for (const struct diag_item *i = d->first; i; i = i->next) {
        struct buf line = {0};
        diag_item_print(i, &line);
        vnode_item(list, buf_str(&line));
        buf_free(&line);
    }
}

void reply_diag(struct vnode *reply, const struct diag *d, const char *tail)
{
    struct buf b = {0};
    for (const struct diag_item *i = d->first; i && !b.n; i = i->next)
        if (i->level == DIAG_ERROR)
            diag_item_print(i, &b);
    reply_no(reply, "%s%s", b.n ? buf_str(&b) : "out of memory", tail);
    buf_free(&b);
    put_lines(vnode_list(reply, "errors"), d);
}

void say_warnings(struct core *c, const struct diag *d)
{
    for (const struct diag_item *i = d->first; i; i = i->next) {
        struct buf line = {0};
        diag_item_print(i, &line);
        core_say(c, i->level == DIAG_ERROR ? EV_CONFIG_ERROR : EV_CONFIG_WARNING, NULL,
                 buf_str(&line));
        buf_free(&line);
    }
}

/* --- daemon --- */

static HANDLER(version)
{
    (void)ctx;
    struct utsname u;
    uname(&u);
    vnode_value(rq->reply, "daemon", "culvertd");
    vnode_value(rq->reply, "version", CULVERT_VERSION);
    vnode_value(rq->reply, "sysname", u.sysname);
    vnode_value(rq->reply, "release", u.release);
    vnode_value(rq->reply, "machine", u.machine);
}

static void add_uptime(struct core *c, struct vnode *in)
{
    char since[64] = "";
    time_t at = (time_t)c->started_wall_s;
    struct tm tm;
    if (localtime_r(&at, &tm))
        strftime(since, sizeof since, "%b %d %H:%M:%S %Y", &tm);
    vnode_valuef(in, "running", "%llu seconds",
                 (unsigned long long)(clock_wall_s() - c->started_wall_s));
    vnode_value(in, "since", since);
}

static void put_count(struct vnode *in, const char *key, uint64_t v)
{
    vnode_valuef(in, key, "%llu", (unsigned long long)v);
}

static void add_counts(const struct datapath_stats *st, struct vnode *in)
{
    put_count(in, "sas", st->dp.sas);
    put_count(in, "held", st->dp.held);
    put_count(in, "packets-in", st->dp.packets_in);
    put_count(in, "packets-out", st->dp.packets_out);
    put_count(in, "packets-bypassed", st->dp.packets_bypassed);
    put_count(in, "bytes-in", st->dp.bytes_in);
    put_count(in, "bytes-out", st->dp.bytes_out);
    put_count(in, "tx-failed", st->tx_failed);
    put_count(in, "rx-dropped", st->rx_dropped);
}

static void add_drops(const uint64_t *drops, struct vnode *in)
{
    struct vnode *at = vnode_section(in, "drops");
    for (int i = 1; i < R_COUNT; i++)
        if (drops[i])
            put_count(at, err_name(i), drops[i]);
}

/* A section for each: its name is its number. */
static void add_worker_stats(struct core *c, struct vnode *in)
{
    for (uint32_t i = 0; i < datapath_workers(c->path); i++) {
        struct datapath_stats st;
        char name[16];
        datapath_worker_stats(c->path, i, &st);
        snprintf(name, sizeof name, "%u", i);
        struct vnode *at = vnode_section(in, name);
        if (st.cpu >= 0)
            vnode_valuef(at, "cpu", "%d", st.cpu);
        add_counts(&st, at);
        put_count(at, "handed", st.handed);
        put_count(at, "taken", st.taken);
        add_drops(st.dp.drops, at);
    }
}

static void add_dp_stats(struct core *c, struct vnode *in)
{
    struct datapath_stats st;
    uint64_t clear_in = 0, clear_out = 0;
    datapath_stats(c->path, &st);
    add_counts(&st, in);
    put_count(in, "handed", st.handed);
    put_count(in, "tun-dropped",
              netlink_link_dropped(c->nl, datapath_ifindex(c->path)) + ifaces_dropped(c->ifaces));
    if (policies_guard_counters(c->pol, &clear_in, &clear_out)) {
        put_count(in, "clear-in-dropped", clear_in);
        put_count(in, "clear-out-dropped", clear_out);
    }
    add_drops(st.dp.drops, in);
    add_worker_stats(c, vnode_section(in, "workers"));
}

static void add_ike_stats(const struct ike_stats *st, struct vnode *in)
{
    vnode_valuef(in, "packets-in", "%llu", (unsigned long long)st->packets_in);
    vnode_valuef(in, "packets-out", "%llu", (unsigned long long)st->packets_out);
    vnode_valuef(in, "retransmits", "%llu", (unsigned long long)st->retransmits);
    vnode_valuef(in, "cookies-sent", "%llu", (unsigned long long)st->cookies_sent);
    put_count(in, "acquires-refused", st->acquires_refused);
    struct vnode *drops = vnode_section(in, "drops");
    for (int i = 1; i < R_COUNT; i++)
        if (st->dropped[i])
            vnode_valuef(drops, err_name(i), "%llu", (unsigned long long)st->dropped[i]);
}

static void add_zeros(struct vnode *in)
{
    static const char *const levels[] = {"critical", "high", "medium", "low"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        vnode_value(in, levels[i], "0");
}

static HANDLER(stats)
{
    struct core *c = ctx;
    struct ike_stats st;
    ike_stats_get(runner_engine(c->runner), &st);
    add_uptime(c, vnode_section(rq->reply, "uptime"));
    struct vnode *workers = vnode_section(rq->reply, "workers");
    vnode_value(workers, "total", "4"); /* libuv's pool, for public-key work */
    vnode_value(workers, "idle", "4");
    add_zeros(vnode_section(workers, "active"));
    add_zeros(vnode_section(rq->reply, "queues"));
    vnode_value(rq->reply, "scheduled", "0");
    struct vnode *ikesas = vnode_section(rq->reply, "ikesas");
    vnode_valuef(ikesas, "total", "%zu", st.ike_sas);
    vnode_valuef(ikesas, "half-open", "%zu", st.half_open);
    struct vnode *plugins = vnode_list(rq->reply, "plugins");
    vnode_item(plugins, "openssl");
    vnode_item(plugins, "ipsec-mb");
    struct mallinfo2 m = mallinfo2();
    struct vnode *mi = vnode_section(rq->reply, "mallinfo");
    vnode_valuef(mi, "sbrk", "%zu", m.arena);
    vnode_valuef(mi, "mmap", "%zu", m.hblkhd);
    vnode_valuef(mi, "used", "%zu", m.uordblks);
    vnode_valuef(mi, "free", "%zu", m.fordblks);
    add_ike_stats(&st, vnode_section(rq->reply, "ike"));
    add_dp_stats(c, vnode_section(rq->reply, "dataplane"));
}

static HANDLER(ok)
{
    (void)ctx;
    reply_ok(rq->reply);
}

static HANDLER(reload)
{
    struct core *c = ctx;
    struct diag d = {0};
    size_t loaded, unloaded;
    err_t e = core_load_file(c, &d, &loaded, &unloaded);
    say_warnings(c, &d);
    if (e) {
        reply_diag(rq->reply, &d, "; what runs keeps running");
    } else {
        reply_ok(rq->reply);
        vnode_valuef(rq->reply, "loaded", "%zu", loaded);
        vnode_valuef(rq->reply, "unloaded", "%zu", unloaded);
        put_lines(vnode_list(rq->reply, "warnings"), &d);
    }
    diag_free(&d);
}

/* --- connections --- */

static HANDLER(load_conn)
{
    struct core *c = ctx;
    struct diag d = {0};
    struct io_error err = {"out of memory"};
    struct conn *conn = NULL;
    const struct vnode *sec = rq->msg->child;
    if (!sec || sec->kind != VN_SECTION || sec->next) {
        reply_no(rq->reply, "expected one section named like the connection");
        return;
    }
    err_t e = config_conn_from_tree(sec, &conn, &d);
    say_warnings(c, &d);
    if (e) {
        reply_diag(rq->reply, &d, ", config discarded");
    } else {
        e = core_load_conn(c, conn, &err);
        if (e)
            reply_no(rq->reply, "%s", err.text);
        else
            reply_ok(rq->reply);
    }
    diag_free(&d);
}

static HANDLER(unload_conn)
{
    const char *name = vnode_get(rq->msg, "name");
    if (!name)
        reply_no(rq->reply, "unload: missing connection name");
    else if (core_unload_conn(ctx, name))
        reply_no(rq->reply, "unload: connection '%s' not found", name);
    else
        reply_ok(rq->reply);
}

static void conn_name(void *ctx, const struct conn *c)
{
    vnode_item(ctx, c->name);
}

static HANDLER(get_conns)
{
    struct core *c = ctx;
    ike_conn_each(runner_engine(c->runner), conn_name, vnode_list(rq->reply, "conns"));
}

struct list_ctx {
    const struct core *c;
    struct vici_client *client;
    const char *ike, *child;
    bool trap, drop, pass;
};

static void list_conn(void *ctx, const struct conn *c)
{
    struct list_ctx *l = ctx;
    if (l->ike && strcmp(l->ike, c->name) != 0)
        return;
    struct vici_writer *w = vici_event_begin(l->client, "list-conn");
    if (!w)
        return;
    render_conn(c, w);
    vici_event_end(l->client);
}

static HANDLER(list_conns)
{
    struct core *c = ctx;
    struct list_ctx l = {.client = rq->client, .ike = vnode_get(rq->msg, "ike")};
    ike_conn_each(runner_engine(c->runner), list_conn, &l);
}

static void list_policy(void *ctx, const struct policy_row *row)
{
    struct list_ctx *l = ctx;
    bool kind = row->action == POL_BYPASS ? l->pass : row->action == POL_DROP ? l->drop : l->trap;
    if (!kind || (l->ike && strcmp(l->ike, row->conn) != 0) ||
        (l->child && strcmp(l->child, row->child) != 0))
        return;
    struct vici_writer *w = vici_event_begin(l->client, "list-policy");
    if (!w)
        return;
    render_policy(row, row->iface ? ifaces_name(l->c->ifaces, row->iface) : l->c->set.tun, w);
    vici_event_end(l->client);
}

static HANDLER(list_policies)
{
    struct core *c = ctx;
    struct list_ctx l = {.c = c,
                         .client = rq->client,
                         .ike = vnode_get(rq->msg, "ike"),
                         .child = vnode_get(rq->msg, "child"),
                         .trap = vnode_get_bool(rq->msg, "trap"),
                         .drop = vnode_get_bool(rq->msg, "drop"),
                         .pass = vnode_get_bool(rq->msg, "pass")};
    policies_each(c->pol, list_policy, &l);
}

struct find_child {
    const char *ike, *child;
    const struct conn *conn;
};

static void find_child(void *ctx, const struct conn *c)
{
    struct find_child *f = ctx;
    if (!f->conn && (!f->ike || !strcmp(f->ike, c->name)) && conn_child_find(c, f->child))
        f->conn = c;
}

static HANDLER(install)
{
    struct core *c = ctx;
    struct find_child f = {.ike = vnode_get(rq->msg, "ike"), .child = vnode_get(rq->msg, "child")};
    struct io_error err = {"out of memory"};
    if (!f.child) {
        reply_no(rq->reply, "missing configuration name");
        return;
    }
    ike_conn_each(runner_engine(c->runner), find_child, &f);
    if (!f.conn) {
        reply_no(rq->reply, "configuration name not found");
        return;
    }
    if (policies_install(c->pol, f.conn, conn_child_find(f.conn, f.child), &err))
        reply_no(rq->reply, "installing policy '%s' failed: %s", f.child, err.text);
    else
        reply_ok(rq->reply);
    core_settle(c);
}

static HANDLER(uninstall)
{
    struct core *c = ctx;
    const char *child = vnode_get(rq->msg, "child");
    if (!child)
        reply_no(rq->reply, "missing configuration name");
    else if (policies_uninstall(c->pol, vnode_get(rq->msg, "ike"), child))
        reply_no(rq->reply, "policy '%s' not found", child);
    else
        reply_ok(rq->reply);
    core_settle(c);
}

/* --- secrets --- */

static HANDLER(load_shared)
{
    struct core *c = ctx;
    struct diag d = {0};
    struct shared *s = NULL;
    err_t e = config_shared_from_vici(rq->msg, &s, &d);
    if (e)
        reply_diag(rq->reply, &d, "");
    else
        reply_ok(rq->reply);
    if (s)
        core_load_shared(c, s);
    diag_free(&d);
}

static HANDLER(unload_shared)
{
    struct core *c = ctx;
    const char *id = vnode_get(rq->msg, "id");
    if (!id) {
        reply_no(rq->reply, "unique identifier missing");
        return;
    }
    runner_feed(c->runner, &(struct ike_in){.kind = IN_SHARED_UNLOAD, .shared_name = id});
    reply_ok(rq->reply);
}

static void shared_name(void *ctx, const char *name)
{
    vnode_item(ctx, name);
}

static HANDLER(get_shared)
{
    struct core *c = ctx;
    ike_shared_each(runner_engine(c->runner), shared_name, vnode_list(rq->reply, "keys"));
}

static HANDLER(no_counters)
{
    (void)ctx;
    reply_no(rq->reply, "no counters available");
}

const struct vici_command core_commands[] = {
    {"version", version},
    {"stats", stats},
    {"reload-settings", ok},
    {"reload", reload},
    {"load-conn", load_conn},
    {"unload-conn", unload_conn},
    {"get-conns", get_conns},
    {"list-conns", list_conns},
    {"list-policies", list_policies},
    {"install", install},
    {"uninstall", uninstall},
    {"load-shared", load_shared},
    {"unload-shared", unload_shared},
    {"get-shared", get_shared},
    {"clear-creds", control_clear_creds},
    {"flush-certs", ok},
    {"initiate", control_initiate},
    {"terminate", control_terminate},
    {"rekey", control_rekey},
    {"list-sas", control_list_sas},
    {"export-keys", control_keys},
    {"load-sa", control_load_sa},
    {"unload-sa", control_unload_sa},
    {"list-manual-sas", control_list_manual},
    {"get-keys", control_get_keys},
    {"get-authorities", control_get_authorities},
    {"get-pools", control_get_pools},
    {"load-key", control_load_key},
    {"unload-key", control_unload_key},
    {"load-token", control_load_token},
    {"load-cert", control_load_cert},
    {"load-authority", control_load_authority},
    {"unload-authority", control_unload_authority},
    {"load-pool", control_load_pool},
    {"unload-pool", control_unload_pool},
    {"list-certs", control_list_certs},
    {"list-authorities", control_list_authorities},
    {"get-counters", no_counters},
    {"reset-counters", no_counters},
};
const size_t core_command_count = sizeof core_commands / sizeof *core_commands;

const char *const core_events[] = {
    "log",        "control-log",    "list-sa",        "list-conn",    "list-policy",
    "ike-updown", "ike-rekey",      "ike-update",     "child-updown", "child-rekey",
    "list-cert",  "list-authority", "list-manual-sa",
};
const size_t core_event_count = sizeof core_events / sizeof *core_events;
