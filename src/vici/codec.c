/*
 * VICI messages as bytes: strongSwan's src/libcharon/plugins/vici/README.md, "Message encoding" and
 * "Packet layer". Called by the stream, the server and the operator's command.
 */
#include <culvert/vici.h>

enum element {
    SECTION_START = 1,
    SECTION_END = 2,
    KEY_VALUE = 3,
    LIST_START = 4,
    LIST_ITEM = 5,
    LIST_END = 6,
};

#define NAME_MAX_LEN  255
#define VALUE_MAX_LEN 65535

static void put_u8(struct buf *out, unsigned v)
{
    uint8_t b = (uint8_t)v;
    buf_add(out, &b, 1);
}

static err_t put_name(struct buf *out, const char *name)
{
    size_t n = name ? strlen(name) : 0;
    if (n < 1 || n > NAME_MAX_LEN)
        return E_SPACE;
    put_u8(out, (unsigned)n);
    buf_add(out, name, n);
    return E_OK;
}

static err_t put_value(struct buf *out, const struct vnode *n)
{
    if (!n->value && n->value_len)
        return E_USAGE;
    if (n->value_len > VALUE_MAX_LEN)
        return E_SPACE;
    put_u8(out, (unsigned)(n->value_len >> 8));
    put_u8(out, (unsigned)n->value_len);
    buf_add(out, n->value, n->value_len);
    return E_OK;
}

static err_t put_key_value(struct buf *out, const struct vnode *n)
{
    put_u8(out, KEY_VALUE);
    err_t e = put_name(out, n->name);
    return e ? e : put_value(out, n);
}

static err_t put_list(struct buf *out, const struct vnode *n)
{
    put_u8(out, LIST_START);
    err_t e = put_name(out, n->name);
    for (const struct vnode *i = n->child; i && !e; i = i->next) {
        put_u8(out, LIST_ITEM);
        e = i->kind == VN_VALUE ? put_value(out, i) : E_USAGE;
    }
    put_u8(out, LIST_END);
    return e;
}

static err_t put_members(struct buf *out, const struct vnode *section, unsigned depth);

static err_t put_section(struct buf *out, const struct vnode *n, unsigned depth)
{
    if (depth > VICI_DEPTH_MAX)
        return E_SPACE;
    put_u8(out, SECTION_START);
    err_t e = put_name(out, n->name);
    if (!e)
        e = put_members(out, n, depth);
    put_u8(out, SECTION_END);
    return e;
}

static err_t put_members(struct buf *out, const struct vnode *section, unsigned depth)
{
    err_t e = E_OK;
    for (const struct vnode *n = section->child; n && !e; n = n->next)
        e = n->kind == VN_SECTION ? put_section(out, n, depth + 1)
            : n->kind == VN_LIST  ? put_list(out, n)
                                  : put_key_value(out, n);
    return e;
}

static void cut(struct buf *out, size_t n)
{
    out->n = n;
    if (out->s)
        out->s[n] = 0;
}

err_t vici_encode(const struct vnode *msg, struct buf *out)
{
    if (msg->broken)
        return E_NOMEM;
    size_t before = out->n;
    err_t e = put_members(out, msg, 0);
    if (!e)
        e = out->err;
    if (e)
        cut(out, before);
    return e;
}

/* --- decoding --- */

/* A reader's place: which section or list new elements go into. */
struct place {
    struct rd r;
    struct vnode *in;
    unsigned depth;
};

/* Names go into texts and logs, so control characters have no place in them. */
static bool name_ok(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < 0x20 || b.p[i] == 0x7f)
            return false;
    return b.n > 0;
}

static bool get_name(struct rd *r, char out[NAME_MAX_LEN + 1])
{
    struct bytes b = rd_bytes(r, rd_u8(r));
    if (!r->err && !name_ok(b))
        rd_fail(r, R_SYNTAX);
    if (r->err)
        return false;
    memcpy(out, b.p, b.n);
    out[b.n] = 0;
    return true;
}

static struct bytes get_value(struct rd *r)
{
    return rd_bytes(r, rd_u16(r));
}

static void enter(struct place *at, enum vnode_kind kind)
{
    char name[NAME_MAX_LEN + 1];
    if (!get_name(&at->r, name))
        return;
    if (kind == VN_SECTION && ++at->depth > VICI_DEPTH_MAX) {
        rd_fail(&at->r, R_SYNTAX);
        return;
    }
    struct vnode *n = kind == VN_LIST ? vnode_list(at->in, name) : vnode_section(at->in, name);
    if (!n)
        rd_fail(&at->r, E_NOMEM);
    else
        at->in = n;
}

static void leave(struct place *at, enum vnode_kind kind)
{
    if (at->in->kind != kind || !at->in->parent) {
        rd_fail(&at->r, R_SYNTAX);
        return;
    }
    at->depth -= kind == VN_SECTION;
    at->in = at->in->parent;
}

static void get_key_value(struct place *at)
{
    char name[NAME_MAX_LEN + 1];
    if (!get_name(&at->r, name))
        return;
    struct bytes v = get_value(&at->r);
    if (!at->r.err && !vnode_data(at->in, name, v))
        rd_fail(&at->r, E_NOMEM);
}

static void get_item(struct place *at)
{
    struct bytes v = get_value(&at->r);
    if (!at->r.err && !vnode_item_data(at->in, v))
        rd_fail(&at->r, E_NOMEM);
}

static void get_element(struct place *at)
{
    uint8_t type = rd_u8(&at->r);
    /* inside of a list only items and its end, items nowhere else */
    bool in_list = at->in->kind == VN_LIST;
    if (in_list != (type == LIST_ITEM || type == LIST_END))
        rd_fail(&at->r, R_SYNTAX);
    else if (type == SECTION_START)
        enter(at, VN_SECTION);
    else if (type == SECTION_END)
        leave(at, VN_SECTION);
    else if (type == KEY_VALUE)
        get_key_value(at);
    else if (type == LIST_START)
        enter(at, VN_LIST);
    else if (type == LIST_ITEM)
        get_item(at);
    else if (type == LIST_END)
        leave(at, VN_LIST);
    else
        rd_fail(&at->r, R_SYNTAX);
}

err_t vici_decode(struct bytes in, struct vnode **msg)
{
    *msg = NULL;
    struct vnode *root = vnode_new();
    if (!root)
        return E_NOMEM;
    struct place at = {rd_of(in), root, 0};
    while (rd_left(&at.r))
        get_element(&at);
    if (!at.r.err && at.in != root)
        rd_fail(&at.r, R_TRUNCATED);
    if (at.r.err) {
        vnode_free(root);
        return at.r.err;
    }
    *msg = root;
    return E_OK;
}

/* --- packets --- */

static bool op_has_name(enum vici_op op)
{
    return op == VICI_CMD_REQUEST || op == VICI_EVENT_REGISTER || op == VICI_EVENT_UNREGISTER ||
           op == VICI_EVENT;
}

static err_t put_packet(enum vici_op op, const char *name, const struct vnode *msg, struct buf *out)
{
    put_u8(out, op);
    err_t e = op_has_name(op) ? put_name(out, name) : E_OK;
    if (!e && msg)
        e = vici_encode(msg, out);
    return e ? e : out->err;
}

err_t vici_packet(enum vici_op op, const char *name, const struct vnode *msg, struct buf *out)
{
    size_t before = out->n;
    uint8_t length[4] = {0};
    buf_add(out, length, sizeof length);
    err_t e = put_packet(op, name, msg, out);
    size_t n = out->n - before - sizeof length;
    if (!e && n > VICI_PACKET_MAX)
        e = E_SPACE;
    if (e) {
        cut(out, before);
        return e;
    }
    put_u32((uint8_t *)out->s + before, (uint32_t)n);
    return E_OK;
}
