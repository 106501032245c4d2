/* Names and one-line texts of events: see event.h. */
#include "base/event.h"
#include "base/buf.h"

struct row {
    const char *id, *group, *text;
    int level;
};

static const struct row rows[EV_COUNT] = {
#define EVENT(name, level, group, text) [EV_##name] = {#name, group, text, level},
#include "base/event.def"
#undef EVENT
};

const char *event_name(enum event_kind k)
{
    static char names[EV_COUNT][24];
    char *out = names[k];
    const char *in = rows[k].id;
    for (size_t i = 0; i + 1 < sizeof names[0] && in[i]; i++)
        out[i] = in[i] == '_' ? '-' : in[i] >= 'A' && in[i] <= 'Z' ? (char)(in[i] + 32) : in[i];
    return out;
}

const char *event_group(enum event_kind k)
{
    return rows[k].group;
}

int event_level(enum event_kind k)
{
    return rows[k].level;
}

static void render_subject(const struct event *ev, struct buf *out)
{
    if (!ev->conn && !ev->child)
        return;
    buf_puts(out, ev->conn ? ev->conn : "");
    if (ev->ike_id)
        buf_printf(out, "[%u]", ev->ike_id);
    if (ev->child) {
        buf_printf(out, "%s%s", ev->conn ? "/" : "", ev->child);
        if (ev->child_id)
            buf_printf(out, "{%u}", ev->child_id);
    }
    buf_puts(out, ": ");
}

static void render_ends(const struct event *ev, struct buf *out)
{
    char a[ENDPOINT_STR_MAX];
    if (ev->local.addr.family)
        buf_printf(out, ", local %s", endpoint_str(&ev->local, a));
    if (ev->remote.addr.family)
        buf_printf(out, ", remote %s", endpoint_str(&ev->remote, a));
    if (ev->spi_in || ev->spi_out)
        buf_printf(out, ", SPIs %08x_i %08x_o", ev->spi_in, ev->spi_out);
}

void event_render(const struct event *ev, struct buf *out)
{
    render_subject(ev, out);
    buf_puts(out, rows[ev->kind].text);
    if (ev->text)
        buf_printf(out, " %s", ev->text);
    if (ev->reason)
        buf_printf(out, ": %s", err_text(ev->reason));
    if (ev->what)
        buf_printf(out, "; %s", ev->what);
    if (ev->ours)
        buf_printf(out, ", ours: %s", ev->ours);
    if (ev->theirs)
        buf_printf(out, ", theirs: %s", ev->theirs);
    render_ends(ev, out);
    if (ev->hint)
        buf_printf(out, "; %s", ev->hint);
    if (ev->clause)
        buf_printf(out, " (%s)", ev->clause);
}
