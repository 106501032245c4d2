/*
 * VICI messages read into trees: strongSwan's src/libcharon/plugins/vici/README.md, "Message
 * encoding". Called by the stream. writer.c writes them.
 */
#include "vici/element.h"
#include <culvert/vici.h>

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

static bool get_name(struct rd *r, char out[VICI_NAME_MAX + 1])
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
    char name[VICI_NAME_MAX + 1];
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
    char name[VICI_NAME_MAX + 1];
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
