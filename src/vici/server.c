/*
 * VICI's server side without sockets: strongSwan's vici README, "Packet layer". Commands and events
 * are tables of the daemon; clients are fed bytes and written to through a callback.
 */
#include "base/list.h"
#include <culvert/vici.h>
#include <stdlib.h>

#define GATHER_MAX 65536

struct vici_server {
    const struct vici_command *cmds;
    size_t n_cmds;
    const char *const *events;
    size_t n_events;
    void *ctx;
    uint64_t last_ticket;
    struct list clients;
    struct buf raise; /* the event for all that is under way */
    size_t raising;   /* which */
    struct vici_writer w;
};

struct vici_client {
    struct list node;
    struct vici_server *server;
    vici_write_fn *write;
    void *io;
    struct vici_stream in;
    uint64_t ticket;      /* the request that waits for its answer, 0: none */
    bool serving;         /* a handler runs: vici_reply from within must not start the next one */
    struct buf out;       /* what a handler sends, written in large pieces */
    struct vici_writer w; /* into out */
    struct vici_listing listing; /* under way if more is set; ticket waits for its end */
    err_t err;                   /* the stream is broken: nothing more is read */
    bool registered[];
};

struct vici_server *vici_server_new(const struct vici_command *cmds, size_t n_cmds,
                                    const char *const *events, size_t n_events, void *ctx)
{
    struct vici_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct vici_server){
        .cmds = cmds, .n_cmds = n_cmds, .events = events, .n_events = n_events, .ctx = ctx};
    list_init(&s->clients);
    return s;
}

static struct vici_client *client_of(struct list *node)
{
    return container_of(node, struct vici_client, node);
}

void vici_server_free(struct vici_server *s)
{
    if (!s)
        return;
    list_each_safe (it, nx, &s->clients)
        vici_client_free(client_of(it));
    buf_free(&s->raise);
    free(s);
}

struct vici_client *vici_client_new(struct vici_server *s, vici_write_fn *write, void *io)
{
    struct vici_client *c = calloc(1, sizeof *c + s->n_events * sizeof c->registered[0]);
    if (!c)
        return NULL;
    c->server = s;
    c->write = write;
    c->io = io;
    list_add_tail(&s->clients, &c->node);
    return c;
}

static void listing_end(struct vici_client *c)
{
    if (c->listing.more && c->listing.done)
        c->listing.done(c->listing.ctx);
    c->listing = (struct vici_listing){0};
}

void vici_client_free(struct vici_client *c)
{
    if (!c)
        return;
    listing_end(c);
    list_del(&c->node);
    vici_stream_free(&c->in);
    buf_free(&c->out);
    free(c);
}

static void flush(struct vici_client *c)
{
    if (c->out.n)
        c->write(c->io, bytes_of(c->out.s, c->out.n));
    if (c->out.err)
        buf_free(&c->out);
    buf_clear(&c->out);
}

/* A listing is thousands of small events: one system call each would cost more than making them. */
static void send_bytes(struct vici_client *c, struct bytes b)
{
    if (c->serving) {
        if (c->out.n + b.n > GATHER_MAX)
            flush(c);
        buf_add(&c->out, b.p, b.n);
        if (!c->out.err)
            return;
        flush(c); /* no memory to gather in */
    }
    c->write(c->io, b);
}

static void send_buf(struct vici_client *c, const struct buf *b)
{
    send_bytes(c, bytes_of(b->s, b->n));
}

static void send_op(struct vici_client *c, enum vici_op op)
{
    struct buf b = {0};
    if (!vici_packet(op, NULL, NULL, &b))
        send_buf(c, &b);
    buf_free(&b);
}

/* An answer that does not fit or was not built for want of memory becomes one that says so. */
static void send_failure(struct vici_client *c, err_t why)
{
    struct buf b = {0};
    struct vnode *m = vnode_new();
    vnode_value(m, "success", "no");
    vnode_value(m, "errmsg", err_text(why));
    if (m && !vici_packet(VICI_CMD_RESPONSE, NULL, m, &b))
        send_buf(c, &b);
    vnode_free(m);
    buf_free(&b);
}

static void send_response(struct vici_client *c, const struct vnode *msg)
{
    struct buf b = {0};
    err_t e = vici_packet(VICI_CMD_RESPONSE, NULL, msg, &b);
    if (e)
        send_failure(c, e);
    else
        send_buf(c, &b);
    buf_free(&b);
}

/* --- requests --- */

static const struct vici_command *find_command(const struct vici_server *s, const char *name)
{
    for (size_t i = 0; i < s->n_cmds; i++)
        if (!strcmp(s->cmds[i].name, name))
            return &s->cmds[i];
    return NULL;
}

/* --- listings --- */

void vici_listing_begin(struct vici_request *rq, const struct vici_listing *l)
{
    rq->client->listing = *l;
    rq->later = true;
}

bool vici_client_full(const struct vici_client *c)
{
    return c->out.n >= GATHER_MAX;
}

/* As much as fits; with the end goes the answer. */
static void listing_turn(struct vici_client *c)
{
    static const struct vnode empty;
    c->serving = true;
    if (!c->listing.more(c->listing.ctx, c)) {
        listing_end(c);
        send_response(c, &empty);
        c->ticket = 0;
    }
    flush(c);
    c->serving = false;
}

static void request(struct vici_client *c, const struct vici_packet_in *p)
{
    const struct vici_command *cmd = find_command(c->server, p->name);
    if (!cmd) {
        send_op(c, VICI_CMD_UNKNOWN);
        return;
    }
    struct vnode *reply = vnode_new();
    if (!reply) {
        send_failure(c, E_NOMEM);
        return;
    }
    uint64_t ticket = ++c->server->last_ticket;
    struct vici_request rq = {c, ticket, cmd->name, p->msg, reply, false};
    c->ticket = ticket;
    c->serving = true;
    cmd->fn(c->server->ctx, &rq);
    flush(c);
    c->serving = false;
    if (c->listing.more)
        listing_turn(c);
    buf_free(&c->out);
    if (!rq.later && c->ticket == ticket) {
        c->ticket = 0;
        send_response(c, reply);
    }
    vnode_free(reply);
}

static size_t find_event(const struct vici_server *s, const char *name)
{
    size_t i = 0;
    while (i < s->n_events && strcmp(s->events[i], name))
        i++;
    return i;
}

static void set_registered(struct vici_client *c, const char *event, bool on)
{
    size_t i = find_event(c->server, event);
    if (i < c->server->n_events)
        c->registered[i] = on;
    send_op(c, i < c->server->n_events ? VICI_EVENT_CONFIRM : VICI_EVENT_UNKNOWN);
}

static err_t dispatch(struct vici_client *c, const struct vici_packet_in *p)
{
    switch (p->op) {
    case VICI_CMD_REQUEST:
        request(c, p);
        return E_OK;
    case VICI_EVENT_REGISTER:
        set_registered(c, p->name, true);
        return E_OK;
    case VICI_EVENT_UNREGISTER:
        set_registered(c, p->name, false);
        return E_OK;
    default:
        return R_SYNTAX; /* only servers send the others */
    }
}

/* Serves what came in, up to a request whose answer takes time: answers keep their order. */
static void serve(struct vici_client *c)
{
    while (!c->err && !c->ticket) {
        struct vici_packet_in p;
        err_t e = vici_stream_next(&c->in, &p);
        if (e == E_AGAIN)
            return;
        c->err = e ? e : dispatch(c, &p);
        vnode_free(p.msg);
    }
}

err_t vici_client_input(struct vici_client *c, struct bytes data)
{
    if (!c->err)
        c->err = vici_stream_feed(&c->in, data);
    serve(c);
    return c->err;
}

void vici_client_drained(struct vici_client *c)
{
    if (!c->listing.more || c->serving)
        return;
    listing_turn(c);
    serve(c);
}

struct vici_client *vici_ticket_client(const struct vici_server *s, uint64_t ticket)
{
    list_each (it, &s->clients)
        if (ticket && client_of(it)->ticket == ticket)
            return client_of(it);
    return NULL;
}

void vici_reply(struct vici_server *s, uint64_t ticket, const struct vnode *msg)
{
    struct vici_client *c = vici_ticket_client(s, ticket);
    if (!c)
        return;
    send_response(c, msg);
    c->ticket = 0;
    if (!c->serving)
        serve(c);
}

/* --- events --- */

bool vici_wants(const struct vici_server *s, const char *event)
{
    size_t i = find_event(s, event);
    if (i == s->n_events)
        return false;
    list_each (it, &s->clients)
        if (client_of(it)->registered[i])
            return true;
    return false;
}

struct vici_writer *vici_raise_begin(struct vici_server *s, const char *event)
{
    if (!vici_wants(s, event))
        return NULL;
    s->raising = find_event(s, event);
    vici_write_begin(&s->w, &s->raise, VICI_EVENT, event);
    return &s->w;
}

void vici_raise_end(struct vici_server *s)
{
    if (!vici_write_end(&s->w))
        list_each (it, &s->clients)
            if (client_of(it)->registered[s->raising])
                send_buf(client_of(it), &s->raise);
    if (s->raise.err)
        buf_free(&s->raise);
    buf_clear(&s->raise);
}

void vici_raise(struct vici_server *s, const char *event, const struct vnode *msg)
{
    struct vici_writer *w = vici_raise_begin(s, event);
    if (!w)
        return;
    vici_put_tree(w, msg);
    vici_raise_end(s);
}

struct vici_writer *vici_event_begin(struct vici_client *c, const char *event)
{
    size_t i = find_event(c->server, event);
    if (i == c->server->n_events || !c->registered[i])
        return NULL;
    vici_write_begin(&c->w, &c->out, VICI_EVENT, event);
    return &c->w;
}

/* What does not fit a packet or found no memory is left out. */
void vici_event_end(struct vici_client *c)
{
    err_t e = vici_write_end(&c->w);
    if (e == E_NOMEM || !c->serving || (c->out.n > GATHER_MAX && !c->listing.more))
        flush(c);
}

void vici_event_cancel(struct vici_client *c)
{
    vici_write_cancel(&c->w);
}

void vici_stream_event(struct vici_client *c, const char *event, const struct vnode *msg)
{
    struct vici_writer *w = vici_event_begin(c, event);
    if (!w)
        return;
    vici_put_tree(w, msg);
    vici_event_end(c);
}
