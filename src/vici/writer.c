/*
 * VICI messages and packets as bytes: strongSwan's src/libcharon/plugins/vici/README.md, "Message
 * encoding" and "Packet layer". Elements go straight into a buffer; a tree is one way to say which.
 * Called by the daemon's events, the server and the operator's command.
 */
#include "vici/element.h"
#include <culvert/vici.h>

#define LENGTH 4 /* of a packet, before it */

static void fail(struct vici_writer *w, err_t e)
{
    if (!w->err)
        w->err = e;
}

/* Room for n more bytes; NULL once something failed. */
static uint8_t *space(struct vici_writer *w, size_t n)
{
    uint8_t *p = w->err ? NULL : (uint8_t *)buf_space(w->out, n);
    if (!p)
        fail(w, E_NOMEM);
    return p;
}

static void put_byte(struct vici_writer *w, uint8_t v)
{
    uint8_t *p = space(w, 1);
    if (p)
        *p = v;
}

static struct bytes text_of(const char *s)
{
    return bytes_of(s, s ? strlen(s) : 0);
}

/* An element's type and name, with room for what follows. */
static uint8_t *named(struct vici_writer *w, enum element type, struct bytes name, size_t room)
{
    size_t n = name.n;
    if (n < 1 || n > VICI_NAME_MAX || w->in_list)
        fail(w, w->in_list ? E_USAGE : E_SPACE);
    uint8_t *p = space(w, 2 + n + room);
    if (!p)
        return NULL;
    p[0] = (uint8_t)type;
    p[1] = (uint8_t)n;
    memcpy(p + 2, name.p, n);
    return p + 2 + n;
}

static uint8_t *item(struct vici_writer *w, size_t room)
{
    if (!w->in_list)
        fail(w, E_USAGE);
    uint8_t *p = space(w, 1 + room);
    if (!p)
        return NULL;
    p[0] = LIST_ITEM;
    return p + 1;
}

/* Length and bytes of a value at p, where there is room. */
static void fill(uint8_t *p, const void *v, size_t n)
{
    if (!p)
        return;
    put_u16(p, (uint16_t)n);
    if (n)
        memcpy(p + 2, v, n);
}

static bool fits(struct vici_writer *w, const void *v, size_t n)
{
    if (n > VICI_VALUE_MAX || (!v && n))
        fail(w, v ? E_SPACE : E_USAGE);
    return !w->err;
}

/* --- packets --- */

static bool op_has_name(enum vici_op op)
{
    return op == VICI_CMD_REQUEST || op == VICI_EVENT_REGISTER || op == VICI_EVENT_UNREGISTER ||
           op == VICI_EVENT;
}

void vici_write_begin(struct vici_writer *w, struct buf *out, enum vici_op op, const char *name)
{
    *w = (struct vici_writer){.out = out, .begin = out->n};
    uint8_t *p = space(w, LENGTH + 1);
    if (p)
        p[LENGTH] = (uint8_t)op;
    if (!op_has_name(op))
        return;
    size_t n = name ? strlen(name) : 0;
    if (n < 1 || n > VICI_NAME_MAX)
        fail(w, E_SPACE);
    p = space(w, 1 + n);
    if (!p)
        return;
    p[0] = (uint8_t)n;
    memcpy(p + 1, name, n);
}

void vici_write_cancel(struct vici_writer *w)
{
    buf_cut(w->out, w->begin);
}

err_t vici_write_end(struct vici_writer *w)
{
    size_t n = w->out->n - w->begin;
    if (w->depth || w->in_list || w->open)
        fail(w, E_USAGE);
    if (!w->err && n > LENGTH + VICI_PACKET_MAX)
        fail(w, E_SPACE);
    if (w->err)
        vici_write_cancel(w);
    else
        put_u32((uint8_t *)w->out->s + w->begin, (uint32_t)(n - LENGTH));
    return w->err;
}

/* --- elements --- */

void vici_put_section(struct vici_writer *w, const char *name)
{
    if (++w->depth > VICI_DEPTH_MAX)
        fail(w, E_SPACE);
    (void)named(w, SECTION_START, text_of(name), 0);
}

void vici_put_section_end(struct vici_writer *w)
{
    if (w->depth)
        w->depth--;
    else
        fail(w, E_USAGE);
    put_byte(w, SECTION_END);
}

void vici_put_list(struct vici_writer *w, const char *name)
{
    (void)named(w, LIST_START, text_of(name), 0);
    w->in_list = true;
}

void vici_put_list_end(struct vici_writer *w)
{
    if (!w->in_list)
        fail(w, E_USAGE);
    w->in_list = false;
    put_byte(w, LIST_END);
}

void vici_put_data(struct vici_writer *w, struct bytes name, struct bytes value)
{
    if (fits(w, value.p, value.n))
        fill(named(w, KEY_VALUE, name, 2 + value.n), value.p, value.n);
}

static void put_item_data(struct vici_writer *w, const void *v, size_t n)
{
    if (fits(w, v, n))
        fill(item(w, 2 + n), v, n);
}

void vici_put_item(struct vici_writer *w, const char *value)
{
    put_item_data(w, value, strlen(value));
}

void vici_put_number(struct vici_writer *w, const char *name, uint64_t v)
{
    char text[20];
    vici_put_data(w, text_of(name), bytes_of(text, number_text(v, text)));
}

void vici_put_hex(struct vici_writer *w, const char *name, uint64_t v, unsigned digits)
{
    char text[16];
    digits = digits < sizeof text ? digits : sizeof text;
    for (unsigned i = digits; i-- > 0; v >>= 4)
        text[i] = "0123456789abcdef"[v & 15];
    vici_put_data(w, text_of(name), bytes_of(text, digits));
}

static struct buf *open_at(struct vici_writer *w, const uint8_t *p)
{
    if (p)
        w->open = w->out->n;
    return w->out;
}

struct buf *vici_put_open(struct vici_writer *w, const char *name)
{
    return open_at(w, named(w, KEY_VALUE, text_of(name), 2));
}

struct buf *vici_put_item_open(struct vici_writer *w)
{
    return open_at(w, item(w, 2));
}

void vici_put_close(struct vici_writer *w)
{
    size_t n = w->out->n - w->open;
    if (w->out->err)
        fail(w, w->out->err);
    if (!w->err && !w->open)
        fail(w, E_USAGE);
    if (!w->err && fits(w, w->out->s, n))
        put_u16((uint8_t *)w->out->s + w->open - 2, (uint16_t)n);
    w->open = 0;
}

/* --- trees --- */

static void put_node(struct vici_writer *w, const struct vnode *n)
{
    if (n->kind == VN_SECTION) {
        vici_put_section(w, n->name);
        vici_put_tree(w, n);
        vici_put_section_end(w);
    } else if (n->kind == VN_LIST) {
        vici_put_list(w, n->name);
        for (const struct vnode *i = n->child; i; i = i->next)
            if (i->kind == VN_VALUE)
                put_item_data(w, i->value, i->value_len);
            else
                fail(w, E_USAGE);
        vici_put_list_end(w);
    } else {
        vici_put_data(w, text_of(n->name), bytes_of(n->value, n->value_len));
    }
}

/* Deeper than the codec allows nothing is written, so recursion ends. */
void vici_put_tree(struct vici_writer *w, const struct vnode *members)
{
    if (members->broken)
        fail(w, E_NOMEM);
    for (const struct vnode *n = members->child; n && !w->err; n = n->next)
        put_node(w, n);
}

err_t vici_packet(enum vici_op op, const char *name, const struct vnode *msg, struct buf *out)
{
    struct vici_writer w;
    vici_write_begin(&w, out, op, name);
    if (msg)
        vici_put_tree(&w, msg);
    return vici_write_end(&w);
}

err_t vici_encode(const struct vnode *msg, struct buf *out)
{
    struct vici_writer w = {.out = out, .begin = out->n};
    vici_put_tree(&w, msg);
    if (w.err)
        vici_write_cancel(&w);
    return w.err;
}
