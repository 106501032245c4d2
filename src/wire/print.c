/* Messages for the log: see print.h. Called by the engine when it emits events. */
#include "wire/print.h"
#include "wire/notify.h"
#include "wire/notify_v1.h"
#include "wire/payload_v1.h"

static void print_notify(const struct payload *p, struct buf *out)
{
    struct notify n;
    if (notify_parse(p->body, &n)) {
        buf_puts(out, "N(?)");
        return;
    }
    const char *name = notify_short_name(n.type);
    if (name)
        buf_printf(out, "N(%s)", name);
    else
        buf_printf(out, "N(%u)", n.type);
}

static void print_notify_v1(const struct payload *p, struct buf *out)
{
    struct notify_v1 n;
    const char *name = notify_v1_parse(p->body, &n) ? "?" : notify_v1_short_name(n.type);
    if (name)
        buf_printf(out, "N(%s)", name);
    else
        buf_printf(out, "N(%u)", n.type);
}

static void print_one_v1(const struct payload *p, struct buf *out)
{
    if (p->type == P1_NOTIFY)
        print_notify_v1(p, out);
    else if (!p->known)
        buf_printf(out, "?(%u)", p->type);
    else
        buf_puts(out, payload_v1_name(p->type));
}

static void print_one(const struct payload *p, struct buf *out)
{
    if (p->type == PL_NOTIFY)
        print_notify(p, out);
    else if (p->type == PL_SKF && p->body.n >= 4)
        buf_printf(out, "EF(%u/%u)", get_u16(p->body.p), get_u16(p->body.p + 2));
    else if (payload_name(p->type)[0] == '?')
        buf_printf(out, "?(%u)", p->type);
    else
        buf_puts(out, payload_name(p->type));
}

void payloads_print(const struct payloads *ps, struct buf *out)
{
    for (size_t i = 0; i < ps->count; i++) {
        buf_puts(out, i ? " " : "");
        (ps->p[i].type < PL_SA ? print_one_v1 : print_one)(&ps->p[i], out);
    }
}

void ike_message_print(const struct ike_hdr *h, const struct payloads *ps, struct buf *out)
{
    bool response = h->flags & IKE_FLAG_RESPONSE;
    const char *name = ike_exchange_name(h->exchange);
    if (h->major == 1) /* RFC 2408 3.1: no flag tells requests from responses */
        buf_printf(out, "%s %u [ ", name, h->msg_id);
    else
        buf_printf(out, "%s %s %u [ ", name, response ? "response" : "request", h->msg_id);
    payloads_print(ps, out);
    buf_puts(out, ps->count ? " ]" : "]");
}
