/*
 * VICI trees as JSON (RFC 8259): sections are objects, lists arrays, all values strings as VICI has
 * them. Called by run.c and its parts for --json.
 */
#include "cli/cli.h"

/* Length of a valid UTF-8 sequence at s (RFC 3629 4), 0 if there is none. */
static size_t utf8_len(const uint8_t *s, size_t n)
{
    size_t len = s[0] < 0x80             ? 1
                 : (s[0] & 0xe0) == 0xc0 ? 2
                 : (s[0] & 0xf0) == 0xe0 ? 3
                 : (s[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (len < 2 || len > n)
        return len <= n ? len : 0;
    uint32_t v = s[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (s[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool ok = v >= least[len] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
    return ok ? len : 0;
}

/* Bytes that are not UTF-8 become the code point of the same number: no value gets lost. */
void json_string(struct buf *out, const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    buf_puts(out, "\"");
    for (size_t i = 0; i < n;) {
        size_t len = utf8_len(p + i, n - i);
        if (len == 0 || p[i] < 0x20) {
            buf_printf(out, "\\u%04x", p[i]);
            i++;
            continue;
        }
        if (p[i] == '"' || p[i] == '\\')
            buf_puts(out, "\\");
        buf_add(out, p + i, len);
        i += len;
    }
    buf_puts(out, "\"");
}

static void json_list(struct buf *out, const struct vnode *list)
{
    buf_puts(out, "[");
    for (const struct vnode *i = list->child; i; i = i->next) {
        json_string(out, i->value, i->value_len);
        buf_puts(out, i->next ? "," : "");
    }
    buf_puts(out, "]");
}

static void json_member(struct buf *out, const struct vnode *n)
{
    json_string(out, n->name, strlen(n->name));
    buf_puts(out, ":");
    if (n->kind == VN_SECTION)
        json_object(out, n);
    else if (n->kind == VN_LIST)
        json_list(out, n);
    else
        json_string(out, n->value, n->value_len);
}

/* Depth: VICI_DEPTH_MAX of messages, bounded. */
void json_object(struct buf *out, const struct vnode *section)
{
    buf_puts(out, "{");
    for (const struct vnode *n = section->child; n; n = n->next) {
        json_member(out, n);
        buf_puts(out, n->next ? "," : "");
    }
    buf_puts(out, "}");
}

void json_sections(struct buf *out, const struct vnode *root)
{
    buf_puts(out, "[");
    for (const struct vnode *n = root->child; n; n = n->next) {
        buf_puts(out, "{");
        json_member(out, n);
        buf_puts(out, n->next ? "}," : "}");
    }
    buf_puts(out, "]");
}
