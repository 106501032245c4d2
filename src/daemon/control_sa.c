/* VICI: initiate, terminate, rekey, and culvert's own export of keys. */
#include "daemon/core.h"
#include <stdio.h>
#include <stdlib.h>

static long long number(const struct vnode *m, const char *name, long long other)
{
    const char *v = vnode_get(m, name);
    return v && *v ? strtoll(v, NULL, 10) : other;
}

static int wanted_level(const struct vnode *m)
{
    return (int)number(m, "loglevel", LEVEL_CTRL);
}

static struct wait *wait_for(struct core *c, struct vici_request *rq, enum waiting_kind kind,
                             const char *what, bool child)
{
    long long timeout = number(rq->msg, "timeout", 0);
    struct wait *w = waiting_add(c->waiting, kind, what, timeout > 0 ? (uint64_t)timeout : 0);
    if (!w)
        return NULL;
    w->ticket = rq->ticket;
    w->client = rq->client;
    w->child = child;
    sinks_watch(c->sinks, rq->client, rq->ticket, wanted_level(rq->msg));
    rq->later = true;
    return w;
}

/* The engine may answer within the feed: then the wait is gone already. */
static void feed_command(struct core *c, struct ike_in *in)
{
    if (!runner_feed(c->runner, in))
        core_say(c, EV_DAEMON_ERROR, NULL, "the IKE engine is out of memory");
}

struct child_owner {
    const char *child, *conn;
    const struct conn *found;
};

static void find_owner(void *ctx, const struct conn *conn)
{
    struct child_owner *o = ctx;
    if (!o->found && (!o->conn || !strcmp(o->conn, conn->name)) &&
        (!o->child || conn_child_find(conn, o->child)))
        o->found = conn;
}

/* RFC 4301 4.4.1: BYPASS and DISCARD have no SAs. */
static void refuse_shunt(struct core *c, struct vnode *reply, const struct conn *conn,
                         const struct conn_child *ch)
{
    bool installed = policies_id_of(c->pol, conn->name, ch->name) != 0;
    reply_no(reply,
             "it is a policy with mode = %s, which has no SA to negotiate; it is %sinstalled",
             ch->policy == CHILD_PASS ? "pass" : "drop", installed ? "" : "not ");
    if (!installed)
        vnode_value(reply, "hint", "start_action = trap installs it when it is loaded");
}

HANDLER(control_initiate)
{
    struct core *c = ctx;
    const char *child = vnode_get(rq->msg, "child"), *ike = vnode_get(rq->msg, "ike");
    struct child_owner o = {.child = child, .conn = ike};
    if (!child && !ike) {
        reply_no(rq->reply, "missing configuration name");
        return;
    }
    struct ike *e = runner_engine(c->runner);
    const struct conn *named = ike ? ike_conn_get(e, ike) : ike_conn_of_child(e, child);
    if (named)
        find_owner(&o, named);
    if (!o.found && !ike) /* a child that is not to be protected, to say so */
        ike_conn_each(e, find_owner, &o);
    if (!o.found) {
        reply_no(rq->reply, "%s config '%s' not found", child ? "CHILD_SA" : "IKE_SA",
                 child ? child : ike);
        vnode_value(rq->reply, "reason", "not-found");
        vnode_value(rq->reply, "hint", "culvert show conns lists what is loaded");
        return;
    }
    const struct conn_child *ch = child ? conn_child_find(o.found, child) : NULL;
    if (ch && ch->policy != CHILD_PROTECT) {
        refuse_shunt(c, rq->reply, o.found, ch);
        return;
    }
    struct ike_in in = {.kind = IN_INITIATE, .conn = o.found->name, .child = child};
    if (number(rq->msg, "timeout", 0) < 0) {
        feed_command(c, &in);
        reply_ok(rq->reply);
        return;
    }
    struct wait *w = wait_for(c, rq, WAIT_INITIATE, child ? child : ike, child != NULL);
    if (!w) {
        reply_no(rq->reply, "too many commands under way");
        return;
    }
    in.cmd = w->cmd;
    feed_command(c, &in);
}

/* --- which SAs a selector means --- */

struct match {
    struct core *c;
    const char *child, *ike;
    uint32_t child_id, ike_id, in_ike;
    bool by_child;
    size_t matches;
};

static void match_child(void *ctx, const struct child_sa_info *c)
{
    struct match *m = ctx;
    if ((!m->child || !strcmp(m->child, c->child->name)) && (!m->child_id || m->child_id == c->id))
        m->matches++;
}

static void match_ike(void *ctx, const struct ike_sa_info *sa)
{
    struct match *m = ctx;
    if ((m->ike && (!sa->conn || strcmp(m->ike, sa->conn->name) != 0)) ||
        (m->ike_id && m->ike_id != sa->id))
        return;
    if (m->by_child)
        child_sa_each(runner_engine(m->c->runner), sa->id, match_child, m);
    else
        m->matches++;
}

/* By number or by connection without a look at all the other SAs. */
static void each_match(const struct ike *e, struct match *m)
{
    struct ike_sa_info sa;
    uint32_t id = m->ike_id ? m->ike_id : m->child_id ? ike_sa_of_child(e, m->child_id) : 0;
    if (m->ike_id || m->child_id) {
        if (id && ike_sa_info_get(e, id, &sa))
            match_ike(m, &sa);
    } else if (m->ike) {
        ike_conn_sas_each(e, m->ike, match_ike, m);
    } else {
        ike_sa_each(e, match_ike, m);
    }
}

static struct match match_of(struct core *c, const struct vnode *msg)
{
    struct match m = {.c = c,
                      .child = vnode_get(msg, "child"),
                      .ike = vnode_get(msg, "ike"),
                      .child_id = (uint32_t)number(msg, "child-id", 0),
                      .ike_id = (uint32_t)number(msg, "ike-id", 0)};
    m.by_child = m.child || m.child_id;
    each_match(runner_engine(c->runner), &m);
    return m;
}

static bool no_selector(const struct match *m)
{
    return !m->child && !m->ike && !m->child_id && !m->ike_id;
}

static void release_policies(struct core *c, const struct match *m)
{
    if (m->child || m->ike) {
        policies_release(c->pol, m->ike, m->child);
        return;
    }
    /* by number: the names are those of the SA */
    struct ike_sa_info sa;
    if (m->ike_id && ike_sa_info_get(runner_engine(c->runner), m->ike_id, &sa) && sa.conn)
        policies_release(c->pol, sa.conn->name, NULL);
}

HANDLER(control_terminate)
{
    struct core *c = ctx;
    struct match m = match_of(c, rq->msg);
    if (no_selector(&m) || m.matches == 0) {
        if (no_selector(&m))
            reply_no(rq->reply, "missing terminate selector");
        else
            reply_no(rq->reply, "no matching SAs to terminate found");
        vnode_value(rq->reply, "matches", "0");
        vnode_value(rq->reply, "terminated", "0");
        return;
    }
    release_policies(c, &m);
    struct ike_in in = {.kind = IN_TERMINATE,
                        .conn = m.ike,
                        .child = m.child,
                        .ike_id = m.ike_id,
                        .child_id = m.child_id,
                        .force = vnode_get_bool(rq->msg, "force")};
    if (number(rq->msg, "timeout", 0) < 0) {
        feed_command(c, &in);
        reply_ok(rq->reply);
        vnode_valuef(rq->reply, "matches", "%zu", m.matches);
        vnode_valuef(rq->reply, "terminated", "%zu", m.matches);
        return;
    }
    struct wait *w = wait_for(c, rq, WAIT_TERMINATE, m.child ? m.child : m.ike, m.by_child);
    if (!w) {
        reply_no(rq->reply, "too many commands under way");
        return;
    }
    w->matches = m.matches;
    in.cmd = w->cmd;
    feed_command(c, &in);
}

HANDLER(control_rekey)
{
    struct core *c = ctx;
    struct match m = match_of(c, rq->msg);
    if (no_selector(&m)) {
        reply_no(rq->reply, "missing rekey selector");
        return;
    }
    if (m.matches == 0)
        reply_no(rq->reply, "no matching SAs to rekey found");
    else
        reply_ok(rq->reply);
    vnode_valuef(rq->reply, "matches", "%zu", m.matches);
    if (m.matches)
        feed_command(c, &(struct ike_in){.kind = IN_REKEY,
                                         .conn = m.ike,
                                         .child = m.child,
                                         .ike_id = m.ike_id,
                                         .child_id = m.child_id,
                                         .reauth = vnode_get_bool(rq->msg, "reauth")});
}

/* --- answers --- */

static void add_field(struct vnode *m, const char *name, const char *value)
{
    if (value)
        vnode_value(m, name, value);
}

static void add_evidence(struct vnode *m, err_t reason, const struct event *ev)
{
    vnode_value(m, "reason", err_name(reason));
    vnode_value(m, "text", err_text(reason));
    if (!ev)
        return;
    add_field(m, "what", ev->what);
    add_field(m, "ours", ev->ours);
    add_field(m, "theirs", ev->theirs);
    add_field(m, "hint", ev->hint);
    add_field(m, "clause", ev->clause);
}

static void answer_initiate(struct vnode *m, const struct wait *w, err_t reason, bool late,
                            const struct event *ev)
{
    const char *kind = w->child ? "CHILD_SA" : "IKE_SA";
    if (!reason) {
        reply_ok(m);
        return;
    }
    if (late)
        reply_no(m, "%s '%s' not established after %llums", kind, w->what,
                 (unsigned long long)w->timeout_ms);
    else
        reply_no(m, "establishing %s '%s' failed", kind, w->what);
    add_evidence(m, reason, ev);
    if (late)
        vnode_value(m, "hint",
                    "the negotiation goes on: culvert log follows it; if nothing comes back, check "
                    "that the peer "
                    "runs, that remote_addrs is right and that UDP 500 and 4500 reach it");
}

static void answer_terminate(struct vnode *m, const struct wait *w, err_t reason)
{
    if (reason)
        reply_no(m, "not all matching SAs could be terminated");
    else
        reply_ok(m);
    vnode_valuef(m, "matches", "%zu", w->matches);
    vnode_valuef(m, "terminated", "%zu", reason ? (size_t)0 : w->matches);
}

void control_cmd_done(struct core *c, uint32_t cmd, err_t reason, const struct event *ev)
{
    struct wait *w = waiting_find(c->waiting, cmd);
    if (!w)
        return;
    if (w->kind == WAIT_SHUTDOWN) {
        waiting_del(c->waiting, w);
        c->stopped(c);
        return;
    }
    if (w->client) {
        struct vnode *m = vnode_new();
        if (w->kind == WAIT_TERMINATE)
            answer_terminate(m, w, reason);
        else
            answer_initiate(m, w, reason, ev == NULL, ev);
        sinks_unwatch(c->sinks, w->ticket);
        vici_reply(c->vici, w->ticket, m);
        vnode_free(m);
    }
    waiting_del(c->waiting, w);
}

void control_client_gone(struct core *c, struct vici_client *client)
{
    sinks_forget(c->sinks, client);
    if (c->waiting)
        waiting_forget(c->waiting, client);
}

/* --- keys, only for who started the daemon with --allow-key-export --- */

static void export_ike(void *ctx, const struct ike_sa_info *sa)
{
    struct vnode *list = ((struct vnode **)ctx)[sa->version == 1];
    const struct ike *engine = ((void **)ctx)[2];
    struct buf b = {0};
    if (ike_keys_export(engine, sa->id, &b)) {
        struct vnode *v = vnode_item(list, buf_str(&b));
        (void)v;
    }
    if (b.s)
        explicit_bzero(b.s, b.cap);
    buf_free(&b);
}

HANDLER(control_keys)
{
    struct core *c = ctx;
    if (!c->keylog) {
        reply_no(rq->reply, "keys are exported only when culvertd runs with --allow-key-export");
        return;
    }
    core_say(c, EV_CONFIG_WARNING, NULL, "keys of the running SAs were exported");
    void *x[3] = {vnode_list(rq->reply, "ike"), vnode_list(rq->reply, "ike-v1"),
                  runner_engine(c->runner)};
    ike_sa_each(runner_engine(c->runner), export_ike, x);
    keylog_render(c->keylog, vnode_section(rq->reply, "esp"));
    reply_ok(rq->reply);
}
