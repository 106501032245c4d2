/*
 * VICI, strongSwan's documented control protocol: messages as trees, packets, and the shape of a
 * server and a client, without sockets. docs of the format: packet = u32 length, u8 type, [u8 name
 * length, name], message; message = elements SECTION_START 1, SECTION_END 2, KEY_VALUE 3,
 * LIST_START 4, LIST_ITEM 5, LIST_END 6.
 */
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

/* --- tree: what both a VICI message and a configuration file are --- */

enum vnode_kind { VN_SECTION, VN_VALUE, VN_LIST };

/* Where a node came from in a configuration file; line 0: not from a file. */
struct vsource {
    const char *file; /* owned by the root */
    unsigned line;
};

struct vnode {
    struct vnode *next, *parent;
    enum vnode_kind kind;
    char *name;  /* NULL for the root and for list items */
    char *value; /* VALUE and list items; may hold zero bytes: see value_len */
    size_t value_len;
    struct vnode *child, *last; /* SECTION: members in order; LIST: items (VN_VALUE without name) */
    struct vsource src;
    bool broken; /* of the root: an addition below it found no memory; vici_encode says so */
};

struct vnode *vnode_new(void) must_use; /* an empty root section */
void vnode_free(struct vnode *n);       /* wipes values: they may be secrets */
/* All return NULL when out of memory; adding to NULL does nothing and returns NULL, so that a
 * message is built straight down and checked once. */
struct vnode *vnode_section(struct vnode *in, const char *name);
struct vnode *vnode_list(struct vnode *in, const char *name);
struct vnode *vnode_item(struct vnode *list, const char *value);
struct vnode *vnode_item_data(struct vnode *list, struct bytes v);
struct vnode *vnode_value(struct vnode *in, const char *name, const char *value);
struct vnode *vnode_valuef(struct vnode *in, const char *name, const char *fmt, ...)
    printf_like(3, 4);
struct vnode *vnode_data(struct vnode *in, const char *name, struct bytes v);

struct vnode *vnode_find(const struct vnode *in, const char *name); /* direct member */
const char *vnode_get(const struct vnode *in, const char *name);    /* value's text or NULL */
bool vnode_get_bool(const struct vnode *in, const char *name);      /* yes, true, 1, enabled */

/* --- messages and packets --- */

#define VICI_PACKET_MAX (512 * 1024)
#define VICI_DEPTH_MAX  32

enum vici_op {
    VICI_CMD_REQUEST = 0,
    VICI_CMD_RESPONSE = 1,
    VICI_CMD_UNKNOWN = 2,
    VICI_EVENT_REGISTER = 3,
    VICI_EVENT_UNREGISTER = 4,
    VICI_EVENT_CONFIRM = 5,
    VICI_EVENT_UNKNOWN = 6,
    VICI_EVENT = 7,
};

err_t vici_encode(const struct vnode *msg, struct buf *out) must_use;
err_t vici_decode(struct bytes in, struct vnode **msg) must_use;
/* A whole packet with its length, ready for the socket. name and msg NULL where the type has none.
 */
err_t vici_packet(enum vici_op op, const char *name, const struct vnode *msg,
                  struct buf *out) must_use;

/*
 * Writing without a tree: the elements of a message straight into a buffer, for what comes by the
 * thousand. Errors stick, as in cursors; vici_write_end gives the first and takes back what was
 * written. Sections and lists are closed in the order of their opening, all before the end.
 */
struct vici_writer {
    struct buf *out;
    size_t begin; /* of the packet in out */
    size_t open;  /* of the value under way */
    unsigned depth;
    bool in_list;
    err_t err;
};
void vici_write_begin(struct vici_writer *w, struct buf *out, enum vici_op op, const char *name);
err_t vici_write_end(struct vici_writer *w) must_use;
void vici_write_cancel(struct vici_writer *w);

void vici_put_section(struct vici_writer *w, const char *name);
void vici_put_section_end(struct vici_writer *w);
void vici_put_list(struct vici_writer *w, const char *name);
void vici_put_list_end(struct vici_writer *w);
void vici_put_item(struct vici_writer *w, const char *value);
void vici_put_data(struct vici_writer *w, struct bytes name, struct bytes value);
void vici_put_number(struct vici_writer *w, const char *name, uint64_t v);
void vici_put_hex(struct vici_writer *w, const char *name, uint64_t v, unsigned digits);
/* A value or item that a printer appends to the buffer, then closed. */
struct buf *vici_put_open(struct vici_writer *w, const char *name);
struct buf *vici_put_item_open(struct vici_writer *w);
void vici_put_close(struct vici_writer *w);
void vici_put_tree(struct vici_writer *w, const struct vnode *members); /* of this section */

/* Here, so that the compiler knows the length of names. */
static inline void vici_put_value(struct vici_writer *w, const char *name, const char *value)
{
    vici_put_data(w, bytes_of(name, strlen(name)), bytes_of(value, strlen(value)));
}

/* Reassembles packets from a byte stream. */
struct vici_stream {
    struct buf in;
    size_t at; /* bytes of `in` that were handed out already */
};
struct vici_packet_in {
    enum vici_op op;
    char name[64];     /* empty when longer than any command or event that exists */
    struct vnode *msg; /* NULL where the type has none; the receiver frees */
};
err_t vici_stream_feed(struct vici_stream *s, struct bytes data) must_use;
/* 0: a packet; E_AGAIN: not yet; positive: the stream is broken, close it. */
err_t vici_stream_next(struct vici_stream *s, struct vici_packet_in *out) must_use;
void vici_stream_free(struct vici_stream *s);

/* --- server: connections as objects without sockets --- */

struct vici_server;
struct vici_client; /* one connected client, on the server's side */

/*
 * A command's handler fills `reply`, or keeps the client's ticket and answers later (initiate,
 * terminate, rekey) with vici_reply. Streaming commands (list-sas ...) emit events to the asking
 * client only with vici_stream_event before the reply, for which it must have registered.
 */
struct vici_request {
    struct vici_client *client;
    uint64_t ticket; /* for a later vici_reply */
    const char *name;
    const struct vnode *msg; /* never NULL */
    struct vnode *reply;     /* an empty root to fill */
    bool later;              /* set by the handler: the answer comes by vici_reply */
};
typedef void vici_handler(void *ctx, struct vici_request *rq);

struct vici_command {
    const char *name;
    vici_handler *fn;
};

struct vici_server *vici_server_new(const struct vici_command *cmds, size_t n_cmds,
                                    const char *const *events, size_t n_events, void *ctx) must_use;
void vici_server_free(struct vici_server *s);
/*
 * `write` is called with bytes to send to this client; `io` is the caller's own handle. It must not
 * free the client. A client's requests are answered in order: while one waits for its vici_reply,
 * what the client sends meanwhile is kept.
 */
typedef void vici_write_fn(void *io, struct bytes data);
struct vici_client *vici_client_new(struct vici_server *s, vici_write_fn *write, void *io) must_use;
err_t vici_client_input(struct vici_client *c, struct bytes data) must_use; /* positive: close it */
void vici_client_free(struct vici_client *c);
/*
 * Events: begin gives NULL when nobody wants it; then write and end (or cancel) before anything
 * else is sent. vici_raise* go to all who registered, vici_event_* to one client, if it did.
 */
bool vici_wants(const struct vici_server *s, const char *event); /* anybody registered? */
struct vici_writer *vici_raise_begin(struct vici_server *s, const char *event);
void vici_raise_end(struct vici_server *s);
void vici_raise(struct vici_server *s, const char *event, const struct vnode *msg);
struct vici_writer *vici_event_begin(struct vici_client *c, const char *event);
void vici_event_end(struct vici_client *c);
void vici_event_cancel(struct vici_client *c);
void vici_stream_event(struct vici_client *c, const char *event, const struct vnode *msg);

/*
 * A listing of any length: `more` writes events until vici_client_full or the end, where it returns
 * false and an empty answer follows. It is called again when the client has read what it was sent
 * (vici_client_drained, of who owns the socket), so a slow reader holds up nothing but itself.
 */
struct vici_listing {
    void *ctx;
    bool (*more)(void *ctx, struct vici_client *c);
    void (*done)(void *ctx); /* at the end, or when the client went */
};
void vici_listing_begin(struct vici_request *rq, const struct vici_listing *l);
bool vici_client_full(const struct vici_client *c);
void vici_client_drained(struct vici_client *c);

void vici_reply(struct vici_server *s, uint64_t ticket,
                const struct vnode *msg); /* gone clients: ignored */
/* Who waits for this ticket, to stream control-log to; NULL when gone or answered. */
struct vici_client *vici_ticket_client(const struct vici_server *s, uint64_t ticket);
