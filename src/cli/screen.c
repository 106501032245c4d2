/* What the screens share: colours, columns, times and sizes as people read them. */
#include "cli/cli.h"
#include <stdlib.h>

void screen_tint(const struct screen *s, enum tint t, const char *text)
{
    static const char *const codes[] = {"", "1", "32", "33", "31", "2"};
    if (s->colour && t != TINT_NONE)
        buf_printf(s->out, "\033[%sm%s\033[0m", codes[t], text);
    else
        buf_puts(s->out, text);
}

void screen_pad(const struct screen *s, enum tint t, const char *text, size_t width)
{
    screen_tint(s, t, text);
    for (size_t n = strlen(text); n < width; n++)
        buf_puts(s->out, " ");
}

/* The two largest units: 45s, 2m 5s, 2h 3m, 3d 4h. Not a number: as it is. */
void screen_seconds(struct buf *out, const char *seconds)
{
    static const struct {
        unsigned long long len;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    char *end;
    unsigned long long v = strtoull(seconds, &end, 10);
    if (!*seconds || *end || *seconds == '-') {
        buf_puts(out, seconds);
        return;
    }
    size_t i = 0;
    while (i < 3 && v < units[i].len)
        i++;
    buf_printf(out, "%llu%c", v / units[i].len, units[i].unit);
    v %= units[i].len;
    if (i < 3 && v / units[i + 1].len)
        buf_printf(out, " %llu%c", v / units[i + 1].len, units[i + 1].unit);
}

void screen_bytes(struct buf *out, const char *bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    char *end;
    unsigned long long v = strtoull(bytes, &end, 10);
    if (!*bytes || *end || *bytes == '-' || v < 1024) {
        buf_printf(out, "%s B", bytes);
        return;
    }
    double d = (double)v / 1024;
    size_t i = 0;
    for (; d >= 1023.95 && i < 5; i++)
        d /= 1024;
    buf_printf(out, "%.1f %s", d, units[i]);
}

void screen_list(struct buf *out, const struct vnode *list)
{
    if (!list || !list->child) {
        buf_puts(out, "-");
        return;
    }
    for (const struct vnode *i = list->child; i; i = i->next)
        buf_printf(out, "%s%s", i->value, i->next ? " " : "");
}

const char *screen_get(const struct vnode *in, const char *name)
{
    const char *v = vnode_get(in, name);
    return v ? v : "-";
}

/* Depth: VICI_DEPTH_MAX of messages. */
void screen_scrub(struct vnode *tree)
{
    for (size_t i = 0; i < tree->value_len; i++)
        if ((unsigned char)tree->value[i] < 0x20 || tree->value[i] == 0x7f)
            tree->value[i] = '?';
    for (struct vnode *n = tree->child; n; n = n->next)
        screen_scrub(n);
}
